"""Pod: the containers of one instance, what they are given, and what the pod says of itself."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from controller.api.meta import OwnerReference, Resource, timestamp
from dataplane.contract.headers import NETWORK_PROBE, PROBE_QUEUE
from dataplane.contract.ports import SERVING_PORT

from . import environment, probes
from .cgroups import Cgroup, Cgroups, Limits
from .container import CONFIG_ERROR, PULL_ERROR, Container, Ready, Refused
from .endpoints import Backend
from .environment import Facts, Source
from .images import Images
from .logs import LogFolder, tail
from .probes import LOOPBACK
from .process import Begin, Process
from .records import PodRecord, ProcessRecord
from .refusals import refusals

Object = dict[str, Any]

log = logging.getLogger("penstock.node")

SIDECAR = "queue-proxy"
HASH_LABEL = "pod-template-hash"
APP_PATIENCE_S = 1.0
"""How long the app's port is watched closely; after that the sidecar's own rhythm is fine enough."""
LAST_WORDS_S = 1.0
"""What tasks get to finish when their processes have ended."""
ROUND_S = 11.0
"""A sidecar answers a probe after ten seconds at the latest (DP-041)."""
PASSED_ON = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER")
"""What a developer's programs take for granted, from the environment of the node."""


class NodePod(Resource, frozen=True, kw_only=True, gc=False):
    """A Pod as the node reads it."""

    spec: Object = msgspec.field(default_factory=dict)
    status: Object = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What all pods of a node share."""

    node: str
    folder: Path
    """Of the files that say which processes belong to which pod."""
    images: Images
    logs: LogFolder
    cgroups: Cgroups
    sidecar: Sequence[str]
    """Command of the queue-proxy."""
    sidecar_environment: Mapping[str, str] = field(default_factory=dict)
    app_environment: Mapping[str, str] = field(default_factory=dict)
    start_sidecar: Callable[[Begin, Path], Awaitable[Process]] | None = None
    """A quicker way than its command."""
    read: Callable[[Source, str], Awaitable[Mapping[str, str] | None]]
    """A config map or secret by kind and name, and namespace; None: it is not there."""
    changed: Callable[[Pod], None]


class Pod:
    """One instance on this machine. `ended` is set when none of its processes is left after `stop`."""

    def __init__(self, item: NodePod, home: Home, address: str, port: int) -> None:
        """item: without a uid when the API server does not know it yet; port: of the app."""
        self.namespace, self.name = item.key
        self.uid = item.metadata.uid
        self.labels = item.metadata.labels
        self.annotations = item.metadata.annotations
        self.owner: OwnerReference | None = next(
            (one for one in item.metadata.owner_references if one.controller), None
        )
        self.spec = item.spec
        self.created = _seconds(item.metadata.creation_timestamp) or time.time()
        self.decided_s = 0.0
        """How long it took to decide that it should be."""
        self._wished_s = time.monotonic()
        self.address = address
        self.port = port
        self.logs = home.logs
        self.grace_s = float(item.spec.get("terminationGracePeriodSeconds") or 30)
        self.known = asyncio.Event()
        """The API server has it."""
        self.settled = asyncio.Event()
        """It serves, or goes: nobody waits for it any more."""
        self.ended = asyncio.Event()
        self.is_leaving = False
        self.was_ready = False
        """When somebody was told last."""
        self.is_gone = False
        """The API server has it no more."""
        self._home = home
        self._turned: dict[str, tuple[str, str]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping: asyncio.Task[None] | None = None
        self._saved: PodRecord | None = None
        self._start_time = timestamp(self.created)
        specs = item.spec.get("containers", [])
        self._has_sidecar = any(one["name"] == SIDECAR for one in specs)
        self.containers = [self._container(one) for one in specs]
        if self.uid:
            self.known.set()

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    @property
    def template(self) -> str:
        """Hash of the template that it was made from."""
        return self.labels.get(HASH_LABEL, "")

    @property
    def is_ready(self) -> bool:
        """Everybody may send it requests."""
        return not self.is_leaving and all(one.is_ready for one in self.containers)

    def start(self, record: PodRecord | None = None, ready: frozenset[str] = frozenset()) -> None:
        """All containers at once, the sidecar first.

        record  of an earlier node, whose processes are taken up again
        ready   containers that were ready then
        """
        for one in sorted(self.containers, key=lambda one: one.name != SIDECAR):
            known = record.containers.get(one.name) if record is not None else None
            adopted = Process.adopt(known.pid, known.born) if known is not None else None
            if known is not None:
                one.restarts = known.restarts if adopted is not None else known.restarts + 1
            if known is not None and adopted is not None:
                one.resume(adopted, known.since, ready=one.name in ready)
            self._tasks.append(asyncio.create_task(self._guarded(one)))

    def stop(self, grace_s: float) -> None:
        """Ends all containers within that time; a second call can only make it shorter."""
        loop = asyncio.get_running_loop()
        if self._stopping is None:
            self.is_leaving = True
            self._stopping = asyncio.create_task(self._stop(loop.time() + grace_s))
            self._tell()
        else:
            loop.call_later(grace_s, self.signal, signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """To all containers, without waiting for hooks."""
        for one in self.containers:
            one.signal(number)

    async def _stop(self, by: float) -> None:
        try:
            await asyncio.gather(*(one.stop(by) for one in self.containers))
            # Nothing runs any more; what is left waits for an answer that nobody needs.
            await asyncio.wait(self._tasks, timeout=LAST_WORDS_S)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)
            self.ended.set()

    async def _guarded(self, one: Container) -> None:
        """A mistake of ours ends one container, and is told."""
        try:
            await one.live()
        except Exception:
            log.exception("container %s of pod %s/%s: a defect", one.name, *self.key)

    # What containers need of their pod.

    def changed(self) -> None:
        """A container's state is another one."""
        self._save()
        self._tell()

    def _tell(self) -> None:
        """A mistake in what others make of it must not keep processes from being watched and ended."""
        try:
            self._home.changed(self)
        except Exception:
            log.exception("the state of pod %s/%s is not passed on: a defect", *self.key)

    def cgroup(self, container: str) -> Cgroup | None:
        return self._home.cgroups.of(f"{self.namespace}_{self.name}_{container}")

    async def prepare(self, spec: Object) -> Ready:
        """Raises Refused."""
        wrong = refusals(self.spec)
        if wrong:
            raise Refused(CONFIG_ERROR, "; ".join(wrong))
        is_sidecar = spec["name"] == SIDECAR
        argv, folder, image_id, given = self._sidecar() if is_sidecar else self._app(spec)
        if environment.needs_uid(spec):
            # An announcement that fails ends the pod, and this with it.
            await self.known.wait()
        wanted = environment.sources(spec)
        found = {source: await self._home.read(source, self.namespace) for source in sorted(wanted)}
        said, problems = environment.variables(spec, self._facts(), found, given)
        if problems:
            raise Refused(CONFIG_ERROR, "; ".join(problems))
        if is_sidecar:
            made = dict(self._home.sidecar_environment) | said
            made["SERVING_READINESS_PROBE"] = self._moved(said.get("SERVING_READINESS_PROBE", ""))
            begin = Begin(argv, made, folder)
        else:
            base = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
            made = base | dict(self._home.app_environment) | said
            begin = Begin(_argv(spec, argv, made), made, _folder(spec, folder))
        names = {port["name"]: port["containerPort"] for port in spec.get("ports", ()) if "name" in port}
        if self._is_app(spec):
            names = dict.fromkeys(names, self.port)
        start = self._home.start_sidecar if is_sidecar else None
        place = probes.Place(self.address, names, begin, self.port if self._is_app(spec) else 0)
        return Ready(begin, place, image_id, Limits.of(spec), start)

    def _container(self, spec: Object) -> Container:
        if spec["name"] == SIDECAR:
            return Container(self, spec, first_ready=self._serves)
        if not self._is_app(spec):
            return Container(self, spec)
        moved = dict(spec)
        for name in ("livenessProbe", "startupProbe", "readinessProbe"):
            if name in spec:
                moved[name] = self._moved_probe(spec[name])
        return Container(self, moved, first_ready=None if "readinessProbe" in spec else self._listens)

    def _is_app(self, spec: Object) -> bool:
        """The container that the sidecar stands in front of."""
        return self._has_sidecar and spec["name"] != SIDECAR and bool(spec.get("ports"))

    def _app(self, spec: Object) -> tuple[Sequence[str], Path, str, dict[str, str]]:
        image = self._home.images.get(spec.get("image", ""))
        if image is None:
            said = spec.get("image", "")
            raise Refused(
                PULL_ERROR,
                f'image: this machine has no image "{said}"; images of registries are not run here: '
                "make one of a folder with `penstock deploy FOLDER --name NAME`",
            )
        given = {"PORT": str(self.port)} if self._is_app(spec) else {}
        return image.command, Path(image.folder), image.reference, given

    def _sidecar(self) -> tuple[Sequence[str], Path, str, dict[str, str]]:
        given = {"PENSTOCK_BIND_ADDRESS": self.address, "USER_PORT": str(self.port)}
        return self._home.sidecar, self._home.folder, "", given

    def _facts(self) -> Facts:
        fields = {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "metadata.uid": self.uid,
            "spec.nodeName": self._home.node,
            "spec.serviceAccountName": self.spec.get("serviceAccountName") or "default",
            "status.hostIP": LOOPBACK,
            "status.hostIPs": LOOPBACK,
            "status.podIP": self.address,
            "status.podIPs": self.address,
        }
        return Facts(fields=fields, labels=self.labels, annotations=self.annotations)

    @property
    def _said_port(self) -> int:
        """Where the app would listen if it had a machine of its own."""
        app: Object = next((one for one in self.spec.get("containers", ()) if self._is_app(one)), {})
        return int(app["ports"][0].get("containerPort", 0)) if app else 0

    def _moved(self, probe: str) -> str:
        """The sidecar's probe (one, or a list) towards the port that the app really has."""
        if not probe:
            return ""
        try:
            found = json.loads(probe)
        except ValueError:
            return probe
        moved = [self._moved_probe(one) for one in found] if isinstance(found, list) else self._moved_probe(found)
        return json.dumps(moved)

    def _moved_probe(self, probe: Any) -> Any:
        if not isinstance(probe, dict):
            return probe
        made = dict(probe)
        for handler in ("httpGet", "tcpSocket", "grpc"):
            if handler in made and made[handler].get("port") == self._said_port:
                made[handler] = {**made[handler], "port": self.port}
        return made

    # Readiness, as early as it can be known.

    async def _listens(self) -> None:
        """Returns when the app does; also after a restart, of which the sidecar hears nothing."""
        await probes.listens(LOOPBACK, self.port, float("inf"))

    async def _serves(self) -> None:
        """Returns when the sidecar answers that the app is ready.

        A probe that only asks whether the app listens has been answered by then, and is not asked again.
        """
        spec = next(one for one in self.spec["containers"] if one["name"] == SIDECAR)
        said = {one["name"]: one.get("value", "") for one in spec.get("env", ())}
        port = int(said.get("QUEUE_SERVING_PORT") or SERVING_PORT)
        header = {"name": NETWORK_PROBE, "value": PROBE_QUEUE}
        handler = {"httpGet": {"host": self.address, "port": port, "httpHeaders": [header]}}
        place = probes.Place(self.address, {}, Begin((), {}, self._home.folder))
        await asyncio.gather(
            probes.listens(self.address, port, float("inf")), probes.listens(LOOPBACK, self.port, APP_PATIENCE_S)
        )
        if self._asks_for_a_listener(said.get("SERVING_READINESS_PROBE", "")) and probes.can_connect(
            LOOPBACK, self.port
        ):
            return
        pause_s = probes.FIRST_S
        longest_s = spec.get("readinessProbe", {}).get("periodSeconds") or 1
        while True:
            try:
                await probes.ask(handler, place, ROUND_S)
            except probes.ProbeError:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, longest_s)
            else:
                return

    def _asks_for_a_listener(self, probe: str) -> bool:
        """Whether a sidecar's probe is the usual one: one connection to the app."""
        try:
            found = json.loads(probe) if probe else {"tcpSocket": {}}
        except ValueError:
            return False
        if not isinstance(found, dict) or "tcpSocket" not in found or (found.get("successThreshold") or 1) > 1:
            return False
        return bool((found["tcpSocket"] or {}).get("port", self._said_port) == self._said_port)

    # What the pod says of itself.

    def steps_s(self) -> tuple[float, float, float]:
        """From the wish for it to its app's process, from there until the app listened, and from there until now."""
        app = next((one for one in self.containers if self._is_app(one.spec)), self.containers[0])
        return (
            max(0.0, app.began_s - self._wished_s),
            max(0.0, app.ready_s - app.began_s),
            max(0.0, time.monotonic() - app.ready_s),
        )

    def status(self) -> Object:
        """As the API has it; conditions keep the time at which they turned."""
        waiting = any("waiting" in one.state and not one.restarts for one in self.containers)
        phase = "Pending" if waiting else "Running"
        if self.ended.is_set():
            failed = any(one.exit_code not in (0, None) for one in self.containers)
            phase = "Failed" if failed else "Succeeded"
        unready = [one.name for one in self.containers if not one.is_ready]
        why = (
            ("", "")
            if not unready
            else ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
        )
        made: Object = {
            "phase": phase,
            "hostIP": LOOPBACK,
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "startTime": self._start_time,
            "conditions": [
                self._condition("PodScheduled", True),
                self._condition("Initialized", True),
                self._condition("ContainersReady", not unready, *why),
                self._condition("Ready", not unready and not self.is_leaving, *why),
            ],
            "containerStatuses": [one.status() for one in self.containers],
        }
        return made

    def backend(self) -> Backend:
        """As endpoints see it."""
        names = {
            port["name"]: port["containerPort"]
            for one in self.containers
            for port in one.spec.get("ports", ())
            if "name" in port
        }
        return Backend(
            namespace=self.namespace, name=self.name, uid=self.uid, node=self._home.node, address=self.address,
            is_ready=self.is_ready, labels=self.labels, port_names=names,
        )  # fmt: skip

    def trouble(self) -> str:
        """Why it is not ready, in a sentence; empty when nothing is wrong."""
        for one in self.containers:
            ended = one.last_state.get("terminated")
            if ended and not one.is_ready:
                return f'Container "{one.name}" ended with exit code {ended["exitCode"]}: {ended.get("message", "")}'
            waiting = one.state.get("waiting", {})
            if waiting.get("message"):
                return f'Container "{one.name}" cannot be started: {waiting["message"]}'
            if one.trouble and not one.is_ready:
                return f'Container "{one.name}": {one.trouble}.'
        app = next((one for one in self.containers if self._is_app(one.spec)), None)
        if app is None or self.is_ready:
            return ""
        if probes.can_connect(LOOPBACK, self.port):
            return f'The readiness probe of container "{app.name}" does not pass. {self._log_end(app)}'
        return f'Container "{app.name}" does not listen on port {self.port}, as PORT tells it. {self._log_end(app)}'

    def _log_end(self, one: Container) -> str:
        found = tail(self.logs.path(self.namespace, self.name, one.name)).strip()
        return f"Its log ends with: {found}" if found else "Its log is empty."

    def _condition(self, kind: str, good: bool, reason: str = "", message: str = "") -> Object:
        value = "True" if good else "False"
        if self._turned.get(kind, ("", ""))[0] != value:
            self._turned[kind] = (value, timestamp(time.time()))
        made: Object = {
            "type": kind,
            "status": value,
            "lastProbeTime": None,
            "lastTransitionTime": self._turned[kind][1],
        }
        return made | {"reason": reason, "message": message} if reason else made

    # What a later node needs.

    @property
    def _file(self) -> Path:
        return self._home.folder / f"{self.namespace}_{self.name}.json"

    def _save(self) -> None:
        """Which processes are ours; written as soon as one is new."""
        record = PodRecord(
            namespace=self.namespace, name=self.name, uid=self.uid, address=self.address, port=self.port,
            containers={
                one.name: ProcessRecord(
                    pid=one.process.pid, born=one.process.born, restarts=one.restarts,
                    since=one.state.get("running", {}).get("startedAt", ""),
                )
                for one in self.containers
                if one.process is not None and one.process.is_running
            },
        )  # fmt: skip
        if record == self._saved or self.ended.is_set():
            return
        try:
            part = self._file.with_suffix(".part")
            part.write_bytes(msgspec.json.encode(record))
            part.replace(self._file)
        except OSError as error:
            log.error("the processes of pod %s/%s are not on record: %s", *self.key, error)
        else:
            self._saved = record


def _argv(spec: Object, command: Sequence[str], known: Mapping[str, str]) -> list[str]:
    """`command` replaces the image's, `args` follow; references to variables are resolved."""
    said = [*(spec.get("command") or command), *(spec.get("args") or ())]
    return [environment.expanded(one, known) for one in said] if spec.get("command") or spec.get("args") else said


def _folder(spec: Object, folder: Path) -> Path:
    return folder / spec["workingDir"] if spec.get("workingDir") else folder


def _seconds(text: str | None) -> float:
    """An RFC 3339 time as Unix seconds; 0 where there is none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0
