"""Can the loop of linear regression fit a curve, and what does a second, similar column cost?

    python examples/the-simplest-case-linear-regression/parabola.py

y = 1 − 3x + 4x² + noise with the columns x², x and 1, raw and standardised. Takes two seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.data import noisy_line
from trainloop.figures import colour, label_ends, line

MOST = 20_000
SHOWN = (3, 30, 300)


# --8<-- [start:fit]
def train(X, y, lr, epochs):
    """One weight per column of X; yields θ before every update."""
    θ = torch.zeros(X.shape[1], 1, dtype=X.dtype)
    for _ in range(epochs):
        yield θ
        residual = X @ θ - y                     # (n, 1)
        gradient = 2 / len(X) * X.T @ residual   # (columns, 1)
        θ = θ - lr * gradient
# --8<-- [end:fit]


def columns(x, standardised):
    features = torch.cat([x**2, x], dim=1)
    if standardised:
        features = (features - features.mean(dim=0)) / features.std(dim=0, correction=0)
    return torch.cat([features, torch.ones_like(x)], dim=1)


def curvatures(X):
    return torch.linalg.eigvalsh(2 * X.T @ X / len(X)).tolist()


def run(quick=False):
    most = 301 if quick else MOST
    x, ε = noisy_line(slope=0, intercept=0, dtype=torch.float64)  # the noise alone
    y = 1 - 3 * x + 4 * x**2 + ε
    rows, fits = [], {}
    for name, standardised in {"raw": False, "standardised": True}.items():
        X = columns(x, standardised)
        best = torch.linalg.lstsq(X, y).solution
        floor = (X @ best - y).square().mean().item()
        smallest, *_, largest = curvatures(X)
        lr = 2 / (smallest + largest)
        reached = None
        for epoch, θ in enumerate(train(X, y, lr, most)):
            if not standardised and epoch in SHOWN:
                fits[str(epoch)] = (X @ θ).flatten()[::3].tolist()
            if (X @ θ - y).square().mean().item() <= 1.01 * floor:
                reached = epoch
                break
        off = (θ - best).abs().max().item()
        rows.append({
            "columns": name, "condition": largest / smallest, "lr": lr, "epochs": reached, "off": off, "floor": floor,
        })
        fits["best"] = (X @ best).flatten()[::3].tolist()

    # Against autograd, once, away from any special place.
    X = columns(x, False)
    θ = torch.tensor([[0.5], [-1.0], [2.0]], dtype=X.dtype, requires_grad=True)
    ((X @ θ - y) ** 2).mean().backward()
    by_hand = 2 / len(X) * X.T @ (X @ θ - y)
    *_, trapped = train(X, y.squeeze(1), 0.1, 2)
    line_design = torch.cat([x, torch.ones_like(x)], dim=1)
    straight = torch.linalg.lstsq(line_design, y).solution
    return {
        "rows": rows,
        "gradient_gap": (by_hand - θ.grad).abs().max().item(),
        "best": torch.linalg.lstsq(X, y).solution.flatten().tolist(),
        "straight_loss": (line_design @ straight - y).square().mean().item(),
        "correlation": torch.corrcoef(torch.cat([x**2, x], dim=1).T)[0, 1].item(),
        "trapped_shape": str(tuple(trapped.shape)),
        "fits": fits,
        "points": {"x": x[::3].flatten().tolist(), "y": y[::3].flatten().tolist()},
    }


def draw(results):
    figure, ax = plt.subplots()
    xs = results["points"]["x"]
    ax.plot(xs, results["points"]["y"], "o", ms=3.5, color=colour("data"))
    lines = []
    for width, epoch in zip((1, 1.7, 2.4), SHOWN, strict=True):
        drawn = ax.plot(xs, results["fits"][str(epoch)], color=colour("by_hand"), lw=width)[0]
        lines.append((drawn, f"epoch {epoch}"))
    best = ax.plot(xs, results["fits"]["best"], **line("truth"))[0]
    lines.append((best, "least squares"))
    ax.set(xlabel="x", ylabel="y", title="The loop of the line fits a curve")
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
