"""reading_cases: lists, watches, forms of answers and discovery."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.system.kubeapi.cases import CMS, DEPLOYMENTS, PODS, SERVICES, case
from tests.system.kubeapi.client import TABLE, Case
from tests.system.kubeapi.samples import WIDGETS, config_map, container, deployment, pod, service, widget

PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIALS = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


# Lists.


def three(api: Case, plural: str = CMS) -> None:
    for name, labels in (("a", {"app": "x", "tier": "1"}), ("b", {"app": "y", "tier": "2"}), ("c", {"app": "x"})):
        api.create(
            plural, config_map(name, labels=labels) if plural == CMS else widget(name, labels=labels), quiet=True
        )


def names_of(api: Case, plural: str, **query: str) -> None:
    found = api.get(plural, quiet=True, **query)
    names = [
        item["metadata"]["name"]
        for item in found.body.get("items", ())
        if item["metadata"]["name"] != "kube-root-ca.crt"
    ]
    api.note(query, found.status, names, found.body.get("message", ""))


@case
def list_by_labels(api: Case) -> None:
    three(api)
    for selector in (
        "app=x", "app==x", "app!=x", "app", "!tier", "app in (x, y)", "app notin (x)", "tier>1", "app=x,!tier", "app=",
        "tier in (1,2),app!=y",
    ):  # fmt: skip
        names_of(api, CMS, labelSelector=selector)


@case
def list_by_labels_of_widgets(api: Case) -> None:
    three(api, WIDGETS)
    names_of(api, WIDGETS, labelSelector="app=x")
    names_of(api, WIDGETS, fieldSelector="metadata.name!=a")


@case
def list_by_labels_that_cannot_be_read(api: Case) -> None:
    for selector in ("=x", "app in x", "a b", "app=x y"):
        found = api.get(CMS, quiet=True, labelSelector=selector)
        api.note(found.status, found.body["reason"])


@case
def list_by_fields(api: Case) -> None:
    three(api)
    for selector in (
        "metadata.name=a",
        "metadata.name!=a",
        "metadata.name=a,metadata.namespace=" + api.namespace,
        "metadata.name=z",
    ):
        names_of(api, CMS, fieldSelector=selector)
    for name, node in (("p", ""), ("q", "n1")):
        api.create(PODS, pod(name, **({"nodeName": node} if node else {})), quiet=True)
    for selector in ("spec.nodeName=n1", "spec.nodeName=", "status.phase=Pending", "spec.restartPolicy!=Always"):
        names_of(api, PODS, fieldSelector=selector)


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
    names_of(api, "events", fieldSelector="involvedObject.name=p,involvedObject.kind=Pod")
    names_of(api, "events", fieldSelector="type!=Normal")


@case
def list_says_its_kind(api: Case) -> None:
    api.get(DEPLOYMENTS)
    api.get(WIDGETS)
    three(api, WIDGETS)
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
    three(api, WIDGETS)
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
    three(api)
    api.watch(CMS, 1, resourceVersion=start, fieldSelector="metadata.name=b")


@case
def watch_of_a_lost_version_has_expired(api: Case) -> None:
    api.create(CMS, config_map("a"), quiet=True)
    params = {"watch": "true", "resourceVersion": "1", "timeoutSeconds": "2"}
    with api.http.stream("GET", api.at(CMS), params=params) as stream:
        event = json.loads(next(line for line in stream.iter_lines() if line))
    if event["type"] == "ERROR":
        api.note(stream.status_code, event["type"], event["object"]["reason"], event["object"]["code"])
    else:
        api.cannot("its history reaches back to the first version")


@case
def watch_with_initial_events_marks_their_end(api: Case) -> None:
    three(api, WIDGETS)
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
    with api.http.stream(
        "GET", api.at(WIDGETS), params={"watch": "true", "resourceVersion": start, "timeoutSeconds": "1"}
    ) as stream:
        api.note(stream.status_code, [line for line in stream.iter_lines() if line])


@case
def watch_of_all_namespaces(api: Case) -> None:
    start = api.get(WIDGETS, quiet=True).version
    api.create(WIDGETS, widget("a"), quiet=True)
    params = {"watch": "true", "resourceVersion": start, "timeoutSeconds": "10"}
    with api.http.stream("GET", "/apis/cases.penstock.dev/v1/widgets", params=params) as stream:
        api.note(json.loads(next(line for line in stream.iter_lines() if line)))


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
        (CMS, config_map("a")), (DEPLOYMENTS, deployment("a", app, replicas=2)), (PODS, pod("a", app)),
        (SERVICES, service("a")),
        (WIDGETS, widget("a", {"size": 7, "color": "red"})),
    ):  # fmt: skip
        api.create(plural, body, quiet=True)
        row = api.get(plural, "a", accept=TABLE, quiet=True).body["rows"][0]
        api.note(
            [re.sub(r"^\d+s$", "AGE", cell) if isinstance(cell, str) else cell for cell in row["cells"]],
            row["object"]["kind"],
        )


@case
def table_of_a_busy_pod(api: Case) -> None:
    api.create(PODS, pod("p", nodeName="n1"), quiet=True)
    for ready, restarts, state in (
        (False, 3, {"waiting": {"reason": "CrashLoopBackOff"}}), (True, 0, {"running": {}}),
        (False, 0, {"terminated": {"exitCode": 2}}),
    ):  # fmt: skip
        app = {"name": "app", "ready": ready, "restartCount": restarts, "image": "x", "imageID": "", "state": state}
        body = {"status": {"phase": "Running", "podIP": "10.1.1.1", "containerStatuses": [app]}}
        api.patch(PODS, "p", body, sub="status", quiet=True)
        api.note(api.get(PODS, "p", accept=TABLE, quiet=True).body["rows"][0]["cells"][1:4])
    api.delete(PODS, "p", quiet=True)
    api.note(api.get(PODS, "p", accept=TABLE, quiet=True).body["rows"][0]["cells"][2])


@case
def watch_as_a_table(api: Case) -> None:
    start = api.get(WIDGETS, quiet=True).version
    three(api, WIDGETS)
    events = api.watch(WIDGETS, 3, accept=TABLE, resourceVersion=start)
    api.transcript.pop()
    api.note(
        [
            (each["type"], bool(each["object"]["columnDefinitions"]), each["object"]["rows"][0]["cells"][0])
            for each in events
        ]
    )


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
    for place, name in (
        ("apis/cases.penstock.dev/v1", "dev.penstock.cases.v1.Widget"),
        ("apis/apps/v1", "io.k8s.api.apps.v1.Deployment"),
    ):
        found = api.call("GET", paths[place]["serverRelativeURL"], quiet=True).body
        schema = found["components"]["schemas"][name]
        api.note(sorted(schema["properties"]), schema["x-kubernetes-group-version-kind"])
