"""`freqfleet train regime` over real candles: a dated file, the same twice, and wrong use."""

import json

import pytest

from tradekit import regime

pytestmark = pytest.mark.real_data


def train(freqfleet, data_dir, *arguments):
    return freqfleet(
        "train", "regime", "--data", data_dir, "-p", "BTC/USDT:USDT", "--timeframe", "1h",
        "--until", "2024-07-01", *arguments,
    )  # fmt: skip


def test_it_writes_a_series_that_a_bot_can_read(freqfleet, data_dir, tmp_path):
    texts = []
    for name in ("first.json", "second.json"):
        step = ("--step-days", "365", "-o", tmp_path / name, "--json")
        done = train(freqfleet, data_dir, *step)
        assert done.returncode == 0, done.stderr
        assert len(json.loads(done.stdout)["fits"]) == 5
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]
    until_s = 1_719_792_000.0  # 2024-07-01
    assert regime.parameters_of(texts[0], "1h", until_s).fits[-1].fitted_until_s == until_s
    with pytest.raises(ValueError, match="trained on the future"):
        regime.parameters_of(texts[0], "1h", until_s - 3_600)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--until", "yesterday"), "is no day"),
        (("--until", "2999-01-01"), "in the future"),
        (("--until", "2024-07-01", "-p", "NOT/USDT:USDT"), "candles of NOT"),
    ],
)
def test_wrong_use_is_one_sentence(freqfleet, data_dir, arguments, why):
    done = freqfleet("train", "regime", "--data", data_dir, *arguments)
    assert done.returncode == 2
    assert why in done.stderr
    assert "Traceback" not in done.stderr
