"""What the embedded API server does when it is killed, when the disk takes no more, and when callers are strangers."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.apiserverfixture import ROOT, Endpoint
from tests.system.kubeapi.samples import config_map
from tests.system.kubeapi.serve import embedded

MAPS = "/api/v1/namespaces/default/configmaps"


def create(http: httpx.Client, name: str, size_bytes: int = 1) -> httpx.Response:
    return http.post(MAPS, json=config_map(name, {"a": "x" * size_bytes}))


def names(http: httpx.Client) -> set[str]:
    return {item["metadata"]["name"] for item in http.get(MAPS).json()["items"]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Endpoint, subprocess.Popen[str], httpx.Client]]:
    with embedded(tmp_path) as (endpoint, process), endpoint.client() as http:
        yield endpoint, process, http


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    answered: set[str] = set()
    with embedded(tmp_path) as (endpoint, process), endpoint.client() as http:
        threading.Timer(0.5, process.send_signal, [signal.SIGKILL]).start()
        try:
            while True:
                name = f"c{len(answered)}"
                assert create(http, name).status_code == 201
                answered.add(name)
        except httpx.TransportError:
            process.wait()

    assert answered
    with embedded(tmp_path) as (endpoint, _), endpoint.client() as http:
        assert answered <= names(http)
        assert create(http, "after").status_code == 201


def test_versions_only_grow_and_old_watches_expire_after_a_restart(tmp_path: Path) -> None:
    with embedded(tmp_path) as (endpoint, _), endpoint.client() as http:
        first = create(http, "a").json()["metadata"]["resourceVersion"]
        last = int(create(http, "b").json()["metadata"]["resourceVersion"])
        assert http.delete(f"{MAPS}/b").status_code == 200

    with embedded(tmp_path) as (endpoint, _), endpoint.client() as http:
        listed = http.get(MAPS).json()["metadata"]["resourceVersion"]
        assert int(listed) > last
        with http.stream("GET", MAPS, params={"watch": "true", "resourceVersion": first}) as stream:
            event = json.loads(next(stream.iter_lines()))
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
        with http.stream("GET", MAPS, params={"watch": "true", "resourceVersion": listed}) as stream:
            create(http, "c")
            assert json.loads(next(stream.iter_lines()))["object"]["metadata"]["name"] == "c"


def test_deletions_under_way_are_finished_after_a_restart(tmp_path: Path) -> None:
    with embedded(tmp_path) as (endpoint, process), endpoint.client() as http:
        owner = create(http, "owner").json()["metadata"]["uid"]
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner}
        http.post(MAPS, json=config_map("child", ownerReferences=[reference]))
        process.kill()
        process.wait()
    with sqlite3.connect(tmp_path / "objects.db") as file:
        file.execute("delete from objects where name = 'owner'")

    with embedded(tmp_path) as (endpoint, _), endpoint.client() as http:
        version = http.get(MAPS).json()["metadata"]["resourceVersion"]
        params = {"watch": "true", "fieldSelector": "metadata.name=child", "resourceVersion": version}
        if "child" in names(http):
            with http.stream("GET", MAPS, params=params) as stream:
                assert json.loads(next(stream.iter_lines()))["type"] == "DELETED"
        assert "child" not in names(http)


def test_a_full_disk_is_an_error_and_no_damage(server: tuple[Endpoint, subprocess.Popen[str], httpx.Client]) -> None:
    _, process, http = server
    assert create(http, "before").status_code == 201
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100_000, hard))
    refused = create(http, "big", 500_000)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (soft, hard))

    assert (refused.status_code, refused.json()["reason"]) == (500, "InternalError")
    assert "the object cannot be stored" in refused.json()["message"]
    assert http.get(f"{MAPS}/big").status_code == 404
    assert create(http, "big", 500_000).status_code == 201
    assert names(http) == {"before", "big"}


def test_a_locked_file_is_an_error_and_passes(
    server: tuple[Endpoint, subprocess.Popen[str], httpx.Client], tmp_path: Path
) -> None:
    _, _, http = server
    stranger = sqlite3.connect(tmp_path / "objects.db", isolation_level=None)
    try:
        stranger.execute("begin immediate")
        refused = create(http, "a")
        assert http.get("/api/v1/namespaces/default").status_code == 200
        stranger.execute("rollback")
    finally:
        stranger.close()

    assert refused.status_code == 500
    assert "database is locked" in refused.json()["message"]
    assert create(http, "a").status_code == 201


def test_a_second_server_says_where_the_first_one_is(
    server: tuple[Endpoint, subprocess.Popen[str], httpx.Client], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.system.kubeapi.serve", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)

    assert done.returncode != 0
    assert f"{tmp_path}/objects.db: another server has it open" in done.stderr


def test_strangers_get_nothing_but_health(server: tuple[Endpoint, subprocess.Popen[str], httpx.Client]) -> None:
    endpoint, _, _ = server
    found: dict[str, Any] = {}
    for name, headers in (("none", {}), ("wrong", {"Authorization": "Bearer wrong"})):
        found[name] = httpx.get(f"{endpoint.url}/api/v1/namespaces", headers=headers)

    assert {answer.status_code for answer in found.values()} == {401}
    assert found["none"].json()["reason"] == "Unauthorized"
    assert httpx.get(f"{endpoint.url}/readyz").status_code == 200


def test_secrets_are_for_their_owner(
    server: tuple[Endpoint, subprocess.Popen[str], httpx.Client], tmp_path: Path
) -> None:
    for name in ("kubeconfig", "token", "server.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    kept = (tmp_path / "token").read_text()
    endpoint, process, _ = server
    process.terminate()
    process.wait()
    with embedded(tmp_path) as (again, _):
        assert again.token == kept == endpoint.token


def test_a_watch_ends_when_the_server_does(server: tuple[Endpoint, subprocess.Popen[str], httpx.Client]) -> None:
    _, process, http = server
    with http.stream("GET", MAPS, params={"watch": "true"}) as stream:
        process.terminate()
        assert list(stream.iter_lines()) == []
    assert process.wait(10) == 0


def test_many_watches_hear_one_change(server: tuple[Endpoint, subprocess.Popen[str], httpx.Client]) -> None:
    endpoint, _, http = server
    clients = [endpoint.client() for _ in range(20)]
    streams = []
    try:
        for client in clients:
            request = client.build_request("GET", MAPS, params={"watch": "true"})
            streams.append(client.send(request, stream=True))
        create(http, "a")
        heard = [json.loads(next(stream.iter_lines()))["object"]["metadata"]["name"] for stream in streams]
    finally:
        for stream in streams:
            stream.close()
        for client in clients:
            client.close()

    assert heard == ["a"] * 20
