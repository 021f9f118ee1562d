"""Cadence: what can be told to be wrong is told before the run, and nothing else is."""

import pytest
import torch
from torch.optim import lr_scheduler

from trainloop.cadence import check_cadence

EPOCHS, STEPS = 10, 30


def optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)


def make(name, **options):
    return getattr(lr_scheduler, name)(optimizer(), **options)


def check(scheduler, cadence, **more):
    check_cadence(scheduler, cadence, **{"epochs": EPOCHS, "steps_per_epoch": STEPS, **more})


ONE_CYCLE = {"max_lr": 0.1}


@pytest.mark.parametrize(
    ("scheduler", "cadence"),
    [
        (make("OneCycleLR", total_steps=EPOCHS * STEPS, **ONE_CYCLE), "step"),
        (make("OneCycleLR", total_steps=EPOCHS, **ONE_CYCLE), "epoch"),
        (make("CosineAnnealingLR", T_max=EPOCHS), "epoch"),
        (make("CosineAnnealingLR", T_max=EPOCHS * STEPS), "step"),
        (make("CosineAnnealingLR", T_max=7), "step"),  # unusual, but somebody may want it
        (make("StepLR", step_size=EPOCHS), "step"),
        (make("LinearLR", total_iters=EPOCHS), "step"),  # a warmup of ten steps
        (make("LambdaLR", lr_lambda=lambda t: 1.0), "epoch"),
        (None, None),
    ],
)
def test_good_declarations(scheduler, cadence):
    check(scheduler, cadence)


def test_a_metric_for_those_that_want_one():
    plateau = make("ReduceLROnPlateau")
    check(plateau, "metric", metrics=["loss"])
    check(plateau, "metric", metrics=["loss", "accuracy"], monitor="accuracy")


@pytest.mark.parametrize(
    ("scheduler", "cadence", "message"),
    [
        (
            make("StepLR", step_size=3),
            None,
            "cadence must say when StepLR is stepped: 'step', 'epoch' or 'metric', got None",
        ),
        (
            make("StepLR", step_size=3),
            "batch",
            "cadence must say when StepLR is stepped: 'step', 'epoch' or 'metric', got 'batch'",
        ),
        (None, "step", "cadence must be None without a scheduler, got 'step'"),
        (make("StepLR", step_size=3), "metric", "cadence must be 'step' or 'epoch' for StepLR, got 'metric'"),
        (make("ReduceLROnPlateau"), "epoch", "cadence must be 'metric' for ReduceLROnPlateau, got 'epoch'"),
        (
            make("ReduceLROnPlateau"),
            "metric",
            "monitor must be a metric that validation measures, one of [], got 'loss'",
        ),
        (
            make("OneCycleLR", total_steps=EPOCHS * STEPS, **ONE_CYCLE),
            "epoch",
            "cadence must be 'step' for OneCycleLR with total_steps=300, the number of steps, got 'epoch'",
        ),
        (
            make("OneCycleLR", total_steps=EPOCHS, **ONE_CYCLE),
            "step",
            "cadence must be 'epoch' for OneCycleLR with total_steps=10, the number of epochs, got 'step'",
        ),
        (
            make("OneCycleLR", total_steps=299, **ONE_CYCLE),
            "step",
            "total_steps of OneCycleLR must be 300, the number of steps of this run, got 299",
        ),
        (
            make("OneCycleLR", total_steps=100, **ONE_CYCLE),
            "epoch",
            "total_steps of OneCycleLR must be 10, the number of epochs of this run, got 100",
        ),
        (
            make("CosineAnnealingLR", T_max=EPOCHS),
            "step",
            "cadence must be 'epoch' for CosineAnnealingLR with T_max=10, the number of epochs, got 'step'",
        ),
        (
            make("CosineAnnealingLR", T_max=EPOCHS * STEPS),
            "epoch",
            "cadence must be 'step' for CosineAnnealingLR with T_max=300, the number of steps, got 'epoch'",
        ),
    ],
)
def test_wrong_declarations(scheduler, cadence, message):
    with pytest.raises(ValueError) as error:
        check(scheduler, cadence)
    assert str(error.value) == message


def test_what_the_batches_do_not_tell_is_not_checked():
    check(make("OneCycleLR", total_steps=123, **ONE_CYCLE), "step", steps_per_epoch=None)
    with pytest.raises(ValueError, match="total_steps of OneCycleLR must be 10"):
        check(make("OneCycleLR", total_steps=123, **ONE_CYCLE), "epoch", steps_per_epoch=None)


def test_a_scheduler_in_the_middle_of_its_run_is_not_checked():
    scheduler = make("OneCycleLR", total_steps=400, **ONE_CYCLE)
    scheduler.optimizer.step()
    for _ in range(100):
        scheduler.step()
    check(scheduler, "step")


def test_one_batch_per_epoch_makes_both_cadences_one():
    check(make("CosineAnnealingLR", T_max=EPOCHS), "step", steps_per_epoch=1)
    check(make("CosineAnnealingLR", T_max=EPOCHS), "epoch", steps_per_epoch=1)
