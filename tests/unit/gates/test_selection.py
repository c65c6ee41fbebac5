"""What a change touches, against real git repositories."""

from pathlib import Path

import pytest

from automation.core.errors import ConfigError
from automation.gates.config import GateSettings
from automation.gates.revisions import find_repository
from automation.gates.selection import Request, select

SETTINGS = GateSettings(configs=(Path("configs/base.json"),))


@pytest.fixture
def choose(checkout, tmp_path):
    def run(settings=SETTINGS, **asked):
        repository = find_repository(checkout.root)
        request = Request(checkout.root, **asked)
        return select(request, settings, repository, tmp_path / "exported", ())

    return run


def names(selection) -> list[str]:
    return [one.name for one in selection.subjects]


def test_nothing_changed_nothing_to_judge(choose):
    selection = choose()
    assert names(selection) == []
    assert selection.base.endswith("(merge-base with main)")
    assert names(choose(is_all=True)) == ["Alpha", "Beta"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("strategies/Alpha.py", ["Alpha"]),
        ("strategies/kit/maths.py", ["Alpha", "Beta"]),
        ("configs/base.json", ["Alpha", "Beta"]),
        ("README.md", []),
    ],
)
def test_uncommitted_and_committed_changes_count(choose, checkout, path, expected):
    before = (checkout.root / path).read_text() if (checkout.root / path).exists() else ""
    checkout.write(path, before + "\n")
    assert names(choose()) == expected
    checkout.git("switch", "--quiet", "-c", "change")
    checkout.commit("change")
    assert names(choose()) == expected


def test_the_gates_own_file_and_bundle_touch_every_strategy(choose, checkout):
    """Stricter limits and other candles can change every verdict, though no strategy changed."""
    rules = checkout.write("gate.yaml", "windows: 3\n")
    bundle = checkout.write("bundle.tar.zst", "candles")
    checkout.commit("a gate")
    measures = (rules, bundle, checkout.root.parent / "elsewhere")
    assert names(choose(measures=measures)) == []
    bundle.write_text("other candles")
    selection = choose(measures=measures)
    assert names(selection) == ["Alpha", "Beta"]
    assert "bundle.tar.zst differs from the base's: every strategy is judged" in selection.notes
    assert names(choose(measures=(rules,))) == []
    assert names(choose(measures=measures, names=("Beta",))) == ["Beta"]


def test_base_is_where_the_branch_left_main(choose, checkout):
    checkout.git("switch", "--quiet", "-c", "change")
    checkout.write("strategies/Alpha.py", checkout.read("strategies/Alpha.py") + "# mine\n")
    checkout.commit("mine")
    checkout.git("switch", "--quiet", "main")
    checkout.write("strategies/Beta.py", checkout.read("strategies/Beta.py") + "# theirs\n")
    checkout.commit("theirs")
    checkout.git("switch", "--quiet", "change")
    assert names(choose()) == ["Alpha"]
    assert names(choose(ref="main")) == ["Alpha", "Beta"]


def test_base_side_is_the_old_code_with_its_own_kit(choose, checkout):
    checkout.write("strategies/kit/maths.py", "def slope(values):\n    return values\n")
    (subject, _) = choose().subjects
    old = subject.base.source.folder / "kit" / "maths.py"
    assert "diff" in old.read_text()
    assert subject.base.configs[0].read_text() == subject.new.configs[0].read_text()
    assert subject.base.configs != subject.new.configs


def test_new_renamed_and_removed_strategies(choose, checkout):
    checkout.write(
        "strategies/Gamma.py", checkout.read("strategies/Beta.py").replace("Beta", "Gamma")
    )
    (checkout.root / "strategies" / "Beta.py").unlink()
    checkout.write("strategies/Delta.py", "class Delta(IStrategy):\n    pass\n")
    checkout.git("add", "--all")
    selection = choose()
    found = {one.name: one for one in selection.subjects}
    assert found["Delta"].base is None
    assert found["Delta"].base_note == "new: there was no such strategy in the base"
    assert found["Gamma"].base.source.name == "Beta"
    assert found["Gamma"].base_note == "was Beta in the base"
    assert "Beta was removed" in selection.notes


@pytest.mark.parametrize("ref", ["no-such-ref", "--help", "main..main", "HEAD:strategies"])
def test_a_ref_that_does_not_exist_still_selects_all(choose, ref):
    selection = choose(ref=ref)
    assert names(selection) == ["Alpha", "Beta"]
    assert all(one.base_refused for one in selection.subjects)
    assert selection.base == f"there is no commit {ref!r}"


def test_without_main_there_is_no_silent_pass(choose, checkout):
    checkout.git("branch", "--move", "main", "trunk")
    selection = choose()
    assert all(one.base_refused for one in selection.subjects)
    assert "no branch main" in selection.base


def test_without_a_repository(tmp_path, checkout):
    import shutil

    shutil.rmtree(checkout.root / ".git")
    assert find_repository(checkout.root) is None
    request = Request(checkout.root)
    selection = select(request, SETTINGS, None, tmp_path / "exported", ())
    assert [(one.base, one.base_refused) for one in selection.subjects] == [(None, False)] * 2


def test_skips_and_names(choose, checkout):
    settings = SETTINGS.model_copy(update={"skip": {"Beta": "a demonstration"}})
    selection = choose(settings, is_all=True)
    assert names(selection) == ["Alpha"]
    assert "Beta is not judged: a demonstration" in selection.notes
    assert names(choose(is_all=True, names=("Beta",))) == ["Beta"]
    assert names(choose(is_all=True, files=(checkout.root / "strategies/Beta.py",))) == ["Beta"]
    with pytest.raises(ConfigError, match="no strategy is named Gama; there are: Alpha, Beta"):
        choose(names=("Gama",))


def test_missing_configuration_and_folder(choose):
    with pytest.raises(ConfigError, match="no such configuration"):
        choose(GateSettings(configs=(Path("configs/none.json"),)))
    with pytest.raises(ConfigError, match="no such folder"):
        choose(GateSettings(strategies=(Path("elsewhere"),)))


def test_an_added_folder_is_no_fault_of_the_base(choose, checkout):
    checkout.write("more/Extra.py", "class Extra(IStrategy):\n    pass\n")
    settings = SETTINGS.model_copy(update={"strategies": (Path("strategies"), Path("more"))})
    assert names(choose(settings)) == ["Extra"]


def test_one_name_twice_is_refused(choose, checkout):
    checkout.write("more/Alpha.py", "class Alpha(IStrategy):\n    pass\n")
    settings = SETTINGS.model_copy(update={"strategies": (Path("strategies"), Path("more"))})
    with pytest.raises(ConfigError, match="Alpha is also in"):
        choose(settings)


def test_selecting_changes_nothing_in_the_repository(choose, checkout):
    checkout.write("strategies/Alpha.py", checkout.read("strategies/Alpha.py") + "#\n")
    before = checkout.git("status", "--porcelain"), checkout.git("stash", "list")
    head = checkout.git("rev-parse", "HEAD")
    choose(ref="HEAD")
    assert (checkout.git("status", "--porcelain"), checkout.git("stash", "list")) == before
    assert checkout.git("rev-parse", "HEAD") == head
    assert checkout.git("worktree", "list").count("\n") == 1
