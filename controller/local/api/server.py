"""server: the embedded API server as a whole: file, listener, token, kubeconfig, collector."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import uvicorn
import yaml

from controller.local.api import app, certificate
from controller.local.api.collector import Collector
from controller.local.api.kinds import Catalogue, Kind
from controller.local.api.registry import Admission, Registry, Request, as_it_is
from controller.local.api.store import Store
from controller.local.api.verbs import Logs
from controller.local.api.watch import Hub

Object = dict[str, Any]

NAMESPACES = ("default", "kube-system")
"""Those that every cluster has."""

USER = "penstock-admin"
LOOPBACK = "127.0.0.1"


class Server:
    """One embedded API server. Use `running` around everything that talks to it.

    folder      keeps the objects (`objects.db`) and the token (`token`)
    kinds       beside Kubernetes' own
    admission   completes and judges every object before it is stored
    logs        what a pod has printed
    namespaces  made at the start, if they are not there
    port        of the TLS listener, which the kubeconfig names; 0: any free one
    """

    def __init__(
        self, folder: Path, *, kinds: Sequence[Kind] = (), admission: Admission = as_it_is, logs: Logs | None = None,
        namespaces: Sequence[str] = (), port: int = 0,
    ) -> None:  # fmt: skip
        """Raises StoreError if the folder belongs to another server or is unusable, OSError for a port in use."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.token = _token(folder / "token")
        self._authority = certificate.ensure(folder / "server.crt", folder / "server.key", LOOPBACK)
        self._listener = _listener(port)
        self._plain = _listener(0)
        try:
            self.store = Store(folder / "objects.db")
        except BaseException:
            self._listener.close()
            self._plain.close()
            raise
        self.hub = Hub(self.store.version)
        self.store.on_change = self.hub.on_change
        self.registry = Registry(self.store, self.hub, Catalogue(tuple(kinds)), admission=admission)
        self._namespaces = (*NAMESPACES, *namespaces)
        self._app = app.starlette(app.Api(self.registry, {self.token: USER}, logs))

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self.port}"

    @property
    def plain_url(self) -> str:
        """The same API without TLS, for our own parts; kubectl sends no token over it."""
        return f"http://{LOOPBACK}:{self._plain.getsockname()[1]}"

    def kubeconfig(self) -> Object:
        """What kubectl, kn and every other client need to reach this server."""
        authority = base64.b64encode(self._authority).decode()
        return {
            "apiVersion": "v1", "kind": "Config", "current-context": "penstock",
            "clusters": [{"name": "penstock", "cluster": {
                "server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": USER, "user": {"token": self.token}}],
            "contexts": [{"name": "penstock", "context": {
                "cluster": "penstock", "user": USER, "namespace": "default"}}],
        }  # fmt: skip

    def write_kubeconfig(self, path: Path) -> None:
        """Writes the kubeconfig, whole or not at all, for its owner only."""
        _write_secret(path, yaml.safe_dump(self.kubeconfig(), sort_keys=False))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Server]:
        """Serves until the block ends; then watches end, requests that run are answered, and the file is closed."""
        self._make_namespaces()
        secure = {
            "ssl_certfile": self._folder / "server.crt", "ssl_keyfile": self._folder / "server.key",
            "ssl_ciphers": "ECDHE+AESGCM:ECDHE+CHACHA20",
        }  # fmt: skip
        servers = [(_uvicorn(self._app, **secure), self._listener), (_uvicorn(self._app), self._plain)]
        tasks = [asyncio.create_task(server.serve(sockets=[listener])) for server, listener in servers]
        collecting = asyncio.create_task(Collector(self.registry).run(), name="collector")
        try:
            for (server, _), task in zip(servers, tasks, strict=True):
                await server.listening(task)
            yield self
        finally:
            collecting.cancel()
            for server, _ in servers:
                server.should_exit = True
            self.hub.close()
            await asyncio.gather(*tasks, collecting, return_exceptions=True)
            self._listener.close()
            self._plain.close()
            self.store.close()

    def _make_namespaces(self) -> None:
        kind = self.registry.catalogue.of("namespaces")
        for name in self._namespaces:
            if self.store.get("namespaces", "", name) is None:
                found = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                self.registry.create(kind, "", found, Request(user=USER, manager="penstock"))


def _uvicorn(application: Any, **more: Any) -> _Uvicorn:
    return _Uvicorn(uvicorn.Config(
        application, http="httptools", ws="none", lifespan="off", access_log=False, log_config=None,
        log_level="error",
        timeout_graceful_shutdown=3, timeout_keep_alive=75, server_header=False, **more,
    ))  # fmt: skip


class _Uvicorn(uvicorn.Server):
    """uvicorn, started by us: signals are not its business, and it tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listening.set()

    async def listening(self, serving: asyncio.Task[None]) -> None:
        waiting = asyncio.create_task(self._listening.wait())
        await asyncio.wait([waiting, serving], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if serving.done():
            serving.result()


def _listener(port: int) -> socket.socket:
    # Named as TCP, or asyncio leaves Nagle's algorithm on, and answers wait 40 ms for an acknowledgement.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((LOOPBACK, port))
        found.listen(1024)
    except OSError:
        found.close()
        raise
    return found


def _token(path: Path) -> str:
    """The token of an earlier start, or a new one; a kubeconfig stays good that way."""
    with contextlib.suppress(FileNotFoundError):
        if found := path.read_text().strip():
            return found
    token = secrets.token_urlsafe(32)
    _write_secret(path, token)
    return token


def _write_secret(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
