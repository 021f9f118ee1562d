"""Data sets of the course that need no download.

They are computed (lines, points, signals), or come with a package or with Python itself (images, text);
image sets that a reader may have elsewhere are read from there. What needs a package says which, if
it is missing. Each function draws from a generator of its own, so that making data never disturbs the
global random state that initialises a model.

A function is imported when it is first asked for, and only from its own file: a program that uses
`noisy_line` does not depend on the files of the images.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainloop.data.images import cifar10, digits, fashion_mnist, image_folder, mnist5k
    from trainloop.data.lines import least_squares, noisy_line
    from trainloop.data.points import spirals, synthetic_regression, two_moons
    from trainloop.data.signals import damped_oscillator, mnist1d
    from trainloop.data.split import Split, stratified_split
    from trainloop.data.text import Characters, WordCounts, characters, docstring_words

__all__ = [
    "Characters",
    "Split",
    "WordCounts",
    "characters",
    "cifar10",
    "damped_oscillator",
    "digits",
    "docstring_words",
    "fashion_mnist",
    "image_folder",
    "least_squares",
    "mnist1d",
    "mnist5k",
    "noisy_line",
    "spirals",
    "stratified_split",
    "synthetic_regression",
    "two_moons",
]

_FILES = {
    "images": ("cifar10", "digits", "fashion_mnist", "image_folder", "mnist5k"),
    "lines": ("least_squares", "noisy_line"),
    "points": ("spirals", "synthetic_regression", "two_moons"),
    "signals": ("damped_oscillator", "mnist1d"),
    "split": ("Split", "stratified_split"),
    "text": ("Characters", "WordCounts", "characters", "docstring_words"),
}
_FILE_OF = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_FILE_OF[name]}"), name)
    globals()[name] = found  # found without this function from now on
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
