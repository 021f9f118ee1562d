"""What all optimizers share: the loop over parameters, their state, and the checks of their options.

A rule file adds what is particular: the options, the state, and the update of one parameter.
"""

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias, overload

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

__all__ = ["Group", "Optimizer", "ParamsT", "State", "check_range", "new_step"]

Group: TypeAlias = dict[str, Any]
"""A parameter group: parameters under `"params"`, and the options that hold for them."""

State: TypeAlias = dict[str, Any]
"""What an optimizer remembers about one parameter, under the names `torch.optim` gives it."""


class Optimizer(torch.optim.Optimizer):
    """Base class: applies a rule to every parameter that has a gradient.

    A subclass brings three methods: `check` refuses options that make no sense, `init_state` says
    what a new parameter's state is, and `update` is the rule.

    It is a `torch.optim.Optimizer`: learning-rate schedulers, hooks, `GradScaler` and checkpoints take
    it as they take torch's own.

    Args:
        params: parameters, named parameters or parameter groups.
        defaults: every option, with the value it has in a group that sets none of its own.

    Raises:
        ValueError: an option of the constructor or of a group is out of range.
        TypeError: a parameter is complex.
    """

    supports_sparse: ClassVar[bool] = False
    """Whether `update` takes a sparse gradient, such as `nn.Embedding(sparse=True)` makes."""

    def __init__(self, params: ParamsT, defaults: Group) -> None:
        self.check(defaults)
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        """Raise `ValueError` if an option is out of range. Sees the defaults, then every group."""
        raise NotImplementedError

    def init_state(self, θ: Tensor, group: Group) -> State:
        """Return the state of a parameter before its first update.

        An entry `"step"` counts the updates: `step` adds 1 to it before each of them.
        """
        raise NotImplementedError

    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        """Apply the rule: change `θ` and its state in place.

        `g` must stay as it is, for it is `θ.grad` itself. A rule that needs `g + λθ` makes a new tensor.
        """
        raise NotImplementedError

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients, and returns the loss. Optional.

        Returns:
            What the closure returned; None without one.

        Raises:
            RuntimeError: a gradient is sparse and the rule needs dense ones.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()

        # --8<-- [start:step]
        for group in self.param_groups:
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if g.is_sparse:
                    self._check_sparse(p)
                if group["maximize"]:
                    g = -g
                state = self.state.get(p) or self.init_state(p, group)
                if "step" in state:
                    state["step"] += 1
                self.update(p, g, state, group)
                if state:
                    self.state[p] = state
        # --8<-- [end:step]
        return loss

    def _check_sparse(self, p: Tensor) -> None:
        if not self.supports_sparse:
            raise RuntimeError(
                f"{type(self).__name__} needs dense gradients, got a sparse one for a parameter of shape "
                f"{tuple(p.shape)}: give that parameter to SGD, or make its layer with sparse=False"
            )

    def add_param_group(self, param_group: Group) -> None:
        """Add a group of parameters, after checking the options it sets for itself."""
        self.check({**self.defaults, **param_group})
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            if p.is_complex():
                self.param_groups.pop()
                raise TypeError(
                    f"{type(self).__name__} takes real parameters, got {p.dtype}: keep a real one with a "
                    "last dimension of 2, and call torch.view_as_complex on it inside the model"
                )

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Accept a pickle or a state_dict, also from torch's own class or an older version.

        Options that it lacks get this optimizer's defaults; options that only torch knows are kept,
        and ignored.
        """
        super().__setstate__(state)
        for group in self.param_groups:
            for option, default in self.defaults.items():
                group.setdefault(option, default)
            for p in group["params"]:
                saved = self.state.get(p, {})
                if "step" in saved and not isinstance(saved["step"], Tensor):
                    saved["step"] = new_step(saved["step"])


def new_step(start: float = 0.0) -> Tensor:
    """Return a counter of updates as torch keeps it: a float32 scalar in main memory."""
    return torch.tensor(start, dtype=torch.float32, device="cpu")


def check_range(group: Group, *options: str, below: float | None = None) -> None:
    """Raise `ValueError` unless each of these options is at least 0, and below a bound if there is one.

    An option is a number, a 0-dim tensor, or a tuple of numbers such as `betas`.
    """
    wanted = ">= 0" if below is None else f"in [0, {below})"
    for option in options:
        value = group[option]
        if isinstance(value, Tensor) and value.dim() > 0:
            raise ValueError(f"{option} must be a number or a 0-dim tensor, got shape {tuple(value.shape)}")
        for x in value if isinstance(value, (tuple, list)) else (value,):
            if not x >= 0 or (below is not None and x >= below):
                raise ValueError(f"{option} must be {wanted}, got {value}")
