"""Parameters as vectors: a stepped number or a choice is the index of its value, a real itself.

Decides when two parameter sets are equal, which is when their vectors are. Refuses to know what a
parameter does. Used by everything that samples or stores.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from automation.core.tunings import Dimension

Vector = npt.NDArray[np.float64]
_DECIMALS = 12  # 0.1 + 0.2 is written 0.3


class Space:
    """The dimensions of a study, in their order; `free` are the places of those with a choice."""

    def __init__(self, dimensions: Sequence[Dimension]) -> None:
        """Take the dimensions; their names are unique."""
        self.dimensions = tuple(dimensions)
        sizes = [each.size() for each in self.dimensions]
        self.sizes: Vector = np.array(sizes, dtype=np.float64)
        self.free = tuple(place for place, size in enumerate(sizes) if size > 1)
        self.points = float(np.prod(self.sizes)) if sizes else 1.0
        self._low = np.array([each.low for each in self.dimensions])
        self._span = np.array([each.high - each.low for each in self.dimensions])
        self._is_real = np.isinf(self.sizes)

    def decode(self, vector: Vector) -> dict[str, Any]:
        """Return the values that a vector stands for, by name."""
        return {
            each.name: _value(each, float(number))
            for each, number in zip(self.dimensions, vector, strict=True)
        }

    def encode(self, values: Mapping[str, Any]) -> Vector | None:
        """Return the vector of values by name; None if the space cannot express them."""
        numbers = [_number(each, values.get(each.name)) for each in self.dimensions]
        if any(number is None for number in numbers):
            return None
        return np.array(numbers, dtype=np.float64)

    def from_cube(self, points: Vector) -> Vector:
        """Return vectors for points of the unit cube [n, free dimensions], each cell equally large."""
        made = np.zeros((len(points), len(self.dimensions)))
        for column, place in enumerate(self.free):
            share = points[:, column]
            if self._is_real[place]:
                made[:, place] = self._low[place] + share * self._span[place]
            else:
                most = self.sizes[place] - 1
                made[:, place] = np.minimum(np.floor(share * self.sizes[place]), most)
        return made

    def random(self, rng: np.random.Generator, count: int) -> Vector:
        """Return `count` vectors drawn evenly."""
        return self.from_cube(rng.random((count, len(self.free))))


def key_of(vector: Vector) -> bytes:
    """Return what is equal for equal parameters."""
    return (np.ascontiguousarray(vector, dtype=np.float64) + 0.0).tobytes()  # -0.0 is 0.0


def _value(dimension: Dimension, number: float) -> Any:
    if dimension.kind == "choice":
        return dimension.choices[int(number)]
    if dimension.step is None:
        return float(number) if dimension.high > dimension.low else dimension.low
    found = dimension.low + int(number) * dimension.step
    return round(found) if dimension.kind == "whole" else round(found, _DECIMALS)


def _number(dimension: Dimension, value: Any) -> float | None:
    if dimension.kind == "choice":
        return float(dimension.choices.index(value)) if value in dimension.choices else None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    if not dimension.low - 1e-9 <= value <= dimension.high + 1e-9:
        return None
    if dimension.step is None:
        return float(value) if dimension.high > dimension.low else 0.0
    place = round((value - dimension.low) / dimension.step)
    close = abs(dimension.low + place * dimension.step - value) <= 1e-9 * max(1.0, abs(value))
    return float(place) if close else None
