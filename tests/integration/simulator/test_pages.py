"""The examples in the pages, run as they stand."""

import re
import subprocess
import sys

import pytest

BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", ["write-a-scenario", "replay-a-seed"])
def test_the_first_example_runs(root, tmp_path, page):
    text = (root / "docs" / "how-to" / f"{page}.md").read_text()
    script = tmp_path / "example.py"
    script.write_text(BLOCK.findall(text)[0])
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
