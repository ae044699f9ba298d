"""The two Services of a revision, and who stands behind the public one."""

import msgspec
import pytest

from controller.api.core import Endpoints
from controller.api.networking import SERVERLESS_SERVICE_CONDITIONS, ServerlessService
from controller.children import begin
from controller.serving.make import services as make
from controller.serving.serverless_service import mark, source_of
from controller.serving.subset import subset
from tests.unit.controller.serving.samples import meta

INTERNAL = "networking.internal.knative.dev"


def sks(mode="Serve", protocol="http1"):
    spec = {"mode": mode, "protocolType": protocol}
    return msgspec.convert({"metadata": meta("rev", labels={"a": "b"}), "spec": spec}, ServerlessService)


def endpoints(*addresses, ports=(("http", 8012),)):
    made = {
        "addresses": [{"ip": address} for address in addresses],
        "ports": [{"name": name, "port": port} for name, port in ports],
    }
    return msgspec.convert({"metadata": meta("e"), "subsets": [made] if addresses else []}, Endpoints)


def ports(service):
    return [(each["name"], each["port"], each["targetPort"]) for each in service["spec"]["ports"]]


@pytest.mark.spec("SC-214", "SC-178")
@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("http1", [("http", 80, 8012), ("https", 443, 8112)]),
        ("h2c", [("http2", 81, 8013), ("https", 443, 8112)]),
    ],
)
def test_the_public_service_has_the_revisions_name_and_no_selector(protocol, expected):
    found = make.public(sks(protocol=protocol))
    assert found["metadata"]["name"] == "rev"
    assert found["metadata"]["labels"] == {"a": "b", f"{INTERNAL}/serverlessservice": "rev", f"{INTERNAL}/serviceType": "Public"}  # fmt: skip # noqa: E501
    assert ports(found) == expected
    assert "selector" not in found["spec"]
    assert [each.get("appProtocol") for each in found["spec"]["ports"]] == [
        "kubernetes.io/h2c" if protocol == "h2c" else None, None,
    ]  # fmt: skip


@pytest.mark.spec("SC-219")
def test_the_private_service_has_every_port_of_a_sidecar():
    found = make.private(sks(), {"uid": "1"})
    assert found["metadata"]["name"] == "rev-private"
    assert found["spec"]["selector"] == {"uid": "1"}
    assert ports(found) == [
        ("http", 80, 8012), ("https", 443, 8112), ("http-autometric", 9090, 9090), ("http-usermetric", 9091, 9091),
        ("http-istio", 8012, 8012),
    ]  # fmt: skip
    assert ports(make.private(sks(protocol="h2c"), {}))[0] == ("http2", 80, 8013)


@pytest.mark.spec("SC-217")
def test_only_ports_that_carry_requests_are_public():
    found = endpoints("10.0.0.1", ports=(("http", 8012), ("https", 8112), ("http-autometric", 9090)))
    made = make.endpoints(sks(), found.subsets)
    assert [port["port"] for port in made["subsets"][0]["ports"]] == [8012, 8112]
    assert make.endpoints(sks(protocol="h2c"), endpoints("10.0.0.1").subsets)["subsets"] == []


@pytest.mark.spec("SC-214", "SC-215", "SC-216")
@pytest.mark.parametrize(
    ("mode", "pods", "activators", "source"),
    [
        ("Serve", 1, 1, "Serve"),
        ("Proxy", 1, 1, "Proxy"),
        ("Serve", 0, 1, "Proxy"),
        ("Proxy", 1, 0, "Serve"),
        ("Serve", 0, 0, "Serve"),
    ],
)
def test_requests_go_where_somebody_stands(mode, pods, activators, source):
    assert source_of(sks(mode), endpoints(*["a"] * pods), endpoints(*["b"] * activators)) == source
    if not pods and not activators:
        assert source_of(sks(mode), None, None) == source


@pytest.mark.parametrize(
    ("mode", "pods", "populated", "activators"),
    [("Serve", 1, "True", "False"), ("Proxy", 1, "True", "True"), ("Serve", 0, "Unknown", "True")],
)
def test_conditions_say_who_is_there(mode, pods, populated, activators):
    item = sks(mode)
    conditions = begin(item, SERVERLESS_SERVICE_CONDITIONS, (), 1)
    mark(endpoints(*["a"] * pods), item, conditions)
    found = {each.type: each for each in conditions.result()}
    assert found["Ready"].status == found["EndpointsPopulated"].status == populated
    assert found["EndpointsPopulated"].reason == ("" if pods else "NoHealthyBackends")
    assert found["ActivatorEndpointsPopulated"].status == activators
    assert found["ActivatorEndpointsPopulated"].severity == "Info"


@pytest.mark.spec("SC-218")
def test_a_subset_changes_only_with_its_own_members():
    addresses = [f"10.0.0.{number}" for number in range(20)]
    before = subset(addresses, 3, "rev")
    stranger = next(address for address in addresses if address not in before)
    assert len(before) == 3
    assert subset([address for address in addresses if address != stranger], 3, "rev") == before
    lost = min(before)
    assert len(before & subset([address for address in addresses if address != lost], 3, "rev")) == 2
    assert subset(addresses, 0, "rev") == subset(addresses, 99, "rev") == set(addresses)


def test_only_chosen_activators_are_taken():
    found = make.chosen(endpoints("10.0.0.1", "10.0.0.2"), frozenset({"10.0.0.2"}))
    assert [address.ip for each in found for address in each.addresses] == ["10.0.0.2"]


def test_the_order_of_endpoints_does_not_count():
    one = endpoints("10.0.0.1", "10.0.0.2", ports=(("a", 1), ("b", 2)))
    other = endpoints("10.0.0.2", "10.0.0.1", ports=(("b", 2), ("a", 1)))
    assert make.backends(one) == make.backends(other) != make.backends(endpoints("10.0.0.1"))
