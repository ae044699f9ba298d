"""The pods of a revision, field by field."""

import copy

import pytest

from controller.serving.make.deployment import HASH_LABEL, deployment
from tests.unit.controller.serving.samples import SERVING, revision, settings

UID = f"{SERVING}/revisionUID"


def made(one=None, given=None, replicas=1):
    return deployment(one or revision(), given or settings(), replicas, "knative-serving")


def pod(one=None, given=None):
    return made(one, given)["spec"]["template"]["spec"]


def user(one=None, given=None):
    return pod(one, given)["containers"][0]


def env(container):
    return {each["name"]: each.get("value") for each in container["env"]}


@pytest.mark.spec("SC-154")
def test_the_sidecar_is_the_last_container():
    one = revision(containers=[{"image": "a", "ports": [{"containerPort": 1}]}, {"image": "b"}])
    assert [each["name"] for each in pod(one)["containers"]] == ["user-container-0", "user-container-1", "queue-proxy"]


@pytest.mark.spec("SC-155", "SC-156")
@pytest.mark.parametrize(("ports", "port"), [([], 8080), ([{"containerPort": 3000}], 3000)], ids=["none", "own"])
def test_the_app_is_told_its_port_and_its_names(ports, port):
    one = revision(containers=[{"image": "a", "ports": ports, "env": [{"name": "A", "value": "b"}]}])
    containers = pod(one)["containers"]
    assert [each["name"] for each in containers[0]["env"]] == [
        "A", "PORT", "K_REVISION", "K_CONFIGURATION", "K_SERVICE",
    ]  # fmt: skip
    told = env(containers[0])
    assert told == {
        "A": "b", "PORT": str(port), "K_REVISION": "hello-00001", "K_CONFIGURATION": "hello", "K_SERVICE": "hello",
    }  # fmt: skip
    assert containers[0]["ports"] == [{"name": "user-port", "containerPort": port, "protocol": "TCP"}]
    assert env(containers[1])["USER_PORT"] == str(port)


@pytest.mark.spec("SC-157", "SC-159")
def test_the_app_ends_after_the_sidecar_has_drained():
    container = user(revision(containers=[{"image": "a", "stdin": True, "tty": True}]))
    assert container["lifecycle"] == {"preStop": {"httpGet": {"port": 8022, "path": "/wait-for-drain"}}}
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert not {"stdin", "tty"} & set(container)
    own = user(revision(containers=[{"image": "a", "terminationMessagePolicy": "File"}]))
    assert own["terminationMessagePolicy"] == "File"


@pytest.mark.spec("SC-158")
@pytest.mark.parametrize(
    "probe",
    [{"httpGet": {"path": "/"}}, {"tcpSocket": {"port": 9}}, {"grpc": {"port": 9}}, None],
    ids=["http", "tcp", "grpc", "none"],
)
def test_a_readiness_probe_moves_to_the_sidecar(probe):
    container = {"image": "a"} | ({"readinessProbe": probe} if probe else {})
    containers = pod(revision(containers=[container]))["containers"]
    assert "readinessProbe" not in containers[0]
    assert containers[1]["readinessProbe"]["httpGet"] == {
        "port": 8012, "httpHeaders": [{"name": "K-Network-Probe", "value": "queue"}],
    }  # fmt: skip


@pytest.mark.spec("SC-158")
def test_a_command_stays_with_the_app_and_a_liveness_probe_goes_to_its_port():
    startup = {"httpGet": {"port": 7}}
    container = {
        "image": "a",
        "readinessProbe": {"exec": {"command": ["true"]}},
        "livenessProbe": {"httpGet": {"path": "/live", "port": 1}},
        "startupProbe": startup,
    }
    made = user(revision(containers=[container]))
    assert made["readinessProbe"]["exec"] == {"command": ["true"]}
    assert made["livenessProbe"]["httpGet"] == {"path": "/live", "port": 8080}
    assert made["startupProbe"] == startup
    many = settings(features={"multi-container-probing": "Enabled"})
    assert user(revision(containers=[container]), many)["livenessProbe"]["httpGet"]["port"] == 1


@pytest.mark.spec("SC-160")
def test_pods_may_take_as_long_to_end_as_a_request():
    assert pod(revision(timeoutSeconds=77))["terminationGracePeriodSeconds"] == 77


@pytest.mark.spec("SC-161")
def test_pods_rather_stand_on_different_nodes():
    (term,) = pod()["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["weight"] == 100
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert term["podAffinityTerm"]["labelSelector"] == {"matchLabels": {f"{SERVING}/revision": "hello-00001"}}
    own = {"nodeAffinity": {}}
    assert pod(revision(affinity=own))["affinity"] == own
    assert "affinity" not in pod(given=settings(deployment={"default-affinity-type": "none"}))


@pytest.mark.spec("SC-173")
def test_the_progress_deadline_is_the_annotations():
    assert made()["spec"]["progressDeadlineSeconds"] == 600
    own = revision(metadata={"annotations": {f"{SERVING}/progress-deadline": "1m30s"}})
    assert made(own)["spec"]["progressDeadlineSeconds"] == 90


@pytest.mark.spec("SC-174")
def test_annotations_are_handed_down_but_those_that_change():
    kept = {"a": "b", "features.knative.dev/x": "y"}
    left = {f"{SERVING}/{name}": "x" for name in ("lastPinned", "no-gc", "routingStateModified", "routes")}
    left |= {"autoscaling.knative.dev/min-scale": "1", "autoscaling.penstock.dev/algorithm": "knative"}
    found = made(revision(metadata={"annotations": kept | left}))
    assert found["metadata"]["annotations"] == kept
    assert found["spec"]["template"]["metadata"]["annotations"] == kept | {
        "kubectl.kubernetes.io/default-container": "user-container"
    }


@pytest.mark.spec("SC-175")
def test_pods_are_found_by_the_revisions_uid():
    found = made()
    assert found["spec"]["selector"] == {"matchLabels": {UID: "uid-of-hello-00001"}}
    labels = found["spec"]["template"]["metadata"]["labels"]
    assert labels[UID] == "uid-of-hello-00001"
    assert labels["app"] == labels[f"{SERVING}/revision"] == "hello-00001"
    assert f"{SERVING}/routingState" not in labels
    own = made(revision(metadata={"labels": {"app": "mine"}}))
    assert own["spec"]["template"]["metadata"]["labels"]["app"] == "mine"


@pytest.mark.spec("SC-176")
def test_the_hash_changes_with_what_is_rendered_and_with_nothing_else():
    def digest(**more):
        return made(**more)["metadata"]["labels"][HASH_LABEL]

    first = digest()
    assert digest(replicas=5) == digest(one=copy.deepcopy(revision())) == first
    reserve = revision(metadata={"labels": {f"{SERVING}/routingState": "reserve"}})
    assert digest(one=reserve) == first
    assert digest(given=settings(deployment={"queue-sidecar-image": "queue:2"})) != first
    assert digest(one=revision(timeoutSeconds=5)) != first


@pytest.mark.spec("SC-179")
def test_only_the_container_with_a_port_is_told_one():
    one = revision(containers=[{"image": "a"}, {"image": "b", "ports": [{"containerPort": 9000}]}])
    first, second, _ = pod(one)["containers"]
    assert "PORT" not in env(first)
    assert env(first)["K_SERVICE"] == "hello"
    assert env(second)["PORT"] == "9000"
    assert "ports" not in first


@pytest.mark.spec("SC-181")
def test_the_runtime_class_is_that_of_the_most_labels():
    given = settings(deployment={"runtime-class-name": "all: {}\nsome:\n  selector: {app: mine}\n"})
    assert pod(revision(metadata={"labels": {"app": "mine"}}), given)["runtimeClassName"] == "some"
    assert pod(given=given)["runtimeClassName"] == "all"
    assert pod(revision(runtimeClassName="own"), given)["runtimeClassName"] == "own"
    assert "runtimeClassName" not in pod()


def test_a_digest_goes_before_a_name():
    status = {"containerStatuses": [{"name": "user-container", "imageDigest": "example.com/app@sha256:1"}]}
    assert user(revision(status=status))["image"] == "example.com/app@sha256:1"


def test_a_rollout_takes_no_pod_away_before_another_serves():
    spec = made()["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}
    assert spec["revisionHistoryLimit"] == 0
    assert made()["metadata"]["name"] == "hello-00001-deployment"


def test_links_to_services_are_the_users_else_the_settings():
    assert pod()["enableServiceLinks"] is False
    assert pod(revision(enableServiceLinks=True))["enableServiceLinks"] is True
    assert "enableServiceLinks" not in pod(given=settings(defaults={"enable-service-links": "default"}))


def test_only_the_sidecar_gets_the_token_that_says_which_pod_it_is():
    given = settings(deployment={"queue-sidecar-announce-address": "autoscaler.knative-serving:8092"})
    made = pod(revision(volumes=[{"name": "own", "emptyDir": {}}]), given)
    token = {"audience": "readiness.penstock.dev", "expirationSeconds": 3600, "path": "token"}
    assert made["volumes"] == [
        {"name": "own", "emptyDir": {}},
        {"name": "penstock-announce", "projected": {"sources": [{"serviceAccountToken": token}]}},
    ]
    *others, sidecar = made["containers"]
    mount = {"name": "penstock-announce", "mountPath": "/var/run/secrets/penstock.dev", "readOnly": True}
    assert sidecar["volumeMounts"] == [mount]
    said = {"name": "PENSTOCK_ANNOUNCE_ADDRESS", "value": "autoscaler.knative-serving:8092"}
    assert sidecar["env"][-1] == said
    assert all("volumeMounts" not in one for one in others)


def test_without_the_setting_there_is_no_volume():
    assert "volumes" not in pod()
    assert "volumeMounts" not in pod()["containers"][-1]
