"""What the recap of Part 1 claims, and the checker of loops that it hands to the reader."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import pytest
from examples_of import ExamplesOf

from courseware import ROOT

EXAMPLES = ExamplesOf("recap-and-key-takeaways")
results = EXAMPLES.results

# Each loop that is broken on purpose, and the verb that the checker must name.
VERBS = {
    "broadcast": "data",
    "no_targets": "data",
    "one_example": "data",
    "gradient_once": "predict",
    "graph_used_twice": "predict",
    "no_bias": "predict",
    "predicted_once": "predict",
    "half": "measure",
    "no_loss": "measure",
    "no_square": "measure",
    "not_reduced": "measure",
    "sum": "measure",
    "new_tensors": "differentiate",
    "no_backward": "differentiate",
    "no_x": "differentiate",
    "not_cleared": "differentiate",
    "not_cleared_with_autograd": "differentiate",
    "not_recorded": "differentiate",
    "no_lr": "update",
    "no_update": "update",
    "one_turn_too_many": "update",
    "one_update": "update",
    "only_b": "update",
    "only_w": "update",
    "update_before_backward": "update",
    "update_recorded": "update",
    "uphill": "update",
    "w_first": "update",
    "momentum_nobody_asked_for": "none I know",
    "unknown_name": "none I know",
    "right_by_hand": None,
    "right_with_autograd": None,
    "right_with_nn": None,
}


@pytest.fixture(scope="module")
def checker():
    return EXAMPLES.script("checker")


def test_every_loop_is_in_the_list(checker):
    assert {path.stem for path in checker.LOOPS.glob("*.py")} == set(VERBS)


@pytest.mark.parametrize("loop", VERBS)
def test_the_checker_names_the_verb(checker, loop):
    verb, words = checker.check(checker.load(checker.LOOPS / f"{loop}.py"))
    assert verb == VERBS[loop]
    assert (words == "All five verbs are there, in their places.") == (verb is None)


def test_no_two_mistakes_lead_to_the_same_place(checker):
    x, y = checker.problem()
    ends = {
        m: checker.reference(x, y, *checker.START, checker.EPOCHS, checker.LR, m) for m in (None, *checker.MISTAKES)
    }
    for a, b in itertools.combinations(ends, 2):
        assert not checker.close(ends[a], ends[b]), (a, b)


def test_every_mistake_and_every_error_has_a_loop(checker):
    said = {checker.check(checker.load(checker.LOOPS / f"{loop}.py"))[1].partition(" (line")[0] for loop in VERBS}
    known = {words for _, words in checker.MISTAKES.values()} | {words for _, _, words in checker.ERRORS}
    assert known - said == {checker.MISTAKES["late"][1]}  # with 7 epochs, "late" is a loop of 6


def test_a_loop_that_is_one_update_short(checker):
    def short(x, y, w, b, epochs, lr):
        return checker.reference(x, y, w, b, epochs - 1, lr)

    assert checker.check(short) == checker.MISTAKES["late"]


@pytest.mark.parametrize(
    ("loop", "code", "said"), [("right_by_hand", 0, "All five"), ("uphill", 1, "update: The sign")]
)
def test_from_the_command_line(loop, code, said):
    command = [sys.executable, str(EXAMPLES.folder / "checker.py"), str(EXAMPLES.folder / "loops" / f"{loop}.py")]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == (VERBS[loop] is not None), ran.stderr
    assert ran.stdout.startswith(said)


def test_three_of_seven_deletions_raise_no_error():
    rows = results("final_loop")["rows"]
    assert len(rows) == 8
    silent = [row["line"] for row in rows[1:] if row["error"] == "none"]
    assert silent == ["the update of w", "the update of b", "the clearing"]
    best = results("final_loop")["least_squares"]["mse"]
    assert rows[0]["mse"] == pytest.approx(best, rel=1e-4)
    assert min(row["mse"] for row in rows[1:] if row["mse"] is not None) > 9 * best


def test_two_curves_level_off_and_one_waves():
    curves = results("final_loop")["curves"]
    for name in ("without the update of w", "without the update of b"):
        losses = curves[name]
        assert all(b <= a * (1 + 1e-6) for a, b in itertools.pairwise(losses))
        assert losses[-1] > 0.99 * losses[-10]
    waves = curves["without the clearing"]
    turns = sum((b - a) * (c - b) < 0 for a, b, c in zip(waves, waves[1:], waves[2:], strict=False))
    assert turns >= 4
    assert max(waves[30:]) > 0.3 * waves[0]


def test_500_epochs_predicted_from_three_numbers():
    found = results("from_three_numbers")
    assert found["gap"] < 1e-5
    assert found["left"] == pytest.approx(found["factor"] ** 500)
    assert found["predicted"] < found["best"]
    assert 4.6 / (0.1 * found["small"]) == pytest.approx(343, abs=1)
    assert math.ceil(math.log(0.01) / math.log(found["factor"])) == 342
    assert math.ceil(math.log(0.01) / math.log(1 - 0.1 * found["large"])) == 16
    assert 1 - 0.1 * found["large"] == pytest.approx(0.75, abs=0.005)


def test_batches_keep_the_loop_and_ten_come_nearest():
    rows = {row["size"]: row for row in results("with_batches")["rows"]}
    assert rows[100]["from_full"] < 1e-6
    assert rows[10]["excess"] < min(rows[100]["excess"], rows[1]["excess"]) / 10
    assert [rows[size]["steps"] for size in (100, 10, 1)] == [50, 500, 5000]


def test_what_the_snippets_print():
    printed = results("predict_output")["printed"]
    assert printed == {"one_step": 2.0, "twice": 12.0, "shapes": 16.0, "factor": -0.125}
