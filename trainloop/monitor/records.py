"""The numbers of each step, as plain records."""

import math
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.optim import Optimizer

from trainloop.clip import total_norm
from trainloop.monitor._numbers import to_number
from trainloop.monitor.updates import UpdateRatios

__all__ = ["Monitor", "Record"]

Record: TypeAlias = dict[str, Any]
"""The numbers of one step, made of what JSON knows: numbers, lists, dicts with strings as keys, and None."""


class Monitor:
    """Gathers the numbers of every training step into plain records.

    Call `before_step` between `backward()` (and clipping, if any) and `optimizer.step()`, and `after_step` after it.

    A record holds

    - "step": the number of the step, from 0;
    - "loss": as given to `after_step`;
    - "lr": the learning rate of each parameter group, as the step used it;
    - "grad_norm": the 2-norm of all gradients;
    - "update_ratios": as `UpdateRatios` measures them, by parameter; None on steps left out;
    - "samples_per_second": since the step before, data loading included; since the monitor was made in the
      first step. None if `after_step` is given no number of samples.

    Numbers that are not finite stay so: `json` writes them as NaN and Infinity, which its `loads` reads.

    Args:
        model: the model.
        optimizer: its optimizer.
        ratios_every: measure the update ratios in every so many steps, for they cost most; 0 for never.
        clock: returns the time in seconds.

    Attributes:
        records: one per step.

    Raises:
        ValueError: `ratios_every` is negative.

    Examples:
        >>> import torch
        >>> model = nn.Linear(1, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> monitor = Monitor(model, optimizer)
        >>> for _ in range(3):
        ...     loss = model(torch.ones(8, 1)).square().mean()
        ...     optimizer.zero_grad()
        ...     _ = loss.backward()
        ...     monitor.before_step()
        ...     optimizer.step()
        ...     monitor.after_step(loss, samples=8)
        >>> monitor.column("lr")
        [[0.1], [0.1], [0.1]]
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        *,
        ratios_every: int = 1,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if ratios_every < 0:
            raise ValueError(f"ratios_every must be >= 0, got {ratios_every}")
        self._optimizer, self._ratios_every, self._clock = optimizer, ratios_every, clock
        self._parameters = list(model.parameters())
        self._ratios = UpdateRatios(model, optimizer)
        self._begun: Record | None = None
        self.records: list[Record] = []
        self.restart_clock()

    def restart_clock(self) -> None:
        """Measure the next step's time from now on: call it after a pause, such as an evaluation."""
        self._last = self._clock()

    def before_step(self, grad_norm: Tensor | float | None = None) -> None:
        """Note what a step starts from.

        Args:
            grad_norm: the norm that `clip_grad_norm_` returned, which is the one before clipping. Without it the
                norm is computed, from the gradients as they are now.
        """
        if grad_norm is None:
            grad_norm = total_norm([p.grad for p in self._parameters if p.grad is not None])
        self._begun = {
            "step": len(self.records),
            "loss": None,
            "lr": [float(group["lr"]) for group in self._optimizer.param_groups],
            "grad_norm": to_number(grad_norm),
            "update_ratios": None,
            "samples_per_second": None,
        }
        if self._ratios_every and self._begun["step"] % self._ratios_every == 0:
            self._ratios.before_step()

    def after_step(self, loss: Tensor | float, samples: int | None = None) -> None:
        """Complete the step's record.

        Args:
            loss: the step's loss; of a tensor only the number is kept.
            samples: how many samples the step learned from.

        Raises:
            RuntimeError: `before_step` was not called.
        """
        if self._begun is None:
            raise RuntimeError("call before_step before optimizer.step(), and after_step after it")
        record, self._begun = self._begun, None
        record["loss"] = to_number(loss)
        if self._ratios_every and record["step"] % self._ratios_every == 0:
            self._ratios.after_step()
            record["update_ratios"] = self._ratios.ratios
        now = self._clock()
        if samples is not None:
            record["samples_per_second"] = samples / (now - self._last) if now > self._last else math.inf
        self._last = now
        self.records.append(record)

    def column(self, key: str) -> list[Any]:
        """Return one number of every step, such as `column("loss")`."""
        return [record[key] for record in self.records]
