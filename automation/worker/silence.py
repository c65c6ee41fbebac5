"""Why a backtest made no trade: the likely cause, in words for its user.

Called by `tuning` before a search, which would try thousands of parameter sets in vain.
"""

import numpy as np

from automation.worker import capability
from automation.worker.columns import Columns
from automation.worker.kernel.layout import CAP, SCALE, STOP
from automation.worker.prepared import Prepared
from automation.worker.results import EngineResult
from automation.worker.signals import frame_signals, mask_signals


def likely_cause(prepared: Prepared, result: EngineResult) -> str:
    """Return why the strategy made no trade, as part of a sentence."""
    columns, strategy = prepared.columns(), prepared.strategy
    masked = capability.offers_masks(strategy)
    signalled = mask_signals(strategy, columns) if masked else frame_signals(strategy, columns)
    rows = sum(int(np.count_nonzero(pair.direction)) for pair in signalled.pairs)
    if not rows:
        empty = _empty_column(columns)
        return f"column {empty} is never a number" if empty else "its entry conditions never hold"
    told = f"there are {rows} entry signals"
    if result.rejected_signals:
        return f"{told}, and max_open_trades leaves no slot for them"
    if result.timed_out_entries:
        return f"{told}, and their limit orders are never filled"
    if capability.is_pack(strategy) and not _may_risk(columns):
        return f"{told}, and the risk columns allow none of them"
    return f"{told}, and a wallet of {result.start_balance:g} is too small for the smallest order"


def _empty_column(columns: Columns) -> str:
    for each in columns.numbers:
        for name, values in each.items():
            if len(values) and not np.isfinite(values).any():
                return name
    return ""


def _may_risk(columns: Columns) -> bool:
    pack = columns.pack
    allowed = (pack[..., STOP] > 0) & (pack[..., CAP] >= 1) & (pack[..., SCALE] > 0)
    return bool(allowed.any())
