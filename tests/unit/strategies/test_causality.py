"""Cutting the future never changes the past: columns, signals and tags of every strategy."""

import numpy as np
import pandas as pd
import pytest


def changed_columns(strategy, candles, analysed, cuts):
    """Return the columns whose past differs between the whole history and one that was cut."""
    whole = analysed(strategy, candles)
    changed = set()
    for rows in cuts:
        cut = analysed(strategy, candles.iloc[:rows].reset_index(drop=True))
        for name in whole.columns:
            if not cut[name].equals(whole[name].iloc[:rows].astype(cut[name].dtype)):
                changed.add(name)
    return changed


def cuts_of(rows, signal_rows, seed=0):
    """Take cuts anywhere, and right at and after signals, where a look ahead would show."""
    rng = np.random.default_rng(seed)
    near = rng.choice(signal_rows, size=min(6, len(signal_rows)), replace=False)
    return sorted({*rng.integers(1, rows, 6).tolist(), *(near + 1).tolist(), rows - 1, 1, 2})


def signal_rows(frame):
    columns = ["enter_long", "enter_short", "exit_long", "exit_short"]
    return np.flatnonzero(frame[columns].to_numpy().any(axis=1))


@pytest.mark.parametrize("seed", [3, 4])
def test_on_candles_made_for_the_test(strategy, analysed, walk, seed):
    candles = walk(seed=seed)
    rows = signal_rows(analysed(strategy, candles))
    assert len(rows) > 10
    assert not changed_columns(strategy, candles, analysed, cuts_of(len(candles), rows, seed))


@pytest.mark.real_data
def test_on_real_candles(strategy, analysed, real_candles):
    candles = real_candles(strategy.timeframe)
    rows = signal_rows(analysed(strategy, candles))
    assert len(rows) > 10
    assert not changed_columns(strategy, candles, analysed, cuts_of(len(candles), rows))


def test_a_look_ahead_is_seen(strategy, analysed, walk, monkeypatch):
    columns = type(strategy).columns

    def peeking(self, candles):
        centred = pd.Series(candles["close"]).rolling(5, center=True).mean()
        return {**columns(self, candles), "peek": centred.to_numpy()}

    monkeypatch.setattr(type(strategy), "columns", peeking)
    assert changed_columns(strategy, walk(), analysed, [3_000]) == {"peek"}


def test_what_is_older_than_the_start_up_does_not_matter(strategy, analysed, walk):
    """Recursive averages have settled after `startup_candle_count` candles (0.1 % at most)."""
    candles = walk()
    young = analysed(strategy, candles.iloc[-strategy.startup_candle_count - 1 :])
    whole, last = analysed(strategy, candles).iloc[-1], young.iloc[-1]
    for name in young.columns:
        if name not in {"date", "enter_tag", "exit_tag"}:
            assert last[name] == pytest.approx(whole[name], rel=1e-3), name
