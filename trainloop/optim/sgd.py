"""SGD: step against the gradient, or – with momentum – against a decaying sum of all gradients so far.

Robbins and Monro, "A Stochastic Approximation Method", 1951, https://doi.org/10.1214/aoms/1177729586.
Polyak, "Some methods of speeding up the convergence of iteration methods", 1964,
https://doi.org/10.1016/0041-5553(64)90137-5 (momentum). Sutskever et al., "On the importance of
initialization and momentum in deep learning", 2013,
https://proceedings.mlr.press/v28/sutskever13.html (Nesterov's momentum).
"""

from torch import Tensor

from trainloop.optim._base import Group, Optimizer, ParamsT, State, check_range

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Stochastic gradient descent, with or without momentum.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1} \\
    b_t &= \mu\,b_{t-1} + (1 - \tau)\,g_t, \qquad b_1 = g_1 \\
    \theta_t &= \theta_{t-1} - \eta \cdot
        \begin{cases}
        g_t & \text{if } \mu = 0 \\
        b_t & \text{if } \mu > 0 \\
        g_t + \mu\,b_t & \text{if } \mu > 0 \text{, Nesterov}
        \end{cases}
    \end{aligned}
    $$

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, the step per unit of gradient; a number or a 0-dim tensor.
        momentum: $\mu \ge 0$, the share of $b$ that each step keeps; usually below 1. Under a steady
            gradient, steps grow to $1/(1-\mu)$ times their first length. 0 switches momentum off.
        dampening: $\tau$, the share of the gradient kept out of $b$, from the second step on; 0 to 1.
        weight_decay: $\lambda \ge 0$, the strength of the L2 penalty $\tfrac{\lambda}{2}\|\theta\|^2$.
        nesterov: step along $g_t + \mu\,b_t$. Needs `momentum > 0` and `dampening == 0`.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range, or `nesterov` lacks what it needs.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.SGD(foreach=False)`, tested on the CPU. Options that a group sets
        for itself are checked, too. `foreach`, `fused` and `differentiable` are gone.

    Examples:
        >>> import torch
        >>> w = torch.tensor([4.0], requires_grad=True)
        >>> optimizer = SGD([w], lr=0.25)
        >>> w.square().sum().backward()  # the gradient of w² at 4 is 8
        >>> optimizer.step()
        >>> w.item()  # 4 − 0.25 · 8
        2.0
    """

    supports_sparse = True
    counters = ()

    lazy = frozenset({"momentum_buffer"})

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "momentum", "weight_decay")
        μ, τ = group["momentum"], group["dampening"]
        if group["nesterov"] and (μ == 0 or τ != 0):
            raise ValueError(f"nesterov needs momentum > 0 and dampening == 0, got {μ} and {τ}")

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        return {}  # with momentum, the first update adds b

    # --8<-- [end:state]

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, λ = group["lr"], group["weight_decay"]
        μ, τ = group["momentum"], group["dampening"]

        if λ != 0:
            g = g.add(θ, alpha=λ)  # g + λθ
        if μ != 0:
            b = state.get("momentum_buffer")
            if b is None:
                b = state["momentum_buffer"] = g.clone()  # b₁ = g₁
            else:
                b.mul_(μ).add_(g, alpha=1 - τ)  # b = μb + (1 − τ)g
            g = g.add(b, alpha=μ) if group["nesterov"] else b  # g + μb, or b
        θ.add_(g, alpha=-η)  # θ = θ − ηg

    # --8<-- [end:update]
