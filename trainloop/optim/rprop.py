"""Rprop: every weight has a step size of its own, which grows while its gradient keeps its sign.

Riedmiller and Braun, "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm",
1993, https://doi.org/10.1109/ICNN.1993.298623. Igel and Hüsken, "Empirical Evaluation of the Improved
Rprop Learning Algorithms", 2003, https://doi.org/10.1016/S0925-2312(01)00700-7 (iRprop−, which is this).
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Optimizer, ParamsT, State, check_range, new_step

__all__ = ["Rprop"]


class Rprop(Optimizer):
    r"""Resilient backpropagation, in the variant iRprop−.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) \\
    s_t &=
        \begin{cases}
        \eta_+\,s_{t-1} & \text{if } g_t\,g_{t-1} > 0 \\
        \eta_-\,s_{t-1} & \text{if } g_t\,g_{t-1} < 0 \text{, and then } g_t \leftarrow 0 \\
        s_{t-1} & \text{if } g_t\,g_{t-1} = 0
        \end{cases} \\
    s_t &\leftarrow \min(\max(s_t,\, s_{\min}),\, s_{\max}) \\
    \theta_t &= \theta_{t-1} - s_t\,\operatorname{sign}(g_t)
    \end{aligned}
    $$

    $g_0 = 0$ and $s_0 = \eta$. Where the gradient turns, a minimum was passed: the weight waits one step, with a
    smaller step size. Only signs count, and a mini-batch's noise turns them at random, so Rprop is for gradients of
    the whole training set. A NaN counts as 0.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: $\eta \ge 0$, the step size at the start, in units of the parameters; a number or a 0-dim tensor. It
            is read once for each parameter: a scheduler that changes it later changes nothing.
        etas: $(\eta_-, \eta_+)$, factors of the step size, with $0 < \eta_- < 1 < \eta_+$.
        step_sizes: $(s_{\min}, s_{\max})$, the bounds of the step size, in units of the parameters, with
            $0 \le s_{\min} \le s_{\max}$.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.Rprop(foreach=False)`, tested on the CPU. Options that a group sets
        for itself are checked, too, and so are `step_sizes`. `foreach`, `capturable` and
        `differentiable` are gone.

    Examples:
        >>> import torch
        >>> w = torch.tensor(0.0, requires_grad=True)
        >>> optimizer = Rprop([w], lr=1.0, etas=(0.5, 2.0))
        >>> for slope in (3.0, 0.1, -0.1, -0.1):  # sizes 1, 2; then the sign turns: wait, and go back by 1
        ...     w.grad = torch.tensor(slope)
        ...     optimizer.step()
        ...     print(w.item())
        -1.0
        -3.0
        -3.0
        -2.0
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize}
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr")
        etas, sizes = group["etas"], group["step_sizes"]
        if not (_is_pair(etas) and 0 < etas[0] < 1 < etas[1]):
            raise ValueError(f"etas must be two numbers, in (0, 1) and above 1, got {etas}")
        if not (_is_pair(sizes) and 0 <= sizes[0] <= sizes[1]):
            raise ValueError(f"step_sizes must be two numbers >= 0, the smaller one first, got {sizes}")

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        return {
            "step": new_step(),
            "prev": torch.zeros_like(θ),
            "step_size": torch.full_like(θ, float(group["lr"])),
        }

    # --8<-- [end:state]

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η_minus, η_plus = group["etas"]
        s_min, s_max = group["step_sizes"]
        s, previous = state["step_size"], state["prev"]

        factor = g.mul(previous).sign_()
        turned = factor.lt(0)  # where the sign of g is a new one
        factor.masked_fill_(factor.gt(0), η_plus)
        factor.masked_fill_(turned, η_minus)
        factor.masked_fill_(factor.eq(0), 1)
        s.mul_(factor).clamp_min_(s_min).clamp_max_(s_max)  # s = ηs
        previous.copy_(g).masked_fill_(turned, 0)  # g₋₁ = g, or 0
        θ.addcmul_(previous.sign(), s, value=-1)  # θ = θ − s · sign(g)

    # --8<-- [end:update]


def _is_pair(option: object) -> bool:
    return isinstance(option, (tuple, list)) and len(option) == 2
