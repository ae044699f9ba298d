"""Snapshot: what the engine counts and what is shown are the same things."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from dataplane import VERSION, finished
from dataplane.metrics import catalog
from dataplane.metrics.fold import OTHER, split_host
from dataplane.metrics.snapshot import DERIVED, METHODS, NOT_SHOWN, Snapshots
from ext.base.faults import fault_names
from ext.stats.histogram import DURATION_BOUNDS_NS, SIZE_BOUNDS_BYTES
from ext.stats.shard import counter_names

ROOT = Path(__file__).resolve().parents[3]
MADE_HERE = {
    "conns_open",
    "upstream_conns_open",
    "upgraded_open",
    "waited_s",
    "buffer_bytes",
    "spans_dropped",
    "in_flight",
}
NOTHING = [[0] * 16, 0]


class Engine:
    """What a supervisor says of an engine, by hand."""

    duration_bounds_ns = DURATION_BOUNDS_NS
    size_bounds_bytes = SIZE_BOUNDS_BYTES
    faults = fault_names()

    def __init__(self, series=None, **counts) -> None:
        self._series = series or {}
        self._counts = {name: dict.fromkeys(labels, 0) if labels else 0 for name, labels in counter_names()} | counts

    def series(self):
        return self._series

    def counts(self):
        return self._counts

    def pending(self):
        return 4

    def waiting(self):
        return 1

    def running(self):
        return 4

    def buffers(self):
        return 7


def durations(*values_ns: int) -> list:
    counts = [0] * (len(DURATION_BOUNDS_NS) + 1)
    for value in values_ns:
        counts[sum(bound < value for bound in DURATION_BOUNDS_NS)] += 1
    return [counts, sum(values_ns)]


def test_every_counter_of_the_engine_is_in_the_catalogue_and_nothing_else_is():
    counted = {name for name, _ in counter_names()}
    shown = {family.field for family in catalog.OWN}
    assert len(shown) == len(catalog.OWN)
    assert counted >= DERIVED | NOT_SHOWN
    assert counted - DERIVED - NOT_SHOWN == shown - MADE_HERE
    assert shown <= set(Snapshots(Engine(), False).take().counters)


def test_families_with_labels_are_those_whose_counters_have_some():
    labelled = {name for name, labels in counter_names() if labels} - DERIVED
    assert {family.field for family in catalog.OWN if family.label} - {"conns_open"} == labelled


def test_buckets_of_both_worlds_are_sums_of_the_engines():
    ms = 1_000_000
    values = (1 * ms, 5 * ms, 20 * ms, 25 * ms, 26 * ms, 999 * ms, 1000 * ms, 60_000 * ms, 200_000 * ms)
    series = {("invocation", 0, False, 0, 200, 0, None, None): [durations(*values), NOTHING, NOTHING]}
    found = Snapshots(Engine(series), True).take()
    for histogram, bounds, unit in (
        (found.invocation[200], catalog.SECONDS, 1000 * ms),
        (found.app_ms[200], catalog.OLD_MS, ms),
    ):
        counts, total, count = histogram
        wanted = [0] * (len(bounds) + 1)
        for value in values:
            wanted[sum(bound * unit < value for bound in bounds)] += 1
        assert list(counts) == wanted
        assert (total, count) == (sum(values) / unit, len(values))


def test_hosts_with_one_name_are_added():
    def key(host):
        return "server", 1, False, 11, 200, 0, host, b"kn:disabled"

    series = {key(host): [durations(1), NOTHING, NOTHING] for host in (b"a.example", b"a.example:")}
    found = Snapshots(Engine(series), True).take()
    assert found.series.keys() == {("GET", "http", "a.example", None, "1.1", 200, "kn:disabled")}
    assert found.series.popitem()[1][0][2] == 2
    assert found.request_ms[200, "kn:disabled"][2] == 2


def test_the_rest_behind_the_bound_has_names_of_its_own():
    rest = {(kind, 0, False, 0, 0, 0, None, None): [durations(1), NOTHING, NOTHING] for kind in ("server", "client")}
    found = Snapshots(Engine(rest), False).take()
    assert found.series.keys() == {(OTHER, "http", OTHER, None, OTHER, 0, OTHER)}
    assert found.client.keys() == {(OTHER, 0, OTHER, OTHER)}


def test_open_connections_are_a_difference_and_listeners_that_are_closed_are_left_out():
    listeners = dict(counter_names())["conns_opened"]
    opened = dict.fromkeys(listeners, 0) | {"main": 5}
    closed = dict.fromkeys(listeners, 0) | {"main": 2}
    found = Snapshots(Engine(conns_opened=opened, conns_closed=closed, waited_ns=1_500_000_000), False).take(3)
    assert found.counters["conns_open"] == {"main": 3}
    assert (found.counters["waited_s"], found.counters["buffer_bytes"], found.counters["spans_dropped"]) == (1.5, 7, 3)


def test_an_authority_is_split_into_name_and_port():
    assert split_host("a.example:80") == ("a.example", "80")
    assert split_host("a.example") == ("a.example", None)
    assert split_host("[::1]:8080") == ("::1", "8080")
    assert split_host("[::1]") == ("::1", None)
    assert split_host("") == ("", None)


def test_methods_are_in_the_order_of_the_engine():
    declared = re.search(r"enum method_id:\n((?:.*\n)+?)\n", (ROOT / "ext/http/head.pxd").read_text())
    names = re.findall(r"METHOD_(\w+)", declared[1])
    assert [OTHER, *names[1:-1]] == list(METHODS)


def test_flags_and_stamps_are_those_of_the_journal():
    declared = (ROOT / "ext/stats/journal.pxd").read_text()
    for name, value in re.findall(r"JOURNAL_([A-Z]+) = (\d+)\b", declared):
        assert getattr(finished, name, int(value)) == int(value)
    for name, value in re.findall(r"STAMP_([A-Z]+) = (\d+)\b", declared):
        assert getattr(finished, name, int(value)) == int(value)
    assert (finished.TLS, finished.DONE) == (1, 5)


def test_the_version_is_that_of_the_project():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
