"""What the experiments of the lab share: their size, their figures, and comparisons at equal budget.

An experiment is a script in cells that is also a notebook. It asks `setting()` how large it is to be, computes, and
shows each figure with the words that say what is on it:

    SETTING = setting()
    STEPS = SETTING.pick(quick=20, small=300, full=5000)
    results = ...
    show(draw_paths, results, alt=lambda r: f"The path of Adam ends at a loss of {r['loss']:.2g}.")
"""

from __future__ import annotations

import argparse
import base64
import builtins
import io
import math
import os
import shlex
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch

from trainloop.data._packages import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Setting", "Shown", "Sweep", "paired", "setting", "show", "spread", "sweep"]

Size = Literal["quick", "small", "full"]
T = TypeVar("T")
Results = dict[str, Any]
Words = str | Callable[[Results], str]

# Options for experiments that have no command line: notebooks, and whatever executes them.
VARIABLE = "TRAINLOOP_LAB"


# --- the size of a run -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """How large an experiment is to be, and where.

    Args:
        size: `"quick"` to see that it works, in seconds; `"small"` for what the course's page shows, a minute on a
            laptop; `"full"` for the experiment as published, which may want a GPU.
        device: where models and batches go.
        data: folder of data sets that have to be downloaded.
        out: folder of checkpoints, and of figures where there is no notebook to show them.
    """

    size: Size
    device: torch.device
    data: Path
    out: Path

    def pick(self, *, quick: T, small: T, full: T) -> T:
        """The value that belongs to this size."""
        return {"quick": quick, "small": small, "full": full}[self.size]

    @property
    def full(self) -> bool:
        """Whether this is the experiment as published: worth a progress bar, checkpoints and a download."""
        return self.size == "full"


def setting(size: Size | None = None) -> Setting:
    """Read the setting of this run: from the command line of a script, from `TRAINLOOP_LAB` in a notebook.

    Options: `--quick` or `--full`; `--device`, by default the CPU, and for a full run the accelerator if there is one;
    `--data` and `--out`, by default `data` and `lab-runs` in the current folder.

    Args:
        size: in a notebook, the size to use; an option overrides it.

    Raises:
        ValueError: `size` is none of the three.
    """
    if size not in (None, "quick", "small", "full"):
        raise ValueError(f"size must be 'quick', 'small' or 'full', got {size!r}")
    parser = argparse.ArgumentParser(allow_abbrev=False, description=getattr(sys.modules["__main__"], "__doc__", None))
    sizes = parser.add_mutually_exclusive_group()
    for name, text in (("quick", "see that it works"), ("full", "the experiment as published")):
        sizes.add_argument(f"--{name}", dest="size", action="store_const", const=name, help=text)
    parser.add_argument("--device", type=_device, help="where to compute: cpu, cuda, mps")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of downloads (default %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("lab-runs"), help="checkpoints, figures (default %(default)s)")
    # A kernel's own command line is not ours to read.
    given = shlex.split(os.environ.get(VARIABLE, "")) if _in_notebook() else sys.argv[1:]
    options = parser.parse_args(given)
    chosen: Size = options.size or size or "small"
    device = options.device or (_accelerator() if chosen == "full" else torch.device("cpu"))
    return Setting(chosen, device, options.data, options.out)


def _device(name: str) -> torch.device:
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"torch knows no device {name!r}") from error


def _accelerator() -> torch.device:
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def _in_notebook() -> bool:
    return hasattr(builtins, "get_ipython")  # IPython puts it there, and nothing else does


# --- figures -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A figure with its words, as `show` hands it to a notebook."""

    draw: Callable[[Results], Figure]
    results: Results
    alt: Words
    caption: Words = ""
    name: str = ""

    def words(self, kind: Literal["alt", "caption"], results: Results | None = None) -> str:
        """The alternative text or the caption, for these results or others of the same shape."""
        text = self.alt if kind == "alt" else self.caption
        return text if isinstance(text, str) else text(self.results if results is None else results)

    def png(self) -> bytes:
        """The figure, drawn on white."""
        import matplotlib.pyplot as plt

        from trainloop.figures import scheme

        with scheme("light"):
            figure = self.draw(self.results)
            picture = io.BytesIO()
            figure.savefig(picture, format="png", dpi=110)
            plt.close(figure)
        return picture.getvalue()

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        alt = self.words("alt")
        picture = base64.b64encode(self.png()).decode()
        return {"image/png": picture, "text/plain": alt}, {"image/png": {"alt": alt}}


def show(draw: Callable[[Results], Figure], results: Results, *, alt: Words, caption: Words = "") -> None:
    """Show a figure: in the notebook, or from a script as a file in the setting's `out` folder.

    Args:
        draw: makes the figure from the results; its name without `draw_` becomes the figure's.
        results: the numbers on it.
        alt: what the figure shows, in words, for readers who do not see it. A function of the results where the words
            hold numbers.
        caption: what to notice; also text or a function.
    """
    shown = Shown(draw, results, alt, caption, draw.__name__.removeprefix("draw_"))
    if _in_notebook():
        from IPython.display import display

        # IPython has no types for it; where it is not installed, mypy sees Any, and nothing to ignore.
        display(shown)  # type: ignore[no-untyped-call, unused-ignore]
        return
    folder = setting().out
    folder.mkdir(parents=True, exist_ok=True)
    script = Path(getattr(sys.modules["__main__"], "__file__", "lab.py"))
    path = folder / f"{script.stem}.{shown.name}.png"
    path.write_bytes(shown.png())
    print(f"{path}: {shown.words('alt')}")


# --- comparisons -------------------------------------------------------------------------------------


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 10 % and 90 % quantile of runs over seeds (linear interpolation), as `median`, `low`, `high`.

    Raises:
        ValueError: there are no values, or one is not finite.
    """
    if not values or not all(math.isfinite(value) for value in values):
        raise ValueError(f"values must be finite numbers, at least one, got {list(values)!r}")
    low, middle, high = torch.tensor(values, dtype=torch.float64).quantile(
        torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    )
    return {"median": middle.item(), "low": low.item(), "high": high.item()}


def paired(first: Sequence[float], second: Sequence[float], *, comparisons: int = 1) -> dict[str, Any]:
    """Compare two methods seed by seed: the mean difference, and its 95 % interval after Student's t.

    What a seed does to both, such as an easy split, is in no difference; the interval is narrower for it than those of
    the two means. It supposes that differences spread about as a bell curve does.

    Args:
        first: the score of each seed.
        second: of another method, with the same seeds in the same order.
        comparisons: how many such intervals the reader will look at. Each is widened so that all of them together
            hold with 95 % (Bonferroni's correction).

    Returns:
        `gap`, the mean of first minus second; `margin`, half the interval's width; its ends `low` and `high`; and
        `separable`, whether zero lies outside.

    Raises:
        ValueError: the two differ in length, have fewer than two scores or one that is not finite, or `comparisons`
            is not positive.
        ImportError: scipy is not installed.

    Examples:
        >>> found = paired([0.94, 0.95, 0.96], [0.92, 0.92, 0.92])
        >>> print(f"{found['gap']:.3f} ± {found['margin']:.3f}", found["separable"])
        0.030 ± 0.025 True
    """
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"both must have the same number of scores, at least 2, got {len(first)} and {len(second)}")
    if not all(math.isfinite(score) for score in (*first, *second)):
        raise ValueError(f"scores must be finite, got {list(first)!r} and {list(second)!r}")
    if comparisons < 1:
        raise ValueError(f"comparisons must be >= 1, got {comparisons}")
    student = require("scipy.stats", "pip install scipy", "a paired comparison").t
    gaps = [a - b for a, b in zip(first, second, strict=True)]
    gap = statistics.fmean(gaps)
    quantile = float(student.ppf(1 - 0.025 / comparisons, len(gaps) - 1))
    margin = quantile * statistics.stdev(gaps) / math.sqrt(len(gaps))
    return {"gap": gap, "margin": margin, "low": gap - margin, "high": gap + margin, "separable": abs(gap) > margin}


@dataclass(frozen=True)
class Sweep:
    """A grid of learning rates, each tried with the same seeds.

    Args:
        scores: for each learning rate, the score of each seed; None where the run diverged.
        higher_is_better: whether scores are accuracies, or losses.
    """

    scores: Mapping[float, Sequence[float | None]]
    higher_is_better: bool = False
    best: float = field(init=False)
    """The learning rate whose median score is best. A diverged run counts as worse than any other."""

    def __post_init__(self) -> None:
        medians = {lr: median for lr in self.scores if (median := self.median(lr)) is not None}
        if not medians:
            raise ValueError(f"every run diverged at every learning rate of {sorted(self.scores)}")
        choose = max if self.higher_is_better else min
        object.__setattr__(self, "best", choose(medians, key=lambda lr: medians[lr]))

    def median(self, lr: float) -> float | None:
        """The median score at a learning rate; None where it is a diverged run's."""
        worst = -math.inf if self.higher_is_better else math.inf
        middle = statistics.median(worst if score is None else score for score in self.scores[lr])
        return middle if math.isfinite(middle) else None

    @property
    def at_edge(self) -> bool:
        """Whether the best learning rate is the grid's smallest or largest: the grid should then be wider."""
        return self.best in (min(self.scores), max(self.scores))


def sweep(
    train: Callable[[float, int], float],
    lrs: Sequence[float],
    seeds: Sequence[int],
    *,
    higher_is_better: bool = False,
) -> Sweep:
    """Train at every learning rate of a grid, with every seed.

    The budget of a method is `len(lrs) * len(seeds)` runs: the same for all methods is what makes their best
    comparable. Report the best on seeds that did not choose it.

    Args:
        train: takes learning rate and seed, returns the score; infinite or NaN if it diverged.
        lrs: learning rates, > 0, each once.
        seeds: at least one.
        higher_is_better: whether the score is an accuracy, or a loss.

    Raises:
        ValueError: `lrs` or `seeds` is empty, a learning rate is repeated or not positive, or every run diverged.
    """
    if not lrs or not seeds:
        raise ValueError(f"lrs and seeds must not be empty, got {list(lrs)!r} and {list(seeds)!r}")
    if len(set(lrs)) < len(lrs) or min(lrs) <= 0:
        raise ValueError(f"lrs must be positive and differ from each other, got {list(lrs)!r}")
    scores: dict[float, list[float | None]] = {}
    for lr in lrs:
        found = [train(lr, seed) for seed in seeds]
        scores[lr] = [score if math.isfinite(score) else None for score in found]
    return Sweep(scores, higher_is_better)
