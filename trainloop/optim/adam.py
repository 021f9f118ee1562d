"""Adam: momentum, with each weight's step divided by the size its gradients have lately had.

Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, https://arxiv.org/abs/1412.6980.
Reddi et al., "On the Convergence of Adam and Beyond", 2018, https://arxiv.org/abs/1904.09237 (AMSGrad).
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, ParamsT, State, check_range, new_step

__all__ = ["Adam"]


class Adam(Optimizer):
    r"""Adam, and AMSGrad.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1} \\
    m_t &= \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t \\
    v_t &= \beta_2\,v_{t-1} + (1 - \beta_2)\,g_t^2 \\
    \hat m_t &= \frac{m_t}{1 - \beta_1^t}, \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t} \\
    \theta_t &= \theta_{t-1} - \eta\,\frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}
    \end{aligned}
    $$

    Both averages start at 0 and are too small at first; the hats make up for it. AMSGrad computes
    $\hat v_t$ from $\max(v_1, \dots, v_t)$.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, in units of the parameters; a number or a 0-dim tensor. The length
            of the first step.
        betas: $(\beta_1, \beta_2)$ in [0, 1), the memories of $m$ and $v$: about $1/(1-\beta)$ steps.
        eps: $\varepsilon \ge 0$, in units of the gradient; keeps steps finite where $v$ is near 0.
        weight_decay: $\lambda \ge 0$, the strength of the L2 penalty $\tfrac{\lambda}{2}\|\theta\|^2$. Its
            gradient goes through $m$ and $v$; AdamW's decay does not.
        amsgrad: divide by the largest $v$ so far.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range, or a loaded `state_dict` is AdamW's.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.Adam(foreach=False)`, tested on the CPU. Options that a group sets
        for itself are checked, too. `betas` are numbers, not tensors; `foreach`, `fused`, `capturable`,
        `differentiable` and `decoupled_weight_decay` are gone.

    Examples:
        >>> import torch
        >>> w = torch.tensor([4.0, 400.0], requires_grad=True)
        >>> optimizer = Adam([w], lr=0.5)
        >>> w.square().sum().backward()  # the gradients are 8 and 800
        >>> optimizer.step()
        >>> w.tolist()  # both weights move by lr
        [3.5, 399.5]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": False,  # by which torch and AdamW tell the two rules' states apart
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "eps", "weight_decay")
        check_range(group, "betas", below=1, count=2)
        if group["decoupled_weight_decay"]:
            raise ValueError("decoupled_weight_decay must be False, got True: that rule is AdamW")

    def __setstate__(self, state: State) -> None:
        if any(group.get("decoupled_weight_decay") for group in state["param_groups"]):
            raise ValueError("decoupled_weight_decay must be False, got True: this state is AdamW's")
        super().__setstate__(state)

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        state = {
            "step": new_step(),
            "exp_avg": torch.zeros_like(θ),
            "exp_avg_sq": torch.zeros_like(θ),
        }
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = torch.zeros_like(θ)
        return state

    # --8<-- [end:state]

    # --8<-- [start:update]
    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        t, (β1, β2) = counters["step"], group["betas"]
        return {
            "step_size": group["lr"] / (1 - β1**t),  # m̂ = m / (1 − β₁ᵗ)
            "root_scale": (1 - β2**t) ** 0.5,  # √v̂ = √v / √(1 − β₂ᵗ)
        }

    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        λ, ε = group["weight_decay"], group["eps"]
        β1, β2 = group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]

        if λ != 0:
            g = g.add(θ, alpha=λ)  # g + λθ
        m.lerp_(g, 1 - β1)  # m = β₁m + (1 − β₁)g
        v.mul_(β2).addcmul_(g, g, value=1 - β2)  # v = β₂v + (1 − β₂)g²
        if group["amsgrad"]:
            v = state["max_exp_avg_sq"].clamp_min_(v)  # the largest v so far
        root = v.sqrt().div_(group["root_scale"]).add_(ε)  # √v̂ + ε
        θ.addcdiv_(m, root, value=-group["step_size"])  # θ = θ − ηm̂ / (√v̂ + ε)

    # --8<-- [end:update]
