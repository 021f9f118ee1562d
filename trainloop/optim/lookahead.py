"""Lookahead: let any optimizer run ahead for k steps, then go only part of the way to where it arrived.

Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", 2019, https://arxiv.org/abs/1907.08610. The
authors' code: https://github.com/michaelrzhang/lookahead.
"""

from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor

from trainloop.optim._base import Group, State, check_entries

__all__ = ["Lookahead"]

MOMENTA = ("momentum_buffer", "exp_avg")
"""The names under which torch's optimizers, and this package's, keep the gradients' running average."""

SLOW = {"slow", *(f"slow_{name}" for name in MOMENTA)}
"""What Lookahead adds to a parameter's state when it is saved."""

KEEP = 'momentum must be "keep", got "{}": the inner optimizer stores its {} in codes'


class Lookahead(torch.optim.Optimizer):
    r"""Lookahead around another optimizer.

    $$
    \begin{aligned}
    \theta_{t,0} &= \phi_t \\
    \theta_{t,i} &= A(\theta_{t,i-1}) \qquad \text{for } i = 1, \dots, k \\
    \phi_{t+1} &= \phi_t + \alpha\,(\theta_{t,k} - \phi_t)
    \end{aligned}
    $$

    $A$ is a step of the inner optimizer on the fast weights $\theta$, which are the model's parameters. The slow
    weights $\phi$ are copied from them before the first step, and move every $k$ steps; then $\theta$ starts again
    from $\phi$.

    To its users it is the inner optimizer: `param_groups`, `state` and `defaults` are that one's own, so schedulers
    and `GradScaler` reach it. `state_dict` has the inner one's form, with the slow weights among each
    parameter's state, and the steps since the last pull and the options in every group.

    Args:
        optimizer: the inner optimizer, with its parameters. Any `torch.optim.Optimizer`. Step it through this
            one only.
        k: steps of the inner optimizer between pulls, $k \ge 1$.
        alpha: $\alpha$ in [0, 1], the share of the way that the slow weights go; 1 is the inner optimizer alone.
        momentum: what a pull does to the inner optimizer's momentum (`"momentum_buffer"` or `"exp_avg"`).
            "keep", the default as in the authors' code, leaves it. "reset" sets it to 0. "pull" treats it as it
            treats the weights, with slow momentum that starts at 0.

    Raises:
        ValueError: an option is out of range, or a loaded `state_dict` has no slow weights.
        TypeError: `optimizer` is no optimizer, or a Lookahead itself; or the momentum to change is Adam8bit's.

    Differs from the paper:
        In nothing. $k = 5$ and $\alpha = 0.5$ are the paper's values for ImageNet; the authors' code has
        $\alpha = 0.8$.

    Examples:
        >>> from trainloop.optim import SGD
        >>> w = torch.tensor([4.0], requires_grad=True)
        >>> optimizer = Lookahead(SGD([w], lr=1.0), k=2, alpha=0.5)
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     w.sum().backward()
        ...     optimizer.step()
        >>> w.item()  # from 4 two steps forward, to 2, and half the way back
        3.0
    """

    optimizer: torch.optim.Optimizer
    """The inner optimizer."""

    k: int
    alpha: float
    momentum: str

    steps: int
    """Steps of the inner optimizer since the last pull."""

    slow: dict[Tensor, State]
    """For every parameter that made a step: "slow" weights, and slow momenta if they are pulled."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        k: int = 5,
        alpha: float = 0.5,
        momentum: str = "keep",
    ) -> None:
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
        if isinstance(optimizer, Lookahead):
            raise TypeError("optimizer must be one without Lookahead, got Lookahead")
        if k < 1:
            raise ValueError(f"k must be >= 1, got {k}")
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must be in [0, 1], got {alpha}")
        if momentum not in ("keep", "reset", "pull"):
            raise ValueError(f'momentum must be "keep", "reset" or "pull", got {momentum!r}')
        own = {"optimizer": optimizer, "k": k, "alpha": alpha, "momentum": momentum}
        self.__setstate__({**own, "steps": 0, "slow": {}})  # adds the hooks; __init__ would add groups

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in ("optimizer", "k", "alpha", "momentum", "steps", "slow")}

    # --- The inner optimizer's own -----------------------------------------------------------------

    @property
    def param_groups(self) -> list[Group]:  # type: ignore[override]
        return self.optimizer.param_groups

    @property
    def state(self) -> Any:  # type: ignore[override]
        return self.optimizer.state

    @property
    def defaults(self) -> Group:  # type: ignore[override]
        return self.optimizer.defaults

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients, as the inner optimizer does."""
        self.optimizer.zero_grad(set_to_none)

    def add_param_group(self, param_group: Group) -> None:
        """Add a group of parameters to the inner optimizer. Its slow weights start at its next step."""
        self.optimizer.add_param_group(param_group)

    def __repr__(self) -> str:
        return f"Lookahead(k={self.k}, alpha={self.alpha}, momentum={self.momentum!r}, {self.optimizer!r})"

    # --- Steps -------------------------------------------------------------------------------------

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Make a step of the inner optimizer, and after every k of them pull the fast weights back.

        Args:
            closure: handed to the inner optimizer. Optional.

        Returns:
            What the inner optimizer returned: the loss, if there is a closure.
        """
        params = [p for group in self.param_groups for p in group["params"]]
        if self.steps == 0 or len(self.slow) < len(params):  # looking at each takes time
            for θ in params:
                if θ not in self.slow:
                    self.slow[θ] = self.init_slow(θ)
        loss = self.optimizer.step(closure)
        self.steps += 1
        if self.steps == self.k:
            self.steps = 0
            for θ in params:
                self.pull(θ, self.slow[θ], self.optimizer.state.get(θ, {}))
        return loss

    # --8<-- [start:state]
    def init_slow(self, θ: Tensor) -> State:
        """Return what is kept of a parameter before its first step."""
        return {"slow": θ.detach().clone()}

    # --8<-- [end:state]

    # --8<-- [start:update]
    def pull(self, θ: Tensor, slow: State, inner: State) -> None:
        """Move the slow weights towards the fast, which start from there."""
        φ = slow["slow"]
        φ.lerp_(θ, self.alpha)  # φ = φ + α(θ − φ)
        θ.copy_(φ)
        for name in MOMENTA:
            if name not in inner or self.momentum == "keep":
                continue
            m = inner[name]
            if not m.is_floating_point():
                raise TypeError(KEEP.format(self.momentum, name))
            if self.momentum == "reset":
                m.zero_()
            else:
                μ = slow.setdefault(f"slow_{name}", torch.zeros_like(m))
                m.copy_(μ.lerp_(m, self.alpha))

    # --8<-- [end:update]

    # --- Checkpoints -------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return the inner optimizer's state_dict, with what Lookahead adds."""
        for before in self._optimizer_state_dict_pre_hooks.values():
            before(self)
        saved = self.optimizer.state_dict()
        own = {name: getattr(self, name) for name in ("k", "alpha", "momentum", "steps")}
        for group, packed in zip(self.param_groups, saved["param_groups"], strict=True):
            packed["lookahead"] = own
            for p, index in zip(group["params"], packed["params"], strict=True):
                if p in self.slow:
                    saved["state"][index] = {**saved["state"].get(index, {}), **self.slow[p]}
        for after in self._optimizer_state_dict_post_hooks.values():
            saved = after(self, saved) or saved
        return saved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state_dict of Lookahead around an optimizer of the same kind; k, alpha and momentum come with it.

        Raises:
            ValueError: the state_dict has no slow weights, or its groups are not this optimizer's.
        """
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            state_dict = before(self, state_dict) or state_dict
        if any("lookahead" not in group for group in state_dict["param_groups"]):
            raise ValueError(
                "state_dict must be one of Lookahead, got one without slow weights: load it into the inner "
                "optimizer, and wrap that"
            )
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=False):
            for p, i in zip(group["params"], saved["params"], strict=False):  # the inner optimizer counts them
                own = {k: x for k, x in state_dict["state"].get(i, {}).items() if k in SLOW}
                check_entries("Lookahead", dict.fromkeys(own, p), own)
        groups = [{k: x for k, x in group.items() if k != "lookahead"} for group in state_dict["param_groups"]]
        fast = {i: {k: x for k, x in state.items() if k not in SLOW} for i, state in state_dict["state"].items()}
        fast = {i: state for i, state in fast.items() if state}  # no entry where the inner optimizer had none
        self.optimizer.load_state_dict({"state": fast, "param_groups": groups})
        self.slow = {}
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            for p, index in zip(group["params"], saved["params"], strict=True):
                own = {k: x for k, x in state_dict["state"].get(index, {}).items() if k in SLOW}
                if own:
                    types = {"slow": p.dtype}  # a momentum keeps the type that the inner optimizer gave it
                    self.slow[p] = {k: x.to(p.device, types.get(k, x.dtype), copy=True) for k, x in own.items()}
        self.__dict__.update(state_dict["param_groups"][0]["lookahead"])
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)
