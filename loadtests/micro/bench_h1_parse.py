"""bench_h1_parse: nanoseconds for one HTTP/1 head, beside llhttp (httptools) in the same run.

llhttp is asked for nothing: its parser object has no callbacks, so that the
figure is its state machine and one call from Python. It checks neither Host nor
Connection's list nor repeated fields, and makes no table of fields.

Run: python -m loadtests.micro.bench_h1_parse
"""

from __future__ import annotations

import statistics
import time

import httptools

from ext.testing.http import parse_ns, write_ns

ROUNDS = 9
TIMES = 20_000

HEADS = {
    "89 bytes, 3 fields, as wrk sends it": (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8012\r\nConnection: keep-alive\r\nUser-Agent: something/1\r\n\r\n"
    ),
    "460 bytes, 11 fields, as a browser sends it": (
        b"GET /path/to/file.html?x=1 HTTP/1.1\r\nHost: www.example.org\r\n"
        b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0\r\n"
        b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
        b"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\n"
        b"Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\n"
        b'Sec-Fetch-Site: none\r\nIf-None-Match: "abc"\r\n\r\n'
    ),
}


def llhttp_ns(data: bytes) -> float:
    """One feed of a whole head to a new parser, less the cost of making the parser."""
    silent = object()
    started = time.perf_counter_ns()
    for _ in range(TIMES):
        httptools.HttpRequestParser(silent)
    made = time.perf_counter_ns()
    for _ in range(TIMES):
        httptools.HttpRequestParser(silent).feed_data(data)
    fed = time.perf_counter_ns()
    return ((fed - made) - (made - started)) / TIMES


def row(what: str, figures: list[float]) -> str:
    """The best round first: what else runs on the machine only ever adds."""
    return f"  {what:<18}{min(figures):8.0f} ns   (median {statistics.median(figures):.0f} of {ROUNDS} rounds)"


def main() -> None:
    for name, data in HEADS.items():
        rounds = [(parse_ns(data, TIMES), write_ns(data, TIMES), llhttp_ns(data)) for _ in range(ROUNDS)]
        parsed, written, peer = (list(column) for column in zip(*rounds, strict=True))
        print(name)
        print(row("parse", parsed))
        print(row("write", written))
        print(row("parse by llhttp", peer))


if __name__ == "__main__":
    main()
