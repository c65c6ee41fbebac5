import pytest

from automation.app.simulation import SimulateRequest, read_accounts, simulate
from automation.core.errors import ConfigError, ConfigErrors


@pytest.fixture
def accounts(tmp_path):
    def write(text: str):
        path = tmp_path / "accounts.yaml"
        path.write_text(text)
        return path

    return write


def test_accounts_are_opened_with_their_deposits(accounts):
    one, two = read_accounts(
        accounts(
            "one: {key: k1, secret: s1, deposit_usdt: 1000.5}\n"
            "two: {key: k2, secret: s2, deposit_usdt: 20}\n"
        )
    )
    assert (one.name, one.key, one.deposit) == ("one", "k1", 100_050_000_000)
    assert two.deposit == 2_000_000_000
    assert "s1" not in repr(one)


@pytest.mark.parametrize("text", ["", "[]", "words", "one: {key: ["])
def test_a_malformed_file_is_a_sentence(accounts, text):
    with pytest.raises(ConfigError, match=r"accounts\.yaml"):
        read_accounts(accounts(text))


def test_everything_wrong_is_told_at_once(accounts):
    wrong = "one: {key: k, secret: s}\ntwo: {key: k2, secret: s, deposit_usdt: -1, colour: red}\n"
    with pytest.raises(ConfigErrors) as caught:
        read_accounts(accounts(wrong))
    told = str(caught.value)
    for place in ("one.deposit_usdt: field required", "two.deposit_usdt:", "two.colour:"):
        assert place in told


def test_two_accounts_need_two_keys(accounts):
    same = "one: {key: k, secret: s, deposit_usdt: 1}\ntwo: {key: k, secret: t, deposit_usdt: 1}"
    with pytest.raises(ConfigError, match="two of its keys are the same"):
        read_accounts(accounts(same))


def test_a_key_that_may_only_read_is_opened_beside_the_one_that_trades(accounts):
    keys = "key: k, secret: s, deposit_usdt: 1"
    (one,) = read_accounts(accounts(f"one: {{{keys}, read_key: r, read_secret: t}}"))
    assert one.read_keys == (("r", "t"),)
    with pytest.raises(ConfigError, match="two of its keys are the same"):
        read_accounts(accounts(f"one: {{{keys}, read_key: k, read_secret: t}}"))


async def test_a_log_needs_accounts(tmp_path):
    request = SimulateRequest(log=tmp_path / "log.jsonl")
    with pytest.raises(ConfigError, match="without accounts nothing is logged"):
        await simulate(request, lambda _: None)
