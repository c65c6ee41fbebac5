"""From a request's text to whole numbers on a symbol's grid.

Decides Binance's refusals for numbers, choices and flags. Refuses to know what is done with them.
Called by the endpoint modules.
"""

import re
from collections.abc import Container
from typing import Any

from automation.simulator.parameters import Parameters, missing, refuse
from automation.simulator.trading.orders import OrderRequest
from automation.simulator.trading.units import Contract

_NUMBER = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?")
_RANGE = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_CLIENT_ID = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")
SELF_TRADE_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
_GRID = "Precision is over the maximum defined for this asset."


def number(query: Parameters, name: str, decimals: int, *, finest: int | None = None) -> int | None:
    """Read an optional decimal as a whole number of 10^-decimals.

    -1100 where it is none, -1111 with more than `finest` decimals (else `decimals`), -4014 where it
    is between two ticks.
    """
    written = query.text(name)
    if written is None:
        return None
    found = _NUMBER.fullmatch(written)
    if found is None:
        refuse(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{_RANGE}'.")
    whole, fraction = found.group(1), (found.group(2) or "").rstrip("0")
    if len(fraction) > (decimals if finest is None else finest):
        refuse(-1111, _GRID)
    if len(fraction) > decimals:
        refuse(-4014, "Price not increased by tick size.")
    return int(whole + fraction.ljust(decimals, "0"))


def price(query: Parameters, name: str, contract: Contract) -> int | None:
    """Read an optional price in ticks."""
    return number(query, name, contract.price_decimals, finest=contract.printed_decimals)


def choice(query: Parameters, name: str, allowed: Container[str], code: int, message: str) -> str:
    """Read a mandatory word out of a few."""
    word = query.required(name)
    if word not in allowed:
        refuse(code, message)
    return word


def flag(query: Parameters, name: str) -> bool:
    """Read an optional true or false; false where it was not sent."""
    word = (query.text(name) or "false").lower()
    if word not in {"true", "false"}:
        refuse(-1130, f"Data sent for parameter '{name}' is not valid.")
    return word == "true"


def client_id(query: Parameters, name: str) -> str:
    """Read an optional id of the client's own; -1100 with wrong letters, -4015 where too long."""
    word = query.text(name) or ""
    if len(word) > 36:
        refuse(-4015, "Client order id length should not be more than 36 chars")
    if word and not _CLIENT_ID.fullmatch(word):
        message = f"Illegal characters found in parameter '{name}'; legal range is '{_CLIENT_ID.pattern}'."
        refuse(-1100, message)
    return word


def ids(query: Parameters, name: str, client_name: str) -> tuple[int | None, str | None]:
    """Read an order's id or the client's own; -1102 where neither was sent."""
    number_, word = query.whole(name), query.text(client_name)
    if number_ is None and word is None:
        refuse(
            -1102,
            f"Param '{client_name}' or '{name}' must be sent, but both were empty/null!",
        )
    return number_, word


def order_request(query: Parameters, contract: Contract, kinds: Container[str]) -> OrderRequest:
    """Read what plain and conditional orders have in common."""
    side = choice(query, "side", ("BUY", "SELL"), -1117, "Invalid side.")
    kind = choice(query, "type", kinds, -1116, "Invalid orderType.")
    if (query.text("positionSide") or "BOTH") != "BOTH":
        refuse(-4061, "Order's position side does not match user's setting.")
    fields = _fields(query, contract, kind)
    return OrderRequest(contract.symbol, "BUY" if side == "BUY" else "SELL", kind, **fields)


def _fields(query: Parameters, contract: Contract, kind: str) -> dict[str, Any]:
    close, reduce = flag(query, "closePosition"), flag(query, "reduceOnly")
    quantity = number(query, "quantity", contract.quantity_decimals)
    if close and quantity is not None:
        refuse(-4137, "Quantity must be zero with closePosition equals true.")
    if close and reduce:
        refuse(-1106, "Parameter 'reduceonly' sent when not required.")
    if quantity is None and not close:
        missing("quantity")
    in_force = _in_force(query, kind)
    wanted = _price(query, contract, kind)
    if (query.text("priceMatch") or "NONE") != "NONE":
        refuse(-4084, "Method is not allowed currently. Upcoming soon.")
    return {
        "quantity": quantity or 0,
        "price": wanted,
        "time_in_force": in_force,
        "reduce_only": reduce,
        "close_position": close,
    } | _working(query)


def _price(query: Parameters, contract: Contract, kind: str) -> int:
    wanted = price(query, "price", contract)
    if kind in {"LIMIT", "STOP", "TAKE_PROFIT"}:
        if wanted is None:
            missing("price")
        return wanted
    if wanted:
        refuse(-1106, "Parameter 'price' sent when not required.")
    return 0


def _in_force(query: Parameters, kind: str) -> str:
    word = query.text("timeInForce")
    if kind == "LIMIT" and word is None:
        missing("timeinforce")
    if kind == "MARKET" and word is not None:
        refuse(-1106, "Parameter 'timeinforce' sent when not required.")
    if word is not None and word not in TIMES_IN_FORCE:
        refuse(-1115, "Invalid timeInForce.")
    return word or "GTC"


def _working(query: Parameters) -> dict[str, Any]:
    working = query.text("workingType") or "CONTRACT_PRICE"
    if working not in {"CONTRACT_PRICE", "MARK_PRICE"}:
        refuse(-1130, "Data sent for parameter 'workingType' is not valid.")
    mode = query.text("selfTradePreventionMode") or "EXPIRE_MAKER"
    if mode not in SELF_TRADE_MODES:
        refuse(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")
    return {
        "working_type": working,
        "self_trade_mode": mode,
        "price_protect": flag(query, "priceProtect"),
        "good_till_ms": query.whole("goodTillDate") or 0,
    }
