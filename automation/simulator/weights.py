"""What each request for market data weighs.

Decides the numbers of Binance's table of request weights. Refuses to limit anyone: that is
`signed.limits`. Called by the endpoints.
"""

_KLINES = ((100, 1), (500, 2), (1001, 5), (10_000, 10))
_DEPTH = ((51, 2), (101, 5), (501, 10), (10_000, 20))


def klines_weight(limit: int) -> int:
    """Weigh a request for candles by its limit."""
    return next(weight for below, weight in _KLINES if limit < below)


def depth_weight(limit: int) -> int:
    """Weigh a request for the order book by its limit."""
    return next(weight for below, weight in _DEPTH if limit < below)
