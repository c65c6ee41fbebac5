"""The records and arrays the kernel reads and writes, and the codes in them.

Shapes: P pairs in whitelist order, N candles of one grid (the first candle that Freqtrade's loop
visits is 0), T leverage tiers, G protections. Prices are float64 as in the data; a pair's prices
are integers of 1 / `price_unit`, its amounts of 1 / `amount_unit`. Records rather than many arrays:
they are one argument each, and numba's compile time grows with arguments.
Made by `automation.worker.tape`, `rules` and `signals`.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tradekit import ladder

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.int8]
Bools = npt.NDArray[np.bool_]
Records = npt.NDArray[np.void]
Record = Any  # one element of Records: fields by name, shared with the array

# Why a trade was left; `REASONS` are Freqtrade's words for them.
EXIT_SIGNAL, STOP_LOSS, ROI, TRAILING_STOP, LIQUIDATION, FORCE_EXIT = range(6)
DRAWDOWN_LIMIT, DAILY_LOSS_LIMIT, TIME_STOP = range(6, 9)  # PackStrategy's
REASONS = (
    "exit_signal",
    "stop_loss",
    "roi",
    "trailing_stop_loss",
    "liquidation",
    "force_exit",
    "drawdown_limit",
    "daily_loss_limit",
    "time_stop",
)

# Signal bits of a row, as Freqtrade's exit checks read them: any value that is true.
ENTER_LONG, EXIT_LONG, ENTER_SHORT, EXIT_SHORT = 1, 2, 4, 8

# What the kernel answers.
DONE, TOO_MANY_TRADES, OUT_OF_RANGE, NO_TIER, TOO_MANY_SLICES = range(5)

# Which order of a trade is open.
NO_ORDER, ENTRY_ORDER, EXIT_ORDER = range(3)

# Protections, and the sides that a lock concerns.
COOLDOWN, STOPLOSS_GUARD, MAX_DRAWDOWN, LOW_PROFIT = range(4)
BOTH, LONG, SHORT = range(3)

# The most entry orders of a trade, the first and its slices; the kernel remembers each.
MOST_ENTRIES = 8

_REAL, _WHOLE, _SMALL, _FLAG, _BYTE = np.float64, np.int64, np.int32, np.bool_, np.int8


def _record(**fields: Any) -> np.dtype[np.void]:
    kinds = [(name, kind) for kind, names in fields.items() for name in names.split()]
    codes: dict[str, Any] = {
        "real": _REAL,
        "whole": _WHOLE,
        "small": _SMALL,
        "flag": _FLAG,
        "byte": _BYTE,
        "reals": (_REAL, (MOST_ENTRIES,)),
    }
    return np.dtype([(name, codes[kind]) for name, kind in kinds], align=True)


# [P] the exchange's facts about a pair. Limits are NaN where there is none; `first` and `last` are
# the pair's candles on the grid.
MARKET = _record(
    real="price_unit amount_unit value_unit base_unit amount_min amount_max cost_min cost_max",
    whole="first last step highest tiers with_fee less_fee",
)
# [P, T] leverage tiers; a `cap` of 0 is none.
TIER = _record(real="floor cap leverage rate amount")
# [P, N] a candle, the tick for a trade opened on it, and the funding stamps at or after its start
# and after its start; NaN where the pair has none.
CANDLE = _record(real="open high low close", whole="tick", small="funding_from funding_to")
# [1] what configuration and strategy decide. `stake` NaN is unlimited, `trailing_positive` NaN is
# none; `compensated_sum` is Python's sum() of floats from 3.12 on.
RULES = _record(
    real="""fee start_balance tradable_frac stake last_stake_frac max_open_trades
        amount_reserve_frac liquidation_buffer entry_timeout_s exit_timeout_s stoploss
        trailing_positive trailing_offset exit_profit_offset risk_per_trade_frac cost_frac
        liquidation_margin_frac assumed_maintenance_frac trail_after_r trail_dist_r
        time_stop_candles time_stop_least_r slippage_budget_frac drawdown_frac daily_loss_frac
        open_risk_frac exposure_cap assumed_correlation slice_participation most_slices""",
    whole="start_s candle_s funding_s most_entries",
    flag="""amend_last_stake is_cross can_short limit_entry limit_exit uses_custom_stop
        asks_stop_at_fill trailing_stop trailing_only_offset use_exit_signal exit_profit_only
        ignore_roi_beside_entry pack pack_stop slices compensated_sum""",
)
# [G] protections; `unlock_s` is seconds after midnight, -1 where a duration counts.
GUARD = _record(
    real="profit_limit drawdown_limit start_balance",
    whole="kind lookback_s stop_s unlock_s trade_limit",
    flag="per_pair_only per_side by_equity compensated_sum",
)
# [P] the open trade of every pair (there is at most one); `initial_frac` NaN is not yet set,
# `liquidation` 0 is none, prices and amounts are in units, times are candles. `amount` is what is
# held, `order_amount` what an open entry order asks for; `entry_value` is the sum of the entries'
# values, `basis` the value of the whole at its mean price; `planned` is the stake that slices build
# up to, 0 where there are none; `held_coins` and `held_rates` are the filled entries.
POSITION = _record(
    real="""leverage stake open_value entry_value basis stop stop_frac initial_stop initial_frac
        liquidation lowest highest stop_dist requested_rate order_rate funding funding_running
        funding_sum funding_error funding_before funding_before_error planned""",
    reals="held_coins held_rates",
    whole="""opened filled last_filled tick open_price amount order_amount entries funding_next order
        order_placed reason reason_candle""",
    flag="is_open is_short has_position is_trailing",
)
# [1] money as of Freqtrade's last wallet update, the drawdown ladder, and counters.
ACCOUNT = _record(
    real="""closed_profit free collateral planned peak rung since_s day day_equity day_rung rearms
        worst_rung""",
    whole="open trades status rejected timed_out_entries timed_out_exits canceled_entries canceled_exits",
)
LADDER = ("peak", "rung", "since_s", "day", "day_equity", "day_rung", "rearms")
TRADE = _record(
    real="""open_rate close_rate amount stake_amount leverage funding_fees profit_ratio profit_abs
        initial_stop stop liquidation lowest highest""",
    whole="opened filled closed reason_candle",
    small="pair",
    flag="is_short",
    byte="reason",
)


# Of the signal candle, and the close by which open trades are valued; NaN where there is none.
PACK_COLUMNS = ("stop_dist_frac", "leverage_cap", "risk_scale", "close", "quote_volume", "mark")
STOP, CAP, SCALE, CLOSE, VOLUME, MARK = range(6)


class Tape(NamedTuple):
    """What does not change between evaluations."""

    markets: Records  # MARKET [P]
    tiers: Records  # TIER [P, T]
    candles: Records  # CANDLE [P, N]
    funding: Floats  # fee per coin at every pair's stamps, one pair after the other
    seen: Ints  # [P] pairs in the order in which Freqtrade meets them
    clock: tuple[int, int, int]  # start_s, candle_s, funding_s


class Orders(NamedTuple):
    """What the strategy wants with one set of parameters."""

    direction: Bytes  # [P, N] 1 long, -1 short, 0 no entry, on the candle on which it is acted
    bits: Bytes  # [P, N]
    pack: Floats  # [P, N, 6] PackStrategy's columns, see PACK_COLUMNS; [1, 1, 6] if nobody asks
    rules: Records  # RULES [1]
    roi_minutes: Ints  # ascending
    roi_profit: Floats
    guards: Records  # GUARD [G]


class Desk(NamedTuple):
    """What the kernel writes while it runs."""

    book: Records  # POSITION [P]
    queue: Ints  # [P] pairs with open trades, oldest first
    turn: Ints  # [P] this candle's order of pairs
    account: Records  # ACCOUNT [1]
    locks: Ints  # [P + 1, 3] ends in epoch seconds, by pair (the last row: all) and side
    trades: Records  # TRADE [M]


def empty_desk(pairs: int, start_balance: float, room: int) -> Desk:
    """Return a desk without trades, with room for `room` closed ones."""
    account = np.zeros(1, dtype=ACCOUNT)
    account["free"] = account["collateral"] = start_balance
    for name, number in zip(LADDER, ladder.START, strict=True):
        account[name] = number
    return Desk(
        book=np.zeros(pairs, dtype=POSITION),
        queue=np.zeros(pairs, dtype=np.int64),
        turn=np.zeros(pairs, dtype=np.int64),
        account=account,
        locks=np.zeros((pairs + 1, 3), dtype=np.int64),
        trades=np.zeros(room, dtype=TRADE),
    )
