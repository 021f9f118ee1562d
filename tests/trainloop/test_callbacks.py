"""Callbacks that come with the course: they stop, keep the best and show progress, also after a restart."""

import builtins
import io
import math

import pytest
import torch
from torch import nn

from trainloop.averaging import EMA
from trainloop.callbacks import Callback, EarlyStopping, KeepBest, ProgressBar
from trainloop.checkpoint import Checkpoints, load_state
from trainloop.fit import fit
from trainloop.loop import evaluate
from trainloop.optim import SGD

mse = nn.functional.mse_loss
X = torch.linspace(-1, 1, 8).unsqueeze(1)
Y = 2 * X + 3
BATCHES = [(X[:4], Y[:4]), (X[4:], Y[4:])]


def run(callbacks, values=None, epochs=20, **options):
    """Train; let the metric "value" take these values, epoch after epoch."""
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    if values is not None:
        values = iter(values)
        options = {"validation": [(X, Y)], "metrics": {"value": lambda *_: next(values)}, **options}
    return model, fit(model, mse, SGD(model.parameters(), lr=0.1), BATCHES, epochs, callbacks=callbacks, **options)


def test_the_base_class_does_nothing():
    _, history = run([Callback()], epochs=2)
    assert history.loss == run([], epochs=2)[1].loss
    assert Callback().state_dict() == {}


@pytest.mark.parametrize(
    ("options", "values", "epochs"),
    [
        ({"patience": 2}, [3, 2, 2, 1, 1, 1, 0], 6),
        ({"patience": 1}, [3, 2, 2, 1], 3),
        ({"patience": 2, "mode": "max"}, [3, 2, 4, 4, 3, 9], 5),
        ({"patience": 2, "min_delta": 0.5}, [3, 2.75, 2.25, 2, 1.75, 1], 5),  # 1.75 is 0.5 better, not more
        ({"patience": 2}, [3, math.nan, math.nan, 1], 3),
        ({"patience": 2}, [math.nan, 2, 3, 3], 4),
        ({"patience": 2}, [math.inf, 2, 3, 3], 4),
    ],
)
def test_early_stopping(options, values, epochs):
    assert len(run([EarlyStopping(monitor="value", **options)], values)[1].train_loss) == epochs


def test_early_stopping_watches_the_loss_by_default():
    stop = EarlyStopping(patience=1)
    _, history = run([stop], validation=[(X, X)], epochs=50)  # the model moves away from y = x
    losses = [measured["loss"] for measured in history.validation]
    assert losses[-1] >= losses[-2]
    assert stop.bad_epochs == 1


def test_keep_best_keeps_what_was_measured(tmp_path):
    path = tmp_path / "best.pt"
    ema = EMA(0.5)
    model, _ = run([KeepBest(path, monitor="value")], [3, 1, 2, 4], epochs=4, average=ema)
    best = load_state(path)
    assert (best["epoch"], best["value"]) == (1, 1.0)

    ema = EMA(0.5)
    model, history = run([], epochs=2, average=ema, validation=[(X, Y)])
    assert not torch.equal(best["model"]["weight"], model.weight)
    model.load_state_dict(best["model"])
    assert evaluate(model, mse, [(X, Y)]) == history.validation[-1]["loss"]


def test_the_best_is_remembered_over_a_restart(tmp_path):
    path, folder = tmp_path / "best.pt", Checkpoints(tmp_path / "run")
    options = {"monitor": "value", "mode": "max"}
    run([KeepBest(path, **options), EarlyStopping(3, **options)], [5], epochs=1, checkpoints=folder)
    callbacks = [KeepBest(path, **options), EarlyStopping(3, **options)]
    _, history = run(callbacks, [4, 4, 4, 9], checkpoints=folder)
    assert load_state(path)["epoch"] == 0
    assert len(history.train_loss) == 4


@pytest.mark.parametrize("make", [lambda: EarlyStopping(2, monitor="f1"), lambda: KeepBest("x", monitor="f1")])
def test_what_is_not_measured_cannot_be_watched(make):
    with pytest.raises(ValueError) as error:
        run([make()], [1])
    assert str(error.value) == ("monitor must be a metric that validation measures, one of ['loss', 'value'], got 'f1'")
    with pytest.raises(ValueError, match=r"one of \[\], got 'f1'"):
        run([make()])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping(0), "patience must be >= 1, got 0"),
        (lambda: EarlyStopping(1, mode="least"), "mode must be 'min' or 'max', got 'least'"),
        (lambda: EarlyStopping(1, min_delta=-1), "min_delta must be >= 0, got -1"),
        (lambda: KeepBest("x", mode="most"), "mode must be 'min' or 'max', got 'most'"),
    ],
)
def test_bad_options(make, message):
    with pytest.raises(ValueError) as error:
        make()
    assert str(error.value) == message


def test_progress(monkeypatch):
    pytest.importorskip("tqdm")
    text = io.StringIO()
    bar = ProgressBar()
    show = bar._tqdm
    monkeypatch.setattr(bar, "_tqdm", lambda **options: show(file=text, mininterval=0, **options))
    run([bar], epochs=2)
    last = text.getvalue().split("\r")[-1]
    assert "epoch 2/2" in last
    assert "4/4" in last
    assert "loss=" in last


def test_progress_of_an_unknown_length_and_of_a_resumed_run(tmp_path, monkeypatch):
    pytest.importorskip("tqdm")
    seen = []

    class Bar:
        def __init__(self, **options):
            seen.append((options["total"], options["initial"]))

        def update(self):
            return False

        def close(self):
            seen.append("closed")

    class Batches:  # without a length
        def __iter__(self):
            return iter(BATCHES)

    for epochs in (1, 3):
        bar = ProgressBar()
        monkeypatch.setattr(bar, "_tqdm", Bar)
        model = nn.Linear(1, 1)
        optimizer = SGD(model.parameters(), lr=0.1)
        fit(model, mse, optimizer, Batches(), epochs, callbacks=[bar], checkpoints=Checkpoints(tmp_path))
    assert seen == [(None, 0), "closed", (None, 2), "closed"]


def test_progress_is_a_switch_of_fit(capsys):
    run([], epochs=1, progress=True)
    assert "2/2" in capsys.readouterr().err


def test_progress_says_what_to_install(monkeypatch):
    find = builtins.__import__

    def without_tqdm(name, *rest):
        if name.startswith("tqdm"):
            raise ImportError(name)
        return find(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_tqdm)
    with pytest.raises(ImportError, match=r"^a progress bar needs tqdm: pip install tqdm$"):
        run([], epochs=1, progress=True)
