"""WebSocket: the websockets library at both ends of a sidecar."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.certificates import Pair
from tests.line import PATIENCE_S
from tests.sidecarfixture import TLS_PORT, Sidecar
from tests.system.socketapp import MESSAGE_MAX, SocketApp
from tests.waiting import until

Make = Callable[..., Sidecar]

MIB = 1 << 20


@pytest.fixture
def socket_app() -> Iterator[SocketApp]:
    made = SocketApp()
    yield made
    made.close()


def open_socket(started: Sidecar) -> ClientConnection:
    url = started.url("/socket?a=b", scheme="ws")
    return connect(url, max_size=MESSAGE_MAX, open_timeout=PATIENCE_S, compression=None, proxy=None)


@pytest.fixture
def socket(sidecar: Make, socket_app: SocketApp) -> Iterator[ClientConnection]:
    with open_socket(sidecar(socket_app.port, CONTAINER_CONCURRENCY=1)) as opened:
        yield opened


@pytest.mark.spec("DP-112")
def test_text_and_bytes_come_back(socket: ClientConnection, socket_app: SocketApp) -> None:
    for message in ("hello", b"\x00\xff" * 100, "", "ünïcode"):
        socket.send(message)
        assert socket.recv(PATIENCE_S) == message
    assert socket_app.headers["Upgrade"].lower() == "websocket"


@pytest.mark.spec("DP-113")
def test_a_mebibyte_comes_back_whole(socket: ClientConnection) -> None:
    for message in (bytes(range(256)) * (MIB // 256), "x" * MIB):
        socket.send(message)
        assert socket.recv(PATIENCE_S) == message


@pytest.mark.spec("DP-113")
def test_fragments_come_back_as_one_message(socket: ClientConnection) -> None:
    socket.send([b"a" * 1000, b"b", b"", b"c" * 70000])
    assert socket.recv(PATIENCE_S) == b"a" * 1000 + b"b" + b"c" * 70000


@pytest.mark.spec("DP-113")
def test_pings_are_answered_by_the_app(socket: ClientConnection) -> None:
    assert socket.ping(b"are you there").wait(PATIENCE_S)


@pytest.mark.spec("DP-114")
def test_the_caller_closes_with_code_and_reason(socket: ClientConnection, socket_app: SocketApp) -> None:
    socket.close(4000, "caller leaves")
    until(lambda: socket_app.closes, "the app sees the close")
    assert socket_app.closes == [(4000, "caller leaves")]


@pytest.mark.spec("DP-114")
def test_the_app_closes_with_code_and_reason(socket: ClientConnection) -> None:
    socket.send("leave")
    with pytest.raises(ConnectionClosed):
        socket.recv(PATIENCE_S)
    assert (socket.close_code, socket.close_reason) == (4001, "app leaves")


@pytest.mark.spec("DP-112", "DP-113")
def test_a_socket_works_over_tls(sidecar: Make, socket_app: SocketApp, pair: Pair) -> None:
    started = sidecar(socket_app.port, PENSTOCK_CERT_DIR=pair.cert_file.parent)
    context = ssl.create_default_context(cafile=pair.cert_file)
    url = started.url("/socket", TLS_PORT, "wss")
    with connect(url, ssl=context, server_hostname="localhost", max_size=4 * MIB, proxy=None) as socket:
        for message in ("hello", b"\x00" * MIB):
            socket.send(message)
            assert socket.recv(PATIENCE_S) == message


@pytest.mark.spec("DP-093", "DP-094")
def test_a_socket_holds_its_slot_until_it_ends(sidecar: Make, socket_app: SocketApp) -> None:
    started = sidecar(socket_app.port, CONTAINER_CONCURRENCY=1)
    heard: list[str | bytes] = []

    def talk() -> None:
        with open_socket(started) as second:
            second.send("mine now")
            heard.append(second.recv(PATIENCE_S))

    later = threading.Thread(target=talk)
    with open_socket(started) as first:
        later.start()
        first.send("still mine")
        assert first.recv(PATIENCE_S) == "still mine"
        assert not heard
    later.join(PATIENCE_S)
    assert heard == ["mine now"]


@pytest.mark.spec("DP-109", "DP-110")
def test_a_busy_socket_outlives_both_time_limits(sidecar: Make, socket_app: SocketApp) -> None:
    started = sidecar(socket_app.port, REVISION_TIMEOUT_SECONDS=2, REVISION_IDLE_TIMEOUT_SECONDS=1)
    with open_socket(started) as socket:
        for n in range(15):
            time.sleep(0.2)  # the pace is what is tested: shorter than the idle time, longer than both in all
            socket.send(str(n))
            assert socket.recv(PATIENCE_S) == str(n)
        with pytest.raises(ConnectionClosed):
            socket.recv(PATIENCE_S)
