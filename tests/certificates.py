"""certificates: key pairs for tests, made by the openssl command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as files; self-signed, or signed by another pair."""

    cert_file: Path
    key_file: Path

    @property
    def cert(self) -> bytes:
        return self.cert_file.read_bytes()

    @property
    def key(self) -> bytes:
        return self.key_file.read_bytes()


def make_pair(folder: Path, name: str, signer: Pair | None = None, host: str = "localhost") -> Pair:
    """An ECDSA P-256 pair `name.crt`, `name.key` for `host` and 127.0.0.1, valid for a day."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
        "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1",
        "-keyout", str(pair.key_file), "-out", str(pair.cert_file),
    ]  # fmt: skip
    if signer is not None:
        command += ["-CA", str(signer.cert_file), "-CAkey", str(signer.key_file)]
    subprocess.run(command, check=True, capture_output=True)
    return pair
