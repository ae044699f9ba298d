"""Explain: why a service is as it is: its scale, its path, its time limits, what failed last, what to do.

A pure function of what the controllers know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from controller.api.conditions import READY, Condition, find
from controller.api.core import Pod
from controller.api.networking import ServerlessService
from controller.api.serving import Revision, Service

DECISIONS = 5
"""The newest so many are shown."""

ADVICE: dict[str, str] = {
    "ContainerMissing": "deploy it from a folder: penstock deploy FOLDER --name {service}",
    "ExitCode": "read its log: penstock logs {service}; mend it, and deploy it again",
    "CrashLoopBackOff": "read its log: penstock logs {service}; mend it, and deploy it again",
    "ProgressDeadlineExceeded": "the app has to listen on the port that PORT names; penstock logs {service}",
    "RevisionMissing": "traffic names a revision that is not there: penstock describe {service} lists them",
    "DomainConflict": "another service has this host: delete one of the two, or give this one another name",
    "RevisionFailed": "mend the newest revision, or go back: penstock traffic {service} --rollback",
    "Uninitialized": "no gateway has confirmed the route yet; penstock up says whether one runs",
    "CreateContainerConfigError": "the message names the field; mend it, and deploy it again",
}
"""What to do, by the reason of a condition or of a container."""

TROUBLED = ("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError")


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of the autoscaler."""

    ago_s: float
    pods: int
    reason: str


class RevisionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one revision."""

    revision: Revision
    pods: Sequence[Pod]
    decisions: Sequence[Decision]
    """Oldest first."""
    path: ServerlessService | None
    wanted: int | None = None
    """Pods that were asked for, within the revision's bounds; None or below 0: nothing yet."""
    algorithm: str = ""
    start_s: float | None = None
    """How long a pod takes to start, by experience."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    service: str
    namespace: str
    url: str
    ready: str
    """In a sentence."""
    revisions: list[RevisionExplanation]
    failures: list[str]
    advice: list[str]


class RevisionExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """One revision."""

    name: str
    percent: int
    tags: list[str]
    pods_wanted: int
    pods_ready: int
    pods_starting: int
    scale: str
    """Why so many."""
    decisions: list[Decision]
    """Newest first."""
    path: list[str]
    """From the caller to the app."""
    timeouts: dict[str, str]
    concurrency: str


def explain(service: Service, revisions: Iterable[RevisionFacts], gateways: int) -> Explanation:
    """gateways: those that are connected."""
    facts = list(revisions)
    found = [*_conditions("service", service.name, service.status.conditions)]
    for one in facts:
        found += _conditions("revision", one.revision.name, one.revision.status.conditions)
        found += [trouble for pod in one.pods for trouble in _pod_troubles(pod)]
    if not gateways:
        found.append(("NoGateway", "no gateway is connected: requests are not answered"))
    advice = [
        ADVICE[key].format(service=service.name) for reason, _ in found for key in ADVICE if reason.startswith(key)
    ]
    if any(reason == "NoGateway" for reason, _ in found):
        advice.append("penstock starts a gateway that died by itself; its log is in the state folder, penstock.log")
    return Explanation(
        service=service.name,
        namespace=service.namespace,
        url=service.status.url,
        ready=_ready(service),
        revisions=[_revision(service, one, gateways) for one in facts],
        failures=list(dict.fromkeys(text for _, text in found)),
        advice=list(dict.fromkeys(advice)),
    )


def _ready(service: Service) -> str:
    found = find(service.status.conditions, READY)
    if found is None:
        return "nobody has looked at it yet"
    if service.status.observed_generation != service.metadata.generation:
        return "its last change is being worked on"
    words = {"True": "ready", "False": "failed", "Unknown": "not ready yet"}[found.status]
    why = " ".join(part for part in (found.reason and f"{found.reason}:", found.message) if part)
    return f"{words}: {why}" if why else words


def _revision(service: Service, facts: RevisionFacts, gateways: int) -> RevisionExplanation:
    revision, pods = facts.revision, facts.pods
    traffic = [one for one in service.status.traffic if one.revision_name == revision.name]
    ready = sum(pod.is_ready for pod in pods)
    alive = sum(not pod.is_deleted for pod in pods)
    last = facts.decisions[-1] if facts.decisions else None
    return RevisionExplanation(
        name=revision.name,
        percent=sum(one.percent or 0 for one in traffic),
        tags=[one.tag for one in traffic if one.tag],
        pods_wanted=max(facts.wanted or 0, 0),
        pods_ready=ready,
        pods_starting=alive - ready,
        scale=_scale(last, facts),
        decisions=list(reversed(facts.decisions))[:DECISIONS],
        path=_path(facts, ready, gateways),
        timeouts=_timeouts(revision),
        concurrency=_concurrency(revision),
    )


def _scale(last: Decision | None, facts: RevisionFacts) -> str:
    starts = f"; a pod takes {facts.start_s:.2f} s to start" if facts.start_s is not None else ""
    if last is None:
        return f"nothing was decided yet: no request has come since the start{starts}"
    pods = f"{last.pods} {'pod' if last.pods == 1 else 'pods'}"
    return f"the load asks for {pods}, by algorithm {facts.algorithm} {last.ago_s:.1f} s ago: {last.reason}{starts}"


def _path(facts: RevisionFacts, ready: int, gateways: int) -> list[str]:
    mode = facts.path.spec.mode if facts.path is not None else ""
    gateway = f"gateway ({gateways} connected)"
    if not ready:
        gateway += ": holds requests until a pod is ready"
    elif mode == "Proxy":
        gateway += ": holds what the pods have no room for"
    return [gateway, "queue-proxy of the pod", f"app ({ready} ready)"]


def _timeouts(revision: Revision) -> dict[str, str]:
    found = {"whole request": f"{revision.timeout_seconds} s (timeoutSeconds), waiting for a pod included"}
    if revision.response_start_timeout_seconds:
        found["first byte"] = f"{revision.response_start_timeout_seconds} s (responseStartTimeoutSeconds)"
    if revision.idle_timeout_seconds:
        found["silence"] = f"{revision.idle_timeout_seconds} s (idleTimeoutSeconds)"
    return found


def _concurrency(revision: Revision) -> str:
    limit = revision.container_concurrency
    return f"{limit} at once for each pod (containerConcurrency)" if limit else "no limit for a pod"


def _conditions(kind: str, name: str, conditions: Iterable[Condition]) -> list[tuple[str, str]]:
    """Reason and sentence of each that failed; Ready only repeats another one."""
    failed = [one for one in conditions if one.is_false and one.severity == ""]
    own = [one for one in failed if one.type != READY] or failed
    return [(one.reason, f"{kind} {name}, {one.type}: {one.reason}: {one.message}".rstrip(": ")) for one in own]


def _pod_troubles(pod: Pod) -> list[tuple[str, str]]:
    found = []
    for one in pod.status.container_statuses:
        where = f"pod {pod.name}, container {one.name}"
        ended, waiting = one.last_state.terminated, one.state.waiting
        if ended is not None and ended.exit_code:
            times = f", {one.restart_count} times by now" if one.restart_count > 1 else ""
            text = f"{where}: it ended with exit code {ended.exit_code}{times}. {_last_lines(ended.message)}"
            found.append(("ExitCode", text.rstrip()))
        if waiting is not None and waiting.reason in TROUBLED:
            found.append((waiting.reason, f"{where}: {waiting.reason}: {waiting.message}".rstrip(": ")))
    return found


def _last_lines(message: str, count: int = 5) -> str:
    lines = message.strip().splitlines()[-count:]
    return "Its log ends with:\n" + "\n".join(f"    {line}" for line in lines) if lines else ""
