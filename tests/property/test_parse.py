"""parse: any cut of the bytes gives the same heads and the same bodies."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from ext.testing.http import Body, Message, chunk_head, head_ended

TOKEN = st.text("abcXYZ019-_.!~", min_size=1, max_size=20).map(str.encode)
VALUE = st.binary(max_size=60).map(lambda raw: bytes(c for c in raw if c >= 0x20 and c != 0x7F).strip(b" \t"))
ODD = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\x00", b"chunked", b"5", b"0", b",", b"", b"\r\n\r\n"]
)
LINE = st.sampled_from(
    [
        b"Content-Length: 5", b"Content-Length: 5, 5", b"Transfer-Encoding: chunked", b"Host: b",
        b"Connection: close, x-a",
        b"X-A: 1", b"Expect: 100-continue", b"TE: trailers", b"Upgrade: h2c", b" folded", b"X-A : 1", b"K: v \t",
    ]
)  # fmt: skip
END = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"])
FIELDS = st.lists(st.tuples(LINE, END).map(b"".join), max_size=6).map(b"".join)


@st.composite
def heads(draw) -> bytes:
    """Heads that are nearly right: ordinary lines, and now and then something odd in between."""
    start = draw(
        st.sampled_from(
            [b"GET / HTTP/1.1", b"POST /x HTTP/1.0", b"HTTP/1.1 200 OK", b"HTTP/1.1 204", b"\r\nGET / HTTP/1.1"]
        )
    )
    data = (
        start
        + draw(END)
        + b"Host: a\r\n" * draw(st.booleans())
        + draw(FIELDS)
        + draw(END)
        + draw(st.binary(max_size=8))
    )
    at = draw(st.integers(0, len(data)))
    return data[:at] + draw(ODD) + data[at:] if draw(st.booleans()) else data


@st.composite
def bodies(draw) -> bytes:
    """Chunked bodies that are nearly right."""
    chunks = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
    extension = draw(st.sampled_from([b"", b";a=b", b" "]))
    end = draw(END)
    data = b"".join(chunk_head(len(c))[:-2] + extension + end + c + draw(END) for c in chunks)
    data += b"0" + end + draw(FIELDS) + end + draw(st.binary(max_size=8))
    at = draw(st.integers(0, len(data)))
    return data[:at] + draw(ODD) + data[at:] if draw(st.booleans()) else data


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def outcome(message: Message):
    """What must not depend on how the bytes came; the result alone when there is no head."""
    return (message.result, message.view(), message.used) if message.result == "ok" else message.result


CUTS = st.lists(st.integers(0, 400), max_size=6)
SIDE = st.booleans()
STRICT = st.booleans()


@given(heads(), SIDE, STRICT)
def test_a_head_gives_again_until_its_last_byte_or_its_fault(data, of_request, observe):
    whole = outcome(Message(data, of_request=of_request, observe=observe))
    for n in range(len(data) + 1):
        message = Message(data[:n], of_request=of_request, observe=observe)
        if message.result != "again":
            # The first result that is not AGAIN is what the whole gives.
            assert outcome(message) == whole
            if message.result == "ok":
                assert message.used == n
            return
    assert whole == "again"


@given(heads(), CUTS, SIDE, STRICT)
def test_the_search_for_the_end_agrees_with_the_parser(data, cuts, of_request, observe):
    found = head_ended(pieces(data, cuts))
    assert bool(found) == bool(head_ended([data]))
    if found:
        assert Message(data, of_request=of_request, observe=observe).result != "again"
    message = Message(data, of_request=of_request, observe=observe)
    if message.result == "ok":
        assert head_ended([data[: message.used]])
        assert not head_ended([data[: message.used - 1]])


@given(heads(), SIDE, STRICT)
def test_what_is_written_is_read_again_as_the_same(data, of_request, observe):
    message = Message(data, of_request=of_request, observe=observe)
    if message.result != "ok" or (of_request and "host" not in message.view()["seen"]):
        return  # the rewriter gives a request of HTTP/1.0 the Host that it lacks
    view = message.view()
    again = Message(message.written(), of_request=of_request)
    assert again.result == "ok"
    for what in ("fields", "framing", "length", "status", "method", "path", "seen", "repeated"):
        assert again.view()[what] == view[what]
    assert again.view()["mended"] == []


@given(heads(), SIDE, STRICT)
def test_a_kept_head_is_the_same_head(data, of_request, observe):
    message = Message(data, of_request=of_request, observe=observe)
    if message.result == "ok":
        assert message.view() == message.kept()


@given(st.lists(st.tuples(TOKEN, VALUE), max_size=12))
def test_every_field_that_is_written_is_read(fields):
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in [(b"Host", b"a"), *fields])
    message = Message(b"GET / HTTP/1.1\r\n" + lines + b"\r\n")
    if message.result == "ok":
        assert message.view()["fields"] == [(b"Host", b"a"), *fields]
    else:
        assert any(name.lower() == b"host" for name, _ in fields)


def fed(data: bytes, parts: list[bytes], framing: str, length: int, of_request: bool, observe: bool):
    body = Body(framing, length, of_request=of_request, observe=observe)
    content, used, result = b"", 0, "again"
    for part in parts:
        result, piece, taken = body.feed(part)
        content += piece
        used += taken
        if result != "again":
            break
    trailers = body.trailers() if result == "done" and framing == "chunked" else []
    return result, content, used if result in {"again", "done"} else 0, trailers, body.mended()


@given(bodies(), CUTS, SIDE, STRICT)
@settings(max_examples=300)
def test_a_chunked_body_is_the_same_however_it_is_cut(data, cuts, of_request, observe):
    whole = fed(data, [data], "chunked", -1, of_request, observe)
    assert fed(data, pieces(data, cuts), "chunked", -1, of_request, observe) == whole
    assert fed(data, [data[i : i + 1] for i in range(len(data))], "chunked", -1, of_request, observe) == whole


@given(st.binary(max_size=60), st.integers(0, 70), CUTS)
def test_a_body_of_known_length_is_the_same_however_it_is_cut(data, length, cuts):
    result, content, used, _, _ = fed(data, pieces(data, cuts), "length", length, True, False)
    assert content == data[:length]
    assert used == len(content)
    assert result == ("done" if length <= len(data) else "again")


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), CUTS)
def test_chunks_that_are_written_are_read(chunks, cuts):
    data = b"".join(chunk_head(len(c)) + c + b"\r\n" for c in chunks) + b"0\r\n\r\n"
    assert fed(data, pieces(data, cuts), "chunked", -1, False, False)[:3] == ("done", b"".join(chunks), len(data))
