"""PackStrategy's callbacks over columns: the same functions of `tradekit`, called in the same order.

docs/adr/0004-frozen-callbacks.md is the contract. `capability.PACK_FORMS` has the fingerprint of the
callbacks as they are mirrored here; a change of `tradekit.base` must be taken over here and the
fingerprint renewed, until then the engine leaves such strategies to Freqtrade. `columns` is one
pair's row of PACK_COLUMNS; `m` is a MARKET, `r` the RULES, `t` a POSITION, `a` the ACCOUNT.
"""

import math

from automation.worker.kernel.compiled import inner
from automation.worker.kernel.layout import (
    CAP,
    CLOSE,
    DAILY_LOSS_LIMIT,
    DRAWDOWN_LIMIT,
    MARK,
    NO_ORDER,
    SCALE,
    STOP,
    TIME_STOP,
    VOLUME,
    Floats,
    Ints,
    Record,
    Records,
)
from automation.worker.kernel.switches import ON
from automation.worker.kernel.value import coins, open_rate, tied_up, total_stake
from tradekit import execution, exposure, ladder, risk, sizing

NONE = -1


@inner
def start_candle(
    markets: Records, r: Record, book: Records, queue: Ints, a: Record, pack: Floats, i: int
) -> None:
    """bot_loop_start: take the account's worth to the drawdown ladder."""
    if not ON.ladder:
        return
    worth = total_stake(r, tied_up(r, book, queue, a), a)
    for k in range(a["open"]):
        p = queue[k]
        m, t = markets[p], book[p]
        rate = open_rate(m, t)
        mark = pack[p, i, MARK]
        if math.isnan(mark) or not ON.ladder_marks:
            mark = rate
        held = coins(m, t) if t["has_position"] else 0.0
        worth += risk.marked_profit(held, rate, mark, r["fee"], t["funding"], bool(t["is_short"]))
    state = (
        a["peak"],
        a["rung"],
        a["since_s"],
        a["day"],
        a["day_equity"],
        a["day_rung"],
        a["rearms"],
    )
    now_s = float(r["start_s"] + i * r["candle_s"])
    state = ladder.step(
        state, now_s, worth, r["drawdown_frac"], r["daily_loss_frac"], ladder.BACKTEST_REARM_S
    )
    a["peak"], a["rung"], a["since_s"], a["day"] = state[0], state[1], state[2], state[3]
    a["day_equity"], a["day_rung"], a["rearms"] = state[4], state[5], state[6]
    a["worst_rung"] = ladder.worst_rung(state)


@inner
def policy_leverage(r: Record, columns: Floats, most: float) -> float:
    """Leverage; `most` is the tier's."""
    safe = sizing.liquidation_safe_leverage(
        columns[STOP], sizing.maintenance_bound(most), r["liquidation_margin_frac"]
    )
    return max(sizing.entry_leverage(columns[CAP], most, safe), 1.0)


@inner
def policy_stake(
    r: Record,
    book: Records,
    queue: Ints,
    a: Record,
    columns: Floats,
    leverage: float,
    limits: tuple[float, float, float],
    short: bool,
) -> float:
    """custom_stake_amount; `limits`: proposed, least, most stake. Leaves the plan in `a`."""
    stop, cap = columns[STOP], columns[CAP]
    safe = sizing.liquidation_safe_leverage(
        stop, r["assumed_maintenance_frac"], r["liquidation_margin_frac"]
    )
    if not (leverage <= cap and leverage <= safe):
        return 0.0
    equity = total_stake(r, tied_up(r, book, queue, a), a)
    scale = columns[SCALE] * ladder.rung_scale(a["worst_rung"])
    wanted = sizing.risk_stake(
        equity, r["risk_per_trade_frac"] * scale, stop, r["cost_frac"], leverage
    )
    if ON.open_risk_room:
        notional_room, loss_room = room(r, book, queue, a, equity, short)
        wanted = sizing.capped_stake(
            wanted, notional_room / leverage, loss_room / ((stop + r["cost_frac"]) * leverage)
        )
    stake = sizing.entry_stake(wanted, limits[0], limits[1], limits[2])
    return first_slice(r, a, columns, stake, leverage, limits[1])


@inner
def first_slice(
    r: Record, a: Record, columns: Floats, stake: float, leverage: float, least: float
) -> float:
    """Return the stake itself, or the first slice of it where entries are sliced."""
    a["planned"] = 0.0
    if not r["slices"] or not stake > 0.0 or not ON.slices:
        return stake
    volume, participation = columns[VOLUME], r["slice_participation"]
    parts = execution.slice_count(stake * leverage, volume, participation, r["most_slices"])
    if parts <= 1.0:
        return stake
    a["planned"] = stake
    return execution.next_slice(stake, 0.0, parts, volume, participation, leverage, least)


@inner
def policy_slice(
    r: Record, t: Record, a: Record, columns: Floats, rate: float, least: float, i: int
) -> float:
    """adjust_trade_position at the candle's open `rate`: the stake of the next slice, or 0."""
    if not t["planned"] > t["stake"] or t["order"] != NO_ORDER or t["last_filled"] >= i:
        return 0.0
    if not execution.is_within_budget(
        rate, t["requested_rate"], r["slippage_budget_frac"], bool(t["is_short"])
    ):
        return 0.0
    if not a["worst_rung"] < ladder.CLOSED:
        return 0.0
    return execution.next_slice(
        t["planned"], t["stake"], r["most_slices"], columns[VOLUME], r["slice_participation"],
        t["leverage"], least,
    )  # fmt: skip


@inner
def room(
    r: Record, book: Records, queue: Ints, a: Record, equity: float, short: bool
) -> tuple[float, float]:
    """Return the notional and the loss at the stop that the open trades leave for another."""
    notional = 0.0
    squares = 0.0
    same = 0.0
    other = 0.0
    for k in range(a["open"]):
        t = book[queue[k]]
        staked = t["stake"]
        if ON.slice_plan:
            staked = max(staked, t["planned"])
        held = staked * t["leverage"]
        loss = held * (t["stop_dist"] + r["cost_frac"])
        notional += held
        squares += loss * loss
        if t["is_short"] == short:
            same += loss
        else:
            other += loss
    return exposure.exposure_room(equity, r["exposure_cap"], notional), exposure.risk_room(
        equity * r["open_risk_frac"], same, other, squares, r["assumed_correlation"]
    )


@inner
def policy_confirms(a: Record, columns: Floats) -> bool:
    """confirm_trade_entry for a positive amount and rate."""
    if not (columns[STOP] > 0.0 and columns[CAP] >= 1.0 and columns[SCALE] > 0.0):
        return False
    return a["worst_rung"] < ladder.CLOSED


@inner
def policy_stop(r: Record, t: Record, rate: float, opened: float) -> float:
    """custom_stoploss at `rate`; 0 where it answers None."""
    short = bool(t["is_short"])
    stop = risk.stop_rate(
        opened, rate, t["stop_dist"], r["trail_after_r"], r["trail_dist_r"], short
    )
    if not risk.is_tighter(stop, t["stop"], short):
        return 0.0
    return risk.relative_stop(stop, rate, t["leverage"], short)


@inner
def policy_exit(m: Record, r: Record, t: Record, a: Record, rate: float, i: int) -> int:
    """custom_exit at the candle's open `rate`: the reason, or -1."""
    if a["worst_rung"] >= ladder.FLAT and ON.ladder_exits:
        return DRAWDOWN_LIMIT if a["rung"] >= ladder.FLAT else DAILY_LOSS_LIMIT
    if r["time_stop_candles"] == math.inf or not ON.time_stop:
        return NONE
    side = -1.0 if t["is_short"] else 1.0
    opened = open_rate(m, t)
    profit_r = side * (rate - opened) / (opened * t["stop_dist"])
    age = float(i - t["opened"])
    if risk.is_time_up(age, r["time_stop_candles"], profit_r, r["time_stop_least_r"]):
        return TIME_STOP
    return NONE


@inner
def policy_entry_rate(r: Record, columns: Floats, rate: float, short: bool) -> float:
    """custom_entry_price of a new trade."""
    if not ON.entry_budget:
        return rate
    return execution.entry_rate(rate, columns[CLOSE], r["slippage_budget_frac"], short)


@inner
def policy_next_rate(r: Record, t: Record, rate: float) -> float:
    """adjust_entry_price where the ladder lets in: the open `rate`, or the budget's edge."""
    return execution.entry_rate(
        rate, t["requested_rate"], r["slippage_budget_frac"], bool(t["is_short"])
    )
