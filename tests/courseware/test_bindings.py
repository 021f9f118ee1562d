"""Numbers, figures and tables as pages see them."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest
from mkdocs.exceptions import PluginError

from courseware import bindings
from courseware.bindings import BindingError, Bindings, Cell, format_value, look_up, plain, render


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (42, "", "42"),
        (0.12345, ".3f", "0.123"),
        (-0.5, ".1f", "−0.5"),
        (1234567, ",d", "1,234,567"),
        (6.5e-11, ".0e", "6 × 10<sup>−11</sup>"),
        (1.25e7, ".1e", "1.2 × 10<sup>7</sup>"),
        (1.53, ".1e", "1.5"),
        (0.0253, ".1%", "2.5%"),
        ("SGD", "", "SGD"),
        ("<b>", "", "&lt;b&gt;"),
    ],
)
def test_format_value(value, spec, text):
    assert format_value(value, spec) == text


@pytest.mark.parametrize("value", [None, True, [1], {}, float("nan"), float("inf")])
def test_format_value_refuses_what_is_no_number(value):
    with pytest.raises(BindingError):
        format_value(value, "")


def test_exponent_in_plain_text():
    assert plain(format_value(6e-11, ".0e")) == "6 × 10⁻¹¹"


def test_look_up():
    results = {"a": {"b": [10, {"c": 1}]}, "below_0.1": 3, "lr": {"0.1": {"loss": 2.0}}}
    assert look_up(results, "a.b.0") == 10
    assert look_up(results, "a.b.1.c") == 1
    assert look_up(results, "a.b.-1.c") == 1
    assert look_up(results, "below_0.1") == 3
    assert look_up(results, "lr.0.1.loss") == 2.0
    assert look_up(results, "") is results


@pytest.mark.parametrize("path", ["z", "a.b.2", "a.b.x", "below_0.1.x", "a.c"])
def test_look_up_names_what_is_there(path):
    with pytest.raises(BindingError):
        look_up({"a": {"b": [10, 11]}, "below_0.1": 3}, path)


def test_delimiters_collide_with_neither_latex_nor_python():
    text = r"$\frac{{a}}{b}$, `x[[0]] % {{1}}`, `f'{a!r:>{w}}'`, {% raw %} and {{ x }} \(x\) 5 % 3 <b>"
    assert render(text, Bindings("page", "page/"), page="page.md") == text


def test_line_of_an_error_counts_from_the_start_of_the_file():
    with pytest.raises(PluginError, match=r"^page\.md:12: 'x' is undefined$"):
        render("one\n\n<% x %>", Bindings("page", "page/"), page="page.md", first_line=10)


def test_colab_link_only_with_a_repository(monkeypatch):
    monkeypatch.setattr(bindings, "document", lambda page, example: {})
    assert "colab" not in Bindings("post", "a/post/").downloads("fig")
    linked = Bindings("post", "a/post/", "https://github.com/owner/course/").downloads("fig")
    assert "https://colab.research.google.com/github/owner/course/blob/notebooks/post/fig.ipynb" in linked
    assert 'href="../../downloads/post/fig.py" download' in linked


def test_another_pages_example_is_named_with_its_folder(monkeypatch):
    written = {("here", "a"): {"results": {"x": 1}}, ("there", "a"): {"results": {"x": 2}}}
    monkeypatch.setattr(bindings, "document", lambda page, example: written[page, example])
    bound = Bindings("here", "here/")
    assert (bound.num("a.x"), bound.num("there/a.x")) == ("1", "2")
    assert bound.used == {("here", "a"), ("there", "a")}


# --- steppers

FRAMES = [(f"step-{i}", f"After {i} steps the weight stands at {i}, where x<sup>−2</sup> is small.") for i in range(4)]


@pytest.fixture
def walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bindings:
    """A page whose example `walk` has drawn four frames of one size, and one of another."""
    monkeypatch.setattr(bindings, "ROOT", tmp_path)
    figures = [*(name for name, _ in FRAMES), "wide"]
    out = tmp_path / "build/examples/post/walk"
    out.mkdir(parents=True)
    (out / "results.json").write_text(json.dumps({"results": {}, "figures": figures, "run": {}}), encoding="utf-8")
    for name in figures:
        for scheme in ("light", "dark"):
            width = 400 if name == "wide" else 375
            (out / f"{name}.{scheme}.svg").write_text(f'<svg width="{width}pt" height="252pt">', encoding="utf-8")
    return Bindings("post", "series/post/")


def test_stepper(walk: Bindings) -> None:
    shown = walk.stepper("walk", frames=FRAMES, still="step-2", caption="What to notice.")
    assert "\n" not in shown, "it may stand indented in a folded block"
    assert re.findall(r'src="([^"]*)"', shown) == [
        f"../../assets/figures/post/walk.step-2.{scheme}.svg" for scheme in ("light", "dark")
    ]
    assert shown.count('alt="After 2 steps the weight stands at 2, where x⁻² is small." width="500" height="336"') == 2
    assert 'id="figure-walk-step-2" data-still="2"' in shown
    assert "What to notice. <a" in shown
    frames = json.loads(html.unescape(re.search(r'data-frames="([^"]*)"', shown)[1]))
    assert [frame["text"] for frame in frames][1] == "After 1 steps the weight stands at 1, where x⁻² is small."
    assert [frame["dark"] for frame in frames] == [
        f"../../assets/figures/post/walk.step-{i}.dark.svg" for i in range(4)
    ]
    assert walk.used == {("post", "walk")}


@pytest.mark.parametrize(
    ("name", "frames", "still", "problem"),
    [
        ("walk", [*FRAMES, ("step-9", "x" * 40)], "step-2", "not ['step-9']"),
        ("walk", FRAMES, "step-9", "the still 'step-9' is not among its frames"),
        ("walk", FRAMES[:2], "step-1", "needs 3 to 12 frames, got 2"),
        ("walk", FRAMES * 4, "step-1", "needs 3 to 12 frames, got 16"),
        ("walk", [*FRAMES, ("wide", "x" * 40)], "step-1", "sizes [(500, 336), (533, 336)]"),
        ("walk", [*FRAMES[:3], ("step-3", "the end")], "step-1", "figure 'step-3': alt text must say what"),
        ("walk.step-1", FRAMES, "step-1", "a stepper names its example alone, not 'walk.step-1'"),
    ],
)
def test_stepper_refuses(walk: Bindings, name: str, frames: list, still: str, problem: str) -> None:
    with pytest.raises(BindingError, match=re.escape(problem)):
        walk.stepper(name, frames=frames, still=still)


# --- tables

ROWS = [{"name": "SGD", "loss": 10.0}, {"name": "Adam", "loss": None}, {"name": "<Muon>", "loss": 6e-5}]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Bindings:
    monkeypatch.setattr(bindings, "document", lambda page, example: {"results": {"rows": ROWS}})
    return Bindings("post", "chapter/post/")


def cells(table: str) -> list[str]:
    return re.findall(r"<td.*?</td>", table)


def test_table(page: Bindings) -> None:
    table = page.table("a.rows", {"name": "optimizer", "loss": ("loss", ".1f")}, caption="What they reach")
    assert table.startswith("<table><caption>What they reach</caption>")
    assert '<th scope="col">optimizer</th><th scope="col" class="number">loss</th>' in table
    assert cells(table)[:4] == [
        "<td>SGD</td>",
        '<td class="number">10.0</td>',
        "<td>Adam</td>",
        '<td class="number">–</td>',
    ]
    assert "data-" not in table


def test_a_sortable_table_says_each_value_in_full_and_leaves_dashes_without(page: Bindings) -> None:
    table = page.table("a.rows", {"name": "optimizer", "loss": ("loss", ".0g")}, caption="c", sortable=True)
    assert table.startswith("<table data-sortable>")
    assert cells(table) == [
        '<td data-by="SGD">SGD</td>',
        '<td class="number" data-by="10.0">1 × 10<sup>1</sup></td>',
        '<td data-by="Adam">Adam</td>',
        '<td class="number">–</td>',
        '<td data-by="&lt;Muon&gt;">&lt;Muon&gt;</td>',
        '<td class="number" data-by="6e-05">6 × 10<sup>−5</sup></td>',
    ]


def test_a_cell_is_shown_as_markup_and_sorted_by_its_value(page: Bindings) -> None:
    rows = [{"name": Cell('<a href="../adam/">Adam</a>', "Adam"), "lr": Cell("1 – 5", 1)}, {"name": "SGD", "lr": None}]
    table = page.table(rows, {"name": "optimizer", "lr": "rates"}, caption="c", sortable=True)
    assert '<td data-by="Adam"><a href="../adam/">Adam</a></td><td class="number" data-by="1">1 – 5</td>' in table


def test_rows_of_the_optimizers(page: Bindings) -> None:
    rows = [
        {"rule": "sgd", "page": "sgd", "name": "SGD", "part": "classic"},
        {"rule": "muon", "page": "muon", "name": "Muon", "part": "modern"},
    ]
    bound = Bindings("post", "chapter/post/", compare=lambda: rows)
    assert [row["name"] for row in bound.optimizers("modern")] == [
        Cell('<a href="../../optimizers/muon/">Muon</a>', "Muon")
    ]
    assert len(bound.optimizers()) == 2
    assert ("optimizers", "cost") in bound.used
    with pytest.raises(BindingError, match="cannot compare"):
        page.optimizers()


def test_a_cell_of_the_comparison():
    rows = [
        {"rule": "adam", "page": "adam", "name": "Adam", "part": "adaptive", "bytes": 8.000004, "good_for": "a <try>"}
        | {"typical_lr": Cell("0.1 – 1", 0.1), "apart": None}
    ]
    bound = Bindings("page", "page/", compare=lambda: rows)
    cells = [bound.optimizer("adam", about) for about in ("bytes", "good_for", "typical_lr", "apart")]
    assert cells == ["8", "a &lt;try&gt;", "0.1 – 1", "–"]
    for rule, about in (("eve", "bytes"), ("adam", "price")):
        with pytest.raises(BindingError, match="among"):
            bound.optimizer(rule, about)
    with pytest.raises(BindingError, match="cannot compare"):
        Bindings("page", "page/").optimizer("adam", "bytes")
