"""Under which names a Route and its tags are reached."""

import pytest

from controller.serving.make.hosts import HostError, names_of
from controller.serving.route import Place, url_of
from tests.unit.controller.serving.samples import route, settings

LOCAL = "networking.knative.dev/visibility"
INSIDE = ("hello.ns", "hello.ns.svc", "hello.ns.svc.cluster.local")


def names(one=None, tag="", is_local=False, **maps):
    maps.setdefault("domain", {"example.com": ""})
    return names_of(one or route(), tag, settings(**maps), "cluster.local", is_local)


@pytest.mark.spec("SC-003")
def test_a_route_has_one_name_outside_and_three_inside():
    found = names()
    assert (found.external, found.local, found.local_host) == ("hello.ns.example.com", INSIDE, INSIDE[2])
    assert found.primary == found.external


@pytest.mark.spec("SC-108", "SC-124")
def test_a_tag_has_a_name_of_its_own():
    assert names(tag="t").external == "t-hello.ns.example.com"
    assert names(tag="t").label == "t-hello"
    assert names(tag="t", network={"tag-template": "{{.Name}}-{{.Tag}}"}).external == "hello-t.ns.example.com"


@pytest.mark.spec("SC-120", "SC-121")
@pytest.mark.parametrize(
    "found",
    [
        names(route(metadata={"labels": {LOCAL: "cluster-local"}})),
        names(is_local=True),
        names(domain={"svc.cluster.local": ""}),
        names(domain={}),
    ],
    ids=["label of the route", "label of the placeholder", "domain", "no domain"],
)
def test_a_local_route_has_no_name_outside(found):
    assert (found.external, found.local, found.primary) == ("", INSIDE, INSIDE[2])


@pytest.mark.spec("SC-122")
def test_the_domain_with_most_labels_wins():
    domains = {
        "example.com": "",
        "a.com": "selector: {app: a}",
        "b.com": "selector: {app: a, tier: b}",
        "aa.com": "selector: {tier: b}",
    }
    assert names(route(metadata={"labels": {"app": "a"}}), domain=domains).external == "hello.ns.a.com"
    assert names(route(metadata={"labels": {"app": "a", "tier": "b"}}), domain=domains).external == "hello.ns.b.com"
    assert names(route(metadata={"labels": {"app": "z"}}), domain=domains).external == "hello.ns.example.com"


@pytest.mark.spec("SC-123")
def test_the_template_makes_the_name():
    assert names(network={"domain-template": "{{.Name}}.apps.{{.Domain}}"}).external == "hello.apps.example.com"


@pytest.mark.spec("SC-125")
def test_a_name_that_is_no_host_is_refused():
    one = route(metadata={"annotations": {"sub": "not a host"}})
    with pytest.raises(HostError, match="domain name error: invalid domain name"):
        names(one, network={"domain-template": '{{index .Annotations "sub"}}.{{.Domain}}'})


@pytest.mark.spec("SC-003", "SC-126")
def test_a_url_has_the_scheme_and_on_one_machine_the_port():
    plain, secure = settings(), settings(network={"default-external-scheme": "https"})
    assert url_of(names(), plain, Place()) == "http://hello.ns.example.com"
    assert url_of(names(), secure, Place()) == "https://hello.ns.example.com"
    assert url_of(names(), plain, Place(public_port=8080)) == "http://hello.ns.example.com:8080"
    assert url_of(names(is_local=True), secure, Place(public_port=8080)) == "http://hello.ns.svc.cluster.local"
