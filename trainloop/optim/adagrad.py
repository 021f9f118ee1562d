"""Adagrad: divide each weight's gradient by the root of the sum of all its squared gradients so far.

Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
2011, https://jmlr.org/papers/v12/duchi11a.html.
"""

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, ParamsT, State, check_range, new_step

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    r"""Adagrad, for dense and sparse gradients.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) + \lambda\,\theta_{t-1} \\
    G_t &= G_{t-1} + g_t^2 \\
    \eta_t &= \frac{\eta}{1 + (t - 1)\,\kappa} \\
    \theta_t &= \theta_{t-1} - \eta_t\,\frac{g_t}{\sqrt{G_t} + \varepsilon}
    \end{aligned}
    $$

    $G$ only grows, so the steps shrink: under a steady gradient, as $1/\sqrt{t}$. A weight whose gradient is
    mostly 0 keeps its long steps. With a sparse gradient, only the rows in it are touched.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, in units of the parameters; a number or a 0-dim tensor. The length
            of the first step.
        lr_decay: $\kappa \ge 0$, how fast the learning rate falls besides: to a half in $1/\kappa$ steps.
        weight_decay: $\lambda \ge 0$, the strength of the L2 penalty $\tfrac{\lambda}{2}\|\theta\|^2$. Must
            be 0 for sparse gradients.
        initial_accumulator_value: $G_0 \ge 0$, in squared units of the gradient; shortens the first steps.
        eps: $\varepsilon \ge 0$, in units of the gradient, outside the root; keeps steps finite where $G$
            is near 0.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.
        RuntimeError: at a step, a gradient is sparse and `weight_decay` is not 0.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.Adagrad(foreach=False)`, tested on the CPU. Options that a group sets
        for itself are checked, too, and its own `initial_accumulator_value` counts; torch's takes the
        constructor's for every group. `foreach`, `fused`, `differentiable` and the method `share_memory`
        are gone.

    Examples:
        >>> import torch
        >>> w = torch.tensor(10.0, requires_grad=True)
        >>> optimizer = Adagrad([w], lr=5.0)
        >>> for slope in (3.0, 4.0):
        ...     w.grad = torch.tensor(slope)
        ...     optimizer.step()
        ...     print(w.item())  # 10 − 5 · 3 / √3², then 5 − 5 · 4 / √(3² + 4²)
        5.0
        1.0
    """

    supports_sparse = True

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p] = self.init_state(p, group)  # already in the first state_dict, as torch's

    def check(self, group: Group) -> None:
        check_range(group, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        G0 = group["initial_accumulator_value"]
        return {"step": new_step(), "sum": torch.full_like(θ, G0)}

    # --8<-- [end:state]

    # --8<-- [start:update]
    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        t = counters["step"]
        return {"rate": group["lr"] / (1 + (t - 1) * group["lr_decay"])}  # ηₜ

    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, λ, ε = group["rate"], group["weight_decay"], group["eps"]
        G = state["sum"]

        if g.is_sparse:
            self._update_rows(θ, g, G, group)
            return
        if λ != 0:
            g = g.add(θ, alpha=λ)  # g + λθ
        G.addcmul_(g, g)  # G = G + g²
        root = G.sqrt().add_(ε)  # √G + ε
        θ.addcdiv_(g, root, value=-η)  # θ = θ − ηg / (√G + ε)

    # --8<-- [end:update]

    # --8<-- [start:rows]
    def _update_rows(self, θ: Tensor, g: Tensor, G: Tensor, group: Group) -> None:
        λ, ε, η = group["weight_decay"], group["eps"], group["rate"]
        if λ != 0:
            needed = "weight_decay must be 0 for sparse gradients"
            raise RuntimeError(f"{needed}, got {λ}")
        g = g.coalesce()  # a row that stands there twice: g² needs the sum
        rows, values = g.indices(), g.values()
        G.add_(_sparse(rows, values.square(), g))
        root = G.sparse_mask(g).values().sqrt_().add_(ε)
        θ.add_(_sparse(rows, values.div(root), g), alpha=-η)

    # --8<-- [end:rows]


def _sparse(rows: Tensor, values: Tensor, like: Tensor) -> Tensor:
    # No check of the rows: they come from a tensor that is valid.
    return torch.sparse_coo_tensor(rows, values, like.shape, is_coalesced=True, check_invariants=False)
