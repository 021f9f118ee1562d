r"""Look into a training run: gradients, updates, dead units, and where the first NaN came from.

`grad_norms` and `dead_units` answer once. `UpdateRatios`, `DeadUnits` and `NonFiniteWatch` hook into a model or
an optimizer for as long as their `with` block lasts, and take every hook out again at its end. `Monitor` gathers
the numbers of each step. Nothing here prints, and nothing changes what is computed: weights, gradients and
random numbers stay as they are without it.

Every number read from a GPU makes the program wait for it: on a GPU, watch while you search, not for ever.

https://cs231n.github.io/neural-networks-3/ (update-to-weight ratios of about 1e-3, dead units).
https://docs.pytorch.org/docs/stable/notes/autograd.html#backward-hooks-execution
"""

# torch leaves the hooks of tensors and graph nodes without types:
# mypy: allow-untyped-calls

import math
import time
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from trainloop.clip import total_norm

__all__ = [
    "DeadUnits",
    "Monitor",
    "NonFinite",
    "NonFiniteError",
    "NonFiniteWatch",
    "Record",
    "UpdateRatios",
    "dead_units",
    "grad_norms",
]

Record: TypeAlias = dict[str, Any]
"""The numbers of one step, made of what JSON knows: numbers, lists, dicts with strings as keys, and None."""

_MODEL = "(model)"  # the name of the outermost module, which has none


class _Hooked(ABC):
    """A context manager that holds hooks."""

    def __init__(self) -> None:
        self._handles: list[Any] = []

    @abstractmethod
    def _attach(self) -> None:
        """Set the hooks, and keep their handles."""

    def __enter__(self) -> Self:
        if self._handles:
            raise RuntimeError(f"this {type(self).__name__} is in use: leave its block before entering another")
        self._attach()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._handles:
            self._handles.pop().remove()


# --- gradients and updates


def grad_norms(model: nn.Module, by: Literal["parameter", "layer"] = "parameter") -> dict[str, float]:
    """Return the 2-norm of the gradient of each parameter, or of each layer.

    Args:
        model: a model after `backward()`. With `torch.amp.GradScaler`, unscale first.
        by: "parameter", or "layer": a layer's norm is that of all parameters it holds itself, as one vector.

    Returns:
        Norms by qualified name, in the model's order. Parameters without a gradient are left out; a tied one
        counts once, under its first name. The name of what the model itself holds is "(model)" as a layer. NaN
        and infinite norms are returned as they are.

    Raises:
        ValueError: `by` is something else.

    Examples:
        >>> model = nn.Linear(2, 1)
        >>> _ = model(torch.tensor([[3.0, 4.0]])).sum().backward()
        >>> grad_norms(model)
        {'weight': 5.0, 'bias': 1.0}
    """
    if by not in ("parameter", "layer"):
        raise ValueError(f"by must be 'parameter' or 'layer', got {by!r}")
    named = [(name, p.grad) for name, p in model.named_parameters() if p.grad is not None]
    norms = dict(zip((name for name, _ in named), _norms([grad for _, grad in named]), strict=True))
    if by == "parameter":
        return norms
    layers: dict[str, list[float]] = defaultdict(list)
    for name, norm in norms.items():
        layers[name.rpartition(".")[0] or _MODEL].append(norm)
    return {name: _hypot(parts) for name, parts in layers.items()}


class UpdateRatios(_Hooked):
    r"""Measures how far each step moves each parameter, in units of its size.

    $$
    r = \frac{\|\theta_t - \theta_{t-1}\|}{\|\theta_{t-1}\|}
    $$

    A rule of thumb is that $r$ should be near $10^{-3}$: much less learns slowly, much more forgets.

    In its `with` block, every `optimizer.step()` refreshes `ratios`, by the optimizer's own hooks: a step that
    `GradScaler` skips is not one. Without the block, call `before_step` and `after_step` yourself.

    It keeps room for a second copy of the weights.

    Args:
        model: gives the parameters their names.
        optimizer: moves them. Its parameters that are not in the model are not measured.

    Attributes:
        ratios: $r$ by qualified name, of the last step; empty before the first. A parameter of size 0, such as a
            bias that starts there, has no ratio and is left out. A step that does not touch a parameter gives 0.

    Examples:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> _ = nn.init.constant_(model.weight, 3.0)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        >>> with UpdateRatios(model, optimizer) as watch:
        ...     _ = model(torch.ones(1, 2)).sum().backward()
        ...     optimizer.step()  # each weight moves from 3 to 2.5
        >>> round(watch.ratios["weight"], 4)
        0.1667
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer) -> None:
        super().__init__()
        held = {p for group in optimizer.param_groups for p in group["params"]}
        self._named = {name: p for name, p in model.named_parameters() if p in held}
        self._optimizer = optimizer
        self._before: list[Tensor] = []  # room for the weights, made once: new memory for every step costs most
        self._remembers = False
        self.ratios: dict[str, float] = {}

    def _attach(self) -> None:
        self._handles = [
            self._optimizer.register_step_pre_hook(lambda *_: self.before_step()),
            self._optimizer.register_step_post_hook(lambda *_: self.after_step()),
        ]

    @torch.no_grad()
    def before_step(self) -> None:
        """Remember the weights."""
        if not self._before:
            self._before = [torch.empty_like(θ) for θ in self._named.values()]
        for before, θ in zip(self._before, self._named.values(), strict=True):
            before.copy_(θ)
        self._remembers = True

    @torch.no_grad()
    def after_step(self) -> None:
        """Compare the weights with those remembered.

        Raises:
            RuntimeError: there are none: `before_step` was not called.
        """
        if not self._remembers:
            raise RuntimeError("call before_step before optimizer.step(), and after_step after it")
        # --8<-- [start:update_ratios]
        sizes = _norms(self._before)
        after = self._named.values()
        for before, θ in zip(self._before, after, strict=True):
            before.sub_(θ)
        moves = _norms(self._before)
        measured = zip(self._named, moves, sizes, strict=True)
        self.ratios = {name: m / n for name, m, n in measured if n != 0}
        # --8<-- [end:update_ratios]
        self._remembers = False


# --- dead units


class DeadUnits(_Hooked):
    """Finds units of ReLU layers that never fire: their output, and so their gradient, is always 0.

    In its `with` block, every forward pass counts. A unit has fired if any of its outputs, of any sample at any
    position, was above the threshold; the others are dead. NaN is not above it.

    Only layers that are modules are seen, not `F.relu(x)` within a `forward`. A module used several times in one
    pass, as the `relu` of torchvision's residual blocks, counts once per use: "layer1.0.relu", "layer1.0.relu#2".

    Args:
        model: the model; calling it, not a part of it, begins a pass.
        types: the classes of layers to watch.
        unit_dim: which dimension of the outputs counts the units. By default 1 where there are four or more
            (N, C, H, W), else the last, as in (N, C) and (N, T, C). Pass 1 for the (N, C, L) of an `nn.Conv1d`.
        threshold: an output above it has fired, in units of the outputs.

    Raises:
        ValueError: the model has no layer of these classes; or, in a pass, the number of units of a layer is not
            what it was before.

    Examples:
        >>> model = nn.Sequential(nn.Linear(1, 3), nn.ReLU())
        >>> _ = model.load_state_dict({"0.weight": torch.tensor([[1.0], [-1.0], [0.0]]), "0.bias": torch.zeros(3)})
        >>> with DeadUnits(model) as watch:
        ...     _ = model(torch.tensor([[1.0], [2.0]]))  # positive inputs only
        >>> watch.units()
        {'1': [1, 2]}
        >>> round(watch.fractions()["1"], 3)
        0.667
    """

    def __init__(
        self,
        model: nn.Module,
        types: tuple[type[nn.Module], ...] = (nn.ReLU, nn.ReLU6),
        *,
        unit_dim: int | None = None,
        threshold: float = 0.0,
    ) -> None:
        super().__init__()
        self._model, self._unit_dim, self._threshold = model, unit_dim, threshold
        self._layers = {name or _MODEL: m for name, m in model.named_modules() if isinstance(m, types)}
        if not self._layers:
            raise ValueError(f"types must name layers of {type(model).__name__}, got {types}: it has none of them")
        self._uses: Counter[str] = Counter()
        self._fired: dict[str, Tensor] = {}

    def _attach(self) -> None:
        self._handles = [self._model.register_forward_pre_hook(lambda *_: self._uses.clear())]
        for name, layer in self._layers.items():
            self._handles.append(layer.register_forward_hook(lambda _m, _x, out, name=name: self._look(name, out)))

    def _look(self, name: str, out: Tensor) -> None:
        self._uses[name] += 1
        use = self._uses[name]
        key = name if use == 1 else f"{name}#{use}"
        # --8<-- [start:dead_units]
        unit_dim = self._unit_dim
        if unit_dim is None:
            unit_dim = 1 if out.ndim >= 4 else -1
        others = [d for d in range(out.ndim) if d != unit_dim % out.ndim]
        fired = out.detach() > self._threshold
        fired = fired.any(dim=others) if others else fired
        # --8<-- [end:dead_units]
        before = self._fired.get(key, fired)
        if len(before) != len(fired):
            raise ValueError(f"unit_dim must count the units, got {len(before)} and then {len(fired)} in {key}")
        self._fired[key] = before | fired

    def units(self) -> dict[str, list[int]]:
        """Return the numbers of the units that have not fired, by layer; nothing before the first pass."""
        return {name: (~fired).nonzero().flatten().tolist() for name, fired in self._fired.items()}

    def fractions(self) -> dict[str, float]:
        """Return the share of units that have not fired, from 0 to 1, by layer; nothing before the first pass."""
        return {name: len(dead) / len(self._fired[name]) for name, dead in self.units().items()}

    def reset(self) -> None:
        """Forget what has fired: a new period begins."""
        self._fired.clear()


@torch.no_grad()
def dead_units(
    model: nn.Module,
    batches: Iterable[Tensor | tuple[Tensor, ...] | list[Tensor]],
    types: tuple[type[nn.Module], ...] = (nn.ReLU, nn.ReLU6),
    *,
    unit_dim: int | None = None,
    threshold: float = 0.0,
) -> dict[str, float]:
    """Return the share of dead units per layer over some data, measured in eval mode.

    Args:
        model: the model. Afterwards every layer is in the mode it was in before.
        batches: inputs, or tuples that begin with the inputs.
        types: as in `DeadUnits`.
        unit_dim: as in `DeadUnits`.
        threshold: as in `DeadUnits`.

    Raises:
        ValueError: as `DeadUnits`.
    """
    modes = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    try:
        with DeadUnits(model, types, unit_dim=unit_dim, threshold=threshold) as watch:
            for batch in batches:
                model(batch if isinstance(batch, Tensor) else batch[0])
        return watch.fractions()
    finally:
        for layer, training in modes:
            layer.training = training


# --- non-finite values


@dataclass(frozen=True)
class NonFinite:
    """Where the first NaN or infinity of a pass was found.

    Attributes:
        module: qualified name of the module, "(model)" for the outermost.
        module_class: name of its class.
        where: what went wrong there.

            - "input": the module was given it, and no module before it made it: it comes from the data, or from
              code between the modules.
            - "parameter": it stood in one of the module's weights, from an update before.
            - "output": the module made it, from finite inputs and weights.
            - "gradient": the module's backward made it, from a finite gradient.
            - "gradient of output": backward brought it to the module, from code behind it, such as the loss.
        detail: which input, parameter or output, or the operation whose backward it was.
        nans: how many entries are NaN.
        infs: how many entries are infinite.
        shape: shape of the tensor.
        step: the number of the model's forward pass, from 0 (the training step, unless gradients accumulate).
    """

    module: str
    module_class: str
    where: Literal["input", "parameter", "output", "gradient", "gradient of output"]
    detail: str
    nans: int
    infs: int
    shape: tuple[int, ...]
    step: int

    def __str__(self) -> str:
        return (
            f"step {self.step}: {self.nans} NaN and {self.infs} infinite of {math.prod(self.shape)} values "
            f"in the {self.where} of {self.module} ({self.module_class}): {self.detail}, shape {self.shape}"
        )


class NonFiniteError(RuntimeError):
    """Raised by `NonFiniteWatch`; `found` says what it found."""

    def __init__(self, found: NonFinite) -> None:
        super().__init__(str(found))
        self.found = found


@dataclass(frozen=True)
class _Place:
    """A module and its name."""

    name: str
    module: nn.Module


@dataclass(frozen=True)
class _Call:
    """A module that is being run, with its input tensors: where each stands, and its version then."""

    place: _Place
    inputs: list[tuple[str, Tensor, int]]


class NonFiniteWatch(_Hooked):
    """Names the module in which the first NaN or infinity of a forward or backward pass appears.

    In its `with` block it looks at the outputs of every module, innermost first, and in backward at the gradients
    that each operation passes on. When it finds the first value that is not finite, it looks for the cause in this
    order: the module's parameters, its inputs, the module itself.

    Outputs may be tensors, or tuples, lists, dicts and dataclasses of them. Operations between modules count to
    the module whose `forward` they stand in. Modules used several times, in-place layers and sparse gradients are
    fine. What it does not see: `p.grad` as it adds up over several backward passes, and the insides of a model
    that `torch.compile` made.

    Each tensor is read once more, and the program waits for the result: use it to find a fault, not always.

    Args:
        model: the model; calling it, not a part of it, begins a pass.
        raises: raise at the first find. Otherwise note it and go on: one find per pass, forward and backward
            together.

    Attributes:
        found: what was found, in order.

    Raises:
        NonFiniteError: from within the model's forward or `backward()`, which then has not finished.

    Examples:
        >>> model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Softplus())
        >>> _ = nn.init.constant_(model[0].weight, 1e30)
        >>> with NonFiniteWatch(model, raises=False) as watch:
        ...     _ = model(torch.tensor([[1e30]]))
        >>> print(watch.found[0])
        step 0: 0 NaN and 1 infinite of 1 values in the output of 0 (Linear): output, shape (1, 1)
    """

    def __init__(self, model: nn.Module, raises: bool = True) -> None:
        super().__init__()
        self._model, self._raises = model, raises
        self._running: list[_Call] = []  # outermost first
        self._step = -1
        self._armed = False
        self.found: list[NonFinite] = []

    def _attach(self) -> None:
        for name, module in self._model.named_modules():
            place = _Place(name or _MODEL, module)
            self._handles += [
                module.register_forward_pre_hook(
                    lambda _m, args, kwargs, place=place: self._begin(place, args, kwargs), with_kwargs=True
                ),
                module.register_forward_hook(lambda _m, _x, out, place=place: self._end(place, out)),
            ]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._armed = False  # graphs that live on hold hooks, too
        self._running.clear()

    def _begin(self, place: _Place, args: object, kwargs: object) -> None:
        if place.module is self._model:
            self._running.clear()  # a pass before may have ended in an error
            self._step += 1
            self._armed = True
        inputs = [*_tensors(args, "input"), *_tensors(kwargs, "input")]
        nodes: list[Any] = [x.grad_fn for _, x in inputs if x.grad_fn is not None]
        if self._running:
            self._claim(nodes, self._running[-1].place)
        else:
            for node in nodes:
                node.metadata[self] = None  # the graph behind the model's inputs is not the model's
        self._running.append(_Call(place, [(path, x, _version(x)) for path, x in inputs]))

    def _end(self, place: _Place, out: object) -> None:
        while (call := self._running.pop()).place is not place:
            pass  # a module inside raised an error, and this one caught it
        outputs = list(_tensors(out, "output"))
        self._claim([x.grad_fn for _, x in outputs if x.grad_fn is not None], place)
        if place.module is self._model:
            for path, x in outputs:
                if x.requires_grad:
                    x.register_hook(lambda g, path=path: self._check_incoming(place, path, g))
        if self._armed:
            for path, x in outputs:
                if not _is_finite(x):
                    self._explain(call, path, x)
                    return

    # --8<-- [start:explain]
    def _explain(self, call: _Call, path: str, out: Tensor) -> None:
        for name, θ in call.place.module.named_parameters():
            if not _is_finite(θ):
                return self._report(call.place, "parameter", name, θ)
        for name, x, version in call.inputs:
            if _version(x) == version and not _is_finite(x):
                return self._explain_input(call, name, x)
        self._report(call.place, "output", path, out)

    def _explain_input(self, call: _Call, path: str, x: Tensor) -> None:
        for outer in reversed(self._running):
            module = outer.place.module
            for name, θ in module.named_parameters(recurse=False):
                if not _is_finite(θ):
                    return self._report(outer.place, "parameter", name, θ)
        self._report(call.place, "input", path, x)

    # --8<-- [end:explain]

    def _claim(self, nodes: list[Any], place: _Place) -> None:
        """Watch the operations from these back to those that are claimed already."""
        while nodes:
            node = nodes.pop()
            if self in node.metadata:
                continue
            node.metadata[self] = None
            behind = [n for n, _ in node.next_functions if n is not None]
            if behind:  # a leaf has nothing behind it, and passes nothing on
                check = partial(self._check_backward, place, node.name())
                node.register_hook(check)
                nodes += behind

    def _check_backward(
        self,
        place: _Place,
        operation: str,
        grad_inputs: tuple[Tensor | None, ...],
        grad_outputs: tuple[Tensor | None, ...],
    ) -> None:
        if not self._armed:
            return
        bad = [g for g in grad_inputs if g is not None and not _is_finite(g)]
        if bad:
            bad_before = [g for g in grad_outputs if g is not None and not _is_finite(g)]
            if bad_before:
                self._report(place, "gradient of output", operation, bad_before[0])
            else:
                self._report(place, "gradient", operation, bad[0])

    def _check_incoming(self, place: _Place, path: str, gradient: Tensor) -> None:
        if self._armed and not _is_finite(gradient):
            self._report(place, "gradient of output", path, gradient)

    def _report(
        self,
        place: _Place,
        where: Literal["input", "parameter", "output", "gradient", "gradient of output"],
        detail: str,
        t: Tensor,
    ) -> None:
        values = _values(t)
        found = NonFinite(
            module=place.name,
            module_class=type(place.module).__name__,
            where=where,
            detail=detail,
            nans=int(values.isnan().sum()),
            infs=int(values.isinf().sum()),
            shape=tuple(t.shape),
            step=self._step,
        )
        self._armed = False
        self.found.append(found)
        if self._raises:
            raise NonFiniteError(found)


# --- the numbers of each step


class Monitor:
    """Gathers the numbers of every training step into plain records.

    Call `before_step` between `backward()` (and clipping, if any) and `optimizer.step()`, and `after_step` after it.

    A record holds

    - "step": the number of the step, from 0;
    - "loss": as given to `after_step`;
    - "lr": the learning rate of each parameter group, as the step used it;
    - "grad_norm": the 2-norm of all gradients;
    - "update_ratios": as `UpdateRatios` measures them, by parameter; None on steps left out;
    - "samples_per_second": since the step before, data loading included; since the monitor was made in the
      first step. None if `after_step` is given no number of samples.

    Numbers that are not finite stay so: `json` writes them as NaN and Infinity, which its `loads` reads.

    Args:
        model: the model.
        optimizer: its optimizer.
        ratios_every: measure the update ratios in every so many steps, for they cost most; 0 for never.
        clock: returns the time in seconds.

    Attributes:
        records: one per step.

    Raises:
        ValueError: `ratios_every` is negative.

    Examples:
        >>> model = nn.Linear(1, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> monitor = Monitor(model, optimizer)
        >>> for _ in range(3):
        ...     loss = model(torch.ones(8, 1)).square().mean()
        ...     optimizer.zero_grad()
        ...     _ = loss.backward()
        ...     monitor.before_step()
        ...     optimizer.step()
        ...     monitor.after_step(loss, samples=8)
        >>> monitor.column("lr")
        [[0.1], [0.1], [0.1]]
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        *,
        ratios_every: int = 1,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if ratios_every < 0:
            raise ValueError(f"ratios_every must be >= 0, got {ratios_every}")
        self._optimizer, self._ratios_every, self._clock = optimizer, ratios_every, clock
        self._parameters = list(model.parameters())
        self._ratios = UpdateRatios(model, optimizer)
        self._begun: Record | None = None
        self.records: list[Record] = []
        self.restart_clock()

    def restart_clock(self) -> None:
        """Measure the next step's time from now on: call it after a pause, such as an evaluation."""
        self._last = self._clock()

    def before_step(self, grad_norm: Tensor | float | None = None) -> None:
        """Note what a step starts from.

        Args:
            grad_norm: the norm that `clip_grad_norm_` returned, which is the one before clipping. Without it the
                norm is computed, from the gradients as they are now.
        """
        if grad_norm is None:
            grad_norm = total_norm([p.grad for p in self._parameters if p.grad is not None])
        self._begun = {
            "step": len(self.records),
            "loss": None,
            "lr": [float(group["lr"]) for group in self._optimizer.param_groups],
            "grad_norm": _number(grad_norm),
            "update_ratios": None,
            "samples_per_second": None,
        }
        if self._ratios_every and self._begun["step"] % self._ratios_every == 0:
            self._ratios.before_step()

    def after_step(self, loss: Tensor | float, samples: int | None = None) -> None:
        """Complete the step's record.

        Args:
            loss: the step's loss; of a tensor only the number is kept.
            samples: how many samples the step learned from.

        Raises:
            RuntimeError: `before_step` was not called.
        """
        if self._begun is None:
            raise RuntimeError("call before_step before optimizer.step(), and after_step after it")
        record, self._begun = self._begun, None
        record["loss"] = _number(loss)
        if self._ratios_every and record["step"] % self._ratios_every == 0:
            self._ratios.after_step()
            record["update_ratios"] = self._ratios.ratios
        now = self._clock()
        if samples is not None:
            record["samples_per_second"] = samples / (now - self._last) if now > self._last else math.inf
        self._last = now
        self.records.append(record)

    def column(self, key: str) -> list[Any]:
        """Return one number of every step, such as `column("loss")`."""
        return [record[key] for record in self.records]


# --- reading tensors


def _norms(tensors: list[Tensor]) -> list[float]:
    """2-norms, as numbers, fetched in one transfer. Half-precision tensors are summed in float32."""
    if not tensors:
        return []
    norms = [torch.linalg.vector_norm(t, dtype=torch.promote_types(t.dtype, torch.float32)) for t in tensors]
    together = torch.stack([n.to(norms[0].device) for n in norms])
    numbers: list[float] = _whole(together).tolist()
    return numbers


def _hypot(norms: list[float]) -> float:
    return math.nan if any(math.isnan(n) for n in norms) else math.hypot(*norms)


def _number(x: Tensor | float) -> float:
    return float(_whole(x.detach())) if isinstance(x, Tensor) else float(x)


def _whole(t: Tensor) -> Tensor:
    """All of a tensor that FSDP has spread over processes; any other as it is."""
    full: Tensor = t.full_tensor() if hasattr(t, "full_tensor") else t
    return full


def _values(t: Tensor) -> Tensor:
    return t.detach().coalesce().values() if t.is_sparse else t.detach()


def _version(t: Tensor) -> int:
    """How often it was written to in place; tensors of inference mode do not count."""
    return 0 if t.is_inference() else t._version


def _is_finite(t: Tensor) -> bool:
    if not (t.is_floating_point() or t.is_complex()):
        return True
    values = _values(t)
    # A sum passes on every NaN and infinity, and is faster than a test of
    # each entry. It may overflow without one, so only then look at all.
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def _tensors(x: object, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors in nested tuples, lists, mappings and dataclasses, each with where it stands."""
    if isinstance(x, Tensor):
        yield path, x
    elif isinstance(x, Mapping):
        for key, value in x.items():
            yield from _tensors(value, f"{path}[{key!r}]")
    elif isinstance(x, (tuple, list)):
        for i, value in enumerate(x):
            yield from _tensors(value, f"{path}[{i}]")
    elif hasattr(x, "__dataclass_fields__"):
        for name in x.__dataclass_fields__:
            yield from _tensors(getattr(x, name), f"{path}.{name}")
