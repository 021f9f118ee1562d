"""Beginning an epoch in its middle: the batches that a killed run had not trained on yet, in its order.

A sampler that can begin at any batch (`trainloop.sampler.ShuffledBatches`) does so. Any other iterable is
read from its beginning, with the random state that it had then, and the batches up to the point are thrown
away: exact, but it costs reading them.

Exact for an iterable that makes the same epoch again from the same state of the global generators and the
`torch.Generator`s of its `DataLoader` and samplers. Not for one that keeps a position or a random state of
its own elsewhere: a generator object, a stream that goes on, a `DataLoader(persistent_workers=True)` whose
workers draw random numbers.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader

from trainloop.loop import Batch
from trainloop.rng import random_state, set_random_state

__all__ = ["begin_at", "data_state", "length_of", "samplers_of", "set_data_state", "set_epoch"]


def samplers_of(batches: Iterable[Batch]) -> list[Any]:
    """Return the iterable itself and, of a `DataLoader`, the samplers inside it, outermost first."""
    found: list[Any] = [batches]
    for parent in found:
        for name in ("batch_sampler", "sampler"):
            inner = getattr(parent, name, None)
            if inner is not None and not any(inner is known for known in found):
                found.append(inner)
    return found


def length_of(batches: Iterable[Batch]) -> int | None:
    """Return the number of batches in an epoch; None if they do not tell it."""
    try:
        return len(batches)  # type: ignore[arg-type]
    except TypeError:  # it has no length, or a DataLoader's data set has none
        return None


def set_epoch(batches: Iterable[Batch], epoch: int) -> None:
    """Tell every sampler that wants to know which epoch begins.

    Forgotten, it makes torch's `DistributedSampler` repeat the order of epoch 0 in all of them.
    """
    for sampler in samplers_of(batches):
        if callable(getattr(sampler, "set_epoch", None)):
            sampler.set_epoch(epoch)


def data_state(batches: Iterable[Batch]) -> dict[str, Any]:
    """Return the random state that the order of the batches may depend on."""
    return {"global": random_state(), "own": [g.get_state() for g in _generators(batches)]}


def set_data_state(batches: Iterable[Batch], state: dict[str, Any]) -> None:
    """Put the random state back that `data_state` returned."""
    set_random_state(state["global"])
    for generator, own in zip(_generators(batches), state["own"], strict=True):
        generator.set_state(own)


def begin_at(batches: Iterable[Batch], first: int, at_start: dict[str, Any]) -> Iterator[Batch]:
    """Return an iterator that begins at a batch in the middle of an epoch.

    Afterwards the random state is what it was before the call.

    Args:
        batches: as they were at the start of the epoch, `set_epoch` included.
        first: number of the batch, from 0.
        at_start: the `data_state` just before the epoch.
    """
    # --8<-- [start:begin_at]
    now = data_state(batches)
    set_data_state(batches, at_start)
    sampler = _resumable(batches)
    if sampler is not None:
        sampler.start_at(first)
        iterator = iter(batches)
    else:
        iterator = iter(batches)
        for _ in islice(iterator, first):
            pass
    set_data_state(batches, now)
    return iterator
    # --8<-- [end:begin_at]


def _resumable(batches: Iterable[Batch]) -> Any:
    # Worker processes have random states of their own, which only reading from the beginning renews.
    if isinstance(batches, DataLoader) and batches.num_workers > 0:
        return None
    return next((s for s in samplers_of(batches) if callable(getattr(s, "start_at", None))), None)


def _generators(batches: Iterable[Batch]) -> list[torch.Generator]:
    found: list[torch.Generator] = []
    for owner in samplers_of(batches):
        generator = getattr(owner, "generator", None)
        if isinstance(generator, torch.Generator) and not any(generator is known for known in found):
            found.append(generator)
    return found
