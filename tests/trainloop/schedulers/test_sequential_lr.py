"""SequentialLR: torch's, bit for bit, of our schedulers and of torch's; its function and its steps agree."""

import copy
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

import trainloop.schedulers
from trainloop.schedulers import ConstantLR, CosineAnnealingWarmRestarts, ExponentialLR, SequentialLR
from trainloop.schedulers.constant_lr import constant_lr
from trainloop.schedulers.cosine_annealing_warm_restarts import cosine_annealing_warm_restarts
from trainloop.schedulers.exponential_lr import exponential_lr
from trainloop.schedulers.sequential_lr import sequential_lr

LINEAR = ("LinearLR", {"start_factor": 0.1, "total_iters": 4})
CONSTANT = ("ConstantLR", {"factor": 0.5, "total_iters": 4})
EXPONENTIAL = ("ExponentialLR", {"gamma": 0.9})
MULTIPLICATIVE = ("MultiplicativeLR", {"lr_lambda": lambda t: 0.9})
LAMBDA = ("LambdaLR", {"lr_lambda": lambda t: 1 / (1 + t)})
COSINE = ("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.02})
RESTARTS = ("CosineAnnealingWarmRestarts", {"T_0": 3, "eta_min": 0.01})
CYCLIC = ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.2, "step_size_up": 3})
ONE_CYCLE = ("OneCycleLR", {"max_lr": 0.3, "total_steps": 40})
SEQUENCES = [
    ([EXPONENTIAL], []),
    ([LINEAR, COSINE], [4]),
    ([CONSTANT, EXPONENTIAL, RESTARTS], [3, 5]),
    ([RESTARTS, CYCLIC], [4]),
    ([CYCLIC, LINEAR], [4]),
    ([LINEAR, ONE_CYCLE], [6]),
    ([ONE_CYCLE, LAMBDA, MULTIPLICATIVE], [2, 4]),
    ([LINEAR, COSINE, EXPONENTIAL], [3, 3]),
    ([LINEAR, COSINE], [0]),
]
OURS, TORCHS = trainloop.schedulers, lr_scheduler

# Where torch is no oracle yet, a test of its own says what is due. Before 2.13 torch's SequentialLR begins with its
# first scheduler even where a milestone of 0 has ended that one's turn; before 2.10 it makes `lr` and `initial_lr` one
# tensor, https://github.com/pytorch/pytorch/pull/163098.
WITH_ORACLE = SEQUENCES if torch.__version__ >= "2.13" else [case for case in SEQUENCES if case[1] != [0]]
LR_TYPES = [float, torch.tensor] if torch.__version__ >= "2.10" else [float]


def build(outer, inner: list, sequence: tuple, optimizer, **more) -> lr_scheduler.LRScheduler:
    """Build a sequence from the modules that its class and the classes of its parts are to be from."""
    parts, milestones = sequence
    schedulers = [
        getattr(module, name)(optimizer, **options) for module, (name, options) in zip(inner, parts, strict=False)
    ]
    return outer.SequentialLR(optimizer, schedulers, milestones, **more)


def name_of(sequence: tuple) -> str:
    return " ".join(name for name, _ in sequence[0]) + f" {sequence[1]}"


@pytest.fixture(params=SEQUENCES, ids=name_of)
def sequence(request) -> tuple:
    return request.param


@pytest.fixture(params=["ours of ours", "ours of torch's", "ours of both", "torch's of ours", "torch's of both"])
def modules(request) -> tuple:
    outer, inner = request.param.split(" of ")
    both = {"ours": [OURS] * 3, "torch's": [TORCHS] * 3, "both": [TORCHS, OURS, TORCHS]}
    return {"ours": OURS, "torch's": TORCHS}[outer], both[inner]


@pytest.mark.parametrize("parity", ["constructor"], indirect=True)
def test_constructor(parity):
    parity(SequentialLR, {}, steps=0)


@pytest.mark.parametrize("sequence", WITH_ORACLE, ids=name_of)
@pytest.mark.parametrize("lr_type", LR_TYPES)
@pytest.mark.parametrize("last_epoch", [-1, 2])
def test_equals_torch(make_optimizer, advance, settings, plain, modules, sequence, lr_type, last_epoch):
    optimizers = [make_optimizer((lr_type(0.1), lr_type(3.0))) for _ in range(2)]
    scheduler = build(*modules, sequence, optimizers[0], last_epoch=last_epoch)
    oracle = build(TORCHS, [TORCHS] * 3, sequence, optimizers[1], last_epoch=last_epoch)
    for _ in range(20):
        assert settings(optimizers[0]) == settings(optimizers[1])
        assert plain(scheduler.get_last_lr()) == plain(oracle.get_last_lr())
        assert plain(scheduler.state_dict()) == plain(oracle.state_dict())
        advance(optimizers[0], scheduler)
        advance(optimizers[1], oracle)


def test_tensor_lrs_are_filled_with_the_same_numbers(make_optimizer, advance, lrs_of, sequence):
    tensors = torch.tensor(0.1, dtype=torch.float64), torch.tensor(3.0, dtype=torch.float64)
    optimizers = make_optimizer(), make_optimizer(tensors)
    schedulers = [build(OURS, [OURS] * 3, sequence, optimizer) for optimizer in optimizers]
    held = [group["lr"] for group in optimizers[1].param_groups]
    for _ in range(20):
        assert lrs_of(optimizers[1]) == lrs_of(optimizers[0])
        for optimizer, scheduler in zip(optimizers, schedulers, strict=True):
            advance(optimizer, scheduler)
    assert all(group["lr"] is lr for group, lr in zip(optimizers[1].param_groups, held, strict=True))


def test_a_milestone_of_0_leaves_the_first_scheduler_out(make_optimizer, advance, lrs_of):
    ours, theirs = make_optimizer(), make_optimizer()
    scheduler = build(OURS, [OURS] * 2, ([LINEAR, COSINE], [0]), ours)
    oracle = lr_scheduler.CosineAnnealingLR(theirs, **COSINE[1])
    for _ in range(20):
        assert lrs_of(ours) == lrs_of(theirs) == scheduler.get_last_lr()
        advance(ours, scheduler)
        advance(theirs, oracle)


def test_equals_torch_when_its_parts_are_resumed_by_last_epoch(make_optimizer, advance, settings, modules):
    sequences = []
    for outer, inner in (modules, (TORCHS, [TORCHS] * 3)):
        optimizer = make_optimizer()
        inner[0].ExponentialLR(optimizer, 0.9)  # leaves initial_lr
        parts = [
            inner[0].LinearLR(optimizer, 0.1, total_iters=6, last_epoch=2),
            inner[1].CosineAnnealingLR(optimizer, 9, last_epoch=2),
        ]
        sequences.append(outer.SequentialLR(optimizer, parts, [5], last_epoch=2))
    for _ in range(15):
        assert settings(sequences[0].optimizer) == settings(sequences[1].optimizer)
        for scheduler in sequences:
            advance(scheduler.optimizer, scheduler)


@pytest.mark.parametrize("saved_by", [OURS, TORCHS], ids=["from ours", "from torch's"])
def test_equals_torch_after_save_and_load(make_optimizer, advance, settings, modules, sequence, saved_by):
    for done in (0, 2, 4, 9):
        optimizer, resumed = make_optimizer(), make_optimizer()
        scheduler = build(saved_by, [saved_by] * 3, sequence, optimizer)
        for _ in range(done):
            advance(optimizer, scheduler)
        loaded = build(*modules, sequence, resumed)
        resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        loaded.load_state_dict(copy.deepcopy(scheduler.state_dict()))
        for _ in range(9):
            assert settings(optimizer) == settings(resumed)
            assert scheduler.get_last_lr() == loaded.get_last_lr()
            advance(optimizer, scheduler)
            advance(resumed, loaded)


@given(
    steps=st.integers(0, 60),
    lr=st.floats(0.001, 10),
    milestones=st.lists(st.integers(0, 50), min_size=2, max_size=2).map(sorted),
    gamma=st.floats(0.5, 1),
    T_0=st.integers(1, 9),
)
@settings(deadline=None, max_examples=60)
def test_function_and_steps_agree(make_optimizer, advance, steps, lr, milestones, gamma, T_0):
    schedules = [
        lambda t: constant_lr(t, lr, factor=0.1, total_iters=20),
        lambda t: exponential_lr(t, lr, gamma=gamma),
        lambda t: cosine_annealing_warm_restarts(t, lr, T_0=T_0),
    ]
    optimizer = make_optimizer((lr,))
    parts = [
        ConstantLR(optimizer, 0.1, 20),
        ExponentialLR(optimizer, gamma),
        CosineAnnealingWarmRestarts(optimizer, T_0),
    ]
    scheduler = SequentialLR(optimizer, parts, milestones)
    for t in range(steps):
        # ExponentialLR rounds in every step, by 2**-53 of the value; gamma**t and the product a few times
        expected = sequential_lr(t, schedules=schedules, milestones=milestones)
        assert scheduler.get_last_lr() == pytest.approx([expected], rel=1e-14)
        advance(optimizer, scheduler)


def nest(outer, inner, optimizer, first: bool) -> lr_scheduler.LRScheduler:
    parts = [inner.ConstantLR(optimizer, 0.5, 99), inner.ExponentialLR(optimizer, 0.5)]
    nested = inner.SequentialLR(optimizer, parts, milestones=[2])
    other = inner.ConstantLR(optimizer, 0.125, 99)
    return outer.SequentialLR(optimizer, [nested, other] if first else [other, nested], milestones=[4])


@pytest.mark.parametrize("outer", [OURS, TORCHS], ids=["in ours", "in torch's"])
@pytest.mark.parametrize("first", [True, False])
def test_fixed_it_can_be_part_of_a_sequence(make_optimizer, advance, lrs_of, outer, first):
    optimizer = make_optimizer((1.0,))
    scheduler = nest(outer, OURS, optimizer, first)
    nested, other = [0.5, 0.5, 1.0, 0.5], [0.125] * 4
    for lr in nested + other if first else other + nested:
        assert lrs_of(optimizer) == scheduler.get_last_lr() == [lr]
        advance(optimizer, scheduler)


def test_a_chain_may_be_inside_a_sequence_inside_a_sequence(make_optimizer, advance, lrs_of):
    optimizer = make_optimizer((1.0,))
    chain = OURS.ChainedScheduler([ConstantLR(optimizer, 0.5, 1), ExponentialLR(optimizer, 0.5)])
    parts = [ConstantLR(optimizer, 0.25, 99), chain]
    inner = SequentialLR(optimizer, parts, milestones=[1], last_epoch=7)  # begins at 0 all the same
    scheduler = SequentialLR(optimizer, [inner, ConstantLR(optimizer, 0.125, 99)], milestones=[4])
    for lr in [0.25, 0.5, 0.5, 0.25, 0.125]:
        assert lrs_of(optimizer) == [lr]
        advance(optimizer, scheduler)


def test_in_a_sequence_torchs_takes_a_step_too_many_or_fails(make_optimizer, advance):
    optimizer = make_optimizer((1.0,))
    with pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step"):
        scheduler = nest(TORCHS, TORCHS, optimizer, first=True)
    lrs = []
    for _ in range(3):
        lrs += scheduler.get_last_lr()
        advance(optimizer, scheduler)
    assert lrs == [0.5, 1.0, 0.5]  # 0.5 is due twice
    scheduler = nest(TORCHS, TORCHS, optimizer, first=False)
    for _ in range(3):
        advance(optimizer, scheduler)
    with pytest.raises(NotImplementedError):
        advance(optimizer, scheduler)


def test_bad_parts(make_optimizer):
    optimizer = make_optimizer()
    decay = ExponentialLR(optimizer, 0.5)
    with pytest.raises(ValueError, match=r"^schedulers must hold at least one scheduler, got \[\]$"):
        SequentialLR(optimizer, [], [])
    with pytest.raises(TypeError, match=r"^schedulers\[1\] must be a scheduler, got int$"):
        SequentialLR(optimizer, [decay, 3], [1])
    for module in (OURS, TORCHS):
        plateau = module.ReduceLROnPlateau(optimizer)
        with pytest.raises(
            ValueError, match=r"^schedulers\[0\] must be stepped without a metric, got ReduceLROnPlateau$"
        ):
            SequentialLR(optimizer, [plateau, decay], [1])
    with pytest.raises(ValueError, match=r"^schedulers\[0\] must have the same optimizer as the others, got SGD$"):
        SequentialLR(make_optimizer(), [decay], [])


@pytest.mark.parametrize(
    ("milestones", "message"),
    [
        ([], "milestones must be one fewer than the 3 schedules, got []"),
        ([1, 2, 3], "milestones must be one fewer than the 3 schedules, got [1, 2, 3]"),
        ([5, 3], "milestones must be >= 0 and in order, got [5, 3]"),
        ([-1, 3], "milestones must be >= 0 and in order, got [-1, 3]"),
    ],
)
def test_bad_milestones(make_optimizer, milestones, message):
    optimizer = make_optimizer()
    parts = [ExponentialLR(optimizer, 0.5) for _ in range(3)]
    for build in (
        lambda: SequentialLR(optimizer, parts, milestones),
        lambda: sequential_lr(0, schedules=[abs] * 3, milestones=milestones),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            build()


def test_bad_arguments_of_the_function():
    with pytest.raises(ValueError, match=r"^schedules must hold at least one function, got \[\]$"):
        sequential_lr(0, schedules=[], milestones=[])
    with pytest.raises(ValueError, match=r"^step must be >= 0, got -1$"):
        sequential_lr(-1, schedules=[abs], milestones=[])


def test_bad_states(make_optimizer):
    optimizer = make_optimizer()
    scheduler = SequentialLR(optimizer, [ExponentialLR(optimizer, 0.5)], [])
    with pytest.raises(ValueError, match=r"^state_dict must have the states of 1 schedulers, got 0$"):
        scheduler.load_state_dict(ExponentialLR(optimizer, 0.5).state_dict())
    chain = lr_scheduler.ChainedScheduler([ExponentialLR(optimizer, 0.5)])
    with pytest.raises(ValueError, match=r"^state_dict must be SequentialLR's"):
        scheduler.load_state_dict(chain.state_dict())
