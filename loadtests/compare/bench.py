"""Bench: the state of one run: its peers, rounds and measured values."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

from loadtests.compare.load import LoadError
from loadtests.compare.peers import Peer, Running, Setup
from loadtests.process import ProcessError
from loadtests.tools import ToolError

US = "penstock"


class Case(Protocol):
    """A case of the bench: its name for ONLY, its title for the table, and its rounds."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    def run(self, bench: Bench) -> None: ...


class Spread:
    """A median and the smallest and largest value that it stands for."""

    __slots__ = ("high", "low", "median")

    def __init__(self, values: list[float], median: float | None = None) -> None:
        """median, where it is not that of `values`."""
        self.median = statistics.median(values) if median is None else median
        self.low = min(values)
        self.high = max(values)

    def __str__(self) -> str:
        if self.low == self.high:
            return number(self.median)
        return f"{number(self.median)} ({number(self.low)} to {number(self.high)})"


def number(value: float) -> str:
    """A value with three digits that count."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"


class Bench:
    """Peers, rounds and CPUs of a run, and every value measured in it.

    values[case][metric][peer] is one number for each round, in order; a round
    that failed is None, and `failures` says why.
    """

    def __init__(
        self,
        peers: list[Peer],
        *,
        rounds: int,
        seconds: float,
        quick: bool,
        beside: dict[str, set[str]],
        say: Callable[[str], None],
    ) -> None:
        """beside names, by case, the peers that are measured; a case that is not in it has them all."""
        self.peers = peers
        self._beside = beside
        self.rounds = rounds
        self.seconds = seconds
        self.quick = quick
        self.say = say
        self.values: dict[str, dict[str, dict[str, list[float | None]]]] = {}
        self.failures: list[str] = []
        self.notes: dict[str, str] = {}
        """Lines to print beside the tables, such as the most frequent system calls."""
        self.few = 1 if quick else 3
        """Rounds of what hardly varies."""
        cpus = sorted(os.sched_getaffinity(0))
        # the proxy has a CPU to itself, origin and callers share the other
        self.proxy_cpu: int | None = cpus[0] if len(cpus) > 1 else None
        self.load_cpu: int | None = cpus[1] if len(cpus) > 1 else None

    def record(self, case: str, metric: str, peer: str, value: float | None) -> None:
        """Adds the value of one round."""
        self.values.setdefault(case, {}).setdefault(metric, {}).setdefault(peer, []).append(value)

    def fail(self, case: str, peer: str, why: object) -> None:
        """Notes that a measurement could not be made, or saw failed requests."""
        self.failures.append(f"{case}: {peer}: {why}")
        self.say(f"  ! {case}: {peer}: {why}")

    def peers_of(self, case: str) -> list[Peer]:
        """The peers that this run measures in a case."""
        return [peer for peer in self.peers if case not in self._beside or peer.name in self._beside[case]]

    def in_turns(self, round_number: int, names: list[str]) -> list[str]:
        """The peers of a round. Each round begins with another one, so that none always runs in the same wake."""
        by = round_number % len(names) if names else 0
        return names[by:] + names[:by]

    @contextmanager
    def running(
        self, case: str, setup: Setup, origin_port: int, own: Sequence[Peer] | None = None
    ) -> Iterator[dict[str, Running]]:
        """All peers that support `setup`, started and ready; those that fail are noted and left out.

        own  in place of the run's peers; of those, one that the run leaves out is left out here, too
        """
        names = {peer.name for peer in self.peers}
        chosen = self.peers_of(case) if own is None else [peer for peer in own if peer.name in names]
        with ExitStack() as stack:
            started: dict[str, Running] = {}
            for peer in chosen:
                if not peer.supports(setup):
                    continue
                try:
                    one = stack.enter_context(Running(peer, setup, origin_port, cpu=self.proxy_cpu))
                    one.wait_ready()
                except (ProcessError, ToolError, OSError) as e:
                    self.fail(case, peer.name, e)
                    continue
                started[peer.name] = one
            yield started

    def try_round(
        self, case: str, peer: str, measure: Callable[[], dict[str, float]], metrics: tuple[str, ...]
    ) -> None:
        """Measures one round of one peer; a failure is noted, and its values are None."""
        try:
            seen = measure()
        except (LoadError, ProcessError, ToolError, OSError) as e:
            self.fail(case, peer, e)
            seen = {}
        for metric in metrics:
            self.record(case, metric, peer, seen.get(metric))

    def column(self, case: str, metric: str, peer: str) -> list[float | None]:
        """The values of one peer, one for each round; empty when nothing was measured."""
        return self.values.get(case, {}).get(metric, {}).get(peer, [])

    def spread(self, case: str, metric: str, peer: str) -> Spread | None:
        """Median and range over the rounds; None when no round succeeded."""
        good = [value for value in self.column(case, metric, peer) if value is not None]
        return Spread(good) if good else None

    def difference(self, case: str, metric: str, peer: str) -> Spread | None:
        """Our value less the peer's of the same round, over all rounds."""
        pairs = self._pairs(case, metric, peer)
        return Spread([a - b for a, b in pairs]) if pairs else None

    def ratio(self, case: str, metric: str, peer: str) -> Spread | None:
        """Our value by the peer's of the same round, over all rounds.

        What a proxy adds (added_*) is itself the difference of a pair, and may be
        next to nothing in one round: there it is our median by the peer's, from
        the smallest to the largest that it is without any one of the rounds; None
        when the peer seems to add nothing.
        """
        pairs = self._pairs(case, metric, peer)
        if not metric.startswith("added_"):
            shares = [a / b for a, b in pairs if b > 0]
            return Spread(shares) if shares else None
        ratios = [_by_medians(pairs[:at] + pairs[at + 1 :] or pairs) for at in range(len(pairs))]
        whole = _by_medians(pairs)
        good = [ratio for ratio in ratios if ratio is not None]
        return Spread(good, whole) if whole is not None and good else None

    def _pairs(self, case: str, metric: str, peer: str) -> list[tuple[float, float]]:
        ours, theirs = self.column(case, metric, US), self.column(case, metric, peer)
        return [(a, b) for a, b in zip(ours, theirs, strict=False) if a is not None and b is not None]


def _by_medians(pairs: list[tuple[float, float]]) -> float | None:
    if not pairs:
        return None
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    return ours / theirs if theirs > 0 else None
