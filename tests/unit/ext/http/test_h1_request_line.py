"""h1_parse: request lines, their targets and versions."""

import pytest

from ext.testing.http import Message


def request(line: bytes, rest: bytes = b"Host: a\r\n", **limits) -> Message:
    return Message(line + b"\r\n" + rest + b"\r\n", **limits)


@pytest.mark.spec("DP-055")
@pytest.mark.parametrize(
    "target",
    [
        b"/",
        b"//a//b",
        b"/a%2Fb%zz",
        b"/a?b?c=%20&d",
        b"/caf\xc3\xa9",
        b'/{}|^"<>\\`',
        b"/../..",
        b"/" + b"x" * 300 + b"?" + b"y" * 300,
    ],
)
def test_a_target_passes_byte_for_byte(target):
    message = request(b"GET " + target + b" HTTP/1.1")
    assert message.view()["target"] == target
    assert message.written().startswith(b"GET " + target + b" HTTP/1.1\r\n")


@pytest.mark.parametrize("bad", [b"#", b"\x00", b"\x01", b"\x1f", b"\x7f", b"\t", b"\x0b"])
@pytest.mark.parametrize("before", [1, 5, 15, 16, 17, 40])
def test_a_target_with_a_forbidden_byte_is_refused(bad, before):
    line = b"GET /" + b"x" * before + bad + b"yy HTTP/1.1"
    assert request(line).result == "bad_request_target"


@pytest.mark.parametrize(
    ("target", "authority", "path", "sent"),
    [
        (b"http://b.example/x?y", b"b.example", b"/x?y", b"/x?y"),
        (b"HTTPS://b.example:8443/", b"b.example:8443", b"/", b"/"),
        (b"http://b.example", b"b.example", b"", b"/"),
        (b"http://b.example?q", b"b.example", b"?q", b"/?q"),
        (b"http://[::1]:80/x", b"[::1]:80", b"/x", b"/x"),
    ],
)
def test_the_authority_of_an_absolute_form_wins(target, authority, path, sent):
    message = request(b"GET " + target + b" HTTP/1.1", b"Host: other\r\n")
    view = message.view()
    assert (view["authority"], view["path"], view["target"]) == (authority, path, target)
    assert message.written().split(b" ")[1] == sent


def test_options_for_the_whole_of_an_absolute_form_becomes_a_star():
    message = request(b"OPTIONS http://b.example HTTP/1.1")
    assert message.written().startswith(b"OPTIONS * HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "target",
    [
        b"x", b"*", b"example.com:80", b"http:/x", b"http://", b"http:///x", b"http://a@b/", b"http://a b/",
        b"ftp://a/", b"http://a:port/", b"http://a:999999/", b"http://[::1/", b"http://[]/", b"?x", b"http://:80/",
        b"**", b"http://a\xc3/", b"://a/",
    ],
)  # fmt: skip
def test_a_target_of_no_form_is_refused(target):
    assert request(b"GET " + target + b" HTTP/1.1").result in {"bad_request_target", "bad_request_line"}


def test_a_star_is_for_options_alone():
    assert request(b"OPTIONS * HTTP/1.1").view()["target"] == b"*"
    assert request(b"GET * HTTP/1.1").result == "bad_request_target"


@pytest.mark.parametrize("target", [b"a:80", b"/", b"*", b"http://a/"])
def test_connect_is_not_allowed(target):
    assert request(b"CONNECT " + target + b" HTTP/1.1").result == "method_not_allowed"


def test_known_methods_are_told_apart_and_others_pass():
    methods = [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH", b"PURGE", b"get", b"M-S!"]
    views = [request(method + b" / HTTP/1.1").view() for method in methods]
    assert [view["method"] for view in views] == methods
    assert [view["method_id"] for view in views] == [1, 2, 3, 4, 5, 7, 8, 9, 0, 0, 0]


@pytest.mark.parametrize(
    "line",
    [
        b"GET", b"GET ", b" GET / HTTP/1.1", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET / HTTP/1.1 ",
        b"GET\t/ HTTP/1.1", b"GET /\tHTTP/1.1", b"GET /", b"GET / ", b"GET / HTTP", b"GET / http/1.1",
        b"GET / HTTP/1", b"GET / HTTP/1.", b"GET / HTTP/1.10", b"GET / HTTP/11.1", b"GET / HTTP/x.1",
        b"GET / HTTPS/1.1", b"GET / HTTP /1.1", b"G(T / HTTP/1.1", b"G\xc3T / HTTP/1.1", b"GET / x HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b": / HTTP/1.1", b"",
    ],
)  # fmt: skip
def test_a_malformed_line_is_refused(line):
    data = line + b"\r\nHost: a\r\n\r\n"
    assert Message(data).result in {"bad_request_line", "bad_request_target"} or line == b""
    assert Message(b"\r\n\r\n\r\n" + data).result.startswith("bad_request")


@pytest.mark.parametrize("version", [b"2.0", b"0.9", b"3.0", b"1.2", b"9.9"])
def test_another_version_is_505(version):
    assert request(b"GET / HTTP/" + version).result == "bad_request_version"


def test_http_1_0_needs_no_host():
    view = request(b"GET / HTTP/1.0", b"").view()
    assert (view["version"], view["authority"], view["keep_alive"]) == (10, b"", False)


@pytest.mark.parametrize("lines", [1, 2])
def test_empty_lines_before_a_request_are_skipped(lines):
    message = request(b"\r\n" * lines + b"GET / HTTP/1.1")
    assert message.result == "ok"
    assert message.used == 2 * lines + len(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")


def test_more_than_two_empty_lines_are_refused():
    assert request(b"\r\n" * 3 + b"GET / HTTP/1.1").result == "bad_request_line"


def test_a_bare_carriage_return_before_a_request_is_refused():
    assert request(b"\rGET / HTTP/1.1").result == "bad_request_line_end"


def test_the_start_line_ends_with_crlf():
    assert Message(b"GET / HTTP/1.1\nHost: a\r\n\r\n").result == "bad_request_line_end"
    assert Message(b"GET / HTTP/1.1\rHost: a\r\n\r\n").result == "bad_request_line_end"
    mended = Message(b"GET / HTTP/1.1\nHost: a\r\n\r\n", observe=True)
    assert mended.view()["mended"] == ["line_end"]


def test_what_follows_the_head_is_left_alone():
    message = request(b"GET / HTTP/1.1", b"Host: a\r\n\r\nGET /2 HTTP/1.1\r\n")
    assert message.used == message.view()["bytes"] == len(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
