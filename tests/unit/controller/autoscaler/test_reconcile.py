"""The reconciler of PodAutoscalers: real caches, a client that records what it is asked to write."""

import time

import msgspec
import pytest

from controller.api.autoscaling import ACTIVE, SCALE_TARGET_INITIALIZED, PodAutoscaler, PodAutoscalerStatus
from controller.api.conditions import Condition
from controller.api.core import KubeDeployment, KubeDeploymentSpec
from controller.api.meta import ObjectMeta, owner_reference, timestamp
from controller.api.networking import ServerlessService, ServerlessServiceSpec, ServerlessServiceStatus
from controller.autoscaler.deciders import Deciders
from controller.autoscaler.reconcile import PodAutoscalerReconciler
from controller.autoscaler.scrapes import Scrapes
from controller.config.settings import Settings
from controller.observe import Observed
from dataplane.contract.stat import Stat
from dataplane.kube.errors import KubeError
from dataplane.kube.watch import Replaced
from tests.unit.controller.autoscaler.parts import NAME, Clock, autoscaler, pods

BEFORE = timestamp(time.time() - 3600)
KEY = ("ns", "rev")
HAS_SERVICES = ServerlessServiceStatus(service_name="rev", private_service_name="rev-private")


class Recorder:
    """Takes every write; answers with the object as it is written."""

    def __init__(self):
        self.scaled, self.services, self.statuses, self.metrics = [], [], [], []

    async def apply(self, resource, namespace, name, content, kind, *, subresource=""):
        made = msgspec.convert(content, kind)
        if resource.plural == "metrics":
            self.metrics.append(made)
        elif subresource == "status":
            self.statuses.append(made.status)
        else:
            made = msgspec.structs.replace(made, status=HAS_SERVICES)
            self.services.append(made)
        return made

    async def patch(self, resource, namespace, name, body, kind, *, media_type, subresource):
        assert (resource.plural, name, subresource) == ("deployments", "rev-deployment", "scale")
        self.scaled.append(body[0]["value"])


class Path:
    """Whether activators are in the path, as the test says."""

    def __init__(self):
        self.wanted, self.confirmed, self.acknowledged = {}, False, False

    def wants(self, revision, address):
        self.wanted[revision] = address

    def is_confirmed(self, revision):
        return self.confirmed

    def is_acknowledged(self, revision):
        return self.acknowledged


class World:
    """One revision and all that belongs to it."""

    def __init__(self, annotations=None, active=None, initialized=True, replicas=1, ready=1, mode="Proxy", **more):
        conditions = [Condition(type=SCALE_TARGET_INITIALIZED, status="True" if initialized else "Unknown")]
        if active:
            conditions.append(Condition(type=ACTIVE, status=active, last_transition_time=BEFORE))
        self.item = msgspec.structs.replace(
            autoscaler(annotations, creation_timestamp=timestamp(time.time()), **more),
            status=PodAutoscalerStatus(conditions=tuple(conditions), observed_generation=1),
        )
        self.service = ServerlessService(
            metadata=ObjectMeta(
                name="rev", namespace="ns", uid="uid-sks", owner_references=(owner_reference(self.item),)
            ),
            spec=ServerlessServiceSpec(mode=mode),
            status=ServerlessServiceStatus(service_name="rev", private_service_name="rev-private"),
        )
        self.deployment = KubeDeployment(
            metadata=ObjectMeta(name="rev-deployment", namespace="ns", uid="uid-d"),
            spec=KubeDeploymentSpec(replicas=replicas),
        )
        self.client, self.path, self.clock = Recorder(), Path(), Clock()
        self.observed = Observed(self.client, "knative-serving")
        self.deciders = Deciders(lambda _name: None, lambda: True, self.clock)
        self.pods = pods(ready)
        self.scrapes = Scrapes(self.deciders.stat, lambda _name: None, lambda _name: self.pods, lambda: True)
        self.reconcile = PodAutoscalerReconciler(
            self.client, self.observed, Settings, self.deciders, self.path, self.scrapes
        )

    async def run(self):
        for cache, items in (
            (self.observed.pod_autoscalers, [self.item] if self.item else []),
            (self.observed.serverless_services, [self.service] if self.service else []),
            (self.observed.deployments, [self.deployment]),
            (self.observed.pods, self.pods),
        ):
            await cache.follow(said(Replaced(items)))
        return await self.reconcile(KEY)

    async def decided(self, concurrency, seconds=70):
        """After a first look, a load for so long."""
        await self.run()
        for _ in range(seconds):
            self.clock.pass_(1)
            self.deciders.stat(NAME, Stat(average_concurrent_requests=float(concurrency)))
            self.deciders.look()
        self.client.scaled.clear()
        self.client.services.clear()

    @property
    def active(self):
        return next(one for one in self.client.statuses[-1].conditions if one.type == ACTIVE)


async def said(event):
    yield event


@pytest.mark.spec("SC-204")
async def test_before_anything_is_known_a_starting_revision_is_left_alone():
    world = World(initialized=False, ready=0)
    again_s = await world.run()
    assert world.client.scaled == []
    assert 600 < again_s <= 630
    assert world.active.reason == "Queued"
    assert world.client.services[-1].spec.mode == "Proxy"
    assert world.client.statuses[-1].desired_scale is None or world.client.statuses[-1].desired_scale == -1


async def test_the_decision_becomes_replicas():
    world = World(active="True")
    await world.decided(350)
    await world.run()
    assert world.client.scaled == [5]
    assert world.client.statuses[-1].desired_scale == 5
    assert world.client.statuses[-1].actual_scale == 1


@pytest.mark.spec("SC-187", "SC-188")
@pytest.mark.parametrize(("said", "load", "expected"), [({"min-scale": "2"}, 0, 2), ({"max-scale": "3"}, 900, 3)])
async def test_the_least_and_the_most(said, load, expected):
    world = World(said, active="True")
    await world.decided(load)
    await world.run()
    assert world.client.scaled == [expected]


@pytest.mark.spec("SC-189")
async def test_the_initial_scale_is_kept_until_it_was_reached():
    world = World({"initial-scale": "3"}, initialized=False, ready=1)
    await world.decided(1)
    await world.run()
    assert world.client.scaled == [3]
    assert world.active.status == "Unknown"


@pytest.mark.spec("SC-200", "SC-201", "SC-202")
@pytest.mark.parametrize(
    ("burst", "ready", "mode"),
    [("-1", 9, "Proxy"), ("0", 1, "Serve"), ("211", 1, "Proxy"), ("211", 3, "Serve"), ("211", 2, "Proxy")],
)
async def test_who_is_in_the_path_follows_the_wished_burst(burst, ready, mode):
    world = World({"target-burst-capacity": burst, "min-scale": "1"}, active="True", ready=ready)
    await world.decided(0.001, 5)
    await world.run()
    assert (world.client.services or [world.service])[-1].spec.mode == mode


@pytest.mark.spec("SC-192", "SC-221")
async def test_on_the_way_to_zero_the_activator_comes_first():
    world = World(active="True")
    await world.decided(0)
    await world.run()
    assert world.client.scaled == []
    assert world.active.reason == "NoTraffic"
    assert world.path.wanted == {NAME: "rev.ns.svc.cluster.local:80"}


@pytest.mark.spec("SC-192", "SC-221")
@pytest.mark.parametrize(
    ("confirmed", "acknowledged", "scaled"), [(False, False, []), (True, False, []), (True, True, [0])]
)
async def test_an_inactive_revision_waits_for_the_path_and_for_grace_but_not_for_a_word(
    confirmed, acknowledged, scaled
):
    world = World(active="False")
    conditions = (
        *world.item.status.conditions[:1],
        Condition(type=ACTIVE, status="False", last_transition_time=timestamp(time.time())),
    )
    status = msgspec.structs.replace(world.item.status, conditions=conditions)
    world.item = msgspec.structs.replace(world.item, status=status)
    await world.decided(0)
    world.path.confirmed, world.path.acknowledged = confirmed, acknowledged
    again_s = await world.run()
    assert world.client.scaled == scaled
    assert (again_s is None) == acknowledged


async def test_a_revision_that_is_down_waits_for_nothing():
    world = World(active="False", replicas=0, ready=0)
    await world.decided(0)
    assert await world.run() is None
    assert world.path.wanted == {NAME: None}
    assert world.client.scaled == []


@pytest.mark.spec("SC-206")
async def test_a_revision_that_nobody_can_reach_goes_below_its_least():
    world = World({"min-scale": "5"}, active="False", reachability="Unreachable", replicas=5, ready=5)
    await world.decided(0)
    world.path.confirmed = True
    await world.run()
    assert world.client.scaled == [0]


@pytest.mark.spec("SC-208")
async def test_a_revision_that_never_starts_is_given_up_and_says_so():
    world = World({"serving.knative.dev/progress-deadline": "20s"}, initialized=False, ready=0)
    created = msgspec.structs.replace(world.item.metadata, creation_timestamp=timestamp(time.time() - 51))
    world.item = msgspec.structs.replace(world.item, metadata=created)
    await world.run()
    assert world.client.scaled == [0]
    assert world.active.reason == "TimedOut"


async def test_a_service_of_somebody_else_is_not_touched():
    world = World(active="True")
    theirs = msgspec.structs.replace(world.service.metadata, owner_references=())
    world.service = msgspec.structs.replace(world.service, metadata=theirs)
    await world.run()
    assert world.client.services == []
    ready = next(one for one in world.client.statuses[-1].conditions if one.type == "SKSReady")
    assert (ready.status, ready.reason) == ("False", "NotOwned")


@pytest.mark.parametrize("why", ["gone", "other class"])
async def test_what_is_not_ours_is_forgotten(why):
    world = World(active="True")
    await world.run()
    assert world.deciders.find(NAME)
    world.item = None if why == "gone" else autoscaler({"class": "hpa.autoscaling.knative.dev"})
    assert await world.run() is None
    assert world.deciders.find(NAME) is None


async def test_nothing_is_written_twice():
    world = World(active="True")
    await world.decided(100)
    await world.run()
    statuses = len(world.client.statuses)
    world.item = msgspec.structs.replace(world.item, status=world.client.statuses[-1])
    assert isinstance(world.item, PodAutoscaler)
    world.service = world.client.services[-1]
    world.deployment = msgspec.structs.replace(
        world.deployment, spec=KubeDeploymentSpec(replicas=world.client.scaled[-1])
    )
    world.client.scaled.clear()
    world.client.services.clear()
    await world.run()
    assert (world.client.scaled, world.client.services, len(world.client.statuses)) == ([], [], statuses)


@pytest.mark.spec("SC-200", "SC-210")
@pytest.mark.parametrize(
    ("burst", "outcome", "target", "status", "reason"),
    [
        ("-1", None, "", "True", ""),
        ("211", ("", ""), "rev-private", "True", ""),
        ("211", ("NoEndpoints", "no pod is ready"), "rev-private", "Unknown", "NoEndpoints"),
        ("211", ("CollectionFailed", "Failed"), "rev-private", "False", "CollectionFailed"),
        ("211", ("DidNotReceiveStat", "nothing yet"), "rev-private", "False", "DidNotReceiveStat"),
    ],
)
async def test_the_metric_says_what_is_collected_and_how_that_goes(monkeypatch, burst, outcome, target, status, reason):
    world = World({"target-burst-capacity": burst}, active="True")
    monkeypatch.setattr(world.scrapes, "outcome", lambda _name: outcome)
    await world.run()
    wanted, written = world.client.metrics
    assert (wanted.spec.scrape_target, wanted.spec.stable_window) == (target, 60_000_000_000)
    assert [(one.type, one.status, one.reason) for one in written.status.conditions] == [("Ready", status, reason)]


def wishing(world, wishes):
    """Its node is told of wishes."""
    world.reconcile = PodAutoscalerReconciler(
        world.client, world.observed, Settings, world.deciders, world.path, None, lambda *wish: wishes.append(wish)
    )


async def test_whoever_makes_pods_hears_of_a_wish_before_the_api_server():
    wishes, world = [], World(active="True", replicas=0, ready=0)
    wishing(world, wishes)
    await world.decided(0)
    world.clock.pass_(1)
    world.deciders.stat(NAME, Stat(average_concurrent_requests=1.0))
    world.clock.pass_(0.004)
    world.client.statuses.clear()
    again_s = await world.run()
    assert [(key, pods) for key, pods, _ in wishes] == [(("ns", "rev-deployment"), 1)]
    assert wishes[0][2] == pytest.approx(0.004, rel=0.01)
    # What there is to say to others comes a little later.
    assert (world.client.scaled, world.client.statuses) == ([], [])
    assert 0 < again_s < 1
    world.clock.pass_(again_s)
    await world.run()
    assert (world.client.scaled, world.client.statuses) == ([1], [])


async def test_a_wish_that_the_api_server_refuses_is_taken_back():
    wishes, world = [], World(active="True", ready=1)
    wishing(world, wishes)
    await world.decided(350)

    async def refuse(*_said, **_how):
        raise KubeError(403, "Forbidden", "no")

    wishes.clear()
    world.client.patch = refuse
    with pytest.raises(KubeError):
        await world.run()
    assert [pods for _, pods, _ in wishes] == [5, 1]
