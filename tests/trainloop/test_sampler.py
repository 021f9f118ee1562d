"""Shuffled batches: every sample once per epoch, in an order that anyone can work out again."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from trainloop.sampler import ShuffledBatches, shuffled

sizes = st.tuples(st.integers(1, 60), st.integers(1, 9), st.integers(1, 5)).filter(lambda s: s[0] >= s[2])


def make(samples, batch_size, world_size, **options):
    return [ShuffledBatches(samples, batch_size, rank=r, world_size=world_size, **options) for r in range(world_size)]


@settings(deadline=None)
@given(sizes=sizes, seed=st.integers(0, 2**40), epoch=st.integers(0, 1000))
def test_the_ranks_share_every_sample_once(sizes, seed, epoch):
    samplers = make(*sizes, seed=seed)
    for sampler in samplers:
        sampler.set_epoch(epoch)
    shares = [list(sampler) for sampler in samplers]
    assert sorted(i for share in shares for batch in share for i in batch) == list(range(sizes[0]))
    assert {len(share) for share in shares} == {len(samplers[0])}
    for together in zip(*shares, strict=True):
        lengths = [len(batch) for batch in together]
        assert min(lengths) >= 1
        assert max(lengths) - min(lengths) <= 1
    assert all(len(batch) == sizes[1] for share in shares for batch in share[:-1])


@settings(deadline=None)
@given(sizes=sizes, first=st.integers(0, 60))
def test_an_epoch_can_begin_at_any_batch(sizes, first):
    for sampler in make(*sizes):
        whole = list(sampler)
        sampler.start_at(first)
        assert list(sampler) == whole[first:]
        assert list(sampler) == whole  # start_at holds for one iteration


@settings(deadline=None)
@given(sizes=sizes)
def test_the_order_does_not_depend_on_the_number_of_ranks(sizes):
    samples, batch_size, world_size = sizes
    (alone,) = make(samples, batch_size * world_size, 1)
    together = zip(*make(*sizes), strict=True)
    got = [sorted(i for batch in batches for i in batch) for batches in together]
    expected = [sorted(batch) for batch in alone]
    if len(expected) > len(got):  # the last batch was too small for all ranks
        expected[-2:] = [sorted(expected[-2] + expected[-1])]
    assert got == expected


@given(sizes=sizes)
@settings(deadline=None)
def test_drop_last(sizes):
    samples, batch_size, world_size = sizes
    if samples < batch_size * world_size:
        with pytest.raises(ValueError, match="samples must be >= "):
            make(*sizes, drop_last=True)
        return
    for sampler in make(*sizes, drop_last=True):
        batches = list(sampler)
        assert len(batches) == len(sampler) == samples // (batch_size * world_size)
        assert all(len(batch) == batch_size for batch in batches)


def test_golden_order():
    # If this changes, runs that were killed before an update of the course cannot be continued after it.
    assert shuffled(8, seed=0, epoch=0).tolist() == [2, 5, 1, 6, 4, 7, 0, 3]
    assert shuffled(8, seed=0, epoch=1).tolist() == [0, 3, 5, 7, 6, 1, 4, 2]


def test_neighbouring_seeds_are_other_runs():
    # With seed + epoch these would be equal.
    assert not torch.equal(shuffled(100, seed=0, epoch=1), shuffled(100, seed=1, epoch=0))
    orders = {tuple(shuffled(20, seed, epoch).tolist()) for seed in range(20) for epoch in range(20)}
    assert len(orders) == 400


def test_the_global_random_state_plays_no_part():
    before = torch.get_rng_state()
    first = list(ShuffledBatches(20, 3))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    assert list(ShuffledBatches(20, 3)) == first


def test_unshuffled():
    sampler = ShuffledBatches(5, 2, shuffle=False)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        assert list(sampler) == [[0, 1], [2, 3], [4]]


def test_both_ways_into_a_data_loader():
    x = torch.arange(10.0).unsqueeze(1)
    data = TensorDataset(x, 2 * x)
    collated = DataLoader(data, batch_sampler=ShuffledBatches(10, 4, seed=5))
    indexed = DataLoader(data, sampler=ShuffledBatches(10, 4, seed=5), batch_size=None)
    assert len(collated) == len(indexed) == 3
    for (a, b), (c, d) in zip(collated, indexed, strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)
        assert torch.equal(b, 2 * a)


def test_options_tell_the_order():
    assert ShuffledBatches(10, 4, seed=5, drop_last=True).options() == {
        "samples": 10,
        "batch_size": 4,
        "seed": 5,
        "shuffle": True,
        "drop_last": True,
        "world_size": 1,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be >= 1, got 0"),
        ({"samples": 0}, "samples must be >= 1 to fill a batch on every rank, got 0"),
        ({"samples": 3, "world_size": 4}, "samples must be >= 4 to fill a batch on every rank, got 3"),
        ({"samples": 7, "drop_last": True}, "samples must be >= 8 to fill a batch on every rank, got 7"),
        ({"world_size": 0}, "world_size must be >= 1, got 0"),
        ({"rank": 2, "world_size": 2}, "rank must be in [0, 2), got 2"),
        ({"rank": -1}, "rank must be in [0, 1), got -1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError) as error:
        ShuffledBatches(**{"samples": 100, "batch_size": 8, **arguments})
    assert str(error.value) == message
