"""What people may type to the fleet's Telegram bot, and what it says in return.

Pure: parsing, rights and texts. `commander` listens, asks the fleet and journals.
"""

from dataclasses import dataclass
from typing import Any

from automation.alerts.channel_settings import Commands, Role
from automation.alerts.dialects import clean, one_line
from automation.core.model import BotStatus, FleetStatus

EVERYBODY = "all"
FLATTEN = "flatten"
NEEDED = {
    "help": Role.VIEWER,
    "fleet": Role.VIEWER,
    "portfolio": Role.VIEWER,
    "bot": Role.VIEWER,
    "alerts": Role.VIEWER,
    "ack": Role.OPERATOR,
    "pause": Role.OPERATOR,
    "resume": Role.OPERATOR,
    "start": Role.OPERATOR,
    "stop": Role.OPERATOR,
    "panic": Role.ADMIN,
}
ACTIONS = frozenset({"pause", "resume", "start", "stop"})
HELP = """/fleet – how all bots are
/portfolio – balance and profit
/bot NAME – one bot
/alerts – what fires
/pause NAME – enter no more trades
/resume NAME – trade again
/start NAME, /stop NAME
/panic – stop all entries and cancel all orders, asks first
/panic flatten – and close all positions
Instead of NAME, all means every bot and asks first."""
_SIGNS = {"healthy": "🟢", "degraded": "🟡", "unhealthy": "🔴", "unknown": "⚪"}
LONGEST_ANSWER = 4000
OLD_AFTER_S = 120.0
"""What was typed longer ago, while nobody listened, is no longer done."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that came in, from whom."""

    update: int
    chat: int
    user: int
    name: str
    command: str
    argument: str = ""
    query: str = ""
    """The pressed button's id; "" for typed text."""
    message: int = 0
    """The message that the button stands below."""
    at_s: float | None = None
    """When it was typed, in seconds since 1970; None for buttons."""

    @property
    def actor(self) -> str:
        """Who asks, for the journal."""
        return one_line(f"telegram:{self.user} {self.name}")[:80]

    @property
    def text(self) -> str:
        """What was asked, on one line."""
        return one_line(f"/{self.command} {self.argument}")[:120]


def read_update(update: dict[str, Any]) -> Asked | None:
    """Understand one update of Telegram's; None for what is no command and no button."""
    number = int(update.get("update_id", 0))
    query, message = update.get("callback_query"), update.get("message")
    if isinstance(query, dict):
        below = query.get("message") or {}
        command, _, argument = str(query.get("data", "")).partition(":")
        return Asked(
            update=number,
            chat=int((below.get("chat") or {}).get("id", 0)),
            user=int((query.get("from") or {}).get("id", 0)),
            name=str((query.get("from") or {}).get("first_name", "")),
            command=command,
            argument=argument,
            query=str(query.get("id", "")),
            message=int(below.get("message_id", 0)),
        )
    if not isinstance(message, dict) or not str(message.get("text", "")).startswith("/"):
        return None
    words = str(message["text"]).split()
    return Asked(
        update=number,
        chat=int((message.get("chat") or {}).get("id", 0)),
        user=int((message.get("from") or {}).get("id", 0)),
        name=str((message.get("from") or {}).get("first_name", "")),
        command=words[0][1:].partition("@")[0].lower(),
        argument=" ".join(words[1:]),
        at_s=float(message.get("date", 0)),
    )


def role_of(commands: Commands, asked: Asked) -> Role | None:
    """Tell what somebody may do: what the chat gives, and no more than the person has."""
    role = commands.chats.get(asked.chat)
    if role is None or commands.users is None:
        return role
    own = commands.users.get(asked.user)
    return None if own is None else min(role, own, key=lambda one: one.rank)


def tell_fleet(status: FleetStatus) -> str:
    """Tell how all bots are."""
    lines = [f"{status.fleet}: {'healthy' if status.healthy else 'NOT healthy'}"]
    lines += [
        f"{_SIGNS.get(bot.health, '⚪')} {bot.name} {bot.state}: {bot.reason}"
        for bot in status.bots
    ]
    return bounded(lines)


def tell_portfolio(status: FleetStatus) -> str:
    """Tell balance, profit and open trades, bot by bot and together."""
    lines = [
        f"{bot.name} ({bot.mode}): {_usdt(bot.balance_usdt)}, profit {_usdt(bot.profit_usdt)}, "
        f"{bot.open_trades if bot.open_trades is not None else '?'} open"
        for bot in status.bots
    ]
    for mode in sorted({bot.mode for bot in status.bots}):
        bots = [bot for bot in status.bots if bot.mode == mode]
        unknown = sum(bot.balance_usdt is None for bot in bots)
        note = f" ({unknown} bots unknown)" if unknown else ""
        balance = sum(bot.balance_usdt or 0.0 for bot in bots)
        profit = sum(bot.profit_usdt or 0.0 for bot in bots)
        lines.append(f"Together {mode}: {_usdt(balance)}, profit {_usdt(profit)}{note}")
    return bounded(lines or ["There are no bots."])


def tell_bot(bot: BotStatus) -> str:
    """Tell all that is known of one bot."""
    age = "?" if bot.last_candle_age_s is None else f"{bot.last_candle_age_s:.0f} s"
    return bounded(
        [
            f"{_SIGNS.get(bot.health, '⚪')} {bot.name}: {bot.state}, {bot.health}",
            bot.reason,
            f"{bot.strategy}, {bot.mode}, {bot.restarts} restarts",
            f"balance {_usdt(bot.balance_usdt)}, profit {_usdt(bot.profit_usdt)}",
            f"{bot.open_trades} open and {bot.closed_trades} closed trades",
            f"last candle closed {age} ago",
        ]
    )


def question_of(asked: Asked) -> str:
    """Ask for the second yes, saying what would be done."""
    if asked.command != "panic":
        return f"Really {asked.command} {asked.argument}?"
    closing = " and close ALL POSITIONS at market" if asked.argument == FLATTEN else ""
    return f"Really stop all entries, cancel all open orders{closing}, on every bot?"


def bounded(lines: list[str]) -> str:
    """Join lines to an answer that Telegram takes; what is too much is counted."""
    kept: list[str] = []
    for number, line in enumerate(lines):
        shown = clean(line)[:300]
        if sum(map(len, kept)) + len(kept) + len(shown) > LONGEST_ANSWER - 60:
            kept.append(f"… and {len(lines) - number} more")
            break
        kept.append(shown)
    return "\n".join(kept)


def _usdt(amount: float | None) -> str:
    return "?" if amount is None else f"{amount:,.2f} USDT"
