"""What the post on optimizers claims, as comparisons of this build's own numbers.

If a claim fails here, the sentence in the post must change, not this file.
"""

from __future__ import annotations

import pytest
from examples_of import ExamplesOf

EXAMPLES = ExamplesOf("optimization-algorithms-beyond-sgd")
results, rows = EXAMPLES.results, EXAMPLES.rows


def test_at_one_rate_plain_sgd_arrives_first_and_adam_last():
    found = results("convergence")
    assert found["sgd"]["below_0.1"] < found["rmsprop"]["below_0.1"] < found["adam"]["below_0.1"]
    assert found["sgd"]["mse"] < 1.001 * found["least_squares"]["mse"]
    assert found["sgd"]["mse"] < min(found["adam"]["mse"], found["rmsprop"]["mse"])


def test_first_place_is_not_the_luck_of_one_seed():
    first = results("convergence")["first"]
    assert first["seeds"] >= 20
    assert first["sgd"] >= 0.9 * first["seeds"]


def test_adam_rises_after_its_first_dip_and_rmsprop_late():
    found = results("convergence")
    adam, rmsprop = found["adam"]["losses"], found["rmsprop"]["losses"]
    dip = adam.index(min(adam[:25]))
    assert max(adam[dip : dip + 20]) > 2 * adam[dip]
    assert max(rmsprop[75:]) > 1.5 * min(rmsprop[40:75])
    assert all(b <= a for a, b in zip(found["sgd"]["losses"], found["sgd"]["losses"][1:], strict=False))


def test_first_steps_are_those_of_the_paper_calculation():
    found = results("first_step")
    assert found["at_one"]["adam"] == pytest.approx(0.1, rel=1e-6)
    assert found["at_one"]["rmsprop"] == pytest.approx(0.1 / 0.1**0.5, rel=1e-6)
    assert found["at_one"]["sgd"] == pytest.approx(0.1)
    assert found["ratio"] == pytest.approx(0.1 / 0.001**0.5, rel=1e-6)
    # "one per cent short": ε is one per cent of the smallest gradient.
    assert found["first"]["adam"][0] == pytest.approx(0.1 / 1.01, rel=1e-6)
    assert found["peak_epoch"] > 1
    assert found["longest"]["without"] > found["ratio"] * found["longest"]["with"]


def test_units_matter_to_sgd_alone():
    found = rows("units", by="optimizer")
    assert found["SGD"]["0.01"] > 100 * found["SGD"]["1"]
    assert found["SGD"]["0.01"] < results("units")["start"]
    assert found["SGD"]["100"] is None
    for name in ("RMSprop", "Adam"):
        for factor in ("0.01", "100"):
            assert found[name][factor] == pytest.approx(found[name]["1"], rel=1e-5)


def test_turning_the_ravine():
    found = rows("ravine", by="optimizer")
    for name in ("SGD", "SGD + momentum"):
        assert found[name]["loss_by_turning"] == pytest.approx(1, rel=1e-6)
    assert found["RMSprop"]["loss_by_turning"] > 1000
    assert found["RMSprop"]["along_height"] < found["SGD"]["along_height"] / 1000
    assert 1 < found["Adam"]["loss_by_turning"] < 2
    assert found["Adam"]["along_height"] > found["RMSprop"]["along_height"]


def test_tuned_sgd_wins_in_every_seed():
    found = results("tuned")
    assert found["seeds"] >= 5
    assert set(found["sgd_wins"].values()) == {found["seeds"]}
    table = rows("tuned", by="optimizer")
    assert table["SGD"]["high"] < min(row["low"] for name, row in table.items() if name != "SGD")
    wide = {name: row["below_1e-3"] for name, row in table.items()}
    assert wide["SGD + momentum"] > max(wide["Adam"], wide["SGD"])
    assert wide["RMSprop"] < min(wide["Adam"], wide["SGD"])
    # "the last one before the cliff", "no cliff anywhere"
    curves = found["curves"]
    assert table["SGD"]["best_lr"] == max(curves["sgd"]["lr"])
    assert len(curves["adam"]["lr"]) == found["rates"] > len(curves["sgd"]["lr"])


@pytest.mark.parametrize(("lr", "leader"), [(0.001, "momentum"), (0.1, "rmsprop"), (0.63, "sgd")])
def test_ranking_depends_on_the_learning_rate(lr, leader):
    medians = {}
    for name, curve in results("tuned")["curves"].items():
        index = min(range(len(curve["lr"])), key=lambda i: abs(curve["lr"][i] - lr))
        if abs(curve["lr"][index] / lr - 1) < 0.05:
            medians[name] = curve["median"][index]
    assert min(medians, key=medians.get) == leader


def test_sgd_has_no_points_at_one():
    curves = results("tuned")["curves"]
    assert max(curves["sgd"]["lr"]) < 0.8
    assert max(curves["adam"]["lr"]) > 1


def test_the_wall_is_at_two_over_the_largest_curvature():
    found = results("lr_grid")
    assert found["wall"]["lr"] == pytest.approx(2 / found["curvature"]["max"])
    below, above = found["beside_the_wall"]["below"], found["beside_the_wall"]["above"]
    assert below[-1] < below[0] / 50
    assert above[-1] > 100 * above[0]


def test_learning_rate_grid():
    found = {(row["optimizer"], row["lr"]): row for row in results("lr_grid")["rows"]}
    sgd = [found["SGD", lr]["mse"] for lr in (0.01, 0.05, 0.1, 0.2)]
    assert sgd == sorted(sgd, reverse=True)
    adam = [found["Adam", lr]["mse"] for lr in (0.01, 0.05, 0.1, 0.2)]
    assert adam == sorted(adam, reverse=True)
    rmsprop = {lr: found["RMSprop", lr]["mse"] for lr in (0.01, 0.05, 0.1, 0.2)}
    assert min(rmsprop, key=rmsprop.get) == 0.05


def test_momentum():
    found = results("momentum")
    assert found["rises"]["sgd"] == 0
    assert found["rises"]["momentum"] > 30
    assert found["curves"]["momentum"][-1] < found["curves"]["sgd"][-1]
    assert found["curves"]["nesterov"][-1] < found["curves"]["momentum"][-1]
    ends = {row["momentum"]: row["excess"] for row in found["rows"]}
    assert min(ends, key=ends.get) == 0.4
    assert ends[0.9] > ends[0.0]
    assert found["theory"]["momentum"] == pytest.approx(0.4, abs=0.05)


def test_noise_moves_the_minimum_and_not_the_optimizer():
    found = results("noise")
    assert found["seeds"] >= 5
    best = [row["to_truth"]["median"] for row in found["rows"] if row["optimizer"] == "best line"]
    assert best[1] / best[0] == pytest.approx(2.5, rel=1e-4)
    for name in ("SGD", "RMSprop", "Adam"):
        quiet, loud = (row["to_best"]["median"] for row in found["rows"] if row["optimizer"] == name)
        assert loud == pytest.approx(quiet, rel=0.35)


def test_learned_weights():
    found = results("paths")
    at = {(row["optimizer"], row["epochs"]): row for row in found["rows"]}
    best = found["best"]
    for name in ("SGD", "Adam"):
        assert at[name, 1000]["w"] == pytest.approx(best["w"], abs=1e-4)
        assert at[name, 1000]["b"] == pytest.approx(best["b"], abs=1e-4)
    assert found["spread_w"] > 0.2
    # Derived in Exercise 5: the swing is one learning rate.
    assert found["late_swing"]["rmsprop"] == pytest.approx(0.1, rel=1e-3)
    assert found["late_swing"]["sgd"] < 1e-4


def test_forgotten_zero_grad_swings_for_ever():
    found = results("forgotten_zero_grad")
    late = found["last_20"]
    assert late["sgd"]["highest"] > 50 * late["sgd"]["lowest"]
    assert found["adam"]["forgotten"][-1] > found["adam"]["forgotten"][0]
    assert abs(found["adam_dip"]["kept"] - found["adam_dip"]["forgotten"]) <= 5


def test_unpaired_starts_cost_runs():
    found = results("unpaired")
    assert found["paired"]["rmsprop_ahead"] > found["unpaired"]["rmsprop_ahead"] > found["repetitions"] / 2
    assert found["spread_ratio"] > 1.2
