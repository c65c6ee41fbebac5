"""How much an entry stakes and with how much leverage.

Mirrors: optimize/backtesting.py (get_valid_entry_price_and_stake), wallets.py
(get_trade_stake_amount, validate_stake_amount), exchange/exchange.py (get_max_leverage,
_get_stake_amount_limit). `m` is a MARKET, `r` the RULES, `a` the ACCOUNT.
"""

import math

from automation.worker.kernel.compiled import inner
from automation.worker.kernel.layout import NO_TIER, Floats, Ints, Record, Records
from automation.worker.kernel.policy import policy_leverage, policy_stake
from automation.worker.kernel.switches import ON
from automation.worker.kernel.value import available_stake, tied_up

STOP_RESERVE = 0.05  # Freqtrade's, for the stop of a new trade
ADJUST_RESERVE = 0.1  # and where a position is adjusted


@inner
def proposed_stake(r: Record, tied: float, a: Record) -> float:
    """Return the configured stake; 0 where the wallet does not have it."""
    available = available_stake(r, tied, a)
    stake = r["stake"]
    if math.isnan(stake):
        slots = r["max_open_trades"]
        stake = 0.0 if slots == 0.0 else min((available + tied) / slots, available)
    if r["amend_last_stake"]:
        fits = available > stake * r["last_stake_frac"]
        stake = min(stake, available) if fits else 0.0
    return 0.0 if available < stake else max(stake, 0.0)


@inner
def highest_leverage(m: Record, tiers: Records, p: int, stake: float) -> float:
    """Return the leverage of the first tier that takes `stake`; 0 where none does."""
    if not ON.leverage_tiers:
        return math.inf
    for k in range(m["tiers"]):
        tier = tiers[p, k]
        if tier["cap"] == 0.0 or stake <= tier["cap"] / tier["leverage"]:
            return tier["leverage"]
    return 0.0


@inner
def lowest_stake(m: Record, r: Record, rate: float, leverage: float, stop: float) -> float:
    """Return the exchange's minimum stake with Freqtrade's reserves, `stop` (0.05) that for the stop."""
    reserve = 1.0 + r["amount_reserve_frac"]
    for_stop = max(min(reserve / (1.0 - stop), 1.5), 1.0)
    least = 0.0
    if not math.isnan(m["cost_min"]):
        least = max(least, m["cost_min"] * for_stop)
    if not math.isnan(m["amount_min"]):
        least = max(least, m["amount_min"] * rate * reserve)
    return least / leverage if ON.stake_limits else 0.0


@inner
def most_stake(m: Record, tiers: Records, p: int, rate: float, leverage: float) -> float:
    """Return the highest stake that the tiers and the exchange's limits allow."""
    most = math.inf
    for k in range(m["tiers"] - 1, -1, -1):
        tier = tiers[p, k]
        if leverage <= tier["leverage"]:
            if tier["cap"] != 0.0:
                most = tier["cap"]
            break
    if not math.isnan(m["cost_max"]):
        most = min(most, m["cost_max"])
    if not math.isnan(m["amount_max"]):
        most = min(most, m["amount_max"] * rate)
    return most / leverage if ON.stake_limits else math.inf


@inner
def valid_stake(stake: float, least: float, most: float, available: float) -> float:
    """Return the stake inside the limits, or 0 where it would have to grow by more than 30 %."""
    if not stake > 0.0:
        return 0.0
    allowed = min(most, available)
    if least > allowed:
        return 0.0
    if stake < least:
        if stake * 1.3 < least:
            return 0.0
        stake = least
    stake = min(stake, allowed)
    return stake if stake >= least else 0.0


@inner
def sized(
    m: Record,
    tiers: Records,
    r: Record,
    book: Records,
    queue: Ints,
    a: Record,
    columns: Floats,
    p: int,
    rate: float,
    short: bool,
) -> tuple[float, float]:
    """Return stake and leverage of an entry at `rate`; a stake of 0 is no entry."""
    tied = tied_up(r, book, queue, a)
    proposed = proposed_stake(r, tied, a)
    if proposed == 0.0:
        return 0.0, 1.0
    most_leverage = highest_leverage(m, tiers, p, proposed)
    if most_leverage == 0.0:
        a["status"] = NO_TIER
        return 0.0, 1.0
    leverage = 1.0
    if r["pack"]:
        leverage = policy_leverage(r, columns, most_leverage)
    leverage = min(max(leverage, 1.0), most_leverage)
    least = lowest_stake(m, r, rate, leverage, STOP_RESERVE)
    most = most_stake(m, tiers, p, rate, leverage)
    available = available_stake(r, tied, a)
    stake = proposed
    if r["pack"]:
        limits = (proposed, least, min(available, most))
        stake = policy_stake(r, book, queue, a, columns, leverage, limits, short)
    return valid_stake(stake, least, most, available), leverage
