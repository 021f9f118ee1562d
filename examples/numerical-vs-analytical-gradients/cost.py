"""What does a gradient cost, counted in evaluations of the loss, as the number of weights grows?

    python examples/numerical-vs-analytical-gradients/cost.py

A linear model with 1 to 1,000 weights on 100 points. Evaluations are counted by the loss function itself,
autograd's work in matrix products; then both are timed. Takes a second.
"""

import statistics
import time

import matplotlib.pyplot as plt
import torch

from trainloop.figures import label_ends, line

SIZES = (1, 3, 10, 30, 100, 300, 1000)
POINTS = 100
REPEATS = 7


class Counted:
    """A loss that counts how often it is asked."""

    def __init__(self, n):
        generator = torch.Generator().manual_seed(n)
        self.x = torch.randn(POINTS, n, generator=generator, dtype=torch.float64)
        self.y = torch.randn(POINTS, 1, generator=generator, dtype=torch.float64)
        self.evaluations = 0

    def __call__(self, θ):
        self.evaluations += 1
        return (self.x @ θ - self.y).square().mean()


def forward_differences(loss, θ, h=1e-8):
    here, gradient = loss(θ).item(), torch.empty_like(θ)
    for i in range(θ.numel()):
        nudged = θ.clone()
        nudged[i] += h
        gradient[i] = (loss(nudged).item() - here) / h
    return gradient


def central_differences(loss, θ, h=1e-6):
    gradient = torch.empty_like(θ)
    for i in range(θ.numel()):
        above, below = θ.clone(), θ.clone()
        above[i] += h
        below[i] -= h
        gradient[i] = (loss(above).item() - loss(below).item()) / (2 * h)
    return gradient


def autograd(loss, θ):
    θ = θ.clone().requires_grad_()
    loss(θ).backward()
    return θ.grad


METHODS = {"forward": forward_differences, "central": central_differences, "autograd": autograd}


class Product(torch.autograd.Function):
    """x @ w, forward and backward as torch does it, counting products."""

    products = 0

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        Product.products += 1
        return x @ w

    @staticmethod
    def backward(ctx, upstream):
        x, w = ctx.saved_tensors
        dx = upstream @ w.T if ctx.needs_input_grad[0] else None
        dw = x.T @ upstream if ctx.needs_input_grad[1] else None
        Product.products += sum(ctx.needs_input_grad)
        return dx, dw


def passes_of_backward(x, weights):
    """Work of a loss and its backward, in evaluations of the loss."""
    Product.products = 0
    for w in weights:
        x = torch.tanh(Product.apply(x, w.requires_grad_()))
    evaluation = Product.products
    x.square().mean().backward()
    return Product.products / evaluation


def work(layers, n):
    """The same for a chain of layers with n inputs each; the last has one output."""
    x = torch.ones(POINTS, n, dtype=torch.float64)
    shapes = [(n, n)] * (layers - 1) + [(n, 1)]
    return passes_of_backward(x, [torch.zeros(shape, dtype=torch.float64) for shape in shapes])


def seconds(method, loss, θ, repeats):
    """Median of at least `repeats` timings, and of as many as fit into a fiftieth of a second."""
    times = []
    while len(times) < repeats or sum(times) < 0.02:
        began = time.perf_counter()
        method(loss, θ)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def run(quick=False):
    sizes, repeats = (SIZES[:4], 1) if quick else (SIZES, REPEATS)
    rows, times = [], []
    for n in sizes:
        loss, θ = Counted(n), torch.zeros(n, 1, dtype=torch.float64)
        row, gradients = {"n": n}, {}
        for name, method in METHODS.items():
            before = loss.evaluations
            gradients[name] = method(loss, θ)
            row[name] = loss.evaluations - before
        row["autograd_work"] = work(1, n)
        row["difference"] = (gradients["central"] - gradients["autograd"]).abs().max().item()
        rows.append(row)
        clock = {name: seconds(method, loss, θ, repeats) for name, method in METHODS.items()}
        times.append({"n": n, "ratio": clock["central"] / clock["autograd"]} | clock)
    return {"rows": rows, "times": times, "deep_work": work(4, 32), "repeats": repeats}


def draw(results):
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5.2, 6.4), sharex=True)
    n = [row["n"] for row in results["rows"]]
    labels = {"central": ("central_difference", "2n"), "forward": ("forward_difference", "n + 1")}
    lines = []
    for name, (concept, label) in labels.items():
        lines.append((top.plot(n, [row[name] for row in results["rows"]], **line(concept), marker=".")[0], label))
    work = [row["autograd_work"] for row in results["rows"]]
    lines.append((top.plot(n, work, **line("autograd"), marker=".")[0], "autograd"))
    top.set(xscale="log", yscale="log", ylabel="evaluations of the loss", title="Counted: autograd costs two, always")

    timed = []
    for name, (concept, label) in {
        "central": ("central_difference", "central"),
        "forward": ("forward_difference", "forward"),
        "autograd": ("autograd", "autograd"),
    }.items():
        milliseconds = [1000 * row[name] for row in results["times"]]
        timed.append((bottom.plot(n, milliseconds, **line(concept), marker=".")[0], label))
    bottom.set(xscale="log", yscale="log", xlabel="number of weights n", ylabel="milliseconds")
    bottom.set_title("Timed: autograd hardly notices n")
    label_ends(top, lines)
    label_ends(bottom, timed)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
