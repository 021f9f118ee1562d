"""What section 2 of the chapter claims, as comparisons of this build's own numbers.

If a claim fails here, the sentence on the page must change, not this file.
"""

from __future__ import annotations

import math

import pytest
from examples_of import ExamplesOf

results = ExamplesOf("classic-optimizers").results


def test_rates_are_those_of_theory():
    for row in results("rates")["rows"]:
        κ = row["condition"]
        assert row["plain"] == pytest.approx((κ - 1) / (κ + 1), rel=1e-3)
        assert row["heavy_paper"] == pytest.approx((math.sqrt(κ) - 1) / (math.sqrt(κ) + 1))
        assert row["heavy_paper"] ** 2 == pytest.approx(row["momentum"])
        # Two roots meet: t·√μᵗ, a little slower than √μᵗ.
        assert row["heavy_paper"] < row["heavy"] < row["heavy_paper"] + 0.03
    last = results("rates")["rows"][-1]
    assert last["plain_steps"] > 30 * last["heavy_steps"]


def test_the_sweep_finds_polyaks_momentum_and_never_beats_its_root():
    found = results("rates")
    assert abs(found["best"]["momentum"] - found["theory"]["momentum"]) < 0.05
    assert all(row["factor"] > 0.99 * math.sqrt(row["momentum"]) for row in found["sweep"])
    right = [row for row in found["sweep"] if row["momentum"] > found["best"]["momentum"]]
    assert all(row["factor"] < 1.02 * math.sqrt(row["momentum"]) for row in right), "there the curve follows it"
    assert found["sweep"][-1]["factor"] > 1.1 * found["best"]["factor"]


def test_the_wall_moves_with_momentum():
    found = results("rates")
    assert found["wall"]["heavy"] == pytest.approx(1.9 * found["wall"]["plain"])
    assert found["walls"]["0.99"] < 1 < found["walls"]["1.01"]


def test_the_forms_agree_until_the_rate_changes():
    found = results("conventions")
    assert found["constant_apart"] < 1e-12 < 0.01 < found["dropped_apart"]
    assert found["nesterov_apart"] < 1e-12 < 0.01 < found["nesterov_off"]
    assert found["at_drop"]["outside"] < 0.12
    assert found["at_drop"]["inside"] > 0.7


def test_a_steady_gradient_ends_in_ten_learning_rates():
    plain, momentum, nesterov, dampened = results("conventions")["rows"]
    assert plain["step_100"] == plain["step_1"] == 1
    assert momentum["step_1"] == 1 and momentum["step_100"] == pytest.approx(10, rel=1e-3)
    assert nesterov["step_1"] == pytest.approx(1.9) and nesterov["step_100"] == pytest.approx(10, rel=1e-3)
    assert dampened["step_1"] == pytest.approx(1) == pytest.approx(dampened["step_100"])


def test_the_heavy_ball_circles_and_nesterov_arrives():
    found = results("cycle")
    assert found["returns"] < 1e-9
    assert min(abs(x) for x in found["cycle"]) > 0.5
    assert found["ends"]["nesterov"] < 1e-9
    assert found["ends"]["sgd"] < 0.1
    assert found["from_near"] < 1e-3, "near the minimum the function is a parabola"
    assert max(abs(x) for x in found["walks"]["nesterov"][10:]) < 1e-2, "within ten steps, says the figure"
