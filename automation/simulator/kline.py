"""One candle as Binance writes it: an array of twelve.

Decides what stands in each place, also for what candles do not record: quote volume, number of
trades and taker volume are estimated from the candle and documented as such. Refuses to know
where candles come from. Called by `charts` (blocks) and `rest` (the moving candle).
"""

from typing import Literal

import numpy as np

from automation.simulator.candles import CLOSE, HIGH, LOW, OPEN, VOLUME, Floats
from automation.simulator.encoding import Text, exact, integers, join, literal, numbers
from automation.simulator.rules import Rules
from automation.simulator.timeframes import Ints

Kind = Literal["trade", "mark", "index", "premium"]
_PRICE_DECIMALS = 8  # of mark, index and premium
USUAL_TRADE_USDT = 1500.0


def encode(kind: Kind, rules: Rules, opens: Ints, values: Floats) -> tuple[bytes, Ints]:
    """Encode candles, each as `,[…]`.

    `opens` has one instant more than `values` has rows: the last candle's end.
    Gives the text and the n + 1 places at which rows begin and end.
    """
    if kind == "trade":
        return join(_traded(rules, opens, values))
    return join(_quoted(opens, values))


def encode_one(kind: Kind, rules: Rules, edges: tuple[int, int], values: Floats) -> bytes:
    """Encode one candle as `encode` does, without arrays: the moving one is asked for often.

    `edges`: when it opens and when the next one does; `values` of shape (5,).
    """
    start_ms, end_ms = edges
    if kind != "trade":
        prices = '","'.join(exact(value, _PRICE_DECIMALS) for value in values[:VOLUME].tolist())
        tail = f'{(end_ms - start_ms) // 1000},"0","0","0"'
        return f',[{start_ms},"{prices}","0",{end_ms - 1},"0",{tail}]'.encode()
    places = min(rules.price_precision + rules.quantity_precision, 8)
    digits = rules.quantity_precision
    prices = '","'.join(exact(value, rules.price_precision) for value in values[:VOLUME].tolist())
    volume = float(values[VOLUME])
    opened, high, low, close = (float(value) for value in values[:VOLUME])
    quote = volume * (((opened + high) + low + close) / 4)
    share = 0.5 + (close - opened) / (high - low if high > low else 1.0) / 4
    count = int(max(quote / USUAL_TRADE_USDT, 1)) if volume > 0 else 0
    return (
        f',[{start_ms},"{prices}","{exact(volume, digits)}",{end_ms - 1},'
        f'"{_whole(quote, places)}",{count},"{_whole(volume * share, digits)}",'
        f'"{_whole(quote * share, places)}","0"]'
    ).encode()


def _whole(value: float, decimals: int) -> str:
    """Print a number on a grid, rounded as `encode` rounds it."""
    units = round(value * 10.0**decimals)
    whole, part = divmod(abs(units), 10**decimals)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{part:0{decimals}d}" if decimals else f"{sign}{whole}"


def _framed(opens: Ints, prices: list[Text], volume: Text, tail: list[Text]) -> list[Text]:
    rows = len(opens) - 1
    comma, quote = literal('","', rows), literal('"', rows)
    columns = [literal(",[", rows), integers(opens[:-1]), literal(',"', rows)]
    for price in prices:
        columns += [price, comma]
    columns += [volume, quote, literal(",", rows), integers(opens[1:] - 1)]
    return [*columns, literal(',"', rows), *tail]


def _traded(rules: Rules, opens: Ints, values: Floats) -> list[Text]:
    rows = len(values)
    places = rules.price_precision + rules.quantity_precision
    prices = [numbers(values[:, i], rules.price_precision) for i in (OPEN, HIGH, LOW, CLOSE)]
    volume = numbers(values[:, VOLUME], rules.quantity_precision)
    quote, count, taker, taker_quote = estimates(values)
    tail = [
        _rounded(quote, places),
        literal('",', rows),
        integers(count),
        literal(',"', rows),
        _rounded(taker, rules.quantity_precision),
        literal('","', rows),
        _rounded(taker_quote, places),
        literal('","0"]', rows),
    ]
    return _framed(opens, prices, volume, tail)


def _quoted(opens: Ints, values: Floats) -> list[Text]:
    rows = len(values)
    prices = [numbers(values[:, i], _PRICE_DECIMALS) for i in (OPEN, HIGH, LOW, CLOSE)]
    seconds = (opens[1:] - opens[:-1]) // 1000
    tail = [literal('0",', rows), integers(seconds), literal(',"0","0","0"]', rows)]
    return _framed(opens, prices, literal("0", rows), tail)


def _rounded(values: Floats, decimals: int) -> Text:
    decimals = min(decimals, 8)
    return integers(np.rint(values * 10.0**decimals).astype(np.int64), decimals)


def estimates(values: Floats) -> tuple[Floats, Ints, Floats, Floats]:
    """Guess quote volume, number of trades, taker volume and taker quote volume of candles.

    Quote volume is volume times the mean of the four prices. The takers' share runs from a
    quarter, in a candle that fell from high to low, to three quarters in one that rose.
    """
    volume = values[:, VOLUME]
    quote = volume * values[:, :VOLUME].mean(axis=1)
    spread = values[:, HIGH] - values[:, LOW]
    body = (values[:, CLOSE] - values[:, OPEN]) / np.where(spread > 0, spread, 1.0)
    share = 0.5 + body / 4
    count = np.where(volume > 0, np.maximum(quote / USUAL_TRADE_USDT, 1), 0).astype(np.int64)
    return quote, count, volume * share, quote * share
