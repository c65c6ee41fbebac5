"""Which rules of Freqtrade the kernel follows: all of them, except in a test build.

numba freezes these at compile time, so a rule that is on costs nothing. The rule-removal table
(`tests/integration/worker`) starts a build with one rule off and shows that the parity suite
notices; that build takes its list from `FREQFLEET_KERNEL_REMOVED` (names, comma-separated).
"""

import os
from typing import NamedTuple

REMOVED_VARIABLE = "FREQFLEET_KERNEL_REMOVED"


class Switches(NamedTuple):
    """One field a rule; False removes it."""

    stop_rounding: bool = True  # stops round to the tick, up on longs and down on shorts
    exit_rounding: bool = True  # exit prices round to the tick
    amount_steps: bool = True  # amounts are truncated to the step, the stake follows
    decimal_value: bool = True  # trade values are products in decimal, not in binary
    profit_rounding: bool = True  # profits round to 8 decimals before they are compared
    funding: bool = True  # funding is paid
    funding_at_fill: bool = True  # and on both ends, the fill's own candle included
    open_trades_first: bool = True  # pairs with open trades come before the whitelist
    second_pass: bool = True  # a closed trade and an opposite signal: the pair runs again
    entry_candle_exits: bool = True  # exits are checked on the entry candle as well
    max_open_trades: bool = True
    wallet: bool = True  # profits and tied-up stakes change what is free
    stake_limits: bool = True  # the exchange's minimum and maximum stake
    leverage_tiers: bool = True  # the tier's highest leverage
    stop_moves_first: bool = True  # trailing and custom stops move before they are checked
    stop_ratchet: bool = True  # stops never widen
    stop_after_fill: bool = True  # a custom stop is asked again when the entry fills
    adverse_extreme_guard: bool = True  # no move of a stop that this candle has already reached
    trailing_offset: bool = True  # trailing waits for its offset
    stop_gap: bool = True  # a stop outside the candle is left at the open
    trailing_entry_candle: bool = True  # a trailing stop on the entry candle takes the worst case
    roi_new_step: bool = True  # a new ROI step on this candle leaves at a better open
    roi_entry_candle: bool = True  # no ROI on an entry candle that cannot have paid it
    roi_clamp: bool = True  # ROI exits stay inside the candle
    roi_force: bool = True  # ROI -1 leaves at the open
    exit_signal_first: bool = True  # signals come before stops
    entry_holds_exit: bool = True  # an exit signal is void beside an entry signal
    exit_profit_only: bool = True
    liquidation: bool = True
    liquidation_buffer: bool = True  # the liquidation price is drawn in by Freqtrade's buffer
    liquidation_tiers: bool = True  # maintenance comes from the tier of the stake
    cross_margin: bool = True  # other positions' maintenance counts in cross margin
    order_fills: bool = True  # an order fills only inside the candle
    order_timeouts: bool = True
    left_open: bool = True  # what is open at the end leaves at the last open
    last_candle_entries: bool = True  # no entry on the last candle
    locks: bool = True  # protections lock pairs
    lock_rounding: bool = True  # a lock ends with the next candle
    lock_sides: bool = True  # a lock may concern one side only
    ladder: bool = True  # the pack's drawdown ladder moves with the account's worth
    ladder_exits: bool = True  # at its limit everything is left
    ladder_marks: bool = True  # open trades count at their last close
    open_risk_room: bool = True  # open trades leave less room for another one
    time_stop: bool = True
    entry_budget: bool = True  # entries pay no more than the slippage budget
    reprice: bool = True  # an open entry order follows the price
    slices: bool = True  # a large entry is built up in slices
    slice_mean: bool = True  # slices make one position at their mean price
    slice_plan: bool = True  # what is planned already counts against the room of others
    slice_funding: bool = True  # funding before a slice was paid on the smaller position
    closed_order: bool = True  # the first seen pair is force-exited first


def _from_environment() -> Switches:
    removed = [name for name in os.environ.get(REMOVED_VARIABLE, "").split(",") if name]
    return Switches(**dict.fromkeys(removed, False))


ON = _from_environment()
