"""What objects have when their authors did not say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.controller.api.sent import Api, make_service

SERVICE_SPEC = {"containers": [{"image": "example.com/demo"}]}


def revision_spec(admission: Any) -> dict[str, Any]:
    assert admission.message == ""
    spec: dict[str, Any] = admission.document["spec"]["template"]["spec"]
    return spec


def only_container(admission: Any) -> dict[str, Any]:
    containers: list[dict[str, Any]] = revision_spec(admission)["containers"]
    assert len(containers) == 1
    return containers[0]


@pytest.mark.spec("SC-002")
def test_without_traffic_all_of_it_goes_to_the_latest_revision(api: Api) -> None:
    assert api.service().document["spec"]["traffic"] == [{"latestRevision": True, "percent": 100}]
    assert api.service(traffic=[]).document["spec"]["traffic"] == [{"latestRevision": True, "percent": 100}]


@pytest.mark.spec("SC-062")
def test_a_target_is_the_latest_revision_unless_it_names_one(api: Api) -> None:
    traffic = [{"revisionName": "demo-1", "percent": 100}, {"tag": "next"}]
    assert api.service(traffic=traffic).document["spec"]["traffic"] == [
        {"revisionName": "demo-1", "latestRevision": False, "percent": 100},
        {"tag": "next", "latestRevision": True, "percent": 0},
    ]


@pytest.mark.spec("SC-049")
@pytest.mark.parametrize(("said", "stored"), [({}, 300), ({"timeoutSeconds": 0}, 300), ({"timeoutSeconds": 60}, 60)])
def test_a_revision_has_300_seconds(api: Api, said: dict[str, Any], stored: int) -> None:
    assert revision_spec(api.service({**SERVICE_SPEC, **said}))["timeoutSeconds"] == stored


@pytest.mark.spec("SC-050")
def test_the_configured_timeouts_are_the_defaults_and_smaller_ones_are_written_down(api: Api) -> None:
    api.configure("config-defaults", {"revision-timeout-seconds": "120"})
    followed = revision_spec(api.service(SERVICE_SPEC))
    assert followed["timeoutSeconds"] == 120
    assert "responseStartTimeoutSeconds" not in followed

    smaller = {"revision-response-start-timeout-seconds": "30", "revision-idle-timeout-seconds": "20"}
    api.configure("config-defaults", {"revision-timeout-seconds": "120", **smaller})
    written = revision_spec(api.service(SERVICE_SPEC))
    assert (written["responseStartTimeoutSeconds"], written["idleTimeoutSeconds"]) == (30, 20)

    short = revision_spec(api.service({**SERVICE_SPEC, "timeoutSeconds": 25}))
    assert "responseStartTimeoutSeconds" not in short
    assert short["idleTimeoutSeconds"] == 20


@pytest.mark.spec("SC-051")
def test_concurrency_is_the_configured_one(api: Api) -> None:
    assert revision_spec(api.service())["containerConcurrency"] == 0
    api.configure("config-defaults", {"container-concurrency": "7"})
    assert revision_spec(api.service())["containerConcurrency"] == 7
    assert revision_spec(api.service({**SERVICE_SPEC, "containerConcurrency": 0}))["containerConcurrency"] == 0


@pytest.mark.spec("SC-052")
@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ([""], ["user-container"]),
        (["", ""], ["user-container-0", "user-container-1"]),
        (["user-container-0", ""], ["user-container-0", "user-container-1"]),
        (["", "mine", ""], ["user-container-0", "mine", "user-container-1"]),
    ],
)
def test_containers_without_a_name_get_one_that_is_free(api: Api, said: list[str], stored: list[str]) -> None:
    containers: list[dict[str, Any]] = [{"image": "example.com/a", "name": name} for name in said]
    containers[0]["ports"] = [{"containerPort": 8080}]
    spec = revision_spec(api.service({"containers": containers}))
    assert [container["name"] for container in spec["containers"]] == stored


def test_a_container_whose_name_an_init_container_has_gets_a_number(api: Api) -> None:
    api.enable("kubernetes.podspec-init-containers")
    init = [{"image": "example.com/init", "name": "user-container"}]
    assert only_container(api.service({**SERVICE_SPEC, "initContainers": init}))["name"] == "user-container-0"


def test_the_template_of_a_name_sees_the_service(api: Api) -> None:
    api.configure("config-defaults", {"container-name-template": "{{.Name}}-{{.Namespace}}"})
    assert only_container(api.service())["name"] == "demo-default"


@pytest.mark.spec("SC-053")
def test_without_a_readiness_probe_the_port_is_asked_as_fast_as_it_goes(api: Api) -> None:
    assert only_container(api.container({}))["readinessProbe"] == {"tcpSocket": {"port": 0}, "successThreshold": 1}


@pytest.mark.spec("SC-054")
def test_a_period_brings_kubernetes_own_defaults(api: Api) -> None:
    slow = only_container(api.container({"readinessProbe": {"httpGet": {"path": "/"}, "periodSeconds": 10}}))
    assert slow["readinessProbe"] == {
        "httpGet": {"path": "/"}, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3,
        "timeoutSeconds": 1,
    }  # fmt: skip
    fast = only_container(api.container({"readinessProbe": {"periodSeconds": 0}}))
    assert fast["readinessProbe"] == {"periodSeconds": 0, "tcpSocket": {"port": 0}, "successThreshold": 1}


def test_a_grpc_probe_asks_for_the_empty_service(api: Api) -> None:
    probed = only_container(api.container({"readinessProbe": {"grpc": {"port": 8080}}}))
    assert probed["readinessProbe"] == {"grpc": {"port": 8080, "service": ""}, "successThreshold": 1}


@pytest.mark.spec("SC-055")
def test_mounts_are_read_only_unless_the_volume_is_meant_for_writing(api: Api) -> None:
    api.enable("kubernetes.podspec-persistent-volume-claim", "kubernetes.podspec-persistent-volume-write")
    volumes = [
        {"name": "settings", "configMap": {"name": "a"}},
        {"name": "key", "secret": {"secretName": "b"}},
        {"name": "both", "projected": {"sources": [{"secret": {"name": "b"}}]}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "disk", "persistentVolumeClaim": {"claimName": "c"}},
    ]
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes]
    containers = [{"image": "example.com/demo", "volumeMounts": mounts}]
    container = only_container(api.service({"containers": containers, "volumes": volumes}))
    assert [mount.get("readOnly") for mount in container["volumeMounts"]] == [True, True, True, None, None]


@pytest.mark.spec("SC-056")
def test_service_links_are_switched_off_on_create_only(api: Api) -> None:
    assert revision_spec(api.service())["enableServiceLinks"] is False
    old = make_service()
    assert "enableServiceLinks" not in revision_spec(api.send(make_service(), old))


@pytest.mark.spec("SC-057")
def test_service_links_can_be_left_to_kubernetes(api: Api) -> None:
    api.configure("config-defaults", {"enable-service-links": "default"})
    assert "enableServiceLinks" not in revision_spec(api.service())


@pytest.mark.spec("SC-058")
def test_configured_resources_fill_what_is_missing(api: Api) -> None:
    api.configure("config-defaults", {"revision-cpu-request": "100m", "revision-memory-limit": "1Gi"})
    container = only_container(api.container({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "4"}}}))
    assert container["resources"] == {"requests": {"cpu": "2"}, "limits": {"cpu": "4", "memory": "1Gi"}}
    assert only_container(api.service())["resources"] == {"requests": {"cpu": "100m"}, "limits": {"memory": "1Gi"}}


@pytest.mark.spec("SC-059")
def test_secure_defaults_leave_explicit_values(api: Api) -> None:
    api.enable("secure-pod-defaults")
    bare = only_container(api.container({"ports": [{"containerPort": 80}]}))
    assert bare["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        "runAsNonRoot": True,
    }
    said = {"allowPrivilegeEscalation": True, "runAsNonRoot": False, "capabilities": {"drop": ["NET_RAW"]}}
    kept = only_container(api.container({"securityContext": said}))
    assert kept["securityContext"] == {**said, "seccompProfile": {"type": "RuntimeDefault"}}


def test_root_may_be_bounded_without_being_refused(api: Api) -> None:
    api.enable("secure-pod-defaults", state="AllowRootBounded")
    assert "runAsNonRoot" not in only_container(api.container({}))["securityContext"]


def test_defaults_leave_a_template_whose_explicit_name_stays(api: Api) -> None:
    old = make_service(template={"name": "demo-one"})
    again = api.send(make_service(template={"name": "demo-one"}), old)
    assert revision_spec(again) == SERVICE_SPEC
    renamed = api.send(make_service(template={"name": "demo-two"}), old)
    assert revision_spec(renamed)["timeoutSeconds"] == 300


@pytest.mark.spec("SC-021")
def test_who_makes_an_object_signs_it(api: Api) -> None:
    api.user = "ann"
    assert api.service().document["metadata"]["annotations"] == {
        "serving.knative.dev/creator": "ann",
        "serving.knative.dev/lastModifier": "ann",
    }


@pytest.mark.spec("SC-022")
def test_who_changes_the_spec_signs_as_the_last_one(api: Api) -> None:
    api.user = "ann"
    old = api.service().document
    api.user = "bob"
    spec = {**old["spec"], "traffic": [{"latestRevision": True, "percent": 100, "tag": "new"}]}
    changed = api.send({**old, "spec": spec}, old).document["metadata"]["annotations"]
    assert changed == {"serving.knative.dev/creator": "ann", "serving.knative.dev/lastModifier": "bob"}

    labelled = {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}
    kept = api.send(labelled, old).document["metadata"]["annotations"]
    assert kept == {"serving.knative.dev/creator": "ann", "serving.knative.dev/lastModifier": "ann"}


def test_children_are_signed_by_nobody(api: Api) -> None:
    api.user = "ann"
    owner = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "demo", "uid": "1"}
    configuration = {
        "apiVersion": "serving.knative.dev/v1", "kind": "Configuration",
        "metadata": {"name": "demo", "namespace": "default", "ownerReferences": [owner]},
        "spec": {"template": {"spec": SERVICE_SPEC}},
    }  # fmt: skip
    assert "annotations" not in api.send(configuration).document["metadata"]


def test_defaults_applied_twice_are_the_same_as_once(api: Api) -> None:
    api.enable("secure-pod-defaults")
    once = api.service().document
    assert api.send(once, once).document == once


def test_an_ingress_rule_is_external_and_a_lone_backend_gets_everything(api: Api) -> None:
    split = {"serviceName": "a", "serviceNamespace": "default", "servicePort": 80}
    ingress = {
        "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Ingress",
        "metadata": {"name": "demo", "namespace": "default"},
        "spec": {"rules": [{"hosts": ["a.b"], "http": {"paths": [{"splits": [split]}]}}]},
    }  # fmt: skip
    once = api.send(ingress)
    assert once.message == ""
    assert once.document["spec"]["rules"] == [
        {"hosts": ["a.b"], "visibility": "ExternalIP", "http": {"paths": [{"splits": [{**split, "percent": 100}]}]}}
    ]
    assert api.send(once.document).document == once.document


def test_a_pod_autoscaler_writes_its_class_and_metric_down(api: Api) -> None:
    autoscaler = {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1", "kind": "PodAutoscaler",
        "metadata": {"name": "demo", "namespace": "default"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "demo-deployment"}},
    }  # fmt: skip
    annotations = api.send(autoscaler).document["metadata"]["annotations"]
    assert annotations == {
        "autoscaling.knative.dev/class": "kpa.autoscaling.knative.dev",
        "autoscaling.knative.dev/metric": "concurrency",
    }
