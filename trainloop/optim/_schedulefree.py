"""What Schedule-Free SGD and Schedule-Free AdamW share: the weights of the average, and the two modes."""

from typing import ClassVar

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, check_range

__all__ = ["ScheduleFree", "average_"]


EVAL_MODE = "{}.step needs train mode, got eval mode: call optimizer.train() wherever you call model.train()"


class ScheduleFree(Optimizer):
    r"""Base class of the Schedule-Free optimizers.

    The parameters hold $y$ in train mode and $x$ in eval mode; $z$ is in the state. From two of them follows the
    third: $y = (1 - \beta)\,z + \beta\,x$.
    """

    START: ClassVar[Group] = {
        "train_mode": True,
        "k": 0,
        "scheduled_lr": 0.0,
        "lr_max": 0.0,
        "weight_sum": 0.0,
    }
    """A group's own numbers, under the names of the authors' code: the mode; the steps made; the learning rate
    of the last one, and the largest so far; the sum of the weights w."""

    def beta(self, group: Group) -> float:
        r"""Return the group's $\beta$, the share of $x$ in $y$."""
        raise NotImplementedError

    def check(self, group: Group) -> None:
        check_range(group, "lr", "weight_decay", "warmup_steps", "weight_lr_power")

    @torch.no_grad()
    def eval(self) -> None:
        """Let the parameters hold x, the average: for evaluating the model, and for saving it for use."""
        for group in self.param_groups:
            if group["train_mode"]:
                self._move(group, 1 - 1 / self.beta(group))  # x = y + (1 − 1/β)(z − y)
            group["train_mode"] = False

    @torch.no_grad()
    def train(self) -> None:
        """Let the parameters hold y again: for training. A new optimizer is in this mode."""
        for group in self.param_groups:
            if not group["train_mode"]:
                self._move(group, 1 - self.beta(group))  # y = x + (1 − β)(z − x)
            group["train_mode"] = True

    def _move(self, group: Group, share: float) -> None:
        for p in group["params"]:
            if "z" in self.state.get(p, {}):
                p.lerp_(self.state[p]["z"], share)

    # --8<-- [start:begin]
    def begin(self, group: Group) -> None:
        if not group["train_mode"]:
            raise RuntimeError(EVAL_MODE.format(type(self).__name__))
        group["k"] += 1
        k, warmup = group["k"], group["warmup_steps"]
        lr = float(group["lr"]) * (k / warmup if k < warmup else 1)
        group["scheduled_lr"] = lr
        group["lr_max"] = max(lr, group["lr_max"])
        group["weight_sum"] += self._weight(group)

    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        w, total = self._weight(group), group["weight_sum"]
        c = w / total if total > 0 else 0.0
        η, β = group["scheduled_lr"], self.beta(group)
        y_step = η * (1 - β)  # y takes its share of z's step
        return {"η": η, "c": c, "y_step": y_step, **self._running(group)}

    # --8<-- [end:begin]

    def _weight(self, group: Group) -> float:
        w: float = group["k"] ** group["r"] * group["lr_max"] ** group["weight_lr_power"]
        return w

    def _running(self, group: Group) -> Numbers:
        """The group's own numbers, as numbers of the step: an option that changes would be compiled anew."""
        return {name: float(group[name]) for name in ("k", "scheduled_lr", "lr_max", "weight_sum")}


def average_(x: Tensor, z: Tensor, c: float) -> None:
    """Change x to (1 − c)x + cz."""
    if torch.compiler.is_compiling():
        x.mul_(1 - c).add_(z, alpha=c)  # to compile lerp_, torch wants to know whether c is below 0.5
    else:
        x.lerp_(z, c)
