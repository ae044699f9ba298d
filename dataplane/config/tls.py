"""Tls: versions, suites and groups of a listener, from Go's names to OpenSSL's (1.2, 4.11)."""

from __future__ import annotations

from dataplane.contract.values import quoted

from .findings import one_of_words
from .schema import Tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataplane.contract.env import SidecarEnv

    from .findings import Findings

VERSIONS = ("1.2", "1.3")

SUITES = {
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
}
"""TLS 1.2 suites that Go calls secure, by OpenSSL's names."""

SUITES_OF_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""Accepted and ignored: nobody may choose among these."""

SUITES_FOR_HTTP2 = ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
"""HTTP/2 over TLS 1.2 needs one of them (RFC 9113 9.2.2)."""

GROUPS = {
    "CurveP256": "P-256",
    "P-256": "P-256",
    "CurveP384": "P-384",
    "P-384": "P-384",
    "CurveP521": "P-521",
    "P-521": "P-521",
    "X25519": "X25519",
    "X25519MLKEM768": "X25519MLKEM768",
}


def read_tls(env: SidecarEnv, prefix: str, cert_file: str, key_file: str, findings: Findings) -> Tls:
    """The TLS of the listener whose variables begin with this prefix. Only asked for when it is on (DP-155)."""

    def said(name: str) -> str:
        text: str = getattr(env, f"{prefix}_{name}".lower())
        return text

    lowest = _version(f"{prefix}_TLS_MIN_VERSION", said("TLS_MIN_VERSION"), findings) or "1.3"
    highest = _version(f"{prefix}_TLS_MAX_VERSION", said("TLS_MAX_VERSION"), findings) or "1.3"
    if highest < lowest and not findings.is_wrong(f"{prefix}_TLS_MIN_VERSION"):
        what = f'"{highest}" is below the minimum {lowest}; set {prefix}_TLS_MIN_VERSION={highest} as well'
        findings.wrong(f"{prefix}_TLS_MAX_VERSION", what)
    suites = f"{prefix}_TLS_CIPHER_SUITES"
    return Tls(
        cert_file=cert_file,
        key_file=key_file,
        version_min=lowest,
        version_max=highest,
        ciphers=_suites(suites, _names(said("TLS_CIPHER_SUITES")), lowest == "1.2", findings),
        groups=_groups(f"{prefix}_TLS_CURVE_PREFERENCES", _names(said("TLS_CURVE_PREFERENCES")), findings),
    )


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]


def _version(where: str, text: str, findings: Findings) -> str:
    """A version, empty when none is said or it is unknown, which is then named."""
    if not text or text in VERSIONS:
        return text
    findings.wrong(where, f"{quoted(text)} is not known; use {one_of_words(VERSIONS)}")
    return ""


def _suites(where: str, names: list[str], has_12: bool, findings: Findings) -> tuple[str, ...]:
    """OpenSSL's names of a suite list; unknown ones, and a list that serves nobody, are named."""
    unknown = [name for name in names if name not in SUITES and name not in SUITES_OF_13]
    if unknown:
        listed = ", ".join(quoted(name) for name in unknown)
        findings.wrong(where, f"{listed} not known; use Go's names, such as {SUITES_FOR_HTTP2[0]}")
        return ()
    if names and has_12 and not any(name in SUITES_FOR_HTTP2 for name in names):
        wanted = one_of_words(SUITES_FOR_HTTP2)
        findings.wrong(where, f"{quoted(','.join(names))} has no suite that HTTP/2 over TLS 1.2 needs; add {wanted}")
        return ()
    return tuple(dict.fromkeys(SUITES[name] for name in names if name in SUITES)) if has_12 else ()


def _groups(where: str, names: list[str], findings: Findings) -> tuple[str, ...]:
    """OpenSSL's names of a group list. An unknown name is a warning, and the others are used."""
    for name in names:
        if name not in GROUPS:
            findings.odd(where, f"{quoted(name)} is not known and is left out; known are {', '.join(GROUPS)}")
    return tuple(dict.fromkeys(GROUPS[name] for name in names if name in GROUPS))
