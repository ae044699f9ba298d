"""Refusals: what cannot be run on one machine is said by field, all at once."""

from controller.local.refusals import refusals


def test_an_ordinary_pod_is_not_refused():
    assert refusals({"containers": [{"name": "a", "readinessProbe": {"tcpSocket": {"port": 1}}}], "volumes": []}) == []


def test_everything_is_named_with_a_way_out():
    spec = {
        "volumes": [{"name": "data", "emptyDir": {}}, {"name": "conf", "configMap": {"name": "x"}}],
        "initContainers": [{"name": "setup"}],
        "containers": [{"name": "a", "livenessProbe": {"grpc": {"port": 1}}}],
    }
    said = refusals(spec)
    assert [one.partition(": ")[0] for one in said] == [
        "spec.volumes[0]", "spec.volumes[1]", "spec.initContainers", "spec.containers[0].livenessProbe.grpc",
    ]  # fmt: skip
    assert '"data" (emptyDir)' in said[0]
    assert '"conf" (configMap)' in said[1]
    assert all("; " in one for one in said)
