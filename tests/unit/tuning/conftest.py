"""A study over plain numbers: engines that compute a formula, and answer in any order."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from automation.core.tunings import Answer, Dimension, EngineFacts, Task
from automation.tuning.study import Study, default_batch

DIMENSIONS = (
    Dimension("kind", "buy", "choice", choices=("a", "b", "c")),
    Dimension("fast", "buy", "whole", 5, 60, 1.0),
    Dimension("gap", "sell", "real", 0.0, 0.3, 0.001),
    Dimension("free", "sell", "real", -1.0, 1.0),
    Dimension("fixed", "trailing", "choice", choices=(True,)),
)


def figures(values: dict[str, Any], scale: float = 1.0) -> dict[str, float]:
    return {
        "trades": 40.0 * scale + values["fast"],
        "max_drawdown_frac": values["gap"],
        "exposure_frac": 0.5,
    }


def bowl(values: dict[str, Any]) -> float:
    kind = {"a": 0.3, "b": 0.0, "c": 0.6}[values["kind"]]
    return (
        kind
        + ((values["fast"] - 33) / 30) ** 2
        + (values["gap"] * 5 - 0.5) ** 2
        + values["free"] ** 2
    )


class FormulaEngines:
    """`Engines` without processes; answers leave in an order drawn from `seed`."""

    def __init__(
        self,
        losses: int = 1,
        width: int = 4,
        seed: int = 0,
        die_after: int | None = None,
        formula: Callable[[dict[str, Any]], float] = bowl,
        trades: bool = True,
    ) -> None:
        self.losses, self.width, self.formula, self.trades = losses, width, formula, trades
        self.evaluated: list[int] = []
        self._held: list[Task] = []
        self._random, self._die_after = random.Random(seed), die_after

    @property
    def facts(self) -> EngineFacts:
        return EngineFacts(DIMENSIONS, {}, (), "", "5m", 0, "", "")

    def room(self) -> int:
        return 3 * self.width - len(self._held)

    def send(self, tasks: Sequence[Task]) -> None:
        self._held += tasks

    def collect(self, timeout_s: float) -> list[Answer]:
        answers = []
        for _ in range(min(self.width, len(self._held))):
            if self._die_after is not None and len(self.evaluated) >= self._die_after:
                raise KeyboardInterrupt
            task = self._held.pop(self._random.randrange(len(self._held)))
            self.evaluated.append(task.number)
            answers.append(self._answer(task))
        return answers

    def _answer(self, task: Task) -> Answer:
        values = dict(task.values or {"kind": "c", "fast": 10, "gap": 0.2, "free": 0.5})
        loss = self.formula(values)
        losses = (loss, values["gap"] - loss)[: self.losses]
        told = figures(values) if self.trades else {**figures(values), "trades": 0.0}
        head = tuple(each * 0.9 for each in losses) if task.bars is not None else ()
        if task.bars is not None and all(h > bar for h, bar in zip(head, task.bars, strict=True)):
            return Answer(task.number, (), head, told, is_stopped=True, seconds=0.001)
        return Answer(task.number, losses, head, told, seconds=0.004)


@pytest.fixture
def make_study() -> Callable[..., Study]:
    def make(sampler: str = "tpe", losses: int = 1, **more: Any) -> Study:
        given = {
            "name": f"{sampler}-{losses}",
            "job": {"strategy": "Formula", "timerange": "2024-2025", "pairs": ["BTC/USDT:USDT"]},
            "dimensions": DIMENSIONS,
            "current": {"kind": "c", "fast": 10, "gap": 0.2, "free": 0.5, "fixed": True},
            "losses": ("One", "Two")[:losses],
            "constraints": (),
            "sampler": sampler,
            "seed": 7,
            "batch": default_batch(sampler),
            "stops_early": True,
            "data_hash": "d" * 64,
            "code_hash": "c" * 64,
            "engine": "kernel",
            "reasons": (),
            "begun": "2024-01-01T00:00:00Z",
        }
        return Study(**{**given, **more})

    return make


@pytest.fixture
def engines() -> type[FormulaEngines]:
    return FormulaEngines
