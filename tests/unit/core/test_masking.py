import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.core.masking import MASK, Masker, names_a_secret

SECRET_NAMES = [
    "key", "apiKey", "api_key", "secret", "jwt_secret_key", "ws_token", "password", "passphrase",
    "X-MBX-APIKEY", "Authorization", "telegram.token", "JWT", "privateKey", "api_keys", "signature",
]  # fmt: skip
PLAIN_NAMES = ["monkey", "keyboard", "pair", "idempotency_key", "public_key", "key_id", "", "bot"]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_values_under_secret_names_are_masked_at_any_depth(name):
    assert Masker().mask({"a": [{name: "hunter22"}]}) == {"a": [{name: MASK}]}


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_other_names_keep_their_values(name):
    assert not names_a_secret(name)
    assert Masker().mask({name: "value"}) == {name: "value"}


def test_a_secret_that_is_not_set_stays_visible_as_such():
    plain = {"password": "", "token": None, "jwt": False}
    assert Masker().mask(plain) == plain


def test_a_mapping_under_a_secret_name_goes_as_a_whole():
    assert Masker().mask({"credentials": {"user": "u", "pin": 1}}) == {"credentials": MASK}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://u:p@h/db failed", "postgresql://***@h/db failed"),
        ("redis://:p%40@h:1", "redis://***@h:1"),
        ("https://u:p@ss@h/x?y=1", "https://***@h/x?y=1"),
        ("GET /ws?token=abc&pair=BTC", "GET /ws?token=***&pair=BTC"),
        ("Authorization: Bearer abcdefgh.ijk", "Authorization: Bearer ***"),
        ("got eyJhbGciOi.eyJzdWIiOi.c2ln", "got ***"),
        (
            "https://api.telegram.org/bot12345678:AAbbCCddEEffGGhhIIjjKK/sendMessage",
            "https://api.telegram.org/bot***/sendMessage",
        ),
        ("BTC/USDT:USDT & ETH? no @ here", "BTC/USDT:USDT & ETH? no @ here"),
    ],
)
def test_secrets_are_known_by_their_form(text, masked):
    assert Masker().mask([text]) == [masked]


def test_registered_secrets_are_masked_inside_texts_and_names():
    masker = Masker()
    masker.register("s3cret")
    masker.register("s3cret-longer")
    masker.register("abc")
    assert masker.mask({"x s3cret": ("y s3cret-longer z", 4)}) == {"x ***": ["y *** z", 4]}
    assert masker.mask("abc") == "abc", "three letters are too few to be masked everywhere"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(value=json_values, secret=st.text(min_size=4).filter(lambda s: "*" not in s))
def test_no_registered_secret_survives_and_masking_again_changes_nothing(value, secret):
    masker = Masker()
    masker.register(secret)
    once = masker.mask({"payload": [value, f"-{secret}-"]})

    def texts(node):
        if isinstance(node, dict):
            return [t for k, v in node.items() for t in [k, *texts(v)]]
        if isinstance(node, list):
            return [t for item in node for t in texts(item)]
        return [node] if isinstance(node, str) else []

    assert all(secret not in text for text in texts(once))
    assert masker.mask(once) == once


SECRETS = st.lists(st.text("ab\\.*|", min_size=4, max_size=8), min_size=1, max_size=6)


@given(SECRETS, st.text("ab\\.*|", max_size=60))
def test_many_secrets_go_as_one_alternation_of_them_would(secrets, text):
    masker = Masker()
    for secret in secrets:
        masker.register(secret)
        masker.mask(text)
    longest_first = sorted(secrets, key=len, reverse=True)
    assert masker.mask(text) == re.sub("|".join(map(re.escape, longest_first)), MASK, text)
