"""Muon: momentum whose steps have one length in every direction of the weight matrix.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024,
https://kellerjordan.github.io/posts/muon/. Liu et al., "Muon is Scalable for LLM Training", 2025,
https://arxiv.org/abs/2502.16982 (`"match_rms_adamw"`). Bernstein, "Deriving Muon", 2025,
https://jeremybernste.in/writing/deriving-muon (`"spectral_unclamped"`).
"""

import math

import torch
from torch import Tensor

from trainloop.optim._base import Group, Optimizer, ParamsT, State, check_range

__all__ = ["Muon"]


class Muon(Optimizer):
    r"""Muon, for the weight matrices of hidden layers.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) \\
    B_t &= \mu\,B_{t-1} + (1 - \mu)\,g_t \\
    \tilde B_t &= \begin{cases}
        \mu\,B_t + (1 - \mu)\,g_t & \text{Nesterov} \\
        B_t & \text{otherwise}
        \end{cases} \\
    Q &\leftarrow \tilde B_t / \max(\|\tilde B_t\|,\ \varepsilon) \\
    Q &\leftarrow a\,Q + b\,(Q Q^\top)\,Q + c\,(Q Q^\top)^2\,Q \qquad n \text{ times} \\
    \theta_t &= (1 - \eta\lambda)\,\theta_{t-1} - \eta\,r\,Q
    \end{aligned}
    $$

    Let $\tilde B = U S V^\top$ be the singular value decomposition: $\tilde B$ stretches the directions in $V$ by the
    numbers in $S$, and turns them into those of $U$. A few of these numbers are usually much larger than the others;
    $Q$, which ends near $U V^\top$, has about 1 in the place of each. So the size of a gradient has no influence. The
    iteration, Newton and Schulz's, runs in bfloat16. $B$ starts at 0. The factor $r$ makes up for the shape,
    out × in, of the matrix:

    - `"original"`: $\sqrt{\max(1, \text{out} / \text{in})}$
    - `"match_rms_adamw"`: $0.2\sqrt{\max(\text{out}, \text{in})}$; the RMS of a step is then about Adam's,
      and so are good values of `lr` and `weight_decay`
    - `"spectral_unclamped"`: $\sqrt{\text{out} / \text{in}}$

    Args:
        params: matrices, named matrices, or parameter groups of them. Embeddings, the last layer, biases and
            norms go to AdamW.
        lr: learning rate $\eta \ge 0$, about the length of a step in every direction; a number or a 0-dim tensor.
        weight_decay: $\lambda \ge 0$, decoupled: each step takes the share $\eta\lambda$ from the weights.
        momentum: $\mu \ge 0$, the memory of $B$: about $1/(1-\mu)$ steps. Usually below 1.
        nesterov: average the gradient in once more.
        ns_coefficients: $(a, b, c)$ of the Newton–Schulz iteration. These settle between 0.68 and 1.21, not at 1, but
            get there in few steps.
        eps: $\varepsilon \ge 0$, the smallest norm to divide by, in units of the gradient.
        ns_steps: $n$, 0 to 99.
        adjust_lr_fn: which $r$; None means `"original"`.

    Raises:
        ValueError: an option is out of range, or a parameter is not a matrix.

    Differs from torch.optim:
        Bitwise equal to `torch.optim.Muon`, tested on the CPU, but for one case: without Nesterov, on bfloat16
        parameters, torch's iteration overwrites $B$ with $B / \|B\|$. `"spectral_unclamped"` is newer than torch
        2.9. Options that a group sets for itself are checked, and matrices asked for, in added groups, too.
        torch's page shows $B_t = \mu B_{t-1} + g_t$; its code and this one average. That makes $B$ smaller by the
        factor $1 - \mu$, and $Q$ the same.

    It compiles.

    Examples:
        >>> import torch
        >>> w = torch.zeros(2, 2, requires_grad=True)
        >>> optimizer = Muon([w], lr=1.0)
        >>> (100 * w[0, 0] + w[1, 1]).backward()  # steep in one direction, gentle in the other
        >>> optimizer.step()
        >>> [round(x, 1) for x in w.diag().tolist()]  # one length in both
        [-0.7, -0.7]
    """

    takes_lists = False
    counters = ()

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
            "maximize": False,  # the base class asks for it; torch's Muon has no such option
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "weight_decay", "momentum", "eps")
        check_range(group, "ns_steps", below=100)
        if len(group["ns_coefficients"]) != 3:
            raise ValueError(f"ns_coefficients must be three numbers, got {group['ns_coefficients']}")
        if group["adjust_lr_fn"] not in (None, "original", "match_rms_adamw", "spectral_unclamped"):
            raise ValueError(
                "adjust_lr_fn must be None, 'original', 'match_rms_adamw' or 'spectral_unclamped', "
                f"got {group['adjust_lr_fn']!r}"
            )

    def check_param(self, p: Tensor) -> None:
        super().check_param(p)
        if p.dim() != 2:
            raise ValueError(f"params must be matrices, got one of shape {tuple(p.shape)}: give it to AdamW")

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        like = θ if θ.grad is None else θ.grad  # its order in memory
        return {"momentum_buffer": torch.zeros_like(like)}

    # --8<-- [end:state]

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, λ, μ = group["lr"], group["weight_decay"], group["momentum"]
        B = state["momentum_buffer"]

        B.lerp_(g, 1 - μ)  # B = μB + (1 − μ)g
        if group["nesterov"]:
            B = g.lerp(B, μ)  # μB + (1 − μ)g
        abc, k = group["ns_coefficients"], group["ns_steps"]
        Q = newton_schulz(B, abc, k, group["eps"])
        r = _ratio(θ.shape, group["adjust_lr_fn"])
        θ.mul_(1 - η * λ)  # θ = (1 − ηλ)θ
        θ.add_(Q, alpha=-η * r)  # θ = θ − ηrQ

    # --8<-- [end:update]


def newton_schulz(
    B: Tensor,
    coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
    steps: int = 5,
    eps: float = 1e-7,
) -> Tensor:
    r"""Return a matrix with the singular vectors of `B`, and singular values near 1.

    $$
    \begin{aligned}
    X_0 &= B / \max(\|B\|,\ \varepsilon) \\
    X_{k+1} &= a X_k + b\,(X_k X_k^\top) X_k + c\,(X_k X_k^\top)^2 X_k
    \end{aligned}
    $$

    With $X_k = U S V^\top$, the next one is $U (aS + bS^3 + cS^5) V^\top$: the singular vectors stay, and each
    singular value $s$ becomes $as + bs^3 + cs^5$. These coefficients lift small values fast, 3.4 times in a
    step, and pay for it: values do not settle at 1. After 5 steps, all that began at 0.002 or above are
    between 0.68 and 1.21. Newton and Schulz's own polynomial, $(1.5, -0.5, 0)$, settles at 1, in more steps.

    Args:
        B: a matrix.
        coefficients: $(a, b, c)$.
        steps: how many $X_k$ to compute.
        eps: $\varepsilon$, the smallest $\|B\|$ (root of the sum of squares) to divide by.

    Returns:
        A bfloat16 matrix of `B`'s shape: half the memory and, on most hardware, several times the speed.
    """
    # --8<-- [start:newton_schulz]
    a, b, c = coefficients
    wide = B.size(0) <= B.size(1)
    X = B.bfloat16() if wide else B.bfloat16().T  # A is then smaller
    X = X / torch.linalg.vector_norm(X).clamp(min=eps)  # no singular value above 1
    for _ in range(steps):
        A = X @ X.T
        A = torch.addmm(A, A, A, beta=b, alpha=c)  # bA + cA²
        X = torch.addmm(X, A, X, beta=a)  # aX + (bA + cA²)X
    return X if wide else X.T
    # --8<-- [end:newton_schulz]


def _ratio(shape: torch.Size, adjust_lr_fn: str | None) -> float:
    """The factor of the learning rate for a matrix of this shape."""
    rows, columns = shape
    if adjust_lr_fn == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    if adjust_lr_fn == "spectral_unclamped":
        return math.sqrt(rows / columns)
    return math.sqrt(max(1, rows / columns))
