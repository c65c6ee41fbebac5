"""Every place that keeps studies hands trials over alike: once, with a lease, and not twice."""

from contextlib import closing
from datetime import timedelta
from uuid import uuid4

import pytest

from automation.core.errors import ConfigError, DependencyError, TransientError
from automation.core.tunings import Answer, Dimension
from automation.tuning import storage as room
from automation.tuning.storage import open_storage, owner_name
from automation.tuning.study import Planned, State, Study

STUDY = Study(
    name="one",
    job={"strategy": "S"},
    dimensions=(Dimension("x", "buy", "whole", 0.0, 9.0, 1.0),),
    current={"x": 1},
    losses=("L",),
    constraints=(),
    sampler="tpe",
    seed=1,
    batch=3,
    stops_early=True,
    data_hash="d",
    code_hash="c",
    engine="kernel",
    reasons=(),
    begun="2024-01-01T00:00:00Z",
)
DEAD = "nowhere:1:0.00"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    """An empty database."""
    if request.param == "sqlite":
        return str(tmp_path / "studies.sqlite")
    server = request.getfixturevalue("postgres")
    import psycopg

    name = f"t_{uuid4().hex[:12]}"
    with psycopg.connect(server.url, autocommit=True) as raw:
        raw.execute(f"CREATE DATABASE {name}")
    return server.url.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture
def storage(url):
    with closing(open_storage(url)) as opened:
        opened.begin(STUDY, 6)
        yield opened


def batch(first, count, number):
    return [Planned(k, number, (float(k),), None) for k in range(first, first + count)]


def answer(number):
    return Answer(
        number, (0.5 * number,), (), {"trades": 3.0, "sharpe": float("nan")}, seconds=0.01
    )


def test_a_study_comes_back_as_it_was_and_only_grows(storage, url):
    with closing(open_storage(url)) as other:
        assert other.study("one") == STUDY
        assert other.begin(STUDY, 4).hash() == STUDY.hash()
        assert other.target("one") == 6
        other.begin(STUDY, 9)
        assert storage.names() == [("one", 9, 0)]
        with pytest.raises(ConfigError, match="no study is named two; there are: one"):
            other.study("two")


def test_a_batch_is_planned_once(storage, url):
    with closing(open_storage(url)) as other:
        assert storage.plan("one", 0, batch(0, 3, 0))
        assert not other.plan("one", 0, batch(0, 3, 0))
        assert not other.plan("one", 2, batch(3, 3, 2))
        assert other.plan("one", 1, batch(3, 3, 1))
        assert [row.plan for row in storage.rows("one")] == [*batch(0, 3, 0), *batch(3, 3, 1)]
        assert [row.plan.number for row in storage.rows("one", 4)] == [4, 5]


def test_an_empty_batch_ends_the_study(storage):
    storage.plan("one", 0, batch(0, 3, 0))
    storage.plan("one", 1, [])
    assert storage.target("one") == 3


def test_a_trial_is_claimed_by_one(storage, url):
    storage.plan("one", 0, batch(0, 6, 0))
    with closing(open_storage(url)) as other:
        assert storage.claim("one", "a", 0, 6, 2) == [0, 1]
        assert other.claim("one", "b", 0, 6, 3) == [2, 3, 4]
        assert other.claim("one", "b", 0, 5, 9) == []
        assert other.claim("one", "b", 0, 6, 9) == [5]
        storage.release("one", "a")
        assert other.claim("one", "b", 1, 6, 9) == [1]


def test_a_lease_that_ends_frees_the_trial(storage, monkeypatch):
    storage.plan("one", 0, batch(0, 2, 0))
    monkeypatch.setattr(room, "LEASE_S", -1.0)
    assert storage.claim("one", "a", 0, 2, 2) == [0, 1]
    monkeypatch.setattr(room, "LEASE_S", timedelta(hours=1).total_seconds())
    assert storage.claim("one", "b", 0, 2, 1) == [0]
    storage.renew("one", "a")  # still holds 1
    assert storage.claim("one", "b", 0, 2, 2) == []


def test_the_dead_of_this_machine_lose_their_claims_at_once(storage):
    storage.plan("one", 0, batch(0, 3, 0))
    host, pid, started = owner_name().split(":")
    storage.claim(
        "one", f"{host}:{pid}:{float(started) - 5:.2f}", 0, 3, 1
    )  # an earlier one of this pid
    storage.claim("one", DEAD, 0, 3, 1)  # of another machine: nobody knows
    storage.claim("one", owner_name(), 0, 3, 1)
    storage.release_the_dead("one")
    assert [row.state for row in storage.rows("one")] == [
        State.WAITING,
        State.RUNNING,
        State.RUNNING,
    ]


def test_an_answer_is_kept_as_it_came_first(storage):
    storage.plan("one", 0, batch(0, 3, 0))
    storage.claim("one", "a", 0, 3, 3)
    storage.finish(
        "one", [answer(2), Answer(1, fault="no"), Answer(0, head_losses=(9.0,), is_stopped=True)]
    )
    storage.finish("one", [Answer(2, (77.0,))])
    rows = list(storage.rows("one"))
    assert [row.state for row in rows] == [State.STOPPED, State.FAILED, State.DONE]
    assert rows[2].answer.losses == (1.0,)
    assert rows[2].answer.figures["sharpe"] != rows[2].answer.figures["sharpe"]  # NaN
    assert rows[0].answer.is_stopped
    assert rows[1].answer.fault == "no"
    assert storage.claim("one", "b", 0, 3, 3) == []
    assert storage.names() == [("one", 6, 3)]


def test_many_rows_come_in_order(storage):
    storage.plan("one", 0, batch(0, 4500, 0))
    assert [row.plan.number for row in storage.rows("one", 10)] == list(range(10, 4500))


def test_what_cannot_be_reached_is_told_in_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="--storage: mysql is no storage; use a file, sqlite:///"):
        open_storage("mysql://host/db")
    (tmp_path / "file").write_text("no database")
    with pytest.raises(DependencyError, match="the storage cannot be used"):
        open_storage(str(tmp_path / "file"))
    with pytest.raises(DependencyError, match="the storage cannot be used"):
        open_storage(str(tmp_path / "file" / "below.sqlite"))


def test_a_silent_server_is_told_without_its_password():
    pytest.importorskip("psycopg", reason="needs psycopg")
    with pytest.raises(
        TransientError, match="127.0.0.1:1/tuning: the storage does not answer"
    ) as told:
        open_storage("postgresql://me:secret@127.0.0.1:1/tuning")
    assert "secret" not in str(told.value)
    assert told.value.exit_code == 3
