"""Balances, positions, settings and histories of an account.

Decides which figures answer a request, and which settings may be asked for. Refuses to know keys
and HTTP. Called by `desk`.
"""

from typing import TYPE_CHECKING, Any

from automation.simulator.parameters import Parameters, missing, refuse
from automation.simulator.signed import account_forms, forms
from automation.simulator.signed.asking import choice, flag, number
from automation.simulator.signed.order_endpoints import span
from automation.simulator.trading.accounts import Account, Position
from automation.simulator.trading.units import ONE

if TYPE_CHECKING:
    from automation.simulator.signed.desk import Desk

_OK = {"code": 200, "msg": "success"}


def account_v3(desk: "Desk", account: Account, _: Parameters) -> Any:
    """Answer GET v3 account."""
    return account_forms.account_v3(account_forms.Totals(desk.exchange, account))


def account_v2(desk: "Desk", account: Account, _: Parameters) -> Any:
    """Answer GET v2 account."""
    return account_forms.account_v2(desk.exchange, account_forms.Totals(desk.exchange, account))


def balance(desk: "Desk", account: Account, _: Parameters) -> Any:
    """Answer GET balance (v2 and v3)."""
    return [account_forms.balance(account_forms.Totals(desk.exchange, account))]


def position_risk_v3(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET v3 positionRisk: only symbols that are held or ordered."""
    symbol = desk.contract(query).symbol if query.text("symbol") else None
    return [
        account_forms.position_risk(account_forms.Figures(desk.exchange, account, position), 3)
        for name, position in sorted(account.active.items())
        if symbol in {None, name}
    ]


def position_risk_v2(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET v2 positionRisk: one symbol or all."""
    symbols = [desk.contract(query).symbol] if query.text("symbol") else desk.exchange.contracts
    known = account.positions
    rows = [known.get(symbol) or Position(symbol) for symbol in symbols]
    return [
        account_forms.position_risk(account_forms.Figures(desk.exchange, account, row), 2)
        for row in rows
    ]


def set_leverage(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer POST leverage."""
    contract, leverage = desk.contract(query), query.whole("leverage")
    if leverage is None:
        missing("leverage")
    desk.exchange.set_leverage(account.name, contract.symbol, leverage, desk.asked_ms)
    most = contract.ladder.most_notional(leverage) // ONE
    return {"leverage": leverage, "maxNotionalValue": str(most), "symbol": contract.symbol}


def set_margin_type(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer POST marginType."""
    contract = desk.contract(query)
    words = ("ISOLATED", "CROSSED", "CROSS")
    message = "Data sent for parameter 'marginType' is not valid."
    word = choice(query, "marginType", words, -1130, message)
    kind = "isolated" if word == "ISOLATED" else "cross"
    desk.exchange.set_margin_type(account.name, contract.symbol, kind, desk.asked_ms)  # type: ignore[arg-type]
    return _OK


def change_margin(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer POST positionMargin."""
    contract, amount = desk.contract(query), number(query, "amount", 8)
    kind = query.whole("type")
    if amount is None:
        missing("amount")
    if kind not in {1, 2}:
        refuse(-4056, "Amount must be positive.") if kind is None else refuse(
            -1130, "Data sent for parameter 'type' is not valid."
        )
    desk.exchange.change_margin(account.name, contract.symbol, amount, kind or 1, desk.asked_ms)
    message = "Successfully modify position margin."
    return {"amount": amount / ONE, "code": 200, "msg": message, "type": kind}


def list_margin_changes(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET positionMargin/history, oldest first."""
    contract, limit = desk.contract(query), query.limit(500, 1000)
    kind, (start, end) = query.whole("type"), query.window()
    rows = [
        each
        for each in account.margin_changes
        if each.symbol == contract.symbol
        and kind in {None, each.kind}
        and (start or 0) <= each.at_ms <= (end or desk.asked_ms)
    ]
    return [forms.margin_change(each) for each in rows[-limit:]]


def position_mode(desk: "Desk", account: Account, _: Parameters) -> Any:  # noqa: ARG001
    """Answer GET positionSide/dual: always one-way."""
    return {"dualSidePosition": False}


def set_position_mode(desk: "Desk", account: Account, query: Parameters) -> Any:  # noqa: ARG001
    """Answer POST positionSide/dual: one-way is set already, hedge mode is not served."""
    query.required("dualSidePosition")
    if flag(query, "dualSidePosition"):
        refuse(-4084, "Method is not allowed currently. Upcoming soon.")
    refuse(-4059, "No need to change position side.")


def asset_mode(desk: "Desk", account: Account, _: Parameters) -> Any:  # noqa: ARG001
    """Answer GET multiAssetsMargin: always single-asset."""
    return {"multiAssetsMargin": False}


def set_asset_mode(desk: "Desk", account: Account, query: Parameters) -> Any:  # noqa: ARG001
    """Answer POST multiAssetsMargin: single-asset is set already, the other is not served."""
    query.required("multiAssetsMargin")
    if flag(query, "multiAssetsMargin"):
        refuse(-4084, "Method is not allowed currently. Upcoming soon.")
    refuse(-4171, "No need to change asset mode.")


def brackets(desk: "Desk", account: Account, query: Parameters) -> Any:  # noqa: ARG001
    """Answer GET leverageBracket, of one symbol or all."""
    if query.text("symbol"):
        return [account_forms.brackets(desk.contract(query))]
    return [account_forms.brackets(each) for each in desk.exchange.contracts.values()]


def commission(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET commissionRate."""
    return account_forms.commission(desk.contract(query).symbol, account)


def account_config(desk: "Desk", account: Account, _: Parameters) -> Any:  # noqa: ARG001
    """Answer GET accountConfig."""
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": False,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def symbol_config(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET symbolConfig, of one symbol or all."""
    symbols = [desk.contract(query).symbol] if query.text("symbol") else desk.exchange.contracts
    return [
        account_forms.symbol_config(
            desk.exchange.contracts[each], account.positions.get(each) or Position(each)
        )
        for each in symbols
    ]


def list_income(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET income: from startTime on, else the latest; oldest first."""
    symbol, kind = query.text("symbol"), query.text("incomeType")
    limit, page = query.limit(100, 1000), query.whole("page") or 1
    start, end = query.window()
    rows = [
        each
        for each in account.incomes
        if symbol in {None, each.symbol}
        and kind in {None, each.kind}
        and (start or 0) <= each.at_ms <= (desk.asked_ms if end is None else end)
    ]
    first = (page - 1) * limit
    chosen = rows[first : first + limit] if start is not None or page > 1 else rows[-limit:]
    return [forms.income(each) for each in chosen]


def list_fills(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET userTrades: from an id, of one order, or within a week; oldest first."""
    contract, limit = desk.contract(query), query.limit(500, 1000)
    from_id, order_id = query.whole("fromId"), query.whole("orderId")
    start, end = span(desk, query)
    rows = account.fills.get(contract.symbol, [])
    if order_id is not None:
        rows = [each for each in rows if each.order_id == order_id]
    if from_id is not None:
        chosen = [each for each in rows if each.trade_id >= from_id][:limit]
    elif query.whole("startTime") is not None:
        chosen = [each for each in rows if start <= each.at_ms <= end][:limit]
    else:
        chosen = [each for each in rows if start <= each.at_ms <= end][-limit:]
    return [forms.fill(contract, each) for each in chosen]


def adl_quantile(desk: "Desk", account: Account, query: Parameters) -> Any:
    """Answer GET adlQuantile: nobody is deleveraged here, so all are at the end of the queue."""
    symbol = desk.contract(query).symbol if query.text("symbol") else None
    rows = [name for name, p in account.active.items() if p.size and symbol in {None, name}]
    return [
        {"symbol": name, "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": 0}} for name in sorted(rows)
    ]


def fee_burn(desk: "Desk", account: Account, _: Parameters) -> Any:  # noqa: ARG001
    """Answer GET feeBurn: fees are paid in USDT."""
    return {"feeBurn": False}


def order_limits(desk: "Desk", account: Account, _: Parameters) -> Any:  # noqa: ARG001
    """Answer GET rateLimit/order."""
    limits = desk.limits
    return [
        {
            "rateLimitType": "ORDERS",
            "interval": "SECOND",
            "intervalNum": 10,
            "limit": limits.orders_per_10s,
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": limits.orders_per_minute,
        },
    ]
