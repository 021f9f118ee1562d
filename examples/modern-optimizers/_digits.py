"""The small networks on scikit-learn's digits that the scripts of this folder take their gradients from."""

import functools

import torch
from torch import nn

from trainloop.data import digits
from trainloop.models import MLP
from trainloop.sampler import ShuffledBatches

LOSS = nn.CrossEntropyLoss()


@functools.cache
def data():
    x, y, _, _ = digits()
    return x.flatten(1), y


def network(seed, sizes=(64, 128, 128, 10)):
    torch.manual_seed(seed)
    return MLP(sizes)


def batches(steps, seed, size=64):
    """Shuffled batches, over as many epochs as it takes."""
    x, y = data()
    order = ShuffledBatches(len(x), size, seed=seed, drop_last=True)
    epoch = 0
    while steps > 0:
        order.set_epoch(epoch)
        for picked in list(order)[:steps]:
            yield x[picked], y[picked]
        steps -= len(order)
        epoch += 1
