"""What one study is and what is kept of a trial.

A study is fixed when it begins: job, space, sampler, seed, batch size, constraints and the hashes of
data and code. Only its number of trials may grow. Called by every file of the room.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

import orjson

from automation.core.errors import ConfigError
from automation.core.tunings import Answer, Dimension

FIGURES = {
    "drawdown": "max_drawdown_frac",
    "trades": "trades",
    "exposure": "exposure_frac",
    "liquidations": "liquidations",
    "turnover": "turnover",
}
SAMPLERS = ("tpe", "cmaes", "nsga2", "nsga3", "qmc", "random")
BATCHES = {"nsga2": 50, "nsga3": 50}
BATCH = 20
_RULE = re.compile(r"^\s*([a-z_]+)\s*(<=|>=)\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)(%?)\s*$")


@dataclass(frozen=True, slots=True)
class Constraint:
    """`name` (a key of FIGURES) must not pass `limit`; `is_most` says on which side."""

    name: str
    limit: float
    is_most: bool

    def __str__(self) -> str:
        return f"{self.name} {'<=' if self.is_most else '>='} {self.limit:g}"

    def violation(self, figures: Mapping[str, float]) -> float:
        """Return by how much a trial breaks the rule, relative to the limit; 0 or less is kept."""
        value = float(figures[FIGURES[self.name]])
        over = value - self.limit if self.is_most else self.limit - value
        return over / max(abs(self.limit), 1e-9)


def parse_constraint(text: str) -> Constraint:
    """Read `drawdown<=0.15` or `trades>=50`; raises ConfigError for anything else."""
    found = _RULE.match(text)
    if found is None or found[1] not in FIGURES:
        cure = f"write it like drawdown<=0.15, of {', '.join(FIGURES)}"
        raise ConfigError(f"{text!r} is no constraint", where="--constraint", cure=cure)
    limit = float(found[3]) / (100.0 if found[4] else 1.0)
    return Constraint(found[1], limit, found[2] == "<=")


@dataclass(frozen=True, slots=True)
class Study:
    """What a study is, fixed when it begins. `job` is what an engine needs, as JSON."""

    name: str
    job: Mapping[str, Any]
    dimensions: tuple[Dimension, ...]
    current: Mapping[str, Any]
    losses: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    sampler: str
    seed: int
    batch: int
    stops_early: bool
    data_hash: str
    code_hash: str
    engine: str
    reasons: tuple[str, ...]
    begun: str

    def to_json(self) -> bytes:
        """Return the study as one JSON document."""
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS)

    def decisive(self) -> dict[str, Any]:
        """Return everything that decides the trials: all but names, places and the time."""
        made = {key: value for key, value in asdict(self).items() if key not in ("name", "begun")}
        places = ("data", "configs", "strategy_path")  # their contents are in the hashes
        made["job"] = {key: value for key, value in self.job.items() if key not in places}
        plain: dict[str, Any] = orjson.loads(orjson.dumps(made))
        return plain

    def hash(self) -> str:
        """Return a fingerprint of everything that decides the trials."""
        text = orjson.dumps(self.decisive(), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(text).hexdigest()


def study_of(text: bytes | str) -> Study:
    """Read a study from its JSON."""
    raw = orjson.loads(text)
    raw["dimensions"] = tuple(
        Dimension(**{**each, "choices": tuple(each["choices"])}) for each in raw["dimensions"]
    )
    raw["constraints"] = tuple(Constraint(**each) for each in raw["constraints"])
    raw["losses"], raw["reasons"] = tuple(raw["losses"]), tuple(raw["reasons"])
    return Study(**raw)


class State(IntEnum):
    """Where a trial is. The last three are final."""

    WAITING = 0
    RUNNING = 1
    DONE = 2
    STOPPED = 3
    FAILED = 4


@dataclass(frozen=True, slots=True)
class Planned:
    """A trial to evaluate: its place, its parameters as a vector (None: as it stands) and its bars."""

    number: int
    batch: int
    vector: tuple[float, ...] | None
    bars: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Row:
    """A trial as it is stored."""

    plan: Planned
    state: State
    answer: Answer | None


def state_of(answer: Answer) -> State:
    """Tell the final state that an answer means."""
    if answer.fault:
        return State.FAILED
    return State.STOPPED if answer.is_stopped else State.DONE


def plan_text(plan: Planned) -> bytes:
    """Write what is to be evaluated, shortly."""
    return orjson.dumps([plan.vector, plan.bars])


def plan_of(number: int, batch: int, text: bytes | str) -> Planned:
    """Read what `plan_text` wrote."""
    vector, bars = orjson.loads(text)
    return Planned(
        number,
        batch,
        None if vector is None else tuple(vector),
        None if bars is None else tuple(bars),
    )


def answer_text(answer: Answer) -> bytes:
    """Write an answer, shortly; NaN and infinities become null."""
    return orjson.dumps(
        [answer.losses, answer.head_losses, answer.figures, answer.fault, round(answer.seconds, 5)]
    )


def answer_of(number: int, state: State, text: bytes | str) -> Answer:
    """Read what `answer_text` wrote."""
    losses, heads, figures, fault, seconds = orjson.loads(text)
    return Answer(
        number=number,
        losses=tuple(losses),
        head_losses=tuple(heads),
        figures={name: _number(value) for name, value in figures.items()},
        is_stopped=state == State.STOPPED,
        fault=fault,
        seconds=seconds,
    )


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def default_batch(sampler: str) -> int:
    """Return how many trials one batch has."""
    return BATCHES.get(sampler, BATCH)


def names_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Split repeated, comma-separated options."""
    return tuple(part for text in texts for part in text.replace(",", " ").split())
