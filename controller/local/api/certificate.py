"""certificate: the server's own certificate for loopback, which only its own kubeconfig trusts.

kubectl and kn send a token over TLS only.
"""

from __future__ import annotations

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

_GOOD_FOR = timedelta(days=825)
_RENEW_BEFORE = timedelta(days=30)


def ensure(certificate: Path, key: Path, address: str) -> bytes:
    """The certificate in PEM; makes a pair of files when there is none or it ends soon.

    Raises  OSError if the files cannot be written
    """
    try:
        found = certificate.read_bytes()
        if key.exists() and _ends(found) > datetime.now(UTC) + _RENEW_BEFORE:
            return found
    except (FileNotFoundError, ValueError):
        pass
    return _make(certificate, key, address)


def _ends(pem: bytes) -> datetime:
    """Raises ValueError if that is no certificate."""
    import ssl
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(pem)
        file.flush()
        try:
            context = ssl.create_default_context(cafile=file.name)
        except ssl.SSLError as wrong:
            raise ValueError("no certificate") from wrong
    ends = str(context.get_ca_certs()[0]["notAfter"])
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)


def _make(certificate: Path, key: Path, address: str) -> bytes:
    # Loaded only when needed: it costs as much memory as the rest of the server.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "penstock")])
    now = datetime.now(UTC)
    names = [x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName("localhost")]
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _GOOD_FOR)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(secret, hashes.SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM)
    private = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(private)
    certificate.write_bytes(pem)
    return pem
