"""What a position is worth: trade values, profit ratios, funding, the wallet.

Mirrors: persistence/trade_model.py (_calc_open_trade_value, calc_close_trade_value,
calc_profit_ratio, calc_close_rate_for_roi), exchange/exchange.py (calculate_funding_fees),
wallets.py. `m` is a MARKET, `r` the RULES, `t` a POSITION, `c` a CANDLE, `a` the ACCOUNT.
"""

import math
from decimal import Decimal, localcontext

from numba import objmode

from automation.worker.kernel.compiled import inner
from automation.worker.kernel.exact import nearest_ratio, round8, whole_units
from automation.worker.kernel.layout import Floats, Ints, Record, Records
from automation.worker.kernel.switches import ON


@inner
def coins(m: Record, t: Record) -> float:
    """Return the amount of the open trade."""
    return float(t["amount"]) / m["amount_unit"]


@inner
def open_rate(m: Record, t: Record) -> float:
    """Return the open rate of the trade."""
    return float(t["open_price"]) / m["price_unit"]


@inner
def value_with_fee(m: Record, amount: int, price: int, adds_fee: bool) -> float:
    """Return amount · price · (1 ± fee) as Freqtrade's decimals give it."""
    factor = m["with_fee"] if adds_fee else m["less_fee"]
    if not ON.decimal_value:
        part = float(factor) * m["amount_unit"] * m["price_unit"] / m["value_unit"]
        return float(amount) / m["amount_unit"] * (float(price) / m["price_unit"]) * part
    return nearest_ratio(amount * price * factor, m["value_unit"])


@inner
def entry_value(m: Record, amount: int, rate: float, factor: int) -> float:
    """Return amount · rate · `factor` / fee unit by Freqtrade's decimals, at any rate.

    A repriced entry may stand between two ticks, with all digits of its double; such a value is
    computed in decimal by Python itself.
    """
    price = whole_units(rate, m["price_unit"])
    unit = m["value_unit"]
    if not ON.decimal_value:
        return float(amount) / m["amount_unit"] * rate * (float(factor) / fee_unit(m))
    if float(price) / m["price_unit"] == rate:
        return nearest_ratio(amount * price * factor, unit)
    coins_ = float(amount) / m["amount_unit"]
    part = float(factor) / fee_unit(m)
    value = 0.0
    with objmode(value="float64"):
        value = decimal_product(coins_, rate, part)
    return value  # noqa: RET504  numba takes the value out of the block by this name


@inner
def mean_of(t: Record) -> tuple[float, float]:
    """Return the cost of the filled entries and their mean price, by Freqtrade's decimals."""
    coins_, rates, count = t["held_coins"].copy(), t["held_rates"].copy(), t["entries"]
    cost, mean = 0.0, 0.0
    with objmode(cost="float64", mean="float64"):
        cost, mean = decimal_mean(coins_, rates, count)
    return cost, mean


def decimal_mean(coins_: Floats, rates: Floats, count: int) -> tuple[float, float]:
    """Return Σ coins · rate and that over Σ coins, cut to 18 decimals as ccxt's Precise divides."""
    with localcontext(prec=120):
        held = [Decimal(repr(float(part))) for part in coins_[:count]]
        prices = [Decimal(repr(float(part))) for part in rates[:count]]
        cost = sum((a * b for a, b in zip(held, prices, strict=True)), Decimal(0))
        mean = (cost.scaleb(18) // sum(held, Decimal(0))).scaleb(-18)
        return float(cost), float(mean)


@inner
def fee_unit(m: Record) -> float:
    """Return the unit of the fee's decimals."""
    return m["value_unit"] / (m["price_unit"] * m["amount_unit"])


def decimal_product(first: float, second: float, third: float) -> float:
    """Return the double nearest to the product of three numbers' shortest decimals."""
    with localcontext(prec=80):
        parts = [Decimal(repr(float(part))) for part in (first, second, third)]
        return float(parts[0] * parts[1] * parts[2])


@inner
def profit_ratio(m: Record, t: Record, price: int) -> float:
    """Return the profit at `price` as a fraction of the margin, rounded to 8 decimals."""
    return ratio_of(t, value_with_fee(m, t["amount"], price, t["is_short"]))


@inner
def profit_ratio_between_ticks(m: Record, t: Record, rate: float) -> float:
    """Return the same at any rate, such as that of a repriced entry with all digits of its double."""
    factor = m["with_fee"] if t["is_short"] else m["less_fee"]
    return ratio_of(t, entry_value(m, t["amount"], rate, factor))


@inner
def ratio_of(t: Record, worth: float) -> float:
    """Return the profit of a position that is worth `worth`, as a fraction of the margin."""
    if t["open_value"] == 0.0:
        return 0.0
    short = t["is_short"]
    worth = worth - t["funding"] if short else worth + t["funding"]
    part = worth / t["open_value"]
    return round8((1.0 - part) * t["leverage"] if short else (part - 1.0) * t["leverage"])


@inner
def roi_rate(m: Record, t: Record, target: float) -> float:
    """Return the price at which the profit is `target`."""
    short = t["is_short"]
    wanted = target / t["leverage"]
    opened = value_with_fee(m, t["amount"], t["open_price"], not short)
    factor = m["with_fee"] if short else m["less_fee"]
    per_price = nearest_ratio(t["amount"] * factor, m["base_unit"])
    funding = t["funding"]
    at_zero = 0.0 - funding if short else 0.0 + funding
    at_one = per_price - funding if short else per_price + funding
    side = -1.0 if short else 1.0
    return ((1.0 + wanted / side) * opened - at_zero) / (at_one - at_zero)


@inner
def add_kept(total: float, error: float, part: float) -> tuple[float, float]:
    """Add `part` to a sum and keep what rounding loses (Neumaier 1974), as Python's sum() does."""
    added = total + part
    if abs(total) >= abs(part):
        return added, error + ((total - added) + part)
    return added, error + ((part - added) + total)


@inner
def update_funding(m: Record, r: Record, funding: Floats, t: Record, c: Record) -> None:
    """Set the funding from the last fill to the start of the candle, both ends inclusive."""
    if not ON.funding:
        return
    amount = coins(m, t)
    total, error = t["funding_sum"], t["funding_error"]
    for k in range(t["funding_next"], c["funding_to"]):
        total, error = add_kept(total, error, funding[k] * amount)
    t["funding_sum"], t["funding_error"] = total, error
    t["funding_next"] = max(t["funding_next"], c["funding_to"])
    if r["compensated_sum"] and math.isfinite(error):
        total += error
    if math.isnan(total):
        total = 0.0
    t["funding_running"] = total if t["is_short"] else -total
    before = t["funding_before"]
    if r["compensated_sum"] and math.isfinite(t["funding_before_error"]):
        before += t["funding_before_error"]
    t["funding"] = before + t["funding_running"]


@inner
def tied_up(r: Record, book: Records, queue: Ints, a: Record) -> float:
    """Return the sum of all open stakes, oldest trade first."""
    total = 0.0
    error = 0.0
    for k in range(a["open"]):
        total, error = add_kept(total, error, book[queue[k]]["stake"])
    return total + error if r["compensated_sum"] else total


@inner
def update_wallet(r: Record, book: Records, queue: Ints, a: Record) -> None:
    """Take stakes and profits into the wallet; between updates Freqtrade sees old figures."""
    if not ON.wallet:
        return
    tied = tied_up(r, book, queue, a)
    a["free"] = r["start_balance"] + a["closed_profit"] - tied
    a["collateral"] = a["free"] + tied


@inner
def total_stake(r: Record, tied: float, a: Record) -> float:
    """Return the tradable part of stakes and free money."""
    return (tied + a["free"]) * r["tradable_frac"]


@inner
def available_stake(r: Record, tied: float, a: Record) -> float:
    """Return what may still be staked."""
    return min(total_stake(r, tied, a) - tied, a["free"])
