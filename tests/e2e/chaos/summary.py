"""Sums up what the full count came to: python -m tests.e2e.chaos.summary [FOLDER]

Prints a table, a row for each kind of fault, from the files that `test_two_hundred_faults` keeps;
without a folder from those of the present code.
"""

import json
import statistics
import sys
from pathlib import Path

from tests.e2e.chaos import kept
from tests.e2e.chaos.faults import FAULTS
from tests.e2e.chaos.flight import told

HEAD = (
    "| fault | flown | noticed after (median, worst) | all well after (median, worst) "
    "| longest without a stop | loss (median, worst) |\n|---|--:|--:|--:|--:|--:|"
)


def main(folder: Path) -> None:
    flown = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    seen = [one for flight in flown for one in flight["seen"]]
    told(f"{len(flown)} flights, {len(seen)} faults")
    told(HEAD)
    for fault in FAULTS:
        of_kind = [one for one in seen if one["fault"] == fault]
        if of_kind:
            told(row(fault, of_kind))


def row(fault: str, seen: list[dict]) -> str:
    noticed = [one["noticed_s"] for one in seen if one["noticed_s"] is not None]
    silent = len(seen) - len(noticed)
    cells = [
        fault, str(len(seen)), ", ".join(filter(None, [pair(noticed, "s"), silent and f"{silent} got over unseen"])),
        pair([one["well_s"] for one in seen], "s"),
        f"{max(one['naked_s'] for one in seen):.0f} s",
        pair([one["lost_usdt"] for one in seen if one["lost_usdt"] is not None], "USDT"),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def pair(values: list[float], unit: str) -> str:
    if not values:
        return ""
    return f"{statistics.median(values):.1f}, {max(values):.1f} {unit}"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else kept.folder(Path(__file__).parents[3]))
