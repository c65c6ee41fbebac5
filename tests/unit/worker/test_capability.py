"""What the kernel does not reproduce is named; what changes signals only is let through."""

import inspect

import pytest
from freqtrade.strategy import IStrategy

from automation.worker import capability
from tradekit.base import PackStrategy

SETTINGS = {"stoploss": -0.1, "timeframe": "5m", "use_exit_signal": True}


class Plain(IStrategy):
    stoploss = -0.1
    timeframe = "5m"

    def populate_indicators(self, dataframe, metadata):
        return dataframe


class Pack(PackStrategy):
    def columns(self, candles):
        return {}

    @staticmethod
    def entries(c, p):  # noqa: ARG004
        return []

    @staticmethod
    def exits(c, p):  # noqa: ARG004
        return []


def reasons(base: type, **members: object) -> tuple[str, ...]:
    return capability.strategy_reasons(type("Some", (base,), members)({}))


def foreign(*args: object, **kwargs: object) -> None:
    """Stand for any method of a strategy."""


@pytest.mark.parametrize("base", [Plain, Pack])
def test_nothing_is_named_of_a_strategy_that_the_kernel_knows(base):
    assert reasons(base) == ()


CALLBACKS = (
    "adjust_entry_price",
    "adjust_exit_price",
    "adjust_order_price",
    "bot_loop_start",
    "check_entry_timeout",
    "check_exit_timeout",
    "confirm_trade_entry",
    "confirm_trade_exit",
    "custom_entry_price",
    "custom_exit",
    "custom_exit_price",
    "custom_stake_amount",
    "leverage",
    "order_filled",
    "should_exit",
    "min_roi_reached",
    "ft_stoploss_adjust",
    "ft_check_timed_out",
    "ft_advise_signals",
)


@pytest.mark.parametrize("name", CALLBACKS)
@pytest.mark.parametrize("base", [Plain, Pack])
def test_a_foreign_callback_is_named(base, name):
    assert reasons(base, **{name: foreign}) == (f"the strategy's own {name}",)


def test_every_callback_of_this_freqtrade_is_either_free_or_named():
    names = [name for name, found in vars(IStrategy).items() if inspect.isfunction(found)]
    for name in set(names) - capability.FREE - set(capability.CONDITIONAL):
        if not name.startswith("__"):
            assert reasons(Plain, **{name: foreign}) == (f"the strategy's own {name}",), name


@pytest.mark.parametrize("name", sorted(capability.FREE - {"__init__", "protections"}))
def test_what_changes_signals_only_is_let_through(name):
    assert reasons(Plain, **{name: foreign}) == ()


@pytest.mark.parametrize(("name", "setting"), capability.CONDITIONAL.items())
def test_a_callback_that_is_never_asked_is_let_through(name, setting):
    assert reasons(Plain, **{name: foreign, setting: False}) == ()
    assert reasons(Plain, **{name: foreign, setting: True})


@pytest.mark.parametrize("name", [*capability.PACK_CALLBACKS, *capability.PACK_PARTS])
def test_a_changed_part_of_the_pack_is_named(name):
    assert f"the strategy's own {name}" in reasons(Pack, **{name: foreign})


def test_a_method_put_on_the_object_is_named():
    strategy = Plain({})
    strategy.custom_exit = foreign
    assert capability.strategy_reasons(strategy) == ("the strategy's own custom_exit",)


def test_settings_beyond_the_kernel_are_named():
    assert reasons(Plain, stoploss=-1.2) == ("a stoploss beyond the whole margin",)
    assert "use_custom_roi" in reasons(Plain, use_custom_roi=True)


def test_the_packs_callbacks_are_those_the_kernel_was_written_after():
    """Fails when tradekit.base changes: take the change over in kernel/policy.py, then PACK_FORM."""
    assert capability.pack_form() in capability.PACK_FORMS
    assert capability.pack_signals_form() == capability.PACK_SIGNALS_FORM


def test_changed_callbacks_of_the_pack_are_left_to_freqtrade(monkeypatch):
    monkeypatch.setattr(capability, "PACK_FORMS", frozenset())
    assert reasons(Pack) == ("PackStrategy's callbacks, which have changed since the kernel",)


def test_protections_are_known_by_name():
    known = [{"method": name} for name in capability.PROTECTIONS]
    assert capability.protection_reasons(known) == ()
    assert capability.protection_reasons([{"method": "Own"}]) == ("the protection Own",)
    assert capability.protection_reasons([{"method": "LowProfitPairs", "trade_limit": 0}])


def test_an_exit_tag_that_reads_as_a_stop_counts_for_stoploss_guard():
    assert capability.tag_reasons(["exit_signal", "mine", None], guarded=True) == ()
    assert capability.tag_reasons(["stop_loss"], guarded=False) == ()
    assert capability.tag_reasons(["stop_loss"], guarded=True)
