"""What this repository promises of its own gate: its bundle, its exemptions, its workflows."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from automation.backtest import find_strategy
from automation.gates.settings import load_settings
from automation.gates.sources import find_sources

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github").rglob("*.yml"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
COMMANDS = ("make ", ".venv/bin/freqfleet ", '"$GITHUB_ACTION_PATH/../../../.venv/bin/freqfleet" ')


def test_the_bundle_has_the_candles_of_every_strategy():
    listed = re.search(r"^GATE_TIMEFRAMES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed is not None
    declared = {
        find_strategy(one.name, ROOT / "strategies").timeframe
        for one in find_sources(ROOT / "strategies")
    }
    assert declared <= set(listed[1].split(","))


def test_a_change_of_one_strategy_touches_no_other(tmp_path):
    """Nothing in the pack makes every strategy depend on every other one."""
    folder = tmp_path / "strategies"
    shutil.copytree(ROOT / "strategies", folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = {one.name: one.fingerprint for one in find_sources(folder)}
    changed = folder / "MeanReversionStrategy.py"
    changed.write_text(changed.read_text() + "# more\n")
    after = {one.name: one.fingerprint for one in find_sources(folder)}
    assert [one for one in after if after[one] != before[one]] == ["MeanReversionStrategy"]


def test_what_is_not_judged_is_there_and_has_a_reason():
    skipped = load_settings(ROOT / "configs" / "gate.yaml").skip
    assert skipped.keys() <= {one.name for one in find_sources(ROOT / "strategies")}
    assert all(len(reason.split()) >= 5 for reason in skipped.values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_digest(path):
    used = [line.strip() for line in path.read_text().splitlines() if "uses:" in line]
    assert used
    for line in used:
        assert PINNED.search(line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_call_only_the_projects_own_commands(path):
    document = yaml.safe_load(path.read_text())
    jobs = document.get("jobs", {}).values()
    steps = [step for job in jobs for step in job["steps"]]
    steps += document.get("runs", {}).get("steps", [])
    for step in steps:
        if "run" in step:
            assert step["run"].startswith(COMMANDS), step["run"]


@pytest.mark.parametrize(
    ("touched", "gate", "is_green"),
    [
        ("success", "success", True),
        ("success", "skipped", True),  # nothing was touched
        ("success", "failure", False),
        ("success", "cancelled", False),
        ("success", "", False),
        ("failure", "skipped", False),
        ("cancelled", "success", False),
    ],
)
def test_the_required_check_is_green_only_when_all_was_judged(touched, gate, is_green):
    command = ["make", "-C", str(ROOT), "gate-verdict", f"TOUCHED={touched}", f"GATE={gate}"]
    assert (subprocess.run(command, capture_output=True, check=False).returncode == 0) == is_green


@pytest.mark.parametrize(
    "path", [one for one in WORKFLOWS if one.parent.name == "workflows"], ids=lambda path: path.name
)
def test_no_workflow_has_rights_that_no_job_asked_for(path):
    document = yaml.safe_load(path.read_text())
    assert document["permissions"] == {}
    assert all(
        "permissions" in job and "timeout-minutes" in job for job in document["jobs"].values()
    )
