"""TLS at a gateway: the certificate of the host that is asked for, changed while it runs; what redirects mean there."""

from __future__ import annotations

import socket
import ssl

import pytest

from ext.certificates import TlsContext, TlsHosts
from tests.certificates import make_pair
from tests.gatewayfixture import SECURE, path, routes
from tests.line import PATIENCE_S

NAMES = ("one.example", "two.example", "wild.example", "any.example")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Key pairs by the host that is in the certificate."""
    folder = tmp_path_factory.mktemp("pairs")
    return {name: make_pair(folder, name, host=name) for name in NAMES}


@pytest.fixture(scope="module")
def contexts(pairs):
    return {name: TlsContext(pair.cert, pair.key, lowest="1.2") for name, pair in pairs.items()}


@pytest.fixture
def secure(gateway, origin, contexts):
    """A gateway whose hosts have certificates of their own; gives it and its TLS port."""
    g = gateway()
    g.serve(a=origin)
    hosts = {"one.example": contexts["one.example"], "*.example": contexts["wild.example"]}
    return g, g.engine.listen(SECURE, "127.0.0.1", 0, TlsHosts(hosts))


def dial(port: int, host: str | None, pair=None, version=None, protocols=()):
    """A TLS connection that asks for that host; verified by the pair's certificate if there is one."""
    context = ssl.create_default_context(cafile=None if pair is None else str(pair.cert_file))
    if pair is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if version is not None:
        context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(list(protocols))
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    try:
        return context.wrap_socket(sock, server_hostname=host)
    except BaseException:
        sock.close()
        raise


def shown(port: int, host: str | None, **more) -> bytes:
    """The certificate that comes for that name, DER."""
    with dial(port, host, **more) as line:
        return line.getpeercert(binary_form=True)


def der(pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.cert.decode())


def ask(line: ssl.SSLSocket, host: str, target: str = "/") -> bytes:
    line.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    parts = []
    while part := line.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.mark.spec("NW-085", "NW-086")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_host_has_its_certificate_over_tls_and_answers_in_cleartext_too(secure, pairs, origin, version):
    g, port = secure
    g.route({"one.example": routes(path("/", "a"))})
    with dial(port, "one.example", pair=pairs["one.example"], version=version) as line:
        assert ask(line, "one.example").endswith(b"hello")
    assert origin.last().get("X-Forwarded-Proto") == b"https"
    assert g.to("one.example").body == b"hello"
    assert origin.last().get("X-Forwarded-Proto") == b"http"


def test_the_name_that_is_asked_for_chooses(secure, pairs):
    _, port = secure
    assert shown(port, "one.example") == shown(port, "ONE.example") == der(pairs["one.example"])
    assert shown(port, "x.example") == shown(port, "y.x.example") == der(pairs["wild.example"])


@pytest.mark.parametrize("host", ["other.test", "example", None])
def test_without_a_certificate_the_handshake_is_refused(secure, host):
    _, port = secure
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        shown(port, host)


def test_the_default_takes_every_other_name(gateway, contexts, pairs):
    g = gateway()
    port = g.engine.listen(
        SECURE, "127.0.0.1", 0, TlsHosts({"one.example": contexts["one.example"]}, contexts["any.example"])
    )
    assert shown(port, "other.test") == shown(port, None) == der(pairs["any.example"])
    assert shown(port, "one.example") == der(pairs["one.example"])


def test_a_change_is_for_new_connections(secure, contexts, pairs, origin):
    g, port = secure
    g.route({"one.example": routes(path("/", "a"))})
    with dial(port, "one.example", pair=pairs["one.example"]) as old:
        g.engine.use_tls(SECURE, TlsHosts({"two.example": contexts["two.example"]}))
        assert shown(port, "two.example") == der(pairs["two.example"])
        with pytest.raises(ssl.SSLError):
            shown(port, "one.example")
        assert ask(old, "one.example").endswith(b"hello")


def test_a_handshake_that_began_before_a_change_ends_with_what_it_began_with(secure, contexts, pairs):
    g, port = secure
    context = ssl.create_default_context(cafile=str(pairs["one.example"].cert_file))
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    g.until(conns=1)
    g.engine.use_tls(SECURE, TlsHosts({"two.example": contexts["two.example"]}))
    with context.wrap_socket(sock, server_hostname="one.example") as line:
        assert line.getpeercert(binary_form=True) == der(pairs["one.example"])


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_the_protocol_is_agreed_on_whatever_the_host(secure, protocol):
    _, port = secure
    with dial(port, "one.example", protocols=[protocol]) as line:
        assert line.selected_alpn_protocol() == protocol


@pytest.mark.spec("NW-103", "NW-104")
def test_what_is_redirected_in_cleartext_is_served_over_tls(secure):
    g, port = secure
    g.route({
        "one.example": routes(path("/", "a", redirect=True)),
        "two.example": routes(path("/none", redirect=True), path("/", "a")),
    })  # fmt: skip
    assert g.to("one.example").status == 301
    assert g.to("two.example", "/none").status == 301
    for host, target in (("one.example", "/"), ("two.example", "/none")):
        with dial(port, host) as line:
            assert ask(line, host, target).startswith(b"HTTP/1.1 200 ")
