"""TLS transport: an echo of the engine's and Python's own ssl talk to each other."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ext.base.faults import fault_names
from ext.certificates import TlsClientContext, TlsContext
from ext.testing.transport import Echo
from tests.certificates import Pair, make_pair

ALPN_NONE, ALPN_H1, ALPN_H2 = 0, 1, 2
MIB = 1 << 20


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("pair"), "server")


class Server:
    """An Echo in a thread, and plain Python callers of it."""

    def __init__(self, context: TlsContext | None) -> None:
        self.echo = Echo(context)
        self.port = self.echo.listen()
        self.thread = threading.Thread(target=self.echo.run)
        self.thread.start()

    def dial(self) -> socket.socket:
        line = socket.create_connection(("127.0.0.1", self.port))
        line.settimeout(20)
        return line

    def call(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        return (context or trusting()).wrap_socket(self.dial(), server_hostname="localhost")

    def end(self) -> None:
        """Harmless twice."""
        self.echo.stop()
        self.thread.join()


@pytest.fixture
def server(pair: Pair) -> Iterator[Server]:
    made = Server(TlsContext(pair.cert, pair.key, lowest="1.2"))
    yield made
    made.end()


def trusting(
    lowest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2, highest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, alpn=()
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = lowest
    context.maximum_version = highest
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def read_to_end(line: socket.socket) -> None:
    while line.recv(65536):
        pass


class Machine:
    """A caller whose TLS and whose socket are moved apart, in one thread."""

    def __init__(self, line: socket.socket, context: ssl.SSLContext) -> None:
        self.line = line
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inward, self.outward, server_hostname="localhost")

    def drive(self, step, *args, piece: int = 1 << 16):
        """Does one step of TLS, with as many turns of the socket as it needs."""
        while True:
            try:
                result = step(*args)
            except ssl.SSLWantReadError:
                result = None
            self.flush(piece)
            if result is not None:
                return result
            self.inward.write(self.line.recv(65536))

    def flush(self, piece: int = 1 << 16) -> None:
        waiting = self.outward.read()
        for at in range(0, len(waiting), piece):
            self.line.sendall(waiting[at : at + piece])

    def open(self, piece: int = 1 << 16) -> None:
        self.drive(lambda: self.tls.do_handshake() or True, piece=piece)

    def read_ready(self) -> bytes:
        """All that has been decrypted."""
        got = bytearray()
        try:
            while part := self.tls.read(65536):
                got += part
        except ssl.SSLWantReadError:
            pass
        return bytes(got)

    def echo(self, sent: bytes, late: bool = False) -> bytes:
        """Sends, and reads the same number of bytes; when late, not before sending has come to a stop."""
        got = bytearray()
        self.tls.write(sent)
        waiting = memoryview(self.outward.read())
        self.line.setblocking(False)
        while len(got) < len(sent):
            readers = [] if late else [self.line]
            readable, writable, _ = select.select(readers, [self.line] if waiting else [], [], 0.3 if late else 20)
            assert late or readable or writable, "nothing moves"
            if writable:
                waiting = waiting[self.line.send(waiting) :]
            if readable:
                self.inward.write(self.line.recv(65536))
                got += self.read_ready()
            late = late and bool(writable)
        return bytes(got)


def pattern(size: int) -> bytes:
    return bytes(i * 7 & 0xFF for i in range(251)) * (size // 251) + b"." * (size % 251)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls12", "tls13"])
@pytest.mark.parametrize("size", [1, 5000, 16384, 16385, 3 * MIB], ids=str)
def test_bytes_come_back_as_they_were(server: Server, version: ssl.TLSVersion, size: int) -> None:
    sent = pattern(size)
    with server.dial() as line:
        machine = Machine(line, trusting(version, version))
        machine.open()
        assert machine.echo(sent) == sent


def test_a_reader_that_comes_late_gets_every_byte_in_order(server: Server) -> None:
    sent = pattern(16 * MIB)
    with server.dial() as line:
        machine = Machine(line, trusting())
        machine.open()
        assert machine.echo(sent, late=True) == sent
    server.end()
    assert server.echo.seen["bytes"] == 0  # no ciphertext is kept


@pytest.mark.parametrize(
    ("offer", "wanted", "told"),
    [
        (("http/1.1", "h2"), "h2", ALPN_H2),
        (("http/1.1",), "http/1.1", ALPN_H1),
        ((), None, ALPN_NONE),
        (("h3", "h2c", "http/1.1"), "http/1.1", ALPN_H1),
    ],
    ids=["both", "h1", "none", "strange and h1"],
)
def test_alpn_prefers_h2(server: Server, offer: tuple[str, ...], wanted: str | None, told: int) -> None:
    with server.call(trusting(alpn=offer)) as line:
        assert line.selected_alpn_protocol() == wanted
        line.sendall(b"x")
        assert line.recv(1) == b"x"
    assert server.echo.seen["alpn"] == told


def test_alpn_without_a_protocol_of_ours_is_refused(server: Server) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
        server.call(trusting(alpn=("h3",)))


@pytest.mark.spec("DP-154")
def test_tls_12_is_refused_unless_it_is_allowed(server: Server, pair: Pair) -> None:
    with server.call(trusting(highest=ssl.TLSVersion.TLSv1_2)) as line:
        assert line.version() == "TLSv1.2"
    strict = Server(TlsContext(pair.cert, pair.key))
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        strict.call(trusting(highest=ssl.TLSVersion.TLSv1_2))
    strict.end()
    assert fault_names()[strict.echo.seen["fault"]] == "caller_tls_error"


def test_cleartext_on_a_tls_port_is_a_fault_of_the_caller(server: Server) -> None:
    with server.dial() as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            read_to_end(line)
    assert fault_names()[server.echo.seen["fault"]] == "caller_tls_error"


def test_a_connection_that_says_nothing_is_no_fault(server: Server) -> None:
    with server.dial() as line:
        line.shutdown(socket.SHUT_WR)
        assert line.recv(1) == b""
    assert server.echo.seen["fault"] == 0


def test_a_handshake_in_single_bytes_succeeds(server: Server) -> None:
    with server.dial() as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        machine = Machine(line, trusting())
        machine.open(piece=1)
        machine.tls.write(b"trickled")
        machine.flush(piece=1)
        assert machine.drive(machine.tls.read, 100) == b"trickled"


def test_several_records_in_one_segment_are_all_read(server: Server) -> None:
    with server.dial() as line:
        machine = Machine(line, trusting())
        machine.open()
        for word in (b"one ", b"two ", b"three"):
            machine.tls.write(word)
        machine.flush()
        got = b""
        while len(got) < 13:
            got += machine.drive(machine.tls.read, 100)
    assert got == b"one two three"


def test_close_notify_ends_both_sides_in_order(server: Server) -> None:
    with server.call() as line:
        line.sendall(b"last words")
        assert line.recv(100) == b"last words"
        plain = line.unwrap()  # sends close_notify and waits for the other one
        assert plain.recv(1) == b""
        plain.close()
    assert server.echo.seen["fault"] == 0


def test_a_hard_close_reaches_the_caller_as_a_reset(server: Server) -> None:
    server.echo.cut()
    with server.dial() as line:
        machine = Machine(line, trusting())
        machine.open()
        machine.tls.write(b"x")
        machine.flush()
        with pytest.raises(ConnectionResetError):
            read_to_end(line)


def test_a_session_is_resumed_by_its_ticket(server: Server) -> None:
    context = trusting()
    with server.call(context) as line:
        line.sendall(b"x")
        assert line.recv(1) == b"x"  # the ticket has come by now
        session = line.session
    with context.wrap_socket(server.dial(), server_hostname="localhost", session=session) as line:
        assert line.session_reused
        line.sendall(b"y")
        assert line.recv(1) == b"y"


def test_idle_after_work_needs_no_second_read(server: Server) -> None:
    with server.call() as line:
        for _ in range(10):
            line.sendall(b"ping")
            assert line.recv(10) == b"ping"
        before = server.echo.seen["reads"]
        for _ in range(10):
            line.sendall(b"ping")
            assert line.recv(10) == b"ping"
        assert server.echo.seen["reads"] - before == 10


@pytest.mark.spec("DP-156")
def test_a_new_certificate_serves_new_connections_while_old_ones_go_on(
    server: Server, pair: Pair, tmp_path: Path
) -> None:
    other = make_pair(tmp_path, "renewed")
    with server.call() as old:
        server.echo.use(TlsContext(other.cert, other.key))
        with server.call() as new:
            assert new.getpeercert(True) == ssl.PEM_cert_to_DER_cert(other.cert.decode())
            new.sendall(b"new")
            assert new.recv(3) == b"new"
        assert old.getpeercert(True) == ssl.PEM_cert_to_DER_cert(pair.cert.decode())
        old.sendall(b"old")
        assert old.recv(3) == b"old"


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        (b"", None, "certificate: no start line"),
        (b"nonsense", None, "certificate: no start line"),
        (None, b"", "key: "),
        (None, "other", "key: key values mismatch"),
    ],
    ids=["empty certificate", "no certificate", "no key", "another's key"],
)
def test_a_pair_that_cannot_be_used_says_why(pair: Pair, tmp_path: Path, cert, key, said: str) -> None:
    if key == "other":
        key = make_pair(tmp_path, "other").key
    with pytest.raises(ValueError, match=said):
        TlsContext(pair.cert if cert is None else cert, pair.key if key is None else key)


def test_groups_that_openssl_does_not_know_are_left_out(pair: Pair) -> None:
    context = TlsContext(pair.cert, pair.key, groups=("nothing-of-the-kind", "P-384"))
    assert context.unknown_groups == ("nothing-of-the-kind",)


def test_callers_show_a_certificate_where_one_is_required(pair: Pair, tmp_path: Path) -> None:
    authority = make_pair(tmp_path, "authority")
    caller = make_pair(tmp_path, "caller", signer=authority)
    made = Server(TlsContext(pair.cert, pair.key, callers="require", authority=authority.cert))
    known = trusting()
    known.load_cert_chain(caller.cert_file, caller.key_file)
    try:
        with made.call(known) as line:
            line.sendall(b"x")
            assert line.recv(1) == b"x"
        with pytest.raises((ssl.SSLError, ConnectionResetError)), made.call() as line:
            line.recv(1)  # TLS 1.3 tells the refusal after the client's handshake is over
    finally:
        made.end()


@pytest.mark.parametrize("suites", [("ECDHE-ECDSA-AES256-GCM-SHA384",)], ids=["one suite"])
def test_only_the_named_suites_are_served(pair: Pair, suites: tuple[str, ...]) -> None:
    made = Server(TlsContext(pair.cert, pair.key, lowest="1.2", highest="1.2", ciphers=suites))
    try:
        with made.call() as line:
            assert line.cipher()[0] == suites[0]
    finally:
        made.end()


def test_a_client_of_ours_talks_to_a_server_of_ours(server: Server) -> None:
    sent = pattern(300_000)
    client = Echo(TlsClientContext())
    assert client.ask(server.port, sent, b"localhost") == sent
    assert client.seen["fault"] == 0


def test_a_client_of_ours_verifies_when_it_is_given_an_authority(server: Server, pair: Pair, tmp_path: Path) -> None:
    trusted = Echo(TlsClientContext(pair.cert))
    assert trusted.ask(server.port, b"hello", b"localhost") == b"hello"

    misnamed = Echo(TlsClientContext(pair.cert))
    assert misnamed.ask(server.port, b"hello", b"elsewhere") == b""
    assert fault_names()[misnamed.seen["fault"]] == "upstream_tls_error"

    stranger = Echo(TlsClientContext(make_pair(tmp_path, "stranger").cert))
    assert stranger.ask(server.port, b"hello", b"localhost") == b""
    assert fault_names()[stranger.seen["fault"]] == "upstream_tls_error"


def test_a_client_of_ours_is_told_that_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = Echo(TlsClientContext())
        assert client.ask(unused.getsockname()[1], b"hello") == b""
    assert fault_names()[client.seen["fault"]] == "connect_refused"


def test_a_client_of_ours_is_told_that_the_server_speaks_no_tls() -> None:
    made = Server(None)
    client = Echo(TlsClientContext())
    try:
        assert client.ask(made.port, b"hello") == b""
    finally:
        made.end()
    assert fault_names()[client.seen["fault"]] == "upstream_tls_error"
