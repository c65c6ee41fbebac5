"""What is read from Freqtrade's REST API, over real HTTP."""

import pytest

from automation.core.clock import SystemClock
from automation.core.errors import PermanentError, TransientError
from automation.fleet.botapi import HttpBotApi, LoginRefused, open_session
from automation.fleet.credentials import ApiAccess
from automation.fleet.ports import find_free
from automation.fleet.probe import BotProbe
from automation.fleet.timing import Timing
from automation.testing import FakeBotApi, fake_trade


@pytest.fixture
async def session():
    async with open_session() as made:
        yield made


def api_at(session, url, password="secret", timeout_s=0.5) -> HttpBotApi:
    port = int(url.rsplit(":", 1)[1])
    return HttpBotApi(session, ApiAccess(port, password=password), timeout_s)


async def test_one_look_reads_everything(session):
    bot = FakeBotApi(profit_usdt=12.5, open_trades=[fake_trade(1)], loop_age_s=3.0)
    bot.closed_trades = [fake_trade(2, closed=True)]
    async with bot.serve() as url:
        probe = BotProbe(api_at(session, url), SystemClock(), Timing())
        facts = await probe.look()
    assert (facts.trader, facts.timeframe_s, facts.open_trades) == ("running", 300, 1)
    assert (facts.profit_usdt, facts.closed_trades, facts.balance_usdt) == (12.5, 1, 1012.5)
    assert facts.pairs == ("BTC/USDT:USDT",)
    assert facts.answered_s is not None
    assert facts.candle_closed_epoch_s is not None
    assert len(probe.trades.closed) == 1


async def test_the_heavy_parts_are_asked_seldom(session):
    bot = FakeBotApi()
    async with bot.serve() as url:
        probe = BotProbe(api_at(session, url), SystemClock(), Timing(detail_s=60))
        for _ in range(5):
            await probe.look()
    assert bot.asked.count("GET profit") == 1
    assert bot.asked.count("GET status") == 5


async def test_a_trade_that_went_is_looked_for_at_once(session):
    bot = FakeBotApi(open_trades=[fake_trade(1)])
    async with bot.serve() as url:
        probe = BotProbe(api_at(session, url), SystemClock(), Timing(detail_s=60))
        await probe.look()
        bot.open_trades, bot.closed_trades = [], [fake_trade(1, closed=True)]
        await probe.look()
        assert [t["trade_id"] for t in probe.trades.closed] == [1]


async def test_candles_of_all_pairs_are_seen_in_turn_and_the_oldest_counts(session):
    bot = FakeBotApi(pairs=["A/USDT:USDT", "B/USDT:USDT"])
    async with bot.serve() as url:
        probe = BotProbe(api_at(session, url), SystemClock(), Timing())
        fresh = (await probe.look()).candle_closed_epoch_s
        bot.candle_age_s = 6000.0
        facts = await probe.look()
        assert facts.candle_closed_epoch_s <= fresh - 5700
        assert facts.candle_pair == "B/USDT:USDT"


async def test_a_bot_that_has_not_looped_is_not_asked_for_more(session):
    bot = FakeBotApi(loops=False)
    async with bot.serve() as url:
        facts = await BotProbe(api_at(session, url), SystemClock(), Timing()).look()
    assert facts.looped_epoch_s is None
    assert "GET balance" not in bot.asked


async def test_failures_are_told_apart(session):
    bot = FakeBotApi()
    async with bot.serve() as url:
        good, wrong = api_at(session, url), api_at(session, url, "wrong")
        with pytest.raises(LoginRefused):
            await wrong.get("status")
        bot.answers = 500
        with pytest.raises(TransientError, match="500"):
            await good.get("status")
        bot.answers = 404
        with pytest.raises(PermanentError, match="404"):
            await good.get("status")
        bot.answers, bot.hangs = 200, True
        with pytest.raises(TransientError, match=r"took over 0.5 s"):
            await good.ping()
    with pytest.raises(TransientError, match="nothing listens"):
        await api_at(session, f"http://127.0.0.1:{find_free()}").ping()


async def test_failures_keep_the_facts_of_before(session):
    bot = FakeBotApi(profit_usdt=5.0)
    async with bot.serve() as url:
        probe = BotProbe(api_at(session, url), SystemClock(), Timing())
        before = await probe.look()
        bot.answers = 500
        first = await probe.look()
        second = await probe.look()
        assert second.profit_usdt == 5.0
        assert first.answered_s == before.answered_s
        assert second.failing_since_s == first.failing_since_s
        bot.answers = 200
        assert (await probe.look()).failing_since_s is None


async def test_a_refused_login_is_a_fact_of_its_own(session):
    async with FakeBotApi().serve() as url:
        facts = await BotProbe(api_at(session, url, "wrong"), SystemClock(), Timing()).look()
    assert facts.is_refused
    assert facts.answered_s is None


async def test_an_answer_that_is_no_freqtrades_is_a_failure(session):
    bot = FakeBotApi()
    bot._get = lambda path, _query: {"surprise": path}
    async with bot.serve() as url:
        facts = await BotProbe(api_at(session, url), SystemClock(), Timing()).look()
    assert "as no Freqtrade does" in facts.problem
