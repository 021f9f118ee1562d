"""SparseAdam: Adam for tables of which a step uses only some rows, such as embeddings.

Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, https://arxiv.org/abs/1412.6980. The variant
is torch's: https://docs.pytorch.org/docs/stable/generated/torch.optim.SparseAdam.html.
"""

import math
from typing import Any

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, ParamsT, State, check_range, new_step

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    r"""Adam on the rows that the gradient holds; all other rows stay as they are.

    For each row $i$ in the sparse gradient:

    $$
    \begin{aligned}
    g_{t,i} &= \nabla_i L(\theta_{t-1}) \\
    m_{t,i} &= m_{t-1,i} + (1 - \beta_1)\,(g_{t,i} - m_{t-1,i}) \\
    v_{t,i} &= v_{t-1,i} + (1 - \beta_2)\,(g_{t,i}^2 - v_{t-1,i}) \\
    \theta_{t,i} &= \theta_{t-1,i} - \eta\,\frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}
        \cdot \frac{m_{t,i}}{\sqrt{v_{t,i}} + \varepsilon}
    \end{aligned}
    $$

    Adam would go on moving a row by its $m$ after the last gradient, and let $m$ and $v$ fade; here an absent row
    keeps all three. $t$ counts the steps of the whole table. So a row that appears late gets no correction: its
    first step is $\eta\,(1-\beta_1)/\sqrt{1-\beta_2}$ long, by default $3.2\,\eta$.

    Args:
        params: parameters, named parameters or parameter groups, all with sparse gradients.
        lr: learning rate $\eta > 0$, in units of the parameters; a number or a 0-dim tensor.
        betas: $(\beta_1, \beta_2)$ in [0, 1), the memories of $m$ and $v$, in steps that use the row.
        eps: $\varepsilon > 0$, in units of the gradient; keeps steps finite where $v$ is near 0.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range, or a parameter itself is sparse.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.SparseAdam`, tested on the CPU. A dense gradient is refused before anything
        of its group has moved. The step is counted in a tensor, as in the other optimizers; `state_dict` holds the
        whole number that torch's class keeps.
        It cannot be compiled: `torch.compile` does not trace sparse gradients.

    Examples:
        >>> import torch
        >>> table = torch.nn.Embedding(3, 1, sparse=True)
        >>> _ = torch.nn.init.ones_(table.weight)
        >>> optimizer = SparseAdam(table.parameters(), lr=0.5, betas=(0.5, 0.75))
        >>> table(torch.tensor([2, 2])).sum().backward()  # row 2 twice
        >>> optimizer.step()
        >>> table.weight.flatten().tolist()  # only row 2 has moved, by lr
        [1.0, 1.0, 0.5]
    """

    supports_sparse = True
    takes_lists = False
    compilable = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def check(self, group: Group) -> None:
        check_range(group, "lr", "eps")
        check_range(group, "betas", below=1, count=2)
        for option in ("lr", "eps"):
            if group[option] == 0:
                raise ValueError(f"{option} must be > 0, got {group[option]}")

    def check_param(self, p: Tensor) -> None:
        super().check_param(p)
        if p.is_sparse:
            raise ValueError(
                f"params must be dense, got a sparse one of shape {tuple(p.shape)}: only gradients are sparse"
            )

    def begin(self, group: Group) -> None:
        for p in group["params"]:
            if p.grad is not None and not p.grad.is_sparse:
                raise RuntimeError(
                    f"SparseAdam needs sparse gradients, got a dense one for a parameter of shape {tuple(p.shape)}: "
                    "give that parameter to Adam, or make its layer with sparse=True"
                )

    def state_dict(self) -> dict[str, Any]:
        """Return state and options as torch's class does: with the step as a whole number."""
        saved = super().state_dict()
        saved["state"] = {
            i: {**state, "step": int(state["step"])} if state else state for i, state in saved["state"].items()
        }
        return saved

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        return {
            "step": new_step(),
            "exp_avg": torch.zeros_like(θ),
            "exp_avg_sq": torch.zeros_like(θ),
        }

    # --8<-- [end:state]

    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        t, (β1, β2) = counters["step"], group["betas"]
        return {"step_size": group["lr"] * math.sqrt(1 - β2**t) / (1 - β1**t)}

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        (β1, β2), ε = group["betas"], group["eps"]
        g = g.coalesce()  # adds up what belongs to the same row
        rows, g = tuple(g.indices()), g.values()

        m = _take(state["exp_avg"], rows)
        v = _take(state["exp_avg_sq"], rows)
        m = g.sub(m).mul_(1 - β1).add_(m)  # m + (1 − β₁)(g − m)
        v = (g * g).sub_(v).mul_(1 - β2).add_(v)  # v + (1 − β₂)(g² − v)
        state["exp_avg"][rows] = m
        state["exp_avg_sq"][rows] = v

        root = v.sqrt_().add_(ε)  # √v + ε
        step = -group["step_size"] * m.div_(root)
        θ[rows] = _take(θ, rows).add_(step)

    # --8<-- [end:update]


def _take(x: Tensor, rows: tuple[Tensor, ...]) -> Tensor:
    """Return x[rows]. For the rows of a table, `index_select` does the same in a quarter of the time."""
    return x.index_select(0, rows[0]) if len(rows) == 1 else x[rows]
