"""RMSprop: divide each weight's gradient by the size its gradients have lately had.

Tieleman and Hinton, "Lecture 6.5: RMSProp", 2012,
https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf. Graves, "Generating Sequences
With Recurrent Neural Networks", 2013, https://arxiv.org/abs/1308.0850 (centered).
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Optimizer, ParamsT, State, check_range, new_step

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    r"""RMSprop, plain or centered, with or without momentum.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1} \\
    v_t &= \alpha\,v_{t-1} + (1 - \alpha)\,g_t^2 \\
    \theta_t &= \theta_{t-1} - \eta\,\frac{g_t}{\sqrt{v_t} + \varepsilon}
    \end{aligned}
    $$

    Centered, $v_t - m_t^2$ stands under the root, where $m_t = \alpha\,m_{t-1} + (1 - \alpha)\,g_t$. With
    momentum, the step is $-\eta\,b_t$, where $b_t = \mu\,b_{t-1} + g_t / (\sqrt{v_t} + \varepsilon)$.
    $v$, $m$ and $b$ start at 0.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, in units of the parameters; a number or a 0-dim tensor. About the
            length of a step once $v$ has settled; the first is $1/\sqrt{1-\alpha}$ times as long.
        alpha: $\alpha$ in [0, 1), the memory of the averages: about $1/(1-\alpha)$ steps.
        eps: $\varepsilon \ge 0$, in units of the gradient; keeps steps finite where $v$ is near 0.
        weight_decay: $\lambda \ge 0$, the strength of the L2 penalty $\tfrac{\lambda}{2}\|\theta\|^2$.
        momentum: $\mu \ge 0$, the share of $b$ that each step keeps; 0 switches momentum off.
        centered: divide by the gradient's running standard deviation.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.RMSprop(foreach=False)`, tested on the CPU. Options that a group
        sets for itself are checked, too, and `alpha >= 1` is refused. `maximize` is keyword-only;
        `foreach`, `capturable` and `differentiable` are gone.

    Examples:
        >>> import torch
        >>> w = torch.tensor([4.0, 400.0], requires_grad=True)
        >>> optimizer = RMSprop([w], lr=0.5, alpha=0.75, eps=0.0)
        >>> w.square().sum().backward()  # the gradients are 8 and 800
        >>> optimizer.step()
        >>> w.tolist()  # both weights move by 0.5 / √(1 − 0.75) = 1
        [3.0, 399.0]
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "eps", "weight_decay", "momentum")
        check_range(group, "alpha", below=1)

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        state = {"step": new_step(), "square_avg": torch.zeros_like(θ)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = torch.zeros_like(θ)
        if group["centered"]:
            state["grad_avg"] = torch.zeros_like(θ)
        return state

    # --8<-- [end:state]

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, α, ε = group["lr"], group["alpha"], group["eps"]
        λ, μ = group["weight_decay"], group["momentum"]
        v = state["square_avg"]

        if λ != 0:
            g = g.add(θ, alpha=λ)  # g + λθ
        v.mul_(α).addcmul_(g, g, value=1 - α)  # v = αv + (1 − α)g²
        if group["centered"]:
            m = state["grad_avg"].lerp_(g, 1 - α)  # m = αm + (1 − α)g
            root = v.addcmul(m, m, value=-1).sqrt_().add_(ε)  # √(v − m²) + ε
        else:
            root = v.sqrt().add_(ε)  # √v + ε
        if μ > 0:
            b = state["momentum_buffer"].mul_(μ).addcdiv_(g, root)  # b = μb + g / root
            θ.add_(b, alpha=-η)  # θ = θ − ηb
        else:
            θ.addcdiv_(g, root, value=-η)  # θ = θ − ηg / root

    # --8<-- [end:update]
