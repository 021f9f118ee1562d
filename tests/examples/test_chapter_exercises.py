"""What the exercises of the chapter claim, as comparisons of this build's own numbers; their rules against oracles.

If a claim fails here, the sentence on the page must change, not this file.
"""

from __future__ import annotations

import math

import pytest
import torch
from examples_of import ExamplesOf
from torch import nn

EXAMPLES = ExamplesOf("chapter-exercises")
results, script = EXAMPLES.results, EXAMPLES.script


# --- exercise 1 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("lr", "alpha", "eps"), [(1e-2, 0.99, 1e-8), (0.3, 0.5, 1e-3), (1e-3, 0.0, 0.0)])
def test_rmsprop_by_hand_is_torchs_to_the_bit(dtype, lr, alpha, eps):
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(7, 3, generator=generator, dtype=dtype)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    optimizer = script("rmsprop_by_hand").RMSprop([ours], lr=lr, alpha=alpha, eps=eps)
    oracle = torch.optim.RMSprop([theirs], lr=lr, alpha=alpha, eps=eps, foreach=False)
    for _ in range(50):
        gradient = torch.randn(7, 3, generator=generator, dtype=dtype)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        optimizer.step()
        oracle.step()
        assert torch.equal(ours, theirs)


def test_rmsprop_by_hand_refuses_what_makes_no_sense():
    rule = script("rmsprop_by_hand").RMSprop
    for options in ({"lr": -1}, {"alpha": 1}, {"eps": -1e-8}):
        with pytest.raises(ValueError, match="must be"):
            rule([nn.Parameter(torch.zeros(1))], **options)


def test_epsilon_under_the_root_is_another_rule():
    found = results("rmsprop_by_hand")
    assert found["to_torch"] == 0
    assert found["to_torch_inside"] > 0.1


def test_a_visit_is_not_an_arrival():
    found = results("rmsprop_by_hand")
    rows = {row["optimizer"]: row for row in found["rows"]}
    assert rows["RMSprop"]["first_stays"] is None  # passes through
    assert rows["RMSprop"]["stays"] > 4 * rows["RMSprop"]["first"]
    assert rows["Adam"]["stays"] < min(rows["RMSprop"]["stays"], rows["SGD"]["stays"]) / 2
    curves = found["curves"]
    assert sum(steps is not None for steps in curves["sgd"]["stays"]) == 1
    assert sum(steps is not None for steps in curves["rmsprop"]["stays"]) == 2
    assert sum(steps is not None for steps in curves["rmsprop"]["first"]) == 3


def test_arrivals_know_visits_from_arrivals():
    module = script("rmsprop_by_hand")
    far, near = [-1.2, 1.0], [1.0, 1.0]
    walks = torch.tensor([[far, near, far, near, near], [far, near, near, near, far], [far, far, far, far, far]])
    first, stays = module.arrivals(walks.permute(1, 0, 2).unsqueeze(1))
    assert first.tolist() == [[1, 1, 5]]
    assert stays.tolist() == [[3, 5, 5]]


# --- its bonus ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lr", "momentum"), [(0.002, 0.9), (1e-4, 0.5), (0.01, 0.99)])
def test_nesterov_rmsprop_is_both_of_its_transcriptions(lr, momentum):
    module = script("nesterov_rmsprop")
    xy = torch.tensor([-1.2, 1.0], dtype=torch.float64)
    optimizer = module.NesterovRMSprop([xy], lr=lr, momentum=momentum)
    points = [xy.tolist()]
    for _ in range(60):
        xy.grad = torch.tensor(module.slope(xy.clone()), dtype=torch.float64)
        optimizer.step()
        points.append(xy.tolist())

    def slope(θ):
        return [d.item() for d in module.rosenbrock.grad(*θ)]

    module.slope = slope
    for transcription in (module.transcribed, module.looking_ahead):
        other = transcription((-1.2, 1.0), 60, η=lr, μ=momentum)
        assert module.apart(points, other) < 1e-12  # float64 rounding, 60 steps


def test_nesterov_rmsprop_takes_lists_groups_and_checkpoints():
    module = script("nesterov_rmsprop")
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    other = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    other.load_state_dict(model.state_dict())
    optimizer = module.NesterovRMSprop(model.parameters(), lr=0.01)
    again = module.NesterovRMSprop(other.parameters(), lr=0.01)
    for step in range(6):
        for net, rule in ((model, optimizer), (other, again)):
            rule.zero_grad()
            net(torch.ones(2, 3) * (step + 1)).sum().backward()
            rule.step()
        if step == 2:
            again.load_state_dict(optimizer.state_dict())
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), other.parameters(), strict=True))
    with pytest.raises(ValueError, match="momentum must be > 0"):
        module.NesterovRMSprop(model.parameters(), momentum=0)


def test_momentum_helps_rmsprop_and_nesterov_is_not_better():
    found = results("nesterov_rmsprop")
    assert found["to_transcription"] < 1e-12
    assert found["to_look_ahead"] < 1e-12
    assert found["fresh"] >= 5
    valley, digits = found["valley"], found["digits"]
    assert all(pair["separable"] for pair in valley.values())
    assert valley["nesterov_momentum"]["gap"] > 0  # more steps
    assert valley["momentum_rmsprop"]["gap"] < -math.log(1.5)
    assert not digits["nesterov_momentum"]["separable"]
    assert digits["nesterov_rmsprop"]["separable"] and digits["nesterov_rmsprop"]["gap"] < 0
    # The wrong turn: at one rate the order is reversed.
    one = found["at_one_rate"]
    assert one["rmsprop"] < one["nesterov"] < one["momentum"]
    # The best rates lie inside the grid.
    for curve in found["curves"].values():
        assert 0 < curve["digits"].index(min(curve["digits"])) < len(curve["lr"]) - 1


# --- exercise 2 --------------------------------------------------------------------------------------


def test_at_one_peak_no_schedule_wins():
    gains = results("schedules")["one"]["gains"]
    assert all(gain["separable"] and gain["gap"] < 0 for gain in gains.values())
    assert min(gains, key=lambda name: gains[name]["gap"]) == "step_decay"
    assert max(gains, key=lambda name: gains[name]["gap"]) == "one_cycle"


def test_at_their_own_peaks_schedules_are_not_separable():
    found = results("schedules")
    assert found["fresh"] >= 5
    assert not any(gain["separable"] for gain in (*found["tuned"]["gains"].values(), *found["among"].values()))
    gains = found["tuned"]["gains"]
    assert max(gains, key=lambda name: gains[name]["gap"]) == "warmup"
    assert found["tuned"]["different_winners"] >= 3
    rows = {row["schedule"]: row for row in found["tuned"]["rows"]}
    assert rows["none"]["least_accuracy"] < rows["warm-up, cosine"]["least_accuracy"] - 0.005
    for losses in found["searched"].values():
        assert 0 < losses.index(min(losses)) < len(losses) - 1


def test_the_five_shapes_have_one_peak():
    module = script("schedules")
    for name in module.SCHEDULES:
        rates = module.rates_over(name, 0.5, 60)
        assert max(rates) == pytest.approx(0.5)
        assert rates[-1] == pytest.approx(0.5) if name == "constant" else rates[-1] < 0.06
    assert module.rates_over("one_cycle", 0.5, 60)[0] == pytest.approx(0.5 / 25)


def test_epoch_below():
    below = script("schedules").epoch_below
    assert below([3.0, 1.0, 2.0], 1.5) == 2
    assert below([3.0, 2.0], 1.5) is None


def test_the_steepest_point_is_as_good_as_a_search():
    found = results("one_cycle_rate")
    to_search = found["to_search"]
    assert not to_search["steepest"]["separable"]
    for method in ("minimum", "valley"):
        assert to_search[method]["separable"] and to_search[method]["gap"] < -0.005
    assert to_search["valley"]["gap"] < to_search["minimum"]["gap"]
    assert found["finder_changed_weights_by"] == 0
    assert found["finder"]["stopped"] == "diverged"
    losses = found["searched_losses"]
    assert 0 < losses.index(min(losses)) < len(losses) - 1


def test_a_finder_that_does_not_restore_ruins_the_run():
    found = results("one_cycle_rate")
    assert found["careless_start_loss"] > 5
    assert {row["choice"]: row for row in found["rows"]}["careless"]["accuracy"] < 0.3


# --- exercise 3 --------------------------------------------------------------------------------------


def test_accumulation_is_exact_but_for_batchnorm():
    found = results("accumulation")
    assert found["apart_double"] < 1e-13
    assert found["apart"] < 1e-5
    assert found["uneven_weighted"] < 1e-5
    assert found["weights_apart"] < 1e-5
    assert found["uneven_unweighted"] > 0.1
    assert found["apart_batchnorm"] > 1000 * found["apart"]
    assert found["kept_ratio"] == pytest.approx(16, rel=0.01)
    whole, cut = found["rows"]
    assert whole["accuracy"] == pytest.approx(cut["accuracy"], abs=0.002)


def test_the_scaling_rule_holds_and_then_breaks():
    found = results("large_batch")
    over, at = found["over"], found["at"]
    assert found["seeds"] >= 5
    assert over["scaled_same"]["256"]["separable"] and over["scaled_same"]["256"]["gap"] > 0.1
    assert at["scaled"]["256"] > at["same"]["32"] - 0.03
    assert at["scaled"]["512"] < at["scaled"]["256"] - 0.1
    spread = {kind: found["curves"]["scaled"][kind][3] for kind in ("least", "most")}
    assert spread["most"] > spread["least"] + 0.3
    assert not any(pair["separable"] for pair in over["warmed_scaled"].values())


def test_lars_beats_searched_sgd_and_not_searched_adam():
    over = results("large_batch")["over"]
    for batch in ("512", "1024"):
        assert over["lars_sgd"][batch]["separable"] and over["lars_sgd"][batch]["gap"] > 0
        assert not over["lars_adam"][batch]["separable"]


def test_searches_did_not_end_at_an_edge():
    found, module = results("large_batch"), script("large_batch")
    grids = {"sgd": module.SGD_RATES, "lars": module.LARS_RATES, "adam": module.ADAM_RATES}
    for name, rates in found["rates"].items():
        assert len(grids[name]) == found["grid"]
        assert all(grids[name][0] < lr < grids[name][-1] for lr in rates.values())


def test_mixed_precision_keeps_the_accuracy_and_weights_need_32_bits():
    found = results("mixed_precision")
    assert found["seeds"] >= 5
    assert not found["gap"]["separable"]
    assert abs(found["small_steps"]["float32"]) < 1e-3
    assert found["small_steps"]["bfloat16"] == 1
    assert all(row["float32"] > 0 and row["low"] > 0 for row in found["rows"])
