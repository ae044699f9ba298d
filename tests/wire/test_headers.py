"""Headers: what the app sees of a request, and the caller of an answer."""

from __future__ import annotations

import re

import pytest

from tests.line import Head
from tests.proxyfixture import request_bytes

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def seen(proxy, app):
    """What the app sees of a request for "/" with these fields."""
    p = proxy()

    def see(*fields: str, request: str = "GET /", raw: bytes = b"") -> Head:
        caller = p.saying(raw or request_bytes(request, *fields))
        up = app.accept()
        head = up.head()
        up.send(OK.replace(b"200 OK\r\n", b"200 OK\r\nConnection: close\r\n"))
        caller.answer(request.split(" ")[0])
        up.close()
        return head

    return see


@pytest.fixture
def told(proxy, app):
    """The caller's view of an answer."""
    p = proxy()

    def tell(answer: bytes, method: str = "GET", *fields: str):
        caller = p.saying(request_bytes(f"{method} /", *fields))
        up = app.asked()
        up.send(answer)
        got = caller.answer(method)
        up.close()
        return got

    return tell


# ── requests ──────────────────────────────────────────────────────────────


@pytest.mark.spec("DP-055")
@pytest.mark.parametrize(
    "target",
    ["/", "//a//b/", "/%7Euser/%2F?q=%20&r", "/a?b=c?d=/e", "/;p=1,2", "/a/../b/./c", "/\xfc\xe9", '/{x}|y^z<>\\`"'],
)
def test_target_reaches_the_app_byte_for_byte(seen, target):
    assert seen(request=f"GET {target}").target == target.encode("latin-1")


@pytest.mark.spec("DP-055")
@pytest.mark.parametrize(
    "method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "X-Y"]
)
def test_method_reaches_the_app(seen, method):
    assert seen(request=f"{method} /m").method == method.encode()


@pytest.mark.spec("DP-056")
def test_host_of_the_caller_reaches_the_app(seen):
    assert seen().get("Host") == b"test.example"


@pytest.mark.spec("DP-057")
def test_original_host_replaces_host_and_is_consumed(seen):
    head = seen("K-Original-Host: a.example")
    assert head.get("Host") == b"a.example"
    assert head.get("K-Original-Host") is None


@pytest.mark.spec("DP-057")
def test_empty_original_host_is_consumed(seen):
    head = seen("K-Original-Host:")
    assert head.get("Host") == b"test.example"
    assert head.get("K-Original-Host") is None


@pytest.mark.spec("DP-057")
def test_original_host_of_a_kubelet_probe_is_consumed_as_well(seen):
    head = seen("K-Original-Host: a.example", "K-Kubelet-Probe: x")
    assert head.get("Host") == b"a.example"
    assert head.get("K-Original-Host") is None


@pytest.mark.spec("DP-057")
@pytest.mark.parametrize(
    "fields", [["K-Original-Host: no host"], ["K-Original-Host: a", "K-Original-Host: b"]], ids=["no host", "two"]
)
def test_bad_original_host_is_refused(proxy, origin, fields):
    p = proxy()
    answer = p.get("/", *fields)
    assert answer.status == 400
    assert p.snapshot()["faults"] == {"bad_original_host": 1}
    assert origin.heads == []


@pytest.mark.spec("DP-058")
def test_platform_routing_headers_are_removed(seen):
    head = seen("Knative-Serving-Revision: r", "Knative-Serving-Namespace: n", "X-Other: o")
    assert head.get("Knative-Serving-Revision") is None
    assert head.get("Knative-Serving-Namespace") is None
    assert head.get("X-Other") == b"o"


@pytest.mark.spec("DP-059")
@pytest.mark.parametrize(
    "name",
    ["Knative-Serving-Tag", "Knative-Serving-Default-Route", "K-Proxy-Request", "K-Passthrough-Lb", "X-Request-Id"],
)
def test_other_platform_headers_reach_the_app(seen, name):
    assert seen(f"{name}: value").get(name) == b"value"


@pytest.mark.spec("DP-060")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], b"127.0.0.1"),
        (["10.0.0.1"], b"10.0.0.1, 127.0.0.1"),
        (["10.0.0.1, 10.0.0.2", "10.0.0.3"], b"10.0.0.1, 10.0.0.2, 10.0.0.3, 127.0.0.1"),
        ([""], b"127.0.0.1"),
    ],
    ids=["none", "one", "two lines", "empty"],
)
def test_peer_is_appended_to_forwarded_for(seen, before, after):
    head = seen(*[f"X-Forwarded-For: {value}" for value in before])
    assert head.all("X-Forwarded-For") == [after]


def test_peer_is_the_one_that_called(proxy, app):
    p = proxy()
    caller = p.connect(source="127.0.0.77")
    caller.send(request_bytes("GET /"))
    assert app.accept().head().get("X-Forwarded-For") == b"127.0.0.77"


def test_mapped_address_of_a_peer_is_written_as_ipv4(proxy, app):
    p = proxy(host="::")
    caller = p.connect(source="127.0.0.5")
    caller.send(request_bytes("GET /"))
    assert app.accept().head().get("X-Forwarded-For") == b"127.0.0.5"


@pytest.mark.spec("DP-061", "DP-064", "DP-065")
@pytest.mark.parametrize(
    ("nodes", "host", "proto", "value"),
    [
        ("127.0.0.1, ::1", "h", "p", b'for=127.0.0.1;host=h;proto=p, for="[::1]"'),
        ("127.0.0.1", "h", "p", b"for=127.0.0.1;host=h;proto=p"),
        ("127.0.0.1, ::1", None, None, b'for=127.0.0.1, for="[::1]"'),
        ("127.0.0.1, ::1", None, "p", b'for=127.0.0.1;proto=p, for="[::1]"'),
        (None, "h", "p", b"host=h;proto=p"),
        (None, None, "https", b"proto=https"),
        (",,,", None, None, b"for=, for=, for="),
    ],
)
def test_forwarded_is_made_of_the_older_headers(seen, nodes, host, proto, value):
    pairs = (("For", nodes), ("Host", host), ("Proto", proto))
    head = seen(*[f"X-Forwarded-{name}: {given}" for name, given in pairs if given is not None])
    assert head.get("Forwarded") == value


def test_forwarded_quotes_what_is_no_token_and_reads_all_lines(seen):
    """W12: a port keeps its address apart, every line counts."""
    head = seen("X-Forwarded-For: 1.2.3.4:56", "X-Forwarded-For: 5.6.7.8", "X-Forwarded-Host: h:80")
    assert head.get("Forwarded") == b'for="1.2.3.4:56";host="h:80", for=5.6.7.8'


@pytest.mark.spec("DP-062")
def test_forwarded_of_the_caller_stands(seen):
    assert seen("Forwarded: for=x", "X-Forwarded-For: 1.1.1.1").all("Forwarded") == [b"for=x"]


@pytest.mark.spec("DP-063")
def test_forwarded_is_not_made_of_nothing(seen):
    assert seen().get("Forwarded") is None


@pytest.mark.spec("DP-066")
def test_hop_by_hop_fields_of_a_request_end_here(seen):
    head = seen(
        "Connection: X-Hop, close",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "Proxy-Authenticate: Basic",
        "Proxy-Authorization: Basic x",
        "Trailer: X-T",
        "Upgrade: other",
        "X-End: 2",
    )
    assert {name.lower() for name, _ in head.fields} == {b"host", b"x-end", b"x-forwarded-for"}


@pytest.mark.spec("DP-066")
@pytest.mark.parametrize("name", ["K-Proxy-Request", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto"])
def test_headers_of_the_platform_cannot_be_named_away(seen, name):
    assert seen(f"Connection: {name}", f"{name}: 10.0.0.1").get(name) is not None


@pytest.mark.spec("DP-067")
@pytest.mark.parametrize(
    ("te", "passed"), [("trailers", b"trailers"), ("gzip;q=0.5, trailers", b"trailers"), ("gzip", None)]
)
def test_only_trailers_of_te_pass(seen, te, passed):
    assert seen(f"TE: {te}", "Connection: TE").get("TE") == passed


@pytest.mark.spec("DP-068")
def test_no_user_agent_is_invented(seen):
    assert seen().get("User-Agent") is None


@pytest.mark.spec("DP-069")
def test_no_accept_encoding_is_invented(seen):
    assert seen().get("Accept-Encoding") is None


@pytest.mark.spec("DP-070")
def test_trace_headers_pass_unchanged_without_tracing(seen):
    parent = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what"
    head = seen(f"traceparent: {parent}", "tracestate: a=1", "tracestate: b=2", "baggage: k = v")
    assert head.get("traceparent") == parent.encode()
    assert head.all("tracestate") == [b"a=1", b"b=2"]
    assert head.get("baggage") == b"k = v"


@pytest.mark.spec("DP-071")
def test_repeated_fields_keep_values_order_and_spelling(seen):
    head = seen("X-Many: 1", "x-other: a", "X-MANY: 2", "Cookie: a=1", "X-Many: 1")
    assert head.all("X-Many") == [b"1", b"2", b"1"]
    kept = [name for name, _ in head.fields if name.lower() in (b"x-many", b"x-other", b"cookie")]
    assert kept == [b"X-Many", b"x-other", b"X-MANY", b"Cookie", b"X-Many"]


# ── the target's forms and Host ───────────────────────────────────────────


def test_absolute_form_becomes_origin_form_and_its_authority_wins(seen):
    head = seen(raw=b"GET http://other.example:81/p?q HTTP/1.1\r\nHost: test.example\r\n\r\n")
    assert head.target == b"/p?q"
    assert head.all("Host") == [b"other.example:81"]


def test_absolute_form_without_a_path_asks_for_the_root(seen):
    head = seen(raw=b"GET http://other.example HTTP/1.1\r\nHost: o\r\n\r\n")
    assert head.target == b"/"


@pytest.mark.parametrize("raw", [b"GET / HTTP/1.1\r\nHost:\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"], ids=["empty", "1.0"])
def test_app_sees_its_own_address_where_the_caller_names_no_host(seen, app, raw):
    assert seen(raw=raw).all("Host") == [b"127.0.0.1:%d" % app.port]


def test_options_of_everything_is_passed_on(seen):
    assert seen(request="OPTIONS *").target == b"*"


# ── answers ───────────────────────────────────────────────────────────────


@pytest.mark.spec("DP-066")
def test_hop_by_hop_fields_of_an_answer_end_here(told):
    answer = told(
        b"HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\n"
        b"Upgrade: h2c\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n"
    )
    assert {name.lower() for name, _ in answer.head.fields} == {b"date", b"x-end", b"content-length"}


@pytest.mark.spec("DP-071")
def test_fields_of_an_answer_keep_their_order(told):
    answer = told(
        b"HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nX-b: 2\r\nSet-Cookie: c=3\r\nDate: now\r\nContent-Length: 0\r\n\r\n"
    )
    assert answer.head.line == b"HTTP/1.1 200 Fine"
    assert answer.head.fields == [
        (b"Set-Cookie", b"a=1"), (b"X-b", b"2"), (b"Set-Cookie", b"c=3"), (b"Date", b"now"), (b"Content-Length", b"0"),
    ]  # fmt: skip


def test_date_is_added_where_the_app_gives_none(told):
    value = told(OK).head.get("Date")
    assert re.fullmatch(rb"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", value)


def test_content_type_is_not_invented(told):
    assert told(OK).head.get("Content-Type") is None


@pytest.mark.spec("DP-069")
def test_compressed_body_passes_untouched(told):
    body = b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
    answer = told(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\n" + body)
    assert answer.body == body
    assert answer.head.get("Content-Encoding") == b"gzip"


@pytest.mark.spec("DP-076")
def test_redirect_is_passed_on(told):
    answer = told(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
    assert (answer.status, answer.head.get("Location")) == (302, b"/elsewhere")


def test_reason_may_be_missing(told):
    assert told(b"HTTP/1.1 418 \r\nContent-Length: 0\r\n\r\n").status == 418
