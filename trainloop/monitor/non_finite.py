"""Where the first NaN or infinity came from.

https://docs.pytorch.org/docs/stable/notes/autograd.html#backward-hooks-execution
"""

# torch leaves the hooks of tensors and graph nodes without types:
# mypy: allow-untyped-calls

import math
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Literal

from torch import Tensor, nn

from trainloop.monitor._hooks import Hooked
from trainloop.monitor._names import MODEL
from trainloop.monitor._tensors import is_finite, tensors_in, values_of, version_of

__all__ = ["NonFinite", "NonFiniteError", "NonFiniteWatch"]


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


class NonFiniteWatch(Hooked):
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
        >>> import torch
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
            place = _Place(name or MODEL, module)
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
        inputs = [*tensors_in(args, "input"), *tensors_in(kwargs, "input")]
        nodes: list[Any] = [x.grad_fn for _, x in inputs if x.grad_fn is not None]
        if self._running:
            self._claim(nodes, self._running[-1].place)
        else:
            for node in nodes:
                node.metadata[self] = None  # the graph behind the model's inputs is not the model's
        self._running.append(_Call(place, [(path, x, version_of(x)) for path, x in inputs]))

    def _end(self, place: _Place, out: object) -> None:
        while (call := self._running.pop()).place is not place:
            pass  # a module inside raised an error, and this one caught it
        outputs = list(tensors_in(out, "output"))
        self._claim([x.grad_fn for _, x in outputs if x.grad_fn is not None], place)
        if place.module is self._model:
            for path, x in outputs:
                if x.requires_grad:
                    x.register_hook(lambda g, path=path: self._check_incoming(place, path, g))
        if self._armed:
            for path, x in outputs:
                if not is_finite(x):
                    self._explain(call, path, x)
                    return

    # --8<-- [start:explain]
    def _explain(self, call: _Call, path: str, out: Tensor) -> None:
        for name, θ in call.place.module.named_parameters():
            if not is_finite(θ):
                return self._report(call.place, "parameter", name, θ)
        for name, x, version in call.inputs:
            if version_of(x) == version and not is_finite(x):
                return self._explain_input(call, name, x)
        self._report(call.place, "output", path, out)

    def _explain_input(self, call: _Call, path: str, x: Tensor) -> None:
        for outer in reversed(self._running):
            module = outer.place.module
            for name, θ in module.named_parameters(recurse=False):
                if not is_finite(θ):
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
        bad = [g for g in grad_inputs if g is not None and not is_finite(g)]
        if bad:
            bad_before = [g for g in grad_outputs if g is not None and not is_finite(g)]
            if bad_before:
                self._report(place, "gradient of output", operation, bad_before[0])
            else:
                self._report(place, "gradient", operation, bad[0])

    def _check_incoming(self, place: _Place, path: str, gradient: Tensor) -> None:
        if self._armed and not is_finite(gradient):
            self._report(place, "gradient of output", path, gradient)

    def _report(
        self,
        place: _Place,
        where: Literal["input", "parameter", "output", "gradient", "gradient of output"],
        detail: str,
        t: Tensor,
    ) -> None:
        values = values_of(t)
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
