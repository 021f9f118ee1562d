"""AdamW: Adam, with a weight decay that stays out of the averages.

Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, https://arxiv.org/abs/1711.05101.
Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, https://arxiv.org/abs/1412.6980.

Written out in full, not on top of `adam.py`: the whole rule can be read here.
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, ParamsT, State, check_range, new_step

__all__ = ["AdamW"]


class AdamW(Optimizer):
    r"""Adam and AMSGrad, with decoupled weight decay.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) \\
    m_t &= \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t \\
    v_t &= \beta_2\,v_{t-1} + (1 - \beta_2)\,g_t^2 \\
    \hat m_t &= \frac{m_t}{1 - \beta_1^t}, \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t} \\
    \theta_t &= (1 - \eta\lambda)\,\theta_{t-1} - \eta\,\frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}
    \end{aligned}
    $$

    The decay takes the same share, $\eta\lambda$, from every weight. In Adam it is a part of the gradient,
    and is divided by $\sqrt{\hat v_t}$ with it: weights with large gradients then decay least. $m$ and $v$
    start at 0. AMSGrad computes $\hat v_t$ from $\max(v_1, \dots, v_t)$.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, in units of the parameters; a number or a 0-dim tensor. The length
            of the first step, decay aside.
        betas: $(\beta_1, \beta_2)$ in [0, 1), the memories of $m$ and $v$: about $1/(1-\beta)$ steps.
        eps: $\varepsilon \ge 0$, in units of the gradient; keeps steps finite where $v$ is near 0.
        weight_decay: $\lambda \ge 0$. In $1/(\eta\lambda)$ steps without a gradient, a weight falls to
            about 1/e.
        amsgrad: divide by the largest $v$ so far.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$. The decay remains.

    Raises:
        ValueError: an option is out of range, or a group or a loaded `state_dict` is Adam's.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.AdamW(foreach=False)`, tested on the CPU. Options that a group sets
        for itself are checked, too, and Adam's state is refused. `betas` are numbers, not tensors;
        `foreach`, `fused`, `capturable` and `differentiable` are gone. Both differ from the paper, which
        multiplies $\lambda$ by the schedule's factor alone, not by the base learning rate.

    Examples:
        >>> import torch
        >>> w = torch.tensor([4.0, 400.0], requires_grad=True)
        >>> optimizer = AdamW([w], lr=0.5, weight_decay=0.5)
        >>> w.grad = torch.zeros(2)
        >>> optimizer.step()
        >>> w.tolist()  # without a gradient, a quarter of each weight goes
        [3.0, 300.0]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
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
            "decoupled_weight_decay": True,  # in a state_dict, this tells torch's AdamW from its Adam
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "eps", "weight_decay")
        check_range(group, "betas", below=1, count=2)
        if not group["decoupled_weight_decay"]:
            raise ValueError("decoupled_weight_decay must be True, got False: Adam has the other decay")

    def __setstate__(self, state: State) -> None:
        # torch < 2.7 did not write the entry: what lacks it is taken for AdamW's.
        if not all(group.get("decoupled_weight_decay", True) for group in state["param_groups"]):
            raise ValueError("decoupled_weight_decay must be True, got False: this state is Adam's")
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
        η, λ, ε = group["lr"], group["weight_decay"], group["eps"]
        β1, β2 = group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]

        m.lerp_(g, 1 - β1)  # m = β₁m + (1 − β₁)g
        v.mul_(β2).addcmul_(g, g, value=1 - β2)  # v = β₂v + (1 − β₂)g²
        if group["amsgrad"]:
            v = state["max_exp_avg_sq"].clamp_min_(v)  # the largest v so far
        root = v.sqrt().div_(group["root_scale"]).add_(ε)  # √v̂ + ε
        if λ != 0:
            θ.mul_(1 - η * λ)  # θ = (1 − ηλ)θ
        θ.addcdiv_(m, root, value=-group["step_size"])  # θ = θ − ηm̂ / (√v̂ + ε)

    # --8<-- [end:update]
