"""Which batch size is best when each may choose its own learning rate, at an equal budget?

    python examples/batch-vs-stochastic-gradient-descent/tuned_sizes.py

Seven batch sizes, the same twenty learning rates for each, chosen on twenty data sets and judged on forty
others; three budgets. Takes about five seconds.
"""

import matplotlib.pyplot as plt
import torch
from tqdm import tqdm

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour

# --8<-- [start:setup]
SIZES = (1, 2, 5, 10, 20, 50, 100)
RATES = tuple(10 ** (-2.5 + i / 8) for i in range(20))  # 0.003 … 0.75
CHOOSE, JUDGE = range(20), range(20, 60)
BUDGETS = {"3 epochs": ("epochs", 3), "30 epochs": ("epochs", 30), "30 steps": ("steps", 30)}
# --8<-- [end:setup]


def data_sets(seeds):
    pairs = [noisy_line(seed=seed, dtype=torch.float64) for seed in seeds]
    best = torch.tensor([least_squares(x, y)[:2] for x, y in pairs], dtype=torch.float64)
    return pairs[0][0].flatten(), torch.stack([y.flatten() for _, y in pairs]), best


# --8<-- [start:excess]
def excess_after(x, y, best, batch_size, stops, generator):
    """Loss above the best line's at each step in `stops`: {step: (rates, data sets)}."""
    n, lr = len(x), torch.tensor(RATES, dtype=x.dtype)[:, None, None]
    walks = (len(RATES), len(y))
    y = y.expand(len(RATES), -1, -1)
    θ = torch.zeros(*walks, 2, dtype=x.dtype)
    found = {}
    for t in range(max(stops)):
        k = t * batch_size % n
        if k == 0:
            order = torch.rand(*walks, n, generator=generator).argsort(dim=-1)
        i = order[..., k : k + batch_size]
        xi = x[i]
        r2 = 2 * (θ[..., :1] * xi + θ[..., 1:] - y.gather(-1, i))
        θ = θ - lr * torch.stack([(r2 * xi).mean(-1), r2.mean(-1)], -1)
        if t + 1 in stops:
            gap = (θ - best)[..., :1] * x + (θ - best)[..., 1:]
            loss = gap.square().mean(-1)
            found[t + 1] = torch.where(loss < 1e6, loss, torch.inf)
    return found
# --8<-- [end:excess]


def run(quick=False):
    budgets = {"3 epochs": ("epochs", 1)} if quick else BUDGETS
    chosen, judged = data_sets(CHOOSE), data_sets(JUDGE)
    n = len(chosen[0])
    results = {
        "rates": len(RATES), "choose": len(CHOOSE), "judge": len(JUDGE), "n": n,
        "budgets": {name: {"rows": [], "at_edge": 0} for name in budgets},
    }
    losses = {name: {} for name in budgets}
    for size in tqdm(SIZES, desc="batch sizes", leave=False):
        stops = {
            name: budget if kind == "steps" else budget * n // size for name, (kind, budget) in budgets.items()
        }
        tries = excess_after(*chosen, size, set(stops.values()), torch.Generator().manual_seed(size))
        finals = excess_after(*judged, size, set(stops.values()), torch.Generator().manual_seed(1000 + size))
        for name, stop in stops.items():
            k = tries[stop].median(dim=1).values.argmin().item()
            final = finals[stop][k]
            low, median, high = (final.quantile(q).item() for q in (0.1, 0.5, 0.9))
            losses[name][size] = final
            results["budgets"][name]["at_edge"] += k in (0, len(RATES) - 1)
            results["budgets"][name]["rows"].append({
                "size": size, "steps": stop, "best_lr": RATES[k], "low": low, "median": median, "high": high,
            })
    for name, found in losses.items():
        results["budgets"][name]["single_beats_batch"] = int((found[1] < found[100]).sum())
        results["budgets"][name]["ten_beats_batch"] = int((found[10] < found[100]).sum())
    return results


def draw(results):
    budgets = results["budgets"]
    figure, axes = plt.subplots(len(budgets), 1, figsize=(5.2, 6.8), sharex=True, sharey=True, squeeze=False)
    titles = {
        "3 epochs": "Same 3 epochs: small batches lead",
        "30 epochs": "Same 30 epochs: no size separates itself",
        "30 steps": "Same 30 steps: the larger, the better",
    }
    for ax, (name, found) in zip(axes.flat, budgets.items(), strict=True):
        for row in found["rows"]:
            size = row["size"]
            concept = {1: "single", 100: "batch"}.get(size, "minibatch")
            error = [[row["median"] - row["low"]], [row["high"] - row["median"]]]
            ax.errorbar(size, row["median"], yerr=error, fmt="o", ms=6, lw=1.6, color=colour(concept))
        ax.set(xscale="log", yscale="log", title=titles[name], ylabel="excess loss")
        ax.set_xticks(SIZES, [str(size) for size in SIZES])
        ax.minorticks_off()
    axes[-1, 0].set_xlabel("batch size B, each at its own learning rate")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
