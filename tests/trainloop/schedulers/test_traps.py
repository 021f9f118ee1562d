"""What goes wrong with schedulers: what ours do is what torch's do, unless the test's name says "fixed" or "our"."""

import copy
import math

import pytest
import torch
from torch.optim import lr_scheduler

import trainloop.optim
import trainloop.schedulers
from trainloop.schedulers.cosine_annealing_lr import cosine_annealing_lr

OURS, TORCHS = trainloop.schedulers, lr_scheduler


@pytest.fixture(params=[OURS, TORCHS], ids=["ours", "torch's"])
def module(request):
    """Where the schedulers of a test come from."""
    return request.param


def follow(optimizer, scheduler, steps: int) -> list[float]:
    """Make updates, and return the learning rate of each."""
    lrs = []
    for _ in range(steps):
        lrs.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return lrs


# Torch's 15, each with options under which something has happened to the learning rate by step 3.
TORCHS_15 = {
    "LambdaLR": lambda module, optimizer: module.LambdaLR(optimizer, lambda t: 1 / (1 + t)),
    "MultiplicativeLR": lambda module, optimizer: module.MultiplicativeLR(optimizer, lambda t: 0.9),
    "StepLR": lambda module, optimizer: module.StepLR(optimizer, 2),
    "MultiStepLR": lambda module, optimizer: module.MultiStepLR(optimizer, [2, 5]),
    "ConstantLR": lambda module, optimizer: module.ConstantLR(optimizer),
    "LinearLR": lambda module, optimizer: module.LinearLR(optimizer),
    "ExponentialLR": lambda module, optimizer: module.ExponentialLR(optimizer, 0.9),
    "PolynomialLR": lambda module, optimizer: module.PolynomialLR(optimizer, 10),
    "CosineAnnealingLR": lambda module, optimizer: module.CosineAnnealingLR(optimizer, 10),
    "ChainedScheduler": lambda module, optimizer: module.ChainedScheduler(
        [module.ConstantLR(optimizer), module.ExponentialLR(optimizer, 0.9)]
    ),
    "SequentialLR": lambda module, optimizer: module.SequentialLR(
        optimizer, [module.LinearLR(optimizer, total_iters=2), module.ExponentialLR(optimizer, 0.9)], [2]
    ),
    "ReduceLROnPlateau": lambda module, optimizer: module.ReduceLROnPlateau(optimizer, patience=0),
    "CyclicLR": lambda module, optimizer: module.CyclicLR(optimizer, 0.01, 0.3, step_size_up=5),
    "OneCycleLR": lambda module, optimizer: module.OneCycleLR(optimizer, 0.5, total_steps=20),
    "CosineAnnealingWarmRestarts": lambda module, optimizer: module.CosineAnnealingWarmRestarts(optimizer, 5),
}


def test_all_15_are_here_and_are_torchs_kind_of_scheduler(make_optimizer):
    theirs = {name for name in lr_scheduler.__all__ if name != "LRScheduler"}
    assert theirs == TORCHS_15.keys()
    assert theirs <= set(OURS.__all__)
    for build in TORCHS_15.values():
        assert isinstance(build(OURS, make_optimizer()), lr_scheduler.LRScheduler)


# Resuming


def trace(optimizer, scheduler, steps: int = 8) -> list[tuple]:
    """Make updates, and return what each was made with: the learning rate and the momentum."""
    used = []
    for _ in range(steps):
        group = optimizer.param_groups[0]
        used.append((group["lr"], group["momentum"]))
        optimizer.step()
        metric = [1.0] if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else []
        scheduler.step(*metric)  # the metric never improves
    return used


def wrong_after(resume, module, make_optimizer) -> set[str]:
    """Interrupt all 15 after 3 steps, and return those that go on otherwise than without interruption.

    They go on otherwise if any update after the interruption, the first one included, has another learning
    rate or another momentum.
    """
    wrong = set()
    for name, build in TORCHS_15.items():
        optimizer = make_optimizer((0.1,))
        scheduler = build(module, optimizer)
        trace(optimizer, scheduler, steps=3)
        saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
        resumed = resume(make_optimizer((0.1,)), lambda optimizer, build=build: build(module, optimizer), *saved)
        if trace(*resumed) != trace(optimizer, scheduler):
            wrong.add(name)
    return wrong


def test_build_both_then_load_both_is_right(module, make_optimizer):
    def scheduler_first(optimizer, build, optimizer_state, scheduler_state):
        scheduler = build(optimizer)
        scheduler.load_state_dict(scheduler_state)
        optimizer.load_state_dict(optimizer_state)
        return optimizer, scheduler

    def optimizer_first(optimizer, build, optimizer_state, scheduler_state):
        scheduler = build(optimizer)
        optimizer.load_state_dict(optimizer_state)
        scheduler.load_state_dict(scheduler_state)
        return optimizer, scheduler

    assert wrong_after(scheduler_first, module, make_optimizer) == set()
    assert wrong_after(optimizer_first, module, make_optimizer) == set()


def test_load_the_optimizer_before_building_the_scheduler_is_wrong_for_8(module, make_optimizer):
    def resume(optimizer, build, optimizer_state, scheduler_state):
        optimizer.load_state_dict(optimizer_state)
        scheduler = build(optimizer)  # makes its first step from the loaded learning rate
        scheduler.load_state_dict(scheduler_state)
        return optimizer, scheduler

    wrong = wrong_after(resume, module, make_optimizer)
    assert len(wrong) == 8
    assert wrong == {
        *("ConstantLR", "LinearLR", "LambdaLR", "ChainedScheduler", "SequentialLR"),
        *("CyclicLR", "OneCycleLR", "CosineAnnealingWarmRestarts"),
    }


def test_load_the_scheduler_alone_is_wrong_for_14(module, make_optimizer):
    def resume(optimizer, build, optimizer_state, scheduler_state):
        scheduler = build(optimizer)
        scheduler.load_state_dict(scheduler_state)
        return optimizer, scheduler

    wrong = wrong_after(resume, module, make_optimizer)
    assert len(wrong) == 14
    assert TORCHS_15.keys() - wrong == {"ConstantLR"}  # only because it has not changed anything since step 0


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@pytest.mark.parametrize(
    ("optimizers", "shared"), [(trainloop.optim, False), (torch.optim, True)], ids=["ours", "torch's"]
)
def test_loading_an_optimizers_live_state_shares_its_tensors_in_torch(optimizers, shared, name):
    def make():
        w = torch.ones(3, requires_grad=True)
        w.grad = torch.ones(3)
        options = {"momentum": 0.9} if name == "SGD" else {}
        return w, getattr(optimizers, name)([w], lr=0.1, **options)

    (w, source), (_, other) = make(), make()
    source.step()
    before = copy.deepcopy(source.state[w])
    other.load_state_dict(source.state_dict())
    other.step()  # in torch, this moves the other optimizer's state
    for key, value in source.state[w].items():
        assert torch.equal(value, before[key]) is not shared, key


def test_a_copy_goes_on_as_its_original(module, make_optimizer):
    for name, build in TORCHS_15.items():
        optimizer = make_optimizer((0.1,))
        scheduler = build(module, optimizer)
        trace(optimizer, scheduler, steps=4)
        copied_optimizer, copied = copy.deepcopy((optimizer, scheduler))
        assert copied.optimizer is copied_optimizer
        assert trace(copied_optimizer, copied) == trace(optimizer, scheduler), name


def test_fixed_loading_a_schedulers_live_state_shares_nothing(make_optimizer):
    for module, shares in ((OURS, False), (TORCHS, True)):
        source, loaded = (module.MultiStepLR(make_optimizer(), [2, 5]) for _ in range(2))
        loaded.load_state_dict(source.state_dict())
        loaded.milestones[3] += 1
        assert (3 in source.milestones) is shares


def test_sequential_lr_resumed_by_last_epoch_is_wrong(module, make_optimizer):
    def build(optimizer, **options):
        parts = [module.LinearLR(optimizer, 0.1, total_iters=4), module.CosineAnnealingLR(optimizer, 10)]
        return module.SequentialLR(optimizer, parts, milestones=[4], **options)

    optimizer, resumed = make_optimizer((1.0,)), make_optimizer((1.0,))
    scheduler = build(optimizer)
    follow(optimizer, scheduler, steps=7)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    wrong = build(resumed, last_epoch=6)
    assert (scheduler.last_epoch, wrong.last_epoch) == (7, 7)
    assert wrong.get_last_lr() == [0.1]  # the warmup's first
    assert scheduler.get_last_lr() == pytest.approx([cosine_annealing_lr(3, 1.0, T_max=10)])


# Reading the learning rate


def test_get_lr_outside_step_is_wrong_at_a_boundary(module, make_optimizer):
    optimizer = make_optimizer((1.0,))
    scheduler = module.StepLR(optimizer, 2)
    follow(optimizer, scheduler, steps=2)
    with pytest.warns(UserWarning, match="please use `get_last_lr"):
        assert scheduler.get_lr() == pytest.approx([0.01])
    assert scheduler.get_last_lr() == [optimizer.param_groups[0]["lr"]] == [0.1]


# Order of calls


def test_scheduler_before_optimizer_warns_and_skips_the_first_learning_rate(module, make_optimizer):
    optimizer = make_optimizer((1.0,))
    scheduler = module.ExponentialLR(optimizer, 0.5)
    with pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step"):
        scheduler.step()
    assert follow(optimizer, scheduler, steps=3) == [0.5, 0.25, 0.125]


@pytest.mark.parametrize("optimizers", [trainloop.optim, torch.optim], ids=["our optimizer", "torch's optimizer"])
def test_a_step_that_grad_scaler_skips_warns_about_the_order_and_decays_all_the_same(module, optimizers):
    w = torch.ones(1, requires_grad=True)
    optimizer = optimizers.SGD([w], lr=1.0)
    scheduler = module.ExponentialLR(optimizer, 0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    scaler.scale(4 * w.sum()).backward()  # 2**129 is infinite in float32
    scaler.step(optimizer)
    scaler.update()
    assert w.item() == 1
    with pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step"):
        scheduler.step()
    assert scheduler.get_last_lr() == [0.5]


# Composed schedulers


def test_after_a_milestone_a_scheduler_counts_from_0(module, make_optimizer):
    optimizer = make_optimizer((1.0,))
    parts = [module.ConstantLR(optimizer, 0.5, total_iters=99), module.MultiStepLR(optimizer, [3], gamma=0.25)]
    scheduler = module.SequentialLR(optimizer, parts, milestones=[2])
    assert follow(optimizer, scheduler, steps=7) == [0.5, 0.5, 1, 1, 1, 0.25, 0.25]  # drops at 5, not at 3


@pytest.mark.parametrize(("total_iters", "peaks"), [(4, 1), (3, 2)])
def test_warmup_as_long_as_the_milestone_has_its_peak_once_and_a_shorter_one_twice(
    module, make_optimizer, total_iters, peaks
):
    W, total = 4, 20
    optimizer = make_optimizer((1.0,))
    parts = [
        module.LinearLR(optimizer, 0.2, total_iters=total_iters),
        module.CosineAnnealingLR(optimizer, T_max=total - W),
    ]
    lrs = follow(optimizer, module.SequentialLR(optimizer, parts, milestones=[W]), steps=total)
    assert sum(lr == pytest.approx(1.0, abs=1e-12) for lr in lrs) == peaks
    assert lrs[W] == 1.0


def test_a_chain_with_warm_restarts_depends_on_the_order(module, make_optimizer):
    def chain(restarts_first: bool) -> list[float]:
        optimizer = make_optimizer((1.0,))
        parts = [module.CosineAnnealingWarmRestarts(optimizer, 4), module.ExponentialLR(optimizer, 0.5)]
        return follow(optimizer, module.ChainedScheduler(parts if restarts_first else parts[::-1]), steps=8)

    restarts = [(1 + math.cos(math.pi * (t % 4) / 4)) / 2 for t in range(8)]
    assert chain(restarts_first=True) == [1.0] + [lr * 0.5 for lr in restarts[1:]]  # not 0.5**t
    assert chain(restarts_first=False) == restarts  # the decay is overwritten


# Cosines


def test_warm_restarts_never_reach_eta_min(module, make_optimizer):
    optimizer = make_optimizer((1.0,))
    scheduler = module.CosineAnnealingWarmRestarts(optimizer, T_0=4, eta_min=0.1)
    lrs = follow(optimizer, scheduler, steps=40)
    assert min(lrs) == pytest.approx(0.232, abs=5e-4)


def test_cosine_rises_again_after_t_max_and_does_not_restart(module, make_optimizer):
    optimizer = make_optimizer((1.0,))
    lrs = follow(optimizer, module.CosineAnnealingLR(optimizer, T_max=5), steps=11)
    assert lrs[5] == pytest.approx(0, abs=1e-15)
    assert lrs[5] < lrs[6] < lrs[7] < lrs[8] < lrs[9] < lrs[10] == pytest.approx(1.0)


def test_cosine_rebuilt_at_lr_0_stays_there(module, make_optimizer):
    optimizer = make_optimizer((1.0,))
    follow(optimizer, module.CosineAnnealingLR(optimizer, T_max=5), steps=5)
    assert optimizer.param_groups[0]["lr"] == 0
    again = module.CosineAnnealingLR(optimizer, T_max=5)
    assert follow(optimizer, again, steps=6) == [0.0] * 6


def test_recursion_and_closed_form_of_the_cosine_agree_over_200_000_steps(make_optimizer):
    T = 200_000
    optimizer = make_optimizer((0.1,))
    scheduler = OURS.CosineAnnealingLR(optimizer, T_max=T)
    optimizer.step()
    errors = []
    for t in range(1, T + 1):
        scheduler.step()
        errors.append(abs(scheduler.get_last_lr()[0] - cosine_annealing_lr(t, 0.1, T_max=T)))
    assert 0 < max(errors) < 2e-15  # 1.2e-15, and torch's the same


# OneCycleLR


def test_one_cycle_moves_adams_beta1_and_overwrites_the_lr(module, make_optimizer):
    optimizer = make_optimizer((0.7,), kind=torch.optim.Adam)
    scheduler = module.OneCycleLR(optimizer, max_lr=0.1, total_steps=10)
    group = optimizer.param_groups[0]
    assert group["betas"] == (0.95, 0.999)
    assert group["lr"] == pytest.approx(0.1 / 25)
    follow(optimizer, scheduler, steps=2)
    assert group["betas"] == (0.85, 0.999)
    assert group["lr"] == 0.1
    follow(optimizer, scheduler, steps=7)
    assert group["betas"] == (0.95, 0.999)


def test_one_cycle_ends_at_max_lr_over_both_factors(module, make_optimizer):
    optimizer = make_optimizer()
    lrs = follow(optimizer, module.OneCycleLR(optimizer, max_lr=0.1, total_steps=10), steps=10)
    assert max(lrs) == 0.1
    assert lrs[-1] == pytest.approx(0.1 / 25 / 1e4, abs=1e-17)
    assert lrs[-1] == pytest.approx(4e-6 * 0.1, abs=1e-17)


def test_one_cycle_allows_exactly_total_steps_calls(module, make_optimizer):
    optimizer = make_optimizer()
    scheduler = module.OneCycleLR(optimizer, max_lr=0.1, total_steps=10)
    follow(optimizer, scheduler, steps=10)
    with pytest.raises(ValueError, match="10"):
        scheduler.step()


def test_one_cycle_has_the_papers_three_phases_only_when_asked(module, make_optimizer):
    def lrs(three_phase: bool) -> list[float]:
        optimizer = make_optimizer()
        options = {"total_steps": 20, "pct_start": 0.45, "anneal_strategy": "linear", "three_phase": three_phase}
        return follow(optimizer, module.OneCycleLR(optimizer, max_lr=1.0, **options), steps=20)

    two, three = lrs(three_phase=False), lrs(three_phase=True)
    peak, valley = 8, 16  # 0.45 · 20 - 1, and twice that
    assert two[: peak + 1] == three[: peak + 1]
    assert three[: valley + 1] == pytest.approx(three[valley::-1])  # down as up
    assert three[valley] == pytest.approx(1 / 25)
    assert two[valley] > 5 / 25
    assert three[-1] == pytest.approx(two[-1], abs=1e-15)


def test_one_cycle_stepped_per_epoch_never_reaches_its_peak(module, make_optimizer):
    epochs, updates = 20, 50
    optimizer = make_optimizer()
    scheduler = module.OneCycleLR(optimizer, max_lr=1.0, epochs=epochs, steps_per_epoch=updates)
    lrs = follow(optimizer, scheduler, steps=epochs)
    assert lrs == sorted(lrs)
    assert lrs[-1] < 0.06


def test_one_cycle_takes_cos_and_not_cosine(module, make_optimizer):
    with pytest.raises(ValueError, match="anneal_strategy must be one of"):
        module.OneCycleLR(make_optimizer(), 0.1, total_steps=10, anneal_strategy="cosine")


# Warmup


def test_a_warmup_of_t_over_n_wastes_step_0(module):
    w = torch.ones(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    scheduler = module.LambdaLR(optimizer, lambda t: min(1.0, t / 4))
    w.grad = torch.ones(1)
    moved = []
    for _ in range(3):
        before = w.item()
        optimizer.step()
        scheduler.step()
        moved.append(before - w.item())
    assert moved == [0, 0.25, 0.5]


def test_our_warmups_do_not_waste_step_0_unless_asked(make_optimizer):
    for options, first in (({}, 1 / 5), ({"start_factor": 0.0}, 0.0)):
        optimizer = make_optimizer((1.0,))
        scheduler = OURS.WarmupLinearLR(optimizer, warmup_steps=4, total_steps=10, **options)
        assert follow(optimizer, scheduler, steps=1) == [first]


@pytest.mark.parametrize("start_factor", [0, 0.0])
def test_linear_lr_refuses_to_start_from_0(module, make_optimizer, start_factor):
    with pytest.raises(ValueError, match=r"(?i)start.*factor"):
        module.LinearLR(make_optimizer(), start_factor=start_factor)


# ReduceLROnPlateau


def test_patience_2_drops_at_the_third_metric_that_is_no_better(module, make_optimizer, lrs_of):
    optimizer = make_optimizer((1.0,))
    scheduler = module.ReduceLROnPlateau(optimizer, patience=2)
    lrs = []
    for metric in [1.0, 1.0, 1.0, 1.0]:  # the first is the best so far
        scheduler.step(metric)
        lrs += lrs_of(optimizer)
    assert lrs == [1.0, 1.0, 1.0, 0.1]


def test_verbose_is_gone(module, make_optimizer):
    optimizer = make_optimizer()
    with pytest.raises(TypeError, match="unexpected keyword argument 'verbose'"):
        module.ReduceLROnPlateau(optimizer, verbose=True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'verbose'"):
        module.StepLR(optimizer, 2, verbose=True)
