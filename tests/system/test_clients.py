"""Clients: programs and libraries that people use, through a sidecar, over each protocol that they speak."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from pathlib import Path

import aiohttp
import httpx
import pytest

from loadtests.demo_app import Handler, Server
from tests.certificates import Pair
from tests.sidecarfixture import TLS_PORT, Sidecar
from tests.system.tools import GoApp, go_tool, output
from tests.waiting import until

Make = Callable[..., Sidecar]

CURL = ("curl", "-sS", "--max-time", "20", "-w", "\n%{http_code} %{http_version}")
BIG = 5 << 20


@pytest.fixture
def serving(sidecar: Make, go_app: GoApp) -> Sidecar:
    return sidecar(go_app.port, CONTAINER_CONCURRENCY=100)


@pytest.fixture
def secure(sidecar: Make, go_app: GoApp, pair: Pair) -> Sidecar:
    started = sidecar(go_app.port, CONTAINER_CONCURRENCY=100, PENSTOCK_CERT_DIR=pair.cert_file.parent)
    until(lambda: started.accepts(TLS_PORT), "the TLS port accepts")
    return started


@pytest.mark.spec("DP-014", "DP-015", "DP-055")
@pytest.mark.parametrize(
    ("options", "version"),
    [((), "1.1"), (("--http1.0",), "1"), (("--http2",), "2"), (("--http2-prior-knowledge",), "2")],
    ids=["http1", "http1.0", "upgrade", "prior-knowledge"],
)
def test_curl_speaks_every_protocol_on_one_port(serving: Sidecar, options: tuple[str, ...], version: str) -> None:
    assert output(*CURL, *options, serving.url("/")).removesuffix(".0") == f"hello\n200 {version}"
    size = 1000 if "--http2" in options else BIG  # this curl fails on more than 32 KiB that come with the 101
    said = output(*CURL, *options, "-o", "/dev/null", serving.url(f"/bytes/{size}"))
    assert said.removesuffix(".0") == f"\n200 {version}"


@pytest.mark.spec("DP-082")
@pytest.mark.parametrize(
    ("options", "proto"),
    [((), "HTTP/1.1"), (("--http2-prior-knowledge",), "HTTP/2.0"), (("--http2",), "HTTP/1.1")],
    ids=["http1", "prior-knowledge", "upgrade"],
)
def test_the_app_is_spoken_to_as_the_caller_speaks(serving: Sidecar, options: tuple[str, ...], proto: str) -> None:
    assert f'"proto":"{proto}"' in output(*CURL, *options, serving.url("/say"))


@pytest.mark.parametrize("option", ["--http1.1", "--http2-prior-knowledge"])
@pytest.mark.parametrize(("protocol", "proto"), [("http1", "HTTP/1.1"), ("h2c", "HTTP/2.0")])
def test_the_app_is_spoken_to_as_the_setting_says(
    sidecar: Make, go_app: GoApp, option: str, protocol: str, proto: str
) -> None:
    started = sidecar(go_app.port, PENSTOCK_APP_PROTOCOL=protocol)
    assert f'"proto":"{proto}"' in output(*CURL, option, started.url("/say"))
    assert output(*CURL, option, "-o", "/dev/null", started.url(f"/bytes/{BIG}")).startswith("\n200")


def test_an_app_that_speaks_only_http1_is_found_out(sidecar: Make) -> None:
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started = sidecar(server.server_port, PENSTOCK_APP_PROTOCOL="detect")
        for _ in range(3):
            said = output(*CURL, "--http2-prior-knowledge", started.url("/"))
            assert '"by": "HTTP/1.1"' in said
            assert said.endswith("\n200 2")
        server.shutdown()


@pytest.mark.spec("DP-077")
def test_curl_sees_heads_without_bodies(serving: Sidecar) -> None:
    assert "Content-Length: 1000" in output(*CURL, "-I", serving.url("/bytes/1000"))
    for path in ("/status/204", "/status/304"):
        assert output(*CURL, serving.url(path), serving.url("/")).splitlines()[-1].startswith("200")


@pytest.mark.parametrize("options", [(), ("--http2-prior-knowledge",)], ids=["http1", "http2"])
def test_curl_uploads_after_a_100(serving: Sidecar, tmp_path: Path, options: tuple[str, ...]) -> None:
    body = tmp_path / "body"
    body.write_bytes(bytes(BIG))
    said = output(*CURL, *options, "-H", "Expect: 100-continue", "-T", body, serving.url("/size"))
    assert said.startswith(f"{BIG}\n200")


@pytest.mark.spec("DP-157")
@pytest.mark.parametrize(("option", "version"), [("--http1.1", "1.1"), ("--http2", "2")])
def test_curl_speaks_tls(secure: Sidecar, pair: Pair, option: str, version: str) -> None:
    ca = ("--cacert", pair.cert_file, "--resolve", f"localhost:{TLS_PORT}:{secure.address}")
    said = output(*CURL, option, *ca, f"https://localhost:{TLS_PORT}/")
    assert said == f"hello\n200 {version}"


@pytest.mark.spec("DP-014", "DP-015")
@pytest.mark.parametrize("options", [(), ("-u",)], ids=["prior-knowledge", "upgrade"])
def test_nghttp_gets_a_page_and_a_large_one(serving: Sidecar, options: tuple[str, ...]) -> None:
    said = output("nghttp", "-v", "--no-dep", "-n", *options, serving.url("/"), serving.url(f"/bytes/{BIG}"))
    assert len(re.findall(r":status: 200", said)) == 2
    assert "[ERROR]" not in said


def test_h2load_loses_nothing(serving: Sidecar) -> None:
    said = output("h2load", "-n", 3000, "-c", 4, "-m", 50, serving.url("/"))
    assert "3000 succeeded, 0 failed, 0 errored, 0 timeout" in said


@pytest.mark.spec("DP-157")
def test_h2load_loses_nothing_over_tls(secure: Sidecar) -> None:
    said = output("h2load", "-n", 3000, "-c", 4, "-m", 50, secure.url("/", TLS_PORT, "https"))
    assert "3000 succeeded, 0 failed, 0 errored, 0 timeout" in said


@pytest.mark.spec("DP-116")
def test_250_streams_of_one_connection_are_at_the_app_together(sidecar: Make, go_app: GoApp) -> None:
    said = output("h2load", "-n", 250, "-c", 1, "-m", 250, sidecar(go_app.port).url("/meet/250"))
    assert "250 succeeded, 0 failed" in said


@pytest.mark.spec("DP-085")
def test_without_a_limit_500_requests_are_at_the_app_together(sidecar: Make, go_app: GoApp) -> None:
    said = output("h2load", "--h1", "-n", 500, "-c", 500, sidecar(go_app.port).url("/meet/500"))
    assert "500 succeeded, 0 failed" in said


def test_wrk_sees_no_error(serving: Sidecar) -> None:
    said = output("wrk", "-t", 1, "-c", 50, "-d", "1s", serving.url("/"))
    assert "Socket errors" not in said
    assert "Non-2xx" not in said
    assert int(re.findall(r"(\d+) requests in", said)[0]) > 100


GO_CHECKS = {
    "get", "upload", "chunked", "download", "together", "duplex", "cancel", "continue", "events", "bodiless", "early",
}  # fmt: skip


@pytest.mark.spec("DP-072", "DP-073", "DP-074", "DP-075", "DP-078", "DP-118")
@pytest.mark.parametrize("kind", ["h1", "h2c"])
def test_go_finds_everything_as_without_a_sidecar(sidecar: Make, go_app: GoApp, kind: str) -> None:
    started = sidecar(go_app.port, CONTAINER_CONCURRENCY=100, ENABLE_HTTP_FULL_DUPLEX="true")
    said = output(go_tool("gopeer"), "call", kind, started.url(""), patience_s=120)
    assert set(said.split()) - {"ok"} == GO_CHECKS


@pytest.mark.spec("DP-157")
@pytest.mark.parametrize("kind", ["h1-tls", "h2-tls"])
def test_go_finds_everything_over_tls(secure: Sidecar, pair: Pair, kind: str) -> None:
    url = secure.url("", TLS_PORT, "https")
    said = output(go_tool("gopeer"), "call", kind, url, pair.cert_file, patience_s=120)
    assert set(said.split()) - {"ok"} == GO_CHECKS


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
def test_httpx_keeps_its_connection(serving: Sidecar, http2: bool) -> None:
    with httpx.Client(http1=not http2, http2=http2, base_url=serving.url(""), timeout=10) as client:
        answers = [client.get("/say", headers=[("X-Many", "a"), ("X-Many", "b")]) for _ in range(20)]
        size = client.post("/size", content=(bytes(1 << 16) for _ in range(32)))
    assert {answer.json()["headers"]["X-Many"] == ["a", "b"] for answer in answers} == {True}
    assert {answer.http_version for answer in answers} == {"HTTP/2" if http2 else "HTTP/1.1"}
    assert size.text == str(2 << 20)


def test_aiohttp_streams_both_ways(serving: Sidecar) -> None:
    async def talk() -> tuple[list[str], bytes]:
        timeout = aiohttp.ClientTimeout(10)
        async with aiohttp.ClientSession(serving.url(""), timeout=timeout) as session:
            pages = await asyncio.gather(*(text(session, "/meet/30") for _ in range(30)))

            async def pieces():
                for _ in range(64):
                    yield bytes(1 << 14)

            async with session.post("/echo", data=pieces()) as answer:
                return pages, await answer.read()

    async def text(session: aiohttp.ClientSession, path: str) -> str:
        async with session.get(path) as answer:
            return await answer.text()

    pages, echoed = asyncio.run(talk())
    assert pages == ["met"] * 30
    assert echoed == bytes(1 << 20)
