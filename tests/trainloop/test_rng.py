"""Random state: all generators are taken and put back, and the state fits into a checkpoint."""

import random

import numpy as np
import pytest
import torch

from trainloop.checkpoint import load_state, save_state
from trainloop.rng import random_state, set_random_state, unchanged_random_state


def draw():
    return random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(3).tolist()


def test_all_generators_come_back(tmp_path):
    draw()  # an odd number of normal deviates: random and NumPy each keep the second of a pair
    save_state(random_state(), tmp_path / "random.pt")
    first = [draw() for _ in range(3)]
    set_random_state(load_state(tmp_path / "random.pt"))
    assert [draw() for _ in range(3)] == first


def test_a_block_leaves_no_trace():
    before = random_state()
    first = draw()
    set_random_state(before)
    with pytest.raises(RuntimeError, match="inside"), unchanged_random_state():
        draw()
        raise RuntimeError("inside")
    assert draw() == first


def test_gpus_are_included_once_they_are_in_use(monkeypatch):
    # No GPU here: what is asked of torch.cuda, and what is handed back to it.
    assert "cuda" not in random_state()
    states = [torch.arange(16, dtype=torch.uint8), torch.arange(1, 17, dtype=torch.uint8)]
    restored = []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: states)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", restored.append)
    set_random_state(random_state())
    assert restored == [states]
