"""Adamax: Adam with a fading maximum of the gradient's size in place of the average of its square.

Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, section 7.1,
https://arxiv.org/abs/1412.6980.
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, ParamsT, State, check_range, new_step

__all__ = ["Adamax"]


class Adamax(Optimizer):
    r"""Adamax.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1} \\
    m_t &= \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t \\
    u_t &= \max(\beta_2\,u_{t-1},\; \lvert g_t \rvert + \varepsilon) \\
    \hat m_t &= \frac{m_t}{1 - \beta_1^t} \\
    \theta_t &= \theta_{t-1} - \eta\,\frac{\hat m_t}{u_t}
    \end{aligned}
    $$

    $m$ and $u$ start at 0. $u$ needs no correction: its first value is the first gradient's size. A large
    gradient raises it at once, and it fades by $\beta_2$ a step.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, in units of the parameters; a number or a 0-dim tensor. The length
            of the first step.
        betas: $(\beta_1, \beta_2)$ in [0, 1), the memories of $m$ and $u$: about $1/(1-\beta)$ steps.
        eps: $\varepsilon \ge 0$, in units of the gradient; keeps steps finite where gradients are 0.
        weight_decay: $\lambda \ge 0$, the strength of the L2 penalty $\tfrac{\lambda}{2}\|\theta\|^2$. Its
            gradient goes through $m$ and $u$.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.Adamax(foreach=False)`, tested on the CPU. Options that a group sets
        for itself are checked, too. `foreach`, `capturable` and `differentiable` are gone. Both add
        $\varepsilon$, which the paper does not have.

    Examples:
        >>> import torch
        >>> w = torch.tensor([4.0, 400.0], requires_grad=True)
        >>> optimizer = Adamax([w], lr=0.5)
        >>> w.square().sum().backward()  # the gradients are 8 and 800
        >>> optimizer.step()
        >>> w.tolist()  # both weights move by lr
        [3.5, 399.5]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "eps", "weight_decay")
        check_range(group, "betas", below=1, count=2)

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        return {
            "step": new_step(),
            "exp_avg": torch.zeros_like(θ),
            "exp_inf": torch.zeros_like(θ),
        }

    # --8<-- [end:state]

    # --8<-- [start:update]
    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        t, (β1, _) = counters["step"], group["betas"]
        return {"step_size": group["lr"] / (1 - β1**t)}  # m̂ = m / (1 − β₁ᵗ)

    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        λ, ε = group["weight_decay"], group["eps"]
        β1, β2 = group["betas"]
        m, u = state["exp_avg"], state["exp_inf"]

        if λ != 0:
            g = g.add(θ, alpha=λ)  # g + λθ
        m.lerp_(g, 1 - β1)  # m = β₁m + (1 − β₁)g
        u.mul_(β2).clamp_min_(g.abs().add_(ε))  # u = max(β₂u, |g| + ε)
        θ.addcdiv_(m, u, value=-group["step_size"])  # θ = θ − ηm̂ / u

    # --8<-- [end:update]
