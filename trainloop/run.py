"""A run in progress: what it is made of, where it stands, and all of that as a checkpoint.

`trainloop.fit` moves it on; callbacks see it, and may change it.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from trainloop import parallel
from trainloop.averaging import (
    WeightAverage,
    averages_itself,
    has_batchnorm,
    kept,
    optimizer_average,
    update_batchnorm,
)
from trainloop.cadence import Cadence
from trainloop.checkpoint import Checkpoints
from trainloop.data_order import begin_at, data_state, length_of, set_data_state, set_epoch
from trainloop.fingerprint import differences, fingerprint
from trainloop.history import History
from trainloop.loop import Batch, LossFn, mean_of
from trainloop.rng import unchanged_random_state
from trainloop.validation import Metric
from trainloop.window import Clip, Count, Update, count_samples, windows

if TYPE_CHECKING:
    from trainloop.callbacks import Callback

__all__ = ["Run"]

FORMAT = 1
"""Of the checkpoints. A change that makes old ones unreadable adds 1."""


@dataclass(kw_only=True)
class Run:
    """A training run. The first fields, up to `checkpoints`, are `fit`'s arguments."""

    model: nn.Module
    loss_fn: LossFn
    optimizer: Optimizer
    batches: Iterable[Batch]
    epochs: int
    accumulate: int = 1
    count: Count = count_samples
    clip: Clip | None = None
    autocast: torch.dtype | None = None
    scaler: GradScaler | None = None
    scheduler: LRScheduler | None = None
    cadence: Cadence | None = None
    validation: Iterable[Batch] | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    monitor: str = "loss"
    average: WeightAverage | None = None
    nonfinite: Literal["continue", "raise"] = "continue"
    callbacks: "Sequence[Callback]" = ()
    checkpoints: Checkpoints | None = None

    epoch: int = 0
    """The epoch in progress, from 0; after the run, the number of finished ones."""

    batch: int = 0
    """Number of batches of this epoch that have been trained on, on this rank."""

    step: int = 0
    """Number of windows trained on so far: of updates, those included that a scaler left out."""

    loss: Tensor | None = None
    """The last window's mean loss: 0-dim, on the model's device. Reading it waits for the device."""

    stopped: bool = False
    """Whether somebody has called `stop`."""

    history: History = field(default_factory=History)
    """Up to date at the end of every epoch; call `read_losses` to have it so in between."""

    _unread: list[tuple[Update, int]] = field(default_factory=list)
    _total: float = 0.0  # of the epoch in progress: loss times samples,
    _samples: int = 0  # samples,
    _seconds: float = 0.0  # seconds before it was resumed,
    _began: float = 0.0  # time when it was begun or resumed,
    _data_at_start: dict[str, Any] = field(default_factory=dict)  # and the random state before its first batch
    _fingerprint: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._fingerprint = fingerprint(self)  # now: a learning rate that is a tensor will change in place

    # What callbacks may want to know and do

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes and prints: rank 0."""
        return parallel.rank(self.model) == 0

    @property
    def steps_per_epoch(self) -> int | None:
        """Number of windows in an epoch; None if the batches do not tell their number."""
        n = length_of(self.batches)
        return None if n is None else -(-n // self.accumulate)

    def stop(self) -> None:
        """Ask the run to end: after this step, or, asked at the end of an epoch, after that."""
        self.stopped = True

    def read_losses(self) -> None:
        """Fetch the losses of the last steps into the history.

        All at once, for each fetch waits until the device has done everything it was asked to.
        """
        if not self._unread:
            return
        losses = torch.stack([update.loss for update, _ in self._unread]).tolist()
        norms = [update.grad_norm for update, _ in self._unread if update.grad_norm is not None]
        self.history.loss += losses
        self.history.grad_norm += torch.stack(norms).tolist() if norms else []
        for loss, (_, samples) in zip(losses, self._unread, strict=True):
            self._total += loss * samples
            self._samples += samples
        self._unread.clear()

    @contextmanager
    def evaluation_weights(self) -> Iterator[None]:
        """Give the model the weights to be measured and used: averaged ones, if there are any.

        BatchNorm's statistics are those of the weights trained on. For SWA and Schedule-Free, they are
        measured anew inside, with a pass over the training batches. Afterwards the model is as it was,
        and so is the random state.
        """
        # --8<-- [start:evaluation_weights]
        model, average = self.model, self.average
        refresh = averages_itself(self.optimizer)
        with ExitStack() as stack:
            stack.enter_context(unchanged_random_state())
            stack.enter_context(optimizer_average(self.optimizer))
            stack.enter_context(kept(model, list(model.buffers())))
            if average is not None and average.n_averaged > 0:
                stack.enter_context(average.applied(model))
                refresh |= average.refreshes_batchnorm
            if refresh and has_batchnorm(model):
                update_batchnorm(model, self.batches)
            yield
        # --8<-- [end:evaluation_weights]

    # What `fit` does

    def emit(self, event: str) -> None:
        """Call a method of every callback, in their order."""
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def windows(self) -> Iterator[tuple[list[Batch], int]]:
        """Yield the windows of this epoch that are still to come, each with its samples on all ranks."""
        self._began = time.perf_counter()
        set_epoch(self.batches, self.epoch)
        if self.batch == 0:
            self._data_at_start = data_state(self.batches)
            iterator = iter(self.batches)
        else:
            iterator = begin_at(self.batches, self.batch, self._data_at_start)

        def sizes(window: list[Batch]) -> tuple[int, int]:
            return len(window), sum(self.count(x, y) for x, y in window)

        yield from parallel.lockstep(self.model, windows(iterator, self.accumulate), sizes)

    def record(self, update: Update, samples: int, batches: int) -> None:
        """Count a window, and take it into the history: now what is known, the rest when it is read."""
        self.history.lr.append([float(group["lr"]) for group in self.optimizer.param_groups])
        if not update.stepped:
            self.history.skipped.append(self.step)
        self._unread.append((update, samples))
        self.loss = update.loss
        self.step += 1
        self.batch += batches

    def record_epoch(self) -> None:
        """Take the epoch's mean loss into the history.

        Raises:
            ValueError: there were no samples.
        """
        self.read_losses()
        self.history.train_loss.append(mean_of(self._total, self._samples))

    def next_epoch(self) -> None:
        """Count the epoch, and begin the next one's sums at 0."""
        self.epoch += 1
        self.batch = 0
        self._total, self._samples, self._seconds = 0.0, 0, 0.0
        self._data_at_start = {}

    def seconds(self) -> float:
        """Return the time that this epoch has taken so far, in seconds."""
        return self._seconds + time.perf_counter() - self._began

    # Checkpoints

    def save_is_due(self) -> bool:
        """Tell whether a checkpoint is wanted after this step."""
        return self.checkpoints is not None and self.checkpoints.is_due(self.step)

    def save(self) -> None:
        """Write a checkpoint, if there is a folder for them.

        An optimizer that keeps an average is in eval mode meanwhile: the weights in the file are those to
        use. Switching it back and forth rounds, so such a run equals another only if that saves as often.
        """
        if self.checkpoints is None:
            return
        with optimizer_average(self.optimizer):
            state = self.state_dict()
            if self.is_main:
                self.checkpoints.save(state, self.step)

    def resume(self) -> None:
        """Continue from the newest checkpoint, if there is one.

        Raises:
            ValueError: another setup has written it.
        """
        state = self.checkpoints.load_newest() if self.checkpoints is not None else None
        if state is not None:
            self.load_state_dict(state)

    def state_dict(self) -> dict[str, Any]:
        """Return all that the run needs to continue, as tensors and plain values.

        Every rank must call it; rank 0 gets the tensors. They are the run's own: write or copy them before
        it goes on. Weights are the same on all ranks; of BatchNorm's statistics, which are each rank's own,
        rank 0's are kept.
        """
        self.read_losses()
        inner = parallel.unwrap(self.model)
        tensors = {
            "model": dict(inner.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "average": _state_of(self.average),
        }
        data = {"now": data_state(self.batches), "at_start": self._data_at_start}
        return {
            "format": FORMAT,
            "fingerprint": self._fingerprint,
            **parallel.gather_tensors(self.model, tensors),
            "scheduler": _state_of(self.scheduler),
            "scaler": _state_of(self.scaler),
            "callbacks": [state for state in (c.state_dict() for c in self.callbacks) if state],
            "data": parallel.gather_objects(self.model, data),  # every rank has a random state of its own
            "history": self.history.as_dict(),
            "progress": {
                "epoch": self.epoch,
                "batch": self.batch,
                "step": self.step,
                "total": self._total,
                "samples": self._samples,
                "seconds": self.seconds() if self.batch else 0.0,
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where the run that made `state` was. The optimizer and the scheduler have been built.

        Raises:
            ValueError: the state is of another format, or another setup has made it.
        """
        if state.get("format") != FORMAT:
            raise ValueError(f"state must be a run's checkpoint of format {FORMAT}, got {state.get('format')}")
        differ = differences(state["fingerprint"], self._fingerprint)
        if differ:
            raise ValueError(f"checkpoint must be of the same setup, got another: {'; '.join(differ)}")
        inner = parallel.unwrap(self.model)
        own = inner.state_dict()
        inner.load_state_dict({name: _placed_like(x, own[name]) for name, x in state["model"].items()})
        self.optimizer.load_state_dict(_sharded_like(self.optimizer, state["optimizer"]))
        if self.average is not None:
            self.average.load_state_dict(state["average"], self.model)
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])
        for callback, saved in zip((c for c in self.callbacks if c.state_dict()), state["callbacks"], strict=True):
            callback.load_state_dict(saved)
        data = state["data"][parallel.rank(self.model)]
        set_data_state(self.batches, data["now"])
        self._data_at_start = data["at_start"]
        self.history = History.from_dict(state["history"])
        progress = state["progress"]
        self.epoch, self.batch, self.step = progress["epoch"], progress["batch"], progress["step"]
        self._total, self._samples = progress["total"], progress["samples"]
        self._seconds = progress["seconds"]
        # Or the scheduler might warn that it was stepped before the optimizer: it was, before the restart.
        self.optimizer._opt_called = self.step > 0  # type: ignore[attr-defined]


def _state_of(part: Any) -> Any:
    return None if part is None else part.state_dict()


def _placed_like(x: Any, own: Any) -> Any:
    return parallel.placed_like(x, own) if isinstance(x, Tensor) and isinstance(own, Tensor) else x


def _sharded_like(optimizer: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """Return an optimizer's state with what has the shape of a parameter cut into pieces as that one is."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if not any(map(parallel.is_cut, parameters)):
        return state
    cut = {
        i: {name: _placed_like(x, parameters[i]) if name != "step" else x for name, x in entries.items()}
        for i, entries in state["state"].items()
    }
    return {**state, "state": cut}
