"""The sidecar needs only what `requirements/sidecar.txt` pins: a Python that sees nothing else."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
REQUIREMENTS = REPOSITORY / "requirements"
WITHIN = """
import json, os, sys
allowed = set(json.loads(os.environ["ALLOWED"]))

class Refusal:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        is_ours = top in sys.stdlib_module_names or top.startswith("_sysconfigdata")
        if top not in allowed and not is_ours:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Refusal())
from automation.__main__ import main
sys.argv = ["freqfleet", *sys.argv[1:]]
main()
"""


def pins(name: str) -> set[tuple[str, str]]:
    """Tell the packages and versions of a lock; one package can have two, for two Pythons."""
    text = (REQUIREMENTS / name).read_text()
    return set(re.findall(r"^([a-z0-9._-]+)(?:\[.*?\])?==(\S+)", text, re.MULTILINE))


def packages_of(name: str) -> set[str]:
    """Tell the modules that the packages of a lock bring."""
    locked = {package for package, _ in pins(name)}
    found = importlib.metadata.packages_distributions()
    normal = {m: {re.sub(r"[-_.]+", "-", d).lower() for d in ds} for m, ds in found.items()}
    return {module for module, distributions in normal.items() if distributions & locked}


@pytest.fixture
def run(tmp_path):
    allowed = sorted(packages_of("sidecar.txt") | {"automation", "tradekit"})
    env = os.environ | {
        "ALLOWED": json.dumps(allowed),
        "FREQFLEET_HOME": str(tmp_path / "home"),
        "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'strategies'}",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", WITHIN, *arguments]
        return subprocess.run(
            command, env=env, check=False, capture_output=True, text=True, timeout=60
        )

    return run


@pytest.mark.parametrize("part", ["sidecar.txt", "bot.txt"])
def test_a_part_of_the_lock_has_the_versions_of_the_lock(part):
    assert len(pins(part)) > 40
    assert pins(part) <= pins("lock.txt")


def test_the_sidecar_is_pinned_without_freqtrade():
    assert not {"freqtrade", "ccxt"} & {package for package, _ in pins("sidecar.txt")}
    assert "freqtrade" not in packages_of("sidecar.txt")
    assert "freqtrade" in {package for package, _ in pins("bot.txt")}


@pytest.mark.parametrize("command", [(), ("up",), ("simulate",), ("status",), ("tune", "run")])
def test_help_works_without_freqtrade(run, command):
    done = run(*command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_a_command_of_the_sidecar_works_without_freqtrade(run):
    done = run("status", "--json")
    assert (done.returncode, "there is no fleet here" in done.stderr) == (2, True), done.stderr


def test_a_command_that_needs_more_says_where_to_run_it(run, tmp_path):
    done = run("gate", "run", "--bundle", str(tmp_path / "none"))
    assert done.returncode == 3
    assert "is not installed here" in done.stderr
    assert "bot image" in done.stderr
    assert "Traceback" not in done.stderr
