"""The live table in the terminal: every bot in a line, and the last things that happened.

Made from the same status that `status --json` prints. Returns what rich can draw; prints nothing.
Called by the command line for `up` and `status`.
"""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from automation.core.model import BotStatus, FleetStatus, Health

_COLOURS = {
    Health.HEALTHY: "green",
    Health.DEGRADED: "yellow",
    Health.UNHEALTHY: "red",
    Health.UNKNOWN: "bright_black",
}


def render_table(status: FleetStatus, events: Sequence[str] = ()) -> RenderableType:
    """Draw the fleet; `events` are sentences, the oldest first."""
    parts: list[RenderableType] = [_headline(status), _bots(status)]
    usage = _usage(status)
    if usage:
        parts.append(Text(usage, "dim", no_wrap=True, overflow="ellipsis"))
    troubles = _troubles(status)
    if troubles:
        parts += [Text(), *troubles]
    if events:
        parts += [
            Text(),
            *(Text(f"  {event}", style="dim", overflow="ellipsis") for event in events),
        ]
    return Group(*parts)


def _headline(status: FleetStatus) -> Text:
    line = Text(f"fleet {status.fleet}", style="bold")
    modes = _modes(status)
    if len(modes) == 1:
        line.append(", ").append_text(_mode(modes[0]))
    line.append(": ")
    line.append("healthy" if status.healthy else "not healthy", _health_style(status.healthy))
    if status.simulator is not None:
        simulator = status.simulator
        line.append("   simulator ", "default")
        line.append(str(simulator.health), _COLOURS[simulator.health])
    line.append(f"   {status.taken_at:%Y-%m-%d %H:%M:%S} UTC", "dim")
    return line


def _usage(status: FleetStatus) -> str:
    """Tell in 80 columns what bots and machine use; "" while nothing is known."""
    memory = [bot.memory_mb for bot in status.bots if bot.memory_mb is not None]
    cores = [bot.cpu_cores for bot in status.bots if bot.cpu_cores is not None]
    parts = [f"{sum(memory):.0f} MB"] if memory else []
    parts += [f"{sum(cores):.2f} cores"] if cores else []
    host = [] if status.host_cpu_frac is None else [f"{status.host_cpu_frac:.0%} CPU"]
    if status.host_memory_frac is not None:
        host.append(f"{status.host_memory_frac:.0%} memory")
    sentences = [f"the bots use {' and '.join(parts)}"] if parts else []
    sentences += [f"the machine {' and '.join(host)}"] if host else []
    return ", ".join(sentences)


def _bots(status: FleetStatus) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    modes = ("mode",) if len(_modes(status)) > 1 else ()
    for name in ("bot", "strategy", *modes, "state", "health"):
        # On a narrow terminal the strategy's name gives way, never the bot's.
        table.add_column(name, no_wrap=name != "strategy", overflow="ellipsis")
    for name in ("up", "trades", "USDT", "candle", "restarts"):
        table.add_column(name, justify="right", no_wrap=True)
    for bot in status.bots:
        table.add_row(*_row(bot, has_mode=bool(modes)))
    if len(status.bots) > 1:
        profits = [bot.profit_usdt for bot in status.bots if bot.profit_usdt is not None]
        trades = sum(bot.open_trades or 0 for bot in status.bots)
        restarts = sum(bot.restarts for bot in status.bots)
        total = _money(sum(profits)) if profits else Text("-")
        blank = [""] * (4 + len(modes))
        table.add_row("all", *blank, str(trades), total, "", str(restarts), style="bold")
    return table


def _modes(status: FleetStatus) -> list[str]:
    return sorted({bot.mode for bot in status.bots if bot.mode})


def _mode(mode: str) -> Text:
    return Text(mode, "bold red" if mode == "live" else "")


def _row(bot: BotStatus, *, has_mode: bool) -> list[str | Text]:
    return [
        bot.name,
        bot.strategy,
        *([_mode(bot.mode)] if has_mode else []),
        str(bot.state),
        Text(str(bot.health), _COLOURS[bot.health]),
        duration(bot.uptime_s),
        "-" if bot.open_trades is None else str(bot.open_trades),
        Text("-") if bot.profit_usdt is None else _money(bot.profit_usdt),
        duration(bot.last_candle_age_s),
        str(bot.restarts),
    ]


def _troubles(status: FleetStatus) -> list[Text]:
    """Say why a unit is not healthy: the table itself has no room for it."""
    simulator = [status.simulator] if status.simulator else []
    failing = [
        Text(f"  the {name} fails ({reason}); no bot is restarted for it", "yellow")
        for name, reason in status.dependencies.items()
    ]
    ill = [
        Text(f"  {unit.name}: {unit.reason}", _COLOURS[unit.health])
        for unit in (*simulator, *status.bots)
        if unit.health is not Health.HEALTHY
    ]
    unbounded = [
        Text(f"  {bot.name}: {bot.unbounded}", "dim") for bot in status.bots if bot.unbounded
    ]
    return [*failing, *ill, *unbounded]


def render_ladder(bot: BotStatus) -> RenderableType:
    """Draw one bot's health ladder, the lowest rung first, with why its entries are stopped."""
    head = Text(bot.name, style="bold").append(f" is {bot.state}: ", "default")
    head.append(bot.reason, _COLOURS[bot.health])
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("rung", no_wrap=True)
    table.add_column("health", no_wrap=True)
    table.add_column("for", justify="right", no_wrap=True)
    table.add_column("what is seen", overflow="fold")
    for rung in bot.ladder:
        health = Text(str(rung.health), _COLOURS[rung.health])
        table.add_row(str(rung.rung), health, duration(rung.for_s), rung.evidence)
    holds = [Text(f"  enters no trades: {reason}", "yellow") for reason in bot.holds]
    return Group(head, *([table] if bot.ladder else []), *holds)


def duration(seconds: float | None) -> str:
    """Write a duration as people do: `42s`, `7m10s`, `3h05m`, `2d04h`."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def _money(usdt: float) -> Text:
    style = "green" if usdt > 0 else "red" if usdt < 0 else ""
    return Text(f"{usdt:+.2f}", style)


def _health_style(is_healthy: bool) -> str:
    return "green" if is_healthy else "yellow"
