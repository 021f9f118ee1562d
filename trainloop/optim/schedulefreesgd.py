"""Schedule-Free SGD: take the gradient near a running average of the iterates, and use that average.

Defazio et al., "The Road Less Scheduled", 2024, https://arxiv.org/abs/2405.15682. The authors' code:
https://github.com/facebookresearch/schedule_free.
"""

from torch import Tensor

from trainloop.optim._base import Group, ParamsT, State
from trainloop.optim._schedulefree import ScheduleFree, average_

__all__ = ["ScheduleFreeSGD"]


class ScheduleFreeSGD(ScheduleFree):
    r"""Schedule-Free SGD. No learning-rate decay, so no need to know in advance when training ends.

    $$
    \begin{aligned}
    \eta_t &= \eta\,\min(1,\ t / \max(1, T_w)) \\
    w_t &= t^r \max(\eta_1, \dots, \eta_t)^p, \qquad c_{t+1} = \frac{w_t}{w_1 + \dots + w_t} \\
    y_t &= (1 - \beta)\,z_t + \beta\,x_t \\
    g_t &= \nabla L(y_t) + \lambda\,y_t \\
    z_{t+1} &= z_t - \eta_t\,g_t \\
    x_{t+1} &= (1 - c_{t+1})\,x_t + c_{t+1}\,z_{t+1}
    \end{aligned}
    $$

    $z$ makes SGD's steps, $x$ is the average of all $z$, and the gradient is taken at $y$, between the two;
    $x_1 = z_1$ are the weights at the start. Only $y$ or $x$ – in the parameters – and $z$ – in the state – are kept.

    The parameters hold $y$ while training and $x$ after `eval()`; call `train()` and `eval()` wherever the model's
    are called. Each undoes the other, up to rounding. Save model and optimizer in one and the same mode: both
    modes resume, and a model meant for use is saved in eval mode. BatchNorm's statistics are gathered at $y$;
    recompute them at $x$, with `trainloop.averaging.update_batchnorm`, before evaluating.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, the step per unit of gradient; a number or a 0-dim tensor. The authors
            advise 10 to 50 times SGD's.
        momentum: $\beta$ in (0, 1), the share of $x$ in $y$: it takes momentum's place.
        weight_decay: $\lambda \ge 0$, the strength of the L2 penalty, taken at $y$.
        warmup_steps: $T_w \ge 0$, the steps over which the learning rate rises linearly to `lr`.
        r: $r$, the power of the step in the weights of the average; above 0, late steps count more.
        weight_lr_power: $p \ge 0$, the power of the largest learning rate so far; counts warmup steps less.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.
        RuntimeError: `step` is called in eval mode.

    Differs from the paper:
        The weights $w$ are those of the authors' code; the paper's basic form has $c_{t+1} = 1 / t$, which is this with
        a constant learning rate and $r = 0$. An optimizer starts in train mode, the authors' in eval mode.

    Examples:
        >>> import torch
        >>> w = torch.tensor([4.0], requires_grad=True)
        >>> optimizer = ScheduleFreeSGD([w], lr=0.25, momentum=0.5)
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     w.square().sum().backward()
        ...     optimizer.step()
        >>> w.item(), optimizer.state[w]["z"].item()  # z: 4, 2, 1
        (1.25, 1.0)
        >>> optimizer.eval()
        >>> w.item()  # (2 + 1) / 2
        1.5
    """

    counters = ()

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
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
        if not 0 < group["momentum"] < 1:
            raise ValueError(f"momentum must be in (0, 1), got {group['momentum']}")

    def beta(self, group: Group) -> float:
        β: float = group["momentum"]
        return β

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        return {"z": θ.clone()}

    # --8<-- [end:state]

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, c, λ = group["η"], group["c"], group["weight_decay"]
        y, z, y_step = θ, state["z"], group["y_step"]

        if λ != 0:
            z.add_(y, alpha=-η * λ)
            y.mul_(1 - y_step * λ)
        z.add_(g, alpha=-η)  # z = z − η(g + λy)
        y.add_(g, alpha=-y_step)  # y = (1 − β)z + βx: the new z …
        average_(y, z, c)  # … and the new x = (1 − c)x + cz

    # --8<-- [end:update]
