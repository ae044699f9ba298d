"""The activator's records: the scenarios of 2.5."""

import pytest

from dataplane.contract.stat import Stat
from dataplane.reporter import Reporter, Seen

MS = 1_000_000


class Requests:
    """Requests of one revision by their spans in milliseconds, and what a reporter says of them."""

    def __init__(self, *spans):
        self.spans = spans
        self.reporter = Reporter("act-0")

    def seen(self, at):
        come = [span for span in self.spans if span[0] < at]
        busy = sum(min(end, at) - start for start, end in come)
        return Seen(len(come), busy * MS, sum(end > at for _, end in come))

    def wake(self, at):
        stat = self.reporter.wake("ns/rev", self.seen(at), at * MS)
        return [pair(stat)] if stat else []

    def tick(self, at):
        return [pair(stat) for _, stat in self.reporter.tick({"ns/rev": self.seen(at)}, at * MS)]


def pair(stat):
    assert stat.pod_name == "act-0"
    return stat.average_concurrent_requests, stat.request_count


@pytest.mark.spec("DP-217", "DP-218", "DP-220", "DP-221")
@pytest.mark.parametrize(
    ("spans", "events", "records"),
    [
        ([(0, 9), (0, 9)], "w0 w0 t1 t2", [(1, 1), (1, 1), (2, 0)]),
        ([(0, 1), (1, 2)], "w0 w1 t2", [(1, 1), (0, 1)]),
        ([(0, 1), (3, 4)], "w0 t1 t2 w3", [(1, 1), (0, 0), (0, 0), (1, 1)]),
        ([(0, 1), (0, 2)], "w0 w0 t2", [(1, 1), (0.5, 1)]),
    ],
    ids=["two at once", "one after the other", "idle between", "one longer than the other"],
)
def test_the_scenarios_of_the_specification(spans, events, records):
    requests = Requests(*spans)
    said = []
    for event in events.split():
        said += (requests.wake if event[0] == "w" else requests.tick)(int(event[1:]))
    assert said == records


def test_an_idle_revision_is_forgotten_after_one_record_of_zeros():
    requests = Requests((0, 1))
    requests.wake(0)
    assert [requests.tick(at) for at in (1, 2, 3)] == [[(0, 0)], [(0, 0)], []]


def test_a_request_that_waits_keeps_its_revision_known():
    reporter = Reporter("act-0")
    reporter.wake("ns/rev", Seen(0, 0, 0), 0)
    assert reporter.tick({"ns/rev": Seen(1, 0, 1)}, MS) == [("ns/rev", Stat(pod_name="act-0"))]
    assert reporter.wake("ns/rev", Seen(1, 0, 1), MS) is None
