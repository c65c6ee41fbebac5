"""What a bot runs is a copy: when it is made anew, what differs, what survives a kill."""

import pytest

from automation.core.errors import ConfigError
from automation.fleet.lifecycle import kept
from automation.fleet.render import launch_of


@pytest.fixture
def site(site_of, checkout):
    kit = checkout / "strategies" / "tradekit"
    kit.mkdir()
    (kit / "base.py").write_text("KIT = 1\n")
    (checkout / "configs" / "mine.json").write_text('{"stake_amount": 50}')
    bot = {"name": "a", "strategy": "FakeStrategy", "configs": ["configs/mine.json"]}
    return site_of(bots=[bot])


@pytest.fixture
def bot(site):
    kept.renew(site, site.fleet.bots[0])
    return site.fleet.bots[0]


def test_nothing_differs_from_a_fresh_copy(site, bot):
    assert not kept.difference(site, bot)


def test_the_bot_is_started_with_its_copies(site, bot):
    launch = launch_of(site, bot)
    folder = kept.accepted(site.home, "a")
    assert str(folder / "strategies") in launch.argv
    assert launch.env["PYTHONPATH"].startswith(str(folder / "strategies"))
    names = [w.rsplit("/", 1)[1] for n, w in enumerate(launch.argv) if launch.argv[n - 1] == "-c"]
    assert names == [
        "00-base.json", "01-futures.json", "defaults.json", "02-mine.json", "config.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "text", "needs_restart"),
    [
        ("strategies/Fakes.py", "class FakeStrategy(IStrategy):\n    x = 1\n", False),
        ("strategies/FakeStrategy.json", "{}", False),
        ("configs/mine.json", '{"stake_amount": 60}', False),
        ("configs/futures.json", "{}", False),
        ("strategies/tradekit/base.py", "KIT = 2\n", True),
        ("strategies/helper.py", "x = 1\n", True),
    ],
)
def test_what_changed_is_told_and_what_python_caches_needs_a_restart(
    site, bot, checkout, path, text, needs_restart
):
    (checkout / path).write_text(text)
    found = kept.difference(site, bot)
    assert len(found.files) == 1
    assert found.needs_restart is needs_restart


def test_another_strategy_beside_it_is_no_business_of_the_bot(site, bot, checkout):
    (checkout / "strategies" / "Other.py").write_text("class Other(IStrategy):\n    pass\n")
    (checkout / "strategies" / "Other.json").write_text("{}")
    assert not kept.difference(site, bot)


def test_a_file_that_is_gone_differs(site, bot, checkout):
    (checkout / "strategies" / "Fakes.py").unlink()
    assert kept.difference(site, bot).files == ("strategies/Fakes.py",)


def test_a_configuration_that_is_no_json_is_told_and_the_copy_stays(site, bot, checkout):
    (checkout / "configs" / "mine.json").write_text("{")
    with pytest.raises(ConfigError, match="not valid JSON"):
        kept.difference(site, bot)
    assert kept.is_kept(site.home, "a")


def test_killed_between_the_renames_the_old_copy_is_found_again(site, bot):
    folder = kept.accepted(site.home, "a")
    folder.rename(folder.with_name("before"))
    assert kept.is_kept(site.home, "a")
    assert not kept.difference(site, bot)


def test_what_flew_is_noted_until_it_is_another(site, bot, checkout):
    kept.mark_flown(site.home, "a")
    assert kept.has_flown(site.home, "a")
    assert not kept.difference(site, bot)
    (checkout / "configs" / "mine.json").write_text("{}")
    kept.renew(site, bot)
    assert not kept.has_flown(site.home, "a")


def test_a_folder_too_large_to_copy_is_used_in_place(site, bot, checkout, monkeypatch):
    monkeypatch.setattr(kept, "MOST_BYTES", 10)
    (checkout / "strategies" / "helper.py").write_text("x = 1\n")
    with pytest.raises(ConfigError, match="too much to be copied"):
        kept.difference(site, bot)
