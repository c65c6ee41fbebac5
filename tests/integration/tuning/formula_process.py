"""One process's part in a study over a formula: `formula_process.py URL STUDY SECONDS_A_TRIAL`."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "tuning"))
from conftest import FormulaEngines

from automation.core.errors import TransientError
from automation.tuning.search import Search
from automation.tuning.storage import open_storage


class SlowEngines(FormulaEngines):
    """Takes its time for every trial."""

    def collect(self, timeout_s):
        answers = super().collect(timeout_s)
        time.sleep(float(sys.argv[3]) * max(1, len(answers)))
        return answers


def opened(url):
    """Open the storage; the server may be restarting just now."""
    end = time.monotonic() + 60
    while True:
        try:
            return open_storage(url)
        except TransientError:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


def main() -> None:
    storage = opened(sys.argv[1])
    Search(storage, storage.study(sys.argv[2]), SlowEngines(width=2), lambda _: None).run()
    storage.close()


main()
