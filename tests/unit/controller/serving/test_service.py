"""A Service's children, and what it says about them."""

import pytest

from controller.api.serving import SERVICE_CONDITIONS
from controller.children import begin
from controller.serving.make import from_service
from controller.serving.service import mark_configuration, mark_not_owned, mark_route, status_of
from tests.unit.controller.serving.samples import SERVING, configuration, owned, route, service, status, why

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ROLLOUT = f"{SERVING}/rollout-duration"
ROUTE_OUT_OF_DATE = "The Route is still working to reflect the latest desired specification."


def after(marked):
    one = service()
    conditions = begin(one, SERVICE_CONDITIONS, (), 1)
    result = marked(one, conditions)
    return result, {each.type: (each.status, each.reason, each.message) for each in conditions.result()}


def with_configuration(found, one=None):
    return after(lambda own, conditions: mark_configuration(one or own, found, conditions))


def with_route(found_configuration, found_route):
    return after(lambda _own, conditions: mark_route(found_configuration, found_route, conditions))[1]


@pytest.mark.spec("SC-004", "SC-005", "SC-006")
def test_children_have_the_services_labels_and_annotations():
    annotations = {"a": "b", LAST_APPLIED: "{}", ROLLOUT: "60s", f"{SERVING}/rolloutDuration": "60s"}
    one = service(metadata={"labels": {"l": "m"}, "annotations": annotations})
    made, routed = from_service.configuration(one, None), from_service.route(one, None)
    assert made.metadata.labels == {"l": "m", f"{SERVING}/service": "hello", f"{SERVING}/serviceUID": "uid-of-hello"}
    assert made.metadata.annotations == {"a": "b", f"{SERVING}/routes": "hello"}
    assert routed.metadata.labels == {"l": "m", f"{SERVING}/service": "hello"}
    assert routed.metadata.annotations == {"a": "b", ROLLOUT: "60s", f"{SERVING}/rolloutDuration": "60s"}
    for child in (made, routed):
        (owner,) = child.metadata.owner_references
        assert (owner.uid, owner.controller, owner.block_owner_deletion) == ("uid-of-hello", True, True)


@pytest.mark.spec("SC-019")
def test_what_others_put_on_a_child_goes_but_what_the_server_keeps():
    live = configuration(
        metadata={"labels": {"odd": "x"}, "annotations": {f"{SERVING}/routes": "other", "odd": "x"}, "uid": "u"}
    )
    made = from_service.configuration(service(), live)
    assert "odd" not in made.metadata.labels | made.metadata.annotations
    assert made.metadata.annotations[f"{SERVING}/routes"] == "hello,other"
    assert made.metadata.uid == "u"


@pytest.mark.spec("SC-002")
def test_traffic_without_a_revision_goes_to_the_configuration():
    (target,) = from_service.route(service(), None).spec.traffic
    assert (target.configuration_name, target.latest_revision, target.percent) == ("hello", True, 100)
    (pinned,) = from_service.route(service(traffic=[{"revisionName": "r", "percent": 100}]), None).spec.traffic
    assert (pinned.configuration_name, pinned.revision_name) == ("", "r")


@pytest.mark.spec("SC-011", "SC-012")
def test_a_configuration_that_lags_is_waited_for():
    lagging = configuration(metadata={"generation": 2}, status=status(("Ready", "True"), generation=1))
    message = "The Configuration is still working to reflect the latest desired specification."
    goes_on, found = with_configuration(lagging)
    assert goes_on
    assert found["ConfigurationsReady"] == ("Unknown", "OutOfDate", message)
    assert not with_configuration(lagging, service(template={"name": "hello-a"}))[0]


@pytest.mark.spec("SC-013")
def test_a_revision_that_failed_leaves_the_route_alone():
    failed = configuration(status=status(("Ready", "False", why("RevisionFailed", "no"))))
    ready = route(status=status(("Ready", "True")))

    def marked(own, conditions):
        assert mark_configuration(own, failed, conditions)
        mark_route(failed, ready, conditions)

    found = after(marked)[1]
    assert found["ConfigurationsReady"] == found["Ready"] == ("False", "RevisionFailed", "no")
    assert found["RoutesReady"] == ("True", "", "")


@pytest.mark.spec("SC-024")
def test_a_name_that_is_taken_moves_no_traffic():
    failed = configuration(
        status=status(("Ready", "False", why("RevisionFailed", "no")), latestCreatedRevisionName="hello-old")
    )
    goes_on, found = with_configuration(failed, service(template={"name": "hello-a"}))
    message = 'The revision name "hello-a" is taken by a conflicting Revision, so traffic will not be migrated'
    assert not goes_on
    assert found["RoutesReady"] == ("False", "RevisionNameTaken", message)


@pytest.mark.spec("SC-014")
@pytest.mark.parametrize(("called", "kind"), [("Configuration", "ConfigurationsReady"), ("Route", "RoutesReady")])
def test_a_foreign_child_is_named(called, kind):
    found = after(lambda _own, conditions: mark_not_owned(conditions, kind, called, "hello"))[1]
    message = f'There is an existing {called} "hello" that we do not own.'
    assert found[kind] == found["Ready"] == ("False", "NotOwned", message)


@pytest.mark.spec("SC-026")
def test_a_route_that_lags_is_waited_for():
    lagging = route(metadata={"generation": 2}, status=status(("Ready", "True"), generation=1))
    assert with_route(configuration(), lagging)["RoutesReady"] == ("Unknown", "OutOfDate", ROUTE_OUT_OF_DATE)


LATEST = {"configurationName": "hello", "latestRevision": True, "percent": 100}


@pytest.mark.spec("SC-015", "SC-016")
@pytest.mark.parametrize(
    ("wanted", "there", "migrated"),
    [
        ([LATEST], [{"revisionName": "r2", "percent": 100, "latestRevision": True}], True),
        ([LATEST], [{"revisionName": "r1", "percent": 100, "latestRevision": True}], False),
        ([LATEST], [], False),
        (
            [{"revisionName": "r2", "percent": 50}, {"revisionName": "r2", "percent": 50}],
            [{"revisionName": "r2", "percent": 100}], False,
        ),
        (
            [{"revisionName": "r2", "percent": 100, "tag": "t"}],
            [{"revisionName": "r2", "percent": 100, "tag": "t", "url": "http://t"}], True,
        ),
    ],
    ids=["there", "older", "nothing yet", "merged", "tagged"],
)  # fmt: skip
def test_traffic_has_to_be_where_it_should(wanted, there, migrated):
    found_configuration = configuration(status=status(("Ready", "True"), latestReadyRevisionName="r2"))
    found = with_route(found_configuration, route(*wanted, status=status(("Ready", "True"), traffic=there)))
    message = "Traffic is not yet migrated to the latest revision."
    expected = ("True", "", "") if migrated else ("Unknown", "TrafficNotMigrated", message)
    assert found["RoutesReady"] == expected


@pytest.mark.spec("SC-139", "SC-010")
def test_the_status_is_the_childrens():
    one = service(status={"url": "http://before", "latestReadyRevisionName": "before"})
    made = configuration(status=status(latestReadyRevisionName="r1", latestCreatedRevisionName="r2"))
    said = status(url="http://now", traffic=[{"revisionName": "r1", "percent": 100}], address={"url": "http://in"})
    routed = route(metadata=owned("hello", one), status=said)
    found = status_of(one, made, routed)
    assert (found.latest_ready_revision_name, found.latest_created_revision_name) == ("r1", "r2")
    assert (found.url, found.address, found.traffic) == ("http://now", routed.status.address, routed.status.traffic)
    lagging = status_of(one, None, route(metadata=owned("hello", one, generation=9), status=said))
    assert (lagging.url, lagging.latest_ready_revision_name) == ("http://before", "before")
