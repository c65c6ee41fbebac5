"""What an account has, in Binance's keys and its mix of strings, numbers and flags.

Decides the JSON of positions, balances and settings, from figures computed at the mark prices of
now. Refuses to know requests. Called by `account_endpoints`.
"""

from automation.simulator.signed.forms import ASSET, Form, plain_money
from automation.simulator.trading.accounts import Account, Position
from automation.simulator.trading.exchange import Exchange
from automation.simulator.trading.margin import (
    available,
    initial,
    liquidation_price,
    maintenance,
    reserved,
    unrealized,
)
from automation.simulator.trading.units import ONE, Contract, divide, money_text, rate_text, text


class Figures:
    """Everything about one position that depends on the mark price, computed once."""

    def __init__(self, exchange: Exchange, account: Account, position: Position) -> None:
        """Look at the mark price of now."""
        self.contract = contract = exchange.contracts[position.symbol]
        self.position = position
        self.mark = exchange.mark(position.symbol)
        self.value = contract.value(self.mark, position.size)
        self.profit = unrealized(position, contract, self.mark) if position.size else 0
        self.initial = initial(position, contract, self.mark) if position.size else 0
        self.reserved = reserved(position, contract, self.mark)
        self.maintenance = maintenance(position, contract, self.mark)
        self.liquidation = liquidation_price(account, position, exchange.contracts, exchange.mark)
        self.taker_rate = account.spec.taker_rate

    @property
    def entry(self) -> int:
        """Entry price, 1e-8."""
        return self.contract.average(self.position.cost, self.position.size)

    @property
    def break_even(self) -> int:
        """Price (1e-8) at which closing as a taker brings the entry back."""
        sign = 1 if self.position.size > 0 else -1
        return self.entry + sign * divide(self.entry * self.taker_rate, ONE)

    @property
    def isolated_margin(self) -> int:
        """Margin of an isolated position with its profit; 0 for cross."""
        return self.position.isolated_wallet + self.profit if self.position.is_isolated else 0


def _price(figure: int) -> str:
    return text(figure, 8).rstrip("0").rstrip(".") if figure else "0"


def _entry(figures: Figures) -> str:
    decimals = min(figures.contract.printed_decimals + 3, 8)
    if not figures.position.size:
        return text(0, decimals)
    return _pad(_price(figures.entry))


def _pad(written: str) -> str:
    return written if "." in written else f"{written}.0"


def position_risk(figures: Figures, version: int) -> Form:
    """Write a row of positionRisk."""
    position, contract = figures.position, figures.contract
    form = {
        "symbol": position.symbol,
        "positionSide": "BOTH",
        "positionAmt": contract.quantity_text(position.size),
        "entryPrice": _entry(figures),
        "breakEvenPrice": _pad(_price(figures.break_even)),
        "markPrice": text(figures.mark, 8),
        "unRealizedProfit": money_text(figures.profit),
        "liquidationPrice": _price(figures.liquidation),
        "isolatedMargin": money_text(figures.isolated_margin),
        "notional": plain_money(figures.value),
        "isolatedWallet": plain_money(position.isolated_wallet),
        "updateTime": position.updated_ms,
        "leverage": str(position.leverage),
        "maxNotionalValue": str(contract.ladder.most_notional(position.leverage) // ONE),
        "marginType": position.margin_type,
        "isAutoAddMargin": "false",
    }
    return form if version < 3 else form | _risk_margins(figures)


def _risk_margins(figures: Figures) -> Form:
    return {
        "marginAsset": ASSET,
        "initialMargin": money_text(figures.initial + figures.reserved),
        "maintMargin": money_text(figures.maintenance),
        "positionInitialMargin": money_text(figures.initial),
        "openOrderInitialMargin": money_text(figures.reserved),
        "adl": 0,
        "bidNotional": plain_money(figures.position.bids),
        "askNotional": plain_money(figures.position.asks),
    }


class Totals:
    """Balance sheet of one account at the mark prices of now."""

    def __init__(self, exchange: Exchange, account: Account) -> None:
        """Add up what is held and ordered."""
        self.account = account
        self.rows = [Figures(exchange, account, each) for each in account.active.values()]
        self.profit = sum(row.profit for row in self.rows)
        self.cross_profit = sum(row.profit for row in self.rows if not row.position.is_isolated)
        self.initial = sum(row.initial for row in self.rows)
        self.reserved = sum(row.reserved for row in self.rows)
        self.maintenance = sum(row.maintenance for row in self.rows)
        self.available = max(available(account, exchange.contracts, exchange.mark), 0)
        lost = min(self.cross_profit, 0)
        self.withdrawable = max(min(self.available, account.cross_wallet + lost), 0)


def balance(totals: Totals) -> Form:
    """Write a row of balance."""
    account = totals.account
    return {
        "accountAlias": account.name,
        "asset": ASSET,
        "balance": money_text(account.wallet),
        "crossWalletBalance": money_text(account.cross_wallet),
        "crossUnPnl": money_text(totals.cross_profit),
        "availableBalance": money_text(totals.available),
        "maxWithdrawAmount": money_text(totals.withdrawable),
        "marginAvailable": True,
        "updateTime": account.updated_ms,
    }


def _asset(totals: Totals) -> Form:
    account = totals.account
    return {
        "asset": ASSET,
        "walletBalance": money_text(account.wallet),
        "unrealizedProfit": money_text(totals.profit),
        "marginBalance": money_text(account.wallet + totals.profit),
        "maintMargin": money_text(totals.maintenance),
        "initialMargin": money_text(totals.initial + totals.reserved),
        "positionInitialMargin": money_text(totals.initial),
        "openOrderInitialMargin": money_text(totals.reserved),
        "crossWalletBalance": money_text(account.cross_wallet),
        "crossUnPnl": money_text(totals.cross_profit),
        "availableBalance": money_text(totals.available),
        "maxWithdrawAmount": money_text(totals.withdrawable),
        "updateTime": account.updated_ms,
    }


def _sums(totals: Totals) -> Form:
    account = totals.account
    return {
        "totalInitialMargin": money_text(totals.initial + totals.reserved),
        "totalMaintMargin": money_text(totals.maintenance),
        "totalWalletBalance": money_text(account.wallet),
        "totalUnrealizedProfit": money_text(totals.profit),
        "totalMarginBalance": money_text(account.wallet + totals.profit),
        "totalPositionInitialMargin": money_text(totals.initial),
        "totalOpenOrderInitialMargin": money_text(totals.reserved),
        "totalCrossWalletBalance": money_text(account.cross_wallet),
        "totalCrossUnPnl": money_text(totals.cross_profit),
        "availableBalance": money_text(totals.available),
        "maxWithdrawAmount": money_text(totals.withdrawable),
    }


def account_v3(totals: Totals) -> Form:
    """Write account of version 3: only positions that are held or ordered."""
    rows = [
        {
            "symbol": row.position.symbol,
            "positionSide": "BOTH",
            "positionAmt": row.contract.quantity_text(row.position.size),
            "unrealizedProfit": money_text(row.profit),
            "isolatedMargin": money_text(row.isolated_margin),
            "notional": plain_money(row.value),
            "isolatedWallet": plain_money(row.position.isolated_wallet),
            "initialMargin": plain_money(row.initial + row.reserved),
            "maintMargin": plain_money(row.maintenance),
            "updateTime": row.position.updated_ms,
        }
        for row in totals.rows
    ]
    return _sums(totals) | {"assets": [_asset(totals)], "positions": rows}


def account_v2(exchange: Exchange, totals: Totals) -> Form:
    """Write account of version 2: every symbol."""
    account = totals.account
    rows = []
    for symbol in exchange.contracts:
        known = account.positions.get(symbol) or Position(symbol)
        rows.append(_position_v2(Figures(exchange, account, known)))
    head = {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }
    asset = _asset(totals) | {"marginAvailable": True}
    return head | _sums(totals) | {"assets": [asset], "positions": rows}


def _position_v2(row: Figures) -> Form:
    position = row.position
    return {
        "symbol": position.symbol,
        "initialMargin": plain_money(row.initial + row.reserved),
        "maintMargin": plain_money(row.maintenance),
        "unrealizedProfit": money_text(row.profit),
        "positionInitialMargin": plain_money(row.initial),
        "openOrderInitialMargin": plain_money(row.reserved),
        "leverage": str(position.leverage),
        "isolated": position.is_isolated,
        "entryPrice": _entry(row),
        "maxNotional": str(row.contract.ladder.most_notional(position.leverage) // ONE),
        "bidNotional": plain_money(position.bids),
        "askNotional": plain_money(position.asks),
        "positionSide": "BOTH",
        "positionAmt": row.contract.quantity_text(position.size),
        "notional": plain_money(row.value),
        "isolatedWallet": plain_money(position.isolated_wallet),
        "updateTime": position.updated_ms,
        "breakEvenPrice": _pad(_price(row.break_even)),
    }


def brackets(contract: Contract) -> Form:
    """Write a symbol's leverage brackets."""
    rows = [
        {
            "bracket": each.number,
            "initialLeverage": each.leverage,
            "notionalCap": each.cap // ONE,
            "notionalFloor": each.floor // ONE,
            "maintMarginRatio": each.rate / 10**6,
            "cum": each.cum / ONE,
        }
        for each in contract.ladder.brackets
    ]
    return {"symbol": contract.symbol, "notionalCoef": 1.0, "brackets": rows}


def commission(symbol: str, account: Account) -> Form:
    """Write an account's commission rates."""
    maker, taker = (
        rate_text(rate).rstrip("0") for rate in (account.spec.maker_rate, account.spec.taker_rate)
    )
    return {"symbol": symbol, "makerCommissionRate": maker, "takerCommissionRate": taker}


def symbol_config(contract: Contract, position: Position) -> Form:
    """Write what an account has set for a symbol."""
    return {
        "symbol": contract.symbol,
        "marginType": "ISOLATED" if position.is_isolated else "CROSSED",
        "isAutoAddMargin": False,
        "leverage": position.leverage,
        "maxNotionalValue": str(contract.ladder.most_notional(position.leverage) // ONE),
    }
