"""Beginning in the middle of an epoch: the rest of it is the rest of the whole one, whatever shuffles it."""

import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler, TensorDataset

from trainloop.data_order import begin_at, data_state, samplers_of, set_data_state, set_epoch
from trainloop.sampler import ShuffledBatches

N = 22
X = torch.arange(float(N)).unsqueeze(1)


class Noisy(Dataset):
    """Draws from every global generator for every sample: its augmentation."""

    reads = 0

    def __len__(self):
        return N

    def __getitem__(self, i):
        self.reads += 1
        return X[i] + random.random() + np.random.rand() + torch.rand(1), X[i]


class OwnShuffle:
    """An iterable of one's own: shuffled by NumPy, augmented by torch."""

    def __iter__(self):
        for i in np.random.permutation(N):
            yield X[i : i + 1] + torch.rand(1, 1), X[i : i + 1]


MAKE = {
    "list": lambda: [(X[i : i + 3], X[i : i + 3]) for i in range(0, N, 3)],
    "global shuffle": lambda: DataLoader(Noisy(), batch_size=4, shuffle=True),
    "own generator": lambda: DataLoader(Noisy(), 4, shuffle=True, generator=torch.Generator().manual_seed(3)),
    "two workers": lambda: DataLoader(Noisy(), batch_size=4, shuffle=True, num_workers=2),
    "sampler": lambda: DataLoader(Noisy(), batch_sampler=ShuffledBatches(N, 4)),
    "sampler, two workers": lambda: DataLoader(Noisy(), batch_sampler=ShuffledBatches(N, 4), num_workers=2),
    "indexed": lambda: DataLoader(TensorDataset(X, X), sampler=ShuffledBatches(N, 4), batch_size=None),
    "an iterable": OwnShuffle,
    "distributed sampler": lambda: DataLoader(
        Noisy(), batch_size=4, sampler=DistributedSampler(X, num_replicas=2, rank=1, seed=1)
    ),
}


def seed(n):
    random.seed(n)
    np.random.seed(n)
    torch.manual_seed(n)


def train_on(iterator):
    """Read batches as training does: the model draws random numbers, too."""
    return [(x.flatten().tolist(), y.flatten().tolist(), torch.rand(1).item()) for x, y in iterator]


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("first", [1, 3])
def test_the_rest_of_an_epoch(name, first):
    seed(0)
    batches = MAKE[name]()
    set_epoch(batches, 0)
    train_on(batches)  # epoch 0 moves the generators
    set_epoch(batches, 1)
    at_start = data_state(batches)
    iterator = iter(batches)
    for _ in range(first):
        next(iterator)
        torch.rand(1)
    now = data_state(batches)
    rest = train_on(iterator)

    seed(99)  # another process
    batches = MAKE[name]()
    set_epoch(batches, 1)
    set_data_state(batches, now)
    assert train_on(begin_at(batches, first, at_start)) == rest


def test_a_sampler_that_can_begin_anywhere_skips_the_reading():
    data = Noisy()
    batches = DataLoader(data, batch_sampler=ShuffledBatches(N, 4))
    assert len(list(begin_at(batches, 4, data_state(batches)))) == 2
    assert data.reads == N - 16


def test_begin_at_leaves_the_random_state():
    batches = MAKE["own generator"]()
    at_start = data_state(batches)
    torch.rand(5)
    before = data_state(batches)
    begin_at(batches, 2, at_start)
    after = data_state(batches)
    assert torch.equal(after["global"]["torch"], before["global"]["torch"])
    assert torch.equal(after["own"][0], before["own"][0])
    assert not torch.equal(at_start["global"]["torch"], before["global"]["torch"])


def test_set_epoch_reaches_every_sampler():
    distributed = DistributedSampler(X, num_replicas=1, rank=0)
    ours = ShuffledBatches(N, 4)
    for batches, sampler in (
        (DataLoader(TensorDataset(X, X), batch_size=4, sampler=distributed), distributed),
        (DataLoader(TensorDataset(X, X), batch_sampler=ours), ours),
        (DataLoader(TensorDataset(X, X), sampler=ours, batch_size=None), ours),
    ):
        set_epoch(batches, 7)
        assert sampler.epoch == 7
        sampler.set_epoch(0)
    set_epoch([(X, X)], 7)


def test_samplers_are_found_once():
    batches = DataLoader(TensorDataset(X, X), batch_size=4)
    found = samplers_of(batches)
    assert found[0] is batches
    assert len(found) == 3
    assert {id(s) for s in found[1:]} == {id(batches.batch_sampler), id(batches.sampler)}
