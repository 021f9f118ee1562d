"""ChainedScheduler: torch's, bit for bit, of our schedulers and of torch's; its function and its steps agree."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

import trainloop.schedulers
from trainloop.schedulers import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)
from trainloop.schedulers.chained_scheduler import chained_scheduler
from trainloop.schedulers.constant_lr import constant_lr
from trainloop.schedulers.exponential_lr import exponential_lr
from trainloop.schedulers.step_lr import step_lr

CONSTANT = ("ConstantLR", {"factor": 0.5, "total_iters": 4})
EXPONENTIAL = ("ExponentialLR", {"gamma": 0.9})
STEP = ("StepLR", {"step_size": 3, "gamma": 0.3})
COSINE = ("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.02})
RESTARTS = ("CosineAnnealingWarmRestarts", {"T_0": 3, "eta_min": 0.01})
CYCLIC = ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "step_size_up": 3})
ONE_CYCLE = ("OneCycleLR", {"max_lr": 0.3, "total_steps": 40})
CHAINS = [
    [EXPONENTIAL],
    [CONSTANT, EXPONENTIAL],
    [STEP, EXPONENTIAL, CONSTANT],
    [COSINE, STEP],
    [RESTARTS, EXPONENTIAL],
    [EXPONENTIAL, RESTARTS],
    [STEP, CYCLIC, EXPONENTIAL],
    [ONE_CYCLE, EXPONENTIAL],
]
OURS, TORCHS = trainloop.schedulers, lr_scheduler

# Before 2.10 torch keeps tensor learning rates as the last ones, and not copies of them: they change afterwards,
# https://github.com/pytorch/pytorch/issues/163103.
LR_TYPES = [float, torch.tensor] if torch.__version__ >= "2.10" else [float]


def build(outer, inner: list, chain: list, optimizer) -> lr_scheduler.LRScheduler:
    """Build a chain from the modules that its class and the classes of its parts are to be from."""
    parts = [getattr(module, name)(optimizer, **options) for module, (name, options) in zip(inner, chain, strict=False)]
    return outer.ChainedScheduler(parts, optimizer)


@pytest.fixture(params=CHAINS, ids=lambda chain: " ".join(name for name, _ in chain))
def chain(request) -> list:
    return request.param


@pytest.fixture(params=["ours of ours", "ours of torch's", "ours of both", "torch's of ours", "torch's of both"])
def modules(request) -> tuple:
    outer, inner = request.param.split(" of ")
    both = {"ours": [OURS] * 3, "torch's": [TORCHS] * 3, "both": [TORCHS, OURS, TORCHS]}
    return {"ours": OURS, "torch's": TORCHS}[outer], both[inner]


@pytest.mark.parametrize("parity", ["constructor"], indirect=True)
def test_constructor(parity):
    parity(ChainedScheduler, {}, steps=0)


@pytest.mark.parametrize("lr_type", LR_TYPES)
def test_equals_torch(make_optimizer, advance, settings, plain, modules, chain, lr_type):
    optimizers = [make_optimizer((lr_type(0.1), lr_type(3.0))) for _ in range(2)]
    scheduler = build(*modules, chain, optimizers[0])
    oracle = build(TORCHS, [TORCHS] * 3, chain, optimizers[1])
    for _ in range(30):
        assert settings(optimizers[0]) == settings(optimizers[1])
        assert plain(scheduler.get_last_lr()) == plain(oracle.get_last_lr())
        assert plain(scheduler.state_dict()) == plain(oracle.state_dict())
        advance(optimizers[0], scheduler)
        advance(optimizers[1], oracle)


def test_tensor_lrs_are_filled_with_the_same_numbers(make_optimizer, advance, lrs_of, chain):
    tensors = torch.tensor(0.1, dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64)
    optimizers = make_optimizer(), make_optimizer(tensors)
    schedulers = [build(OURS, [OURS] * 3, chain, optimizer) for optimizer in optimizers]
    held = [group["lr"] for group in optimizers[1].param_groups]
    for _ in range(30):
        assert lrs_of(optimizers[1]) == lrs_of(optimizers[0])
        assert schedulers[1].get_last_lr() == schedulers[0].get_last_lr()
        for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
            advance(optimizer, scheduler)
    assert all(group["lr"] is lr for group, lr in zip(optimizers[1].param_groups, held, strict=True))


@pytest.mark.parametrize("saved_by", [OURS, TORCHS], ids=["from ours", "from torch's"])
def test_equals_torch_after_save_and_load(make_optimizer, advance, settings, modules, chain, saved_by):
    for done in (0, 2, 7):
        optimizer, resumed = make_optimizer(), make_optimizer()
        scheduler = build(saved_by, [saved_by] * 3, chain, optimizer)
        for _ in range(done):
            advance(optimizer, scheduler)
        loaded = build(*modules, chain, resumed)
        resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        loaded.load_state_dict(copy.deepcopy(scheduler.state_dict()))
        for _ in range(12):
            assert settings(optimizer) == settings(resumed)
            assert scheduler.get_last_lr() == loaded.get_last_lr()
            advance(optimizer, scheduler)
            advance(resumed, loaded)


@given(
    steps=st.integers(0, 60),
    lr=st.floats(0, 10),
    gammas=st.tuples(st.floats(0.5, 1), st.floats(0, 2)),
    factor=st.floats(0.01, 1),
    sizes=st.tuples(st.integers(1, 20), st.integers(1, 20)),
)
@settings(deadline=None, max_examples=60)
def test_function_and_steps_agree(make_optimizer, advance, steps, lr, gammas, factor, sizes):
    factors = [
        lambda t: exponential_lr(t, 1.0, gamma=gammas[0]),
        lambda t: step_lr(t, 1.0, step_size=sizes[0], gamma=gammas[1]),
        lambda t: constant_lr(t, 1.0, factor=factor, total_iters=sizes[1]),
    ]
    optimizer = make_optimizer((lr,))
    parts = [
        ExponentialLR(optimizer, gammas[0]),
        StepLR(optimizer, sizes[0], gammas[1]),
        ConstantLR(optimizer, factor, sizes[1]),
    ]
    scheduler = ChainedScheduler(parts)
    for t in range(steps):
        # each step of the recursion rounds three times, by 2**-53 of the value: less than 3e-14 in 60 steps
        expected = chained_scheduler(t, lr, factors=factors)
        assert scheduler.get_last_lr() == pytest.approx([expected], rel=3e-14, abs=1e-300)
        advance(optimizer, scheduler)


@pytest.mark.parametrize("outer", [OURS, TORCHS], ids=["in ours", "in torch's"])
@pytest.mark.parametrize("parts", [OURS, TORCHS], ids=["of ours", "of torch's"])
@pytest.mark.parametrize("first", [True, False])
def test_fixed_it_can_be_part_of_a_sequence(make_optimizer, advance, lrs_of, outer, parts, first):
    optimizer = make_optimizer((1.0,))
    chain = ChainedScheduler([parts.ConstantLR(optimizer, 0.5, 2), parts.ExponentialLR(optimizer, 0.5)])
    other = parts.ConstantLR(optimizer, 0.125, 99)
    both = [chain, other] if first else [other, chain]
    sequence = outer.SequentialLR(optimizer, both, milestones=[3])
    of_the_chain, of_the_other = [0.5, 0.25, 0.25, 0.125], [0.125] * 4
    expected = of_the_chain[:3] + of_the_other if first else of_the_other[:3] + of_the_chain
    for lr in expected:
        assert lrs_of(optimizer) == sequence.get_last_lr() == [lr]
        advance(optimizer, sequence)


def test_in_a_sequence_torchs_takes_a_step_too_many_or_fails(make_optimizer, advance):
    def chain(optimizer):
        parts = [lr_scheduler.ConstantLR(optimizer, 0.5, 2), lr_scheduler.ExponentialLR(optimizer, 0.5)]
        return [lr_scheduler.ChainedScheduler(parts), lr_scheduler.ConstantLR(optimizer, 0.125, 99)]

    optimizer = make_optimizer((1.0,))
    parts = chain(optimizer)
    with pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step"):
        sequence = lr_scheduler.SequentialLR(optimizer, parts, milestones=[3])
    assert sequence.get_last_lr() == [0.25]  # at step 0: 0.5 is due
    optimizer = make_optimizer((1.0,))
    sequence = lr_scheduler.SequentialLR(optimizer, chain(optimizer)[::-1], milestones=[1])
    with pytest.raises(NotImplementedError):
        advance(optimizer, sequence)


def test_chains_of_chains_and_of_sequences(make_optimizer, advance, lrs_of):
    optimizer = make_optimizer((1.0,))
    parts = [ConstantLR(optimizer, 0.5, 99), ExponentialLR(optimizer, 0.5)]
    inner = SequentialLR(optimizer, parts, milestones=[2])
    scheduler = ChainedScheduler([ChainedScheduler([inner]), StepLR(optimizer, step_size=1, gamma=0.5)])
    for lr in [0.5, 0.25, 0.5, 0.125]:  # at step 2 ExponentialLR begins at 1, which StepLR halves
        assert lrs_of(optimizer) == [lr]
        advance(optimizer, scheduler)


def test_optimizer_may_be_left_out(make_optimizer):
    optimizer = make_optimizer()
    assert ChainedScheduler([ExponentialLR(optimizer, 0.5)]).optimizer is optimizer


def test_bad_parts(make_optimizer):
    optimizer = make_optimizer()
    decay = ExponentialLR(optimizer, 0.5)
    with pytest.raises(ValueError, match=r"^schedulers must hold at least one scheduler, got \[\]$"):
        ChainedScheduler([])
    with pytest.raises(TypeError, match=r"^schedulers\[0\] must be a scheduler, got SGD$"):
        ChainedScheduler([optimizer])
    for module in (OURS, TORCHS):
        plateau = module.ReduceLROnPlateau(optimizer)
        with pytest.raises(
            ValueError, match=r"^schedulers\[1\] must be stepped without a metric, got ReduceLROnPlateau$"
        ):
            ChainedScheduler([decay, plateau])
    with pytest.raises(ValueError, match=r"^schedulers\[1\] must have the same optimizer as the others, got SGD$"):
        ChainedScheduler([decay, ExponentialLR(make_optimizer(), 0.5)])
    with pytest.raises(ValueError, match=r"^factors must hold at least one function, got \[\]$"):
        chained_scheduler(0, 0.1, factors=[])
    with pytest.raises(ValueError, match=r"^step must be >= 0, got -1$"):
        chained_scheduler(-1, 0.1, factors=[abs])


def test_bad_states(make_optimizer):
    def chain(n):
        optimizer = make_optimizer()
        return ChainedScheduler([ExponentialLR(optimizer, 0.5) for _ in range(n)])

    with pytest.raises(ValueError, match=r"^state_dict must have the states of 2 schedulers, got 1$"):
        chain(2).load_state_dict(chain(1).state_dict())
    with pytest.raises(ValueError, match=r"^state_dict must have the states of 2 schedulers, got 0$"):
        chain(2).load_state_dict(ReduceLROnPlateau(make_optimizer()).state_dict())
    optimizer = make_optimizer()
    other = ChainedScheduler([CosineAnnealingWarmRestarts(optimizer, 3)])
    with pytest.raises(ValueError, match=r"^state_dict must be ExponentialLR's"):
        chain(1).load_state_dict(other.state_dict())


def test_loading_leaves_the_state_as_it_is(make_optimizer):
    chain = [CYCLIC, CYCLIC]  # torch's CyclicLR removes an entry of a state that it loads
    for inner in ([OURS] * 2, [TORCHS] * 2):
        state = build(OURS, inner, chain, make_optimizer()).state_dict()
        before = copy.deepcopy(state)
        build(OURS, inner, chain, make_optimizer()).load_state_dict(state)
        assert state == before
