"""LAMB: Adam's direction, with a step length per layer that is proportional to the layer's weights.

You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", 2020,
https://arxiv.org/abs/1904.00962. Nado et al., "A Large Batch Optimizer Reality Check", 2021,
https://arxiv.org/abs/2102.06356, reach the same results with tuned Nesterov momentum and Adam: whether LAMB
gains anything, at large batches as at small ones, is disputed.
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, ParamsT, State, check_range, new_step
from trainloop.optim._trust import trust_ratio

__all__ = ["LAMB"]


class LAMB(Optimizer):
    r"""LAMB, "layer-wise adaptive moments".

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) \\
    m_t &= \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t \\
    v_t &= \beta_2\,v_{t-1} + (1 - \beta_2)\,g_t^2 \\
    \hat m_t &= \frac{m_t}{1 - \beta_1^t}, \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t} \\
    u_t &= \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon} + \lambda\,\theta_{t-1} \\
    r_t &= \begin{cases}
        \|\theta_{t-1}\| / \|u_t\| & \text{if both norms are above 0} \\
        1 & \text{otherwise}
        \end{cases} \\
    \theta_t &= \theta_{t-1} - \eta\,r_t\,u_t
    \end{aligned}
    $$

    $m$ and $v$ start at 0. The norms are taken over one parameter tensor, which the paper calls a layer: in one
    step its length $\|\theta\|$ changes by at most the share $\eta$. The decay joins $u$ before its norm is taken.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$; a number or a 0-dim tensor. The share of its own length by which each
            tensor moves; without units.
        betas: $(\beta_1, \beta_2)$ in [0, 1), the memories of $m$ and $v$: about $1/(1-\beta)$ steps.
        eps: $\varepsilon \ge 0$, in units of the gradient; keeps steps finite where $v$ is near 0.
        weight_decay: $\lambda \ge 0$: how much the weights themselves count in the direction $u$.
        adapt: use the ratio $r$. A group with `adapt=False` has $r = 1$, and makes AdamW's steps: meant, with
            `weight_decay=0`, for biases and normalisation layers, which the authors leave out, too.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.

    Differs from the paper:
        This is the last version's Algorithm 2, with bias correction and with $\phi(x) = x$: neither
        $\|\theta\|$ nor $r$ is clamped (the first version clamped $\|\theta\|$ to at most 10). The edge case $r = 1$
        is the authors' code's. NVIDIA's variant also clips the norm of all gradients; call
        `trainloop.clip.clip_grad_norm_` for that.

    Examples:
        >>> import torch
        >>> w = torch.tensor([3.0, 4.0], requires_grad=True)
        >>> optimizer = LAMB([w], lr=0.1, eps=0.0, weight_decay=0.0)
        >>> w.sum().backward()
        >>> optimizer.step()  # w is 5 long: a step of 0.1 · 5 along (1, 1) / √2
        >>> [round(x, 4) for x in w.tolist()]
        [2.6464, 3.6464]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 1e-2,
        adapt: bool = True,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "adapt": adapt,
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

    # --8<-- [start:update]
    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        t, (β1, β2) = counters["step"], group["betas"]
        c1, root2 = 1 - β1**t, (1 - β2**t) ** 0.5
        # m̂ / (√v̂ + ε) = k · m / (√v + ε√c₂), with k = √c₂ / c₁:
        # one pass less over the weights
        return {"k": root2 / c1, "offset": group["eps"] * root2}

    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, λ, k = group["lr"], group["weight_decay"], group["k"]
        β1, β2 = group["betas"]
        m, v = state["exp_avg"], state["exp_avg_sq"]

        m.lerp_(g, 1 - β1)  # m = β₁m + (1 − β₁)g
        v.mul_(β2).addcmul_(g, g, value=1 - β2)  # v = β₂v + (1 − β₂)g²
        root = v.sqrt().add_(group["offset"])
        u = torch.div(m, root, out=root)  # u / k, with u = m̂ / (√v̂ + ε)
        if λ != 0:
            u.add_(θ, alpha=λ / k)  # (u + λθ) / k
        u.mul_(trust_ratio(θ, u, otherwise=k) if group["adapt"] else k)  # ru
        θ.add_(u, alpha=-η)  # θ = θ − ηru

    # --8<-- [end:update]
