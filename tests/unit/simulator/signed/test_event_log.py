"""The same requests at the same instants give the same log; the log gives the same state."""

import pytest

from automation.core.errors import DependencyError
from automation.simulator.trading.log import FileLog, MemoryLog
from automation.simulator.trading.replay import replay

LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}


def trade(client, *, often: bool) -> None:
    """Two accounts trade for two hours; `often` carries the exchange on in between."""
    for turn in range(24):
        client.who = "ab"[turn % 2]
        price = round(client.price * (0.9995 if turn % 3 else 1.0005), 1)
        client.raw("POST", "v1/order", **LIMIT, quantity=0.01 + turn / 1000, price=price)
        if turn % 4 == 3:
            client.raw(
                "POST",
                "v1/algoOrder",
                symbol="BTCUSDT",
                side="SELL",
                type="STOP_MARKET",
                algoType="CONDITIONAL",
                quantity=0.01,
                reduceOnly="true",
                triggerPrice=round(client.price * 0.9985, 1),
            )
        for _ in range(300 if often else 1):
            client.clock.go(1 if often else 300)
            if often:
                client.desk.exchange.advance(client.desk.now_ms)
    client.desk.exchange.advance(client.desk.now_ms)


def test_log_is_the_same_however_often_time_is_carried_on(make_client):
    logs = []
    for often in (True, False):
        log = MemoryLog()
        trade(make_client(log=log), often=often)
        logs.append(log.content)
    assert logs[0] == logs[1]
    assert b'"FundingPaid"' in logs[0] or logs[0].count(b'["s"') > 5


def test_log_replays_without_the_market(make_client):
    log = MemoryLog()
    client = make_client(log=log)
    trade(client, often=False)
    exchange = client.desk.exchange
    specs = [each.spec for each in exchange.accounts.values()]
    again = replay(log.lines, exchange.contracts, specs)
    assert again.accounts == exchange.accounts
    assert again.floor.funds == exchange.floor.funds


def test_file_has_the_same_lines(make_client, tmp_path):
    memory = MemoryLog()
    trade(make_client(log=memory), often=False)
    with FileLog(tmp_path / "events.log") as log:
        trade(make_client(log=log), often=False)
    assert (tmp_path / "events.log").read_bytes() == memory.content
    with pytest.raises(DependencyError, match="does not exist yet"):
        FileLog(tmp_path / "events.log")


async def test_answers_wait_for_the_disk(make_client, tmp_path):
    path = tmp_path / "events.log"
    client = make_client(log=FileLog(path))
    client.raw("POST", "v1/order", **LIMIT, quantity=0.02, price=round(client.price * 0.97, 1))
    assert client.desk.is_behind
    await client.desk.settle()
    assert not client.desk.is_behind
    assert path.read_bytes().count(b'"OrderUpdate"') == 1
    client.desk.close()
    client.desk.log.flush()


def test_lines_of_faults_are_passed_over(make_client):
    log = MemoryLog()
    client = make_client(log=log)
    log.add(("fault", client.desk.now_ms, "storm", "armed"))
    trade(client, often=False)
    exchange = client.desk.exchange
    specs = [each.spec for each in exchange.accounts.values()]
    assert replay(log.lines, exchange.contracts, specs).accounts == exchange.accounts
