"""One example: load its script, run it, check what it made, save it.

An example is a script `examples/<page>/<name>.py` with

- a docstring: the question it answers,
- `run(quick=False) -> dict`: computes and returns plain numbers (dicts, lists, str, int, finite float, None),
- `draw(results) -> Figure | dict[str, Figure]`: optional,
- and the two lines `from courseware.example import main; main(run, draw)` under `__main__`.

`execute` is what the build engine calls in a process of its own; `main` is what a reader calls by
running the script. Both save through `save`.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import math
import platform
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from courseware import ROOT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Results = dict[str, Any]
Draw = Callable[[Results], "Figure | dict[str, Figure]"]

RESULTS = "results.json"
RECORDED = "-recorded"  # ends the name of a lab figure that shows the full-size run
SCHEMES = ("light", "dark")
LIBRARIES = ("torch", "numpy", "matplotlib")

# A figure is shown 328 CSS pixels wide on a 360-pixel phone; no text on it may be smaller than 9 pixels there.
PHONE_WIDTH_PX = 328
SMALLEST_TEXT_PX = 9.0


class ExampleError(Exception):
    """An example broke a rule of the house; the message says which, in words for its author."""


def versions() -> dict[str, str]:
    """The versions a result depends on, read without importing the libraries."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in LIBRARIES}


def load(script: Path) -> ModuleType:
    """Import an example by path; its folder comes first on `sys.path`, as when Python runs it."""
    sys.path.insert(0, str(script.parent))
    spec = importlib.util.spec_from_file_location(script.stem, script)
    if spec is None or spec.loader is None:
        raise ExampleError(f"{script} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[script.stem] = module
    spec.loader.exec_module(module)
    return module


def check(value: object, key: str = "") -> None:
    """Refuse results that are not plain and finite, naming the key.

    A diverged run is a result too: say so with None or a word, never with a NaN a page could print.
    """
    match value:
        case dict():
            for name, item in value.items():
                if not isinstance(name, str):
                    raise ExampleError(f"results key {name!r} under {key or 'the top'!r} is not a string")
                check(item, f"{key}.{name}" if key else name)
        case list() | tuple():
            for index, item in enumerate(value):
                check(item, f"{key}.{index}")
        case float() if not math.isfinite(value):
            raise ExampleError(f"result {key!r} is {value}; store None (or a word) for a run that diverged")
        case None | bool() | int() | float() | str():
            pass
        case _:
            raise ExampleError(f"result {key!r} is a {type(value).__name__}, not a plain number, string or list")


def check_text_size(figure: Figure, name: str) -> None:
    """Refuse a figure whose smallest visible text falls under 9 px on a 360-px phone."""
    from matplotlib.text import Text

    pixels_per_point = PHONE_WIDTH_PX / (figure.get_figwidth() * 72)
    for artist in figure.findobj(Text):
        assert isinstance(artist, Text)
        pixels = artist.get_fontsize() * pixels_per_point
        if artist.get_visible() and artist.get_text().strip() and pixels < SMALLEST_TEXT_PX - 0.05:
            raise ExampleError(
                f"figure {name!r}: text {artist.get_text()!r} would be {pixels:.1f} px high on a phone "
                f"(at least {SMALLEST_TEXT_PX:g}); use a larger font or a narrower figure"
            )


def named_figures(drawn: object, default: str) -> dict[str, Figure]:
    """`draw` may return one figure, named after its script, or a dict of them."""
    from matplotlib.figure import Figure

    figures = drawn if isinstance(drawn, dict) else {default: drawn}
    for name, figure in figures.items():
        if not isinstance(figure, Figure):
            raise ExampleError(f"draw() must return a Figure or a dict of them; {name!r} is {type(figure).__name__}")
    return figures


def slim(svg: str) -> str:
    """Round coordinates to a tenth of a point, which no screen resolves: a third off a figure's transfer size."""

    def rounded(match: re.Match[str]) -> str:
        return re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}", match[0])

    return re.sub(r' (?:d|x|y|points)="[^"]*"', rounded, svg)


def save_figures(draw: Draw, results: Results, name: str, out: Path) -> list[str]:
    """Draw every figure in both colour schemes as byte-reproducible SVG; return the figures' names."""
    import matplotlib.pyplot as plt

    from trainloop.figures import scheme

    names: list[str] = []
    for colours in SCHEMES:
        with scheme(colours):
            figures = named_figures(draw(results), name)
            for figure_name, figure in figures.items():
                check_text_size(figure, figure_name)
                text = io.StringIO()
                figure.savefig(
                    text, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
                )
                (out / f"{figure_name}.{colours}.svg").write_text(slim(text.getvalue()), encoding="utf-8")
            plt.close("all")
        names = list(figures)
    return names


def save(module: ModuleType, results: object, out: Path, run: dict[str, Any]) -> None:
    """Check the results, draw the figures and write both with the run's card into `out`."""
    if not isinstance(results, dict) or not results:
        raise ExampleError(f"run() must return a dict of plain numbers, got {results!r}")
    check(results)
    draw = getattr(module, "draw", None)
    figures = save_figures(draw, results, module.__name__, out) if draw else []
    write(out, {"results": results, "figures": figures, "run": run})


def write(out: Path, document: dict[str, Any]) -> None:
    (out / RESULTS).write_text(json.dumps(document, indent=1, allow_nan=False), encoding="utf-8")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def local_modules() -> Iterator[Path]:
    """Source files of this checkout that the running process has imported."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        path = Path(file or "")
        # The virtual environment may live inside the checkout.
        if path.suffix == ".py" and path.is_relative_to(ROOT) and "site-packages" not in path.parts:
            yield path


def is_lab(script: Path) -> bool:
    """Whether a script is of the lab: in cells, executed into a notebook (`courseware.labs`)."""
    return script.parent.name == "labs"


def record_path(script: Path) -> Path:
    """Where the record of a lab script's full-size run lies, if somebody has made one."""
    return script.parent / "recorded" / f"{script.stem}.json"


def watch_data_files() -> set[Path]:
    """Record, from now on, every data file under `examples/` that this process opens."""
    opened: set[Path] = set()
    data = str(ROOT / "examples")

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(args[0], str) and args[0].startswith(data):
            path = Path(args[0])
            if path.suffix not in {".py", ".pyc"} and "__pycache__" not in path.parts:
                opened.add(path)

    sys.addaudithook(hook)
    return opened


def execute(script: Path, out: Path, *, quick: bool = False) -> dict[Path, str]:
    """Run one example and save what it made into `out`; return the files it depends on, with digests.

    Warnings are errors, one torch thread: examples run side by side.
    """
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("error")
    data = watch_data_files()
    out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    # Digested before the long part: an edit saved while it runs must not pass for what ran.
    sources = {script: digest(script)}

    def note(*paths: Path) -> None:
        sources.update({path: digest(path) for path in {*local_modules(), *paths} - set(sources)})

    if is_lab(script):
        from courseware.labs import perform  # IPython is imported for these alone
    else:
        perform = _perform
    save_run = perform(script, out, quick, note)
    seconds = time.perf_counter() - started
    note(*data)
    run = {
        "script": script.relative_to(ROOT).as_posix() if script.is_relative_to(ROOT) else script.name,
        "quick": quick,
        "seconds": round(seconds, 2),
        "versions": versions(),
        "device": "cpu",
        "threads": torch.get_num_threads(),
        "sources": {p.relative_to(ROOT).as_posix(): d for p, d in sources.items() if p.is_relative_to(ROOT)},
    }
    save_run(run)
    return sources


def _perform(script: Path, out: Path, quick: bool, note: Callable[[], None]) -> Callable[[dict[str, Any]], None]:
    """Load a script and call its `run`; return what saves the outcome, given the run's card."""
    module = load(script)
    note()
    if not callable(getattr(module, "run", None)):
        raise ExampleError("it has no function run()")
    return functools.partial(save, module, module.run(quick=quick), out)


def flatten(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every scalar of the results with its dotted key; lists longer than eight only by their length."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from flatten(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and len(value) > 8:
        yield key, f"[{len(value)} values]"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from flatten(item, f"{key}.{index}")
    else:
        yield key, value


def main(run: Callable[..., Results], draw: Draw | None = None) -> None:
    """Run an example from the command line: print its numbers, save its figures, say where."""
    module = sys.modules["__main__"]
    script = Path(str(module.__file__)).resolve()
    module.__name__ = script.stem
    parser = argparse.ArgumentParser(description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smaller run, to see that it works")
    default = ROOT / "build" / "by-hand" / script.parent.name / script.stem
    parser.add_argument("--out", type=Path, default=default, help="where figures and numbers go")
    arguments = parser.parse_args()

    print(f"running {script.name} …", file=sys.stderr, flush=True)
    started = time.perf_counter()
    results = run(quick=arguments.quick)
    seconds = time.perf_counter() - started
    arguments.out.mkdir(parents=True, exist_ok=True)
    save(module, results, arguments.out, {"seconds": round(seconds, 2), "versions": versions()})
    for key, value in flatten(results):
        print(f"{key:40} {value:.6g}" if isinstance(value, float) else f"{key:40} {value}")
    print(f"{seconds:.1f} s; figures and {RESULTS} in {arguments.out}", file=sys.stderr)
