"""Callbacks: what happens beside training, at fixed moments of it.

The loop stays the same; a progress bar, a logger, a stop rule or a schedule of one's own is hung onto it.
"""

import math
from pathlib import Path
from typing import Any, Literal

from trainloop.checkpoint import save_state
from trainloop.parallel import gather_tensors, unwrap
from trainloop.run import Run

__all__ = ["Callback", "EarlyStopping", "KeepBest", "ProgressBar"]


class Callback:
    """Base class: every method does nothing. Override those you need.

    All get the `Run`, with `model`, `optimizer`, `epoch`, `step`, `loss`, `history` and `stop()`. On several
    ranks, every rank calls its own callbacks; what prints or writes asks `run.is_main` first.
    """

    def on_fit_start(self, run: Run) -> None:
        """Called once, after a checkpoint has been loaded if there is one."""

    def on_epoch_start(self, run: Run) -> None:
        """Called with the model in train mode, before the first batch. Not when an epoch is resumed."""

    def before_step(self, run: Run) -> None:
        """Called when the window's gradients are complete: unscaled, not yet clipped. Not for L-BFGS."""

    def after_step(self, run: Run) -> None:
        """Called after the update. `run.step` counts it already; `p.grad` is still there."""

    def on_epoch_end(self, run: Run) -> None:
        """Called after validation; `run.epoch` is the finished epoch. The checkpoint comes next."""

    def on_fit_end(self, run: Run) -> None:
        """Called once at the end, even if the run ends with an error."""

    def state_dict(self) -> dict[str, Any]:
        """Return what the callback has to remember over a restart, as plain values and tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""


class Best:
    """The best value of a validation metric so far; the first epoch's is always better than none."""

    def __init__(self, monitor: str, mode: Literal["min", "max"], min_delta: float = 0.0) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be 'min' or 'max', got {mode!r}")
        if not min_delta >= 0:
            raise ValueError(f"min_delta must be >= 0, got {min_delta}")
        self.monitor = monitor
        self.sign = 1.0 if mode == "min" else -1.0
        self.min_delta = min_delta
        self.value = math.inf * self.sign

    def improved(self, run: Run) -> bool:
        """Take the newest value, and tell whether it is better by more than `min_delta`. NaN never is."""
        value = run.history.validation[-1][self.monitor]
        if self.sign * value < self.sign * self.value - self.min_delta:
            self.value = value
            return True
        return False

    def check(self, run: Run) -> None:
        """Raise `ValueError` unless the run measures the metric."""
        measured = [] if run.validation is None else ["loss", *run.metrics]
        if self.monitor not in measured:
            raise ValueError(
                f"monitor must be a metric that validation measures, one of {measured}, got {self.monitor!r}"
            )


class EarlyStopping(Callback):
    """Stop when a validation metric has not improved for some epochs.

    The weights stay those of the last epoch; `KeepBest` keeps the best ones.

    Args:
        patience: number of epochs in a row without improvement after which the run stops, >= 1.
        monitor: `"loss"` or a metric's name.
        mode: whether a small or a large value is good.
        min_delta: an improvement is more than this, >= 0, in units of the metric.

    Attributes:
        bad_epochs: number of epochs since the last improvement.

    Raises:
        ValueError: an argument is out of range; in `fit`, that validation does not measure `monitor`.
    """

    def __init__(
        self,
        patience: int,
        *,
        monitor: str = "loss",
        mode: Literal["min", "max"] = "min",
        min_delta: float = 0.0,
    ) -> None:
        if patience < 1:
            raise ValueError(f"patience must be >= 1, got {patience}")
        self.patience = patience
        self.best = Best(monitor, mode, min_delta)
        self.bad_epochs = 0

    def on_fit_start(self, run: Run) -> None:
        self.best.check(run)
        self._stop_if_due(run)  # a finished run, started again, is still finished

    # --8<-- [start:early_stopping]
    def on_epoch_end(self, run: Run) -> None:
        improved = self.best.improved(run)
        self.bad_epochs = 0 if improved else self.bad_epochs + 1
        self._stop_if_due(run)

    def _stop_if_due(self, run: Run) -> None:
        if self.bad_epochs >= self.patience:
            run.stop()

    # --8<-- [end:early_stopping]

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best.value, "bad_epochs": self.bad_epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best.value, self.bad_epochs = state["best"], state["bad_epochs"]


class KeepBest(Callback):
    """Write the model's weights to a file whenever a validation metric is better than ever.

    They are the weights that validation measured: the averaged ones, if there are any, with the BatchNorm
    statistics that belong to them. `model.load_state_dict(load_state(path)["model"])` reads them.

    Args:
        path: is overwritten, as a whole or not at all.
        monitor: `"loss"` or a metric's name.
        mode: whether a small or a large value is good.

    Raises:
        ValueError: `mode` is unknown; in `fit`, validation does not measure `monitor`.
    """

    def __init__(self, path: str | Path, *, monitor: str = "loss", mode: Literal["min", "max"] = "min") -> None:
        self.path = Path(path)
        self.best = Best(monitor, mode)

    def on_fit_start(self, run: Run) -> None:
        self.best.check(run)

    def on_epoch_end(self, run: Run) -> None:
        if not self.best.improved(run):
            return
        with run.evaluation_weights():
            weights = gather_tensors(run.model, dict(unwrap(run.model).state_dict()))
            if run.is_main:
                save_state({"model": weights, "epoch": run.epoch, self.best.monitor: self.best.value}, self.path)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best.value = state["best"]


class ProgressBar(Callback):
    """One tqdm bar over the steps of the whole run, with the epoch and the newest loss; on rank 0 only.

    Raises:
        ImportError: tqdm is not installed.
    """

    def __init__(self) -> None:
        try:
            from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]
        except ImportError as error:
            raise ImportError("a progress bar needs tqdm: pip install tqdm") from error
        self._tqdm = tqdm
        self._bar: Any = None

    def on_fit_start(self, run: Run) -> None:
        if run.is_main:
            per_epoch = run.steps_per_epoch
            total = None if per_epoch is None else per_epoch * run.epochs
            self._bar = self._tqdm(total=total, initial=run.step, unit="step", dynamic_ncols=True)

    def after_step(self, run: Run) -> None:
        # The loss is read only when the bar is redrawn: reading it waits for the device.
        if self._bar is not None and self._bar.update() and run.loss is not None:
            self._bar.set_description(f"epoch {run.epoch + 1}/{run.epochs}", refresh=False)
            self._bar.set_postfix(loss=f"{run.loss.item():.4g}", refresh=False)

    def on_fit_end(self, run: Run) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
