from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.core.errors import PermanentError
from automation.core.masking import register_secret
from automation.journal import Journal
from automation.journal.event import GENESIS, Draft, chain, prepare
from automation.journal.kinds import Facts, Kinds


class Started(Facts):
    strategy: str
    attempt: int = 1


@pytest.fixture
def kinds():
    kinds = Kinds()
    kinds.define("bot.started", Started, "{bot} started with {strategy}, attempt {attempt}")
    return kinds


def event(kinds, kind="bot.started", version=None, **payload):
    draft = Draft(kind, "supervisor", "fleet", payload, "m1")
    if version is None:
        draft = kinds.shape(draft)
    else:
        draft = Draft(kind, "supervisor", "fleet", payload, "m1", version=version)
    return chain([prepare(draft, 1)], 0, GENESIS)[0]


def test_a_known_kind_is_checked_completed_and_told(kinds):
    started = event(kinds, strategy="Trend")
    assert started.payload == {"strategy": "Trend", "attempt": 1}
    assert kinds.sentence(started) == "m1 started with Trend, attempt 1"
    assert kinds.typed(started) == Started(strategy="Trend")


def test_a_wrong_payload_is_refused_with_the_field(kinds):
    with pytest.raises(PermanentError, match=r"no payload of bot\.started: strategy: Field requ"):
        event(kinds, attempt=2)
    with pytest.raises(PermanentError, match="typo: Extra inputs"):
        event(kinds, strategy="T", typo=2)


def test_an_unknown_kind_is_told_plainly(kinds):
    assert kinds.sentence(event(kinds, "bot.odd", a=1)) == "bot.odd of m1 by supervisor: a=1"


def test_old_payloads_are_brought_up_to_date():
    kinds = Kinds()
    kinds.define(
        "bot.started",
        Started,
        "{strategy} {attempt}",
        version=3,
        upcasts={
            1: lambda old: {"strategy": old["name"]},
            2: lambda old: {**old, "attempt": 7},
        },
    )
    assert kinds.sentence(event(kinds, version=1, name="T")) == "T 7"
    assert kinds.sentence(event(kinds, version=2, strategy="T")) == "T 7"
    assert event(kinds, strategy="T").version == 3
    with pytest.raises(PermanentError, match="newer than 3; update Freqfleet"):
        kinds.typed(event(kinds, version=4, strategy="T"))


def test_definitions_that_could_only_fail_later_are_refused(kinds):
    with pytest.raises(ValueError, match=r"no upcast from version \[1\]"):
        kinds.define("x", Started, "", version=2)
    with pytest.raises(ValueError, match=r"unknown \['pair'\]"):
        kinds.define("x", Started, "{pair}")

    class Other(Facts):
        pass

    with pytest.raises(ValueError, match="defined twice"):
        kinds.define("bot.started", Other, "")


@given(st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_a_sentence_is_one_line_whatever_the_payload(strategy, rest):
    kinds = Kinds()
    kinds.define("bot.started", Started, "{bot} started {strategy}")
    for told in (
        kinds.sentence(event(kinds, strategy=strategy)),
        kinds.sentence(event(kinds, "bot.odd", **{f"x{k}": v for k, v in rest.items()})),
        kinds.sentence(event(kinds, version=1, **{f"x{k}": v for k, v in rest.items()})),
    ):
        assert told.isprintable()
        assert len(told) <= 400


def test_the_journal_checks_what_it_appends():
    with Journal.in_memory() as journal, pytest.raises(PermanentError, match="sequence"):
        journal.append("journal.broken", actor="a", source="s", payload={"sequence": "no number"})


def test_a_field_that_is_called_like_a_secret_may_be_declared_public():
    class Locked(Facts):
        public: ClassVar[frozenset[str]] = frozenset({"key"})
        key: str
        api_key: str

    register_secret("a-registered-word")
    with Journal.in_memory() as journal:
        said = Locked(key="telegram-12", api_key="hidden")
        journal.append("test.locked", actor="a", source="s", payload=said)
        leak = Locked(key="x a-registered-word", api_key="hidden")
        journal.append("test.locked", actor="a", source="s", payload=leak)
        plain, masked = (event.payload for event in journal.read())
    assert plain == {"key": "telegram-12", "api_key": "***"}
    assert masked["key"] == "x ***"
