"""How likely is it that a flat place of a random landscape is a minimum?

    python examples/gradient-descent-fundamentals/saddles.py

20,000 random symmetric matrices for each dimension from 1 to 8, as curvatures at a point where the slope is zero:
how often all of them point up. Takes five seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour

DIMENSIONS = range(1, 9)
DRAWS = 20_000


# --8<-- [start:share]
def share(n, draws, generator):
    """The share of random symmetric n × n matrices without a negative eigenvalue, and how many eigenvalues are."""
    A = torch.randn(draws, n, n, generator=generator, dtype=torch.float64)
    H = (A + A.mT) / 2  # normal, the diagonal with twice the variance
    down = (torch.linalg.eigvalsh(H) < 0).sum(1)
    return (down == 0).double().mean().item(), down.double().mean().item()


# --8<-- [end:share]


def run(quick=False):
    generator = torch.Generator().manual_seed(0)
    rows = []
    for n in DIMENSIONS:
        minima, down = share(n, 200 if quick else DRAWS, generator)
        rows.append({"n": n, "minima": minima, "all_alike": 0.5**n, "down": down})
    return {"draws": DRAWS, "rows": rows}


def draw(results):
    figure, ax = plt.subplots()
    seen = [row for row in results["rows"] if row["minima"] > 0]
    ax.plot([r["n"] for r in seen], [r["minima"] for r in seen], "o-", color=colour("update"))
    ax.plot([r["n"] for r in results["rows"]], [r["all_alike"] for r in results["rows"]], ":", color=colour("truth"))
    ax.annotate("measured", (seen[-1]["n"], seen[-1]["minima"]), xytext=(8, -4), textcoords="offset points",
                color=colour("update"))  # fmt: skip
    ax.annotate("tosses of a coin, 2⁻ⁿ", (5, 0.5**5), xytext=(8, 4), textcoords="offset points")
    ax.set(
        yscale="log",
        xlabel="number of weights n",
        ylabel="share that are minima",
        title="With more weights, flat places are saddles",
    )
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
