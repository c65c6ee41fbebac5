"""How much room the open trades leave for another one: pure functions of numbers.

Two caps: notional over equity, and the common risk of all open trades when markets move together.
They know neither pairs nor Freqtrade, and numba compiles them unchanged. In doubt there is no
room. Called by `PackStrategy.custom_stake_amount` over the bot's open trades.
"""

import math


def exposure_room(equity: float, cap: float, open_notional: float) -> float:
    """Return the notional that may still be opened: `cap` · `equity` − what is open, never below 0."""
    if not (equity > 0.0 and cap > 0.0 and open_notional >= 0.0):
        return 0.0
    room = cap * equity - open_notional
    return room if room > 0.0 and math.isfinite(room) else 0.0


def common_risk(same_risk: float, other_risk: float, squares: float, correlation: float) -> float:
    """Return the risk of all open trades together, in money.

    √((1 − ρ) Σ rᵢ² + ρ (Σ same side − Σ other side)²): every pair of trades correlated by ρ, with
    the sign turned between a long and a short (the constant-correlation model of Elton and Gruber
    1973). `squares` is Σ rᵢ², rᵢ the loss of trade i at its stop.
    """
    net = same_risk - other_risk
    return math.sqrt(max((1.0 - correlation) * squares + correlation * net * net, 0.0))


def risk_room(
    cap_risk: float, same_risk: float, other_risk: float, squares: float, correlation: float
) -> float:
    """Return the highest risk of a further trade with which `common_risk` stays within `cap_risk`.

    Solves (1 − ρ)(Σ rᵢ² + r²) + ρ (D + r)² = cap² for r. Where the cap is already exceeded there
    is no room, not even for a trade that would hedge.
    """
    if not (cap_risk > 0.0 and same_risk >= 0.0 and other_risk >= 0.0 and squares >= 0.0):
        return 0.0
    if not 0.0 <= correlation <= 1.0:
        return 0.0
    pull = correlation * (same_risk - other_risk)
    net = same_risk - other_risk
    spare = cap_risk * cap_risk - (1.0 - correlation) * squares - correlation * net * net
    if not spare > 0.0:
        return 0.0
    room = math.sqrt(pull * pull + spare) - pull
    return room if room > 0.0 and math.isfinite(room) else 0.0
