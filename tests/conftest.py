"""Where tests find real data and recorded responses, and when a skip is a failure.

`FREQFLEET_DATA` and `FREQFLEET_FIXTURES` name the folders; without them the sibling folder
`shared` is tried. With `FREQFLEET_NO_SKIPS=1` (set in CI) a test that would be skipped fails.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Servers that several folders of tests start; named here because pytest wants plugins at the top.
pytest_plugins = ["tests.contract.docker_engine", "tests.contract.journal_servers"]

# Machines that run tests are shared and slow at times; how long an example takes proves nothing.
_ANY_SPEED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# The same examples each time, so that a commit passes or fails; `make explore` draws others.
settings.register_profile("same", derandomize=True, **_ANY_SPEED)
settings.register_profile("explore", **_ANY_SPEED)
settings.load_profile("same")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def _folder(variable: str, default: Path) -> Path:
    return Path(os.environ.get(variable, default)).resolve()


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """A Freqtrade data folder with real Binance futures candles."""
    folder = _folder("FREQFLEET_DATA", SHARED / "data")
    if not (folder / "futures").is_dir():
        pytest.skip(f"no real candles at {folder}; set FREQFLEET_DATA")
    return folder


@pytest.fixture(scope="session")
def fixtures_dir() -> Path:
    """Recorded and documented exchange and bot responses."""
    folder = _folder("FREQFLEET_FIXTURES", SHARED / "fixtures")
    if not folder.is_dir():
        pytest.skip(f"no recorded responses at {folder}; set FREQFLEET_FIXTURES")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Turn a skip into a failure where everything is meant to be installed."""
    report = yield
    if report.skipped and os.environ.get("FREQFLEET_NO_SKIPS") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be skipped: {report.longrepr}"
    return report


@pytest.fixture
def freqfleet(tmp_path):
    """Run the `freqfleet` command as a user would, from a folder that is not the checkout."""

    def run(*arguments: str | Path, cwd: Path | None = None, **environment: str):
        command = [sys.executable, "-m", "automation", *map(str, arguments)]
        home = {"FREQFLEET_HOME": str(tmp_path / "home"), "NO_COLOR": "1", "COLUMNS": "200"}
        return subprocess.run(
            command,
            cwd=cwd or tmp_path,
            env={**os.environ, **home, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )

    return run
