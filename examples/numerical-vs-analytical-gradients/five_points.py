"""What do two more evaluations buy, and which step is then the best?

    python examples/numerical-vs-analytical-gradients/five_points.py

The derivative of exp at 1,000 points between 0 and 1, float64: the central difference and the one that also
looks two steps away. Takes a second.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import line

STEPS = tuple(10 ** (-k / 4) for k in range(49))  # 1 … 1e-12, four a decade
POINTS = 1000


# --8<-- [start:stencils]
def central_difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def four_point_difference(f, x, h):
    near, far = f(x + h) - f(x - h), f(x + 2 * h) - f(x - 2 * h)
    return (8 * near - far) / (12 * h)
# --8<-- [end:stencils]


STENCILS = {"central": (central_difference, 2), "four": (four_point_difference, 4)}


def slope(steps, errors):
    """Least-squares slope in the log-log plane."""
    x, y = torch.tensor(steps).log10().double(), torch.tensor(errors).log10().double()
    x, y = x - x.mean(), y - y.mean()
    return ((x * y).sum() / (x * x).sum()).item()


def run(quick=False):
    points = 60 if quick else POINTS
    generator = torch.Generator().manual_seed(0)
    x, spread = torch.rand(2, points, generator=generator, dtype=torch.float64)
    ε = torch.finfo(torch.float64).eps
    curves, rows = {}, []
    for name, (stencil, order) in STENCILS.items():
        errors = []
        for h in STEPS:
            steps = h * 10 ** ((spread - 0.5) / 4)  # each point its own, near h
            errors.append(((stencil(torch.exp, x, steps) / torch.exp(x) - 1).abs()).median().item())
        curves[name] = errors
        predicted = ε ** (1 / (order + 1))
        best = min(range(len(STEPS)), key=lambda i: errors[i])
        straight = [i for i, h in enumerate(STEPS) if 8 * predicted < h < 0.4]
        rows.append({
            "stencil": {"central": "two points", "four": "four points"}[name],
            "evaluations": order,
            "slope": slope([STEPS[i] for i in straight], [errors[i] for i in straight]),
            "predicted": predicted,
            "best": STEPS[best],
            "error": errors[best],
        })
    # Taylor: the error of the four-point difference of exp is h⁴/30 of its slope.
    at = STEPS.index(0.1)
    return {"steps": list(STEPS), "curves": curves, "rows": rows, "at_0.1": curves["four"][at], "paper": 0.1**4 / 30}


def draw(results):
    figure, ax = plt.subplots()
    central = ax.plot(results["steps"], results["curves"]["central"], **line("central_difference"))[0]
    four = ax.plot(results["steps"], results["curves"]["four"], **line("autograd"))[0]
    for drawn, row in zip((central, four), results["rows"], strict=True):
        ax.axvline(row["predicted"], color=drawn.get_color(), ls=":", lw=1.2)
        ax.plot(row["best"], row["error"], "*", ms=13, color=drawn.get_color(), mec="none")
    ax.set(xscale="log", yscale="log", xlabel="step h", ylabel="relative error")
    ax.set_title("Slope 4, and a best step of 10⁻³")
    ax.text(6e-3, 2e-3, "two points", ha="right", color=central.get_color())
    ax.text(0.03, 3e-12, "four points", color=four.get_color())
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
