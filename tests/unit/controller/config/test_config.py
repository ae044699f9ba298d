"""Config maps: what is read, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from controller.config.autoscaler import Autoscaler
from controller.config.deployment import Deployment
from controller.config.domain import Domain
from controller.config.features import FLAGS, Features
from controller.config.gc import Gc
from controller.config.network import Network
from controller.config.settings import MAPS, Settings, checksum, problems
from controller.config.template import Template


def refused(name: str, data: Mapping[str, str]) -> list[str]:
    return MAPS[name][1](data)[1]


def autoscaler(**data: str) -> list[str]:
    return refused("config-autoscaler", {key.replace("_", "-"): value for key, value in data.items()})


@pytest.mark.spec("SC-232")
@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("enable-scale-to-zero", "maybe", 'failed to parse data: failed to parse "enable-scale-to-zero"'),
        ("allow-zero-initial-scale", "2", 'failed to parse data: failed to parse "allow-zero-initial-scale"'),
        (
            "container-concurrency-target-percentage", "0",
            "container-concurrency-target-percentage = 0 is outside of valid range of (0, 100]",
        ),
        (
            "container-concurrency-target-percentage", "101",
            "container-concurrency-target-percentage = 1.01 is outside of valid range of (0, 100]",
        ),
        ("container-concurrency-target-default", "0.01", "can't be less than 0.01"),
        (
            "requests-per-second-target-default", "0",
            "requests-per-second-target-default must be at least 0.01, was: 0",
        ),
        (
            "target-burst-capacity", "-2",
            "target-burst-capacity must be either non-negative or -1 (for unlimited), was: -2",
        ),
        ("stable-window", "5s", "stable-window = 5s, must be in [6s; 1h0m0s] range"),
        ("stable-window", "61m", "stable-window = 1h1m0s, must be in [6s; 1h0m0s] range"),
        ("stable-window", "6.5s", "stable-window = 6.5s, must be specified with at most second precision"),
        ("panic-window-percentage", "0.5", "panic-window-percentage = 0.5, must be in [1, 100] interval"),
        ("max-scale-up-rate", "1", "max-scale-up-rate = 1, must be greater than 1.0"),
        ("max-scale-down-rate", "1", "max-scale-down-rate = 1, must be greater than 1.0"),
        ("activator-capacity", "0.9", "activator-capacity = 0.9, must be at least 1"),
        ("scale-to-zero-grace-period", "0s", "scale-to-zero-grace-period must be positive, was: 0s"),
        (
            "scale-to-zero-pod-retention-period", "-1s",
            "scale-to-zero-pod-retention-period cannot be negative, was: -1s",
        ),
        ("scale-down-delay", "-1s", "scale-down-delay cannot be negative, was: -1s"),
        ("scale-down-delay", "1.5s", "scale-down-delay = 1.5s, must be specified with at most second precision"),
        (
            "initial-scale", "0",
            "initial-scale = 0, must be at least 0 (or at least 1 when allow-zero-initial-scale is false)",
        ),
        ("min-scale", "-1", "min-scale = -1, must be at least 0"),
        ("max-scale", "-1", "max-scale = -1, must be in [0, max-scale-limit(0)] range"),
        ("max-scale-limit", "-1", "max-scale-limit = -1, must be at least 0"),
        ("max-scale-limit", "5", "max-scale = 0, must be in [1, max-scale-limit(5)] range"),
        ("algorithm", "magic", "algorithm = magic, must be one of knative, predictive"),
    ],
)  # fmt: skip
def test_the_autoscalers_bounds_hold(key: str, value: str, said: str) -> None:
    found = refused("config-autoscaler", {key: value})
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.spec("SC-232")
def test_the_autoscalers_defaults_and_bounds_are_right_themselves() -> None:
    assert autoscaler() == []
    assert autoscaler(min_scale="5", max_scale="3") == ["min-scale (5) must be less than max-scale (3)"]
    assert autoscaler(max_scale_limit="5", max_scale="5", min_scale="5") == []
    assert autoscaler(stable_window="1h", panic_window_percentage="100", panic_threshold_percentage="3") == []
    assert autoscaler(target_burst_capacity="-1", allow_zero_initial_scale="true", initial_scale="0") == []


def test_a_target_is_a_share_or_a_percentage() -> None:
    read = MAPS["config-autoscaler"][1]
    assert read({"container-concurrency-target-percentage": "0.5"})[0].target_fraction == 0.5
    assert read({"container-concurrency-target-percentage": "50"})[0].target_fraction == 0.5
    assert Autoscaler().target_fraction == 0.7


def test_all_problems_of_a_map_are_told_at_once_and_other_keys_do_not_matter() -> None:
    assert len(autoscaler(stable_window="x", max_scale_up_rate="0", tick_interval="2s", _example="a: b")) == 2


@pytest.mark.spec("SC-235")
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            {"revision-timeout-seconds": "700"},
            "revision-timeout-seconds (700) cannot be greater than max-revision-timeout-seconds (600)",
        ),
        (
            {"revision-response-start-timeout-seconds": "301"},
            "revision-response-start-timeout-seconds (301) cannot be greater than revision-timeout-seconds (300)",
        ),
        (
            {"revision-idle-timeout-seconds": "301"},
            "revision-idle-timeout-seconds (301) cannot be greater than revision-timeout-seconds (300)",
        ),
        ({"container-concurrency": "1001"}, "container-concurrency = 1001 is outside of the range 0 to"),
        ({"container-concurrency-max-limit": "0"}, "container-concurrency-max-limit = 0, must be at least 1"),
        ({"revision-cpu-request": "1x"}, 'failed to parse "revision-cpu-request": "1x" is no quantity'),
        ({"container-name-template": "{{.Nme}}"}, "there is no field .Nme; there are .Name, .Namespace"),
        ({"enable-service-links": "odd"}, 'failed to parse "enable-service-links"'),
    ],
    ids=str,
)
def test_defaults_fit_each_other(data: dict[str, str], said: str) -> None:
    found = refused("config-defaults", data)
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.spec("SC-234")
def test_a_pod_needs_a_sidecar() -> None:
    assert refused("config-deployment", {}) == ["queue-sidecar-image cannot be empty or unset"]
    assert refused("config-deployment", {"queueSidecarImage": "example.com/q"}) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"progress-deadline": "1.5s"}, "progress-deadline must be rounded to a whole second, was 1.5s"),
        ({"progress-deadline": "0s"}, "progress-deadline cannot be a non-positive duration, was 0s"),
        ({"digest-resolution-timeout": "-1s"}, "digest-resolution-timeout cannot be a non-positive duration, was -1s"),
        ({"default-affinity-type": "odd"}, "unsupported default-affinity-type value odd"),
        ({"queue-sidecar-cpu-limit": "odd"}, 'failed to parse "queue-sidecar-cpu-limit"'),
        ({"queue-sidecar-announce-address": "autoscaler"}, "use HOST:PORT of the autoscaler"),
        ({"runtime-class-name": "UPPER: {}"}, "UPPER is no name of a class"),
        ({"runtime-class-name": "a: {selector: 3}"}, "the selector of a must be a map of labels"),
        ({"runtime-class-name": "just text"}, "must be a map of class to selector"),
    ],
    ids=str,
)
def test_a_deployments_settings_are_checked(data: dict[str, str], said: str) -> None:
    found = refused("config-deployment", {"queue-sidecar-image": "q", **data})
    assert len(found) == 1
    assert said in found[0]


def test_the_sidecar_has_a_quarter_of_a_tenth_of_a_core() -> None:
    read = MAPS["config-deployment"][1]
    settings, _ = read(
        {"queue-sidecar-image": "q", "queueSidecarMemoryLimit": "1Gi", "queue-sidecar-tls-min-version": "1.3"}
    )
    assert settings.sidecar_requests == {"cpu": "25m"}
    assert settings.sidecar_limits == {"memory": "1Gi"}
    assert settings.sidecar_tls == {"min-version": "1.3"}
    assert settings.registries_skipping_tag_resolving == ("kind.local", "ko.local", "dev.local")
    unset, _ = read({"queue-sidecar-image": "q", "queue-sidecar-cpu-request": ""})
    assert unset.sidecar_requests == {}


@pytest.mark.spec("SC-181")
def test_the_class_of_the_most_labels_is_taken() -> None:
    classes = "plain: {}\nkata:\n  selector: {a: b}\ngvisor:\n  selector: {a: b}\nboth:\n  selector: {a: b, c: d}\n"
    settings: Deployment = MAPS["config-deployment"][1]({"queue-sidecar-image": "q", "runtime-class-name": classes})[0]
    assert settings.runtime_class({"a": "b", "c": "d"}) == "both"
    assert settings.runtime_class({"a": "b"}) == "gvisor"
    assert settings.runtime_class({}) == "plain"
    assert Deployment().runtime_class({}) == ""


@pytest.mark.spec("SC-122")
def test_the_domain_of_the_most_labels_wins() -> None:
    data = {
        "example.com": "",
        "b.example.com": "selector: {app: a}",
        "a.example.com": "selector: {app: a}",
        "both.example.com": "selector: {app: a, tier: b}",
        "_example": "not: [valid",
    }
    domain: Domain = MAPS["config-domain"][1](data)[0]
    assert domain.best({"app": "a", "tier": "b"}) == "both.example.com"
    assert domain.best({"app": "a"}) == "a.example.com"
    assert domain.best({}) == "example.com"
    assert Domain().best({}) == "svc.cluster.local"
    assert domain.rules[-1].type == "wildcard"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"example.com": "selector: {"}, 'failed to parse "example.com"'),
        ({"example.com": "- a"}, 'invalid configuration for domain "example.com"'),
        ({"example.com": "selector: [a]"}, 'invalid selector for domain "example.com"'),
        ({"example.com": "selector: {a: b}\ntype: odd"}, 'invalid type "odd" for domain "example.com"'),
        ({"not_a_domain": ""}, 'invalid domain "not_a_domain"'),
    ],
    ids=str,
)
def test_a_domain_that_cannot_be_read_is_refused(data: dict[str, str], said: str) -> None:
    found = refused("config-domain", data)
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.spec("SC-233")
@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"domain-template": "{{.Name}}.{{.Domain}}/path"}, "it must be a host, not empty and without a path"),
        ({"domain-template": ""}, "it must be a host, not empty and without a path"),
        ({"domain-template": "{{.Name"}, "unclosed action"),
        ({"domain-template": "{{.Nme}}"}, "there is no field .Nme"),
        ({"domain-template": "{{range .Name}}a"}, "is not supported; templates may have"),
        ({"domain-template": "-{{.Name}}"}, "which is no host"),
        ({"tagTemplate": "{{.Domain}}"}, "there is no field .Domain; there are .Name, .Tag"),
        ({"http-protocol": "odd"}, "http-protocol odd in config-network ConfigMap is not supported"),
        ({"cluster-local-domain-tls": "odd"}, "cluster-local-domain-tls = odd, must be enabled or disabled"),
        ({"rollout-duration": "-5"}, "rollout-duration must be a positive integer, but was -5"),
        ({"rollout-duration": "odd"}, 'failed to parse "rollout-duration"'),
        ({"default-external-scheme": "ftp"}, "default-external-scheme = ftp, must be http or https"),
        ({"internal-encryption": "odd"}, 'failed to parse "internal-encryption"'),
    ],
    ids=str,
)
def test_a_network_that_nobody_could_reach_is_refused(data: dict[str, str], said: str) -> None:
    found = refused("config-network", data)
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.spec("SC-136")
@pytest.mark.parametrize(("said", "seconds"), [("60", 60), ("60s", 60), ("1m", 60), ("0", 0)])
def test_a_rollout_is_a_number_of_seconds_or_a_duration(said: str, seconds: int) -> None:
    settings, found = MAPS["config-network"][1]({"rolloutDuration": said})
    assert (settings.rollout_duration_s, found) == (seconds, [])


def test_a_new_spelling_of_a_key_comes_before_the_old_one() -> None:
    read = MAPS["config-network"][1]
    settings: Network = read({"ingress-class": "new", "ingress.class": "old", "autoTLS": "Enabled"})[0]
    assert settings.ingress_class == "new"
    assert settings.external_domain_tls
    assert read({"ingress.class": "old"})[0].ingress_class == "old"
    assert read({"internal-encryption": "true"})[0].system_internal_tls
    assert not read({"internal-encryption": "true", "system-internal-tls": "disabled"})[0].system_internal_tls


def test_templates_render_names() -> None:
    network = Network()
    names = {"Name": "demo", "Namespace": "default", "Domain": "example.com", "Labels": {"a": "b"}, "Annotations": {}}
    assert network.domain_template.render(names) == "demo.default.example.com"
    assert network.tag_template.render({"Name": "demo", "Tag": "next"}) == "next-demo"
    fields = ("Name", "Namespace", "Domain", "Labels", "Annotations")
    made = Template('{{.Name}}-{{index .Labels "a"}}{{.Labels.c}}{{/* said */}}.{{- " x" -}} {{.Domain}}', fields)
    assert made.render(names) == "demo-b. xexample.com"
    chosen = (
        '{{if eq .Domain "x"}}x{{else if (index .Labels "a")}}{{.Name}}{{else}}z{{end}}{{if not .Labels.c}}!{{end}}'
    )
    assert Template(chosen, fields).render(names) == "demo!"
    assert Template('{{or .Labels.c "y"}}{{and .Name .Domain}}{{if ne .Name "demo"}}n{{end}}', fields).render(
        names
    ) == ("yexample.com")
    assert Template("a", ()) == Template("a", ())
    assert hash(Template("a", ())) == hash(Template("a", ()))
    assert repr(Template("a", ())) == "Template('a')"


@pytest.mark.parametrize(
    "text",
    [
        "{{if .Name}}a", "{{end}}", "{{else}}", "{{if .Name}}{{else}}{{else}}{{end}}", "{{eq .Name}}", "{{(.Name}}",
        "{{index .Name}}", "{{.Name .Name}}", "{{}}", "a}}", "{{not .Name .Name}}", "{{index .Labels .Name}}",
        "{{if}}{{end}}",
    ],
)  # fmt: skip
def test_a_template_that_cannot_be_understood_is_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match=r"not supported|without|does not take|should be|unclosed"):
        Template(text, ("Name", "Labels"))


@pytest.mark.spec("SC-153")
def test_a_garbage_collector_keeps_no_more_than_it_may() -> None:
    assert refused("config-gc", {"min-non-active-revisions": "30", "max-non-active-revisions": "5"}) == [
        "min-non-active-revisions(30) must be less than or equal to max-non-active-revisions(5)"
    ]
    assert len(refused("config-gc", {"retain-since-create-time": "-1s", "min-non-active-revisions": "-1"})) == 2
    off = dict.fromkeys(
        ("retain-since-create-time", "retain-since-last-active-time", "max-non-active-revisions"), "Disabled"
    )
    settings, found = MAPS["config-gc"][1](off)
    assert found == []
    assert settings == Gc(retain_since_create_s=None, retain_since_last_active_s=None, max_non_active=None)


def test_a_feature_has_three_states() -> None:
    data = {"multi-container": "disabled", "kubernetes.podspec-affinity": "ALLOWED", "autodetect-http2": "sometimes"}
    more = {"secure-pod-defaults": "allowrootbounded", "unknown": "Enabled"}
    settings, found = MAPS["config-features"][1]({**data, **more})
    assert found == ["autodetect-http2 = sometimes, must be one of Enabled, Allowed, Disabled"]
    assert settings.state("multi-container") == "Disabled"
    assert settings.is_open("kubernetes.podspec-affinity")
    assert not settings.is_enabled("kubernetes.podspec-affinity")
    assert settings.state("secure-pod-defaults") == "AllowRootBounded"
    assert {flag for flag in FLAGS if Features().is_enabled(flag)} == {
        "multi-container", "kubernetes.podspec-volumes-emptydir",
    }  # fmt: skip


@pytest.mark.spec("SC-230")
def test_a_map_with_a_problem_changes_nothing() -> None:
    settings, _ = Settings().changed("config-defaults", {"container-concurrency": "5"})
    same, found = settings.changed("config-defaults", {"container-concurrency": "-5"})
    assert same is settings
    assert len(found) == 1
    back, _ = settings.changed("config-defaults", {})
    assert back.defaults.container_concurrency == 0
    assert settings.changed("config-of-somebody-else", {"a": "b"}) == (settings, [])


@pytest.mark.spec("SC-231")
def test_whoever_writes_into_the_example_is_told() -> None:
    example = "\n# stable-window: 60s\n\n# more\n"
    data, annotations = {"_example": example}, {"knative.dev/example-checksum": checksum(example)}
    assert problems("config-autoscaler", data, annotations) == []
    found = problems("config-autoscaler", {"_example": example + "max-scale: 3"}, annotations)
    assert len(found) == 1
    assert 'settings belong directly below "data"' in found[0]
    assert problems("config-autoscaler", {"_example": example}, {}) == []
    assert problems("config-of-somebody-else", {"_example": "x"}, annotations) == []


def test_a_checksum_is_upstreams() -> None:
    assert checksum("  a\n\nb  ") == checksum("a\nb")
    assert checksum("a\nb") == "9fbadef3"


@pytest.mark.parametrize(
    ("data", "document"),
    [
        ({}, {}),
        ({"_example": "request-metrics-protocol: odd", "else": "x"}, {}),
        (
            {
                "request-metrics-protocol": "http/protobuf", "request-metrics-endpoint": "http://otel:4318",
                "request-metrics-export-interval": "90s",
            },
            {
                "requestMetrics": {
                    "protocol": "http/protobuf", "endpoint": "http://otel:4318", "exportInterval": 90_000_000_000,
                },
            },
        ),
        ({"metrics-protocol": "prometheus"}, {"metrics": {"protocol": "prometheus"}}),
        (
            {"tracing-protocol": "grpc", "tracing-endpoint": "otel:4317", "tracing-sampling-rate": "0.25"},
            {"tracing": {"protocol": "grpc", "endpoint": "otel:4317", "samplingRate": 0.25}},
        ),
        (
            {"runtime-profiling": "enabled", "runtime-export-interval": "15s"},
            {"runtime": {"profiling": "enabled", "exportInterval": 15_000_000_000}},
        ),
        (
            {"logging.enable-request-log": "true", "logging.enable-probe-request-log": "true"},
            {"enableRequestLog": True, "enableProbeRequestLog": True},
        ),
        (
            {"logging.enable-request-log": "false", "logging.request-log-template": ""}, {"requestLogTemplate": ""},
        ),
    ],
    ids=str,
)  # fmt: skip
def test_sidecars_are_told_what_to_log_count_and_trace(data: dict[str, str], document: dict[str, object]) -> None:
    settings, found = MAPS["config-observability"][1](data)
    assert found == []
    assert json.loads(settings.document) == document


def test_every_problem_of_observability_is_told() -> None:
    data = {
        "request-metrics-protocol": "odd", "metrics-export-interval": "-1s", "tracing-sampling-rate": "2",
        "tracing-protocol": "prometheus", "runtime-profiling": "on", "logging.enable-request-log": "maybe",
        "request-metrics-export-interval": "soon",
    }  # fmt: skip
    said = refused("config-observability", data)
    assert sorted(one.partition(" =")[0] for one in said if " = " in one) == [
        "request-metrics-protocol", "runtime-profiling", "tracing-protocol", "tracing-sampling-rate",
    ]  # fmt: skip
    assert "metrics-export-interval cannot be negative, was: -1s" in said
    for key in ("logging.enable-request-log", "request-metrics-export-interval"):
        assert any(f'failed to parse "{key}"' in one for one in said)
    assert len(said) == len(data)
