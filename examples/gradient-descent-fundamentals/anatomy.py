"""What does an optimizer of torch consist of, and how little is a new one?

    python examples/gradient-descent-fundamentals/anatomy.py

A rule of three lines on the course's base class; two parameter groups, the state before and after a step, gradients
that are cleared or left, and a closure. Takes a second.
"""

import torch
from torch import nn

from trainloop.optim import LBFGS, SGD, Adam
from trainloop.optim._base import Optimizer, check_range


# --8<-- [start:rule]
class SignDescent(Optimizer):
    """Step one learning rate against the gradient's sign."""

    def __init__(self, params, lr=1e-3):
        super().__init__(params, {"lr": lr, "maximize": False})

    def check(self, group):
        check_range(group, "lr")

    def init_state(self, θ, group):
        return {}

    def update(self, θ, g, state, group):
        θ.add_(g.sign(), alpha=-group["lr"])


# --8<-- [end:rule]


def signs():
    """The rule on a parabola of two weights, one of which is a thousand times as steep."""
    θ = torch.tensor([1.0, 1.0], dtype=torch.float64, requires_grad=True)
    optimizer = SignDescent([θ], lr=0.125)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)  # takes it as one of torch's own
    for _ in range(8):
        optimizer.zero_grad()
        (θ[0] ** 2 + 1000 * θ[1] ** 2).backward()
        optimizer.step()
        schedule.step()
    return {"end": θ.tolist(), "lr": optimizer.param_groups[0]["lr"]}


def groups():
    # --8<-- [start:groups]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
    optimizer = Adam(
        [
            {"params": model[0].parameters(), "lr": 1e-4},
            {"params": model[2].parameters()},  # the default below
        ],
        lr=1e-2,
    )
    before = len(optimizer.state)
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    state = optimizer.state[model[0].weight]
    # --8<-- [end:groups]
    return {
        "lrs": [group["lr"] for group in optimizer.param_groups],
        "tensors": [len(group["params"]) for group in optimizer.param_groups],
        "before": before,
        "after": len(optimizer.state),
        "entries": ", ".join(state),
        "shape": list(state["exp_avg"].shape),
        "saved": ", ".join(optimizer.state_dict()),
    }


def cleared():
    """What is left of a gradient in three cases, for f(w) = 3w."""
    # --8<-- [start:cleared]
    w = torch.tensor([1.0], requires_grad=True)
    optimizer = SGD([w], lr=0.1, momentum=0.9)
    found = {}
    (3 * w).backward()
    found["once"] = w.grad.item()
    (3 * w).backward()  # without zero_grad: they add up
    found["twice"] = w.grad.item()
    optimizer.step()
    optimizer.zero_grad()  # sets to None
    found["is_none"] = w.grad is None
    before = w.item()
    optimizer.step()  # no gradient, no step: not even momentum's
    found["moved_without"] = before - w.item()
    w.grad = torch.zeros_like(w)
    optimizer.step()  # a gradient of zero is a gradient
    found["moved_with_zeros"] = before - w.item()
    # --8<-- [end:cleared]
    return {name: float(value) if not isinstance(value, bool) else int(value) for name, value in found.items()}


def asked(make):
    """How often a step asks for the loss, and what it returns."""
    w = torch.tensor([4.0, 1.0], dtype=torch.float64, requires_grad=True)
    optimizer = make([w])
    calls = 0

    # --8<-- [start:closure]
    def closure():
        nonlocal calls
        calls += 1
        optimizer.zero_grad()
        loss = (w**4).sum()
        loss.backward()
        return loss

    first = optimizer.step(closure)  # the loss before the step
    # --8<-- [end:closure]
    return {"calls": calls, "first": first.item()}


def run(quick=False):
    closures = {
        "sgd": asked(lambda p: SGD(p, lr=0.1)),
        "lbfgs": asked(lambda p: LBFGS(p, line_search_fn="strong_wolfe")),
    }
    return {"signs": signs(), "groups": groups(), "cleared": cleared(), "closures": closures}


if __name__ == "__main__":
    from courseware.example import main

    main(run)
