"""The sidecar's environment and its class say the same, in both directions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.contract import env as contract
from dataplane.contract.env import HINTS, SidecarEnv
from dataplane.contract.record import defaults_of, fields_of

REQUIRED = [
    "CONTAINER_CONCURRENCY",
    "QUEUE_SERVING_PORT",
    "QUEUE_SERVING_TLS_PORT",
    "USER_PORT",
    "REVISION_TIMEOUT_SECONDS",
    "SERVING_LOGGING_CONFIG",
    "SERVING_LOGGING_LEVEL",
    "SERVING_NAMESPACE",
    "SERVING_CONFIGURATION",
    "SERVING_REVISION",
    "SERVING_POD",
    "SERVING_POD_IP",
]

BASE = {
    "CONTAINER_CONCURRENCY": "10",
    "QUEUE_SERVING_PORT": "8012",
    "QUEUE_SERVING_TLS_PORT": "8112",
    "USER_PORT": "8080",
    "REVISION_TIMEOUT_SECONDS": "300",
    "SERVING_LOGGING_CONFIG": "",
    "SERVING_LOGGING_LEVEL": "",
    "SERVING_NAMESPACE": "default",
    "SERVING_CONFIGURATION": "",
    "SERVING_REVISION": "hello-00001",
    "SERVING_POD": "hello-00001-deployment-abc",
    "SERVING_POD_IP": "10.0.0.7",
}

KINDS = SidecarEnv.__annotations__
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)
VALUES = {"str": TEXTS, "int": st.integers(-(1 << 63), (1 << 63) - 1), "bool": st.booleans()}


@settings(deadline=None)
@given(st.fixed_dictionaries({field: VALUES[KINDS[field]] for field in fields_of(SidecarEnv)}))
def test_every_setting_survives_class_environment_class(values):
    said = SidecarEnv(**values)
    again, wrong = contract.read(said.environment())
    assert wrong == []
    assert again == said


def test_only_what_differs_from_its_default_is_said():
    said, wrong = contract.read(BASE)
    assert wrong == []
    assert said.environment() == BASE


def test_required_fields_are_exactly_those_of_the_specification():
    required = [field.upper() for field in fields_of(SidecarEnv) if field not in defaults_of(SidecarEnv)]
    assert sorted(required) == sorted(REQUIRED)
    assert {field.lower() for field in REQUIRED} <= set(HINTS)


@pytest.mark.spec("DP-001")
@pytest.mark.parametrize("variable", REQUIRED)
def test_a_missing_required_variable_is_named_as_upstream_names_it(variable):
    environ = {name: text for name, text in BASE.items() if name != variable}
    _, wrong = contract.read(environ)
    assert [where for where, _ in wrong] == [variable]
    assert f"required key {variable} missing value; use " in wrong[0][1]


@pytest.mark.spec("DP-001")
def test_all_missing_variables_are_named_at_once():
    _, wrong = contract.read({})
    assert sorted(where for where, _ in wrong) == sorted(REQUIRED)


@pytest.mark.spec("DP-002")
def test_optional_variables_may_be_absent_and_have_their_defaults():
    said, wrong = contract.read(BASE)
    assert wrong == []
    assert (said.serving_service, said.serving_readiness_probe, said.observability_config) == ("", "", "")
    flags = (said.enable_multi_container_probes, said.enable_http2_auto_detection, said.enable_http_full_duplex)
    assert flags == (False, False, False)


@pytest.mark.spec("DP-003")
@pytest.mark.parametrize("variable", [name for name in REQUIRED if KINDS[name.lower()] == "str"])
def test_a_required_string_may_be_empty_in_the_environment(variable):
    said, wrong = contract.read(BASE | {variable: ""})
    assert wrong == []
    assert getattr(said, variable.lower()) == ""


@pytest.mark.spec("DP-004")
@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("CONTAINER_CONCURRENCY", "many", '"many" is not an integer; use 0 for no limit'),
        ("CONTAINER_CONCURRENCY", "", '"" is not an integer; use 0 for no limit'),
        ("REVISION_IDLE_TIMEOUT_SECONDS", "", '"" is not an integer; use whole seconds, or 0 for no limit'),
        ("ENABLE_HTTP_FULL_DUPLEX", "yes", '"yes" is not a truth value; use true or false'),
        ("ENABLE_MULTI_CONTAINER_PROBES", "", '"" is not a truth value; use true or false'),
        ("PENSTOCK_HEAD_BYTES", "1MiB", '"1MiB" is not an integer; use a whole number'),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_what_would_be_right(variable, text, message):
    _, wrong = contract.read(BASE | {variable: text})
    assert wrong == [(variable, message)]


def test_numbers_and_truth_values_are_read_as_go_reads_them():
    said, wrong = contract.read(BASE | {"CONTAINER_CONCURRENCY": "0x10", "ENABLE_HTTP_FULL_DUPLEX": "T"})
    assert wrong == []
    assert (said.container_concurrency, said.enable_http_full_duplex) == (16, True)


@pytest.mark.spec("DP-010")
def test_unknown_variables_are_ignored():
    strangers = {"HOST_IP": "10.0.0.1", "ROOT_CA": "x", "SYSTEM_NAMESPACE": "knative-serving", "ANYTHING": ""}
    assert contract.read(BASE | strangers) == contract.read(BASE)


def test_an_empty_variable_of_ours_is_one_that_is_not_set():
    said, wrong = contract.read(BASE | {"PENSTOCK_HEAD_BYTES": "", "PENSTOCK_STRICT": ""})
    assert wrong == []
    assert (said.penstock_head_bytes, said.penstock_strict) == (1 << 20, "enforce")


def test_a_misspelt_variable_of_ours_is_named_with_the_nearest_that_exists():
    odd = contract.unknown_own({"PENSTOCK_HEADBYTES": "1", "PENSTOCK_TRUSTED_CIDR": "", "PENSTOCK_STRICT": ""})
    assert odd == [
        ("PENSTOCK_HEADBYTES", "PENSTOCK_HEAD_BYTES"),
        ("PENSTOCK_TRUSTED_CIDR", "PENSTOCK_TRUSTED_CIDRS"),
    ]


def test_variables_that_kubernetes_makes_for_a_service_of_ours_are_no_misspelling():
    links = {
        "PENSTOCK_GATEWAY_SERVICE_HOST": "10.0.0.1",
        "PENSTOCK_GATEWAY_SERVICE_PORT": "80",
        "PENSTOCK_GATEWAY_SERVICE_PORT_HTTP": "80",
        "PENSTOCK_GATEWAY_PORT": "tcp://10.0.0.1:80",
        "PENSTOCK_GATEWAY_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert contract.unknown_own(links) == []
