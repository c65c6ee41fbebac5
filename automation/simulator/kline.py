"""One candle as Binance writes it: an array of twelve.

Decides what stands in each place, also for what candles do not record: quote volume, number of
trades and taker volume are estimated from the candle and documented as such. Refuses to know
where candles come from. Called by `charts` (blocks) and `rest` (the moving candle).
"""

from typing import Literal

import numpy as np

from automation.simulator.candles import CLOSE, HIGH, LOW, OPEN, VOLUME, Floats
from automation.simulator.encoding import Text, integers, join, literal, numbers
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
