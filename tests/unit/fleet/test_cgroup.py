"""Which cgroup may be divided, and what is written there; the kernel's part is in integration."""

import pytest

from automation.core.errors import Refusal
from automation.core.seams import ProcessLimits
from automation.fleet.bounds import name_limits
from automation.fleet.cgroup import NOTHING, Division, confine, find_division, missing

FILES = ("memory.max", "memory.oom.group", "memory.swap.max", "cpu.max", "pids.max", "cgroup.procs")
ALL = ProcessLimits(memory_mb=512, cpus=0.5, pids=64)


@pytest.fixture
def tree(tmp_path):
    """A /proc and a hierarchy as files; returns a function that says which group is ours."""

    def make(own: str, *, root: str = "/", controllers: str = "cpuset cpu io memory pids"):
        proc, top = tmp_path / "proc", tmp_path / "cgroup"
        proc.mkdir()
        (proc / "cgroup").write_text(f"0::{own}\n")
        mount = f"29 22 0:26 {root} {top} rw,nosuid - cgroup2 cgroup2 rw\n"
        (proc / "mountinfo").write_text(f"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n{mount}")
        group = top / own.removeprefix(root).lstrip("/")
        group.mkdir(parents=True)
        for path in (group, *group.parents):
            (path / "cgroup.controllers").write_text(controllers)
            (path / "cgroup.subtree_control").write_text("")
            if path == top:
                break
            (path / "cgroup.type").write_text("domain")
        return proc, group

    return make


def test_the_group_beside_the_supervisor_is_its_to_divide(tree):
    proc, group = tree("/system.slice/freqfleet@main.service/supervisor")
    assert find_division(proc) == Division(
        group.parent, frozenset({"cpuset", "cpu", "io", "memory", "pids"})
    )


def test_a_group_seen_through_a_mount_of_a_part_is_found(tree):
    proc, group = tree("/docker/abc/supervisor", root="/docker/abc")
    found = find_division(proc)
    assert isinstance(found, Division)
    assert found.path == group.parent


def test_the_root_of_the_hierarchy_may_be_divided(tree):
    proc, group = tree("/")
    found = find_division(proc)
    assert isinstance(found, Division)
    assert found.path == group


def test_a_group_that_holds_others_is_left_alone(tree):
    proc, _group = tree("/user.slice/user-1000.slice/session-3.scope")
    found = find_division(proc)
    assert isinstance(found, Refusal)
    assert "not its to divide" in found.reason
    assert "Delegate=" in found.reason


def test_a_system_without_cgroup_v2_is_told(tmp_path):
    assert find_division(tmp_path) == Refusal("this system has no cgroup v2")
    (tmp_path / "cgroup").write_text("4:memory:/\n")
    (tmp_path / "mountinfo").write_text("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    assert find_division(tmp_path) == Refusal("this system has no cgroup v2")


def test_a_group_that_cannot_be_written_is_told(tree):
    proc, group = tree("/system.slice/freqfleet@main.service/supervisor")
    (group.parent / "cgroup.subtree_control").unlink()
    found = find_division(proc)
    assert isinstance(found, Refusal)
    assert "cannot be written" in found.reason


def test_the_limits_are_written_in_the_kernels_units(tmp_path):
    division = Division(tmp_path, frozenset({"memory", "cpu", "pids"}))
    group = tmp_path / "bot"
    group.mkdir()
    for name in FILES:
        (group / name).write_text("")
    (tmp_path / "cgroup.subtree_control").write_text("")
    confine(division, "bot", 4321, ALL)
    assert {name: (group / name).read_text() for name in FILES} == {
        "memory.max": str(512 * 1024 * 1024),
        "memory.oom.group": "1",
        "memory.swap.max": "0",
        "cpu.max": "50000 100000",
        "pids.max": "64",
        "cgroup.procs": "4321",
    }
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +cpu +pids"


def test_a_limit_without_its_controller_is_missing_and_named():
    division = Division(NOTHING.path, frozenset({"cpu"}))
    assert missing(division, ALL) == ("memory_mb", "pids")
    assert missing(division, ProcessLimits(cpus=1.0, files=512)) == ()
    assert name_limits(missing(NOTHING, ALL)) == "memory_mb, cpus and pids are"
    assert name_limits(("cpus",)) == "cpus is"
    assert name_limits(()) == ""
