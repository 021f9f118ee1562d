"""Sophia-G: divide the momentum by an estimate of the curvature, and clip what comes out to ±1.

Liu et al., "Sophia: A Scalable Stochastic Second-order Optimizer for Language Model Pre-training", 2024,
https://arxiv.org/abs/2305.14342. Their claim of half AdamW's steps was not reproduced by others who tuned
both: https://github.com/Liuhong99/Sophia/issues/31 and https://github.com/Liuhong99/Sophia/issues/46.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from trainloop.optim._base import Group, Numbers, Optimizer, ParamsT, State, check_range
from trainloop.optim._curvature import gnb_diagonal, hutchinson_diagonal

__all__ = ["SophiaG"]


class SophiaG(Optimizer):
    r"""Sophia, with either of its estimates of the Hessian's diagonal.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) \\
    m_t &= \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t \\
    h_t &= \begin{cases}
        \beta_2\,h_{t-1} + (1 - \beta_2)\,\hat h_t & \text{for } t = 1,\, k + 1,\, 2k + 1,\, \dots \\
        h_{t-1} & \text{otherwise}
        \end{cases} \\
    \theta_t &= (1 - \eta\,\lambda)\,\theta_{t-1}
        - \eta\,\operatorname{clip}\left(\frac{m_t}{\max(\gamma\,h_t,\ \varepsilon)},\ -1,\ 1\right)
    \end{aligned}
    $$

    $m$ and $h$ start at 0. Where the curvature is known and large, the step is Newton's, divided by $\gamma$; where
    it is small, negative or not yet known, the clip leaves $\eta\,\operatorname{sign}(m)$. All operations are
    element-wise.

    The estimate $\hat h$ needs the graph of the forward pass, so the training loop brings it, every $k$ steps, before
    `backward` frees the graph:

        for x, y in batches:
            logits = model(x)
            if optimizer.hessian_due:
                optimizer.update_hessian_gnb(logits)
            loss = cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    `update_hessian_gnb` is the G in the name; for a loss that is no cross-entropy, there is
    `update_hessian_hutchinson(loss)`. A loop that calls neither trains with signs alone.

    Args:
        params: parameters, named parameters or parameter groups.
        lr: learning rate $\eta \ge 0$, in units of the parameters; a number or a 0-dim tensor. The length of
            the longest step.
        betas: $(\beta_1, \beta_2)$ in [0, 1), the memories of $m$, in steps, and of $h$, in estimates.
        gamma: $\gamma \ge 0$. Larger values clip fewer weights; the authors choose it so that 50 to 90 % are
            clipped: 0.05 with `update_hessian_gnb`, 0.01 with `update_hessian_hutchinson`.
        eps: $\varepsilon \ge 0$, in units of the gradient; keeps the division finite where $h$ is 0.
        weight_decay: $\lambda \ge 0$; each step takes the share $\eta\,\lambda$ from every weight (decoupled).
        hessian_every: $k \ge 1$, the number of steps that one estimate serves.
        maximize: climb instead: $-\nabla L$ takes the place of $\nabla L$.

    Raises:
        ValueError: an option is out of range.

    Differs from the paper:
        The Hutchinson estimate draws signs where the paper draws normal numbers: the same mean, less
        variance. The authors' code has $m / (\rho B\,h + 10^{-15})$, and its $h$ averages $\hat g^2$: $B$, the number
        of predictions in a batch, is part of the estimate here, and `gamma` is its $\rho$.

    Examples:
        >>> import torch
        >>> w = torch.tensor([4.0], requires_grad=True)
        >>> optimizer = SophiaG([w], lr=1.0, betas=(0.0, 0.0), gamma=10.0, weight_decay=0.0)
        >>> loss = w.square().sum()  # slope 8, curvature 2
        >>> optimizer.update_hessian_hutchinson(loss)
        >>> loss.backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)  # 4 − 8 / (10 · 2)
        3.6
    """

    counters = ()

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.965, 0.99),
        gamma: float = 0.05,
        eps: float = 1e-12,
        weight_decay: float = 0.1,
        hessian_every: int = 10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "gamma": gamma,
            "eps": eps,
            "weight_decay": weight_decay,
            "hessian_every": hessian_every,
            "maximize": maximize,
            "hessian_age": None,  # steps made with the latest estimate; None before the first
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "gamma", "eps", "weight_decay")
        check_range(group, "betas", below=1, count=2)
        if group["hessian_every"] < 1:
            raise ValueError(f"hessian_every must be >= 1, got {group['hessian_every']}")

    @property
    def hessian_due(self) -> bool:
        """Whether the next step wants a new estimate: there is none yet, or it has served its steps.

        A parameter group's own `hessian_every` counts; one group that is due is enough.
        """
        ages = [(group["hessian_age"], group["hessian_every"]) for group in self.param_groups]
        return any(age is None or age >= every for age, every in ages)

    def update_hessian_gnb(self, logits: Tensor) -> None:
        """Take in the Gauss-Newton-Bartlett estimate: for a mean cross-entropy loss.

        The labels are drawn with torch's random numbers. The graph stays alive for `backward`.

        Args:
            logits: the model's outputs with their graph, of shape (..., classes).
        """
        self.update_hessian(gnb_diagonal(logits, self._trained()))

    def update_hessian_hutchinson(self, loss: Tensor) -> None:
        """Take in Hutchinson's estimate: for any loss that can be differentiated twice.

        The signs are drawn with torch's random numbers. The graph stays alive for `backward`.

        Args:
            loss: a scalar with its graph, not yet backpropagated.
        """
        estimates = hutchinson_diagonal(loss, self._trained())
        climbs = [group["maximize"] for group in self.param_groups for p in group["params"] if p.requires_grad]
        self.update_hessian([-ĥ if climb else ĥ for ĥ, climb in zip(estimates, climbs, strict=True)])

    @torch.no_grad()
    def update_hessian(self, estimates: Sequence[Tensor]) -> None:
        """Take an estimate of the Hessian's diagonal into its running average.

        On several processes, average the estimates over them first: each saw another part of the batch,
        and models whose optimizers disagree drift apart.

        Args:
            estimates: one tensor per parameter that requires a gradient, in the order of the parameter groups.

        Raises:
            ValueError: there are more or fewer estimates than parameters.
        """
        wanted = len(self._trained())
        if len(estimates) != wanted:
            raise ValueError(f"estimates must be one per trained parameter, {wanted}, got {len(estimates)}")
        remaining = iter(estimates)
        for group in self.param_groups:
            group["hessian_age"] = 0
            β2 = group["betas"][1]
            for θ in group["params"]:
                if θ.requires_grad:
                    if not self.state.get(θ):
                        self.state[θ] = self.init_state(θ, group)
                    h = self.state[θ]["hessian"]
                    h.lerp_(next(remaining), 1 - β2)  # h = β₂h + (1 − β₂)ĥ

    def _trained(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"] if p.requires_grad]

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        return {
            "exp_avg": torch.zeros_like(θ),
            "hessian": torch.zeros_like(θ),
        }

    # --8<-- [end:state]

    def begin(self, group: Group) -> None:
        if group["hessian_age"] is not None:
            group["hessian_age"] += 1

    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        return {"hessian_age": 0.0}  # no concern of `update`: as an option, it would be compiled anew at every step

    # --8<-- [start:update]
    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        η, λ, β1 = group["lr"], group["weight_decay"], group["betas"][0]
        γ, ε = group["gamma"], group["eps"]
        m, h = state["exp_avg"], state["hessian"]

        m.lerp_(g, 1 - β1)  # m = β₁m + (1 − β₁)g
        scale = h.mul(γ).clamp_min_(ε)  # max(γh, ε)
        u = m.div(scale).clamp_(-1, 1)
        if λ != 0:
            θ.mul_(1 - η * λ)  # θ = (1 − ηλ)θ
        θ.add_(u, alpha=-η)  # θ = θ − ηu

    # --8<-- [end:update]
