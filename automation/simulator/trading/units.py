"""Whole numbers for prices, quantities and money, and their text at the border.

Decides the grids: a price is a whole number of ticks, a quantity of steps, money of 1e-8 of the
quote currency; mark prices and rates are whole 1e-8. Refuses to know orders and accounts.
Called by the whole package, and by the endpoints and streams that read and write text.
"""

from dataclasses import dataclass
from functools import cached_property

from automation.simulator.market import Instrument
from automation.simulator.trading.brackets import Ladder

MONEY_DECIMALS = 8
ONE = 10**MONEY_DECIMALS
MONTHS_MS = 30 * 24 * 3600 * 1000


def divide(numerator: int, denominator: int) -> int:
    """Divide and round half away from zero; the denominator is above zero."""
    if numerator >= 0:
        return (2 * numerator + denominator) // (2 * denominator)
    return -((-2 * numerator + denominator) // (2 * denominator))


def divide_up(numerator: int, denominator: int) -> int:
    """Divide and round towards more: margin is never asked for short."""
    return -(-numerator // denominator)


def text(number: int, decimals: int) -> str:
    """Write a whole number of 10^-decimals with that many decimals."""
    if decimals == 0:
        return str(number)
    digits = f"{abs(number):0{decimals + 1}d}"
    sign = "-" if number < 0 else ""
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def money_text(amount: int) -> str:
    """Write money with eight decimals."""
    return text(amount, MONEY_DECIMALS)


def rate_text(rate: int) -> str:
    """Write a rate with eight decimals."""
    return text(rate, MONEY_DECIMALS)


@dataclass(frozen=True)
class Contract:
    """The grid, limits and margin ladder of one symbol."""

    symbol: str
    base: str
    quote: str
    price_decimals: int
    """Decimals of the tick."""
    printed_decimals: int
    """Decimals that Binance prints; not fewer."""
    quantity_decimals: int
    min_notional: int
    min_price: int
    max_price: int
    max_quantity: int
    max_market_quantity: int
    ladder: Ladder
    min_quantity: int = 1
    percent_up: int = 105
    """Most a limit price may be, percent of the mark price."""
    percent_down: int = 95
    liquidation_fee: int = 1_250_000
    """Clearance fee, 1e-8 of the notional."""

    @cached_property
    def scale(self) -> tuple[int, int]:
        """Multiplier and divisor from ticks × steps to money."""
        power = MONEY_DECIMALS - self.price_decimals - self.quantity_decimals
        return (int(10**power), 1) if power >= 0 else (1, int(10**-power))

    @cached_property
    def step_unit(self) -> int:
        """Steps in one whole coin."""
        return int(10**self.quantity_decimals)

    @cached_property
    def tick_unit(self) -> int:
        """Ticks in one whole unit of the quote currency."""
        return int(10**self.price_decimals)

    def notional(self, price: int, quantity: int) -> int:
        """Money of a quantity (steps) at a price (ticks)."""
        multiplier, divisor = self.scale
        product = price * quantity * multiplier
        return product if divisor == 1 else divide(product, divisor)

    def value(self, mark: int, size: int) -> int:
        """Money of a quantity (steps, signed) at a mark price (1e-8)."""
        return divide(mark * size, self.step_unit)

    def mark_of(self, price: int) -> int:
        """Turn ticks into the 1e-8 of mark prices."""
        unit: int = ONE // self.tick_unit
        return price * unit

    def price_text(self, price: int) -> str:
        """Write ticks as Binance prints the price."""
        return text(price * self._printed_unit, self.printed_decimals)

    @cached_property
    def _printed_unit(self) -> int:
        return int(10 ** (self.printed_decimals - self.price_decimals))

    def quantity_text(self, quantity: int) -> str:
        """Write steps as Binance prints the quantity."""
        return text(quantity, self.quantity_decimals)

    def average_text(self, notional: int, quantity: int) -> str:
        """Write the average price of `quantity` steps that were worth `notional` money."""
        return text(self.average(notional, quantity, self.printed_decimals), self.printed_decimals)

    def average(self, notional: int, quantity: int, decimals: int = MONEY_DECIMALS) -> int:
        """Money per coin, in 10^-decimals; 0 for nothing."""
        if quantity == 0:
            return 0
        both = abs(notional) * self.step_unit * int(10**decimals)
        return divide(both, abs(quantity) * ONE)


def contract_of(instrument: Instrument, ladder: Ladder) -> Contract:
    """Take the grid and the limits from an instrument's rules."""
    rules = instrument.rules
    tick, step = rules.tick_decimals, _decimals(rules.step)
    return Contract(
        symbol=instrument.symbol,
        base=instrument.base,
        quote=instrument.quote,
        price_decimals=tick,
        printed_decimals=max(rules.price_precision, tick),
        quantity_decimals=step,
        min_notional=parse(rules.min_notional, MONEY_DECIMALS),
        min_price=max(parse(rules.min_price or "0", tick), 1),
        max_price=parse(rules.max_price or "1000000", tick),
        max_quantity=parse(rules.max_qty, step),
        max_market_quantity=parse(rules.max_market_qty, step),
        ladder=ladder,
    )


def parse(written: str, decimals: int) -> int:
    """Read text on a grid of 10^-decimals; what is finer is cut off."""
    whole, _, fraction = written.partition(".")
    return int(whole + fraction[:decimals].ljust(decimals, "0"))


def _decimals(written: str) -> int:
    return len(written.partition(".")[2].rstrip("0"))
