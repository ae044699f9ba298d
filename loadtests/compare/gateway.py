"""Gateway: our gateway and nginx with the same routes; what many routes cost, and a change of one."""

from __future__ import annotations

import json
import os

from dataplane.contract.document import document
from dataplane.contract.routes import Delta, Endpoint, Host, Path, Split, Target
from loadtests.compare.bench import US, Case
from loadtests.compare.load import Load, wrk
from loadtests.compare.peers import CONF, Nginx, Peer, Place, Running, Setup
from loadtests.compare.throughput import Throughput
from loadtests.process import free_port
from loadtests.sidecar import BINARY
from loadtests.tools import program

ROUTES = 1000
CONNECTIONS = 64


def host(number: int) -> str:
    """As conf/hosts.lua asks for it."""
    return f"s{number:04}.bench.example"


def routes(count: int, origin_port: int) -> Delta:
    """As many hosts, each with a revision of its own, as a Service makes them; one endpoint serves them all."""
    names = {host(number): f"bench/s{number:04}-00001" for number in range(count)}
    return Delta(
        version=1,
        hosts={name: route(target) for name, target in names.items()},
        targets=dict.fromkeys(names.values(), Target(hold=True, request_s=300.0)),
        endpoints=dict.fromkeys(names.values(), (Endpoint(address="127.0.0.1", port=origin_port),)),
    )


def route(target: str) -> Host:
    """One path, which goes to that revision with the fields that a Service's split has."""
    namespace, _, revision = target.partition("/")
    fields = {"Knative-Serving-Namespace": namespace, "Knative-Serving-Revision": revision}
    split = Split(target=target, set_headers=fields)
    return Host(ingress=target, hash="0" * 64, paths=(Path(splits=(split,)),))


class Gateway(Peer):
    """Our gateway with one worker; its routes come from the file of its last state, unless a controller is named."""

    name = US

    def __init__(self, count: int, *, controller: int = 0, workers: int = 1) -> None:
        """controller  its port; 0: nobody is there."""
        self._count = count
        self._controller = controller
        self._workers = workers

    def missing(self) -> str:
        return ""

    def command(self, setup: Setup, place: Place) -> list[str]:
        if not self._controller:
            kept = document(routes(self._count, place.origin_port))
            (place.dir / "routes.json").write_text(json.dumps(kept))
        return [str(BINARY.with_name("penstock-gateway"))]

    def environment(self, setup: Setup, place: Place) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "POD_NAME": "gateway-0",
            "PENSTOCK_BIND_ADDRESS": place.address,
            "PENSTOCK_PUBLIC_PORT": str(place.port),
            "PENSTOCK_PRIVATE_PORT": str(place.tls_port),
            "PENSTOCK_ADMIN_PORT": str(free_port()),
            "PENSTOCK_CONTROLLER": f"ws://127.0.0.1:{self._controller or free_port()}",
            "PENSTOCK_AUTOSCALER": f"ws://127.0.0.1:{free_port()}",
            "PENSTOCK_STATE_FILE": str(place.dir / "routes.json"),
            "PENSTOCK_WORKERS": str(self._workers),
        }


class NginxRoutes(Nginx):
    """nginx with a server and an upstream for each of the hosts, and the same fields."""

    def __init__(self, count: int) -> None:
        self._count = count

    def command(self, setup: Setup, place: Place) -> list[str]:
        template = (CONF / "route.conf").read_text()
        blocks = (
            template.replace("@NUMBER@", f"{number:04}")
            .replace("@HOST@", host(number))
            .replace("@PORT@", str(place.port))
            .replace("@ORIGIN@", str(place.origin_port))
            for number in range(self._count)
        )
        master = "on" if setup.master else "off"
        conf = place.write("nginx-routes.conf", ROUTES="".join(blocks), MASTER=master)
        return [program("nginx"), "-c", str(conf), "-p", str(place.dir), "-e", str(place.dir / "error.log")]


def over_hosts(proxy: Running, seconds: float, cpu: int | None) -> Load:
    """wrk against every host in turn."""
    url = f"http://{proxy.address}:{proxy.port}/"
    return wrk(url, connections=CONNECTIONS, seconds=seconds, cpu=cpu, script=CONF / "hosts.lua")


PEERS = (Gateway(ROUTES), NginxRoutes(ROUTES))

CASES: list[Case] = [
    Throughput(
        "gateway", f"gateway: {ROUTES:,} hosts in turn, {CONNECTIONS} connections", Setup(), over_hosts, peers=PEERS
    ),
]
