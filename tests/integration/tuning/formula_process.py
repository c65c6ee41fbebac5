"""One process's part in a study over a formula: `formula_process.py URL STUDY SECONDS_A_TRIAL`."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "tuning"))
from conftest import FormulaEngines

from automation.tuning.search import Search
from automation.tuning.storage import open_storage


class SlowEngines(FormulaEngines):
    """Takes its time for every trial."""

    def collect(self, timeout_s):
        answers = super().collect(timeout_s)
        time.sleep(float(sys.argv[3]) * max(1, len(answers)))
        return answers


def main() -> None:
    storage = open_storage(sys.argv[1])
    Search(storage, storage.study(sys.argv[2]), SlowEngines(width=2), lambda _: None).run()
    storage.close()


main()
