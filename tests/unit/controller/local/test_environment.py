"""Environment: the variables of a container from everything that they may come from."""

import base64
import os

import pytest

from controller.local.environment import CONFIG_MAP, SECRET, Facts, decoded, expanded, needs_uid, sources, variables

FACTS = Facts(
    fields={"metadata.name": "hello-1", "metadata.uid": "u-1", "status.podIP": "127.64.0.1"},
    labels={"app": "hello"},
    annotations={"a/b": "noted"},
)
MAP = (CONFIG_MAP, "settings")
KEY = (SECRET, "keys")


def made(env=(), env_from=(), read=None, ours=None, **container):
    return variables({"env": env, "envFrom": env_from, **container}, FACTS, read or {}, ours or {})


def field(path):
    return {"name": "F", "valueFrom": {"fieldRef": {"fieldPath": path}}}


def test_references_see_what_stands_before_them():
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(C)-$$(A)"}, {"name": "C", "value": "3"}]
    assert made(env) == ({"A": "1", "B": "1$(C)-$(A)", "C": "3"}, [])


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$(A)", "x"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$x"),
        ("$A", "$A"),
        ("$(", "$("),
        ("$(N)", "$(N)"),
        ("100$", "100$"),
    ],
)
def test_references_follow_kubernetes(text, result):
    assert expanded(text, {"A": "x"}) == result


def test_ours_win_and_can_be_referred_to():
    env = [{"name": "PORT", "value": "8080"}, {"name": "URL", "value": "http://localhost:$(PORT)"}]
    assert made(env, ours={"PORT": "20001"})[0] == {"PORT": "20001", "URL": "http://localhost:20001"}


def test_all_keys_of_a_map_come_with_their_prefix_and_single_ones_win():
    env_from = [{"prefix": "P_", "configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}]
    env = [{"name": "k", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}}]
    read = {MAP: {"a": "1", "not a name": "2"}, KEY: decoded({"k": base64.b64encode(b"s").decode()})}
    assert made(env, env_from, read) == ({"P_a": "1", "k": "1"}, [])


def test_what_has_to_be_read_is_known_before():
    env = [{"name": "k", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a"}}}]
    assert sources({"env": env, "envFrom": [{"configMapRef": {"name": "settings"}}]}) == {MAP, KEY}


def test_the_pod_is_told_about_itself():
    for path, value in (
        ("metadata.name", "hello-1"), ("status.podIP", "127.64.0.1"), ("metadata.labels['app']", "hello"),
        ("metadata.annotations['a/b']", "noted"), ("metadata.labels['none']", ""),
    ):  # fmt: skip
        assert made([field(path)]) == ({"F": value}, [])
    assert needs_uid({"env": [field("metadata.uid")]})
    assert not needs_uid({"env": [field("metadata.name"), {"name": "A", "value": "1"}]})


def test_resources_are_told_in_units_of_the_divisor_and_rounded_up():
    limits = {"limits": {"cpu": "1500m", "memory": "100Mi"}}

    def resource(name, divisor="0"):
        source = {"resourceFieldRef": {"resource": name, "divisor": divisor}}
        return made([{"name": "R", "valueFrom": source}], resources=limits)[0]["R"]

    assert resource("limits.cpu") == "2"
    assert resource("limits.cpu", "1m") == "1500"
    assert resource("requests.memory", "1Mi") == "100"
    source = {"resourceFieldRef": {"resource": "limits.cpu"}}
    assert made([{"name": "R", "valueFrom": source}])[0]["R"] == str(os.cpu_count())


def test_all_problems_are_named_at_once_with_field_and_fix():
    env = [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "none"}}},
        field("spec.color"),
        {"name": "B", "valueFrom": {"fileKeyRef": {}}},
        {"name": "C", "valueFrom": {"resourceFieldRef": {"resource": "limits.gold"}}},
    ]
    said, problems = made(env, [{"secretRef": {"name": "keys"}}], {MAP: {"a": "1"}, KEY: None})
    assert said == {}
    assert [problem.partition(":")[0] for problem in problems] == [
        "envFrom[0].secretRef", "env[0].valueFrom.configMapKeyRef", "env[1].valueFrom.fieldRef.fieldPath",
        "env[2].valueFrom", "env[3].valueFrom.resourceFieldRef.resource",
    ]  # fmt: skip
    assert all("; " in problem for problem in problems)


def test_what_is_optional_may_be_missing():
    env = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a", "optional": True}}}]
    assert made(env, [{"configMapRef": {"name": "settings", "optional": True}}], {MAP: None, KEY: None}) == ({}, [])
