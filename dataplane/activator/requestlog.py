"""Request log: one line for each finished request, as the map of observability wants it (2.2 stage 8, DP-227)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dataplane.accesslog import UPSTREAM_DEFAULT, AccessLog, LineWriter, Revision, TemplateError
from dataplane.contract.headers import SERVING_NAMESPACE, SERVING_REVISION
from dataplane.contract.values import go_bool, quoted
from dataplane.finished import BATCH_BYTES, headers, record_of, text, values
from dataplane.metrics.activator import Labels

ENABLED_KEY, TEMPLATE_KEY = "logging.enable-request-log", "logging.request-log-template"
LOGS_MAX = 1000
"""Revisions whose template is kept ready."""


def wanted_template(data: Mapping[str, str]) -> tuple[str, list[str]]:
    """The template that a map asks for, empty: no log; and what is wrong with the map."""
    try:
        is_enabled = go_bool(data.get(ENABLED_KEY, "false"))
    except ValueError:
        return "", [f"{ENABLED_KEY}: {quoted(data[ENABLED_KEY])} is no truth value; use true or false"]
    return data.get(TEMPLATE_KEY, UPSTREAM_DEFAULT) if is_enabled else "", []


def revision_of(found: list[tuple[bytes, bytes]], host: str, domain: str) -> str:
    """NAMESPACE/NAME that a request named, by its fields, else by its host (2.3)."""
    namespace = "".join(values(found, SERVING_NAMESPACE.lower().encode())[:1])
    name = "".join(values(found, SERVING_REVISION.lower().encode())[:1])
    if not namespace or not name:
        parts = host.split(".", 3)
        if len(parts) == 4 and parts[2] == "svc" and parts[3].partition(":")[0] == domain:
            name, namespace = parts[:2]
    return f"{namespace}/{name}"


class RequestLog:
    """Off until `use` says otherwise.

    domain    the cluster's
    labels    what is known of a revision
    finished  gives records of the engine's journal, about so many bytes
    tell      one line for the log of the process
    """

    def __init__(
        self,
        domain: str,
        labels: Callable[[str], Labels],
        finished: Callable[[int], list[tuple[Any, ...]]],
        tell: Callable[[str], None],
        lines: LineWriter,
    ) -> None:
        self._domain = domain
        self._labels = labels
        self._finished = finished
        self._tell = tell
        self._lines = lines
        self._template = ""
        self._logs: dict[str, AccessLog] = {}

    def use(self, data: Mapping[str, str]) -> bool:
        """The map has changed; says whether requests are logged from now on."""
        template, problems = wanted_template(data)
        for problem in problems:
            self._tell(f"the request log is off: {problem}")
        if template != self._template:
            self._logs.clear()
            self._template = template
            try:
                if template:
                    self._log("")
            except TemplateError as error:
                self._tell(f"the request log is off, its template cannot be used: {error}")
                self._template = ""
        return bool(self._template)

    def drain(self) -> bool:
        """Writes what has finished, as far as standard output takes it; says whether something is left."""
        if not self._lines.flush():
            return True
        entries = self._finished(BATCH_BYTES)
        for entry in entries if self._template else ():
            record = record_of(entry)
            name = revision_of(headers(entry[-1]), text(entry[-3]), self._domain)
            line = self._log(name).line(record)
            if line:
                self._lines.add(line)
        return not self._lines.flush() or bool(entries)

    def _log(self, name: str) -> AccessLog:
        log = self._logs.get(name)
        if log is None:
            if len(self._logs) >= LOGS_MAX:
                self._logs.clear()
            service, configuration, revision, namespace = self._labels(name)
            whose = Revision(
                name=revision,
                namespace=namespace,
                service=service,
                configuration=configuration,
                pod_name="",
                pod_ip="",
            )
            log = self._logs[name] = AccessLog(self._template, whose)
        return log
