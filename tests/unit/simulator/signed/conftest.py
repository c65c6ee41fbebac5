"""A desk without sockets, and a client that signs."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from automation.simulator import Limits, Trading, account, open_market
from automation.simulator.rest import Rest
from automation.simulator.timeline import Timeline
from automation.simulator.venue import Venue


class Hands:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 10, 0, 0, 250_000, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def go(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Client:
    """Speaks to the REST interface as a client would, signature included."""

    def __init__(self, limits: Limits | None = None, **more) -> None:
        self.clock = Hands()
        self.venue = Venue(open_market(11), Timeline(self.clock))
        specs = [
            account("alice", "key-a", "secret-a", 10_000),
            account("bob", "key-b", "secret-b", 500),
        ]
        self.desk = Trading(specs, limits=limits or Limits(), **more).open(self.venue)
        self.rest = Rest(self.venue, self.desk)
        self.who = "a"

    def sign(self, query: str) -> str:
        secret = f"secret-{self.who}".encode()
        return hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()

    def raw(self, method: str, path: str, **parameters):
        parameters.setdefault("timestamp", int(self.clock.at.timestamp() * 1000))
        query = urlencode(parameters)
        query += f"&signature={self.sign(query)}"
        key = f"key-{self.who}"
        if method in {"GET", "DELETE"}:
            return self.rest.reply(method, f"/fapi/{path}?{query}", "1.1.1.1", key)
        return self.rest.reply(method, f"/fapi/{path}", "1.1.1.1", key, query)

    def __call__(self, method: str, path: str, **parameters):
        reply = self.raw(method, path, **parameters)
        body = json.loads(reply.body)
        assert reply.status == 200, body
        return body

    def code(self, method: str, path: str, **parameters) -> int:
        reply = self.raw(method, path, **parameters)
        assert reply.status >= 400
        return json.loads(reply.body)["code"]

    @property
    def price(self) -> float:
        answer = self.rest.reply("GET", "/fapi/v1/ticker/price?symbol=BTCUSDT", "2.2.2.2")
        return float(json.loads(answer.body)["price"])

    def buy(self, quantity: float = 0.02, **more):
        wanted = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": quantity}
        return self("POST", "v1/order", **(wanted | {"newOrderRespType": "RESULT"} | more))


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def make_client():
    return Client
