"""The learning rate: a tensor, driven by torch's schedulers, down to 0; and momentum along with it."""

import pytest
import torch
from torch.optim import lr_scheduler


def test_lr_may_be_a_tensor_and_change_in_place(rule, params, clone_params, run, params_of):
    tensor = rule.make(params, lr=torch.tensor(0.05, dtype=torch.float64))
    number = rule.make(clone_params(params), lr=0.05)
    run(tensor, number, steps=range(8))
    for group in tensor.param_groups:
        if torch.is_tensor(group["lr"]):
            group["lr"].fill_(0.2)
    for group in number.param_groups:
        if group["lr"] == 0.05:
            group["lr"] = 0.2
    run(tensor, number, steps=range(8, 16))
    for p, q in zip(params, params_of(number), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)


SCHEDULES = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, step_size=7, gamma=0.5),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=20, eta_min=1e-4),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=10),
}


@pytest.mark.parametrize(
    ("schedule", "tensor_lr"), [*((name, False) for name in SCHEDULES), ("CosineAnnealingLR", True)]
)
def test_schedulers_drive_it_as_they_drive_torchs(rule, params, clone_params, run, params_of, schedule, tensor_lr):
    def rate():
        return torch.tensor(0.05, dtype=torch.float64) if tensor_lr else 0.05

    driven, by_hand = rule.make(params, lr=rate()), rule.make(clone_params(params), lr=rate())
    groups = [{"params": [torch.zeros(1)], "lr": group["lr"]} for group in by_hand.param_groups]
    torchs = torch.optim.SGD(groups)
    schedulers = SCHEDULES[schedule](driven), SCHEDULES[schedule](torchs)
    for step in range(25):
        for group, driver in zip(by_hand.param_groups, torchs.param_groups, strict=True):
            group["lr"] = float(driver["lr"])
        run(driven, by_hand, steps=range(step, step + 1))
        torchs.step()
        for scheduler in schedulers:
            scheduler.step()
        assert schedulers[0].get_last_lr() == schedulers[1].get_last_lr()
    for p, q in zip(params, params_of(by_hand), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)


@pytest.mark.duty("rate of 0")
def test_a_schedule_may_end_at_0(rule, params, run):
    optimizer = rule.make(params)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)
    for step in range(8):
        run(optimizer, steps=range(step, step + 1))
        assert all(p.isfinite().all() for p in params)
        scheduler.step()
        assert (optimizer.param_groups[0]["lr"] == 0) == (step == 4)


@pytest.mark.lacking("rate of 0")
def test_a_rate_of_0_does_what_it_does_in_torch(rule, params, clone_params, run):
    for optimizer in (rule.make(params), rule.make_oracle(clone_params(params))):
        run(optimizer, steps=range(5))
        optimizer.param_groups[0]["lr"] = 0.0
        with pytest.raises(ZeroDivisionError):
            run(optimizer, steps=range(5, 8))


@pytest.mark.duty("momentum")
def test_one_cycle_moves_momentum_too(rule, params, clone_params, run, params_of):
    driven, by_hand = rule.make(params), rule.make(clone_params(params))
    torchs = torch.optim.SGD([torch.zeros(1)], lr=0.05, momentum=0.9)
    schedulers = [lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=25) for o in (driven, torchs)]
    momenta = set()
    for step in range(25):
        (driver,) = torchs.param_groups
        momenta.add(driver["momentum"])
        for group in by_hand.param_groups:
            group["lr"] = driver["lr"]
            if "betas" in group:
                group["betas"] = (driver["momentum"], *group["betas"][1:])
            else:
                group["momentum"] = driver["momentum"]
        run(driven, by_hand, steps=range(step, step + 1))
        torchs.step()
        if step < 24:
            for scheduler in schedulers:
                scheduler.step()
    assert len(momenta) > 10
    for p, q in zip(params, params_of(by_hand), strict=True):
        assert torch.equal(p, q)


@pytest.mark.lacking("momentum")
def test_one_cycle_refuses_what_has_no_momentum(rule, params):
    with pytest.raises(ValueError, match="must support momentum or beta1"):
        lr_scheduler.OneCycleLR(rule.make(params), max_lr=0.1, total_steps=25)
    lr_scheduler.OneCycleLR(rule.make(params), max_lr=0.1, total_steps=25, cycle_momentum=False)
