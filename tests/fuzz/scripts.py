"""Scripts to begin with: what peer, way and owner do around TLS, in the words of ext.testing.fuzz_tls."""

from __future__ import annotations

(
    PUMP, PEER_STEP, PEER_WRITE, PEER_REKEY, PEER_END, CARRY_IN, CARRY_OUT, GARBLE,
    STRAY, LOSE, EDGES, READ, WRITE, SHUT, CLOSE, PEER_FIN,
) = range(16)  # fmt: skip


def step(what: int, much: int = 0) -> bytes:
    """One step; how much it is, from 0 to 15, reads as fuzz_tls says."""
    return bytes([what | much << 4])


OPENED = step(PUMP, 15)
SLOWLY = step(PEER_STEP) + step(CARRY_IN, 5) + step(EDGES) + step(CARRY_OUT, 6)

PLAYS = [
    OPENED + step(PEER_WRITE, 10) + step(WRITE, 12) + step(PUMP, 2),
    OPENED + step(PEER_WRITE, 15) + step(WRITE, 15) + step(CARRY_IN, 9) + step(EDGES) + step(READ, 3) + step(WRITE, 1),
    SLOWLY * 30 + step(WRITE, 4) + step(PEER_WRITE, 4) + SLOWLY * 4,
    OPENED + step(PEER_WRITE, 6) + step(PEER_END) + step(CARRY_IN, 4) + step(EDGES) + step(READ, 6),
    OPENED + step(WRITE, 8) + step(PUMP) + step(SHUT) + step(PEER_WRITE, 9) + step(PUMP, 2),
    OPENED + step(PEER_REKEY, 1) + step(PEER_WRITE, 9) + step(WRITE, 15) + step(CARRY_IN, 15) + step(EDGES)
    + step(READ, 9) + step(PEER_REKEY),
    OPENED + step(SHUT) + step(PUMP) + step(PEER_REKEY, 1) * 2 + step(PEER_WRITE, 14),
    OPENED + step(WRITE, 13) * 8 + step(SHUT),
    step(PEER_STEP) + step(GARBLE, 1) + b"\x06",
    OPENED + step(PEER_WRITE, 5) + step(GARBLE, 2) + b"\x09" + step(PUMP, 1) + step(WRITE, 3),
    OPENED + step(GARBLE, 9) + b"\0" + step(WRITE, 3) + step(PUMP, 2),
    OPENED + step(STRAY, 6) + b"\x15\x03\x03\0\x02\x01\0" + step(PUMP, 1) + step(READ, 5),
    step(STRAY, 6) + b"GET / H" + step(CARRY_IN, 9) + step(EDGES) + step(READ, 5),
    step(PEER_STEP) + step(CARRY_IN, 5) + step(PEER_FIN) + step(EDGES) + step(READ),
    OPENED + step(PEER_WRITE, 8) + step(LOSE, 5) + step(CARRY_IN, 15) + step(PEER_FIN) + step(EDGES) + step(READ, 9),
    OPENED + step(WRITE, 15) + step(PEER_FIN, 1) + step(EDGES) + step(WRITE, 2) + step(READ),
    step(PEER_STEP) + step(CLOSE, 2) + step(CARRY_IN, 9) + step(EDGES) + step(CLOSE, 1),
    OPENED + step(CLOSE),
]  # fmt: skip

SCRIPTS = tuple(
    bytes([kind]) + play
    for play in PLAYS
    for kind in (0b0000000, 0b0000001, 0b0000010, 0b0000011, 0b1000100, 0b0000101, 0b0101110, 0b0001101)
) + tuple(bytes([kind]) + OPENED for kind in (0b0010001, 0b0010011, 0b1100000, 0b1100010))
"""Each play as server and as client, with TLS 1.3 and 1.2, on a wide and on a narrow way, with buffers and without."""
