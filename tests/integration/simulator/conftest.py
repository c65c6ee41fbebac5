"""A simulated exchange with one account, and real bots that trade on it."""

import pytest

from tests.integration.simulator.live_bot import Bot, Desk, simulator


@pytest.fixture
def desk():
    market, serving = simulator()
    with serving as sim:
        found = Desk(sim, market)
        yield found
        found.check_money()


@pytest.fixture
def start(desk, tmp_path):
    bots = []

    def make(**settings) -> Bot:
        bot = Bot(tmp_path, desk.sim.tls_url, **settings)
        bots.append(bot)
        bot.start()
        return bot

    yield make
    for bot in bots:
        bot.stop()
        bot.api.close()
