"""A Freqtrade data folder written from a synthetic market, for whoever has no data.

Decides file names and contents as `freqtrade download-data` leaves them: candles of each asked
timeframe, hourly mark candles, funding rates. Called by `app` and by tests.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from automation.core.clock import to_ms
from automation.core.errors import ConfigError
from automation.simulator.charts import Chart
from automation.simulator.feather import CANDLE_COLUMNS, FUNDING_COLUMN, write_feather
from automation.simulator.sources import open_market
from automation.simulator.timeframes import LENGTHS_MS, timeframe


def write_data_folder(  # noqa: PLR0917 - a range is two instants
    folder: str | Path,
    pairs: Sequence[str],
    timeframes: Sequence[str],
    start: datetime,
    end: datetime,
    seed: int = 1,
) -> Path:
    """Write synthetic candles of [start, end) as a Freqtrade data folder; gives the folder.

    Files that are there are replaced. ConfigError for an unknown pair or timeframe or an empty
    range.
    """
    unknown = [name for name in timeframes if name not in LENGTHS_MS]
    if unknown:
        raise ConfigError(
            f"no timeframe {', '.join(unknown)}", cure=f"choose from {', '.join(LENGTHS_MS)}"
        )
    if start >= end:
        raise ConfigError(f"the range {start} to {end} is empty", cure="let it end after its start")
    market = open_market(seed, pairs)
    target = Path(folder) / "futures"
    target.mkdir(parents=True, exist_ok=True)
    span = to_ms(start), to_ms(end)
    for instrument in market.instruments.values():
        stem = f"{instrument.base}_{instrument.quote}_{instrument.quote}"
        for name in timeframes:
            path = target / f"{stem}-{name.replace('M', 'Mo')}-futures.feather"
            _write_candles(path, Chart(market, instrument, "trade", timeframe(name)), span)
        mark = target / f"{stem}-1h-mark.feather"
        _write_candles(mark, Chart(market, instrument, "mark", timeframe("1h")), span)
        funding = market.funding(instrument.symbol, *span)
        rates = target / f"{stem}-1h-funding_rate.feather"
        write_feather(rates, funding.time_ms, {FUNDING_COLUMN: funding.rate})
    return Path(folder)


def _write_candles(path: Path, chart: Chart, span: tuple[int, int]) -> None:
    frame = chart.frame
    first, stop = frame.number(span[0] - 1) + 1, frame.number(span[1] - 1) + 1
    first = max(first, chart.bounds[0])
    values = chart.values(first, stop)
    columns = {name: values[:, i] for i, name in enumerate(CANDLE_COLUMNS)}
    write_feather(path, frame.opens(first, stop), columns)
