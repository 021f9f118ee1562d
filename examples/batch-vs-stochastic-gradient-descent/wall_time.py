"""How long does an epoch take on this machine, for batch sizes from one example to all of them?

    python examples/batch-vs-stochastic-gradient-descent/wall_time.py

A line through 16,384 points, one thread; a loop of tensors, and torch's DataLoader beside it. The sizes
take turns in random order, so that whatever else the machine does disturbs all alike. Takes about three seconds.
"""

import platform
import random
import time
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch.utils.data import DataLoader, TensorDataset

from trainloop.data import noisy_line
from trainloop.figures import colour

N = 2**14
SIZES = tuple(2**k for k in range(0, 15, 2))
REPEATS = 201
FEW = 8  # steps that are timed of an epoch with more: too short to be interrupted often


def machine():
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return name.replace("(R)", "").replace("(TM)", "")


def gradient(θ, x, y):
    w, b = θ
    r = w * x + b - y
    return torch.stack([(2 * r * x).mean(), (2 * r).mean()])


# --8<-- [start:time]
def seconds_per_step(x, y, batch_size, generator):
    """One epoch, or its first steps, timed; the shuffle counts."""
    θ = torch.zeros(2)
    steps = min(len(x) // batch_size, FEW)
    started = time.perf_counter()
    order = torch.randperm(len(x), generator=generator)
    shuffled = time.perf_counter() - started
    started = time.perf_counter()
    for i in order[: steps * batch_size].split(batch_size):
        θ = θ - 0.001 * gradient(θ, x[i], y[i])
    walked = time.perf_counter() - started
    return walked / steps + shuffled / (len(x) // batch_size)
# --8<-- [end:time]


def loader_seconds_per_step(x, y, batch_size, generator):
    """Three steps whose batches a DataLoader serves; starting it up does not count."""
    θ = torch.zeros(2)
    part = TensorDataset(x[: 4 * batch_size], y[: 4 * batch_size])
    served = iter(DataLoader(part, batch_size=batch_size, shuffle=True, generator=generator))
    next(served)
    started = time.perf_counter()
    for xi, yi in served:
        θ = θ - 0.001 * gradient(θ, xi, yi)
    return (time.perf_counter() - started) / 3


# --8<-- [start:turns]
def take_turns(measurements, repeats):
    """Lower quartile, median and upper quartile of the seconds each measurement returns."""
    found = {name: [] for name in measurements}
    shuffled = random.Random(0)
    for turn in range(repeats + 1):
        for name in shuffled.sample(list(measurements), len(measurements)):
            seconds = measurements[name]()
            if turn:  # the first turn pays for what later ones find ready
                found[name].append(seconds)
    return {name: quantiles(seconds) for name, seconds in found.items()}
# --8<-- [end:turns]


def quantiles(seconds):
    return torch.tensor(seconds, dtype=torch.float64).quantile(
        torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    ).tolist()


def run(quick=False):
    repeats = 2 if quick else REPEATS
    x, y = (t.flatten() for t in noisy_line(N))
    generator = torch.Generator().manual_seed(0)
    few = [noisy_line(100)[k].flatten() for k in (0, 1)]
    measurements = {size: partial(seconds_per_step, x, y, size, generator) for size in SIZES}
    measurements |= {
        f"few {size}": partial(seconds_per_step, *few, size, generator) for size in (1, 10, 100)
    }
    measurements["loader"] = partial(loader_seconds_per_step, x, y, 64, generator)
    found = take_turns(measurements, repeats)
    rows = []
    for size in SIZES:
        low, median, high = found[size]
        rows.append({
            "size": size,
            "steps": N // size,
            "step_us": 1e6 * median,
            "epoch_ms": 1e3 * median * (N // size),
            "epoch_low": 1e3 * low * (N // size),
            "epoch_high": 1e3 * high * (N // size),
        })
    # t(B) = overhead + B · per_example
    first, last = rows[0], rows[-1]
    per_example = (last["step_us"] - first["step_us"]) / (last["size"] - first["size"])
    overhead = first["step_us"] - per_example
    loader, by_hand = (1e6 * found[name][1] for name in ("loader", 64))
    return {
        "machine": machine(),
        "torch_threads": torch.get_num_threads(),
        "n": N,
        "repeats": repeats,
        "rows": rows,
        "overhead_us": overhead,
        "per_example_ns": 1e3 * per_example,
        "even": overhead / per_example,
        "loader": {"step_us": loader, "by_hand_us": by_hand, "times": loader / by_hand},
        "hundred": {f"{size}": 1e6 * found[f"few {size}"][1] for size in (1, 10, 100)},
        "first_over_last": first["epoch_ms"] / last["epoch_ms"],
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 4.0))
    rows = results["rows"]
    sizes = [row["size"] for row in rows]
    ax.fill_between(
        sizes, [row["epoch_low"] for row in rows], [row["epoch_high"] for row in rows],
        color=colour("minibatch"), alpha=0.18, lw=0,
    )
    ax.plot(sizes, [row["epoch_ms"] for row in rows], "o-", color=colour("minibatch"))
    ends = [sizes[0], sizes[-1]]
    overhead, work = results["overhead_us"], results["per_example_ns"]
    ax.plot(ends, [1e-3 * overhead * N / size for size in ends], ":", color=colour("data"))
    ax.axhline(1e-6 * work * N, ls=":", color=colour("data"))
    ax.text(6, 1e-3 * overhead * N / 6 * 2, "the loop's own time, ∝ 1/B", color=colour("data"))
    ax.text(1, 1e-6 * work * N * 1.2, "the arithmetic", color=colour("data"), va="bottom")
    ax.set(
        xscale="log", yscale="log", xlabel="batch size B", ylabel="milliseconds per epoch",
        title=f"{N:,} examples: small batches pay for steps",
    )
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
