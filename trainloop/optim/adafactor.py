"""Adafactor: Adam's second moment in the memory of one row and one column per matrix.

Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018,
https://arxiv.org/abs/1804.04235.
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, ParamsT, State, check_range, new_step
from trainloop.optim._lists import at_least, rms

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    r"""Adafactor without momentum, with steps relative to the size of the parameter.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}), \qquad \hat\beta_t = 1 - t^{\tau} \\
    \alpha_t &= \max(\varepsilon_2, \operatorname{RMS}(\theta_{t-1})) \cdot \min(\eta, 1/\sqrt{t}) \\
    R_t &= \hat\beta_t\,R_{t-1} + (1 - \hat\beta_t)\,\operatorname{mean}_{\text{columns}}(g_t^2) \\
    C_t &= \hat\beta_t\,C_{t-1} + (1 - \hat\beta_t)\,\operatorname{mean}_{\text{rows}}(g_t^2) \\
    V_t &= \frac{R_t\,C_t}{\max(\operatorname{mean}(R_t), \varepsilon_1)} \\
    u_t &= \frac{g_t}{\max(\sqrt{V_t}, \varepsilon_1)} \\
    \theta_t &= (1 - \eta\lambda)\,\theta_{t-1} - \alpha_t\,\frac{u_t}{\max(1, \operatorname{RMS}(u_t) / d)}
    \end{aligned}
    $$

    $R$ has a number for each row and $C$ one for each column, and both start at 0. $V$ is their product,
    scaled such that its row means are $R$; it is exact if every row of $g^2$ is a multiple of the same one. A
    parameter with fewer than 2 dimensions keeps $V$ itself: $V_t = \hat\beta_t V_{t-1} + (1 - \hat\beta_t) g_t^2$. With
    more than 2, the last two are the matrix. $\operatorname{RMS}(x)$ is $\sqrt{\operatorname{mean}(x^2)}$.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, the largest step relative to the parameter's RMS: 0.01 moves it by
            1 %. A number or a 0-dim tensor.
        beta2_decay: $\tau \le 0$; how fast the memory of $V$ grows with $t$. 0 keeps only the last gradient.
        eps: $(\varepsilon_1, \varepsilon_2)$, both >= 0. $\varepsilon_1$ keeps divisions finite; it is in units of
            the gradient, but of its square where it bounds the mean of $R$. None takes the machine epsilon of
            the parameter's type. $\varepsilon_2$, in units of the parameter, lets parameters that are 0 move.
        d: $d \ge 1$, the largest RMS that $u$ may have before it is scaled down.
        weight_decay: $\lambda \ge 0$, decoupled: each step takes the share $\eta\lambda$ from the weights.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.Adafactor(foreach=False)`, tested on the CPU. Options that a group sets for
        itself are checked, too. An empty parameter is left alone; torch divides by zero. In a group of several
        types, each parameter has its own type's $\varepsilon_1$; in torch, all have the first one's. `foreach` is gone.

    Differs from the paper:
        As in torch: $\varepsilon_1$ bounds the results, where the paper adds it to $g^2$; `lr` takes the place of
        a fixed 0.01; the weight decay is new.

    It cannot be compiled: each step reads two norms per parameter, and averages with a weight of its own, which
    `torch.compile` wants fixed.

    Examples:
        >>> import torch
        >>> w = torch.tensor([[4.0, 4.0], [4.0, 4.0]], requires_grad=True)
        >>> optimizer = Adafactor([w], lr=0.125)
        >>> w.square().sum().backward()
        >>> optimizer.step()
        >>> w.tolist()  # 4 − 0.125 · 4, whatever the gradient's size
        [[3.5, 3.5], [3.5, 3.5]]
        >>> [tuple(optimizer.state[w][factor].shape) for factor in ("row_var", "col_var")]
        [(2, 1), (1, 2)]
    """

    compilable = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "weight_decay")
        if not group["beta2_decay"] <= 0:
            raise ValueError(f"beta2_decay must be <= 0, got {group['beta2_decay']}")
        ε1, ε2 = group["eps"]
        if not ((ε1 is None or ε1 >= 0) and ε2 >= 0):
            raise ValueError(f"eps must be >= 0, got {group['eps']}")
        if not group["d"] >= 1:
            raise ValueError(f"d must be >= 1, got {group['d']}")

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        if θ.dim() < 2:
            return {"step": new_step(), "variance": torch.zeros_like(θ)}
        rows, columns = θ.shape[-2:]
        return {
            "step": new_step(),
            "row_var": θ.new_zeros(*θ.shape[:-2], rows, 1),
            "col_var": θ.new_zeros(*θ.shape[:-2], 1, columns),
        }

    # --8<-- [end:state]

    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        t = counters["step"]
        return {
            "new_share": t ** group["beta2_decay"],  # 1 − β̂
            "relative_step": min(group["lr"], 1 / t**0.5),
        }

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, λ, (ε1, ε2) = group["lr"], group["weight_decay"], group["eps"]
        if ε1 is None:
            ε1 = torch.finfo(θ.dtype).eps
        share = group["new_share"]

        α = at_least(ε2, rms(θ)) * group["relative_step"]
        if λ != 0:
            θ.mul_(1 - η * λ)  # θ = (1 − ηλ)θ
        if "variance" in state:
            V = state["variance"].lerp_(g.mul(g), share).clamp_min(ε1 * ε1)
        else:
            R, C = state["row_var"], state["col_var"]
            R.lerp_(_mean_square(g, dim=-1), share)
            C.lerp_(_mean_square(g, dim=-2), share)
            mean = R.mean(dim=-2, keepdim=True).clamp_min_(ε1)
            V = R.matmul(C).div_(mean).clamp_min_(ε1 * ε1)
        u = V.rsqrt_().mul_(g)  # g / max(√V, ε₁)
        θ.add_(u, alpha=-α / at_least(1.0, rms(u, group["d"])))

    # --8<-- [end:update]


def _mean_square(g: Tensor, dim: int) -> Tensor:
    """The mean of g² along a dimension, without a tensor for g²."""
    norm: Tensor = torch.linalg.vector_norm(g, dim=dim, keepdim=True)
    return norm.mul_(norm).div_(at_least(1, g.size(dim)))
