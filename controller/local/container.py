"""Container: one program of a pod, started again whenever it ends, until the pod goes.

Source: Kubernetes, "Pod Lifecycle": states, restarts, probes, hooks, termination.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from controller.api.meta import timestamp

from . import probes
from .cgroups import Cgroup, Limits
from .logs import LogFolder, tail
from .process import START_FAILED, Begin, Process, StartError

Object = dict[str, Any]

PAUSE_MIN_S = 10.0
PAUSE_MAX_S = 300.0
"""Before a restart: kubelet's times, but that the first restart comes at once."""
CALM_S = 600.0
"""A run of that length was a good one: the next pause is the shortest again."""

CONFIG_ERROR = "CreateContainerConfigError"
CREATING = "ContainerCreating"
CREATE_ERROR = "CreateContainerError"
PULL_ERROR = "ErrImagePull"
BACK_OFF = "CrashLoopBackOff"
BACK_OFFS = {PULL_ERROR: "ImagePullBackOff"}
"""What a reason is called when it has come again."""


class Refused(Exception):
    """A container cannot be made as its spec says."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        self.message = message
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Ready:
    """All that a run needs."""

    begin: Begin
    place: probes.Place
    image_id: str = ""
    limits: Limits | None = None
    start: Callable[[Begin, Path], Awaitable[Process]] | None = None
    """Another way to start it than the usual one. Raises StartError."""


class Surroundings(Protocol):
    """What a container needs of its pod."""

    namespace: str
    name: str
    uid: str
    logs: LogFolder
    grace_s: float

    async def prepare(self, spec: Object) -> Ready:
        """Raises Refused."""

    def changed(self) -> None:
        """Something about a container is different."""

    def cgroup(self, container: str) -> Cgroup | None:
        """Where its limits hold; None: nowhere."""


class Container:
    """Life of one container. `state` and `last_state` are as in a pod's status."""

    def __init__(
        self, pod: Surroundings, spec: Object, *, first_ready: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """first_ready: returns when the container serves for the first time, instead of a readiness probe's rhythm."""
        self.spec = spec
        self.name: str = spec["name"]
        self.state: Object = {"waiting": {"reason": CREATING}}
        self.last_state: Object = {}
        self.restarts = 0
        self.is_started = False
        self.is_ready = False
        self.trouble = ""
        """What its last probe said; empty: nothing to complain about."""
        self.process: Process | None = None
        self.began_s = self.ready_s = 0.0
        """When its newest run began, and served, on the monotonic clock."""
        self._pod = pod
        self._first_ready = first_ready
        self._image_id = ""
        self._leaving = asyncio.Event()
        self._failures = 0
        self._place: probes.Place | None = None

    @property
    def exit_code(self) -> int | None:
        ended = self.state.get("terminated")
        return ended["exitCode"] if ended else None

    def status(self) -> Object:
        """As `containerStatuses` has it."""
        made: Object = {
            "name": self.name,
            "image": self.spec.get("image", ""),
            "imageID": self._image_id,
            "ready": self.is_ready,
            "started": self.is_started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last_state,
        }
        if self.process is not None:
            made["containerID"] = f"process://{self.process.pid}"
        return made

    def resume(self, process: Process, since: str, *, ready: bool) -> None:
        """Before `live`: a process of an earlier node runs, and nobody is told otherwise."""
        self.process = process
        self.state = {"running": {"startedAt": since}}
        self.is_started = True
        self.is_ready = ready

    async def live(self) -> None:
        """Until `stop`."""
        if self.process is not None:
            with suppress(Refused):
                self._take(await self._pod.prepare(self.spec))
            await self._run(self.process, self.state["running"]["startedAt"])
        while not self._leaving.is_set():
            if not await self._once():
                await self._pause()

    async def stop(self, by: float) -> None:
        """preStop, TERM, and KILL at the loop time `by`; returns when nothing runs any more."""
        self._leaving.set()
        process = self.process
        if process is None or not process.is_running:
            return
        hook = self.spec.get("lifecycle", {}).get("preStop")
        if hook and self._place is not None:
            left_s = by - asyncio.get_running_loop().time()
            asked: asyncio.Future[None] = asyncio.ensure_future(probes.ask(hook, self._place, max(left_s, 0.0)))
            # An app that ends meanwhile has nothing left to be prepared for.
            waited: list[asyncio.Future[Any]] = [asked, process.ended]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            with suppress(probes.ProbeError, asyncio.CancelledError):
                await asked
        await process.end(by)

    def signal(self, number: signal.Signals) -> None:
        """Now, beside whatever `stop` is waiting for."""
        if self.process is not None:
            self.process.signal(number)

    async def _once(self) -> bool:
        """One run; whether the next may follow at once."""
        try:
            ready = await self._pod.prepare(self.spec)
        except Refused as wrong:
            # What is missing in the API is looked for in a steady rhythm; an image in a growing one.
            self._failures += wrong.reason == PULL_ERROR
            reason = BACK_OFFS.get(wrong.reason, wrong.reason) if self._failures > 1 else wrong.reason
            self._set({"waiting": {"reason": reason, "message": wrong.message}})
            return False
        if self._leaving.is_set():
            return False
        self._take(ready)
        now = timestamp(time.time())
        try:
            log = self._pod.logs.begin(self._pod.namespace, self._pod.name, self.name)
            process = await ready.start(ready.begin, log) if ready.start else Process.start(ready.begin, log)
        except OSError as error:
            self._failures += 1
            self._set({"waiting": {"reason": CREATE_ERROR, "message": f"its log cannot be written: {error}"}})
            return False
        except StartError as wrong:
            self._failures += 1
            log.write_text(f"{wrong}\n")
            self._ended(START_FAILED, "StartError", str(wrong), now)
            return False
        if self._leaving.is_set():
            process.signal(signal.SIGKILL)
            await process.ended
            return False
        cgroup = self._pod.cgroup(self.name) if ready.limits is not None else None
        if cgroup is not None and ready.limits is not None:
            cgroup.hold(process.pid, ready.limits)
        return await self._run(process, now, cgroup)

    def _take(self, ready: Ready) -> None:
        self._place = ready.place
        self._image_id = ready.image_id

    async def _run(self, process: Process, since: str, cgroup: Cgroup | None = None) -> bool:
        """To the end of a process; whether the next may follow at once."""
        began = self.began_s = time.monotonic()
        if self.process is not process:
            self.process = process
            self.is_started = "startupProbe" not in self.spec
            self.is_ready = self.is_started and self._first_ready is None and "readinessProbe" not in self.spec
        self._set({"running": {"startedAt": since}})
        probing = asyncio.ensure_future(self._probe(process))
        try:
            code = await asyncio.shield(process.ended)
        finally:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
            process.forget()
        self.is_ready = self.is_started = False
        out_of_memory = cgroup is not None and cgroup.end()
        reason = "OOMKilled" if out_of_memory else "Completed" if code == 0 else "Error"
        self._ended(code, reason, self._message(code), since)
        self._failures = 0 if time.monotonic() - began >= CALM_S else self._failures + 1
        return self._failures <= 1

    def _ended(self, code: int, reason: str, message: str, since: str) -> None:
        ended: Object = {"exitCode": code, "reason": reason, "startedAt": since, "finishedAt": timestamp(time.time())}
        if message:
            ended["message"] = message
        if not self._leaving.is_set():
            self.restarts += 1
            self.last_state = {"terminated": ended}
        self._set({"terminated": ended})

    def _message(self, code: int) -> str:
        if code == 0 or self.spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        return tail(self._pod.logs.path(self._pod.namespace, self._pod.name, self.name))

    async def _pause(self) -> None:
        """Before the next try, unless the pod goes."""
        pause_s = min(PAUSE_MIN_S * 2.0 ** max(0, self._failures - 2), PAUSE_MAX_S)
        if "terminated" in self.state:
            what = f"container={self.name} pod={self._pod.name}_{self._pod.namespace}({self._pod.uid})"
            message = f"back-off {pause_s:g}s restarting failed {what}"
            self._set({"waiting": {"reason": BACK_OFF, "message": message}})
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._leaving.wait()

    def _set(self, state: Object) -> None:
        self.state = state
        self._pod.changed()

    def _told(self, ready: bool, why: str) -> None:
        self.trouble = why
        if ready != self.is_ready:
            self.is_ready = ready
            self.ready_s = time.monotonic()
            self._pod.changed()

    async def _probe(self, process: Process) -> None:
        place = self._place
        if place is None:
            return
        startup = self.spec.get("startupProbe")
        if startup and not self.is_started:
            why = await probes.started(startup, place)
            if why:
                await self._restart(process, f"startup probe failed: {why}")
                return
            self.is_started = True
            self.is_ready = "readinessProbe" not in self.spec and self._first_ready is None
            self._pod.changed()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._readiness(place))
            if "livenessProbe" in self.spec:
                group.create_task(self._liveness(process, place))

    async def _readiness(self, place: probes.Place) -> None:
        if self._first_ready is not None:
            await self._first_ready()
            self._told(True, "")
        probe = self.spec.get("readinessProbe")
        if probe:
            if self._first_ready is not None:
                await asyncio.sleep(probe.get("periodSeconds") or 10)
            await probes.watch(probe, place, self._told)

    async def _liveness(self, process: Process, place: probes.Place) -> None:
        failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def told(alive: bool, why: str) -> None:
            if not alive and not failed.done():
                failed.set_result(why)

        watching = asyncio.ensure_future(probes.watch(self.spec["livenessProbe"], place, told))
        try:
            why = await failed
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await self._restart(process, f"liveness probe failed: {why}")

    async def _restart(self, process: Process, why: str) -> None:
        """Ends the run; the next one follows."""
        self._told(False, why)
        await process.end(asyncio.get_running_loop().time() + self._pod.grace_s)
