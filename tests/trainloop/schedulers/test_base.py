"""What all schedulers share: states that alias nothing and fit, warnings, checks, torch's ways to use them."""

import copy
import math
import pickle

import pytest
import torch

from trainloop import optim
from trainloop.schedulers import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    StepLR,
    WarmupCosineLR,
)
from trainloop.schedulers._base import Scheduler, check_count, check_step, require

torchs = torch.optim.lr_scheduler


def test_a_schedulers_rule_is_its_own(make_optimizer):
    with pytest.raises(NotImplementedError):
        Scheduler(make_optimizer())


def test_it_is_torchs_scheduler(make_optimizer):
    scheduler = StepLR(make_optimizer(), 3)
    assert isinstance(scheduler, torchs.LRScheduler)
    assert isinstance(scheduler, Scheduler)


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(TypeError, match="is not an Optimizer"):
        StepLR(torch.nn.Linear(1, 1), 3)


@pytest.mark.parametrize("kind", [StepLR, torchs.StepLR])
def test_get_lr_outside_step_warns_and_is_wrong_at_a_boundary(make_optimizer, advance, lrs_of, kind):
    optimizer = make_optimizer((1.0,))
    scheduler = kind(optimizer, 2)
    advance(optimizer, scheduler)
    advance(optimizer, scheduler)
    with pytest.warns(UserWarning, match="please use `get_last_lr"):
        assert scheduler.get_lr() == pytest.approx([0.01])
    assert scheduler.get_last_lr() == lrs_of(optimizer) == [0.1]


@pytest.mark.parametrize("kind", [StepLR, LambdaLR, MultiplicativeLR])
def test_the_warning_names_the_line_that_called_get_lr(make_optimizer, kind):
    scheduler = kind(make_optimizer(), 2 if kind is StepLR else lambda t: 1.0)
    with pytest.warns(UserWarning, match="please use `get_last_lr") as caught:
        scheduler.get_lr()
    assert [warning.filename for warning in caught] == [__file__]


def test_step_before_the_optimizers_warns(make_optimizer):
    scheduler = StepLR(make_optimizer(), 2)
    with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        scheduler.step()


def test_state_has_torchs_keys(make_optimizer):
    ours, theirs = MultiStepLR(make_optimizer(), [2]), torchs.MultiStepLR(make_optimizer(), [2])
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert "optimizer" not in ours.state_dict()


def test_state_is_a_snapshot(make_optimizer, advance, plain):
    optimizer = make_optimizer((torch.tensor(0.1), torch.tensor(0.2)))
    scheduler = MultiStepLR(optimizer, [1, 2])
    state = scheduler.state_dict()
    before = plain(copy.deepcopy(state))
    for _ in range(3):
        advance(optimizer, scheduler)
    scheduler.milestones[7] += 1
    scheduler.base_lrs[0].fill_(5.0)
    assert plain(state) == before


def test_a_loaded_state_is_not_shared(make_optimizer):
    source = MultiStepLR(make_optimizer((torch.tensor(0.1),)), [1, 2])
    scheduler = MultiStepLR(make_optimizer((torch.tensor(0.1),)), [1, 2])
    state = source.state_dict()
    scheduler.load_state_dict(state)
    scheduler.base_lrs[0].fill_(5.0)
    scheduler.milestones[7] += 1
    assert state["base_lrs"] == [torch.tensor(0.1)]
    assert 7 not in state["milestones"]


def test_options_come_with_the_state(make_optimizer):
    scheduler = StepLR(make_optimizer(), 30)
    scheduler.load_state_dict(torchs.StepLR(make_optimizer(), 3, gamma=0.7).state_dict())
    assert (scheduler.step_size, scheduler.gamma) == (3, 0.7)


def test_a_state_of_an_older_torch_is_accepted(make_optimizer):
    state = torchs.StepLR(make_optimizer(), 3).state_dict() | {"verbose": False}
    del state["_is_initial"]
    scheduler = StepLR(make_optimizer(), 3)
    scheduler.load_state_dict(state)
    assert scheduler.last_epoch == 0


def test_a_state_of_another_class_is_refused(make_optimizer, plain):
    scheduler = ExponentialLR(make_optimizer(), 0.9)
    before = plain(scheduler.state_dict())
    message = (
        r"^state_dict must be ExponentialLR's, with \['base_lrs', 'gamma', 'last_epoch'\], "
        r"got \['base_lrs', 'gamma', 'last_epoch', 'step_size'\]$"
    )
    for other in (StepLR(make_optimizer(), 3), torchs.StepLR(make_optimizer(), 3)):
        with pytest.raises(ValueError, match=message):
            scheduler.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match=r"^state_dict must be ExponentialLR's, with .*, got \[\]$"):
        scheduler.load_state_dict({})
    assert plain(scheduler.state_dict()) == before


def test_a_state_of_other_groups_is_refused(make_optimizer):
    scheduler = StepLR(make_optimizer((0.1, 0.2)), 3)
    with pytest.raises(ValueError, match=r"^state_dict must have 2 base_lrs, one per parameter group, got 1$"):
        scheduler.load_state_dict(StepLR(make_optimizer((0.1,)), 3).state_dict())


def test_resume_needs_both_states_loaded_after_both_are_built(make_optimizer, advance, lrs_of):
    def resumed(load_optimizer_first: bool, load_optimizer: bool = True) -> list[float]:
        optimizer = make_optimizer()
        if load_optimizer and load_optimizer_first:
            optimizer.load_state_dict(optimizer_state)
        scheduler = LinearLR(optimizer, total_iters=10)
        if load_optimizer and not load_optimizer_first:
            optimizer.load_state_dict(optimizer_state)
        scheduler.load_state_dict(scheduler_state)
        advance(optimizer, scheduler)
        return lrs_of(optimizer)

    optimizer = make_optimizer()
    scheduler = LinearLR(optimizer, total_iters=10)
    for _ in range(4):
        advance(optimizer, scheduler)
    optimizer_state, scheduler_state = copy.deepcopy(optimizer.state_dict()), scheduler.state_dict()
    advance(optimizer, scheduler)

    assert resumed(load_optimizer_first=False) == lrs_of(optimizer)
    assert resumed(load_optimizer_first=True) != lrs_of(optimizer)  # the new scheduler starts from the loaded lr
    assert resumed(load_optimizer_first=False, load_optimizer=False) != lrs_of(optimizer)


@pytest.mark.parametrize("kind", [StepLR, ExponentialLR, CosineAnnealingLR])
def test_copies_and_pickles_go_on_as_the_original(make_optimizer, advance, settings, kind):
    argument = 0.9 if kind is ExponentialLR else 3
    optimizer = make_optimizer()
    scheduler = kind(optimizer, argument)
    for _ in range(4):
        advance(optimizer, scheduler)
    copies = [copy.deepcopy((optimizer, scheduler)), pickle.loads(pickle.dumps((optimizer, scheduler)))]
    for _ in range(4):
        advance(optimizer, scheduler)
    for other_optimizer, other in copies:
        assert other.optimizer is other_optimizer
        for _ in range(4):
            advance(other_optimizer, other)
        assert settings(other_optimizer) == settings(optimizer)


def test_last_lrs_of_tensors_are_copies(make_optimizer, advance):
    lr = torch.tensor(0.5)
    optimizer = make_optimizer((lr,))
    scheduler = ExponentialLR(optimizer, 0.5)
    advance(optimizer, scheduler)
    group = optimizer.param_groups[0]
    assert group["lr"].item() == 0.25
    assert scheduler.group_lrs()[0] is not group["lr"]
    scheduler.group_lrs()[0].fill_(7.0)
    assert group["lr"].item() == 0.25


def test_a_group_added_later_is_an_error_not_a_silent_leftover(make_optimizer):
    optimizer = make_optimizer((0.1,))
    scheduler = StepLR(optimizer, 2)
    optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1})
    optimizer.step()
    with pytest.raises(ValueError, match=r"zip\(\)"):
        scheduler.step()


def test_with_our_optimizers_training_follows_the_schedule():
    w = torch.tensor([4.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5)
    scheduler = ExponentialLR(optimizer, 0.5)
    for lr in (0.5, 0.25, 0.125):
        before = w.item()
        w.grad = torch.ones(1)
        optimizer.step()
        scheduler.step()
        assert before - w.item() == lr


@pytest.mark.parametrize(
    "build",
    [
        lambda optimizer: StepLR(optimizer, 2),
        lambda optimizer: LinearLR(optimizer),
        lambda optimizer: LambdaLR(optimizer, lambda t: 0.5**t),
        lambda optimizer: WarmupCosineLR(optimizer, 2, 8),
    ],
)
def test_a_learning_rate_of_zero_stays_zero(make_optimizer, advance, lrs_of, build):
    optimizer = make_optimizer((0.0,))
    scheduler = build(optimizer)
    for _ in range(10):
        advance(optimizer, scheduler)
        assert lrs_of(optimizer) == [0.0]


def test_checks():
    require(True, "x must be y", 0)
    with pytest.raises(ValueError, match=r"^x must be y, got 3$"):
        require(False, "x must be y", 3)
    check_count("n", 3, least=3)
    check_count("n", 3.0, least=0)
    for n in (2, 3.5, -3, math.nan, math.inf):
        with pytest.raises(ValueError, match=rf"^n must be a whole number >= 3, got {n}$"):
            check_count("n", n, least=3)
    check_step(0, 0.0)
    check_step(3, torch.tensor(0.1))
    with pytest.raises(ValueError, match=r"^step must be >= 0, got -1$"):
        check_step(-1, 0.1)
    with pytest.raises(ValueError, match=r"^lr must be >= 0, got -0\.1$"):
        check_step(0, -0.1)
    with pytest.raises(ValueError, match=r"^lr must be >= 0, got nan$"):
        check_step(0, math.nan)
