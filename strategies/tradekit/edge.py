"""What a strategy has earned so far, as Kelly's rule asks for it, and since when that is known.

An edge is measured on trades that the strategy's parameters were not chosen by, and acts only on
candles after them: a backtest over the measured period itself must not profit from knowing it. A
bot's configuration may give another (`freqfleet.edge`), or none (null), where the parameters are not
the strategy's own. Decides nothing about orders. Read by `PackStrategy`, made by `make results`.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from tradekit import sizing
from tradekit.indicators import FloatArray

# Trades without any edge that stand against the measured ones: two years of a daily trade.
PRIOR_TRADES = 500.0


class Edge(NamedTuple):
    """`win_frac` of the `trades` won, `payoff` times the mean loss each; known from `since` on.

    `since` is a day in ISO form, UTC.
    """

    win_frac: float
    payoff: float
    trades: int
    since: str


def measured(returns: FloatArray, since: str) -> Edge | None:
    """Return the edge of trades by their returns in R; None without wins or without losses.

    R is what a trade loses at its stop, costs included: the bet whose size Kelly's rule decides.
    Returns count fees and funding.
    """
    wins, losses = returns[returns > 0.0], returns[returns < 0.0]
    if not len(wins) or not len(losses):
        return None
    payoff = float(np.mean(wins) / -np.mean(losses))
    return Edge(len(wins) / len(returns), payoff, len(returns), since)


def edge_of(config: Mapping[str, Any], own: Edge | None) -> Edge | None:
    """Return the edge that a bot's configuration gives; the strategy's `own` where it gives none.

    Raises ValueError where `freqfleet.edge` is neither null nor the four numbers of an `Edge`.
    """
    section = config.get("freqfleet") or {}
    if "edge" not in section:
        return own
    given = section["edge"]
    if given is None:
        return None
    try:
        edge = Edge(
            float(given["win_frac"]),
            float(given["payoff"]),
            int(given["trades"]),
            str(given["since"]),
        )
        np.datetime64(edge.since, "s")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"freqfleet.edge is {given!r}; it must be null or hold win_frac, payoff, trades and "
            f"since (a day such as 2025-07-01)"
        ) from error
    return edge


def kelly_of(edge: Edge) -> float:
    """Return the part of equity to risk by Kelly's rule, shrunk; 0 without an edge."""
    return sizing.kelly_frac(edge.win_frac, edge.payoff, float(edge.trades), PRIOR_TRADES)


def is_spent(edge: Edge | None) -> TypeGuard[Edge]:
    """Tell whether an edge was measured and there is none."""
    return edge is not None and kelly_of(edge) <= 0.0


def refusal(edge: Edge) -> str:
    """Return what a user is told of a spent edge: what happens, since when, why, and the way out."""
    return (
        f"no entry on candles from {edge.since} on: {edge.trades} trades showed no edge "
        f"({edge.win_frac:.1%} won, {edge.payoff:.2f} times the mean loss each) and Kelly's rule "
        f"then risks nothing; configs/kelly-off.json (freqfleet.edge: null) lifts that"
    )


def kelly_scale(
    opened_s: FloatArray, edge: Edge | None, part: float, risk_frac: float
) -> FloatArray:
    """Return how much of `risk_frac` the fraction `part` of Kelly leaves per row, at most 1.

    1 without an edge measured, and on candles before it was known: nothing is known then to bound
    by. 0 after it where there is none. The stake is that of `sizing.kelly_stake` where this binds.
    """
    if edge is None:
        return np.ones(len(opened_s))
    left = min(kelly_of(edge) * part / risk_frac, 1.0) if risk_frac > 0.0 else math.nan
    since_s = np.datetime64(edge.since, "s").astype(np.int64)
    return np.where(opened_s >= since_s, left, 1.0)
