from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from automation.core.errors import ConfigError
from automation.simulator import DataFolder, open_market, write_data_folder
from automation.simulator.charts import Chart
from automation.simulator.timeframes import timeframe

SPAN = datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 2, 4, tzinfo=UTC)
PAIRS = ["BTC/USDT:USDT", "ADA/USDT:USDT"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_data_folder(tmp_path_factory.mktemp("made"), PAIRS, ["5m", "1d", "1M"], *SPAN, 4)


def test_files_are_as_freqtrade_writes_them(folder):
    frame = pd.read_feather(folder / "futures" / "BTC_USDT_USDT-5m-futures.feather")
    assert list(frame.columns) == ["date", "open", "high", "low", "close", "volume"]
    assert str(frame["date"].dtype) == "datetime64[ms, UTC]"
    assert len(frame) == 3 * 288
    assert frame["date"].iloc[0] == SPAN[0]
    rates = pd.read_feather(folder / "futures" / "ADA_USDT_USDT-1h-funding_rate.feather")
    assert list(rates.columns) == ["date", "funding_rate"]
    assert len(rates) == 9
    assert (folder / "futures" / "BTC_USDT_USDT-1Mo-futures.feather").exists()


@pytest.mark.parametrize("kind", ["trade", "mark"])
@pytest.mark.parametrize("symbol", ["BTCUSDT", "ADAUSDT"])
def test_what_is_written_is_what_the_market_has(folder, symbol, kind):
    hour, (start, end) = timeframe("1h"), (int(at.timestamp() * 1000) for at in SPAN)
    first, stop = hour.number(start), hour.number(end)
    replayed, made = (
        Chart(market, market.instruments[symbol], kind, hour).values(first, stop)
        for market in (open_market(folder), open_market(4, PAIRS))
    )
    assert np.array_equal(replayed, made)


def test_funding_is_written_too(folder):
    start, end = (int(at.timestamp() * 1000) for at in SPAN)
    rates = [m.funding("BTCUSDT", start, end).rate for m in (open_market(folder), open_market(4))]
    assert np.array_equal(*rates)


def test_there_are_no_gaps(folder):
    assert DataFolder(folder).gaps() == []


@pytest.mark.parametrize(
    ("pairs", "names", "span", "message"),
    [
        (["X/USDT:USDT"], ["5m"], SPAN, "has no X/USDT:USDT"),
        (PAIRS, ["7m"], SPAN, "no timeframe 7m; choose from 1m"),
        (PAIRS, ["5m"], SPAN[::-1], "is empty"),
    ],
)
def test_wrong_use_leaves_nothing_behind(tmp_path, pairs, names, span, message):
    with pytest.raises(ConfigError, match=message):
        write_data_folder(tmp_path / "new", pairs, names, *span)
    assert not (tmp_path / "new").exists()
