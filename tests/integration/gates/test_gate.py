"""The whole gate with real Freqtrade: what passes, what fails, and that it says why."""

import json
import shutil
import subprocess

import pytest

# A network namespace of its own with nothing in it but the loopback.
ALONE = ("unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


def can_be_alone() -> bool:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0


def settle(repository, **changes: str) -> None:
    """Set fields of gate.yaml, and commit it: a changed gate would touch every strategy."""
    text = (repository.root / "gate.yaml").read_text()
    for name, value in changes.items():
        text = "".join(line for line in text.splitlines(True) if not line.startswith(f"{name}:"))
        text += f"{name}: {value}\n"
    repository.write("gate.yaml", text)
    repository.commit("settings")


def verdicts(document) -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in document["strategies"]}


@pytest.mark.timeout(900)
def test_pass_change_and_cache(gate, repository, checks, tmp_path):
    """One strategy as it stands, then unchanged in all but its words, then changed.

    All checks in the first run; afterwards only what the comparison needs.
    """
    settle(repository, windows="1")
    first = gate("--all", "--no-base", code=0)
    assert verdicts(first) == {"Crossing": "pass"}
    passed = checks(first, "pass")
    assert {"truncation", "recursive", "look-ahead", "zero trades", "runs"} <= passed.keys()
    assert not checks(first, "not judged")

    settle(repository, without="[look-ahead, recursive, truncation]")
    assert gate(code=0)["strategies"] == []  # nothing is touched

    repository.change(
        ("    def populate_entry_trend", "    # a remark\n    def populate_entry_trend")
    )
    same = gate(code=0)
    assert verdicts(same) == {"Crossing": "pass"}
    assert same["strategies"][0]["comparison"]["is_identical"]
    assert same["strategies"][0]["windows"] == first["strategies"][0]["windows"]

    repository.change(("timeperiod=20", "timeperiod=21"))
    changed = gate("--report", tmp_path / "report")
    assert verdicts(changed)["Crossing"] in {"changed, not worse", "fail"}
    assert len(changed["strategies"][0]["comparison"]["intervals"]) == 4
    assert (tmp_path / "report" / "gate.html").read_text().count('class="before"') >= 1
    kept = json.loads((tmp_path / "report" / "gate.json").read_text())
    assert kept == changed

    again = gate()
    assert again == changed


@pytest.mark.timeout(600)
@pytest.mark.skipif(not can_be_alone(), reason="network namespaces are not permitted here")
def test_without_any_network(gate, repository):
    """Backtests in an empty namespace; the analyses are the same program with the same exchange."""
    settle(repository, without="[look-ahead, recursive, truncation]")
    alone = gate("--all", "--no-base", code=0, within=ALONE)
    assert alone["passed"]
    assert len(alone["strategies"][0]["windows"]) == 2
