"""What a rehearsal finds with the real Freqtrade: a good strategy, one that looks ahead, a broken one."""

from pathlib import Path

import orjson
import pytest

from automation.app import rehearsal
from automation.core.config import Bot
from automation.fleet.lifecycle.changes import Rehearsal

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

STRATEGY = """
from freqtrade.strategy import IStrategy


class Trial(IStrategy):
    timeframe = "5m"
    can_short = True
    minimal_roi = {"30": 0}
    stoploss = -0.1
    startup_candle_count = 20

    def populate_indicators(self, dataframe, metadata):
        dataframe["line"] = LINE
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close"] > dataframe["line"], "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
"""
HONEST = STRATEGY.replace("LINE", 'dataframe["close"].rolling(10).mean()')


@pytest.fixture
def rehearse(root, tmp_path, monkeypatch):
    monkeypatch.setenv("FREQFLEET_HOME", str(tmp_path / "home"))

    async def do(text: str):
        folder = tmp_path / "strategies"
        folder.mkdir(exist_ok=True)
        (folder / "Trial.py").write_text(text)
        said = {"max_open_trades": 2, "stake_amount": 100, "dry_run_wallet": 1000}
        extra = tmp_path / "own.json"
        extra.write_bytes(
            orjson.dumps({"telegram": {"enabled": True, "token": "t", "chat_id": "1"}})
        )
        layers = (*(root / "configs" / n for n in ("base.json", "futures.json")), extra)
        asked = Rehearsal(Bot(name="trial", strategy="Trial"), Path(folder), layers, said)
        return await rehearsal.rehearse(asked)

    return do


async def test_an_honest_strategy_passes_and_others_are_told_by_their_fault(rehearse):
    assert await rehearse(HONEST) is None
    ahead = STRATEGY.replace("LINE", 'dataframe["close"].shift(-3)')
    refusal = await rehearse(ahead)
    assert "truncation" in refusal.reason
    assert "line" in refusal.reason
    refusal = await rehearse(
        HONEST.replace("from freqtrade", "import no_such_thing\nfrom freqtrade")
    )
    assert "no_such_thing" in refusal.reason
    refusal = await rehearse("class Trial(IStrategy):\n    def broken(\n")
    assert refusal is not None
    late = HONEST.replace("enter_long", "enter_long_").replace('"] = 1', '"] = no_name')
    refusal = await rehearse(late)
    assert "no_name" in refusal.reason
