"""Cgroups: limits where they are allowed, and one line where not."""

import logging

from controller.local.cgroups import Cgroups, Limits

LIMITED = {"resources": {"limits": {"cpu": "250m", "memory": "64Mi"}}}
LIMITS = Limits(0.25, 64 << 20)


def test_limits_are_read_from_the_container():
    assert Limits.of(LIMITED) == LIMITS
    assert Limits.of({"resources": {"limits": {"memory": "1Gi"}}}) == Limits(None, 1 << 30)
    assert Limits.of({"resources": {"requests": {"cpu": "1"}}}) is None
    assert Limits.of({}) is None


def test_version_two_has_one_folder(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    group = Cgroups("penstock", tmp_path).of("app")
    group.hold(4711, LIMITS)
    folder = tmp_path / "penstock" / "app"
    assert (folder / "cpu.max").read_text() == "25000 100000"
    assert (folder / "memory.max").read_text() == str(64 << 20)
    assert (folder / "cgroup.procs").read_text() == "4711"
    (folder / "memory.events").write_text("oom 3\noom_kill 1\n")
    assert group.end()


def test_version_one_has_a_folder_for_each_controller(tmp_path):
    group = Cgroups("penstock", tmp_path).of("app")
    group.hold(4711, LIMITS)
    cpu, memory = tmp_path / "cpu/penstock/app", tmp_path / "memory/penstock/app"
    assert (cpu / "cpu.cfs_quota_us").read_text() == "25000"
    assert (memory / "memory.limit_in_bytes").read_text() == str(64 << 20)
    assert (memory / "cgroup.procs").read_text() == "4711"
    assert not group.end()


def test_where_it_is_not_allowed_one_line_says_so(tmp_path, caplog):
    (tmp_path / "cpu").write_text("no folder")
    groups = Cgroups("penstock", tmp_path)
    with caplog.at_level(logging.WARNING):
        assert groups.of("one") is None
        assert groups.of("two") is None
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "limits of CPU and memory are not kept"
    ]
