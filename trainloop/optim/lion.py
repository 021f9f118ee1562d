"""Lion: step by the sign of a blend of momentum and gradient, so that every weight moves equally far.

Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, https://arxiv.org/abs/2302.06675: a
search over programs found the rule. The authors' code: https://github.com/google/automl/tree/master/lion.
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Optimizer, ParamsT, State, check_range

__all__ = ["Lion"]


class Lion(Optimizer):
    r"""Lion, "evolved sign momentum".

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) \\
    u_t &= \operatorname{sign}\bigl(\beta_1\,m_{t-1} + (1 - \beta_1)\,g_t\bigr) \\
    \theta_t &= (1 - \eta\,\lambda)\,\theta_{t-1} - \eta\,u_t \\
    m_t &= \beta_2\,m_{t-1} + (1 - \beta_2)\,g_t
    \end{aligned}
    $$

    $m$ starts at 0. It is updated last and with a $\beta$ of its own: the step sees the newest gradient with
    weight $1 - \beta_1$, the memory takes it in with weight $1 - \beta_2$. The decay is decoupled, as in
    AdamW: added to the gradient, it would only change signs.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, in units of the parameters; a number or a 0-dim tensor. The length of
            every step, so the authors take 3 to 10 times less than for AdamW.
        betas: $(\beta_1, \beta_2)$ in [0, 1): the share of $m$ in the step, and the memory of $m$.
        weight_decay: $\lambda \ge 0$; each step takes the share $\eta\,\lambda$ from every weight. With the
            smaller $\eta$, 3 to 10 times AdamW's $\lambda$ decays as much.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.

    Differs from the paper:
        In nothing. The defaults are those of the authors' code. A weight whose blend is exactly 0 does not
        move; nor does, from then on, a weight that has once had a NaN for a gradient, for torch's sign of NaN
        is 0. Look out for NaN in the gradients: the weights will not show it.

    Examples:
        >>> import torch
        >>> w = torch.tensor([4.0, 400.0], requires_grad=True)
        >>> optimizer = Lion([w], lr=0.5, weight_decay=0.25)
        >>> w.square().sum().backward()
        >>> optimizer.step()
        >>> w.tolist()  # w · (1 − 0.5 · 0.25) − 0.5
        [3.0, 349.5]
    """

    counters = ()

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "weight_decay")
        check_range(group, "betas", below=1, count=2)

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        return {"exp_avg": torch.zeros_like(θ)}

    # --8<-- [end:state]

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, λ = group["lr"], group["weight_decay"]
        β1, β2 = group["betas"]
        m = state["exp_avg"]

        u = m.lerp(g, 1 - β1).sign_()  # sign(β₁m + (1 − β₁)g)
        if λ != 0:
            θ.mul_(1 - η * λ)  # θ = (1 − ηλ)θ
        θ.add_(u, alpha=-η)  # θ = θ − ηu
        m.lerp_(g, 1 - β2)  # m = β₂m + (1 − β₂)g

    # --8<-- [end:update]
