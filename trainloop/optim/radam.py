"""RAdam: Adam that trusts its average of squares only as far as it has samples to go by.

Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2020,
https://arxiv.org/abs/1908.03265.
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, ParamsT, State, check_range, new_step

__all__ = ["RAdam"]


class RAdam(Optimizer):
    r"""RAdam, with L2 or decoupled weight decay.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1} \\
    m_t &= \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t \\
    v_t &= \beta_2\,v_{t-1} + (1 - \beta_2)\,g_t^2 \\
    \hat m_t &= \frac{m_t}{1 - \beta_1^t} \\
    \rho_\infty &= \frac{2}{1 - \beta_2} - 1, \qquad
    \rho_t = \rho_\infty - \frac{2\,t\,\beta_2^t}{1 - \beta_2^t} \\
    r_t &= \sqrt{\frac{(\rho_t - 4)(\rho_t - 2)\,\rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2)\,\rho_t}} \\
    \theta_t &= \theta_{t-1} - \eta\,\hat m_t \cdot
        \begin{cases}
        1 & \text{if } \rho_t \le 5 \\
        r_t\,\sqrt{1 - \beta_2^t} \,/\, (\sqrt{v_t} + \varepsilon) & \text{if } \rho_t > 5
        \end{cases}
    \end{aligned}
    $$

    $\rho_t$ says how many samples $v_t$ is worth: about $t$ at first. Up to 5, the step is one of SGD with
    momentum, as long as the gradient makes it; with $\beta_2 = 0.999$ these are the first five steps, and
    the very first is $\eta\,g_1$. The following steps are Adam's, shortened by $r_t$, which grows to 1. With
    $\beta_2 \le 2/3$, $\rho_t$ never exceeds 5. $m$ and $v$ start at 0. With decoupled decay, $g_t$ has
    no $\lambda\,\theta_{t-1}$; $\theta$ is multiplied by $1 - \eta\lambda$ instead, as in AdamW.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$; a number or a 0-dim tensor. In the steps of SGD it is the step per
            unit of gradient, in those of Adam it is in units of the parameters.
        betas: $(\beta_1, \beta_2)$ in [0, 1), the memories of $m$ and $v$: about $1/(1-\beta)$ steps.
        eps: $\varepsilon \ge 0$, in units of the gradient; keeps steps finite where $v$ is near 0.
        weight_decay: $\lambda \ge 0$, the strength of the decay.
        decoupled_weight_decay: decay the weights themselves, not by way of the gradient.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.RAdam(foreach=False)`, tested on the CPU. Options that a group sets
        for itself are checked, too. `foreach`, `capturable` and `differentiable` are gone. Both
        differ from the paper, where $\rho_t > 4$ is enough, which is one step earlier.

    Examples:
        >>> import torch
        >>> w = torch.tensor([4.0, 400.0], requires_grad=True)
        >>> optimizer = RAdam([w], lr=0.25)
        >>> w.square().sum().backward()  # the gradients are 8 and 800
        >>> optimizer.step()
        >>> w.tolist()  # 4 − 0.25 · 8 and 400 − 0.25 · 800: a step of SGD
        [2.0, 200.0]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
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
            "exp_avg_sq": torch.zeros_like(θ),
        }

    # --8<-- [end:state]

    # --8<-- [start:at_step]
    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        t, (β1, β2) = counters["step"], group["betas"]
        ρ_inf = 2 / (1 - β2) - 1
        ρ = ρ_inf - 2 * t * (β2**t) / (1 - β2**t)
        numbers = {"mean_scale": 1 - β1**t, "rectified": ρ > 5}
        if ρ > 5:
            full = (ρ_inf - 4) * (ρ_inf - 2) * ρ
            numbers["r"] = ((ρ - 4) * (ρ - 2) * ρ_inf / full) ** 0.5
            numbers["root_scale"] = (1 - β2**t) ** 0.5  # √v̂ = √v / this
        return numbers

    # --8<-- [end:at_step]

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, λ, ε = group["lr"], group["weight_decay"], group["eps"]
        β1, β2 = group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]

        if λ != 0:
            if group["decoupled_weight_decay"]:
                θ.mul_(1 - η * λ)  # θ = (1 − ηλ)θ
            else:
                g = g.add(θ, alpha=λ)  # g + λθ
        m.lerp_(g, 1 - β1)  # m = β₁m + (1 − β₁)g
        v.mul_(β2).addcmul_(g, g, value=1 - β2)  # v = β₂v + (1 − β₂)g²
        change = m.div(group["mean_scale"]).mul_(η)  # ηm̂
        if group["rectified"]:
            inverse = v.sqrt().add_(ε).reciprocal_()  # 1 / (√v + ε)
            change.mul_(inverse.mul_(group["root_scale"]))
            change.mul_(group["r"])  # ηm̂ · r√(1 − β₂ᵗ) / (√v + ε)
        θ.sub_(change)

    # --8<-- [end:update]
