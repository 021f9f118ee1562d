"""What happened in a run: one entry per step, one per epoch, as plain lists."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["History"]


@dataclass
class History:
    """The record that `fit` returns.

    Plain lists of numbers, so that `json.dumps(history.as_dict())` works. Losses of a run that diverged are
    infinite or NaN; Python writes them as `Infinity` and `NaN` and reads them back, strict JSON lacks them.

    Examples:
        >>> History(loss=[2.0, 1.0], lr=[[0.1, 0.01], [0.1, 0.01]]).lr_of(group=1)
        [0.01, 0.01]
    """

    loss: list[float] = field(default_factory=list)
    """Per step: mean loss over the window's samples, before the update."""

    lr: list[list[float]] = field(default_factory=list)
    """Per step: the learning rate of every parameter group in that update."""

    grad_norm: list[float] = field(default_factory=list)
    """Per step, if gradients are clipped by a rule that returns their norm: the norm before clipping."""

    skipped: list[int] = field(default_factory=list)
    """The steps, counted from 0, whose update the `GradScaler` left out."""

    train_loss: list[float] = field(default_factory=list)
    """Per epoch: mean loss over the samples, each measured before its window's update."""

    validation: list[dict[str, float]] = field(default_factory=list)
    """Per epoch, if there are validation batches: `"loss"` and the metrics, after the epoch."""

    seconds: list[float] = field(default_factory=list)
    """Per epoch: time it took, validation included; of a resumed one, without the time that was lost."""

    def lr_of(self, group: int = 0) -> list[float]:
        """Return one parameter group's learning rate at every step."""
        return [lrs[group] for lrs in self.lr]

    def as_dict(self) -> dict[str, list[Any]]:
        """Return the lists under their names. They are copies."""
        return {name: list(column) for name, column in vars(self).items()}

    @classmethod
    def from_dict(cls, columns: dict[str, list[Any]]) -> "History":
        """Make a history from what `as_dict` returned."""
        return cls(**{name: list(column) for name, column in columns.items()})
