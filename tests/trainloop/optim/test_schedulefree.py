"""Schedule-Free SGD and AdamW: their rates, and both modes."""

import copy
import io
import math

import pytest
import torch

from trainloop.optim import ScheduleFreeAdamW, ScheduleFreeSGD
from trainloop.optim._schedulefree import ScheduleFree

BOTH = pytest.mark.parametrize("optimizer", [ScheduleFreeSGD, ScheduleFreeAdamW])


def test_with_a_constant_rate_x_is_the_mean_of_all_z():
    w = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimizer, zs = ScheduleFreeSGD([w], lr=0.1), []
    for t in range(30):
        w.grad = w.detach() + math.sin(t)
        optimizer.step()
        zs.append(optimizer.state[w]["z"].clone())
    optimizer.eval()
    torch.testing.assert_close(w.detach(), torch.stack(zs).mean(0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("optimizer", "options", "message"),
    [
        (ScheduleFreeSGD, {"momentum": 0.0}, "momentum must be in (0, 1), got 0.0"),
        (ScheduleFreeSGD, {"momentum": 1.0}, "momentum must be in (0, 1), got 1.0"),
        (ScheduleFreeAdamW, {"betas": (0.0, 0.9)}, "betas must begin above 0, got (0.0, 0.9)"),
        *(
            (optimizer, {name: -1}, f"{name} must be >= 0, got -1")
            for optimizer in (ScheduleFreeSGD, ScheduleFreeAdamW)
            for name in ("warmup_steps", "weight_lr_power")
        ),
    ],
)
def test_refuses(assert_refuses, optimizer, options, message):
    assert_refuses(optimizer, options, message)


def test_base_class_leaves_the_share_of_x_to_its_subclasses():
    with pytest.raises(NotImplementedError):
        ScheduleFree.beta(None, {})


# --- Rates ------------------------------------------------------------------------------------------


@BOTH
def test_warmup_reaches_the_rate_at_its_last_step(optimizer):
    w = torch.zeros(1, requires_grad=True)
    made = optimizer([w], lr=0.5, warmup_steps=4)
    rates = []
    for _ in range(6):
        w.grad = torch.ones(1)
        made.step()
        rates.append(made.param_groups[0]["scheduled_lr"])
    assert rates == [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]


@BOTH
def test_a_rate_of_0_moves_nothing(optimizer):
    w = torch.ones(2, dtype=torch.float64, requires_grad=True)
    made = optimizer([w], lr=0.0)
    for lr in (0.0, 0.0, 0.1):
        made.param_groups[0]["lr"] = lr
        w.grad = torch.ones(2, dtype=torch.float64)
        before = w.tolist()
        made.step()
        assert (w.tolist() == before) is (lr == 0.0)
        assert w.isfinite().all()


def test_a_layer_that_is_unfrozen_late_starts_with_an_ordinary_step():
    early, late = (torch.zeros(2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    optimizer = ScheduleFreeAdamW([early, late], lr=0.1)
    for t in range(50):
        early.grad = torch.ones(2, dtype=torch.float64)
        late.grad = torch.ones(2, dtype=torch.float64) if t == 49 else None
        optimizer.step()
    assert optimizer.state[late]["z"].tolist() == pytest.approx([-0.1, -0.1])  # by the group's count: −0.7


# --- Modes ------------------------------------------------------------------------------------------


def made(optimizer, dtype=torch.float64, steps=20):
    torch.manual_seed(0)
    params = [torch.randn(30, 4).to(dtype).requires_grad_(), torch.randn(5).to(dtype).requires_grad_()]
    ours = optimizer(params, lr=0.1, warmup_steps=5)
    return params, ours, walk(params, ours, steps)


def walk(params, optimizer, steps):
    for _ in range(steps):
        for p in params:
            p.grad = (p.detach() - 0.5).sin() + 0.1
        optimizer.step()
    return [p.detach().clone() for p in params]


@BOTH
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-15), (torch.float32, 5e-7), (torch.bfloat16, 0.05)])
def test_eval_and_train_undo_each_other_up_to_rounding(optimizer, dtype, bound):
    params, ours, at_y = made(optimizer, dtype)
    z = [ours.state[p]["z"].clone() for p in params]
    ours.eval()
    at_x = [p.detach().clone() for p in params]
    assert any((x - y).abs().max() > 0 for x, y in zip(at_x, at_y, strict=True))
    ours.eval()  # again: nothing
    assert all(torch.equal(p, x) for p, x in zip(params, at_x, strict=True))
    ours.train()
    ours.train()
    for p, y, z_before in zip(params, at_y, z, strict=True):
        # Either move rounds once: by half a unit in the last place of numbers below 4.
        assert (p - y).abs().max() <= bound * y.abs().max()
        assert torch.equal(ours.state[p]["z"], z_before)


@BOTH
def test_step_in_eval_mode_is_refused(optimizer):
    params, ours, _ = made(optimizer)
    ours.eval()
    before, state = copy.deepcopy(params), copy.deepcopy(ours.state_dict())
    message = rf"^{optimizer.__name__}.step needs train mode, got eval mode: call optimizer.train\(\)"
    with pytest.raises(RuntimeError, match=message):
        ours.step()
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))
    assert str(ours.state_dict()) == str(state)
    ours.train()
    ours.step()


@BOTH
def test_modes_before_the_first_step_and_without_gradients_change_nothing(optimizer):
    w, frozen = torch.ones(2, requires_grad=True), torch.ones(2)
    ours = optimizer([w, frozen])
    ours.eval()
    ours.train()
    assert w.tolist() == frozen.tolist() == [1.0, 1.0]


@BOTH
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_saved_in_either_mode_it_resumes(optimizer, mode):
    params, ours, _ = made(optimizer)
    getattr(ours, mode)()
    file = io.BytesIO()
    torch.save({"params": params, "optimizer": ours.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file)
    copies = saved["params"]
    resumed = optimizer(copies)
    resumed.load_state_dict(saved["optimizer"])
    assert resumed.param_groups[0]["train_mode"] is (mode == "train")
    ours.train()
    resumed.train()
    for p, q in zip(walk(params, ours, 10), walk(copies, resumed, 10), strict=True):
        assert torch.equal(p, q)
    ours.eval()
    resumed.eval()
    assert all(torch.equal(p, q) for p, q in zip(params, copies, strict=True))


@BOTH
def test_a_group_added_in_eval_mode_trains_like_the_others(optimizer):
    params, ours, _ = made(optimizer)
    ours.eval()
    late = torch.ones(3, dtype=torch.float64, requires_grad=True)
    ours.add_param_group({"params": [late]})
    ours.train()
    walk([*params, late], ours, 3)
    assert ours.param_groups[1]["k"] == 3
    assert late[0].item() != 1.0


def test_x_reaches_the_minimum_that_z_circles():
    # Gradients with noise: z jumps about the minimum for ever, the average settles, without any decay of the rate.
    torch.manual_seed(0)
    w = torch.full((200,), 3.0, dtype=torch.float64, requires_grad=True)
    optimizer = ScheduleFreeSGD([w], lr=0.5)
    for _ in range(500):
        w.grad = w.detach() + torch.randn(200, dtype=torch.float64)
        optimizer.step()
    spread = optimizer.state[w]["z"].square().mean().sqrt().item()
    optimizer.eval()
    assert w.square().mean().sqrt().item() < 0.1 * spread
