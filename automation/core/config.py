"""The desired fleet, as `configs/fleet.yaml` describes it.

Frozen pydantic models; unknown keys are refused, every field has a description, and its unit
where it has one. What contradicts itself is refused here, never adjusted. Freqtrade's own JSON
stays Freqtrade's: this model only says which files are layered. Read by `core.configfile`;
the reference page and the JSON schema are generated from it.
"""

import shlex
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from automation.core.secrets import SecretRef

BotName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Pair = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]+/[A-Z0-9]+:[A-Z0-9]+$")]
Port = Annotated[int, Field(ge=1024, le=65535)]


class Mode(StrEnum):
    """What a bot's orders are."""

    DRY_RUN = "dry-run"
    LIVE = "live"


class Venue(StrEnum):
    """Where a fleet's market is."""

    SIMULATOR = "simulator"
    BINANCE = "binance"


class Profile(StrEnum):
    """How much risk the pack's strategies may take."""

    CONSERVATIVE = "conservative"
    MODERATE = "moderate"
    AGGRESSIVE = "aggressive"


class Strict(BaseModel):
    """Frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Account(Strict):
    """One account at the exchange, seen through one API key."""

    key: SecretRef = Field(description="API key, as a reference: env:NAME or file:PATH.")
    secret: SecretRef = Field(description="API secret, as a reference: env:NAME or file:PATH.")
    read_key: SecretRef | None = Field(
        None,
        description=(
            "Another API key, that may only read: with it the supervisor asks the exchange itself "
            "whether stops stand. As a reference."
        ),
    )
    read_secret: SecretRef | None = Field(None, description="Its secret, as a reference.")
    capital_usdt: float = Field(
        gt=0, description="What the account holds, in USDT; its bots' capital must fit in."
    )

    @model_validator(mode="after")
    def _reads_with_a_key_of_its_own(self) -> Self:
        if (self.read_key is None) != (self.read_secret is None):
            lacking = "read_secret" if self.read_secret is None else "read_key"
            raise ValueError(f"read_key and read_secret belong together; add {lacking}")
        if self.read_key == self.key:
            raise ValueError(
                "read_key is the key that trades; make one at the exchange that may only read"
            )
        return self


class SimulatorSettings(Strict):
    """The market that the fleet's own simulator offers."""

    data: Path | None = Field(
        None, description="Freqtrade data folder to replay; without it the market is synthetic."
    )
    at: datetime | None = Field(
        None, description="Instant in the data that becomes now; without it data keep their dates."
    )
    seed: int = Field(1, ge=0, description="Seed of the synthetic market.")
    speed: float = Field(
        1.0,
        ge=1,
        le=100,
        description="How many times as fast as the clock the market and its bots live.",
    )
    scenario: Path | None = Field(None, description="What goes wrong, and when: a scenario file.")
    port: Port | None = Field(None, description="TCP port on loopback; without it a free one.")


class Exchange(Strict):
    """Where the fleet trades."""

    venue: Venue = Field(Venue.SIMULATOR, description="`simulator` or `binance` (USDT perpetuals).")
    margin_mode: Literal["isolated", "cross"] = Field(
        "isolated", description="Margin mode of every position."
    )
    simulator: SimulatorSettings = Field(
        SimulatorSettings(), description="The simulator's market, where the venue is `simulator`."
    )
    accounts: dict[str, Account] = Field(
        {}, description="Accounts by name; live bots name the one they trade on."
    )


class Telegram(Strict):
    """Freqtrade's own Telegram bot, for one bot of the fleet."""

    token: SecretRef = Field(description="Bot token, as a reference: env:NAME or file:PATH.")
    chat_id: SecretRef = Field(description="Chat to write to, as a reference.")


class Resources(Strict):
    """What one bot may use of its machine."""

    memory_mb: int | None = Field(
        None, ge=256, description="Memory limit, in MB; without it 2048 in a container."
    )
    cpus: float | None = Field(
        None, gt=0, description="CPU limit, in cores; without it 1 in a container."
    )
    pids: int | None = Field(
        None, ge=16, description="Most processes and threads; without it 256 in a container."
    )
    files: int | None = Field(
        None, ge=128, description="Most files and connections that a plain process holds open."
    )
    nice: int = Field(0, ge=0, le=19, description="Niceness of a plain process.")


class Targets(Strict):
    """What the last trades must have reached, or entries are stopped for the pause."""

    trades: int = Field(30, ge=5, description="How many of the last closed trades are judged.")
    sharpe: float | None = Field(
        None, description="Least Sharpe ratio of their returns, annual by their own frequency."
    )
    win_rate_frac: float | None = Field(
        None, gt=0, le=1, description="Least fraction of them that gained."
    )
    profit_factor: float | None = Field(
        None, gt=0, description="Least sum of gains over sum of losses."
    )

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if self.sharpe is None and self.win_rate_frac is None and self.profit_factor is None:
            raise ValueError("targets name no target; add sharpe, win_rate_frac or profit_factor")
        return self


class Guards(Strict):
    """When entries are stopped because too much was lost."""

    drawdown_frac: float | None = Field(
        None,
        ge=0,
        lt=1,
        description=(
            "Fall of equity from its peak at which entries stop until a person resumes; without it "
            "that of the profile that the bot names, else 0.15. 0 turns it off."
        ),
    )
    daily_loss_frac: float | None = Field(
        None,
        ge=0,
        lt=1,
        description=(
            "Fall of equity since the day began (UTC) at which entries stop until the next; without "
            "it that of the profile that the bot names. 0 turns it off."
        ),
    )
    losing_streak: int = Field(
        0, ge=0, description="Trades lost in a row at which entries stop for the pause; 0 for none."
    )
    targets: Targets | None = Field(
        None, description="What the last trades must have reached, or entries stop for the pause."
    )
    pause_h: float = Field(
        24.0,
        gt=0,
        le=8760,
        description="How long entries stop after a losing streak or missed targets, in hours.",
    )

    @model_validator(mode="after")
    def _day_within_drawdown(self) -> Self:
        day, whole = self.daily_loss_frac, self.drawdown_frac
        if day and whole and day > whole:
            raise ValueError(
                f"daily_loss_frac {day:g} is more than drawdown_frac {whole:g} and could never act; "
                "lower it or raise the drawdown"
            )
        return self


class Jobs(Strict):
    """What one job in a container may use: a backtest, a gate, a tuning."""

    memory_mb: int = Field(4096, ge=512, description="Memory limit, in MB.")
    cpus: float = Field(2.0, gt=0, description="CPU limit, in cores.")
    pids: int = Field(512, ge=64, description="Most processes and threads.")
    timeout_h: float = Field(
        12.0, gt=0, le=168, description="After how long a job is ended, in hours."
    )


class Docker(Strict):
    """How bots run in containers, where their `runner` is `docker`."""

    image: str = Field(
        "freqfleet/bot:local", min_length=1, description="Image with Freqtrade, tag included."
    )
    engine: str | None = Field(
        None, description="Address of the Docker Engine; without it that of DOCKER_HOST."
    )
    network: str | None = Field(
        None,
        description=(
            "Network of the bots, made when it is missing; without it `freqfleet`, or `host` where "
            "the fleet's own simulator has to be reached. `container:NAME`: that of a container that "
            "the supervisor shares it with."
        ),
    )
    user: str | None = Field(
        None,
        pattern=r"^\d+:\d+$",
        description="User and group inside; without it ours, or 1000:1000 where we are root.",
    )
    python: str = Field("python", description="Interpreter inside the image.")
    mounts: tuple[Path, ...] = Field(
        (), description="Further folders or files of this machine that bots may read, in place."
    )
    jobs: Jobs = Field(
        Jobs(), description="What a backtest, gate or tuning in a container may use."
    )


class Bot(Strict):
    """One Freqtrade process. Every field but `name` can stand in `defaults`."""

    name: BotName = Field(description="Lower-case name, unique in the fleet: a-z, 0-9 and dashes.")
    strategy: str = Field(min_length=1, description="Class name of the strategy.")
    strategy_path: Path | None = Field(
        None, description="Folder with the strategy; without it the pack's own."
    )
    configs: tuple[Path, ...] = Field(
        (), description="Freqtrade configuration files, layered in order over the fleet's base."
    )
    mode: Mode = Field(Mode.DRY_RUN, description="`dry-run`, or `live`: real orders, real money.")
    account: str | None = Field(
        None, description="Name of the account in `exchange.accounts`; needed when live."
    )
    profile: Profile = Field(Profile.MODERATE, description="Risk profile of the pack's strategies.")
    capital_usdt: float = Field(
        1000.0, gt=0, description="Capital this bot may use, in USDT (its wallet in dry-run)."
    )
    stake_usdt: float | Literal["unlimited"] = Field(
        "unlimited", description="Stake a trade, in USDT, or `unlimited`: capital over open slots."
    )
    max_open_trades: int = Field(3, ge=1, description="Trades open at the same time.")
    pairs: tuple[Pair, ...] = Field(
        (), description="Pairs, like BTC/USDT:USDT; without them those of the configurations."
    )
    timeframe: str | None = Field(None, description="Candle length; without it the strategy's.")
    runner: Literal["process", "docker"] = Field(
        "process", description="How the bot runs: a process of this machine, or a container."
    )
    api_port: Port | None = Field(
        None, description="Port of the bot's REST API on loopback; without it a free one, kept."
    )
    database: Path | None = Field(
        None, description="SQLite database to go on with; without it one of the fleet's own."
    )
    telegram: Telegram | None = Field(None, description="Freqtrade's Telegram bot; one per token.")
    resources: Resources = Field(Resources(), description="What it may use.")
    guards: Guards = Field(Guards(), description="When this bot's entries are stopped for losses.")
    starts: bool = Field(True, description="Whether `up` starts it.")
    apply: Literal["flat", "now"] = Field(
        "flat",
        description=(
            "When a changed strategy or configuration is applied by a reload: once no trade is open "
            "(`flat`, entries are stopped meanwhile), or `now`."
        ),
    )

    @model_validator(mode="after")
    def _stake_fits(self) -> Self:
        if self.stake_usdt != "unlimited" and self.stake_usdt > self.capital_usdt:
            raise ValueError(
                f"stake_usdt {self.stake_usdt:g} is more than capital_usdt {self.capital_usdt:g}; "
                "lower the stake or raise the capital"
            )
        return self


class ScheduledCommand(Strict):
    """A freqfleet command that the supervisor runs at its times."""

    name: BotName = Field(description="Lower-case name, unique in the schedule.")
    cron: str = Field(
        description="When: minute, hour, day of month, month, day of week, as in cron."
    )
    command: tuple[str, ...] = Field(
        min_length=1, description="What to run, without `freqfleet`: one text, or a list of words."
    )
    timezone: str = Field("UTC", description="Time zone of `cron`, like Europe/Berlin.")
    jitter_s: float = Field(
        0.0, ge=0, le=43200, description="Shift each run by up to this, in seconds."
    )
    catch_up: Literal["skip", "once"] = Field(
        "skip",
        description="What comes of times at which no supervisor ran: nothing, or one run for all.",
    )
    timeout_h: float = Field(
        12.0, gt=0, le=168, description="After how long a run is ended, in hours."
    )

    @field_validator("command", mode="before")
    @classmethod
    def _split(cls, raw: Any) -> Any:
        return tuple(shlex.split(raw)) if isinstance(raw, str) else raw

    @field_validator("command")
    @classmethod
    def _is_no_supervisor(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if words[0] == "freqfleet":
            raise ValueError("leave `freqfleet` out, the command begins with the word after it")
        if words[0] == "up":
            raise ValueError("a schedule runs under a supervisor and cannot start another")
        return words

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            raise ValueError(f"there is no time zone {name}; write it like Europe/Berlin") from None
        return name


class Fleet(Strict):
    """The whole of fleet.yaml, after `defaults` have been laid under each bot."""

    fleet: BotName = Field(description="The fleet's name: a-z, 0-9 and dashes.")
    exchange: Exchange = Field(Exchange(), description="Where the fleet trades.")
    docker: Docker = Field(Docker(), description="Containers, for bots whose runner is `docker`.")
    schedule: tuple[ScheduledCommand, ...] = Field(
        (), description="Commands that the supervisor runs at their times."
    )
    guards: Guards = Field(
        Guards(), description="When all entries are stopped for losses of the bots together."
    )
    bots: tuple[Bot, ...] = Field(min_length=1, description="The bots, in the order they start.")

    @model_validator(mode="before")
    @classmethod
    def _lay_defaults(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or not isinstance(raw.get("bots"), list):
            return raw
        defaults = raw.get("defaults") or {}
        if not isinstance(defaults, dict):
            raise ValueError("defaults must be a mapping of bot fields")  # noqa: TRY004
        if "name" in defaults:
            raise ValueError("defaults cannot hold a name; give each bot its own")
        bots = [{**defaults, **bot} if isinstance(bot, dict) else bot for bot in raw["bots"]]
        return {**{k: v for k, v in raw.items() if k != "defaults"}, "bots": bots}

    @model_validator(mode="after")
    def _rails_hold(self) -> Self:
        broken = [*_repeated(self), *_wrong_accounts(self), *_fights(self), *_shared_pollers(self)]
        if broken:
            raise ValueError("\n".join(broken))
        return self

    def bot(self, name: str) -> Bot | None:
        """Find a bot by its name."""
        return next((bot for bot in self.bots if bot.name == name), None)


def _repeated(fleet: Fleet) -> Iterator[str]:
    for name, count in Counter(entry.name for entry in fleet.schedule).items():
        if count > 1:
            yield f"{count} entries of the schedule are named {name}; give each its own name"
    for name, count in Counter(bot.name for bot in fleet.bots).items():
        if count > 1:
            yield f"{count} bots are named {name}; give each its own name"
    for port, count in Counter(bot.api_port for bot in fleet.bots if bot.api_port).items():
        if count > 1:
            yield f"{count} bots want api_port {port}; give each its own port"
    for database, count in Counter(bot.database for bot in fleet.bots if bot.database).items():
        if count > 1:
            yield f"{count} bots share the database {database}; give each its own"


def _wrong_accounts(fleet: Fleet) -> Iterator[str]:
    accounts = fleet.exchange.accounts
    for bot in fleet.bots:
        if bot.account is not None and bot.account not in accounts:
            yield f"bot {bot.name} names the account {bot.account}, which exchange.accounts lacks"
        if bot.mode is Mode.LIVE and bot.account is None:
            yield f"bot {bot.name} is live without an account; name one of exchange.accounts"


def _fights(fleet: Fleet) -> Iterator[str]:
    """Find live bots that would fight over one account: same key, same pair, or too much capital."""
    live: dict[str, list[Bot]] = {}
    capital: dict[str, float] = {}
    for bot in fleet.bots:
        account = fleet.exchange.accounts.get(bot.account or "")
        if bot.mode is Mode.LIVE and account is not None:
            live.setdefault(account.key, []).append(bot)
            capital[account.key] = min(capital.get(account.key, float("inf")), account.capital_usdt)
    for key, bots in live.items():
        for one, other in combinations(bots, 2):
            yield from _shared_pairs(one, other)
        declared = sum(bot.capital_usdt for bot in bots)
        if declared > capital[key]:
            names = ", ".join(bot.name for bot in bots)
            yield (
                f"live bots {names} declare {declared:g} USDT on an account that holds "
                f"{capital[key]:g}; lower capital_usdt"
            )


def _shared_pairs(one: Bot, other: Bot) -> Iterator[str]:
    for bot in (one, other):
        if not bot.pairs:
            yield (
                f"bots {one.name} and {other.name} are live on one exchange key and {bot.name} "
                "lists no pairs; list disjoint pairs for both"
            )
            return
    shared = sorted(set(one.pairs) & set(other.pairs))
    if shared:
        yield (
            f"bots {one.name} and {other.name} are live on one exchange key and share "
            f"{', '.join(shared)}; give them disjoint pairs"
        )


def _shared_pollers(fleet: Fleet) -> Iterator[str]:
    tokens = Counter(bot.telegram.token for bot in fleet.bots if bot.telegram)
    for token, count in tokens.items():
        if count > 1:
            yield f"{count} bots poll one Telegram token ({token}); give each its own token"
