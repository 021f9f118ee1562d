"""How far each step moves the weights.

https://cs231n.github.io/neural-networks-3/ (update-to-weight ratios of about 1e-3).
"""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainloop.monitor._hooks import Hooked
from trainloop.monitor._numbers import two_norms

__all__ = ["UpdateRatios"]


class UpdateRatios(Hooked):
    r"""Measures how far each step moves each parameter, in units of its size.

    $$
    r = \frac{\|\theta_t - \theta_{t-1}\|}{\|\theta_{t-1}\|}
    $$

    A rule of thumb is that $r$ should be near $10^{-3}$: much less learns slowly, much more forgets.

    In its `with` block, every `optimizer.step()` refreshes `ratios`, by the optimizer's own hooks: a step that
    `GradScaler` skips is not one. Without the block, call `before_step` and `after_step` yourself.

    It keeps room for a second copy of the weights.

    Args:
        model: gives the parameters their names.
        optimizer: moves them. Its parameters that are not in the model are not measured.

    Attributes:
        ratios: $r$ by qualified name, of the last step; empty before the first. A parameter of size 0, such as a
            bias that starts there, has no ratio and is left out. A step that does not touch a parameter gives 0.

    Examples:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> _ = nn.init.constant_(model.weight, 3.0)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        >>> with UpdateRatios(model, optimizer) as watch:
        ...     _ = model(torch.ones(1, 2)).sum().backward()
        ...     optimizer.step()  # each weight moves from 3 to 2.5
        >>> round(watch.ratios["weight"], 4)
        0.1667
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        super().__init__()
        held = {p for group in optimizer.param_groups for p in group["params"]}
        self._named = {name: p for name, p in model.named_parameters() if p in held}
        self._optimizer = optimizer
        self._before: list[Tensor] = []  # room for the weights, made once: new memory for every step costs most
        self._remembers = False
        self.ratios: dict[str, float] = {}

    def _attach(self) -> None:
        self._handles = [
            self._optimizer.register_step_pre_hook(lambda *_: self.before_step()),
            self._optimizer.register_step_post_hook(lambda *_: self.after_step()),
        ]

    @torch.no_grad()
    def before_step(self) -> None:
        """Remember the weights."""
        if not self._before:
            self._before = [torch.empty_like(θ) for θ in self._named.values()]
        for before, θ in zip(self._before, self._named.values(), strict=True):
            before.copy_(θ)
        self._remembers = True

    @torch.no_grad()
    def after_step(self) -> None:
        """Compare the weights with those remembered.

        Raises:
            RuntimeError: there are none: `before_step` was not called.
        """
        if not self._remembers:
            raise RuntimeError("call before_step before optimizer.step(), and after_step after it")
        # --8<-- [start:update_ratios]
        sizes = two_norms(self._before)
        after = self._named.values()
        for before, θ in zip(self._before, after, strict=True):
            before.sub_(θ)
        moves = two_norms(self._before)
        measured = zip(self._named, moves, sizes, strict=True)
        self.ratios = {name: m / n for name, m, n in measured if n != 0}
        # --8<-- [end:update_ratios]
        self._remembers = False
