"""All deciders together: who is told, who is looked at, and that idle ones cost nothing."""

import asyncio
import time

import pytest

from controller.autoscaler.deciders import ROUND_S, Deciders
from dataplane.contract.stat import Stat
from tests.unit.controller.autoscaler.parts import NAME, Clock, pods, policy, report


class World:
    """Deciders on a test's clock."""

    def __init__(self, listening=True):
        self.clock, self.listening, self.told = Clock(), listening, []
        self.deciders = Deciders(self.told.append, lambda: self.listening, self.clock)

    def rounds(self, seconds):
        for _ in range(round(seconds / ROUND_S)):
            self.clock.pass_(ROUND_S)
            self.deciders.look()


@pytest.mark.spec("SC-203")
def test_what_is_urgent_is_decided_before_the_report_is_taken():
    world = World()
    world.deciders.keep(NAME, policy(), ())
    world.rounds(3)
    world.told.clear()
    world.deciders.report(report(1, 5.0, requests=1, waiting=1))
    assert world.told == [NAME]
    assert world.deciders.pods(NAME) == 1


def test_reports_of_a_revision_that_nobody_knows_are_left_out():
    world = World()
    world.deciders.report(report(1, 5.0, requests=1, waiting=1))
    world.deciders.stat("ns/other", Stat(average_concurrent_requests=1.0))
    assert world.told == []
    assert world.deciders.find(NAME) is None


@pytest.mark.spec("SC-197")
@pytest.mark.parametrize("algorithm", ["knative", "predictive"])
def test_to_zero_at_the_end_of_the_window_and_at_most_two_seconds_later(algorithm):
    world = World()
    world.deciders.keep(NAME, policy({"window": "6s"}, algorithm=algorithm), pods(1))
    world.rounds(0.5)
    world.deciders.report(report(1, 1.0, requests=1, busy_s=0.0, running=1))
    world.clock.pass_(0.1)
    world.deciders.report(report(2, 1.1, requests=1, busy_s=0.1))
    start_s = world.clock()
    while world.deciders.pods(NAME) != 0:
        world.rounds(ROUND_S)
        assert world.clock() - start_s < 9
    assert world.clock() - start_s >= 5


def test_without_anybody_who_reports_nothing_is_decided():
    world = World(listening=False)
    world.deciders.keep(NAME, policy(), pods(3))
    world.rounds(120)
    assert world.told == []
    world.listening = True
    world.rounds(70)
    assert world.deciders.pods(NAME) == 0


def test_an_activator_that_is_gone_is_forgotten():
    world = World()
    decider = world.deciders.keep(NAME, policy(), ())
    world.deciders.report(report(1, 5.0, requests=4, running=4))
    world.deciders.gone("a")
    assert decider.activity.running() == 0
    world.rounds(70)
    assert world.deciders.pods(NAME) == 0


def test_a_clock_that_was_set_forward_or_back_by_an_activator_changes_nothing():
    world = World()
    decider = world.deciders.keep(NAME, policy(algorithm="knative"), ())
    now = int(time.time())
    world.deciders.stat(NAME, Stat(average_concurrent_requests=80.0, timestamp=now + 4000))
    assert decider.decide(world.clock()).pods == 2


def test_a_revision_that_was_forgotten_is_looked_at_no_more():
    world = World()
    world.deciders.keep(NAME, policy(), ())
    world.deciders.forget(NAME)
    world.rounds(2)
    assert list(world.deciders.all()) == []
    assert world.deciders.pods(NAME) == -1


def test_pods_that_become_ready_are_looked_at_again():
    world = World()
    world.deciders.keep(NAME, policy({"min-scale": "5"}, algorithm="knative"), ())
    world.rounds(80)
    assert world.deciders.find(NAME).excess < 0
    world.deciders.keep(NAME, policy({"min-scale": "5"}, algorithm="knative"), pods(5))
    world.rounds(3)
    assert world.deciders.find(NAME).excess >= 0


def test_a_thousand_idle_revisions_are_not_looked_at():
    world = World()
    names = [f"ns/rev-{number}" for number in range(1000)]
    for number, name in enumerate(names):
        world.deciders.keep(name, policy(algorithm=("knative", "predictive")[number % 2]), ())
    world.rounds(5)
    looked = []
    for name in names:
        decider = world.deciders.find(name)
        decide = decider.decide
        decider.decide = lambda now_s, name=name, decide=decide: looked.append(name) or decide(now_s)
    world.rounds(60)
    assert looked == []
    world.deciders.stat(names[7], Stat(average_concurrent_requests=1.0))
    assert looked == [names[7]]


async def test_the_rhythm_ends_when_it_is_cancelled():
    world = World()
    world.deciders.keep(NAME, policy(), ())
    told = asyncio.Event()
    world.deciders._on_change = lambda _name: told.set()
    task = asyncio.create_task(world.deciders.run())
    world.clock.pass_(10)
    async with asyncio.timeout(20):
        await told.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
