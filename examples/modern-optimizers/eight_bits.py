"""What does a byte per number do to Adam's averages, and to its steps?

    python examples/modern-optimizers/eight_bits.py

Adam's two averages of a layer of 128 × 128 weights after 100 steps on a text, stored in 8 bits and read back;
then training with them. Takes ten seconds.
"""

import statistics

from _text import LOSS, batches, network
from torch.nn.utils import parameters_to_vector

from trainloop.lab import spread
from trainloop.loop import train_step
from trainloop.optim import Adam, Adam8bit
from trainloop.optim._quantize import codebook, dequantize, quantize

STEPS = 100
SEEDS = range(5)
BLOCKS = (64, 256, 2048, 128 * 128)
EPS = 1e-8
LARGER_EPS = 1e-5

MAKE = {
    "32 bits": lambda p: Adam(p, lr=1e-3, eps=EPS),
    "8 bits": lambda p: Adam8bit(p, lr=1e-3, eps=EPS),
    "8 bits, larger ε": lambda p: Adam8bit(p, lr=1e-3, eps=LARGER_EPS),
}


def train(make, seed, steps):
    """The longest step of a weight, in learning rates; the loss over the last 20 steps; the optimizer's state."""
    model = network(seed)
    optimizer = make(model.parameters())
    losses, longest = [], 0.0
    for x, y in batches(steps, seed):
        before = parameters_to_vector(model.parameters()).detach()
        losses.append(train_step(model, LOSS, optimizer, x, y))
        moved = parameters_to_vector(model.parameters()).detach() - before
        longest = max(longest, moved.abs().max().item() / 1e-3)
    return longest, statistics.fmean(losses[-20:]), optimizer.state[model.layers[2].weight]


# --8<-- [start:back]
def stored(x, signed, block_size):
    """What comes back of x from a byte per number and a scale per block."""
    book = codebook(signed, x.device)
    return dequantize(*quantize(x, book, block_size), book, block_size)


# --8<-- [end:back]


def errors(m, v, block_size):
    m8, v8 = stored(m, True, block_size), stored(v, False, block_size)
    alive = v > 0
    return {
        "m": ((m8 - m).abs() / m.abs())[alive].median().item(),
        "v": ((v8 - v).abs() / v)[alive].median().item(),
        "lost": (v8 == 0)[alive].double().mean().item(),
    }


def run(quick=False):
    steps, seeds = (20, range(2)) if quick else (STEPS, SEEDS)
    runs = {name: [train(make, seed, steps) for seed in seeds] for name, make in MAKE.items()}
    states = [state for *_, state in runs["32 bits"]]
    errors_of = {size: [errors(state["exp_avg"], state["exp_avg_sq"], size) for state in states] for size in BLOCKS}
    ends = {name: [loss for _, loss, _ in found] for name, found in runs.items()}
    return {
        "seeds": len(seeds),
        "steps": steps,
        "larger_eps": LARGER_EPS,
        "rows": [
            {"block": size, "bytes": 2 + 8 / size}
            | {key: statistics.median(e[key] for e in per_seed) for key in per_seed[0]}
            for size, per_seed in errors_of.items()
        ],
        "runs": [
            {
                "name": name,
                "longest": statistics.median(longest for longest, *_ in found),
                "loss": spread(ends[name])["median"],
            }
            for name, found in runs.items()
        ],
        "lower": {name: sum(a < b for a, b in zip(ends[name], ends["32 bits"], strict=True)) for name in MAKE},
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
