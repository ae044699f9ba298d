"""h1_meaning: framing, Host, Connection, upgrade, expectation of a request."""

import pytest

from ext.testing.http import Message


def request(fields: bytes, method: bytes = b"POST", version: bytes = b"1.1", host: bytes = b"Host: a\r\n", **limits):
    return Message(method + b" / HTTP/" + version + b"\r\n" + host + fields + b"\r\n", **limits)


@pytest.mark.parametrize(
    ("fields", "framing", "length"),
    [
        (b"", "none", -1),
        (b"Content-Length: 0\r\n", "length", 0),
        (b"content-length:5\r\n", "length", 5),
        (b"Content-Length: 0005\r\n", "length", 5),
        (b"Content-Length: 999999999999999999\r\n", "length", 10**18 - 1),
        (b"Transfer-Encoding: chunked\r\n", "chunked", -1),
        (b"transfer-encoding:  CHUNKED \r\n", "chunked", -1),
    ],
)
def test_how_a_body_ends(fields, framing, length):
    view = request(fields).view()
    assert (view["framing"], view["length"]) == (framing, length)


@pytest.mark.parametrize(
    "value",
    [
        b"", b"+5", b"-5", b"5x", b"0x5", b"5.0", b"5 5", b"5,", b",5", b"5,6", b"5;5", b'"5"', b"1e3", b"\xb2",
        b"1000000000000000000", b"99999999999999999999", b"5\t5", b"nan",
    ],
)  # fmt: skip
@pytest.mark.parametrize("observe", [False, True])
def test_a_length_that_is_no_number_is_refused(value, observe):
    assert request(b"Content-Length: " + value + b"\r\n", observe=observe).result == "bad_request_length"


@pytest.mark.parametrize("fields", [b"Content-Length: 5\r\nContent-Length: 5\r\n", b"Content-Length: 5, 5\r\n"])
def test_equal_repeated_lengths_are_refused_or_mended(fields):
    assert request(fields).result == "bad_request_length"
    mended = request(fields + b"X: 1\r\n", observe=True)
    assert mended.view()["length"] == 5
    assert mended.view()["mended"] == ["lengths"]
    assert mended.written() == b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX: 1\r\n\r\n"


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5, 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nContent-Length: 5, 6\r\n",
        b"Content-Length: 5\r\nContent-Length:\r\n",
        b"Content-Length: 5\r\nContent-Length: 05\r\n",
    ],
)
@pytest.mark.parametrize("observe", [False, True])
def test_different_lengths_are_refused(fields, observe):
    assert request(fields, observe=observe).result == "bad_request_length"


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ],
)
def test_both_lengths_are_refused_or_mended(fields):
    assert request(fields).result == "bad_request_framing"
    mended = request(fields, observe=True)
    view = mended.view()
    assert (view["framing"], view["length"], view["keep_alive"]) == ("chunked", -1, False)
    assert view["mended"] == ["both_lengths"]
    assert mended.written() == b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("value", [b"identity", b"gzip", b"gzip, chunked", b"deflate,chunked", b"foo", b"x-gzip"])
@pytest.mark.parametrize("observe", [False, True])
def test_a_coding_that_is_not_ours_is_501(value, observe):
    fields = b"Transfer-Encoding: " + value + b"\r\n"
    assert request(fields, observe=observe).result == "unknown_request_coding"


@pytest.mark.parametrize(
    "value",
    [
        b"", b",", b"chunked,", b",chunked", b"chunked, chunked", b"chunked, gzip", b"chunked, identity", b"xchunked",
        b"chunkedx", b"\x85chunked", b'"chunked"', b"chunked;q=1", b"gzip;q=1", b"chunked chunked", b"gzip chunked",
        b"x-chunked, gzip", b"gzip,,chunked", b"chunked\xff", b"=chunked",
    ],
)  # fmt: skip
@pytest.mark.parametrize("observe", [False, True])
def test_a_coding_that_some_take_for_chunked_is_400(value, observe):
    fields = b"Transfer-Encoding: " + value + b"\r\n"
    assert request(fields, observe=observe).result == "bad_request_coding"


@pytest.mark.parametrize("second", [b"chunked", b"identity", b""])
@pytest.mark.parametrize("observe", [False, True])
def test_two_coding_lines_are_400(second, observe):
    fields = b"Transfer-Encoding: chunked\r\nTransfer-Encoding: " + second + b"\r\n"
    assert request(fields, observe=observe).result == "bad_request_coding"


@pytest.mark.parametrize("observe", [False, True])
def test_a_coding_in_http_1_0_is_refused(observe):
    assert request(b"Transfer-Encoding: chunked\r\n", version=b"1.0", observe=observe).result == "bad_request_coding"


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"a",
        b"a.example:80",
        b"A-_~.x",
        b"1.2.3.4",
        b"[::1]",
        b"[::ffff:1.2.3.4]:80",
        b"a:",
        b"%41",
        b"a!$&'()*+,;=",
    ],
)
def test_a_host_becomes_the_authority(host):
    assert request(b"", host=b"Host: " + host + b"\r\n").view()["authority"] == host


@pytest.mark.parametrize(
    "host",
    [b"a b", b"a/b", b"a@b", b"a\\b", b"a:x", b"a:80:80", b":80", b"[::1", b"::1", b"[::1]x", b"[]", b"[v1.x]", b"a#",
     b"a?b", b"caf\xc3\xa9", b"a\tb", b"http://a", b"a:123456", b"<a>"],
)  # fmt: skip
@pytest.mark.parametrize("observe", [False, True])
def test_a_host_that_is_none_is_refused(host, observe):
    assert request(b"", host=b"Host: " + host + b"\r\n", observe=observe).result == "bad_request_host"


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("observe", [False, True])
def test_two_hosts_are_refused_even_when_equal(version, observe):
    hosts = b"Host: a\r\nhost: a\r\n"
    assert request(b"", version=version, host=hosts, observe=observe).result == "bad_request_host"


def test_http_1_1_needs_a_host_also_with_an_absolute_target():
    assert Message(b"GET / HTTP/1.1\r\n\r\n").result == "bad_request_host"
    assert Message(b"GET http://a/ HTTP/1.1\r\n\r\n").result == "bad_request_host"


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"close", False),
        (b"1.1", b"Keep-Alive", True),
        (b"1.1", b"keep-alive, Close", False),
        (b"1.1", b"x\r\nConnection: close", False),
        (b"1.1", b"closed", True),
        (b"1.0", b"", False),
        (b"1.0", b"keep-alive", True),
        (b"1.0", b"keep-alive, close", False),
    ],
)
def test_whether_the_connection_goes_on(version, connection, kept):
    assert request(b"Connection: " + connection + b"\r\n", version=version).view()["keep_alive"] is kept


def test_connection_names_fields_away_but_not_the_platforms():
    view = request(
        b"X-A: 1\r\nConnection: x-a, close, , Host, K-Proxy-Request,x-forwarded-for\r\nx-A: 2\r\nX-B: 3\r\n"
        b"K-Proxy-Request: activator\r\nForwarded: for=1\r\nCookie: c\r\n"
        b"Connection: cookie, Forwarded, Content-Length\r\nContent-Length: 0\r\n"
    ).view()
    assert view["named_away"] == [b"X-A", b"x-A", b"Cookie"]


def test_more_names_than_can_be_looked_for_are_refused():
    names = b",".join(b"n%d" % i for i in range(64))
    assert request(b"Connection: " + names + b"\r\n").result == "ok"
    assert request(b"Connection: " + names + b",more\r\n").result == "bad_request_field"


@pytest.mark.parametrize(
    ("fields", "wants", "upgrade"),
    [
        (b"Connection: Upgrade\r\nUpgrade: websocket\r\n", True, b"websocket"),
        (b"Upgrade: h2c\r\nConnection: keep-alive, upgrade\r\n", True, b"h2c"),
        (b"Upgrade: websocket\r\n", False, b"websocket"),
        (b"Connection: upgrade\r\n", False, b""),
        (b"Connection: upgrade\r\nUpgrade:\r\n", False, b""),
    ],
)
def test_an_upgrade_needs_both_fields(fields, wants, upgrade):
    view = request(fields, method=b"GET").view()
    assert (view["wants_upgrade"], view["upgrade"]) == (wants, upgrade)


def test_http_1_0_upgrades_nothing_and_expects_nothing():
    view = request(b"Connection: Upgrade\r\nUpgrade: x\r\nExpect: 100-continue\r\n", version=b"1.0").view()
    assert not view["wants_upgrade"]
    assert not view["expects_continue"]


@pytest.mark.parametrize(
    ("value", "proceeds", "other"),
    [
        (b"100-continue", True, False),
        (b"100-Continue", True, False),
        (b"100-continued", False, True),
        (b"100-continue, x", True, True),
        (b"", False, False),
    ],
)
def test_expectations(value, proceeds, other):
    view = request(b"Expect: " + value + b"\r\n").view()
    assert (view["expects_continue"], view["expects_other"]) == (proceeds, other)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(b"trailers", True), (b"gzip, Trailers", True), (b"gzip", False), (b"trailers;q=1", False), (b"trailersx", False)],
)
def test_te_tells_whether_trailers_are_wanted(value, wanted):
    assert request(b"TE: " + value + b"\r\n").view()["te_trailers"] is wanted
