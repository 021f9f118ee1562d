"""Many tensors behind the interface of one, so that a rule written for one parameter updates hundreds at once.

Two hundred small tensors take seven operations each in a step of Adam: 1,400 calls, nearly all of their time
spent on calling. torch can apply one operation to a whole list of tensors (`torch._foreach_add_` and its
kin, which torch's own optimizers call with `foreach=True`); every element gets the same arithmetic either way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

__all__ = ["TensorList"]


class TensorList:
    """A list of tensors that takes a tensor's methods, and torch's functions, and applies them to each.

    A method given another `TensorList` pairs the two up; anything else goes to every tensor as it is. In-place
    methods return the list itself. Where torch has the operation for lists, that is called; every other
    one is called tensor by tensor, with the same result.

    Nothing that differs from tensor to tensor can decide an `if`: there is no truth value, no `item`, no
    shape.

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

    def __neg__(self) -> TensorList:
        return _apply("neg", self, (), {})  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        raise TypeError("a TensorList is neither true nor false: a rule with such an `if` sets `elementwise = False`")


_SINGLE = {"item", "tolist", "shape", "ndim", "dim", "numel", "size", "dtype", "device", "T", "mT"}


@cache
def _for_lists(name: str) -> Callable[..., Any] | None:
    return getattr(torch, f"_foreach_{name}", None)


def _apply(name: str, first: TensorList, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    for_lists = _for_lists(name)
    if name in _BETWEEN and not kwargs:
        low, high = args
        result = _apply(_BETWEEN[name][1], _apply(_BETWEEN[name][0], first, (low,), {}), (high,), {})
    elif for_lists is None or "out" in kwargs:
        result = _each(getattr(Tensor, name), (first, *args), kwargs)
    else:
        lists = [x.tensors if isinstance(x, TensorList) else x for x in args]
        if name in _ARITHMETIC and isinstance(lists[0], (float, int)) and first.tensors[0].is_cpu:
            lists[0] = [torch.tensor(lists[0], dtype=first.tensors[0].dtype)] * len(first.tensors)
        result = TensorList(for_lists(first.tensors, *lists, **kwargs))
    return first if name.endswith("_") else result


# On the CPU torch wraps a number in a tensor for every tensor of the list, which takes three times as long as the
# arithmetic on 32 elements. Wrapped once it gives the same bits: both ways it is rounded to the list's type.
_ARITHMETIC = {f"{name}{end}" for name in ("add", "sub", "mul", "div") for end in ("", "_")}

# torch has these two for lists, but not the one that does both.
_BETWEEN = {"clamp": ("clamp_min", "clamp_max_"), "clamp_": ("clamp_min_", "clamp_max_")}


def _each(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> TensorList:
    count = next(len(x.tensors) for x in (*args, *kwargs.values()) if isinstance(x, TensorList))

    def nth(x: Any, i: int) -> Any:
        return x.tensors[i] if isinstance(x, TensorList) else x

    return TensorList(
        [func(*(nth(x, i) for x in args), **{k: nth(x, i) for k, x in kwargs.items()}) for i in range(count)]
    )
