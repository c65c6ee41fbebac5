"""What a search asks of a backtest engine and what it is answered; plain values that travel as JSON.

The seam is `Engines`: processes that evaluate trials of one job. `automation.tuning.pool` starts
them, `automation.worker.tuning` is what runs in them; neither room imports the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

WORST_LOSS = 100_000.0
"""What Freqtrade's hyperopt gives an epoch without enough trades (`MAX_LOSS`)."""

OWN_SPACES = ("roi", "stoploss", "trailing", "trades")
"""Spaces that Freqtrade adds to those a strategy declares."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One parameter: a range of numbers, whole or with `step`, or a choice."""

    name: str
    space: str
    kind: Literal["real", "whole", "choice"]
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    choices: tuple[Any, ...] = ()

    def size(self) -> float:
        """Return how many values there are; infinite without a step."""
        if self.kind == "choice":
            return float(len(self.choices))
        if self.step is None:
            return float("inf") if self.high > self.low else 1.0
        return float(round((self.high - self.low) / self.step) + 1)


@dataclass(frozen=True, slots=True)
class TuneJob:
    """One strategy over one range of one data folder, and what is judged.

    `losses` are names of Freqtrade hyperopt losses, all minimised; `spaces` are Freqtrade's names, empty
    for all that the strategy declares. `exchange_info` is the body of Binance's exchangeInfo.
    """

    strategy: str
    data: Path
    timerange: str
    pairs: tuple[str, ...]
    losses: tuple[str, ...]
    spaces: tuple[str, ...] = ()
    configs: tuple[Path, ...] = ()
    strategy_path: Path | None = None
    timeframe: str | None = None
    protections: bool = False
    exchange_info: Mapping[str, Any] = field(default_factory=dict)
    head_frac: float = 0.25
    """The first slice of the range, by which hopeless trials are known."""


@dataclass(frozen=True, slots=True)
class Task:
    """One trial to evaluate. `values` None is the strategy as it stands.

    With `bars` the first slice is run before the whole; where every loss of it is above its bar, the
    trial is stopped there.
    """

    number: int
    values: Mapping[str, Any] | None
    bars: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a trial gave. `figures` are those of `tradekit.metrics`; of a stopped trial, the slice's.

    `losses` of a stopped trial are empty. `fault` tells why a trial could not be evaluated.
    """

    number: int
    losses: tuple[float, ...] = ()
    head_losses: tuple[float, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    is_stopped: bool = False
    fault: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What a started engine tells of its job.

    `reasons` name what the compiled engine cannot reproduce: then Freqtrade's own backtest runs.
    `current` are the strategy's present values, those that the space can express. `silence` is the
    likely cause where the strategy as it stands makes no trade, else empty.
    """

    dimensions: tuple[Dimension, ...]
    current: Mapping[str, Any]
    reasons: tuple[str, ...]
    silence: str
    timeframe: str
    candles: int
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """One parameter set in full: Freqtrade's `params` sections, and its trades kept in `file`."""

    sections: Mapping[str, Any]
    file: Path
    engine: str


class Engines(Protocol):
    """Evaluates trials, several at a time, in processes of its own."""

    @property
    def facts(self) -> EngineFacts:
        """What the job turned out to be."""
        ...

    def room(self) -> int:
        """Return how many more tasks are taken without making them wait long."""
        ...

    def send(self, tasks: Sequence[Task]) -> None:
        """Hand over tasks; every one is answered once, whatever happens to a process."""
        ...

    def collect(self, timeout_s: float) -> list[Answer]:
        """Return what was answered; empty after `timeout_s` without any. DependencyError if all died."""
        ...
