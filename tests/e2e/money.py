"""Every unit of an account's money, explained from the exchange's event log and the bot's database.

Reads the log as it was written, not through the exchange that wrote it: deposit + realised profit −
commission + funding has to be the wallet that the exchange told last. And every fill has to be in
the bot's database with the same amount and price, but for orders whose answers were lost.
"""

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import orjson

ONE = 10**8
OPERATOR = "operator-"  # how ids of corrections begin that a person made by hand


@dataclass
class Statement:
    """One account, in whole 1e-8 of USDT."""

    deposit: int = 0
    realised: int = 0
    commission: int = 0
    funding: int = 0
    told: int | None = None  # the wallet as the exchange told it last
    orders: dict = field(default_factory=dict)  # id: symbol, side, steps filled, notional
    lost: set = field(default_factory=set)  # ids of orders whose answers were lost
    corrections: set = field(default_factory=set)  # ids of the operator's own orders
    triggered: dict = field(default_factory=dict)  # id of a conditional order: what it became

    @property
    def wallet(self) -> int:
        return self.deposit + self.realised - self.commission + self.funding


def read_log(path: Path) -> tuple[dict[str, Statement], list]:
    """Give the statements by account, and what the faults did."""
    accounts: dict[str, Statement] = defaultdict(Statement)
    faults, lost_by = [], None  # whose request is being processed whose answer will be lost
    for line in path.read_bytes().splitlines():
        kind, *rest = orjson.loads(line)
        if kind == "genesis":
            for name, deposit in rest[1]:
                accounts[name].deposit = accounts[name].told = deposit
        elif kind == "fault":
            faults.append(rest)
            lost_by = rest[6] if rest[-1] == "processed, answer lost" else lost_by
        elif kind == "r":
            lost_by = None
        elif kind == "e" and rest[1]["account"] is not None:
            what, event = rest
            _post(accounts[event["account"]], what, event)
            if what == "OrderUpdate" and event["execution"] == "NEW":
                if lost_by == event["account"]:
                    accounts[lost_by].lost.add(event["order_id"])
                lost_by = None
                if event["client_id"].startswith(OPERATOR):
                    accounts[event["account"]].corrections.add(event["order_id"])
    return dict(accounts), faults


def _post(statement: Statement, what: str, event: dict) -> None:
    if what == "OrderUpdate":
        statement.realised += event["realized_pnl"]
        statement.commission += event["commission"]
        if event["filled_quantity"]:
            filled = (
                event["symbol"],
                event["side"],
                event["filled_quantity"],
                event["filled_notional"],
            )
            statement.orders[event["order_id"]] = filled
    elif what == "AlgoUpdate" and event["order_id"]:
        statement.triggered[event["algo_id"]] = event["order_id"]
    elif what == "FundingPaid":
        statement.funding += event["amount"]
    elif what == "AccountUpdate":
        for row in event["balances"]:
            statement.told = row["wallet"]


def booked(database: Path) -> dict[int, tuple[str, str, float, float]]:
    """Filled orders of a bot's own database, by the exchange's order id."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT order_id, ft_pair, side, filled, average FROM orders WHERE filled > 0"
        ).fetchall()
    connection.close()
    return {
        int(order): (pair, side, filled, average) for order, pair, side, filled, average in rows
    }


def differences(statement: Statement, database: Path, steps: dict[str, float]) -> list[str]:
    """Tell every fill that exchange and bot do not agree on; orders with lost answers apart.

    `steps`: size of a step by symbol. A stop stands in the bot's book under the conditional order.
    """
    known = {statement.triggered.get(order, order): row for order, row in booked(database).items()}
    found = [
        f"{order} was filled for the bot alone" for order in known.keys() - statement.orders.keys()
    ]
    for order, (symbol, side, filled_steps, notional) in statement.orders.items():
        amount = filled_steps * steps[symbol]
        price = notional / ONE / amount
        if order not in known:
            if order not in statement.lost | statement.corrections:
                found.append(f"{order} {side} {amount:g} {symbol} is unknown to the bot")
            continue
        _, bot_side, filled, average = known[order]
        if bot_side != side.lower() or abs(filled - amount) > steps[symbol] / 2:
            found.append(f"{order}: {side} {amount:g}, the bot has {bot_side} {filled:g}")
        elif abs(average - price) > 1e-4 * price:
            found.append(f"{order}: price {price:g}, the bot has {average:g}")
    return found
