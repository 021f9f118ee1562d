"""What post 1.3 claims, as comparisons of this build's own numbers, and its arithmetic on paper.

If a claim fails here, the sentence in the post must change, not this file.
"""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from examples_of import ExamplesOf

EXAMPLES = ExamplesOf("batch-vs-stochastic-gradient-descent")
results, script = EXAMPLES.results, EXAMPLES.script


def noise(s2: float, n: int, batch: int) -> float:
    """The page's formula for batches drawn without replacement."""
    return s2 / batch * (n - batch) / (n - 1)


# --- the gradient and the loop ------------------------------------------------------------------------


def test_the_hand_written_gradient_is_autograds():
    module = script("three_sizes")
    x, y = torch.rand(7, dtype=torch.float64), torch.rand(7, dtype=torch.float64)
    θ = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
    (θ[0] * x + θ[1] - y).square().mean().backward()
    torch.testing.assert_close(module.gradient(θ.detach(), x, y), θ.grad, rtol=1e-12, atol=0)


def test_excess_is_the_loss_above_the_best_lines():
    module = script("three_sizes")
    x, y = (t.flatten() for t in module.noisy_line(dtype=torch.float64))
    path = torch.tensor([[0.0, 0.0], [1.5, 2.0]], dtype=torch.float64)
    loss = (path[:, :1] * x + path[:, 1:] - y).square().mean(dim=1)
    best = module.least_squares(x[:, None], y[:, None])[2]
    torch.testing.assert_close(module.excess(path, x, y), loss - best, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("batch_size", "steps"), [(100, 1), (30, 4), (10, 10), (1, 100)])
def test_an_epoch_takes_n_over_b_steps_rounded_up(batch_size, steps):
    module = script("three_sizes")
    x, y = (t.flatten() for t in module.noisy_line(dtype=torch.float64))
    path = module.descend(x, y, batch_size, 0.1, 2, torch.Generator().manual_seed(0))
    assert len(path) == 1 + 2 * steps


def test_with_the_full_batch_the_shuffle_changes_only_the_order_of_a_sum():
    module = script("three_sizes")
    x, y = (t.flatten() for t in module.noisy_line(dtype=torch.float64))
    one, other = (module.descend(x, y, 100, 0.1, 20, torch.Generator().manual_seed(k)) for k in (0, 1))
    torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-14)


def test_dataloader_serves_what_the_permutation_does():
    found = results("with_torch")
    assert found["sizes"] == [30, 30, 30, 10]
    assert found["batches"] == 4
    assert found["each_once"]
    assert not found["same_order_twice"]
    assert (found["batches_drop_last"], found["left_out"]) == (3, 10)
    assert found["apart"] < 1e-14


# --- the arrows ---------------------------------------------------------------------------------------


def test_arrows_agree_at_the_start_and_disagree_at_the_best_line():
    sizes = results("arrows")["sizes"]
    assert all(found["far"]["uphill"] == 0 for found in sizes.values())
    uphill = [found["near"]["uphill"] for found in sizes.values()]
    assert uphill == sorted(uphill, reverse=True)
    assert 35 < uphill[0] < 50  # "almost a coin toss"
    assert uphill[-1] == 0


def test_one_example_pulls_along_x_and_one():
    module = script("arrows")
    x, y = (t.flatten() for t in module.noisy_line(dtype=torch.float64))
    pulls = module.single_gradients(torch.tensor([0.5, 1.0], dtype=x.dtype), x, y)
    torch.testing.assert_close(pulls[:, 0], pulls[:, 1] * x)


# --- the noise ----------------------------------------------------------------------------------------


def test_four_numbers_on_paper():
    found = results("gradient_noise")["four"]
    assert found["one"] == 5
    assert found["pairs"] == pytest.approx(Fraction(4 + 1 + 0 + 0 + 1 + 4, 6))
    assert found["pairs"] == pytest.approx(noise(5, 4, 2))
    assert found["pairs_with"] == pytest.approx(5 / 2)
    assert found["triples"] == pytest.approx(noise(5, 4, 3))
    assert found["all"] == 0


def test_noise_follows_the_formula_with_and_without_replacement():
    found = results("gradient_noise")
    assert found["seeds"] >= 5
    assert found["off_by"] < 0.12  # of every size, every data set; 2,000 draws
    with_, few, every, corrected = found["rows"]
    for row in (with_, corrected):
        assert row["low"] < row["median"] < row["high"]
        assert row["median"] == pytest.approx(-1, abs=0.02)
        assert row["low"] < -0.97
        assert row["high"] > -1.03
    assert every["high"] < few["low"] < -1
    assert every["median"] < -1.5


def test_the_full_batch_has_no_noise_but_rounding():
    found = results("gradient_noise")
    assert 0 <= found["full"] < 1e-28
    assert noise(1.0, 100, 100) == 0
    assert found["measured"]["without"][-2] > 1e-6


def test_the_correction_at_ten_of_a_hundred():
    assert noise(1.0, 100, 10) * 10 == pytest.approx(0.91, abs=0.002)


def test_signal_and_noise_at_the_start():
    found = results("gradient_noise")["seed_42"]
    ratio = found["start_gradient"] / math.sqrt(found["start"])
    assert ratio == pytest.approx(3, abs=0.3)  # "three to one"
    assert found["best"] < found["start"] / 10


def test_s_squared_at_the_best_line_on_paper():
    on_paper = 4 * 0.2**2 * 4 / 3
    assert on_paper == pytest.approx(0.213, abs=0.0005)
    assert results("floor")["s2"]["median"] == pytest.approx(0.213, rel=0.05)


# --- the hover ----------------------------------------------------------------------------------------


def test_the_hover_is_proportional_to_the_quotient():
    found = results("floor")
    assert found["seeds"] >= 5
    assert found["slope"] == pytest.approx(1, abs=0.05)
    same = found["same_quotient"]
    assert max(same[k]["low"] for k in same) < min(same[k]["high"] for k in same)
    for size in ("1", "5", "20"):
        slow = found["slow"][size]
        assert slow["low"] < 1 < slow["high"]
        assert slow["median"] == pytest.approx(1, abs=0.1)
        assert found["fast"][size]["low"] > 1.2


def test_the_hover_on_paper():
    on_paper = 0.1 * 0.213 / 4
    assert on_paper == pytest.approx(0.0053, abs=0.00005)
    found = results("floor")
    assert found["at_tenth"] == pytest.approx(0.0053, rel=0.2)
    # Without the approximation of small steps: within the range of the larger batches, short of B = 1.
    for size in ("5", "20"):
        assert found["fast"][size]["low"] < found["refined"]["median"] < found["fast"][size]["high"]
        assert found["fast"][size]["median"] == pytest.approx(found["refined"]["median"], rel=0.03)
    assert found["fast"]["1"]["median"] > 1.04 * found["refined"]["high"]
    # With nothing left out, theory and runs agree at every size.
    for size in ("1", "5", "20"):
        assert found["fast"][size]["median"] == pytest.approx(found["exact"][size], rel=0.03)


def test_the_derivation_solves_its_own_equation():
    η, λ, s2, B = 0.2, 2.5, 0.21, 4
    v = η * s2 / (B * λ * (2 - η * λ))
    assert v == pytest.approx((1 - η * λ) ** 2 * v + η**2 * s2 / B)
    assert λ / 2 * v == pytest.approx(η * s2 / (2 * B * (2 - η * λ)))


def test_reshuffling_changes_the_power_of_the_learning_rate():
    found = results("floor")
    slopes = found["slopes_by_lr"]
    assert slopes["replacement"] == pytest.approx(1, abs=0.15)
    assert slopes["reshuffled"] == pytest.approx(2, abs=0.15)
    assert slopes["epoch_ends"] == pytest.approx(3, abs=0.2)
    assert found["gain"] > 100
    assert 1 < found["gain_fast"] < 4
    slow = next(p for p in found["points"] if (p["size"], p["lr"]) == (20, 0.01))
    assert slow["epoch_ends"]["high"] < slow["reshuffled"]["low"]
    assert slow["reshuffled"]["high"] < slow["replacement"]["low"]


# --- the three sizes ----------------------------------------------------------------------------------


def test_the_ranking_turns_between_epochs_and_steps():
    found = results("three_sizes")
    assert found["seeds"] >= 5
    batch, minibatch, single = found["rows"]
    assert single["after_1_epoch"] < minibatch["after_1_epoch"] < batch["after_1_epoch"]
    assert max(batch["after_steps"], minibatch["after_steps"]) < single["after_steps"] / 2
    assert batch["after_steps"] < minibatch["after_steps"]
    # The bands are apart, not only the medians.
    per_epoch, per_step = found["per_epoch"], found["per_step"]
    assert per_epoch["single"]["high"][10] < per_epoch["minibatch"]["low"][10] < per_epoch["batch"]["low"][1]
    assert per_step["batch"]["high"][-1] < per_step["single"]["median"][-1]


def test_under_a_tenth_in_the_same_number_of_steps():
    rows = results("three_sizes")["rows"]
    steps = [row["steps_to_0_1"] for row in rows]
    assert max(steps) - min(steps) <= 1
    assert [row["examples_to_0_1"] for row in rows] == [s * B for s, B in zip(steps, (100, 10, 1), strict=True)]


def test_single_examples_stop_falling_after_the_first_epoch():
    curve = results("three_sizes")["per_epoch"]["single"]["median"]
    first, rest = curve[10], curve[11:]
    assert sum(rest) / len(rest) > 0.7 * first


def test_tuned_each_budget_has_its_own_answer():
    found = results("tuned_sizes")
    three, thirty, steps = (found["budgets"][name] for name in ("3 epochs", "30 epochs", "30 steps"))
    judged = found["judge"]
    assert judged >= 5
    assert three["single_beats_batch"] >= 0.9 * judged
    assert steps["single_beats_batch"] <= 0.05 * judged
    assert 0.3 * judged < thirty["single_beats_batch"] < 0.7 * judged
    assert three["rows"][0]["median"] < three["rows"][-1]["median"]
    assert steps["rows"][-1]["high"] < steps["rows"][0]["low"]
    # "all seven ranges overlap"
    assert max(row["low"] for row in thirty["rows"]) < min(row["high"] for row in thirty["rows"])
    assert all(found["budgets"][name]["at_edge"] == 0 for name in found["budgets"])
    assert 1 < three["rows"][-1]["best_lr"] / three["rows"][0]["best_lr"] < 100


# --- seconds ------------------------------------------------------------------------------------------


def test_small_batches_pay_for_steps():
    found = results("wall_time")
    assert found["machine"]
    assert found["torch_threads"] == 1
    assert found["first_over_last"] > 100
    epochs = [row["epoch_ms"] for row in found["rows"]]
    assert epochs[0] > 10 * epochs[3] > 10 * epochs[-1]
    assert found["overhead_us"] > 100 * found["per_example_ns"] / 1000
    assert found["hundred"]["100"] < 5 * found["hundred"]["1"]
    assert found["loader"]["times"] > 1.5


# --- where it breaks ----------------------------------------------------------------------------------


def test_not_dividing_is_a_learning_rate_n_times_larger():
    found = results("summed")
    assert found["furthest"] < 1e-12
    one, five, ten = found["rows"]
    assert five["summed"] < one["divided"]
    assert ten["summed"] is None
    assert ten["acts_like"] > found["wall"] > five["acts_like"]
    assert found["curves"]["10"]["summed"][-1] > 1e6
    before, after = found["curves"]["10"]["summed"][-2:]
    assert after / before == pytest.approx(found["grows"], rel=1e-3)
    assert one["divided"] == pytest.approx(ten["divided"])
    assert [row["loss"] is None for row in found["sums"]] == [False, False, False, True]


def test_only_an_order_that_knows_the_errors_hurts_for_good():
    found = results("sorted_data")
    shuffled, by_x, by_y = found["rows"]
    assert found["seeds"] >= 5
    assert found["worse"]["by_y"] == found["seeds"]
    assert by_y["low"] > shuffled["high"]
    assert found["times"] > 20
    assert by_y["highest"] > 5 * by_y["lowest"]  # a saw
    assert 0.25 * found["seeds"] < found["worse"]["by_x"] < 0.75 * found["seeds"]
    assert by_x["low"] < shuffled["median"] < by_x["high"]
    curves = found["curves"]
    assert curves["by_x"][40] > 10 * curves["shuffled"][40]  # slow at first: after two epochs


def test_averaging_slices_fits_another_data_set():
    found = results("last_batch")
    thirty, thirty_three = found["rows"]
    assert found["seeds"] >= 5
    assert thirty_three["times"] == pytest.approx(25)
    assert thirty["times"] == pytest.approx(2.5)
    assert found["right_end"] < 1e-12
    assert thirty_three["low"] > 1e-6 > found["right_end"]
    assert thirty["median"] < thirty_three["median"]
    assert found["report"]["33"] != pytest.approx(found["report"]["true"], rel=0.05)
    for curve in (found["curves"]["33"], found["curves"]["30"]):
        assert curve[-1] == pytest.approx(curve[-10], rel=0.01)


def test_one_point_copied_twenty_five_times():
    """33 copies of the last point beside 99 others weigh it as 33, 33, 33, 1 does: a quarter."""
    module = script("last_batch")
    x, y = (t.flatten() for t in module.noisy_line(dtype=torch.float64))
    copied_x = torch.cat([x, x[-1:].expand(32)])
    copied_y = torch.cat([y, y[-1:].expand(32)])
    θ = torch.tensor([1.0, 2.0], dtype=x.dtype)
    torch.testing.assert_close(module.by_slices(θ, x, y, 33), module.gradient(θ, copied_x, copied_y))


# --- exercises ----------------------------------------------------------------------------------------


def test_linear_scaling_holds_up_to_the_wall():
    found = results("linear_scaling")
    rows = {row["size"]: row for row in found["rows"]}
    reference = rows[10]["scaled_median"]
    for size in (1, 2, 5, 20):
        assert rows[size]["scaled_median"] == pytest.approx(reference, rel=0.15)
    assert 1.2 * reference < rows[50]["scaled_median"] < 3 * reference
    assert rows[100]["scaled_low"] > 100
    assert rows[100]["scaled_lr"] > found["wall"] > rows[50]["scaled_lr"]
    assert rows[100]["kept_low"] > 1000 * rows[5]["kept_median"]


def test_the_mean_of_many_walks_is_the_full_batchs_path():
    found = results("averaged")
    assert found["apart"] < 2 * found["expected"]
    assert found["one_apart"] > 10 * found["apart"]
    assert found["loss_of_mean"] == pytest.approx(found["full_loss"], rel=0.1)
    assert found["mean_of_losses"] > 5 * found["loss_of_mean"]


def test_accumulated_gradients_are_the_full_batchs():
    found = results("accumulate")
    assert found["worst_gradient"] < found["bound"] / 10
    assert found["worst_path"] < 1e-14
    last = {row["size"]: row["last"] for row in found["rows"]}
    assert last[7] == 2
    assert last[33] == 1
    full = next(row for row in found["rows"] if row["size"] == 100)
    assert full["first_gradient"] == full["path"] == 0
    assert found["float32_path"] > 1e3 * found["worst_path"]


@pytest.mark.parametrize("micro_batch", [1, 7, 33, 64, 99, 100])
def test_accumulation_against_autograd_on_everything(micro_batch):
    module = script("accumulate")
    x, y = (t.flatten() for t in module.noisy_line(dtype=torch.float64))
    w, b = module.parameters(x.dtype)
    module.accumulated(w, b, x, y, micro_batch)
    full_w, full_b = module.parameters(x.dtype)
    (full_w * x + full_b - y).square().mean().backward()
    assert w.grad.item() == pytest.approx(full_w.grad.item(), abs=results("accumulate")["bound"])
    assert b.grad.item() == pytest.approx(full_b.grad.item(), abs=results("accumulate")["bound"])


# --- the quiz -----------------------------------------------------------------------------------------


def test_the_number_question_and_its_mistakes():
    assert noise(0.8, 100, 25) == pytest.approx(0.0242, abs=0.00005)
    mistakes = {0.032: 0.8 / 25, 0.16: 0.8 / math.sqrt(25), 0.606: 0.8 * 75 / 99}
    for typed, computed in mistakes.items():
        assert computed == pytest.approx(typed, abs=0.0005)


def test_the_rate_that_hovers_like_a_larger_batch():
    assert 0.025 / 8 == 0.1 / 32
