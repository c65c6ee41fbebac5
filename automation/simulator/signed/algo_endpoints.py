"""Conditional orders: POST, GET and DELETE algoOrder, and their lists.

Decides which command a request means. Refuses to know keys and HTTP. Called by `desk`.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from automation.simulator.parameters import Parameters, missing, refuse
from automation.simulator.signed import forms
from automation.simulator.signed.asking import choice, client_id, ids, order_request, price
from automation.simulator.signed.order_endpoints import span
from automation.simulator.trading.accounts import Account
from automation.simulator.trading.orders import CONDITIONAL_KINDS

if TYPE_CHECKING:
    from automation.simulator.signed.desk import Desk

_DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}


def place(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer POST algoOrder."""
    message = "Data sent for parameter 'algoType' is not valid."
    choice(query, "algoType", ("CONDITIONAL",), -1130, message)
    contract = desk.contract(query)
    request = order_request(query, contract, CONDITIONAL_KINDS)
    trigger = price(query, "triggerPrice", contract)
    if trigger is None:
        missing("triggerprice")
    name = client_id(query, "clientAlgoId")
    request = replace(request, trigger_price=trigger, client_id=name)
    algo = desk.exchange.place_algo(account.name, request, desk.asked_ms)
    return forms.placed_algo_order(contract, algo)


def cancel(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer DELETE algoOrder."""
    number, name = ids(query, "algoId", "clientAlgoId")
    algo = desk.exchange.cancel_algo(account.name, desk.asked_ms, algo_id=number, client_id=name)
    return forms.algo_order(desk.exchange.contracts[algo.request.symbol], algo)


def cancel_all(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer DELETE algoOpenOrders."""
    desk.exchange.cancel_all_algo(account.name, desk.contract(query).symbol, desk.asked_ms)
    return _DONE


def find(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET algoOrder."""
    algo = desk.exchange.floor.find_algo(account, *ids(query, "algoId", "clientAlgoId"))
    if algo is None:
        refuse(-2013, "Order does not exist.")
    return forms.known_algo_order(desk.exchange.contracts[algo.request.symbol], algo)


def list_open(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET openAlgoOrders, of one symbol or all."""
    symbol = desk.contract(query).symbol if query.text("symbol") else None
    number = query.whole("algoId")
    return [
        forms.known_algo_order(desk.exchange.contracts[algo.request.symbol], algo)
        for algo in account.open_algo_orders.values()
        if symbol in {None, algo.request.symbol} and number in {None, algo.algo_id}
    ]


def list_all(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET allAlgoOrders: from an id or within a week, oldest first."""
    contract, limit = desk.contract(query), query.limit(500, 1000)
    from_id, (start, end) = query.whole("algoId"), span(desk, query)
    rows = [a for a in account.algo_orders.values() if a.request.symbol == contract.symbol]
    if from_id is not None:
        chosen = [each for each in rows if each.algo_id >= from_id][:limit]
    else:
        chosen = [each for each in rows if start <= each.created_ms <= end][-limit:]
    return [forms.known_algo_order(contract, each) for each in chosen]
