import pytest

from tests.e2e.chaos import kept
from tests.e2e.chaos.flight import Course, Seen

COURSE = Course(100, ("killed", "stopped"))
SEEN = [Seen("killed", 0.2, 12.0, 0.0, None)]


@pytest.fixture
def checkout(tmp_path):
    """A small product with its suite, and a flight of it that went well."""
    for name in ("automation/fleet/loop.py", "configs/base.json", "tests/e2e/chaos/faults.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("1")
    kept.write(kept.folder(tmp_path), COURSE, SEEN)
    return tmp_path


def test_a_result_counts_for_its_course_alone(checkout):
    assert kept.holds(checkout, COURSE)
    assert not kept.holds(checkout, Course(101, COURSE.faults))
    assert not kept.holds(checkout, Course(100, COURSE.faults, 4.0))
    assert not kept.holds(checkout, Course(100, (*COURSE.faults, "banned")))


@pytest.mark.parametrize(
    "name", ["automation/fleet/loop.py", "configs/base.json", "tests/e2e/chaos/faults.py"]
)
def test_a_result_of_other_code_counts_for_nothing(checkout, name):
    path = checkout / name
    path.write_text("2")
    assert not kept.holds(checkout, COURSE)
    path.write_text("1")
    assert kept.holds(checkout, COURSE)
    path.rename(path.with_name("other"))
    assert not kept.holds(checkout, COURSE)


def test_what_does_not_fly_changes_nothing(checkout):
    (checkout / "README.md").write_text("read me")
    (checkout / "tests/e2e/chaos/seeds.json").write_text("[]")
    cache = checkout / "automation/__pycache__"
    cache.mkdir()
    (cache / "loop.cpython-311.pyc").write_bytes(b"1")
    assert kept.holds(checkout, COURSE)


def test_the_suite_that_flies_is_fingerprinted(root):
    flown = {path for folder in kept.FLOWN for path in (root / folder).rglob("*.py")}
    assert {root / "automation/fleet/supervisor.py", root / "tests/e2e/chaos/faults.py"} <= flown
