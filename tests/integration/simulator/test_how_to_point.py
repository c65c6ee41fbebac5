"""The programs of the how-to run as they stand."""

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.long
PAGE = "docs/how-to/point-your-own-bot-at-the-simulator.md"
TOLD = ["depthUpdate", "closed", "open", "'id': 9", "closed with 1001"]


@pytest.mark.parametrize("number", range(len(TOLD)))
def test_program_runs(root, tmp_path, number):
    programs = re.findall(r"```python\n(.*?)```", (root / PAGE).read_text(), re.DOTALL)
    assert len(programs) == len(TOLD)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", programs[number], str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert TOLD[number] in done.stdout, done.stdout
