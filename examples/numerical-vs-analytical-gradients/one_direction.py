"""Is one random direction enough to check a gradient of any size?

    python examples/numerical-vs-analytical-gradients/one_direction.py

Two evaluations of the loss, whatever n: the bugs of `planted.py` along 500 random directions, 50 for each of
ten data sets, and along the direction of all ones; then one wrong sign among n elements. Takes three seconds.
"""

import math

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends, line

PROBLEMS = range(10)
DIRECTIONS = 50  # for each problem
NEEDLES = 500
RTOL = 1e-3  # gradcheck's
SIZES = (10, 100, 1000, 10_000, 100_000)


def problem(seed, n=100):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, W, b = normal(n, 3), 0.7 * normal(3, 3), 0.5 * normal(3)
    y = torch.tanh(x @ W + b) + 0.05 * normal(n, 3)
    return x, y, torch.cat([0.7 * normal(3, 3).view(-1), 0.5 * normal(3)])


def loss(x, y, θ):
    return (torch.tanh(x @ θ[:9].view(3, 3) + θ[9:]) - y).square().mean()


def gradient(x, y, θ, bug=None):
    p = torch.tanh(x @ θ[:9].view(3, 3) + θ[9:])
    dz = (1 if bug == "factor" else 2) * (p - y) / y.numel()
    dz = dz if bug == "slope" else dz * (1 - p**2)
    if bug == "sample":
        x, dz = x[:-1], dz[:-1]
    dW = dz.T @ x if bug == "transposed" else x.T @ dz
    db = dz.sum().expand(3) if bug == "bias" else dz.sum(dim=0)
    g = torch.cat([dW.reshape(-1), db])
    if bug == "sign":
        g[6] *= -1
    return g


BUGS = {
    "factor": "factor 2 forgotten",
    "slope": "tanh′ forgotten",
    "transposed": "∂L/∂W transposed",
    "bias": "b: sum over everything",
    "sample": "last sample left out",
    "sign": "one sign",
}


# --8<-- [start:directional]
def slope_along(f, θ, d, h=1e-6):
    """The slope of f along d: two evaluations, however many elements."""
    h = h / d.norm()  # the step itself is h long
    return (f(θ + h * d) - f(θ - h * d)) / (2 * h)


def agrees(f, claimed, θ, d):
    measured, predicted = slope_along(f, θ, d), claimed @ d
    larger = torch.maximum(predicted.abs(), measured.abs())
    return bool((predicted - measured).abs() <= RTOL * larger)
# --8<-- [end:directional]


def caught(f, claimed, θ, directions):
    """In how many of the directions the claimed gradient is found wrong."""
    return sum(not agrees(f, claimed, θ, d) for d in directions)


def interval(hits, trials):
    """95 % Wilson interval of a rate."""
    z, rate = 1.96, hits / trials
    middle = (rate + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials**2)) / (1 + z * z / trials)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def needle(n, directions):
    """Share of directions that catch one wrong sign among n elements of equal size."""
    generator = torch.Generator().manual_seed(n)
    right = torch.ones(n, dtype=torch.float32)  # L = Σθ: its slope along d is exactly Σd
    hits = 0
    for _ in range(directions):
        d = torch.randn(n, generator=generator, dtype=torch.float32)
        measured = (right * d).sum(dtype=torch.float64)
        predicted = measured - 2 * d[0]
        hits += bool((predicted - measured).abs() > RTOL * torch.maximum(predicted.abs(), measured.abs()))
    return hits


def expected(n):
    """|2 d₀| > rtol |Σd| with d₀ and Σd / √n nearly independent normals: a ratio of normals is Cauchy."""
    return 1 - 2 / math.pi * math.atan(RTOL * math.sqrt(n) / 2)


def run(quick=False):
    problems, trials, needles_tried, sizes = PROBLEMS, DIRECTIONS, NEEDLES, SIZES
    if quick:
        problems, trials, needles_tried, sizes = PROBLEMS[:2], 10, 20, SIZES[:3]
    hits = dict.fromkeys((None, *BUGS), 0)
    by_ones = dict.fromkeys((None, *BUGS), 0)
    for seed in problems:
        x, y, θ = problem(seed)

        def f(θ, x=x, y=y):
            return loss(x, y, θ)

        generator = torch.Generator().manual_seed(1000 + seed)
        directions = torch.randn(trials, θ.numel(), generator=generator, dtype=torch.float64)
        for bug in hits:
            claimed = gradient(x, y, θ, bug)
            hits[bug] += caught(f, claimed, θ, directions)
            by_ones[bug] += caught(f, claimed, θ, [torch.ones_like(θ)])

    rows, total = [], len(problems) * trials
    for bug, count in hits.items():
        low, high = interval(count, total)
        rows.append({
            "gradient": BUGS[bug] if bug else "as it should be",
            "caught": count,
            "percent": 100 * count / total,
            "low": 100 * low,
            "high": 100 * high,
            "ones": by_ones[bug],
        })

    needles = []
    for n in sizes:
        count = needle(n, needles_tried)
        low, high = interval(count, needles_tried)
        needles.append({"n": n, "rate": count / needles_tried, "low": low, "high": high, "expected": expected(n)})
    return {
        "rows": rows,
        "needles": needles,
        "problems": len(problems),
        "directions": total,
        "needles_tried": needles_tried,
        "theory": [{"n": 10**k, "expected": expected(10**k)} for k in range(1, 10)],
    }


def draw(results):
    figure, ax = plt.subplots()
    rows = results["needles"]
    n = [row["n"] for row in rows]
    wide = [row["n"] for row in results["theory"]]
    theory = ax.plot(wide, [row["expected"] for row in results["theory"]], color=colour("truth"), ls=":", lw=1.4)[0]
    drawn = ax.plot(n, [row["rate"] for row in rows], **line("central_difference"), marker="o", ms=5)[0]
    ax.vlines(n, [row["low"] for row in rows], [row["high"] for row in rows], color=colour("central_difference"))
    ax.set(xscale="log", xlabel="number of elements n", ylabel="share of directions that notice", ylim=(0, 1.05))
    ax.set_title("One wrong sign among n")
    label_ends(ax, [(theory, "theory")])
    ax.text(n[0], 0.87, "measured", color=drawn.get_color())
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
