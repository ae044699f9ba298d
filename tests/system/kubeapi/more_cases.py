"""more_cases: lists, watches, ownership of fields, deletion, forms of answers, and what kn does."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.system.kubeapi.cases import CMS, DEPLOYMENTS, PODS, SERVICES, case
from tests.system.kubeapi.client import TABLE, Case
from tests.system.kubeapi.samples import WIDGETS, config_map, container, deployment, owner, pod, service, widget

PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIALS = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


# Lists.


def _three(api: Case, plural: str = CMS) -> None:
    for name, labels in (("a", {"app": "x", "tier": "1"}), ("b", {"app": "y", "tier": "2"}), ("c", {"app": "x"})):
        api.create(plural, config_map(name, labels=labels) if plural == CMS else widget(name, labels=labels), quiet=True)


def _names(api: Case, plural: str, **query: str) -> None:
    found = api.get(plural, quiet=True, **query)
    names = [item["metadata"]["name"] for item in found.body.get("items", ()) if item["metadata"]["name"] != "kube-root-ca.crt"]
    api.note(query, found.status, names, found.body.get("message", ""))


@case
def list_by_labels(api: Case) -> None:
    _three(api)
    for selector in (
        "app=x", "app==x", "app!=x", "app", "!tier", "app in (x, y)", "app notin (x)", "tier>1", "app=x,!tier", "app=",
        "tier in (1,2),app!=y",
    ):  # fmt: skip
        _names(api, CMS, labelSelector=selector)


@case
def list_by_labels_of_widgets(api: Case) -> None:
    _three(api, WIDGETS)
    _names(api, WIDGETS, labelSelector="app=x")
    _names(api, WIDGETS, fieldSelector="metadata.name!=a")


@case
def list_by_labels_that_cannot_be_read(api: Case) -> None:
    for selector in ("=x", "app in x", "a b", "app=x y"):
        found = api.get(CMS, quiet=True, labelSelector=selector)
        api.note(found.status, found.body["reason"])


@case
def list_by_fields(api: Case) -> None:
    _three(api)
    for selector in ("metadata.name=a", "metadata.name!=a", "metadata.name=a,metadata.namespace=" + api.namespace, "metadata.name=z"):
        _names(api, CMS, fieldSelector=selector)
    for name, node in (("p", ""), ("q", "n1")):
        api.create(PODS, pod(name, **({"nodeName": node} if node else {})), quiet=True)
    for selector in ("spec.nodeName=n1", "spec.nodeName=", "status.phase=Pending", "spec.restartPolicy!=Always"):
        _names(api, PODS, fieldSelector=selector)


@case
def list_by_fields_that_do_not_exist(api: Case) -> None:
    for plural in (CMS, DEPLOYMENTS, WIDGETS):
        found = api.get(plural, quiet=True, fieldSelector="data.a=1")
        api.note(found.status, found.body["reason"])


@case
def list_of_events_by_what_they_are_about(api: Case) -> None:
    for name, about in (("x", "p"), ("y", "q")):
        api.create("events", {
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "reason": "Why", "message": "m",
            "involvedObject": {"kind": "Pod", "name": about, "namespace": api.namespace}, "type": "Normal",
        }, quiet=True)  # fmt: skip
    _names(api, "events", fieldSelector="involvedObject.name=p,involvedObject.kind=Pod")
    _names(api, "events", fieldSelector="type!=Normal")


@case
def list_says_its_kind(api: Case) -> None:
    api.get(DEPLOYMENTS)
    api.get(WIDGETS)
    _three(api, WIDGETS)
    api.get(WIDGETS)


@case
def list_at_versions(api: Case) -> None:
    now = api.create(CMS, config_map("a"), quiet=True).version
    for query in (
        {"resourceVersion": "0"}, {"resourceVersion": now}, {"resourceVersionMatch": "Exact"},
        {"resourceVersion": now, "resourceVersionMatch": "NotOlderThan"}, {"resourceVersion": "words"},
        {"resourceVersion": "0", "resourceVersionMatch": "Exact"},
        {"resourceVersion": now, "resourceVersionMatch": "Strange"}, {"sendInitialEvents": "true"},
    ):  # fmt: skip
        found = api.get(CMS, quiet=True, **query)
        causes = (found.body.get("details") or {}).get("causes") or ()
        api.note(sorted(query), found.status, found.body.get("reason", ""), [cause.get("field") for cause in causes])


@case
def list_in_the_future_is_too_early(api: Case) -> None:
    now = int(api.get(CMS, quiet=True).version)
    found = api.get(CMS, quiet=True, resourceVersion=str(now + 1_000_000))
    message = re.sub(r"\d+", "N", found.body["message"])
    api.note(found.status, found.body["reason"], message, found.body["details"]["causes"])


# Watches.


@case
def watch_from_a_version_tells_what_followed(api: Case) -> None:
    for plural, body in ((CMS, config_map("a")), (WIDGETS, widget("a"))):
        start = api.get(plural, quiet=True).version
        api.create(plural, body, quiet=True)
        api.patch(plural, "a", {"metadata": {"labels": {"x": "y"}}}, quiet=True)
        api.delete(plural, "a", quiet=True)
        api.watch(plural, 3, resourceVersion=start)


@case
def watch_without_a_version_begins_with_what_is_there(api: Case) -> None:
    _three(api, WIDGETS)
    api.watch(WIDGETS, 3)
    api.watch(WIDGETS, 3, resourceVersion="0")


@case
def watch_by_labels_sees_objects_come_and_go(api: Case) -> None:
    start = api.get(CMS, quiet=True).version
    api.create(CMS, config_map("a", labels={"on": "no"}), quiet=True)
    for value in ("yes", "yes", "no", "yes"):
        change: Any = {"metadata": {"labels": {"on": value}}, "data": {"n": str(len(api.transcript))}}
        api.patch(CMS, "a", change, quiet=True)
        api.note(value)
    api.delete(CMS, "a", quiet=True)
    api.watch(CMS, 5, resourceVersion=start, labelSelector="on=yes")


@case
def watch_by_fields_sees_objects_come_and_go(api: Case) -> None:
    start = api.get(PODS, quiet=True).version
    api.create(PODS, pod("p"), quiet=True)
    api.patch(PODS, "p", {"status": {"phase": "Running"}}, sub="status", quiet=True)
    api.patch(PODS, "p", {"status": {"phase": "Failed"}}, sub="status", quiet=True)
    api.watch(PODS, 2, resourceVersion=start, fieldSelector="status.phase=Running")


@case
def watch_of_one_name(api: Case) -> None:
    start = api.get(CMS, quiet=True).version
    _three(api)
    api.watch(CMS, 1, resourceVersion=start, fieldSelector="metadata.name=b")


@case
def watch_of_a_lost_version_has_expired(api: Case) -> None:
    api.create(CMS, config_map("a"), quiet=True)
    params = {"watch": "true", "resourceVersion": "1", "timeoutSeconds": "2"}
    with api.http.stream("GET", api.at(CMS), params=params) as stream:
        event = json.loads(next(line for line in stream.iter_lines() if line))
    api.note(stream.status_code, event["type"], event["object"]["reason"], event["object"]["code"])


@case
def watch_with_initial_events_marks_their_end(api: Case) -> None:
    _three(api, WIDGETS)
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    events = api.watch(WIDGETS, 4, **query)
    if "RequestWatchProgress" in str(events):
        api.cannot("its etcd reports no progress")


@case
def watch_with_initial_events_needs_more_words(api: Case) -> None:
    api.watch(CMS, 1, sendInitialEvents="true")
    api.watch(CMS, 1, resourceVersionMatch="NotOlderThan", resourceVersion="1")


@case
def watch_ends_when_its_time_is_up(api: Case) -> None:
    start = api.get(WIDGETS, quiet=True).version
    with api.http.stream("GET", api.at(WIDGETS), params={"watch": "true", "resourceVersion": start, "timeoutSeconds": "1"}) as stream:
        api.note(stream.status_code, [line for line in stream.iter_lines() if line])


@case
def watch_of_all_namespaces(api: Case) -> None:
    start = api.get(WIDGETS, quiet=True).version
    api.create(WIDGETS, widget("a"), quiet=True)
    params = {"watch": "true", "resourceVersion": start, "timeoutSeconds": "10"}
    with api.http.stream("GET", "/apis/cases.penstock.dev/v1/widgets", params=params) as stream:
        api.note(json.loads(next(line for line in stream.iter_lines() if line)))


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
    api.patch(DEPLOYMENTS, "web", change, "application/strategic-merge-patch+json", fieldManager="updater")


@case
def service_and_secret_fields_are_owned(api: Case) -> None:
    api.create(SERVICES, service("s", {"port": 80, "name": "http", "targetPort": 8080}), fieldManager="maker")
    api.create("secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"a": "YQ=="}}, fieldManager="maker")
    api.create(PODS, pod("p"), fieldManager="maker")


@case
def apply_creates(api: Case) -> None:
    for plural, body in ((CMS, config_map("a")), (DEPLOYMENTS, deployment("a")), (WIDGETS, widget("a")), (SERVICES, service("a"))):
        api.apply(plural, "a", body)


@case
def apply_again_changes_nothing(api: Case) -> None:
    for plural, body in ((CMS, config_map("a")), (DEPLOYMENTS, deployment("a")), (WIDGETS, widget("a"))):
        first = api.apply(plural, "a", body, quiet=True)
        second = api.apply(plural, "a", body, quiet=True)
        api.note(first.status, second.status, first.version == second.version)


@case
def apply_takes_away_what_it_no_longer_names(api: Case) -> None:
    spec = {"size": 1, "color": "red", "parts": [{"name": "p"}, {"name": "q"}], "words": ["a", "b"], "labels": {"x": "y", "z": "w"}}
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
    for plural, body in ((CMS, config_map("a")), (DEPLOYMENTS, deployment("a")), (WIDGETS, widget("a")), (SERVICES, service("a"))):
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
    _three(api, WIDGETS)
    found = api.delete(WIDGETS, labelSelector="app=x", quiet=True)
    api.note(found.status)
    _names(api, WIDGETS)


@case
def dependents_follow_their_owner(api: Case) -> None:
    parent = api.create(CMS, config_map("parent"), quiet=True)
    api.create(CMS, config_map("child", ownerReferences=[owner(parent.body)]), quiet=True)
    api.create(CMS, config_map("other"), quiet=True)
    api.delete(CMS, "parent", {"propagationPolicy": "Background"})
    api.until_gone(CMS, "child")
    _names(api, CMS)


@case
def foreground_deletion_waits_for_dependents(api: Case) -> None:
    parent = api.create(WIDGETS, widget("parent"), quiet=True)
    mine = owner(parent.body, "Widget", "cases.penstock.dev/v1", blockOwnerDeletion=True)
    api.create(CMS, config_map("child", ownerReferences=[mine], finalizers=["x.io/hold"]), quiet=True)
    found = api.delete(WIDGETS, "parent", {"propagationPolicy": "Foreground"})
    api.note(found.body["metadata"]["finalizers"])
    api.watch_until(CMS, lambda events: "deletionTimestamp" in events[-1]["object"]["metadata"], fieldSelector="metadata.name=child")
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


# Forms of answers.


def _heads(api: Case, plural: str, name: str = "") -> None:
    found = api.get(plural, name, accept=TABLE, quiet=True).body
    api.note(found["kind"], [(each["name"].lower(), each["priority"]) for each in found["columnDefinitions"]])


@case
def tables_have_their_columns(api: Case) -> None:
    for plural in (CMS, DEPLOYMENTS, PODS, SERVICES, WIDGETS, "secrets", "serviceaccounts", "endpoints", "events",
                   "apps/replicasets", "coordination.k8s.io/leases", "discovery.k8s.io/endpointslices"):  # fmt: skip
        _heads(api, plural)


@case
def tables_have_their_cells(api: Case) -> None:
    app = container(ports=[{"containerPort": 80}])
    for plural, body in (
        (CMS, config_map("a")), (DEPLOYMENTS, deployment("a", app, replicas=2)), (PODS, pod("a", app)), (SERVICES, service("a")),
        (WIDGETS, widget("a", {"size": 7, "color": "red"})),
    ):  # fmt: skip
        api.create(plural, body, quiet=True)
        row = api.get(plural, "a", accept=TABLE, quiet=True).body["rows"][0]
        api.note([re.sub(r"^\d+s$", "AGE", cell) if isinstance(cell, str) else cell for cell in row["cells"]], row["object"]["kind"])


@case
def table_of_a_busy_pod(api: Case) -> None:
    api.create(PODS, pod("p", nodeName="n1"), quiet=True)
    for containers in (
        [{"name": "app", "ready": False, "restartCount": 3, "image": "x", "imageID": "", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
        [{"name": "app", "ready": True, "restartCount": 0, "image": "x", "imageID": "", "state": {"running": {}}}],
        [{"name": "app", "ready": False, "restartCount": 0, "image": "x", "imageID": "", "state": {"terminated": {"exitCode": 2}}}],
    ):  # fmt: skip
        body = {"status": {"phase": "Running", "podIP": "10.1.1.1", "containerStatuses": containers}}
        api.patch(PODS, "p", body, sub="status", quiet=True)
        api.note(api.get(PODS, "p", accept=TABLE, quiet=True).body["rows"][0]["cells"][1:4])
    api.delete(PODS, "p", quiet=True)
    api.note(api.get(PODS, "p", accept=TABLE, quiet=True).body["rows"][0]["cells"][2])


@case
def watch_as_a_table(api: Case) -> None:
    start = api.get(WIDGETS, quiet=True).version
    _three(api, WIDGETS)
    events = api.watch(WIDGETS, 3, accept=TABLE, resourceVersion=start)
    api.transcript.pop()
    api.note([(each["type"], bool(each["object"]["columnDefinitions"]), each["object"]["rows"][0]["cells"][0]) for each in events])


@case
def only_metadata(api: Case) -> None:
    api.create(WIDGETS, widget("a"), quiet=True)
    api.get(WIDGETS, "a", accept=PARTIAL)
    api.get(WIDGETS, accept=PARTIALS)


# Discovery.


def _kind_of(resources: list[Any], name: str) -> Any:
    found = [each for each in resources if each["name"].partition("/")[0] == name]
    return [each for each in found if each["name"].partition("/")[2] in ("", "status", "scale")]


@case
def discovery_of_resources(api: Case) -> None:
    for path, name in (
        ("/api/v1", "configmaps"), ("/api/v1", "services"), ("/apis/apps/v1", "deployments"),
        ("/apis/cases.penstock.dev/v1", "widgets"), ("/api/v1", "namespaces"),
    ):  # fmt: skip
        found = api.call("GET", path, quiet=True).body
        kinds = sorted(_kind_of(found["resources"], name), key=lambda each: str(each["name"]))
        api.note(found["kind"], found["groupVersion"], kinds)


@case
def discovery_of_groups(api: Case) -> None:
    found = api.call("GET", "/apis", quiet=True).body
    api.note([each for each in found["groups"] if each["name"] in ("apps", "cases.penstock.dev")])
    api.call("GET", "/apis/apps")


@case
def discovery_in_one_document(api: Case) -> None:
    found = api.call("GET", "/apis", accept=DISCOVERY, quiet=True).body
    api.note(found["kind"], found["apiVersion"])
    group = next(each for each in found["items"] if each["metadata"].get("name") == "cases.penstock.dev")
    api.note(group["versions"])
    core = api.call("GET", "/api", accept=DISCOVERY, quiet=True).body["items"][0]["versions"][0]["resources"]
    api.note([each for each in core if each["resource"] == "configmaps"])


@case
def health_and_version(api: Case) -> None:
    for path in ("/healthz", "/readyz", "/livez"):
        found = api.call("GET", path, quiet=True)
        api.note(found.status, found.body)
    found = api.call("GET", "/version", quiet=True).body
    api.note(found["major"], found["minor"])


@case
def openapi_knows_the_kinds(api: Case) -> None:
    paths = api.call("GET", "/openapi/v3", quiet=True).body["paths"]
    for place, name in (("apis/cases.penstock.dev/v1", "dev.penstock.cases.v1.Widget"), ("apis/apps/v1", "io.k8s.api.apps.v1.Deployment")):
        found = api.call("GET", paths[place]["serverRelativeURL"], quiet=True).body
        schema = found["components"]["schemas"][name]
        api.note(sorted(schema["properties"]), schema["x-kubernetes-group-version-kind"])


# What kn does.


def _kn_wait(api: Case, version: str, generation: int) -> None:
    def is_ready(events: list[Any]) -> bool:
        last = events[-1]["object"]
        conditions = {each["type"]: each["status"] for each in last.get("status", {}).get("conditions", ())}
        return events[-1]["type"] == "MODIFIED" and last["metadata"]["generation"] == generation and conditions.get("Ready") == "True"

    api.watch_until(WIDGETS, is_ready, resourceVersion=version, fieldSelector="metadata.name=hello")


@case
def kn_creates_and_waits(api: Case) -> None:
    made = api.create(WIDGETS, widget("hello"))
    for state in ("Unknown", "True"):
        api.patch(WIDGETS, "hello", {"status": {"conditions": [{"type": "Ready", "status": state}]}}, sub="status", quiet=True)
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
    api.patch(WIDGETS, "hello", {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, sub="status", quiet=True)
    _kn_wait(api, changed.version, 2)


@case
def kn_applies_by_a_merge_patch(api: Case) -> None:
    key = "client.knative.dev/last-applied-configuration"
    first = widget("hello", {"size": 1, "color": "red"})
    api.create(WIDGETS, {**first, "metadata": {"name": "hello", "annotations": {key: json.dumps(first)}}}, quiet=True)
    second = widget("hello", {"size": 2})
    api.patch(WIDGETS, "hello", {"metadata": {"annotations": {key: json.dumps(second)}}, "spec": {"size": 2, "color": None}})


@case
def kn_deletes_in_the_foreground(api: Case) -> None:
    made = api.create(WIDGETS, widget("hello"), quiet=True)
    found = api.delete(WIDGETS, "hello", {"propagationPolicy": "Foreground"}, quiet=True)
    api.note(found.status)
    events = api.watch_until(
        WIDGETS, lambda seen: seen[-1]["type"] == "DELETED", resourceVersion=made.version, fieldSelector="metadata.name=hello"
    )
    api.transcript.pop()
    api.note([each["type"] for each in events], api.get(WIDGETS, "hello", quiet=True).status)


@case
def kn_lists(api: Case) -> None:
    _three(api, WIDGETS)
    _names(api, WIDGETS, labelSelector="app=x", fieldSelector="metadata.name=c")
    _names(api, WIDGETS, fieldSelector="metadata.name=b")
