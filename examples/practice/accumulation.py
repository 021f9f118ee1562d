"""Which ways to accumulate a gradient give the large batch's, and how far off are the others?

    python examples/practice/accumulation.py

One window of unequal micro-batches of handwritten digits, a last window that is not full, padded
sequences of unequal length, and a network with BatchNorm. Float64. Takes a second.
"""

import copy

import torch
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy

from trainloop.data import digits
from trainloop.models import MLP
from trainloop.window import accumulate

PAD = -100  # the target that cross_entropy leaves out

x, y, _, _ = digits()
x = ((x - x.mean()) / x.std()).flatten(1).double()


# --8<-- [start:naive]
def mean_of_means(model, loss_fn, window, full):
    """The usual recipe: divide each loss by the size of a full window."""
    for xi, yi in window:
        (loss_fn(model(xi), yi) / full).backward()
# --8<-- [end:naive]


def gradient(model, fill):
    """The gradient that `fill` leaves in a copy of the model, as one vector."""
    model = copy.deepcopy(model)
    fill(model)
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def compare(name, model, loss_fn, batch, window, *, full, count=None):
    """Accumulated the naive way and by `trainloop`'s, each against the window's samples as one batch."""
    counted = {} if count is None else {"count": count}
    whole = gradient(model, lambda m: loss_fn(m(batch[0]), batch[1]).backward())
    naive = gradient(model, lambda m: mean_of_means(m, loss_fn, window, full))
    ours = gradient(model, lambda m: accumulate(m, loss_fn, window, **counted))
    return {
        "name": name,
        "naive": (100 * (naive - whole).norm() / whole.norm()).item(),
        "length": (naive.norm() / whole.norm()).item(),
        "cosine": cosine_similarity(naive, whole, dim=0).item(),
        "exact": ((ours - whole).norm() / whole.norm()).item(),
    }


def split(batch, sizes):
    return list(zip(batch[0].split(sizes), batch[1].split(sizes), strict=True))


# --8<-- [start:tokens]
def count_tokens(x, y):
    return int((y != PAD).sum())


def token_loss(logits, y):
    """The mean over what is not padding."""
    return cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=PAD)
# --8<-- [end:tokens]


def sequences(lengths, generator):
    """Sequences of 12 places, of which the first `lengths[k]` have a target."""
    x = torch.randn(len(lengths), 12, 16, generator=generator, dtype=torch.float64)
    y = torch.randint(10, (len(lengths), 12), generator=generator)
    y[torch.arange(12) >= torch.tensor(lengths)[:, None]] = PAD
    return x, y


def run(quick=False):
    torch.manual_seed(0)
    model = MLP([64, 32, 10]).double()
    generator = torch.Generator().manual_seed(0)
    normed = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10)).double()
    readers = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 10)).double()

    # An epoch of digits in micro-batches of 32, four to a window: the last window holds what is left over.
    left = len(x) % 128 or 128
    last = (x[-left:], y[-left:])
    texts = sequences([12, 12, 2, 2, 3, 1, 2, 1], generator)
    even = (x[:128], y[:128])
    rows = [
        compare("4 of 32", model, cross_entropy, even, split(even, [32] * 4), full=4),
        compare("32, 32, 32, 8", model, cross_entropy, (x[:104], y[:104]),
                split((x[:104], y[:104]), [32, 32, 32, 8]), full=4),
        compare(f"last window: {left} samples", model, cross_entropy, last, split(last, 32), full=4),
        compare("texts, by tokens", readers, token_loss, texts, split(texts, 2), full=4, count=count_tokens),
        compare("4 of 32, with BatchNorm", normed, cross_entropy, even, split(even, [32] * 4), full=4),
    ]
    return {
        "rows": rows,
        "last": left,
        "micro_batches_left": -(-left // 32),
        "tokens": [count_tokens(*part) for part in split(texts, 2)],
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
