"""LARS: SGD with momentum, with a step length per layer that is proportional to the layer's weights.

You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks", 2017,
https://arxiv.org/abs/1708.03888. Nado et al., "A Large Batch Optimizer Reality Check", 2021,
https://arxiv.org/abs/2102.06356, reach its large-batch results with tuned Nesterov momentum alone.
"""

from torch import Tensor

from trainloop.optim._base import Group, Optimizer, ParamsT, State, check_range
from trainloop.optim._trust import trust_ratio

__all__ = ["LARS"]


class LARS(Optimizer):
    r"""LARS, "layer-wise adaptive rate scaling".

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) \\
    r_t &= \begin{cases}
        \dfrac{\tau\,\|\theta_{t-1}\|}{\|g_t\| + \lambda\,\|\theta_{t-1}\|}
            & \text{if } \|\theta_{t-1}\| \text{ and the denominator are above 0} \\
        1 & \text{otherwise}
        \end{cases} \\
    u_t &= r_t\,(g_t + \lambda\,\theta_{t-1}) \\
    b_t &= \mu\,b_{t-1} + u_t, \qquad b_0 = 0 \\
    \theta_t &= \theta_{t-1} - \eta \cdot
        \begin{cases}
        b_t & \text{plain} \\
        u_t + \mu\,b_t & \text{Nesterov}
        \end{cases}
    \end{aligned}
    $$

    The norms are taken over one parameter tensor, which the paper calls a layer: a step without momentum
    moves it by at most the share $\eta\,\tau$ of its own length, whatever the size of its gradient.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, without units; a number or a 0-dim tensor.
        momentum: $\mu \ge 0$, the share of $b$ that each step keeps; usually below 1. 0 switches momentum off.
        weight_decay: $\lambda \ge 0$, the strength of the L2 penalty $\tfrac{\lambda}{2}\|\theta\|^2$. It counts in
            the ratio and in the direction.
        nesterov: step along $u_t + \mu\,b_t$. Needs `momentum > 0`.
        trust_coefficient: $\tau \ge 0$, the share of $\|\theta\|$ that a step with $\eta = 1$ covers.
        adapt: use the ratio $r$. A group with `adapt=False` has $r = 1$, and is SGD's bit for bit: meant, with
            `weight_decay=0` and a learning rate of its own, for biases and normalisation layers.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range, or `nesterov` lacks what it needs.

    Differs from the paper:
        The learning rate stands outside $b$, as in `torch.optim.SGD`; the paper's Algorithm 1 has
        $b_t = \mu\,b_{t-1} + \eta\,u_t$ and $\theta_t = \theta_{t-1} - b_t$. The two agree while $\eta$ is constant.
        Nesterov momentum and the edge case $r = 1$ are additions.

    Examples:
        >>> import torch
        >>> w = torch.tensor([3.0, 4.0], requires_grad=True)
        >>> optimizer = LARS([w], lr=1.0, trust_coefficient=0.1)
        >>> (1000 * w[0]).backward()
        >>> optimizer.step()
        >>> w.tolist()  # w is 5 long: a step of 0.1 · 5 along (1, 0)
        [2.5, 4.0]
    """

    counters = ()
    lazy = frozenset({"momentum_buffer"})

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0,
        nesterov: bool = False,
        trust_coefficient: float = 1e-3,
        adapt: bool = True,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "trust_coefficient": trust_coefficient,
            "adapt": adapt,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "momentum", "weight_decay", "trust_coefficient")
        if group["nesterov"] and group["momentum"] == 0:
            raise ValueError("nesterov needs momentum > 0, got 0")

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        return {}  # with momentum, the first update adds b

    # --8<-- [end:state]

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, λ, μ = group["lr"], group["weight_decay"], group["momentum"]
        τ = group["trust_coefficient"]

        u = g.add(θ, alpha=λ) if λ != 0 else g.clone()  # g + λθ
        if group["adapt"]:
            u.mul_(trust_ratio(θ, g, τ, λ))  # r = τ‖θ‖ / (‖g‖ + λ‖θ‖)
        if μ != 0:
            b = state.get("momentum_buffer")
            if b is None:
                b = state["momentum_buffer"] = u.clone()  # b₁ = u₁
            else:
                b.mul_(μ).add_(u)  # b = μb + u
            u = u.add_(b, alpha=μ) if group["nesterov"] else b
        θ.add_(u, alpha=-η)  # θ = θ − ηu

    # --8<-- [end:update]
