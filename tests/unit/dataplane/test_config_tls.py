"""TLS of the serving and of the metrics listener, from Go's names."""

from __future__ import annotations

import ssl

import pytest
from sidecar_env import problems, settings, warnings

from dataplane.config.schema import Tls
from dataplane.config.tls import GROUPS, SUITES

FIRST = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
PROMETHEUS = '{"requestMetrics":{"protocol":"prometheus"}}'


def tls(**variables: str) -> Tls:
    certificates = settings(certs=True, **variables).certificates
    assert certificates is not None
    return certificates.tls


@pytest.mark.spec("DP-154")
def test_the_floor_is_1_3_unless_lowered():
    assert (tls().version_min, tls().version_max) == ("1.3", "1.3")
    assert tls(QUEUE_PROXY_TLS_MIN_VERSION="1.2").version_min == "1.2"


@pytest.mark.spec("DP-155")
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"QUEUE_PROXY_TLS_MIN_VERSION": "1.1"}, '_MIN_VERSION: "1.1" is not known; use 1.2 or 1.3'),
        ({"QUEUE_PROXY_TLS_MAX_VERSION": "1.2 "}, "_MAX_VERSION: "),
        (
            {"QUEUE_PROXY_TLS_MAX_VERSION": "1.2"},
            '"1.2" is below the minimum 1.3; set QUEUE_PROXY_TLS_MIN_VERSION=1.2 as well',
        ),
        ({"QUEUE_PROXY_TLS_CIPHER_SUITES": f"{FIRST},RC4"}, '_CIPHER_SUITES: "RC4" not known'),
        (
            {
                "QUEUE_PROXY_TLS_MIN_VERSION": "1.2",
                "QUEUE_PROXY_TLS_CIPHER_SUITES": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            },
            "_CIPHER_SUITES: ",
        ),
        (
            {"QUEUE_PROXY_TLS_MIN_VERSION": "1.2", "QUEUE_PROXY_TLS_CIPHER_SUITES": "TLS_AES_128_GCM_SHA256"},
            "has no suite that HTTP/2 over TLS 1.2 needs",
        ),
    ],
)
def test_a_wrong_tls_value_is_fatal_only_when_tls_is_on(variables, expected):
    settings(certs=False, **variables)
    (line,) = problems(certs=True, **variables)
    assert line.startswith("QUEUE_PROXY_TLS")
    assert expected in line


def test_suites_get_openssl_s_names_in_their_order():
    suites = f"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, {FIRST},,{FIRST},TLS_AES_128_GCM_SHA256"
    said = tls(QUEUE_PROXY_TLS_MIN_VERSION="1.2", QUEUE_PROXY_TLS_CIPHER_SUITES=suites)
    assert said.ciphers == ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256")


def test_suites_are_ignored_for_1_3():
    assert tls(QUEUE_PROXY_TLS_CIPHER_SUITES="TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384").ciphers == ()


@pytest.mark.parametrize("name", SUITES.values())
def test_openssl_knows_every_suite(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(name)
    assert name in [cipher["name"] for cipher in context.get_ciphers()]


def test_unknown_groups_are_a_warning_and_the_others_are_used():
    preferences = "X25519, CurveP128, CurveP256, P-256"
    assert tls(QUEUE_PROXY_TLS_CURVE_PREFERENCES=preferences).groups == ("X25519", "P-256")
    (line,) = warnings(certs=True, QUEUE_PROXY_TLS_CURVE_PREFERENCES=preferences)
    assert '"CurveP128" is not known and is left out' in line


def test_every_group_has_one_name():
    assert set(GROUPS.values()) == {"P-256", "P-384", "P-521", "X25519", "X25519MLKEM768"}


def test_metrics_may_be_encrypted_and_ask_for_certificates():
    said = settings(
        OBSERVABILITY_CONFIG=PROMETHEUS,
        METRICS_PROMETHEUS_TLS_CERT="/c",
        METRICS_PROMETHEUS_TLS_KEY="/k",
        METRICS_PROMETHEUS_TLS_CLIENT_AUTH="Require",
        METRICS_PROMETHEUS_TLS_CLIENT_CA_FILE="/ca",
        METRICS_PROMETHEUS_TLS_MIN_VERSION="1.2",
    ).metrics.listener
    assert said is not None
    assert said.tls is not None
    assert (said.tls.cert_file, said.tls.key_file, said.tls.version_min) == ("/c", "/k", "1.2")
    assert (said.tls.client_auth, said.tls.client_ca_file) == ("require", "/ca")


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({"CERT": "/c"}, "KEY"),
        ({"KEY": "/k"}, "CERT"),
        ({"CLIENT_AUTH": "require"}, "CLIENT_AUTH"),
        ({"CLIENT_CA_FILE": "/ca"}, "CLIENT_CA_FILE"),
        ({"CERT": "/c", "KEY": "/k", "CLIENT_AUTH": "optional"}, "CLIENT_CA_FILE"),
        ({"CERT": "/c", "KEY": "/k", "CLIENT_AUTH": "always"}, "CLIENT_AUTH"),
        ({"CERT": "/c", "KEY": "/k", "MIN_VERSION": "1.0"}, "MIN_VERSION"),
    ],
)
def test_half_a_metrics_tls_is_named_and_only_when_prometheus_is_on(variables, where):
    named = {f"METRICS_PROMETHEUS_TLS_{name}": text for name, text in variables.items()}
    settings(**named)
    (line,) = problems(OBSERVABILITY_CONFIG=PROMETHEUS, **named)
    assert line.startswith(f"METRICS_PROMETHEUS_TLS_{where}: ")
