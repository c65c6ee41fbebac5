"""What a client may ask on a websocket, and Binance's answers and errors.

Decides what SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY and GET_PROPERTY mean, and
which code and words a wrong request gets. Refuses to know feeds and sockets. Called by `hub`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import orjson

_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class Listener(Protocol):
    """The connection that asks, as far as requests change it."""

    is_combined: bool
    """Whether messages carry their stream's name."""

    @property
    def streams(self) -> Iterable[str]:
        """Names it is subscribed to, in order."""
        ...


@dataclass(frozen=True)
class RequestRefused(Exception):
    """A wrong request: becomes `{"error": {"code": …, "msg": …}}`."""

    code: int
    message: str
    number: Any = None


@dataclass(frozen=True, slots=True)
class Request:
    """One well-formed request."""

    method: str
    parameters: list[Any]
    number: int | str | None


def read(text: bytes | str) -> Request:
    """Read a request; RequestRefused with Binance's code where it is wrong."""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise RequestRefused(3, f"Invalid JSON: expected value at {place}") from None
    if not isinstance(body, dict):
        _refuse("invalid type: expected struct Request", None)
    number = body.get("id")
    if not _is_number(number):
        _refuse("request ID must be an unsigned integer", None)
    if "method" not in body:
        _refuse("missing field `method`", number)
    method, parameters = body["method"], body.get("params", [])
    if method not in _METHODS:
        known = ", ".join(f"`{each}`" for each in _METHODS)
        _refuse(f"unknown variant `{method}`, expected one of {known}", number)
    if not isinstance(parameters, list):
        _refuse("invalid type: expected a sequence", number)
    return Request(method, parameters, number)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return value is None or isinstance(value, str) or (isinstance(value, int) and value >= 0)


def _refuse(what: str, number: Any) -> NoReturn:
    raise RequestRefused(2, f"Invalid request: {what}", number)


def answer(
    text: bytes | str,
    listener: Listener,
    subscribe: Callable[[list[str]], None],
    unsubscribe: Callable[[list[str]], None],
) -> bytes:
    """Do what a request asks and write the answer."""
    number: Any = None
    try:
        request = read(text)
        number = request.number
        result = _obey(request, listener, subscribe, unsubscribe)
    except RequestRefused as refused:
        body: dict[str, Any] = {"error": {"code": refused.code, "msg": refused.message}}
        number = number if refused.number is None else refused.number
        return orjson.dumps(body if number is None else body | {"id": number})
    return orjson.dumps({"result": result, "id": number})


def _obey(
    request: Request,
    listener: Listener,
    subscribe: Callable[[list[str]], None],
    unsubscribe: Callable[[list[str]], None],
) -> Any:
    match request.method:
        case "SUBSCRIBE":
            subscribe(_names(request))
        case "UNSUBSCRIBE":
            unsubscribe(_names(request))
        case "LIST_SUBSCRIPTIONS":
            return list(listener.streams)
        case "SET_PROPERTY":
            listener.is_combined = _switch(request)
        case "GET_PROPERTY":
            _property(request, 1)
            return listener.is_combined
    return None


def _names(request: Request) -> list[str]:
    names = request.parameters
    if not names or not all(isinstance(each, str) for each in names):
        _refuse("stream names must be a non-empty list of strings", request.number)
    return names


def _property(request: Request, count: int) -> list[Any]:
    """Check that the parameters begin with the one property there is."""
    given = request.parameters
    if len(given) > count:
        _refuse("too many parameters", request.number)
    if not given or not isinstance(given[0], str):
        _refuse("property name must be a string", request.number)
    if given[0] != "combined":
        raise RequestRefused(0, "Unknown property", request.number)
    return given


def _switch(request: Request) -> bool:
    given = _property(request, 2)
    if len(given) < 2 or not isinstance(given[1], bool):
        raise RequestRefused(1, "Invalid value type: expected Boolean", request.number)
    return given[1]
