"""The sweep is the loop written out by hand, the suggestions follow the curve, and no trace is left."""

import copy
import math
import random
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import trainloop.optim
from trainloop.lr_finder import LRFinder, LRFinderResult
from trainloop.optim import SGD, Adam

X = torch.randn(48, 3, generator=torch.Generator().manual_seed(1))
Y = torch.randn(48, 1, generator=torch.Generator().manual_seed(2))
BATCHES = [(X[i : i + 16], Y[i : i + 16]) for i in (0, 16, 32)]
mse = nn.functional.mse_loss


class Restless(nn.Module):
    """Draws from every generator, and puts a new tensor into its buffer each time."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(8))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64), persistent=False)
        self.register_buffer("nothing", None)

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.detach().mean(dim=0)
            self.count += 1
        return x + 0.01 * (random.random() + np.random.rand())


def make_model():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(3, 8), nn.BatchNorm1d(8), Restless(), nn.Dropout(0.3), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 1)
    )
    model[5].eval()  # a frozen layer in a model that trains
    return model


def make_line():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def train(model, optimizer, loader, epochs):
    """Train as the loop does, but leave every layer in its mode. Returns the losses."""
    losses = []
    for _ in range(epochs):
        for x, y in loader:

            def closure(x=x, y=y):
                optimizer.zero_grad()
                loss = mse(model(x), y)
                loss.backward()
                return loss.item()

            losses.append(optimizer.step(closure))
    return losses


OPTIMIZERS = {
    "SGD": lambda params: SGD(params, lr=0.01, momentum=0.9),
    "Adam": lambda params: Adam(params, lr=0.01, amsgrad=True),
    "torch SGD": lambda params: torch.optim.SGD(params, lr=0.01),
    "torch Adam": lambda params: torch.optim.Adam(params, lr=0.01),
    "torch AdamW, lr a tensor": lambda params: torch.optim.AdamW(params, lr=torch.tensor(0.01)),
    "torch Adafactor": lambda params: torch.optim.Adafactor(params),
    "torch LBFGS": lambda params: torch.optim.LBFGS(params, lr=0.1, max_iter=3),
}
OPTIMIZERS |= {
    name: getattr(trainloop.optim, name)
    for name in trainloop.optim.__all__
    # Made otherwise: around another optimizer, for sparse gradients, for matrices alone.
    if name not in ("Lookahead", "SparseAdam", "Muon")
}
if "Lookahead" in trainloop.optim.__all__:
    OPTIMIZERS["Lookahead"] = lambda params: trainloop.optim.Lookahead(Adam(params, lr=0.01), k=2)
ENDINGS = ["finishes", "diverges", "raises", "batches run out"]


def sweep(finder, loader, ending):
    if ending == "finishes":
        assert finder.run(loader, end_lr=1e-3, steps=7).stopped == "finished"
    elif ending == "diverges":
        assert finder.run(loader, 1e-3, 1e6, steps=60, smoothing=0.0, diverge_at=1.001).stopped == "diverged"
    elif ending == "raises":
        with pytest.raises(RuntimeError, match="mat1 and mat2"):
            finder.run([*BATCHES, (X[:, :2], Y)], steps=7)
    else:
        with pytest.raises(ValueError, match="batches must last"):
            finder.run(iter(BATCHES), steps=7)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("make", "warm"),
    [
        *(pytest.param(make, True, id=f"{name} in mid-run") for name, make in OPTIMIZERS.items()),
        *(pytest.param(OPTIMIZERS[name], False, id=f"{name} fresh") for name in ("SGD", "Adam", "torch LBFGS")),
    ],
)
def test_training_goes_on_as_if_there_had_been_no_sweep(make, ending, warm):
    histories = []
    for swept in (False, True):
        model = make_model()
        optimizer = make(model.parameters())
        order = torch.Generator().manual_seed(4)
        loader = DataLoader(TensorDataset(X, Y), batch_size=16, sampler=RandomSampler(X, generator=order))
        random.seed(5), np.random.seed(5), torch.manual_seed(5)
        losses = train(model, optimizer, loader, epochs=2 if warm else 0)
        if swept:
            sweep(LRFinder(model, mse, optimizer), loader, ending)
        losses += train(model, optimizer, loader, epochs=3)
        histories.append((losses, [t.clone() for t in (*model.parameters(), *model.buffers())]))
    (losses, tensors), (losses_after, tensors_after) = histories
    assert losses_after == losses
    assert all(torch.equal(a, b) for a, b in zip(tensors, tensors_after, strict=True))


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_object_is_the_same_and_unchanged(ending):
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.01))
    train(model, optimizer, BATCHES, epochs=1)
    model[0].bias.grad = None
    objects = [
        *(optimizer.param_groups, optimizer.param_groups[0], optimizer.state, optimizer.defaults),
        *(value for state in optimizer.state.values() for value in state.values()),
        optimizer.param_groups[0]["lr"],
        *model.parameters(),
        *model.buffers(),
        *(p.grad for p in model.parameters()),
    ]
    tensors = [thing for thing in objects if isinstance(thing, torch.Tensor)]
    values = [tensor.detach().clone() for tensor in tensors]
    modes = [layer.training for layer in model.modules()]
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    sweep(LRFinder(model, mse, optimizer), BATCHES, ending)

    after = [
        *(optimizer.param_groups, optimizer.param_groups[0], optimizer.state, optimizer.defaults),
        *(value for state in optimizer.state.values() for value in state.values()),
        optimizer.param_groups[0]["lr"],
        *model.parameters(),
        *model.buffers(),
        *(p.grad for p in model.parameters()),
    ]
    assert len(objects) == len(after) and all(a is b for a, b in zip(objects, after, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(tensors, values, strict=True))
    assert model[0].bias.grad is None
    assert [layer.training for layer in model.modules()] == modes
    assert model[2].count == 3 and model[2].nothing is None
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == states


class Outer(torch.optim.Optimizer):
    """Lookahead in short: wraps an optimizer, and keeps slow weights and a count of its own."""

    def __init__(self, inner):
        self.inner, self.slow, self.count = inner, {}, 0
        super().__init__(inner.param_groups, {})
        self.param_groups = inner.param_groups

    def step(self, closure):
        loss = self.inner.step(closure)
        self.count += 1
        for p in self.param_groups[0]["params"]:
            slow = self.slow.setdefault(p, p.detach().clone())
            if self.count % 2 == 0:
                p.data.copy_(slow.lerp_(p.detach(), 0.5))
        return loss


def test_an_optimizer_inside_another_is_restored_too():
    ends = []
    for swept in (False, True):
        model = make_line()
        optimizer = Outer(SGD(model.parameters(), lr=0.1, momentum=0.9))
        losses = train(model, optimizer, BATCHES, epochs=1)
        if swept:
            result = LRFinder(model, mse, optimizer).run(BATCHES, steps=6, end_lr=0.1)
            assert len(set(result.losses[::3])) > 1  # it did move
            assert optimizer.param_groups is optimizer.inner.param_groups
        losses += train(model, optimizer, BATCHES, epochs=3)
        ends.append((losses, optimizer.count))
    assert ends[0] == ends[1]


def test_parameters_of_the_loss_are_restored():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(2.0))
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, prediction, y):
            self.seen += 1
            return mse(prediction * self.scale, y)

    model, loss_fn = make_line(), Scaled()
    optimizer = SGD([*model.parameters(), *loss_fn.parameters()], lr=0.1)
    LRFinder(model, loss_fn, optimizer).run(BATCHES, steps=5)
    assert (loss_fn.scale.item(), loss_fn.seen.item(), loss_fn.scale.grad) == (2.0, 0.0, None)


def test_hooks_and_schedulers_keep_working():
    model = make_line()
    optimizer = SGD(model.parameters(), lr=0.1)
    calls = []
    optimizer.register_step_post_hook(lambda *_: calls.append(1))
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    LRFinder(model, mse, optimizer).run(BATCHES, steps=4)
    assert len(calls) == 4
    train(model, optimizer, BATCHES[:1], epochs=1)
    scheduler.step()
    assert len(calls) == 5
    assert optimizer.param_groups[0]["lr"] == 0.05


def test_sweep_is_the_loop_written_out_by_hand():
    model = make_model()
    model[5].train()
    other = copy.deepcopy(model)
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    result = LRFinder(model, mse, Adam(model.parameters())).run(BATCHES, 1e-4, 1e-1, steps=10, smoothing=0.9)

    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    optimizer = torch.optim.Adam(other.parameters(), foreach=False)
    lrs, losses, smoothed, average = [], [], [], 0.0
    for i in range(10):
        lrs.append(1e-4 * 1000 ** (i / 9))
        optimizer.param_groups[0]["lr"] = lrs[-1]
        x, y = BATCHES[i % 3]
        loss = mse(other(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        average = 0.9 * average + 0.1 * loss.item()
        smoothed.append(average / (1 - 0.9 ** (i + 1)))
    assert result.lrs == pytest.approx(lrs, rel=1e-12)
    assert result.losses == losses
    assert result.smoothed == pytest.approx(smoothed, rel=1e-12)
    assert result.stopped == "finished"


def test_accumulation_weighs_samples_alike():
    # Three unequal batches make one update: the one of their samples at once, up to float64 rounding.
    x, y = X.double(), Y.double()
    uneven = [(x[:20], y[:20]), (x[20:22], y[20:22]), (x[22:], y[22:])]
    results = []
    for batches, accumulation in ((uneven, 3), ([(x, y)], 1)):
        model = make_line().double()
        finder = LRFinder(model, mse, SGD(model.parameters(), lr=1.0))
        results.append(finder.run(batches, 1e-3, 0.3, steps=12, accumulation=accumulation))
    assert results[0].losses == pytest.approx(results[1].losses, rel=1e-12)


def test_linear_mode_spaces_evenly():
    model = make_line()
    result = LRFinder(model, mse, SGD(model.parameters())).run(BATCHES, 0.1, 0.5, steps=5, mode="linear")
    assert result.lrs == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize(("lrs", "ratios"), [((0.1, 0.4), (0.25, 1)), ((0.0, 0.0), (1, 1)), ((0.0, 3.0), (0, 1))])
def test_groups_keep_the_ratios_of_their_learning_rates(lrs, ratios, as_tensor):
    model = make_line()
    wrap = torch.tensor if as_tensor else float
    groups = [{"params": [p], "lr": wrap(lr)} for p, lr in zip(model.parameters(), lrs, strict=True)]
    optimizer = torch.optim.SGD(groups, foreach=False)
    seen = []
    optimizer.register_step_pre_hook(lambda o, *_: seen.append([float(group["lr"]) for group in o.param_groups]))
    result = LRFinder(model, mse, optimizer).run(BATCHES, 1e-3, 1e-2, steps=4)
    assert seen == [pytest.approx([lr * ratio for ratio in ratios], rel=1e-6) for lr in result.lrs]
    assert [float(group["lr"]) for group in optimizer.param_groups] == pytest.approx(lrs)


def test_it_stops_where_the_smoothed_loss_exceeds_the_limit():
    model = make_line()
    result = LRFinder(model, mse, SGD(model.parameters())).run(BATCHES, 1e-3, 1e6, steps=200, diverge_at=3.0)
    assert result.stopped == "diverged"
    assert len(result.lrs) == len(result.losses) == len(result.smoothed) < 200
    best = math.inf
    for i, value in enumerate(result.smoothed):
        best = min(best, value)
        assert (value > 3.0 * best) == (i == len(result.smoothed) - 1)


def test_a_negative_loss_has_its_limit_above():
    # The loss goes -8, -8, … then -4, 0, 4: with diverge_at = 2, the limit of a lowest loss of -8 is 0.
    values = iter([-8.0, -8.0, -4.0, 0.0, 4.0, 8.0])
    model = make_line()
    finder = LRFinder(model, lambda prediction, _: 0 * prediction.sum() + next(values), SGD(model.parameters()))
    result = finder.run(BATCHES, steps=6, smoothing=0.0, diverge_at=2.0)
    assert (result.losses, result.stopped) == ([-8.0, -8.0, -4.0, 0.0, 4.0], "diverged")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_it_stops_at_a_loss_that_is_not_finite_and_does_not_list_it(bad):
    values = iter([1.0, 1.0, bad])
    model = make_line()
    finder = LRFinder(model, lambda prediction, _: 0 * prediction.sum() + next(values), SGD(model.parameters()))
    result = finder.run(BATCHES, steps=9)
    assert (result.losses, result.stopped) == ([1.0, 1.0], "not finite")
    assert len(result.lrs) == len(result.smoothed) == 2


def test_it_trains_in_train_mode_and_under_no_grad():
    model = nn.Sequential(nn.Linear(3, 1), nn.Dropout(0.5)).eval()
    seen = []

    def loss_fn(prediction, y):
        seen.append(model.training)
        return mse(prediction, y)

    with torch.no_grad():
        LRFinder(model, loss_fn, SGD(model.parameters())).run(BATCHES, steps=3)
    assert seen == [True] * 3
    assert not model.training


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "batches must last for 4 (steps times accumulation), got 0 "),
        (iter(BATCHES), "batches must last for 4 (steps times accumulation), got 3 (a generator can be read only once"),
        ([(X[:0], Y[:0])], "batches must hold at least one sample each, got an empty one"),
    ],
    ids=["none", "a generator", "empty"],
)
def test_batches_that_do_not_suffice_are_refused(batches, message):
    model = make_line()
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        LRFinder(model, mse, SGD(model.parameters())).run(batches, steps=2, accumulation=2)


def test_a_generator_that_lasts_is_enough():
    model = make_line()
    result = LRFinder(model, mse, SGD(model.parameters())).run(iter(BATCHES), steps=3)
    assert len(result.losses) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start_lr": 0}, r"^start_lr must be > 0, got 0$"),
        ({"start_lr": math.nan}, r"^start_lr must be > 0, got nan$"),
        ({"start_lr": 1, "end_lr": 1}, r"^end_lr must be finite and above start_lr = 1, got 1$"),
        ({"end_lr": math.inf}, r"^end_lr must be finite and above start_lr = 1e-07, got inf$"),
        ({"steps": 1}, r"^steps must be >= 2, got 1$"),
        ({"mode": "log"}, r"^mode must be 'exp' or 'linear', got 'log'$"),
        ({"smoothing": 1}, r"^smoothing must be in \[0, 1\), got 1$"),
        ({"diverge_at": 1}, r"^diverge_at must be > 1, got 1$"),
        ({"accumulation": 0}, r"^accumulation must be >= 1, got 0$"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    model = make_line()
    with pytest.raises(ValueError, match=message):
        LRFinder(model, mse, SGD(model.parameters())).run(BATCHES, **arguments)


def curve(losses, lrs=None):
    lrs = lrs or [10.0 ** (i - 5) for i in range(len(losses))]
    return LRFinderResult(lrs, losses, losses, "finished")


@pytest.mark.parametrize(
    ("method", "losses", "expected"),
    [
        ("steepest", [5, 5, 4, 1, 0, 9], 1e-3),  # 4 → 1 happens after the step at 1e-3
        ("steepest", [5, 4, 9, 1, 8], 1e-3),
        ("steepest", [5, 4, 3.5, 99, 4], 1e-5),  # the fall after the explosion does not count
        ("minimum", [5, 5, 4, 1, 0, 9], 1e-2),  # 1e-1, a tenth of it
        ("valley", [9, 8, 7, 6, 5, 7], 1e-3),
        ("valley", [5, 9, 4, 8, 3, 2, 7, 1, 9], 1e-1),  # 5 or 9, 4, 3, 2, 1
        ("valley", [2, 1, 9], 1e-5),
    ],
)
def test_suggestions_on_curves_drawn_by_hand(method, losses, expected):
    found = curve([float(loss) for loss in losses]).suggestion(method, skip_start=0, skip_end=0)
    assert found == pytest.approx(expected)


def test_steepest_is_measured_per_factor_of_the_learning_rate():
    result = curve([3.0, 2.0, 1.0], lrs=[1.0, 2.0, 2.5])
    assert result.suggestion(skip_start=0, skip_end=0) == 2.0


def test_ends_are_left_out():
    losses = [9.0, 1.0, *[5.0 - i / 10 for i in range(10)], 0.0, 0.0]
    assert curve(losses).suggestion("minimum", skip_start=2, skip_end=2) == pytest.approx(10.0 ** (11 - 5) / 10)


@pytest.mark.parametrize("method", ["steepest", "minimum", "valley"])
def test_a_curve_that_does_not_fall_says_so(method):
    with pytest.raises(ValueError, match=r"^the loss must fall somewhere for a suggestion, .*lr = 1e-05$"):
        curve([1.0, 2.0, 3.0, 1.0]).suggestion(method, skip_start=0, skip_end=0)


def test_too_short_a_sweep_says_so():
    with pytest.raises(ValueError, match=r"at least 2 steps, got 1: the sweep has 16 \(finished\), of which skip_st"):
        curve([1.0] * 16).suggestion()
    with pytest.raises(ValueError, match="got 0: the sweep has 3"):
        curve([1.0] * 3).suggestion()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"skip_start": -1}, r"^skip_start must be >= 0, got -1$"),
        ({"skip_end": -2}, r"^skip_end must be >= 0, got -2$"),
        ({"method": "best"}, r"^method must be 'steepest', 'minimum' or 'valley', got 'best'$"),
    ],
)
def test_bad_arguments_of_suggestion_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        curve([1.0] * 30).suggestion(**arguments)


@pytest.mark.parametrize("method", ["steepest", "minimum", "valley"])
def test_suggestion_is_a_rate_that_trains(method):
    # On least squares, descent converges below 2/λmax; a suggestion lies below, and within a factor 500.
    model = make_line()
    optimizer = SGD(model.parameters(), lr=1.0)
    inputs = torch.cat([X, torch.ones(48, 1)], dim=1)
    wall = 2 / torch.linalg.eigvalsh(2 * inputs.T @ inputs / 48).max().item()
    result = LRFinder(model, mse, optimizer).run([(X, Y + 5)], 1e-5, 10, smoothing=0.9)
    assert result.stopped == "diverged"
    assert wall / 500 < result.suggestion(method) < wall
