"""The build engine, through its command line: what re-runs, and what happens when an example is bad."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time

import pytest
from mini_checkout import QUICK, Checkout

from courseware import ROOT
from courseware.engine import BuildError, known_sources, run_apart


def ran(output: str) -> list[str]:
    """Names of the examples a build ran."""
    return sorted(line.split()[1] for line in output.splitlines() if line.startswith("ran page/"))


def results(checkout: Checkout, name: str) -> dict:
    return json.loads((checkout.outputs(name) / "results.json").read_text(encoding="utf-8"))


def test_first_build_then_nothing_to_do(checkout):
    assert ran(checkout.run("build")) == ["page/quick"]
    page = (checkout.root / "site/page/index.html").read_text(encoding="utf-8")
    assert "The answer is 42, by SGD" in page
    document = results(checkout, "quick")
    assert document["results"] == {"answer": 42, "half": 0.5, "word": "SGD"}
    assert document["figures"] == ["quick"]
    assert set(document["run"]) == {
        "script", "quick", "seconds", "versions", "device", "threads", "sources",
    }  # fmt: skip
    before = checkout.files("site")
    output = checkout.run("build")
    assert ran(output) == []
    assert "pages up to date" in output
    assert checkout.files("site") == before


def test_what_an_edit_runs_again(checkout):
    """Exactly the examples whose script, or a module they really imported, has changed."""
    checkout.example("other", QUICK.replace("SGD", "Adam"))
    checkout.example("reads", QUICK.replace("def run", "from pathlib import Path\n\n\ndef run").replace(
        '"answer": 42', '"answer": len(Path(__file__).with_name("data.csv").read_text())'
    ))  # fmt: skip
    checkout.write("examples/page/data.csv", "1,2,3")
    assert ran(checkout.run("examples")) == ["page/other", "page/quick", "page/reads"]

    sgd, adam = (checkout.root / f"trainloop/optim/{name}.py" for name in ("sgd", "adam"))
    page, script = checkout.root / "docs/page.md", checkout.root / "examples/page/quick.py"
    edits = {
        adam: ["page/other"],
        sgd: ["page/quick", "page/reads"],
        page: [],
        script: ["page/quick"],
        checkout.root / "examples/page/data.csv": ["page/reads"],
        checkout.root / "courseware/engine.py": [],
    }
    for path, expected in edits.items():
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        assert ran(checkout.run("examples")) == expected, path
    # A newer time stamp on the same bytes is no change.
    os.utime(script)
    assert ran(checkout.run("examples")) == []
    # An example that is gone leaves nothing behind.
    script.unlink()
    checkout.run("examples")
    assert not checkout.outputs("quick").exists()


def test_outputs_are_reproducible_to_the_byte(checkout):
    checkout.run("examples")
    first = {name: data for name, data in checkout.files("build/examples").items() if name.endswith(".svg")}
    assert len(first) == 2
    (checkout.outputs("quick") / "results.json").unlink()
    checkout.run("examples")
    second = {name: data for name, data in checkout.files("build/examples").items() if name.endswith(".svg")}
    assert first == second
    assert b"20" in first["page/quick/quick.light.svg"]
    assert first["page/quick/quick.light.svg"] != first["page/quick/quick.dark.svg"]


BAD = {
    "raises": (
        QUICK.replace('return {"answer"', 'raise ArithmeticError("no answer")\n    return {"answer"'),
        ["quick.py", "line 9", "ArithmeticError: no answer"],
    ),
    "fails when imported": (
        QUICK.replace("import SGD", "import Adagrab"),
        ["quick.py", "cannot import name 'Adagrab'"],
    ),
    "never ends": (
        QUICK.replace('return {"answer"', 'print("still here")\n    while True: pass\n    return {"answer"'),
        ["quick.py", "still running after 3 s", "still here"],
    ),
    "writes NaN": (
        QUICK.replace("42", 'float("nan")'),
        ["quick.py", "result 'answer' is nan", "store None"],
    ),
    "writes a tensor": (
        QUICK.replace("42", '__import__("torch").ones(1)'),
        ["result 'answer' is a Tensor, not a plain number"],
    ),
    "forgets its numbers": (
        QUICK.replace('return {"answer"', 'x = {"answer"'),
        ["quick.py", "run() must return a dict of plain numbers, got None"],
    ),
    "has no run": (QUICK.replace("def run", "def ran"), ["it has no function run()"]),
    "warns": (
        QUICK.replace("return {", 'import warnings; warnings.warn("old", DeprecationWarning)\n    return {', 1),
        ["DeprecationWarning: old", "quick.py"],
    ),
    "dies": (
        QUICK.replace('return {"answer"', 'import os; os._exit(7)\n    return {"answer"'),
        ["quick.py", "died with exit code 7"],
    ),
    "draws no figure": (QUICK.replace("return figure", "return 3"), ["draw() must return a Figure"]),
    "draws tiny text": (
        QUICK.replace("    return figure", '    ax.set_xlabel("tiny", fontsize=5)\n    return figure'),
        ["figure 'quick'", "'tiny'", "px high on a phone"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_example_is_told_to_its_author(tmp_path, case):
    """The message names file, line and problem, and starts at the author's own frame."""
    text, expected = BAD[case]
    script = tmp_path / "quick.py"
    script.write_text(text, encoding="utf-8")
    with pytest.raises(BuildError) as caught:
        run_apart(script, tmp_path / "out", time_limit=3)
    for words in expected:
        assert words in str(caught.value)
    assert "courseware/worker.py" not in str(caught.value)
    assert not (tmp_path / "out" / "results.json").exists()


@pytest.mark.parametrize("case", ["raises", "never ends"])
def test_bad_example_stops_the_build(built, case):
    """The old outputs are gone, the old site stays whole, and mending the example mends the build."""
    checkout = built
    site = checkout.files("site")
    script, expected = BAD[case]
    checkout.example("quick", script)
    output = checkout.run("build", "--time-limit", "3", expect=1)
    for words in expected:
        assert words in output
    assert "Traceback" not in output or "courseware/" not in output.partition("Traceback")[2]
    assert not checkout.outputs("quick").exists()
    assert checkout.files("site") == site
    checkout.example("quick", QUICK)
    assert ran(checkout.run("build")) == ["page/quick"]


def test_two_builds_at_once(checkout):
    """The second one says who is building and touches nothing; the first one ends well."""
    checkout.example("slow", QUICK.replace("return {", "import time; time.sleep(8)\n    return {", 1))
    first = subprocess.Popen(
        checkout.command("build"), cwd=checkout.root, env=checkout.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        holder = checkout.root / "build/lock.holder"
        for _ in range(100):
            if holder.exists() and holder.read_text(encoding="utf-8"):
                break
            time.sleep(0.1)
        output = checkout.run("build", expect=1)
        assert f"another build is running in this checkout (process {first.pid})" in output
    finally:
        output, _ = first.communicate(timeout=90)
    assert first.returncode == 0, output
    assert (checkout.root / "site/page/index.html").exists()


def test_killed_at_any_moment_and_started_again(checkout):
    """SIGKILL leaves outputs and site whole or absent, and the next build ends as if nothing had happened."""
    for index in range(3):
        slow = QUICK.replace("return {", f"import time; time.sleep({index / 2})\n    return {{", 1)
        checkout.example(f"part{index}", slow)
    checkout.run("build")
    expected = set(checkout.files("site"))
    rng = random.Random(0)
    moments = [0.3, 2.0, *(rng.uniform(4, 14) for _ in range(3))]
    for moment in moments:
        for name in ("quick", "part0", "part1", "part2"):
            (checkout.outputs(name) / "results.json").unlink(missing_ok=True)
        (checkout.root / "docs/index.md").write_text(f"# Home\n\nKilled after {moment:.1f} s.\n", encoding="utf-8")
        build = subprocess.Popen(
            checkout.command("build"), cwd=checkout.root, env=checkout.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        time.sleep(moment)
        os.kill(build.pid, signal.SIGKILL)
        build.wait()
        for name in ("quick", "part0", "part1", "part2"):
            if (path := checkout.outputs(name) / "results.json").exists():
                document = json.loads(path.read_text(encoding="utf-8"))
                assert {p.name for p in path.parent.glob("*.svg")} == {f"{name}.light.svg", f"{name}.dark.svg"}
                assert document["figures"] == [name]
        if (checkout.root / "site").exists():
            assert set(checkout.files("site")) == expected
    checkout.run("build")
    assert set(checkout.files("site")) == expected
    assert f"Killed after {moments[-1]:.1f} s" in (checkout.root / "site/index.html").read_text(encoding="utf-8")
    assert not list((checkout.root / "build/tmp").iterdir()) or ran(checkout.run("build")) == []


def test_adams_epsilon_reaches_figures_and_prose(checkout):
    """Move ε under the root in adam.py: the post's own example then draws and says something else."""
    script = ROOT / "examples/optimization-algorithms-beyond-sgd/first_step.py"
    checkout.example("first_step", script.read_text(encoding="utf-8"))
    (checkout.root / "examples/page/quick.py").unlink()
    checkout.write("docs/page.md", '# Page\n\nIt steps <% num("first_step.first.adam.0", ".3f") %>.\n')
    checkout.run("build")
    page = checkout.root / "site/page/index.html"
    assert "It steps 0.099." in page.read_text(encoding="utf-8")
    before = checkout.files("build/examples/page/first_step")

    adam = checkout.root / "trainloop/optim/adam.py"
    rule = adam.read_text(encoding="utf-8")
    outside = 'v.sqrt().div_(group["root_scale"]).add_(ε)'
    assert outside in rule
    adam.write_text(rule.replace(outside, 'v.div(group["root_scale"] ** 2).add_(ε).sqrt_()'), encoding="utf-8")
    assert ran(checkout.run("build")) == ["page/first_step"]
    assert "It steps 0.001." in page.read_text(encoding="utf-8")
    after = checkout.files("build/examples/page/first_step")
    assert before["first.light.svg"] != after["first.light.svg"]


def test_known_sources_forget_files_that_are_gone(checkout):
    """A module that was renamed away is no reason for doit to stop."""
    helper = checkout.write("examples/page/_helper.py", "ANSWER = 42\n")
    with_helper = QUICK.replace("import SGD", "import SGD\nfrom _helper import ANSWER").replace("42", "ANSWER")
    checkout.example("quick", with_helper)
    checkout.run("examples")
    assert "examples/page/_helper.py" in results(checkout, "quick")["run"]["sources"]
    helper.unlink()
    checkout.example("quick", QUICK)
    assert ran(checkout.run("examples")) == ["page/quick"]
    assert known_sources(ROOT / "examples/no/such.py") == []
