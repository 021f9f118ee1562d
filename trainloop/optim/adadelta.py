"""Adadelta: steps as long as recent steps have been, in place of a learning rate.

Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012, https://arxiv.org/abs/1212.5701.
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Optimizer, ParamsT, State, check_range, new_step

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    r"""Adadelta.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1} \\
    v_t &= \rho\,v_{t-1} + (1 - \rho)\,g_t^2 \\
    d_t &= \frac{\sqrt{u_{t-1} + \varepsilon}}{\sqrt{v_t + \varepsilon}}\,g_t \\
    u_t &= \rho\,u_{t-1} + (1 - \rho)\,d_t^2 \\
    \theta_t &= \theta_{t-1} - \eta\,d_t
    \end{aligned}
    $$

    $v$ and $u$, the averages of squared gradients and squared steps, start at 0, so $\varepsilon$ sets
    the length of the first steps: about $\sqrt{\varepsilon / (1 - \rho)}$, which is 0.003 with the defaults.
    From there steps grow or shrink with what $u$ has seen.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, a plain factor of the step; a number or a 0-dim tensor. The paper has
            none.
        rho: $\rho$ in [0, 1], the memory of the averages: about $1/(1-\rho)$ steps.
        eps: $\varepsilon \ge 0$, inside both roots. With 0 nothing ever moves.
        weight_decay: $\lambda \ge 0$, the strength of the L2 penalty $\tfrac{\lambda}{2}\|\theta\|^2$.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.Adadelta(foreach=False)`, tested on the CPU. Options that a group sets
        for itself are checked, too. `foreach`, `capturable` and `differentiable` are gone.

    Examples:
        >>> import torch
        >>> w = torch.zeros(2, requires_grad=True)
        >>> optimizer = Adadelta([w], rho=0.75, eps=1e-6)
        >>> w.grad = torch.tensor([8.0, 800.0])
        >>> optimizer.step()
        >>> [round(x, 6) for x in w.tolist()]  # both move by √(1e-6 / (1 − 0.75))
        [-0.002, -0.002]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "eps", "weight_decay")
        if not 0 <= group["rho"] <= 1:
            raise ValueError(f"rho must be in [0, 1], got {group['rho']}")

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        return {
            "step": new_step(),
            "square_avg": torch.zeros_like(θ),
            "acc_delta": torch.zeros_like(θ),
        }

    # --8<-- [end:state]

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, λ, ε = group["lr"], group["weight_decay"], group["eps"]
        ρ, v, u = group["rho"], state["square_avg"], state["acc_delta"]

        if λ != 0:
            g = g.add(θ, alpha=λ)  # g + λθ
        v.mul_(ρ).addcmul_(g, g, value=1 - ρ)  # v = ρv + (1 − ρ)g²
        root = v.add(ε).sqrt_()  # √(v + ε)
        d = u.add(ε).sqrt_().div_(root).mul_(g)  # √(u + ε) / root · g
        u.mul_(ρ).addcmul_(d, d, value=1 - ρ)  # u = ρu + (1 − ρ)d²
        θ.add_(d, alpha=-η)  # θ = θ − ηd

    # --8<-- [end:update]
