r"""The learning-rate range test: train a few steps at rising rates, watch the loss, undo it all.

Far below the right learning rate the loss stands still, near it the loss falls, above it the loss
explodes. One short sweep shows the three.

Smith, "Cyclical Learning Rates for Training Neural Networks", 2015, https://arxiv.org/abs/1506.01186
(section 3.3). The smoothing, the limit of 4 and the ways to read a rate off the curve go back to fastai:
https://docs.fast.ai/callback.schedule.html#lrfinder.

Examples:
    >>> import torch
    >>> from trainloop.data import noisy_line
    >>> from trainloop.optim import SGD
    >>> model = torch.nn.Linear(1, 1)
    >>> optimizer = SGD(model.parameters(), lr=1.0)
    >>> finder = LRFinder(model, torch.nn.functional.mse_loss, optimizer)
    >>> result = finder.run([noisy_line()], start_lr=1e-4, end_lr=10)
    >>> result.stopped
    'diverged'
    >>> 0.01 < result.suggestion() < 1
    True
    >>> optimizer.param_groups[0]["lr"]  # as before, like everything else
    1.0
"""

# torch leaves Tensor.backward without types:
# mypy: allow-untyped-calls

import copy
import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainloop.loop import Batch, LossFn, in_mode
from trainloop.rng import unchanged_random_state

__all__ = ["LRFinder", "LRFinderResult"]


@dataclass(frozen=True)
class LRFinderResult:
    """What a sweep saw. The three lists have one entry per step that had a finite loss.

    Attributes:
        lrs: the learning rates; with several parameter groups, those of the group with the largest.
        losses: the loss of each step's batch, before the step's update.
        smoothed: an average over the losses so far, in which later ones count more.
        stopped: why the sweep ended: `"finished"` all steps, `"diverged"` above the limit, or at a
            loss that was `"not finite"`.
    """

    lrs: list[float]
    losses: list[float]
    smoothed: list[float]
    stopped: Literal["finished", "diverged", "not finite"]

    def suggestion(
        self,
        method: Literal["steepest", "minimum", "valley"] = "steepest",
        *,
        skip_start: int = 10,
        skip_end: int = 5,
    ) -> float:
        """Read a learning rate off the smoothed curve, where it falls: up to its lowest point.

        Args:
            method: `"steepest"`: where the loss falls fastest, per factor in the learning rate.
                `"minimum"`: a tenth of the rate at the lowest loss. `"valley"`: the middle of the
                longest descent, that is, of the longest series of steps (others may lie between
                them) of which each has a lower loss than the one before.
            skip_start: how many of the first steps to leave out, at least 0: few losses are averaged.
            skip_end: how many of the last steps to leave out, at least 0: they diverge.

        Returns:
            A learning rate: a start for a search, not its end.

        Raises:
            ValueError: an argument is out of range, fewer than 2 steps are left, or the first of them
                has the lowest loss.
        """
        for name, skip in (("skip_start", skip_start), ("skip_end", skip_end)):
            if skip < 0:
                raise ValueError(f"{name} must be >= 0, got {skip}")
        if method not in ("steepest", "minimum", "valley"):
            raise ValueError(f"method must be 'steepest', 'minimum' or 'valley', got {method!r}")
        kept = slice(skip_start, len(self.lrs) - skip_end)
        lrs, losses = self.lrs[kept], self.smoothed[kept]
        if len(lrs) < 2:
            raise ValueError(
                f"a suggestion needs at least 2 steps, got {len(lrs)}: the sweep has {len(self.lrs)} ({self.stopped}), "
                f"of which skip_start={skip_start} and skip_end={skip_end} are left out"
            )
        lowest = losses.index(min(losses))
        if lowest == 0:
            raise ValueError(
                "the loss must fall somewhere for a suggestion, but is lowest at the first step looked at, "
                f"lr = {lrs[0]:.3g}"
            )
        if method == "minimum":
            return lrs[lowest] / 10
        falling = losses[: lowest + 1]
        return lrs[_steepest(lrs, falling) if method == "steepest" else _mid_descent(falling)]


class LRFinder:
    """Sweeps the learning rate, and leaves no trace of it.

    After a run – also one that diverged, or in which something raised – these are as they were, to the
    bit: weights and buffers, the optimizer with its state and learning rates, gradients, the mode of
    every layer, and the random states (`trainloop.rng`), with that of a `DataLoader`'s own generator.
    What a layer keeps elsewhere, such as a counter that is a plain attribute, is not put back; hooks
    run as they do in training.

    Args:
        model: the network.
        loss_fn: takes predictions and targets, and returns the mean loss over the batch.
        optimizer: what moves the network's parameters, already made. Where its groups have different
            learning rates, their ratios are kept; if all are 0, the groups share one rate.
    """

    def __init__(self, model: nn.Module, loss_fn: LossFn, optimizer: Optimizer) -> None:
        self.model = model
        self.loss_fn = loss_fn
        self.optimizer = optimizer

    def run(
        self,
        batches: Iterable[Batch],
        start_lr: float = 1e-7,
        end_lr: float = 10,
        steps: int = 100,
        mode: Literal["exp", "linear"] = "exp",
        *,
        smoothing: float = 0.98,
        diverge_at: float = 4.0,
        accumulation: int = 1,
    ) -> LRFinderResult:
        r"""Train with a learning rate that rises from step to step.

        The smoothed loss is $m_t / (1 - \beta^t)$ with $m_t = \beta m_{t-1} + (1 - \beta) L_t$ and
        $m_0 = 0$: Adam's first moment, of the loss.

        Args:
            batches: inputs and targets, on the model's device; read again from the start when it ends.
            start_lr: the first learning rate, > 0.
            end_lr: the last learning rate, above `start_lr`.
            steps: number of updates, at least 2.
            mode: from step to step, `"exp"` multiplies the learning rate by a constant, `"linear"` adds one.
            smoothing: $\beta$ in [0, 1); about $1/(1 - \beta)$ steps are remembered.
            diverge_at: stop when the smoothed loss exceeds the lowest so far by this factor, > 1. For a
                lowest loss b below 0, the limit is $b + (\text{diverge\_at} - 1)\,|b|$.
            accumulation: how many batches make one update, at least 1. The loss is then the mean over
                all their samples.

        Raises:
            ValueError: an argument is out of range, or the batches run out and cannot be read again.
        """
        _check(start_lr, end_lr, steps, mode, smoothing, diverge_at, accumulation)
        lrs: list[float] = []
        losses: list[float] = []
        smoothed: list[float] = []
        stopped: Literal["finished", "diverged", "not finite"] = "finished"
        average, best = 0.0, math.inf

        with self._undone(batches):
            ratios = self._lr_ratios()
            endless = _cycle(batches, needed=steps * accumulation)
            for i in range(steps):
                lr = _lr(i / (steps - 1), start_lr, end_lr, mode)
                self._set_lr(lr, ratios)
                loss = self._update(list(islice(endless, accumulation)))
                if not math.isfinite(loss):
                    stopped = "not finite"
                    break
                average = smoothing * average + (1 - smoothing) * loss
                lrs.append(lr)
                losses.append(loss)
                smoothed.append(average / (1 - smoothing ** (i + 1)))
                best = min(best, smoothed[-1])
                if smoothed[-1] > best + (diverge_at - 1) * abs(best):
                    stopped = "diverged"
                    break
        return LRFinderResult(lrs, losses, smoothed, stopped)

    def _update(self, window: list[Batch]) -> float:
        """Make one update from these batches, and return the mean loss of their samples before it."""
        samples = sum(len(x) for x, _ in window)
        if samples == 0:
            raise ValueError("batches must hold at least one sample each, got an empty one")

        def closure() -> float:  # L-BFGS calls it several times a step, the others once
            for p in self._parameters():
                p.grad = None
            total = 0.0
            for x, y in window:
                loss = self.loss_fn(self.model(x), y) * (len(x) / samples)
                loss.backward()
                total += loss.item()
            return total

        with torch.enable_grad():
            return float(self.optimizer.step(closure))

    def _lr_ratios(self) -> list[float]:
        own = [float(group["lr"]) for group in self.optimizer.param_groups]
        largest = max(own)
        return [lr / largest if largest > 0 else 1.0 for lr in own]

    def _set_lr(self, lr: float, ratios: list[float]) -> None:
        for group, ratio in zip(self.optimizer.param_groups, ratios, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr * ratio)
            else:
                group["lr"] = lr * ratio

    def _modules(self) -> list[nn.Module]:
        return [part for part in (self.model, self.loss_fn) if isinstance(part, nn.Module)]

    def _parameters(self) -> list[Tensor]:
        """The parameters of the model, of a loss that has some, and of the optimizer, each once."""
        owned = [p for module in self._modules() for p in module.parameters()]
        moved = [p for group in self.optimizer.param_groups for p in group["params"]]
        return list({id(p): p for p in (*owned, *moved)}.values())

    @contextmanager
    def _undone(self, batches: Iterable[Batch]) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(unchanged_random_state())
            stack.enter_context(_unchanged_generators(batches))
            stack.enter_context(in_mode(self.model, training=True))
            stack.enter_context(_unchanged_tensors(self._modules(), self._parameters()))
            stack.enter_context(_unchanged_optimizer(self.optimizer, self._parameters()))
            yield


def _check(
    start_lr: float,
    end_lr: float,
    steps: int,
    mode: str,
    smoothing: float,
    diverge_at: float,
    accumulation: int,
) -> None:
    if mode not in ("exp", "linear"):
        raise ValueError(f"mode must be 'exp' or 'linear', got {mode!r}")
    if not start_lr > 0:
        raise ValueError(f"start_lr must be > 0, got {start_lr}")
    if not start_lr < end_lr < math.inf:
        raise ValueError(f"end_lr must be finite and above start_lr = {start_lr}, got {end_lr}")
    if steps < 2:
        raise ValueError(f"steps must be >= 2, got {steps}")
    if not 0 <= smoothing < 1:
        raise ValueError(f"smoothing must be in [0, 1), got {smoothing}")
    if not diverge_at > 1:
        raise ValueError(f"diverge_at must be > 1, got {diverge_at}")
    if accumulation < 1:
        raise ValueError(f"accumulation must be >= 1, got {accumulation}")


def _lr(done: float, start: float, end: float, mode: str) -> float:
    """Return the learning rate when a fraction `done` of the sweep is over."""
    if mode == "linear":
        return start + (end - start) * done
    return float(start * (end / start) ** done)


def _cycle(batches: Iterable[Batch], needed: int) -> Iterator[Batch]:
    """Yield the batches again and again."""
    given = 0
    while True:
        before = given
        for batch in batches:
            given += 1
            yield batch
        if given == before:
            raise ValueError(
                f"batches must last for {needed} (steps times accumulation), got {given} "
                "(a generator can be read only once: pass a list or a DataLoader)"
            )


@contextmanager
def _unchanged_generators(batches: object) -> Iterator[None]:
    """Put the generators back that a `DataLoader` draws its order from, if it has its own."""
    own = (getattr(batches, "generator", None), getattr(getattr(batches, "sampler", None), "generator", None))
    states = [(generator, generator.get_state()) for generator in own if isinstance(generator, torch.Generator)]
    try:
        yield
    finally:
        for generator, state in states:
            generator.set_state(state)


@contextmanager
def _unchanged_tensors(modules: list[nn.Module], parameters: list[Tensor]) -> Iterator[None]:
    """Put parameters, buffers and gradients back: the same tensors, with the same values."""
    layers = [layer for module in modules for layer in module.modules()]
    buffers = [dict(layer._buffers) for layer in layers]
    tensors = [*parameters, *(b for names in buffers for b in names.values() if b is not None)]
    values = [tensor.detach().clone() for tensor in tensors]
    gradients = [p.grad for p in parameters]
    try:
        yield
    finally:
        for layer, names in zip(layers, buffers, strict=True):
            layer._buffers.update(names)  # a layer may have put a new tensor there
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(value)
        for p, gradient in zip(parameters, gradients, strict=True):
            p.grad = gradient


@contextmanager
def _unchanged_optimizer(optimizer: Optimizer, parameters: list[Tensor]) -> Iterator[None]:
    """Let an optimizer work on copies of its state and options, then give it back the originals.

    Copies share the parameters. An optimizer inside this one, as Lookahead has, is treated alike.
    """
    optimizers = _with_inner(optimizer)
    shared: dict[int, Any] = {id(kept): kept for kept in (*parameters, *optimizers)}
    originals = [dict(vars(each)) for each in optimizers]
    try:
        for each, original in zip(optimizers, originals, strict=True):
            for name, value in original.items():
                if isinstance(value, (dict, list, Tensor)) and not name.endswith("_hooks"):
                    vars(each)[name] = copy.deepcopy(value, shared)
        yield
    finally:
        for each, original in zip(optimizers, originals, strict=True):
            vars(each).clear()
            vars(each).update(original)


def _with_inner(optimizer: Optimizer) -> list[Optimizer]:
    inner = [value for value in vars(optimizer).values() if isinstance(value, Optimizer)]
    return [optimizer, *(found for each in inner for found in _with_inner(each))]


def _steepest(lrs: list[float], losses: list[float]) -> int:
    """Return the step after which the loss falls fastest, in the logarithm of the learning rate."""

    def slope(i: int) -> float:
        return (losses[i + 1] - losses[i]) / math.log(lrs[i + 1] / lrs[i])

    return min(range(len(losses) - 1), key=slope)


def _mid_descent(losses: list[float]) -> int:
    """Return the middle step of the longest falling subsequence, found by patience sorting."""
    depths: list[float] = []  # depths[k]: minus the highest loss at which a descent of k + 1 steps ends
    ends: list[int] = []  # the step where it ends
    before: list[int | None] = []  # for each step, the one before it in the longest descent that ends there
    for i, loss in enumerate(losses):
        k = bisect_left(depths, -loss)
        before.append(ends[k - 1] if k > 0 else None)
        depths[k : k + 1] = [-loss]
        ends[k : k + 1] = [i]
    descent = []
    step: int | None = ends[-1]
    while step is not None:
        descent.append(step)
        step = before[step]
    return descent[len(descent) // 2]
