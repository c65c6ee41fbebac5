"""Every rule of the kernel is needed: with any one removed, the random markets disagree."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from automation.worker.kernel.switches import ON, REMOVED_VARIABLE, Switches

PROGRAM = Path(__file__).parent / "removed_rules.py"


def test_the_product_follows_every_rule():
    assert Switches() == ON
    assert all(ON)
    assert REMOVED_VARIABLE not in os.environ


def test_a_test_build_leaves_out_what_it_is_told():
    code = "from automation.worker.kernel.switches import ON; print(*[n for n in ON._fields if not getattr(ON, n)])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, REMOVED_VARIABLE: "funding,locks"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["funding", "locks"]


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_no_rule_can_be_removed_unnoticed():
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "400", "7"],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout)
    assert set(found) == set(Switches._fields)
    assert [rule for rule, gave in found.items() if gave is None] == []
