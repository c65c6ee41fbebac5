"""Tuning as a user asks for it: a search, what it found, and a verified export.

Called by the command line. The search is `automation.tuning`'s, the backtests the engine's, and before
anything is exported Freqtrade's own command has the last word.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from automation.app.coverage import cover
from automation.app.outcomes import TuningDone, tell_tuning
from automation.app.tuning_job import (
    code_hash,
    data_hash,
    exchange_facts,
    job_document,
    job_of,
    layers,
)
from automation.backtest import find_strategy
from automation.backtest.userconfig import read_configs
from automation.core.errors import ConfigError
from automation.core.paths import home, strategies
from automation.core.timerange import parse_timerange
from automation.core.tunings import EngineFacts, TuneJob
from automation.tuning.pool import EnginePool
from automation.tuning.ranking import Summary, summarise
from automation.tuning.report import markdown
from automation.tuning.search import Progress, Search, Spent
from automation.tuning.storage import Storage, open_storage
from automation.tuning.study import SAMPLERS, Study, default_batch, names_of, parse_constraint

DEFAULT_LOSS = "CalmarTailLoss"
Notice = Callable[[str], None]
Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class TuneRequest:
    """What the user typed; see `freqfleet tune run --help`."""

    strategy: str
    data: Path
    timerange: str
    pairs: tuple[str, ...] = ()
    trials: int = 1000
    workers: int = 1
    storage: str | None = None
    sampler: str = "tpe"
    losses: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    seed: int = 1
    constraints: tuple[str, ...] = ()
    study: str | None = None
    configs: tuple[Path, ...] = ()
    strategy_path: Path | None = None
    timeframe: str | None = None
    protections: bool = False
    stops_early: bool = True


@dataclass(frozen=True, slots=True)
class TuneReport:
    """What a search found, where it is written, and where its time went."""

    summary: Summary
    page: Path
    storage: str
    notes: tuple[str, ...]
    spent: Spent


def default_storage() -> str:
    """Return the file in which studies are kept unless another place is named."""
    return str(home() / "tuning" / "studies.sqlite")


def tune(request: TuneRequest, tell: Tell, notice: Notice) -> TuneReport:
    """Search for parameters until the study has its trials; goes on where an equal one was left.

    Raises ConfigError before the search where the job cannot be right, DependencyError where the
    storage cannot be reached.
    """
    job, notes = _checked(request)
    with closing_storage(request.storage) as storage:
        seal = _seal(job)
        with EnginePool(
            job, request.workers, notice, looks_ahead_test=not seal.exists()
        ) as engines:
            _set(seal)
            study = storage.begin(_study(request, job, engines.facts, storage), request.trials)
            notes += _engine_notes(engines.facts)
            for sentence in notes:
                notice(sentence)
            search = Search(storage, study, engines, tell, engines.facts.silence)
            search.run()
        if search.is_exhausted:
            notes += ("Every combination of the space was tried; the study ends there.",)
        report = _report(storage, study.name, notes, search.spent)
    tell_tuning(_done(report.summary))
    return report


def _done(summary: Summary) -> TuningDone:
    best = summary.best
    return TuningDone(
        strategy=str(summary.study.job["strategy"]),
        study=summary.study.name,
        trials=summary.answered,
        took_s=round(summary.engine_s, 3),
        best=f"trial {best.number} is the best" if best else "no trial was good enough",
    )


@dataclass(frozen=True, slots=True)
class WorkRequest:
    """What a worker was asked; see `freqfleet tune worker --help`."""

    storage: str
    study: str | None = None
    workers: int = 1
    data: Path | None = None


def work(request: WorkRequest, tell: Tell, notice: Notice) -> tuple[str, ...]:
    """Take part in a study, or in all that are unfinished; return the names of those worked on.

    Raises ConfigError where this machine's data or code are not the study's.
    """
    done: list[str] = []
    with closing_storage(request.storage) as storage:
        while (study := _open_study(storage, request.study, done)) is not None:
            job = job_of(study, request.data)
            check_same(study, job)
            notice(f"working on {study.name}")
            with EnginePool(job, request.workers, notice, looks_ahead_test=False) as engines:
                Search(storage, study, engines, tell, engines.facts.silence).run()
            done.append(study.name)
    return tuple(done)


def show(storage_url: str | None, name: str) -> Summary:
    """Return what a study found; raises ConfigError if there is none of that name."""
    with closing_storage(storage_url) as storage:
        return summarise(storage, name)


def studies(storage_url: str | None) -> list[tuple[str, int, int]]:
    """Return every study's name, target and answered trials."""
    with closing_storage(storage_url) as storage:
        return storage.names()


def check_same(study: Study, job: TuneJob) -> None:
    """Raise ConfigError if data or code are no longer those that the study began with."""
    for what, then, now in (
        ("data", study.data_hash, data_hash(job)),
        ("code", study.code_hash, code_hash(job)),
    ):
        if then != now:
            raise ConfigError(
                f"its {what} is not the same as when the study began ({then[:12]}, now {now[:12]})",
                where=study.name,
                cure="tune anew",
            )


@contextmanager
def closing_storage(url: str | None) -> Iterator[Storage]:
    """Open a storage for as long as the context lasts."""
    storage = open_storage(url or default_storage())
    try:
        yield storage
    finally:
        storage.close()


def _checked(request: TuneRequest) -> tuple[TuneJob, tuple[str, ...]]:
    """Check what was typed and make the job; raises ConfigError."""
    if request.sampler not in SAMPLERS:
        cure = f"there are: {', '.join(SAMPLERS)}"
        raise ConfigError(f"no sampler is named {request.sampler}", where="--sampler", cure=cure)
    for constraint in request.constraints:
        parse_constraint(constraint)
    span = parse_timerange(request.timerange)
    user = read_configs(request.configs)
    source = find_strategy(request.strategy, request.strategy_path or strategies())
    timeframe = request.timeframe or user.timeframe or source.timeframe
    if timeframe is None:
        raise ConfigError(
            f"the timeframe of {source.name} cannot be read",
            where=str(source.path),
            cure="name it with --timeframe",
        )
    data = request.data.resolve()
    coverage = cover(data, (timeframe,), span, request.pairs or user.pairs)
    spaces = names_of(request.spaces)
    job = TuneJob(
        strategy=request.strategy,
        data=data,
        timerange=request.timerange,
        pairs=coverage.pairs,
        losses=names_of(request.losses) or (DEFAULT_LOSS,),
        spaces=spaces,
        configs=tuple(path.resolve() for path in layers(request.configs)),
        strategy_path=None if request.strategy_path is None else request.strategy_path.resolve(),
        timeframe=request.timeframe,
        protections=request.protections or "protection" in spaces,
    )
    return replace(job, exchange_info=exchange_facts(data, coverage.pairs)), coverage.notes


def _study(request: TuneRequest, job: TuneJob, facts: EngineFacts, storage: Storage) -> Study:
    """Describe the study; raises ConfigError where another of its name was begun."""
    study = Study(
        name="",
        job=job_document(job),
        dimensions=facts.dimensions,
        current=facts.current,
        losses=job.losses,
        constraints=tuple(map(parse_constraint, request.constraints)),
        sampler=request.sampler,
        seed=request.seed,
        batch=default_batch(request.sampler),
        stops_early=request.stops_early,
        data_hash=data_hash(job),
        code_hash=code_hash(job),
        engine="freqtrade" if facts.reasons else "kernel",
        reasons=facts.reasons,
        begun=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    name = request.study or f"{job.strategy}-{job.timerange}-{study.hash()[:8]}"
    study = replace(study, name=name)
    if any(name == known for known, _, _ in storage.names()):
        _refuse_another(storage.study(name), study)
    return study


def _refuse_another(kept: Study, asked: Study) -> None:
    if kept.hash() == asked.hash():
        return
    ours, theirs = asked.decisive(), kept.decisive()
    unlike = sorted(key for key in ours if ours[key] != theirs.get(key))
    raise ConfigError(
        f"a study of that name was begun with another {unlike[0].replace('_', ' ')}",
        where=asked.name,
        cure="choose another name with --study",
    )


def _engine_notes(facts: EngineFacts) -> tuple[str, ...]:
    if not facts.reasons:
        return ()
    told = "; ".join(facts.reasons)
    return (
        f"The compiled engine does not reproduce {told}: Freqtrade's own backtest runs instead, slower.",
    )


def _open_study(storage: Storage, name: str | None, done: list[str]) -> Study | None:
    if name is not None:
        return None if done else storage.study(name)
    for each, target, answered in storage.names():
        if answered < target and each not in done:
            return storage.study(each)
    return None


def _seal(job: TuneJob) -> Path:
    """Return the file that says that this code on these data did not look ahead."""
    document = [data_hash(job), code_hash(job), job.timerange, sorted(job.pairs), job.timeframe]
    key = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    return home() / "tuning" / "tested" / key


def _set(seal: Path) -> None:
    with suppress(OSError):  # then it is tested again
        seal.parent.mkdir(parents=True, exist_ok=True)
        seal.touch()


def _report(storage: Storage, name: str, notes: tuple[str, ...], spent: Spent) -> TuneReport:
    summary = summarise(storage, name)
    page = home() / "tuning" / f"{name}.md"
    with suppress(OSError):  # the study is stored; the page can be made again with `tune show`
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(markdown(summary), encoding="utf-8")
    return TuneReport(summary, page, storage.url, notes, spent)


def document(summary: Summary) -> Mapping[str, Any]:
    """Return a summary for `--json`."""
    study = summary.study
    return {
        "study": study.name,
        "strategy": study.job["strategy"],
        "timerange": study.job["timerange"],
        "pairs": study.job["pairs"],
        "sampler": study.sampler,
        "seed": study.seed,
        "engine": study.engine,
        "reasons": study.reasons,
        "losses": study.losses,
        "constraints": [str(each) for each in study.constraints],
        "trials": {
            "target": summary.target,
            "answered": summary.answered,
            "finished": summary.finished,
            "stopped": summary.stopped,
            "failed": summary.failed,
        },
        "current": summary.current,
        "best": summary.best,
        "front": summary.front,
        "importance": summary.importance,
        "hashes": {"data": study.data_hash, "code": study.code_hash, "study": study.hash()},
    }
