"""Up: one machine, one command: a real app from zero and back, revisions, traffic, and what is said of faults."""

from __future__ import annotations

import json
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.upfixture import PATIENCE_S, Machine, is_gone, machine

HOST = "hello.default.localhost"
SHORT = ("--annotation", "autoscaling.knative.dev/window=6s")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("up")) as made:
        yield made


def until_pods(here: Machine, name: str, count: int) -> None:
    """Returns when so many pods are there; fails with what the controllers say about it."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        said = here.json("explain", name)
        if sum(one["pods_ready"] + one["pods_starting"] for one in said["revisions"]) == count:
            return
    pytest.fail(f"{name} has not come to {count} pods: {json.dumps(said, indent=1)}")


def test_a_service_goes_from_a_folder_to_zero_and_through_two_revisions(here: Machine) -> None:
    folder = here.app("hello")
    made = here.json("deploy", folder, "--env", "WORD=first", *SHORT)
    assert made["status"]["url"] == f"http://{HOST}:{here.port}"
    assert here.get(HOST) == (200, "first")

    until_pods(here, "hello", 0)
    assert here.get(HOST) == (200, "first"), "a request to nothing is held until there is something"
    assert "asked for /" in here.run("logs", "hello").stdout

    here.run("deploy", folder, "--env", "WORD=second", "--no-traffic", *SHORT)
    assert {here.get(HOST)[1] for _ in range(3)} == {"first"}

    split = here.json("traffic", "hello", "--to", "1=50", "2=50", "--tag", "2=next")
    assert {one["revisionName"]: one["percent"] for one in split} == {"hello-00001": 50, "hello-00002": 50}
    assert {here.get(HOST)[1] for _ in range(40)} == {"first", "second"}
    assert here.get(f"next-{HOST}") == (200, "second")

    here.run("traffic", "hello", "--canary", "60,100", "--step", "100ms")
    assert {here.get(HOST)[1] for _ in range(5)} == {"second"}

    here.run("traffic", "hello", "--rollback")
    assert {here.get(HOST)[1] for _ in range(5)} == {"first"}

    said = here.run("explain", "hello").stdout
    for word in ("Revision hello-00001: 100 %", "why", "path", "gateway (1 connected)", "timeoutSeconds"):
        assert word in said
    here.run("delete", "hello")
    assert here.get(HOST)[0] == 404


def test_a_rollback_runs_what_the_folder_had_then(here: Machine) -> None:
    folder = here.app("rolled")
    here.run("deploy", folder, "--env", "WORD=w", *SHORT)
    (folder / "app.py").write_text((folder / "app.py").read_text().replace('os.environ["WORD"]', '"changed"'))
    assert here.get("rolled.default.localhost") == (200, "w")
    here.run("deploy", folder, "--env", "WORD=w", *SHORT)
    assert here.get("rolled.default.localhost") == (200, "changed")
    until_pods(here, "rolled", 1)
    here.run("traffic", "rolled", "--rollback")
    until_pods(here, "rolled", 0)
    assert here.get("rolled.default.localhost") == (200, "w"), "a new pod of the old revision"
    here.run("delete", "rolled")


def test_what_is_there_is_listed_and_described(here: Machine) -> None:
    here.run("deploy", here.app("listed"), "--env", "WORD=w", "--concurrency", 7, "--min-scale", 1)
    row = here.run("list").stdout.splitlines()[1].split()
    assert row[:3] == ["listed", "True", f"http://listed.default.localhost:{here.port}"]
    spec = here.json("describe", "listed")["service"]["spec"]["template"]
    assert spec["spec"]["containerConcurrency"] == 7
    assert spec["metadata"]["annotations"]["autoscaling.knative.dev/min-scale"] == "1"
    assert "listed-00001" in here.run("describe", "listed").stdout
    here.run("delete", "listed")


def test_a_second_one_says_where_the_first_one_runs(here: Machine) -> None:
    said = here.run("up", "--port", 0, status=1).stderr
    assert f"process {here.pid}, port {here.port}" in said
    assert str(here.state) in said


def test_secrets_are_for_their_owner_only(here: Machine) -> None:
    for name in ("kubeconfig", "api/token"):
        assert stat.S_IMODE((here.state / name).stat().st_mode) == 0o600


def test_an_unknown_service_brings_the_nearest_names(here: Machine) -> None:
    here.run("deploy", here.app("greeter"), "--env", "WORD=w")
    assert "did you mean greeter?" in here.run("describe", "greter", status=1).stderr
    told = json.loads(here.run("explain", "greter", "-o", "json", status=1).stderr)
    assert told == {"error": 'service "greter" is not there (namespace default)', "fix": "did you mean greeter?"}
    said = here.run("traffic", "greeter", "--to", "7=100", status=1).stderr
    assert 'revision "7" is not there' in said
    here.run("delete", "greeter")


def test_an_app_that_ends_at_once_is_explained_with_its_last_lines(here: Machine) -> None:
    folder = here.folder / "broken"
    folder.mkdir()
    (folder / "main.py").write_text("import sys; sys.exit('no database')")
    said = here.run("deploy", folder, "--timeout", "45s", status=1).stderr
    assert "broken has failed" in said
    explained = here.run("explain", "broken").stdout
    assert "no database" in explained
    assert "penstock logs broken" in explained
    here.run("delete", "broken")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["deploy", "nowhere"], "FOLDER: "),
        (["deploy", "."], "say it: --command"),
        (["deploy", ".", "--command", "x", "--name", "Big Name"], '--name: "Big Name"'),
        (["deploy", ".", "--command", "x", "--name", "n", "--env", "K"], "--env: 'K' is no K=V"),
        (["deploy", ".", "--command", "x", "--name", "n", "--timeout", "soon"], '--timeout: "soon"'),
        (["deploy", ".", "--command", "x", "--name", "n", "--min-scale", "-2"], "min-scale"),
        (["traffic", "x"], "exactly one of"),
        (["reset", "--yes"], "penstock runs"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_wrong_is_named_with_the_option(here: Machine, words: list[str], said: str) -> None:
    assert said in here.run(*words, status=1).stderr


def test_without_a_process_every_command_says_how_to_start_one(tmp_path: Path) -> None:
    made = Machine(tmp_path)
    for words in (["list"], ["describe", "x"], ["logs", "x"], ["explain", "x"], ["delete", "x"]):
        assert "penstock up" in made.run(*words, status=1).stderr
    assert made.run("down").stdout == "penstock does not run here\n"
    assert "nothing" in made.run("reset").stdout


def test_a_port_that_is_taken_is_named(here: Machine, tmp_path: Path) -> None:
    made = Machine(tmp_path)
    for words in (["up"], ["up", "--detach"]):
        assert f"--port: {here.port}" in made.run(*words, "--port", here.port, status=1).stderr


def test_services_are_there_again_after_the_next_start_and_gone_after_a_reset(tmp_path: Path) -> None:
    with machine(tmp_path) as made:
        made.run("deploy", made.app("stays"), "--env", "WORD=kept", *SHORT)
        made.run("down")
        made.up()
        assert made.get("stays.default.localhost") == (200, "kept")
    assert made.run("reset", status=1).stderr.startswith("penstock: nothing was deleted")
    made.run("reset", "--yes")
    assert list(made.state.iterdir()) == []


def test_after_a_kill_the_next_start_finds_everything_as_it_was(tmp_path: Path) -> None:
    with machine(tmp_path) as made:
        made.run("deploy", made.app("survivor"), "--env", "WORD=there", "--min-scale", 1)
        first, port = made.pid, made.port
        subprocess.run(["kill", "-9", str(first)], check=True)
        assert made.get("survivor.default.localhost") == (200, "there"), "traffic flows without its controllers"
        made.up(port)
        assert (made.port, made.pid != first) == (port, True)
        assert made.get("survivor.default.localhost") == (200, "there")


def test_what_a_kill_left_behind_is_told_of_and_ended(tmp_path: Path) -> None:
    with machine(tmp_path) as made:
        made.run("deploy", made.app("left"), "--env", "WORD=there", "--min-scale", 1)
        children = Path(f"/proc/{made.pid}/task/{made.pid}/children").read_text().split()
        pods = [json.loads(path.read_text()) for path in (made.state / "node" / "pods").glob("*.json")]
        pids = [one["pid"] for pod in pods for one in pod["containers"].values()]
        subprocess.run(["kill", "-9", str(made.pid)], check=True)
        until_gone([made.pid])
        said = made.run("list", status=1).stderr
        assert "a gateway and 1 pod" in said
        assert "penstock down" in made.run("reset", "--yes", status=1).stderr
        assert made.get("left.default.localhost") == (200, "there"), "nothing has ended yet"

        told = made.json("down")
        assert told == {"was_running": False, "left_behind": "a gateway and 1 pod"}
        until_gone([*map(int, children), *pids])
        assert made.run("down").stdout == "penstock does not run here\n"
        made.up()
        assert made.get("left.default.localhost") == (200, "there"), "the services are there again"


def until_gone(pids: list[int]) -> None:
    """Returns when all have ended."""
    end_s = time.monotonic() + PATIENCE_S
    while not all(map(is_gone, pids)):
        assert time.monotonic() < end_s, [pid for pid in pids if not is_gone(pid)]


def test_a_gateway_that_is_killed_comes_back(here: Machine) -> None:
    children = Path(f"/proc/{here.pid}/task/{here.pid}/children").read_text().split()
    gateway = next(pid for pid in children if b"penstock-gateway" in Path(f"/proc/{pid}/cmdline").read_bytes())
    here.run("deploy", here.app("lasting"), "--env", "WORD=still")
    end_s = time.monotonic() + PATIENCE_S
    kept = here.state / "routes.json"
    while not kept.exists() or "lasting" not in kept.read_text():
        assert time.monotonic() < end_s, "the gateway keeps its routes in a file"
    subprocess.run(["kill", "-9", gateway], check=True)
    while time.monotonic() < end_s:
        try:
            assert here.get("lasting.default.localhost") == (200, "still")
            break
        except OSError:
            continue
    else:
        pytest.fail("the gateway has not come back")
    here.run("delete", "lasting")


def test_completion_is_a_script(tmp_path: Path) -> None:
    assert "_PENSTOCK_COMPLETE" in Machine(tmp_path).run("completion", "bash").stdout
