"""SOAP: Adam in the coordinates in which a weight matrix's gradients are least correlated.

Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", 2025, https://arxiv.org/abs/2409.11321. The
authors' implementation: https://github.com/nikhilvyas/SOAP.
"""

from typing import Any

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, ParamsT, State, check_range, new_step

__all__ = ["SOAP"]


class SOAP(Optimizer):
    r"""SOAP: Adam in Shampoo's eigenbasis.

    For a matrix $\theta$, after $k = t - 1$ steps:

    $$
    \begin{aligned}
    G_t &= \nabla L(\theta_{t-1}), \qquad G_t' = Q_L^\top\,G_t\,Q_R \\
    M_t &= \beta_1\,M_{t-1} + (1 - \beta_1)\,G_t' \\
    V_t &= \beta_2\,V_{t-1} + (1 - \beta_2)\,G_t'^2 \\
    N_t &= Q_L\,\frac{M_t}{\sqrt{V_t} + \varepsilon}\,Q_R^\top \\
    \theta_t &= (1 - \eta\lambda)
        \left(\theta_{t-1} - \eta\,\frac{\sqrt{1 - \beta_2^k}}{1 - \beta_1^k}\,N_t\right) \\
    L_t &= \beta_s\,L_{t-1} + (1 - \beta_s)\,G_t\,G_t^\top \\
    R_t &= \beta_s\,R_{t-1} + (1 - \beta_s)\,G_t^\top\,G_t
    \end{aligned}
    $$

    The columns of $Q_L$ and $Q_R$ are the eigenvectors of $L$ and $R$, those of large eigenvalues first. They
    come from the first gradient, and are refreshed every `precondition_frequency` steps: one power iteration,
    $Q \leftarrow \operatorname{QR}(L\,Q)$, after sorting the columns by $\operatorname{diag}(Q^\top L\,Q)$.
    $M$ is then carried over into the new basis, $V$ only sorted along. $M$, $V$, $L$ and $R$ start at 0.

    The first step, $k = 0$, moves nothing: it only finds the $Q$.

    A parameter with more dimensions has one such $Q$ for each of them. A vector is treated as Adam would.
    It compiles; a step with a refresh is then a program of its own.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, in units of the parameters; a number or a 0-dim tensor.
        betas: $(\beta_1, \beta_2)$ in [0, 1), the memories of $M$ and $V$: about $1/(1-\beta)$ steps.
        shampoo_beta: $\beta_s$ in [0, 1), the memory of $L$ and $R$; None takes $\beta_2$.
        eps: $\varepsilon \ge 0$, in units of the gradient; keeps steps finite where $V$ is near 0.
        weight_decay: $\lambda \ge 0$, decoupled: each step takes the share $\eta\lambda$ from the weights.
        precondition_frequency: steps from one refresh of the $Q$ to the next, >= 1.
        max_precond_dim: dimensions longer than this have no $Q$: it would be a square matrix of that length.
        merge_dims: join neighbouring dimensions as long as the product is at most `max_precond_dim`, such as
            the height and width of a convolution.
        precondition_1d: give vectors a $Q$, too.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.
        torch.linalg.LinAlgError: a parameter's first gradient is not finite, in `step`.

    Differs from the paper:
        As in the authors' implementation: the first step is skipped, so that no gradient is ever seen in a
        basis that it has made; averages are corrected for their start at 0; the weight decay comes last; $M$ is
        kept in the eigenbasis, which is the same as rotating it at every step, with fewer products of
        matrices. State and arithmetic are in float32 at least, also for bfloat16 parameters. The authors'
        `normalize_grads`, `correct_bias` (here always on) and `data_format` (here channels first) are gone.

    Examples:
        >>> import torch
        >>> w = torch.zeros(2, 2, requires_grad=True)
        >>> optimizer = SOAP([w], lr=0.1, weight_decay=0.0)
        >>> for _ in range(2):  # the first step only finds the eigenbasis
        ...     optimizer.zero_grad()
        ...     (w[0, 0] + w[0, 1]).backward()
        ...     optimizer.step()
        >>> round(w.norm().item(), 4)  # there, one element holds the whole gradient, and moves by lr
        0.1
    """

    takes_lists = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        shampoo_beta: float | None = None,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        precondition_frequency: int = 10,
        max_precond_dim: int = 10000,
        merge_dims: bool = False,
        precondition_1d: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "shampoo_beta": shampoo_beta,
            "eps": eps,
            "weight_decay": weight_decay,
            "precondition_frequency": precondition_frequency,
            "max_precond_dim": max_precond_dim,
            "merge_dims": merge_dims,
            "precondition_1d": precondition_1d,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "eps", "weight_decay")
        check_range(group, "betas", below=1, count=2)
        if group["shampoo_beta"] is not None:
            check_range(group, "shampoo_beta", below=1)
        for option in ("precondition_frequency", "max_precond_dim"):
            if not group[option] >= 1:
                raise ValueError(f"{option} must be >= 1, got {group[option]}")

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        limit = group["max_precond_dim"]
        shape = _merge(θ.shape, limit) if group["merge_dims"] else θ.shape
        axes = [i for i, n in enumerate(shape) if n <= limit]
        vector = θ.dim() < 2 and not group["precondition_1d"]
        if vector or θ.numel() == 0:
            axes = []
        wide = torch.promote_types(θ.dtype, torch.float32)

        def zeros(*shape: int) -> Tensor:
            return θ.new_zeros(shape, dtype=wide)

        return {
            "step": new_step(),
            "exp_avg": zeros(*shape),  # M
            "exp_avg_sq": zeros(*shape),  # V
            "GG": {i: zeros(shape[i], shape[i]) for i in axes},  # L and R
            "Q": {i: zeros(shape[i], shape[i]) for i in axes},
        }

    # --8<-- [end:state]

    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        k, (β1, β2) = counters["step"] - 1, group["betas"]
        if k == 0:
            return {"first": True, "refresh": False, "step_size": 0.0}
        return {
            "first": False,
            "refresh": k % group["precondition_frequency"] == 0,
            "step_size": group["lr"] * (1 - β2**k) ** 0.5 / (1 - β1**k),
        }

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, ε, λ = group["lr"], group["eps"], group["weight_decay"]
        (β1, β2), βs = group["betas"], group["shampoo_beta"]
        M, V, Q = state["exp_avg"], state["exp_avg_sq"], state["Q"]
        G = g.to(M.dtype).reshape(M.shape)

        if not group["first"]:
            G_ = _rotate(G, Q)  # G′ = Q_Lᵀ G Q_R
            M.lerp_(G_, 1 - β1)  # β₁M + (1 − β₁)G′
            V.mul_(β2).addcmul_(G_, G_, value=1 - β2)  # β₂V + (1 − β₂)G′²
            N = _rotate(M / V.sqrt().add_(ε), Q, back=True)
            N = N.reshape(θ.shape).mul_(group["step_size"])
            θ.sub_(N)  # torch.compile 2.14 drops the alpha of add_ here
            θ.mul_(1 - η * λ)  # θ = (1 − ηλ)θ
        for axis, L in state["GG"].items():
            X = G.movedim(axis, 0).reshape(len(L), -1)
            β = β2 if βs is None else βs
            L.addmm_(X, X.T, beta=β, alpha=1 - β)  # βL + (1 − β)XXᵀ
        if group["first"]:
            _find_bases(state)
        elif group["refresh"]:
            _refresh_bases(state)

    # --8<-- [end:update]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load state and options."""
        super().load_state_dict(state_dict)
        # That cast every entry to its parameter's type. Half a type's digits are too few for a basis: again, without.
        saved = [i for group in state_dict["param_groups"] for i in group["params"]]
        params = [p for group in self.param_groups for p in group["params"]]
        for p, i in zip(params, saved, strict=True):
            if p.dtype not in (torch.float32, torch.float64) and i in state_dict["state"]:
                self.state[p] = {
                    name: x if name == "step" else _to(x, p.device) for name, x in state_dict["state"][i].items()
                }


def _to(entry: Any, device: torch.device) -> Any:
    """A state entry on this device: a tensor, or one for each axis."""
    if isinstance(entry, dict):
        return {axis: matrix.to(device) for axis, matrix in entry.items()}
    return entry.to(device)


def _merge(shape: torch.Size, limit: int) -> tuple[int, ...]:
    """Join neighbouring dimensions as long as their product is at most `limit`."""
    merged: list[int] = []
    for n in shape:
        if merged and merged[-1] * n <= limit:
            merged[-1] *= n
        else:
            merged.append(n)
    return tuple(merged)


def _rotate(G: Tensor, bases: dict[int, Tensor], back: bool = False) -> Tensor:
    """Write `G` in the coordinates of these bases, or back in its own: Q_Lᵀ G Q_R, or Q_L G Q_Rᵀ."""
    for axis in range(G.dim()):  # each turn moves the first dimension to the end
        G = G.movedim(0, -1)
        if axis in bases:
            Q = bases[axis]
            G = G @ (Q.T if back else Q)
    return G


def _find_bases(state: State) -> None:
    """Set the bases to the eigenvectors, those of large eigenvalues first."""
    for axis, L in state["GG"].items():
        state["Q"][axis].copy_(torch.linalg.eigh(L).eigenvectors.flip(1))


# --8<-- [start:refresh]
def _refresh_bases(state: State) -> None:
    """Turn the bases towards the eigenvectors: one power iteration."""
    M, V, bases = state["exp_avg"], state["exp_avg_sq"], state["Q"]
    M_plain = _rotate(M, bases, back=True)
    for axis, L in state["GG"].items():
        Q = bases[axis]
        LQ = L @ Q
        eigenvalues = (Q * LQ).sum(0)  # the diagonal of QᵀLQ
        order = eigenvalues.argsort(descending=True, stable=True)
        Q.copy_(torch.linalg.qr(LQ[:, order]).Q)
        V.copy_(V.index_select(axis, order))
    M.copy_(_rotate(M_plain, bases))


# --8<-- [end:refresh]
