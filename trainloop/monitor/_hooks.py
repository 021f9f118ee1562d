"""What the watchers that hook into a model or an optimizer share: their `with` block."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self

__all__ = ["Hooked"]


class Hooked(ABC):
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
