"""Log lines: their form, and what holds repeats back."""

from __future__ import annotations

import errno
import json
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.logs import DEBUG, ERROR, REPEATS_MAX, WINDOW_NS, LogFormat, Logger

NOON_NS = 1_700_000_000_123_456_789
FIELDS = (("knative.dev/key", "default/hello-00001"), ("knative.dev/pod", "p-1"))


class Paper:
    """Takes lines as a descriptor would, and refuses them when told to."""

    def __init__(self) -> None:
        self.lines: list[dict[str, object]] = []
        self.refuses = False
        self.now_ns = NOON_NS

    def put(self, _fd: int, line: bytes) -> int:
        if self.refuses:
            raise OSError(errno.EAGAIN, "full")
        assert line.endswith(b"\n")
        self.lines.append(json.loads(line))
        return len(line)

    def logger(self, form: LogFormat | None = None) -> Logger:
        return Logger(form or LogFormat(), "queueproxy", FIELDS, put=self.put, clock_ns=lambda: self.now_ns)


def test_a_line_has_the_keys_that_knative_s_log_readers_know():
    paper = Paper()
    paper.logger().warn("The app is away.", attempts=3, error="refused", ready=False, nothing=None, share=0.5)
    assert paper.lines == [
        {
            "severity": "warn",
            "timestamp": "2023-11-14T22:13:20.123Z",
            "logger": "queueproxy",
            "message": "The app is away.",
            "knative.dev/key": "default/hello-00001",
            "knative.dev/pod": "p-1",
            "attempts": 3,
            "error": "refused",
            "ready": False,
            "nothing": None,
            "share": 0.5,
        }
    ]


def test_keys_and_forms_follow_the_format_and_an_empty_key_leaves_its_part_out():
    paper = Paper()
    form = LogFormat(time_key="ts", level_key="level", name_key="", level_capital=True, time_form="epoch")
    paper.logger(form).error("No.")
    assert paper.lines[0]["level"] == "ERROR"
    assert paper.lines[0]["ts"] == 1700000000.1234567
    assert "logger" not in paper.lines[0]


def test_a_level_below_the_format_s_is_off():
    paper = Paper()
    log = paper.logger(LogFormat(level=ERROR))
    log.warn("Quiet.")
    log.error("Loud.")
    assert [line["message"] for line in paper.lines] == ["Loud."]


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_text_is_one_line_of_json(message, value):
    paper = Paper()
    paper.logger(LogFormat(level=DEBUG)).debug(message, value=value)
    assert (paper.lines[0]["message"], paper.lines[0]["value"]) == (message, value)


def test_bytes_that_are_no_text_are_escaped():
    paper = Paper()
    paper.logger().info("Odd.", path=b"/\xff".decode(errors="surrogateescape"))
    assert paper.lines[0]["path"] == "/\udcff"


def test_repeats_are_held_back_and_told_in_the_next_window():
    paper = Paper()
    log = paper.logger()
    for _ in range(REPEATS_MAX + 5):
        log.info("Again.")
    log.info("Something else.")
    assert len(paper.lines) == REPEATS_MAX + 1
    paper.now_ns += WINDOW_NS
    log.info("Again.")
    assert paper.lines[-1]["repeats_held_back"] == 5


def test_a_refused_line_is_counted_and_told_with_the_next():
    paper = Paper()
    log = paper.logger()
    paper.refuses = True
    log.info("Lost.")
    log.info("Lost too.")
    paper.refuses = False
    log.info("Kept.")
    assert paper.lines[-1]["lines_dropped"] == 2


def test_lines_go_to_the_descriptor_itself():
    reader, writer = os.pipe()
    try:
        Logger(LogFormat(), "queueproxy", fd=writer).info("Hello.")
        assert json.loads(os.read(reader, 4096))["message"] == "Hello."
    finally:
        os.close(reader)
        os.close(writer)
