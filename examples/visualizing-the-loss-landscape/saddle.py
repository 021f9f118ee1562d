"""What happens on a ridge, and a millionth beside it?

    python examples/visualizing-the-loss-landscape/saddle.py

The smallest network with two layers, two weights in a row, from a start on the ridge of its loss and from
starts beside it; then the time to leave the saddle against the distance from it. Takes a second.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends

# --8<-- [start:setup]
LEARNING_RATE = 0.1
STEPS = 300
RIDGE = (1.2, -1.2)
NUDGE = 1e-6


def loss(θ):
    """One example, x = 1 and y = 1, through two weights."""
    w1, w2 = θ
    return ((w2 * w1 * 1 - 1) ** 2) / 2


def walk(start, steps, until=lambda loss: False):
    θ = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    path, losses = [], []
    for _ in range(steps):
        measured = loss(θ)
        path.append(θ.tolist())
        losses.append(measured.item())
        if until(losses[-1]):
            break
        measured.backward()
        with torch.no_grad():
            θ -= LEARNING_RATE * θ.grad
        θ.grad = None
    return path, losses


# --8<-- [end:setup]


# --8<-- [start:escape]
def steps_to_leave(δ):
    """From (δ, δ), until half of the loss at the saddle is gone."""
    _, losses = walk((δ, δ), 2000, until=lambda loss: loss < 0.25)
    return len(losses) - 1


# --8<-- [end:escape]


def run(quick=False):
    steps = 150 if quick else STEPS
    exact, exact_losses = walk(RIDGE, steps)
    beside, beside_losses = walk((RIDGE[0] + NUDGE, RIDGE[1]), steps)
    other, _ = walk((RIDGE[0] - NUDGE, RIDGE[1]), steps)
    _, zero_losses = walk((0.0, 0.0), steps)
    hessian = torch.autograd.functional.hessian(loss, torch.zeros(2, dtype=torch.float64))
    curvatures = torch.linalg.eigvalsh(hessian).tolist()

    decades = (2, 6) if quick else tuple(range(1, 15))
    escapes = [{"decade": k, "steps": steps_to_leave(10.0**-k)} for k in decades]
    per_decade = (escapes[-1]["steps"] - escapes[1 if len(escapes) > 2 else 0]["steps"]) / (
        escapes[-1]["decade"] - escapes[1 if len(escapes) > 2 else 0]["decade"]
    )
    half_gone = next((t for t, height in enumerate(beside_losses) if height < 0.25), None)
    plateau = [t for t, height in enumerate(beside_losses) if abs(height - 0.5) < 0.005]
    gone = 1 - math.sqrt(0.5)  # w² where the loss is 0.25
    paper = math.log(math.sqrt(gone) / 1e-6) / math.log(1 + LEARNING_RATE)
    return {
        "lr": LEARNING_RATE,
        "exact": {
            "path": exact,
            "losses": exact_losses,
            "off_ridge": max(abs(a + b) for a, b in exact),
            "end": exact_losses[-1],
            "w1": exact[-1][0],
        },
        "beside": {
            "path": beside,
            "losses": beside_losses,
            "end": beside_losses[-1],
            "w1": beside[-1][0],
            "w2": beside[-1][1],
        },
        "other": {"path": other, "w1": other[-1][0], "w2": other[-1][1]},
        "zero": {"first": zero_losses[0], "last": zero_losses[-1]},
        "curvature": {"down": curvatures[0], "up": curvatures[1]},
        "escapes": escapes,
        "millionth": next(e["steps"] for e in escapes if e["decade"] == 6),
        "paper_millionth": paper,
        "per_decade": {
            "measured": per_decade,
            "paper": math.log(10) / math.log(1 + LEARNING_RATE),
            "smooth": math.log(10) / LEARNING_RATE,
        },
        "half_gone": half_gone,
        "plateau": {"from": plateau[0], "to": plateau[-1], "steps": len(plateau)} if plateau else None,
        "steps": steps,
    }


def draw_paths(ax, curve, results):
    w1, w2 = torch.meshgrid(torch.linspace(-1.7, 1.7, 41), torch.linspace(-1.7, 1.7, 41), indexing="xy")
    levels = [0.02, 0.15, 0.36, 0.5, 0.75, 1.3, 2.4]
    ax.contour(w1, w2, loss((w1, w2)), levels=levels, colors=colour("data"), linewidths=0.7)
    ax.plot(*zip(*results["exact"]["path"][:60], strict=True), color=colour("wrong"), lw=4, alpha=0.5)
    for key in ("beside", "other"):
        concept = "start_a" if key == "beside" else "start_c"
        ax.plot(*zip(*results[key]["path"][:181:4], strict=True), color=colour(concept), lw=1.4, marker=".", ms=4)
    ax.plot(0, 0, "X", color=colour("truth"), ms=8)
    ax.annotate("saddle", (0, 0), xytext=(10, -5), textcoords="offset points")
    ax.annotate("start", RIDGE, xytext=(8, -4), textcoords="offset points")
    for w in (-1, 1):
        ax.plot(w, w, "*", color=colour("truth"), ms=11)
    ax.set(xlabel="w₁", ylabel="w₂", title="On the ridge, and a millionth beside it", aspect="equal")
    lines = [
        (curve.plot(results["exact"]["losses"], color=colour("wrong"), lw=4, alpha=0.5)[0], "on it"),
        (curve.plot(results["beside"]["losses"], color=colour("start_a"))[0], "beside"),
    ]
    curve.set(xlabel="step", ylabel="loss", ylim=(0, 1), xlim=(0, results["steps"]))
    return lines


def draw_escape(ax, results):
    decades = [row["decade"] for row in results["escapes"]]
    ax.plot(decades, [row["steps"] for row in results["escapes"]], "o", color=colour("start_a"), ms=5)
    slope, through = results["per_decade"]["paper"], results["paper_millionth"]
    ax.plot(decades, [through + slope * (k - 6) for k in decades], color=colour("truth"), lw=1, ls="--")
    ax.set(xlabel="zeros after the point: δ = 10⁻ᵏ, k", ylabel="steps to leave", title="Each zero costs the same again")


def draw(results):
    figure, (paths, curve, escape) = plt.subplots(3, 1, figsize=(5.2, 9.0), height_ratios=(2.1, 1, 1.35))
    lines = draw_paths(paths, curve, results)
    draw_escape(escape, results)
    label_ends(curve, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
