"""Decides: from figures, findings and a comparison to checks with a reason each.

Pure. What could not be examined is "not judged", which is no pass. Refuses to know how anything
was run. Called by `run`.
"""

import math
from collections.abc import Sequence
from typing import Any

from automation.gates.comparison import Comparison
from automation.gates.config import (
    CheckName,
    ComparisonSettings,
    Limits,
    LookaheadSettings,
    RecursiveSettings,
)
from automation.gates.figures import Figures
from automation.gates.verdicts import Check, Place, Status

_PASS, _FAIL, _NOT_JUDGED = Status.PASS, Status.FAIL, Status.NOT_JUDGED


def judge_limits(figures: Figures, limits: Limits) -> list[Check]:
    """Hold the figures against floors and ceilings; a strategy without trades fails."""
    if not figures.trades:
        sentence = "it made no trade in any window"
        return [Check("zero trades", _FAIL, sentence)]
    return [
        Check("zero trades", _PASS, f"{figures.trades} trades"),
        _floor("trades a month", figures.trades_a_month, limits.least_trades_a_month, "{:.1f}"),
        _floor("profit factor", figures.profit_factor, limits.least_profit_factor, "{:.2f}"),
        _ceiling("drawdown", figures.drawdown_frac, limits.most_drawdown_frac, "{:.1%}"),
        _ceiling("worst day", figures.worst_day_frac, limits.most_worst_day_frac, "{:.1%}"),
        _ceiling("liquidations", figures.liquidations, limits.most_liquidations, "{:d}"),
        _ceiling("exposure", figures.exposure, limits.most_exposure, "{:.2f} times equity"),
        _ceiling("trade risk", figures.trade_risk_frac, limits.most_trade_risk_frac, "{:.2%}"),
    ]


def _floor(name: CheckName, value: float, least: float | None, form: str) -> Check:
    shown = form.format(value)
    if least is None:
        return Check(name, Status.OFF, f"{shown}, no floor")
    if math.isnan(value) or value < least:
        return Check(name, _FAIL, f"{shown}, less than {form.format(least)}")
    return Check(name, _PASS, f"{shown}, at least {form.format(least)}")


def _ceiling(name: CheckName, value: float, most: float | None, form: str) -> Check:
    shown = form.format(value)
    if most is None:
        return Check(name, Status.OFF, f"{shown}, no ceiling")
    if math.isnan(value) or value > most:
        return Check(name, _FAIL, f"{shown}, more than {form.format(most)}")
    return Check(name, _PASS, f"{shown}, at most {form.format(most)}")


def judge_truncation(answer: dict[str, Any] | None, why: str, places: Sequence[Place]) -> Check:
    """Judge the truncation test's answer; None if it did not finish, for the reason `why`."""
    if answer is None:
        return Check("truncation", _NOT_JUDGED, f"the truncation test did not finish: {why}")
    findings = answer["findings"]
    if findings:
        names = ", ".join(sorted({str(one["column"]) for one in findings}))
        first = findings[0]
        sentence = f"rows change when later candles are taken away: {names} (first {first['pair']}"
        return Check("truncation", _FAIL, f"{sentence} at {first['at']})", tuple(places))
    return Check("truncation", _PASS, f"no column changed at {answer['cuts']} cuts")


def judge_recursion(
    answer: dict[str, Any] | None, why: str, settings: RecursiveSettings, startup_candles: int
) -> Check:
    """Judge recursive-analysis by how much indicators move at the strategy's own start-up length."""
    if answer is None or "error" in answer:
        reason = why if answer is None else answer["error"]
        return Check("recursive", _NOT_JUDGED, f"recursive-analysis did not finish: {reason}")
    known = {name: abs(one) for name, one in answer["variances"].items() if one is not None}
    over = {name: one for name, one in known.items() if one > settings.most_variance_frac}
    told = [f"{name} {one:.1%} off" for name, one in sorted(over.items())]
    told += [f"{name} still empty" for name in answer.get("empty", ())]
    if told:
        sentence = f"{startup_candles} start-up candles are too few: {', '.join(told)}"
        return Check("recursive", _FAIL, sentence)
    worst = max(known.values(), default=0.0)
    return Check("recursive", _PASS, f"indicators move {worst:.2%} at most with a longer past")


def judge_lookahead(
    answers: Sequence[dict[str, Any]],
    why: str,
    settings: LookaheadSettings,
    places: Sequence[Place],
) -> Check:
    """Judge lookahead-analysis over its ranges.

    Not judged with fewer trades than `least_trades`, or where a process was stopped (`why`).
    """
    done = [one for one in answers if "error" not in one]
    biased = [one for one in done if one["entries"] or one["exits"] or one["columns"]]
    if biased:
        entries, exits = (sum(one[key] for one in biased) for key in ("entries", "exits"))
        columns = ", ".join(sorted({name for one in biased for name in one["columns"]})) or "none"
        sentence = f"{entries} entries and {exits} exits used later candles; columns: {columns}"
        return Check("look-ahead", _FAIL, sentence, tuple(places))
    trades = sum(one["trades"] for one in done)
    faults = [str(one["error"]) for one in answers if "error" in one] + ([why] if why else [])
    remark = f"; {faults[0]}" if faults else ""
    if trades < settings.least_trades:
        sentence = f"only {trades} trades could be examined, {settings.least_trades} are needed"
        return Check("look-ahead", _NOT_JUDGED, sentence + remark)
    if why:
        sentence = f"the analysis of a window did not finish: {why}"
        return Check("look-ahead", _NOT_JUDGED, sentence)
    return Check("look-ahead", _PASS, f"{trades} trades examined, none used later candles{remark}")


def judge_comparison(comparison: Comparison) -> Check:
    """Fail what is worse beyond doubt."""
    if comparison.is_identical:
        return Check("comparison", _PASS, "every trade is as it was")
    if comparison.worse:
        told = "; ".join(
            f"{one.measure} {_shown(one.difference, one.unit)} "
            f"({_shown(one.low, one.unit)} to {_shown(one.high, one.unit)})"
            for one in comparison.worse
        )
        return Check("comparison", _FAIL, f"worse than the base: {told}")
    first = comparison.intervals[0]
    return Check(
        "comparison",
        _PASS,
        f"not worse beyond doubt: {first.measure} {_shown(first.difference, first.unit)} "
        f"({_shown(first.low, first.unit)} to {_shown(first.high, first.unit)})",
    )


def judge_stops(base: Figures, new: Figures, settings: ComparisonSettings) -> Check:
    """Fail stops that lie much farther away than the base's, whatever they earned."""
    before, after = base.trade_risk_frac, new.trade_risk_frac
    if math.isnan(before) or math.isnan(after) or before == 0.0:
        return Check("stops", Status.OFF, "the base has no stops to compare with")
    ratio = after / before
    sentence = f"a trade's loss at its stop is {after:.2%} of the balance, {ratio:.2f} × the base's"
    status = _FAIL if ratio > settings.most_stop_widening else _PASS
    return Check("stops", status, sentence)


def _shown(value: float, unit: str) -> str:
    if unit == "%":
        return f"{value:+.2%}"
    return f"{value:+.2f} {unit}".strip()
