"""Shuffling that can be taken up again: an order that depends on a seed and the epoch, and on nothing else.

`DataLoader(shuffle=True)` draws its order from the global random state, which dropout and augmentation
change, too: the order of epoch 7 depends on everything before it. Here it is a pure function, so any
epoch can begin at any batch, on any number of ranks.
"""

import random
from collections.abc import Iterator

import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import Sampler

__all__ = ["ShuffledBatches", "shuffled"]


def shuffled(samples: int, seed: int, epoch: int) -> Tensor:
    """Return the numbers 0 … samples − 1 in the random order of this epoch.

    The pair is hashed: with `seed + epoch`, epoch 1 of seed 0 would be epoch 0 of seed 1, and runs with
    neighbouring seeds would not be independent.
    """
    # --8<-- [start:shuffled]
    mixed = random.Random(f"{seed} {epoch}").getrandbits(32)
    generator = torch.Generator().manual_seed(mixed)
    return torch.randperm(samples, generator=generator)
    # --8<-- [end:shuffled]


class ShuffledBatches(Sampler[list[int]]):
    """Batches of sample numbers, shuffled anew in every epoch, that can begin at any batch.

    A `DataLoader` takes it in two ways:

    - `DataLoader(dataset, batch_sampler=ShuffledBatches(len(dataset), 32))` fetches samples one by one and
      collates them;
    - `DataLoader(TensorDataset(x, y), sampler=ShuffledBatches(len(x), 32), batch_size=None)` indexes the
      tensors once per batch, which is many times faster for data in memory.

    `fit` calls `set_epoch` before each epoch, and `start_at` when it resumes in the middle of one; a loop
    by hand has to call them itself.

    On several ranks, consecutive samples of the common order are dealt out in turn. All ranks get the same
    number of batches and, together, every sample exactly once (torch's `DistributedSampler` repeats some
    or drops some). Their shares of the last batch may differ by one sample. A last batch too small to give
    every rank a sample joins the one before.

    Args:
        samples: number of samples of the data set, at least one per rank.
        batch_size: samples per batch and rank, >= 1.
        seed: the order is a function of it and the epoch.
        shuffle: False keeps the order 0, 1, 2, …: for validation.
        drop_last: leave out a last batch that is smaller than the others.
        rank: this process's number. By default torch.distributed's, or 0 without it.
        world_size: number of processes. By default torch.distributed's, or 1 without it.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> batches = ShuffledBatches(5, batch_size=2, seed=1)
        >>> first = list(batches)
        >>> [len(batch) for batch in first]
        [2, 2, 1]
        >>> batches.set_epoch(1)
        >>> list(batches) == first  # another epoch, another order
        False
        >>> batches.set_epoch(0)
        >>> batches.start_at(1)
        >>> list(batches) == first[1:]
        True
    """

    def __init__(
        self,
        samples: int,
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        distributed = dist.is_available() and dist.is_initialized()
        if world_size is None:
            world_size = dist.get_world_size() if distributed else 1
        if rank is None:
            rank = dist.get_rank() if distributed else 0
        if world_size < 1:
            raise ValueError(f"world_size must be >= 1, got {world_size}")
        if not 0 <= rank < world_size:
            raise ValueError(f"rank must be in [0, {world_size}), got {rank}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be >= 1, got {batch_size}")
        least = batch_size * world_size if drop_last else world_size
        if samples < least:
            raise ValueError(f"samples must be >= {least} to fill a batch on every rank, got {samples}")
        self.samples = samples
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self._first = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iterations."""
        self.epoch = epoch

    def start_at(self, batch: int) -> None:
        """Let the next iteration, and only that, begin at this batch, counted from 0."""
        self._first = batch

    def options(self) -> dict[str, int | bool]:
        """Return what decides the order: two samplers with the same options agree in every epoch."""
        return {
            "samples": self.samples,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
            "world_size": self.world_size,
        }

    def __len__(self) -> int:
        """Return the number of batches in a whole epoch, the same on every rank."""
        whole, rest = divmod(self.samples, self.batch_size * self.world_size)
        return whole + (rest >= self.world_size and not self.drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        first, self._first = self._first, 0
        order = shuffled(self.samples, self.seed, self.epoch) if self.shuffle else torch.arange(self.samples)
        width = self.batch_size * self.world_size
        for i in range(first, len(self)):
            is_last = i == len(self) - 1 and not self.drop_last
            common = order[i * width :] if is_last else order[i * width : (i + 1) * width]
            yield common[self.rank :: self.world_size].tolist()
