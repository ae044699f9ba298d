"""Program: how a folder is run, by what lies in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.cli.problem import Problem
from controller.cli.program import program


@pytest.mark.parametrize(
    ("name", "text", "command"),
    [
        ("main.py", "", ("python3", "-u", "main.py")),
        ("app.py", "", ("python3", "-u", "app.py")),
        ("Procfile", "worker: x\nweb: gunicorn app\n", ("sh", "-c", "exec gunicorn app")),
        ("package.json", '{"scripts": {"start": "node ."}}', ("npm", "start", "--silent")),
    ],
)
def test_a_folder_says_how_it_is_run(tmp_path: Path, name: str, text: str, command: tuple[str, ...]) -> None:
    folder = tmp_path / "My_App"
    folder.mkdir()
    (folder / name).write_text(text)
    found = program(folder, "", "")
    assert (found.name, found.folder, found.command) == ("my-app", folder, command)


def test_a_python_file_runs_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "greet.py").write_text("")
    found = program(tmp_path / "greet.py", "", "")
    assert (found.name, found.folder, found.command) == ("greet", tmp_path, ("python3", "-u", "greet.py"))


def test_a_command_comes_before_what_lies_there(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("")
    assert program(tmp_path, "x", "./serve --name 'a b'").command == ("./serve", "--name", "a b")


@pytest.mark.parametrize(
    ("name", "command", "what"),
    [
        ("x", "", "nothing in"),
        ("x", "'", "--command"),
        ("x", " ", "--command"),
        ("-x", "a", "--name"),
        ("a" * 64, "a", "--name"),
    ],
)
def test_what_is_wrong_names_the_argument(tmp_path: Path, name: str, command: str, what: str) -> None:
    with pytest.raises(Problem, match=what):
        program(tmp_path, name, command)
