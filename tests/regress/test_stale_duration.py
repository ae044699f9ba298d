"""A burst of long requests is over, and short ones come: how long the long ones took says nothing of them."""

from controller.autoscaler.bounds import ScaleLimits
from controller.autoscaler.decide import Policy
from controller.autoscaler.decider import Decider
from controller.autoscaler.policy import RevisionPolicy
from controller.autoscaler.target import Target
from dataplane.contract.reports import Counts, Report

WANTED = RevisionPolicy(
    policy=Policy(target=Target(1.0, 0.7), stable_s=6.0),
    limits=ScaleLimits(stable_s=6.0),
    metric="concurrency",
    algorithm="predictive",
    container_concurrency=1,
    panic_s=1.0,
    weighting="linear",
)
SHORT_S, CALLERS = 0.05, 6


def test_short_requests_after_long_ones_ask_for_no_crowd_of_pods():
    decider = Decider(WANTED, (), 1000.0)
    asked = []
    sequence, requests, busy_s = 0, 0, 0.0

    def say(at_s, running):
        nonlocal sequence
        sequence += 1
        counts = Counts(requests=requests, busy_s=busy_s, running=running)
        report = Report(sender="g", life="1", sequence=sequence, time_s=at_s, revisions={"ns/a": counts})
        decider.report("ns/a", report, 1000.0 + at_s)
        asked.append(decider.decide(1000.0 + at_s).pods)

    for round_s in range(15):
        requests += 20
        say(round_s, 20)
        for tenth in range(1, 6):
            busy_s += 20 * 0.1
            say(round_s + tenth * 0.1, 20 if tenth < 5 else 0)
    before, asked[:] = max(asked), []
    for tenth in range(160, 190):
        requests += round(CALLERS * 0.1 / SHORT_S)
        busy_s += CALLERS * 0.1
        say(tenth * 0.1, CALLERS)
    assert before >= 15
    assert max(asked) <= before
