r"""Averages of the weights along the run: a second model, often better than the last one.

SGD at a learning rate that is not tiny keeps jumping about a minimum; the mean of its positions often lies
deeper than any of them. It costs one copy of the weights. Every average here is one rule with its own weights $w_t$,

$$
\bar\theta_t = \bar\theta_{t-1} + w_t\,(\theta_t - \bar\theta_{t-1}), \qquad w_1 = 1 .
$$

Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018,
https://arxiv.org/abs/1803.05407 (SWA). Polyak and Juditsky, "Acceleration of Stochastic Approximation by
Averaging", 1992, https://doi.org/10.1137/0330046. `torch.optim.swa_utils`:
https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from trainloop import parallel
from trainloop.loop import Batch, in_mode

__all__ = [
    "EMA",
    "SWA",
    "WeightAverage",
    "averages_itself",
    "has_batchnorm",
    "kept",
    "optimizer_average",
    "update_batchnorm",
]


class WeightAverage:
    """Base class: keeps an average of a model's weights beside the model, which trains on undisturbed.

    A subclass brings `weight`, the rule. The average has the weights' type: in `bfloat16`, steps smaller
    than 1/256 of the average would be lost, so keep the weights in `float32` and compute under autocast.

    Args:
        start: number of calls of `update` that pass before the average begins, >= 0.
        average_buffers: average floating-point buffers like weights. Otherwise, and for integer buffers
            always, the average uses the model's own.

    Attributes:
        n_averaged: number of positions in the average so far.

    Raises:
        ValueError: `start` is negative.
    """

    cadence: ClassVar[Literal["step", "epoch"]]
    """When `fit` calls `update`: after every step or after every epoch."""

    refreshes_batchnorm = False
    """Whether `fit` recomputes BatchNorm's statistics before it measures the averaged weights."""

    def __init__(self, start: int = 0, average_buffers: bool = False) -> None:
        if start < 0:
            raise ValueError(f"start must be >= 0, got {start}")
        self.start = start
        self.average_buffers = average_buffers
        self.n_passed = 0
        self.n_averaged = 0
        self.averages: dict[str, Tensor] = {}

    def weight(self, t: int) -> float:
        """Return how much position `t` moves the average, for t = 2, 3, …; position 1 is the average."""
        raise NotImplementedError

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take the model's weights into the average.

        Raises:
            ValueError: the model's weights have other names than those averaged so far.
        """
        # --8<-- [start:update]
        if self.n_passed < self.start:
            self.n_passed += 1
            return
        self.n_averaged += 1
        weights = self._averaged(model)
        if self.n_averaged == 1:
            for name, θ in weights.items():
                self.averages[name] = θ.clone()
            return
        self._check_names(weights)
        w = self.weight(self.n_averaged)
        for name, θ in weights.items():
            self.averages[name].lerp_(θ, w)
        # --8<-- [end:update]

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Give the model the averaged weights, for good.

        Raises:
            ValueError: nothing has been averaged yet, or the model's weights have other names.
        """
        if self.n_averaged == 0:
            raise ValueError("the average must hold at least one position, got none: call update first")
        weights = self._averaged(model)
        self._check_names(weights)
        for name, θ in weights.items():
            θ.copy_(self.averages[name])

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Give the model the averaged weights inside a `with` block; afterwards it has its own again.

        Its own buffers, too: BatchNorm's statistics can be recomputed inside.

        Raises:
            ValueError: nothing has been averaged yet, or the model's weights have other names.
        """
        with kept(model, [*model.parameters(), *model.buffers()]):
            self.copy_to(model)
            yield

    def options(self) -> dict[str, Any]:
        """Return what the constructor was given: what is not state."""
        return {name: value for name, value in vars(self).items() if name not in self.state_dict()}

    def state_dict(self) -> dict[str, Any]:
        """Return the averages and the counters; the options belong to the constructor."""
        return {"n_passed": self.n_passed, "n_averaged": self.n_averaged, "averages": dict(self.averages)}

    def load_state_dict(self, state: dict[str, Any], model: nn.Module) -> None:
        """Continue where the average that made `state` was.

        Args:
            state: holds whole tensors on any device.
            model: tells where each of them belongs.

        Raises:
            ValueError: the model's weights have other names than the averages.
        """
        weights = self._averaged(model)
        averages = state["averages"]
        if averages:
            self._check_names(weights, averages)
        self.n_passed, self.n_averaged = state["n_passed"], state["n_averaged"]
        self.averages = {name: parallel.placed_like(x, weights[name]).clone() for name, x in averages.items()}

    def _averaged(self, model: nn.Module) -> dict[str, Tensor]:
        inner = parallel.unwrap(model)
        tensors: dict[str, Tensor] = dict(inner.named_parameters())
        if self.average_buffers:
            tensors |= {name: b for name, b in inner.named_buffers() if b.is_floating_point()}
        return {name: x.detach() for name, x in tensors.items()}

    def _check_names(self, weights: dict[str, Tensor], averages: dict[str, Tensor] | None = None) -> None:
        averages = self.averages if averages is None else averages
        if weights.keys() != averages.keys():
            differ = sorted(weights.keys() ^ averages.keys())
            raise ValueError(f"model must have the weights that were averaged, got a difference in {differ}")


@contextmanager
def kept(model: nn.Module, tensors: Sequence[Tensor]) -> Iterator[None]:
    """Give these of the model's tensors the values back, after a `with` block, that they had before."""
    # --8<-- [start:kept]
    saved = [x.detach().clone() for x in tensors]
    try:
        yield
    finally:
        parallel.reshard(model)
        with torch.no_grad():
            for x, value in zip(tensors, saved, strict=True):
                x.copy_(value)
    # --8<-- [end:kept]


class EMA(WeightAverage):
    r"""Exponential moving average: the last $1/(1-\beta)$ steps, roughly, count.

    $$
    \bar\theta_t = \beta\,\bar\theta_{t-1} + (1 - \beta)\,\theta_t, \qquad \bar\theta_1 = \theta_1
    $$

    With a constant $\beta$ the first position counts $1/(1-\beta)$ times as much as its neighbours, and is
    forgotten as slowly as everything else: with $\beta = 0.999$, it still holds 37 % after 1000 steps.
    `correct_bias` weights it like the others: the average that starts at 0, divided by $1 - \beta^t$ as
    in Adam, which is the rule above with $w_t = (1-\beta)/(1-\beta^t)$.

    Args:
        decay: $\beta$ in [0, 1].
        correct_bias: weight the first position like the others. $\beta < 1$, then.
        start: number of steps that pass before the average begins.
        average_buffers: average floating-point buffers, too. BatchNorm's statistics are averages already;
            taken from the model they are the newest, and not quite those of the averaged weights.

    Raises:
        ValueError: `decay` or `start` is out of range.

    Differs from torch.optim.swa_utils:
        Bitwise equal to `AveragedModel(multi_avg_fn=get_ema_multi_avg_fn(decay))` on the CPU; without
        a second model, in which a copy of everything would have to be kept. Integer buffers, which torch
        averages and rounds, stay the model's.

    Examples:
        >>> import torch
        >>> model, ema = torch.nn.Linear(1, 1, bias=False), EMA(decay=0.75)
        >>> for w in (0.0, 4.0, 4.0):
        ...     _ = torch.nn.init.constant_(model.weight, w)
        ...     ema.update(model)
        >>> with ema.applied(model):
        ...     model.weight.item()  # 0 → 1 → 1.75
        1.75
        >>> model.weight.item()
        4.0
    """

    cadence = "step"

    def __init__(
        self,
        decay: float = 0.999,
        *,
        correct_bias: bool = False,
        start: int = 0,
        average_buffers: bool = False,
    ) -> None:
        if not 0 <= decay <= 1:
            raise ValueError(f"decay must be in [0, 1], got {decay}")
        if correct_bias and decay == 1:
            raise ValueError("decay must be < 1 with correct_bias, got 1")
        super().__init__(start, average_buffers)
        self.decay = decay
        self.correct_bias = correct_bias

    def weight(self, t: int) -> float:
        β = self.decay
        return (1 - β) / (1 - β**t) if self.correct_bias else 1 - β


class SWA(WeightAverage):
    r"""Stochastic weight averaging: the plain mean of the weights at the end of each epoch.

    $$
    \bar\theta_t = \bar\theta_{t-1} + \frac{1}{t}\,(\theta_t - \bar\theta_{t-1})
    $$

    Meant for the last quarter of a run, at a learning rate that stays high. BatchNorm's statistics belong
    to weights that were never averaged, so they have to be measured anew: `update_batchnorm`.

    Args:
        start: number of epochs that pass before the average begins.
        average_buffers: average floating-point buffers, too, instead of recomputing BatchNorm's statistics.

    Raises:
        ValueError: `start` is negative.

    Differs from torch.optim.swa_utils:
        Equal to `AveragedModel(model)` but for rounding: on the CPU torch adds $(\theta_t - \bar\theta_{t-1})/t$,
        this class calls `lerp_`. They stay within one unit in the last place per update, tested.

    Examples:
        >>> import torch
        >>> model, swa = torch.nn.Linear(1, 1, bias=False), SWA(start=1)
        >>> for w in (9.0, 1.0, 2.0, 3.0):
        ...     _ = torch.nn.init.constant_(model.weight, w)
        ...     swa.update(model)
        >>> swa.copy_to(model)
        >>> model.weight.item()
        2.0
    """

    cadence = "epoch"

    def __init__(self, start: int = 0, *, average_buffers: bool = False) -> None:
        super().__init__(start, average_buffers)
        self.refreshes_batchnorm = not average_buffers

    def weight(self, t: int) -> float:
        return 1 / t


@torch.no_grad()
def update_batchnorm(model: nn.Module, batches: Iterable[Batch]) -> None:
    """Measure BatchNorm's running statistics anew, for the weights that the model has now.

    One forward pass over the batches in train mode; the statistics become the plain mean of the batches'.
    Every batch counts alike, as in `torch.optim.swa_utils.update_bn`. Afterwards every layer is in the mode
    it was in before. On several ranks, each measures its own batches.
    """
    inner = parallel.unwrap(model)
    device = parallel.device_of(inner)
    # --8<-- [start:batchnorm]
    norms = [m for m in inner.modules() if isinstance(m, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean, not an exponential one
        with in_mode(inner, training=True):
            for x, _ in batches if norms else ():
                inner(x.to(device, non_blocking=True))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    # --8<-- [end:batchnorm]


def has_batchnorm(model: nn.Module) -> bool:
    """Tell whether a layer of the model keeps BatchNorm's running statistics."""
    return any(isinstance(layer, _BatchNorm) and layer.track_running_stats for layer in model.modules())


def averages_itself(optimizer: Optimizer) -> bool:
    """Tell whether the optimizer keeps an average of its own and has `train` and `eval` to switch to it."""
    return all(callable(getattr(optimizer, method, None)) for method in ("train", "eval"))


@contextmanager
def optimizer_average(optimizer: Optimizer) -> Iterator[None]:
    """Let an optimizer such as Schedule-Free give the model its average inside a `with` block.

    Schedule-Free takes gradients at one point and answers with another: `optimizer.eval()` puts the answer
    into the model, `optimizer.train()` the point where training goes on. Any other optimizer is left alone.
    """
    if not averages_itself(optimizer):
        yield
        return
    optimizer.eval()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        optimizer.train()  # type: ignore[attr-defined]
