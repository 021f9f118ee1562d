"""The split loses nothing, repeats nothing, and takes the same fraction of every class."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.data import Split, stratified_split


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.floats(0.01, 0.99), st.integers(0, 9))
def test_every_sample_is_in_one_part(labels, fraction, seed):
    y = torch.tensor(labels)
    x = torch.arange(len(labels))
    split = stratified_split(x, y, test_fraction=fraction, seed=seed)
    assert torch.cat([split.x_train, split.x_test]).sort().values.equal(x)
    assert torch.equal(y[split.x_train], split.y_train)
    assert torch.equal(y[split.x_test], split.y_test)
    for label in set(labels):
        assert (split.y_test == label).sum().item() == round(labels.count(label) * fraction)


def test_seed_decides_the_split_and_the_order():
    x, y = torch.arange(100), torch.arange(100) // 50
    first, again, other = (stratified_split(x, y, seed=seed) for seed in (1, 1, 2))
    assert isinstance(first, Split)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.x_test.sort().values, other.x_test.sort().values)
    assert not torch.equal(first.x_train, first.x_train.sort().values)  # classes are mixed


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 2])
def test_fraction_is_checked(fraction):
    with pytest.raises(ValueError, match=rf"^test_fraction must be in \(0, 1\), got {fraction}$"):
        stratified_split(torch.zeros(3), torch.zeros(3), test_fraction=fraction)


@pytest.mark.parametrize("shape", [(4,), (3, 1)])
def test_lengths_are_checked(shape):
    with pytest.raises(ValueError, match=r"^y must have shape \(3,\) to go with x, got \("):
        stratified_split(torch.zeros(3), torch.zeros(shape))
