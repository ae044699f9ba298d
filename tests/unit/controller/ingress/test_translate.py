"""What an Ingress means to a gateway: hosts, paths, splits, targets, and its hash."""

import msgspec
import pytest

from controller.api.networking import Ingress
from controller.ingress.digest import digest
from controller.ingress.translate import backends_of, hosts_of, owner_of
from dataplane.contract.routes import Path, Split


def ingress(spec, name="blah", namespace="ns", created="2026-01-01T00:00:00Z"):
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": created}
    return msgspec.convert({"metadata": metadata, "spec": spec}, Ingress)


def split(service="blah", percent=None, headers=None, namespace="ns"):
    made = {"serviceNamespace": namespace, "serviceName": service, "servicePort": 80}
    if percent is not None:
        made["percent"] = percent
    return made | ({"appendHeaders": headers} if headers else {})


def to_revision(name):
    return {"Knative-Serving-Revision": name, "Knative-Serving-Namespace": "ns"}


def rule(*paths, hosts=("a.example.com",), visibility="ExternalIP"):
    return {"hosts": list(hosts), "visibility": visibility, "http": {"paths": list(paths)}}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, "a25000a350642c8abef53078b329bd043e18758f6063c1172d53b04e14fcf5c1"),
        ({"Foo": "bar"}, "6b652c7abed871354affd4a9cb699d33816f24541fac942149b91ad872fe63ca"),
    ],
    ids=["plain", "with headers"],
)
def test_the_hash_is_the_one_that_go_computes(headers, expected):
    one = {"serviceNamespace": "", "serviceName": "blah", "servicePort": 0}
    spec = {
        "rules": [
            {
                "hosts": ["example.com"],
                "http": {"paths": [{"splits": [one | ({"appendHeaders": headers} if headers else {})]}]},
            }
        ]
    }
    assert digest(ingress(spec, name="", namespace="")) == expected


def test_a_split_with_both_headers_goes_to_its_revision():
    made = ingress({"rules": [rule({"splits": [split("rev", headers=to_revision("rev"))]})]})
    (host,) = hosts_of(made).values()
    assert host.paths[0].splits == (Split(target="ns/rev", percent=100, set_headers=to_revision("rev")),)
    assert [backend.revision for backend in backends_of(made)] == ["rev"]


def test_a_plain_split_goes_to_the_port_of_its_service():
    made = ingress({"rules": [rule({"splits": [split("svc", 100)]})]})
    assert [backend.target for backend in backends_of(made)] == ["ns/svc:80"]


def test_a_share_of_nothing_gets_no_request():
    made = ingress({"rules": [rule({"splits": [split("a", 100), split("b", 0)]})]})
    (host,) = hosts_of(made).values()
    assert [one.target for one in host.paths[0].splits] == ["ns/a:80"]
    assert [backend.service for backend in backends_of(made)] == ["a"]


def test_longer_prefixes_are_tried_first_and_equal_ones_as_listed():
    paths = [{"path": path, "splits": [split(f"s{i}", 100)]} for i, path in enumerate(["/a", "", "/ab", "/b"])]
    (host,) = hosts_of(ingress({"rules": [rule(*paths)]})).values()
    assert [path.prefix for path in host.paths] == ["/ab", "/a", "/b", "/"]


def test_a_local_rule_is_no_external_host():
    made = hosts_of(
        ingress(
            {
                "rules": [
                    rule({"splits": [split()]}, hosts=["Blah.ns"], visibility="ClusterLocal"),
                    rule({"splits": [split()]}, hosts=["blah.example.com"]),
                ]
            }
        )
    )
    assert {name: [path.local for path in host.paths] for name, host in made.items()} == {
        "blah.ns": [True],
        "blah.example.com": [False],
    }


@pytest.mark.spec("NW-122")
def test_a_host_of_both_kinds_of_rules_keeps_for_each_path_who_may_see_it():
    inside = {"path": "/inside", "splits": [split("in")]}
    outside = {"path": "/outside", "splits": [split("out")]}
    made = hosts_of(ingress({"rules": [rule(inside, visibility="ClusterLocal"), rule(outside)]}))
    (host,) = made.values()
    assert [(path.prefix, path.local) for path in host.paths] == [("/outside", False), ("/inside", True)]


@pytest.mark.spec("NW-109")
def test_a_redirect_is_only_for_external_hosts():
    made = hosts_of(
        ingress(
            {
                "httpOption": "Redirected",
                "rules": [
                    rule({"splits": [split()]}),
                    rule({"splits": [split()]}, hosts=["blah.ns"], visibility="ClusterLocal"),
                ],
            }
        )
    )
    assert made["a.example.com"].paths == (Path(splits=(Split(target="ns/blah:80"),), redirect=True),)
    assert made["blah.ns"].paths == (Path(splits=(Split(target="ns/blah:80"),), local=True),)


def test_the_older_one_owns_a_host():
    first = ingress({}, name="b", created="2026-01-01T00:00:00Z")
    second = ingress({}, name="a", created="2026-01-02T00:00:00Z")
    assert owner_of([second, first]) == "ns/b"
    assert owner_of([]) == ""
