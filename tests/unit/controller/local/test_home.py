"""Home: folders by XDG, and a lock that only the living hold."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.local.home import Home, HomeError, Running, Taken

ONE = Running(pid=7, port=8080, api="http://127.0.0.1:1", state="/s", since_s=1.0)


def home(folder: Path) -> Home:
    return Home.of({"XDG_STATE_HOME": str(folder / "state"), "XDG_RUNTIME_DIR": str(folder / "run")})


def test_folders_are_those_of_the_specification(tmp_path: Path) -> None:
    assert home(tmp_path).state == tmp_path / "state" / "penstock"
    assert home(tmp_path).runtime == tmp_path / "run" / "penstock"
    usual = Home.of({"HOME": "/home/a", "XDG_STATE_HOME": "relative"})
    assert (usual.state, usual.runtime) == (
        Path("/home/a/.local/state/penstock"), Path("/home/a/.local/state/penstock/run"),
    )  # fmt: skip


def test_another_state_folder_has_a_lock_of_its_own(tmp_path: Path) -> None:
    environment = {"HOME": "/h", "XDG_RUNTIME_DIR": str(tmp_path)}
    assert Home.of(environment, tmp_path / "a").runtime != Home.of(environment, tmp_path / "b").runtime
    assert Home.of(environment, Path("/h/.local/state/penstock")) == Home.of(environment)


def test_who_runs_is_known_as_long_as_the_lock_is_held(tmp_path: Path) -> None:
    here = home(tmp_path)
    lock = here.lock()
    assert here.running() is None, "it is not ready yet"
    here.write(ONE)
    assert here.running() == ONE
    with pytest.raises(Taken) as told:
        here.lock()
    assert told.value.running == ONE
    os.close(lock)
    assert here.running() is None, "a record that was left behind fools nobody"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(HomeError, match="XDG_STATE_HOME"):
        home(tmp_path).lock()
