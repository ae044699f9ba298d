"""CertificateFiles: a new pair is used, a broken one is not, and the reason is told."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dataplane.certificates import RELOADED, CertificateFiles
from dataplane.config.schema import Tls
from dataplane.errors import ConfigError
from dataplane.logs import LogFormat, Logger
from ext.certificates import TlsContext
from tests.certificates import Pair, make_pair


class Place:
    """A folder with a pair, its watcher, and what was logged."""

    def __init__(self, folder: Path, groups: tuple[str, ...] = ()) -> None:
        self.pair = make_pair(folder, "tls")
        self.folder = folder
        self.lines: list[bytes] = []
        tls = Tls(
            cert_file=str(self.pair.cert_file),
            key_file=str(self.pair.key_file),
            version_min="1.3",
            version_max="1.3",
            ciphers=(),
            groups=groups,
        )
        log = Logger(LogFormat(), "queueproxy", put=self.put)
        self.files = CertificateFiles(tls, TlsContext, log)

    def put(self, _fd: int, line: bytes) -> int:
        self.lines.append(line)
        return len(line)

    def said(self) -> list[str]:
        return [json.loads(line)["message"] for line in self.lines]

    def other(self) -> Pair:
        return make_pair(self.folder / "other", "tls")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.spec("DP-156")
def test_the_same_files_give_no_second_context(place: Place) -> None:
    place.files.load()
    os.utime(place.pair.cert_file, (1, 1))
    assert place.files.reload() is None
    assert place.said() == []


@pytest.mark.spec("DP-156")
def test_a_new_pair_is_used_and_told(place: Place) -> None:
    first = place.files.load()
    other = place.other()
    place.pair.cert_file.write_bytes(other.cert)
    place.pair.key_file.write_bytes(other.key)
    assert place.files.reload() not in (None, first)
    assert place.said() == [RELOADED]


@pytest.mark.spec("DP-156")
def test_half_a_renewal_keeps_the_old_pair_until_the_other_half_comes(place: Place) -> None:
    place.files.load()
    other = place.other()
    place.pair.cert_file.write_bytes(other.cert)
    assert place.files.reload() is None
    assert place.files.reload() is None
    assert len(place.said()) == 1, "a pair that does not fit is told once"
    place.pair.key_file.write_bytes(other.key)
    assert place.files.reload() is not None


@pytest.mark.spec("DP-156")
def test_files_that_vanish_keep_the_old_pair(place: Place) -> None:
    place.files.load()
    place.pair.key_file.unlink()
    assert place.files.reload() is None
    assert len(place.said()) == 1


def test_a_pair_that_cannot_be_used_at_start_is_named(place: Place) -> None:
    place.pair.key_file.write_bytes(b"nonsense")
    with pytest.raises(ConfigError) as raised:
        place.files.load()
    [problem] = raised.value.problems
    assert str(place.pair.key_file) in problem.where
    assert "key: " in problem.what


def test_a_file_that_cannot_be_read_at_start_is_named(place: Place) -> None:
    place.pair.cert_file.unlink()
    with pytest.raises(ConfigError) as raised:
        place.files.load()
    [problem] = raised.value.problems
    assert problem.where == str(place.pair.cert_file)
    assert "No such file" in problem.what


def test_groups_that_openssl_lacks_are_told(tmp_path: Path) -> None:
    place = Place(tmp_path, groups=("X25519MLKEM768-of-tomorrow", "X25519"))
    place.files.load()
    assert "does not know" in place.said()[0]
