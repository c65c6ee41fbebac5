import json

from automation.simulator import (
    freqtrade_configuration,
    freqtrade_exchange_section,
    freqtrade_overlay,
)

URL = "http://127.0.0.1:18080"


def addresses(node):
    if isinstance(node, dict):
        return [found for each in node.values() for found in addresses(each)]
    if isinstance(node, list):
        return [found for each in node for found in addresses(each)]
    return [node] if isinstance(node, str) and "://" in node else []


def test_no_address_leaves_the_machine():
    import ccxt

    section = freqtrade_exchange_section(URL, ["BTC/USDT:USDT"])
    api = section["ccxt_config"]["urls"]["api"]
    assert set(ccxt.binance().urls["api"]) <= set(api)
    found = addresses(section)
    assert len(found) > 20
    assert all("//127.0.0.1:18080/" in each for each in found)


def test_key_and_secret_are_made_anew_unless_given():
    one, two = (freqtrade_exchange_section(URL, []) for _ in range(2))
    assert len(one["key"]) == len(one["secret"]) == 64
    assert len({one["key"], one["secret"], two["key"], two["secret"]}) == 4
    given = freqtrade_exchange_section(URL, [], key="k", secret="s")
    assert (given["key"], given["secret"]) == ("k", "s")


def test_all_of_it_is_json():
    for made in (freqtrade_overlay(URL, ["A"]), freqtrade_configuration(URL, ("A",))):
        assert json.loads(json.dumps(made)) == made
        assert made["fiat_display_currency"] == ""
        assert made["exchange"]["only_from_ccxt"] is True
        assert made["exchange"]["pair_whitelist"] == ["A"]
