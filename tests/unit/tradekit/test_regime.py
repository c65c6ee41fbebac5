"""Filters against hmmlearn and arch, dates that hold, files that are refused."""

import hashlib
import json

import numpy as np
import pytest
from arch import arch_model
from hmmlearn.hmm import GaussianHMM
from hypothesis import given
from hypothesis import strategies as st

from tradekit import indicators as ind
from tradekit import regime

FIT = regime.Fit(0, 1_000, 0.98, 0.95, 0.6, 1.8, 0.02, 0.08, 0.9)
NOW = 10_000.0
SECONDS = 1_000.0 + np.arange(400.0)


def parameters(*fits):
    return regime.Parameters("5m", 100, fits or (FIT,))


def returns_of(rows=400, seed=1):
    rng = np.random.default_rng(seed)
    wild = (np.arange(rows) // 80) % 2 == 1
    return rng.standard_normal(rows) * np.where(wild, 1.8, 0.6)


def written(*fits, **changes):
    text = regime.file_text("5m", 100, ["BTC/USDT:USDT"], "00", fits or (FIT,))
    document = json.loads(text) | changes
    return json.dumps(document)


def test_the_forward_filter_is_hmmlearns_at_every_row():
    returns = returns_of(60)
    model = GaussianHMM(2, "diag")
    leave = np.array([1 - FIT.stay_wild, 1 - FIT.stay_calm])
    stationary = leave / leave.sum()
    model.transmat_ = np.array([[FIT.stay_calm, leave[1]], [leave[0], FIT.stay_wild]])
    model.startprob_ = stationary @ model.transmat_
    model.means_ = np.zeros((2, 1))
    model.covars_ = np.array([[FIT.calm_deviation**2], [FIT.wild_deviation**2]])
    found = regime.wild_probability(returns, SECONDS[:60], parameters())
    for row in range(60):  # the last smoothed probability of a cut series is the filtered one
        smoothed = model.predict_proba(returns[: row + 1].reshape(-1, 1))
        assert found[row] == pytest.approx(smoothed[-1, 1], abs=1e-9)


def test_garch_is_archs():
    returns = returns_of()
    model = arch_model(returns, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
    start = FIT.omega / (1 - FIT.alpha - FIT.beta)
    fixed = model.volatility.compute_variance(
        np.array([FIT.omega, FIT.alpha, FIT.beta]), returns, np.zeros(400), start,
        np.tile([1e-9, 1e9], (400, 1)),
    )  # fmt: skip
    found = regime.garch_volatility(returns, SECONDS, parameters()) ** 2
    # arch begins at the backcast as if a step before; ours steps from the long-run variance
    np.testing.assert_allclose(found[50:-1], fixed[51:], rtol=5e-3)


def test_the_filter_tells_wild_from_calm():
    found = regime.wild_probability(returns_of(), SECONDS, parameters())
    wild = (np.arange(400) // 80) % 2 == 1
    assert found[wild].mean() > 0.7
    assert found[~wild].mean() < 0.25


@given(st.integers(1, 399))
def test_cutting_the_future_changes_nothing(rows):
    later = FIT._replace(fitted_until_s=1_200, stay_calm=0.9)
    both = parameters(FIT, later)
    for filtered in (regime.wild_probability, regime.garch_volatility):
        whole = filtered(returns_of(), SECONDS, both)
        np.testing.assert_array_equal(
            filtered(returns_of()[:rows], SECONDS[:rows], both), whole[:rows]
        )


def test_a_row_never_uses_a_fit_that_saw_it():
    returns = returns_of()
    early, late = FIT, FIT._replace(fitted_until_s=1_200, wild_deviation=5.0)
    found = regime.wild_probability(returns, SECONDS, parameters(early, late))
    alone = regime.wild_probability(returns, SECONDS, parameters(early))
    np.testing.assert_array_equal(found[:200], alone[:200])
    assert (found[200:] != alone[200:]).any()
    before = regime.wild_probability(returns, SECONDS - 500, parameters(early))
    assert np.isnan(before[:500]).sum() == 400 or np.isnan(before).all()
    assert (regime.wild_scale(before, 0.5) == 0.5).all()


def test_a_missing_return_only_moves_the_chain():
    returns = returns_of(100)
    returns[40:60] = np.nan
    found = regime.wild_probability(returns, SECONDS[:100], parameters())
    assert np.isfinite(found).all()
    stationary = (1 - FIT.stay_calm) / (2 - FIT.stay_calm - FIT.stay_wild)
    assert abs(found[59] - stationary) < abs(found[39] - stationary)


def test_a_sound_file_is_read():
    read = regime.parameters_of(written(), "5m", NOW)
    assert read == parameters()


def test_a_file_trained_on_the_future_is_refused():
    future = FIT._replace(fitted_until_s=20_000)
    with pytest.raises(ValueError, match="trained on the future"):
        regime.parameters_of(written(FIT, future), "5m", NOW)
    with pytest.raises(ValueError, match="trained on the future"):
        regime.parameters_of(written(FIT._replace(fitted_from_s=2_000)), "5m", NOW)


@pytest.mark.parametrize(
    ("text", "timeframe", "why"),
    [
        ("", "5m", "not a file"),
        ("[]", "5m", "not a file"),
        ("{}", "5m", "not a file"),
        (written(kind="other"), "5m", "of this kind"),
        (written(slow_candles=50), "5m", "checksum"),
        (written(pairs=["ETH/USDT:USDT"]), "5m", "checksum"),
        (written(), "1h", "of 5m candles"),
        (written(FIT, FIT), "5m", "order of time"),
        (written(FIT._replace(stay_calm=1.2)), "5m", "range"),
        (written(FIT._replace(alpha=0.2)), "5m", "range"),
        (written(FIT._replace(omega=float("nan"))), "5m", "range"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(text, timeframe, why):
    with pytest.raises(ValueError, match=why):
        regime.parameters_of(text, timeframe, NOW)


def test_the_checksum_is_of_all_the_rest():
    document = json.loads(written())
    claimed = document.pop("checksum")
    plain = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(plain.encode()).hexdigest() == claimed


def test_the_rules():
    close = np.concatenate((np.linspace(100, 110, 50), np.linspace(110, 100, 50), [100, 101] * 25))
    calm = np.full(150, 0.01)
    efficiency = ind.efficiency_ratio(close, 20)
    found = regime.rule_regime(close, efficiency, calm, calm, 20)
    assert (found[:20] == regime.WILD).all()  # not known yet
    assert (found[25:50] == regime.TREND_UP).all()
    assert (found[75:100] == regime.TREND_DOWN).all()
    assert (found[125:] == regime.RANGE).all()
    assert (regime.rule_regime(close, efficiency, calm * 1.6, calm, 20) == regime.WILD).all()


def test_efficiency_by_hand():
    found = ind.efficiency_ratio(np.array([100.0, 102.0, 101.0, 103.0]), 3)
    assert found[3] == pytest.approx(3 / 5)
    assert np.isnan(found[:3]).all()
    assert np.isnan(ind.efficiency_ratio(np.full(5, 7.0), 3)).all()
