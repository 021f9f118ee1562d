r"""A window: the micro-batches of one update.

A batch that is too large for memory is cut into micro-batches; their gradients are added up, and one step
is made. The result equals the large batch's if every sample counts alike. With micro-batches of
$n_1, \dots, n_k$ samples and the mean losses $L_i$ over them,

$$
\nabla L = \sum_{i=1}^{k} \frac{n_i}{N}\,\nabla L_i, \qquad N = \sum_{i=1}^{k} n_i .
$$

The weight is $n_i/N$, not $1/k$: the last micro-batch of an epoch is often smaller, and the last window
often holds fewer of them. $N$ is known before the first backward pass because a window's data are read
before it is trained on, so they must fit into memory together; activations need not. On several ranks, $N$
counts the samples of all of them.

Mixed precision computes most operations in a 16-bit type. `bfloat16` needs nothing else. In `float16` small
gradients would round to zero: a `GradScaler` multiplies the loss, and so all gradients, by a large factor,
and divides the gradients by it before anything looks at them. Hence the order in `train_window`.
https://docs.pytorch.org/docs/stable/notes/amp_examples.html.

Examples:
    >>> import torch
    >>> from trainloop.optim import SGD
    >>> x = torch.tensor([[0.0], [1.0], [2.0]])
    >>> line = torch.nn.Linear(1, 1)
    >>> optimizer = SGD(line.parameters(), lr=0.2)
    >>> micro_batches = [(x[:2], 2 * x[:2] + 3), (x[2:], 2 * x[2:] + 3)]  # of 2 samples and of 1
    >>> for epoch in range(500):
    ...     for window in windows(micro_batches, size=2):
    ...         update = train_window(line, torch.nn.functional.mse_loss, optimizer, window)
    >>> round(line.weight.item(), 3), round(line.bias.item(), 3)
    (2.0, 3.0)
"""

# torch leaves Tensor.backward without types:
# mypy: allow-untyped-calls

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from trainloop import parallel
from trainloop.loop import Batch, LossFn

__all__ = [
    "Clip",
    "Count",
    "Update",
    "accumulate",
    "autocasting",
    "count_samples",
    "needs_closure",
    "step",
    "train_window",
    "train_with_closure",
    "windows",
]

Clip: TypeAlias = Callable[[list[Tensor]], Tensor | float | None]
"""Changes the gradients of these parameters in place; returns their norm before, if it knows it."""

Count: TypeAlias = Callable[[Tensor, Tensor], int]
"""Of inputs and targets, the number of samples (or tokens) that the loss is a mean over."""


class Update(NamedTuple):
    """What one window's training came to."""

    loss: Tensor
    """Mean loss over the window's samples before the update: 0-dim, without a graph."""

    grad_norm: Tensor | None
    """What `clip` returned: as a rule the gradient's norm before clipping. 0-dim."""

    stepped: bool
    """False if the scaler left the update out because a gradient was infinite or NaN."""


def count_samples(x: Tensor, y: Tensor) -> int:
    """Return the length of the first dimension."""
    return len(x)


def windows(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """Yield `size` batches at a time; the last window holds what is left.

    Raises:
        ValueError: `size` is less than 1.

    Examples:
        >>> [len(window) for window in windows([(torch.ones(1), torch.ones(1))] * 5, size=2)]
        [2, 2, 1]
    """
    if size < 1:
        raise ValueError(f"size must be >= 1, got {size}")
    iterator = iter(batches)
    while window := list(islice(iterator, size)):
        yield window


def accumulate(
    model: nn.Module,
    loss_fn: LossFn,
    window: Sequence[Batch],
    *,
    autocast: torch.dtype | None = None,
    scaler: GradScaler | None = None,
    count: Count = count_samples,
    total: int | None = None,
) -> Tensor:
    """Add the gradient of the mean loss over a window's samples to `p.grad`, and return that loss.

    Args:
        model: plain, DDP or FSDP2. Batches are moved to its device.
        loss_fn: returns the mean over what `count` counts.
        window: micro-batches, of any sizes.
        autocast: type of the forward pass: `torch.bfloat16`, `torch.float16`, or None for the model's own.
        scaler: multiplies the loss; the gradients stay multiplied.
        count: what a batch weighs. A loss that is a mean over tokens that are not padding needs their
            number here, or micro-batches with much padding count too much.
        total: the window's count over all ranks; counted if not given.

    Returns:
        Mean loss over the samples of all ranks: 0-dim, without a graph.

    Raises:
        ValueError: a micro-batch holds no samples, or there is none.
    """
    device, ranks = parallel.device_of(model), parallel.ranks(model)
    sizes = [count(x, y) for x, y in window]
    if not sizes or min(sizes) < 1:
        raise ValueError(f"batches must hold at least one sample, got a window of sizes {sizes}")
    if total is None:
        total = int(sum(row[0] for row in parallel.gather(model, [sum(sizes)])))

    # --8<-- [start:accumulate]
    shares = []
    for i, ((x, y), n) in enumerate(zip(window, sizes, strict=True), start=1):
        x = x.to(device, non_blocking=True)
        y = y.to(device, non_blocking=True)
        with parallel.gradient_sync(model, i == len(window)):
            with autocasting(device, autocast):
                loss = loss_fn(model(x), y)
            share = loss * (n * ranks / total)  # ranks are averaged
            if scaler is not None:
                share = scaler.scale(share)
            share.backward()
        shares.append(loss.detach() * (n / total))  # without the graph
    # --8<-- [end:accumulate]
    return parallel.sum_over_ranks(model, torch.stack(shares).sum())


def train_window(
    model: nn.Module,
    loss_fn: LossFn,
    optimizer: Optimizer,
    window: Sequence[Batch],
    *,
    clip: Clip | None = None,
    autocast: torch.dtype | None = None,
    scaler: GradScaler | None = None,
    count: Count = count_samples,
    total: int | None = None,
    before_step: Callable[[Tensor], None] | None = None,
) -> Update:
    """Make one update from one window: `train_step`, as production runs need it.

    Args:
        model: plain, DDP or FSDP2.
        loss_fn: as for `accumulate`, like `window`, `autocast`, `count` and `total`.
        optimizer: makes the update.
        window: micro-batches, of any sizes.
        clip: changes the gradients of the optimizer's parameters after they have been unscaled. Under DDP
            every rank holds the whole gradient and clips it alike.
        autocast: type of the forward pass, or None.
        scaler: for `float16`. Where a gradient is infinite or NaN it leaves out the update.
        count: what a batch weighs.
        total: the window's count over all ranks; counted if not given.
        before_step: called with the loss when the gradients are complete and unscaled, but not clipped.

    Raises:
        ValueError: a micro-batch holds no samples, or there is none.
    """
    # --8<-- [start:window]
    optimizer.zero_grad(set_to_none=True)
    loss = accumulate(
        model,
        loss_fn,
        window,
        autocast=autocast,
        scaler=scaler,
        count=count,
        total=total,
    )
    if scaler is not None:
        scaler.unscale_(optimizer)  # once, after the last micro-batch
    if before_step is not None:
        before_step(loss)
    norm = clip(_parameters(optimizer)) if clip is not None else None
    stepped = step(optimizer, scaler)
    # --8<-- [end:window]
    return Update(loss, None if norm is None else parallel.whole(torch.as_tensor(norm)), stepped)


# --8<-- [start:step]
def step(optimizer: Optimizer, scaler: GradScaler | None) -> bool:
    """Make the update, and tell whether it was made."""
    if scaler is None:
        optimizer.step()
        return True
    scale = scaler.get_scale()
    scaler.step(optimizer)  # leaves the update out after an overflow,
    scaler.update()  # and lowers the scale; many good steps raise it
    return scaler.get_scale() >= scale


# --8<-- [end:step]


def train_with_closure(
    model: nn.Module,
    loss_fn: LossFn,
    optimizer: Optimizer,
    batch: Batch,
    *,
    count: Count = count_samples,
    total: int | None = None,
) -> Update:
    """Make one step of an optimizer that evaluates the loss itself, such as L-BFGS.

    All evaluations of a step see the same batch. Dropout draws anew in each of them, and so makes each a
    different function: leave it out.

    Returns:
        The loss of the first evaluation, before the update.
    """
    # --8<-- [start:closure]
    losses: list[Tensor] = []

    def closure() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = accumulate(model, loss_fn, [batch], count=count, total=total)
        losses.append(loss)
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    return Update(losses[0], None, stepped=True)
    # --8<-- [end:closure]


def needs_closure(optimizer: Optimizer) -> bool:
    """Tell whether `optimizer.step` cannot be called without a closure: any L-BFGS, and what says so itself."""
    if "LBFGS" in (c.__name__ for c in type(optimizer).__mro__):
        return True
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def autocasting(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    """Return `torch.autocast` to this type; with None, a context that changes nothing."""
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]
