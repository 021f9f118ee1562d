"""What the lab on L-BFGS claims, as comparisons of this build's own numbers; and its full-size path, at quick sizes."""

from __future__ import annotations

import math

import pytest
from examples_of import ExamplesOf

from courseware import labs
from trainloop.lab import VARIABLE, Setting

LAB = "l-bfgs-with-a-closure"


@pytest.fixture(scope="module")
def results():
    return ExamplesOf("labs").results(LAB)


def test_every_method_had_the_same_budget_and_a_grid_that_was_wide_enough(results):
    for methods in (results["methods"], results["network"]["methods"]):
        assert len({found["rates"] for found in methods.values()}) == 1
        assert not any(found["at_edge"] for found in methods.values())
        assert len({found["median"][-1][0] for found in methods.values()}) == 1
    assert results["fresh"] >= 5
    assert results["network"]["fresh"] >= 5


def test_the_four_numbers_are_those_of_the_oscillator(results):
    true = results["true"]
    assert (true["δ"], true["ω"]) == pytest.approx((0.01 * 3, 3 * math.sqrt(1 - 0.01**2)))
    # x(0) = 1, x'(0) = 0
    assert true["A"] * math.cos(true["φ"]) == pytest.approx(1)
    slope = -true["δ"] * math.cos(true["φ"]) - true["ω"] * math.sin(true["φ"])
    assert slope == pytest.approx(0, abs=1e-12)


def test_on_four_parameters_l_bfgs_needs_the_fewest_evaluations(results):
    found = results["methods"]
    needed = [found[name]["evaluations"]["median"] for name in ("wolfe", "fixed", "adam")]
    assert needed == sorted(needed)
    assert results["ratio"] == pytest.approx(needed[2] / needed[0])
    assert results["ratio"] > 4
    assert found["sgd"]["reached"] == 0
    assert found["adam"]["reached"] == results["fresh"]
    assert found["fixed"]["reached"] < results["fresh"]  # "nothing holds a step that is too long"


def test_on_the_network_it_falls_first_and_adam_ends_lower(results):
    methods = results["network"]["methods"]
    first = {
        name: next(at for at, loss in found["median"] if loss < 10) for name, found in methods.items() if name != "sgd"
    }
    assert max(first["wolfe"], first["fixed"]) < first["adam"]
    assert methods["adam"]["last"]["median"] < min(methods[name]["last"]["median"] for name in ("wolfe", "fixed"))


def test_uncertainties(results):
    for row in results["parameters"]:
        assert row["scatter"] == pytest.approx(row["predicted"], rel=0.2)
        assert abs(row["off"]) < 3
    relative = {row["name"]: row["scatter"] / abs(row["true"]) for row in results["parameters"]}
    assert min(relative, key=relative.get) == "ω"


def test_the_starting_point_decides(results):
    starts = results["starts"]
    total = starts["frequencies"]
    for name in ("known", "adam_known"):
        assert starts[name]["reached"] < total / 3
        assert starts[name]["lost"] == 0
    assert starts["adam"]["reached"] == total
    assert starts["known"]["reached"] < starts["fitted"]["reached"] < total / 2 < starts["fitted"]["lost"] + 1
    assert not results["from_2_4"]["reached"]
    assert results["from_2_4"]["times"] > 50
    # Through strong damping, and back.
    assert results["detour"]["peak"] > 10 * results["true"]["δ"]
    assert results["detour"]["end"] == pytest.approx(results["true"]["δ"], rel=0.2)
    assert results["detour"]["ω"] == pytest.approx(results["true"]["ω"], rel=0.01)
    # The loss along the frequency has valleys beside the true one.
    losses = [loss for _, loss in results["slice"]]
    valleys = sum(b < a and b < c for a, b, c in zip(losses, losses[1:], losses[2:], strict=False))
    assert valleys >= 5


def test_what_breaks_a_closure(results):
    closures = results["closures"]
    ends = [closures[kind]["end"]["median"] for kind in ("right", "per step", "redrawn", "kept")]
    assert ends == sorted(ends)
    assert ends[0] < 1e-10
    assert 0.01 < ends[1] < 0.2
    assert ends[2] > 5 * ends[1]
    assert closures["right"]["good"] == results["fresh"]
    # "float32 would have done": far below what the noise costs, 4 parameters of 200 points.
    assert results["float32"]["lowest"]["high"] < 4 / results["points"] / 1000


def test_solutions(results):
    assert results["spectrum"]["reached"] == results["spectrum"]["seeds"] == results["repeats"]
    assert results["spectrum"]["furthest"] < 0.05
    assert results["decaying"]["lost"] == 0
    assert results["decaying"]["reached"] > 0.9 * results["starts"]["frequencies"]


def test_full_size_path(monkeypatch, tmp_path):
    """All of `--full` but its sizes, and results of the shape that the page draws from."""
    monkeypatch.setenv(VARIABLE, "")  # `execute` sets it: back to what it was, afterwards
    monkeypatch.setattr(Setting, "pick", lambda self, *, quick, small, full: quick)
    options = f"--full --device cpu --out {tmp_path}"
    run = labs.execute(labs.LABS / f"{LAB}.py", options, solutions=False)
    assert run.setting.full
    assert set(run.shown) == {"evaluations", "starts", "fit", "closures"}
    assert run.results["network"]["methods"].keys() == run.results["methods"].keys()
