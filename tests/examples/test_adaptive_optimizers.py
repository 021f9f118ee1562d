"""What section 3 of the chapter claims, as comparisons of this build's own numbers.

If a claim fails here, the sentence on the page must change, not this file.
"""

from __future__ import annotations

import math

import pytest
from examples_of import ExamplesOf

EXAMPLES = ExamplesOf("adaptive-optimizers")
results, rows = EXAMPLES.results, EXAMPLES.rows


def test_who_forgets():
    found = rows("forgetting")
    assert all(row["drop"] < 0.05 * row["before"] for row in found.values())
    # The average falls as α^t from 1 to 4 · 10⁻⁴, where a gradient of 0.01 makes half a learning rate.
    assert found["RMSprop"]["recovered"] == pytest.approx(100 * math.log(1e4 / 4), rel=0.1)
    assert found["RMSprop"]["end"] > 0.9
    assert 0.03 < found["Adam"]["end"] < 0.1
    assert all(found[name]["recovered"] is None for name in ("Adagrad", "Adam", "AMSGrad"))
    assert found["AMSGrad"]["end"] < 2 * found["AMSGrad"]["drop"]
    assert found["Adagrad"]["end"] < found["Adagrad"]["drop"]


def test_first_steps_do_not_depend_on_the_gradient_but_for_radam():
    found = rows("first_steps")
    for name, row in found.items():
        if name == "RAdam":
            assert (row["0.01"], row["1"], row["100"]) == pytest.approx((0.01, 1, 100))
        else:
            assert row["0.01"] == pytest.approx(row["1"], rel=0.06) and row["100"] == pytest.approx(row["1"], rel=0.06)
    assert found["RMSprop"]["1"] == pytest.approx(10, rel=1e-3)
    assert found["Adadelta"]["1"] == pytest.approx(math.sqrt(1e-6 / 0.1), rel=1e-3)
    for name in ("Adam", "AdamW", "Adamax", "Adagrad", "Rprop"):
        assert found[name]["1"] == pytest.approx(1, rel=1e-6)


def test_without_correction_steps_follow_the_formula_and_get_longer_first():
    found = results("first_steps")
    for t, step in found["curves"]["uncorrected"]:
        assert step == pytest.approx((1 - 0.9**t) / math.sqrt(1 - 0.999**t), rel=1e-6)
    assert found["corrected"] == pytest.approx(1, rel=1e-6)
    assert found["first"] == pytest.approx(found["on_paper"]["first"], rel=1e-6)
    assert found["longest"] > 2 * found["first"]
    assert 10 <= found["longest_at"] <= 15
    assert 6 < found["longest"] < 7, "six and a half, says the summary"


def test_epsilon_inside_bites_at_its_root():
    found = {row["gradient"]: row for row in results("epsilon")["rows"]}
    for g, row in found.items():
        # v has reached g² by then
        assert row["outside"] == pytest.approx(g / (g + 1e-8), rel=1e-6)
        assert row["inside"] == pytest.approx(g / math.sqrt(g * g + 1e-8), rel=1e-6)
    assert found[1e-8]["times"] > 1000


def test_weights_with_large_gradients_hardly_decay_inside_adam():
    found = results("decay")
    assert found["curves"]["adamw"] == pytest.approx([found["expected"]] * len(found["sizes"]), abs=0.01)
    adam = found["curves"]["adam"]
    assert adam == sorted(adam), "the larger the gradients, the less decay"
    assert adam[0] < 0.05 and adam[-1] > 0.98
    assert found["adam"]["one"] == pytest.approx(found["adamw"]["one"], abs=0.02)


def test_adam_walks_to_the_worst_point_and_amsgrad_does_not():
    found = results("amsgrad")
    assert found["ends"]["adam"] == 1
    assert found["ends"]["amsgrad"] < -0.98 and found["ends"]["sgd"] < -0.98
    for row in found["rows"]:
        assert (row["end"] == 1) if row["memory"] < 2 else (row["end"] < -0.98)
    slow = found["slow"]
    assert slow["adam"] > 0.9
    assert slow["longer"] < 0 and slow["amsgrad"] < 0


def test_what_the_page_says_of_the_lab():
    found = ExamplesOf("labs").results("convergence-of-every-optimizer")
    names = [row["name"] for row in found["rows"]]
    assert names[3:6] == ["adam", "adamw", "nadam"] and names[14] == "sgd", "the rows that the page shows by number"
    wins = {row["name"]: dict(zip(names, row["wins"], strict=True)) for row in found["rows"]}
    alike = ("adam", "adamw", "nadam", "adamax")
    for a in alike:
        assert all(wins[a][b] < found["seeds"] for b in alike), "not separable"
        assert wins[a]["sgd"] == found["seeds"]
    assert found["places"]["lbfgs_whole"] == 1, "it is first on full batches"
