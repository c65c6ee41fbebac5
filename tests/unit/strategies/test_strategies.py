"""What every strategy of the pack promises: shape, signals, fail-closed rows, names, speed."""

import numpy as np
import pytest
from freqtrade.strategy import IStrategy

from tradekit.base import PackStrategy
from tradekit.signals import RISK_COLUMNS


def test_it_is_a_single_chain(strategy):
    assert type(strategy).__bases__ == (PackStrategy,)
    assert PackStrategy.__bases__ == (IStrategy,)
    assert strategy.INTERFACE_VERSION == 3
    assert strategy.can_short


def test_it_goes_both_ways_and_says_why(strategy, analysed, walk):
    frame = analysed(strategy, walk())
    for side in ("long", "short"):
        assert frame[f"enter_{side}"].sum() > 0
        assert frame[f"exit_{side}"].sum() > 0
    for action in ("enter", "exit"):
        acted = (frame[f"{action}_long"] + frame[f"{action}_short"]) > 0
        assert frame.loc[acted, f"{action}_tag"].notna().all()
        assert frame.loc[~acted, f"{action}_tag"].isna().all()
    assert not (frame["enter_long"] & frame["enter_short"]).any()


def test_every_entry_has_its_risk(strategy, analysed, walk):
    frame = analysed(strategy, walk())
    entries = frame[(frame["enter_long"] + frame["enter_short"]) > 0]
    stop = entries["stop_dist_frac"]
    assert stop.between(strategy.least_stop_frac, strategy.most_stop_frac).all()
    assert entries["leverage_cap"].between(1.0, strategy.highest_leverage).all()
    assert entries["risk_scale"].between(0.0, 1.0, inclusive="right").all()
    # the static stop is the last resort: the column's own is always tighter
    assert (stop * entries["leverage_cap"] < abs(strategy.stoploss)).all()


@pytest.mark.parametrize("rows", [0, 1, 2, 50, 287, 288, 289, 999])
def test_short_histories_are_harmless(strategy, analysed, walk, rows):
    frame = analysed(strategy, walk().iloc[:rows])
    assert len(frame) == rows
    known = np.isfinite(frame[list(RISK_COLUMNS)].to_numpy()).all(axis=1)
    assert not frame.loc[~known, ["enter_long", "enter_short"]].to_numpy().any()


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume"])
def test_a_nan_never_makes_an_entry(strategy, analysed, walk, column):
    candles = walk()
    candles.loc[4_000:, column] = np.nan
    frame = analysed(strategy, candles)
    if column == "open":
        return  # no strategy uses it: what they decide is unchanged
    entries = frame.loc[4_001:, ["enter_long", "enter_short"]]
    assert not entries.to_numpy().any()


def test_no_volume_no_entry(strategy, analysed, walk):
    candles = walk()
    candles["volume"] = 0.0
    assert not analysed(strategy, candles)[["enter_long", "enter_short"]].to_numpy().any()


def test_gaps_are_harmless(strategy, analysed, walk):
    candles = walk()
    kept = np.random.default_rng(9).random(len(candles)) > 0.05
    kept[2_000:2_300] = False  # and a day without any
    frame = analysed(strategy, candles[kept].reset_index(drop=True))
    assert len(frame) == kept.sum()
    entries = frame[(frame["enter_long"] + frame["enter_short"]) > 0]
    assert np.isfinite(entries[list(RISK_COLUMNS)].to_numpy()).all()


def test_a_flat_market_has_no_entry(strategy, analysed, walk):
    candles = walk()
    candles[["open", "high", "low", "close"]] = 100.0
    assert not analysed(strategy, candles)[["enter_long", "enter_short"]].to_numpy().any()


@pytest.mark.parametrize("factor", [1_000.0, 1e-6, 1e14, 1e18])  # up to 20 digits
def test_signals_do_not_depend_on_the_unit_of_price(strategy, analysed, walk, factor):
    candles = walk()
    scaled = candles.copy()
    scaled[["open", "high", "low", "close"]] *= factor
    expected, found = analysed(strategy, candles), analysed(strategy, scaled)
    for name in ("enter_long", "enter_short", "exit_long", "exit_short"):
        differ = (expected[name] != found[name]).mean()
        assert differ < 0.001, name  # comparisons at the last digit may fall either way


def test_every_value_of_every_parameter_is_served(strategy, analysed, walk):
    candles = walk(2_500)
    for _, parameter in strategy.enumerate_parameters():
        for value in parameter.opt_range if hasattr(parameter, "opt_range") else [parameter.low]:
            parameter.value = value
            analysed(strategy, candles)


def test_the_plot_shows_columns_there_are(strategy, analysed, walk):
    frame = analysed(strategy, walk(2_500))
    subplots = strategy.plot_config.get("subplots", {}).values()
    names = [*strategy.plot_config["main_plot"], *(name for plot in subplots for name in plot)]
    assert set(names) <= set(frame.columns)
