"""Which cases of a long suite stand for it in every run of `make test-long`."""

import random
from collections.abc import Collection, Iterable

import pytest


def sampled(cases: Collection[str], count: int, also: Iterable[str] = ()) -> list:
    """Mark `count` cases, drawn with a fixed seed, and those in `also`."""
    chosen = {*random.Random(7).sample(sorted(cases), count), *also}
    return [pytest.param(one, marks=[pytest.mark.long] * (one in chosen)) for one in cases]
