"""Whole path: what gateway, activator and sidecar add together, beside nginx alone."""

from __future__ import annotations

from dataplane.contract.routes import Delta, Endpoint, Target
from loadtests.compare.activator import NAMESPACE, REVISION, Api, activator, answered
from loadtests.compare.bench import US, Bench, Case
from loadtests.compare.gateway import Gateway, route
from loadtests.compare.latency import DIRECT, OpenLoop
from loadtests.compare.peers import PEERS, Penstock, Running, Setup
from loadtests.origin.server import ADDRESS, Origin

RATE = 800


def to_the_activator(port: int) -> Delta:
    """One host, which the caller names by its address; the activator is the target's endpoint."""
    target = f"{NAMESPACE}/{REVISION}"
    return Delta(
        version=1,
        hosts={ADDRESS: route(target)},
        targets={target: Target()},
        endpoints={target: (Endpoint(address=ADDRESS, port=port),)},
    )


class WholePath(OpenLoop):
    """A case: as the open loop, through three of our proxies in a row; `direct` is the origin alone."""

    name = "whole-path"
    title = f"gateway, activator and sidecar, open loop at {RATE:,} requests/s"
    rate = RATE

    def run(self, bench: Bench) -> None:
        """All of them share the proxies' CPU; nginx takes part where it is among the run's peers."""
        with Origin(cpu=bench.load_cpu) as origin, Api() as api:
            api.revision()
            with (
                Running(Penstock(), Setup(), origin.port, cpu=bench.proxy_cpu) as sidecar,
                activator(api, bench) as held,
                Running(Gateway(to_the_activator), Setup(), held.port, cpu=bench.proxy_cpu) as ours,
                bench.running(self.name, Setup(), origin.port, [PEERS["nginx"]]) as theirs,
            ):
                sidecar.wait_ready()
                api.pod(sidecar.address, sidecar.port)
                answered(held)
                ours.wait_ready()
                targets = {DIRECT: f"{ADDRESS}:{origin.port}", US: f"{ours.address}:{ours.port}"}
                targets |= {name: f"{proxy.address}:{proxy.port}" for name, proxy in theirs.items()}
                self.all_rounds(bench, targets, bench.rounds)


CASES: list[Case] = [WholePath()]
