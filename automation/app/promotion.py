"""From a study to Freqtrade's own parameter file: verified by Freqtrade first, with a way back.

`promote` writes `<Strategy>.json` beside the strategy only if `freqtrade backtesting`, run on a copy of
the strategy with exactly that file, makes the engine's trades, one by one. What stood there before is kept as
`<Strategy>.json.previous`; `rollback` exchanges the two. Called by the command line.
"""

import asyncio
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from automation.app.tuning import check_same, closing_storage
from automation.app.tuning_job import job_of
from automation.backtest import FreqtradeBacktester, find_strategy
from automation.core.backtests import Backtester, BacktestJob
from automation.core.errors import ConfigError
from automation.core.files import write_whole
from automation.core.paths import home, strategies
from automation.core.tunings import Chosen, TuneJob
from automation.simulator import freqtrade_overlay, open_market, serving
from automation.tuning.pool import EnginePool
from automation.tuning.ranking import Ranked, summarise, trial_of
from automation.tuning.study import Study
from automation.worker.compare import differences
from automation.worker.exports import exported
from automation.worker.results import read

_SHOWN = 10
_NOT_EXPORTED = "fill_time"  # a result file has no fill times
PROVENANCE = "freqfleet"
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was verified, and where it is. `differences` not empty: nothing was written."""

    study: str
    trial: int
    trades: int
    file: Path
    previous: Path | None
    sections: Mapping[str, Any]
    differences: tuple[str, ...]


def promote(
    storage_url: str | None, name: str, trial: int | None, data: Path | None, notice: Notice
) -> Promotion:
    """Verify a trial (the best, unless one is named) and write it beside the strategy.

    Raises ConfigError where data or code changed since, or there is nothing to write.
    """
    with closing_storage(storage_url) as storage:
        study = storage.study(name)
        summary = summarise(storage, name)
        chosen = summary.best if trial is None else trial_of(storage, study, trial)
    if chosen is None:
        raise ConfigError(
            "no trial has ended yet", where=name, cure="let `freqfleet tune run` go on"
        )
    if chosen.number == 0:
        raise ConfigError(
            "the best trial is the strategy as it stands",
            where=name,
            cure="try more trials or wider spaces",
        )
    if not chosen.keeps_constraints:
        raise ConfigError(
            f"trial {chosen.number} breaks a constraint",
            where=name,
            cure="choose another with --trial",
        )
    job = job_of(study, data)
    check_same(study, job)
    with TemporaryDirectory(prefix="freqfleet-promote-") as scratch:
        return _verified(study, job, chosen, Path(scratch), notice)


def rollback(strategy: str, strategy_path: Path | None) -> tuple[Path, bool]:
    """Exchange a strategy's parameter file for the previous one; the file, and whether there is one now.

    Raises ConfigError if there is nothing to go back to.
    """
    file = find_strategy(strategy, strategy_path or strategies()).path.with_suffix(".json")
    previous = _previous(file)
    if previous.is_file():
        current = file.read_bytes() if file.is_file() else None
        write_whole(file, previous.read_bytes())
        if current is not None:
            write_whole(previous, current)
        return file, True
    provenance = _read(file).get(PROVENANCE) if file.is_file() else None
    if provenance is None or provenance.get("previous") is not None:
        raise ConfigError("there is no previous parameter file", where=str(file))
    file.replace(previous)  # before it there was none
    return file, False


def _verified(
    study: Study, job: TuneJob, chosen: Ranked, scratch: Path, notice: Notice
) -> Promotion:
    with EnginePool(job, 1, notice, looks_ahead_test=False) as engines:
        ours = engines.choose(chosen.values, scratch / "trades.npz")
    file = find_strategy(job.strategy, job.strategy_path or strategies()).path.with_suffix(".json")
    text = _text(study, chosen, ours, file)
    notice("running freqtrade backtesting on the same parameters")
    theirs = _freqtrade(job, file.with_suffix(".py"), text, scratch)
    engine = read(ours.file)
    unlike = [
        str(each)
        for each in differences(engine, exported(theirs, engine.pairs), most=10_000)
        if each.field != _NOT_EXPORTED
    ]
    kept: Path | None = None
    if not unlike:
        if file.is_file():
            kept = _previous(file)
            write_whole(kept, file.read_bytes())
        write_whole(file, text)
    return Promotion(
        study=study.name,
        trial=chosen.number,
        trades=len(engine.trades),
        file=file,
        previous=kept,
        sections=ours.sections,
        differences=tuple(unlike[:_SHOWN]),
    )


def _freqtrade(job: TuneJob, source: Path, text: bytes, scratch: Path) -> dict[str, Any]:
    """Run Freqtrade's backtest on a copy of the strategy's folder that has the new file."""
    folder = scratch / "strategies"
    shutil.copytree(
        source.parent, folder, ignore=lambda _, names: [n for n in names if n == "__pycache__"]
    )
    (folder / source.with_suffix(".json").name).write_bytes(text)
    arguments: tuple[str, ...] = ("--enable-protections",) if job.protections else ()
    if job.timeframe is not None:
        arguments = (*arguments, "--timeframe", job.timeframe)
    with serving(open_market(job.data)) as simulator:
        backtester: Backtester = FreqtradeBacktester(freqtrade_overlay(simulator.url, job.pairs))
        outcomes = asyncio.run(
            backtester.run(
                BacktestJob(
                    strategies=(job.strategy,),
                    data=job.data,
                    timerange=job.timerange,
                    pairs=job.pairs,
                    results=home() / "tuning" / "backtests",
                    configs=job.configs,
                    strategy_path=folder,
                    arguments=arguments,
                )
            )
        )
    return outcomes[0].raw


def _text(study: Study, chosen: Ranked, ours: Chosen, file: Path) -> bytes:
    """Write the parameter file: what stood there, the chosen sections over it, and where they are from."""
    before = _read(file) if file.is_file() else {}
    params = {**before.get("params", {})}
    for name, section in ours.sections.items():
        whole = name in ("roi", "trailing")  # tables replace tables
        params[name] = section if whole else {**params.get(name, {}), **section}
    made = {
        "strategy_name": study.job["strategy"],
        "params": params,
        "ft_stratparam_v": 1,
        "export_time": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S+00:00}",
        PROVENANCE: {
            "study": study.name,
            "trial": chosen.number,
            "losses": dict(zip(study.losses, chosen.losses, strict=True)),
            "timerange": study.job["timerange"],
            "pairs": study.job["pairs"],
            "seed": study.seed,
            "sampler": study.sampler,
            "data_sha256": study.data_hash,
            "code_sha256": study.code_hash,
            "study_sha256": study.hash(),
            "verified_with": f"freqtrade {version('freqtrade')}",
            "previous": _previous(file).name if file.is_file() else None,
        },
    }
    return json.dumps(made, indent=2).encode() + b"\n"


def _previous(file: Path) -> Path:
    return file.with_name(f"{file.name}.previous")


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(file)) from None
    return found if isinstance(found, dict) else {}
