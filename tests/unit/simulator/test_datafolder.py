import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather

from automation.core.errors import ConfigError
from automation.simulator import DataFolder, open_market
from automation.simulator.timeframes import MINUTE_MS


def test_lists_pairs_ranges_and_timeframes(put, walk):
    put("5m", "futures", walk(20))
    put("1h", "futures", walk(3), base="ETH")
    folder = DataFolder(put("1h", "mark", walk(3)))
    assert folder.pairs == ("BTC/USDT:USDT", "ETH/USDT:USDT")
    (series,) = folder.find("BTC/USDT:USDT", "futures", "5m")
    assert series.symbol == "BTCUSDT"
    assert series.end_ms - series.first_ms == 20 * 5 * MINUTE_MS
    assert folder.find("BTC/USDT:USDT", "mark")[0].timeframe.name == "1h"


def test_accepts_the_futures_folder_itself(put, walk):
    folder = put("5m", "futures", walk(20))
    assert DataFolder(folder / "futures").pairs == DataFolder(folder).pairs


def test_ignores_what_is_no_linear_futures_series(put, walk):
    folder = put("5m", "futures", walk(20))
    for name in ("BTC_USD_BTC-5m-futures", "BTC_USDT-5m", "BTC_USDT_USDT-7m-futures", "notes"):
        source = folder / "futures" / "BTC_USDT_USDT-5m-futures.feather"
        (folder / "futures" / f"{name}.feather").write_bytes(source.read_bytes())
    assert len(DataFolder(folder).series) == 1


def test_finds_gaps(put, walk):
    keep = np.array([i not in {5, 6, 7, 12} for i in range(20)])
    gaps = DataFolder(put("5m", "futures", walk(20), keep=keep)).gaps()
    assert [(gap.pair, gap.timeframe, gap.missing) for gap in gaps] == [
        ("BTC/USDT:USDT", "5m", 3),
        ("BTC/USDT:USDT", "5m", 1),
    ]
    assert gaps[0].to_ms - gaps[0].from_ms == 15 * MINUTE_MS


def test_no_folder(tmp_path):
    with pytest.raises(ConfigError, match="no such folder; name a Freqtrade data folder"):
        DataFolder(tmp_path / "nowhere")


def test_empty_folder(tmp_path):
    with pytest.raises(ConfigError, match="holds no futures candles"):
        open_market(tmp_path)


def test_pair_that_is_not_there(put, walk):
    folder = put("5m", "futures", walk(20))
    with pytest.raises(ConfigError, match=r"no candles of DOGE/USDT:USDT; there are BTC"):
        open_market(folder, ["DOGE/USDT:USDT"])


@pytest.mark.parametrize("kept", [0, 10, 900])
def test_truncated_file(put, walk, kept):
    folder = put("5m", "futures", walk(500))
    path = folder / "futures" / "BTC_USDT_USDT-5m-futures.feather"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ConfigError, match=r"BTC_USDT_USDT-5m-futures.feather: not a readable") as e:
        DataFolder(folder)
    assert "\n" not in str(e.value)
    assert e.value.exit_code == 2


def test_damage_inside_a_file(put, walk):
    folder = put("5m", "futures", walk(5000))
    path = folder / "futures" / "BTC_USDT_USDT-5m-futures.feather"
    data = bytearray(path.read_bytes())
    data[1000:3000] = bytes(2000)
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"BTC_USDT_USDT-5m-futures.feather: "):
        DataFolder(folder).gaps()


def rewrite(folder, change):
    path = folder / "futures" / "BTC_USDT_USDT-5m-futures.feather"
    feather.write_feather(change(feather.read_table(path, memory_map=False)), path)
    return folder


@pytest.mark.parametrize(
    ("order", "what"),
    [
        ([0, 1, 2, 2, 3], "appears twice"),
        ([0, 2, 1, 3, 4], "goes back in time"),
        ([4, 3, 2, 1, 0], "goes back in time"),
    ],
)
def test_repeated_and_reversed_times_are_refused(put, walk, order, what):
    folder = rewrite(put("5m", "futures", walk(5)), lambda table: table.take(order))
    with pytest.raises(ConfigError, match=rf"the row of 2024-01-01T00:\d\d.* {what}") as e:
        DataFolder(folder).gaps()
    assert "\n" not in str(e.value)


def test_missing_column(put, walk):
    folder = rewrite(put("5m", "futures", walk(5)), lambda table: table.drop_columns("low"))
    with pytest.raises(ConfigError, match="column low is missing; there are date, open"):
        DataFolder(folder)


def test_times_that_are_numbers(put, walk):
    def change(table):
        return table.set_column(0, "date", table["date"].cast(pa.int64()))

    folder = rewrite(put("5m", "futures", walk(5)), change)
    with pytest.raises(ConfigError, match="column date holds no times"):
        DataFolder(folder)


def test_no_rows(put, walk):
    folder = rewrite(put("5m", "futures", walk(5)), lambda table: table.slice(0, 0))
    with pytest.raises(ConfigError, match="no rows in it"):
        DataFolder(folder)


def test_times_in_nanoseconds_are_read(put, walk):
    def change(table):
        return table.set_column(0, "date", table["date"].cast(pa.timestamp("ns", tz="UTC")))

    values = walk(5)
    folder = rewrite(put("5m", "futures", values), change)
    series = DataFolder(folder).series[0]
    assert series.end_ms - series.first_ms == 25 * MINUTE_MS


def test_funding_of_older_freqtrade_is_read_from_the_column_open(put, walk):
    put("1h", "futures", walk(30))
    folder = put("8h", "futures", walk(3))
    rates = np.column_stack([np.array([1e-4, 2e-4, 3e-4])] + [np.zeros(3)] * 4)
    put("8h", "mark", rates)
    (folder / "futures" / "BTC_USDT_USDT-8h-mark.feather").rename(
        folder / "futures" / "BTC_USDT_USDT-8h-funding_rate.feather"
    )
    market = open_market(folder)
    start = market.instruments["BTCUSDT"].first_ms
    assert market.funding("BTCUSDT", start, start + 10**9).rate.tolist() == [1e-4, 2e-4, 3e-4]
    assert market.funding_interval_h("BTCUSDT") == 8


def test_a_folder_may_hold_more_files_than_may_be_open(put, walk):
    import resource

    folder = put("5m", "futures", walk(5))
    source = folder / "futures" / "BTC_USDT_USDT-5m-futures.feather"
    for number in range(300):
        (folder / "futures" / f"C{number}_USDT_USDT-5m-futures.feather").symlink_to(source)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        assert len(open_market(folder).instruments) == 301
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
