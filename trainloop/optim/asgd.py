"""ASGD: SGD with a falling learning rate, and beside it the average of the weights it passes through.

Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992,
https://doi.org/10.1137/0330046. Xu, "Towards Optimal One Pass Large Scale Learning with Averaged
Stochastic Gradient Descent", 2011, https://arxiv.org/abs/1107.2490 (the learning rate).
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, ParamsT, State, check_range, new_step

__all__ = ["ASGD"]


class ASGD(Optimizer):
    r"""Averaged stochastic gradient descent.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) + w\,\theta_{t-1} \\
    \eta_t &= \frac{\eta}{(1 + \lambda\,\eta\,(t - 1))^{\alpha}}, \qquad
    \mu_t = \frac{1}{\max(1,\; t - 1 - t_0)} \\
    \theta_t &= (1 - \lambda\,\eta_t)\,\theta_{t-1} - \eta_t\,g_t \\
    a_t &= a_{t-1} + \mu_t\,(\theta_t - a_{t-1})
    \end{aligned}
    $$

    $a_t$ is a copy of $\theta_t$ until step $t_0 + 2$, and from there the mean of all $\theta$ since. The model
    trains with $\theta$; the average waits in the state, as `optimizer.state[p]["ax"]`, to be copied into the
    parameters when training is over.

    $\eta_{t+1}$ and $\mu_{t+1}$ are computed, and rounded to float32, at the end of step $t$: a learning rate
    that a scheduler sets counts one step later than with other optimizers.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, the first step per unit of gradient; a number or a 0-dim tensor.
        lambd: $\lambda \ge 0$, two things at once: a decay of the weights, and how fast the learning rate falls.
        alpha: $\alpha \ge 0$, the power by which it falls; 0.75 in the paper.
        t0: $t_0 \ge 0$, the step at which averaging starts. The default, a million, is late for most runs.
        weight_decay: $w \ge 0$, the strength of the L2 penalty $\tfrac{w}{2}\|\theta\|^2$.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.ASGD(foreach=False)`, tested on the CPU. Options that a group sets
        for itself are checked, too, and a negative `lambd`, `alpha` or `t0` is refused. `maximize` is
        keyword-only; `foreach`, `capturable` and `differentiable` are gone. `step`, `eta` and `mu` are
        float32 and in main memory at all times; torch keeps them on the parameter's device, and gives
        the latter two its type when a `state_dict` is loaded.

    Examples:
        >>> import torch
        >>> w = torch.tensor(0.0, requires_grad=True)
        >>> optimizer = ASGD([w], lr=1.0, lambd=0.0, t0=0)
        >>> for _ in range(4):
        ...     w.grad = torch.tensor(-1.0)
        ...     optimizer.step()
        ...     print(w.item(), optimizer.state[w]["ax"].item())
        1.0 1.0
        2.0 2.0
        3.0 2.5
        4.0 3.0
    """

    counters = ("step", "eta", "mu")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "lambd", "alpha", "t0", "weight_decay")

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        return {
            "step": new_step(),
            "eta": new_step(float(group["lr"])),  # η₁
            "mu": new_step(1.0),  # μ₁
            "ax": torch.zeros_like(θ),
        }

    # --8<-- [end:state]

    # --8<-- [start:update]
    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        t, η, λ = counters["step"], group["lr"], group["lambd"]
        return {
            "eta_now": counters["eta"],  # ηₜ and μₜ, from the step before
            "mu_now": counters["mu"],
            "averaging": counters["mu"] != 1,
            "eta": η / ((1 + λ * η * t) ** group["alpha"]),  # the next step's
            "mu": 1 / max(1, t - group["t0"]),
        }

    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, μ = group["eta_now"], group["mu_now"]
        λ, w, a = group["lambd"], group["weight_decay"], state["ax"]

        if w != 0:
            g = g.add(θ, alpha=w)  # g + wθ
        θ.mul_(1 - λ * η).add_(g, alpha=-η)  # θ = (1 − λη)θ − ηg
        if group["averaging"]:
            a.add_(θ.sub(a).mul_(μ))  # a = a + μ(θ − a)
        else:
            a.copy_(θ)

    # --8<-- [end:update]
