"""Freqtrade's configurations: every layering is valid by Freqtrade's own schema, none holds a secret."""

import json

import pytest
from freqtrade.configuration.config_validation import (
    validate_config_consistency,
    validate_config_schema,
)
from freqtrade.configuration.load_config import load_from_files
from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.misc import deep_merge_dicts
from freqtrade.resolvers import StrategyResolver

LAYERS = [
    ["base", "futures"],
    ["base", "futures", "offline"],
    ["base", "futures", "demo"],
    ["base", "futures", "offline", "demo"],
    ["base", "futures", "demo", "offline"],
    ["base", "futures", "cross"],
    ["base", "futures", "pairs-static"],
    ["base", "futures", "pairs-volume"],
    ["base", "futures", "telegram"],
    ["base", "futures", "webhook"],
    ["base", "futures", "producer"],
    ["base", "futures", "consumer"],
    ["base", "futures", "slices"],
    ["base", "futures", "kelly-off"],
    ["base", "futures", "cross", "pairs-static", "slices", "telegram", "webhook", "producer"],
]
SECRETS = {"key", "secret", "password", "token", "jwt_secret_key", "ws_token", "uid", "chat_id"}


def layered(root, names):
    return load_from_files([str(root / "configs" / f"{name}.json") for name in names])


@pytest.mark.parametrize("names", LAYERS, ids="+".join)
@pytest.mark.parametrize("runmode", [RunMode.BACKTEST, RunMode.HYPEROPT, RunMode.DRY_RUN])
def test_each_layering_is_valid(root, tmp_path, names, runmode):
    config = layered(root, names)
    assert config["trading_mode"] == "futures"
    assert config["margin_mode"] == ("cross" if "cross" in names else "isolated")
    assert "timeframe" not in config  # a strategy's own rules
    assert config["exchange"]["pair_whitelist"] or "pairs-volume" in names
    config |= {
        "runmode": runmode,
        "strategy": "TrendFollowingStrategy",
        "strategy_path": str(root / "strategies"),
        "user_data_dir": tmp_path,
    }
    StrategyResolver.load_strategy(config)  # adds what the schema wants from the strategy
    validate_config_schema(config)
    if runmode == RunMode.DRY_RUN:
        validate_config_consistency(config)
    assert config["timeframe"] == "5m"


def test_a_bot_that_slices_is_told_so_by_its_configuration(root, tmp_path):
    config = layered(root, ["base", "futures", "slices"])
    config |= {
        "strategy": "TrendFollowingStrategy",
        "strategy_path": str(root / "strategies"),
        "user_data_dir": tmp_path,
    }
    assert StrategyResolver.load_strategy(config).position_adjustment_enable


@pytest.mark.parametrize(
    ("profile", "leverage", "risk_frac"),
    [("conservative", 3.0, 0.0025), ("moderate", 5.0, 0.005), ("aggressive", 10.0, 0.01), (None, 5.0, 0.005)],
)  # fmt: skip
def test_the_profile_is_the_one_that_the_fleet_renders(
    root, tmp_path, profile, leverage, risk_frac
):
    config = layered(root, ["base", "futures"]) | {
        "strategy": "TrendFollowingStrategy",
        "strategy_path": str(root / "strategies"),
        "user_data_dir": tmp_path,
    }
    if profile is not None:
        config["freqfleet"] = {"fleet": "f", "bot": "b", "profile": profile}
    strategy = StrategyResolver.load_strategy(config)
    assert strategy.highest_leverage == leverage
    assert strategy.risk_per_trade_frac == risk_frac
    validate_config_schema(config | {"runmode": RunMode.DRY_RUN})


@pytest.mark.parametrize("first", [True, False])
def test_kelly_is_off_beside_what_the_fleet_renders(root, tmp_path, first):
    rendered = tmp_path / "rendered.json"
    rendered.write_text(json.dumps({"freqfleet": {"fleet": "f", "profile": "aggressive"}}))
    layers = [str(rendered), str(root / "configs" / "kelly-off.json")]
    config = layered(root, ["base", "futures"])
    config = deep_merge_dicts(load_from_files(layers if first else layers[::-1]), config) | {
        "strategy": "MeanReversionStrategy",
        "strategy_path": str(root / "strategies"),
        "user_data_dir": tmp_path,
    }
    strategy = StrategyResolver.load_strategy(config)
    assert strategy.edge is None
    assert strategy.profile.name == "aggressive"


def test_an_unknown_profile_is_refused(root, tmp_path):
    config = layered(root, ["base", "futures"]) | {
        "strategy": "TrendFollowingStrategy",
        "strategy_path": str(root / "strategies"),
        "user_data_dir": tmp_path,
        "freqfleet": {"profile": "reckless"},
    }
    with pytest.raises(OperationalException, match="reckless"):
        StrategyResolver.load_strategy(config)


def test_the_overlays_add_and_do_not_undo(root):
    config = layered(root, ["base", "futures", "offline", "demo"])
    assert config["dry_run"] is True
    assert config["exchange"]["only_from_ccxt"] is True
    assert config["exchange"]["ccxt_config"]["options"]["fetchCurrencies"] is False
    assert config["fiat_display_currency"] == ""
    assert len(config["exchange"]["pair_whitelist"]) == 5


def values_of(node, name=""):
    if isinstance(node, dict):
        for key, value in node.items():
            yield from values_of(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from values_of(value, name)
    else:
        yield name, node


def test_no_secret_is_in_a_file(root):
    for path in sorted((root / "configs").glob("*.json")):
        for name, value in values_of(json.loads(path.read_text())):
            assert name not in SECRETS or value == "", (path.name, name)


def test_every_overlay_is_covered(root):
    names = {path.stem for path in (root / "configs").glob("*.json") if "." not in path.stem}
    assert names == {name for names in LAYERS for name in names}
