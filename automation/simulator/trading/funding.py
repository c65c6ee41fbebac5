"""Funding: longs pay shorts, or the other way round, at the second of the settlement.

Decides what each position pays. Refuses to know when: `exchange` says so. What accounts pay goes to
a fund, and what they get comes from it: the counterparties that are not in the simulation.
"""

from automation.simulator.trading.events import FundingPaid
from automation.simulator.trading.floor import Floor
from automation.simulator.trading.reporting import note_income, tell, tell_account
from automation.simulator.trading.settlement import cover, pay_funding
from automation.simulator.trading.sights import Settlement
from automation.simulator.trading.units import ONE, divide


def settle(floor: Floor, settlement: Settlement) -> None:
    """Charge every position of a symbol: notional at the mark price times the rate."""
    symbol = settlement.symbol
    contract = floor.contracts[symbol]
    for account in floor.accounts.values():
        position = account.positions.get(symbol)
        if position is None or position.size == 0:
            continue
        value = contract.value(settlement.mark, position.size)
        amount = -divide(value * settlement.rate, ONE)
        if amount == 0:
            continue
        pay_funding(floor, account, position, amount)
        note_income(floor, account, "FUNDING_FEE", symbol, amount)
        if position.is_isolated:
            cover(floor, account, symbol)
        floor.touch(account, symbol)
        seq = floor.outlet.next_seq()
        tell(
            floor,
            FundingPaid(
                seq,
                floor.now_ms,
                account.name,
                symbol,
                settlement.rate,
                settlement.mark,
                position.size,
                amount,
            ),
        )
        named = (symbol,) if position.is_isolated else ()
        tell_account(floor, account, "FUNDING_FEE", amount, named)
