"""Schedule-Free AdamW: Schedule-Free SGD, with each weight's step divided by the size of its gradients.

Defazio et al., "The Road Less Scheduled", 2024, https://arxiv.org/abs/2405.15682. The authors' code:
https://github.com/facebookresearch/schedule_free.
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, ParamsT, State, check_range, new_step
from trainloop.optim._schedulefree import ScheduleFree, average_

__all__ = ["ScheduleFreeAdamW"]


class ScheduleFreeAdamW(ScheduleFree):
    r"""Schedule-Free AdamW. No learning-rate decay, so no need to know in advance when training ends.

    $$
    \begin{aligned}
    \eta_t &= \eta\,\min(1,\ t / \max(1, T_w)) \\
    w_t &= t^r \max(\eta_1, \dots, \eta_t)^p, \qquad c_{t+1} = \frac{w_t}{w_1 + \dots + w_t} \\
    y_t &= (1 - \beta_1)\,z_t + \beta_1\,x_t \\
    g_t &= \nabla L(y_t) \\
    v_t &= \beta_2\,v_{t-1} + (1 - \beta_2)\,g_t^2, \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t} \\
    u_t &= \frac{g_t}{\sqrt{\hat v_t} + \varepsilon} + \lambda\,y_t \\
    z_{t+1} &= z_t - \eta_t\,u_t \\
    x_{t+1} &= (1 - c_{t+1})\,x_t + c_{t+1}\,z_{t+1}
    \end{aligned}
    $$

    $z$ makes AdamW's steps without momentum, $x$ is the average of all $z$, and the gradient is taken at $y$,
    between the two; $x_1 = z_1$ are the weights at the start, and $v$ starts at 0. Only $y$ or $x$ – in the
    parameters – and $z$ and $v$ – in the state – are kept.

    The parameters hold $y$ while training and $x$ after `eval()`; call `train()` and `eval()` wherever the model's
    are called. Each undoes the other, up to rounding. Save model and optimizer in one and the same mode: both
    modes resume, and a model meant for use is saved in eval mode. BatchNorm's statistics are gathered at $y$;
    recompute them at $x$, with `trainloop.averaging.update_batchnorm`, before evaluating.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, in units of the parameters; a number or a 0-dim tensor. The authors
            advise 1 to 10 times AdamW's.
        betas: $\beta_1$ in (0, 1), the share of $x$ in $y$, which takes momentum's place, and $\beta_2$ in [0, 1), the
            memory of $v$: about $1/(1-\beta_2)$ steps.
        eps: $\varepsilon \ge 0$, in units of the gradient; keeps steps finite where $v$ is near 0.
        weight_decay: $\lambda \ge 0$, decoupled and taken at $y$: each step takes $\eta_t\,\lambda\,y$ from $z$.
        warmup_steps: $T_w \ge 0$, the steps over which the learning rate rises linearly to `lr`.
        r: $r$, the power of the step in the weights of the average; above 0, late steps count more.
        weight_lr_power: $p \ge 0$, the power of the largest learning rate so far; counts warmup steps less.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.
        RuntimeError: `step` is called in eval mode.

    Differs from the paper:
        The paper's Algorithm 1 multiplies the learning rate by $\sqrt{1 - \beta_2^t}$ in place of correcting $v$; this
        follows the authors' code (1.4), weights $w$ included. There, the correction counts the group's steps;
        here, those in which the parameter had a gradient, so a layer that is unfrozen late starts with a
        step of ordinary length. An optimizer starts in train mode, the authors' in eval mode.

    Examples:
        >>> import torch
        >>> w = torch.tensor([4.0, 400.0], requires_grad=True)
        >>> optimizer = ScheduleFreeAdamW([w], lr=0.5)
        >>> w.square().sum().backward()
        >>> optimizer.step()
        >>> w.tolist()  # Adam's first step; x, y and z are the same after it
        [3.5, 399.5]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2.5e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "warmup_steps": warmup_steps,
            "r": r,
            "weight_lr_power": weight_lr_power,
            "maximize": maximize,
            **self.START,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        super().check(group)
        check_range(group, "eps")
        check_range(group, "betas", below=1, count=2)
        if group["betas"][0] == 0:
            raise ValueError(f"betas must begin above 0, got {group['betas']}")

    def beta(self, group: Group) -> float:
        β1: float = group["betas"][0]
        return β1

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        return {
            "step": new_step(),
            "z": θ.clone(),
            "exp_avg_sq": torch.zeros_like(θ),
        }

    # --8<-- [end:state]

    # --8<-- [start:update]
    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        β2, t = group["betas"][1], counters["step"]
        numbers = super().at_step(counters, group)
        numbers["root_scale"] = (1 - β2**t) ** 0.5  # √(1 − β₂ᵗ)
        return numbers

    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, c, λ = group["η"], group["c"], group["weight_decay"]
        β2, ε = group["betas"][1], group["eps"]
        y, z, v = θ, state["z"], state["exp_avg_sq"]

        v.mul_(β2).addcmul_(g, g, value=1 - β2)  # v = β₂v + (1 − β₂)g²
        root = v.sqrt().div_(group["root_scale"]).add_(ε)  # √v̂ + ε
        u = root.reciprocal_().mul_(g)  # g / (√v̂ + ε)
        if λ != 0:
            u.add_(y, alpha=λ)  # u + λy
        z.add_(u, alpha=-η)  # z = z − ηu
        y.add_(u, alpha=-group["y_step"])  # y = (1 − β₁)z + β₁x: the new z …
        average_(y, z, c)  # … and the new x = (1 − c)x + cz

    # --8<-- [end:update]
