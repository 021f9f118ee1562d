"""Copies of the optimizers that take no ordinary list of dense parameters go on by themselves, too."""

import copy
import pickle

import pytest
import torch

from trainloop.optim import Adafactor, Muon, SparseAdam


def step(optimizer, seed):
    """One step with gradients that depend on the seed alone; sparse ones for SparseAdam."""
    generator = torch.Generator().manual_seed(seed)
    for p in optimizer.param_groups[0]["params"]:
        g = torch.randn(p.shape, generator=generator)
        if isinstance(optimizer, SparseAdam):
            g = torch.where(torch.arange(len(g)).remainder(2).bool()[:, None], g, 0.0).to_sparse(1)
        p.grad = g
    optimizer.step()


@pytest.mark.parametrize(
    "carry",
    [copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))],
    ids=["deepcopy", "pickle"],
)
@pytest.mark.parametrize("rule", [Adafactor, Muon, SparseAdam])
def test_copy_goes_on_alone(rule, carry):
    generator = torch.Generator().manual_seed(7)
    params = [torch.randn(shape, generator=generator).requires_grad_() for shape in [(4, 3), (5, 5)]]
    original = rule(params, lr=0.05)
    for seed in range(5):
        step(original, seed)
    for p in params:
        p.grad = None  # a sparse one has no storage to pickle
    twin = carry(original)
    copies = twin.param_groups[0]["params"]
    for seed in range(5, 10):
        step(original, seed)
    assert not torch.equal(copies[0], params[0])
    for seed in range(5, 10):
        step(twin, seed)
    for p, q in zip(params, copies, strict=True):
        assert torch.equal(p, q)
        assert original.state[p].keys() == twin.state[q].keys()
