"""The build engine: runs every example whose inputs changed, two at a time, each in a process of its own.

doit keeps the graph (what changed, what may run side by side); this module turns a script into a doit
task and runs it under a fork server, a time limit and a rule: an example's outputs are either complete
and from the present sources, or not there.

    build/examples/<page>/<name>/results.json
    build/examples/<page>/<name>/<figure>.light.svg, <figure>.dark.svg
"""

from __future__ import annotations

import contextlib
import functools
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from doit.exceptions import TaskFailed
from doit.task import Task
from doit.tools import config_changed
from filelock import FileLock, Timeout
from tqdm import tqdm

from courseware import ROOT
from courseware.example import RESULTS, digest, record_path, versions
from courseware.worker import run_child

TIME_LIMIT = 300.0  # seconds an example may take; an experiment of the lab takes up to 60 on an idle machine


class BuildError(Exception):
    """The build stopped; the message is what the reader of the terminal needs."""


def scripts() -> list[Path]:
    """Every example script: `examples/<page>/<name>.py`, names with a leading underscore excepted."""
    return sorted(p for p in (ROOT / "examples").glob("*/*.py") if not p.name.startswith("_"))


def output_folder(script: Path) -> Path:
    return ROOT / "build" / "examples" / script.parent.name / script.stem


# --- one build at a time -----------------------------------------------------------------------------

# Somebody at a terminal wants to know at once that another build is running; tests side by side wait for each other.
_lock = FileLock(ROOT / "build" / "lock", timeout=float(os.environ.get("COURSEWARE_WAIT", "0")))


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Hold this checkout's build lock, or say who holds it. Re-entrant; a killed build lets go of it."""
    (ROOT / "build").mkdir(exist_ok=True)
    holder = ROOT / "build" / "lock.holder"
    try:
        _lock.acquire()
    except Timeout:
        who = holder.read_text(encoding="utf-8") if holder.exists() else "unknown"
        raise BuildError(
            f"another build is running in this checkout (process {who}); wait for it to end, or stop it"
        ) from None
    try:
        holder.write_text(str(os.getpid()), encoding="utf-8")
        yield
    finally:
        _lock.release()


# --- one example in a process of its own -------------------------------------------------------------


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Keep multiprocessing from importing the parent's `__main__` (mkdocs, pytest) in every child."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


_starting = threading.Lock()


def _context() -> multiprocessing.context.BaseContext:
    if "forkserver" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["courseware.preload"])
        return context
    return multiprocessing.get_context("spawn")  # Windows


def warm_up() -> None:
    """Start the fork server in the background: its imports take seconds, which the first edit need not wait for."""
    context = _context()
    if context.get_start_method() == "forkserver":
        from multiprocessing import forkserver

        with _starting, _no_main_module():
            forkserver.ensure_running()


def _tail(log: Path, lines: int = 20) -> str:
    text = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
    return "\nits last output:\n" + "\n".join(text.splitlines()[-lines:]) if text else ""


def run_apart(script: Path, out: Path, *, quick: bool = False, time_limit: float = TIME_LIMIT) -> dict[Path, str]:
    """Run one example in a fresh process; return the files it depends on with their digests.

    Raises:
        BuildError: the script raised (with its traceback), ran out of time, died, or broke a house rule.
    """
    context = _context()
    ours, theirs = context.Pipe(duplex=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    log = out.with_suffix(".log")
    process = context.Process(target=run_child, args=(script, out, log, quick, theirs), daemon=True)  # type: ignore[attr-defined]
    with _starting, _no_main_module():
        process.start()
    theirs.close()
    try:
        if not ours.poll(time_limit):
            raise BuildError(f"{script}: still running after {time_limit:g} s, stopped{_tail(log)}")
        try:
            status, answer = ours.recv()
        except EOFError:
            process.join()
            raise BuildError(f"{script}: died with exit code {process.exitcode}{_tail(log)}") from None
    finally:
        if process.is_alive():
            process.join(timeout=1)
        if process.is_alive():
            process.kill()
        process.join()
        ours.close()
    if status == "error":
        raise BuildError(f"{answer}{_tail(log)}")
    return answer


# --- the graph ---------------------------------------------------------------------------------------


def known_sources(script: Path) -> list[str]:
    """What the script imported and read the last time it ran; the script, and its record, if it never did."""
    found = {str(script), str(record_path(script))}
    with contextlib.suppress(OSError, ValueError, KeyError):
        document = json.loads((output_folder(script) / RESULTS).read_text(encoding="utf-8"))
        found |= {str(ROOT / name) for name in document["run"]["sources"]}
    return sorted(path for path in found if Path(path).exists())


def make(task: Task, script: Path, time_limit: float) -> None:
    """Action of an example's task: old outputs go, new ones appear at once and whole."""
    target = output_folder(script)
    shutil.rmtree(target, ignore_errors=True)
    while True:
        workshop = Path(tempfile.mkdtemp(dir=ROOT / "build" / "tmp"))
        sources = run_apart(script, workshop / "out", time_limit=time_limit)
        if all(path.exists() and digest(path) == known for path, known in sources.items()):
            break  # otherwise somebody saved an edit while it ran: run the edited one
    # What it really imported is known only now; doit records the set as it stands after the action.
    task.file_dep = {str(path) for path in sources}
    target.parent.mkdir(parents=True, exist_ok=True)
    (workshop / "out").rename(target)


def told(action: Callable[..., None]) -> Callable[..., TaskFailed | None]:
    """Hand doit a BuildError's message; of any other exception it shows the traceback."""

    @functools.wraps(action)  # doit fills in `task` by name
    def wrapped(*args: Any, **kwargs: Any) -> TaskFailed | None:
        try:
            action(*args, **kwargs)
        except BuildError as error:
            return TaskFailed(str(error))
        return None

    return wrapped


class Progress:
    """doit's reporter: a bar that says what runs now and what is left; failures are kept for the end."""

    desc = "progress bar"

    def __init__(self) -> None:
        self.running: dict[str, float] = {}
        self.failures: list[str] = []
        self.bar: Any = None
        self.ran = 0

    def initialize(self, tasks: dict[str, Task], selected: list[str]) -> None:
        total = sum(1 for task in tasks.values() if task.actions)
        self.bar = tqdm(total=total, desc="examples", unit="", leave=False, disable=not sys.stderr.isatty())

    def _show(self) -> None:
        self.bar.set_postfix_str("running " + ", ".join(self.running) if self.running else "", refresh=True)

    def get_status(self, task: Task) -> None:
        pass

    def execute_task(self, task: Task) -> None:
        if task.actions:
            self.running[task.name.partition(":")[2]] = time.perf_counter()
            self._show()

    def _ended(self, task: Task) -> float:
        self.bar.update()
        started = self.running.pop(task.name.partition(":")[2], time.perf_counter())
        self._show()
        return time.perf_counter() - started

    def add_success(self, task: Task) -> None:
        if task.actions:
            seconds = self._ended(task)
            self.ran += 1
            self.bar.write(f"ran {task.name.partition(':')[2]} in {seconds:.1f} s", file=sys.stderr)

    def add_failure(self, task: Task, fail: Any) -> None:
        self._ended(task)
        self.failures.append(fail.get_msg().strip())

    def skip_uptodate(self, task: Task) -> None:
        if task.actions:
            self.bar.update()

    def skip_ignore(self, task: Task) -> None:
        pass

    def cleanup_error(self, exception: Any) -> None:
        self.failures.append(exception.get_msg())

    def runtime_error(self, msg: str) -> None:
        self.failures.append(msg)

    def teardown_task(self, task: Task) -> None:
        pass

    def complete_run(self) -> None:
        self.bar.close()


def _remove_strays() -> None:
    """Leftovers of a killed build, and outputs whose script is gone."""
    shutil.rmtree(ROOT / "build" / "tmp", ignore_errors=True)
    (ROOT / "build" / "tmp").mkdir(parents=True)
    wanted = {output_folder(script) for script in scripts()}
    for folder in (ROOT / "build" / "examples").glob("*/*"):
        if folder not in wanted:
            shutil.rmtree(folder)


def run_examples(*, time_limit: float = TIME_LIMIT, processes: int | None = None) -> int:
    """Bring every example's outputs up to date; return how many had to run.

    Raises:
        BuildError: an example failed (its traceback is the message), or another build is running.
    """

    def task_example() -> Iterator[dict[str, Any]]:
        for script in scripts():
            yield {
                "name": f"{script.parent.name}/{script.stem}",
                "actions": [(told(make), (), {"script": script, "time_limit": time_limit})],
                "file_dep": known_sources(script),
                "targets": [str(output_folder(script) / RESULTS)],
                "uptodate": [config_changed(versions())],
                "io": {"capture": False},
            }

    progress = Progress()
    with locked():
        _remove_strays()
        run_graph({"task_example": task_example}, progress, processes or os.cpu_count() or 1)
    return progress.ran


def run_graph(tasks: dict[str, Callable[..., Any]], progress: Progress, processes: int) -> None:
    """Run doit over these task creators, its records in `build/`; raise what failed."""
    config = {
        "dep_file": str(ROOT / "build" / "doit.sqlite3"),
        "backend": "sqlite3",
        "reporter": progress,
        "num_process": processes,
        "par_type": "thread",
        "verbosity": 2,
    }
    loader = ModuleTaskLoader({"DOIT_CONFIG": config, **tasks})
    code = DoitMain(loader, config_filenames=()).run(["run"])
    if progress.failures:
        raise BuildError("\n\n".join(progress.failures))
    if code:
        raise BuildError(f"doit ended with code {code}")
