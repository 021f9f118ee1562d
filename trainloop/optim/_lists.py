"""Many tensors behind the interface of one, so that a rule written for one parameter updates hundreds at once.

Two hundred small tensors take seven operations each in a step of Adam: 1,400 calls, nearly all of their time
spent on calling. torch can apply one operation to a whole list of tensors (`torch._foreach_add_` and its
kin, which torch's own optimizers call with `foreach=True`); every element gets the same arithmetic either way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

# torch's functions on many tensors at once, torch._foreach_*, have no public name:
# pyright: reportPrivateImportUsage=false
import torch
from torch import Tensor

__all__ = ["NumberList", "TensorList", "at_least", "norms", "rms"]


class NumberList:
    """A number for each tensor of a `TensorList`: its size, say. Arithmetic goes number by number.

    Examples:
        >>> (NumberList([1, 2]) * 3 / NumberList([1, 4])).numbers
        [3.0, 1.5]
    """

    __slots__ = ("numbers",)

    def __init__(self, numbers: Sequence[float]) -> None:
        self.numbers = numbers

    def __neg__(self) -> NumberList:
        return NumberList([-x for x in self.numbers])

    def __mul__(self, other: float) -> NumberList:
        return NumberList([x * other for x in self.numbers])

    def __truediv__(self, other: NumberList) -> NumberList:
        return NumberList([x / y for x, y in zip(self.numbers, other.numbers, strict=True)])


class TensorList:
    """A list of tensors that takes a tensor's methods, and torch's functions, and applies them to each.

    A method given another `TensorList`, or a `NumberList`, pairs the two up; anything else goes to every tensor as
    it is. In-place methods return the list itself. Where torch has the operation for lists, that is called; every other
    one is called tensor by tensor, with the same result.

    Nothing that differs from tensor to tensor can decide an `if`: there is no truth value, no `item`, no
    shape. A size is a `NumberList`; the type is one that all have.

    Examples:
        >>> θ, g = TensorList([torch.ones(2), torch.ones(1)]), TensorList([torch.ones(2), torch.zeros(1)])
        >>> _ = θ.add_(g, alpha=-0.5)
        >>> [t.tolist() for t in θ.tensors]
        [[0.5, 0.5], [1.0]]
    """

    __slots__ = ("tensors",)

    is_sparse = False

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = tensors

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in _SINGLE or name.startswith("__"):
            raise AttributeError(f"a TensorList has no {name}: its tensors differ in it")
        return lambda *args, **kwargs: _apply(name, self, args, kwargs)

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> TensorList:
        return _each(func, args, kwargs or {})

    @property
    def dtype(self) -> torch.dtype:
        return self.tensors[0].dtype

    def size(self, dim: int) -> NumberList:
        return NumberList([t.size(dim) for t in self.tensors])

    def __neg__(self) -> TensorList:
        return _apply("neg", self, (), {})  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        raise TypeError("a TensorList is neither true nor false: a rule with such an `if` sets `takes_lists = False`")


_SINGLE = {"item", "tolist", "shape", "ndim", "dim", "numel", "device", "T", "mT"}


@cache
def _for_lists(name: str) -> Callable[..., Any] | None:
    return getattr(torch, f"_foreach_{name}", None)


def _apply(name: str, first: TensorList, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    for_lists = _for_lists(name)
    if name in _BETWEEN and not kwargs:
        low, high = args
        result = _apply(_BETWEEN[name][1], _apply(_BETWEEN[name][0], first, (low,), {}), (high,), {})
    elif for_lists is None or "out" in kwargs or any(isinstance(x, NumberList) for x in kwargs.values()):
        result = _each(getattr(Tensor, name), (first, *args), kwargs)
    else:
        lists: list[Any] = [x.tensors if isinstance(x, TensorList) else x for x in args]
        if name in _ARITHMETIC and first.tensors[0].is_cpu:
            lists[0] = _wrapped(lists[0], first)
        lists = [x.numbers if isinstance(x, NumberList) else x for x in lists]
        result = TensorList(for_lists(first.tensors, *lists, **kwargs))
    return first if name.endswith("_") else result


_ARITHMETIC = {f"{name}{end}" for name in ("add", "sub", "mul", "div") for end in ("", "_")}

# torch has these two for lists, but not the one that does both.
_BETWEEN = {"clamp": ("clamp_min", "clamp_max_"), "clamp_": ("clamp_min_", "clamp_max_")}


def _wrapped(x: Any, first: TensorList) -> Any:
    """Return a number, or a list of numbers, in tensors; anything else as it is.

    On the CPU torch wraps a number in a tensor for every tensor of the list, which takes three times as long as the
    arithmetic on 32 elements. Wrapped once it gives the same bits: both ways it is rounded to the list's type.
    """
    if isinstance(x, (float, int)):
        return [torch.tensor(x, dtype=first.dtype)] * len(first.tensors)
    if isinstance(x, NumberList):
        tensors = {number: torch.tensor(number, dtype=first.dtype) for number in set(x.numbers)}
        return [tensors[number] for number in x.numbers]
    return x


def _each(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> TensorList:
    count = next(len(x.tensors) for x in (*args, *kwargs.values()) if isinstance(x, TensorList))

    def nth(x: Any, i: int) -> Any:
        return x.tensors[i] if isinstance(x, TensorList) else x.numbers[i] if isinstance(x, NumberList) else x

    return TensorList(
        [func(*(nth(x, i) for x in args), **{k: nth(x, i) for k, x in kwargs.items()}) for i in range(count)]
    )


def at_least(least: float, x: Any) -> Any:
    """Return the larger of two numbers; of a list of numbers, a list of the larger ones."""
    return NumberList([max(least, y) for y in x.numbers]) if isinstance(x, NumberList) else max(least, x)


def norms(x: TensorList) -> Tensor:
    """Return the norms of all tensors of a list, in one vector: one operation is then enough for all of them."""
    return torch.stack(torch._foreach_norm(list(x.tensors)))


def rms(x: Tensor | TensorList, unit: float = 1.0) -> Any:
    """Return the root of the mean square of a tensor, in this unit; of a list, of each. Without elements it is 0."""
    if isinstance(x, TensorList):
        pairs = zip(norms(x).tolist(), x.tensors, strict=True)
        return NumberList([_over_root(norm, t.numel(), unit) for norm, t in pairs])
    return _over_root(torch.linalg.vector_norm(x).item(), x.numel(), unit)  # x.norm() takes a long way there


def _over_root(norm: float, count: int, unit: float) -> float:
    root: float = max(1, count) ** 0.5
    return norm / (root * unit)
