"""Answers are found by their question alone; what is damaged is not there."""

import pytest

from automation.core.errors import ConfigError
from automation.gates import bench
from automation.gates.cache import (
    Cache,
    installed_versions,
    key_of,
    read_baseline,
    write_baseline,
)


def test_answers_belong_to_the_code_that_made_them(tmp_path, monkeypatch):
    """A mended check must not live on with what its old self answered."""
    code = tmp_path / "checks.py"
    monkeypatch.setitem(bench._CODE, "checks", code)
    found = set()
    for text in ("first", "mended"):
        code.write_text(text)
        bench.code_of.cache_clear()
        found.add(bench.code_of("checks"))
    bench.code_of.cache_clear()
    assert len(found) == 2


def test_keys_follow_the_question_not_its_order():
    assert key_of("window", {"a": 1, "b": 2}) == key_of("window", {"b": 2, "a": 1})
    assert key_of("window", {"a": 1}) != key_of("checks", {"a": 1})
    assert key_of("window", {"a": 1}) != key_of("window", {"a": 2})


def test_what_is_put_is_found_by_another_run(tmp_path):
    key = key_of("window", {"a": 1})
    Cache(tmp_path).put(key, {"trades": 3})
    assert Cache(tmp_path).get(key) == {"trades": 3}
    assert Cache(tmp_path).get(key_of("window", {"a": 2})) is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_a_damaged_entry_is_none(tmp_path, content):
    key = key_of("window", {})
    Cache(tmp_path).put(key, {"trades": 3})
    next(tmp_path.rglob("*.json")).write_bytes(content)
    assert Cache(tmp_path).get(key) is None


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    cache = Cache(blocked / "cache")
    cache.put("k", 1)
    assert cache.get("k") == 1  # this run still knows


def test_a_baseline_answers_and_equal_ones_are_equal(tmp_path):
    cache = Cache(None)
    cache.put("b", {"x": 2})
    cache.put("a", {"x": 1})
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    write_baseline(first, cache.used)
    write_baseline(second, dict(reversed(cache.used.items())))
    assert first.read_bytes() == second.read_bytes()
    stored = Cache(None, read_baseline(first))
    assert stored.get("a") == {"x": 1}
    assert stored.used == {"a": {"x": 1}}


@pytest.mark.parametrize("content", ["", "[]", '{"kind": "other"}', "null"])
def test_what_is_no_baseline_is_refused(tmp_path, content):
    path = tmp_path / "baseline.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match="is no baseline"):
        read_baseline(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_baseline(tmp_path / "none.json")


def test_versions_name_python_and_freqtrade():
    assert {"python", "freqtrade", "numpy", "pandas"} <= installed_versions().keys()
