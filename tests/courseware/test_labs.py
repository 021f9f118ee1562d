"""A lab script from cells to page: executed, recorded, rendered, taken home."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import nbformat
import pytest
from mini_checkout import Checkout
from mini_lab import LAB, make_lab_checkout, write_lab

from courseware import lab_pages, percent
from courseware.engine import BuildError, run_apart

RECORD = "examples/labs/recorded/line.json"


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Checkout:
    """A small site with one experiment, built."""
    checkout = make_lab_checkout(tmp_path_factory.mktemp("lab"))
    checkout.run("build")
    return checkout


@pytest.fixture
def fresh(tmp_path) -> Checkout:
    return make_lab_checkout(tmp_path)


def page(checkout: Checkout) -> str:
    return (checkout.root / "site/lab/line/index.html").read_text(encoding="utf-8")


def outputs(checkout: Checkout) -> dict:
    return json.loads((checkout.root / "build/examples/labs/line/results.json").read_text(encoding="utf-8"))


def test_what_an_execution_leaves(lab):
    written = outputs(lab)
    assert written["results"] == {"end": 2.0, "double": 4.0, "treble": 6.0}
    assert written["figures"] == ["line"]
    assert written["record"] is None
    assert "trainloop/lab.py" in written["run"]["sources"]
    assert {"line.light.svg", "line.dark.svg"} <= {
        path.name for path in (lab.root / "build/examples/labs/line").iterdir()
    }
    book = nbformat.read(lab.root / "build/examples/labs/line/notebook.ipynb", as_version=4)
    pictures = [o for cell in book.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) == 1
    assert pictures[0].metadata["image/png"]["alt"].startswith("A straight line that rises from zero to 2.0")
    values = [o.data for cell in book.cells for o in cell.get("outputs", []) if "data" in o and o is not pictures[0]]
    assert values == [{"text/plain": "4.0"}]  # the value of a cell's last line


def test_the_page_has_prose_code_and_outputs_in_order(lab):
    html = page(lab)
    text = re.sub(r"<[^>]+>", "", html.partition("<article")[2].partition("</article>")[0])
    found = [
        text.index(words)
        for words in (
            "Experiment 1 of nine", "draw a line", "It rises by", "import matplotlib", "&lt;size&gt; small", "How far?",
            "SETTING.pick", "The code of this figure", "It ends at 2.0.", "It rose to 2.0", "Not recorded yet",
            "Multiply by two.", "4.0", "That is 6.0", "Lines rise.", "Up next:",
        )
    ]  # fmt: skip
    assert found == sorted(found)
    assert "<math" in html
    assert html.count('class="only-light"') == html.count('class="only-dark"') == 1
    assert 'alt="A straight line that rises from zero to 2.0, and no further."' in html
    assert '<form class="quiz"' in html
    assert re.search(r'<details class="success">\s*<summary>Solution</summary>', html)
    assert 'href="../../"' in html.partition("It rose to")[2]  # links between pages are MkDocs's
    assert re.search(r'<a[^>]+href="#what-was-seen"', html)  # the table of contents


def test_the_page_carries_nothing_of_jupyterlab(lab):
    html = page(lab)
    assert "jp-" not in html
    assert "clipboard-copy" not in html
    assert "mathjax" not in html.lower()
    assert len(html) < 60_000
    index = json.loads((lab.root / "site/search/search_index.json").read_text(encoding="utf-8"))
    entries = [doc["text"] for doc in index["docs"] if doc["location"].startswith("lab/line/")]
    assert sum(text.count("SETTING.pick") for text in entries) == 1


def test_the_notebook_to_take_home(lab):
    book = nbformat.read(lab.root / "site/downloads/labs/line.ipynb", as_version=4)
    nbformat.validate(book)
    prose = "\n\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    assert "It rose to 2.0, see home." in prose  # without an address of the site, a link is its text
    assert "<%" not in prose and "```quiz" not in prose
    assert "- **Right:** Two – It is twice one." in prose
    assert prose.count("<summary>Solution</summary>") == 2
    assert "python line.py --full" in prose
    assert "line.ipynb" not in prose  # no downloads of the site
    hidden = [cell for cell in book.cells if cell.metadata.get("jupyter", {}).get("source_hidden")]
    assert len(hidden) == 2
    assert not any("%pip" in cell.source for cell in book.cells)


def test_the_script_to_take_home_runs_alone(lab, tmp_path):
    script = lab.root / "site/downloads/labs/line.py"
    text = script.read_text(encoding="utf-8")
    assert "courseware" not in text and "<%" not in text
    done = subprocess.run(
        [sys.executable, str(script), "--full", "--out", str(tmp_path)],
        cwd=tmp_path,
        env=lab.environment | {"MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "<size> full" in done.stdout
    assert "from zero to 3.0" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["line.line.png"]


def test_with_an_address_links_are_whole_and_colab_can_install(fresh, monkeypatch):
    monkeypatch.setenv("SITE_URL", "https://course.example/")
    monkeypatch.setenv("REPO_URL", "https://github.com/owner/course")
    fresh.run("build")
    book = nbformat.read(fresh.root / "site/downloads/labs/line.ipynb", as_version=4)
    assert "[home](https://course.example/)" in "\n".join(cell.source for cell in book.cells)
    assert "git+https://github.com/owner/course" in book.cells[1].source
    assert "%pip" not in (fresh.root / "site/downloads/labs/line.py").read_text(encoding="utf-8")
    html = page(fresh)
    assert "https://github.com/owner/course/edit/main/examples/labs/line.py" in html
    assert "colab.research.google.com/github/owner/course/blob/notebooks/labs/line.ipynb" in html


def test_a_record_is_drawn_and_flagged_when_its_code_changes(fresh):
    output = fresh.run("record", "line", "--device", "cpu")
    assert RECORD in output.replace("\\", "/")
    record = json.loads((fresh.root / RECORD).read_text(encoding="utf-8"))
    assert record["results"] == {"end": 3.0}  # solutions are left out
    assert record["card"]["command"] == "python -m courseware record line --device cpu"
    assert record["card"]["device"].startswith("cpu")
    assert set(record["card"]["versions"]) == {"python", "torch", "numpy", "matplotlib"}
    assert {"examples/labs/line.py", "trainloop/lab.py"} <= set(record["card"]["sources"])

    def changed(text: str) -> list[str]:
        write_lab(fresh, text)
        fresh.run("examples")
        return outputs(fresh)["record"]["changed"]

    assert changed(LAB) == []
    assert outputs(fresh)["figures"] == ["line", "line-recorded"]
    # Words, comments and docstrings change no number.
    assert changed(LAB.replace("Lines rise.", "All rise.").replace("# %%\nresults", "# %%\n# why\nresults")) == []
    assert changed(LAB.replace("results):\n", 'results):\n    """A line."""\n')) == []
    assert changed(LAB.replace("full=3.0", "full=3.5")) == ["examples/labs/line.py"]

    fresh.run("build")
    html = page(fresh)
    assert "It reached 3.0." in html
    assert "It ends at 3.0." in html
    assert html.count('class="only-dark"') == 2
    assert "Recorded with other code" in html
    assert "<code>examples/labs/line.py</code> changed" in html

    (fresh.root / RECORD).unlink()
    fresh.run("examples")
    assert outputs(fresh)["record"] is None


def test_no_such_experiment(fresh):
    output = fresh.run("record", "lines", expect=1)
    assert "no lab script 'lines'; there are ['line']" in output


def test_options_of_other_commands_are_checked(fresh):
    assert "unrecognized arguments: --devise" in fresh.run("build", "--devise", expect=2)


def broken(old: str, new: str) -> str:
    assert old in LAB
    return LAB.replace(old, new)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (broken("results = {", "results = [{").replace("full=3.0)}", "full=3.0)}]"), "TypeError"),
        (broken("full=3.0)}", "full=3.0), 'nan': float('nan')}"), "result 'nan' is nan"),
        (broken("SETTING = ", "import warnings\nwarnings.warn('old', DeprecationWarning)\nSETTING = "), "old"),
        (broken("show(\n    draw_line,\n    results,", "dict("), "shows its figures"),
        (LAB + '\n# %%\nshow(draw_line, results, alt="A line.")\n', "two figures are named 'line'"),
        (broken('results["end"]])', 'results["start"]])'), "KeyError: 'start'"),
        (LAB + "\n# %%\nresults = {}\n", "a dict `results`"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_cell_stops_the_run(tmp_path, text, complaint):
    script = tmp_path / "labs" / "line.py"
    script.parent.mkdir()
    script.write_text(text, encoding="utf-8")
    with pytest.raises(BuildError) as error:
        run_apart(script, tmp_path / "out")
    assert complaint in str(error.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (LAB, ""),
        (broken("## Predict", "## Guess"), "an experiment has the sections"),
        (broken("```quiz", "```yaml"), "asked for a prediction"),
        (broken('<% num("line.end", ".1f") %>', "two"), "with numbers of the run"),
        (broken("# <% recorded() %>\n", "#\n"), "the full-size run"),
        (broken("### Task 2", "### Exercise 2"), "two tasks"),
        (broken('# %% tags=["solution"]\nresults["treble"]', '# %%\nresults["treble"]'), "has a solution that is run"),
        (broken("# <% run_card() %>\n", "#\n"), "run_card"),
        (broken("**Up next:** ", "Next: "), "Up next"),
        (broken("# number: 1\n", ""), "front matter lacks 'number'"),
        (broken("# It rises by", "# ```python\n# x = 1\n# ```\n# It rises by"), "Python is typed here"),
    ],
)  # fmt: skip
def test_the_shape_of_an_experiment(text, complaint):
    found = [words for _, words in lab_pages.check(percent.page_markdown(text), percent.front_matter(text), text)]
    assert all(complaint in words for words in found)
    assert bool(found) == bool(complaint)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('num("line.end"', 'num("line.start"', "no 'start' among"),
        ("$\\sqrt{2}$", "$\\sqrt{2$", "cannot convert this formula"),
        ("## Predict", "## Guess", "an experiment has the sections"),
    ],
)
def test_what_is_wrong_in_the_prose_is_found_in_the_script(lab, old, new, complaint):
    write_lab(lab, broken(old, new))
    output = lab.run("build", expect=1)
    write_lab(lab)
    assert complaint in output
    line = 1 if "Guess" in new else next(n for n, text in enumerate(LAB.splitlines(), 1) if old in text)
    assert f"line.py:{line}:" in output or f"line.ipynb:{line}:" in output


def test_an_error_points_at_the_scripts_line(lab):
    write_lab(lab, broken('"end": SETTING', '"end": 1 / 0 * SETTING'))
    output = lab.run("build", expect=1)
    write_lab(lab)
    line = next(n for n, text in enumerate(LAB.splitlines(), 1) if text.startswith("results = {"))
    assert f'examples/labs/line.py", line {line}' in output
    assert "results = {" in output.partition(f"line {line}")[2]
    assert "ZeroDivisionError" in output
