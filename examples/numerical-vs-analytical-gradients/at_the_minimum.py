"""Where in a training run should a gradient be checked?

    python examples/numerical-vs-analytical-gradients/at_the_minimum.py

Gradient descent on the course's line; at every tenth step the right gradient and one with a forgotten 2 are
checked, by relative error and as gradcheck judges. Takes a second.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.data import noisy_line
from trainloop.figures import colour, label_ends, line

STEPS = 600
LEARNING_RATE = 0.5
EVERY = 10
H = 1e-6


def loss(x, y, θ):
    return (θ[0] * x + θ[1] - y).square().mean()


def measured(x, y, θ):
    nudges = H * torch.eye(2, dtype=torch.float64)
    return torch.stack([(loss(x, y, θ + d) - loss(x, y, θ - d)) / (2 * H) for d in nudges])


def relative_error(claimed, numeric):
    return ((claimed - numeric).norm() / torch.maximum(claimed.norm(), numeric.norm())).item()


def gradcheck_accepts(claimed, numeric, atol=1e-5, rtol=1e-3):
    return bool(((claimed - numeric).abs() <= atol + rtol * numeric.abs()).all())


def run(quick=False):
    x, y = noisy_line(dtype=torch.float64)
    θ = torch.zeros(2, dtype=torch.float64)
    rows = []
    for step in range((50 if quick else STEPS) + 1):
        residual = θ[0] * x + θ[1] - y
        gradient = torch.stack([(2 * residual * x).mean(), (2 * residual).mean()])
        if step % EVERY == 0:
            numeric = measured(x, y, θ)
            rows.append({
                "step": step,
                "length": gradient.norm().item(),
                "right": relative_error(gradient, numeric),
                "wrong": relative_error(gradient / 2, numeric),
                "right_accepted": gradcheck_accepts(gradient, numeric),
                "wrong_accepted": gradcheck_accepts(gradient / 2, numeric),
            })
        θ = θ - LEARNING_RATE * gradient
    blind = [row["step"] for row in rows if row["wrong_accepted"]]
    alarm = [row["step"] for row in rows if row["right"] > 1e-4]
    return {
        "rows": rows,
        "start": rows[0]["right"],
        "end": rows[-1]["right"],
        "end_length": rows[-1]["length"],
        "blind_from": blind[0] if blind else None,
        "alarm_from": alarm[0] if alarm else None,
        "right_always_accepted": all(row["right_accepted"] for row in rows),
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.8))
    steps = [row["step"] for row in results["rows"]]
    right = ax.plot(steps, [row["right"] for row in results["rows"]], **line("autograd"))[0]
    wrong = ax.plot(steps, [row["wrong"] for row in results["rows"]], **line("wrong"))[0]
    if results["blind_from"] is not None:
        ax.axvline(results["blind_from"], color=colour("data"), lw=1, ls=":")
        ax.text(results["blind_from"] + 10, 2e-11, "from here, gradcheck\naccepts both", color=colour("data"))
    ax.set(yscale="log", xlabel="step of the training run", ylabel="relative error", ylim=(1e-12, 4))
    ax.set_title("At the minimum, right and wrong look alike")
    label_ends(ax, [(right, "right"), (wrong, "half")])
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
