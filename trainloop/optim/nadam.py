"""NAdam: Adam with Nesterov's momentum: each step already counts what this gradient adds to the next one.

Dozat, "Incorporating Nesterov Momentum into Adam", 2016,
https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ.
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, ParamsT, State, check_range, new_step

__all__ = ["NAdam"]


class NAdam(Optimizer):
    r"""NAdam, with L2 or decoupled weight decay.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1} \\
    \mu_t &= \beta_1\,\bigl(1 - \tfrac{1}{2}\,0.96^{\,t\,\psi}\bigr) \\
    m_t &= \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t \\
    v_t &= \beta_2\,v_{t-1} + (1 - \beta_2)\,g_t^2 \\
    \hat m_t &= \frac{\mu_{t+1}\,m_t}{1 - \mu_1 \cdots \mu_{t+1}}
        + \frac{(1 - \mu_t)\,g_t}{1 - \mu_1 \cdots \mu_t}, \qquad
    \hat v_t = \frac{v_t}{1 - \beta_2^t} \\
    \theta_t &= \theta_{t-1} - \eta\,\frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}
    \end{aligned}
    $$

    Momentum warms up: $\mu_t$ rises from $\beta_1/2$ to $\beta_1$; with the default $\psi$, halfway in about
    4,250 steps. $m$ and $v$ start at 0. With decoupled decay, $g_t$ has no $\lambda\,\theta_{t-1}$; $\theta$ is
    multiplied by $1 - \eta\lambda$ instead, as in AdamW.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, in units of the parameters; a number or a 0-dim tensor. With the other
            options at their defaults, the first step is 1.056 times as long.
        betas: $(\beta_1, \beta_2)$ in [0, 1), the memories of $m$ and $v$: about $1/(1-\beta)$ steps.
        eps: $\varepsilon \ge 0$, in units of the gradient; keeps steps finite where $v$ is near 0.
        weight_decay: $\lambda \ge 0$, the strength of the decay.
        momentum_decay: $\psi \ge 0$, the speed of the warm-up, per step. 0 holds $\mu$ at $\beta_1/2$.
        decoupled_weight_decay: decay the weights themselves, not by way of the gradient.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.NAdam(foreach=False)`, tested on the CPU. Options that a group sets
        for itself are checked, too. `foreach`, `capturable` and `differentiable` are gone.
        `mu_product` is float32 at all times; torch's takes the parameter's type when a `state_dict` is
        loaded, so there a resumed run departs from an uninterrupted one.

    Examples:
        >>> import torch
        >>> w = torch.tensor([4.0, 400.0], requires_grad=True)
        >>> optimizer = NAdam([w], lr=0.5, betas=(2 / 3, 0.999), momentum_decay=0)
        >>> w.square().sum().backward()  # the gradients are 8 and 800
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]  # μ = ⅓: 0.5 · (⅓ · ⅓ / (1 − 1/9) + ⅔ / (1 − ⅓)) = 0.5625
        [3.4375, 399.4375]
    """

    counters = ("step", "mu_product")

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "eps", "weight_decay", "momentum_decay")
        check_range(group, "betas", below=1, count=2)

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        return {
            "step": new_step(),
            "mu_product": new_step(1.0),  # μ₁ ⋯ μₜ
            "exp_avg": torch.zeros_like(θ),
            "exp_avg_sq": torch.zeros_like(θ),
        }

    # --8<-- [end:state]

    # --8<-- [start:at_step]
    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        t, η = counters["step"], group["lr"]
        (β1, β2), ψ = group["betas"], group["momentum_decay"]
        μ = β1 * (1.0 - 0.5 * (0.96 ** (t * ψ)))
        μ_next = β1 * (1.0 - 0.5 * (0.96 ** ((t + 1) * ψ)))
        product = new_step(counters["mu_product"]).mul_(μ).item()  # rounded as it is stored
        return {
            "mu_product": product,
            "gradient_size": η * (1.0 - μ) / (1.0 - product),
            "momentum_size": η * μ_next / (1.0 - product * μ_next),
            "square_scale": 1 - β2**t,  # v̂ = v / (1 − β₂ᵗ)
        }

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
        root = v.div(group["square_scale"]).sqrt_().add_(ε)  # √v̂ + ε
        # m̂ has two parts: θ = θ − η(1 − μₜ)g / (1 − μ₁⋯μₜ) / root
        #                        − ημₜ₊₁m / (1 − μ₁⋯μₜ₊₁) / root
        θ.addcdiv_(g, root, value=-group["gradient_size"])
        θ.addcdiv_(m, root, value=-group["momentum_size"])

    # --8<-- [end:update]
