"""Wrong use: one sentence with place and cure, exit 2 (3 for disk and ports), nothing left."""

import pytest

RANGE = ("--timerange", "20240105-20240120")


@pytest.fixture
def refused(freqfleet, synthetic, tmp_path):
    def run(*arguments, code: int = 2, data=None) -> str:
        before = set(tmp_path.rglob("*"))
        results = ("--results", tmp_path / "results")
        done = freqfleet("backtest", *arguments, "--data", data or synthetic, *results, "--json")
        assert done.returncode == code, done.stderr
        assert not done.stdout
        assert "Traceback" not in done.stderr
        assert set(tmp_path.rglob("*")) == before
        return done.stderr

    return run


def test_unknown_strategy(refused):
    told = refused("TrendFolowingStrategy", *RANGE)
    assert (
        "no strategy is named TrendFolowingStrategy; did you mean TrendFollowingStrategy?" in told
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("import nothing_like_this\n", "Odd does not load: No module named 'nothing_like_this'"),
        ("", "Odd failed: ZeroDivisionError"),
    ],
)
def test_strategy_that_does_not_load_or_crashes(refused, tmp_path, body, expected):
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "Odd.py").write_text(
        body
        + "from freqtrade.strategy import IStrategy\n\n\n"
        + "class Odd(IStrategy):\n"
        + "    timeframe = '5m'\n    minimal_roi = {'0': 0.1}\n    stoploss = -0.1\n"
        + "    def populate_indicators(self, dataframe, metadata):\n        return 1 / 0\n"
        + "    def populate_entry_trend(self, dataframe, metadata):\n        return dataframe\n"
        + "    def populate_exit_trend(self, dataframe, metadata):\n        return dataframe\n"
    )
    assert expected in refused("Odd", *RANGE, "--strategy-path", folder)


def test_range_outside_the_data(refused):
    told = refused(
        "TrendFollowingStrategy", "--timerange", "20200101-20200201", "-p", "BTC/USDT:USDT"
    )
    assert "no 5m candles of BTC/USDT:USDT in 20200101-20200201; they run from 2024-" in told


def test_range_that_no_pair_covers(refused):
    told = refused("TrendFollowingStrategy", "--timerange", "20200101-20200201")
    assert "no pair has 5m candles" in told


def test_pair_without_data(refused):
    told = refused("TrendFollowingStrategy", *RANGE, "--pairs", "PEPE/USDT:USDT")
    assert "no candles of PEPE/USDT:USDT; there are BTC/USDT:USDT" in told


def test_timeframe_without_data(refused):
    told = refused("TrendFollowingStrategy", *RANGE, "-p", "BTC/USDT:USDT", "--timeframe", "3m")
    assert "no 3m candles of BTC/USDT:USDT; in other timeframes: " in told


def test_no_data_folder(refused, tmp_path):
    assert "no such folder" in refused("TrendFollowingStrategy", *RANGE, data=tmp_path / "none")


def test_truncated_file(refused, synthetic, tmp_path):
    import shutil

    folder = tmp_path / "data"
    shutil.copytree(synthetic, folder)
    file = next(folder.rglob("BTC*5m-futures.feather"))
    file.write_bytes(file.read_bytes()[:1000])
    told = refused("TrendFollowingStrategy", *RANGE, data=folder)
    assert file.name in told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"trading_mode": "spot"}', "trading_mode is spot, not futures"),
        ('{"exchange": {"name": "bybit"}}', "the exchange is bybit"),
        ("{", "not valid JSON"),
        ("[]", "holds no JSON object"),
    ],
)
def test_configurations_that_contradict(refused, tmp_path, text, expected):
    config = tmp_path / "config.json"
    config.write_text(text)
    assert expected in refused("TrendFollowingStrategy", *RANGE, "-c", config)


def test_missing_configuration(refused, tmp_path):
    told = refused("TrendFollowingStrategy", *RANGE, "-c", tmp_path / "none.json")
    assert "there is no such file" in told


def test_freqtrades_own_schema_complaint_is_passed_on(refused, root, tmp_path):
    config = tmp_path / "config.json"
    config.write_text('{"max_open_trades": "many"}')
    layers = [a for n in ("base", "futures") for a in ("-c", root / "configs" / f"{n}.json")]
    told = refused("TrendFollowingStrategy", *RANGE, *layers, "-c", config, "-p", "BTC/USDT:USDT")
    assert "'many' is not" in told


@pytest.mark.parametrize("text", ["yesterday", "20240201-20240101", "20241399-20250101"])
def test_wrong_timerange(refused, text):
    assert "--timerange" in refused("TrendFollowingStrategy", "--timerange", text)


def test_results_folder_that_cannot_be_written(freqfleet, synthetic, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = freqfleet(
        *("backtest", "TrendFollowingStrategy", *RANGE, "--data", synthetic),
        *("--results", blocked / "results"),
    )
    assert done.returncode == 3
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
