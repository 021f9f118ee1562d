"""How does the error of a difference depend on its step h, in float32 and in float64?

    python examples/numerical-vs-analytical-gradients/step_size.py

The derivative of x³ at 1,000 points between 1 and 2, by forward and by central differences, for steps from 1
down to 10⁻¹⁶. Takes a second.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, line

POINTS = 1000
STEPS = tuple(10 ** (-k / 4) for k in range(65))  # 1 … 1e-16, four a decade
PRECISIONS = {"float16": torch.float16, "float32": torch.float32, "float64": torch.float64}

# Order of the truncation error; the best step is about ε to the power 1 / (order + 1).
ORDER = {"forward": 1, "central": 2}
# Where the labels stand: forward, central, rounding.
PLACES = (((1e-2, 2e-2), (0.03, 4e-7), (2e-6, 2e-6)), ((2e-3, 2e-2), (1e-3, 1e-9), (3e-11, 1e-9)))


def cube(x):
    return x * x * x


def relative_errors(dtype, method, h, points):
    """Relative error of the difference at random points between 1 and 2, where the slope is 3x²."""
    generator = torch.Generator().manual_seed(0)
    x, spread = torch.rand(2, points, generator=generator, dtype=torch.float64)
    x = (1 + x).to(dtype)
    # Each point takes a step of its own near h: how luckily x + h rounds must not be the same for all.
    h = (h * 10 ** ((spread - 0.5) / 4)).to(dtype)
    forward, central = (cube(x + h) - cube(x)) / h, (cube(x + h) - cube(x - h)) / (2 * h)
    estimate = forward if method == "forward" else central
    truth = 3 * x.double() ** 2
    return (estimate.double() - truth).abs() / truth


def slope(steps, errors):
    """Least-squares slope in the log-log plane: the power of h with which the error grows."""
    x, y = torch.tensor(steps).log10().double(), torch.tensor(errors).log10().double()
    x, y = x - x.mean(), y - y.mean()
    return ((x * y).sum() / (x * x).sum()).item()


def straight(curve, low, high):
    """The part of a curve between two steps, ends included."""
    pairs = [(h, e) for h, e in zip(curve["h"], curve["median"], strict=True) if low <= h * 1.001 and h <= high * 1.001]
    return [h for h, _ in pairs], [e for _, e in pairs]


def curve_of(dtype, method, points):
    curve = {"h": [], "low": [], "median": [], "high": []}
    for h in STEPS:
        if h < 0.3 * torch.finfo(dtype).eps:  # 1 + h is 1: the difference is zero
            break
        errors = relative_errors(dtype, method, h, points)
        curve["h"].append(h)
        for name, share in {"low": 0.1, "median": 0.5, "high": 0.9}.items():
            curve[name].append(errors.quantile(share).item())
    return curve


def run(quick=False):
    points = 60 if quick else POINTS
    curves, rows = {}, []
    for precision, dtype in PRECISIONS.items():
        ε = torch.finfo(dtype).eps
        for method, order in ORDER.items():
            curve = curves[f"{precision}_{method}"] = curve_of(dtype, method, points)
            predicted = ε ** (1 / (order + 1))
            best = min(range(len(curve["h"])), key=lambda i: curve["median"][i])
            row = {
                "precision": precision,
                "method": method,
                "predicted": predicted,
                "best": curve["h"][best],
                "error": curve["median"][best],
                "predicted_error": predicted**order,
                "truncation": None,
                "rounding": None,
            }
            # float16 has no straight parts worth the name: its whole range is three decades.
            if precision != "float16":
                row["truncation"] = slope(*straight(curve, 10 * predicted, 0.1))
                row["rounding"] = slope(*straight(curve, 30 * ε, predicted / 10))
            rows.append(row)
    at = {
        f"{precision}_{method}": curves[f"{precision}_{method}"]["median"][STEPS.index(1e-6)]
        for precision in ("float32", "float64")
        for method in ORDER
    }
    return {
        "curves": curves,
        "rows": rows,
        "epsilon": {name: torch.finfo(dtype).eps for name, dtype in PRECISIONS.items()},
        "at_1e-6": at,
        "points": points,
    }


def draw(results):
    figure, axes = plt.subplots(2, 1, figsize=(5.2, 7.2), sharex=True, sharey=True)
    rows = {f"{row['precision']}_{row['method']}": row for row in results["rows"]}
    for ax, precision in zip(axes, ("float32", "float64"), strict=True):
        for method in ORDER:
            concept, row = f"{method}_difference", rows[f"{precision}_{method}"]
            curve = results["curves"][f"{precision}_{method}"]
            ax.plot(curve["h"], curve["median"], **line(concept))
            ax.fill_between(curve["h"], curve["low"], curve["high"], color=colour(concept), alpha=0.15, lw=0)
            ax.axvline(row["predicted"], color=colour(concept), ls=":", lw=1.2)
            ax.plot(row["best"], row["error"], "*", ms=13, color=colour(concept), mec="none", zorder=5)
        best = rows[f"{precision}_central"]["error"]
        ax.set_title(f"{precision}: {-math.log10(best):.0f} digits at best, at the right h")
        ax.set(xscale="log", yscale="log", ylabel="relative error", xlim=(1e-16, 2), ylim=(3e-12, 8))
    axes[1].set_xlabel("step h")
    for ax, (forward, central, rounding) in zip(axes, PLACES, strict=True):
        ax.text(*forward, "forward,\nslope 1", color=colour("forward_difference"), ha="right")
        ax.text(*central, "central,\nslope 2", color=colour("central_difference"))
        ax.text(*rounding, "rounding,\nslope −1", ha="right")
    axes[1].axvline(1e-6, color=colour("data"), lw=1)
    axes[1].text(6e-7, 1, "gradcheck", color=colour("data"), ha="right")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
