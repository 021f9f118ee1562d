"""Measuring several things in one pass over validation batches."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn

from trainloop import parallel
from trainloop.loop import Batch, in_mode, mean_of
from trainloop.window import Count, autocasting, count_samples, windows

__all__ = ["Metric", "measure"]

Metric: TypeAlias = Callable[[Tensor, Tensor], Tensor | float]
"""Takes predictions and targets, and returns its mean over the batch."""


@torch.no_grad()
def measure(
    model: nn.Module,
    metrics: Mapping[str, Metric],
    batches: Iterable[Batch],
    *,
    autocast: torch.dtype | None = None,
    count: Count = count_samples,
) -> dict[str, float]:
    """Return the mean of every metric over all samples, measured in eval mode.

    Only metrics that are means over samples come out exact, whatever the batches' sizes: accuracy is one,
    the F1 score is not. On several ranks, the samples of all of them count; each must have as many batches.

    Args:
        model: plain, DDP or FSDP2. Batches are moved to its device. Every layer keeps its mode.
        metrics: by name.
        batches: inputs and targets.
        autocast: type of the forward pass, or None.
        count: what a batch weighs.

    Raises:
        ValueError: there are no samples.

    Examples:
        >>> def accuracy(prediction, y):
        ...     return (prediction.argmax(dim=1) == y).float().mean()
        >>> x = torch.tensor([[2.0, 1.0], [3.0, 4.0], [5.0, 6.0]])
        >>> y = torch.tensor([0, 1, 0])
        >>> measured = measure(torch.nn.Identity(), {"accuracy": accuracy}, [(x[:1], y[:1]), (x[1:], y[1:])])
        >>> round(measured["accuracy"], 4)
        0.6667
    """
    inner, device = parallel.unwrap(model), parallel.device_of(model)
    totals, samples = dict.fromkeys(metrics, 0.0), 0
    with in_mode(inner, training=False):
        for [(x, y)], _ in parallel.lockstep(model, windows(batches, 1), lambda batch: (1, 0)):
            x, y = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
            n = count(x, y)
            with autocasting(device, autocast):
                prediction = inner(x)
                for name, metric in metrics.items():
                    totals[name] += float(metric(prediction, y)) * n
            samples += n
    rows = parallel.gather(model, [samples, *totals.values()])
    everyones = [sum(column) for column in zip(*rows, strict=True)]
    return {name: mean_of(total, int(everyones[0])) for name, total in zip(totals, everyones[1:], strict=True)}
