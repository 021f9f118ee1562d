"""`make bench`: how long the builds take, and what a reader downloads.

Everything happens in a clone of this checkout, uncommitted changes included, in a temporary folder: the
checkout's own build is neither used nor touched. The libraries are those of this virtual environment, so a
"cold" build means no build/ and no site/, not a fresh installation. Nothing is averaged: one run, one number,
and other work on the machine makes it larger.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from courseware import ROOT, browser, static_server
from courseware.bindings import download_asset
from courseware.build import SETTINGS
from courseware.engine import BuildError
from courseware.example import RESULTS
from courseware.page_weight import TYPES, Request, kind, requests_of

POST = "series/part-3/optimization-algorithms-beyond-sgd/"
LONGEST_WAIT = 300.0  # seconds until an edit must show under `serve`

# The newest version that also runs on Node 20. It stays in the user's cache folder, outside the checkout.
LIGHTHOUSE = "12.8.2"
CATEGORIES = {"accessibility": "Accessibility", "best-practices": "Best practices", "seo": "SEO"}

BUILD = "import json; from courseware.build import build; print(json.dumps(build()))"


class NotMeasuredError(Exception):
    """Something this machine lacks; the message says what."""


# --- the table ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A line of the table; `aim` is the largest good value (or, with `exactly`, the only one)."""

    what: str
    value: float | None
    unit: str = ""
    aim: float | None = None
    exactly: bool = False
    note: str = ""

    @property
    def measured(self) -> str:
        if self.value is None:
            return "not measured"
        return f"{self.value:.{1 if self.unit in ('s', 'KiB') else 0}f} {self.unit}".rstrip()

    @property
    def aimed(self) -> str:
        if self.aim is None:
            return ""
        return f"{'' if self.exactly else '≤ '}{self.aim:g} {self.unit}".rstrip()

    @property
    def verdict(self) -> str:
        if self.value is None or self.aim is None:
            return ""
        return "met" if (self.value == self.aim if self.exactly else self.value <= self.aim) else "MISSED"


def table(rows: Iterable[Row]) -> str:
    """The rows as aligned text; numbers to the right."""
    lines = [("", "measured", "aim", "", "")]
    lines += [(row.what, row.measured, row.aimed, row.verdict, row.note) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    aligned = (
        f"{what:<{widths[0]}}  {measured:>{widths[1]}}  {aim:>{widths[2]}}  {verdict:<{widths[3]}}  {note}".rstrip()
        for what, measured, aim, verdict, note in lines
    )
    return "\n".join(aligned)


# --- a clone to measure in ---------------------------------------------------------------------------


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise BuildError(f"the benchmark needs git and a git checkout: {error}") from None


def clone(to: Path) -> None:
    """Copy the checkout without what git ignores: a clone of HEAD, then every file as it lies here."""
    _git("clone", "--quiet", "--no-hardlinks", str(ROOT), str(to))
    for name in _git("ls-files", "-co", "--exclude-standard", "-z").split("\0"):
        here, there = ROOT / name, to / name
        if name and here.is_file():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(here, there)
        elif name:
            there.unlink(missing_ok=True)


def _environment(root: Path) -> dict[str, str]:
    """PYTHONPATH: the clone's code, not the installed checkout's. No address: as on a reader's machine."""
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return kept | {"PYTHONPATH": str(root), "NO_COLOR": "1"}


def _build(root: Path) -> dict[str, Any]:
    """Build the clone; return what `build` says, and under `wall` the seconds that the command took."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", BUILD], cwd=root, env=_environment(root), capture_output=True, text=True
    )
    wall = time.perf_counter() - started
    if done.returncode:
        raise BuildError(f"the clone does not build:\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1]) | {"wall": wall}


def forget_pages(root: Path) -> None:
    """Remove the site and every cache, except what the examples made and the record of it."""
    shutil.rmtree(root / "site")
    for path in (root / "build").iterdir():
        if path.is_dir() and path.name != "examples":
            shutil.rmtree(path)


def median_example(root: Path, page: str) -> Path:
    """The script of a page that stands in the middle by run time: the example to edit."""
    seconds = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))["run"]["seconds"]
        for path in (root / "build" / "examples" / page).glob(f"*/{RESULTS}")
    }
    if not seconds:
        raise BuildError(f"no example of {page} has run")
    name = sorted(seconds, key=seconds.__getitem__)[len(seconds) // 2]
    return root / "examples" / page / f"{name}.py"


def append(path: Path, text: str) -> None:
    """Add a paragraph (or a comment) at the end of a file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")


def _post_source(root: Path) -> Path:
    return root / "docs" / f"{POST.rstrip('/')}.md"


# --- builds ------------------------------------------------------------------------------------------


def _expect(done: dict[str, Any], examples: int | None, pages: bool) -> dict[str, Any]:
    """Stop if a build did other work than the row's name says: its seconds would mean nothing."""
    if done["pages_built"] is not pages or examples not in (None, done["examples_run"]):
        raise BuildError(f"expected {examples} examples and pages {pages}, but the build says {done}")
    return done


def measure_builds(root: Path) -> Iterator[Row]:
    """Build from nothing, without the examples, and with nothing to do."""
    cold = _expect(_build(root), None, True)
    yield Row("Cold build", cold["wall"], "s", note=f"{cold['examples_run']} examples, {os.cpu_count()} at a time")
    yield Row("  examples", cold["examples_seconds"], "s")
    yield Row("  pages", cold["pages_seconds"], "s")
    forget_pages(root)
    yield Row("Cold build, figures there", _expect(_build(root), 0, True)["wall"], "s", aim=10)
    yield Row("Nothing to do", _expect(_build(root), 0, False)["wall"], "s", aim=5)


def measure_edits(root: Path) -> Iterator[Row]:
    """Rebuild after an edit."""
    append(_post_source(root), "An edit of the benchmark.")
    yield Row("Rebuild, one page edited", _expect(_build(root), 0, True)["wall"], "s")
    script = median_example(root, Path(POST).name)
    append(script, "# An edit of the benchmark.")
    done = _expect(_build(root), 1, True)
    note = f"{script.name}: {done['examples_seconds']:.1f} s, pages: {done['pages_seconds']:.1f} s"
    yield Row("Rebuild, one example edited", done["wall"], "s", note=note)


# --- `serve` -----------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children: `serve` starts MkDocs as a process of its own."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    else:
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(url: str, text: str, *, alive: Callable[[], bool], limit: float = LONGEST_WAIT) -> float:
    """Ask for a URL until its body contains a text; return the seconds it took.

    Raises:
        BuildError: the server ended, or the time ran out.
    """
    started = time.perf_counter()
    while (waited := time.perf_counter() - started) < limit:
        # MkDocs holds a request back while it rebuilds, hence the long patience.
        try:
            with urllib.request.urlopen(url, timeout=limit) as answer:
                if text in answer.read().decode("utf-8"):
                    return time.perf_counter() - started
        except OSError:
            pass  # not up yet
        if not alive():
            raise BuildError("`serve` ended")
        time.sleep(0.05)
    raise BuildError(f"{text!r} did not show at {url} within {waited:.0f} s")


def measure_serve(root: Path) -> Iterator[Row]:
    """Save an edit under `serve`; stop the clock when the server hands it out."""
    address = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "courseware", "serve", "--address", address],
            cwd=root,
            env=_environment(root),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:

            def alive() -> bool:
                return process.poll() is None

            page = f"http://{address}/{POST}"
            yield Row("Start of serve", wait_for(page, "</html>", alive=alive), "s", note="everything built before")
            append(_post_source(root), "An edit under serve.")
            seconds = wait_for(page, "An edit under serve.", alive=alive)
            yield Row("Page edit under serve", seconds, "s", aim=3, note="until the server hands it out")
            script = median_example(root, Path(POST).name)
            # The served script shows the edit when the whole rebuild is done. The first one also starts torch.
            shown = f"http://{address}/{download_asset(script.parent.name, script.stem, 'py')}"
            for edit in ("First", "Second"):
                append(script, f"# {edit} edit under serve.")
                seconds = wait_for(shown, f"# {edit} edit under serve.", alive=alive)
                yield Row(f"{edit} example edit under serve", seconds, "s", note=script.name)
        except BuildError as error:
            log.seek(0)
            raise BuildError(f"{error}; it said:\n{log.read().decode('utf-8', 'replace')[-3000:]}") from None
        finally:
            stop(process)


def _chromium() -> Path:
    executable = browser.find()
    if executable is None:
        raise NotMeasuredError("no Chromium here; python -m courseware.browser installs one")
    return executable


# --- what a reader downloads -------------------------------------------------------------------------


def tally(requests: list[Request], home: str) -> list[Row]:
    """Sum up by type; a request to another host than `home` is a third party's."""
    host = urlsplit(home).netloc
    strangers = sorted({urlsplit(r.url).netloc for r in requests if urlsplit(r.url).netloc != host})
    rows = [Row("Post, scrolled to its end", sum(r.bytes for r in requests) / 1024, "KiB", aim=250, note="gzip")]
    for name in (*TYPES.values(), "figures", "other"):
        mine = [r for r in requests if kind(r) == name]
        note = "1 request" if len(mine) == 1 else f"{len(mine)} requests"
        rows.append(Row(f"  {name}", sum(r.bytes for r in mine) / 1024, "KiB", note=note))
    rows.append(Row("  requests", len(requests)))
    foreign = sum(urlsplit(r.url).netloc != host for r in requests)
    rows.append(Row("  to other hosts", foreign, aim=0, exactly=True, note=", ".join(strangers)))
    return rows


# --- Lighthouse --------------------------------------------------------------------------------------


def failing_audits(report: dict[str, Any], category: str) -> list[str]:
    """What costs a category points, each with the first elements it names."""
    audits = []
    for reference in report["categories"][category]["auditRefs"]:
        audit = report["audits"][reference["id"]]
        if reference["weight"] and audit["score"] is not None and audit["score"] < 1:
            items = (audit.get("details") or {}).get("items", [])
            # An item names an element, an address, or (the console's) a description.
            texts = (
                i.get("node", {}).get("snippet") or i.get("description") or i.get("url") or i.get("source")
                for i in items
            )
            places = [str(text) for text in texts if text][:5]
            audits.append("\n      ".join([f"{audit['id']}: {audit['title']}", *places]))
    return audits


def _install_lighthouse() -> list[str]:
    """The command that runs the pinned Lighthouse; npm fetches it the first time."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotMeasuredError("no Node with npm here")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "courseware" / f"lighthouse-{LIGHTHOUSE}"
    script = folder / "node_modules" / "lighthouse" / "cli" / "index.js"
    if not script.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        install = ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", f"lighthouse@{LIGHTHOUSE}"]
        done = subprocess.run([npm, "--prefix", str(folder), *install], capture_output=True, text=True, check=False)
        if done.returncode or not script.is_file():
            raise NotMeasuredError(f"npm could not install lighthouse: {done.stderr.strip()[-200:]}")
    return [node, str(script)]


def lighthouse(url: str) -> dict[str, Any]:
    """Lighthouse's report on a page, on its emulated phone."""
    command = _install_lighthouse()
    executable = _chromium()
    flags = ["--headless=new", *browser.flags()]
    with tempfile.TemporaryDirectory(prefix="courseware-lighthouse-", ignore_cleanup_errors=True) as folder:
        report = Path(folder) / "report.json"
        options = ["--quiet", "--no-enable-error-reporting", "--output=json", f"--output-path={report}"]
        options += [f"--only-categories={','.join(CATEGORIES)}", f"--chrome-flags={' '.join(flags)}"]
        done = subprocess.run(
            [*command, url, *options],
            env=os.environ | {"CHROME_PATH": str(executable)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode or not report.is_file():
            raise NotMeasuredError(f"Lighthouse ended with {done.returncode}: {done.stderr.strip()[-300:]}")
        return json.loads(report.read_text(encoding="utf-8"))


def scores(name: str, report: dict[str, Any]) -> list[Row]:
    """A row for each category."""
    return [
        Row(
            f"Lighthouse, {name}: {title}",
            round(report["categories"][category]["score"] * 100),
            aim=100,
            exactly=True,
            note="; ".join(audit.partition(":")[0] for audit in failing_audits(report, category)),
        )
        for category, title in CATEGORIES.items()
    ]


# --- all of it ---------------------------------------------------------------------------------------


def machine() -> str:
    """What the numbers were measured on."""
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return (
        f"{os.cpu_count()} cores ({platform.system()} {platform.machine()}){load}; "
        f"Python {platform.python_version()}, torch {importlib.metadata.version('torch')}"
    )


def _told(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _requests(url: str) -> list[Request]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, browser.launch(playwright, _chromium()) as started:
        return requests_of(started, url)


def _measure_reader(root: Path, problems: list[str]) -> Iterator[Row]:
    with static_server.serve(root / "site") as url:
        try:
            yield from tally(_requests(url + POST), url)
        except NotMeasuredError as error:
            yield Row("Post, scrolled to its end", None, "KiB", aim=250, note=str(error))
        for name, path in (("post", POST), ("front page", "")):
            try:
                report = lighthouse(url + path)
            except NotMeasuredError as error:
                yield Row(f"Lighthouse, {name}", None, aim=100, exactly=True, note=str(error))
                continue
            yield from scores(name, report)
            for category, title in CATEGORIES.items():
                problems += [f"{name}, {title}: {audit}" for audit in failing_audits(report, category)]


def bench() -> None:
    """Measure everything and print one table, the aim beside each number."""
    where = machine()
    rows: list[Row] = []
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="courseware-bench-", ignore_cleanup_errors=True) as folder:
        root = Path(folder).resolve() / "checkout"
        _told(f"cloning to {root}")
        clone(root)
        # What the reader downloads is measured before the edits, which lengthen the post.
        for part in (measure_builds(root), _measure_reader(root, problems), measure_edits(root), measure_serve(root)):
            for row in part:
                rows.append(row)
                _told(f"{row.what}: {row.measured}")
    print(f"\n{where}\nOne run each; other work on the machine makes the seconds larger.\n\n{table(rows)}")
    if problems:
        print("\nWhat costs Lighthouse points:\n")
        print("\n".join(f"  - {problem}" for problem in problems))
