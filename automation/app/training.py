"""Training as a user asks for it: checked input, a process of its own, a file written whole.

Called by the command line. The fitting itself is the worker's.
"""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from automation.core.errors import ConfigError
from automation.core.files import write_whole
from automation.core.paths import root
from automation.worker.regime import RegimeJob, TrainedRegime, fit_regime

_DEFAULT_PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT")


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What the user typed; see `freqfleet train regime --help`."""

    data: Path
    until: str
    pairs: tuple[str, ...] = ()
    timeframe: str = "5m"
    window_days: int = 180
    step_days: int = 30
    slow_days: int = 5
    output: Path | None = None


@dataclass(frozen=True, slots=True)
class TrainReport:
    """Where the parameters are, and what made them."""

    file: Path
    trained: TrainedRegime


def train_regime(request: TrainRequest) -> TrainReport:
    """Fit the regime models on data older than `until` and write the dated series of parameters.

    Raises ConfigError where the date or the data do not serve.
    """
    until = _date(request.until)
    job = RegimeJob(
        data=request.data.resolve(),
        pairs=request.pairs or _DEFAULT_PAIRS,
        timeframe=request.timeframe,
        until=until,
        window_days=request.window_days,
        step_days=request.step_days,
        slow_days=request.slow_days,
    )
    # Fitting libraries start threads and hold memory; a process of its own gives both back.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        trained = pool.submit(fit_regime, job).result()
    name = f"regime-{request.timeframe}-{until:%Y%m%d}.json"
    file = request.output or root() / "user_data" / "models" / name
    write_whole(file, trained.text.encode())
    return TrainReport(file, trained)


def _date(text: str) -> datetime:
    for form in ("%Y-%m-%d", "%Y%m%d"):
        try:
            found = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        if found > datetime.now(UTC):
            raise ConfigError(f"{text} is in the future", where="--until", cure="choose a past day")
        return found
    raise ConfigError(f"{text!r} is no day", where="--until", cure="write it like 2024-06-30")
