"""What is a run worth if it may end at any step?

    python examples/modern-optimizers/anytime.py

A noisy quadratic in 20 weights, 20 seeds at once, 1,200 steps: SGD at a constant rate, with a linear decay planned
for 400 steps, inside Lookahead, and Schedule-Free, each at the best of nine rates for 400 steps. Takes ten seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends
from trainloop.optim import SGD, Lookahead, ScheduleFreeSGD

# --8<-- [start:setup]
PLANNED, LONG = 400, 1200
TUNING, FRESH = 0, 1  # of each 20 rows: the seeds
SEEDS = 20
CURVATURES = torch.logspace(-2, 0, 20, dtype=torch.float64)
NOISE = 1.0

CONTESTANTS = {
    "constant": (lambda p, lr: SGD(p, lr=lr), None),
    "decay": (lambda p, lr: SGD(p, lr=lr), PLANNED),
    "lookahead": (lambda p, lr: Lookahead(SGD(p, lr=lr), k=10, alpha=0.5), None),
    "schedule-free": (lambda p, lr: ScheduleFreeSGD(p, lr=lr), None),
}
# --8<-- [end:setup]


def curve(make, planned, lr, seed, steps):
    """The loss of each of 20 runs after every tenth step, at the weights that the optimizer would hand over."""
    generator = torch.Generator().manual_seed(seed)
    x = (3 * torch.randn(SEEDS, 20, generator=generator, dtype=torch.float64)).requires_grad_()
    optimizer = make([x], lr)
    found = []
    for step in range(steps + 1):
        if step % 10 == 0:
            free = isinstance(optimizer, ScheduleFreeSGD) and step > 0
            if free:
                optimizer.eval()
            found.append((0.5 * CURVATURES * x.detach().square()).sum(1))
            if free:
                optimizer.train()
        if planned:
            optimizer.param_groups[0]["lr"] = lr * max(0.0, 1 - step / planned)
        noise = NOISE * torch.randn(x.shape, generator=generator, dtype=torch.float64)
        x.grad = CURVATURES * x.detach() + CURVATURES.sqrt() * noise
        optimizer.step()
    return torch.stack(found)  # (steps / 10 + 1, seeds)


def run(quick=False):
    long, planned_for = (40, 20) if quick else (LONG, PLANNED)
    rates = [1.0] if quick else [0.03 * 10 ** (k / 4) for k in range(13)]
    at = planned_for // 10
    contestants = {}
    for name, (make, planned) in CONTESTANTS.items():
        plan = planned_for if planned else None
        ends = {}
        for lr in rates:
            end = curve(make, plan, lr, TUNING, planned_for)[-1].mean().item()
            ends[lr] = end if end < 1e6 else 1e6
        lr = min(ends, key=ends.get)
        losses = curve(make, plan, lr, FRESH, long)
        contestants[name] = {
            "lr": lr,
            "at_edge": not quick and lr in (rates[0], rates[-1]),
            "curve": [float(f"{v:.4g}") for v in losses.mean(1).tolist()],
            "half": losses[at // 2].mean().item(),
            "planned": losses[at].mean().item(),
            "long": losses[-1].mean().item(),
            "seeds_planned": losses[at].tolist(),
            "seeds_half": losses[at // 2].tolist(),
            "seeds_long": losses[-1].tolist(),
        }
    free = contestants["schedule-free"]

    def wins(other, when):
        return sum(a < b for a, b in zip(free[f"seeds_{when}"], contestants[other][f"seeds_{when}"], strict=True))

    return {
        "planned": planned_for,
        "long": long,
        "seeds": SEEDS,
        "rates": len(rates),
        "contestants": contestants,
        "wins": {
            other: {when: wins(other, when) for when in ("half", "planned", "long")}
            for other in contestants
            if other != "schedule-free"
        },
        "start": free["curve"][0],
    }


def draw(results):
    figure, ax = plt.subplots()
    inks = {"constant": "data", "decay": "wrong", "lookahead": "measure", "schedule-free": "update"}
    dashes = {"constant": "-", "decay": (0, (5, 1.5)), "lookahead": (0, (1, 1.5)), "schedule-free": "-"}
    lines = []
    for name, found in results["contestants"].items():
        steps = [10 * i for i in range(len(found["curve"]))]
        lines.append((ax.plot(steps, found["curve"], color=colour(inks[name]), ls=dashes[name])[0], name))
    ax.axvline(results["planned"], color=colour("truth"), lw=0.8, ls=":")
    ax.set(yscale="log", xlabel="step", ylabel="loss, mean over the seeds", title="A decay is good at one step")
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
