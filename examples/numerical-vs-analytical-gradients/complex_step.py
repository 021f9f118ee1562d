"""Is there a difference that does not get worse when h shrinks?

    python examples/numerical-vs-analytical-gradients/complex_step.py

Central differences and the complex step, for x³ at 1,000 points and for the tanh loss of `planted.py`; then
the same with a complex conjugate in the way. Takes a second.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, line

STEPS = tuple(10.0**-k for k in range(21))  # 1 … 1e-20
POINTS = 1000
SMALLEST = 1e-17  # drawn in place of an error of exactly zero


def cube(x):
    return x * x * x


# --8<-- [start:complex_step]
def complex_step(f, x, h=1e-20):
    return f(torch.complex(x, torch.full_like(x, h))).imag / h
# --8<-- [end:complex_step]


def central_difference(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def problem(n=100):
    generator = torch.Generator().manual_seed(42)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, W, b = normal(n, 3), 0.7 * normal(3, 3), 0.5 * normal(3)
    y = torch.tanh(x @ W + b) + 0.05 * normal(n, 3)
    return x, y, 0.7 * normal(3, 3)


# --8<-- [start:gradient]
def loss(x, y, W):
    residual = torch.tanh(x.to(W.dtype) @ W) - y
    return (residual * residual).mean()


def loss_with_conj(x, y, W):
    residual = torch.tanh(x.to(W.dtype) @ W) - y
    return (residual * residual.conj()).mean()  # the same, for real W


def complex_gradient(f, x, y, W, h=1e-20):
    gradient = torch.empty_like(W)
    for i in range(W.numel()):
        nudge = torch.zeros_like(W)
        nudge.view(-1)[i] = h
        gradient.view(-1)[i] = f(x, y, torch.complex(W, nudge)).imag / h
    return gradient
# --8<-- [end:gradient]


def worst(measured, right):
    return ((measured - right).abs().max() / right.abs().max()).item()


def run(quick=False):
    points = 50 if quick else POINTS
    at = 1 + torch.rand(points, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    truth = 3 * at * at
    curves = {"complex": [], "central": []}
    for h in STEPS:
        for name, estimate in {
            "complex": complex_step(cube, at, h),
            "central": central_difference(cube, at, h),
        }.items():
            error = ((estimate - truth).abs() / truth).max().item()
            curves[name].append(max(error, SMALLEST))

    x, y, W = problem()
    θ = W.clone().requires_grad_()
    right = torch.autograd.grad(loss(x, y, θ), θ)[0]
    return {
        "steps": list(STEPS),
        "curves": curves,
        "at_smallest": curves["complex"][-1],
        "central_best": min(curves["central"]),
        "epsilon": torch.finfo(torch.float64).eps,
        "network": {
            "complex": worst(complex_gradient(loss, x, y, W), right),
            "conj": complex_gradient(loss_with_conj, x, y, W).abs().max().item(),
        },
    }


def draw(results):
    figure, ax = plt.subplots()
    ax.plot(results["steps"], results["curves"]["central"], **line("central_difference"))
    ax.plot(results["steps"], results["curves"]["complex"], **line("autograd"))
    ax.set(xscale="log", yscale="log", xlabel="step h", ylabel="relative error", ylim=(3e-18, 30))
    ax.set_title("The complex step has no left wall")
    ax.text(1e-12, 2e-2, "central", color=colour("central_difference"))
    ax.text(1e-19, 8e-15, "complex step", color=colour("autograd"))
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
