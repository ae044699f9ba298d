"""Who is told when what changes: only those whom it concerns, however many there are."""

import msgspec
import pytest

from controller.api.core import ConfigMap, Endpoints, KubeService
from controller.api.networking import Ingress, ServerlessService
from controller.api.serving import Configuration, Revision, Route
from controller.assembly import Addresses, Controllers, Surroundings
from controller.config.settings import Settings
from controller.ingress.reconcile import GatewayPlace
from controller.kube.cache import Cache
from dataplane.kube.watch import Changed, Deleted, Replaced

MANY = 200
SKS = "networking.internal.knative.dev/serverlessservice"


class NoServer:
    manager = "tests"


class Keys:
    """A queue that only remembers."""

    def __init__(self):
        self.added = []

    def add(self, key):
        self.added.append(key)

    def taken(self):
        found, self.added = sorted(set(self.added)), []
        return found


def thing(kind, name, labels=None, owner="", namespace="ns", **more):
    metadata = {"name": name, "namespace": namespace, "uid": name, "labels": labels or {}}
    if owner:
        metadata["ownerReferences"] = [{"name": owner, "uid": owner, "controller": True}]
    return msgspec.convert({"metadata": metadata, **more}, kind)


async def feed(cache, *events):
    async def said():
        for event in events:
            yield event

    await cache.follow(said())


@pytest.fixture
async def controllers():
    made = Controllers(NoServer(), Surroundings(gateways=GatewayPlace("c", "p", "i")), Settings())
    for one in made.running:
        one.queue = Keys()
    return made


def routes():
    for number in range(MANY):
        target = {"revisionName": f"r{number}"} if number % 2 else {"configurationName": f"c{number}"}
        yield thing(Route, f"route{number}", spec={"traffic": [{**target, "percent": 100}]})


async def test_only_the_routes_that_name_a_revision_are_looked_at(controllers, monkeypatch):
    await feed(controllers.observed.routes, Replaced(list(routes())))
    controllers.routes.queue.taken()
    monkeypatch.setattr(Cache, "__iter__", lambda _self: pytest.fail("all of them are looked at"))
    await feed(controllers.observed.revisions, Changed(thing(Revision, "r7", owner="c7")))
    assert controllers.routes.queue.taken() == [("ns", "route7")]
    assert controllers.configurations.queue.taken() == [("ns", "c7")]
    await feed(controllers.observed.configurations, Changed(thing(Configuration, "c8", owner="s8")))
    assert controllers.routes.queue.taken() == [("ns", "route8")]
    assert controllers.services.queue.taken() == [("ns", "s8")]


async def test_endpoints_concern_the_revision_that_they_are_labelled_with(controllers):
    found = thing(Endpoints, "r1-private", {SKS: "r1"})
    await feed(controllers.observed.endpoints, Changed(found))
    assert controllers.serverless_services.queue.taken() == [("ns", "r1")]
    assert controllers.routes.queue.taken() == []


async def test_other_activators_concern_every_revision_and_a_heartbeat_none(controllers):
    await feed(controllers.observed.serverless_services, Replaced([thing(ServerlessService, f"r{n}") for n in (1, 2)]))
    controllers.serverless_services.queue.taken()
    space, subsets = "knative-serving", [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 8012}]}]
    await feed(
        controllers.observed.endpoints, Changed(thing(Endpoints, "activator-service", namespace=space, subsets=subsets))
    )
    assert controllers.serverless_services.queue.taken() == [("ns", "r1"), ("ns", "r2")]
    same = thing(Endpoints, "activator-service", {"a": "b"}, namespace=space, subsets=subsets)
    await feed(controllers.observed.endpoints, Changed(same))
    assert controllers.serverless_services.queue.taken() == []


async def test_a_placeholder_concerns_its_route(controllers):
    await feed(
        controllers.observed.kube_services, Changed(thing(KubeService, "t-a", {"serving.knative.dev/route": "a"}))
    )
    assert controllers.routes.queue.taken() == [("ns", "a")]


async def test_a_host_that_is_free_again_concerns_who_claims_it(controllers):
    def claims(name, host):
        return thing(Ingress, name, spec={"rules": [{"hosts": [host], "http": {"paths": []}}]})

    await feed(controllers.observed.ingresses, Replaced([claims("a", "x"), claims("b", "X"), claims("c", "y")]))
    controllers.ingresses.queue.taken()
    await feed(controllers.observed.ingresses, Deleted(claims("a", "x")))
    assert controllers.ingresses.queue.taken() == [("ns", "a"), ("ns", "b")]


async def test_a_map_that_goes_leaves_what_counts_without_it(controllers):
    maps = controllers.observed.config_maps
    await feed(maps, Changed(thing(ConfigMap, "config-domain", data={"example.com": ""})))
    assert controllers.settings.domain.best({}) == "example.com"
    await feed(maps, Changed(thing(ConfigMap, "config-domain", data={"example.com": "["})))
    assert controllers.settings.domain.best({}) == "example.com"
    await feed(maps, Deleted(thing(ConfigMap, "config-domain")))
    assert controllers.settings.domain.best({}) == "svc.cluster.local"


async def test_only_what_is_named_runs():
    names = frozenset({"service", "route"})
    made = Controllers(NoServer(), Surroundings(gateways=GatewayPlace("c", "p", "i")), Settings(), names)
    assert [one.name for one in made.running] == ["service", "route"]
    assert not made.is_whole


@pytest.mark.parametrize(("port", "said"), [(None, ""), (0, "autoscaler:8092")], ids=["nobody", "somebody"])
async def test_no_pod_is_told_to_speak_where_nobody_listens(port, said):
    around = Surroundings(gateways=GatewayPlace("c", "p", "i"), addresses=Addresses(announce_port=port))
    made = Controllers(NoServer(), around, Settings())
    data = {"queue-sidecar-image": "q", "queue-sidecar-announce-address": "autoscaler:8092"}
    await feed(
        made.observed.config_maps,
        Replaced([thing(ConfigMap, "config-deployment", namespace="knative-serving", data=data)]),
    )
    assert made.settings.deployment.sidecar_announce_address == said
    assert made.settings.deployment.queue_sidecar_image == "q"
