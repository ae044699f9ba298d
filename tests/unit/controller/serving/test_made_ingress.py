"""What a Route tells the gateways, and the Services that make its names resolve."""

import json

import msgspec
import pytest

from controller.api.networking import LoadBalancerIngress, LoadBalancerStatus
from controller.serving.make.hosts import names_of
from controller.serving.make.ingress import ProtocolError, ingress
from controller.serving.make.placeholder import endpoints, placeholder
from controller.serving.route import balancer_of
from tests.unit.controller.serving.samples import revision, route, settings

PORT = {"name": "http2", "port": 80, "targetPort": 80, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"}
INSIDE = ["hello.ns", "hello.ns.svc", "hello.ns.svc.cluster.local"]


def names(one, *tags, given=None):
    given = given or settings(domain={"example.com": ""})
    return {tag: names_of(one, tag, given, "cluster.local", False) for tag in ("", *tags)}


def made(groups=None, one=None, given=None):
    one, given = one or route(), given or settings(domain={"example.com": ""})
    groups = groups or {"": ((revision(), 100),)}
    found = ingress(one, groups, names(one, *[tag for tag in groups if tag], given=given), given)
    return json.loads(msgspec.json.encode(found))


def split(name, percent, port=80):
    headers = {"Knative-Serving-Revision": name, "Knative-Serving-Namespace": "ns"}
    return {
        "serviceNamespace": "ns", "serviceName": name, "servicePort": port, "percent": percent,
        "appendHeaders": headers,
    }  # fmt: skip


@pytest.mark.spec("SC-127")
def test_a_rule_inside_and_a_rule_outside():
    http = {"paths": [{"splits": [split("hello-00001", 100)]}]}
    assert made()["spec"] == {
        "rules": [
            {"hosts": INSIDE, "visibility": "ClusterLocal", "http": http},
            {"hosts": ["hello.ns.example.com"], "visibility": "ExternalIP", "http": http},
        ],
        "httpOption": "Enabled",
    }  # fmt: skip


@pytest.mark.spec("SC-110")
def test_two_revisions_are_two_splits():
    found = made({"": ((revision("a"), 50), (revision("b"), 50))})
    assert found["spec"]["rules"][0]["http"]["paths"][0]["splits"] == [split("a", 50), split("b", 50)]


@pytest.mark.spec("SC-128")
def test_h2c_has_a_port_of_its_own():
    one = revision(containers=[{"image": "a", "ports": [{"name": "h2c", "containerPort": 80}]}])
    found = made({"": ((one, 100),)})
    assert found["spec"]["rules"][0]["http"]["paths"][0]["splits"] == [split("hello-00001", 100, 81)]


@pytest.mark.spec("SC-109", "SC-108")
def test_a_tag_has_rules_of_its_own_after_the_default():
    found = made({"": ((revision("a"), 100),), "t": ((revision("b"), 100),)})
    hosts = [rule["hosts"][0] for rule in found["spec"]["rules"]]
    assert hosts == ["hello.ns", "hello.ns.example.com", "t-hello.ns", "t-hello.ns.example.com"]
    assert found["spec"]["rules"][3]["http"]["paths"][0]["splits"] == [split("b", 100)]
    annotation = found["metadata"]["annotations"]["networking.internal.knative.dev/tag-to-host"]
    assert json.loads(annotation) == {"t": ["t-hello.ns.example.com"]}


@pytest.mark.spec("SC-120")
def test_a_local_route_has_no_rule_outside():
    one = route(metadata={"labels": {"networking.knative.dev/visibility": "cluster-local"}})
    assert [rule["visibility"] for rule in made(one=one)["spec"]["rules"]] == ["ClusterLocal"]


def test_labels_say_whose_it_is_and_annotations_come_from_the_route():
    mine = {"a": "b", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    found = made(one=route(metadata={"labels": {"l": "m"}, "annotations": mine}))["metadata"]
    assert found["labels"] == {
        "l": "m", "serving.knative.dev/route": "hello", "serving.knative.dev/routeNamespace": "ns",
    }  # fmt: skip
    assert found["annotations"] == {
        "a": "b", "networking.knative.dev/ingress.class": "istio.ingress.networking.knative.dev",
    }  # fmt: skip
    assert [owner["uid"] for owner in found["ownerReferences"]] == ["uid-of-hello"]


@pytest.mark.parametrize("key", ["ingress.class", "ingress-class"])
def test_the_class_is_the_routes_before_the_settings(key):
    given = settings(network={"ingress-class": "ours"}, domain={"example.com": ""})
    one = route(metadata={"annotations": {f"networking.knative.dev/{key}": "theirs"}})
    assert made(given=given)["metadata"]["annotations"] == {"networking.knative.dev/ingress.class": "ours"}
    assert made(one=one, given=given)["metadata"]["annotations"] == {"networking.knative.dev/ingress.class": "theirs"}


@pytest.mark.spec("SC-142")
@pytest.mark.parametrize("key", ["httpOption", "http-protocol"])
@pytest.mark.parametrize(("said", "option"), [("redirected", "Redirected"), ("Enabled", "Enabled")])
def test_plain_http_may_be_redirected(key, said, option):
    one = route(metadata={"annotations": {f"networking.knative.dev/{key}": said}})
    assert made(one=one)["spec"]["httpOption"] == option


@pytest.mark.spec("SC-142")
def test_a_protocol_that_nobody_knows_is_an_error():
    one = route(metadata={"annotations": {"networking.knative.dev/http-protocol": "x"}})
    with pytest.raises(ProtocolError, match="incorrect http-protocol annotation: x"):
        made(one=one)
    given = settings(network={"http-protocol": "redirected"}, domain={"example.com": ""})
    assert made(given=given)["spec"]["httpOption"] == "Redirected"


@pytest.mark.spec("SC-119")
@pytest.mark.parametrize(
    ("balancer", "spec"),
    [
        (None, {"type": "ExternalName", "externalName": "hello.ns.example.com", "sessionAffinity": "None"}),
        ({"ip": "10.0.0.1"}, {"clusterIP": "None"}),
        (
            {"domain_internal": "gw.svc", "domain": "gw"},
            {"type": "ExternalName", "externalName": "gw.svc", "sessionAffinity": "None"},
        ),
        ({"domain": "gw"}, {"type": "ExternalName", "externalName": "gw", "sessionAffinity": "None"}),
    ],
    ids=["none yet", "address", "name inside", "name outside"],
)
def test_a_placeholder_leads_to_the_load_balancer(balancer, spec):
    one = route()
    found = placeholder(one, names(one)[""], LoadBalancerIngress(**balancer) if balancer else None)
    assert found["spec"] == {**spec, "ports": [PORT]}
    assert found["metadata"]["name"] == "hello"


def test_in_a_mesh_a_placeholder_is_a_plain_service():
    one = route()
    found = placeholder(one, names(one)[""], LoadBalancerIngress(mesh_only=True))
    assert found["spec"] == {"ports": [{"name": "http", "port": 80, "targetPort": 80, "protocol": "TCP"}]}


@pytest.mark.spec("SC-119")
def test_an_address_stands_in_the_placeholders_endpoints():
    one = route()
    found = endpoints(one, names(one)[""], LoadBalancerIngress(ip="10.0.0.1"))
    assert [(each["addresses"], each["ports"][0]["port"]) for each in found["subsets"]] == [([{"ip": "10.0.0.1"}], 80)]


def test_a_placeholders_labels_are_the_routes_without_visibility():
    one = route(metadata={"labels": {"a": "b", "networking.knative.dev/visibility": "cluster-local"}})
    found = placeholder(one, names(one)[""], None)
    assert found["metadata"]["labels"] == {"a": "b", "serving.knative.dev/route": "hello"}


def test_the_private_load_balancer_goes_first_and_two_are_none():
    def of(private, public):
        found = ingress(route(), {"": ((revision(), 100),)}, names(route()), settings())
        status = msgspec.structs.replace(
            found.status, private_load_balancer=private, public_load_balancer=public
        )  # fmt: skip
        return balancer_of(msgspec.structs.replace(found, status=status))

    a, b = LoadBalancerIngress(domain="a"), LoadBalancerIngress(domain="b")
    one, other, both = (LoadBalancerStatus(ingress=found) for found in ((a,), (b,), (a, b)))
    assert (of(one, other), of(None, other), of(both, None), balancer_of(None)) == (a, b, None, None)
