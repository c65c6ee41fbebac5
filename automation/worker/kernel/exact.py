"""Decimal arithmetic without decimals: Freqtrade's FtPrecise and ccxt's rounding, in float and int64.

Freqtrade multiplies prices, amounts and fees as decimal strings and turns the result into the
nearest double. A price is an integer number of 10^-dp, an amount of 10^-da, a fee of 10^-df; their
product is an integer below 2^63 over a power of ten, which `nearest_ratio` divides with one correct
rounding. The caller keeps to the ranges below; `automation.worker.tape` checks them.

Mirrors: util/ft_precise.py, exchange/exchange_utils.py (price_to_precision,
amount_to_contract_precision), ccxt/base/decimal_to_precision.py.
"""

import math

from automation.worker.kernel.compiled import compiled
from automation.worker.kernel.switches import ON

MOST_DECIMALS = 15  # of a product: the correct rounding of `nearest_ratio` is proven up to here
MOST_DIGITS = 15  # of a price with one decimal more than it has: a double holds no more uniquely
HIGHEST_PRODUCT = 9.0e18  # below 2^63
FARTHEST_PRICE = 1.0e15  # in units: no market trades there, a liquidation price may lie beyond
HIGHEST_ROUNDED = 4.0e7  # below 2^52 after scaling by 1e8

_SPLIT = 134217729.0  # 2^27 + 1 (Dekker 1971)


@compiled
def product_error(a: float, b: float, product: float) -> float:
    """Return a · b − `product` exactly, where `product` is the rounded product (Dekker 1971)."""
    scaled = _SPLIT * a
    a_high = scaled - (scaled - a)
    a_low = a - a_high
    scaled = _SPLIT * b
    b_high = scaled - (scaled - b)
    b_low = b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@compiled
def nearest_ratio(numerator: int, denominator: float) -> float:
    """Return the double nearest to `numerator` / `denominator`, ties to even.

    |`numerator`| ≤ 9e18; `denominator` is 10^k, k ≤ 15. The quotient of the high part leaves a
    remainder that is exact; its share is added with one rounding. A quotient that is no tie keeps
    at least 5e-16 ulp from the middle of two doubles, more than the 3.4e-16 ulp that are lost here.
    """
    high = float(numerator)
    low = float(numerator - int(high))
    quotient = high / denominator
    product = quotient * denominator
    remainder = ((high - product) - product_error(quotient, denominator, product)) + low
    return quotient + remainder / denominator


@compiled
def round8(value: float) -> float:
    """Return Python's round(value, 8); |`value`| ≤ 4e7."""
    if not ON.profit_rounding:
        return value
    scaled = value * 1e8
    error = product_error(value, 1e8, scaled)
    whole = float(math.floor(scaled))
    part = scaled - whole
    if part > 0.5 or (part == 0.5 and (error > 0.0 or (error == 0.0 and whole % 2.0 == 1.0))):
        whole += 1.0
    return whole / 1e8


@compiled
def floor_steps(value: float, step: int, unit: float) -> int:
    """Return the most whole `step`s of 1 / `unit` that are ≤ `value`, in units.

    `value` stands for the shortest decimal that rounds to it, as in Freqtrade: one that equals the
    double of a step's decimal is that decimal.
    """
    scaled = value * unit
    if scaled > FARTHEST_PRICE:
        return math.floor(min(scaled, HIGHEST_PRODUCT) / step) * step
    count = math.floor(scaled / step)
    while float(count * step) / unit > value:
        count -= 1
    while float((count + 1) * step) / unit <= value:
        count += 1
    return count * step


@compiled
def ceil_steps(value: float, step: int, unit: float) -> int:
    """Return the fewest whole `step`s of 1 / `unit` that are ≥ `value`, in units."""
    below = floor_steps(value, step, unit)
    return below if float(below) / unit == value else below + step


@compiled
def round_steps(value: float, step: int, unit: float) -> int:
    """Return `value` rounded to whole `step`s of 1 / `unit`, halves up, in units; `value` ≥ 0."""
    below = floor_steps(value, step, unit)
    middle = float(2 * below + step) / (2.0 * unit)
    return below + step if value >= middle else below


@compiled
def whole_units(value: float, unit: float) -> int:
    """Return how many 1 / `unit` a decimal number is, by its double."""
    return math.floor(value * unit + 0.5)
