"""What containers and pods of a revision may be, in the words of the refusal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.controller.api.sent import IMAGE, Api

AT = "spec.template.spec"
FIRST = f"{AT}.containers[0]"


def two_containers(*ports: list[dict[str, Any]]) -> dict[str, Any]:
    return {"containers": [{"image": IMAGE, "ports": found} for found in ports]}


@pytest.mark.spec("SC-067")
def test_a_pod_has_one_port_over_all_its_containers(api: Api) -> None:
    port = {"containerPort": 8080}
    assert f"missing field(s): {AT}.containers[*].ports" in api.service(two_containers([], [])).message
    assert api.service(two_containers([port], [])).message == ""
    refused = f"more than one container port is set: {AT}.containers[*].ports\nOnly a single port is allowed"
    assert refused in api.service(two_containers([port], [{"containerPort": 8081}])).message
    assert refused in api.service(two_containers([port, {"containerPort": 8081}])).message


def test_several_containers_can_be_switched_off(api: Api) -> None:
    api.configure("config-features", {"multi-container": "Disabled"})
    said = api.service(two_containers([{"containerPort": 8080}], [])).message
    assert "multi-container is off, but found 2 containers" in said


@pytest.mark.spec("SC-068")
def test_a_port_is_named_after_its_protocol_or_not_at_all(api: Api) -> None:
    refused = api.container({"ports": [{"containerPort": 8080, "name": "grpc"}]}).message
    assert refused == (
        f"validation failed: Port name grpc is not allowed: {FIRST}.ports\n"
        "Name must be empty, or one of: 'h2c', 'http1'"
    )
    accepted = [api.container({"ports": [{"containerPort": 8080, "name": name}]}) for name in ("h2c", "http1", "")]
    assert [each.message for each in accepted] == ["", "", ""]


@pytest.mark.spec("SC-069")
@pytest.mark.parametrize("port", [8012, 8013, 8022, 9090, 9091, 8008])
def test_the_sidecars_ports_are_reserved(api: Api, port: int) -> None:
    refused = f"invalid value: {port} is a reserved port: {FIRST}.ports.containerPort"
    assert refused in api.container({"ports": [{"containerPort": port}]}).message


@pytest.mark.spec("SC-069")
@pytest.mark.parametrize("port", [8080, 8112])
def test_other_ports_are_free(api: Api, port: int) -> None:
    assert api.container({"ports": [{"containerPort": port}]}).message == ""


def test_a_port_is_a_port_and_speaks_tcp(api: Api) -> None:
    said = api.container({"ports": [{"containerPort": 65536, "protocol": "UDP"}]}).message
    assert f"expected 0 <= 65536 <= 65535: {FIRST}.ports.containerPort" in said
    assert f"invalid value: UDP: {FIRST}.ports.protocol" in said


@pytest.mark.spec("SC-070")
def test_the_contracts_variables_are_reserved(api: Api) -> None:
    env = [{"name": "PORT"}, {"name": "K_SERVICE"}, {"name": ""}]
    said = api.container({"env": env}).message
    assert f'"PORT" is a reserved environment variable: {FIRST}.env[0].name' in said
    assert f'"K_SERVICE" is a reserved environment variable: {FIRST}.env[1].name' in said
    assert f"missing field(s): {FIRST}.env[2].name" in said
    sidecar = {"image": IMAGE, "env": [{"name": "PORT", "value": "1"}]}
    assert api.service({"containers": [{"image": IMAGE, "ports": [{}]}, sidecar]}).message == ""


def test_variables_come_from_one_source(api: Api) -> None:
    said = api.container({"envFrom": [{}, {"configMapRef": {"name": "a"}, "secretRef": {"name": "b"}}]}).message
    neither, both = (f"{FIRST}.envFrom[{index}]" for index in (0, 1))
    assert f"expected exactly one, got neither: {neither}.configMapRef, {neither}.secretRef" in said
    assert f"expected exactly one, got both: {both}.configMapRef, {both}.secretRef" in said


def test_downward_fields_need_their_flag(api: Api) -> None:
    env = {"env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]}
    assert f"must not set the field(s): {FIRST}.env[0].valueFrom.fieldRef" in api.container(env).message
    api.enable("kubernetes.podspec-fieldref", state="Allowed")
    assert api.container(env).message == ""


@pytest.mark.spec("SC-071")
def test_the_sidecars_name_is_reserved(api: Api) -> None:
    said = api.container({"name": "queue-proxy"}).message
    assert said == f'validation failed: "queue-proxy" is a reserved container name: {FIRST}.name'


@pytest.mark.spec("SC-072")
def test_the_devices_folder_is_reserved(api: Api) -> None:
    volume = {"volumes": [{"name": "a", "configMap": {"name": "a"}}]}
    mounts = [{"name": "a", "mountPath": path} for path in ("/dev/log/", "relative", "/x", "/x/")]
    said = api.container({"volumeMounts": mounts}, **volume).message
    assert f'mountPath "/dev/log" is a reserved path: {FIRST}.volumeMounts[0].mountPath' in said
    assert f"invalid value: relative: {FIRST}.volumeMounts[1].mountPath" in said
    assert f'invalid value: "/x/" must be unique: {FIRST}.volumeMounts[3].mountPath' in said


@pytest.mark.spec("SC-073")
def test_volumes_and_mounts_belong_together(api: Api) -> None:
    lonely = api.container({}, volumes=[{"name": "a", "configMap": {"name": "a"}}]).message
    assert lonely == f'validation failed: volume with name "a" not mounted: {AT}.volumes[0].name'
    missing = api.container({"volumeMounts": [{"name": "a", "mountPath": "/a"}]}).message
    assert f"volumeMount has no matching volume: {FIRST}.volumeMounts[0].name" in missing


@pytest.mark.spec("SC-075")
def test_claims_need_their_flags(api: Api) -> None:
    claim: dict[str, Any] = {"name": "a", "persistentVolumeClaim": {"claimName": "c"}}
    mounted = {"volumeMounts": [{"name": "a", "mountPath": "/a"}]}
    said = api.container(mounted, volumes=[claim]).message
    assert "Persistent volume claim support is disabled, but found persistent volume claim c" in said
    assert (
        "Persistent volume write support is disabled, but found persistent volume claim c that is not read-only" in said
    )
    assert f"must not set the field(s): {AT}.volumes[0].persistentVolumeClaim" in said

    api.enable("kubernetes.podspec-persistent-volume-claim")
    assert "write support is disabled" in api.container(mounted, volumes=[claim]).message
    read_only = {"name": "a", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}}
    reading = {"volumeMounts": [{"name": "a", "mountPath": "/a", "readOnly": True}]}
    assert api.container(reading, volumes=[read_only]).message == ""
    writing = api.container(mounted, volumes=[read_only]).message
    assert f"volume is readOnly but volume mount is not: {FIRST}.volumeMounts[0].readOnly" in writing

    both = ("kubernetes.podspec-persistent-volume-claim", "kubernetes.podspec-persistent-volume-write")
    api.enable(*both)
    assert api.container(mounted, volumes=[claim]).message == ""


def test_a_volume_has_one_source(api: Api) -> None:
    mounted = {"volumeMounts": [{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/b"}]}
    volumes = [{"name": "a"}, {"name": "b", "secret": {"secretName": "s"}, "configMap": {"name": "c"}}]
    said = api.container(mounted, volumes=volumes).message
    sources = ", ".join(f"{AT}.volumes[0].{name}" for name in ("configMap", "emptyDir", "projected", "secret"))
    assert f"expected exactly one, got neither: {sources}" in said
    assert f"expected exactly one, got both: {AT}.volumes[1].configMap, {AT}.volumes[1].secret" in said


def test_an_empty_folder_is_on_disk_or_in_memory(api: Api) -> None:
    mounted = {"volumeMounts": [{"name": "a", "mountPath": "/a"}]}
    said = api.container(mounted, volumes=[{"name": "a", "emptyDir": {"medium": "Tape", "sizeLimit": "-1Gi"}}]).message
    assert f"invalid value: Tape: {AT}.volumes[0].emptyDir.medium" in said
    assert f"invalid value: -1Gi: {AT}.volumes[0].emptyDir.sizeLimit" in said


@pytest.mark.spec("SC-076")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hostNetwork", True), ("nodeSelector", {"a": "b"}), ("affinity", {"nodeAffinity": {}}),
        ("priorityClassName", "high"), ("tolerations", [{"key": "a"}]), ("schedulerName", "mine"),
        ("runtimeClassName", "kata"), ("hostPID", True), ("hostIPC", True), ("dnsPolicy", "None"),
        ("dnsConfig", {"searches": ["a"]}), ("hostAliases", [{"ip": "127.0.0.1"}]), ("shareProcessNamespace", True),
        ("topologySpreadConstraints", [{"maxSkew": 1}]), ("securityContext", {"runAsUser": 1}),
    ],
)  # fmt: skip
def test_a_gated_field_needs_its_flag(api: Api, field: str, value: Any) -> None:
    assert f"must not set the field(s): {AT}.{field}" in api.container({}, **{field: value}).message
    api.enable(f"kubernetes.podspec-{field.lower()}", state="Allowed")
    assert api.container({}, **{field: value}).message == ""


@pytest.mark.spec("SC-077")
def test_init_containers_need_their_flag(api: Api) -> None:
    init: dict[str, Any] = {"image": IMAGE}
    said = api.container({}, initContainers=[init]).message
    assert "pod spec support for init-containers is off, but found 1 init containers" in said
    api.enable("kubernetes.podspec-init-containers")
    assert api.container({}, initContainers=[init]).message == ""
    probed = api.container({}, initContainers=[{**init, "livenessProbe": {"exec": {}}}]).message
    assert f"field not allowed in an init container: {AT}.initContainers[0].livenessProbe" in probed


@pytest.mark.spec("SC-078")
@pytest.mark.parametrize(
    ("field", "value"), [("lifecycle", {"preStop": {}}), ("stdin", True), ("tty", True), ("volumeDevices", [{}])]
)
def test_some_fields_of_a_container_are_ours(api: Api, field: str, value: Any) -> None:
    assert api.container({field: value}).message == f"validation failed: must not set the field(s): {FIRST}.{field}"


@pytest.mark.spec("SC-078")
def test_host_ports_are_refused(api: Api) -> None:
    said = api.container({"ports": [{"containerPort": 8080, "hostPort": 80}]}).message
    assert said == f"validation failed: must not set the field(s): {FIRST}.ports.hostPort"


@pytest.mark.parametrize(
    "spec",
    [
        {"restartPolicy": "Never"}, {"terminationGracePeriodSeconds": 5}, {"activeDeadlineSeconds": 5},
        {"nodeName": "a"}, {"hostname": "a"}, {"subdomain": "a"}, {"priority": 5}, {"readinessGates": [{}]},
        {"automountServiceAccountToken": True},
    ],
    ids=lambda spec: next(iter(spec)),
)  # fmt: skip
def test_a_field_that_no_revision_has_is_refused_by_name(api: Api, spec: dict[str, Any]) -> None:
    assert f"must not set the field(s): {AT}.{next(iter(spec))}" in api.container({}, **spec).message


def test_a_token_may_be_left_out(api: Api) -> None:
    assert api.container({}, automountServiceAccountToken=False).message == ""


@pytest.mark.spec("SC-079")
def test_no_container_is_privileged(api: Api) -> None:
    said = api.container({"securityContext": {"privileged": True, "capabilities": {"add": ["SYS_ADMIN"]}}}).message
    context = f"{FIRST}.securityContext"
    assert said == f"validation failed: must not set the field(s): {context}.capabilities.add, {context}.privileged"
    api.enable("kubernetes.containerspec-addcapabilities")
    assert api.container({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}).message == ""
    assert api.container({"securityContext": {"privileged": False}}).message == ""


def test_secure_defaults_let_a_low_port_be_bound(api: Api) -> None:
    api.enable("secure-pod-defaults")
    bind = {"securityContext": {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}}
    assert api.container(bind).message == ""


@pytest.mark.spec("SC-080")
def test_a_probe_has_one_handler(api: Api) -> None:
    probe = {"httpGet": {"path": "/"}, "tcpSocket": {}}
    said = api.container({"livenessProbe": probe}).message
    at = f"{FIRST}.livenessProbe"
    assert said == f"validation failed: expected exactly one, got both: {at}.httpGet, {at}.tcpSocket"
    none = api.container({"livenessProbe": {"periodSeconds": 1}}).message
    assert f"expected exactly one, got neither: {at}.exec, {at}.grpc, {at}.httpGet, {at}.tcpSocket" in none


@pytest.mark.spec("SC-081")
def test_the_fast_probe_has_no_threshold(api: Api) -> None:
    said = api.container({"readinessProbe": {"periodSeconds": 0, "failureThreshold": 3, "timeoutSeconds": 1}}).message
    at = f"{FIRST}.readinessProbe"
    assert f"failureThreshold is disallowed when periodSeconds is zero: {at}.failureThreshold" in said
    assert f"timeoutSeconds is disallowed when periodSeconds is zero: {at}.timeoutSeconds" in said


def test_a_probe_cannot_wait_for_less_than_nothing(api: Api) -> None:
    said = api.container({"readinessProbe": {"periodSeconds": -1, "successThreshold": -1}}).message
    assert f"expected 0 <= -1 <= 2147483647: {FIRST}.readinessProbe.periodSeconds" in said
    assert f"expected 1 <= -1 <= 2147483647: {FIRST}.readinessProbe.successThreshold" in said


@pytest.mark.spec("SC-082")
def test_a_probe_asks_the_port_that_there_is(api: Api) -> None:
    probe = {"livenessProbe": {"httpGet": {"port": "foo"}}}
    said = api.container({"ports": [{"containerPort": 8080}], **probe}).message
    at = f"{FIRST}.livenessProbe.httpGet.port"
    assert said == f"validation failed: invalid value: foo: {at}\nProbe port must match container port"


def test_a_sidecar_is_probed_only_with_the_flag_and_by_port(api: Api) -> None:
    def send(probe: dict[str, Any]) -> str:
        sidecar = {"image": IMAGE, "readinessProbe": probe}
        return api.service({"containers": [{"image": IMAGE, "ports": [{}]}, sidecar]}).message

    at = f"{AT}.containers[1].readinessProbe"
    assert f"must not set the field(s): {at}.tcpSocket" in send({"tcpSocket": {"port": 81}})
    api.enable("multi-container-probing")
    assert send({"tcpSocket": {"port": 81}}) == ""
    assert "Probe port must be specified" in send({"httpGet": {"path": "/"}})


@pytest.mark.spec("SC-083")
@pytest.mark.parametrize(
    "image", ["example.com/UPPER", "a b", "example.com/a:!", "example.com/a@sha256:12", "https://a.b/c", "a" * 256]
)
def test_an_image_that_no_registry_could_have_is_refused(api: Api, image: str) -> None:
    said = api.container({"image": image}).message
    assert f"Failed to parse image reference: {FIRST}.image\nimage: " in said


@pytest.mark.parametrize(
    "image",
    [
        "demo", "library/demo:1.2", "localhost:5000/a/b:tag", "dev.local/demo", f"example.com/a@sha256:{'0' * 64}",
        f"example.com/a:v1@sha256:{'a' * 64}", "localhost/demo",
    ],
)  # fmt: skip
def test_an_image_is_a_name_with_a_tag_or_a_digest(api: Api, image: str) -> None:
    assert api.container({"image": image}).message == ""


def test_a_container_has_an_image(api: Api) -> None:
    assert f"missing field(s): {FIRST}.image" in api.service({"containers": [{"name": "a"}]}).message
    assert f"missing field(s): {AT}.containers" in api.service({}).message


def test_accounts_ids_and_policies_are_checked(api: Api) -> None:
    context = {"runAsUser": -1, "runAsGroup": 2**31}
    said = api.container(
        {"securityContext": context, "terminationMessagePolicy": "Never"}, serviceAccountName="Not@Right"
    ).message
    assert f"expected 0 <= -1 <= 2147483647: {FIRST}.securityContext.runAsUser" in said
    assert f"expected 0 <= 2147483648 <= 2147483647: {FIRST}.securityContext.runAsGroup" in said
    assert f"invalid value: Never: {FIRST}.terminationMessagePolicy" in said
    assert f"invalid value: Not@Right: {AT}.serviceAccountName" in said


@pytest.mark.spec("SC-098")
def test_an_insecure_default_is_a_warning(api: Api) -> None:
    admission = api.container({})
    assert admission.is_allowed
    fields = ("allowPrivilegeEscalation", "capabilities", "runAsNonRoot", "seccompProfile")
    paths = ", ".join(f"{FIRST}.securityContext.{field}" for field in fields)
    assert admission.warning_texts == [
        f"Kubernetes default value is insecure, Knative may default this to secure in a future release: {paths}"
    ]
    spelled = api.container({"securityContext": {"capabilities": {"drop": ["all"]}}})
    assert spelled.is_allowed
    assert "Must be spelled as 'ALL'" in " ".join(spelled.warning_texts)


@pytest.mark.spec("SC-105")
def test_all_problems_are_told_at_once_each_with_all_its_fields(api: Api) -> None:
    containers = [{"image": IMAGE, "ports": [{}], "tty": True}, {"image": IMAGE, "stdin": True, "name": "queue-proxy"}]
    assert api.service({"containers": containers, "hostname": "a"}).message == (
        f'validation failed: "queue-proxy" is a reserved container name: {AT}.containers[1].name\n'
        f"must not set the field(s): {AT}.containers[0].tty, {AT}.containers[1].stdin, {AT}.hostname"
    )
