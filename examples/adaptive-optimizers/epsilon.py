"""Does it matter whether ε stands inside the root or outside?

    python examples/adaptive-optimizers/epsilon.py

RMSprop's step after 2,000 steps under a steady gradient, for gradients from 1 to 10⁻¹⁰, with ε = 10⁻⁸ in both places.
Takes two seconds.
"""

import torch

from trainloop.optim import RMSprop

STEPS = 2000
EPS = 1e-8
GRADIENTS = tuple(10.0**-k for k in range(0, 11, 2))


# --8<-- [start:inside]
class Inside(RMSprop):
    """RMSprop with ε under the root, as TensorFlow 1 had it."""

    def update(self, θ, g, state, group):
        α, v = group["alpha"], state["square_avg"]
        v.mul_(α).addcmul_(g, g, value=1 - α)
        θ.addcdiv_(g, v.add(group["eps"]).sqrt(), value=-group["lr"])


# --8<-- [end:inside]


def run(quick=False):
    θ = {cls: torch.zeros(len(GRADIENTS), dtype=torch.float64, requires_grad=True) for cls in (RMSprop, Inside)}
    found = {}
    for cls, weights in θ.items():
        optimizer = cls([weights], lr=1.0, eps=EPS)
        for _ in range(100 if quick else STEPS):
            before = weights.detach().clone()
            weights.grad = torch.tensor(GRADIENTS, dtype=torch.float64)
            optimizer.step()
        found[cls] = (before - weights.detach()).tolist()
    rows = [
        {"gradient": g, "outside": outside, "inside": inside, "times": outside / inside}
        for g, outside, inside in zip(GRADIENTS, found[RMSprop], found[Inside], strict=True)
    ]
    return {"eps": EPS, "rows": rows, "most": max(row["times"] for row in rows)}


if __name__ == "__main__":
    from courseware.example import main

    main(run)
