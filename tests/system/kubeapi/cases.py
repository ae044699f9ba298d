"""cases: what people and programs ask of an API server: the lives of objects, one question for each function."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.system.kubeapi.client import STRATEGIC, Case
from tests.system.kubeapi.samples import (
    WIDGETS,
    config_map,
    container,
    deployment,
    pod,
    secret,
    service,
    widget,
)  # fmt: skip

CASES: dict[str, Callable[[Case], Any]] = {}

CMS, DEPLOYMENTS, PODS, SERVICES, SECRETS = "configmaps", "apps/deployments", "pods", "services", "secrets"


def case(ask: Callable[[Case], Any]) -> Callable[[Case], Any]:
    assert ask.__name__ not in CASES, f"two cases are called {ask.__name__}"
    CASES[ask.__name__] = ask
    return ask


# Create and read.


@case
def created_config_map_comes_back(api: Case) -> None:
    api.create(CMS, config_map("a", {"k": "v"}, labels={"x": "y"}, annotations={"n": "m"}))
    api.get(CMS, "a")


@case
def created_deployment_is_completed(api: Case) -> None:
    api.create(DEPLOYMENTS, deployment("web"))
    api.get(DEPLOYMENTS, "web")


@case
def created_deployment_with_much_in_it_is_completed(api: Case) -> None:
    probe = {"httpGet": {"port": 8080}}
    app = container(
        ports=[{"containerPort": 8080}, {"containerPort": 53, "protocol": "UDP", "name": "dns"}],
        env=[{"name": "A", "value": "1"}, {"name": "P", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        readinessProbe=probe, livenessProbe={"tcpSocket": {"port": 1}},
        resources={"limits": {"cpu": "1", "memory": "1Gi"}},
        volumeMounts=[{"name": "v", "mountPath": "/v"}], lifecycle={"preStop": {"httpGet": {"port": 1}}},
    )  # fmt: skip
    volumes = [{"name": "v", "secret": {"secretName": "s"}}, {"name": "w", "configMap": {"name": "c"}}]
    body = deployment("web", app, container("latest", "dev.local/app"), replicas=0)
    body["spec"]["template"]["spec"]["volumes"] = volumes
    api.create(DEPLOYMENTS, body)


@case
def created_service_is_completed(api: Case) -> None:
    api.create(SERVICES, service("s", {"port": 80, "targetPort": "http"}))


@case
def headless_service_is_completed(api: Case) -> None:
    api.create(SERVICES, service("s", clusterIP="None"))


@case
def headless_service_needs_no_ports(api: Case) -> None:
    body = service("s", clusterIP="None")
    del body["spec"]["ports"]
    api.create(SERVICES, body)


@case
def external_name_service_is_completed(api: Case) -> None:
    api.create(SERVICES, {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"type": "ExternalName", "externalName": "example.com"},
    })  # fmt: skip


@case
def created_pod_is_completed(api: Case) -> None:
    api.create(PODS, pod("p", container(resources={"requests": {"cpu": "100m"}})))


@case
def created_secret_keeps_plain_words_encoded(api: Case) -> None:
    api.create(SECRETS, secret("s", stringData={"user": "me"}, data={"b": "Yg=="}))
    api.get(SECRETS, "s")


@case
def created_widget_comes_back(api: Case) -> None:
    api.create(WIDGETS, widget("w", {"size": 3, "free": {"any": [1, {"thing": True}]}}))
    api.get(WIDGETS, "w")


@case
def created_widget_has_no_status(api: Case) -> None:
    api.create(WIDGETS, {**widget("w"), "status": {"phase": "Done"}})


@case
def account_lease_endpoints_event_slice(api: Case) -> None:
    api.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}})
    api.create("coordination.k8s.io/leases", {
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "x"},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"},
    })  # fmt: skip
    api.create("discovery.k8s.io/endpointslices", {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "x", "labels": {"kubernetes.io/service-name": "s"}}, "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.1.1"], "conditions": {"ready": True}}], "ports": [{"port": 80}],
    })  # fmt: skip
    api.create("events", {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "x"}, "reason": "Why", "message": "what",
        "type": "Normal",
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": api.namespace}, "source": {"component": "me"},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z", "count": 1,
    })  # fmt: skip


@case
def made_name_begins_with_its_prefix(api: Case) -> None:
    body = config_map("")
    body["metadata"] = {"generateName": "made-"}
    api.create(CMS, body)


@case
def missing_object_is_not_found(api: Case) -> None:
    for plural in (CMS, DEPLOYMENTS, WIDGETS):
        api.get(plural, "none")
        api.delete(plural, "none")
        api.patch(plural, "none", {"metadata": {"labels": {"a": "b"}}})


@case
def second_create_already_exists(api: Case) -> None:
    for plural, body in ((CMS, config_map("a")), (WIDGETS, widget("a")), (DEPLOYMENTS, deployment("a"))):
        api.create(plural, body, quiet=True)
        api.create(plural, body)


@case
def create_in_no_namespace_is_not_found(api: Case) -> None:
    api.call("POST", "/api/v1/namespaces/nowhere/configmaps", config_map("a"))
    api.call("POST", "/apis/cases.penstock.dev/v1/namespaces/nowhere/widgets", widget("a"))


@case
def list_of_no_namespace_is_empty(api: Case) -> None:
    api.call("GET", "/api/v1/namespaces/nowhere/configmaps")


@case
def unknown_paths_are_not_found(api: Case) -> None:
    for path in ("/api/v1/nothings", "/apis/no.such.group/v1/things", "/apis/apps/v9/deployments", "/api/v2/pods"):
        api.note(api.call("GET", path, quiet=True).status)


@case
def wrong_method_is_not_allowed(api: Case) -> None:
    api.note(api.call("PUT", api.at(CMS), {}, quiet=True).status)
    api.note(api.call("POST", api.at(CMS, "a"), {}, quiet=True).status)


@case
def create_with_a_version_is_refused(api: Case) -> None:
    api.create(CMS, config_map("a", resourceVersion="5"))


@case
def body_of_another_namespace_is_refused(api: Case) -> None:
    api.create(CMS, config_map("a", namespace="other"))


@case
def body_of_another_kind_is_refused(api: Case) -> None:
    api.note(api.create(CMS, {**config_map("a"), "kind": "Secret"}, quiet=True).status)
    api.note(api.create(CMS, {**config_map("a"), "apiVersion": "v9"}, quiet=True).status)


@case
def body_that_is_no_json_is_refused(api: Case) -> None:
    found = api.create(CMS, "{", quiet=True)
    api.note(found.status, found.body["reason"])


@case
def body_in_yaml_is_read(api: Case) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {when: '2026-01-01', b: c}\n"
    api.create(CMS, text, media="application/yaml")


@case
def media_that_nobody_knows_is_refused(api: Case) -> None:
    found = api.create(CMS, "x", media="text/strange", quiet=True)
    api.note(found.status, found.body["reason"])


# Names and rules.


@case
def bad_names_are_named(api: Case) -> None:
    for name in ("Upper", "under_score", "-dash", "x" * 254):
        api.create(CMS, config_map(name))
    api.create(SERVICES, service("1digit"))
    api.create(WIDGETS, widget("Upper"))
    api.create(CMS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}})


@case
def bad_labels_are_named(api: Case) -> None:
    api.create(CMS, config_map("a", labels={"a b": "x"}))
    api.create(CMS, config_map("a", labels={"a": "x y"}))
    api.create(CMS, config_map("a", labels={"a/b/c": "x"}))


@case
def all_problems_are_told_at_once(api: Case) -> None:
    api.create(CMS, config_map("Bad", {"a b": "x"}, labels={"-": "y"}))


@case
def deployment_without_a_selector(api: Case) -> None:
    body = deployment("web")
    del body["spec"]["selector"]
    api.create(DEPLOYMENTS, body)


@case
def deployment_whose_selector_misses_its_pods(api: Case) -> None:
    api.create(DEPLOYMENTS, deployment("web", selector={"matchLabels": {"app": "other"}}))


@case
def deployment_without_containers(api: Case) -> None:
    body = deployment("web")
    body["spec"]["template"]["spec"]["containers"] = []
    api.create(DEPLOYMENTS, body)


@case
def deployment_with_fewer_than_no_replicas(api: Case) -> None:
    api.create(DEPLOYMENTS, deployment("web", replicas=-1))


@case
def containers_without_name_or_image(api: Case) -> None:
    api.create(PODS, pod("p", {"image": "x"}))
    api.create(PODS, pod("p", container(), container()))
    api.create(PODS, pod("p", container("Bad_Name")))
    api.create(PODS, pod("p", container(ports=[{"containerPort": 70000}])))


@case
def selector_of_a_deployment_stays(api: Case) -> None:
    api.create(DEPLOYMENTS, deployment("web"), quiet=True)
    body = deployment("web", selector={"matchLabels": {"app": "web", "more": "x"}})
    body["spec"]["template"]["metadata"]["labels"]["more"] = "x"
    api.put(DEPLOYMENTS, "web", body)


@case
def service_ports_have_rules(api: Case) -> None:
    api.create(SERVICES, service("s", {"port": 0}))
    api.create(SERVICES, service("s", {"port": 80}, {"port": 81}))
    api.create(SERVICES, service("s", {"port": 80, "name": "a"}, {"port": 81, "name": "a"}))
    api.create(SERVICES, service("s", {"port": 80, "protocol": "HTTP"}))
    api.create(SERVICES, service("s", type="Strange"))


@case
def address_of_a_service_stays(api: Case) -> None:
    found = api.create(SERVICES, service("s"))
    body = service("s", {"port": 81})
    api.put(SERVICES, "s", {**body, "metadata": {"name": "s", "resourceVersion": found.version}})


@case
def type_of_a_secret_stays(api: Case) -> None:
    api.create(SECRETS, secret("s", type="Opaque"), quiet=True)
    api.put(SECRETS, "s", secret("s", type="kubernetes.io/tls"))


@case
def immutable_config_map_stays(api: Case) -> None:
    api.create(CMS, {**config_map("a"), "immutable": True})
    api.put(CMS, "a", {**config_map("a", {"a": "2"}), "immutable": True})
    api.put(CMS, "a", config_map("a"))
    api.put(CMS, "a", {**config_map("a", labels={"free": "yes"}), "immutable": True})


@case
def running_pod_may_change_its_image_only(api: Case) -> None:
    api.create(PODS, pod("p"), quiet=True)
    api.patch(PODS, "p", {"spec": {"containers": [{"name": "app", "image": "dev.local/app:2"}]}}, STRATEGIC)
    found = api.patch(PODS, "p", {"spec": {"restartPolicy": "Never"}}, quiet=True)
    api.note(found.status, found.body["reason"], found.body["details"]["causes"][0]["field"])


@case
def schema_of_a_widget_is_checked(api: Case) -> None:
    for spec in (
        {"size": "big"}, {"size": 11}, {"size": -1}, {"color": "blue"}, {"code": "UPPER"}, {"words": [1]},
        {"parts": [{"count": 1}]}, {"labels": {"a": 1}}, {"size": 1.5}, {"limit": True},
    ):  # fmt: skip
        found = api.create(WIDGETS, widget("w", spec), quiet=True)
        api.note(found.status, found.body["reason"], [cause["field"] for cause in found.body["details"]["causes"]])


@case
def schema_of_a_widget_speaks_like_this(api: Case) -> None:
    api.create(WIDGETS, widget("w", {"size": "big"}))
    api.create(WIDGETS, widget("w", {"color": "blue"}))
    api.create(WIDGETS, widget("w", {"size": 11}))


# Fields that nobody knows.


def _modes(api: Case, plural: str, body: Any) -> None:
    for mode in ("Strict", "Warn", "Ignore"):
        found = api.create(plural, body, fieldValidation=mode, dryRun="All", quiet=True)
        message = found.body.get("message") if found.status > 299 else sorted(found.body)
        api.note(mode, found.status, message, found.warnings)


@case
def unknown_field_of_a_config_map(api: Case) -> None:
    _modes(api, CMS, {**config_map("a"), "strange": 1})


@case
def unknown_field_deep_in_a_deployment(api: Case) -> None:
    _modes(api, DEPLOYMENTS, deployment("web", container(imagePullPolicies="x"), replica=3))


@case
def unknown_field_of_a_widget(api: Case) -> None:
    _modes(api, WIDGETS, widget("w", {"size": 1, "strange": 1, "parts": [{"name": "a", "b": 1}]}))


@case
def field_that_stands_twice(api: Case) -> None:
    _modes(api, CMS, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"1","x":"2"}}')
    _modes(api, WIDGETS, json.dumps(widget("w")).replace('"size"', '"size": 2, "size"'))


@case
def unknown_field_is_dropped(api: Case) -> None:
    api.create(WIDGETS, widget("w", {"size": 1, "strange": 1, "free": {"kept": 1}}))
    api.get(WIDGETS, "w")


@case
def mode_that_nobody_knows(api: Case) -> None:
    api.create(CMS, config_map("a"), fieldValidation="Loose")


@case
def value_of_another_type(api: Case) -> None:
    found = api.create(DEPLOYMENTS, deployment("web", replicas="three"), quiet=True)
    api.note(found.status, found.body["reason"], found.body["message"])
    found = api.create(CMS, config_map("a", {"n": 1}), quiet=True)
    api.note(found.status, found.body["reason"])


# Trying without doing.


@case
def dry_run_stores_nothing(api: Case) -> None:
    api.note(api.create(CMS, config_map("a"), dryRun="All", quiet=True).status)
    api.get(CMS, "a")
    api.create(CMS, config_map("a"), quiet=True)
    api.put(CMS, "a", config_map("a", {"a": "2"}), dryRun="All", quiet=True)
    api.patch(CMS, "a", {"data": {"b": "2"}}, dryRun="All", quiet=True)
    api.delete(CMS, "a", dryRun="All", quiet=True)
    api.get(CMS, "a")


@case
def dry_run_finds_problems(api: Case) -> None:
    api.create(CMS, config_map("Bad"), dryRun="All")
    api.create(CMS, config_map("a"), dryRun="Some")


# Updates.


@case
def update_replaces(api: Case) -> None:
    api.create(CMS, config_map("a", labels={"x": "y"}), quiet=True)
    api.put(CMS, "a", config_map("a", {"b": "2"}))
    api.get(CMS, "a")


@case
def update_of_an_old_version_conflicts(api: Case) -> None:
    for plural, body in ((CMS, config_map("a")), (WIDGETS, widget("a"))):
        old = api.create(plural, body, quiet=True)
        api.patch(plural, "a", {"metadata": {"labels": {"x": "y"}}}, quiet=True)
        api.put(plural, "a", old.body)


@case
def update_of_a_widget_needs_a_version(api: Case) -> None:
    api.create(WIDGETS, widget("a"), quiet=True)
    api.put(WIDGETS, "a", widget("a", {"size": 2}))


@case
def update_with_another_uid_conflicts(api: Case) -> None:
    found = api.create(CMS, config_map("a"), quiet=True)
    found.body["metadata"]["uid"] = "11111111-2222-3333-4444-555555555555"
    found = api.put(CMS, "a", found.body, quiet=True)
    api.note(found.status, found.body["reason"])


@case
def update_under_another_name_is_refused(api: Case) -> None:
    api.create(CMS, config_map("a"), quiet=True)
    api.put(CMS, "a", config_map("b"))


@case
def update_of_nothing(api: Case) -> None:
    for plural, body in (
        (CMS, config_map("a")),
        (DEPLOYMENTS, deployment("a")),
        (WIDGETS, widget("a", resourceVersion="1")),
    ):
        found = api.put(plural, "a", body, quiet=True)
        api.note(found.status, found.body["reason"])


@case
def same_update_changes_nothing(api: Case) -> None:
    for plural, body in ((CMS, config_map("a")), (DEPLOYMENTS, deployment("a")), (WIDGETS, widget("a"))):
        first = api.create(plural, body, quiet=True)
        second = api.put(plural, "a", first.body, quiet=True)
        api.note(second.status, first.version == second.version)


@case
def generation_counts_changes_of_the_spec(api: Case) -> None:
    for plural, body in ((DEPLOYMENTS, deployment("a")), (WIDGETS, widget("a"))):
        api.create(plural, body, quiet=True)
        numbers = []
        for change in (
            {"metadata": {"labels": {"x": "y"}}}, {"spec": {"replicas": 2}}, {"spec": {"replicas": 2}},
            {"status": {"replicas": 1}}, {"spec": {"replicas": 3}},
        ):  # fmt: skip
            numbers.append(api.patch(plural, "a", change, quiet=True).body["metadata"]["generation"])
        api.note(numbers)


@case
def identity_stays_through_updates(api: Case) -> None:
    found = api.create(WIDGETS, widget("a"), quiet=True)
    body = found.body
    body["metadata"] |= {"creationTimestamp": "2001-01-01T00:00:00Z", "generation": 70, "selfLink": "/x"}
    after = api.put(WIDGETS, "a", body, quiet=True).body["metadata"]
    api.note([after[key] == found.body["metadata"][key] for key in ("uid",)], after["generation"], "selfLink" in after)
