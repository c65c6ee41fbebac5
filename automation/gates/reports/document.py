"""The answer as one JSON document, for programs."""

import math
from dataclasses import asdict
from typing import Any

from automation.gates.verdicts import GateReport, StrategyReport

FORMAT = 1


def document(report: GateReport) -> dict[str, Any]:
    """Write the report as plain values; what is not finite becomes null."""
    plain: dict[str, Any] = _finite(
        {
            "kind": "freqfleet-gate",
            "format": FORMAT,
            "passed": report.passed,
            "headline": report.headline,
            "bundle": report.bundle,
            "timerange": report.timerange,
            "pairs": list(report.pairs),
            "windows": list(report.windows),
            "base": report.base,
            "versions": dict(report.versions),
            "notes": list(report.notes),
            "strategies": [_strategy(one) for one in report.strategies],
        }
    )
    return plain


def _strategy(one: StrategyReport) -> dict[str, Any]:
    return {
        "name": one.name,
        "path": one.path,
        "verdict": str(one.verdict),
        "base_note": one.base_note,
        "checks": [{**asdict(check), "status": str(check.status)} for check in one.checks],
        "figures": None if one.figures is None else asdict(one.figures),
        "base_figures": None if one.base_figures is None else asdict(one.base_figures),
        "comparison": None if one.comparison is None else asdict(one.comparison),
        "windows": {window.window: window.digest for window in one.windows},
        "base_windows": {window.window: window.digest for window in one.base_windows},
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
