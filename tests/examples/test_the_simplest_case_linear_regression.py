"""What the post on linear regression claims, as comparisons of this build's own numbers.

If a claim fails here, the sentence in the post must change, not this file.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from examples_of import ExamplesOf

results = ExamplesOf("the-simplest-case-linear-regression").results


def by_epoch() -> dict[int | None, dict]:
    return {row["epochs"]: row for row in results("three_loops")["rows"]}


# On paper


def test_the_two_steps_on_paper():
    first, second, third, _ = results("three_points")["steps"]
    assert first["residuals"] == [-3, -6, -6]
    assert first["loss"] == pytest.approx((9 + 36 + 36) / 3) == pytest.approx(27)
    assert first["w_grad"] == pytest.approx(2 / 3 * (-3 * 0 - 6 * 1 - 6 * 2)) == pytest.approx(-12)
    assert first["b_grad"] == pytest.approx(-10)
    assert (second["w"], second["b"]) == pytest.approx((1.2, 1.0))
    assert second["residuals"] == pytest.approx([-2, -3.8, -2.6])
    assert second["loss"] == pytest.approx((4 + 14.44 + 6.76) / 3) == pytest.approx(8.4)
    assert second["w_grad"] == pytest.approx(2 / 3 * (-3.8 - 5.2)) == pytest.approx(-6)
    assert second["b_grad"] == pytest.approx(2 / 3 * -8.4) == pytest.approx(-5.6)
    assert (third["w"], third["b"]) == pytest.approx((1.8, 1.56))


def test_lift_and_turn_are_minus_the_gradients_and_vanish_at_rest():
    found = results("three_points")
    assert found["best"]["w_grad"] == pytest.approx(0, abs=1e-12)
    assert found["best"]["b_grad"] == pytest.approx(0, abs=1e-12)
    # "the springs are not slack"
    assert min(abs(e) for e in found["best"]["residuals"]) > 0.1
    assert (found["best"]["w"], found["best"]["b"], found["best"]["loss"]) == pytest.approx((1.5, 3.5, 0.5))


def test_the_quiz_number_and_the_slips_it_knows():
    found = results("three_points")
    third = found["third"]
    assert third["right"] == pytest.approx(found["steps"][3]["w"])
    assert third["right"] == pytest.approx(1.8 + 0.288)
    residuals = [-1.44, -2.64, -0.84]
    assert found["steps"][2]["residuals"] == pytest.approx(residuals)
    assert found["steps"][2]["w_grad"] == pytest.approx(2 / 3 * (-2.64 - 1.68)) == pytest.approx(-2.88)
    turn, lift = (sum(e * x for e, x in zip(residuals, (0, 1, 2), strict=True)), sum(residuals))
    assert third["no_two"] == pytest.approx(1.8 - 0.1 * turn / 3)
    assert third["sum_for_mean"] == pytest.approx(1.8 - 0.1 * 2 * turn)
    assert third["uphill"] == pytest.approx(1.8 + 0.1 * 2 / 3 * turn)
    assert third["gradient_of_b"] == pytest.approx(1.8 - 0.1 * 2 / 3 * lift)
    # Told apart at the quiz's tolerance.
    values = sorted(third.values())
    assert min(b - a for a, b in pairwise(values)) > 0.004


# Three loops


@pytest.mark.parametrize("loop", ["by_hand", "with_nn"])
def test_three_loops_walk_one_path(loop):
    largest = results("three_loops")["largest"]
    assert largest["float32"][loop] < 1e-6
    assert largest["float64"][loop] < 1e-14
    # "the last digit a float32 has": one step of the grid between 2 and 4, where b comes to rest.
    assert largest["float32"][loop] <= 2**-22 == pytest.approx(2.4e-7, rel=0.01)


def test_with_roundings_in_the_same_order_nothing_is_left():
    found = results("three_loops")
    assert found["largest"]["float32"]["mirrored"] == 0
    assert found["largest"]["float64"]["mirrored"] == 0
    assert found["equal_epochs"]["mirrored"] == found["epochs"]
    assert 0.8 * found["epochs"] < found["equal_epochs"]["by_hand"] < found["epochs"]


def test_differences_do_not_pile_up():
    gap = results("three_loops")["gaps"]["float32"]["by_hand"]
    assert max(gap[10:]) <= max(gap[:10])


def test_how_far_from_the_judge():
    found, rows = results("three_loops"), by_epoch()
    assert 1.01 < rows[100]["ratio"] < 1.015
    assert found["one_per_cent"] < found["tenth_per_cent"] < 250
    assert rows[500]["ratio"] < 1.00001
    ratios = [row["ratio"] for row in found["rows"]]
    assert ratios == sorted(ratios, reverse=True)
    # "a loss that is nearly flat is no proof that the weights have stopped"
    assert found["best"]["w"] - rows[100]["w"] > 0.07


def test_the_truth_is_not_the_best_fit():
    found = results("three_loops")
    assert found["best"]["loss"] < found["truth_loss"]
    assert by_epoch()[100]["loss"] > found["truth_loss"]
    many = results("many_lines")
    assert many["best_beats_truth"] == many["seeds"] >= 1000


def test_what_the_stepper_says():
    stops = {stop["epoch"]: stop for stop in results("turning")["stops"]}
    best = results("turning")["best"]
    one = stops[1]
    assert (one["w"] + one["b"]) / one["b"] == pytest.approx(1.5, abs=0.1)
    assert stops[3]["loss"] < stops[0]["loss"] / 4  # sticks less than half as long
    assert stops[10]["w"] < best["w"] - 0.3
    assert stops[20]["b"] > best["b"] + 0.05
    assert stops[500]["w"] == pytest.approx(best["w"], abs=1e-3)
    # The corner: the first ten epochs go further than the next ninety.
    away = {epoch: ((s["w"] - best["w"]) ** 2 + (s["b"] - best["b"]) ** 2) ** 0.5 for epoch, s in stops.items()}
    assert away[0] - away[10] > 5 * (away[10] - away[100])


# Statistics


def test_standard_error_is_the_textbooks():
    found = results("many_lines")
    assert abs(found["measured"] - found["textbook"]) < found["measured_margin"]
    assert found["covered"] == pytest.approx(95, abs=1.5)
    x = torch.linspace(0, 1, 100, dtype=torch.float64)
    assert found["textbook"] == pytest.approx(0.2 / ((x - x.mean()) ** 2).sum().sqrt().item())
    assert abs(found["own"]["slope"] - 2) < found["own"]["error"]


def test_mean_floor_is_the_formulas():
    found = results("many_lines")["floor"]
    assert abs(found["mean"] - 0.0392) < found["margin"]
    for row in results("floor")["rows"]:
        assert row["formula"] == pytest.approx(row["noise"] ** 2 * (row["n"] - 2) / row["n"])
        # Twice the 95 % margin: six intervals at once.
        assert abs(row["mean"] - row["formula"]) < max(2 * row["margin"], 1e-12)
    four = next(row for row in results("floor")["rows"] if row["n"] == 4)
    assert four["mean"] == pytest.approx(four["guess"] / 2, rel=0.15)


def test_stopping_early_leans_towards_the_start_and_scatters_less():
    slopes = results("many_lines")["slopes"]
    assert slopes["100"]["mean"] + 10 * slopes["100"]["margin"] < 2
    assert slopes["100"]["std"] < 0.85 * slopes["best"]["std"]
    assert abs(slopes["500"]["mean"] - 2) < slopes["500"]["margin"]
    # The quiz: more than one standard error short.
    assert 2 - slopes["100"]["mean"] > results("many_lines")["textbook"]
    losses = results("mistakes")["healthy"]
    assert 0 < losses[99] / losses[100] - 1 < 0.001


# Where it breaks


def test_shape_trap_learns_the_mean_in_silence():
    found = results("shape_trap")
    assert found["warnings_from_bare_tensors"] == 0
    assert "broadcasting" in found["warning"]
    assert (found["shape"], found["residuals"]) == ("(100, 100)", 10_000)
    trapped, right = found["trapped"], found["right"]
    assert trapped["w"] == pytest.approx(0, abs=0.005)
    assert trapped["b"] == pytest.approx(found["mean"], abs=0.005)
    assert trapped["loss"] == pytest.approx(found["variance"], rel=1e-4)
    assert trapped["loss"] == pytest.approx(10 * right["loss"], rel=0.1)
    assert right["w"] == pytest.approx(found["best"]["w"], abs=1e-3)
    # "falls, bends and settles"
    assert all(b <= a for a, b in pairwise(trapped["losses"]))
    # "on its way down"
    assert trapped["w"] < 0.1 < found["early_w"]


def test_the_traps_loss_splits_as_derived():
    generator = torch.Generator().manual_seed(0)
    guess, y = torch.randn(7, 1, generator=generator), torch.randn(7, generator=generator)
    split = ((guess - y.mean()) ** 2).mean() + y.var(correction=0)
    assert ((guess - y) ** 2).mean() == pytest.approx(split.item(), rel=1e-5)


def test_updates_autograd_cannot_follow():
    at = {row["written"]: row for row in results("refusals")["rows"]}
    in_place, new, new_no_grad = at.values()
    assert in_place["epoch"] == 1
    assert "leaf" in in_place["says"]
    assert new["epoch"] == 2
    assert "NoneType" in new["says"]
    assert new_no_grad["epoch"] == 2
    assert "does not require grad" in new_no_grad["says"]


def test_uncleared_gradients_swing_for_ever():
    found = results("mistakes")
    assert found["dip"] == 3
    assert found["last_20"]["highest"] > found["healthy"][0]
    assert found["last_20"]["lowest"] < 0.1


def test_a_rate_too_high_grows_until_float32_ends():
    found = results("mistakes")
    losses = found["too_high"]
    assert all(b > a for a, b in pairwise(losses))
    # |1 − η λmax|² per epoch
    assert found["growth"] == pytest.approx((1 - 2.5359) ** 2, rel=1e-3)
    assert found["inf_at"] < found["nan_at"]


def test_one_after_the_other_hides():
    found = results("mistakes")
    right, sequential = found["after_one"]["right"], found["after_one"]["sequential"]
    assert sequential["w"] == right["w"]
    assert sequential["b"] < right["b"] - 0.04
    best = results("three_loops")["best"]
    end = found["at_the_end"]
    assert 0 < best["w"] - end["sequential"]["w"] < best["w"] - end["right"]["w"]
    # It arrives where the right loop explodes.
    assert found["tolerant"]["loss"] == pytest.approx(found["floor"], rel=1e-5)
    # The quiz: equal at the first epoch, three per cent apart at the second.
    assert found["one_after_the_other"][0] == found["healthy"][0]
    assert found["one_after_the_other"][1] / found["healthy"][1] == pytest.approx(1.03, abs=0.005)


# Exercises


def test_derived_gradients_are_autograds():
    paper, autograd, wrong = results("derivation")["rows"]
    assert paper["w_grad"] == pytest.approx(autograd["w_grad"], rel=1e-14)
    assert paper["b_grad"] == pytest.approx(autograd["b_grad"], rel=1e-14)
    assert wrong["b_grad"] == wrong["w_grad"] != pytest.approx(autograd["b_grad"], rel=0.1)


def test_both_gradients_zero_is_the_best_line():
    found = results("derivation")
    assert found["off"] < 1e-13
    wrong = found["wrong"]
    assert wrong["w"] == pytest.approx(wrong["b"])
    assert wrong["loss"] == pytest.approx(2 * results("three_loops")["best"]["loss"], rel=0.1)
    assert abs(wrong["b_grad"]) > 0.1


def test_standardising_rounds_the_bowl():
    found = results("standardise")
    raw, day, year, standardised = found["rows"]
    assert raw["condition"] > 15
    assert standardised["condition"] == pytest.approx(1)
    assert standardised["epochs"] == 1
    assert standardised["best_lr"] == pytest.approx(0.5)
    assert raw["epochs"] > 40
    assert found["at_same_lr"]["x"] > 4 * found["at_same_lr"]["standardised"]
    assert 1000 < day["condition"] < 2000
    assert year["epochs"] is None
    assert year["calculated"] > 1e11
    for row in (raw, day, standardised):
        assert row["epochs"] == row["calculated"]


def test_standardised_weights_come_back():
    found, best = results("standardise"), results("three_loops")["best"]
    assert found["back"]["w"] == pytest.approx(best["w"])
    assert found["back"]["b"] == pytest.approx(best["b"])
    assert found["raw_fed_loss"] > 5 * best["loss"]


def test_parabola():
    found = results("parabola")
    raw, standardised = found["rows"]
    assert found["gradient_gap"] < 1e-14
    assert raw["condition"] > 5 * standardised["condition"] > 5 * 10
    assert raw["epochs"] > 5 * standardised["epochs"]
    assert raw["floor"] == pytest.approx(standardised["floor"])
    assert found["straight_loss"] > 3 * raw["floor"]
    assert found["correlation"] > 0.95
    assert found["trapped_shape"] == "(3, 100)"
    high, low, near = (found["fits"][epoch][0] for epoch in ("3", "30", "300"))
    assert high > found["fits"]["best"][0] > near > low
