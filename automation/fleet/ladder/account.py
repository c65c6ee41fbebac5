"""The rungs that the bot itself tells: candles, signals, orders, stops.

Candles are judged pair by pair. A minority of late pairs makes a bot degraded and calls for
nothing, for a pair may be halted at the exchange; most of them late, and the bot is blind. Whether
a stop stands is known as the bot reports it and, where somebody can ask there, as the exchange says:
either can say no. Pure; called by `climb`.
"""

from automation.core.model import Finding, Health
from automation.core.vitals import OpenTrade, Rung, Vitals
from automation.fleet.ladder.limits import Limits
from automation.fleet.ladder.view import View, bad, fine, unjudged


def candles(view: View) -> Finding:
    """Judge the age of each pair's last candle."""
    known, limit_s = _candles_of(view), _late_after_s(view)
    if not known or not limit_s:
        return unjudged(Rung.CANDLES, "no candle was seen yet")
    ages = sorted(((view.now_epoch_s - closed_s, pair) for pair, closed_s in known), reverse=True)
    late = [pair for age_s, pair in ages if age_s > limit_s]
    age_s, oldest = ages[0]
    if not late:
        return fine(Rung.CANDLES, f"the oldest last candle, {oldest}, closed {_ago(age_s)}")
    said = f"its last candle of {oldest} closed {_ago(age_s)}"
    if len(late) > 1:
        said += f", and {len(late) - 1} more of {len(known)} pairs are late"
    is_blind = 2 * len(late) > len(known)
    return bad(Rung.CANDLES, Health.DEGRADED, said, is_due=is_blind and not view.is_warming)


def signals(view: View) -> Finding:
    """Judge whether the strategy computes its signals."""
    vitals, limit_s = view.unit.vitals, _late_after_s(view)
    if vitals.without_signals:  # a strategy for trades by hand makes none, and no restart would
        said = (
            f"its strategy makes no signals for {vitals.without_signals}: it trades by hand alone"
        )
        return unjudged(Rung.SIGNALS, said)
    if not vitals.analyzed or not limit_s:
        return unjudged(Rung.SIGNALS, "no signals were seen yet")
    pair, at_s = min(vitals.analyzed, key=lambda known: known[1])
    age_s = view.now_epoch_s - at_s
    if age_s <= limit_s:
        return fine(Rung.SIGNALS, f"the oldest, of {pair}, were computed {_ago(age_s)}")
    said = f"its signals of {pair} were computed {_ago(age_s)}"
    late = sum(view.now_epoch_s - at_s > limit_s for _, at_s in vitals.analyzed)
    is_most = 2 * late > len(vitals.analyzed)
    return bad(Rung.SIGNALS, Health.DEGRADED, said, is_due=is_most and not view.is_warming)


def orders(view: View) -> Finding:
    """Judge whether orders stand for longer than the bot itself lets them."""
    vitals, limits = view.unit.vitals, view.timing.limits
    if vitals.seen_s is None:
        return unjudged(Rung.ORDERS)
    limit_s = (vitals.order_limit_s or limits.order_limit_s) + limits.order_grace_s
    stuck = [o for o in vitals.orders if view.since(o.placed_epoch_s) > limit_s]
    if not stuck:
        return fine(Rung.ORDERS, f"{len(vitals.orders)} open, none for over {limit_s / 60:.0f} min")
    oldest = min(stuck, key=lambda order: order.placed_epoch_s)
    what = "entry" if oldest.is_entry else "exit"
    age_s = view.since(oldest.placed_epoch_s)
    said = f"its {what} order of {oldest.pair} has stood open for {age_s / 60:.0f} minutes"
    return bad(Rung.ORDERS, Health.DEGRADED, said, is_due=True)


def stops(view: View) -> Finding:
    """Judge whether each open live trade has a stop at the exchange, as the bot reports."""
    vitals = view.unit.vitals
    if vitals.seen_s is None:
        return unjudged(Rung.STOPS)
    if not vitals.needs_stops:
        return fine(Rung.STOPS, "the bot minds its stops itself")
    if not vitals.trades:
        return fine(Rung.STOPS, "no trade is open")
    bare = lacks_stop(vitals, view.now_s, view.timing.limits)
    untold = [t for t in vitals.trades if not t.has_stop and _wants_stop(t, view)]
    absent = [t for t in vitals.trades if t.trade_id in bare and _wants_stop(t, view)]
    if absent:
        said = f"no stop stands at the exchange for {_pairs(absent)}, as the exchange says"
        others = [trade for trade in absent if trade not in untold]
        said += ", though the bot reports one" if others else ""
    elif untold:
        said = f"no stop stands at the exchange for {_pairs(untold)}, as the bot reports"
    else:
        return fine(Rung.STOPS, f"{len(vitals.trades)} open trades have theirs, {_witness(view)}")
    return bad(Rung.STOPS, Health.UNHEALTHY, said, is_due=True)


def lacks_stop(vitals: Vitals, now_s: float, limits: Limits) -> frozenset[int]:
    """Name the trades that have no stop as the exchange says, now and the time before."""
    seen = vitals.at_exchange
    if seen is None or now_s - seen.asked_s > limits.stop_asked_s:
        return frozenset()
    return frozenset(trade for trade, looks in seen.lacking if looks >= limits.stop_looks)


def _witness(view: View) -> str:
    """Tell on whose word stops are believed to stand."""
    seen, limits = view.unit.vitals.at_exchange, view.timing.limits
    if seen is None:
        return "as the bot reports"
    if seen.problem:
        return f"as the bot reports; the exchange was not asked: {seen.problem}"
    if view.now_s - seen.asked_s > limits.stop_asked_s:
        return "as the bot reports; the exchange was not asked lately"
    return "as the exchange says"


def _pairs(trades: list[OpenTrade]) -> str:
    return ", ".join(trade.pair for trade in trades)


def _candles_of(view: View) -> tuple[tuple[str, float], ...]:
    api, known = view.unit.api, view.unit.vitals.candles
    if known or api.candle_closed_epoch_s is None:
        return known
    return ((api.candle_pair, api.candle_closed_epoch_s),)


def _wants_stop(trade: OpenTrade, view: View) -> bool:
    if trade.filled_epoch_s is None or not trade.amount:
        return False
    if _is_being_closed(trade, view):
        return False  # the bot cancels the stop before it sends the exit
    return view.since(trade.filled_epoch_s) > view.timing.limits.stop_grace_s


def _is_being_closed(trade: OpenTrade, view: View) -> bool:
    return any(o.trade_id == trade.trade_id and not o.is_entry for o in view.unit.vitals.orders)


def _late_after_s(view: View) -> float:
    timing, candle_s = view.timing, view.unit.api.timeframe_s
    # One pair is asked for at each look: what is known of the others is as old as a whole round.
    round_s = timing.poll_s * len(view.unit.vitals.candles)
    return timing.candles_late * candle_s + timing.candle_grace_s + round_s if candle_s else 0.0


def _ago(age_s: float) -> str:
    return f"{age_s / 60:.0f} minutes ago" if age_s >= 90 else f"{max(age_s, 0.0):.0f} s ago"
