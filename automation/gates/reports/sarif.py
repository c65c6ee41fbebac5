"""What has a place in the sources, as SARIF 2.1.0: findings beside the line in a pull request."""

from typing import Any

from automation.gates.verdicts import Check, GateReport, Place, Status, StrategyReport

_RULES = {
    "loads": "The strategy does not load",
    "runs": "The strategy does not run",
    "truncation": "A column changes when later candles are taken away",
    "look-ahead": "Freqtrade's lookahead-analysis found a bias",
}


def sarif(report: GateReport) -> dict[str, Any]:
    """Write the findings of failed checks as a SARIF log."""
    results = [
        _result(one, check, place)
        for one in report.strategies
        for check in one.checks
        if check.status is Status.FAIL
        for place in check.places
    ]
    rules = [
        {"id": _id(name), "shortDescription": {"text": text}, "defaultConfiguration": {"level": "error"}}
        for name, text in _RULES.items()
    ]  # fmt: skip
    driver = {"name": "freqfleet gate", "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _result(one: StrategyReport, check: Check, place: Place) -> dict[str, Any]:
    return {
        "ruleId": _id(check.name),
        "level": "error",
        "message": {"text": f"{one.name}: {place.message}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": place.path, "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": place.line},
                }
            }
        ],
    }


def _id(name: str) -> str:
    return f"gate/{name.replace(' ', '-')}"
