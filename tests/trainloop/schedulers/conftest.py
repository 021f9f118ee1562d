"""Two runs side by side: our scheduler and torch's of the same name, each with an optimizer of its own.

`parity` is one check a time, so a test that takes it runs once per check:

    @pytest.mark.parametrize("options", [{"step_size": 3}])
    def test_equals_torch(parity, options):
        parity(StepLR, options, steps=12)

A scheduler that cannot do all of it names the checks it can, with
`@pytest.mark.parametrize("parity", ["every step", "save and load"], indirect=True)`.
"""

import copy
import inspect
import io
import warnings
from collections import Counter
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer, lr_scheduler

LRS = (0.1, 3.0)
Lrs = tuple[float | Tensor, ...]


def make_optimizer(lrs: Lrs = LRS, **options) -> Optimizer:
    """An optimizer with one parameter, without gradient, in every group. SGD with momentum unless options say so."""
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": copy.deepcopy(lr)} for lr in lrs]
    kind = options.pop("kind", torch.optim.SGD)
    if kind is torch.optim.SGD:
        options.setdefault("momentum", 0.9)
    return kind(groups, **options)


def advance(optimizer: Optimizer, *schedulers: lr_scheduler.LRScheduler) -> None:
    optimizer.step()
    for scheduler in schedulers:
        scheduler.step()


def settings(optimizer: Optimizer) -> list[tuple]:
    """What schedulers change, per group, as numbers; and whether the learning rate still is a tensor."""
    return [
        (float(group["lr"]), type(group["lr"]), group.get("momentum"), group.get("betas"))
        for group in optimizer.param_groups
    ]


def lrs_of(optimizer: Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def plain(value):
    """Replace tensors by (dtype, number), so that states can be compared with ==."""
    if isinstance(value, Tensor):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return type(value).__name__ if isinstance(value, Counter) else dict, {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def through_a_file(state_dict: dict) -> dict:
    """Save a state and load it the safe way, which takes plain values only."""
    file = io.BytesIO()
    torch.save(state_dict, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


class Pair:
    """Our scheduler and torch's, each on an optimizer of its own, in the same situation."""

    def __init__(self, ours: type, options: dict, lrs: Lrs = LRS, **optimizer_options) -> None:
        self.classes = (ours, getattr(lr_scheduler, ours.__name__))
        self.options = options
        self.optimizers = [make_optimizer(lrs, **optimizer_options) for _ in self.classes]
        self.lrs, self.optimizer_options = lrs, optimizer_options

    def build(self, **more) -> "Pair":
        self.schedulers = [
            scheduler(optimizer, **copy.deepcopy(self.options), **more)
            for scheduler, optimizer in zip(self.classes, self.optimizers, strict=True)
        ]
        return self

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            for optimizer, scheduler in zip(self.optimizers, self.schedulers, strict=True):
                advance(optimizer, scheduler)
            self.compare()

    def compare(self) -> None:
        ours, oracle = self.schedulers
        note = f"at last_epoch {oracle.last_epoch}"
        assert settings(self.optimizers[0]) == settings(self.optimizers[1]), note
        assert plain(ours.get_last_lr()) == plain(oracle.get_last_lr()), note
        assert plain(ours.state_dict()) == plain(oracle.state_dict()), note

    def resumed(self, exchange: bool) -> "Pair":
        """A new pair that has loaded this one's states; each the other's if `exchange`."""
        new = Pair(self.classes[0], self.options, self.lrs, **self.optimizer_options).build()
        order = (1, 0) if exchange else (0, 1)
        for i, source in enumerate(order):
            new.optimizers[i].load_state_dict(copy.deepcopy(self.optimizers[source].state_dict()))
            new.schedulers[i].load_state_dict(through_a_file(self.schedulers[source].state_dict()))
        return new


def every_step(ours: type, options: dict, steps: int) -> None:
    pair = Pair(ours, options).build()
    pair.compare()
    pair.advance(steps)


def tensor_lr(ours: type, options: dict, steps: int) -> None:
    for dtype in (torch.float32, torch.float64):
        lrs = tuple(torch.tensor(lr, dtype=dtype) for lr in LRS)
        pair = Pair(ours, options, lrs).build()
        tensors = [group["lr"] for group in pair.optimizers[0].param_groups]
        pair.advance(steps)
        for group, tensor in zip(pair.optimizers[0].param_groups, tensors, strict=True):
            assert group["lr"] is tensor  # filled in place


def save_and_load(ours: type, options: dict, steps: int) -> None:
    for done in range(0, steps, 3):
        for exchange in (False, True):
            pair = Pair(ours, options).build()
            pair.advance(done)
            new = pair.resumed(exchange)
            new.compare()
            new.advance(steps - done)
            pair.advance(steps - done)
            assert settings(new.optimizers[0]) == settings(pair.optimizers[0])


def chained(ours: type, options: dict, steps: int) -> None:
    for ours_first in (True, False):
        pair = Pair(ours, options)
        others = []
        if not ours_first:
            others = [lr_scheduler.ExponentialLR(optimizer, 0.97) for optimizer in pair.optimizers]
        pair.build()
        if ours_first:
            others = [lr_scheduler.ExponentialLR(optimizer, 0.97) for optimizer in pair.optimizers]
        for _ in range(steps):
            for optimizer, scheduler, other in zip(pair.optimizers, pair.schedulers, others, strict=True):
                advance(optimizer, *((scheduler, other) if ours_first else (other, scheduler)))
            assert settings(pair.optimizers[0]) == settings(pair.optimizers[1])


def in_torchs_chained_scheduler(ours: type, options: dict, steps: int) -> None:
    pair = Pair(ours, options).build()
    chains = [
        lr_scheduler.ChainedScheduler([scheduler, lr_scheduler.StepLR(optimizer, 2, gamma=0.9)], optimizer)
        for optimizer, scheduler in zip(pair.optimizers, pair.schedulers, strict=True)
    ]
    for _ in range(steps):
        for optimizer, chain in zip(pair.optimizers, chains, strict=True):
            advance(optimizer, chain)
        assert settings(pair.optimizers[0]) == settings(pair.optimizers[1])


def in_torchs_sequential(ours: type, options: dict, steps: int) -> None:
    for first in (True, False):
        pair = Pair(ours, options).build()
        sequences = []
        for optimizer, scheduler in zip(pair.optimizers, pair.schedulers, strict=True):
            other = lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=10)
            both = [scheduler, other] if first else [other, scheduler]
            sequences.append(lr_scheduler.SequentialLR(optimizer, both, milestones=[4]))
        for _ in range(steps + 4):
            assert settings(pair.optimizers[0]) == settings(pair.optimizers[1])
            for optimizer, sequence in zip(pair.optimizers, sequences, strict=True):
                advance(optimizer, sequence)


def step_to_an_epoch(ours: type, options: dict, steps: int) -> None:
    pair = Pair(ours, options).build()
    for epoch in (0, 2, 1, steps - 1, steps, 0, 3):
        for optimizer, scheduler in zip(pair.optimizers, pair.schedulers, strict=True):
            optimizer.step()
            with pytest.warns(UserWarning, match="epoch parameter in `scheduler.step"):
                scheduler.step(epoch)
        pair.compare()
        pair.advance(2)


def last_epoch(ours: type, options: dict, steps: int) -> None:
    for done in range(1, steps):
        pair = Pair(ours, options).build()
        pair.advance(done)
        new = Pair(ours, options)
        for optimizer, source in zip(new.optimizers, pair.optimizers, strict=True):
            optimizer.load_state_dict(copy.deepcopy(source.state_dict()))
        new.build(last_epoch=done - 1)
        assert new.schedulers[0].last_epoch == done
        new.compare()
        new.advance(steps - done)


def last_epoch_without_initial_lr(ours: type, options: dict, steps: int) -> None:
    for scheduler in (ours, getattr(lr_scheduler, ours.__name__)):
        with pytest.raises(KeyError, match="param 'initial_lr' is not specified"):
            scheduler(make_optimizer(), **options, last_epoch=steps)


def constructor(ours: type, options: dict, steps: int) -> None:
    def arguments(scheduler: type) -> list[tuple]:
        return [(p.name, p.kind, p.default) for p in inspect.signature(scheduler).parameters.values()]

    assert arguments(ours) == arguments(getattr(lr_scheduler, ours.__name__))


CHECKS = {
    "every step": every_step,
    "tensor lr": tensor_lr,
    "save and load": save_and_load,
    "chained": chained,
    "in torch's ChainedScheduler": in_torchs_chained_scheduler,
    "in torch's SequentialLR": in_torchs_sequential,
    "step(epoch)": step_to_an_epoch,
    "last_epoch": last_epoch,
    "last_epoch without initial_lr": last_epoch_without_initial_lr,
    "constructor": constructor,
}


@pytest.fixture(params=CHECKS)
def parity(request) -> Callable:
    return CHECKS[request.param]


def run(scheduler: type, options: dict, steps: int, lr: float = 0.1) -> list[float]:
    """The learning rates that a scheduler sets: `steps` of them, from step 0."""
    optimizer = make_optimizer((lr,))
    schedule = scheduler(optimizer, **options)
    lrs = []
    for _ in range(steps):
        lrs += lrs_of(optimizer)
        advance(optimizer, schedule)
    return lrs


def jump(scheduler: type, options: dict, steps: int, lr: float = 0.1) -> list[float]:
    """The same by `step(epoch)`, which uses the closed form."""
    optimizer = make_optimizer((lr,))
    schedule = scheduler(optimizer, **options)
    lrs = []
    optimizer.step()
    for epoch in range(steps):
        with warnings.catch_warnings(action="ignore"):
            schedule.step(epoch)
        lrs += lrs_of(optimizer)
    return lrs


def assert_agree(scheduler: type, function: Callable, options: dict, steps: int, lr: float, tolerance: float) -> None:
    """The recursion follows the function to within `tolerance * lr`; the closed form is the function."""
    expected = [function(step, lr, **options) for step in range(steps)]
    assert run(scheduler, options, steps, lr) == pytest.approx(expected, rel=0, abs=tolerance * lr)
    if hasattr(scheduler, "_get_closed_form_lr"):
        assert jump(scheduler, options, steps, lr) == expected


def assert_refused(scheduler: type, function: Callable, options: dict, message: str) -> None:
    """Function and constructor raise the same ValueError, and the constructor leaves the optimizer alone."""
    optimizer = make_optimizer()
    before = copy.deepcopy(optimizer.state_dict())
    for call in (lambda: function(0, 0.1, **options), lambda: scheduler(optimizer, **options)):
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value) == message
    assert optimizer.state_dict() == before


def shared(name: str, value) -> Callable:
    """A fixture that hands out a function or class of this file."""
    return pytest.fixture(name=name, scope="session")(lambda: value)


_run = shared("run", run)
_assert_agree = shared("assert_agree", assert_agree)
_assert_refused = shared("assert_refused", assert_refused)
_make_optimizer = shared("make_optimizer", make_optimizer)
_advance = shared("advance", advance)
_lrs_of = shared("lrs_of", lrs_of)
_settings = shared("settings", settings)
_pair = shared("Pair", Pair)
_plain = shared("plain", plain)
_through_a_file = shared("through_a_file", through_a_file)
