"""A tuning job's inputs: layers, exchange rules, hashes, and its form in the storage.

Called by `tuning` and `promotion`; decides what counts as the same data and the same code.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from automation.backtest import find_strategy
from automation.core.paths import configs, root, strategies
from automation.core.tunings import TuneJob
from automation.simulator import open_market, serving
from automation.tuning.study import Study

_LAYERS = ("base.json", "futures.json", "offline.json")


def layers(given: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the user's configurations, or the pack's."""
    return given or tuple(configs() / name for name in _LAYERS)


def exchange_facts(data: Path, pairs: tuple[str, ...]) -> Mapping[str, Any]:
    """Return exchangeInfo for `pairs`, as the private exchange of a backtest answers it."""
    with serving(open_market(data)) as simulator:
        url = f"{simulator.url}/fapi/v1/exchangeInfo"
        with urlopen(url) as answer:  # noqa: S310 - our own server on the loopback
            info: dict[str, Any] = json.load(answer)
    wanted = {pair.split(":")[0].replace("/", "") for pair in pairs}
    info["symbols"] = [each for each in info["symbols"] if each["symbol"] in wanted]
    return info


def job_document(job: TuneJob) -> dict[str, Any]:
    """Return a job for the storage; exchange rules follow from the data and are left out."""
    return {
        "strategy": job.strategy,
        "data": str(job.data),
        "timerange": job.timerange,
        "pairs": list(job.pairs),
        "losses": list(job.losses),
        "spaces": list(job.spaces),
        "configs": [str(path) for path in job.configs],
        "strategy_path": None if job.strategy_path is None else str(job.strategy_path),
        "timeframe": job.timeframe,
        "protections": job.protections,
        "head_frac": job.head_frac,
    }


def job_of(study: Study, data: Path | None = None) -> TuneJob:
    """Return the job of a stored study, over `data` if that is elsewhere on this machine."""
    kept = study.job
    folder = (data or Path(kept["data"])).resolve()
    path = kept["strategy_path"]
    job = TuneJob(
        strategy=kept["strategy"],
        data=folder,
        timerange=kept["timerange"],
        pairs=tuple(kept["pairs"]),
        losses=tuple(kept["losses"]),
        spaces=tuple(kept["spaces"]),
        configs=tuple(Path(each) for each in kept["configs"]),
        strategy_path=None if path is None else Path(path),
        timeframe=kept["timeframe"],
        protections=kept["protections"],
        head_frac=kept["head_frac"],
    )
    return replace(job, exchange_info=exchange_facts(folder, job.pairs))


def data_hash(job: TuneJob) -> str:
    """Return a fingerprint of every file of the job's pairs."""
    names = {pair.replace("/", "_").replace(":", "_") for pair in job.pairs}
    files = (
        path for path in job.data.rglob("*") if path.is_file() and path.name.split("-")[0] in names
    )
    return _hash(job.data, files)


def code_hash(job: TuneJob) -> str:
    """Return a fingerprint of the strategy with all beside it, the engine, losses and Freqtrade."""
    source = find_strategy(job.strategy, job.strategy_path or strategies())
    present = source.path.with_suffix(".json")
    folders = (
        source.path.parent,
        strategies() / "tradekit",
        root() / "automation" / "worker",
        root() / "hyperopts",
    )
    digest = hashlib.sha256(version("freqtrade").encode())
    for folder in folders:
        digest.update(_hash(folder, folder.rglob("*.py")).encode())
    for path in (*job.configs, *([present] if present.is_file() else [])):
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def _hash(base: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.relative_to(base).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
