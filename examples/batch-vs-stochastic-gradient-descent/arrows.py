"""Where do the gradients of single examples point, and what does averaging B of them do?

    python examples/batch-vs-stochastic-gradient-descent/arrows.py

Forty batches of each size at two places: the start, and a place the full batch reaches after forty steps.
Takes about two seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.data import noisy_line
from trainloop.figures import colour

SIZES = (1, 2, 5, 10, 25, 50, 100)
SHOWN = 40
COUNTED = 4000
STEPS_TO_NEAR = 40
LEARNING_RATE = 0.1
PLACES = {"far": "at the start", "near": "near the best line"}


# --8<-- [start:single]
def single_gradients(θ, x, y):
    """One row (∂Lᵢ/∂w, ∂Lᵢ/∂b) for each example."""
    w, b = θ
    r = w * x + b - y
    return torch.stack([2 * r * x, 2 * r], dim=1)
# --8<-- [end:single]


def batch_gradients(single, batch_size, count, generator):
    """Means of `count` batches drawn without replacement, shape (count, 2)."""
    order = torch.rand(count, len(single), generator=generator, dtype=single.dtype).argsort(dim=1)
    return single[order[:, :batch_size]].mean(dim=1)


def run(quick=False):
    counted = 100 if quick else COUNTED
    x, y = (t.flatten() for t in noisy_line(dtype=torch.float64))
    far = torch.zeros(2, dtype=x.dtype)
    near = far
    for _ in range(STEPS_TO_NEAR):
        near = near - LEARNING_RATE * single_gradients(near, x, y).mean(dim=0)

    results = {"places": {"far": far.tolist(), "near": near.tolist()}, "sizes": {}, "full": {}}
    for place, θ in (("far", far), ("near", near)):
        single = single_gradients(θ, x, y)
        full = single.mean(dim=0)
        results["full"][place] = (-full).tolist()
        for size in SIZES:
            generator = torch.Generator().manual_seed(size)
            batches = batch_gradients(single, size, counted, generator)
            found = results["sizes"].setdefault(f"{size}", {})
            found[place] = {
                "arrows": (-batches[:SHOWN]).tolist(),
                # A step along -g_B climbs where g_B and g point more than a right angle apart.
                "uphill": 100 * (batches @ full < 0).double().mean().item(),
                "spread": (batches - full).square().sum(dim=1).mean().sqrt().item(),
            }
    near = {size: found["near"]["spread"] for size, found in results["sizes"].items()}
    results["near_shrink"] = {size: near["1"] / near[size] for size in near if size != f"{len(x)}"}
    return results


def draw_size(results, size):
    figure, axes = plt.subplots(1, 2, figsize=(5.2, 3.3))
    limits = {"far": (-0.8, 11.2), "near": (-0.8, 0.8)}
    for ax, (place, name) in zip(axes, PLACES.items(), strict=True):
        arrows = torch.tensor(results["sizes"][f"{size}"][place]["arrows"])
        zero = torch.zeros(len(arrows))
        how = {"angles": "xy", "scale_units": "xy", "scale": 1}
        ax.quiver(zero, zero, *arrows.T, color=colour("single"), alpha=0.55, width=0.009, **how)
        ax.quiver(0, 0, *results["full"][place], color=colour("batch"), width=0.02, zorder=3, **how)
        ax.set(xlim=limits[place], ylim=limits[place], xlabel="pull on w")
        ax.set_title(name, fontweight="normal")
        ax.set_aspect("equal")
    axes[0].set(ylabel="pull on b", xticks=[0, 5, 10], yticks=[0, 5, 10])
    axes[1].set(xticks=[-0.5, 0, 0.5], yticks=[-0.5, 0, 0.5])
    uphill = results["sizes"][f"{size}"]["near"]["uphill"]
    figure.suptitle(
        f"B = {size}: near the best line, {uphill:.0f} % point uphill", x=0.02, ha="left", weight="bold", size=12
    )
    return figure


def draw(results):
    return {f"size-{size}": draw_size(results, size) for size in SIZES}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
