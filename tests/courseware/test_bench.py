"""The pure pieces of the benchmark, and that what it measures in is a true copy of the checkout."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from courseware import bench, static_server
from courseware.bench import Request, Row
from courseware.engine import BuildError

HOME = "http://127.0.0.1:8000/"


@pytest.mark.parametrize(
    ("row", "measured", "aimed", "verdict"),
    [
        (Row("build", 10.0, "s", aim=10), "10.0 s", "≤ 10 s", "met"),
        (Row("build", 10.04, "s", aim=10), "10.0 s", "≤ 10 s", "MISSED"),
        (Row("post", 229.84, "KiB"), "229.8 KiB", "", ""),
        (Row("score", 100, aim=100, exactly=True), "100", "100", "met"),
        (Row("score", 99, aim=100, exactly=True), "99", "100", "MISSED"),
        (Row("to other hosts", 0, aim=0, exactly=True), "0", "0", "met"),
        (Row("score", None, aim=100, exactly=True), "not measured", "100", ""),
    ],
)
def test_a_row_says_what_was_measured_and_whether_that_is_good(
    row: Row, measured: str, aimed: str, verdict: str
) -> None:
    assert (row.measured, row.aimed, row.verdict) == (measured, aimed, verdict)


def test_table_is_aligned() -> None:
    lines = bench.table([Row("a", 1.0, "s", aim=5), Row("longer name", 123.0, "KiB", note="gzip")]).splitlines()
    assert lines[1:] == [
        "a                1.0 s  ≤ 5 s  met",
        "longer name  123.0 KiB              gzip",
    ]
    assert lines[0].split() == ["measured", "aim"]


@pytest.mark.parametrize(
    ("path", "type_", "kind"),
    [
        ("post/", "document", "HTML"),
        ("assets/course.css", "stylesheet", "CSS"),
        ("assets/quiz.js", "script", "JavaScript"),
        ("assets/fonts/text.woff2", "font", "fonts"),
        ("assets/figures/post/a.a.light.svg", "image", "figures"),
        ("assets/images/favicon.png", "other", "other"),
        ("search/search_index.json", "xhr", "other"),
    ],
)
def test_kinds(path: str, type_: str, kind: str) -> None:
    assert bench.kind(Request(HOME + path, type_)) == kind


def test_tally_sums_by_kind_and_names_strangers() -> None:
    requests = [
        Request(HOME, "document", 1024),
        Request(HOME + "assets/figures/p/a.light.svg", "image", 512),
        Request(HOME + "assets/figures/p/b.light.svg", "image", 512),
        Request("https://fonts.example/a.woff2", "font", 2048),
    ]
    rows = {row.what.strip(): row for row in bench.tally(requests, HOME)}
    assert rows["Post, scrolled to its end"].value == 4.0
    assert (rows["figures"].value, rows["figures"].note) == (1.0, "2 requests")
    assert (rows["HTML"].value, rows["HTML"].note) == (1.0, "1 request")
    assert rows["requests"].value == 4
    assert (rows["to other hosts"].value, rows["to other hosts"].note) == (1, "fonts.example")
    assert rows["to other hosts"].verdict == "MISSED"


def report(**scores: float | None) -> dict[str, Any]:
    """A Lighthouse report whose audits weigh 1, except `advice`, which weighs nothing."""
    audits = {
        name: {"id": name, "title": name.title(), "score": score, "details": {"items": []}}
        for name, score in scores.items()
    }
    references = [{"id": name, "weight": int(name != "advice")} for name in audits]
    return {
        "audits": audits,
        "categories": {name: {"score": 0.95, "auditRefs": references} for name in bench.CATEGORIES},
    }


def test_failing_audits_leave_out_what_costs_nothing() -> None:
    found = report(contrast=0, advice=0, language=1, manual=None)
    found["audits"]["contrast"]["details"]["items"] = [{"node": {"snippet": "<a>"}}, {"source": "console"}, {}]
    assert bench.failing_audits(found, "seo") == ["contrast: Contrast\n      <a>\n      console"]


def test_failing_audits_of_an_audit_without_details() -> None:
    found = report(contrast=0.5)
    del found["audits"]["contrast"]["details"]
    assert bench.failing_audits(found, "seo") == ["contrast: Contrast"]


def test_scores_are_of_100_and_name_the_audit() -> None:
    rows = bench.scores("post", report(contrast=0))
    assert [row.what for row in rows] == [f"Lighthouse, post: {title}" for title in bench.CATEGORIES.values()]
    assert {(row.value, row.verdict, row.note) for row in rows} == {(95, "MISSED", "contrast")}


def test_the_median_example_is_the_one_to_edit(tmp_path: Path) -> None:
    for name, seconds in {"fast": 0.1, "middle": 0.5, "slow": 9.0}.items():
        out = tmp_path / "build" / "examples" / "page" / name
        out.mkdir(parents=True)
        (out / "results.json").write_text(json.dumps({"run": {"seconds": seconds}}), encoding="utf-8")
    assert bench.median_example(tmp_path, "page") == tmp_path / "examples" / "page" / "middle.py"
    with pytest.raises(BuildError, match="no example of other has run"):
        bench.median_example(tmp_path, "other")


def test_forget_pages_keeps_what_the_examples_made(tmp_path: Path) -> None:
    for name in ("site/index.html", "build/fonts/a.woff2", "build/examples/p/e/results.json", "build/doit.sqlite3"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    bench.forget_pages(tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"build/examples/p/e/results.json", "build/doit.sqlite3"}


def test_a_build_that_did_other_work_is_not_a_measurement() -> None:
    done = {"examples_run": 1, "pages_built": True}
    assert bench._expect(done, 1, True) is done
    assert bench._expect(done, None, True) is done
    for examples, pages in ((0, True), (1, False)):
        with pytest.raises(BuildError, match="but the build says"):
            bench._expect(done, examples, pages)


def test_the_clone_holds_uncommitted_work_and_nothing_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=here, check=True, capture_output=True)

    git("init")
    (here / ".gitignore").write_text("build/\n")
    for name in ("kept", "changed", "deleted"):
        (here / name).write_text("old")
    git("add", ".")
    git("commit", "-m", "all")
    (here / "changed").write_text("new")
    (here / "deleted").unlink()
    for name in ("added/ü.md", "build/out"):
        (here / name).parent.mkdir()
        (here / name).write_text("new")
    monkeypatch.setattr(bench, "ROOT", here)
    bench.clone(there)
    files = {
        path.relative_to(there).as_posix(): path.read_text()
        for path in there.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }
    assert files == {".gitignore": "build/\n", "kept": "old", "changed": "new", "added/ü.md": "new"}


def test_waiting_for_an_edit(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("old")
    with static_server.serve(tmp_path) as url:
        assert bench.wait_for(url, "old", alive=lambda: True) < 5
        with pytest.raises(BuildError, match="did not show"):
            bench.wait_for(url, "new", alive=lambda: True, limit=0.2)
        with pytest.raises(BuildError, match="ended"):
            bench.wait_for(url, "new", alive=lambda: False)


def test_without_node_lighthouse_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(bench.NotMeasuredError, match="no Node"):
        bench.lighthouse(HOME)
