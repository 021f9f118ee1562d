"""The course's way of drawing: one colour per optimizer and concept, labels at line ends, two schemes.

Needs matplotlib (`pip install "trainloop-course[figures]"`), which the rest of the package does not.

Examples:
    >>> from trainloop.figures import colour, scheme
    >>> with scheme("dark"):
    ...     colour("adam")
    '#ff9e64'
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

import matplotlib as mpl

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

Scheme = Literal["light", "dark"]

# Concept: (on white, on near-black). Each is legible as text on its ground; see `FAMILIES` for what is told from what.
COLOURS: dict[str, tuple[str, str]] = {
    "sgd": ("#0072b2", "#56b4e9"),
    "momentum": ("#6d4400", "#f8d22a"),
    "nesterov": ("#a13181", "#eb6799"),
    "rmsprop": ("#085f4e", "#10e1ad"),
    "adam": ("#c44e00", "#ff9e64"),
    "adamw": ("#170450", "#fef508"),
    "adagrad": ("#4e0a07", "#f05671"),
    "sparseadam": ("#160873", "#f2f831"),
    "lbfgs": ("#1f004f", "#5ff9f4"),
    "truth": ("#1f2328", "#e6e9ee"),
    "data": ("#6a737d", "#9aa4b2"),
    "wrong": ("#b3261e", "#ff7363"),
    # The verbs of the loop; its first one is "data".
    "predict": ("#2557bd", "#4699ff"),
    "measure": ("#91287f", "#ffa7ea"),
    "differentiate": ("#c05102", "#ff971d"),
    "update": ("#015517", "#48d27e"),
    "batch": ("#1071d2", "#4a98fe"),
    "minibatch": ("#0f6d51", "#16d48f"),
    "single": ("#af2f08", "#ff8c30"),
    "autograd": ("#05755c", "#1cd48d"),
    "forward_difference": ("#af3002", "#fd9915"),
    "central_difference": ("#6f46b6", "#ce8dff"),
    "float32": ("#ab2858", "#ff83c7"),
    "float64": ("#0162ba", "#01c5ff"),
    # A learning rate below, at and above the wall 2/λmax.
    "below": ("#1a5ec2", "#04c0ff"),
    "at": ("#7a7102", "#c6b804"),
    "above": ("#a21c4d", "#ff7599"),
    "start_a": ("#0e349a", "#598af7"),
    "start_b": ("#8b2401", "#f3870f"),
    "start_c": ("#1f830d", "#2fd488"),
    "start_d": ("#ad3a85", "#f497fd"),
    "by_hand": ("#a24300", "#fe9917"),
    "with_autograd": ("#01755f", "#18d48e"),
    "with_nn": ("#853da5", "#db90ff"),
    "unclipped": ("#224abb", "#388cfa"),
    "clip_value": ("#b35405", "#d67005"),
    "clip_norm": ("#530f03", "#f3fe37"),
    "constant": ("#ba2b0d", "#d4b74f"),
    "step_decay": ("#2a16b1", "#54a0f6"),
    "cosine": ("#4f0600", "#e75990"),
    "one_cycle": ("#070556", "#58f5ef"),
    "plateau": ("#21749b", "#f8fd5b"),
    "uniform": ("#3743b8", "#fcf656"),
    "layerwise": ("#ae5523", "#5689fa"),
    "frozen": ("#561006", "#dc6e15"),
    "no_warmup": ("#4e0e03", "#0493de"),
    "warmup": ("#2442bb", "#50e4fd"),
}

# Concepts that meet in one figure. Within a family, colours are told apart by the colour-blind too, and lines by
# their dashes; between families they may repeat (tests/trainloop/test_figures.py measures both).
FAMILIES: dict[str, tuple[str, ...]] = {
    "optimizers": ("sgd", "momentum", "nesterov", "rmsprop", "adam"),
    "optimizers of the lab": ("sgd", "rmsprop", "adam", "adamw"),
    "optimizers of sparse text": ("sgd", "rmsprop", "adam", "adagrad", "sparseadam"),
    "L-BFGS and others": ("sgd", "adam", "lbfgs"),
    "clipping": ("unclipped", "clip_value", "clip_norm"),
    "schedules": ("constant", "step_decay", "cosine", "one_cycle", "plateau"),
    "fine-tuning": ("uniform", "layerwise", "frozen"),
    "warm-up": ("no_warmup", "warmup", "adam"),
    "verbs": ("data", "predict", "measure", "differentiate", "update"),
    "batch sizes": ("batch", "minibatch", "single"),
    "gradients": ("autograd", "forward_difference", "central_difference"),
    "precisions": ("float32", "float64"),
    "learning rates": ("below", "at", "above"),
    "starts": ("start_a", "start_b", "start_c", "start_d"),
    "versions of the loop": ("by_hand", "with_autograd", "with_nn"),
    "run and reference": ("truth", "data", "wrong"),
}

# The second cue beside colour, for what is drawn as a line.
DASHES: dict[str, str | tuple[float, tuple[float, ...]]] = {
    "sgd": "-",
    "momentum": (0.0, (7, 2)),
    "nesterov": (0.0, (1, 1.5)),
    "rmsprop": (0.0, (4, 1.5)),
    "adam": "-",
    "adamw": (0.0, (1, 1.5)),
    "adagrad": (0.0, (7, 2)),
    "sparseadam": (0.0, (1, 1.5)),
    "lbfgs": (0.0, (6, 1.5, 1, 1.5)),
    "unclipped": "-",
    "clip_value": (0.0, (5, 1.5)),
    "clip_norm": (0.0, (1, 1.5)),
    "constant": (0.0, (1, 1.5)),
    "step_decay": (0.0, (7, 2)),
    "cosine": "-",
    "one_cycle": (0.0, (6, 1.5, 1, 1.5)),
    "plateau": (0.0, (4, 1.5)),
    "uniform": "-",
    "layerwise": (0.0, (5, 1.5)),
    "frozen": (0.0, (1, 1.5)),
    "no_warmup": (0.0, (5, 1.5)),
    "warmup": (0.0, (1, 1.5)),
    "truth": (0.0, (1, 2)),
    "wrong": (0.0, (3, 1, 1, 1)),
    "batch": "-",
    "minibatch": (0.0, (5, 1.5)),
    "single": (0.0, (1, 1.5)),
    "autograd": "-",
    "forward_difference": (0.0, (5, 1.5)),
    "central_difference": (0.0, (5, 1.5, 1, 1.5)),
    "float32": (0.0, (5, 1.5)),
    "float64": "-",
    "below": "-",
    "at": (0.0, (5, 1.5)),
    "above": (0.0, (1, 1.5)),
    "start_a": "-",
    "start_b": (0.0, (6, 2)),
    "start_c": (0.0, (1, 1.5)),
    "start_d": (0.0, (6, 1.5, 1, 1.5)),
    # Drawn on top of each other, since they are equal: the gaps show the line below.
    "by_hand": "-",
    "with_autograd": (0.0, (4, 4)),
    "with_nn": (0.0, (1, 3)),
}

NAMES: dict[str, str] = {
    "sgd": "SGD",
    "momentum": "SGD + momentum",
    "nesterov": "Nesterov",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "adamw": "AdamW",
    "adagrad": "Adagrad",
    "sparseadam": "SparseAdam",
    "lbfgs": "L-BFGS",
}

_scheme: ContextVar[Scheme] = ContextVar("scheme", default="light")

INK = {"light": "#1f2328", "dark": "#e6e9ee"}
GRID = {"light": "#d5dae0", "dark": "#3a4150"}


def style(name: Scheme = "light") -> Any:
    """Matplotlib rcParams of the course: text no smaller than 9 px on a 360-px phone, quiet axes.

    Args:
        name: `"light"` (for a white page) or `"dark"` (for a near-black one).
    """
    ink, grid = INK[name], GRID[name]
    return {
        "figure.figsize": (5.2, 3.5),
        "figure.constrained_layout.use": True,
        "figure.facecolor": "white" if name == "light" else "#12151c",
        "savefig.facecolor": "auto",
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 11,
        "xtick.labelsize": 10.5,
        "ytick.labelsize": 10.5,
        "axes.facecolor": "none",
        "axes.edgecolor": ink,
        "axes.labelcolor": ink,
        "axes.titlecolor": ink,
        "text.color": ink,
        "xtick.color": ink,
        "ytick.color": ink,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": grid,
        "grid.linewidth": 0.6,
        "lines.linewidth": 1.8,
        "lines.solid_capstyle": "round",
        "legend.frameon": False,
        # Reproducible, small vector files. Text stays text: outlines would double a figure's size, and
        # DejaVu Sans, which the layout reserves room for, is wider than what a reader's machine may put there.
        "svg.hashsalt": "trainloop",
        "svg.fonttype": "none",
        "path.simplify_threshold": 0.5,
    }


@contextmanager
def scheme(name: Scheme) -> Iterator[None]:
    """Draw for a light or a dark page while this context is open.

    Raises:
        ValueError: `name` is neither `"light"` nor `"dark"`.
    """
    if name not in INK:
        raise ValueError(f"scheme must be 'light' or 'dark', got {name!r}")
    token = _scheme.set(name)
    try:
        with mpl.rc_context(style(name)):
            yield
    finally:
        _scheme.reset(token)


def colour(concept: str) -> str:
    """The colour of an optimizer or concept, in the scheme being drawn.

    Raises:
        KeyError: the course has no colour for `concept`; add it to `COLOURS`.
    """
    return COLOURS[concept][_scheme.get() == "dark"]


def line(concept: str) -> dict[str, Any]:
    """Keyword arguments for `Axes.plot`: the concept's colour and its dash pattern.

    Raises:
        KeyError: the course has no colour for `concept`.
    """
    return {"color": colour(concept), "linestyle": DASHES.get(concept, "-")}


def label_ends(ax: Axes, lines: Sequence[tuple[Line2D, str]], *, gap: float = 13.0) -> None:
    """Write each line's name at its right end, in its colour, moved apart where ends meet.

    Call it last: limits and scales of `ax` must be final.

    Args:
        ax: the axes the lines are on.
        lines: pairs of a line and its label.
        gap: the least vertical distance between two labels, in points.
    """
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]  # settles the layout the offsets depend on
    ends = []
    for drawn, text in lines:
        points: Any = drawn.get_xydata()
        x, y = map(float, points[-1])
        ends.append([ax.transData.transform((x, y))[1] * 72 / ax.figure.dpi, x, y, text, drawn.get_color()])
    ends.sort(key=lambda end: end[0])
    places = [end[0] for end in ends]
    # Push overlapping neighbours apart symmetrically until none overlap.
    for _ in range(100):
        moved = False
        for i in range(len(places) - 1):
            overlap = gap - (places[i + 1] - places[i])
            if overlap > 0.01:
                places[i] -= overlap / 2
                places[i + 1] += overlap / 2
                moved = True
        if not moved:
            break
    for place, (own, x, y, text, ink) in zip(places, ends, strict=True):
        ax.annotate(
            text,
            (x, y),
            xytext=(6, place - own),
            textcoords="offset points",
            color=ink,
            va="center",
            annotation_clip=False,
        )


__all__ = ["COLOURS", "DASHES", "FAMILIES", "NAMES", "colour", "label_ends", "line", "scheme", "style"]
