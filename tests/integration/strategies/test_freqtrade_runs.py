"""The real `freqtrade` with the pack: backtests, hyperopt with two workers, its own analyses."""

import csv

import pytest

STRATEGIES = {
    "TrendFollowingStrategy": "5m",
    "FuturesAIRiskStrategy": "5m",
    "RossCameronFuturesStrategy": "5m",
    "VolatilityBreakoutStrategy": "15m",
    "MeanReversionStrategy": "1h",
}
LOSSES = ["CalmarTailLoss", "DeflatedSharpeLoss", "ExpectedShortfallLoss", "MultiMetricLoss"]
TRAILS = {"RossCameronFuturesStrategy"}  # its last stop is not its first

pytestmark = [pytest.mark.real_data, pytest.mark.xdist_group("freqtrade")]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", STRATEGIES)
def test_half_a_year_of_real_candles(freqtrade, results_of, name):
    freqtrade(
        "backtesting", "--timerange", "20240101-20240701", "--cache", "none", "--strategy", name,
    )  # fmt: skip
    result = results_of()[name]
    assert result["timeframe"] == STRATEGIES[name]  # the configuration leaves it alone
    trades = result["trades"]
    assert len(trades) > 100
    check_risk(trades, result, has_fixed_stop=name not in TRAILS)


def check_risk(trades, result, has_fixed_stop):
    """Every trade lost what it was to risk at most, its stop before its liquidation."""
    equity = result["starting_balance"]
    for trade in sorted(trades, key=lambda one: one["close_timestamp"]):
        assert trade["exit_reason"] != "liquidation"
        assert trade["enter_tag"]
        assert 1.0 <= trade["leverage"] <= 5.0
        stop, opened = trade["stop_loss_abs"], trade["open_rate"]
        if has_fixed_stop:
            assert (stop < opened) != trade["is_short"]
            assert 0.0079 < abs(stop / opened - 1.0) < 0.0501
            assert abs(stop / opened - 1.0) < 0.5 / trade["leverage"]  # half the way at most
        # half a percent of equity, a little more where others were open, funding, and rounding
        assert trade["profit_abs"] > -0.0075 * equity
        equity += trade["profit_abs"]
    assert {trade["is_short"] for trade in trades} == {True, False}


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "loss"),
    [(name, LOSSES[index % len(LOSSES)]) for index, name in enumerate(STRATEGIES)],
)
def test_hyperopt_with_two_workers_from_a_foreign_folder(freqtrade, root, name, loss):
    hyperopt(freqtrade, root, name, loss)


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_hyperopt_of_every_strategy_with_every_loss(freqtrade, root, name, loss):
    hyperopt(freqtrade, root, name, loss)


def hyperopt(freqtrade, root, name, loss):
    printed = freqtrade(
        "hyperopt", "--strategy", name, "--hyperopt-path", str(root / "hyperopts"),
        "--hyperopt-loss", loss, "--spaces", "buy", "sell", "--epochs", "2",
        "-j", "2", "--timerange", "20240215-20240301", "--disable-param-export",
        "--random-state", "1",
    )  # fmt: skip
    assert "Best result" in printed or "No good result" in printed
    assert "ModuleNotFoundError" not in printed
    assert "PicklingError" not in printed


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", STRATEGIES)
def test_lookahead_analysis_finds_nothing(freqtrade, name, tmp_path):
    export = tmp_path / "lookahead.csv"
    freqtrade(
        "lookahead-analysis", "--strategy", name, "--timerange", "20240101-20240301",
        "--minimum-trade-amount", "10", "--targeted-trade-amount", "20",
        "--lookahead-analysis-exportfilename", str(export),
    )  # fmt: skip
    (found,) = csv.DictReader(export.read_text().splitlines())
    assert found["has_bias"] == "False"
    assert int(found["total_signals"]) >= 10  # too few signals would not be a pass


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", STRATEGIES)
def test_recursive_analysis_finds_less_than_a_tenth_of_a_percent(freqtrade, name):
    printed = freqtrade(
        "recursive-analysis", "--strategy", name, "--timerange", "20240201-20240301",
        "-p", "BTC/USDT:USDT",
    )  # fmt: skip
    if "No variance on indicator(s) found" not in printed:
        assert all(abs(value) < 0.1 for value in declared_variances(printed)), printed


def declared_variances(printed):
    """Read the percentages of the column of the declared start-up from Freqtrade's table."""
    lines = printed.splitlines()
    head = next(index for index, line in enumerate(lines) if "(from strategy)" in line)
    column = next(k for k, cell in enumerate(lines[head].split("┃")) if "(from strategy)" in cell)
    cells = [line.split("│")[column].strip() for line in lines[head:] if line.startswith("│")]
    assert cells
    return [float(cell.rstrip("%")) for cell in cells if cell != "-"]
