"""What the post on loss landscapes claims, as comparisons of this build's own numbers.

If a claim fails here, the sentence in the post must change, not this file.
"""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from examples_of import ExamplesOf

results = ExamplesOf("visualizing-the-loss-landscape").results


# --- on paper ----------------------------------------------------------------------------------------


def test_curvatures_worked_out_on_paper():
    found = results("landscape")
    hessian, mean = found["hessian"], found["mean"]
    assert mean["x"] == pytest.approx(0.5)
    assert hessian["ww"] == pytest.approx(2 * mean["x2"])
    assert (hessian["wb"], hessian["bb"]) == pytest.approx((2 * mean["x"], 2))
    trace, determinant = hessian["ww"] + hessian["bb"], hessian["ww"] * hessian["bb"] - hessian["wb"] ** 2
    assert (round(trace, 3), round(determinant, 3)) == (2.670, 0.340)
    root = math.sqrt(trace**2 - 4 * determinant)
    assert found["curvature"]["max"] == pytest.approx((trace + root) / 2, rel=1e-12)
    assert found["curvature"]["min"] == pytest.approx((trace - root) / 2, rel=1e-12)
    assert (round(found["curvature"]["max"], 3), round(found["curvature"]["min"], 3)) == (2.536, 0.134)
    assert round(found["curvature"]["condition"], 1) == 18.9
    assert round(2 / 2.536, 3) == round(found["wall"], 3) == 0.789


def test_torch_finds_the_same_hessian_everywhere():
    assert results("landscape")["hessian_gap"] < 1e-12


def test_one_unit_along_and_across_cost_half_a_curvature():
    found = results("landscape")
    assert found["equal_distance"]["along"] == pytest.approx(found["curvature"]["min"] / 2, rel=1e-6)
    assert found["equal_distance"]["across"] == pytest.approx(found["curvature"]["max"] / 2, rel=1e-6)
    assert found["along"]["w"] > 0 > found["along"]["b"]
    assert found["along"]["w"] * found["across"]["w"] + found["along"]["b"] * found["across"]["b"] == pytest.approx(0)


def test_the_walk_changes_sides_at_every_step():
    found = results("landscape")
    assert found["sides_changed"] == 20
    along = found["away"]["along"]
    assert all(0 < b / a < 1 for a, b in pairwise(along[:31]))
    assert found["losses"][-1] == pytest.approx(found["best"]["loss"], rel=0.01)


def test_cost_of_looking():
    assert results("landscape")["evaluations"] == 61**2
    assert float(f"{61**10:.0e}") == 7e17


# --- two directions, one rate ------------------------------------------------------------------------


def test_two_factors_decide_every_rate():
    found = results("directions")
    λmin, λmax = found["curvature"]["min"], found["curvature"]["max"]
    assert len(found["rows"]) == found["rates"] == 16
    for row in found["rows"]:
        assert row["across"] == pytest.approx(1 - row["lr"] * λmax, abs=1e-12)
        assert row["along"] == pytest.approx(1 - row["lr"] * λmin, abs=1e-12)
    assert found["largest_gap"] < 1e-14
    κ = λmax / λmin
    assert found["along_at_the_wall"] == pytest.approx(1 - 2 / κ)
    assert found["fastest"]["factor"] == pytest.approx((κ - 1) / (κ + 1))
    assert found["at_0.7"]["across"] < 0 < found["at_0.7"]["along"]
    assert found["wall_along"] / found["wall"] == pytest.approx(κ)


def test_raising_the_rate():
    found = results("raise_the_rate")
    frames = list(found["frames"].values())
    assert len(frames) == 10
    assert [frame["lr"] for frame in frames] == sorted(frame["lr"] for frame in frames)
    # Up to 0.9 of the wall every rate gets nearer than the one before, from there on it gets worse.
    distances = [frame["distance"] for frame in frames]
    assert distances[:5] == sorted(distances[:5], reverse=True)
    assert distances[4:] == sorted(distances[4:])
    assert found["lowest"] == "rate-5"
    assert frames[2]["lr"] * results("directions")["curvature"]["max"] == pytest.approx(1)
    assert frames[7]["excess"][-1] == pytest.approx(frames[7]["excess"][-3], rel=0.01)
    assert frames[8]["end"] > found["start_excess"]
    assert frames[9]["distance"] > 50


def test_the_best_rate_overtakes_after_about_65_steps():
    curvature = results("landscape")["curvature"]
    λmin, λmax = curvature["min"], curvature["max"]
    away = results("landscape")["away"]

    def distance(lr, t):
        return math.hypot(away["along"][0] * (1 - lr * λmin) ** t, away["across"][0] * (1 - lr * λmax) ** t)

    smaller, best = 0.9 * 2 / λmax, 2 / (λmin + λmax)
    overtakes = next(t for t in range(40, 200) if distance(best, t) < distance(smaller, t))
    assert overtakes == pytest.approx(65, abs=3)


def test_below_at_above():
    found = results("wall")
    below, at, above = found["rows"]
    assert below["end"] == pytest.approx(found["floor"], rel=1e-6)
    assert at["after_100"] == pytest.approx(at["end"], rel=1e-9)
    assert found["period_two"] == 0
    assert above["after_100"] > 1000 * above["start"]
    best = results("landscape")["best"]
    swing = found["swing"]
    assert (swing["middle_w"], swing["middle_b"]) == pytest.approx((best["w"], best["b"]), rel=1e-9)
    for row in found["rows"]:
        assert row["read"] == pytest.approx(found["curvature"], rel=1e-8)
    assert found["blind"]["error"] < 1e-12
    # "straight lines": one factor per step, all the way.
    excess = found["runs"]["above"]["excess"]
    assert excess[300] / excess[299] == pytest.approx(1.04**2, rel=1e-9)
    assert excess[150] / excess[149] == pytest.approx(1.04**2, rel=1e-4)


# --- rings and saddles -------------------------------------------------------------------------------


def test_two_near_starts_end_far_apart():
    found = results("rings")
    starts = found["starts"]
    assert found["ridge"] == pytest.approx(math.sqrt(math.pi / 2))
    assert starts["A"]["r"] < found["ridge"] < starts["B"]["r"]
    assert found["apart"]["start"] < 0.1 < 2 < found["apart"]["end"]
    assert [starts[name]["valley"] for name in "ABCD"] == [0, 1, 1, 2]
    assert starts["A"]["loss_end"] == pytest.approx(0, abs=1e-6)
    for name in "BCD":
        assert starts[name]["loss_end"] == pytest.approx(-1)
    assert math.dist(*((starts[n]["x_end"], starts[n]["y_end"]) for n in "BC")) > 3
    assert max(start["turned"] for start in starts.values()) < 1e-12


def test_curvature_of_a_moat_is_four_r_squared():
    for row in results("rings")["rings"][1:]:
        r, h = row["r"], 1e-4
        second = (math.sin((r + h) ** 2) - 2 * math.sin(r**2) + math.sin((r - h) ** 2)) / h**2
        assert row["curvature"] == pytest.approx(second, rel=1e-4) == 4 * r * r
        assert row["wall"] == pytest.approx(2 / row["curvature"])
        assert row["height"] == pytest.approx(-1)


def test_the_learning_rate_chooses_by_curvature():
    found = results("rings")
    small, middle, large, largest = found["rows"]
    walls = [row["wall"] for row in found["rings"]]
    assert walls[3] < walls[2] < middle["lr"] < large["lr"] < walls[1] < largest["lr"] < walls[0]
    assert small["kept"] == 1
    assert small["unsettled"] == 0
    assert middle["unsettled"] == pytest.approx(small["further"])
    assert middle["further"] == large["further"] == largest["further"] == 0
    assert large["ring_1"] == pytest.approx(1 - large["pit"], abs=0.01)
    assert largest["pit"] > 0.99


def test_on_the_ridge_nothing_happens_and_a_millionth_decides():
    found = results("saddle")
    assert found["exact"]["off_ridge"] == 0
    assert found["exact"]["end"] == pytest.approx(0.5, abs=1e-6)
    assert found["zero"]["first"] == found["zero"]["last"] == 0.5
    assert found["beside"]["end"] < 1e-9
    assert (found["beside"]["w1"], found["beside"]["w2"]) == pytest.approx((1, 1), abs=1e-4)
    assert (found["other"]["w1"], found["other"]["w2"]) == pytest.approx((-1, -1), abs=1e-4)
    assert (found["curvature"]["down"], found["curvature"]["up"]) == pytest.approx((-1, 1))
    assert found["plateau"]["steps"] > 80


def test_time_to_leave_a_saddle():
    found = results("saddle")
    paper = math.log(10) / math.log(1.1)
    assert found["per_decade"]["paper"] == pytest.approx(paper)
    assert found["per_decade"]["measured"] == pytest.approx(paper, rel=0.01)
    assert abs(found["millionth"] - found["paper_millionth"]) < 5
    steps = [row["steps"] for row in found["escapes"]]
    assert all(23 <= b - a <= 25 for a, b in pairwise(steps[1:]))


# --- where it breaks ---------------------------------------------------------------------------------


def test_a_rate_above_the_wall_looks_healthy_at_first():
    found = results("late")
    above, below = found["runs"]["above"], found["runs"]["below"]
    assert above["lr"] == pytest.approx(1.01 * found["wall"])
    losses = above["losses"]
    assert all(b < a for a, b in pairwise(losses[:22]))
    assert above["lowest_step"] >= 20
    assert above["lowest"] < above["start"] / 5
    assert above["at_10"] < 1.1 * below["at_10"]
    assert above["back_at_start"] > 60
    assert above["slope_turns"] < above["lowest_step"]
    assert above["across_growth"] == pytest.approx(1.02**20, rel=1e-9)
    assert above["sign_changes"] == 20
    assert abs(found["mean_y"] - 4) < 0.05
    assert found["away"]["across"] < found["away"]["along"] / 20
    assert below["end"] == pytest.approx(found["floor"], rel=1e-3)


def test_misleading_maps():
    found = results("maps")
    stretched, levels = found["round"], found["levels"]
    assert stretched["off_course"] > 30
    assert stretched["sides"] == 20
    assert stretched["condition"] > 10
    assert levels["inside"] == 1
    assert levels["left"] > 2
    assert levels["left_end"] > 0.2
    assert len(levels["linear"]) == 9
    assert levels["lowest_line"] == pytest.approx(levels["highest"] / 10)


def test_misleading_slices():
    found = results("slices")
    ridge, valley = found["ridge"], found["valley"]
    assert min(ridge) == ridge[30] == 0.5 == max(valley[10:51])
    assert all(a > b for a, b in pairwise(ridge[:31]))
    assert found["bottom"]["other_lowest"] < 0.001
    assert found["barrier"]["straight"] == pytest.approx(1, abs=1e-3)
    assert found["barrier"]["around"] == pytest.approx(-1)
    shares = {row["n"]: row["share"] for row in found["rows"]}
    # On paper: a half in two dimensions; cos 45° in three, where the cosine to an axis is uniform.
    assert shares[2] == pytest.approx(0.5, abs=0.02)
    assert shares[3] == pytest.approx(math.cos(math.pi / 4), abs=0.02)
    assert shares[100] > 0.999


# --- exercises ---------------------------------------------------------------------------------------


def test_one_jump():
    found = results("one_jump")
    assert found["rows"][0]["across"] > 2
    assert found["rows"][1]["across"] < 1e-13
    assert found["factor"]["measured"] == pytest.approx(found["factor"]["paper"], rel=1e-9)
    assert found["halved"] == math.ceil(found["paper_halved"])


def test_critical_rate_is_two_over_the_largest_curvature():
    found = results("critical_rate")
    ends, rising, patient = (row["error"] for row in found["rows"])
    assert abs(patient) < 1e-12
    assert abs(patient) < abs(rising) < abs(ends)
    assert 0 < ends < 1e-3
    # The wrong turn of the solution: two overflowed losses do not compare as rising.
    overflowed = math.inf
    assert not overflowed > overflowed * 2


def test_the_bowl_leaves_one_ring():
    found = results("bowl_of_rings")
    assert [row["kind"] for row in found["rows"]] == ["valley", "ridge", "valley"]
    ring = found["rows"][-1]
    assert ring["height"] > found["rows"][0]["height"] == 0
    assert found["chapter_start"]["r_end"] == pytest.approx(ring["r"], abs=1e-3)
    assert found["to_ring"] + found["to_centre"] == pytest.approx(1)
    assert found["to_ring"] > 0.9
    assert 0 < found["flattest"]["slope"] < 0.01


def test_the_fastest_rate():
    found = results("best_rate")
    assert found["rates"] == 80
    assert found["paper"]["measured"] == math.ceil(found["paper"]["steps"])
    assert found["paper"]["measured"] <= found["best"]["steps"]
    assert found["best"]["lr"] == pytest.approx(found["paper"]["lr"], rel=0.02)
    assert found["one_jump"]["steps"] > 1.5 * found["paper"]["measured"]
    assert found["near_wall"]["steps"] > 4 * found["paper"]["measured"]


def test_largest_curvature_from_gradients_alone():
    found = results("steepest")
    assert found["largest_error"] < 1e-8
    assert len(found["rows"]) == 3
    assert all((row["below"], row["above"]) == ("stays", "leaves") for row in found["rows"])


def test_quiz_arithmetic():
    assert 2 / 8 == 0.25
    assert abs(1 - 4 * 8) == 31
    assert round(2 / (0.5 + 8), 3) == 0.235
    assert [round(2 / lr, 9) for lr in (0.1, 0.01)] == [20, 200]
