"""A small network that guesses the next character of a text: where the scripts of this folder get gradients from."""

import functools

import torch
from torch import nn
from torch.nn.functional import one_hot

from trainloop.data import characters
from trainloop.models import MLP

LOSS = nn.CrossEntropyLoss()
CONTEXT = 4  # characters that the network sees
WIDTH = 128


@functools.cache
def text():
    return characters()


def network(seed, width=WIDTH):
    """Two hidden layers; the input is a one and zeros for each of the characters seen."""
    torch.manual_seed(seed)
    letters = len(text().vocabulary)
    return MLP([CONTEXT * letters, width, width, letters])


def batches(steps, seed, size=64):
    """Batches of places drawn at random."""
    train, letters = text().train, len(text().vocabulary)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        places = torch.randint(len(train) - CONTEXT, (size, 1), generator=generator)
        seen = train[places + torch.arange(CONTEXT)]
        yield one_hot(seen, letters).flatten(1).float(), train[places[:, 0] + CONTEXT]
