"""h1_fields: field lines, what is refused and what `observe` mends."""

import pytest

from ext.testing.http import Message


def request(fields: bytes, **limits) -> Message:
    return Message(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n", **limits)


def response(fields: bytes, **limits) -> Message:
    return Message(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n", of_request=False, **limits)


BOTH = pytest.mark.parametrize(("parse", "side"), [(request, "request"), (response, "response")])


@pytest.mark.spec("DP-071")
def test_fields_keep_their_order_their_case_and_their_repetition():
    view = request(b"X-B: 1\r\nx-a: 2\r\nX-b: 3\r\nX-B: 1\r\n").view()
    assert view["fields"][1:] == [(b"X-B", b"1"), (b"x-a", b"2"), (b"X-b", b"3"), (b"X-B", b"1")]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"X:1", b"1"), (b"X: 1", b"1"), (b"X: \t 1 \t ", b"1"), (b"X:", b""), (b"X:   ", b""), (b"X: a  b", b"a  b"),
        (b"X: \xff\xc3", b"\xff\xc3"), (b"X: a\tb", b"a\tb"), (b"X: :", b":"), (b"X: " + b"v" * 100, b"v" * 100),
        (b"X: " + b"\t" * 40 + b"v" + b"\t" * 40, b"v"),
    ],
)  # fmt: skip
def test_a_value_is_trimmed_and_its_line_is_clean(line, value):
    view = request(line + b"\r\n").view()
    assert view["fields"][1] == (b"X", value)
    assert view["clean"][1]
    assert view["raw"][1] == line + b"\r\n"


@BOTH
@pytest.mark.parametrize(
    "line",
    [
        b"X : 1", b"X\t: 1", b"X Y: 1", b": 1", b"X", b"X;: 1", b"X\x00: 1", b"(X): 1", b"X\xc3: 1", b'"X": 1',
        b"X: a\x00b", b"X: a\x01b", b"X: a\x0bb", b"X: a\x7fb", b"X: a\x1b", b"X: \x00", b"[X]: 1", b"{X}: 1",
    ],
)  # fmt: skip
def test_a_malformed_line_is_refused(parse, side, line):
    assert parse(line + b"\r\n").result == f"bad_{side}_field"
    assert parse(b"A: " + b"x" * 40 + b"\r\n" + line + b"\r\nB: 2\r\n").result == f"bad_{side}_field"


@BOTH
@pytest.mark.parametrize("line", [b"X: 1\n", b"X: 1\r", b"X: a\rb\r\n", b"X: 1\r\r\n", b"X: 1\n\r\n"])
def test_a_line_that_does_not_end_with_crlf_is_refused(parse, side, line):
    assert parse(line).result == f"bad_{side}_line_end"


@BOTH
@pytest.mark.parametrize("fold", [b"\r\n ", b"\r\n\t", b"\r\n   ", b"\r\n \r\n "])
def test_a_folded_line_is_refused(parse, side, fold):
    assert parse(b"X: a" + fold + b"b\r\n").result == f"bad_{side}_fold"


def test_a_fold_is_told_also_when_the_next_line_comes_later():
    data = b"GET / HTTP/1.1\r\nX: a\r\n"
    assert Message(data).result == "again"
    assert Message(data + b" b").result == "bad_request_fold"


@BOTH
def test_space_before_the_first_field_is_refused(parse, side):
    start = {"request": b"GET / HTTP/1.1\r\n", "response": b"HTTP/1.1 200 OK\r\n"}[side]
    for observe in (False, True):
        message = Message(start + b" Host: a\r\n\r\n", of_request=side == "request", observe=observe)
        assert message.result == f"bad_{side}_field"


@BOTH
@pytest.mark.parametrize(
    ("lines", "mended", "cause"),
    [
        (b"X: a\nY: b\r\n", [(b"X", b"a"), (b"Y", b"b")], ["line_end"]),
        (b"X: a\r\n b\r\nY: c\r\n", [(b"X", b"a   b"), (b"Y", b"c")], ["fold"]),
        (b"X:\r\n\tb\r\nY: c\r\n", [(b"X", b"b"), (b"Y", b"c")], ["fold"]),
        (b"X: a\r\n \r\nY: c\r\n", [(b"X", b"a"), (b"Y", b"c")], ["fold"]),
        (b"X: a\n b\nY: c\r\n", [(b"X", b"a  b"), (b"Y", b"c")], ["line_end", "fold"]),
        (b"X : a\r\nY: c\r\n", [(b"X", b"a"), (b"Y", b"c")], ["name_space"]),
        (b"X \t: a\nY: c\r\n", [(b"X", b"a"), (b"Y", b"c")], ["line_end", "name_space"]),
    ],
)
def test_what_has_one_reading_left_is_mended_when_observing(parse, side, lines, mended, cause):
    message = parse(lines, observe=True)
    view = message.view()
    assert view["fields"][-2:] == mended
    assert sorted(view["mended"]) == sorted(cause)
    assert not view["clean"][-2]
    written = message.written()
    again = Message(written, of_request=side == "request")
    assert again.result == "ok"
    assert again.view()["fields"][-2:] == mended


@BOTH
@pytest.mark.parametrize("line", [b"X\x00: 1", b"X: a\x00b", b"X: a\rb", b": 1", b"X", b" : 1", b"X\xc3: 1"])
def test_observing_forgives_nothing_that_may_be_read_twice(parse, side, line):
    assert parse(line + b"\r\n", observe=True).result.startswith(f"bad_{side}_")


@BOTH
def test_too_many_fields_are_refused(parse, side):
    taken = 1 if side == "request" else 0
    lines = b"X: 1\r\n" * (10 - taken)
    assert parse(lines, fields_max=10).result == "ok"
    assert parse(lines + b"X: 1\r\n", fields_max=10).result == f"{side}_head_too_large"


@BOTH
def test_a_head_over_the_limit_is_refused_whole_or_in_part(parse, side):
    whole = parse(b"X: 1\r\n")
    size = whole.used
    assert parse(b"X: 1\r\n", head_max=size).result == "ok"
    assert parse(b"X: 1\r\n", head_max=size - 1).result == f"{side}_head_too_large"
    start = {"request": b"GET / HTTP/1.1\r\nX: ", "response": b"HTTP/1.1 200 OK\r\nX: "}[side]
    endless = start + b"x" * 200
    assert Message(endless, of_request=side == "request", head_max=len(endless)).result == "again"
    assert Message(endless, of_request=side == "request", head_max=len(endless) - 1).result == f"{side}_head_too_large"


def test_known_names_are_seen_and_repetition_is_told():
    view = request(b"Accept: x\r\nK-Original-Host: a\r\nk-original-host: b\r\nUser-Agent: x\r\n").view()
    assert view["seen"] == ["host", "user-agent", "k-original-host"]
    assert view["repeated"] == ["k-original-host"]


def test_a_kept_head_lives_on_without_its_bytes():
    message = request(b"X: 1\r\nUpgrade: websocket\r\nConnection: upgrade, x\r\nContent-Length: 3\r\n")
    before = message.view()
    assert message.kept() == before


def test_a_kept_response_lives_on_without_its_bytes():
    message = response(b"X: 1\r\n" * 90)
    before = message.view()
    assert message.kept() == before


def test_a_line_with_space_inside_its_name_is_dropped_from_a_response_when_observing():
    lines = b"A: 1\r\nX Y: 2\r\nContent Length: 9\r\nX \tY  Z : 3\r\nB: 4\r\n"
    assert response(lines).result == "bad_response_field"
    view = response(lines, observe=True).view()
    assert view["fields"] == [(b"A", b"1"), (b"B", b"4")]
    assert view["mended"] == ["name_space"]
    assert view["framing"] == "until_close"
    assert request(lines, observe=True).result == "bad_request_field"


@pytest.mark.parametrize("line", [b"X Y", b"X (Y): 1", b" X Y: 1", b"X \x00: 1", b"X \xc3: 1"])
def test_what_is_no_name_at_all_is_refused_when_observing_too(line):
    assert response(line + b"\r\n", observe=True).result == "bad_response_field"
