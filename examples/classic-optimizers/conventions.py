"""What do the ways of writing momentum have in common, and when do they part?

    python examples/classic-optimizers/conventions.py

torch's form, with the learning rate outside the buffer, beside the form with it inside; torch's Nesterov beside the
paper's; dampening; and what a steady gradient makes of each. Takes two seconds.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends
from trainloop.landscapes import ravine
from trainloop.optim import SGD

STEPS, DROP = 80, 40
LR, μ = 0.01, 0.9


def gradient(x):
    return torch.stack(ravine.grad(*x))


# --8<-- [start:inside]
def inside(lrs):
    """v = μv + ηg, x = x − v: the learning rate is part of the velocity."""
    x, v = torch.tensor(ravine.start, dtype=torch.float64), 0.0
    points = [x]
    for η in lrs:
        v = μ * v + η * gradient(x)
        x = x - v
        points.append(x)
    return torch.stack(points)


def paper(lrs):
    """Nesterov as Sutskever et al. write it: the gradient is taken where the velocity alone would lead."""
    x, v = torch.tensor(ravine.start, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    points, aheads = [x], [x]
    for η in lrs:
        v = μ * v - η * gradient(x + μ * v)
        x = x + v
        points.append(x)
        aheads.append(x + μ * v)
    return torch.stack(points), torch.stack(aheads)


# --8<-- [end:inside]


def torchs(lrs, **options):
    x = torch.tensor(ravine.start, dtype=torch.float64, requires_grad=True)
    optimizer = SGD([x], lr=LR, momentum=μ, **options)
    points = [x.detach().clone()]
    for η in lrs:
        optimizer.param_groups[0]["lr"] = η
        x.grad = gradient(x.detach())
        optimizer.step()
        points.append(x.detach().clone())
    return torch.stack(points)


def steady(**options):
    """The lengths of the steps under a gradient of 1, in learning rates."""
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = SGD([x], lr=1.0, **options)
    places = [0.0]
    for _ in range(100):
        x.grad = torch.ones_like(x)
        optimizer.step()
        places.append(-x.item())
    return {f"step_{t}": places[t] - places[t - 1] for t in (1, 2, 10, 100)}


def run(quick=False):
    steps = 20 if quick else STEPS
    drop = steps // 2 if quick else DROP
    constant = [LR] * steps
    dropped = [LR if t < drop else LR / 10 for t in range(steps)]
    forms = {
        "plain": {},
        "momentum": {"momentum": μ},
        "Nesterov": {"momentum": μ, "nesterov": True},
        "dampening 0.9": {"momentum": μ, "dampening": 0.9},
    }
    x_paper, ahead = paper(constant)
    curves = {"outside": torchs(dropped), "inside": inside(dropped)}
    lengths = {name: (path[1:] - path[:-1]).norm(dim=1).tolist() for name, path in curves.items()}
    return {
        "steps": steps,
        "drop": drop,
        "constant_apart": (torchs(constant) - inside(constant)).abs().max().item(),
        "dropped_apart": (curves["outside"] - curves["inside"]).abs().max().item(),
        "nesterov_apart": (torchs(constant, nesterov=True) - ahead).abs().max().item(),
        "nesterov_off": (torchs(constant, nesterov=True) - x_paper).abs().max().item(),
        "lengths": lengths,
        "at_drop": {name: found[drop] / found[drop - 1] for name, found in lengths.items()},
        "rows": [{"form": name, **steady(**options)} for name, options in forms.items()],
    }


def draw(results):
    figure, ax = plt.subplots()
    inks = {"outside": ("update", "-"), "inside": ("data", (0, (5, 1.5)))}
    names = {"outside": "η outside (torch)", "inside": "η inside"}
    lines = [
        (ax.plot(range(1, results["steps"] + 1), found, color=colour(inks[name][0]), ls=inks[name][1])[0], names[name])
        for name, found in results["lengths"].items()
    ]
    ax.set(yscale="log", xlabel="step", ylabel="its length", title="The rate falls tenfold after step 40")
    label_ends(ax, lines)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
