"""Tree: what of a folder makes an image, its digest, and its copy."""

import os
import socket

import pytest

from controller.local.tree import ImageError, Tree

COMMAND = ["python3", "app.py"]


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "app"
    made.mkdir()
    (made / "app.py").write_text("print(1)")
    return made


def digest(folder):
    return Tree(folder).digest(COMMAND)


def test_the_digest_is_of_names_modes_bytes_and_command_only(folder):
    base = digest(folder)
    for path in (folder / ".git" / "HEAD", folder / "__pycache__" / "app.pyc"):
        path.parent.mkdir()
        path.write_text("x")
    assert digest(folder) == base
    assert Tree(folder).digest(["true"]) != base
    (folder / "app.py").chmod(0o755)
    changed = digest(folder)
    assert changed != base
    (folder / "app.py").rename(folder / "main.py")
    assert digest(folder) not in (base, changed)


def test_a_link_counts_by_where_it_points_and_is_not_followed(folder):
    base = digest(folder)
    (folder / "loop").symlink_to(folder)
    linked = digest(folder)
    assert linked != base
    (folder / "loop").unlink()
    (folder / "loop").symlink_to("/")
    assert digest(folder) != linked


def test_a_copy_has_the_digest_of_its_source_and_shares_nothing_with_it(folder, tmp_path):
    (folder / "sub").mkdir()
    (folder / "sub" / "run").write_text("#!/bin/sh")
    (folder / "sub" / "run").chmod(0o751)
    (folder / "near").symlink_to("sub/run")
    (folder / "far").symlink_to("../beside")
    (tmp_path / "beside").write_text("b")
    copy = tmp_path / "elsewhere" / "deep" / "copy"
    Tree(folder).copy(copy)
    assert digest(copy) == digest(folder)
    assert (copy / "near").readlink() == (folder / "near").readlink()
    assert (copy / "far").read_text() == "b"
    assert (copy / "sub" / "run").stat().st_mode & 0o777 == 0o751
    assert (copy / "app.py").stat().st_ino != (folder / "app.py").stat().st_ino
    (folder / "app.py").write_text("print(2)")
    assert (copy / "app.py").read_text() == "print(1)"


def test_a_virtual_environment_is_used_where_it_lies(folder, tmp_path):
    (folder / ".venv").mkdir()
    (folder / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin")
    Tree(folder).copy(tmp_path / "copy")
    assert (tmp_path / "copy" / ".venv").readlink() == folder / ".venv"
    assert digest(tmp_path / "copy") == digest(folder)


def test_what_is_ignored_and_what_is_no_file_is_left_out(folder):
    (folder / ".penstockignore").write_text("# big\n*.bin   # models\n/data/raw/\n\n")
    (folder / "data" / "raw").mkdir(parents=True)
    (folder / "data" / "raw" / "one").write_text("1")
    (folder / "data" / "kept").write_text("1")
    (folder / "data" / "model.bin").write_text("1")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "sock"))
    assert [entry.path for entry in Tree(folder).entries] == [".penstockignore", "app.py", "data/kept"]


def test_a_tree_that_is_too_large_names_its_biggest_files(folder):
    (folder / "model").write_bytes(bytes(3 << 20))
    Tree(folder).check(4 << 20)
    with pytest.raises(
        ImageError, match=r"has 3\.0 MiB, .* may have 1\.0 MiB; .*: model \(3\.0 MiB\), .*penstockignore"
    ):
        Tree(folder).check(1 << 20)
