"""From a request line to a status, headers and a body, as Binance answers it.

Decides which path goes to which endpoint, how errors look and which weight is told. Refuses to
know sockets: `server` hands in method, target and address. New endpoints register here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import orjson

from automation.core.errors import ConfigError
from automation.simulator import candle_endpoints, quote_endpoints
from automation.simulator.candle_endpoints import Answer
from automation.simulator.parameters import Parameters, RequestError
from automation.simulator.signed.desk import Desk
from automation.simulator.signed.limits import Limits, TooMuch, WeightLimit
from automation.simulator.venue import Venue

OLDEST = "X-Oldest-Request-MS"
"""Header of a ping's answer: how long the slowest signed request since the last ping was under way."""

Endpoint = Callable[[Venue, Parameters], Answer]


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the client."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Rest:
    """The REST interface of one venue."""

    def __init__(self, venue: Venue, desk: Desk | None = None) -> None:
        """Serve all endpoints of market data, and the signed ones of a desk."""
        self._venue, self.desk = venue, desk
        self._weights = WeightLimit(desk.limits if desk else Limits())
        endpoints = candle_endpoints.ENDPOINTS | quote_endpoints.ENDPOINTS
        self._endpoints: dict[tuple[str, str], Endpoint] = {
            ("GET", path): endpoint for path, endpoint in endpoints.items()
        }

    @property
    def paths(self) -> list[str]:
        """Paths that are served."""
        return sorted({path for _, path in self._endpoints})

    def reply(self, method: str, target: str, address: str, key: str = "", body: str = "") -> Reply:
        """Answer one request; `target` is the path with its query, `key` the API key sent along."""
        path, _, query = target.partition("?")
        now_ms = self._venue.timeline.now_ms()
        try:
            self._weights.check(address, now_ms)
            endpoint = self._endpoints.get((method, path))
            if endpoint is not None:
                answer = endpoint(self._venue, _parameters(query))
                headers = self._headers(address, answer.weight, now_ms)
                if self.desk is not None and path == "/fapi/v1/ping":
                    headers[OLDEST] = str(self.desk.oldest_ms())
                return Reply(200, answer.body, headers)
            signed = self.desk.answer(method, path, query, body, key) if self.desk else None
            if signed is None:
                return _error(404, -5000, f"Path {path}, Method {method} is invalid", {})
            return Reply(
                200, signed.body, self._headers(address, signed.weight, now_ms) | signed.headers
            )
        except TooMuch as error:
            waiting = {"Retry-After": str(error.retry_after_s)}
            return _error(error.status, error.code, error.message, waiting)
        except RequestError as error:
            return _error(
                error.status, error.code, error.message, self._headers(address, 1, now_ms)
            )
        except ConfigError as error:  # data that turns out to be damaged when it is first read
            return _error(500, -1000, str(error), self._headers(address, 1, now_ms))

    def _headers(self, address: str, weight: int, now_ms: int) -> dict[str, str]:
        used = self._weights.add(address, weight, now_ms)
        return {"X-MBX-USED-WEIGHT-1M": str(used)}


@lru_cache(maxsize=4096)  # bots ask the same again and again
def _parameters(query: str) -> Parameters:
    return Parameters(query)


def _error(status: int, code: int, message: str, headers: dict[str, str]) -> Reply:
    return Reply(status, orjson.dumps({"code": code, "msg": message}), headers)
