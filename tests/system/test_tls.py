"""TLS: the port that the platform's internal encryption uses, with certificates that change while it serves."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.certificates import Pair, make_pair
from tests.line import Line
from tests.origin import Origin
from tests.sidecarfixture import ADMIN_PORT, STATS_PORT, TLS_PORT, Sidecar, refused
from tests.waiting import until

Make = Callable[..., Sidecar]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def secure(sidecar: Make, pair: Pair, **variables: object) -> Sidecar:
    """A sidecar that finds this pair where the platform mounts it, and looks at it often."""
    started = sidecar(PENSTOCK_CERT_DIR=pair.cert_file.parent, PENSTOCK_CERT_POLL_MS=50, **variables)
    until(lambda: started.accepts(TLS_PORT), "the TLS port accepts")
    return started


def shake(started: Sidecar, pair: Pair, *protocols: str, highest: ssl.TLSVersion | None = None) -> ssl.SSLSocket:
    """A handshake that believes this pair alone; closed by the caller."""
    context = ssl.create_default_context(cafile=pair.cert_file)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if highest is not None:
        context.maximum_version = highest
    sock = socket.create_connection((started.address, TLS_PORT), 10)
    try:
        return context.wrap_socket(sock, server_hostname="localhost")
    except BaseException:
        sock.close()
        raise


def served(started: Sidecar) -> str:
    """The certificate that a new connection sees, as PEM."""
    return ssl.get_server_certificate((started.address, TLS_PORT), timeout=10)


def replace(pair: Pair, by: Pair) -> None:
    """As a mounted secret changes: the new files come under the old names."""
    for old, new in ((pair.cert_file, by.cert_file), (pair.key_file, by.key_file)):
        temporary = Path(f"{old}.new")
        shutil.copy(new, temporary)
        temporary.rename(old)


@pytest.mark.spec("DP-152", "DP-155")
@pytest.mark.parametrize("missing", ["tls.crt", "tls.key", "both"])
def test_without_both_files_there_is_no_tls_port_and_no_look_at_its_variables(
    sidecar: Make, origin: Origin, pair: Pair, missing: str
) -> None:
    for file in (pair.cert_file, pair.key_file):
        if missing in (file.name, "both"):
            file.unlink()
    started = sidecar(PENSTOCK_CERT_DIR=pair.cert_file.parent, QUEUE_PROXY_TLS_MIN_VERSION="9")
    assert started.get().body == b"hello"
    assert not started.accepts(TLS_PORT)


@pytest.mark.spec("DP-155")
@pytest.mark.parametrize(
    ("variable", "value"),
    [("MIN_VERSION", "1.1"), ("MAX_VERSION", "9"), ("CIPHER_SUITES", "TLS_NULL")],
)
def test_with_both_files_a_wrong_variable_is_named(pair: Pair, variable: str, value: str) -> None:
    name = f"QUEUE_PROXY_TLS_{variable}"
    status, said = refused(PENSTOCK_CERT_DIR=pair.cert_file.parent, **{name: value})
    assert status == 1
    assert name in said
    assert value in said
    assert "Traceback" not in said


def test_a_pair_that_does_not_fit_is_named(pair: Pair, tmp_path: Path) -> None:
    shutil.copy(make_pair(tmp_path / "other", "tls").key_file, pair.key_file)
    status, said = refused(PENSTOCK_CERT_DIR=pair.cert_file.parent)
    assert status == 1
    assert "tls.crt" in said
    assert "Traceback" not in said


@pytest.mark.spec("DP-153", "DP-159")
def test_the_other_ports_stay_as_they_are(sidecar: Make, origin: Origin, pair: Pair) -> None:
    started = secure(sidecar, pair)
    assert started.get().body == b"hello"
    assert started.get("/", port=ADMIN_PORT).status == 404
    assert started.get("/metrics", port=STATS_PORT).status == 200


@pytest.mark.spec("DP-154")
def test_tls_1_2_is_refused_unless_it_is_asked_for(sidecar: Make, origin: Origin, pair: Pair) -> None:
    with pytest.raises(ssl.SSLError):
        shake(secure(sidecar, pair), pair, highest=ssl.TLSVersion.TLSv1_2)
    older = secure(sidecar, pair, QUEUE_PROXY_TLS_MIN_VERSION="1.2")
    with shake(older, pair, highest=ssl.TLSVersion.TLSv1_2) as sock:
        assert sock.version() == "TLSv1.2"
    with shake(older, pair) as sock:
        assert sock.version() == "TLSv1.3"


@pytest.mark.spec("DP-156")
def test_a_new_certificate_is_served_and_old_connections_live_on(
    sidecar: Make, origin: Origin, pair: Pair, tmp_path: Path
) -> None:
    started = secure(sidecar, pair)
    kept = Line(shake(started, pair))
    fresh = make_pair(tmp_path / "fresh", "fresh")
    replace(pair, fresh)
    until(lambda: served(started) == fresh.cert.decode(), "the new certificate is served")
    kept.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert kept.answer().body == b"hello"
    kept.close()
    assert "Certificate and/or key have changed on disk and were reloaded." in started.stdout() + started.stderr()


@pytest.mark.spec("DP-156")
def test_a_broken_replacement_keeps_the_old_certificate(
    sidecar: Make, origin: Origin, pair: Pair, tmp_path: Path
) -> None:
    started = secure(sidecar, pair)
    before = served(started)
    pair.cert_file.write_text("no certificate")
    until(lambda: "cannot be used" in started.stdout() + started.stderr(), "the sidecar says what is wrong")
    assert served(started) == before
    fresh = make_pair(tmp_path / "fresh", "fresh")
    replace(pair, fresh)
    until(lambda: served(started) == fresh.cert.decode(), "the mended certificate is served")


@pytest.mark.spec("DP-157")
@pytest.mark.parametrize(("offered", "chosen"), [(("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1")])
def test_alpn_chooses(sidecar: Make, origin: Origin, pair: Pair, offered: tuple[str, ...], chosen: str) -> None:
    with shake(secure(sidecar, pair), pair, *offered) as sock:
        assert sock.selected_alpn_protocol() == chosen
        sock.sendall(PREFACE if chosen == "h2" else b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        first = Line(sock).read(9)
        assert first[3] == 4 if chosen == "h2" else first.startswith(b"HTTP")


@pytest.mark.spec("DP-158")
@pytest.mark.parametrize("is_h2", [True, False], ids=["h2", "http1"])
def test_without_alpn_the_first_bytes_choose(sidecar: Make, origin: Origin, pair: Pair, is_h2: bool) -> None:
    with shake(secure(sidecar, pair), pair) as sock:
        assert sock.selected_alpn_protocol() is None
        line = Line(sock)
        if is_h2:
            line.send(PREFACE)
            assert line.read(9)[3] == 4
        else:
            line.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert line.answer().body == b"hello"
