"""What section 1 of the chapter claims, as comparisons of this build's own numbers.

If a claim fails here, the sentence on the page must change, not this file.
"""

from __future__ import annotations

import pytest
from examples_of import ExamplesOf

results = ExamplesOf("gradient-descent-fundamentals").results


def test_minima_get_rare_faster_than_coin_tosses():
    found = results("saddles")["rows"]
    draws = results("saddles")["draws"]
    assert found[0]["minima"] == pytest.approx(0.5, abs=0.02)
    # For two weights the share is known: (2 − √2) / 4.
    assert found[1]["minima"] == pytest.approx((2 - 2**0.5) / 4, abs=4 * (0.15 * 0.85 / draws) ** 0.5)
    assert all(row["minima"] < 0.7 * row["all_alike"] for row in found[1:])
    shares = [row["minima"] for row in found]
    assert shares == sorted(shares, reverse=True)
    assert all(row["down"] == pytest.approx(row["n"] / 2, abs=0.05) for row in found)


def test_groups_state_and_what_a_step_makes():
    found = results("anatomy")["groups"]
    assert found["lrs"] == [1e-4, 1e-2]
    assert (found["before"], found["after"]) == (0, 4)
    assert found["entries"] == "step, exp_avg, exp_avg_sq"
    assert found["shape"] == [3, 4]


def test_gradients_add_up_and_none_is_not_zero():
    found = results("anatomy")["cleared"]
    assert found["twice"] == 2 * found["once"] == 6
    assert found["is_none"] == 1
    assert found["moved_without"] == 0
    assert found["moved_with_zeros"] == pytest.approx(0.1 * 0.9 * 6), "momentum went on"


def test_a_closure_is_called_as_often_as_the_rule_asks_and_returns_the_loss_before():
    found = results("anatomy")["closures"]
    assert found["sgd"]["calls"] == 1
    assert found["lbfgs"]["calls"] > 5
    assert found["sgd"]["first"] == found["lbfgs"]["first"] == 4.0**4 + 1


def test_a_rule_of_three_lines_is_driven_by_torchs_scheduler():
    found = results("anatomy")["signs"]
    assert found["lr"] == 0.125 / 2
    assert found["end"] == [1 - 5 * 0.125 - 3 * 0.0625] * 2
