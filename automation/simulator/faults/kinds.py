"""The kinds of faults, as a scenario names them.

Frozen pydantic models; unknown keys are refused. Durations are written `500ms`, `90s`, `2m`, `1h30m`
or as seconds; instants are the market's own. Refuses to know how a fault is carried out (`engine`,
`rest_faults`, `stream_faults`, `shocks`). The reference page is made from the descriptions.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(raw: Any) -> Any:
    """Read a duration; what is none is left to be complained of."""
    if not isinstance(raw, str):
        return raw
    text = raw.replace(" ", "")
    found = _PARTS.findall(text)
    if not found or "".join(number + unit for number, unit in found) != text:
        raise ValueError(f"{raw!r} is no duration like 500ms, 90s, 2m or 1h30m")
    return sum(float(number) * _UNIT_S[unit] for number, unit in found)


def _in_utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


Duration = Annotated[float, BeforeValidator(seconds), Field(ge=0, le=366 * 86400)]
Instant = Annotated[datetime, AfterValidator(_in_utc)]
Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9]+$")]


class Strict(BaseModel):
    """Frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Match(Strict):
    """Which requests or messages are meant; what is left out matches all."""

    method: Literal["GET", "POST", "PUT", "DELETE"] | None = Field(
        None, description="Method of the request."
    )
    path: str | None = Field(None, description="Path of the request; `*` stands for any text.")
    symbol: Symbol | None = Field(None, description="Symbol, `BTCUSDT`.")
    account: str | None = Field(None, description="Name of the account that asks or listens.")
    stream: str | None = Field(
        None, description="Name of the stream, `btcusdt@*`; for user data the word `user`."
    )


class Trigger(Strict):
    """When a fault holds; all that is given must be so."""

    name: str = Field("", description="How the log calls it; without it kind and number.")
    at: Instant | None = Field(None, description="Instant of the market from which on it holds.")
    after: Duration | None = Field(None, description="The same as a time after the start.")
    lasts: Duration | None = Field(None, description="How long it holds; without it for ever.")
    probability: float = Field(1.0, gt=0, le=1, description="Share of the matching cases it hits.")
    times: int | None = Field(None, ge=1, description="How often at most.")
    match: Match = Field(Match(), description="Which requests or messages are meant.")

    @model_validator(mode="after")
    def _has_one_beginning(self) -> Self:
        if self.at is not None and self.after is not None:
            raise ValueError("give at or after, not both")
        return self


class Distribution(Strict):
    """How long something takes, drawn anew each time."""

    shape: Literal["constant", "uniform", "normal", "lognormal", "exponential"] = Field(
        "constant", description="Shape of the distribution."
    )
    mean: Duration = Field(
        description="Mean; the median of a lognormal, the value of a constant one."
    )
    spread: Duration = Field(
        0.0, description="Half the width of a uniform, standard deviation of a normal one."
    )
    sigma: float = Field(0.5, gt=0, le=5, description="Sigma of the logarithm, for lognormal.")
    most: Duration = Field(60.0, description="Longer draws are cut to this.")


class Latency(Trigger):
    """Answers come late, by a distribution."""

    kind: Literal["latency"]
    delay: Distribution = Field(description="How late.")


class Hang(Trigger):
    """Requests are processed, and the answer is held back until the client gives up."""

    kind: Literal["hang"]
    most: Duration = Field(300.0, description="Then the connection is closed.")
    is_processed: bool = Field(True, description="Whether the exchange sees the request at all.")


class ErrorAnswer(Trigger):
    """Requests are answered with an error and not processed."""

    kind: Literal["error"]
    status: Literal[400, 403, 408, 418, 429, 451, 500, 502, 503, 504] = Field(
        503, description="Status of the answer."
    )
    code: int | None = Field(None, description="Binance's code; without it the usual one.")
    message: str | None = Field(None, description="Binance's message; without it the usual one.")
    retry_after: Duration | None = Field(None, description="Header Retry-After, for 429 and 418.")


class AnswerLost(Trigger):
    """Requests are processed, and the connection closes before any answer."""

    kind: Literal["answer_lost"]


class Outage(Trigger):
    """Nothing gets through: connections close unanswered, requests and streams alike."""

    kind: Literal["outage"]


class Maintenance(Trigger):
    """Every request is refused with 503 and code -1016; streams are closed."""

    kind: Literal["maintenance"]


class ClockSkew(Trigger):
    """The server tells and checks another time than it lives in."""

    kind: Literal["clock_skew"]
    offset_ms: int = Field(
        ge=-3_600_000, le=3_600_000, description="Server time is ahead by this, in ms."
    )


class RevokedKey(Trigger):
    """The key of an account is refused with -2015."""

    kind: Literal["revoked_key"]
    account: str = Field(min_length=1, description="Name of the account.")


class StreamStall(Trigger):
    """Messages wait until the fault is over, then come all at once."""

    kind: Literal["stream_stall"]


class StreamDrop(Trigger):
    """Messages are lost."""

    kind: Literal["stream_drop"]


class StreamDuplicate(Trigger):
    """Messages come twice."""

    kind: Literal["stream_duplicate"]


class StreamReorder(Trigger):
    """Messages are overtaken by those that follow."""

    kind: Literal["stream_reorder"]
    by: Duration = Field(1.0, description="How long a message is held back.")


class StreamCut(Trigger):
    """Connections are ended, without a closing handshake."""

    kind: Literal["stream_cut"]


class _OfSymbols(Trigger):
    """A fault of the market itself."""

    symbols: tuple[Symbol, ...] = Field((), description="Symbols; without them all.")


class FlashCrash(_OfSymbols):
    """The price falls (or jumps), stays and comes back, in candles, streams and matching alike."""

    kind: Literal["flash_crash"]
    move_frac: float = Field(gt=-0.95, le=10, description="How far, -0.2 for a fall by a fifth.")
    falls: Duration = Field(30.0, description="How long it moves away.")
    stays: Duration = Field(0.0, description="How long it stays there.")
    recovers: Duration = Field(300.0, description="How long it comes back.")
    mark_share: float = Field(
        1.0, ge=0, le=1, description="Part of the move that mark and index price follow."
    )


class PriceGap(_OfSymbols):
    """The price is another from one moment to the next, and stays so while the fault lasts."""

    kind: Literal["price_gap"]
    move_frac: float = Field(gt=-0.95, le=10, description="How far, -0.2 for a fall by a fifth.")
    mark_share: float = Field(
        1.0, ge=0, le=1, description="Part of the move that mark and index price follow."
    )


class ThinBook(_OfSymbols):
    """The order book has less on it, and a wider spread."""

    kind: Literal["thin_book"]
    depth: float = Field(0.1, gt=0, le=1, description="Sizes are multiplied by this.")
    spread: float = Field(5.0, ge=1, le=1000, description="The spread is multiplied by this.")


class Halt(_OfSymbols):
    """No orders are taken, and none is filled."""

    kind: Literal["halt"]


class Delisting(_OfSymbols):
    """Trading ends for good; the contract stays in exchangeInfo as settling."""

    kind: Literal["delisting"]


class FundingSpike(_OfSymbols):
    """Settlements while the fault lasts use another rate."""

    kind: Literal["funding_spike"]
    rate_frac: float = Field(ge=-0.05, le=0.05, description="Rate of a settlement, 0.01 for 1 %.")


RestFault = Latency | Hang | ErrorAnswer | AnswerLost | Outage | Maintenance | RevokedKey
StreamFault = StreamStall | StreamDrop | StreamDuplicate | StreamReorder | StreamCut
PriceFault = FlashCrash | PriceGap
MarketFault = ThinBook | Halt | Delisting | FundingSpike
Fault = Annotated[
    RestFault | StreamFault | PriceFault | MarketFault | ClockSkew, Field(discriminator="kind")
]
KINDS = (
    Latency, Hang, ErrorAnswer, AnswerLost, Outage, Maintenance, RevokedKey, ClockSkew,
    StreamStall, StreamDrop, StreamDuplicate, StreamReorder, StreamCut,
    FlashCrash, PriceGap, ThinBook, Halt, Delisting, FundingSpike,
)  # fmt: skip
"""All kinds, in the order of the reference page."""


class Scenario(Strict):
    """Faults that are known from the start."""

    seed: int = Field(1, ge=0, description="Seed of every draw.")
    faults: tuple[Fault, ...] = Field((), description="The faults; several may hold at once.")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        named = [fault.name for fault in self.faults if fault.name]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"several faults are named {', '.join(twice)}; give each its own name")
        return self
