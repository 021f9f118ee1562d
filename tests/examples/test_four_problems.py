"""What the chapter's page on debugging claims, as comparisons of this build's own numbers.

If a claim fails here, the sentence on the page must change, not this file.
"""

from __future__ import annotations

import math

import pytest
import torch
from examples_of import ExamplesOf

EXAMPLES = ExamplesOf("four-problems")
results, script = EXAMPLES.results, EXAMPLES.script


def rows(example: str, key: str = "rows", by: str = "name") -> dict[str, dict]:
    return {row[by]: row for row in results(example)[key]}


# --- the loss does not fall ---------------------------------------------------------------------------


def test_five_faults_stay_near_guessing_and_the_run_in_order_does_not():
    guessing = results("flat")["guessing"]
    for name, row in rows("flat").items():
        if name == "nothing":
            assert row["highest"] < 0.2
        else:
            assert row["lowest"] > 0.9 * guessing


def test_each_fault_has_a_number_of_its_own():
    found = rows("flat")
    assert [name for name, row in found.items() if row["no_gradient"]] == ["output detached"]
    assert [name for name, row in found.items() if row["ratio"] == 0 and not row["no_gradient"]] == [
        "optimizer of another model"
    ]
    assert [name for name, row in found.items() if 0 < row["ratio"] < 1e-4] == ["rate too small"]
    assert [name for name, row in found.items() if row["dead"] > 50] == ["dead units"]
    assert found["optimizer of another model"]["norm"] > 0.1


def test_one_batch_clears_the_model_where_the_labels_are_wrong():
    found = rows("flat")
    assert found["labels shuffled"]["one_batch"] < 0.01
    assert found["nothing"]["one_batch"] < 0.01
    assert all(row["one_batch"] > 1.5 for name, row in found.items() if name not in ("nothing", "labels shuffled"))


# --- the loss explodes --------------------------------------------------------------------------------


def test_the_rate_shows_at_the_first_step():
    found, seeds = rows("exploding"), results("exploding")["seeds"]
    assert found["rate"]["stopped"] == seeds
    assert found["rate"]["first_ratio"] > 10 * found["rate, fixed"]["first_ratio"]


def test_clipping_does_not_mend_a_rate():
    found = rows("exploding")
    assert found["rate, clipped"]["stopped"] == 0
    assert found["rate, clipped"]["loss"] > 5 * found["rate, fixed"]["worst"]


def test_a_bad_batch_comes_out_of_calm_and_clipping_holds_it():
    found = rows("exploding")
    assert found["batch"]["highest"] > 100 * found["batch"]["calm"]
    assert found["batch"]["loss"] == pytest.approx(results("exploding")["guessing"], abs=0.05)
    assert found["batch, fixed"]["worst"] < 0.3
    assert found["batch"]["dead"] > 50 > found["batch, fixed"]["dead"]


def test_the_arithmetic_fails_in_good_runs():
    found, seeds = rows("exploding"), results("exploding")["seeds"]
    assert found["arithmetic"]["stopped"] > seeds / 2
    assert found["arithmetic"]["highest"] < 5
    assert found["arithmetic"]["lowest"] < 0.01
    assert found["arithmetic, fixed"]["stopped"] == 0
    assert results("exploding")["watch"]["where"] == "gradient of output"


def test_the_three_ways_to_write_the_loss_agree_where_numbers_are_ordinary():
    module = script("exploding")
    torch.manual_seed(0)
    outputs, y = torch.randn(20, 10), torch.randint(10, (20,))
    right = module.from_logits(outputs, y)
    torch.testing.assert_close(module.by_hand(outputs, y), right, rtol=1e-5, atol=0)
    torch.testing.assert_close(module.with_epsilon(outputs, y), right, rtol=1e-5, atol=0)


def test_probabilities_round_to_1_and_the_loss_is_nan():
    saturates = results("exploding")["saturates"]
    assert saturates["bfloat16"] < saturates["float16"] < saturates["float32"] == 17
    assert math.isnan(script("exploding").by_hand(torch.full((1, 10), 18.0), torch.tensor([0])).item())


def test_epsilon_stops_pushing_what_is_most_wrong():
    pushes = results("exploding")["push"]
    assert [push["exact"] for push in pushes] == pytest.approx([1, 1, 1], abs=0.01)
    assert pushes[-1]["epsilon"] < 0.01 < 0.9 < pushes[1]["epsilon"]


# --- training falls, validation does not --------------------------------------------------------------


def test_overfitting_begins_together_and_a_fault_does_not():
    first = results("gap")["first"]
    assert first["val"] < 2 * first["train"]
    assert first["raw"] > 5 * first["train"]


def test_the_training_set_through_the_broken_pipeline_is_off():
    curves = results("gap")["curves"]
    assert all(a > 5 * b for a, b in zip(curves["train as val"], curves["train"], strict=True))


def test_validation_loss_falls_and_rises():
    lowest = results("gap")["lowest"]
    assert 1 < lowest["epoch"] < results("gap")["epochs"]
    assert lowest["last"] > 1.1 * lowest["loss"]


def test_what_the_remedies_are_worth():
    found = rows("gap", by="remedy")
    assert found["more data"]["verdict"] == "better"
    assert found["more data"]["loss"] < min(row["loss"] for name, row in found.items() if name != "more data") / 2
    assert found["weight decay"]["verdict"] == "better"
    assert found["weight decay"]["accuracy"] == pytest.approx(found["nothing"]["accuracy"], abs=2)
    assert "better" not in (found["dropout"]["verdict"], found["smaller network"]["verdict"])


# --- the loss crawls ----------------------------------------------------------------------------------


def test_two_slow_runs_are_alike_in_loss_and_opposite_in_cosine():
    small, unscaled = results("slow")["neighbours"]
    assert small["loss 1"] == pytest.approx(unscaled["loss 1"], rel=0.1)
    assert small["turn 1"] > 0.99
    assert unscaled["turn 1"] < -0.5


def test_ten_times_the_rate_tells_them_apart():
    small, unscaled = results("slow")["neighbours"]
    assert small["loss 10"] < small["loss 1"] / 2
    assert unscaled["loss 10"] > 5 * unscaled["loss 1"]


def test_standardising_mends_what_adam_only_eases():
    found = rows("slow")
    assert found["raw, SGD"]["inside"]
    assert found["raw, Adam"]["highest"] < found["raw, SGD"]["lowest"] / 3
    assert found["standardised, SGD"]["highest"] < found["raw, Adam"]["lowest"] / 10


def test_the_curvatures_come_from_the_columns_with_the_ones():
    module = script("slow")
    x = torch.tensor([[2.0], [0.0]])
    # xᵀx / 2 with the ones is [[2, 1], [1, 1]]: eigenvalues (3 ± √5) / 2.
    found = module.curvature(x)
    assert found["largest"] == pytest.approx((3 + 5**0.5) / 2)
    assert found["smallest"] == pytest.approx((3 - 5**0.5) / 2)


# --- which problem is this? ---------------------------------------------------------------------------


def test_the_two_unnamed_runs_show_what_the_quiz_reads_off_them():
    found = results("mystery")
    assert found["turn"] < -0.9
    assert found["jump"] > 1000 * found["calm"]
    assert found["after"] == pytest.approx(math.log(10), abs=0.1)
    assert found["before"] < 0.8 * found["after"]
    assert all(map(math.isfinite, found["b"]["losses"]))
