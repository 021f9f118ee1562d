"""How far above the best line does SGD hover at a constant learning rate, and what does reshuffling change?

    python examples/batch-vs-stochastic-gradient-descent/floor.py

Starts on the best line, walks five thousand steps, for four learning rates, three batch sizes and twenty
data sets, all walks of one batch size at once. Takes about five seconds.
"""

import matplotlib.pyplot as plt
import torch
from tqdm import tqdm

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour, label_ends, line

# --8<-- [start:setup]
RATES = (0.01, 0.02, 0.05, 0.1, 0.2)
SIZES = (1, 5, 20)
SEEDS = range(20)
STEPS = 5000
# --8<-- [end:setup]
MARKERS = {1: "o", 5: "s", 20: "^"}
CONCEPTS = {1: "single", 5: "minibatch", 20: "minibatch"}


def data_sets(seeds):
    """x of shape (n,), y and the best θ of each data set, shapes (seeds, n) and (seeds, 2)."""
    pairs = [noisy_line(seed=seed, dtype=torch.float64) for seed in seeds]
    best = torch.tensor([least_squares(x, y)[:2] for x, y in pairs], dtype=torch.float64)
    return pairs[0][0].flatten(), torch.stack([y.flatten() for _, y in pairs]), best


# --8<-- [start:hover]
def hover(x, y, best, batch_size, steps, reshuffle, generator):
    """Mean excess loss of walks that start on the best line: (rates, seeds), and at epoch ends."""
    n, lr = len(x), torch.tensor(RATES, dtype=x.dtype)[:, None, None]
    walks = (len(RATES), len(y))
    y = y.expand(len(RATES), -1, -1)
    θ = best.expand(len(RATES), -1, -1)
    total, at_ends, counted, ends = 0.0, 0.0, 0, 0

    def with_replacement(size):
        return torch.randint(n, (*walks, size), generator=generator)

    for t in range(steps):
        k = t * batch_size % n
        if reshuffle and k == 0:
            order = torch.rand(*walks, n, generator=generator).argsort(dim=-1)
        i = order[..., k : k + batch_size] if reshuffle else with_replacement(batch_size)
        xi = x[i]
        r2 = 2 * (θ[..., :1] * xi + θ[..., 1:] - y.gather(-1, i))
        θ = θ - lr * torch.stack([(r2 * xi).mean(-1), r2.mean(-1)], -1)
        if t >= steps // 3:  # by then it has forgotten where it started
            gap = (θ - best)[..., :1] * x + (θ - best)[..., 1:]
            loss = gap.square().mean(-1)
            total, counted = total + loss, counted + 1
            if k + batch_size == n:
                at_ends, ends = at_ends + loss, ends + 1
    return total / counted, at_ends / max(ends, 1)
# --8<-- [end:hover]


def single_noise(x, y, best):
    """s²: mean squared gradient of one example on the best line, of each data set."""
    r2 = 2 * (best[:, :1] * x + best[:, 1:] - y)
    return (r2.square() * (x.square() + 1)).mean(dim=1)


# --8<-- [start:refined]
def beyond_small_steps(x, y, best, lr):
    """By how much η s²/4B falls short at this rate: each direction has its own 2 / (2 − ηλ)."""
    design = torch.stack([x, torch.ones_like(x)], dim=1)
    λ, directions = torch.linalg.eigh(2 * design.T @ design / len(x))
    r2 = 2 * (best[:, :1] * x + best[:, 1:] - y)
    shares = (r2[..., None] * (design @ directions)).square().mean(dim=1)
    return (shares * 2 / (2 - lr * λ)).sum(dim=1) / shares.sum(dim=1)
# --8<-- [end:refined]


def without_approximation(x, y, best, lr, batch_size):
    """The exact hover over η s²/4B: single curvatures aᵢ differ, so the noise grows away from the best line."""
    design = torch.stack([x, torch.ones_like(x)], dim=1)
    a = 2 * design[:, :, None] * design[:, None, :]
    h, eye = a.mean(dim=0), torch.eye(2, dtype=x.dtype)
    pairs = torch.stack([torch.kron(one, one) for one in a]).mean(dim=0)
    squared = pairs / batch_size + (1 - 1 / batch_size) * torch.kron(h, h)
    kept = torch.eye(4, dtype=x.dtype) - lr * (torch.kron(h, eye) + torch.kron(eye, h)) + lr**2 * squared
    found = []
    for θ, target in zip(best, y, strict=True):
        g = 2 * (design @ θ - target)[:, None] * design
        noise = (g.T @ g / len(x)).flatten() * lr**2 / batch_size
        Σ = torch.linalg.solve(torch.eye(4, dtype=x.dtype) - kept, noise).reshape(2, 2)
        found.append(0.5 * (h @ Σ).trace() / (lr * g.square().sum(dim=1).mean() / (4 * batch_size)))
    return torch.stack(found)


def spread(values):
    low, median, high = (values.quantile(q).item() for q in (0.1, 0.5, 0.9))
    return {"low": low, "median": median, "high": high}


def slope(pairs):
    """Least-squares slope of log second against log first."""
    logs = torch.tensor(pairs, dtype=torch.float64).log()
    u, v = (logs - logs.mean(dim=0)).T
    return ((u @ v) / (u @ u)).item()


def run(quick=False):
    seeds, steps = (SEEDS[:2], 200) if quick else (SEEDS, STEPS)
    x, y, best = data_sets(seeds)
    s2 = single_noise(x, y, best)
    points = []
    for size in tqdm(SIZES, desc="batch sizes", leave=False):
        found = {
            word: hover(x, y, best, size, steps, word == "reshuffled", torch.Generator().manual_seed(size))
            for word in ("replacement", "reshuffled")
        }
        for k, lr in enumerate(RATES):
            everywhere, at_ends = (found["reshuffled"][j][k] for j in (0, 1))
            drawn = found["replacement"][0][k]
            points.append({
                "size": size,
                "lr": lr,
                "ratio": lr / size,
                "predicted": (lr * s2 / (4 * size)).median().item(),
                "against_theory": spread(drawn / (lr * s2 / (4 * size))),
                "replacement": spread(drawn),
                "reshuffled": spread(everywhere),
                "epoch_ends": spread(at_ends),
            })
    by_lr = [p for p in points if p["size"] == 20 and p["lr"] <= 0.1]
    at = {(p["size"], p["lr"]): p["replacement"] for p in points}
    gains = {
        p["lr"]: p["replacement"]["median"] / p["epoch_ends"]["median"] for p in points if p["size"] == 20
    }
    return {
        "seeds": len(seeds),
        "points": points,
        "slope": slope([(p["ratio"], p["replacement"]["median"]) for p in points if p["lr"] <= 0.1]),
        "slopes_by_lr": {
            word: slope([(p["lr"], p[word]["median"]) for p in by_lr])
            for word in ("replacement", "reshuffled", "epoch_ends")
        },
        "s2": spread(s2),
        "floor_loss": torch.tensor([least_squares(x[:, None], t[:, None])[2] for t in y]).median().item(),
        # Two pairs with the same quotient.
        "at_tenth": at[1, 0.1]["median"],
        "gain": gains[0.01],
        "gain_fast": gains[0.2],
        "same_quotient": {"small": at[1, 0.02], "large": at[5, 0.1]},
        "fast": {f"{p['size']}": p["against_theory"] for p in points if p["lr"] == 0.2},
        "refined": spread(beyond_small_steps(x, y, best, 0.2)),
        "exact": {
            f"{size}": spread(without_approximation(x, y, best, 0.2, size))["median"] for size in SIZES
        },
        "slow": {f"{p['size']}": p["against_theory"] for p in points if p["lr"] == 0.02},
    }


def draw_floor(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.0))
    ends = [min(p["ratio"] for p in results["points"]), max(p["ratio"] for p in results["points"])]
    s2 = results["s2"]["median"]
    ax.plot(ends, [q * s2 / 4 for q in ends], **line("truth"), lw=1.2, label="η s² / 4B")
    for size in SIZES:
        points = [p for p in results["points"] if p["size"] == size]
        floors = [p["replacement"] for p in points]
        errors = [
            [f["median"] - f["low"] for f in floors],
            [f["high"] - f["median"] for f in floors],
        ]
        ax.errorbar(
            [p["ratio"] for p in points], [f["median"] for f in floors], yerr=errors, fmt=MARKERS[size],
            ms=6, lw=1, color=colour(CONCEPTS[size]), mfc="none" if size == 5 else None, label=f"B = {size}",
        )
    ax.set(
        xscale="log", yscale="log", xlabel="learning rate / batch size", ylabel="mean loss above the best line's",
        title="The height of the hover is set by η/B",
    )
    ax.legend(loc="upper left")
    return figure


def draw_reshuffled(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.6))
    lines = []
    for word, concept, marker, name in (
        ("replacement", "data", "o", "with\nreplacement"),
        ("reshuffled", "minibatch", "s", "reshuffled"),
        ("epoch_ends", "batch", "^", "reshuffled,\nat epoch ends"),
    ):
        points = [p for p in results["points"] if p["size"] == 20]
        rates = [p["lr"] for p in points]
        found = [p[word] for p in points]
        lines.append((ax.plot(rates, [f["median"] for f in found], marker=marker, color=colour(concept))[0], name))
        ax.fill_between(
            rates, [f["low"] for f in found], [f["high"] for f in found], color=colour(concept), alpha=0.18, lw=0
        )
    ax.set(
        xscale="log", yscale="log", xlabel="learning rate (B = 20)", ylabel="mean loss above the best line's",
        title="Reshuffling: the errors of an epoch cancel",
    )
    label_ends(ax, lines, gap=26)
    return figure


def draw(results):
    return {"floor": draw_floor(results), "reshuffled": draw_reshuffled(results)}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
