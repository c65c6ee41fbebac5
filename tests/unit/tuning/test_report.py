"""What a reader is shown: the best beside what the strategy has, the front, importance."""

from contextlib import closing

import pytest

from automation.tuning.best import front
from automation.tuning.ranking import summarise, trial_of
from automation.tuning.report import comparison, markdown
from automation.tuning.search import Search
from automation.tuning.storage import open_storage


@pytest.fixture
def storage(tmp_path):
    with closing(open_storage(str(tmp_path / "a.sqlite"))) as opened:
        yield opened


def searched(storage, study, engines, trials=300):
    Search(storage, storage.begin(study, trials), engines, lambda _: None).run()
    return storage


def test_the_page_tells_what_was_found(storage, make_study, engines):
    study = make_study()
    searched(storage, study, engines())
    summary = summarise(storage, study.name)
    assert summary.best.losses < summary.current.losses
    assert summary.finished + summary.stopped == summary.answered == 300
    assert trial_of(storage, study, summary.best.number) == summary.best
    assert sum(summary.importance.values()) > 0.99
    page = markdown(summary)
    assert f"| now (trial 0) | best (trial {summary.best.number}) |" in page
    assert "| buy | fast | 10 |" in page
    assert "Evaluated by the compiled engine." in page


def test_freqtrades_engine_is_said_with_its_reasons(storage, make_study, engines):
    study = make_study(engine="freqtrade", reasons=("the strategy's own custom_exit",))
    page = markdown(summarise(searched(storage, study, engines(), 60), study.name))
    assert "does not reproduce the strategy's own custom_exit." in page


def test_the_front_holds_what_nothing_beats(storage, make_study, engines):
    study = make_study("nsga2", 2)
    searched(storage, study, engines(2))
    summary = summarise(storage, study.name)
    losses = [each.losses for each in summary.front]
    assert len(losses) > 2
    for one in losses:
        assert not any(
            other != one and all(a <= b for a, b in zip(other, one, strict=True))
            for other in losses
        )
    assert "The front:" in markdown(summary)
    assert summary.best.number in {each.number for each in summary.front}


def test_two_studies_stand_side_by_side(storage, make_study, engines):
    searched(storage, make_study(), engines())
    other = make_study("random")
    Search(storage, storage.begin(other, 60), engines(), lambda _: None).run()
    figures, values = comparison(summarise(storage, "tpe-1"), summarise(storage, "random-1"))
    assert [row[0] for row in values] == ["kind", "fast", "gap", "free", "fixed"]
    assert ("sampler", "tpe", "random") in figures


def test_no_finished_trial_has_no_front(storage, make_study):
    study = storage.begin(make_study(), 10)
    summary = summarise(storage, study.name)
    assert summary.best is None
    assert "0 of 10 trials" in markdown(summary)
    assert front.__doc__
