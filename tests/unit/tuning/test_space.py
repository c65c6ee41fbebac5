"""Values and vectors are one another's mirror; equal values have equal vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automation.core.errors import ConfigError
from automation.core.tunings import Dimension
from automation.tuning.space import Space, key_of
from automation.tuning.study import parse_constraint, study_of


@st.composite
def dimensions(draw):
    kind = draw(st.sampled_from(["real", "free", "whole", "choice"]))
    if kind == "choice":
        choices = draw(st.lists(st.text(max_size=3), min_size=1, max_size=5, unique=True))
        return Dimension("x", "buy", "choice", choices=tuple(choices))
    low = draw(st.integers(-50, 50))
    count = draw(st.integers(0, 300))
    if kind == "whole":
        return Dimension("x", "buy", "whole", float(low), float(low + count), 1.0)
    if kind == "free":
        return Dimension("x", "buy", "real", float(low), float(low + count))
    step = 10.0 ** -draw(st.integers(1, 4))
    return Dimension("x", "buy", "real", round(low * step, 6), round((low + count) * step, 6), step)


@given(dimensions(), st.integers(0, 2**31))
def test_vectors_and_values_mirror_one_another(dimension, seed):
    space = Space([dimension])
    for vector in space.random(np.random.default_rng(seed), 5):
        values = space.decode(vector)
        again = space.encode(values)
        assert again is not None
        assert key_of(again) == key_of(vector)
        if dimension.kind != "choice":
            assert dimension.low <= values["x"] <= dimension.high + 1e-12
        if dimension.kind == "whole":
            assert isinstance(values["x"], int)


def test_decimals_are_written_as_typed():
    space = Space([Dimension("x", "buy", "real", 0.0, 0.35, 0.001)])
    assert [space.decode(np.array([k]))["x"] for k in (3, 123, 350)] == [0.003, 0.123, 0.35]


@pytest.mark.parametrize("value", [None, "a", True, 0.05, -0.01, 0.4, float("nan")])
def test_what_the_space_cannot_say_has_no_vector(value):
    assert Space([Dimension("x", "buy", "real", 0.0, 0.3, 0.1)]).encode({"x": value}) is None


def test_a_cube_is_divided_evenly():
    space = Space([Dimension("x", "buy", "choice", choices=tuple("abcd"))])
    found = space.from_cube(np.linspace(0, 1, 4001)[:, None])[:, 0]
    assert np.bincount(found.astype(int)).tolist() == [1000, 1000, 1000, 1001]


def test_constraints_are_read_as_typed():
    rule = parse_constraint(" drawdown <= 15% ")
    assert str(rule) == "drawdown <= 0.15"
    assert rule.violation({"max_drawdown_frac": 0.30}) == pytest.approx(1.0)
    assert parse_constraint("trades>=50").violation({"trades": 60}) < 0
    for text in ("drawdown", "profit<=3", "drawdown<0.1", "trades>=many"):
        with pytest.raises(ConfigError, match="is no constraint; write it like drawdown<=0.15"):
            parse_constraint(text)


def test_a_study_survives_its_json(make_study):
    study = make_study(constraints=(parse_constraint("trades>=5"),))
    assert study_of(study.to_json()) == study
    assert (
        study.hash() == make_study(name="other", begun="now", constraints=study.constraints).hash()
    )
    assert study.hash() != make_study(seed=99, constraints=study.constraints).hash()
