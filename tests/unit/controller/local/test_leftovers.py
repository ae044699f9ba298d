"""Leftovers: what a killed `up` left behind is found and ended; a number that was given again is nobody's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from controller.local.home import Home
from controller.local.leftovers import Leftovers
from controller.local.process import birth
from controller.local.records import PodRecord, ProcessRecord, look, take

TICKS = 1


def sleeper(*, stubborn: bool = False) -> subprocess.Popen[bytes]:
    """A process in a session of its own, which has said that it runs."""
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if stubborn else ""
    code = f"import signal; {ignore} print('runs', flush=True); signal.pause()"
    made = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert made.stdout is not None
    made.stdout.readline()
    return made


def noted(home: Home, name: str, pid: int, born: int) -> None:
    home.node_pods.mkdir(parents=True, exist_ok=True)
    one = ProcessRecord(pid=pid, born=born, restarts=0, since="")
    record = PodRecord(namespace="d", name=name, uid="u", address="127.1.0.1", port=1, containers={"app": one})
    (home.node_pods / f"d_{name}.json").write_bytes(msgspec.json.encode(record))


def test_processes_end_and_a_number_that_was_given_again_is_left_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "state", tmp_path / "run")
    ours, other = sleeper(), sleeper()
    with ours, other:
        try:
            noted(home, "ours", ours.pid, birth(ours.pid) or 0)
            noted(home, "other", other.pid, (birth(other.pid) or 0) - TICKS)
            found = Leftovers.find(home)
            assert str(found) == "1 pod"
            found.end()
            assert ours.wait() != 0
            assert other.poll() is None
            assert [record.name for record in take(home.node_pods).values()] == ["other"]
            assert look(home.node_pods) == []
            assert not Leftovers.find(home)
        finally:
            ours.kill()
            other.kill()


def test_one_that_does_not_listen_to_term_is_killed(tmp_path: Path) -> None:
    home = Home(tmp_path / "state", tmp_path / "run")
    with sleeper(stubborn=True) as stubborn:
        try:
            noted(home, "stubborn", stubborn.pid, birth(stubborn.pid) or 0)
            Leftovers.find(home).end(stop_s=0.05)
            assert stubborn.wait() == -9
        finally:
            stubborn.kill()


def test_a_folder_without_anything_has_nothing_left(tmp_path: Path) -> None:
    assert not Leftovers.find(Home(tmp_path / "state", tmp_path / "run"))
