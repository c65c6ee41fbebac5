"""What the exchange tells an account, in Binance's letters.

Decides the JSON of ORDER_TRADE_UPDATE, TRADE_LITE, ACCOUNT_UPDATE, MARGIN_CALL,
ACCOUNT_CONFIG_UPDATE, ALGO_UPDATE, listenKeyExpired and of the public forceOrder. Refuses to know
who listens. Called by `user_data` with the typed events of the trading exchange, and by `hub`.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from automation.simulator.trading import events
from automation.simulator.trading.units import Contract, money_text, rate_text

Contracts = Mapping[str, Contract]
_SIDE = "BOTH"  # one-way mode
_NOTHING = "0"


def key_expired(key: str, now_ms: int) -> bytes:
    """Tell that a listen key is over."""
    return orjson.dumps({"e": "listenKeyExpired", "E": now_ms, "listenKey": key})


def user_messages(event: events.Event, contracts: Contracts) -> list[bytes]:
    """Write what the account of an event is told; nothing for events that are not told."""
    match event:
        case events.OrderUpdate():
            bodies = [_order(event, contracts[event.symbol])]
            if event.execution == "TRADE":
                bodies.insert(0, _trade_lite(event, contracts[event.symbol]))
        case events.AccountUpdate():
            bodies = [_account(event, contracts)]
        case events.MarginCall():
            bodies = [_margin_call(event, contracts)]
        case events.ConfigUpdate():
            bodies = [_config(event)]
        case events.AlgoUpdate():
            bodies = [_algo(event, contracts[event.symbol])]
        case _:
            bodies = []
    return [orjson.dumps(body) for body in bodies]


def _head(event: events.Event, name: str) -> dict[str, Any]:
    return {"e": name, "T": event.at_ms, "E": event.at_ms}


def _price(contract: Contract, ticks: int) -> str:
    return contract.price_text(ticks) if ticks else _NOTHING


def _quantity(contract: Contract, steps: int) -> str:
    return contract.quantity_text(steps) if steps else _NOTHING


def _average(contract: Contract, notional: int, quantity: int) -> str:
    return contract.average_text(notional, quantity) if quantity else _NOTHING


def _money(amount: int) -> str:
    return money_text(amount) if amount else _NOTHING


def _order(event: events.OrderUpdate, contract: Contract) -> dict[str, Any]:
    body = {
        "s": event.symbol,
        "c": event.client_id,
        "S": event.side,
        "o": event.kind,
        "f": event.time_in_force,
        "q": contract.quantity_text(event.quantity),
        "p": _price(contract, event.price),
        "ap": _average(contract, event.filled_notional, event.filled_quantity),
        "sp": _price(contract, event.trigger_price),
        "x": event.execution,
        "X": event.status,
        "i": event.order_id,
        "l": _quantity(contract, event.last_quantity),
        "z": _quantity(contract, event.filled_quantity),
        "L": _price(contract, event.last_price),
        "n": _money(event.commission),
        "N": contract.quote,
        "T": event.at_ms,
        "t": event.trade_id,
        "b": _money(event.bids_notional),
        "a": _money(event.asks_notional),
        "m": event.is_maker,
        "R": event.reduce_only,
        "wt": event.working_type,
        "ot": event.original_kind,
        "ps": _SIDE,
        "cp": event.close_position,
        "rp": _money(event.realized_pnl),
        "pP": event.price_protect,
        "si": 0,
        "ss": 0,
        "V": event.self_trade_mode,
        "pm": event.price_match,
        "gtd": event.good_till_ms,
    }
    return _head(event, "ORDER_TRADE_UPDATE") | {"o": body}


def _trade_lite(event: events.OrderUpdate, contract: Contract) -> dict[str, Any]:
    return _head(event, "TRADE_LITE") | {
        "s": event.symbol,
        "q": contract.quantity_text(event.quantity),
        "p": _price(contract, event.price),
        "m": event.is_maker,
        "c": event.client_id,
        "S": event.side,
        "L": _price(contract, event.last_price),
        "l": _quantity(contract, event.last_quantity),
        "t": event.trade_id,
        "i": event.order_id,
    }


def _account(event: events.AccountUpdate, contracts: Contracts) -> dict[str, Any]:
    balances = [
        {
            "a": line.asset,
            "wb": money_text(line.wallet),
            "cw": money_text(line.cross_wallet),
            "bc": _money(line.change),
        }
        for line in event.balances
    ]
    positions = [_position(line, contracts[line.symbol]) for line in event.positions]
    return _head(event, "ACCOUNT_UPDATE") | {
        "a": {"m": event.reason, "B": balances, "P": positions}
    }


def _position(line: events.PositionLine, contract: Contract) -> dict[str, Any]:
    entry = _average(contract, line.cost, line.size)
    return {
        "s": line.symbol,
        "pa": _quantity(contract, line.size),
        "ep": entry,
        "cr": _money(line.realized_total),
        "up": _money(line.unrealized),
        "mt": line.margin_type,
        "iw": _money(line.isolated_wallet),
        "ps": _SIDE,
        "bep": entry,  # without the commission that closing would cost
    }


def _margin_call(event: events.MarginCall, contracts: Contracts) -> dict[str, Any]:
    positions = [
        {
            "s": each.symbol,
            "ps": _SIDE,
            "pa": _quantity(contracts[each.symbol], each.size),
            "mt": "CROSSED" if each.margin_type == "cross" else "ISOLATED",
            "iw": _money(each.isolated_wallet),
            "mp": rate_text(each.mark),
            "up": _money(each.unrealized),
            "mm": _money(each.maintenance),
        }
        for each in event.positions
    ]
    is_cross = any(each.margin_type == "cross" for each in event.positions)
    wallet = {"cw": money_text(event.cross_wallet)} if is_cross else {}
    return {"e": "MARGIN_CALL", "E": event.at_ms} | wallet | {"p": positions}


def _config(event: events.ConfigUpdate) -> dict[str, Any]:
    head = _head(event, "ACCOUNT_CONFIG_UPDATE")
    if event.symbol is not None:
        return head | {"ac": {"s": event.symbol, "l": event.leverage}}
    return head | {"ai": {"j": event.multi_assets}}


def _algo(event: events.AlgoUpdate, contract: Contract) -> dict[str, Any]:
    body: dict[str, Any] = {
        "caid": event.client_id,
        "aid": event.algo_id,
        "at": "CONDITIONAL",
        "o": event.kind,
        "s": event.symbol,
        "S": event.side,
        "ps": _SIDE,
        "f": event.time_in_force,
        "q": contract.quantity_text(event.quantity),
        "X": event.status,
        "ai": str(event.order_id) if event.order_id else "",
    }
    if event.order_id:
        body |= {
            "ap": _average(contract, event.filled_notional, event.filled_quantity),
            "aq": _quantity(contract, event.filled_quantity),
            "act": event.actual_kind,
        }
    body |= {
        "tp": _price(contract, event.trigger_price),
        "p": _price(contract, event.price),
        "V": event.self_trade_mode,
        "wt": event.working_type,
        "pm": event.price_match,
        "cp": event.close_position,
        "pP": event.price_protect,
        "R": event.reduce_only,
        "tt": event.triggered_ms,
        "gtd": event.good_till_ms,
    }
    if event.reject_reason:
        body["rm"] = event.reject_reason
    return _head(event, "ALGO_UPDATE") | {"o": body}


def force_order(event: events.Liquidation, contract: Contract) -> bytes:
    """Write a liquidation as the public is told."""
    quantity, price = contract.quantity_text(event.quantity), contract.price_text(event.price)
    body = {
        "s": event.symbol,
        "S": event.side,
        "o": "LIMIT",
        "f": "IOC",
        "q": quantity,
        "p": price,
        "ap": price,
        "X": "FILLED",
        "l": quantity,
        "z": quantity,
        "T": event.at_ms,
    }
    return orjson.dumps({"e": "forceOrder", "E": event.at_ms, "o": body})
