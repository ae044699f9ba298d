"""Endpoints: who stands behind a Service, and on which ports."""

from controller.api.core import KubeService, KubeServiceSpec, ServicePort
from controller.api.meta import ObjectMeta, OwnerReference
from controller.local.endpoints import Backend, endpoints

OWNER = OwnerReference(api_version="a/v1", kind="ServerlessService", name="hello-00001", uid="u", controller=True)


def service(*ports, selector=None):
    return KubeService(
        metadata=ObjectMeta(
            name="hello-private", namespace="default", labels={"kind": "Private"}, owner_references=(OWNER,)
        ),
        spec=KubeServiceSpec(selector={"app": "hello"} if selector is None else selector, ports=ports),
    )


HTTP = ServicePort(name="http", port=80, target_port=8012)


def backend(address, *, ready=True, labels=None, namespace="default", ports=None):
    return Backend(
        namespace=namespace, name=f"p-{address}", uid="1", node="penstock", address=address, is_ready=ready,
        labels=labels or {"app": "hello", "more": "x"}, port_names=ports or {},
    )  # fmt: skip


def test_ready_and_other_addresses_stand_apart_with_the_names_of_the_service():
    made = endpoints(service(HTTP), [backend("127.64.0.2"), backend("127.64.0.1"), backend("127.64.0.3", ready=False)])
    (subset,) = made["subsets"]
    assert [each["ip"] for each in subset["addresses"]] == ["127.64.0.1", "127.64.0.2"]
    assert [each["ip"] for each in subset["notReadyAddresses"]] == ["127.64.0.3"]
    assert subset["ports"] == [{"name": "http", "port": 8012, "protocol": "TCP"}]
    assert subset["addresses"][0]["targetRef"] == {
        "kind": "Pod", "namespace": "default", "name": "p-127.64.0.1", "uid": "1",
    }  # fmt: skip


def test_labels_and_owners_are_those_of_the_service():
    metadata = endpoints(service(HTTP), [])["metadata"]
    assert metadata["labels"] == {"kind": "Private"}
    assert metadata["ownerReferences"][0]["name"] == "hello-00001"


def test_pods_of_others_are_not_among_them():
    strangers = [backend("127.64.0.1", namespace="other"), backend("127.64.0.2", labels={"app": "bye"})]
    assert endpoints(service(HTTP), strangers)["subsets"] == []
    assert endpoints(service(HTTP, selector={}), [backend("127.64.0.1")])["subsets"] == []


def test_ports_are_found_by_name_number_or_as_they_are():
    ports = (
        ServicePort(name="a", port=80, target_port="queue-port"),
        ServicePort(name="b", port=81),
        ServicePort(name="c", port=82, target_port="nobody"),
        ServicePort(name="d", port=83, target_port=84, app_protocol="kubernetes.io/h2c"),
    )
    (subset,) = endpoints(service(*ports), [backend("127.64.0.1", ports={"queue-port": 8013})])["subsets"]
    assert [(each["name"], each["port"], each.get("appProtocol")) for each in subset["ports"]] == [
        ("a", 8013, None), ("b", 81, None), ("d", 84, "kubernetes.io/h2c"),
    ]  # fmt: skip


def test_pods_with_other_ports_make_a_subset_of_their_own():
    ports = (ServicePort(name="a", port=80, target_port="queue-port"),)
    pods = [backend("127.64.0.1", ports={"queue-port": 1}), backend("127.64.0.2", ports={"queue-port": 2})]
    assert len(endpoints(service(*ports), pods)["subsets"]) == 2
