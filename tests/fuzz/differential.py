"""differential: our reading of odd messages beside that of h11 and llhttp.

Messages are seeds with random changes. Three things may differ, and each
difference must be explained by an entry of the tables below:

    we refuse what a peer reads       REFUSALS: what in the bytes justifies our fault, by a check of its own
    we read what a peer refuses       PEER_REFUSALS: why the peer need not
    both read, but not the same       PEER_READINGS: what the peer leaves as it is

What is not complete for one of the two is not compared, unless the peer has
read a whole message where we still wait.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence

from ext.testing.http import lookup
from tests.fuzz.messages import (
    BODIES,
    CHUNKED,
    HOST,
    LENGTH,
    LINES,
    ORDINARY_BODIES,
    ORDINARY_LINES,
    ORDINARY_STARTS,
    REQUESTS,
    RESPONSES,
    START_LINES,
    STATUS_LINES,
)
from tests.fuzz.readings import PEERS, Reading, ours

PIECES = (
    *LINES, HOST, b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b"\x0b", b"\x7f", b"\x80", b":", b",", b";", b"#", b"/",
    b"0", b"5", b"f", b"chunked", b"HTTP/1.1", b"HTTP/1.0", b"\r\n ", b"0\r\n\r\n", b"%", b"@", b"[", b"close",
)  # fmt: skip

NAME_IS_HOP = 1
NAME_IS_HEAD = 8

BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)")
FIRST_LINE = re.compile(rb"\A(?:\r\n){0,2}([^\r\n]*)")
PLAIN_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^\x00-\x20\x7f#]+ HTTP/1\.[01]")
PLAIN_STATUS_LINE = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9] [^\x00-\x08\x0a-\x1f\x7f]*")
PLAIN_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*")
PLAIN_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
PLAIN_TARGET = re.compile(rb"/.*|(?i:https?)://([^/?]*).*")


def first_line(data: bytes) -> bytes:
    return FIRST_LINE.match(data)[1]


def head_lines(data: bytes) -> list[bytes]:
    """The field lines, wherever a line may be seen to end."""
    head = re.split(rb"\r?\n\r?\n", data.lstrip(b"\r\n"), maxsplit=1)[0]
    return re.split(rb"\r\n|\r|\n", head)[1:]


def values(data: bytes, name: bytes) -> list[bytes]:
    """Of the fields of that name, trimmed."""
    split = [line.partition(b":") for line in head_lines(data)]
    return [value.strip(b" \t") for found, _, value in split if found.strip(b" \t").lower() == name]


def has_odd_field(data: bytes) -> bool:
    return any(not PLAIN_FIELD.fullmatch(line) for line in head_lines(data)) or len(options(data)) > 64


def options(data: bytes) -> list[bytes]:
    return b",".join(values(data, b"connection")).split(b",")


def has_odd_length(data: bytes) -> bool:
    found = values(data, b"content-length")
    return len(found) > 1 or any(not re.fullmatch(rb"[0-9]{1,18}", value) for value in found)


def has_both_lengths(data: bytes) -> bool:
    return bool(values(data, b"content-length") and values(data, b"transfer-encoding"))


def has_odd_coding(data: bytes) -> bool:
    found = values(data, b"transfer-encoding")
    return len(found) > 1 or any(value.lower() != b"chunked" for value in found) or b"HTTP/1.0" in first_line(data)


def has_odd_host(data: bytes) -> bool:
    found = values(data, b"host")
    if len(found) != 1:
        return True
    return bool(found[0]) and not PLAIN_HOST.fullmatch(found[0])


def has_odd_target(data: bytes) -> bool:
    words = first_line(data).split(b" ")
    if len(words) < 2 or b"#" in words[1] or re.search(rb"[\x00-\x20\x7f]", words[1]):
        return True
    form = PLAIN_TARGET.fullmatch(words[1])
    if not form:
        return words[:2] != [b"OPTIONS", b"*"]
    return form[1] is not None and not PLAIN_HOST.fullmatch(form[1])


def has_odd_chunks(data: bytes) -> bool:
    """A reading of chunks of its own, by expression: sizes, data, line ends."""
    body = data.partition(b"\r\n\r\n")[2]
    while True:
        line = re.match(rb"([0-9A-Fa-f]{1,16})(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n", body)
        if not line or int(line[1], 16) >= 1 << 63:
            return True
        size = int(line[1], 16)
        if size == 0:
            return False
        body = body[line.end() :]
        if body[size : size + 2] != b"\r\n":
            return True
        body = body[size + 2 :]


def has_odd_trailer(data: bytes) -> bool:
    section = re.split(rb"(?:\A|\n)0+(?:;[^\n]*)?\r\n", data.partition(b"\r\n\r\n")[2], maxsplit=1)[-1]
    lines = section.split(b"\r\n\r\n")[0].split(b"\r\n")
    refused = (b"content-length", b"transfer-encoding", b"host")
    return any(not PLAIN_FIELD.fullmatch(line) or line.partition(b":")[0].lower() in refused for line in lines)


def announces_what_cannot_be(data: bytes) -> bool:
    """A body behind an interim answer."""
    return has_both_lengths(data) or first_line(data)[9:10] == b"1"


# Our fault, without its side → what in the bytes justifies it (RFC 9112 unless said otherwise).
REFUSALS: dict[str, Callable[[bytes], bool]] = {
    "line_end": lambda data: bool(BARE.search(data)),  # 2.2
    "fold": lambda data: bool(re.search(rb"\r\n[ \t]", data)),  # 5.2
    "field": has_odd_field,  # 5, 5.1; RFC 9110 5.5
    "length": has_odd_length,  # 6.3, rule 5; RFC 9110 8.6
    "framing": announces_what_cannot_be,  # 6.1, 6.2, 6.3 rule 3
    "coding": has_odd_coding,  # 6.1, 6.3 rule 4
    "host": has_odd_host,  # 3.2
    "target": has_odd_target,  # 3.2
    "version": lambda data: not re.search(rb"HTTP/1\.[01]\Z", first_line(data)),  # 2.3
    "chunk": has_odd_chunks,  # 7.1
    "trailer": has_odd_trailer,  # 7.1.2; RFC 9110 6.5.1
    "method_not_allowed": lambda data: first_line(data).startswith(b"CONNECT "),  # RFC 9110 9.3.6
}


def refusal_is_justified(data: bytes, of_request: bool, fault: str) -> bool:
    if fault in {"bad_request_line", "bad_response_line"}:
        plain = PLAIN_REQUEST_LINE if of_request else PLAIN_STATUS_LINE
        return not plain.fullmatch(first_line(data)) or (not of_request and data[:1] in b"\r\n")
    kind = re.sub(r"\A(bad|unknown)_(request|response)_", "", fault)
    return kind in REFUSALS and REFUSALS[kind](data)


METHODS = {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH"}


def has_eight_bit_target(data: bytes) -> bool:
    return any(byte >= 0x80 for byte in first_line(data).split(b" ")[1])


# Peer, its words, what in the bytes makes it say so; the comment says why we read it.
PEER_REFUSALS: tuple[tuple[str, str, Callable[[bytes], bool]], ...] = (
    # It wants a request before it that asked for the switch; the mux above our parser knows that.
    ("h11", "_SWITCH_UPGRADE event", lambda data: first_line(data)[9:12] == b"101"),
    # RFC 9112 2.2: at least one empty line before a request should be ignored.
    ("h11", "no request line received", lambda data: data.startswith(b"\r\n")),
    # Targets pass byte for byte.
    ("h11", "illegal request line", has_eight_bit_target),
    ("llhttp", "Invalid char(acter)?s? in url", has_eight_bit_target),
    # RFC 9110 9.1: any token is a method; llhttp has a list.
    ("llhttp", "Invalid method|Expected space after method", lambda d: first_line(d).split(b" ")[0] not in METHODS),
    # RFC 9110 5.5: a tab behind a value is no part of it; we write the field anew.
    ("llhttp", "invalid `Transfer-Encoding`", lambda data: b"chunked\t" in data or b"chunked \t" in data),
    # RFC 9112 7.1.1: extensions are dropped unread; which bytes end their line is not in doubt.
    ("llhttp", "in chunk extensions", lambda data: b";" in data.partition(b"\r\n\r\n")[2]),
)


def trimmed(data: bytes, we: tuple, they: tuple) -> tuple[tuple, tuple]:
    """llhttp leaves space behind a value; RFC 9110 5.5: it is not part of it."""
    return we, tuple((name, value.rstrip(b" \t")) for name, value in they)


def without_announcement(data: bytes, we: tuple, they: tuple) -> tuple[tuple, tuple]:
    """RFC 9110 8.6, RFC 9112 6.1: a 204 and an interim answer announce no body; we drop it when they do."""
    if not re.match(rb"HTTP/1\.. (?:1..|204)", data):
        return we, they
    return we, tuple(f for f in they if f[0] not in {b"content-length", b"transfer-encoding"})


def without_upgrade_body(data: bytes, we: Sequence, they: Sequence) -> tuple[Sequence, Sequence]:
    """llhttp stops at a request to upgrade and leaves its body, trailers too, to the caller."""
    asked = values(data, b"upgrade") and any(option.strip().lower() == b"upgrade" for option in options(data))
    return (they, they) if asked and not they else (we, they)


def without_head_fields(data: bytes, we: tuple, they: tuple) -> tuple[tuple, tuple]:
    """RFC 9110 6.5.1: what has no meaning behind a body is dropped there."""
    return we, tuple(f for f in they if not lookup(f[0])[1] & (NAME_IS_HOP | NAME_IS_HEAD))


# Peer, part of the reading, how to make the two alike.
PEER_READINGS: tuple[tuple[str, str, Callable], ...] = (
    ("llhttp", "fields", trimmed),
    ("llhttp", "trailers", trimmed),
    ("llhttp", "fields", without_announcement),
    ("h11", "fields", without_announcement),
    ("llhttp", "body", without_upgrade_body),
    ("llhttp", "trailers", without_upgrade_body),
    ("llhttp", "trailers", without_head_fields),
    ("h11", "trailers", without_head_fields),
)


def mutated(message: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        at = chance.randrange(len(message) + 1)
        end = min(len(message), at + chance.choice((0, 0, 0, 1, 1, 2, 8)))
        piece = chance.choice(PIECES) if chance.random() < 0.8 else chance.randbytes(1)
        message = message[:at] + (piece if chance.random() < 0.8 else b"") + message[end:]
    return message


def made(of_request: bool, chance: random.Random) -> bytes:
    """A message: a seed, or one put together from parts, most of them ordinary; then changed."""
    if chance.random() < 0.3:
        return mutated(chance.choice(REQUESTS if of_request else RESPONSES), chance)

    def mostly(ordinary: Sequence[bytes], all_of_them: Sequence[bytes]) -> bytes:
        return chance.choice(ordinary if chance.random() < 0.9 else all_of_them)

    starts = START_LINES if of_request else STATUS_LINES
    start = mostly(starts[:ORDINARY_STARTS], starts)
    fields = [mostly(ORDINARY_LINES, LINES) for _ in range(chance.randrange(3))]
    fields += [HOST] * (1 if chance.random() < 0.9 else chance.choice((0, 2)))
    chance.shuffle(fields)
    framing, body = chance.choice(((b"", b""), (LENGTH, b"hello"), (CHUNKED, mostly(ORDINARY_BODIES, BODIES))))
    return mutated(start + framing + b"".join(fields) + b"\r\n" + body + chance.choice((b"", b"next")), chance)


def explained(data: bytes, of_request: bool, peer: str, we: Reading, they: Reading) -> str | None:
    """What differs without explanation; None when nothing does."""
    if we.kind == "refused" and they.kind == "message":
        return None if refusal_is_justified(data, of_request, we.why) else f"refused as {we.why}"
    if we.kind == "message" and they.kind == "refused":
        known = any(p == peer and re.search(words, they.why) and test(data) for p, words, test in PEER_REFUSALS)
        return None if known else f"refused by {peer}: {they.why}"
    if we.kind == "more" and they.kind == "message" and they.why != "upgrade":
        return f"complete for {peer}, not for us"
    if we.kind == they.kind == "message":
        for part in ("start", "fields", "body", "trailers"):
            a, b = getattr(we, part), getattr(they, part)
            for p, of, alike in PEER_READINGS:
                if p == peer and of == part:
                    a, b = alike(data, a, b)
            if a != b:
                return f"{part} differs: ours {a!r}, {peer} {b!r}"
    return None


def compare(data: bytes, of_request: bool) -> list[str]:
    """Every unexplained difference."""
    we = ours(data, of_request)
    found = [explained(data, of_request, peer, we, read(data, of_request)) for peer, read in PEERS.items()]
    return [difference for difference in found if difference]


def search(seconds: float, seed: int | None = None, count: int | None = None) -> bool:
    """Compares for so long, or so many messages; prints what is not explained. Whether all was."""
    seed = random.randrange(1 << 32) if seed is None else seed
    chance = random.Random(seed)
    until = time.monotonic() + seconds
    seen: Counter[str] = Counter()
    unexplained = 0
    while time.monotonic() < until if count is None else seen.total() < count:
        of_request = chance.random() < 0.5
        data = made(of_request, chance)
        seen[ours(data, of_request).kind] += 1
        for difference in compare(data, of_request):
            unexplained += 1
            if unexplained <= 20:
                print(f"differential: {data!r}\n    {difference}")
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(seen.items()))
    print(f"differential: {seen.total()} messages ({kinds}), seed {seed}: {unexplained} unexplained differences")
    return unexplained == 0
