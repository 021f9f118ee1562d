"""What post 1.1 claims: its arithmetic on paper, its comparisons, its solutions.

If a claim fails here, the sentence in the post must change, not this file.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise

import pytest
import torch
from examples_of import ExamplesOf

from courseware import ROOT

EXAMPLES = ExamplesOf("introduction-what-is-a-training-loop")
results = EXAMPLES.results
VERBS = ["data", "predict", "measure", "differentiate", "update"]

NAILS = [(1, 2), (2, 6), (4, 7)]


def section(example: str, name: str) -> list[str]:
    """The lines of code of a section, without empty ones and markers."""
    text = (EXAMPLES.folder / f"{example}.py").read_text(encoding="utf-8")
    body = re.search(rf"\[start:{name}\]\n(.*?)\n[^\n]*\[end:{name}\]", text, re.DOTALL)
    assert body is not None
    return [line for line in body[1].splitlines() if line.strip() and not line.strip().startswith("#")]


def verbs_of(lines: list[str]) -> list[str]:
    return [line.split("# ")[1] for line in lines if "# " in line]


# --- The ten lines ------------------------------------------------------------------------------------


def test_the_ten_lines_are_ten_and_hold_the_five_verbs_in_order():
    lines = section("ten_lines", "ten_lines")
    assert len(lines) == results("ten_lines")["lines"] == 10
    assert verbs_of(lines) == VERBS
    assert not any("import" in line for line in lines)


def test_the_ten_lines_do_what_the_stepper_shows():
    printed, shown = results("ten_lines")["turns"], results("one_turn")["turns"]
    for ours, theirs in zip(printed, shown, strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"])
        assert ours["gradient"] == pytest.approx(theirs["gradient"], abs=1e-12)
        assert ours["w"] == pytest.approx(theirs["new_w"])


def test_only_the_measure_can_be_deleted():
    whole = results("ten_lines")["turns"]
    rows = {row["deleted"]: row for row in results("ten_lines")["without"]}
    assert list(rows) == VERBS
    assert rows["measure"]["w"] == whole[-1]["w"]
    assert rows["measure"]["error"] == "none"
    assert {rows["data"]["error"], rows["predict"]["error"]} == {"IndentationError", "NameError"}
    for verb in ("differentiate", "update"):
        assert rows[verb]["error"] == "none"
        assert rows[verb]["w"] == 0
        assert rows[verb]["loss"] == whole[0]["loss"]


# --- Arithmetic on paper ------------------------------------------------------------------------------


def test_the_first_two_turns_on_paper():
    first, second, third = results("one_turn")["turns"][:3]
    assert first["errors"] == [-2, -6, -7]
    assert first["loss"] == pytest.approx(89 / 3)
    assert first["pulls"] == [-4, -24, -56]
    assert first["gradient"] == pytest.approx(-28)
    assert first["new_w"] == pytest.approx(1.4)
    assert results("one_turn")["share_of_far_nail"] == pytest.approx(2 / 3)
    assert second["predictions"] == pytest.approx([1.4, 2.8, 5.6])
    assert second["errors"] == pytest.approx([-0.6, -3.2, -1.4])
    assert second["gradient"] == pytest.approx(0.3 * -28)
    assert first["loss"] / second["loss"] == pytest.approx(7, abs=0.1)  # "a seventh"
    assert min(second["pulls"]) == second["pulls"][1]  # "the middle nail now counts most"
    assert second["new_w"] - second["w"] == pytest.approx(0.42)
    assert third["new_w"] - third["w"] == pytest.approx(0.126)


def test_the_seesaw():
    rest = results("one_turn")["at_rest"]
    assert rest["errors"] == [0, -2, 1]
    assert rest["gradient"] == 0
    assert 2 * 2 == 1 * 4 == abs(rest["pulls"][1]) / 2 == abs(rest["pulls"][2]) / 2
    assert rest["loss"] > 0


def test_the_gradient_collected():
    found = results("valley")
    assert found["curvature"] == pytest.approx(2 / 3 * (1 + 4 + 16)) == pytest.approx(14)
    assert pytest.approx(28) == 2 / 3 * (2 + 12 + 28)
    assert found["rest"] == 2
    assert found["factor"] == pytest.approx(0.3)
    for row in found["rows"][1:]:
        assert row["left"] == pytest.approx(0.3, rel=1e-3)
    assert found["rows"][10]["distance"] == pytest.approx(2 * 0.3**10)
    assert found["rows"][10]["loss"] == pytest.approx(found["floor"])
    losses = [row["loss"] for row in found["rows"]]
    assert losses == sorted(losses, reverse=True)


# --- The anatomy --------------------------------------------------------------------------------------


def test_the_diagram_shows_the_lines_of_the_two_loops():
    lines = results("anatomy")["lines"]
    for loop in ("by_hand", "with_torch"):
        listed = section("anatomy", loop)
        verbs = verbs_of(listed)
        assert list(dict.fromkeys(verbs)) == VERBS  # each verb, in order
        for verb in VERBS:
            for text in lines[loop][verb]:
                assert any(line.split("#")[0].strip() == text and line.endswith(f"# {verb}") for line in listed)
        assert sum(map(len, lines[loop].values())) == len(verbs)


def test_the_diagram_is_drawn_with_these_lines():
    for scheme in ("light", "dark"):
        svg = (ROOT / "build" / "examples" / EXAMPLES.folder.name / "anatomy" / f"anatomy.{scheme}.svg").read_text(
            encoding="utf-8"
        )
        for text in ("prediction = w * x", "loss.backward()", "w = w - lr * gradient", "(100, 1)"):
            assert text in svg


def test_the_shapes_that_flow():
    shapes = results("anatomy")["shapes"]
    assert shapes["x"] == shapes["y"] == shapes["prediction"] == "(100, 1)"
    assert shapes["loss"] == "()"
    assert shapes["gradient"] == shapes["w"] == "(1,)"
    torch_shapes = results("anatomy")["torch_shapes"]
    assert torch_shapes["weight"] == torch_shapes["gradient"] == "(1, 1)"


def test_both_loops_give_the_same_weights():
    found = results("anatomy")
    # Float32, 20 turns of a contraction: a rounding error is 6e-8 of a weight of 2.
    assert found["largest_difference"] <= 1e-6
    assert len(found["paths"]["by_hand"]) == len(found["paths"]["with_torch"]) == 21


def test_where_the_hundred_points_lead():
    found = results("anatomy")
    assert found["curvature"] == pytest.approx(0.67, abs=0.005)
    assert found["factor"] == pytest.approx(2 / 3, abs=0.01)  # "a third of what is left"
    best, path = found["best"]["w"], found["paths"]["by_hand"]
    for before, after in list(pairwise(path))[:10]:
        assert (best - after) / (best - before) == pytest.approx(found["factor"], rel=1e-3)
    assert path[-1] == pytest.approx(best, abs=0.001)
    assert abs(best - 2) > 0.01  # "beside 2, not at 2"
    assert 0.03 < found["mse"][-1] < 0.2**2
    assert found["mse"][-1] == pytest.approx(found["best"]["mse"], rel=1e-4)


# --- Where it breaks ----------------------------------------------------------------------------------


def broken(name: str) -> dict:
    return results("broken")["loops"][name]


def test_uphill_leaves_on_one_side_by_a_factor_of_1_7():
    path = broken("wrong sign")["w"]
    assert all(b < a for a, b in pairwise(path))
    assert (path[6] - 2) / (path[5] - 2) == pytest.approx(1.7, rel=1e-4)


def test_a_step_too_long_changes_sides_and_grows():
    distances = [w - 2 for w in broken("step too long")["w"]]
    for before, after in pairwise(distances):
        assert after / before == pytest.approx(-1.1, rel=1e-3)


def test_without_zero_grad_the_first_turn_is_right_and_the_swing_never_dies():
    path = broken("zero_grad forgotten")["w"]
    assert path[1] == pytest.approx(results("broken")["healthy"]["w"][1])
    swing = results("broken")["swing"]
    # A sum of all gradients is a swing without friction; its angle per turn has cosine 1 - 14 · 0.05 / 2.
    assert swing["turns"] == pytest.approx(2 * math.pi / math.acos(1 - 14 * 0.05 / 2), rel=1e-3)
    assert swing["highest"] - 2 == pytest.approx(2 - swing["lowest"], rel=0.02)


def test_two_slips_print_the_same_loss_and_do_different_things():
    late, stale = broken("update after the loop"), broken("prediction before the loop")
    assert len(set(late["loss"])) == 1
    assert late["loss"] == stale["loss"]
    assert set(late["w"]) == {0}
    steps = [b - a for a, b in pairwise(stale["w"])]
    assert steps == pytest.approx([1.4] * 19, rel=1e-4)
    assert stale["last_w"] == pytest.approx(19 * 1.4, rel=1e-4)


def test_torch_refuses_a_prediction_from_before_the_loop():
    found = results("broken")["torch"]
    assert found["turn"] == 2
    assert found["message"] == "Trying to backward through the graph a second time"


# --- Exercises ----------------------------------------------------------------------------------------


def test_exercise_1_on_paper():
    found = results("next_three")
    assert [row["gradient"] for row in found["rows"]] == pytest.approx([42, 12.6, 3.78])
    assert [row["new_w"] for row in found["rows"]] == pytest.approx([2.9, 2.27, 2.081])
    assert (6 + 16 + 104) / 3 == 42
    assert [2 + 3 * 0.3**turn for turn in (1, 2, 3)] == pytest.approx([2.9, 2.27, 2.081])


def test_exercise_1_mistakes_are_far_enough_apart_to_be_told():
    found = results("next_three")
    values = sorted([found["third"], *found["mistakes"].values()])
    assert len(values) == 10
    assert min(b - a for a, b in pairwise(values)) > 0.1


def test_exercise_3_the_two_fractions():
    rows = {row["lr"]: row for row in results("arrive_at_once")["rows"]}
    assert rows["1/14"]["w1"] == pytest.approx(2)
    assert rows["1/14"]["factor"] == 0
    assert rows["1/7"]["factor"] == -1
    assert results("arrive_at_once")["paths"]["1/7"][:5] == pytest.approx([0, 4, 0, 4, 0])
    for row in rows.values():
        assert row["measured"] == pytest.approx(abs(row["factor"]), abs=1e-9)
    assert abs(rows["0.15"]["last"] - 2) > 2 > abs(rows["0.12"]["last"] - 2)


def test_exercise_4_equal_steps_and_no_rest():
    found = results("absolute_error")
    assert found["first_step"] == pytest.approx(0.04 * 7 / 3) == pytest.approx(found["tenth_step"])
    assert found["through_the_far_nail"] == 1.75
    assert found["late"]["lowest"] < 1.75 < found["late"]["highest"]
    assert found["late"]["swing"] == pytest.approx(found["first_step"])
    assert found["largest_difference"] < 1e-12
    assert found["squared"][-1] == pytest.approx(2)


def test_exercise_5_the_starts():
    found = results("square_root")
    ends = {row["start"]: row["w"] for row in found["rows"]}
    for start in (2.0, 0.5, 0.01):
        assert ends[start] == pytest.approx(math.sqrt(2), abs=1e-6)
    assert ends[-1.0] == pytest.approx(-math.sqrt(2), abs=1e-6)
    assert ends[0.0] == 0
    assert found["first"] == pytest.approx(2 - 0.05 * 16)
    assert found["late"] > 3 * found["half"]
    for name in ("from 2", "from 0.5"):  # "within ten turns"
        assert found["paths"][name][10] == pytest.approx(math.sqrt(2), abs=0.01)
    slip = found["without_inner"]
    assert slip["furthest_off"] < 1e-3
    assert slip["from_minus_2"] < -10


# --- Quiz ---------------------------------------------------------------------------------------------


def test_every_nail_twice_is_the_same_gradient():
    def gradient(nails, w):
        return sum(2 * (w * x - y) * x for x, y in nails) / len(nails)

    assert gradient(NAILS * 2, 0.7) == pytest.approx(gradient(NAILS, 0.7))


def test_the_gradient_of_a_layer_has_the_shape_of_its_weight():
    weight = torch.zeros(784, 10, requires_grad=True)
    (torch.ones(64, 784) @ weight).square().mean().backward()
    assert weight.grad.shape == (784, 10)


def test_a_tiny_learning_rate_changes_the_last_digits():
    def loss(w):
        return sum((w * x - y) ** 2 for x, y in NAILS) / 3

    assert f"{loss(1e-6 * 28):.4f}" != f"{loss(0):.4f}"
