"""The random state of a process: taken, put back, and left alone.

Dropout, augmentation and shuffling draw from up to four generators: Python's `random`, NumPy's global one,
torch's on the CPU, and torch's on every GPU. A run continues bit for bit only if all of them do.
"""

# torch leaves torch.cuda.is_initialized without types:
# mypy: allow-untyped-calls

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["random_state", "set_random_state", "unchanged_random_state"]


def random_state() -> dict[str, Any]:
    """Return the state of all generators, as tensors and plain values that any checkpoint can hold.

    NumPy's is included if the process has imported NumPy, the GPUs' if it has used one.
    """
    state: dict[str, Any] = {"python": random.getstate(), "torch": torch.get_rng_state()}
    if "numpy" in sys.modules:
        import numpy as np

        numpy_state = np.random.get_state(legacy=True)
        assert isinstance(numpy_state, tuple)  # so legacy=True promises
        name, keys, *rest = numpy_state
        state["numpy"] = (name, keys.tolist(), *rest)
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put all generators into the state that `random_state` returned.

    Examples:
        >>> import torch
        >>> before = random_state()
        >>> first = torch.rand(3)
        >>> set_random_state(before)
        >>> torch.equal(torch.rand(3), first)
        True
    """
    random.setstate(state["python"])
    torch.set_rng_state(state["torch"])
    if "numpy" in state:
        import numpy as np

        np.random.set_state(state["numpy"])
    if "cuda" in state:
        torch.cuda.set_rng_state_all(state["cuda"])


@contextmanager
def unchanged_random_state() -> Iterator[None]:
    """Put the random state back after a `with` block, whatever the block drew.

    Measuring in the middle of a run then changes nothing about it: reading a `DataLoader` draws a random
    number, even without shuffling.
    """
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)
