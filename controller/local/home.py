"""Home: where `penstock up` keeps what it knows, and who runs there now.

A lock says whether somebody runs: the kernel lets go of it however a process
ends, so a record that was left behind fools nobody.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

PROGRAM = "penstock"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """One `penstock up`, as it has written itself down."""

    pid: int
    port: int
    """Where services answer."""
    api: str
    """URL of the API server, without TLS, on loopback."""
    state: str
    since_s: float
    """Unix seconds."""


class Taken(Exception):
    """Somebody else runs here."""

    def __init__(self, running: Running | None) -> None:
        self.running = running
        super().__init__("penstock runs already")


class HomeError(Exception):
    """A folder cannot be used; the text names it and the fix."""


@dataclass(frozen=True, slots=True)
class Home:
    """Folders of one `penstock up`."""

    state: Path
    runtime: Path

    @classmethod
    def of(cls, environment: Mapping[str, str], state: Path | None = None) -> Home:
        """By the XDG Base Directory Specification, or with a state folder of its own."""
        usual = _folder(
            environment, "XDG_STATE_HOME", Path(environment.get("HOME") or "~").expanduser() / ".local/state"
        )
        state = (state or usual / PROGRAM).absolute()
        said = environment.get("XDG_RUNTIME_DIR", "")
        if not os.path.isabs(said):
            return cls(state, state / "run")
        mark = "" if state == usual / PROGRAM else f"-{hashlib.sha256(bytes(state)).hexdigest()[:8]}"
        return cls(state, Path(said) / f"{PROGRAM}{mark}")

    @property
    def api(self) -> Path:
        return self.state / "api"

    @property
    def images(self) -> Path:
        return self.state / "images"

    @property
    def node(self) -> Path:
        return self.state / "node"

    @property
    def node_pods(self) -> Path:
        """Which processes the node has started (controller.local.records)."""
        return self.node / "pods"

    @property
    def routes(self) -> Path:
        """Where the gateway keeps the last state."""
        return self.state / "routes.json"

    @property
    def handover(self) -> Path:
        """Unix socket of the gateway (dataplane.contract.handover)."""
        return self.runtime / "gateway.sock"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def log(self) -> Path:
        return self.state / "penstock.log"

    def make(self) -> None:
        """Raises HomeError."""
        for folder in (self.state, self.runtime):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                what = "XDG_STATE_HOME or --state-dir" if folder == self.state else "XDG_RUNTIME_DIR"
                raise HomeError(f"{folder} cannot be made: {error.strerror}; name another folder by {what}") from error

    def token(self) -> str:
        """What the API server of this home wants to see. Raises OSError."""
        return (self.api / "token").read_text().strip()

    def lock(self) -> int:
        """Held until the descriptor is closed. Raises Taken, HomeError."""
        self.make()
        try:
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeError(f"{self._lock} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise Taken(self._read()) from error
        with suppress(FileNotFoundError):
            self._record.unlink()
        return descriptor

    def write(self, running: Running) -> None:
        """Tells everybody else, whole or not at all."""
        part = self._record.with_suffix(f".{os.getpid()}")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(running))
        part.replace(self._record)

    def running(self) -> Running | None:
        """Who runs here; None: nobody, or somebody who is not ready yet."""
        return self._read() if self.is_locked() else None

    def is_locked(self) -> bool:
        """Somebody runs here."""
        try:
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _read(self) -> Running | None:
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=Running)
        except (OSError, msgspec.DecodeError):
            return None

    @property
    def _lock(self) -> Path:
        return self.runtime / "up.lock"

    @property
    def _record(self) -> Path:
        return self.runtime / "up.json"


def _folder(environment: Mapping[str, str], name: str, default: Path) -> Path:
    """What a variable of the specification says; a relative path counts as unset."""
    said = environment.get(name, "")
    return Path(said) if os.path.isabs(said) else default
