"""owning_cases: who owns which field, how objects and namespaces end, and what kn does."""

from __future__ import annotations

import json
from typing import Any

from tests.system.kubeapi.cases import CMS, DEPLOYMENTS, PODS, SERVICES, case
from tests.system.kubeapi.client import STRATEGIC, Case
from tests.system.kubeapi.reading_cases import names_of, three
from tests.system.kubeapi.samples import WIDGETS, config_map, container, deployment, owner, pod, service, widget

# Who owns which field.


@case
def create_and_update_own_what_they_set(api: Case) -> None:
    api.create(WIDGETS, widget("a", {"size": 1, "color": "red"}, labels={"x": "y"}), fieldManager="maker")
    api.patch(WIDGETS, "a", {"spec": {"color": "green", "parts": [{"name": "p", "count": 1}]}}, fieldManager="painter")
    api.patch(WIDGETS, "a", {"status": {"phase": "x"}}, sub="status", fieldManager="watcher")
    api.patch(WIDGETS, "a", {"spec": {"size": None}}, fieldManager="painter")


@case
def update_of_a_deployment_owns_its_leaves(api: Case) -> None:
    app = container(ports=[{"containerPort": 80}], env=[{"name": "A", "value": "1"}], command=["x", "y"])
    api.create(DEPLOYMENTS, deployment("web", app), fieldManager="maker")
    change = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "dev.local/app:2"}]}}}}
    api.patch(DEPLOYMENTS, "web", change, STRATEGIC, fieldManager="updater")


@case
def service_and_secret_fields_are_owned(api: Case) -> None:
    api.create(SERVICES, service("s", {"port": 80, "name": "http", "targetPort": 8080}), fieldManager="maker")
    api.create(
        "secrets",
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "YQ=="}},
        fieldManager="maker",
    )
    api.create(PODS, pod("p"), fieldManager="maker")


@case
def apply_creates(api: Case) -> None:
    for plural, body in (
        (CMS, config_map("a")),
        (DEPLOYMENTS, deployment("a")),
        (WIDGETS, widget("a")),
        (SERVICES, service("a")),
    ):
        api.apply(plural, "a", body)


@case
def apply_again_changes_nothing(api: Case) -> None:
    for plural, body in ((CMS, config_map("a")), (DEPLOYMENTS, deployment("a")), (WIDGETS, widget("a"))):
        first = api.apply(plural, "a", body, quiet=True)
        second = api.apply(plural, "a", body, quiet=True)
        api.note(first.status, second.status, first.version == second.version)


@case
def apply_takes_away_what_it_no_longer_names(api: Case) -> None:
    spec = {
        "size": 1,
        "color": "red",
        "parts": [{"name": "p"}, {"name": "q"}],
        "words": ["a", "b"],
        "labels": {"x": "y", "z": "w"},
    }
    api.apply(WIDGETS, "a", widget("a", spec, labels={"one": "1", "two": "2"}))
    spec = {"size": 2, "parts": [{"name": "q", "count": 1}], "words": ["b"], "labels": {"x": "y"}}
    api.apply(WIDGETS, "a", widget("a", spec, labels={"two": "2"}))
    api.apply(WIDGETS, "a", widget("a", {"size": 2}))


@case
def apply_leaves_what_others_own(api: Case) -> None:
    api.apply(CMS, "a", config_map("a", {"one": "1"}), "one")
    api.apply(CMS, "a", config_map("a", {"two": "2"}), "two")
    api.patch(CMS, "a", {"data": {"three": "3"}}, fieldManager="hand")
    api.apply(CMS, "a", config_map("a", {"one": "9"}), "one")
    api.apply(CMS, "a", config_map("a", {}), "two")


@case
def apply_of_anothers_field_conflicts(api: Case) -> None:
    api.apply(CMS, "a", config_map("a", {"one": "1"}), "one")
    api.apply(CMS, "a", config_map("a", {"one": "2"}), "two")
    api.apply(CMS, "a", config_map("a", {"one": "1"}), "two")
    api.apply(CMS, "a", config_map("a", {"one": "2"}), "two", force="true")
    api.apply(CMS, "a", config_map("a", {"one": "3"}), "two", force="true")


@case
def apply_conflicts_with_an_update(api: Case) -> None:
    api.create(WIDGETS, widget("a", {"size": 1, "color": "red"}), fieldManager="hand", quiet=True)
    api.apply(WIDGETS, "a", widget("a", {"size": 2, "color": "green"}), "one")
    api.apply(WIDGETS, "a", widget("a", {"size": 1}), "one")


@case
def apply_conflicts_in_a_container(api: Case) -> None:
    api.apply(DEPLOYMENTS, "a", deployment("a", container(ports=[{"containerPort": 80}])), "one", quiet=True)
    api.apply(DEPLOYMENTS, "a", deployment("a", container(image="dev.local/app:2")), "two")


@case
def apply_of_a_container_beside_anothers(api: Case) -> None:
    api.apply(DEPLOYMENTS, "a", deployment("a", container("one"), replicas=2), "one", quiet=True)
    body = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
        "spec": {"template": {"spec": {"containers": [container("two", env=[{"name": "A", "value": "1"}])]}}},
    }  # fmt: skip
    api.apply(DEPLOYMENTS, "a", body, "two")
    del body["spec"]["template"]["spec"]["containers"][0]["env"]
    api.apply(DEPLOYMENTS, "a", body, "two")
    body["spec"]["template"]["spec"]["containers"] = []
    api.apply(DEPLOYMENTS, "a", body, "two")


@case
def apply_of_an_env_variable_by_two(api: Case) -> None:
    app = container(env=[{"name": "A", "value": "1"}])
    api.apply(DEPLOYMENTS, "a", deployment("a", app), "one", quiet=True)
    more = {"name": "app", "env": [{"name": "B", "value": "2"}]}
    body = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
        "spec": {"template": {"spec": {"containers": [more]}}},
    }  # fmt: skip
    api.apply(DEPLOYMENTS, "a", body, "two")
    api.apply(DEPLOYMENTS, "a", deployment("a", container()), "one")


@case
def apply_after_kubectl_applied_from_its_side(api: Case) -> None:
    key = "kubectl.kubernetes.io/last-applied-configuration"
    mine = config_map("a", {"mine": "1"}, annotations={})
    body = config_map("a", {"mine": "1", "other": "1"}, annotations={key: json.dumps(mine)})
    api.create(CMS, body, fieldManager="kubectl-client-side-apply", quiet=True)
    api.apply(CMS, "a", config_map("a", {"mine": "2"}), "somebody")
    api.apply(CMS, "a", config_map("a", {"mine": "2", "other": "2"}), "kubectl")
    api.apply(CMS, "a", config_map("a", {"mine": "2"}), "kubectl")


@case
def apply_of_the_status(api: Case) -> None:
    api.apply(WIDGETS, "a", widget("a"), quiet=True)
    body = {
        "apiVersion": "cases.penstock.dev/v1", "kind": "Widget", "metadata": {"name": "a"},
        "status": {"phase": "x", "conditions": [{"type": "Ready", "status": "True"}]},
    }  # fmt: skip
    api.apply(WIDGETS, "a", body, "two", sub="status")
    body["status"] = {"conditions": [{"type": "Ready", "status": "False"}]}
    api.apply(WIDGETS, "a", body, "two", sub="status")


@case
def apply_needs_a_manager(api: Case) -> None:
    found = api.patch(CMS, "a", config_map("a"), "application/apply-patch+yaml", quiet=True)
    api.note(found.status, found.body["reason"], found.body["message"])


@case
def apply_says_nothing_of_managers_itself(api: Case) -> None:
    body = config_map("a", managedFields=[{"manager": "x", "operation": "Apply", "apiVersion": "v1"}])
    found = api.apply(CMS, "a", body, quiet=True)
    api.note(found.status, found.body["message"])


@case
def apply_with_two_items_of_one_key(api: Case) -> None:
    found = api.apply(WIDGETS, "a", widget("a", {"parts": [{"name": "p"}, {"name": "p"}]}), quiet=True)
    api.note(found.status)


@case
def apply_to_what_nobody_owns_yet(api: Case) -> None:
    api.create(CMS, config_map("a", {"x": "1"}), quiet=True)
    api.patch(CMS, "a", {"metadata": {"managedFields": [{}]}}, quiet=True)
    api.apply(CMS, "a", config_map("a", {"x": "2"}))
    api.apply(CMS, "a", config_map("a", {"x": "2"}), force="true")


@case
def apply_in_yaml(api: Case) -> None:
    api.apply(CMS, "a", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  b: c\n")


@case
def apply_dry_run(api: Case) -> None:
    api.apply(CMS, "a", config_map("a"), dryRun="All", quiet=True)
    api.get(CMS, "a")


# Deletion.


@case
def deletion_answers(api: Case) -> None:
    for plural, body in (
        (CMS, config_map("a")),
        (DEPLOYMENTS, deployment("a")),
        (WIDGETS, widget("a")),
        (SERVICES, service("a")),
    ):
        api.create(plural, body, quiet=True)
        api.delete(plural, "a")
        api.get(plural, "a")


@case
def finalizers_hold(api: Case) -> None:
    api.create(WIDGETS, widget("a", finalizers=["x.io/hold"]), quiet=True)
    api.delete(WIDGETS, "a")
    more = api.patch(WIDGETS, "a", {"metadata": {"finalizers": ["x.io/hold", "x.io/more"]}}, quiet=True)
    api.note(more.status, more.body["reason"], more.body["details"]["causes"][0])
    api.patch(WIDGETS, "a", {"spec": {"size": 5}}, quiet=True)
    api.delete(WIDGETS, "a", quiet=True)
    api.patch(WIDGETS, "a", {"metadata": {"finalizers": None}})
    api.get(WIDGETS, "a")


@case
def preconditions_of_a_deletion(api: Case) -> None:
    found = api.create(CMS, config_map("a"), quiet=True)
    api.delete(CMS, "a", {"preconditions": {"uid": "11111111-2222-3333-4444-555555555555"}})
    wrong = api.delete(CMS, "a", {"preconditions": {"resourceVersion": "1"}}, quiet=True)
    api.note(wrong.status, wrong.body["reason"])
    api.delete(CMS, "a", {"preconditions": {"uid": found.uid}})


@case
def pod_of_a_node_ends_gracefully(api: Case) -> None:
    api.create(PODS, pod("p", nodeName="n1", terminationGracePeriodSeconds=7), quiet=True)
    found = api.delete(PODS, "p")
    api.note(found.body["metadata"]["deletionGracePeriodSeconds"])
    api.note(api.delete(PODS, "p", gracePeriodSeconds="3", quiet=True).body["metadata"]["deletionGracePeriodSeconds"])
    api.note(api.delete(PODS, "p", gracePeriodSeconds="60", quiet=True).body["metadata"]["deletionGracePeriodSeconds"])
    api.note(api.delete(PODS, "p", gracePeriodSeconds="0", quiet=True).status)
    api.get(PODS, "p")


@case
def pod_without_a_node_goes_at_once(api: Case) -> None:
    api.create(PODS, pod("p"), quiet=True)
    api.note(api.delete(PODS, "p", quiet=True).status)
    api.get(PODS, "p")


@case
def collection_is_deleted_by_labels(api: Case) -> None:
    three(api, WIDGETS)
    found = api.delete(WIDGETS, labelSelector="app=x", quiet=True)
    api.note(found.status)
    names_of(api, WIDGETS)


@case
def dependents_follow_their_owner(api: Case) -> None:
    parent = api.create(CMS, config_map("parent"), quiet=True)
    api.create(CMS, config_map("child", ownerReferences=[owner(parent.body)]), quiet=True)
    api.create(CMS, config_map("other"), quiet=True)
    api.delete(CMS, "parent", {"propagationPolicy": "Background"})
    api.until_gone(CMS, "child")
    names_of(api, CMS)


@case
def foreground_deletion_waits_for_dependents(api: Case) -> None:
    parent = api.create(WIDGETS, widget("parent"), quiet=True)
    mine = owner(parent.body, "Widget", "cases.penstock.dev/v1", blockOwnerDeletion=True)
    api.create(CMS, config_map("child", ownerReferences=[mine], finalizers=["x.io/hold"]), quiet=True)
    found = api.delete(WIDGETS, "parent", {"propagationPolicy": "Foreground"})
    api.note(found.body["metadata"]["finalizers"])
    api.watch_until(
        CMS, lambda events: "deletionTimestamp" in events[-1]["object"]["metadata"], fieldSelector="metadata.name=child"
    )
    api.transcript.pop()
    api.note(api.get(WIDGETS, "parent", quiet=True).status)
    api.patch(CMS, "child", {"metadata": {"finalizers": None}}, quiet=True)
    api.until_gone(WIDGETS, "parent")
    api.note(api.get(CMS, "child", quiet=True).status)


@case
def orphans_live_on(api: Case) -> None:
    parent = api.create(CMS, config_map("parent"), quiet=True)
    api.create(CMS, config_map("child", ownerReferences=[owner(parent.body)]), quiet=True)
    api.delete(CMS, "parent", {"propagationPolicy": "Orphan"})
    api.until_gone(CMS, "parent")
    api.note(api.get(CMS, "child", quiet=True).body["metadata"].get("ownerReferences"))


@case
def object_of_an_owner_that_never_was_goes(api: Case) -> None:
    gone = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "11111111-2222-3333-4444-555555555555"}
    api.create(CMS, config_map("child", ownerReferences=[gone]))
    api.until_gone(CMS, "child")


@case
def deletion_in_strange_ways(api: Case) -> None:
    api.create(CMS, config_map("a"), quiet=True)
    found = api.delete(CMS, "a", {"propagationPolicy": "Sideways"}, quiet=True)
    api.note(found.status, found.body["reason"])


# Namespaces.


@case
def namespace_takes_its_contents_along(api: Case) -> None:
    name = api.namespace + "-short"
    api.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    api.call("POST", f"/api/v1/namespaces/{name}/configmaps", config_map("free"), quiet=True)
    found = api.call("DELETE", f"/api/v1/namespaces/{name}", quiet=True)
    params = {"watch": "true", "timeoutSeconds": "60", "fieldSelector": f"metadata.name={name}"}
    params["resourceVersion"] = found.version
    with api.http.stream("GET", "/api/v1/namespaces", params=params, timeout=65) as stream:
        api.note(any(line and json.loads(line)["type"] == "DELETED" for line in stream.iter_lines()))


@case
def namespace_that_ends_takes_nothing_new(api: Case) -> None:
    name = api.namespace + "-held"
    api.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    held = config_map("held", finalizers=["x.io/hold"])
    api.call("POST", f"/api/v1/namespaces/{name}/configmaps", held, quiet=True)
    api.call("POST", f"/api/v1/namespaces/{name}/configmaps", config_map("free"), quiet=True)
    found = api.call("DELETE", f"/api/v1/namespaces/{name}", quiet=True)
    api.note(found.status, found.body["status"]["phase"])
    refused = api.call("POST", f"/api/v1/namespaces/{name}/configmaps", config_map("late"), quiet=True)
    api.note(refused.status, refused.body["message"], refused.body["details"])
    api.note(api.call("GET", f"/api/v1/namespaces/{name}", quiet=True).status)


@case
def namespace_that_has_to_stay(api: Case) -> None:
    api.call("DELETE", "/api/v1/namespaces/default")


# What kn does.


def _kn_wait(api: Case, version: str, generation: int) -> None:
    def is_ready(events: list[Any]) -> bool:
        last = events[-1]["object"]
        conditions = {each["type"]: each["status"] for each in last.get("status", {}).get("conditions", ())}
        return (
            events[-1]["type"] == "MODIFIED"
            and last["metadata"]["generation"] == generation
            and conditions.get("Ready") == "True"
        )

    api.watch_until(WIDGETS, is_ready, resourceVersion=version, fieldSelector="metadata.name=hello")


@case
def kn_creates_and_waits(api: Case) -> None:
    made = api.create(WIDGETS, widget("hello"))
    for state in ("Unknown", "True"):
        api.patch(
            WIDGETS, "hello", {"status": {"conditions": [{"type": "Ready", "status": state}]}}, sub="status", quiet=True
        )
    _kn_wait(api, made.version, 1)


@case
def kn_updates_and_tries_again(api: Case) -> None:
    api.create(WIDGETS, widget("hello"), quiet=True)
    found = api.get(WIDGETS, "hello", quiet=True).body
    api.patch(WIDGETS, "hello", {"metadata": {"labels": {"by": "other"}}}, quiet=True)
    found["spec"]["size"] = 5
    api.put(WIDGETS, "hello", found)
    again = api.get(WIDGETS, "hello", quiet=True).body
    again["spec"]["size"] = 5
    changed = api.put(WIDGETS, "hello", again)
    api.patch(
        WIDGETS, "hello", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, sub="status", quiet=True
    )
    _kn_wait(api, changed.version, 2)


@case
def kn_applies_by_a_merge_patch(api: Case) -> None:
    key = "client.knative.dev/last-applied-configuration"
    first = widget("hello", {"size": 1, "color": "red"})
    api.create(WIDGETS, {**first, "metadata": {"name": "hello", "annotations": {key: json.dumps(first)}}}, quiet=True)
    second = widget("hello", {"size": 2})
    api.patch(
        WIDGETS, "hello", {"metadata": {"annotations": {key: json.dumps(second)}}, "spec": {"size": 2, "color": None}}
    )


@case
def kn_deletes_in_the_foreground(api: Case) -> None:
    made = api.create(WIDGETS, widget("hello"), quiet=True)
    found = api.delete(WIDGETS, "hello", {"propagationPolicy": "Foreground"}, quiet=True)
    api.note(found.status)
    events = api.watch_until(
        WIDGETS,
        lambda seen: seen[-1]["type"] == "DELETED",
        resourceVersion=made.version,
        fieldSelector="metadata.name=hello",
    )
    api.transcript.pop()
    api.note([each["type"] for each in events], api.get(WIDGETS, "hello", quiet=True).status)


@case
def kn_lists(api: Case) -> None:
    three(api, WIDGETS)
    names_of(api, WIDGETS, labelSelector="app=x", fieldSelector="metadata.name=c")
    names_of(api, WIDGETS, fieldSelector="metadata.name=b")
