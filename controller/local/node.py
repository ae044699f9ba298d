"""Node: the pods of this machine's Deployments, from the API to processes and back.

Processes are started first and told of afterwards: between the wish for a pod
and its first instruction stands no answer of the API server. What is known of
pods is in memory; the API has a copy, and processes outlive the node.
"""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import time
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec

from controller.api.core import ConfigMap, Endpoints, KubeService, Secret
from controller.api.meta import REVISION_LABEL, ObjectMeta, OwnerReference, owner_reference
from controller.api.meta import Resource as ApiObject
from controller.kube.cache import Cache, Key
from controller.reconcile import Controller
from dataplane.kube.client import Client
from dataplane.kube.errors import AlreadyExists, Conflict, KubeError, NotFound, Unreachable
from dataplane.kube.resource import CONFIG_MAPS, DEPLOYMENTS, ENDPOINTS, PODS, SECRETS, SERVICES, Resource
from dataplane.kube.watch import watch

from . import deployments, environment, logs, records
from .addresses import addresses, ports
from .api.status import bad_request
from .cgroups import Cgroups
from .deployments import NodeDeployment, PodView
from .endpoints import endpoints
from .environment import CONFIG_MAP, Source, decoded
from .forkserver import Forkserver, ForkserverGone
from .images import Images
from .pod import HASH_LABEL, Home, NodePod, Pod
from .process import Begin, Process
from .records import PodRecord

log = logging.getLogger("penstock.node")

Object = dict[str, Any]

LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Of the end of a pod's name: no vowels, so no words."""
BY_LABEL = "label"
STATUS_S = 0.01
"""How much later than endpoints a status is written: it is all work of one thread, and requests wait for endpoints."""
UNREADY_S = 0.2
"""What is said of pods that do not serve yet may wait so long: most of it is overtaken by then."""
ANNOUNCE_S = 0.05
"""The API server hears of a pod when it is ready, or so much later: what it costs to tell, the start would pay."""
PAUSE_MIN_S, PAUSE_MAX_S = 1.0, 60.0
"""Between two tries to tell the API server of a pod that it refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What differs between machines."""

    state: Path
    """Folder of this node: `logs`, `pods`."""
    sidecar: tuple[str, ...]
    """Command that starts a queue-proxy."""
    forkserver: tuple[str, ...] = ()
    """Command of dataplane.forkserver, which starts them faster; empty: none."""
    name: str = "penstock"
    sidecar_environment: Mapping[str, str] = field(default_factory=dict)
    app_environment: Mapping[str, str] = field(default_factory=dict)
    """Such as PENSTOCK_GATEWAY."""
    stop_s: float = 5.0
    """What processes get when the node itself ends."""


class Listener(Protocol):
    """Who hears of what requests wait for before the API server does."""

    def instance_ready(self, key: Key, address: str, decided_s: float, steps_s: tuple[float, float, float]) -> None:
        """A pod of that revision serves."""

    def endpoints_told(self, found: Endpoints) -> None:
        """Endpoints as they will be written."""


class Node:
    """Runs pods. Use `run` as a task; its cancellation ends all processes."""

    def __init__(
        self, client: Client, images: Images, settings: NodeSettings, listener: Listener | None = None
    ) -> None:
        self._client = client
        self._listener = listener
        self._settings = settings
        self._forkserver = Forkserver(settings.forkserver, settings.state / "forkserver.log")
        self._addresses = addresses()
        self._ports = ports()
        self._logs = logs.LogFolder(settings.state / "logs")
        self._home = Home(
            node=settings.name, folder=settings.state / "pods", images=images, logs=self._logs,
            cgroups=Cgroups("penstock"), sidecar=settings.sidecar, sidecar_environment=settings.sidecar_environment,
            app_environment=settings.app_environment, read=self._read, changed=self._changed,
            start_sidecar=self._start_sidecar if settings.forkserver else None,
        )  # fmt: skip
        self.pods: dict[Key, Pod] = {}
        self._records: dict[Key, PodRecord] = {}
        self._removed: set[str] = set()
        self._pod_written: dict[Key, Object] = {}
        self._endpoints_written: dict[Key, Object] = {}
        self._deployment_status: dict[str, Object] = {}
        self._wishes: dict[Key, int] = {}
        self._deployment_cache: Cache[NodeDeployment] = Cache()
        self._pod_cache: Cache[NodePod] = Cache()
        self._service_cache: Cache[KubeService] = Cache({BY_LABEL: _first_label})
        self._deployments = Controller("deployment", self._deployment)
        self._statuses = Controller("pod status", self._pod_status)
        self._endpoints = Controller("endpoints", self._service)
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Until cancelled. Processes of an earlier node are taken up, or ended when nobody wants them any more."""
        for folder in (self._home.folder, self._logs.root):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._records = records.take(self._home.folder)
        if self._settings.forkserver:
            self._forkserver.begin()
        try:
            async with asyncio.TaskGroup() as self._group:
                for work in self._watches():
                    self._group.create_task(work)
                for cache in (self._deployment_cache, self._pod_cache, self._service_cache):
                    await cache.listed.wait()
                self._recover()
                for controller in (self._endpoints, self._statuses, self._deployments):
                    self._group.create_task(controller.run())
                self._group.create_task(self._logs.keep_small(lambda: set(self.pods)))
        finally:
            await self._end_all()
            self._forkserver.end()

    def wish(self, key: Key, pods: int, decided_s: float) -> None:
        """How many pods a Deployment will have; pods that are missing begin before this returns.

        It counts until the API server says how many there are to be.
        """
        deployment = self._deployment_cache.get(*key)
        if deployment is None or self._group is None:
            return
        if pods > deployment.spec.get("replicas", 1):
            self._wishes[key] = pods
        else:
            self._wishes.pop(key, None)
        self._grow(deployment, decided_s)
        self._deployments.queue.add(key)

    async def log(self, namespace: str, name: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """What a container has printed, as `kubectl logs` asks: container, follow, previous, tailLines, limitBytes.

        Raises  ApiError, before the first part
        """
        for wish in ("sinceSeconds", "sinceTime", "timestamps"):
            if query.get(wish) not in (None, "", "false"):
                raise bad_request(f"{wish}: lines have no times here; use tailLines")
        container = query.get("container") or self._main_container(namespace, name)
        previous = query.get("previous") == "true"
        path = self._logs.path(namespace, name, container, previous=previous)
        lines = query.get("tailLines")
        if lines and not lines.isdecimal():
            raise bad_request(f'tailLines: "{lines}" is no count of lines')
        limit = query.get("limitBytes")
        if limit and (not limit.isdecimal() or int(limit) == 0):
            raise bad_request(f'limitBytes: "{limit}" is no count of bytes; it is 1 or more')
        if not path.exists():
            which = "previous terminated container" if previous else "container"
            raise bad_request(f'{which} "{container}" in pod "{name}" not found')
        pod = self.pods.get((namespace, name))
        until = pod.ended if pod is not None and query.get("follow") == "true" and not previous else None
        parts = logs.read(path, lines=int(lines) if lines else None, until=until)
        async with aclosing(logs.limited(parts, int(limit)) if limit else parts) as wanted:
            async for part in wanted:
                yield part

    def _main_container(self, namespace: str, name: str) -> str:
        """The first: the app's."""
        pod = self.pods.get((namespace, name))
        if pod is not None:
            return pod.containers[0].name
        found = sorted((self._logs.root / namespace / name).glob("*.log"))
        return next((path.stem for path in found if path.stem != "queue-proxy"), "")

    def _watches(self) -> Iterable[Coroutine[Any, Any, None]]:
        def follow(resource: Resource, kind: Any, cache: Cache[Any], fields: str = "") -> Coroutine[Any, Any, None]:
            def trouble(error: KubeError) -> None:
                log.warning("watch of %s: %s; tried again", resource.plural, error)

            return cache.follow(watch(self._client, resource, kind, fields=fields, on_trouble=trouble))

        yield follow(DEPLOYMENTS, NodeDeployment, self._deployment_cache)
        yield follow(SERVICES, KubeService, self._service_cache)
        yield follow(PODS, NodePod, self._pod_cache, f"spec.nodeName={self._settings.name}")

    def _recover(self) -> None:
        """Pods that the API server knows go on; processes that belong to none of them end."""
        wanted = {item.key: item.metadata.uid for item in self._pod_cache}
        for key, record in list(self._records.items()):
            if wanted.get(key) is None or record.uid not in ("", wanted[key]):
                del self._records[key]
                records.end(self._home.folder, record)
        self._pod_cache.listen(self._pod_changed)
        self._records.clear()
        self._deployment_cache.listen(self._deployment_changed)
        self._service_cache.listen(self._service_changed)

    # What comes from the API.

    def _deployment_changed(self, old: NodeDeployment | None, new: NodeDeployment | None) -> None:
        item = new or old
        if item is None:
            return
        if old is None or new is None or old.spec.get("replicas") != new.spec.get("replicas"):
            self._wishes.pop(item.key, None)
        if new is None:
            self._deployment_status.pop(item.metadata.uid, None)
        self._deployments.queue.add(item.key)

    def _service_changed(self, old: KubeService | None, new: KubeService | None) -> None:
        item = new or old
        if item is not None:
            self._endpoints.queue.add(item.key)

    def _pod_changed(self, old: NodePod | None, new: NodePod | None) -> None:
        """Pods that others delete, or that an earlier node has made."""
        item = new or old
        if item is None:
            return
        pod = self.pods.get(item.key)
        if new is None:
            self._removed.discard(item.metadata.uid)
            if pod is not None and pod.uid == item.metadata.uid:
                pod.is_gone = True
                pod.stop(0)
        elif pod is None and new.metadata.uid not in self._removed and new.spec.get("nodeName") == self._settings.name:
            pod = self._take_up(new)
        if new is not None and new.is_deleted and pod is not None and pod.uid == new.metadata.uid:
            pod.stop(float(new.metadata.deletion_grace_period_seconds or 0))

    def _take_up(self, item: NodePod) -> Pod:
        record = self._records.get(item.key)
        if record is not None:
            self._addresses.keep(record.address)
            self._ports.keep(record.port)
        pod = Pod(
            item, self._home, record.address if record else self._addresses.take(),
            record.port if record else self._ports.take(),
        )  # fmt: skip
        for status in item.status.get("containerStatuses", ()) if record is None else ():
            for one in pod.containers:
                if one.name == status["name"]:
                    one.restarts = status.get("restartCount", 0) + 1
        ready = frozenset(one["name"] for one in item.status.get("containerStatuses", ()) if one.get("ready"))
        self._begin(pod, record, ready=ready)
        return pod

    # Deployments.

    async def _deployment(self, key: Key) -> float | None:
        """One step towards the wanted pods; whatever changes brings the next."""
        deployment = self._deployment_cache.get(*key)
        mine = self._pods_of(key)
        if deployment is None or deployment.is_deleted:
            await self._delete(mine)
            return None
        leaving = self._grow(deployment)
        # Processes begin before anything is said about them.
        await asyncio.sleep(0)
        await self._delete([pod for pod in mine if pod.name in leaving])
        starting = [pod.created for pod in self._pods_of(key) if not pod.is_ready]
        young_s = min(starting, default=0.0) + UNREADY_S - time.time()
        return young_s if young_s > 0 else await self._write_deployment(deployment)

    def _grow(self, deployment: NodeDeployment, decided_s: float = 0.0) -> Collection[str]:
        """Makes the pods that are missing; returns the names of those that are too many."""
        uid = deployment.metadata.uid
        mine = [pod for pod in self._pods_of(deployment.key) if pod.owner is not None and pod.owner.uid == uid]
        wished = self._wishes.get(deployment.key)
        spec = deployment.spec if wished is None else deployment.spec | {"replicas": wished}
        change = deployments.decide(spec, [_view(pod) for pod in mine])
        for _ in range(change.create):
            self._create(deployment, decided_s)
        return change.delete

    async def _write_deployment(self, deployment: NodeDeployment) -> float | None:
        """Its status; returns the seconds until its progress deadline."""
        uid, now_s = deployment.metadata.uid, time.time()
        known = msgspec.structs.replace(deployment, status=self._deployment_status.get(uid, deployment.status))
        views = [_view(pod) for pod in self._pods_of(deployment.key)]
        due = deployments.deadline_s(known)
        if due is not None and now_s >= due:
            troubles = {pod.name: pod.trouble() for pod in self._pods_of(deployment.key)}
            views = [replace(view, trouble=troubles[view.name]) for view in views]
        status = deployments.status(known, views, now_s)
        if status != known.status:
            await self._patch_status(DEPLOYMENTS, deployment.namespace, deployment.name, uid, known.status, status)
            self._deployment_status[uid] = status
        due = deployments.deadline_s(msgspec.structs.replace(known, status=status))
        return max(due - time.time(), 0.05) if due is not None else None

    def _create(self, deployment: NodeDeployment, decided_s: float) -> None:
        template = deployment.spec.get("template", {})
        said = template.get("metadata", {})
        item = NodePod(
            api_version="v1",
            kind="Pod",
            metadata=ObjectMeta(
                name=f"{deployment.name}-{''.join(random.choices(LETTERS, k=5))}",
                namespace=deployment.namespace,
                labels=said.get("labels", {}) | {HASH_LABEL: deployments.template_hash(deployment.spec)},
                annotations=said.get("annotations", {}),
                owner_references=(_owner(deployment),),
            ),
            spec=template.get("spec", {}) | {"nodeName": self._settings.name},
        )
        pod = Pod(item, self._home, self._addresses.take(), self._ports.take())
        pod.decided_s = decided_s
        self._begin(pod, None, item)

    async def _delete(self, pods: list[Pod]) -> None:
        """Out of the endpoints at once; then the API server is told."""
        for pod in pods:
            pod.stop(pod.grace_s)
        for pod in pods:
            if pod.known.is_set() and not pod.is_gone:
                try:
                    with suppress(NotFound, Conflict):
                        await self._client.delete(PODS, pod.namespace, pod.name, uid=pod.uid)
                except KubeError as error:
                    # Its end is told of in any case (`_remove`).
                    log.warning("pod %s/%s ends, and the API server is not told yet: %s", *pod.key, error)

    def _pods_of(self, key: Key) -> list[Pod]:
        return [
            pod
            for pod in self.pods.values()
            if pod.namespace == key[0] and not pod.is_leaving
            and pod.owner is not None and pod.owner.kind == "Deployment" and pod.owner.name == key[1]
        ]  # fmt: skip

    # Pods.

    def _begin(
        self, pod: Pod, record: PodRecord | None, item: NodePod | None = None, ready: frozenset[str] = frozenset()
    ) -> None:
        assert self._group is not None
        self.pods[pod.key] = pod
        pod.start(record, ready)
        self._group.create_task(self._life(pod, item))

    async def _life(self, pod: Pod, item: NodePod | None) -> None:
        """Tells the API server of a new pod, and of its end."""
        try:
            if item is not None:
                await self._settled(pod)
            if item is not None and not await self._announce(pod, item):
                pod.stop(0)
            await pod.ended.wait()
            if pod.known.is_set() and not pod.is_gone:
                await self._remove(pod)
        finally:
            if pod.ended.is_set():
                self._addresses.give_back(pod.address)
                self._ports.give_back(pod.port)
                self.pods.pop(pod.key, None)
                self._pod_written.pop(pod.key, None)
                self._changed(pod)

    async def _settled(self, pod: Pod) -> None:
        """Returns when the API server may hear of a pod: it serves, goes, needs to be known, or is late."""
        if not any(environment.needs_uid(one.spec) for one in pod.containers):
            with suppress(TimeoutError):
                async with asyncio.timeout(ANNOUNCE_S):
                    await pod.settled.wait()

    async def _announce(self, pod: Pod, item: NodePod) -> bool:
        """Makes the Pod object. When it is refused, that is said, and after a pause the pod is given up."""
        pause_s = PAUSE_MIN_S
        while not pod.ended.is_set():
            try:
                body = msgspec.to_builtins(item)
                body.pop("status", None)
                made = await self._client.create(PODS, pod.namespace, body, NodePod)
            except Unreachable as error:
                log.warning("pod %s/%s is not made known yet: %s; again in %g s", *pod.key, error, pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_MAX_S)
                continue
            except KubeError as error:
                log.error("pod %s/%s is refused: %s", *pod.key, error)
                pod.stop(0)
                await pod.ended.wait()
                if not isinstance(error, AlreadyExists):
                    await asyncio.sleep(PAUSE_MAX_S / 6)
                return False
            pod.uid = made.metadata.uid
            pod.known.set()
            pod.changed()
            if pod.is_leaving:
                await self._delete([pod])
            return True
        return False

    async def _remove(self, pod: Pod) -> None:
        """The last status, and the end of the object."""
        self._removed.add(pod.uid)
        while not pod.is_gone:
            try:
                with suppress(NotFound, Conflict):
                    await self._client.delete(PODS, pod.namespace, pod.name, uid=pod.uid, grace_s=0)
                return
            except KubeError as error:
                log.warning("pod %s/%s cannot be removed yet: %s; again in %g s", *pod.key, error, PAUSE_MIN_S)
                await asyncio.sleep(PAUSE_MIN_S)

    def _changed(self, pod: Pod) -> None:
        """Endpoints first: they are what requests wait for. What else is said follows when they are out."""
        is_urgent = pod.is_ready or pod.was_ready
        if pod.is_ready and not pod.was_ready:
            self._tell_ready(pod)
        if pod.is_ready or pod.is_leaving:
            pod.settled.set()
        pod.was_ready = pod.is_ready
        for name, value in pod.labels.items():
            for service in self._service_cache.by(BY_LABEL, f"{pod.namespace}/{name}={value}"):
                self._endpoints.queue.add_after(service.key, 0 if is_urgent else UNREADY_S)
        self._statuses.queue.add_after(pod.key, STATUS_S if is_urgent else UNREADY_S)
        if pod.owner is not None:
            wait_s = 0.0 if pod.is_leaving else 2 * STATUS_S if is_urgent else UNREADY_S
            self._deployments.queue.add_after((pod.namespace, pod.owner.name), wait_s)

    def _tell_ready(self, pod: Pod) -> None:
        """To whoever holds requests."""
        revision = pod.labels.get(REVISION_LABEL)
        if self._listener is not None and revision:
            self._listener.instance_ready((pod.namespace, revision), pod.address, pod.decided_s, pod.steps_s())

    async def _pod_status(self, key: Key) -> None:
        pod = self.pods.get(key)
        if pod is None or not pod.known.is_set() or pod.is_gone:
            return
        status = pod.status()
        before = self._pod_written.get(key)
        if status != before:
            with suppress(NotFound):
                await self._patch_status(PODS, pod.namespace, pod.name, pod.uid, before or {}, status)
            self._pod_written[key] = status

    async def _service(self, key: Key) -> None:
        """Endpoints of one Service."""
        service = self._service_cache.get(*key)
        if service is None:
            if self._endpoints_written.pop(key, None) is not None:
                with suppress(NotFound):
                    await self._client.delete(ENDPOINTS, *key)
            return
        if not service.spec.selector:
            return
        pods = [pod for pod in self.pods.values() if not pod.is_leaving]
        if self._listener is not None:
            told = endpoints(service, [pod.backend() for pod in pods])
            self._listener.endpoints_told(msgspec.convert(told, Endpoints))
        # The API server hears of a pod before it hears of its address.
        made = endpoints(service, [pod.backend() for pod in pods if pod.known.is_set()])
        if self._endpoints_written.get(key) == made:
            return
        try:
            await self._client.replace(ENDPOINTS, *key, made, Endpoints)
        except NotFound:
            await self._client.create(ENDPOINTS, key[0], made, Endpoints)
        self._endpoints_written[key] = made

    async def _patch_status(
        self, resource: Resource, namespace: str, name: str, uid: str, before: Object, status: Object
    ) -> None:
        """What is no longer said is taken away."""
        gone = dict.fromkeys(before.keys() - status.keys())
        body = {"metadata": {"uid": uid}, "status": status | gone}
        await self._client.patch(resource, namespace, name, body, ApiObject, subresource="status")

    async def _start_sidecar(self, begin: Begin, path: Path) -> Process:
        try:
            return await self._forkserver.start(begin, path)
        except ForkserverGone:
            return Process.start(begin, path)

    async def _read(self, source: Source, namespace: str) -> Mapping[str, str] | None:
        kind, name = source
        try:
            if kind == CONFIG_MAP:
                return (await self._client.read(CONFIG_MAPS, namespace, name, ConfigMap)).data
            return decoded((await self._client.read(SECRETS, namespace, name, Secret)).data)
        except KubeError as error:
            if not isinstance(error, NotFound):
                log.warning("%s %s/%s cannot be read: %s", kind, namespace, name, error)
            return None

    async def _end_all(self) -> None:
        """With the node; Pod objects stay, and their pods begin anew with the next one."""
        for pod in self.pods.values():
            pod.is_gone = True
            pod.stop(self._settings.stop_s)
            pod.signal(signal.SIGTERM)
        await asyncio.gather(*(pod.ended.wait() for pod in self.pods.values()))


def _view(pod: Pod) -> PodView:
    return PodView(name=pod.name, template=pod.template, is_ready=pod.is_ready, created=pod.created)


def _owner(deployment: NodeDeployment) -> OwnerReference:
    """Lists leave kind and version out of their items."""
    return owner_reference(msgspec.structs.replace(deployment, api_version="apps/v1", kind="Deployment"))


def _first_label(service: KubeService) -> Iterable[str]:
    """One pair of the selector is enough to find the Services that a pod may belong to."""
    pair = min(service.spec.selector.items(), default=None)
    return (f"{service.namespace}/{pair[0]}={pair[1]}",) if pair else ()
