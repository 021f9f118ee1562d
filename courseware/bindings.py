"""What a page may ask of the runs: a number, a figure, a table, the run card, the downloads.

A page writes `<% num("convergence.adam.w", ".3f") %>`; `convergence` is the example
`examples/<page slug>/convergence.py`, the rest is a path into its results. Whatever cannot be answered
stops the build with the page and the line. Jinja renders the pages; its delimiters are chosen to
collide neither with LaTeX nor with Python.
"""

from __future__ import annotations

import functools
import html
import json
import math
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined, TemplateSyntaxError, UndefinedError
from mkdocs.exceptions import PluginError
from mkdocs.utils import get_relative_url

from courseware import ROOT
from courseware.chooser import PATH as CHOOSER
from courseware.chooser import Chooser
from courseware.citations import PAGE as BIBLIOGRAPHY
from courseware.citations import Bibliography, Reference
from courseware.example import RECORDED, RESULTS, SCHEMES
from courseware.glossary import Glossary

DELIMITERS = {
    "variable_start_string": "<%",
    "variable_end_string": "%>",
    "block_start_string": "<%%",
    "block_end_string": "%%>",
    "comment_start_string": "<%#",
    "comment_end_string": "#%>",
}


SUPERSCRIPT = str.maketrans("−0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class BindingError(Exception):
    """A page asked for something no run has said."""


class Cell(NamedTuple):
    """A table's cell that is more than its value."""

    html: str
    value: str | float  # what the column is sorted by


@functools.lru_cache(maxsize=256)
def _read(path: Path, changed: int) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def document(page: str, example: str) -> dict[str, Any]:
    """What an example wrote: results, figures, run.

    Raises:
        BindingError: there is no such example, or it has not run.
    """
    path = ROOT / "build" / "examples" / page / example / RESULTS
    if not path.exists():
        known = sorted(p.stem for p in (ROOT / "examples" / page).glob("*.py"))
        raise BindingError(f"no example {example!r} has run for this page (examples/{page}/ holds {known})")
    return _read(path, path.stat().st_mtime_ns)


def look_up(results: Any, path: str) -> Any:
    """Follow a dotted path into dicts and lists; keys may themselves contain dots (`below_0.1`).

    Raises:
        BindingError: no value there; the message lists what is.
    """
    if path == "":
        return results
    if isinstance(results, list):
        head, _, rest = path.partition(".")
        if head.lstrip("-").isdigit() and -len(results) <= int(head) < len(results):
            return look_up(results[int(head)], rest)
        raise BindingError(f"no {head!r} in a list of {len(results)}")
    if isinstance(results, dict):
        for key in sorted(results, key=len, reverse=True):
            if path == key or path.startswith(key + "."):
                return look_up(results[key], path[len(key) + 1 :])
        raise BindingError(f"no {path!r} among {sorted(results)}")
    raise BindingError(f"{path!r} goes deeper than the value {results!r}")


def format_value(value: Any, spec: str) -> str:
    """A scalar as the page shows it, with a true minus sign and ×10ⁿ instead of `e`, left out where n is 0.

    Raises:
        BindingError: the value is missing, not finite, or not a scalar.
    """
    if value is None:
        raise BindingError("the run has no value here (it diverged, or never got there)")
    if isinstance(value, bool | dict | list):
        raise BindingError(f"a {type(value).__name__} is not a number or a word")
    if isinstance(value, float) and not math.isfinite(value):
        raise BindingError(f"the value is {value}")
    text = format(value, spec)
    if isinstance(value, str):
        return html.escape(text)
    mantissa, e, exponent = text.partition("e")
    if e and int(exponent) == 0:
        text = mantissa
    elif e:
        text = f"{mantissa} × 10<sup>{int(exponent)}</sup>"
    return text.replace("-", "−")


def plain(text: str) -> str:
    """Text for an attribute: an exponent's markup becomes characters."""
    return re.sub(r"<sup>(.*?)</sup>", lambda match: match[1].translate(SUPERSCRIPT), text)


@functools.lru_cache(maxsize=1)
def commit() -> str:
    """The commit of this checkout, `+` appended when files differ from it; empty outside git."""
    try:
        git = ["git", "-C", str(ROOT)]
        head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        dirty = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def figure_asset(page: str, example: str, figure: str, scheme: str) -> str:
    """Where a figure lies in the site."""
    return f"assets/figures/{page}/{example}.{figure}.{scheme}.svg"


def download_asset(page: str, example: str, kind: str) -> str:
    """Where an example's script (`py`), notebook (`ipynb`) or results (`json`) lies in the site."""
    return f"downloads/{page}/{example}.{kind}"


def _svg_size(path: Path) -> tuple[int, int]:
    match = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', path.read_text(encoding="utf-8")[:2000])
    if match is None:
        raise BindingError(f"{path.name} has no size")
    return round(float(match[1]) * 4 / 3), round(float(match[2]) * 4 / 3)


@dataclass(frozen=True)
class Picture:
    """A figure in one colour scheme, as a page loads it."""

    scheme: str
    url: str
    width: int
    height: int

    def image(self, alt: str) -> str:
        size = f'width="{self.width}" height="{self.height}"'
        return f'<img class="only-{self.scheme}" src="{self.url}" alt="{html.escape(alt)}" {size} loading="lazy">'


def _checked_alt(text: str, figure: str) -> str:
    """Alt text as plain characters.

    Raises:
        BindingError: it is too short to say what the figure shows.
    """
    if len(text.strip()) < 40:
        raise BindingError(f"figure {figure!r}: alt text must say what the figure shows, got {text!r}")
    return plain(text.strip())


def _sorted_by(value: Any) -> Any:
    return value.value if isinstance(value, Cell) else value


def _shown(value: Any, spec: str) -> str:
    if isinstance(value, Cell):
        return value.html
    return "–" if value is None else format_value(value, spec)


def _card(rows: dict[str, str]) -> str:
    """Where numbers come from, as a list of names and plain texts."""
    items = "".join(f"<dt>{name}</dt><dd>{html.escape(text)}</dd>" for name, text in rows.items())
    return f'<div class="run-card"><dl>{items}</dl></div>'


@dataclass
class Bindings:
    """The functions one page can call; `slug` names its folder of examples.

    Another page's example is named with its folder: `num("other-page/example.key")`. The page of a lab script names
    its own numbers with the script's name, `lab`: the folder is `labs`.
    """

    slug: str
    url: str
    repo_url: str = ""
    terms: Glossary = field(default_factory=Glossary)
    references: Bibliography = field(default_factory=Bibliography)
    tree: Chooser = field(default_factory=Chooser)
    lab: str = ""
    compare: Callable[[], list[dict[str, Any]]] | None = None  # every optimizer's row, from rule_pages
    used: set[tuple[str, str]] = field(default_factory=set)

    def _find(self, name: str) -> tuple[str, str, str, dict[str, Any]]:
        """Split `[page/]example[.rest]` into page, example, rest and what the example wrote."""
        place, _, rest = name.partition(".")
        page, _, example = place.rpartition("/")
        page = page or self.slug
        self.used.add((page, example))
        return page, example, rest, document(page, example)

    def value(self, key: str) -> Any:
        """The raw value at `example.path.in.results`, for conditions and arithmetic in a page."""
        *_, path, written = self._find(key)
        return look_up(written["results"], path)

    def num(self, key: str, spec: str = "") -> str:
        """A number of a run, formatted with a Python format specification."""
        return format_value(self.value(key), spec)

    def calc(self, value: Any, spec: str = "") -> str:
        """A number computed in the page from `value(...)`s, formatted like `num`."""
        return format_value(value, spec)

    def _link(self, asset: str) -> str:
        return get_relative_url(asset, self.url)

    def figure(self, name: str, *, alt: str, caption: str = "") -> str:
        """A figure in both colour schemes, with its caption and a link to the script that drew it.

        `name` is `example` or, where a script draws several, `example.figure`.
        """
        page, example, figure, written = self._find(name)
        drawn = written["figures"]
        if not figure:
            figure = drawn[0] if len(drawn) == 1 else example
        if figure not in drawn:
            raise BindingError(f"example {example!r} draws {drawn}, not {figure!r}")
        pictures = [self._picture(page, example, figure, scheme) for scheme in SCHEMES]
        images = "".join(picture.image(_checked_alt(alt, name)) for picture in pictures)
        # One line, so that a figure may stand indented inside a folded solution.
        return (
            f'<figure class="run-figure" id="figure-{example}-{figure}">{images}'
            f"{self._caption(page, example, caption)}</figure>"
        )

    def _picture(self, page: str, example: str, figure: str, scheme: str) -> Picture:
        width, height = _svg_size(ROOT / "build" / "examples" / page / example / f"{figure}.{scheme}.svg")
        return Picture(scheme, self._link(figure_asset(page, example, figure, scheme)), width, height)

    def _caption(self, page: str, example: str, caption: str) -> str:
        script = self._link(download_asset(page, example, "py"))
        return f'<figcaption>{caption} <a class="source" href="{script}">{example}.py</a></figcaption>'

    def stepper(self, name: str, *, frames: list[tuple[str, str]], still: str, caption: str = "") -> str:
        """A figure the reader drives, frame by frame: `theme/assets/stepper.js` adds the controls.

        Args:
            name: the example; all frames are figures that it draws, of one size.
            frames: figure and alt text of each frame, in order. The text is also read out on arrival.
            still: the frame that stands there before the first use, without JavaScript and on paper.
            caption: what to notice, over all frames.
        """
        page, example, rest, written = self._find(name)
        names = [figure for figure, _ in frames]
        if rest:
            raise BindingError(f"a stepper names its example alone, not {name!r}")
        if unknown := [figure for figure in names if figure not in written["figures"]]:
            raise BindingError(f"example {example!r} draws {written['figures']}, not {unknown}")
        if not 3 <= len(frames) <= 12:
            raise BindingError(f"stepper {name!r}: needs 3 to 12 frames, got {len(frames)}")
        if still not in names:
            raise BindingError(f"stepper {name!r}: the still {still!r} is not among its frames {names}")
        shown = [
            ([self._picture(page, example, figure, scheme) for scheme in SCHEMES], _checked_alt(text, figure))
            for figure, text in frames
        ]
        sizes = {(picture.width, picture.height) for pictures, _ in shown for picture in pictures}
        if len(sizes) > 1:
            raise BindingError(f"stepper {name!r}: the page would jump between frames of sizes {sorted(sizes)}")
        place = names.index(still)
        pictures, alt = shown[place]
        data = [{"text": text} | {picture.scheme: picture.url for picture in pictures} for pictures, text in shown]
        return (
            f'<figure class="run-figure stepper" id="figure-{example}-{still}" data-still="{place}" '
            f'data-frames="{html.escape(json.dumps(data, ensure_ascii=False))}">'
            f"{''.join(picture.image(alt) for picture in pictures)}"
            f"{self._caption(page, example, caption)}</figure>"
        )

    def table(
        self,
        rows: str | list[dict[str, Any]],
        columns: dict[str, tuple[str, str] | str],
        *,
        caption: str,
        sortable: bool = False,
    ) -> str:
        """A table of a run.

        A missing value (None) is shown as a dash: a run that never got there.

        Args:
            rows: leads to a list of rows; or the rows themselves, whose values may be `Cell`s.
            columns: maps a row's key to header and format.
            caption: stands above the table.
            sortable: the headers become buttons, which `theme/assets/sortable.js` makes.
        """
        found = self.value(rows) if isinstance(rows, str) else rows
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise BindingError(f"{rows!r} is not a list of rows")
        heads = {name: (head, "") if isinstance(head, str) else head for name, head in columns.items()}
        values = {name: [_sorted_by(look_up(row, name)) for row in found] for name in heads}
        marks = {
            name: "" if all(isinstance(value, str) for value in column) else ' class="number"'
            for name, column in values.items()
        }
        out = [f"<table{' data-sortable' if sortable else ''}><caption>{caption}</caption><thead><tr>"]
        out += [f'<th scope="col"{marks[name]}>{head}</th>' for name, (head, _) in heads.items()]
        out.append("</tr></thead><tbody>")
        for i, row in enumerate(found):
            cells = []
            for name, (_, spec) in heads.items():
                key = values[name][i] if sortable else None
                by = "" if key is None else f' data-by="{html.escape(str(key))}"'
                cells.append(f"<td{marks[name]}{by}>{_shown(look_up(row, name), spec)}</td>")
            out.append(f"<tr>{''.join(cells)}</tr>")
        return "".join([*out, "</tbody></table>"])

    def optimizers(self, part: str = "") -> list[dict[str, Any]]:
        """What is measured of every optimizer, and what is said of it: rows for `table`, with links to the pages.

        Args:
            part: the optimizers of one part alone: classic, adaptive or modern.
        """
        if self.compare is None:
            raise BindingError("this page cannot compare the optimizers")
        self.used |= {("optimizers", "cost"), ("optimizers", "parity"), ("labs", "convergence-of-every-optimizer")}
        rows = [row for row in self.compare() if part in ("", row["part"])]
        links = {row["rule"]: self._link(f"optimizers/{row['page']}/") for row in rows}
        return [row | {"name": Cell(f'<a href="{links[row["rule"]]}">{row["name"]}</a>', row["name"])} for row in rows]

    def optimizer(self, rule: str, about: str) -> str:
        """One cell of that table: what is measured of an optimizer, or said of it in a word.

        Args:
            rule: the name of its file, or of a variant in rules.yml.
            about: a column: `typical_lr`, `bytes`, `good_for`, …
        """
        value = look_up(self._by_rule, f"{rule}.{about}")
        return _shown(value, ".2g" if isinstance(value, float) else "")

    @functools.cached_property
    def _by_rule(self) -> dict[str, dict[str, Any]]:
        return {row["rule"]: row for row in self.optimizers()}

    def downloads(self, name: str) -> str:
        """Links to an example's script, notebook, numbers and, with a repository, Colab."""
        page, example, _, _ = self._find(name)
        links = [
            (self._link(download_asset(page, example, "py")), f"{example}.py", " download"),
            (self._link(download_asset(page, example, "ipynb")), "notebook", " download"),
            (self._link(download_asset(page, example, "json")), "its numbers", ""),
        ]
        if self.repo_url.startswith("https://github.com/"):
            repository = self.repo_url.removeprefix("https://github.com/").strip("/")
            notebook = f"blob/notebooks/{page}/{example}.ipynb"
            links.append((f"https://colab.research.google.com/github/{repository}/{notebook}", "open in Colab", ""))
        anchors = " ".join(f'<a href="{url}"{extra}>{text}</a>' for url, text, extra in links)
        return f'<p class="downloads">{anchors}</p>'

    def run_card(self) -> str:
        """Where this page's numbers come from: versions, device, seconds, commit, of every example it uses."""
        if not self.used:
            raise BindingError("run_card() must come after the first number or figure of the page")
        runs = [document(page, example)["run"] for page, example in sorted(self.used)]
        versions = {f"{name} {version}" for run in runs for name, version in run["versions"].items()}
        rows = {
            "Examples": f"{len(runs)}, in {sum(run['seconds'] for run in runs):.0f} s",
            "Device": ", ".join(sorted({f"{run['device']}, one thread each" for run in runs})),
            "Versions": ", ".join(sorted(versions)),
        }
        if commit():
            rows["Commit"] = commit()
        return _card(rows)

    def shown(self, figure: str) -> str:
        """A figure that this page's lab script showed, with the words it gave it."""
        words = document(self.slug, self.lab)["words"][figure]
        return self.figure(f"{self.lab}.{figure}", **words)

    def _record(self) -> dict[str, Any] | None:
        self.used.add((self.slug, self.lab))
        return document(self.slug, self.lab)["record"]

    def is_recorded(self) -> bool:
        """Whether somebody has recorded a full-size run of this page's lab script."""
        return self._record() is not None

    def record(self, key: str, spec: str = "") -> str:
        """A number of the recorded run, formatted like `num`; `key` is a path into its results."""
        return format_value(self.record_value(key), spec)

    def record_value(self, key: str) -> Any:
        """The raw value at a path into the recorded run's results."""
        record = self._record()
        if record is None:
            raise BindingError("no full-size run is recorded: ask is_recorded() first")
        return look_up(record["results"], key)

    def recorded(self) -> str:
        """The full-size run of this page's lab script: its figures and its card, or that there is none yet."""
        record = self._record()
        command = f"python {self.lab}.py --full"
        if record is None:
            keep = f"python -m courseware record {self.lab}"
            return (
                '<div class="admonition info"><p class="admonition-title">Not recorded yet</p><p>Nobody has run this '
                f"experiment at full size for this page. <code>{command}</code> does, and in a checkout of the course "
                f"<code>{keep}</code> also keeps its numbers, which this section then shows.</p></div>"
            )
        card, changed = record["card"], record["changed"]
        parts = []
        if changed:
            names = ", ".join(f"<code>{html.escape(name)}</code>" for name in changed)
            parts.append(
                '<div class="admonition warning"><p class="admonition-title">Recorded with other code</p><p>Since this '
                f"run, {names} changed. Its numbers may, too.</p></div>"
            )
        figures = document(self.slug, self.lab)["figures"]
        parts += [self.shown(name) for name in figures if name.endswith(RECORDED)]
        rows = {
            "Recorded": f"{card['date']}, in {card['seconds']:,.0f} s",
            "Device": card["device"],
            "Versions": ", ".join(f"{name} {version}" for name, version in card["versions"].items()),
            "Command": card["command"],
        }
        return "\n\n".join([*parts, _card(rows)])

    def glossary(self) -> str:
        """Every term of the glossary, for the one page that shows them."""
        return self.terms.listing()

    def cite(self, key: str, text: str = "") -> str:
        """A link to a reference: its authors and year, or a text of the page's own."""
        return self.reference(key).link(self._link(BIBLIOGRAPHY.replace(".md", "/")), text)

    def reference(self, key: str) -> Reference:
        """The entry with this key."""
        try:
            return self.references.references[key]
        except KeyError:
            raise BindingError(f"docs/references.bib has no {key!r}") from None

    def bibliography(self) -> str:
        """Every reference, for the one page that lists them."""
        return self.references.listing()

    def chooser(self) -> str:
        """The questions that lead to an optimizer, as a form and as a tree, for the one page that asks them."""
        if not self.tree.questions:
            raise BindingError(f"there is no docs/{CHOOSER}")
        return self.tree.markdown(lambda text, line: render(text, self, page=CHOOSER, first_line=line))

    def names(self) -> dict[str, Any]:
        """What the page's templates see."""
        names = ["value", "num", "calc", "figure", "stepper", "table", "downloads", "run_card", "glossary"]
        names += ["cite", "bibliography", "optimizer", "optimizers", "chooser"]
        if self.lab:
            names += ["is_recorded", "record", "record_value", "recorded"]
        return {name: getattr(self, name) for name in names}


_environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False, **DELIMITERS)


def _template_line(error: BaseException) -> int:
    """The line of the page on which a template call failed, from the traceback Jinja rewrites."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def render(markdown: str, bindings: Bindings, *, page: str, first_line: int = 1) -> str:
    """Answer every request of a page.

    Args:
        markdown: the page without its front matter.
        bindings: what the page may call.
        page: path of the page, for messages.
        first_line: line of the page's file on which `markdown` begins.

    Raises:
        PluginError: `page:line: what is wrong`.
    """
    try:
        return _environment.from_string(markdown).render(bindings.names())
    except TemplateSyntaxError as error:
        line, problem = error.lineno, f"bad template: {error.message}"
    except (BindingError, UndefinedError, TypeError, ValueError, ZeroDivisionError) as error:
        line, problem = _template_line(error), str(error)
    raise PluginError(f"{page}:{first_line + line - 1}: {problem}")
