"""The loop: equal to the loop written out by hand, exact about its means, and tidy."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainloop.loop import evaluate, in_mode, mean_of, train_epoch, train_step
from trainloop.optim import SGD, Adam

X = torch.linspace(-1, 1, 10, dtype=torch.float64).unsqueeze(1)
Y = 2 * X + 3
UNEVEN = [(X[:4], Y[:4]), (X[4:8], Y[4:8]), (X[8:], Y[8:])]  # 4 + 4 + 2 samples
mse = nn.functional.mse_loss


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)).double()


def assert_same_parameters(model: nn.Module, other: nn.Module) -> None:
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)


def test_train_step_returns_the_loss_before_the_update():
    model = make_model()
    before = mse(model(X), Y).item()
    loss = train_step(model, mse, SGD(model.parameters(), lr=0.1), X, Y)
    assert type(loss) is float
    assert loss == before
    assert mse(model(X), Y).item() < before


def test_train_step_forgets_old_gradients():
    model = make_model()
    other = copy.deepcopy(model)
    for p in model.parameters():
        p.grad = torch.full_like(p, 1e6)
    for m in (model, other):
        train_step(m, mse, SGD(m.parameters(), lr=0.1), X, Y)
    assert_same_parameters(model, other)


def test_train_step_returns_a_loss_that_is_not_finite():
    model = nn.Linear(1, 1).double()
    optimizer = SGD(model.parameters(), lr=1e200)
    losses = [train_step(model, mse, optimizer, X, Y) for _ in range(4)]
    assert math.isfinite(losses[0])
    assert not math.isfinite(losses[-1])


def test_train_epoch_is_the_loop_written_out_by_hand():
    model = make_model()
    other = copy.deepcopy(model)
    ours = Adam(model.parameters(), lr=0.01)
    losses = [train_epoch(model, mse, ours, UNEVEN) for _ in range(20)]

    optimizer = torch.optim.Adam(other.parameters(), lr=0.01, foreach=False)
    expected = []
    for _ in range(20):
        total = 0.0
        for x, y in UNEVEN:
            loss = ((other(x) - y) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            total += loss.item() * len(x)
            optimizer.step()
        expected.append(total / 10)
    assert losses == expected
    assert_same_parameters(model, other)


def test_epoch_mean_counts_samples_not_batches():
    # With lr = 0 the model stands still, so the epoch's mean is the loss over all samples at once.
    model = make_model()
    loss = train_epoch(model, mse, SGD(model.parameters(), lr=0.0), UNEVEN)
    per_batch = [mse(model(x), y).item() for x, y in UNEVEN]
    assert loss == pytest.approx(mse(model(X), Y).item(), rel=1e-14)
    assert loss != pytest.approx(sum(per_batch) / 3, rel=1e-3)


def test_evaluate_counts_samples_not_batches():
    model = make_model()
    assert evaluate(model, mse, UNEVEN) == pytest.approx(mse(model(X), Y).item(), rel=1e-14)


def test_train_epoch_switches_to_train_mode():
    model = make_model().eval()
    train_epoch(model, mse, SGD(model.parameters()), UNEVEN)
    assert model.training


def test_evaluate_measures_in_eval_mode_without_gradients():
    model = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.5), nn.Linear(8, 1)).double()
    seen = []

    def loss_fn(prediction, y):
        seen.append((model.training, prediction.requires_grad))
        return mse(prediction, y)

    assert evaluate(model, loss_fn, UNEVEN) == evaluate(model, loss_fn, UNEVEN)
    assert set(seen) == {(False, False)}
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("fails", [False, True])
def test_evaluate_restores_every_layers_mode(fails):
    # A frozen layer in a model that trains: restoring one mode for all would wake it up.
    model = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).double()
    model[1].eval()

    def loss_fn(prediction, y):
        if fails:
            raise RuntimeError("no loss")
        return mse(prediction, y)

    if fails:
        with pytest.raises(RuntimeError, match="no loss"):
            evaluate(model, loss_fn, UNEVEN)
    else:
        evaluate(model, loss_fn, UNEVEN)
    assert [layer.training for layer in model] == [True, False, True]
    assert model.training
    assert torch.is_grad_enabled()


def test_evaluate_changes_nothing():
    model = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).double()
    before = copy.deepcopy(model.state_dict())
    evaluate(model, mse, UNEVEN)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    assert all(p.grad is None for p in model.parameters())


def test_train_epoch_reads_a_data_loader_once():
    model = make_model()
    loader = DataLoader(TensorDataset(X, Y), batch_size=4)
    other = copy.deepcopy(model)
    ours, theirs = SGD(model.parameters(), lr=0.1), SGD(other.parameters(), lr=0.1)
    for _ in range(5):
        assert train_epoch(model, mse, ours, loader) == train_epoch(other, mse, theirs, UNEVEN)
    assert_same_parameters(model, other)


@pytest.mark.parametrize("batches", [[], [(X[:0], Y[:0])]], ids=["no batch", "empty batch"])
@pytest.mark.filterwarnings("default")  # torch warns of a mean over nothing
def test_no_samples_are_refused(batches):
    model = make_model()
    for call in (
        lambda: train_epoch(model, mse, SGD(model.parameters()), batches),
        lambda: evaluate(model, mse, batches),
    ):
        with pytest.raises(ValueError, match="batches must hold at least one sample, got none"):
            call()


def test_a_generator_lasts_one_epoch_and_says_so():
    model = make_model()
    optimizer, batches = SGD(model.parameters()), iter(UNEVEN)
    train_epoch(model, mse, optimizer, batches)
    with pytest.raises(ValueError, match="a generator can be read only once: pass a list or a DataLoader"):
        train_epoch(model, mse, optimizer, batches)


@pytest.mark.parametrize("training", [True, False])
def test_in_mode_sets_one_mode_and_restores_each(training):
    model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))
    model[1].eval()
    with in_mode(model, training=training):
        assert [model.training, *(layer.training for layer in model)] == [training] * 3
    assert [model.training, *(layer.training for layer in model)] == [True, True, False]


def test_mean_of():
    assert mean_of(6.0, 4) == 1.5
