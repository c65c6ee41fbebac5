"""The door to the exchange: a signed request comes in, a status and a body go out.

Decides which path is which command, what it weighs, and how refusals become errors. Refuses to know
sockets. Called by `rest`; built by the server, which gives it the venue and the accounts.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from automation.simulator.parameters import Parameters, RequestError, refuse
from automation.simulator.signed import account_endpoints as holder
from automation.simulator.signed import algo_endpoints as algo
from automation.simulator.signed import order_endpoints as orders
from automation.simulator.signed.limits import Limits, OrderLimit
from automation.simulator.signed.signing import Keyring, age_ms, check_signature, check_time
from automation.simulator.streams.listenkeys import ListenKeys
from automation.simulator.trading.accounts import Account, AccountSpec
from automation.simulator.trading.brackets import ladder_of
from automation.simulator.trading.exchange import Exchange
from automation.simulator.trading.feed import TapeFeed
from automation.simulator.trading.floor import Record
from automation.simulator.trading.log import FileLog
from automation.simulator.trading.rejected import Rejected
from automation.simulator.trading.units import ONE, Contract, contract_of
from automation.simulator.venue import Venue

_STEP_S = 0.1
INSURANCE = 1_000_000_000 * ONE
"""What the insurance fund starts with: about what Binance's has, in USDT."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One signed endpoint: what answers it, what it weighs, how many orders it counts as."""

    answer: Callable[["Desk", Account, Parameters], Any]
    weight: int = 1
    weight_without_symbol: int = 0
    orders: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A body, what it weighs, and headers about orders."""

    body: bytes
    weight: int
    headers: dict[str, str]


class Desk:
    """The signed interface of one exchange."""

    REFUSED = RequestError

    def __init__(
        self,
        venue: Venue,
        specs: Sequence[AccountSpec],
        *,
        limits: Limits | None = None,
        log: Record | None = None,
        insurance: int = INSURANCE,
    ) -> None:
        """Open an exchange on a venue's market."""
        self.venue, self.limits, self.log = venue, limits or Limits(), log
        self._running: asyncio.Task[None] | None = None
        self._flushing: asyncio.Future[None] | None = None
        self.feed = TapeFeed(venue)
        contracts = {
            each.symbol: contract_of(each, ladder_of(each.symbol))
            for each in venue.market.instruments.values()
            if each.quote == "USDT"
        }
        self.exchange = Exchange(
            contracts,
            specs,
            self.feed,
            start_ms=venue.timeline.now_ms(),
            log=log,
            insurance=insurance,
        )
        self.keys = Keyring(specs)
        self.listen_keys = ListenKeys(venue.timeline.now_ms)
        self._orders = OrderLimit(self.limits)
        self._headers: dict[str, str] = {}
        self._oldest_ms = 0
        self.asked_ms = self.exchange.now_ms
        """The instant at which the request arrived that is being answered."""

    def start(self) -> None:
        """Carry the exchange on ten times a second from now on."""
        self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            self.exchange.advance(self.now_ms)
            if self.is_behind:
                await self.settle()
            await asyncio.sleep(_STEP_S)

    async def stop(self) -> None:
        """Leave the exchange where it is."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait((self._running,))
            if not self._running.cancelled():
                self._running.result()  # tell what ended it
            self._running = None

    def close(self) -> None:
        """Close the event log, once nobody asks any more."""
        if isinstance(self.log, FileLog):
            self.log.close()

    @property
    def is_behind(self) -> bool:
        """Whether the event log has lines that are not on the disk."""
        return isinstance(self.log, FileLog) and self.log.is_behind

    async def settle(self) -> None:
        """Wait until the event log's lines of now are on the disk; one flush serves all who wait."""
        log = self.log
        if not isinstance(log, FileLog):
            return
        wanted = log.written
        while log.flushed < wanted:
            if self._flushing is None or self._flushing.done():
                self._flushing = asyncio.get_running_loop().run_in_executor(None, log.flush)
            await asyncio.shield(self._flushing)

    @property
    def now_ms(self) -> int:
        """The served time of this very moment; within a request `asked_ms` is meant."""
        return self.venue.timeline.now_ms()

    def oldest_ms(self) -> int:
        """Tell how long the slowest signed request since the last asking was on its way."""
        oldest, self._oldest_ms = self._oldest_ms, 0
        return oldest

    def contract(self, query: Parameters) -> Contract:
        """Find the symbol of a request; -1121 if it is not traded now."""
        symbol = query.required("symbol")
        self.venue.instrument(symbol)
        return self.exchange.floor.contract(symbol)

    def count_orders(self, account: Account, orders: int) -> None:
        """Count new orders; -1015 above the limit."""
        self._headers = self._orders.add(account.name, orders, self.asked_ms)

    def answer(self, method: str, path: str, query: str, body: str, key: str) -> Answer | None:
        """Answer a request; None where the path is not one of these. `RequestError` for refusals."""
        self._headers, self.asked_ms = {}, self.now_ms
        if path == "/fapi/v1/listenKey":
            return self._listen(method, key)
        endpoint = ENDPOINTS.get((method, path))
        if endpoint is None:
            return None
        name, secret = self.keys.owner(key, acts=method != "GET")
        parameters = Parameters(check_signature(secret, query, body))
        self._oldest_ms = max(self._oldest_ms, age_ms(parameters, self.asked_ms))
        check_time(parameters, self.venue.timeline.told_ms())
        account = self.exchange.accounts[name]
        if endpoint.orders:
            self.count_orders(account, endpoint.orders)
        weight = endpoint.weight
        if endpoint.weight_without_symbol and parameters.text("symbol") is None:
            weight = endpoint.weight_without_symbol
        try:
            self.exchange.advance(self.asked_ms)
            found = endpoint.answer(self, account, parameters)
        except Rejected as refusal:
            refuse(refusal.code, refusal.message)
        return Answer(orjson.dumps(found), weight, self._headers)

    def _listen(self, method: str, key: str) -> Answer | None:
        name, _ = self.keys.owner(key)
        body: Any = {}
        if method == "POST":
            body = {"listenKey": self.listen_keys.create(name)}
        elif method == "PUT":
            body = {"listenKey": self.listen_keys.keep(name)}
        elif method == "DELETE":
            self.listen_keys.close(name)
        else:
            return None
        return Answer(orjson.dumps(body), 1, {})


@dataclass(frozen=True, slots=True)
class Trading:
    """Who trades on a simulator, and how: what `Simulator(trading=...)` takes."""

    accounts: Sequence[AccountSpec]
    limits: Limits = field(default_factory=Limits)
    log: Record | None = None
    """`MemoryLog()`, or `FileLog(path)` to answer only what is on the disk; None keeps no log."""
    insurance: int = INSURANCE

    def open(self, venue: Venue) -> Desk:
        """Open the exchange on a venue's market."""
        return Desk(
            venue, self.accounts, limits=self.limits, log=self.log, insurance=self.insurance
        )


_V1, _V2, _V3 = "/fapi/v1", "/fapi/v2", "/fapi/v3"
ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", f"{_V1}/order"): Endpoint(orders.place, 0, orders=1),
    ("POST", f"{_V1}/order/test"): Endpoint(orders.check, 0),
    ("PUT", f"{_V1}/order"): Endpoint(orders.amend, 1, orders=1),
    ("DELETE", f"{_V1}/order"): Endpoint(orders.cancel),
    ("GET", f"{_V1}/order"): Endpoint(orders.find),
    ("POST", f"{_V1}/batchOrders"): Endpoint(orders.place_batch, 5),
    ("DELETE", f"{_V1}/batchOrders"): Endpoint(orders.cancel_batch),
    ("DELETE", f"{_V1}/allOpenOrders"): Endpoint(orders.cancel_all),
    ("POST", f"{_V1}/countdownCancelAll"): Endpoint(orders.countdown, 10),
    ("GET", f"{_V1}/openOrder"): Endpoint(orders.find_open),
    ("GET", f"{_V1}/openOrders"): Endpoint(orders.list_open, 1, 40),
    ("GET", f"{_V1}/allOrders"): Endpoint(orders.list_all, 5),
    ("GET", f"{_V1}/orderAmendment"): Endpoint(orders.list_amendments),
    ("GET", f"{_V1}/forceOrders"): Endpoint(orders.list_forced, 20, 50),
    ("POST", f"{_V1}/algoOrder"): Endpoint(algo.place, 0, orders=1),
    ("DELETE", f"{_V1}/algoOrder"): Endpoint(algo.cancel),
    ("GET", f"{_V1}/algoOrder"): Endpoint(algo.find),
    ("DELETE", f"{_V1}/algoOpenOrders"): Endpoint(algo.cancel_all),
    ("GET", f"{_V1}/openAlgoOrders"): Endpoint(algo.list_open, 1, 40),
    ("GET", f"{_V1}/allAlgoOrders"): Endpoint(algo.list_all, 5),
    ("GET", f"{_V3}/account"): Endpoint(holder.account_v3, 5),
    ("GET", f"{_V2}/account"): Endpoint(holder.account_v2, 5),
    ("GET", f"{_V3}/balance"): Endpoint(holder.balance, 5),
    ("GET", f"{_V2}/balance"): Endpoint(holder.balance, 5),
    ("GET", f"{_V3}/positionRisk"): Endpoint(holder.position_risk_v3, 5),
    ("GET", f"{_V2}/positionRisk"): Endpoint(holder.position_risk_v2, 5),
    ("POST", f"{_V1}/leverage"): Endpoint(holder.set_leverage),
    ("POST", f"{_V1}/marginType"): Endpoint(holder.set_margin_type),
    ("POST", f"{_V1}/positionMargin"): Endpoint(holder.change_margin),
    ("GET", f"{_V1}/positionMargin/history"): Endpoint(holder.list_margin_changes),
    ("GET", f"{_V1}/positionSide/dual"): Endpoint(holder.position_mode, 30),
    ("POST", f"{_V1}/positionSide/dual"): Endpoint(holder.set_position_mode),
    ("GET", f"{_V1}/multiAssetsMargin"): Endpoint(holder.asset_mode, 30),
    ("POST", f"{_V1}/multiAssetsMargin"): Endpoint(holder.set_asset_mode),
    ("GET", f"{_V1}/leverageBracket"): Endpoint(holder.brackets),
    ("GET", f"{_V1}/commissionRate"): Endpoint(holder.commission, 20),
    ("GET", f"{_V1}/accountConfig"): Endpoint(holder.account_config, 5),
    ("GET", f"{_V1}/symbolConfig"): Endpoint(holder.symbol_config, 5),
    ("GET", f"{_V1}/income"): Endpoint(holder.list_income, 30),
    ("GET", f"{_V1}/userTrades"): Endpoint(holder.list_fills, 5),
    ("GET", f"{_V1}/adlQuantile"): Endpoint(holder.adl_quantile, 5),
    ("GET", f"{_V1}/feeBurn"): Endpoint(holder.fee_burn, 30),
    ("GET", f"{_V1}/rateLimit/order"): Endpoint(holder.order_limits),
}
