"""What does Muon's iteration make of the singular values of a real momentum?

    python examples/modern-optimizers/newton_schulz.py

Muon's buffer for a layer of 128 × 128 weights after 100 steps on a text, and its singular values after each of
five iterations. Takes five seconds.
"""

import matplotlib.pyplot as plt
import torch
from _text import LOSS, batches, network

from trainloop.figures import colour
from trainloop.loop import train_step
from trainloop.optim import AdamW, Muon
from trainloop.optim.muon import newton_schulz

STEPS = 100
ITERATIONS = 5


def momentum(steps):
    """Muon's buffer of the hidden matrix of a network in training; AdamW trains the rest."""
    model = network(0)
    hidden = model.layers[2].weight
    rest = [p for p in model.parameters() if p is not hidden]
    muon, adamw = Muon([hidden], lr=0.02), AdamW(rest, lr=1e-3)
    for x, y in batches(steps, 0):
        adamw.zero_grad()
        train_step(model, LOSS, muon, x, y)
        adamw.step()
    return muon.state[hidden]["momentum_buffer"]


def singular_values(B):
    return torch.linalg.svdvals(B.double())


# --8<-- [start:run]
def run(quick=False):
    B = momentum(10 if quick else STEPS)
    after = [singular_values(newton_schulz(B, steps=k)).tolist() for k in range(ITERATIONS + 1)]
    begin, end = torch.tensor(after[0]), torch.tensor(after[-1])
    U, _, Vt = torch.linalg.svd(B.double())
    nearest = U @ Vt  # all singular values exactly 1
    Q = newton_schulz(B).double()
    large = begin >= 0.002
    # --8<-- [end:run]
    return {
        "size": len(B),
        "after": [[float(f"{s:.4g}") for s in values] for values in after],
        "rows": [
            {
                "iteration": k,
                "largest": max(values),
                "median": torch.tensor(values).median().item(),
                "near_one": sum(0.68 < s < 1.21 for s in values),
            }
            for k, values in enumerate(after)
        ],
        "large": int(large.sum()),
        "large_from": end[large].min().item() if large.any() else 0.0,
        "large_to": end.max().item(),
        "half": int((begin.square().cumsum(0) < 0.5 * begin.square().sum()).sum()) + 1,
        "cosine": ((Q * nearest).sum() / (Q.norm() * nearest.norm())).item(),
        "cosine_before": ((B.double() * nearest).sum() / (B.double().norm() * nearest.norm())).item(),
    }


def draw(results):
    figure, ax = plt.subplots()
    places = range(1, results["size"] + 1)
    for k, values in enumerate(results["after"]):
        last = k in (0, ITERATIONS)
        ink = colour("data") if k == 0 else colour("update")
        ax.plot(places, values, color=ink, alpha=1 if last else 0.3 + 0.1 * k, lw=2.2 if last else 1.2)
    ax.set(
        yscale="log",
        ylim=(1e-5, 3),
        xlabel="singular value, from the largest",
        ylabel="its size, the norm being 1",
        title="Five rounds lift the large ones to about 1",
    )
    size = results["size"]
    ax.annotate("before", (size // 3, results["after"][0][size // 3]), xytext=(-6, -14), textcoords="offset points",
                ha="right", color=colour("data"))  # fmt: skip
    ax.annotate("after 5", (size // 2, results["after"][-1][size // 2]), xytext=(0, 7), textcoords="offset points",
                ha="center", color=colour("update"))  # fmt: skip
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
