"""Entry and exit rules as masks over columns, and how several rules become one signal.

A strategy writes each rule once, as a numpy expression over columns and parameters; Freqtrade's
DataFrame form (`tradekit.base`) and any other engine are made from the same masks. Where rules of
one side overlap, the first one names the tag.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tradekit.indicators import BoolArray, Columns

Side = Literal["long", "short"]
Parameters = Mapping[str, Any]
TagIndex = npt.NDArray[np.int64]

RISK_COLUMNS = ("stop_dist_frac", "leverage_cap", "risk_scale")


class Rule(NamedTuple):
    """One reason to enter or leave: the side it concerns, its tag, and the rows where it holds."""

    side: Side
    tag: str
    holds: BoolArray


class Signals(NamedTuple):
    """What the rules say per row; `tag` indexes the rules, −1 where none holds."""

    long: BoolArray
    short: BoolArray
    tag: TagIndex


def resolve(rules: Sequence[Rule], allowed: BoolArray) -> Signals:
    """Merge `rules` into one signal per side on the `allowed` rows."""
    tag = np.full(len(allowed), -1, dtype=np.int64)
    sides = {
        "long": np.zeros(len(allowed), dtype=bool),
        "short": np.zeros(len(allowed), dtype=bool),
    }
    for index in range(len(rules) - 1, -1, -1):
        rule = rules[index]
        holds = rule.holds & allowed
        sides[rule.side] |= holds
        tag[holds] = index
    return Signals(sides["long"], sides["short"], tag)


def tradable(columns: Columns) -> BoolArray:
    """Return the rows with volume and finite, positive risk columns: the only ones to enter on."""
    allowed = np.asarray(columns["volume"] > 0)
    for name in RISK_COLUMNS:
        allowed = allowed & (columns[name] > 0) & np.isfinite(columns[name])
    return allowed
