"""What a request meets: a delay, an error, silence, or processing without an answer.

Decides how several faults add up (delays add, the first error wins) and the words of an error, as
Binance writes them. Refuses to know when a fault hits. Called by `engine`; `server` carries it out.
"""

import math
from dataclasses import dataclass, field

import orjson

from automation.simulator.faults import kinds
from automation.simulator.faults.triggers import Armed

_USUAL = {
    400: (-1000, "An unknown error occurred while processing the request."),
    403: (-1000, "Forbidden."),
    408: (-1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown."),
    418: (-1003, "Way too many requests; IP banned until {until}. Please use the websocket for live updates to avoid bans."),
    429: (-1003, "Too many requests; current limit of IP is 2400 requests per minute. Please use the websocket for live updates to avoid polling the API."),
    451: (0, "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in error."),
    500: (-1001, "Internal error; unable to process your request. Please try again."),
    502: (-1001, "Internal error; unable to process your request. Please try again."),
    503: (-1008, "Server is currently overloaded with other requests. Please try again in a few minutes."),
    504: (-1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown."),
}  # fmt: skip
_MAINTENANCE = (503, -1016, "This service is no longer available.")
_REVOKED = (401, -2015, "Invalid API-key, IP, or permissions for action.")


@dataclass(slots=True)
class Verdict:
    """What becomes of one request; as it is made, nothing is wrong."""

    delay_s: float = 0.0
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    is_processed: bool = True
    is_answered: bool = True
    hang_s: float = 0.0
    """With `is_answered` false: how long the connection stays open in silence."""

    @property
    def is_final(self) -> bool:
        """Whether no further fault can change it."""
        return not self.is_answered or self.status != 200


def add(verdict: Verdict, armed: Armed) -> str:
    """Add a fault that hits to a verdict; tells what it does, for the log."""
    fault = armed.fault
    if isinstance(fault, kinds.Latency):
        delay_s = armed.draw_s(fault.delay)
        verdict.delay_s += delay_s
        return f"late by {round(delay_s * 1000)} ms"
    if isinstance(fault, kinds.Hang | kinds.AnswerLost | kinds.Outage):
        return _silence(verdict, fault)
    verdict.is_processed = False
    if isinstance(fault, kinds.ErrorAnswer):
        return _error(verdict, fault)
    is_closed = isinstance(fault, kinds.Maintenance)
    return _refuse(verdict, *(_MAINTENANCE if is_closed else _REVOKED))


def _silence(verdict: Verdict, fault: kinds.Hang | kinds.AnswerLost | kinds.Outage) -> str:
    verdict.is_answered = False
    if isinstance(fault, kinds.Hang):
        verdict.hang_s, verdict.is_processed = fault.most, fault.is_processed
        return "hangs"
    verdict.is_processed = isinstance(fault, kinds.AnswerLost)
    return "processed, answer lost" if verdict.is_processed else "cut off"


def _error(verdict: Verdict, fault: kinds.ErrorAnswer) -> str:
    code, message = _USUAL[fault.status]
    if fault.retry_after is not None:
        verdict.headers["Retry-After"] = str(math.ceil(fault.retry_after))
    message = (fault.message or message).replace("{until}", "later")
    return _refuse(verdict, fault.status, code if fault.code is None else fault.code, message)


def _refuse(verdict: Verdict, status: int, code: int, message: str) -> str:
    verdict.status = status
    verdict.body = orjson.dumps({"code": code, "msg": message})
    return f"answered {status} {code}"
