"""Why must the learning rate fall?

    python examples/learning-rate-schedules/noise_floor.py

SGD on a bowl that is steep one way and flat the other, with noisy gradients: at two constant rates and under four
schedules that begin at the larger. 2,000 walks each, all at once. Takes five seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends, line
from trainloop.schedulers.constant_lr import constant_lr
from trainloop.schedulers.cosine_annealing_lr import cosine_annealing_lr
from trainloop.schedulers.lambda_lr import lambda_lr
from trainloop.schedulers.multi_step_lr import multi_step_lr
from trainloop.schedulers.polynomial_lr import polynomial_lr

CURVATURES = (1.0, 0.02)
NOISE = 1.0  # standard deviation of each gradient
STEPS, WALKS = 1000, 2000
LARGE, SMALL = 0.5, 0.01
SCHEDULES = {
    "large": lambda t: constant_lr(t, LARGE, factor=1.0),
    "small": lambda t: constant_lr(t, SMALL, factor=1.0),
    "drops": lambda t: multi_step_lr(t, LARGE, milestones=[500, 750]),
    "cosine": lambda t: cosine_annealing_lr(t, LARGE, T_max=STEPS),
    "line": lambda t: polynomial_lr(t, LARGE, total_iters=STEPS),
    "one over t": lambda t: lambda_lr(
        t, LARGE, lr_lambda=lambda t: min(1, 100 / (t + 1))
    ),
}
LABELS = {
    "large": f"always {LARGE:g}",
    "small": f"always {SMALL:g}",
    "drops": "two drops",
    "cosine": "cosine",
    "line": "straight line",
    "one over t": "1/t",
}
COLOURS = {"large": "constant", "drops": "step_decay", "cosine": "cosine", "small": "data"}
BEGIN = 10.0


def walk(schedule, steps, walks):
    """Mean loss of many walks before each step, and after the last."""
    generator = torch.Generator().manual_seed(0)
    λ = torch.tensor(CURVATURES, dtype=torch.float64)
    θ = torch.full((walks, 2), BEGIN, dtype=torch.float64)
    losses = []
    for t in range(steps + 1):
        losses.append((0.5 * λ * θ**2).sum(dim=1).mean().item())
        noise = torch.randn(walks, 2, generator=generator, dtype=θ.dtype)
        θ = θ - schedule(t) * (λ * θ + NOISE * noise)
    return losses


def floor_on_paper(lr):
    """Where the mean loss rests at a constant rate: each direction at η σ² / (2 (2 − ηλ))."""
    return sum(lr * NOISE**2 / (2 * (2 - lr * λ)) for λ in CURVATURES)


def run(quick=False):
    steps, walks = (50, 20) if quick else (STEPS, WALKS)
    losses = {name: walk(schedule, steps, walks) for name, schedule in SCHEDULES.items()}
    places = sorted({*range(0, min(steps, 40), 2), *range(0, steps + 1, 10)})
    rested = losses["large"][steps // 2 :]
    return {
        "steps": steps,
        "walks": walks,
        "noise": NOISE,
        "large": LARGE,
        "small": SMALL,
        "places": places,
        "begin": losses["large"][0],
        "losses": {name: [float(f"{it[k]:.4g}") for k in places] for name, it in losses.items()},
        "end": {name: it[-1] for name, it in losses.items()},
        "floor": {
            "measured": sum(rested) / len(rested),
            "paper": floor_on_paper(LARGE),
            "small": floor_on_paper(SMALL),
        },
        "left_of_the_way": (1 - SMALL * CURVATURES[1]) ** steps,
        "before_drop": losses["drops"][min(500, steps)],
        "after_drop": losses["drops"][min(700, steps)],
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.9))
    lines = []
    for name, losses in results["losses"].items():
        style = line(COLOURS[name]) if name in COLOURS else {"color": colour("update")}
        if name == "one over t":
            style = {"color": colour("one_cycle"), "linestyle": (0, (6, 1.5, 1, 1.5))}
        (drawn,) = ax.plot(results["places"], losses, linewidth=1.5, **style)
        lines.append((drawn, LABELS[name]))
    ax.axhline(results["floor"]["paper"], color=colour("truth"), linewidth=0.9, linestyle=(0, (1, 2)))
    ax.set(
        yscale="log", xlabel="step", ylabel="mean loss above the minimum", xticks=(0, 250, 500, 750),
        title="Too high or too late, unless the rate falls",
    )
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
