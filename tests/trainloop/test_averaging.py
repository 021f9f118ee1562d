"""Averages of weights: torch's where torch has them, the formula where it has not, and weights that come back."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from trainloop.averaging import (
    EMA,
    SWA,
    WeightAverage,
    averages_itself,
    has_batchnorm,
    optimizer_average,
    update_batchnorm,
)
from trainloop.optim import SGD


def make_model(dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 1)).to(dtype)


def walk(model, steps, seed=1):
    """Train a little, and yield after each step."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = SGD(model.parameters(), lr=0.3)
    dtype = model[0].weight.dtype
    for _ in range(steps):
        x = torch.randn(16, 3, generator=generator).to(dtype)
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        yield x


def assert_same(a, b):
    assert len(a) == len(b)
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def applied(average, model):
    with average.applied(model):
        return [p.detach().clone() for p in model.parameters()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("decay", [0.0, 0.9, 0.999, 1.0])
@pytest.mark.parametrize("average_buffers", [False, True])
def test_ema_is_torchs_bit_for_bit(dtype, decay, average_buffers):
    model = make_model(dtype)
    ours = EMA(decay, average_buffers=average_buffers)
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=average_buffers)
    for _ in walk(model, 50):
        ours.update(model)
        theirs.update_parameters(model)
    with ours.applied(model):
        assert_same(list(model.parameters()), list(theirs.module.parameters()))
        floating = [b for b in model.buffers() if b.is_floating_point()]
        assert_same(floating, [b for b in theirs.module.buffers() if b.is_floating_point()])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_swa_is_torchs_and_the_mean(dtype):
    # On the CPU torch adds (θ − average) / t; lerp rounds otherwise. An update brings an error of about one
    # rounding, and shrinks the earlier ones by 1 − 1/t: 20 updates, at most 20 roundings of numbers below 1.
    model = make_model(dtype)
    ours, theirs, seen = SWA(), AveragedModel(model), []
    for _ in walk(model, 20):
        ours.update(model)
        theirs.update_parameters(model)
        seen.append([p.detach().clone() for p in model.parameters()])
    got = applied(ours, model)
    bound = 20 * torch.finfo(dtype).eps
    torch.testing.assert_close(got, [p.detach() for p in theirs.module.parameters()], rtol=0.0, atol=bound)
    mean = [torch.stack(positions).mean(dim=0) for positions in zip(*seen, strict=True)]
    torch.testing.assert_close(got, mean, rtol=0.0, atol=bound)


@settings(deadline=None, max_examples=30)
@given(decay=st.floats(0.0, 0.999), positions=st.lists(st.floats(-10, 10), min_size=1, max_size=20))
def test_bias_correction_is_adams(decay, positions):
    model, ema = nn.Linear(1, 1, bias=False).double(), EMA(decay, correct_bias=True)
    a = 0.0
    for w in positions:
        nn.init.constant_(model.weight, w)
        ema.update(model)
        a = decay * a + (1 - decay) * w
    expected = a / (1 - decay ** len(positions))
    # The quotient a / (1 − βᵗ) loses digits as β approaches 1: 1 − 0.999 has lost three.
    assert applied(ema, model)[0].item() == pytest.approx(expected, rel=1e-11, abs=1e-11)


def test_what_a_constant_decay_keeps_of_the_first_position():
    model, ema = nn.Linear(1, 1, bias=False).double(), EMA(0.999)
    nn.init.constant_(model.weight, 1.0)
    for _ in range(1001):
        ema.update(model)
        nn.init.zeros_(model.weight)
    assert applied(ema, model)[0].item() == pytest.approx(0.37, abs=0.005)


def test_start_leaves_out_the_first_positions():
    for make in (lambda start: EMA(0.5, start=start), lambda start: SWA(start)):
        model = make_model()
        late, from_here = make(3), make(0)
        for i, _ in enumerate(walk(model, 8)):
            late.update(model)
            if i >= 3:
                from_here.update(model)
        assert late.n_averaged == from_here.n_averaged == 5
        assert_same(applied(late, model), applied(from_here, model))


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_gets_its_own_weights_and_buffers_back(fails):
    model, ema = make_model(), EMA(0.5)
    for _ in walk(model, 5):
        ema.update(model)
    before = copy.deepcopy(model.state_dict())
    try:
        with ema.applied(model):
            assert not torch.equal(model[0].weight, before["0.weight"])
            model(torch.randn(8, 3))  # changes BatchNorm's statistics
            if fails:
                raise RuntimeError("inside")
    except RuntimeError as error:
        assert str(error) == "inside"
    assert_same(list(model.state_dict().values()), list(before.values()))


def test_averaging_does_not_disturb_training():
    model, other = make_model(), make_model()
    ema = EMA(0.9)
    for _, _ in zip(walk(model, 20), walk(other, 20), strict=True):
        ema.update(model)
        with ema.applied(model):
            pass
    assert_same(list(model.parameters()), list(other.parameters()))


def test_copy_to_gives_the_average_for_good():
    model, swa = make_model(), SWA()
    for _ in walk(model, 4):
        swa.update(model)
    expected = applied(swa, model)
    swa.copy_to(model)
    assert_same(list(model.parameters()), expected)


@pytest.mark.parametrize(
    "make", [lambda: EMA(0.9), lambda: EMA(0.9, correct_bias=True, start=2, average_buffers=True), lambda: SWA(3)]
)
def test_saved_in_the_middle_and_loaded(make, tmp_path):
    model, whole, first = make_model(), make(), make()
    steps = walk(model, 12)
    for _ in range(5):
        next(steps)
        whole.update(model)
        first.update(model)
    torch.save(first.state_dict(), tmp_path / "average.pt")
    second = make()
    second.load_state_dict(torch.load(tmp_path / "average.pt", weights_only=True), model)
    for _ in steps:
        whole.update(model)
        second.update(model)
    assert (second.n_passed, second.n_averaged) == (whole.n_passed, whole.n_averaged)
    assert_same(applied(whole, model), applied(second, model))


def test_loading_shares_nothing():
    model, ema = make_model(), EMA(0.5)
    ema.update(model)
    other = EMA(0.5)
    other.load_state_dict(ema.state_dict(), model)
    before = applied(ema, model)
    for _ in walk(model, 2):
        other.update(model)
    assert_same(applied(ema, model), before)


def test_an_average_that_has_not_begun_survives_saving():
    model, swa = make_model(), SWA(start=2)
    swa.update(model)
    other = SWA(start=2)
    other.load_state_dict(swa.state_dict(), model)
    other.update(model)
    other.update(model)
    assert (other.n_passed, other.n_averaged) == (2, 1)


def test_nothing_to_apply_yet():
    model = make_model()
    message = "the average must hold at least one position, got none: call update first"
    with pytest.raises(ValueError, match=message):
        SWA().copy_to(model)
    with pytest.raises(ValueError, match=message), SWA().applied(model):
        pass


def test_another_model_is_refused():
    model, other, ema = make_model(), nn.Linear(2, 2), EMA()
    ema.update(model)
    for call in (ema.update, ema.copy_to, lambda m: EMA().load_state_dict(ema.state_dict(), m)):
        with pytest.raises(ValueError, match=r"model must have the weights that were averaged, got a difference in \["):
            call(other)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EMA(1.5), "decay must be in [0, 1], got 1.5"),
        (lambda: EMA(-0.1), "decay must be in [0, 1], got -0.1"),
        (lambda: EMA(1.0, correct_bias=True), "decay must be < 1 with correct_bias, got 1"),
        (lambda: SWA(-1), "start must be >= 0, got -1"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == message


def test_a_rule_has_to_be_brought():
    average = WeightAverage()
    average.update(make_model())
    with pytest.raises(NotImplementedError):
        average.update(make_model())


def test_options_are_what_is_not_state():
    model, ema = make_model(), EMA(0.9, start=1)
    options = {"decay": 0.9, "correct_bias": False, "start": 1, "average_buffers": False}
    for _ in range(3):
        assert ema.options() == options
        ema.update(model)


# BatchNorm


def make_batches(dtype=torch.float32):
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(3)).to(dtype)
    return [(part, part) for part in x.split(8)]


def test_update_batchnorm_is_torchs_bit_for_bit():
    model = make_model()
    for _ in walk(model, 5):
        pass
    other = copy.deepcopy(model)
    model[0].eval()
    update_batchnorm(model, make_batches())
    update_bn(make_batches(), other)
    assert_same(list(model.state_dict().values()), list(other.state_dict().values()))
    assert [layer.training for layer in model] == [False, True, True, True]
    assert model[1].momentum == 0.1


def test_update_batchnorm_restores_what_it_changes_for_a_while():
    model = make_model().eval()
    with pytest.raises(RuntimeError):
        update_batchnorm(model, [(torch.randn(4, 99), None)])
    assert model[1].momentum == 0.1
    assert not any(layer.training for layer in model.modules())


def test_without_batchnorm_no_batch_is_read():
    def batches():
        raise AssertionError("read")
        yield

    model = nn.Linear(3, 1)
    update_batchnorm(model, batches())
    assert not has_batchnorm(model)
    assert not has_batchnorm(nn.BatchNorm1d(2, track_running_stats=False))
    assert has_batchnorm(make_model())


# Optimizers that average


class Switching(SGD):
    """Notes in which mode it is."""

    mode = "train"

    def train(self):
        self.mode = "train"

    def eval(self):
        self.mode = "eval"


def test_optimizers_with_train_and_eval_are_switched():
    p = torch.zeros(1, requires_grad=True)
    optimizer = Switching([p], lr=0.1)
    assert averages_itself(optimizer)
    with pytest.raises(RuntimeError, match="inside"), optimizer_average(optimizer):
        assert optimizer.mode == "eval"
        raise RuntimeError("inside")
    assert optimizer.mode == "train"


def test_other_optimizers_are_left_alone():
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    assert not averages_itself(optimizer)
    with optimizer_average(optimizer):
        pass
