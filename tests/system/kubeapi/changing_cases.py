"""changing_cases: the three patches, status and scale."""

from __future__ import annotations

from tests.system.kubeapi.cases import CMS, DEPLOYMENTS, SERVICES, case
from tests.system.kubeapi.client import JSON_PATCH, STRATEGIC, Case
from tests.system.kubeapi.samples import WIDGETS, config_map, container, deployment, service, widget

# Patches.


@case
def merge_patch_takes_away_with_null(api: Case) -> None:
    api.create(CMS, config_map("a", {"a": "1", "b": "2"}), quiet=True)
    api.patch(CMS, "a", {"data": {"a": None, "c": "3"}})
    api.patch(CMS, "a", {"metadata": {"labels": {"x": "y"}}})
    api.patch(CMS, "a", {"metadata": {"labels": None}})


@case
def merge_patch_of_an_old_version_conflicts(api: Case) -> None:
    api.create(CMS, config_map("a"), quiet=True)
    api.patch(CMS, "a", {"metadata": {"resourceVersion": "1"}, "data": {"b": "2"}})


@case
def json_patch_does_its_steps(api: Case) -> None:
    api.create(CMS, config_map("a", {"a": "1", "x/y": "2"}), quiet=True)
    steps = [
        {"op": "test", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/a", "value": "9"},
        {"op": "add", "path": "/data/b", "value": "n"}, {"op": "remove", "path": "/data/x~1y"},
        {"op": "copy", "from": "/data/b", "path": "/data/c"}, {"op": "move", "from": "/data/b", "path": "/data/d"},
    ]  # fmt: skip
    api.patch(CMS, "a", steps, JSON_PATCH)


@case
def json_patch_that_cannot_be_done(api: Case) -> None:
    api.create(CMS, config_map("a"), quiet=True)
    for steps in (
        [{"op": "test", "path": "/data/a", "value": "no"}], [{"op": "remove", "path": "/data/none"}],
        [{"op": "move", "from": "/data/none", "path": "/data/b"}],
    ):  # fmt: skip
        found = api.patch(CMS, "a", steps, JSON_PATCH, quiet=True)
        api.note(found.status, found.body["reason"])
    api.note(api.patch(CMS, "a", {"no": "list"}, JSON_PATCH, quiet=True).status)


@case
def patch_that_breaks_a_rule(api: Case) -> None:
    api.create(DEPLOYMENTS, deployment("web"), quiet=True)
    api.patch(DEPLOYMENTS, "web", {"spec": {"replicas": -1}})
    api.patch(DEPLOYMENTS, "web", {"metadata": {"name": "other"}})


@case
def patch_with_an_unknown_field(api: Case) -> None:
    api.create(CMS, config_map("a"), quiet=True)
    found = api.patch(CMS, "a", {"strange": 1}, fieldValidation="Strict", quiet=True)
    api.note(found.status, found.body["reason"], found.body["message"].rpartition(": strict")[2])
    api.note(api.patch(CMS, "a", {"strange": 1}, quiet=True).warnings)


@case
def strategic_patch_finds_containers_by_name(api: Case) -> None:
    api.create(DEPLOYMENTS, deployment("web", container("a"), container("b")), quiet=True)
    env = [{"name": "X", "value": "1"}]
    spec = {"containers": [{"name": "b", "image": "dev.local/b:2", "env": env}, container("c")]}
    api.patch(DEPLOYMENTS, "web", {"spec": {"template": {"spec": spec}}}, STRATEGIC)
    spec = {"containers": [{"name": "a", "$patch": "delete"}, {"name": "b", "env": [{"name": "Y", "value": "2"}]}]}
    api.patch(DEPLOYMENTS, "web", {"spec": {"template": {"spec": spec}}}, STRATEGIC)


@case
def strategic_patch_orders_and_replaces(api: Case) -> None:
    api.create(DEPLOYMENTS, deployment("web", container("a"), container("b")), quiet=True)
    spec = {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
        "containers": [{"name": "a", "image": "dev.local/a:9"}],
    }
    api.patch(DEPLOYMENTS, "web", {"spec": {"template": {"spec": spec}}}, STRATEGIC)
    api.patch(DEPLOYMENTS, "web", {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}, STRATEGIC)
    spec = {"containers": [{"$patch": "replace"}, container("only")]}
    api.patch(DEPLOYMENTS, "web", {"spec": {"template": {"spec": spec}}}, STRATEGIC)


@case
def strategic_patch_of_a_service(api: Case) -> None:
    api.create(SERVICES, service("s", {"port": 80, "name": "a"}), quiet=True)
    api.patch(SERVICES, "s", {"spec": {"ports": [{"port": 81, "name": "b"}], "selector": {"more": "x"}}}, STRATEGIC)
    api.patch(SERVICES, "s", {"spec": {"ports": [{"port": 80, "$patch": "delete"}]}}, STRATEGIC)


@case
def strategic_patch_of_finalizers(api: Case) -> None:
    api.create(CMS, config_map("a", finalizers=["x.io/a", "x.io/b"]), quiet=True)
    api.patch(CMS, "a", {"metadata": {"finalizers": ["x.io/c"]}}, STRATEGIC)
    api.patch(
        CMS, "a", {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x.io/a", "x.io/b", "x.io/c"]}}, STRATEGIC
    )


@case
def widgets_know_no_strategic_patch(api: Case) -> None:
    api.create(WIDGETS, widget("a"), quiet=True)
    api.patch(WIDGETS, "a", {"spec": {"size": 2}}, STRATEGIC)


# Status and scale.


@case
def status_has_a_door_of_its_own(api: Case) -> None:
    for plural, body in ((DEPLOYMENTS, deployment("a")), (WIDGETS, widget("a"))):
        found = api.create(plural, body, quiet=True)
        wanted = {**found.body, "status": {"replicas": 2}}
        wanted["spec"] = {**wanted["spec"], "replicas": 9}
        wanted["metadata"] = {**wanted["metadata"], "labels": {"ignored": "here"}}
        api.put(plural, "a", wanted, "status", quiet=True)
        after = api.get(plural, "a", quiet=True).body
        api.note(after["status"], after["spec"].get("replicas"), after["metadata"]["generation"])


@case
def status_is_patched(api: Case) -> None:
    api.create(WIDGETS, widget("a"), quiet=True)
    api.patch(
        WIDGETS,
        "a",
        {"status": {"conditions": [{"type": "Ready", "status": "True"}]}, "spec": {"size": 9}},
        sub="status",
    )
    api.patch(WIDGETS, "a", {"status": {"phase": "x"}})
    api.get(WIDGETS, "a", "status")


@case
def status_of_a_kind_without_one(api: Case) -> None:
    api.create(CMS, config_map("a"), quiet=True)
    api.note(api.get(CMS, "a", "status", quiet=True).status)


@case
def scale_reads_and_writes_replicas(api: Case) -> None:
    for plural, body in ((DEPLOYMENTS, deployment("a")), (WIDGETS, widget("a", {"replicas": 1, "selector": "x=y"}))):
        api.create(plural, body, quiet=True)
        found = api.get(plural, "a", "scale")
        api.put(plural, "a", {**found.body, "spec": {"replicas": 4}}, "scale")
        api.patch(plural, "a", {"spec": {"replicas": 0}}, sub="scale")
        api.note(api.get(plural, "a", quiet=True).body["spec"]["replicas"])


@case
def scale_below_zero(api: Case) -> None:
    api.create(DEPLOYMENTS, deployment("a"), quiet=True)
    api.patch(DEPLOYMENTS, "a", {"spec": {"replicas": -1}}, sub="scale")
    found = api.get(DEPLOYMENTS, "a", "scale", quiet=True).body
    found["metadata"]["resourceVersion"] = "1"
    api.put(DEPLOYMENTS, "a", found, "scale")
