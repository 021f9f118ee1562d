"""The lab: scripts in cells, executed into notebooks.

A lab script `examples/labs/<name>.py` is run cell by cell in IPython, in the process that the engine gives it. It
leaves what every example leaves, numbers and figures, and two notebooks beside them:

    notebook.ipynb    everything: what readers take home
    page.ipynb        the code cells alone, for mkdocs-jupyter; where a figure was shown, an empty <div data-figure>
"""

from __future__ import annotations

import datetime
import functools
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from IPython.core.inputtransformer2 import leading_empty_lines
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from traitlets.config import Config

from courseware import ROOT, notebooks, percent, records
from courseware.example import RECORDED, ExampleError, check, save_figures, versions, write
from trainloop.lab import VARIABLE, Setting, Shown

LABS = ROOT / "examples" / "labs"
NOTEBOOK, PAGE = "notebook.ipynb", "page.ipynb"


@dataclass
class Run:
    """What executing a lab script gave."""

    results: Any = None
    setting: Setting | None = None
    shown: dict[str, Shown] = field(default_factory=dict)  # by figure name
    outputs: dict[int, list[Any]] = field(default_factory=dict)  # of each code cell, by its number


def _shell(script: Path) -> InteractiveShell:
    """IPython as a notebook has it, in this process: no history file, no colours in what it prints."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell = InteractiveShell.instance(config=config)
    # Tracebacks name the script, and show its lines: `execute` puts as many blank lines before a cell, and IPython is
    # not to take them away.
    shell.compile.cache = lambda *args, **options: str(script)
    transforms = shell.input_transformer_manager.cleanup_transforms
    transforms[:] = [transform for transform in transforms if transform is not leading_empty_lines]
    return shell


def execute(
    script: Path,
    options: str,
    *,
    solutions: bool = True,
    quiet: bool = True,
    after_cell: Callable[[], object] = lambda: None,
) -> Run:
    """Execute the script, cell by cell.

    Args:
        script: the lab script.
        options: the setting, as on its command line: `--quick`, `--full --device cuda`.
        solutions: whether cells tagged so are executed, too.
        quiet: keep what goes to the error stream (progress bars) out of sight.
        after_cell: called after every code cell.

    Raises:
        ExampleError: two figures have one name.
        Exception: whatever a cell raises, its traceback pointing into the script.
    """
    os.environ[VARIABLE] = options
    shell, run = _shell(script), Run()

    errors: list[Exception] = []

    def note(shown: Shown) -> tuple[dict[str, str], dict[str, Any]]:
        if shown.name in run.shown:
            errors.append(ExampleError(f"two figures are named {shown.name!r}, after their draw functions"))
        run.shown[shown.name] = shown
        try:
            data, metadata = shown._repr_mimebundle_()
        except Exception as error:  # IPython would print it and go on
            errors.append(error)
            return {}, {}
        return data, metadata | {"figure": shown.name}

    assert shell.display_formatter is not None
    shell.display_formatter.mimebundle_formatter.for_type(Shown, note)
    for number, cell in enumerate(percent.cells(script.read_text(encoding="utf-8"))):
        if not cell.is_code or (cell.is_solution and not solutions):
            continue
        with capture_output(stderr=quiet) as captured:
            # The value of a cell's last line is an output, too, not something printed.
            shell.display_trap.hook = sys.displayhook
            done = shell.run_cell("\n" * cell.line + cell.source, store_history=False)
        if done.error_before_exec or done.error_in_exec:
            print(captured.stdout, captured.stderr, file=sys.stderr)
            raise done.error_before_exec or done.error_in_exec
        if errors:
            raise errors[0]
        run.outputs[number] = [new_output("stream", name="stdout", text=captured.stdout)] if captured.stdout else []
        for output in captured.outputs:
            run.outputs[number].append(new_output("display_data", data=output.data, metadata=output.metadata or {}))
        after_cell()
    run.results, run.setting = shell.user_ns.get("results"), shell.user_ns.get("SETTING")
    return run


def perform(script: Path, out: Path, quick: bool, note: Callable[[], None]) -> Callable[[dict[str, Any]], None]:
    """Execute a lab script and read its record; return what saves the outcome, given the run's card."""
    run = execute(script, "--quick" if quick else "", after_cell=note)
    return functools.partial(save, script, run, records.read(script), out)


def save(script: Path, run: Run, record: dict[str, Any] | None, out: Path, card: dict[str, Any]) -> None:
    """Check the results; write them, the figures, and the notebooks. Draw the record, too, if there is one.

    Raises:
        ExampleError: the results are not plain numbers, or the script shows no figure.
    """
    if not isinstance(run.results, dict) or not run.results:
        raise ExampleError(f"a lab script leaves its numbers in a dict `results`, got {run.results!r}")
    if not run.shown:
        raise ExampleError("a lab script shows its figures with trainloop.lab.show")
    check(run.results)
    words: dict[str, dict[str, str]] = {}
    for name, shown in run.shown.items():
        _draw(shown, name, shown.results, out, words)
        if record is not None and shown.results is run.results:
            _draw(shown, name + RECORDED, record["results"], out, words)
    write_notebooks(script, run, out)
    figures = {"figures": list(words), "words": words}
    write(out, {"results": run.results, **figures, "record": record, "run": card})


def _draw(shown: Shown, name: str, results: dict[str, Any], out: Path, words: dict[str, dict[str, str]]) -> None:
    save_figures(lambda results: {name: shown.draw(results)}, results, name, out)
    words[name] = {"alt": shown.words("alt", results), "caption": shown.words("caption", results)}


def write_notebooks(script: Path, run: Run, out: Path) -> None:
    """Write the executed script as the notebook to take home and as the notebook of its page."""
    whole, page = [], []
    for number, cell in enumerate(percent.cells(script.read_text(encoding="utf-8"))):
        metadata: dict[str, Any] = {"tags": list(cell.tags)} if cell.tags else {}
        if not cell.is_code:
            whole.append(new_markdown_cell(cell.source, metadata=metadata))
            continue
        outputs = run.outputs[number]
        if cell.is_solution:
            metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
        whole.append(new_code_cell(cell.source, outputs=outputs, metadata=metadata))
        about = {"number": number, "fold": percent.FIGURE in cell.tags}
        page.append(new_code_cell(cell.source, outputs=[_for_page(o) for o in outputs], metadata=about))
    for name, cells in ((NOTEBOOK, whole), (PAGE, page)):
        (out / name).write_text(notebooks.text(notebooks.finished(cells, script.stem)), encoding="utf-8")


def _for_page(output: Any) -> Any:
    figure = output.get("metadata", {}).get("figure")
    if figure is None:
        return output
    return new_output("display_data", data={"text/html": f'<div data-figure="{figure}"></div>'})


# --- full-size runs -----------------------------------------------------------------------------------


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"


def record(name: str, options: list[str]) -> Path:
    """Run a lab script at full size in this process, progress bars in sight, and write its record.

    Args:
        name: the script's name, without `.py`.
        options: further options of the setting: `--device`, `--data`, `--out`.

    Raises:
        ExampleError: there is no such script, or its results are not plain numbers.
    """
    script = LABS / f"{name}.py"
    if not script.is_file():
        known = sorted(path.stem for path in LABS.glob("*.py"))
        raise ExampleError(f"no lab script {name!r}; there are {known}")
    started = time.perf_counter()
    run = execute(script, shlex.join(["--full", *options]), solutions=False, quiet=False)
    seconds = time.perf_counter() - started
    if run.setting is None or not isinstance(run.results, dict):
        raise ExampleError("a lab script names its setting SETTING and its numbers results")
    check(run.results)
    card = {
        "command": f"python -m courseware record {shlex.join([name, *options])}",
        "device": _name(run.setting.device),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seconds": round(seconds, 1),
        "versions": versions(),
    }
    return records.write(script, card, run.results)
