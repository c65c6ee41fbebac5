"""The compiled backtest: prepare a job once, evaluate parameter sets many times.

`evaluate` runs the kernel where `capability` has nothing to name, else Freqtrade's own backtest in
this process, and says which and why. Called by the search's workers, always in a process of its own.
"""

from typing import Any

import numpy as np

from automation.worker import capability
from automation.worker.columns import Columns
from automation.worker.jobs import EngineJob, Parameters
from automation.worker.kernel import layout
from automation.worker.kernel.loop import simulate
from automation.worker.loading import load
from automation.worker.prepared import Prepared, baseline_of
from automation.worker.reference import evaluate_with_freqtrade
from automation.worker.results import TRADE_DTYPE, EngineResult, Tags
from automation.worker.rules import make_guards, make_roi, make_rules
from automation.worker.signals import Signalled, frame_signals, mask_signals

_FIRST_ROOM = 4096  # trades; more are made room for when they come
_STATUS = {
    layout.OUT_OF_RANGE: "a number beyond the kernel's exact range",
    layout.NO_TIER: "a stake above every leverage tier",
    layout.TOO_MANY_SLICES: f"a trade of more than {layout.MOST_ENTRIES} entries",
}


def prepare(job: EngineJob) -> Prepared:
    """Load strategy, candles and exchange, and compute the columns; raises ConfigError."""
    loaded = load(job)
    prepared = Prepared(loaded, baseline_of(loaded.strategy))
    prepared.columns()
    return prepared


def unsupported(prepared: Prepared) -> tuple[str, ...]:
    """Return what the kernel cannot reproduce of the job as its parameters are now; empty: all can."""
    bt = prepared.loaded.backtesting
    protections = prepared.strategy.protections if bt.enable_protections else []
    return (
        *capability.job_reasons(bt),
        *capability.strategy_reasons(prepared.strategy),
        *capability.protection_reasons(protections),
        *prepared.columns().reasons,
    )


def evaluate(prepared: Prepared, parameters: Parameters | None = None) -> EngineResult:
    """Backtest with `parameters`; with the kernel where it is exact, else with Freqtrade itself."""
    prepared.apply(parameters or Parameters())
    reasons = unsupported(prepared)
    if not reasons:
        answer = _compiled(prepared)
        if isinstance(answer, EngineResult):
            return answer
        reasons = answer
    return evaluate_with_freqtrade(prepared, reasons=reasons)


def _compiled(prepared: Prepared) -> EngineResult | tuple[str, ...]:
    """Run the kernel; answer the reasons if it turns out that it may not."""
    columns, strategy, bt = prepared.columns(), prepared.strategy, prepared.loaded.backtesting
    bt.reset_backtest(False)
    masked = capability.offers_masks(strategy)
    signalled = mask_signals(strategy, columns) if masked else frame_signals(strategy, columns)
    reasons = (*signalled.reasons, *capability.signal_reasons())
    if reasons:
        return reasons
    protections = strategy.protections if bt.enable_protections else []
    desk = _run(columns, _orders(prepared, columns, signalled, protections))
    if isinstance(desk, str):
        return (desk,)
    trades = desk.trades
    tags = Tags()
    found = _translate(columns, signalled, trades, tags, bt.fee)
    guarded = any(entry["method"] == "StoplossGuard" for entry in protections)
    by_signal = found["exit_reason"][trades["reason"] == layout.EXIT_SIGNAL]
    clashes = capability.tag_reasons(
        [tags.texts()[place] for place in np.unique(by_signal)], guarded
    )
    return clashes or _answer(columns, desk, found, tags, prepared.start_balance)


def _orders(
    prepared: Prepared, columns: Columns, signalled: Signalled, protections: Any
) -> layout.Orders:
    bt = prepared.loaded.backtesting
    assert columns.tape is not None
    assert columns.grid is not None
    direction, bits = signalled.laid(columns.grid)
    rules = make_rules(bt, columns.tape.clock)
    minutes, profits = make_roi(prepared.strategy)
    return layout.Orders(
        direction, bits, columns.pack, rules, minutes, profits, make_guards(bt, protections)
    )


def _run(columns: Columns, orders: layout.Orders) -> layout.Desk | str:
    """Run the kernel, with more room for trades as often as it asks; answer why it may not."""
    assert columns.tape is not None
    room = _FIRST_ROOM
    while True:
        start_balance = float(orders.rules["start_balance"][0])
        desk = layout.empty_desk(len(columns.frames), start_balance, room)
        status = simulate(columns.tape, orders, desk)
        if status == layout.DONE:
            return desk._replace(trades=desk.trades[: desk.account["trades"][0]])
        if status != layout.TOO_MANY_TRADES:
            return _STATUS[status]
        room *= 4


def _translate(columns: Columns, signalled: Signalled, trades: Any, tags: Tags, fee: float) -> Any:
    """Turn the kernel's trades into the engine's: times for candles, tags for codes."""
    grid = columns.grid
    assert grid is not None
    made = np.zeros(len(trades), dtype=TRADE_DTYPE)
    for name in set(TRADE_DTYPE.names or ()) & set(layout.TRADE.names or ()):
        made[name] = trades[name]
    for name, candle in (
        ("open_time", "opened"),
        ("fill_time", "filled"),
        ("close_time", "closed"),
    ):
        made[name] = (grid.start_s + trades[candle] * grid.candle_s).astype("M8[s]")
    made["fee_open"] = made["fee_close"] = fee
    reasons = np.array([tags.place(text) for text in layout.REASONS], dtype=np.int32)
    made["exit_reason"] = reasons[trades["reason"]]
    for p, pair in enumerate(signalled.pairs):
        ours = np.flatnonzero(trades["pair"] == p)
        rows = trades["opened"][ours] + grid.rows[p] - 1
        made["enter_tag"][ours] = [tags.place(text) for text in pair.enter_tags.at(rows)]
        signals = ours[trades["reason"][ours] == layout.EXIT_SIGNAL]
        rows = trades["reason_candle"][signals] + grid.rows[p] - 1
        texts = pair.exit_tags.at(rows)
        made["exit_reason"][signals] = [tags.place(text or "exit_signal") for text in texts]
    return made


def _answer(
    columns: Columns, desk: layout.Desk, trades: Any, tags: Tags, start_balance: float
) -> EngineResult:
    account = desk.account[0]
    return EngineResult(
        pairs=tuple(columns.frames),
        trades=trades,
        tags=tags.texts(),
        start_balance=start_balance,
        final_balance=float(account["collateral"]),
        rejected_signals=int(account["rejected"]),
        timed_out_entries=int(account["timed_out_entries"]),
        timed_out_exits=int(account["timed_out_exits"]),
        start=np.datetime64(columns.start.replace(tzinfo=None), "s"),
        end=np.datetime64(columns.end.replace(tzinfo=None), "s"),
        engine="kernel",
    )
