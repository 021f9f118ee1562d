"""How much noise is in the gradient of a batch of B examples, drawn with and without replacement?

    python examples/batch-vs-stochastic-gradient-descent/gradient_noise.py

Two thousand batches of each size at the best line of ten data sets, and every pair of four numbers.
Takes about two seconds.
"""

from itertools import combinations, product

import matplotlib.pyplot as plt
import torch

from trainloop.data import least_squares, noisy_line
from trainloop.figures import colour, label_ends

# --8<-- [start:setup]
SIZES = (1, 2, 5, 10, 20, 50, 80, 90, 95, 99, 100)
SEEDS = range(10)
DRAWS = 2000
# --8<-- [end:setup]
FOUR = (1.0, 3.0, 5.0, 7.0)


def single_gradients(θ, x, y):
    w, b = θ
    r = w * x + b - y
    return torch.stack([2 * r * x, 2 * r], dim=1)


# --8<-- [start:noise]
def noise(single, batches):
    """Mean squared distance of the batches' gradients from the full batch's."""
    means = single[batches].mean(dim=1)
    return (means - single.mean(dim=0)).square().sum(dim=1).mean().item()


def measure(single, sizes, draws, generator):
    n = len(single)
    without = torch.rand(draws, n, generator=generator).argsort(dim=1)
    with_ = torch.randint(n, (draws, n), generator=generator)
    return {
        "without": [noise(single, without[:, :B]) for B in sizes],
        "with": [noise(single, with_[:, :B]) for B in sizes],
    }
# --8<-- [end:noise]


# --8<-- [start:slope]
def slope(sizes, values):
    """Least-squares slope of log value against log B."""
    design = torch.tensor([[B, 1.0] for B in sizes], dtype=torch.float64)
    design[:, 0].log_()
    target = torch.tensor(values, dtype=torch.float64).log()
    return torch.linalg.lstsq(design, target[:, None]).solution[0].item()
# --8<-- [end:slope]


def spread(values):
    low, median, high = torch.tensor(values, dtype=torch.float64).quantile(
        torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    ).tolist()
    return {"low": low, "median": median, "high": high}


# --8<-- [start:four]
def variance_of_means(batches):
    means = [sum(batch) / len(batch) for batch in batches]
    centre = sum(means) / len(means)
    return sum((mean - centre) ** 2 for mean in means) / len(means)


def four_numbers():
    return {
        "one": variance_of_means(combinations(FOUR, 1)),
        "pairs": variance_of_means(combinations(FOUR, 2)),
        "pairs_with": variance_of_means(product(FOUR, repeat=2)),
        "triples": variance_of_means(combinations(FOUR, 3)),
        "all": variance_of_means(combinations(FOUR, 4)),
    }
# --8<-- [end:four]


def run(quick=False):
    seeds, draws = (SEEDS[:2], 100) if quick else (SEEDS, DRAWS)
    measured = {"without": [], "with": []}
    slopes = {"with": [], "few": [], "all": [], "corrected": []}
    one, predicted, full = [], [], []
    for seed in seeds:
        x, y = noisy_line(seed=seed, dtype=torch.float64)
        θ = least_squares(x, y)[:2]
        single = single_gradients(θ, x.flatten(), y.flatten())
        n = len(single)
        found = measure(single, SIZES, draws, torch.Generator().manual_seed(1000 + seed))
        for word in measured:
            measured[word].append(found[word])
        s2 = single.sub(single.mean(dim=0)).square().sum(dim=1).mean().item()
        one.append(s2)
        predicted.append([s2 / B * (n - B) / (n - 1) for B in SIZES])
        full.append(found["without"][-1])
        few = [k for k, B in enumerate(SIZES) if B <= 10]
        part = [k for k, B in enumerate(SIZES) if n > B]
        without = found["without"]
        corrected = [without[k] * (n - 1) / (n - SIZES[k]) for k in part]
        slopes["with"].append(slope(SIZES, found["with"]))
        slopes["few"].append(slope([SIZES[k] for k in few], [without[k] for k in few]))
        slopes["all"].append(slope([SIZES[k] for k in part], [without[k] for k in part]))
        slopes["corrected"].append(slope([SIZES[k] for k in part], corrected))

    names = {
        "with": "with replacement",
        "few": "without, to B = 10",
        "all": "without, to B = 99",
        "corrected": "the same, corrected",
    }
    median = {word: torch.tensor(values).median(dim=0).values.tolist() for word, values in measured.items()}
    ratio = torch.tensor(measured["without"]) / torch.tensor(predicted).clamp(min=1e-300)
    x, y = (t.flatten() for t in noisy_line(dtype=torch.float64))
    start = single_gradients((0.0, 0.0), x, y)
    best = single_gradients(least_squares(x[:, None], y[:, None])[:2], x, y)
    return {
        "seeds": len(seeds),
        "draws": draws,
        "sizes": list(SIZES),
        "measured": median,
        "one": spread(one),
        "full": max(full),
        "off_by": (ratio[:, :-1] - 1).abs().max().item(),
        "rows": [{"draw": names[word]} | spread(values) for word, values in slopes.items()],
        "four": four_numbers(),
        "seed_42": {
            "start": start.sub(start.mean(dim=0)).square().sum(dim=1).mean().item(),
            "best": best.sub(best.mean(dim=0)).square().sum(dim=1).mean().item(),
            "start_gradient": start.mean(dim=0).norm().item(),
        },
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.2))
    s2, n = results["one"]["median"], 100
    fine = sorted([*torch.logspace(0, 2, 60)[:-1].tolist(), 97.0, 98.0, 98.6, 99.0, 99.3])
    sizes = results["sizes"]
    with_ = ax.plot(fine, [s2 / B for B in fine], color=colour("data"), ls="--")[0]
    without = ax.plot(fine, [s2 / B * (n - B) / (n - 1) for B in fine], color=colour("minibatch"))[0]
    ax.plot(sizes, results["measured"]["with"], "s", ms=5, color=colour("data"))
    ax.plot(sizes[:-1], results["measured"]["without"][:-1], "o", ms=5, color=colour("minibatch"))
    low = min(results["measured"]["without"][:-1]) / 3
    ax.set(xscale="log", yscale="log", ylim=(low, None))
    ax.annotate(
        "B = n:\nno noise", (100, low), xytext=(-64, 22), textcoords="offset points", va="center",
        color=colour("batch"), arrowprops={"arrowstyle": "->", "color": colour("batch")},
    )
    ax.set(
        xlabel="batch size B",
        ylabel="gradient noise",
        title="The noise falls as 1/B, and then to nothing",
    )
    label_ends(ax, [(with_, "with\nreplacement"), (without, "without")], gap=24)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
