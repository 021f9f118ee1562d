"""The training loop as production runs need it.

It is `trainloop.loop` with what long runs add: windows of micro-batches, mixed precision, clipping, a
scheduler with its cadence, averaged weights, validation, callbacks, and checkpoints from which a killed run
continues bit for bit. It runs unchanged on one process and, under `torchrun`, on many.

Examples:
    >>> import torch
    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> from trainloop.optim import SGD
    >>> from trainloop.sampler import ShuffledBatches
    >>> x = torch.linspace(-1, 1, 10).unsqueeze(1)
    >>> data = TensorDataset(x, 2 * x + 3)
    >>> batches = DataLoader(data, sampler=ShuffledBatches(10, batch_size=4), batch_size=None)
    >>> line = torch.nn.Linear(1, 1)
    >>> optimizer = SGD(line.parameters(), lr=0.3)
    >>> scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=120)
    >>> history = fit(
    ...     line, torch.nn.functional.mse_loss, optimizer, batches, 40,
    ...     scheduler=scheduler, cadence="step", clip_norm=10.0, validation=[(x, 2 * x + 3)],
    ... )
    >>> len(history.loss), len(history.train_loss)
    (120, 40)
    >>> round(line.weight.item(), 1), round(line.bias.item(), 1)
    (2.0, 3.0)
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainloop import parallel
from trainloop.averaging import WeightAverage, averages_itself
from trainloop.cadence import Cadence, check_cadence
from trainloop.callbacks import Callback, ProgressBar
from trainloop.checkpoint import Checkpoints
from trainloop.clip import clip_grad_norm_, clip_grad_value_
from trainloop.data_order import samplers_of
from trainloop.history import History
from trainloop.loop import Batch, LossFn
from trainloop.run import Run
from trainloop.validation import Metric, measure
from trainloop.window import (
    Clip,
    Count,
    Update,
    count_samples,
    needs_closure,
    train_window,
    train_with_closure,
)

__all__ = ["fit"]


def fit(
    model: nn.Module,
    loss_fn: LossFn,
    optimizer: Optimizer,
    batches: Iterable[Batch],
    epochs: int,
    *,
    accumulate: int = 1,
    count: Count = count_samples,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    clip: Clip | None = None,
    autocast: torch.dtype | None = None,
    scaler: GradScaler | None = None,
    scheduler: LRScheduler | None = None,
    cadence: Cadence | None = None,
    validation: Iterable[Batch] | None = None,
    metrics: Mapping[str, Metric] | None = None,
    monitor: str = "loss",
    average: WeightAverage | None = None,
    nonfinite: Literal["continue", "raise"] = "continue",
    callbacks: Sequence[Callback] = (),
    progress: bool = False,
    checkpoints: Checkpoints | None = None,
) -> History:
    """Pass over the batches `epochs` times, with one update per window of micro-batches.

    After the last epoch, the model has the weights of the last update, in train mode. An optimizer that
    keeps an average of its own (Schedule-Free) is left in eval mode, and the model with its average.
    `average.copy_to(model)` and `update_batchnorm(model, batches)` turn the model into EMA's or SWA's.

    Args:
        model: plain, or wrapped by DDP or FSDP2. Batches are moved to its device.
        loss_fn: takes predictions and targets, and returns the mean loss over the batch.
        optimizer: makes the updates. One that cannot step without a closure (L-BFGS) gets one; its batch
            stays the same within a step, and `accumulate`, `autocast`, `scaler` and clipping are refused.
        batches: inputs and targets, read once per epoch. On several ranks, each has its own, as many as
            the others; they may differ in size. Samplers with `set_epoch` are told the epoch.
        epochs: number of passes, >= 0, those included that a checkpoint has behind it.
        accumulate: number of batches per window, >= 1. The gradient is the mean over the window's samples,
            also where the last window holds fewer batches or the last batch fewer samples.
        count: what a batch weighs; see `trainloop.window.accumulate`.
        clip_norm: the global norm that gradients are scaled down to if theirs is larger, > 0.
        clip_value: the bound that every gradient element is cut to, > 0.
        clip: a rule of your own instead: gets the optimizer's parameters, changes their gradients in place.
        autocast: type of the forward pass: `torch.bfloat16`, or `torch.float16`, which needs a scaler.
        scaler: a `torch.amp.GradScaler`. An update that it leaves out, because a gradient is infinite or
            NaN, steps neither the scheduler of cadence `"step"` nor an average of cadence `"step"`.
        scheduler: a learning-rate scheduler, made for this optimizer. Needs a cadence.
        cadence: when it is stepped: after each `"step"`, each `"epoch"`, or each epoch with a `"metric"`.
        validation: batches to measure on after each epoch, under the averaged weights if there are any.
        metrics: what to measure besides `"loss"`, by name: means over a batch.
        monitor: the metric that a scheduler of cadence `"metric"` gets.
        average: an `EMA`, updated after each step, or an `SWA`, updated after each epoch.
        nonfinite: `"raise"` an error when a loss is infinite or NaN, before the update, so that the weights
            are the last good ones; it waits for the device at every step. Or `"continue"`: it is recorded
            like any other, for a run may diverge.
        callbacks: called in this order at fixed moments.
        progress: show a progress bar (needs tqdm).
        checkpoints: where the run is saved to, and continued from if there is a checkpoint. Which batches
            come back in their order, `trainloop.data_order` says.

    Returns:
        What happened, per step and per epoch, what happened before a restart included.

    Raises:
        ValueError: an argument is out of range, two contradict each other, an epoch finds no samples, or
            the checkpoint is of another setup.
        FloatingPointError: a loss is not finite, and `nonfinite` is `"raise"`.
        ImportError: `progress` without tqdm.
    """
    if progress:
        callbacks = [*callbacks, ProgressBar()]
    run = Run(
        model=model,
        loss_fn=loss_fn,
        optimizer=optimizer,
        batches=batches,
        epochs=epochs,
        accumulate=accumulate,
        count=count,
        clip=_clip_rule(clip_norm, clip_value, clip),
        autocast=autocast,
        scaler=scaler,
        scheduler=scheduler,
        cadence=cadence,
        validation=validation,
        metrics=metrics or {},
        monitor=monitor,
        average=average,
        nonfinite=nonfinite,
        callbacks=callbacks,
        checkpoints=checkpoints,
    )
    _check(run)
    run.resume()
    # --8<-- [start:fit]
    try:
        run.emit("on_fit_start")
        while run.epoch < epochs and not run.stopped:
            _begin_epoch(run)
            for window, samples in run.windows():
                _update(run, window, samples)
                if run.stopped or run.save_is_due():
                    run.save()
                if run.stopped:
                    break  # in the middle: a restart goes on here
            else:
                _end_epoch(run)
                run.save()
        run.read_losses()
    finally:
        _leave(optimizer)
        run.emit("on_fit_end")
    # --8<-- [end:fit]
    return run.history


def _leave(optimizer: Optimizer) -> None:
    if averages_itself(optimizer):
        optimizer.eval()  # type: ignore[attr-defined]  # puts the weights to use into the model


def _begin_epoch(run: Run) -> None:
    run.model.train()
    if averages_itself(run.optimizer):
        run.optimizer.train()  # type: ignore[attr-defined]
    if run.batch == 0:
        run.emit("on_epoch_start")


# --8<-- [start:update]
def _update(run: Run, window: list[Batch], samples: int) -> None:
    """Train on one window, and do what follows an update."""
    update = _train(run, window, samples)
    run.record(update, samples, batches=len(window))
    if update.stepped:
        if run.average is not None and run.average.cadence == "step":
            run.average.update(run.model)
        if run.scheduler is not None and run.cadence == "step":
            run.scheduler.step()
    run.emit("after_step")


# --8<-- [end:update]


def _train(run: Run, window: list[Batch], samples: int) -> Update:
    if not needs_closure(run.optimizer):
        return train_window(
            run.model,
            run.loss_fn,
            run.optimizer,
            window,
            clip=run.clip,
            autocast=run.autocast,
            scaler=run.scaler,
            count=run.count,
            total=samples,
            before_step=partial(_before_step, run),
        )
    update = train_with_closure(run.model, run.loss_fn, run.optimizer, window[0], count=run.count, total=samples)
    _check_loss(run, update.loss)
    return update


def _before_step(run: Run, loss: Tensor) -> None:
    _check_loss(run, loss)
    run.loss = loss
    run.emit("before_step")


def _check_loss(run: Run, loss: Tensor) -> None:
    if run.nonfinite == "raise" and not loss.isfinite():
        raise FloatingPointError(f"loss must be finite, got {loss.item()} in epoch {run.epoch}, step {run.step}")


# --8<-- [start:end_epoch]
def _end_epoch(run: Run) -> None:
    """Do what follows an epoch: average, measure, schedule, report."""
    run.record_epoch()
    if run.average is not None and run.average.cadence == "epoch":
        run.average.update(run.model)
    if run.validation is not None:
        run.history.validation.append(_validate(run))
    if run.scheduler is not None and run.cadence == "epoch":
        run.scheduler.step()
    if run.scheduler is not None and run.cadence == "metric":
        metric = run.history.validation[-1][run.monitor]
        run.scheduler.step(metric)  # type: ignore[arg-type]
    run.history.seconds.append(run.seconds())
    run.emit("on_epoch_end")
    run.next_epoch()


# --8<-- [end:end_epoch]


def _validate(run: Run) -> dict[str, float]:
    metrics = {"loss": run.loss_fn, **run.metrics}
    with run.evaluation_weights():
        return measure(run.model, metrics, run.validation or (), autocast=run.autocast, count=run.count)


def _clip_rule(clip_norm: float | None, clip_value: float | None, clip: Clip | None) -> Clip | None:
    """Make one rule of three arguments, of which at most one may be given."""
    given = {"clip_norm": clip_norm, "clip_value": clip_value, "clip": clip}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise ValueError(f"only one of clip_norm, clip_value and clip may be given, got {' and '.join(names)}")
    if clip_norm is not None:
        if not clip_norm > 0:
            raise ValueError(f"clip_norm must be > 0, got {clip_norm}")
        return partial(clip_grad_norm_, max_norm=clip_norm)
    if clip_value is not None:
        if not clip_value > 0:
            raise ValueError(f"clip_value must be > 0, got {clip_value}")
        return partial(clip_grad_value_, clip_value=clip_value)
    return clip


def _check(run: Run) -> None:
    """Raise `ValueError` if an argument is out of range or contradicts another."""
    if run.epochs < 0:
        raise ValueError(f"epochs must be >= 0, got {run.epochs}")
    if run.accumulate < 1:
        raise ValueError(f"accumulate must be >= 1, got {run.accumulate}")
    if run.nonfinite not in ("continue", "raise"):
        raise ValueError(f"nonfinite must be 'continue' or 'raise', got {run.nonfinite!r}")
    if run.autocast not in (None, torch.bfloat16, torch.float16):
        raise ValueError(f"autocast must be torch.bfloat16, torch.float16 or None, got {run.autocast}")
    if run.autocast == torch.float16 and run.scaler is None:
        raise ValueError("scaler must be given with autocast=torch.float16, got None: small gradients become 0")
    if "loss" in run.metrics:
        raise ValueError("metrics must not be named 'loss', got one: that name is loss_fn's")
    if run.metrics and run.validation is None:
        raise ValueError(f"validation must be given with metrics {sorted(run.metrics)}, got None")
    if needs_closure(run.optimizer):
        _check_closure(run)
    _check_ranks(run)
    check_cadence(
        run.scheduler,
        run.cadence,
        epochs=run.epochs,
        steps_per_epoch=run.steps_per_epoch,
        metrics=["loss", *run.metrics] if run.validation is not None else [],
        monitor=run.monitor,
    )


def _check_closure(run: Run) -> None:
    # A line search compares values and slopes of one function: no rounding, clipping or change of batch.
    refused = {
        "accumulate": run.accumulate if run.accumulate > 1 else None,
        "autocast": run.autocast,
        "scaler": run.scaler,
        "clipping": run.clip,
    }
    for name, value in refused.items():
        if value is not None:
            optimizer = type(run.optimizer).__name__
            raise ValueError(f"{name} must be left out with {optimizer}, which evaluates the loss itself, got {value}")


def _check_ranks(run: Run) -> None:
    ranks = parallel.ranks(run.model)
    for sampler in samplers_of(run.batches):
        for name in ("world_size", "num_replicas"):  # ours, torch's
            dealt = getattr(sampler, name, ranks)
            if dealt != ranks:
                raise ValueError(
                    f"{name} of the sampler must be {ranks}, the number of processes that train the model, got {dealt} "
                    "(a model that is not wrapped by DDP or FSDP2 is trained by one process)"
                )
