"""Rows of numbers into Binance's JSON, thousands at a time.

Decides how numbers are printed: fixed decimals, more only where a value needs them to stay what
it is. Refuses to know which endpoint wants the rows. Called by `charts` when a block of candles
is encoded; requests then copy bytes.

A column is printed from integers (value x 10^decimals) into a matrix of characters, four digits
per look-up; leading zeros are masked out and the rest is the text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automation.simulator.candles import Floats
from automation.simulator.timeframes import Ints

Chars = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
_MOST_DECIMALS = 12
_EXACT_BELOW = 2.0**53
_QUADS = np.frombuffer(b"".join(b"%04d" % n for n in range(10_000)), np.uint8).reshape(-1, 4)
_DOT, _MINUS = ord("."), ord("-")


@dataclass(frozen=True, slots=True)
class Text:
    """One printed column: characters and which of them count; both of shape (n, width)."""

    chars: Chars
    mask: Mask


def literal(text: str, rows: int) -> Text:
    """The same text in every row."""
    one = np.frombuffer(text.encode(), np.uint8)
    chars = np.broadcast_to(one, (rows, len(one)))
    return Text(chars, np.broadcast_to(np.True_, chars.shape))


def integers(values: Ints, decimals: int = 0) -> Text:
    """Print integers, read as multiples of 10^-decimals."""
    size = np.abs(values)
    quads = (len(str(int(size.max(initial=0)))) + 3) // 4
    quads = max(quads, (decimals + 4) // 4)
    digits = np.empty((len(values), quads * 4), np.uint8)
    rest = size
    for quad in range(quads - 1, -1, -1):
        rest, low = np.divmod(rest, 10_000)
        digits[:, quad * 4 : quad * 4 + 4] = _QUADS[low]
    whole = digits.shape[1] - decimals
    shown = np.maximum.accumulate(digits != ord("0"), axis=1)
    shown[:, whole - 1 :] = True
    return _assemble(digits, shown, whole, decimals, values < 0)


def _assemble(digits: Chars, shown: Mask, whole: int, decimals: int, negative: Mask) -> Text:
    rows = len(digits)
    minus, minus_shown = np.full((rows, 1), _MINUS, np.uint8), negative[:, None]
    if not decimals:
        return Text(np.hstack((minus, digits)), np.hstack((minus_shown, shown)))
    dot, dot_shown = np.full((rows, 1), _DOT, np.uint8), np.ones((rows, 1), bool)
    chars = np.hstack((minus, digits[:, :whole], dot, digits[:, whole:]))
    mask = np.hstack((minus_shown, shown[:, :whole], dot_shown, shown[:, whole:]))
    return Text(chars, mask)


def decimals_needed(values: Floats, least: int) -> int | None:
    """Fewest decimals, at least `least`, that give every value back exactly; None if none do."""
    for decimals in range(least, _MOST_DECIMALS + 1):
        scaled = np.rint(values * 10.0**decimals)
        if np.abs(scaled).max(initial=0) >= _EXACT_BELOW:
            return None
        if (scaled / 10.0**decimals == values).all():
            return decimals
    return None


def numbers(values: Floats, decimals: int) -> Text:
    """Print numbers with at least `decimals` decimals, exactly."""
    needed = decimals_needed(values, decimals)
    if needed is not None:
        return integers(np.rint(values * 10.0**needed).astype(np.int64), needed)
    return _texts([exact(float(value), decimals) for value in values])


def exact(value: float, decimals: int) -> str:
    """Print one number with at least `decimals` decimals, exactly."""
    short = f"{value:.{decimals}f}"
    if float(short) == value:
        return short
    return np.format_float_positional(value, unique=True, trim="-", min_digits=decimals)


def _texts(texts: Sequence[str]) -> Text:
    width = max((len(text) for text in texts), default=1)
    joined = "".join(text.ljust(width) for text in texts).encode()
    chars = np.frombuffer(joined, np.uint8).reshape(len(texts), width)
    return Text(chars, chars != ord(" "))


def join(columns: Sequence[Text]) -> tuple[bytes, Ints]:
    """Join columns row by row; gives the text of all rows and where each row begins and ends."""
    chars = np.hstack([column.chars for column in columns])
    mask = np.hstack([column.mask for column in columns])
    ends = np.concatenate(([0], np.cumsum(mask.sum(axis=1)))).astype(np.int64)
    return chars[mask].tobytes(), ends
