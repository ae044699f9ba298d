"""Which revisions a Route's targets mean, and why one may mean none."""

import pytest

from controller.serving.traffic import Named, groups, resolve, status_traffic
from tests.unit.controller.serving.samples import SERVING, configuration, revision, route, status, why

READY = status(("Ready", "True"))
FAILED = status(("Ready", "False", why("Bad", "no")))
WAITING = status(("Ready", "Unknown"))


def named(*items):
    found = {(item.kind, item.name): item for item in items}
    return Named(
        configuration=lambda name: found.get(("Configuration", name)),
        revision=lambda name: found.get(("Revision", name)),
    )


def config(state, latest=""):
    return configuration(status={**state, "latestReadyRevisionName": latest})


def outcome(one, *items):
    targets, trouble = resolve(one, named(*items))
    if trouble is not None:
        return trouble.is_final, trouble.reason, trouble.message
    return [(target.tag, target.revision.name, target.percent, target.is_latest) for target in targets]


LATEST = {"configurationName": "hello", "latestRevision": True, "percent": 100}
BY_NAME = {"revisionName": "r", "percent": 100}
OWN = {"serving.knative.dev/service": "hello"}


@pytest.mark.spec("SC-111")
def test_a_configuration_means_its_latest_ready_revision():
    two = revision("r2", status=READY)
    assert outcome(route(LATEST), config(WAITING, "r2"), revision("r1", status=READY), two) == [("", "r2", 100, True)]


@pytest.mark.spec("SC-112", "SC-113", "SC-114")
@pytest.mark.parametrize(
    ("target", "items", "final", "reason", "message"),
    [
        (BY_NAME, (), True, "RevisionMissing", 'Revision "r" referenced in traffic not found.'),
        (LATEST, (), True, "ConfigurationMissing", 'Configuration "hello" referenced in traffic not found.'),
        (
            LATEST, (config(WAITING),), False, "RevisionMissing",
            'Configuration "hello" is waiting for a Revision to become ready.',
        ),
        (
            LATEST, (config(FAILED),), True, "RevisionMissing",
            'Configuration "hello" does not have any ready Revision.',
        ),
        (
            BY_NAME, (config(READY, "r"), revision("r", status=WAITING)), False, "RevisionMissing",
            'Revision "r" is not yet ready.',
        ),
        (
            BY_NAME, (config(READY, "r"), revision("r", status=FAILED)), True, "RevisionMissing",
            'Revision "r" failed to become ready.',
        ),
        (
            BY_NAME, (config(READY, "r"), revision("r", status=status(("Ready", "True"), generation=0))), False,
            "RevisionMissing", 'Revision "r" is not yet ready.',
        ),
        (
            BY_NAME, (revision("r", status=READY),), True, "ConfigurationMissing",
            'Configuration "hello" referenced in traffic not found.',
        ),
    ],
    ids=[
        "no revision", "no configuration", "none ready yet", "none ready ever", "not ready", "failed", "stale",
        "no configuration of a revision",
    ],
)  # fmt: skip
def test_why_a_target_cannot_be_served(target, items, final, reason, message):
    assert outcome(route(target), *items) == (final, reason, message)


@pytest.mark.spec("SC-115")
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({f"{SERVING}/service": "other"}, 'Revision "r" belongs to Service "other", not Service "hello".'),
        ({f"{SERVING}/service": ""}, 'Revision "r" does not belong to Service "hello".'),
    ],
)
def test_a_services_route_leads_to_its_own_revisions_only(labels, message):
    foreign = revision("r", status=READY, metadata={"labels": labels})
    one = route(BY_NAME, metadata={"labels": OWN})
    assert outcome(one, config(READY), foreign) == (True, "RevisionNotOwned", message)
    assert outcome(route(BY_NAME), config(READY), foreign) == [("", "r", 100, False)]


def test_what_will_not_get_better_is_said_first():
    one = route(LATEST | {"percent": 50}, BY_NAME | {"percent": 50})
    assert outcome(one, config(WAITING)) == (True, "RevisionMissing", 'Revision "r" referenced in traffic not found.')


@pytest.mark.spec("SC-140")
def test_equal_targets_are_one():
    items = (config(READY), revision("r", status=READY))
    one = route({"revisionName": "r", "percent": 30}, {"revisionName": "r", "percent": 70})
    assert outcome(one, *items) == [("", "r", 100, False)]
    tagged = route({"revisionName": "r", "percent": 30, "tag": "t"}, {"revisionName": "r", "percent": 70})
    assert outcome(tagged, *items) == [("t", "r", 30, False), ("", "r", 70, False)]


@pytest.mark.spec("SC-109", "SC-110")
def test_the_default_has_all_shares_and_a_tag_its_own():
    items = (config(READY), revision("r", status=READY), revision("s", status=READY), revision("z", status=READY))
    one = route(
        {"revisionName": "r", "percent": 50},
        {"revisionName": "s", "percent": 50, "tag": "t"},
        {"revisionName": "z", "percent": 0, "tag": "zero"},
    )
    targets, _ = resolve(one, named(*items))
    found = {tag: [(each.name, percent) for each, percent in shares] for tag, shares in groups(targets).items()}
    assert found == {"": [("r", 50), ("s", 50)], "t": [("s", 100)], "zero": [("z", 100)]}


@pytest.mark.spec("SC-108")
def test_the_status_names_revisions_and_the_addresses_of_tags():
    items = (config(READY, "r"), revision("r", status=READY))
    targets, _ = resolve(route(LATEST, {"revisionName": "r", "percent": 0, "tag": "t"}), named(*items))
    latest, tagged = status_traffic(targets, lambda tag: f"http://{tag}-hello")
    assert (latest.revision_name, latest.percent, latest.latest_revision, latest.url) == ("r", 100, True, "")
    assert (tagged.tag, tagged.percent, tagged.latest_revision, tagged.url) == ("t", 0, False, "http://t-hello")
