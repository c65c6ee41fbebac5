"""Placing, changing, cancelling and finding orders.

Decides which command a request means and which of Binance's refusals it gets. Refuses to know keys
and HTTP. Called by `desk`.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from automation.simulator.parameters import Parameters, missing, refuse
from automation.simulator.signed import forms
from automation.simulator.signed.asking import (
    choice,
    client_id,
    ids,
    number,
    order_request,
    price,
)
from automation.simulator.trading.accounts import Account
from automation.simulator.trading.orders import CONDITIONAL_KINDS, Order, OrderRequest
from automation.simulator.trading.rejected import Rejected
from automation.simulator.trading.units import Contract

if TYPE_CHECKING:
    from automation.simulator.signed.desk import Desk

_KINDS = ("LIMIT", "MARKET", *sorted(CONDITIONAL_KINDS), "TRAILING_STOP_MARKET")
_RESPONSES = ("ACK", "RESULT")
_WEEK_MS = 7 * 24 * 3600 * 1000
_MOST_IN_BATCH = 5
_DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}


def place(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer POST order."""
    contract = desk.contract(query)
    request = _plain_request(query, contract)
    response = query.text("newOrderRespType") or "ACK"
    if response not in _RESPONSES:
        refuse(-1130, "Data sent for parameter 'newOrderRespType' is not valid.")
    order = desk.exchange.place(account.name, request, desk.asked_ms)
    return forms.answered_order(contract, order, is_new=response == "ACK")


def check(desk: "Desk", account: Account, query: Parameters) -> Any:  # noqa: ARG001
    """Answer POST order/test: read the order, place nothing."""
    _plain_request(query, desk.contract(query))
    return {}


def _plain_request(query: Parameters, contract: Contract) -> OrderRequest:
    kind = choice(query, "type", _KINDS, -1116, "Invalid orderType.")
    if kind not in {"LIMIT", "MARKET"}:
        refuse(
            -4120,
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
        )
    request = order_request(query, contract, ("LIMIT", "MARKET"))
    if request.close_position:
        refuse(-4136, f"Target strategy invalid for orderType {kind},closePosition true")
    return _named(request, client_id(query, "newClientOrderId"))


def _named(request: OrderRequest, name: str) -> OrderRequest:
    return replace(request, client_id=name) if name else request


def amend(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer PUT order: new price and quantity of an open limit order."""
    contract = desk.contract(query)
    order_id, name = ids(query, "orderId", "origClientOrderId")
    choice(query, "side", ("BUY", "SELL"), -1117, "Invalid side.")
    quantity = number(query, "quantity", contract.quantity_decimals)
    wanted = price(query, "price", contract)
    if quantity is None:
        missing("quantity")
    if wanted is None:
        missing("price")
    order = desk.exchange.amend(
        account.name,
        contract.symbol,
        wanted,
        quantity,
        desk.asked_ms,
        order_id=order_id,
        client_id=name,
    )
    return forms.amended_order(contract, order)


def cancel(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer DELETE order."""
    contract = desk.contract(query)
    order_id, name = ids(query, "orderId", "origClientOrderId")
    order = desk.exchange.cancel(
        account.name, contract.symbol, desk.asked_ms, order_id=order_id, client_id=name
    )
    return forms.answered_order(contract, order)


def cancel_all(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer DELETE allOpenOrders."""
    desk.exchange.cancel_all(account.name, desk.contract(query).symbol, desk.asked_ms)
    return _DONE


def countdown(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer POST countdownCancelAll."""
    contract, after_ms = desk.contract(query), query.whole("countdownTime")
    if after_ms is None:
        missing("countdownTime")
    desk.exchange.countdown(account.name, contract.symbol, after_ms, desk.asked_ms)
    return {"symbol": contract.symbol, "countdownTime": str(after_ms)}


def place_batch(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer POST batchOrders: each order for itself, a refusal in its place."""
    rows = _list(query, "batchOrders")
    if not rows or len(rows) > _MOST_IN_BATCH:
        refuse(-4082, "Invalid number of batch place orders.")
    desk.count_orders(account, len(rows))
    return [_one(desk, account, row, place) for row in rows]


def cancel_batch(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer DELETE batchOrders."""
    symbol = desk.contract(query).symbol
    numbers = _list(query, "orderIdList") or _list(query, "orderidlist")
    names = _list(query, "origClientOrderIdList") or _list(query, "origclientorderidlist")
    rows = [{"symbol": symbol, "orderId": each} for each in numbers] or [
        {"symbol": symbol, "origClientOrderId": each} for each in names
    ]
    return [_one(desk, account, row, cancel) for row in rows]


def _list(query: Parameters, name: str) -> list[Any]:
    written = query.text(name)
    if written is None:
        return []
    try:
        rows = orjson.loads(written)
    except orjson.JSONDecodeError:
        rows = None
    if not isinstance(rows, list):
        refuse(-1130, f"Data sent for parameter '{name}' is not valid.")
    return rows


def _one(desk: "Desk", account: Account, row: dict[str, Any], command: Any) -> Any:
    try:
        return command(desk, account, Parameters.of(row))
    except Rejected as refusal:
        return {"code": refusal.code, "msg": refusal.message}
    except desk.REFUSED as refusal:
        return {"code": refusal.code, "msg": refusal.message}


def find(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET order."""
    contract = desk.contract(query)
    order = desk.exchange.floor.find(account, *ids(query, "orderId", "origClientOrderId"))
    if order is None or order.symbol != contract.symbol:
        refuse(-2013, "Order does not exist.")
    return forms.known_order(contract, order)


def find_open(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET openOrder."""
    contract = desk.contract(query)
    order = desk.exchange.floor.find(account, *ids(query, "orderId", "origClientOrderId"))
    if order is None or order.symbol != contract.symbol or not order.is_open:
        refuse(-2013, "Order does not exist.")
    return forms.known_order(contract, order)


def list_open(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET openOrders, of one symbol or all."""
    symbols = [desk.contract(query).symbol] if query.text("symbol") else account.open_orders
    return [
        forms.known_order(desk.exchange.contracts[symbol], order)
        for symbol in symbols
        for order in account.open_orders.get(symbol, {}).values()
    ]


def list_all(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET allOrders: from an id or within a week, oldest first."""
    contract, limit = desk.contract(query), query.limit(500, 1000)
    from_id, (start, end) = query.whole("orderId"), span(desk, query)
    rows = [each for each in account.orders.values() if each.symbol == contract.symbol]
    if from_id is not None:
        chosen = [each for each in rows if each.order_id >= from_id][:limit]
    else:
        chosen = [each for each in rows if start <= each.created_ms <= end][-limit:]
    return [forms.known_order(contract, each) for each in chosen]


def span(desk: "Desk", query: Parameters) -> tuple[int, int]:
    """Read startTime and endTime; a week at most (-4165), the last one where neither is given."""
    start, end = query.window()
    if start is not None and end is not None and end - start > _WEEK_MS:
        refuse(-4165, "Invalid time interval. Maximum time interval is 7 days.")
    if start is None:
        last = desk.asked_ms if end is None else end
        return last - _WEEK_MS, last
    return start, start + _WEEK_MS if end is None else end


def list_forced(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET forceOrders: positions that were taken over."""
    symbol, limit = query.text("symbol"), query.limit(50, 100)
    start, end = span(desk, query)
    kind = query.text("autoCloseType")
    rows: list[Order] = [
        each
        for each in account.orders.values()
        if each.auto_close
        and (kind is None or each.auto_close == kind)
        and (symbol is None or each.symbol == symbol)
        and start <= each.created_ms <= end
    ]
    return [
        _without_mode(forms.known_order(desk.exchange.contracts[each.symbol], each))
        for each in rows[-limit:]
    ]


def _without_mode(form: dict[str, Any]) -> dict[str, Any]:
    extra = ("priceProtect", "priceMatch", "selfTradePreventionMode", "goodTillDate")
    return {key: value for key, value in form.items() if key not in extra}


def list_amendments(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET orderAmendment, the latest first."""
    contract, limit = desk.contract(query), query.limit(50, 100)
    order_id, name = query.whole("orderId"), query.text("origClientOrderId")
    rows = [
        each
        for each in reversed(account.amendments)
        if each.symbol == contract.symbol
        and (order_id is None or each.order_id == order_id)
        and (name is None or each.client_id == name)
    ]
    return [forms.amendment(contract, each) for each in rows[:limit]]
