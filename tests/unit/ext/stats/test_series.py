"""Label sets and their histograms."""

import threading

import pytest

from ext.stats.series import SERIES_FIELDS
from ext.testing.stats import Series

MS = 1_000_000
WHOLE = {
    "method": 1, "version": 11, "status": 200, "host": b"a.example:8080", "tag": b"kn:disabled", "duration_ns": 7 * MS,
    "client_ns": 6 * MS, "client_status": 200, "invocation_ns": 5 * MS, "invocation_status": 200,
    "request_bytes": 3, "response_bytes": 1024,
}  # fmt: skip


def named(key):
    return dict(zip(SERIES_FIELDS, key, strict=True))


def of_kind(series, kind):
    return {key: value for key, value in series.items() if key[0] == kind}


@pytest.mark.spec("DP-135", "DP-137")
def test_one_exchange_makes_one_sample_of_each_kind():
    series = Series()
    series.add(**WHOLE)
    got = series.read()
    assert len(got) == 3
    ((key, (duration, request, response)),) = of_kind(got, "server").items()
    assert named(key) == {
        "kind": "server", "method": 1, "is_tls": False, "version": 11, "status": 200, "fault": 0,
        "host": b"a.example:8080", "tag": b"kn:disabled",
    }  # fmt: skip
    assert (sum(duration[0]), duration[0][1], duration[1]) == (1, 1, 7 * MS)
    assert (sum(request[0]), request[0][1], request[1]) == (1, 1, 3)
    assert (sum(response[0]), response[0][11], response[1]) == (1, 1, 1024)


@pytest.mark.spec("DP-138")
def test_a_request_that_never_ran_is_no_invocation_and_no_call():
    series = Series()
    series.add(status=503, host=b"a", duration_ns=MS)
    assert {key[0] for key in series.read()} == {"server"}


def test_a_call_that_failed_carries_its_fault():
    series = Series()
    series.add(client_ns=MS, client_fault=37, tag=b"t")
    ((key, (duration, request, response)),) = series.read().items()
    assert named(key)["fault"] == 37
    assert named(key)["status"] == 0
    assert (sum(duration[0]), sum(request[0]), sum(response[0])) == (1, 1, 0)


@pytest.mark.parametrize(
    "change",
    [{"method": 2}, {"is_tls": True}, {"version": 20}, {"status": 404}, {"host": b"b.example"}, {"tag": b"green"}],
    ids=lambda change: next(iter(change)),
)
def test_each_label_makes_a_series_of_its_own(change):
    series = Series()
    series.add(**WHOLE)
    series.add(**{**WHOLE, **change})
    assert len(of_kind(series.read(), "server")) == 2


def test_series_past_the_bound_are_counted_together():
    series = Series(100, 50)
    for status in range(100, 300):
        series.add(status=status, host=b"a", method=1)
    got = series.read()
    assert len(got) == 51
    rest = got[("server", 0, False, 0, 0, 0, None, None)]
    assert sum(rest[0][0]) == 150
    assert sum(sum(parts[0][0]) for parts in got.values()) == 200


def test_hosts_past_the_bound_are_counted_together():
    series = Series(3)
    for number in range(10):
        series.add(status=200, host=b"host-%d" % number)
    got = {named(key)["host"]: sum(parts[0][0]) for key, parts in series.read().items()}
    assert got == {b"host-0": 1, b"host-1": 1, b"host-2": 1, None: 7}


def test_a_reader_never_meets_half_a_record_and_misses_none():
    series = Series()
    done = threading.Event()
    torn = []

    def watch():
        while not done.is_set():
            for duration, request, response in series.read().values():
                if not sum(duration[0]) == sum(request[0]) == sum(response[0]):
                    torn.append(duration)

    reader = threading.Thread(target=watch)
    reader.start()
    for status in range(100, 200):
        series.cost_ns(3000, status=status, duration_ns=MS)
    done.set()
    reader.join()
    assert torn == []
    assert sum(sum(parts[0][0]) for parts in series.read().values()) == 300_000
