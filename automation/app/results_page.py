"""Turns records of backtests into a table in Markdown and a plot in SVG.

Every measure is `tradekit.metrics`'; drawdowns are over equity at the end of each day, counting closed
trades. Called by `app.results`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from automation.core.timerange import parse_timerange
from tradekit import edge as edges
from tradekit import metrics
from tradekit.indicators import FloatArray

COST_FRAC = 0.0012  # of notional, coming and going: `PackStrategy.cost_frac`
_COLOURS = {"buy and hold": "#8d99ae", "without it": "#e76f51", "FSampleStrategy": "#2a9d8f"}
_OWN_COLOUR = "#1d3557"
_WIDTH, _HEIGHT, _EDGE = 430, 240, 40


@dataclass(frozen=True, slots=True)
class Curve:
    """Equity at the start and the end of each day, the start being 1."""

    name: str
    equity: FloatArray

    @classmethod
    def of_record(cls, name: str, record: Mapping[str, Any]) -> "Curve":
        """Return the daily equity of a backtest, closed trades counted when they close."""
        start, end = (int(record[f"backtest_{edge}_ts"]) // 1000 for edge in ("start", "end"))
        balance = float(record["starting_balance"])
        closed = _integers(record, "close_timestamp") // 1000
        equity = metrics.daily_equity(balance, closed, _numbers(record, "profit_abs"), start, end)
        return cls(name, equity / balance)


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says of one strategy in one period; None where it has no such thing."""

    name: str
    trades: int | None
    profit_frac: float
    drawdown_frac: float
    sharpe: float
    luck_free: float
    cvar_frac: float
    profit_factor: float | None
    exposure_frac: float | None
    turnover: float | None
    funding_frac: float | None
    limits_hit: int | None
    liquidations: int | None

    @classmethod
    def of_curve(cls, name: str, curve: Curve) -> "Row":
        """Return the measures that follow from the equity alone."""
        return cls(name, None, *_of_equity(curve.equity), *(None,) * 6)

    @classmethod
    def of_record(cls, name: str, record: Mapping[str, Any]) -> "Row":
        """Return the measures of a backtest."""
        curve = Curve.of_record(name, record)
        start, end = (int(record[f"backtest_{edge}_ts"]) // 1000 for edge in ("start", "end"))
        opened, closed = (_integers(record, f"{e}_timestamp") // 1000 for e in ("open", "close"))
        amounts = _numbers(record, "amount")
        fills = np.concatenate(
            (amounts * _numbers(record, "open_rate"), amounts * _numbers(record, "close_rate"))
        )
        balance = float(record["starting_balance"])
        reasons = [trade["exit_reason"] for trade in record["trades"]]
        years = (end - start) / 86_400 / metrics.DAYS_PER_YEAR
        return cls(
            name,
            len(reasons),
            *_of_equity(curve.equity),
            metrics.profit_factor(_numbers(record, "profit_abs")),
            metrics.exposure_frac(opened, closed, start, end),
            metrics.turnover(fills, balance * float(np.mean(curve.equity)), years),
            float(np.sum(_numbers(record, "funding_fees"))) / balance,
            sum(reason in {"drawdown_limit", "daily_loss_limit"} for reason in reasons),
            sum(reason == "liquidation" for reason in reasons),
        )


def hold(data: Path, pairs: Sequence[str], span: str) -> Curve:
    """Return the equity of buying every pair with equal money and holding it: no fees, no funding."""
    import pandas as pd  # noqa: PLC0415

    period = parse_timerange(span)
    held = []
    for pair in pairs:
        name = pair.replace("/", "_").replace(":", "_")
        frame = pd.read_feather(data / "futures" / f"{name}-1h-futures.feather")
        within = frame[(frame["date"] >= period.start) & (frame["date"] < period.end)]
        closes = within["close"].to_numpy(dtype=np.float64)
        held.append(np.concatenate((closes[:1], closes[23::24])) / closes[0])
    return Curve("buy and hold", np.mean(np.array(held), axis=0))


def page_part(
    name: str,
    timeframe: str,
    pairs: Sequence[str],
    periods: Mapping[str, str],
    rows: Sequence[tuple[str, Row]],
) -> str:
    """Return the part of a page that `make results` writes."""
    bases = ", ".join(pair.split("/")[0] for pair in pairs)
    spans = "; ".join(f"{period} {_days(span)}" for period, span in periods.items())
    head = (
        f"{timeframe} candles of {bases} (Binance USDT perpetuals), mark prices and funding; taker fee "
        f"0.05 % each way; 10,000 USDT, at most 3 trades, protections on. {spans}.\n\n"
        f"![equity](img/{name}.svg)\n\n"
    )
    return head + _table(rows) + "\n\n" + _LEGEND


def profile_part(rows: Sequence[tuple[str, str, Row]]) -> str:
    """Return the table of the same strategy under every profile."""
    titles = ("period", "profile", "trades", "profit", "max. drawdown", "Sharpe", "CVaR", "limits",
              "liquidations")  # fmt: skip
    lines = ["By profile:", "", "| " + " | ".join(titles) + " |"]
    lines.append("|---|---|" + "---:|" * (len(titles) - 2))
    for period, name, row in rows:
        cells = (
            period, name, _whole(row.trades), f"{row.profit_frac:+.1%}", f"{row.drawdown_frac:.1%}",
            f"{row.sharpe:.2f}", f"{row.cvar_frac:.2%}", _whole(row.limits_hit),
            _whole(row.liquidations),
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def edge_of_record(record: Mapping[str, Any], since: str) -> edges.Edge | None:
    """Return the edge of a record's trades in R: their profit over what their stop would lose."""
    at_risk = (_numbers(record, "stop_dist_frac") + COST_FRAC) * (
        _numbers(record, "amount") * _numbers(record, "open_rate")
    )
    known = at_risk > 0.0
    return edges.measured(_numbers(record, "profit_abs")[known] / at_risk[known], since)


def edge_part(record: Mapping[str, Any], since: str) -> str:
    """Return the sentence on the edge that Kelly's rule is asked with."""
    edge = edge_of_record(record, since)
    if edge is None:
        return "Edge out of sample: none can be measured."
    plain = edge.win_frac - (1.0 - edge.win_frac) / edge.payoff
    return (
        f"Edge out of sample, in R: {edge.win_frac:.1%} of {edge.trades} trades won, {edge.payoff:.2f} "
        f"times the mean loss each. Kelly's rule: {max(plain, 0.0):.2%} of equity, shrunk by the sample "
        f"{edges.kelly_of(edge):.2%}, a quarter of it at most {edges.kelly_of(edge) / 4:.2%} a trade from "
        f"{since} on."
    )


_LEGEND = (
    "*without it*: the entries without the strategy's defining condition, everything else equal. "
    "*PSR*: probability that the true Sharpe ratio is above zero, for one trial. *CVaR*: mean loss of "
    "the worst 5 % of days. *limits*: trades that the drawdown ladder or the daily limit closed. "
    "Drawdown, Sharpe and CVaR are of daily equity over closed trades; buy and hold has no fees and "
    "no funding."
)


def _table(rows: Sequence[tuple[str, Row]]) -> str:
    titles = ("period", "", "trades", "profit", "max. drawdown", "Sharpe", "PSR", "CVaR",
              "profit factor", "exposed", "turnover a year", "funding", "limits", "liquidations")  # fmt: skip
    lines = ["| " + " | ".join(titles) + " |", "|---|---|" + "---:|" * (len(titles) - 2)]
    before = ""
    for period, row in rows:
        cells = (
            period if period != before else "", row.name, _whole(row.trades),
            f"{row.profit_frac:+.1%}", f"{row.drawdown_frac:.1%}", f"{row.sharpe:.2f}",
            _share(row.luck_free), f"{row.cvar_frac:.2%}", _number(row.profit_factor),
            _share(row.exposure_frac), _number(row.turnover, 0), _share(row.funding_frac, 1),
            _whole(row.limits_hit), _whole(row.liquidations),
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
        before = period
    return "\n".join(lines)


def plot(periods: Mapping[str, Sequence[Curve]]) -> str:
    """Return one panel a period, the curves of equity over days, as SVG."""
    panels = "".join(
        f'<g transform="translate({index * _WIDTH} 0)">{_panel(period, curves)}</g>'
        for index, (period, curves) in enumerate(periods.items())
    )
    names = max(periods.values(), key=len)
    legend = "".join(
        f'<text x="{_EDGE + index * 200}" y="{_HEIGHT + 18}" fill="{_colour(curve)}">{curve.name}</text>'
        for index, curve in enumerate(names)
    )
    size = f'width="{_WIDTH * len(periods)}" height="{_HEIGHT + 30}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{panels}{legend}</svg>\n'
    )


def _panel(period: str, curves: Sequence[Curve]) -> str:
    values = np.concatenate([curve.equity for curve in curves])
    low, high = float(values.min()), float(values.max())
    step = 10.0 ** math.floor(math.log10(max(high - low, 0.02)))
    ticks = np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step

    def height(value: float) -> float:
        return _HEIGHT - 20 - (value - low) / (high - low) * (_HEIGHT - 50)

    lines = [
        f'<line x1="{_EDGE}" x2="{_WIDTH - 10}" y1="{height(t):.1f}" y2="{height(t):.1f}" '
        f'stroke="#dddddd"/><text x="{_EDGE - 4}" y="{height(t) + 4:.1f}" text-anchor="end" '
        f'fill="#555555">{t:.2f}</text>'
        for t in ticks[:: max(len(ticks) // 6, 1)]
    ]
    for curve in curves:
        x = np.linspace(_EDGE, _WIDTH - 10, len(curve.equity))
        points = " ".join(f"{a:.1f},{height(b):.1f}" for a, b in zip(x, curve.equity, strict=True))
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{_colour(curve)}" stroke-width="1.4"/>'
        )
    title = f'<text x="{_EDGE}" y="16" font-weight="bold">{period}: equity, start = 1</text>'
    return title + "".join(lines)


def _colour(curve: Curve) -> str:
    return _COLOURS.get(curve.name, _OWN_COLOUR)


def _of_equity(equity: FloatArray) -> tuple[float, float, float, float, float]:
    returns = metrics.returns_of(equity)
    return (
        float(equity[-1] / equity[0]) - 1.0,
        metrics.max_drawdown_frac(equity),
        metrics.sharpe(returns),
        metrics.probabilistic_sharpe(returns),
        metrics.cvar_frac(returns),
    )


def _numbers(record: Mapping[str, Any], name: str) -> FloatArray:
    return np.array([trade[name] or 0.0 for trade in record["trades"]], dtype=np.float64)


def _integers(record: Mapping[str, Any], name: str) -> "np.ndarray[Any, np.dtype[np.int64]]":
    return np.array([trade[name] for trade in record["trades"]], dtype=np.int64)


def _days(span: str) -> str:
    start, end = (datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) for day in span.split("-"))
    return f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"


def _whole(value: int | None) -> str:
    return "" if value is None else str(value)


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _share(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:.{digits}%}"
