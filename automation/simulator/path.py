"""How the price moves inside one candle: a deterministic path through its four prices.

Decides the price at every instant of the finest candle, hence every partial candle: open, then
the extreme against the candle's direction after a third of it, the other extreme after two
thirds, then the close, in straight lines on the tick grid; volume flows evenly.
Refuses to know the clock. Called by `tape` for the moving candle and by `charts` where a client
asks for a finer timeframe than the data has.
"""

import numpy as np

from automation.simulator.candles import CLOSE, HIGH, LOW, OPEN, VOLUME, Floats, missing

_TURNS = (0.0, 1 / 3, 2 / 3, 1.0)


def turning_points(values: Floats) -> Floats:
    """Prices at the fractions 0, 1/3, 2/3 and 1 of each candle; shape (n, 4)."""
    up = values[:, CLOSE] >= values[:, OPEN]
    return np.column_stack(
        (
            values[:, OPEN],
            np.where(up, values[:, LOW], values[:, HIGH]),
            np.where(up, values[:, HIGH], values[:, LOW]),
            values[:, CLOSE],
        )
    )


def price_along(points: Floats, fraction: float, decimals: int) -> float:
    """Price after a fraction [0, 1] of one candle; `points` is one row of `turning_points`."""
    leg = min(int(fraction * 3), 2)
    start, end = float(points[leg]), float(points[leg + 1])
    price = round(start + (end - start) * (fraction * 3 - leg), decimals)
    return min(max(price, min(start, end)), max(start, end))


def part(candle: Floats, begin: float, end: float, decimals: int, quantity_decimals: int) -> Floats:
    """Candle of the stretch [begin, end] of one candle, both as fractions; shape (5,)."""
    points = turning_points(candle[None, :])[0]
    first, last = (price_along(points, fraction, decimals) for fraction in (begin, end))
    passed = [
        float(points[i]) for i, turn in enumerate(_TURNS) if begin <= turn <= end and 0 < i < 3
    ]
    flowed = [round(float(candle[VOLUME]) * x, quantity_decimals) for x in (begin, end)]
    volume = round(flowed[1] - flowed[0], quantity_decimals)
    return np.array(
        (first, max(first, last, *passed), min(first, last, *passed), last, max(volume, 0.0))
    )


def split(values: Floats, parts: int, decimals: int, quantity_decimals: int) -> Floats:
    """Cut each candle into `parts` equal candles along its path; shape (n * parts, 5).

    The pieces add up to the candle again: same open, extremes, close and volume. NaN stays NaN.
    """
    out = missing(len(values) * parts).reshape(len(values), parts, 5)
    for row, candle in enumerate(values):
        if np.isnan(candle[CLOSE]):
            continue
        for piece in range(parts):
            out[row, piece] = part(
                candle, piece / parts, (piece + 1) / parts, decimals, quantity_decimals
            )
    return out.reshape(-1, 5)
