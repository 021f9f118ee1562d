"""L-BFGS: a quasi-Newton method that learns the curvature from its last few steps.

Nocedal, "Updating Quasi-Newton Matrices with Limited Storage", 1980,
https://doi.org/10.1090/S0025-5718-1980-0572855-7. Liu and Nocedal, "On the limited memory BFGS method for large
scale optimization", 1989, https://doi.org/10.1007/BF01589116.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from trainloop.optim._base import Group, Optimizer, ParamsT, State, check_entries, check_range
from trainloop.optim._strong_wolfe import Length, Trial, search

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    r"""L-BFGS, with a fixed step length or a line search.

    All parameters are one long vector here. An iteration goes along the direction $d$ that Newton's method
    would take if the curvature were what the last $h$ iterations have shown:

    $$
    \begin{aligned}
    g_k &= \nabla L(\theta_k) \\
    s_k &= \theta_k - \theta_{k-1}, \qquad y_k = g_k - g_{k-1}, \qquad \rho_k = \frac{1}{y_k \cdot s_k} \\
    H &\leftarrow \gamma_k\,I, \qquad \gamma_k = \frac{y_k \cdot s_k}{y_k \cdot y_k} \\
    H &\leftarrow (I - \rho_i\,s_i\,y_i^\top)\,H\,(I - \rho_i\,y_i\,s_i^\top) + \rho_i\,s_i\,s_i^\top
        \qquad \text{for } i = k - h + 1, \dots, k \\
    d_k &= -H\,g_k \\
    \theta_{k+1} &= \theta_k + t_k\,d_k
    \end{aligned}
    $$

    $H$ stands for the inverse of the matrix of second derivatives, and is never written out. Each remembered pair
    corrects it; afterwards $H y_i = s_i$: it explains that step exactly. Multiplying $H$ by the gradient takes $4h$
    products of vectors (the two loops of `_minus_h_times`). A pair with $y \cdot s \le 10^{-10}$ shows no positive
    curvature, and is left out. The first direction is $-g$, as long as `lr` at most in the sum of its elements' sizes.

    One call of `step` makes up to `max_iter` iterations, and calls the closure once or more in each.

    Args:
        params: parameters, named parameters or one parameter group.
        lr: the step length $t \ge 0$ in units of $d$; with a line search, the first length it tries. A number or
            a 0-dim tensor. 1 is Newton's own step.
        max_iter: iterations per call of `step`, >= 1.
        max_eval: calls of the closure per call of `step`, >= 1; an iteration that is under way is finished. By
            default 1.25 `max_iter`.
        tolerance_grad: stop when no element of the gradient is larger; >= 0, in units of the gradient.
        tolerance_change: stop when neither a parameter nor the loss changes by more, >= 0.
        history_size: $h \ge 1$, the pairs remembered. The state takes $2h + 2$ numbers per parameter.
        line_search_fn: `"strong_wolfe"`, or None for steps of fixed length.
        maximize: climb instead: $-L$ takes the place of $L$.

    Raises:
        ValueError: an option is out of range, or there is a second parameter group.

    Differs from torch.optim:
        Equal to `torch.optim.LBFGS` bit for bit, with as many calls of the closure, tested on the CPU. Options are
        checked when the optimizer is made. Gradients may lie in memory in any order; torch wants them contiguous.
        A tensor `lr` may be changed in place between calls; torch's class takes the new value for the length of its
        last step. Complex parameters are refused.
        It cannot be compiled: an iteration looks at the loss to decide what to do next.

    Examples:
        >>> import torch
        >>> w = torch.tensor([4.0, 400.0], requires_grad=True)
        >>> optimizer = LBFGS([w])
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = w.square().sum()
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(closure).item()  # the loss before the step: 4² + 400²
        160016.0
        >>> optimizer.state[w]["n_iter"], (w.abs() < 1e-6).tolist()  # the second iteration knew the curvature
        (3, [True, True])
    """

    takes_lists = False
    compilable = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        check_range(group, "lr", "tolerance_grad", "tolerance_change")
        for option in ("max_iter", "max_eval", "history_size"):
            if not group[option] >= 1:
                raise ValueError(f"{option} must be >= 1, got {group[option]}")
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(f"line_search_fn must be None or 'strong_wolfe', got {group['line_search_fn']!r}")

    def add_param_group(self, param_group: Group) -> None:
        """Add the group of parameters; `ValueError` if there is one already."""
        if self.param_groups:
            raise ValueError(
                "LBFGS takes one parameter group, got a second one: it treats all parameters as one vector"
            )
        super().add_param_group(param_group)

    # --8<-- [start:state]
    def init_state(self, θ: Tensor, group: Group) -> State:
        # One state for all parameters, kept with the first of them.
        return {"func_evals": 0, "n_iter": 0}

    # --8<-- [end:state]

    def check_saved(self, p: Tensor, saved: State, group: Group) -> None:
        own = self.init_state(p, group)
        if saved.get("n_iter"):
            flat = torch.empty(sum(q.numel() for q in self.param_groups[0]["params"]), device="meta")
            own |= {"d": flat, "prev_flat_grad": flat}
            own |= dict.fromkeys(("t", "prev_loss", "old_dirs", "old_stps", "ro", "H_diag"))
            own |= {"al": None} if "al" in saved else {}
        check_entries("LBFGS", own, saved)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float:  # type: ignore[override]
        """Make up to `max_iter` iterations.

        Args:
            closure: clears the gradients, computes the loss and its gradients, and returns the loss. The loss
                must be the same function every time: no other batch, no new dropout mask.

        Returns:
            What the closure returned at its first call, before any iteration.

        Raises:
            TypeError: there is no closure.
        """
        if closure is None:
            raise TypeError("LBFGS.step needs a closure: it asks for the loss and its gradients several times")
        group, closure = self.param_groups[0], torch.enable_grad()(closure)
        if not group["params"]:
            return closure()
        state = self.state[group["params"][0]]
        if not state:
            state.update(self.init_state(group["params"][0], group))

        first_loss = closure()
        state["func_evals"] += 1
        loss, g = self._loss_and_gradient(first_loss)
        if not g.abs().max() <= group["tolerance_grad"]:
            self._iterate(closure, loss, g, state, group)
        return first_loss

    def _iterate(self, closure: Callable[[], float], loss: float, g: Tensor, state: State, group: Group) -> None:
        """Go along one direction after the other, until nothing moves or the allowance is used up."""
        last, evals = state["n_iter"] + group["max_iter"], 1
        while True:
            state["n_iter"] += 1
            d = self._direction(g, state, group["history_size"])
            full = 1.0 if state["n_iter"] > 1 else min(1.0, 1.0 / g.abs().sum())
            t = full * group["lr"]
            previous_loss, slope = loss, g.dot(d)
            state.update(d=d, t=t, prev_flat_grad=g, prev_loss=loss)
            if slope > -group["tolerance_change"]:
                return

            new_evals = 0
            if group["line_search_fn"] == "strong_wolfe":
                best, new_evals = self._search(closure, Trial(0.0, loss, g, slope), t, d, evals)
                loss, g, t = best.loss, best.grad, best.t
                state["t"] = t
            self._move(t, d)
            if group["line_search_fn"] is None and state["n_iter"] < last:
                loss, g = self._loss_and_gradient(closure())
                new_evals = 1
            evals += new_evals
            state["func_evals"] += new_evals

            if state["n_iter"] == last or evals >= group["max_eval"]:
                return
            if g.abs().max() <= group["tolerance_grad"]:
                return
            if d.mul(t).abs().max() <= group["tolerance_change"]:
                return
            if abs(loss - previous_loss) < group["tolerance_change"]:
                return

    def _direction(self, g: Tensor, state: State, history_size: int) -> Tensor:
        """Remember what the last iteration showed, and return the direction to go."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return g.neg()
        # torch's names: "old_dirs" holds the y, "old_stps" the s, "ro" their ρ, "H_diag" γ.
        pairs = state["old_dirs"], state["old_stps"], state["ro"]
        y, s = g.sub(state["prev_flat_grad"]), state["d"].mul(state["t"])
        ys = y.dot(s)
        if ys > 1e-10:
            for memory, new in zip(pairs, (y, s, 1.0 / ys), strict=True):
                if len(memory) == history_size:
                    memory.pop(0)
                memory.append(new)
            state["H_diag"] = ys / y.dot(y)
        state.setdefault("al", [None] * history_size)
        return self._minus_h_times(g, *pairs, state["H_diag"], state["al"])

    # --8<-- [start:update]
    def _minus_h_times(
        self,
        g: Tensor,
        ys: list[Tensor],
        ss: list[Tensor],
        ρs: list[Tensor],
        γ: Tensor | float,
        αs: list[Any],
    ) -> Tensor:
        """Return −Hg, from the pairs that H explains."""
        q = g.neg()
        for i in reversed(range(len(ys))):  # from the newest pair
            αs[i] = ss[i].dot(q) * ρs[i]
            q.add_(ys[i], alpha=-αs[i])  # q = (I − ρ y sᵀ) q
        d = q.mul(γ)  # before any correction, H = γI
        for i in range(len(ys)):  # from the oldest
            β = ys[i].dot(d) * ρs[i]
            d.add_(ss[i], alpha=αs[i] - β)  # d = (I − ρ s yᵀ) d + αs
        return d

    # --8<-- [end:update]

    def _search(
        self, closure: Callable[[], float], start: Trial, t: Length, d: Tensor, evals: int
    ) -> tuple[Trial, int]:
        """Find a step length along `d`; the parameters stay where they are."""
        group = self.param_groups[0]
        origin = [p.clone() for p in group["params"]]

        def evaluate(t: Length) -> Trial:
            self._move(t, d)
            loss, g = self._loss_and_gradient(closure())
            for p, x in zip(group["params"], origin, strict=True):
                p.copy_(x)
            return Trial(t, loss, g, g.dot(d))

        return search(evaluate, start, t, d.abs().max(), max_rounds=group["max_eval"] - evals)

    def _loss_and_gradient(self, loss: float) -> tuple[float, Tensor]:
        """Return what to minimise as a number, and its gradient as one vector."""
        group = self.param_groups[0]
        flat = []
        for p in group["params"]:
            g = torch.zeros_like(p) if p.grad is None else p.grad
            flat.append((g.to_dense() if g.is_sparse else g).reshape(-1))
        g = torch.cat(flat)
        return (-float(loss), g.neg_()) if group["maximize"] else (float(loss), g)

    def _move(self, t: Length, d: Tensor) -> None:
        """Add t·d to the parameters."""
        params = self.param_groups[0]["params"]
        for p, part in zip(params, torch.split(d, [p.numel() for p in params]), strict=True):
            p.add_(part.view_as(p), alpha=t)
