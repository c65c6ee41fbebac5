"""What the exchange knows, in Binance's keys and its mix of strings, numbers and flags.

Decides the JSON of orders, fills and histories. Refuses to know requests. Called by the
endpoint modules. Forms follow Binance's documentation and recorded answers; the tests compare them.
"""

from typing import Any

from automation.simulator.trading.accounts import Income, MarginChange
from automation.simulator.trading.orders import AlgoOrder, Amendment, Fill, Order
from automation.simulator.trading.units import Contract, money_text, text

Form = dict[str, Any]
ASSET = "USDT"


def _average(contract: Contract, notional: int, quantity: int) -> str:
    decimals = min(contract.printed_decimals + 3, 8)
    return text(contract.average(notional, quantity, decimals), decimals)


def plain_money(amount: int) -> str:
    """Money without trailing zeros, as `cumQuote` has it."""
    return money_text(amount).rstrip("0").rstrip(".") if amount else "0"


def order(contract: Contract, one: Order, *, is_new: bool = False) -> Form:
    """Write an order; `is_new` as it was when it came in (answers of type ACK)."""
    filled, notional = (0, 0) if is_new else (one.filled, one.filled_notional)
    return {
        "orderId": one.order_id,
        "symbol": one.symbol,
        "status": "NEW" if is_new else one.status,
        "clientOrderId": one.client_id,
        "price": contract.price_text(one.price),
        "avgPrice": _average(contract, notional, filled),
        "origQty": contract.quantity_text(one.quantity),
        "executedQty": contract.quantity_text(filled),
        "cumQuote": plain_money(notional),
        "timeInForce": one.time_in_force,
        "type": one.kind,
        "reduceOnly": one.reduce_only,
        "closePosition": one.close_position,
        "side": one.side,
        "positionSide": "BOTH",
        "stopPrice": contract.price_text(one.trigger_price),
        "workingType": one.working_type,
        "priceProtect": one.price_protect,
        "origType": one.original_kind,
        "priceMatch": "NONE",
        "selfTradePreventionMode": one.self_trade_mode,
        "goodTillDate": one.good_till_ms,
        "updateTime": one.updated_ms,
    }


def answered_order(contract: Contract, one: Order, *, is_new: bool = False) -> Form:
    """Write an order as the answer to a command has it."""
    form = order(contract, one, is_new=is_new)
    return form | {"cumQty": form["executedQty"]}


def amended_order(contract: Contract, one: Order) -> Form:
    """Write an order as the answer to an amendment has it."""
    form = answered_order(contract, one)
    base = contract.average_text(0, 0) if not one.filled else form["executedQty"]
    return form | {"pair": one.symbol, "cumBase": base}


def known_order(contract: Contract, one: Order) -> Form:
    """Write an order as queries have it."""
    return order(contract, one) | {"time": one.created_ms}


def algo_order(contract: Contract, one: AlgoOrder) -> Form:
    """Write a conditional order as commands answer it."""
    request = one.request
    return {
        "algoId": one.algo_id,
        "clientAlgoId": one.client_id,
        "algoType": "CONDITIONAL",
        "orderType": request.kind,
        "symbol": request.symbol,
        "side": request.side,
        "positionSide": "BOTH",
        "timeInForce": request.time_in_force,
        "quantity": contract.quantity_text(request.quantity),
        "algoStatus": one.status,
        "triggerPrice": contract.price_text(request.trigger_price),
        "price": contract.price_text(request.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": request.self_trade_mode,
        "workingType": request.working_type,
        "priceMatch": "NONE",
        "closePosition": request.close_position,
        "priceProtect": request.price_protect,
        "reduceOnly": request.reduce_only,
        "createTime": one.created_ms,
        "updateTime": one.updated_ms,
        "triggerTime": one.triggered_ms,
        "goodTillDate": request.good_till_ms,
    }


def placed_algo_order(contract: Contract, one: AlgoOrder) -> Form:
    """Write a conditional order as the answer to its placing has it."""
    return algo_order(contract, one) | {"activatePrice": "", "callbackRate": ""}


def known_algo_order(contract: Contract, one: AlgoOrder) -> Form:
    """Write a conditional order as queries have it, with what it became."""
    became = one.order
    zero = contract.price_text(0)
    form = algo_order(contract, one) | {
        "actualOrderId": str(one.order_id) if one.order_id else "",
        "actualPrice": _average(contract, became.filled_notional, became.filled)
        if became
        else _average(contract, 0, 0),
        "tpTriggerPrice": zero,
        "tpPrice": zero,
        "slTriggerPrice": zero,
        "slPrice": zero,
        "tpOrderType": "",
    }
    if became is not None:
        form |= {
            "actualQty": contract.quantity_text(became.filled),
            "actualType": became.kind,
        }
    return form


def fill(contract: Contract, one: Fill) -> Form:
    """Write one line of userTrades."""
    return {
        "symbol": one.symbol,
        "id": one.trade_id,
        "orderId": one.order_id,
        "side": one.side,
        "price": contract.price_text(one.price),
        "qty": contract.quantity_text(one.quantity),
        "realizedPnl": money_text(one.realized_pnl),
        "marginAsset": ASSET,
        "quoteQty": plain_money(one.notional),
        "commission": money_text(one.commission),
        "commissionAsset": ASSET,
        "time": one.at_ms,
        "positionSide": "BOTH",
        "buyer": one.side == "BUY",
        "maker": one.is_maker,
    }


def income(one: Income) -> Form:
    """Write one line of the income history."""
    return {
        "symbol": one.symbol,
        "incomeType": one.kind,
        "income": money_text(one.amount),
        "asset": ASSET,
        "info": one.info,
        "time": one.at_ms,
        "tranId": str(one.number),
        "tradeId": one.trade_id or "",
    }


def margin_change(one: MarginChange) -> Form:
    """Write one change of an isolated position's margin."""
    return {
        "symbol": one.symbol,
        "type": one.kind,
        "deltaType": one.delta_kind,
        "amount": money_text(one.amount),
        "asset": ASSET,
        "time": one.at_ms,
        "positionSide": "BOTH",
    }


def amendment(contract: Contract, one: Amendment) -> Form:
    """Write one change of an order."""
    prices = [contract.price_text(each) for each in one.price]
    quantities = [contract.quantity_text(each) for each in one.quantity]
    return {
        "amendmentId": one.amendment_id,
        "symbol": one.symbol,
        "pair": one.symbol,
        "orderId": one.order_id,
        "clientOrderId": one.client_id,
        "time": one.at_ms,
        "amendment": {
            "price": {"before": prices[0], "after": prices[1]},
            "origQty": {"before": quantities[0], "after": quantities[1]},
            "count": one.count,
        },
        "priceMatch": "NONE",
    }
