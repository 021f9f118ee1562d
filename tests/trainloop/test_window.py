"""Windows: the gradient of many micro-batches is one large batch's, and mixed precision keeps its order."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trainloop.clip import clip_grad_norm_
from trainloop.loop import train_step
from trainloop.optim import SGD, Adam
from trainloop.optim.lbfgs import LBFGS
from trainloop.window import accumulate, needs_closure, step, train_window, train_with_closure, windows

mse = nn.functional.mse_loss


def make_model(dtype=torch.float64):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)).to(dtype)


def make_data(samples, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(samples, 3, generator=generator, dtype=torch.float64)
    return x.to(dtype), torch.sin(x[:, :2]).to(dtype)


def cut(x, y, sizes):
    return list(zip(x.split(list(sizes)), y.split(list(sizes)), strict=True))


def gradients(model):
    return [p.grad.clone() for p in model.parameters()]


def assert_same(a, b):
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@settings(deadline=None, max_examples=40)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_a_window_has_the_gradient_of_one_large_batch(sizes):
    model, (x, y) = make_model(), make_data(sum(sizes))
    loss = accumulate(model, mse, cut(x, y, sizes))
    got = gradients(model)
    model.zero_grad()
    expected = mse(model(x), y)
    expected.backward()
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(got, gradients(model), rtol=1e-12, atol=1e-12)


def test_weighting_batches_alike_would_be_wrong():
    # What the test above must be able to see: 1/k instead of n/N.
    model, (x, y) = make_model(), make_data(9)
    for a, b in cut(x, y, (8, 1)):
        (mse(model(a), b) / 2).backward()
    got = gradients(model)
    model.zero_grad()
    mse(model(x), y).backward()
    assert max((a - b).abs().max().item() for a, b in zip(got, gradients(model), strict=True)) > 1e-3


@pytest.mark.parametrize("clip", [None, lambda parameters: clip_grad_norm_(parameters, 0.1)])
def test_updates_of_windows_are_those_of_large_batches(clip):
    # 23 samples in micro-batches of 4: windows of 12 and 11 samples, the last micro-batch with 3.
    x, y = make_data(23)
    model = make_model()
    other = copy.deepcopy(model)
    ours, theirs = Adam(model.parameters(), lr=0.01), torch.optim.Adam(other.parameters(), lr=0.01)
    for _ in range(5):
        for window in windows(cut(x, y, (4, 4, 4, 4, 4, 3)), size=3):
            update = train_window(model, mse, ours, window, clip=clip)
        for a, b in cut(x, y, (12, 11)):
            theirs.zero_grad()
            loss = mse(other(a), b)
            loss.backward()
            if clip is not None:
                norm = torch.nn.utils.clip_grad_norm_(other.parameters(), 0.1)
                assert norm > 0.1
            theirs.step()
        torch.testing.assert_close(update.loss, loss.detach(), rtol=1e-12, atol=1e-12)
        if clip is not None:
            torch.testing.assert_close(update.grad_norm, norm, rtol=1e-12, atol=1e-12)
    # Adam divides by √v, which enlarges rounding where v is small.
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-10)


def test_a_window_of_one_batch_is_train_step_bit_for_bit():
    x, y = make_data(7, torch.float32)
    model = make_model(torch.float32)
    other = copy.deepcopy(model)
    ours, theirs = SGD(model.parameters(), lr=0.1), SGD(other.parameters(), lr=0.1)
    for _ in range(10):
        assert train_window(model, mse, ours, [(x, y)]).loss.item() == train_step(other, mse, theirs, x, y)
    assert_same(model.parameters(), other.parameters())


def test_a_mean_over_tokens_is_weighted_by_tokens():
    # Padding is -100. The loss is a mean over the other tokens, so a batch weighs by their number.
    torch.manual_seed(0)
    model = nn.Linear(4, 5).double()
    x, y = torch.randn(6, 7, 4, dtype=torch.float64), torch.randint(5, (6, 7))
    for i, length in enumerate([7, 1, 2, 7, 3, 1]):
        y[i, length:] = -100

    def loss_fn(prediction, target):
        return nn.functional.cross_entropy(prediction.flatten(0, 1), target.flatten())

    window = cut(x, y, (2, 2, 2))
    accumulate(model, loss_fn, window, count=lambda _, target: int((target != -100).sum()))
    by_tokens = gradients(model)
    model.zero_grad()
    accumulate(model, loss_fn, window)
    by_samples = gradients(model)
    model.zero_grad()
    loss_fn(model(x), y).backward()
    torch.testing.assert_close(by_tokens, gradients(model), rtol=1e-12, atol=1e-12)
    assert not torch.allclose(by_samples[0], gradients(model)[0], rtol=1e-3)


def test_the_loss_comes_without_its_graph():
    model, (x, y) = make_model(), make_data(8)
    losses = [accumulate(model, mse, cut(x, y, (4, 4))) for _ in range(3)]
    assert all(loss.grad_fn is None and not loss.requires_grad for loss in losses)


@pytest.mark.parametrize("window", [[], [make_data(0)], [make_data(2), make_data(0)]])
def test_windows_without_samples_are_refused(window):
    with pytest.raises(ValueError, match=r"^batches must hold at least one sample, got a window of sizes \["):
        accumulate(make_model(), mse, window)


def test_windows_of_no_size_are_refused():
    with pytest.raises(ValueError, match=r"^size must be >= 1, got 0$"):
        list(windows([], 0))


def test_windows_read_no_further_than_they_must():
    read = []
    batches = windows((read.append(i) or make_data(1) for i in range(5)), size=2)
    next(batches)
    assert read == [0, 1]


# Mixed precision


class SpyScaler(torch.amp.GradScaler):
    """Notes what it is asked for, in order."""

    def __init__(self, events, **options):
        super().__init__("cpu", **options)
        self.events = events

    def scale(self, outputs):
        self.events.append("scale")
        return super().scale(outputs)

    def unscale_(self, optimizer):
        self.events.append("unscale_")
        super().unscale_(optimizer)

    def step(self, optimizer):
        self.events.append("step")
        return super().step(optimizer)

    def update(self):
        self.events.append("update")
        super().update()


def test_order_of_mixed_precision():
    model, (x, y) = make_model(torch.float32), make_data(10, torch.float32)
    events, norms = [], []
    model[0].register_full_backward_hook(lambda *_: events.append("backward"))

    def clip(parameters):
        events.append("clip")
        norms.append(clip_grad_norm_(parameters, 1e-3))
        return norms[-1]

    def before_step(loss):
        assert not loss.requires_grad
        events.append("before_step")

    optimizer = SGD(model.parameters(), lr=0.1)
    window = [(x.requires_grad_(), y) for x, y in cut(x, y, (4, 4, 2))]
    scaler = SpyScaler(events, init_scale=1024.0)
    update = train_window(model, mse, optimizer, window, clip=clip, scaler=scaler, before_step=before_step)
    assert events == ["scale", "backward"] * 3 + ["unscale_", "before_step", "clip", "step", "update"]

    # What clip saw was unscaled, and what the optimizer used was clipped.
    other = make_model(torch.float32)
    mse(other(x.detach()), y).backward()
    true = torch.nn.utils.get_total_norm([p.grad for p in other.parameters()])
    torch.testing.assert_close(update.grad_norm, true, rtol=1e-5, atol=0.0)
    assert torch.nn.utils.get_total_norm(gradients(model)).item() == pytest.approx(1e-3, rel=1e-2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_mixed_precision_is_the_loop_written_out_by_hand(dtype):
    x, y = make_data(10, torch.float32)
    window = cut(x, y, (4, 4, 2))
    model = make_model(torch.float32)
    other = copy.deepcopy(model)

    def make_scaler():
        if dtype == torch.bfloat16:
            return None
        return torch.amp.GradScaler("cpu", init_scale=2.0**24, growth_interval=4)

    ours, theirs = Adam(model.parameters(), lr=0.01), torch.optim.Adam(other.parameters(), lr=0.01, foreach=False)
    ours_scaler, theirs_scaler = make_scaler(), make_scaler()
    stepped = []
    for _ in range(20):
        update = train_window(
            model, mse, ours, window, clip=lambda p: clip_grad_norm_(p, 0.1), autocast=dtype, scaler=ours_scaler
        )
        stepped.append(update.stepped)

        theirs.zero_grad()
        for a, b in window:
            with torch.amp.autocast("cpu", dtype=dtype):
                loss = mse(other(a), b)
            loss = loss * (len(a) / 10)
            (loss if theirs_scaler is None else theirs_scaler.scale(loss)).backward()
        if theirs_scaler is None:
            torch.nn.utils.clip_grad_norm_(other.parameters(), 0.1, foreach=False)
            theirs.step()
        else:
            theirs_scaler.unscale_(theirs)
            torch.nn.utils.clip_grad_norm_(other.parameters(), 0.1, foreach=False)
            theirs_scaler.step(theirs)
            theirs_scaler.update()
        assert_same(model.parameters(), other.parameters())
    if dtype == torch.float16:
        assert ours_scaler.state_dict() == theirs_scaler.state_dict()
        assert not all(stepped)  # 2²⁴ is too much for float16
        assert any(stepped)
    else:
        assert all(stepped)


def test_step_tells_whether_it_was_made():
    p = torch.zeros(2, requires_grad=True)
    optimizer, scaler = SGD([p], lr=1.0), torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1)
    made = []
    for g in (8.0, float("inf"), 8.0, float("nan"), 8.0):
        scaler.scale(torch.zeros(()))  # the scaler is made with its first use
        p.grad = torch.tensor([g, g])
        before = p.tolist()
        made.append(step(optimizer, scaler))
        assert (p.tolist() != before) == made[-1]
    assert made == [True, False, True, False, True]


def test_a_disabled_scaler_changes_nothing():
    model, (x, y) = make_model(), make_data(4)
    other = copy.deepcopy(model)
    disabled = torch.amp.GradScaler("cpu", enabled=False)
    assert train_window(model, mse, SGD(model.parameters(), lr=0.1), [(x, y)], scaler=disabled).stepped
    train_window(other, mse, SGD(other.parameters(), lr=0.1), [(x, y)])
    assert_same(model.parameters(), other.parameters())


def test_an_outer_autocast_stays_on():
    model, (x, y) = make_model(torch.float32), make_data(4, torch.float32)
    types = []

    def loss_fn(prediction, target):
        types.append(prediction.dtype)
        return mse(prediction.float(), target)

    with torch.amp.autocast("cpu", dtype=torch.bfloat16):
        accumulate(model, loss_fn, [(x, y)])
    accumulate(model, loss_fn, [(x, y)])
    assert types == [torch.bfloat16, torch.float32]


# Closures


def test_lbfgs_sees_one_batch_in_all_its_evaluations():
    x, y = make_data(20)
    model = make_model()
    other = copy.deepcopy(model)
    options = {"lr": 0.5, "max_iter": 5, "line_search_fn": "strong_wolfe"}
    ours, theirs = torch.optim.LBFGS(model.parameters(), **options), torch.optim.LBFGS(other.parameters(), **options)
    seen = []

    def loss_fn(prediction, target):
        seen.append(target)
        return mse(prediction, target)

    for a, b in cut(x, y, (12, 8)):
        before = mse(model(a), b).item()
        seen.clear()
        update = train_with_closure(model, loss_fn, ours, (a, b))
        assert update.loss.item() == before
        assert len(seen) > 1
        assert all(target is seen[0] for target in seen)

        def closure(a=a, b=b):
            theirs.zero_grad()
            loss = mse(other(a), b)
            loss.backward()
            return loss

        theirs.step(closure)
    assert_same(model.parameters(), other.parameters())


def test_who_needs_a_closure():
    p = torch.zeros(1, requires_grad=True)
    lbfgs = torch.optim.LBFGS([p])
    torch.optim.lr_scheduler.ConstantLR(lbfgs)  # wraps step
    assert needs_closure(lbfgs)
    assert needs_closure(LBFGS([p]))

    class Searching(torch.optim.SGD):
        def step(self, closure):
            return super().step(closure)

    assert needs_closure(Searching([p]))
    assert not needs_closure(SGD([p], lr=0.1))
    assert not needs_closure(torch.optim.Adam([p]))
