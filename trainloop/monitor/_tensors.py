"""Which tensors there are, and what is in them."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from torch import Tensor

__all__ = ["is_finite", "tensors_in", "values_of", "version_of"]


def values_of(t: Tensor) -> Tensor:
    """Its entries, of a sparse one those that are stored, without the graph."""
    return t.detach().coalesce().values() if t.is_sparse else t.detach()


def version_of(t: Tensor) -> int:
    """How often it was written to in place; tensors of inference mode do not count."""
    return 0 if t.is_inference() else t._version


def is_finite(t: Tensor) -> bool:
    """Whether it holds neither NaN nor infinity."""
    if not (t.is_floating_point() or t.is_complex()):
        return True
    values = values_of(t)
    # A sum passes on every NaN and infinity, and is faster than a test of
    # each entry. It may overflow without one, so only then look at all.
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def tensors_in(x: object, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors in nested tuples, lists, mappings and dataclasses, each with where it stands."""
    if isinstance(x, Tensor):
        yield path, x
    elif isinstance(x, Mapping):
        for key, value in x.items():
            yield from tensors_in(value, f"{path}[{key!r}]")
    elif isinstance(x, (tuple, list)):
        for i, value in enumerate(x):
            yield from tensors_in(value, f"{path}[{i}]")
    elif is_dataclass(x) and not isinstance(x, type):
        for field in fields(x):
            yield from tensors_in(getattr(x, field.name), f"{path}.{field.name}")
