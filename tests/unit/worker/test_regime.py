"""Training: finds what made the data, sees nothing after its date, answers alike twice."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from automation.core.errors import ConfigError
from automation.worker.regime import RegimeJob, fit_regime
from tradekit import regime

PAIR = "BTC/USDT:USDT"
UNTIL = datetime(2024, 3, 1, tzinfo=UTC)


def market(folder, days=60, seed=1, rows_after=0):
    """Write hourly candles that are calm for three days and wild for one."""
    rng = np.random.default_rng(seed)
    rows = days * 24 * 4
    wild = (np.arange(rows) // 96) % 4 == 3
    close = 100 * np.exp(np.cumsum(rng.standard_normal(rows) * np.where(wild, 0.006, 0.002)))
    dates = pd.date_range(end="2024-02-29 23:45", periods=rows, freq="15min", tz="UTC")
    frame = pd.DataFrame({"date": dates, "close": close})
    if rows_after:
        later = pd.date_range("2024-03-01", periods=rows_after, freq="15min", tz="UTC")
        frame = pd.concat([frame, pd.DataFrame({"date": later, "close": 1.0})], ignore_index=True)
    (folder / "futures").mkdir(parents=True, exist_ok=True)
    frame.to_feather(folder / "futures" / "BTC_USDT_USDT-15m-futures.feather")
    return folder


def job(folder, **changes):
    asked = {"data": folder, "pairs": (PAIR,), "timeframe": "15m", "until": UNTIL,
             "window_days": 40, "step_days": 7, "slow_days": 4}  # fmt: skip
    return RegimeJob(**(asked | changes))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return fit_regime(job(market(tmp_path_factory.mktemp("data"))))


def test_it_finds_the_two_states(trained):
    last = trained.fits[-1]
    assert 2.0 < last.wild_deviation / last.calm_deviation < 4.0
    assert last.stay_calm > 0.95
    assert last.alpha + last.beta < 1.0


def test_each_fit_has_a_date_of_its_own_and_the_last_is_the_day(trained):
    ends = [fit.fitted_until_s for fit in trained.fits]
    assert ends[-1] == int(UNTIL.timestamp())
    assert np.diff(ends).tolist() == [7 * 86_400] * (len(ends) - 1)
    read = regime.parameters_of(trained.text, "15m", UNTIL.timestamp())
    assert read.fits == trained.fits
    with pytest.raises(ValueError, match="trained on the future"):
        regime.parameters_of(trained.text, "15m", UNTIL.timestamp() - 1)


def test_candles_after_the_day_change_nothing(trained, tmp_path):
    assert fit_regime(job(market(tmp_path, rows_after=500))).text == trained.text


def test_other_data_have_another_hash(trained, tmp_path):
    assert fit_regime(job(market(tmp_path, seed=2))).data_sha256 != trained.data_sha256


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pairs": ("ETH/USDT:USDT",)}, "no 15m candles of ETH"),
        ({"timeframe": "m"}, "no timeframe"),
        ({"until": datetime(2024, 1, 10, tzinfo=UTC)}, "candles of BTC"),
        ({"window_days": 100}, "do not fill one window"),
    ],
)
def test_what_cannot_be_trained_says_why(trained, tmp_path, changes, why):
    with pytest.raises(ConfigError, match=why):
        fit_regime(job(market(tmp_path), **changes))
