"""The ring of finished exchanges."""

import threading

import pytest

from ext.testing.stats import Journal

KIB = 1024
MIB = 1024 * KIB


def test_a_record_comes_back_as_it_was_written():
    journal = Journal(64 * KIB)
    given = {
        "start_unix_ns": 1_700_000_000_123_456_789, "stamps_ns": (1, 2, 3, 4, 5, 6), "status": 504, "fault": 28,
        "flags": 5, "version": 20, "method_id": 3, "request_bytes": 11, "response_bytes": 1 << 40,
        "content_length": -1, "trace_id": bytes(range(16)), "parent_id": bytes(8), "span_id": bytes(range(8)),
        "call_id": bytes(8), "method": b"POST", "target": b"/a?b=\xff", "host": b"h.example",
        "remote": b"10.0.0.1:5", "fields": b"A: 1\r\nB: 2\r\n",
    }  # fmt: skip
    assert journal.write(**{name: value for name, value in given.items() if name not in ("parent_id", "call_id")})
    assert journal.drain() == [given]
    assert journal.drain() == []


def test_a_journal_without_capacity_keeps_nothing_and_counts_nothing():
    journal = Journal(0)
    assert not journal.write()
    assert journal.drain() == []
    assert journal.counted() == (0, 0, 0)


def test_a_full_journal_drops_and_counts_and_keeps_what_it_has():
    journal = Journal(4 * KIB)
    written = 0
    while journal.write(target=b"%d" % written):
        written += 1
    assert not journal.write()
    assert journal.counted()[:2] == (written, 2)
    assert [record["target"] for record in journal.drain()] == [b"%d" % number for number in range(written)]
    assert journal.write()


def test_a_record_of_more_than_half_the_ring_is_dropped():
    journal = Journal(4 * KIB)
    assert not journal.write(fields=bytes(2 * KIB))
    assert journal.counted()[1] == 1


def test_laps_keep_the_order_whatever_the_lengths():
    journal = Journal(8 * KIB)
    got = []
    for number in range(1000):
        assert journal.write(target=b"%d" % number, fields=bytes(number * 7 % 900))
        if number % 3 == 0:
            got += [int(record["target"]) for record in journal.drain()]
    got += [int(record["target"]) for record in journal.drain()]
    assert got == list(range(1000))


def test_a_drain_stops_at_its_measure_and_goes_on_later():
    journal = Journal(64 * KIB)
    for number in range(10):
        journal.write(target=b"%d" % number)
    first = journal.drain(1)
    assert [record["target"] for record in first] == [b"0"]
    assert len(journal.drain(400)) == 3
    assert len(journal.drain()) == 6


def test_the_bell_rings_when_an_empty_journal_gets_its_first_record():
    journal = Journal(64 * KIB)
    journal.write()
    journal.write()
    assert journal.counted()[2] == 1
    journal.drain()
    journal.write()
    assert journal.counted()[2] == 2


def test_the_bell_rings_when_the_backlog_passes_its_mark():
    journal = Journal(64 * KIB, bell_bytes=1000)
    rings = []
    for _ in range(12):
        journal.write()
        rings.append(journal.counted()[2])
    assert rings[-1] == 1
    assert rings[0] == 0
    journal.drain()
    for _ in range(12):
        journal.write()
    assert journal.counted()[2] == 2


def test_a_reader_that_keeps_up_keeps_the_ring_small():
    journal = Journal(16 * MIB)
    for _ in range(2000):
        journal.write(fields=bytes(1000))
        assert len(journal.drain()) == 1
    position, touched = journal.position()
    assert position <= 260 * KIB
    assert touched <= 260 * KIB


def test_a_burst_gives_its_memory_back_and_loses_nothing():
    journal = Journal(16 * MIB)
    for burst in range(3):
        for number in range(10_000):
            assert journal.write(target=b"%d" % number, fields=bytes(1000))
        assert journal.position()[1] > 10 * MIB
        got = []
        while some := journal.drain():
            got += [int(record["target"]) for record in some]
        assert got == list(range(10_000)), burst
        journal.write(target=b"after")
        assert journal.position()[1] <= 260 * KIB
        assert [record["target"] for record in journal.drain()] == [b"after"]


def test_a_burst_after_starting_over_has_the_whole_ring():
    journal = Journal(MIB)
    journal.write(fields=bytes(300 * KIB))
    journal.drain()
    written = 0
    while journal.write(target=b"%d" % written, fields=bytes(1000)):
        written += 1
    assert written * 1160 > 0.99 * MIB
    assert [int(record["target"]) for record in journal.drain(2 * MIB)] == list(range(written))


@pytest.mark.parametrize("capacity", [4 * KIB, MIB], ids=["small", "large"])
def test_a_reader_beside_the_writer_gets_every_record_once_and_whole(capacity):
    journal = Journal(capacity)
    done = threading.Event()
    got = []
    torn = []

    def drain():
        while not done.is_set() or journal.counted()[0] > len(got):
            for record in journal.drain(64 * KIB):
                number = record["start_unix_ns"]
                if len(record["target"]) != number * 37 % 401 or any(record["target"]):
                    torn.append(number)
                got.append(number)

    reader = threading.Thread(target=drain)
    reader.start()
    dropped = journal.follow(40_000, 400)
    done.set()
    reader.join()
    assert torn == []
    assert got == sorted(set(got))
    assert len(got) + dropped == 40_000
    assert journal.counted()[:2] == (len(got), dropped)
