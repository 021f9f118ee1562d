"""What the first experiment of the lab claims."""

from __future__ import annotations

import math

import pytest
from examples_of import ExamplesOf

from trainloop.optim import Adam


@pytest.fixture(scope="module")
def results():
    return ExamplesOf("labs").results("trajectories-on-rosenbrock")


@pytest.fixture(scope="module")
def rows(results):
    return {row["name"]: row for row in results["rows"]}


def test_sixteen_rules_and_momentum_each_inside_its_grid(results, rows):
    assert len(rows) == 17
    assert not [name for name, row in rows.items() if row["at_edge"] or row["diverged"]]
    assert results["starts"] == 10


def test_the_prediction(results):
    assert results["first"] == "adam"


def test_who_gets_along_the_floor(rows):
    assert list(rows)[:3] == ["L-BFGS", "SOAP", "SGD + momentum"]
    assert rows["L-BFGS"]["median"] < 1e-6 * rows["SOAP"]["median"]
    assert rows["L-BFGS"]["high"] > 0.5
    assert rows["RMSprop"]["median"] > 0.5 * rows["SGD"]["median"]
    assert rows["RMSprop"]["median"] > 10 * rows["Adam"]["median"]


def test_the_middle_is_no_ranking(results, rows):
    assert all(2 <= rows[name]["wins"] <= 8 for name in results["like_adam"])
    assert results["like_adam"]
    assert all(row["wins"] <= 1 for name, row in rows.items() if name not in results["like_adam"])


def test_adams_best_rate_is_hundreds_of_defaults(results):
    default = Adam.__init__.__defaults__[0]
    assert 200 < results["four"]["adam"]["lr"] / default < 1000


def test_all_four_are_in_the_valley_soon(results):
    for found in results["four"].values():
        assert found["losses"][0] == pytest.approx(24.2)
        x, y = found["path"][40]
        assert 100 * (y - x**2) ** 2 < 0.1 * 24.2


def test_task_1_the_wall(results):
    assert results["wall"]["at"] == pytest.approx(0.001997, abs=1e-6)
    assert results["wall"]["below"] < 1e-3 < 5e-3 < results["wall"]["above"] < 0.1


def test_task_2_radam(results):
    assert results["radam"] == "NaN"
    assert results["radam_clipped"] == pytest.approx(6.9e-4, rel=0.02)
    assert math.hypot(-215.6, -88.0) == pytest.approx(233, abs=0.2)  # the gradient at the start, on paper
