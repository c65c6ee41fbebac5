from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from automation.core.errors import ConfigError
from automation.journal import Journal
from automation.journal.checkpoints import Notary, SigningKey, public_path
from automation.journal.commands import (
    export_to,
    instant,
    is_export,
    question,
    search,
    tail,
    verify,
)
from automation.journal.reference import kinds_page

NOW = datetime(2025, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("1.5d", NOW - timedelta(days=1.5)),
        ("2025-05-01", datetime(2025, 5, 1, tzinfo=UTC)),
        ("2025-05-01T10:00+02:00", datetime(2025, 5, 1, 8, tzinfo=UTC)),
    ],
)
def test_instants_are_read_as_people_write_them(text, meant):
    assert instant(text, NOW, where="--since") == meant


@pytest.mark.parametrize("text", ["yesterday", "2x", "99999999999w", ""])
def test_other_instants_are_refused_with_the_option(text):
    with pytest.raises(ConfigError, match=r"^--since: .*; or say how long ago, like 2h$"):
        instant(text, NOW, where="--since")


def test_questions_find_and_verification_takes_files(tmp_path):
    with Journal.open(tmp_path / "journal.db") as journal:
        for n in range(5):
            journal.append("bot.up", actor="a", source="s", bot=f"m{n % 2}")
        Notary(journal, SigningKey.create(tmp_path / "k"), tmp_path / "anchor").checkpoint()
        wanted = question(journal.last().time, bot="m1", kinds=["bot.*"], since="1h")
        assert [e.sequence for e in search(journal, wanted)] == [2, 4]
        assert [e.sequence for e in tail(journal, wanted, limit=1)] == [4]
        exported = export_to(journal, tmp_path / "e.jsonl")
        for target in (journal, exported.path):
            found = verify(
                target, public_key=public_path(tmp_path / "k"), anchor=tmp_path / "anchor"
            )
            assert (found.is_whole, found.signed_until) == (True, 5)
        with pytest.raises(ConfigError, match=r"name it \.jsonl or \.parquet"):
            export_to(journal, tmp_path / "e.csv")
    assert is_export("x.parquet")
    assert not is_export("journal.db")


def test_the_page_of_kinds_tells_all_of_the_journals_own():
    page = kinds_page()
    assert "## `journal.sealed`" in page
    assert "| `first` | integer |" in page
    assert Path(__file__).name not in page
