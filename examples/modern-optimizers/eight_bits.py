"""What does a byte per number do to Adam's averages, and what does the block size buy?

    python examples/modern-optimizers/eight_bits.py

Adam's two averages of a layer of 128 × 128 weights after 200 steps on digits, stored in 8 bits and read back;
then training with them. Takes ten seconds.
"""

import statistics

import torch
from _digits import LOSS, batches, network

from trainloop.lab import spread
from trainloop.loop import train_step
from trainloop.optim import Adam, Adam8bit
from trainloop.optim._quantize import codebook, dequantize, quantize

STEPS = 200
SEEDS = range(5)
BLOCKS = (64, 256, 2048, 128 * 128)


def train(make, seed, steps):
    model = network(seed)
    optimizer = make(model.parameters())
    losses = [train_step(model, LOSS, optimizer, x, y) for x, y in batches(steps, seed)]
    return statistics.fmean(losses[-20:]), optimizer.state[model.layers[2].weight]


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
    steps, seeds = (20, range(1)) if quick else (STEPS, SEEDS)
    wide = [train(lambda p: Adam(p, lr=1e-3), seed, steps) for seed in seeds]
    narrow = [train(lambda p: Adam8bit(p, lr=1e-3), seed, steps) for seed in seeds]
    found = {
        size: [errors(state["exp_avg"], state["exp_avg_sq"], size) for _, state in wide] for size in BLOCKS
    }
    gaps = [b - a for (a, _), (b, _) in zip(wide, narrow, strict=True)]
    return {
        "seeds": len(seeds),
        "steps": steps,
        "rows": [
            {"block": size, "bytes": 2 + 8 / size}
            | {key: statistics.median(e[key] for e in per_seed) for key in per_seed[0]}
            for size, per_seed in found.items()
        ],
        "loss": {"wide": spread([a for a, _ in wide]), "narrow": spread([b for b, _ in narrow])},
        "gap": spread(gaps),
        "higher": sum(gap > 0 for gap in gaps),
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
