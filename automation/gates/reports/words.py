"""How numbers and verdicts are written, the same in every report."""

import math

from automation.gates.comparison import Interval
from automation.gates.figures import Figures
from automation.gates.verdicts import Status, Verdict

MARKS = {
    Verdict.PASS: "✔",
    Verdict.CHANGED: "≈",
    Verdict.NOT_JUDGED: "?",
    Verdict.FAIL: "✘",
}
COLOURS = {
    Verdict.PASS: "green",
    Verdict.CHANGED: "cyan",
    Verdict.NOT_JUDGED: "yellow",
    Verdict.FAIL: "red",
}
STATUS_MARKS = {Status.PASS: "✔", Status.FAIL: "✘", Status.NOT_JUDGED: "?", Status.OFF: "–"}

FIGURES = (
    ("trades", "trades", "{:d}"),
    ("trades a month", "trades_a_month", "{:.1f}"),
    ("profit a window", "profit_frac", "{:+.2%}"),
    ("drawdown", "drawdown_frac", "{:.2%}"),
    ("profit factor", "profit_factor", "{:.2f}"),
    ("Sharpe", "sharpe", "{:.2f}"),
    ("worst day", "worst_day_frac", "{:.2%}"),
    ("worst trade", "worst_trade_frac", "{:.2%}"),
    ("trade risk", "trade_risk_frac", "{:.2%}"),
    ("exposure", "exposure", "{:.2f}"),
    ("liquidations", "liquidations", "{:d}"),
)


def figure(figures: Figures | None, name: str, form: str) -> str:
    """Write one figure; a dash where there is none."""
    if figures is None:
        return "–"
    value = getattr(figures, name)
    if isinstance(value, float) and math.isnan(value):
        return "–"
    return "∞" if value == math.inf else form.format(value)


def amount(value: float, unit: str, *, signed: bool = False) -> str:
    """Write a measure of a comparison in its unit."""
    if math.isnan(value):
        return "–"
    sign = "+" if signed else ""
    return f"{value:{sign}.2%}" if unit == "%" else f"{value:{sign}.2f}"


def interval(one: Interval) -> str:
    """Write an interval: low to high."""
    low, high = (amount(value, one.unit, signed=True) for value in (one.low, one.high))
    return f"{low} to {high}"


def measure(one: Interval) -> str:
    """Name a measure with its unit, unless its numbers carry it."""
    return f"{one.measure}, {one.unit}" if one.unit not in ("", "%") else one.measure
