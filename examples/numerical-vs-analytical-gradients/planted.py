"""Does a gradient check find a planted bug, and does it say where the bug is?

    python examples/numerical-vs-analytical-gradients/planted.py

Three inputs, three outputs, W and b and a tanh: a gradient written by hand, seven bugs planted in it one at
a time, and a checker that names the parameter and the element. Takes a second.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour


def problem(seed=42, n=100):
    """Data made by a known W and b, and a random start. All float64."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, W, b = normal(n, 3), 0.7 * normal(3, 3), 0.5 * normal(3)
    y = torch.tanh(x @ W + b) + 0.05 * normal(n, 3)
    return x, y, {"W": 0.7 * normal(3, 3), "b": 0.5 * normal(3)}


def loss(x, y, θ):
    return (torch.tanh(x @ θ["W"] + θ["b"]) - y).square().mean()


# --8<-- [start:gradients]
def gradients(x, y, θ):
    p = torch.tanh(x @ θ["W"] + θ["b"])
    dp = 2 * (p - y) / y.numel()  # the mean is over all n · 3 numbers
    dz = dp * (1 - p**2)          # tanh′(z) = 1 − tanh²(z)
    return {"W": x.T @ dz, "b": dz.sum(dim=0)}
# --8<-- [end:gradients]


def no_factor_2(x, y, θ):
    p = torch.tanh(x @ θ["W"] + θ["b"])
    dz = (p - y) / y.numel() * (1 - p**2)
    return {"W": x.T @ dz, "b": dz.sum(dim=0)}


def no_slope_of_tanh(x, y, θ):
    p = torch.tanh(x @ θ["W"] + θ["b"])
    dz = 2 * (p - y) / y.numel()
    return {"W": x.T @ dz, "b": dz.sum(dim=0)}


def transposed(x, y, θ):
    right = gradients(x, y, θ)
    return {"W": right["W"].T, "b": right["b"]}  # dz.T @ x fits, too


def sum_over_everything(x, y, θ):
    right = gradients(x, y, θ)
    return {"W": right["W"], "b": right["b"].sum()}  # dz.sum()


def no_sum(x, y, θ):
    p = torch.tanh(x @ θ["W"] + θ["b"])
    dz = 2 * (p - y) / y.numel() * (1 - p**2)
    return {"W": x.T @ dz, "b": dz}


def no_last_sample(x, y, θ):
    p = torch.tanh(x @ θ["W"] + θ["b"])
    dz = 2 * (p - y) / y.numel() * (1 - p**2)
    return {"W": x[:-1].T @ dz[:-1], "b": dz[:-1].sum(dim=0)}


def one_sign(x, y, θ):
    right = gradients(x, y, θ)
    right["W"][2, 0] *= -1  # one index, one slip
    return right


BUGS = {
    "no_factor_2": ("factor 2 forgotten", no_factor_2),
    "no_slope_of_tanh": ("tanh′ forgotten", no_slope_of_tanh),
    "transposed": ("∂L/∂W transposed", transposed),
    "sum_over_everything": ("b: sum over everything", sum_over_everything),
    "no_last_sample": ("last sample left out", no_last_sample),
    "one_sign": ("one sign", one_sign),
    "no_sum": ("b: no sum at all", no_sum),
}


# --8<-- [start:numerical]
def numerical_gradient(loss, θ, h=1e-6):
    """∂loss/∂θ, element by element, by central differences."""
    gradient = torch.empty_like(θ)
    for i in range(θ.numel()):
        kept = θ.view(-1)[i].item()
        θ.view(-1)[i] = kept + h
        above = loss().item()
        θ.view(-1)[i] = kept - h
        below = loss().item()
        θ.view(-1)[i] = kept
        gradient.view(-1)[i] = (above - below) / (2 * h)
    return gradient
# --8<-- [end:numerical]


def shape_of(tensor):
    return " × ".join(str(size) for size in tensor.shape) or "a number"


def index_of(place, shape):
    """Where element number `place`, counted row by row, stands in a tensor of this shape."""
    index = []
    for size in reversed(shape):
        place, i = divmod(place, size)
        index.insert(0, i)
    return tuple(index)


# --8<-- [start:check]
def check(loss, claimed, θ, rtol=1e-6, atol=1e-9):
    """Hold claimed gradients against measured ones.

    Says the shape, how many elements are wrong, and which is the worst.
    """
    report = []
    for name, parameter in θ.items():
        measured = numerical_gradient(loss, parameter)
        claim = claimed[name]
        row = {
            "parameter": name,
            "shape": shape_of(claim),
            "right_shape": shape_of(measured),
        }
        report.append(row)
        if claim.shape != measured.shape and claim.numel() > 1:
            continue  # nothing to compare: the shape is the report
        claim = claim.expand_as(measured)
        gap = (claim - measured).abs()
        allowed = atol + rtol * torch.maximum(claim.abs(), measured.abs())
        worst = index_of((gap / allowed).argmax().item(), gap.shape)
        row |= {
            "wrong": (gap > allowed).sum().item(),
            "element": ", ".join(map(str, worst)),
            "claimed": claim[worst].item(),
            "measured": measured[worst].item(),
            "ratios": (claim / measured).flatten().tolist(),
        }
    return report
# --8<-- [end:check]


def run(quick=False):
    x, y, θ = problem()

    def here():
        return loss(x, y, θ)

    reports = {"right": check(here, gradients(x, y, θ), θ)}
    for name, (_, buggy) in BUGS.items():
        reports[name] = check(here, buggy(x, y, θ), θ)

    titles = {"right": "as it should be"} | {name: title for name, (title, _) in BUGS.items()}
    rows = [
        {"gradient": titles[name], "wrong": None, "element": None, "claimed": None, "measured": None} | row
        for name, report in reports.items()
        for row in report
        if row.get("wrong") != 0 or name == "right"
    ]
    right = reports["right"]
    agreement = max(abs(ratio - 1) for row in right for ratio in row["ratios"])
    return {"reports": reports, "rows": rows, "agreement": agreement}


def draw(results):
    figure, axes = plt.subplots(3, 2, figsize=(5.2, 7.4))
    figure.suptitle("The pattern of the ratios names the bug", x=0.01, ha="left", fontsize=12, weight="bold")
    drawn = {name: title for name, (title, _) in BUGS.items() if name != "no_sum"}
    for ax, (name, title) in zip(axes.flat, drawn.items(), strict=True):
        W, b = results["reports"][name]
        for column in range(3):
            for row in range(4):
                ratio = W["ratios"][3 * row + column] if row < 3 else b["ratios"][column]
                wrong = abs(ratio - 1) > 1e-4
                y = -row - (0.35 if row == 3 else 0)
                ink = colour("wrong") if wrong else colour("data")
                ax.add_patch(plt.Rectangle((column - 0.47, y - 0.46), 0.94, 0.92, color=ink, alpha=0.2, lw=0))
                digits = 3 if name == "no_last_sample" else 0 if abs(ratio) > 99 else 1 if abs(ratio) > 9 else 2
                text = f"{ratio:.{digits}f}"
                ax.text(column, y, text.replace("-", "−"), ha="center", va="center", weight="bold" if wrong else None)
        ax.set(xlim=(-0.5, 2.5), ylim=(-3.9, 0.5), xticks=[], yticks=[-1, -3.35], yticklabels=["W", "b"])
        ax.tick_params(length=0)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
        ax.set_title(title, fontsize=11, weight="normal")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
