"""Fingerprints: a checkpoint of another setup is refused, and what differs is named."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainloop.averaging import EMA, SWA
from trainloop.callbacks import EarlyStopping
from trainloop.checkpoint import Checkpoints
from trainloop.fingerprint import differences
from trainloop.fit import fit
from trainloop.optim import SGD, Adam
from trainloop.sampler import ShuffledBatches

mse = nn.functional.mse_loss
X = torch.linspace(-1, 1, 12).unsqueeze(1)
Y = 2 * X + 3
BATCHES = list(zip(X.split(4), Y.split(4), strict=True))


def linear(seed=0, width=1):
    torch.manual_seed(seed)
    return nn.Linear(1, width)


def options(**changes):
    """A setup, with something changed."""
    model = changes.pop("model", None) or linear()
    optimizer = changes.pop("optimizer", SGD)(model.parameters(), **changes.pop("optimizer_options", {"lr": 0.1}))
    scheduler = changes.pop("scheduler", lambda o: torch.optim.lr_scheduler.StepLR(o, 2))(optimizer)
    batches = changes.pop("batches", BATCHES)
    loss_fn = changes.pop("loss_fn", mse)
    defaults = {
        "accumulate": 2,
        "clip_norm": 1.0,
        "average": EMA(0.9),
        "scheduler": scheduler,
        "cadence": "epoch" if scheduler else None,
        "callbacks": [EarlyStopping(3)],
        "validation": BATCHES,
    }
    return (model, loss_fn, optimizer, batches), {**defaults, **changes}


DATA = TensorDataset(X, Y)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": nn.Linear(1, 1, bias=False)}, "model.bias was torch.float32 [1], is None"),
        ({"model": linear().double()}, "model.weight was torch.float32 [1, 1], is torch.float64 [1, 1]"),
        ({"loss_fn": nn.functional.l1_loss}, "loss_fn was mse_loss, is l1_loss"),
        ({"optimizer": Adam}, "optimizer.class was SGD, is Adam"),
        ({"optimizer_options": {"lr": 0.2}}, "optimizer.defaults.lr was 0.1, is 0.2"),
        ({"scheduler": lambda o: None}, "scheduler.class was StepLR, is NoneType"),
        ({"scheduler": lambda o: torch.optim.lr_scheduler.StepLR(o, 3)}, "scheduler.step_size was 2, is 3"),
        ({"cadence": "step"}, "cadence was epoch, is step"),
        ({"average": SWA()}, "average.class was EMA, is SWA"),
        ({"average": EMA(0.8)}, "average.decay was 0.9, is 0.8"),
        ({"scaler": torch.amp.GradScaler("cpu")}, "scaler was False, is True"),
        ({"autocast": torch.bfloat16}, "autocast was None, is torch.bfloat16"),
        ({"accumulate": 3}, "accumulate was 2, is 3"),
        ({"clip_norm": 2.0}, "clip was ['clip_grad_norm_', [], {'max_norm': 1.0}], is ['clip_grad_norm_', [], "),
        ({"batches": BATCHES[:2]}, "batches was 3, is 2"),
        ({"batches": DataLoader(DATA, batch_sampler=ShuffledBatches(12, 4))}, "samplers was [], is [{'samples': 12"),
        ({"callbacks": []}, "callbacks was ['EarlyStopping'], is []"),
    ],
)
def test_a_checkpoint_of_another_setup_is_refused(changes, message, tmp_path):
    arguments, keywords = options()
    fit(*arguments, 1, checkpoints=Checkpoints(tmp_path), **keywords)
    arguments, keywords = options(**changes)
    before = copy.deepcopy(arguments[0].state_dict())
    with pytest.raises(ValueError, match=r"^checkpoint must be of the same setup, got another: ") as error:
        fit(*arguments, 2, checkpoints=Checkpoints(tmp_path), **keywords)
    assert message in str(error.value)
    assert all(torch.equal(x, before[name]) for name, x in arguments[0].state_dict().items())


def test_the_same_setup_is_the_same_though_its_state_moved(tmp_path):
    lr = torch.tensor(0.1)  # the scheduler changes it in place
    arguments, keywords = options(optimizer_options={"lr": lr})
    fit(*arguments, 3, checkpoints=Checkpoints(tmp_path), **keywords)
    assert lr != torch.tensor(0.1)
    arguments, keywords = options(optimizer_options={"lr": torch.tensor(0.1)})
    assert len(fit(*arguments, 4, checkpoints=Checkpoints(tmp_path), **keywords).train_loss) == 4


def test_differences_are_named():
    saved = {"optimizer": {"class": "Adam", "lr": 0.1}, "ranks": 1, "gone": 2}
    current = {"optimizer": {"class": "SGD", "lr": 0.1}, "ranks": 1, "new": [3]}
    assert differences(saved, saved) == []
    assert differences(saved, current) == [
        "optimizer.class was Adam, is SGD",
        "gone was 2, is None",
        "new was None, is [3]",
    ]
