"""Packages that one data set needs and the rest of `trainloop` does not."""

from importlib import import_module
from types import ModuleType

__all__ = ["require"]


def require(module: str, install: str, use: str) -> ModuleType:
    """Import a module when it is needed.

    Args:
        module: its name, such as `"sklearn.datasets"`.
        install: what a reader types to get it, such as `"pip install scikit-learn"`.
        use: what needs it.

    Raises:
        ImportError: it cannot be imported; the message says what to install.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"{use} needs {module.partition('.')[0]}: {install} ({error})") from error
