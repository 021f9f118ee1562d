"""One model on several processes: what a training loop must know about DDP and FSDP2.

Under both, each process (a rank) sees its own batches, and the gradients are averaged over the ranks
during `backward`. DDP (`torch.nn.parallel.DistributedDataParallel`) keeps a whole model on every rank;
FSDP2 (`torch.distributed.fsdp.fully_shard`) cuts every parameter into one piece per rank. Every rank of
the group is taken to train on different samples: no tensor or pipeline parallelism.

For a plain model the functions are free of communication: the same loop serves one process and many.

https://docs.pytorch.org/docs/stable/notes/ddp.html,
https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = [
    "device_of",
    "gather",
    "gather_objects",
    "gather_tensors",
    "gradient_sync",
    "is_cut",
    "is_sharded",
    "lockstep",
    "map_tensors",
    "placed_like",
    "rank",
    "ranks",
    "reshard",
    "sum_over_ranks",
    "unwrap",
    "whole",
]


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model itself, without the wrappers of `torch.compile` and DDP.

    Its parameters and their names are the same on one process and on many.
    """
    model = _uncompiled(model)
    if isinstance(model, DistributedDataParallel):
        return _uncompiled(model.module)
    return model


def ranks(model: nn.Module) -> int:
    """Return over how many processes the model's gradients are averaged; 1 for a plain model."""
    return dist.get_world_size(_group(model)) if _is_parallel(model) else 1


def rank(model: nn.Module) -> int:
    """Return this process's number among them, from 0. Rank 0 is the one that writes and prints."""
    return dist.get_rank(_group(model)) if _is_parallel(model) else 0


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the first parameter or buffer; the CPU for a model that has neither."""
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.device("cpu")


def is_sharded(module: nn.Module) -> bool:
    """Tell whether FSDP2 has cut this module's parameters into pieces."""
    # That can only be where somebody has imported FSDP: no need to import it just to ask.
    fsdp = sys.modules.get("torch.distributed.fsdp")
    return fsdp is not None and isinstance(module, fsdp.FSDPModule)


def gather(model: nn.Module, values: Sequence[float]) -> list[list[float]]:
    """Return every rank's values, in the order of the ranks."""
    if not _is_parallel(model):
        return [list(values)]
    mine = torch.tensor(values, dtype=torch.float64, device=device_of(model))
    everyones = [torch.empty_like(mine) for _ in range(ranks(model))]
    dist.all_gather(everyones, mine, group=_group(model))
    return [row.tolist() for row in everyones]


def gather_objects(model: nn.Module, mine: Any) -> list[Any]:
    """Return every rank's object, in the order of the ranks."""
    if not _is_parallel(model):
        return [mine]
    everyones: list[Any] = [None] * ranks(model)
    dist.all_gather_object(everyones, mine, group=_group(model))
    return everyones


def sum_over_ranks(model: nn.Module, x: Tensor) -> Tensor:
    """Return the sum of every rank's tensor, the same on all ranks. `x` stays as it is."""
    if _is_parallel(model):
        x = x.clone()
        dist.all_reduce(x, group=_group(model))
    return x


def lockstep(
    model: nn.Module, items: Iterable[Any], sizes: Callable[[Any], tuple[int, int]]
) -> Iterator[tuple[Any, int]]:
    """Yield each item together with its size summed over the ranks.

    Every forward and backward pass of a parallel model waits for the other ranks. A rank that runs out
    of data earlier would leave them waiting for ever; here it makes all of them raise.

    Args:
        model: tells the ranks.
        items: this rank's, as many as on every other rank.
        sizes: of an item, the number of its parts, which must be the same on all ranks, and its size.

    Raises:
        ValueError: the ranks' items differ in number or in their number of parts.
    """
    iterator = iter(items)
    nothing = object()
    while True:
        item = next(iterator, nothing)
        rows = gather(model, (0, 0) if item is nothing else sizes(item))
        parts = [int(row[0]) for row in rows]
        if len(set(parts)) > 1:
            raise ValueError(f"batches must be as many on every rank, got {parts} next, in the order of the ranks")
        if item is nothing:
            return
        yield item, int(sum(row[1] for row in rows))


@contextmanager
def gradient_sync(model: nn.Module, wanted: bool) -> Iterator[None]:
    """Average the gradients over the ranks in this backward pass, or only add them up locally.

    The forward pass belongs inside, too. Averaging once per window saves the communication of the others;
    FSDP2 keeps whole gradients meanwhile, and so needs their memory.
    """
    bare: Any = _uncompiled(model)
    if wanted or not _is_parallel(model):
        yield
    elif isinstance(bare, DistributedDataParallel):
        with bare.no_sync():
            yield
    else:
        bare.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            bare.set_requires_gradient_sync(True)


def reshard(model: nn.Module) -> None:
    """Make an FSDP2 model drop the whole parameters that a forward pass without backward leaves behind.

    The next forward pass would use them as they are, blind to what happened to the pieces since. A change
    of the weights between two forward passes (averaged weights swapped in for evaluation) needs this.
    """
    module: Any
    for module in model.modules():
        if is_sharded(module):
            module.reshard()


def map_tensors(tree: Any, f: Callable[[Tensor], Tensor]) -> Any:
    """Return a copy of nested dicts, lists and tuples with `f` applied to every tensor in it."""
    if isinstance(tree, Tensor):
        return f(tree)
    if type(tree) in (dict, OrderedDict):  # not a Counter, whose constructor would count the pairs
        return {key: map_tensors(value, f) for key, value in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(map_tensors(value, f) for value in tree)
    return tree


def is_cut(x: Tensor) -> bool:
    """Tell whether this rank holds a piece of the tensor only: whether it is a DTensor."""
    tensor = sys.modules.get("torch.distributed.tensor")
    return tensor is not None and isinstance(x, tensor.DTensor)


def whole(x: Tensor) -> Tensor:
    """Put the pieces of a sharded tensor together; any other comes back detached.

    All ranks must call it for the same tensors in the same order.
    """
    x = x.detach()
    return x.full_tensor() if is_cut(x) else x  # type: ignore[attr-defined]


def gather_tensors(model: nn.Module, tree: Any) -> Any:
    """Return a copy of nested dicts, lists and tuples that holds whole tensors in main memory.

    Only rank 0 gets them; elsewhere they come back empty, for many copies of a large model may not fit. A
    tensor that is whole and in main memory is not copied.
    """
    keep = rank(model) == 0

    def collect(x: Tensor) -> Tensor:
        x = whole(x)
        return x.cpu() if keep else x.new_empty(0)

    return map_tensors(tree, collect)


def placed_like(x: Tensor, like: Tensor) -> Tensor:
    """Return `x`, a whole tensor, on the device of `like`; cut as `like` is, if both have one shape."""
    x = x.to(like.device)
    if is_cut(like) and x.shape == like.shape:
        from torch.distributed.tensor import DTensor, distribute_tensor

        assert isinstance(like, DTensor)
        return distribute_tensor(x, like.device_mesh, like.placements, src_data_rank=None)
    return x


def _uncompiled(model: nn.Module) -> nn.Module:
    inner = getattr(model, "_orig_mod", None)  # where torch.compile's wrapper keeps the model
    return inner if isinstance(inner, nn.Module) else model


def _is_parallel(model: nn.Module) -> bool:
    bare = _uncompiled(model)
    return isinstance(bare, DistributedDataParallel) or is_sharded(bare)


def _group(model: nn.Module) -> Any:
    bare = _uncompiled(model)
    return bare.process_group if isinstance(bare, DistributedDataParallel) else None
