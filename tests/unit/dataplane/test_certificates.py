"""The certificate's files: when they are looked at, what is swapped, and what stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dataplane.certificates import FILE_BYTES_MAX, KEPT, RELOADED, CertificateWatch
from dataplane.config.schema import Certificates, Tls
from ext.certificates import TlsContext
from tests.certificates import Pair, make_pair

MINUTE_NS = 60_000_000_000


class Listener:
    """Makes contexts as the engine does, and keeps what it was given."""

    def __init__(self) -> None:
        self.used: list[object] = []
        self.lines: list[tuple[str, object]] = []

    def make(self, tls: Tls, cert: bytes, key: bytes) -> object:
        if not cert.startswith(b"cert ") or cert[5:] != key[4:]:
            raise ValueError("key: values mismatch")
        return cert

    def tell(self, level: int, message: str, fields: dict[str, object]) -> None:
        self.lines.append((message, fields.get("error")))


class Secret:
    """A folder that is replaced whole, as kubelet does it: `..data` points at the newest one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def put(self, cert: bytes, key: bytes) -> None:
        self.count += 1
        version = self.folder / f"..{self.count}"
        version.mkdir(parents=True)
        (version / "tls.crt").write_bytes(cert)
        (version / "tls.key").write_bytes(key)
        os.symlink(version.name, self.folder / "..new")
        os.rename(self.folder / "..new", self.folder / "..data")

    def tls(self) -> Tls:
        data = self.folder / "..data"
        return Tls(cert_file=str(data / "tls.crt"), key_file=str(data / "tls.key"), version_min="1.3",
                   version_max="1.3", ciphers=(), groups=())  # fmt: skip


@pytest.fixture
def secret(tmp_path):
    made = Secret(tmp_path / "certs")
    made.put(b"cert 1", b"key 1")
    return made


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def watch(secret, listener):
    made = CertificateWatch(
        Certificates(tls=secret.tls(), poll_ms=60_000), listener.make, listener.used.append, listener.tell
    )
    assert made.first(0) == b"cert 1"
    return made


@pytest.mark.spec("DP-156")
def test_a_changed_pair_is_swapped_at_the_next_poll_and_not_before(watch, secret, listener):
    assert watch.look_ns == MINUTE_NS
    secret.put(b"cert 2", b"key 2")
    watch.tick(MINUTE_NS - 1)
    assert listener.used == []
    watch.tick(MINUTE_NS)
    assert listener.used == [b"cert 2"]
    assert listener.lines == [(RELOADED, None)]
    assert watch.look_ns == 2 * MINUTE_NS


@pytest.mark.spec("DP-156")
def test_an_unchanged_pair_is_left_alone(watch, secret, listener):
    secret.put(b"cert 1", b"key 1")
    watch.tick(MINUTE_NS)
    assert (listener.used, listener.lines) == ([], [])


@pytest.mark.spec("DP-156")
def test_a_pair_that_does_not_fit_keeps_the_old_one_and_is_told_once(watch, secret, listener):
    secret.put(b"cert 2", b"key 3")
    for minute in (1, 2, 3):
        watch.tick(minute * MINUTE_NS)
    assert listener.used == []
    assert listener.lines == [(KEPT, "key: values mismatch")]
    secret.put(b"cert 2", b"key 2")
    watch.tick(4 * MINUTE_NS)
    assert listener.used == [b"cert 2"]
    assert listener.lines[1:] == [(RELOADED, None)]


def test_a_pair_that_is_put_back_after_a_broken_one_is_told_broken_anew(watch, secret, listener):
    secret.put(b"broken", b"")
    watch.tick(MINUTE_NS)
    secret.put(b"cert 1", b"key 1")
    watch.tick(2 * MINUTE_NS)
    secret.put(b"broken", b"")
    watch.tick(3 * MINUTE_NS)
    assert listener.used == []
    assert [message for message, _ in listener.lines] == [KEPT, KEPT]


@pytest.mark.spec("DP-156")
def test_missing_and_endless_files_keep_the_old_pair_and_are_told_once(watch, secret, listener):
    secret.put(b"c" * (FILE_BYTES_MAX + 1), b"")
    watch.tick(MINUTE_NS)
    os.unlink(secret.folder / "..data")
    for minute in (2, 3):
        watch.tick(minute * MINUTE_NS)
    assert listener.used == []
    assert [message for message, _ in listener.lines] == [KEPT, KEPT]
    assert "larger" in listener.lines[0][1]
    assert "No such file" in listener.lines[1][1]


@pytest.mark.spec("DP-152")
def test_a_start_without_usable_files_raises_what_is_wrong(secret, listener):
    watch = CertificateWatch(
        Certificates(tls=secret.tls(), poll_ms=1), listener.make, listener.used.append, listener.tell
    )
    secret.put(b"cert 2", b"key 3")
    with pytest.raises(ValueError, match="mismatch"):
        watch.first(0)
    os.unlink(secret.folder / "..data")
    with pytest.raises(FileNotFoundError):
        watch.first(0)


def test_the_engine_s_own_contexts_are_made_from_real_pairs(tmp_path):
    first, second = make_pair(tmp_path, "first"), make_pair(tmp_path, "second")
    secret = Secret(tmp_path / "certs")

    def put(cert: Pair, key: Pair) -> None:
        secret.put(cert.cert, key.key)

    def make(tls: Tls, cert: bytes, key: bytes) -> object:
        return TlsContext(cert, key, tls.version_min, tls.version_max)

    put(first, first)
    used: list[object] = []
    lines: list[tuple[str, object]] = []
    watch = CertificateWatch(
        Certificates(tls=secret.tls(), poll_ms=1),
        make,
        used.append,
        lambda _, message, fields: lines.append((message, fields.get("error"))),
    )
    watch.first(0)
    put(second, first)
    watch.tick(MINUTE_NS)
    put(second, second)
    watch.tick(2 * MINUTE_NS)
    assert len(used) == 1
    assert [message for message, _ in lines] == [KEPT, RELOADED]
