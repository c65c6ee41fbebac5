"""What runs in a tuning engine's processes: a host that loads a job, and forks that evaluate trials.

`python -m automation.worker.tuning REQUEST CONTROL SLOT...`: the request is `TuneJob` as JSON, the rest
are inherited sockets that keep messages whole. The host tells on CONTROL what it is at, why it refuses
or its facts, then forks a process for each slot. Candles and columns are in memory once: forks read
the host's pages. A fork that dies is replaced and CONTROL is told. Called by `automation.tuning.pool`.
"""

import gc
import json
import os
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from automation.core.errors import ConfigError
from automation.core.processes import dies_with_parent
from automation.core.tunings import EngineFacts
from automation.worker.engine import evaluate, prepare, unsupported
from automation.worker.jobs import EngineJob, Parameters
from automation.worker.kernel.compiled import cache_folder
from automation.worker.loading import quiet
from automation.worker.losses import Losses
from automation.worker.prepared import Prepared
from automation.worker.reports import statistics
from automation.worker.results import save
from automation.worker.silence import likely_cause
from automation.worker.space import Searchable
from automation.worker.ticks import kept_ticks

_MESSAGE = 1 << 18
_CUTS = 4  # truncations a pair
_LEAST_CANDLES = 100  # to judge anything by
_SEED = 1
_SIGNALS = ("enter_", "exit_")


class Bench:
    """A loaded job, ready to evaluate tasks."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        """Load strategy, candles and losses, and compute the columns; raises ConfigError."""
        with kept_ticks():
            self.prepared = prepare(_job(request))
        _refuse_short(self.prepared)
        if "protection" in request["spaces"]:
            self.prepared.loaded.backtesting.enable_protections = True
        self.searchable = Searchable(self.prepared, request["spaces"])
        self.losses = Losses(self.prepared, request["losses"])
        self._head_frac = float(request["head_frac"])

    def answer(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Evaluate one task: the first slice where bars are given, then the whole."""
        begun = time.perf_counter()
        told = {"n": task["n"], "l": (), "h": (), "f": {}, "s": False, "e": ""}
        try:
            parameters = self.searchable.parameters(task["v"])
            if task["b"] is not None:
                told["h"], told["f"] = self._slice(parameters)
                told["s"] = all(loss > bar for loss, bar in zip(told["h"], task["b"], strict=True))
            if not told["s"]:
                told["l"], told["f"] = self._judge(parameters)
        except ConfigError as error:
            told["e"] = str(error)
        return {**told, "t": time.perf_counter() - begun}

    def keep(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Evaluate one parameter set, and write its trades to the file that is named."""
        result = evaluate(self.prepared, self.searchable.parameters(task["values"]))
        save(result, Path(task["file"]))
        return {"sections": self.searchable.sections(task["values"]), "engine": result.engine}

    def facts(self) -> EngineFacts:
        """Tell what the job turned out to be; compiles the kernel, if it may run."""
        columns = self.prepared.columns()
        current, silence = self.searchable.current(), ""
        reasons = unsupported(self.prepared)
        if not reasons:
            result = evaluate(self.prepared, Parameters())
            reasons = result.reasons
            silence = "" if len(result.trades) else likely_cause(self.prepared, result)
            self._slice(Parameters())
        return EngineFacts(
            dimensions=self.searchable.dimensions,
            current=current,
            reasons=reasons,
            silence=silence,
            timeframe=str(self.prepared.strategy.timeframe),
            candles=columns.candles * len(columns.frames),
            start=columns.start.isoformat(),
            end=columns.end.isoformat(),
        )

    def _slice(self, parameters: Parameters) -> tuple[tuple[float, ...], dict[str, float]]:
        with self.prepared.first_part(self._head_frac):
            return self._judge(parameters)

    def _judge(self, parameters: Parameters) -> tuple[tuple[float, ...], dict[str, float]]:
        result = evaluate(self.prepared, parameters)
        return self.losses.of(result), asdict(statistics(result))


def _refuse_short(prepared: Prepared) -> None:
    """Raise ConfigError where start-up candles leave next to nothing of the range."""
    left = prepared.columns().candles
    if left < _LEAST_CANDLES:
        startup = prepared.loaded.backtesting.required_startup
        raise ConfigError(
            f"only {left} candles are left to judge by, beside {startup} start-up candles",
            where=f"{prepared.loaded.job.strategy}, {prepared.loaded.job.timerange}",
            cure="choose a longer range",
        )


def refuse_lookahead(prepared: Prepared) -> None:
    """Take later candles away; raises ConfigError with a column whose earlier rows change."""
    from automation.worker import checks  # noqa: PLC0415 - half of what Freqtrade has; most starts do without

    told: list[dict[str, Any]] = []
    loaded = prepared.loaded
    with quiet():
        checks.truncate(
            loaded.backtesting,
            {"truncation": {"seed": _SEED, "cuts": _CUTS}},
            told.append,
            loaded.candles,
        )
    findings = sorted(told[0]["findings"], key=lambda one: one["column"].startswith(_SIGNALS))
    if findings:
        first = findings[0]
        raise ConfigError(
            f"the strategy looks ahead: column {first['column']} of {first['pair']} changes when later "
            "candles are taken away",
            where=loaded.job.strategy,
            cure="let row t use rows up to t only",
        )


def main(request_file: str, control_fd: str, *slot_fds: str) -> None:
    """Load the job, tell its facts, and keep one fork a slot until the other side goes."""
    control = socket.socket(fileno=int(control_fd))
    slots = [socket.socket(fileno=int(each)) for each in slot_fds]
    request = json.loads(Path(request_file).read_text(encoding="utf-8"))
    try:
        _tell(control, {"stage": "loading strategy and candles"})
        bench = Bench(request)
        if request["tests"]:
            _tell(control, {"stage": "testing whether the strategy looks ahead"})
            refuse_lookahead(bench.prepared)
        if not any(cache_folder().rglob("loop.run-*.nbc")):
            _tell(control, {"stage": "compiling the engine, once: up to half a minute"})
        facts = bench.facts()
    except ConfigError as error:
        told = {
            "refused": error.message,
            "where": error.where,
            "cure": error.cure,
            "mendable": True,
        }
        _tell(control, told)
        return
    gc.collect()
    gc.freeze()  # forks then leave the host's pages shared
    _tell(control, {"ready": asdict(facts)})
    _tend(bench, control, slots)


def _tend(bench: Bench, control: socket.socket, slots: list[socket.socket]) -> None:
    forks = {_fork(bench, control, channel): place for place, channel in enumerate(slots)}
    while forks:
        pid, status = os.wait()
        place = forks.pop(pid)
        if status:
            forks[_fork(bench, control, slots[place])] = place
            try:
                _tell(control, {"lost": place})
            except BrokenPipeError:
                return


def _fork(bench: Bench, control: socket.socket, channel: socket.socket) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        tie = dies_with_parent()
        if tie is not None:
            tie()
        control.close()
        _serve(bench, channel)
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        raise
    finally:
        os._exit(code)  # the fork must never go on as the host


def _serve(bench: Bench, channel: socket.socket) -> None:
    while True:
        try:
            raw = channel.recv(_MESSAGE)
        except ConnectionResetError:
            return
        if not raw:
            return
        task = orjson.loads(raw)
        _tell(channel, bench.keep(task) if "file" in task else bench.answer(task))


def _tell(channel: socket.socket, message: Mapping[str, Any]) -> None:
    channel.send(orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY))


def _job(request: Mapping[str, Any]) -> EngineJob:
    path = request["strategy_path"]
    overrides: dict[str, Any] = {"enable_protections": True} if request["protections"] else {}
    if request["timeframe"] is not None:
        overrides["timeframe"] = request["timeframe"]
    return EngineJob(
        strategy=request["strategy"],
        data=Path(request["data"]),
        timerange=request["timerange"],
        pairs=tuple(request["pairs"]),
        configs=tuple(Path(each) for each in request["configs"]),
        overrides=overrides,
        strategy_path=None if path is None else Path(path),
        exchange_info=request["exchange_info"] or None,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
