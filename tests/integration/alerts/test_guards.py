"""Each guard is taken away in turn, and the suite must notice.

The table is in docs/reference/alerts.md.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
UNIT = HERE.parents[1] / "unit" / "alerts"

NOTICED_BY = {
    "outbox": [HERE / "test_delivery.py", "-k", "after_a_restart"],
    "dedup": [UNIT / "test_core.py"],
    "inhibition": [UNIT / "test_mutes.py"],
    "silence": [UNIT / "test_mutes.py"],
    "quiet_hours": [UNIT / "test_mutes.py"],
    "back_off": [HERE / "test_delivery.py", "-k", "429 or pauses"],
    "breaker_itself": [HERE / "test_delivery.py", "-k", "fallback"],
    "hasten": [HERE / "test_delivery.py", "-k", "gets_through"],
    "limit": [UNIT / "test_speaking.py", "-k", "not storm"],
    "fallback": [HERE / "test_delivery.py", "-k", "fallback"],
    "escape": [UNIT / "test_rendering.py", "-k", "stays_text"],
    "plain_facts": [UNIT / "test_rendering.py", "-k", "broken_template"],
    "taken": [HERE / "test_delivery.py", "-k", "twice"],
    "steady_time": [UNIT / "test_values.py"],
}


def run(tests, guard):
    env = {**os.environ, "PYTHONPATH": str(HERE), "FREQFLEET_WITHOUT": guard}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "without",
        "-p",
        "no:cacheprovider",
    ]
    return subprocess.run(
        [*command, *map(str, tests)], env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.long
@pytest.mark.parametrize("guard", NOTICED_BY)
def test_the_suite_notices_when_a_guard_is_gone(guard):
    done = run(NOTICED_BY[guard], guard)
    assert done.returncode == 1, f"nothing failed without {guard}:\n{done.stdout[-2000:]}"
    assert "failed" in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("tests", {str(tests): tests for tests in NOTICED_BY.values()}.values())
def test_the_same_tests_pass_with_all_guards(tests):
    done = run(tests, "")
    assert done.returncode == 0, done.stdout[-3000:]
