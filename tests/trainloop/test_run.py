"""A run killed at any step continues bit for bit; a checkpoint of another setup is refused."""

import copy
import math

import killed
import pytest
import torch
from torch import nn

import trainloop.optim
from trainloop.averaging import SWA, update_batchnorm
from trainloop.callbacks import Callback, EarlyStopping
from trainloop.checkpoint import Checkpoints
from trainloop.fit import fit
from trainloop.optim import SGD, Adam, ScheduleFreeSGD
from trainloop.run import Run

mse = nn.functional.mse_loss
X = torch.linspace(-1, 1, 12).unsqueeze(1)
Y = 2 * X + 3
BATCHES = list(zip(X.split(4), Y.split(4), strict=True))


def assert_same(a, b, where="state"):
    """Bitwise equality of nested states, whatever is in them; only the clock may differ."""
    assert type(a) is type(b), where
    if isinstance(a, dict):
        left_out = {"seconds", "differentiable"}  # torch adds the latter to a group when it loads a state
        assert a.keys() - left_out == b.keys() - left_out, where
        for key in a.keys() - left_out:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, pair in enumerate(zip(a, b, strict=True)):
            assert_same(*pair, f"{where}.{i}")
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype, where
        assert torch.equal(a, b), where
    else:
        assert a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)), where


# Real processes, killed by SIGKILL


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The newest checkpoint of each run when nobody kills it: all its state at the end."""
    states = {}
    for make in (killed.everything, killed.other_parts):
        folder = tmp_path_factory.mktemp(make.__name__)
        assert not killed.was_killed(killed.start(killed.train, make, folder))
        states[make] = Checkpoints(folder).load_newest()
    return states


# An epoch of `everything` is 6 batches in 2 windows of 4 and 2, saved after each; of `other_parts`, 3 windows of
# 2, saved after steps 2, 4, … and after each epoch.
@pytest.mark.parametrize(
    ("make", "kills"),
    [
        (killed.everything, [("at batch", 1)]),  # before any checkpoint
        (killed.everything, [("at batch", 3)]),  # in the first window
        (killed.everything, [("at batch", 6)]),  # in an epoch's second, shorter window
        (killed.everything, [("at batch", 7)]),  # at the start of an epoch
        (killed.everything, [("before step", 5)]),  # between gradients and update
        (killed.everything, [("at batch", n) for n in (5, 3, 2, 6, 8, 4)]),  # again and again
        (killed.other_parts, [("at batch", 2)]),
        (killed.other_parts, [("at batch", 10)]),  # in a window, two steps after a checkpoint
        (killed.other_parts, [("before step", 8)]),
        (killed.other_parts, [("at batch", n) for n in (6, 4, 5, 9)]),
    ],
)
def test_killed_and_resumed(make, kills, uninterrupted, tmp_path):
    for kill in kills:
        assert killed.was_killed(killed.start(killed.train, make, tmp_path, kill))
    assert not killed.was_killed(killed.start(killed.train, make, tmp_path))
    assert_same(Checkpoints(tmp_path).load_newest(), uninterrupted[make])


def test_the_runs_above_go_through_what_they_are_meant_to(uninterrupted):
    everything, other = uninterrupted[killed.everything], uninterrupted[killed.other_parts]
    assert everything["progress"]["step"] == 8
    assert 0 < len(everything["history"]["skipped"]) < 8  # the scaler left out some updates
    assert everything["scheduler"]["last_epoch"] == 8 - len(everything["history"]["skipped"])
    assert everything["average"]["n_averaged"] == 8 - len(everything["history"]["skipped"])
    assert "numpy" in everything["data"][0]["now"]["global"]
    assert other["progress"]["step"] == 12
    assert other["average"]["n_averaged"] == 3
    assert len(set(map(tuple, other["history"]["lr"]))) > 1  # the plateau was one


# In one process


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def after_step(self, run):
        if run.step == self.step:
            run.stop()


def make_parts(seed=0, lr=0.05):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(1, 4), nn.Dropout(0.2), nn.Linear(4, 1))
    return model, mse, Adam(model.parameters(), lr=lr), BATCHES


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 5, 7])
def test_a_run_stopped_in_an_epoch_goes_on_there(stop, tmp_path):
    def scaler():
        return torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=2)

    model, *rest = make_parts()
    whole = fit(model, *rest, 3, scaler=scaler())

    other, *rest = make_parts()
    folder = Checkpoints(tmp_path)
    part = fit(other, *rest, 3, scaler=scaler(), callbacks=[StopAt(stop)], checkpoints=folder)
    assert len(part.train_loss) == (stop - 1) // 3
    other, *rest = make_parts(seed=1)
    torch.rand(7)
    last = scaler()
    resumed = fit(other, *rest, 3, scaler=last, checkpoints=folder)
    assert last.get_scale() == 4.0 * 2**4
    assert_same(resumed.as_dict(), whole.as_dict())
    assert_same(dict(other.state_dict()), dict(model.state_dict()))


def test_a_finished_run_started_again_returns_at_once(tmp_path):
    model, *rest = make_parts()
    history = fit(model, *rest, 2, checkpoints=Checkpoints(tmp_path))
    other, *rest = make_parts(seed=1)
    started_again = fit(other, *rest, 2, checkpoints=Checkpoints(tmp_path))
    assert started_again == history
    assert_same(dict(other.state_dict()), dict(model.state_dict()))


def test_a_run_may_be_made_longer(tmp_path):
    model, *rest = make_parts()
    whole = fit(model, *rest, 5)
    other, *rest = make_parts()
    fit(other, *rest, 2, checkpoints=Checkpoints(tmp_path))
    # In the same process, and with the same objects.
    fit(other, *rest, 4, checkpoints=Checkpoints(tmp_path))
    longer = fit(other, *rest, 5, checkpoints=Checkpoints(tmp_path))
    assert_same(longer.as_dict(), whole.as_dict())
    assert_same(dict(other.state_dict()), dict(model.state_dict()))


def test_an_early_stop_is_remembered(tmp_path):
    def run():
        model, *rest = make_parts(lr=0.0)
        stop = EarlyStopping(patience=2)
        return fit(model, *rest, 9, validation=BATCHES, callbacks=[stop], checkpoints=Checkpoints(tmp_path))

    assert len(run().train_loss) == 3
    assert len(run().train_loss) == 3


def test_a_checkpoint_holds_the_weights_to_use(tmp_path):
    # Of Schedule-Free the average, not the point where gradients are taken.
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    optimizer = ScheduleFreeSGD(model.parameters(), lr=0.1)
    fit(model, mse, optimizer, BATCHES, 2, checkpoints=Checkpoints(tmp_path))
    saved = Checkpoints(tmp_path).load_newest()
    assert saved["optimizer"]["param_groups"][0]["train_mode"] is False
    assert_same(saved["model"], dict(model.state_dict()))  # fit leaves it in eval mode, too
    optimizer.train()
    assert not torch.equal(saved["model"]["weight"], model.weight)


def test_another_format_is_refused(tmp_path):
    Checkpoints(tmp_path).save({"weights": torch.ones(1)}, 1)
    model, *rest = make_parts()
    with pytest.raises(ValueError, match=r"^state must be a run's checkpoint of format 1, got None$"):
        fit(model, *rest, 1, checkpoints=Checkpoints(tmp_path))


def test_an_average_may_begin_with_a_checkpoint_in_between(tmp_path):
    def run(epochs):
        model, *rest = make_parts()
        swa = SWA(start=2)
        fit(model, *rest, epochs, average=swa, checkpoints=Checkpoints(tmp_path))
        return swa

    assert run(1).n_averaged == 0
    assert run(4).n_averaged == 2


def test_a_scheduler_stepped_first_after_a_restart_does_not_warn(tmp_path):
    # Killed between an epoch's last step and its end: the optimizer's steps were made by another process.
    for callbacks in ([StopAt(3)], []):
        model, loss_fn, optimizer, batches = make_parts()
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
        options = {"scheduler": scheduler, "cadence": "epoch", "checkpoints": Checkpoints(tmp_path)}
        fit(model, loss_fn, optimizer, batches, 1, callbacks=callbacks, **options)
    assert scheduler.last_epoch == 1


def make_optimizer(name, model):
    if name == "Lookahead":
        return trainloop.optim.Lookahead(SGD(model.parameters(), lr=0.05))
    return getattr(trainloop.optim, name)(model.parameters(), lr=0.05)


@pytest.mark.parametrize("name", trainloop.optim.__all__)
def test_every_optimizer_continues_bit_for_bit(name, tmp_path):
    def run(epochs, folder):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(1, 6, bias=False), nn.Tanh(), nn.Linear(6, 1, bias=False))
        batches = BATCHES
        if name == "SparseAdam":
            model = nn.Sequential(nn.Embedding(12, 1, sparse=True), nn.Flatten())
            batches = [(torch.arange(12).reshape(-1, 1), Y)]
        optimizer = make_optimizer(name, model)
        history = fit(model, mse, optimizer, batches, epochs, checkpoints=Checkpoints(folder))
        return list(model.parameters()), history.loss

    weights, losses = run(4, tmp_path / "whole")
    run(2, tmp_path / "parts")
    others, resumed = run(4, tmp_path / "parts")
    assert losses[-1] != losses[0]
    assert resumed == losses
    assert_same(others, weights)


# The weights to be measured


def with_batchnorm():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


def test_statistics_are_measured_for_schedule_free_and_leave_no_trace():
    model = with_batchnorm()
    optimizer = ScheduleFreeSGD(model.parameters(), lr=0.1)
    run = Run(model=model, loss_fn=mse, optimizer=optimizer, batches=BATCHES, epochs=1)
    before = copy.deepcopy(model.state_dict())
    with run.evaluation_weights():
        inside = copy.deepcopy(model.state_dict())
    assert_same(model.state_dict(), before)
    update_batchnorm(model, BATCHES)
    assert_same(model.state_dict(), inside)
    assert not torch.equal(inside["1.running_mean"], before["1.running_mean"])


def test_statistics_are_measured_for_swa_and_leave_no_trace():
    model = with_batchnorm()
    swa = SWA()
    optimizer = SGD(model.parameters(), lr=0.1)
    run = Run(model=model, loss_fn=mse, optimizer=optimizer, batches=BATCHES, epochs=1, average=swa)
    swa.update(model)
    nn.init.ones_(model[0].weight)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    with run.evaluation_weights():
        torch.rand(1)
        inside = copy.deepcopy(model.state_dict())
    assert_same(model.state_dict(), before)
    assert torch.equal(torch.get_rng_state(), state)

    swa.copy_to(model)
    update_batchnorm(model, BATCHES)
    assert_same(model.state_dict(), inside)
    assert not torch.equal(inside["1.running_mean"], before["1.running_mean"])


def test_steps_per_epoch():
    def run(batches, accumulate):
        model = nn.Linear(1, 1)
        optimizer = SGD(model.parameters(), lr=0.1)
        return Run(model=model, loss_fn=mse, optimizer=optimizer, batches=batches, epochs=1, accumulate=accumulate)

    assert run(BATCHES, 1).steps_per_epoch == 3
    assert run(BATCHES, 2).steps_per_epoch == 2
    assert run(iter(BATCHES), 2).steps_per_epoch is None
