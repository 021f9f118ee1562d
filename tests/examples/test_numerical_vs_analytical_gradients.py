"""What the post on numerical gradients claims, as comparisons of this build's own numbers and of its code.

If a claim fails here, the sentence in the post must change, not this file.
"""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from examples_of import ExamplesOf

EXAMPLES = ExamplesOf("numerical-vs-analytical-gradients")
results, script = EXAMPLES.results, EXAMPLES.script


# On paper


def test_the_cube_on_paper():
    for row in results("by_hand")["cube"]:
        h = row["h"]
        assert row["forward"] == pytest.approx(3 + 3 * h + h * h, rel=1e-12)
        assert row["central"] == pytest.approx(3 + h * h, rel=1e-12)
    first = results("by_hand")["cube"][0]
    assert round(first["forward"], 9) == 3.31
    assert round(first["central"], 9) == 3.01


def test_exercise_1_on_paper():
    found = results("by_hand")["fourth"]
    assert found["forward"] == pytest.approx((1.4641 - 1) / 0.1)
    assert found["central"] == pytest.approx((1.4641 - 0.6561) / 0.2)
    by_hand = script("by_hand")
    nearer = by_hand.at_one(by_hand.fourth, 4.0, 0.01)
    assert nearer["central_error"] == pytest.approx(0.0004, abs=1e-8)
    assert round(nearer["forward_error"], 4) == 0.0604
    assert found["forward_error"] - 6 * 0.1 == pytest.approx(4 * 0.1**2 + 0.1**3)
    assert round(4 * 0.1**2 + 0.1**3, 9) == 0.041


def test_digits_are_lost_from_the_left():
    rows = results("by_hand")["digits"]
    left = [len(row["difference"].replace(".", "").lstrip("0")) for row in rows]
    assert all(after <= before for before, after in pairwise(left))
    assert rows[-1]["h"] == pytest.approx(1e-8)
    assert rows[-1]["quotient"] == 0.0
    assert float(rows[-1]["above"]) == 1.0


def test_on_the_line_central_differences_are_exact_at_any_step():
    found = results("by_hand")
    large = {row["parameter"]: row for row in found["large"]}
    for name, second_derivative_over_two in {"w": found["mean_square_x"], "b": 1.0}.items():
        assert large[name]["forward_error"] == pytest.approx(second_derivative_over_two, rel=1e-12)
        assert abs(large[name]["central_error"]) < 1e-14
    small = {row["parameter"]: row for row in found["small"]}
    assert small["b"]["forward_error"] == pytest.approx(1e-4, rel=1e-4)
    assert small["w"]["forward_error"] == pytest.approx(1e-4 * found["mean_square_x"], rel=1e-4)
    assert found["hand_against_autograd"] < 1e-14


def test_days_for_one_gradient():
    """A hundred million weights, a tenth of a second an evaluation."""
    days = 2 * 10**8 * 0.1 / 86_400
    assert days == pytest.approx(231, abs=1)


def test_zoom_of_the_three_offered_steps_the_middle_one_is_best():
    zoom = script("zoom")
    gaps = {h: abs(zoom.look(h, 11)["forward"] - 3) for h in (0.1, 1e-3, 1e-7)}
    assert min(gaps, key=gaps.get) == 1e-3
    gaps = {h: abs(zoom.look(h, 11)["central"] - 3) for h in (0.1, 1e-3, 1e-7)}
    assert min(gaps, key=gaps.get) == 1e-3


def test_zoom_frames_say_what_their_titles_say():
    frames = {frame["h"]: frame for frame in results("zoom")["frames"]}
    assert frames[1.0]["forward"] == 7
    assert frames[1.0]["central"] == 4
    assert frames[1e-8]["forward"] == frames[1e-8]["central"] == 0
    assert frames[1e-8]["levels"] == 1
    assert frames[1e-7]["above"] == pytest.approx(-frames[1e-7]["below"])

    def gap(h):
        return abs(frames[h]["central"] - 3)

    assert gap(0.01) < gap(0.1) < gap(0.3) < gap(1.0)
    assert gap(0.01) < gap(1e-4) < gap(1e-5) < gap(1e-6)
    assert abs(frames[1e-5]["forward"] - 3) > abs(frames[1e-4]["forward"] - 3)


# The V


def test_slopes_of_both_arms():
    for row in results("step_size")["rows"]:
        if row["precision"] == "float16":
            continue
        assert row["truncation"] == pytest.approx({"forward": 1, "central": 2}[row["method"]], abs=0.02)
        assert row["rounding"] == pytest.approx(-1, abs=0.02)


def test_the_best_step_is_the_predicted_one_within_a_factor_of_two():
    found = results("step_size")
    for row in found["rows"]:
        order = {"forward": 1, "central": 2}[row["method"]]
        ε = found["epsilon"][row["precision"]]
        assert row["predicted"] == pytest.approx(ε ** (1 / (order + 1)))
        assert 1 / 2 < row["best"] / row["predicted"] < 2
        # "better than promised, by a small factor each"
        assert 1 < row["predicted_error"] / row["error"] < 10
    assert found["points"] >= 1000


def test_central_beats_forward_at_its_best_and_not_on_the_left_arm():
    rows = {(row["precision"], row["method"]): row for row in results("step_size")["rows"]}
    for precision in ("float32", "float64"):
        assert rows[precision, "central"]["error"] < rows[precision, "forward"]["error"] / 10
    at = results("step_size")["at_1e-6"]
    assert at["float32_central"] == pytest.approx(at["float32_forward"], rel=0.2)
    # gradcheck's eps: near the bottom in float64, hopeless for its rtol in float32.
    assert at["float64_central"] < 10 * rows["float64", "central"]["error"]
    assert at["float32_central"] > 10 * 1e-3


def test_epsilons():
    found = results("step_size")["epsilon"]
    assert found["float32"] == 2**-23
    assert found["float64"] == 2**-52


# Cost


def test_evaluations_are_n_plus_one_and_2n():
    for row in results("cost")["rows"]:
        assert row["forward"] == row["n"] + 1
        assert row["central"] == 2 * row["n"]
        assert row["autograd"] == 1
        assert row["autograd_work"] == 2
        assert row["difference"] < 1e-8
    assert results("cost")["deep_work"] == 11 / 4 < 3


def test_the_counted_products_are_those_torch_performs():
    from torch.utils.flop_counter import FlopCounterMode

    def operations(work) -> int:
        with FlopCounterMode(display=False) as counter:
            work()
        return counter.get_total_flops()

    x = torch.ones(100, 32)
    weights = [torch.zeros(shape, requires_grad=True) for shape in [(32, 32)] * 4]

    def loss(layers):
        out = x
        for w in weights[:layers]:
            out = torch.tanh(out @ w)
        return out.square().mean()

    for layers, expected in {1: 2.0, 4: results("cost")["deep_work"]}.items():
        once = operations(lambda layers=layers: loss(layers))
        assert operations(lambda layers=layers: loss(layers).backward()) / once == expected


def test_timed_differences_are_hundreds_of_times_slower():
    last = results("cost")["times"][-1]
    assert last["n"] == 1000
    assert last["ratio"] > 100


# gradcheck


def verdicts() -> dict[tuple[str, str], str]:
    return {(row["gradient"], row["settings"]): row["verdict"] for row in results("torchs_check")["rows"]}


def test_gradcheck_defaults_are_the_ones_the_post_names():
    import inspect

    signature = inspect.signature(torch.autograd.gradcheck)
    defaults = {name: signature.parameters[name].default for name in ("eps", "atol", "rtol")}
    assert defaults == {"eps": 1e-6, "atol": 1e-5, "rtol": 1e-3} == results("torchs_check")["defaults"]


def test_gradcheck_accepts_float64_and_refuses_the_same_gradient_in_float32():
    found = verdicts()
    assert found["right", "float64, defaults"] == "passes"
    assert found["right", "float32, defaults"] == "fails"
    assert found["right", "float32, loosened"] == "passes"
    warned = {row["settings"]: row["warned"] for row in results("torchs_check")["rows"] if row["gradient"] == "right"}
    assert warned == {"float64, defaults": False, "float32, defaults": True, "float32, loosened": True}


def test_gradcheck_is_blind_below_its_tolerance():
    found = verdicts()
    assert found["mean over N − 1, n = 100", "float64, defaults"] == "fails"
    assert found["mean over N − 1, n = 100", "float32, loosened"] == "passes"
    assert found["mean over N − 1, n = 1,000", "float64, defaults"] == "passes"
    assert found["mean over N − 1, n = 1,000", "float64, rtol 1e-5"] == "fails"
    assert found["∂L/∂W transposed", "float64, defaults"] == found["∂L/∂W transposed", "float32, loosened"] == "fails"


def test_our_gradcheck_agrees_with_torchs():
    rows = results("torchs_check")["rows"]
    assert len(rows) == 9
    assert all(row["ours"] == row["verdict"] for row in rows)
    assert rows[0]["evaluations"] == 2 * 12 + 2


def test_float32_measures_in_whole_steps():
    found = results("torchs_check")["float32"]
    assert found["unit"] == pytest.approx(2**-23 / 2e-6)
    assert round(found["unit"], 4) == 0.0596
    assert 1 < found["loss"] < 2
    for element in found["elements"]:
        assert element["units"] == pytest.approx(round(element["units"]), abs=1e-3)
    assert len({round(element["units"]) for element in found["elements"]}) <= 5


# Planted bugs


def test_the_right_gradient_passes_and_every_bug_is_found():
    found = results("planted")["reports"]
    assert all(row["wrong"] == 0 for row in found["right"])
    assert results("planted")["agreement"] < 1e-6
    assert all(any(row.get("wrong", 1) for row in report) for name, report in found.items() if name != "right")


def test_the_pattern_names_the_bug():
    found = results("planted")["reports"]

    def ratios(bug):
        return {row["parameter"]: row["ratios"] for row in found[bug]}

    def everywhere(bug):
        return [*ratios(bug)["W"], *ratios(bug)["b"]]

    assert everywhere("no_factor_2") == pytest.approx([0.5] * 12, rel=1e-6)
    W = ratios("transposed")["W"]
    assert [W[i] for i in (0, 4, 8)] == pytest.approx([1, 1, 1], rel=1e-6)
    assert all(abs(W[i] - 1) > 0.01 for i in (1, 2, 3, 5, 6, 7))
    assert ratios("transposed")["b"] == pytest.approx([1] * 3, rel=1e-6)
    assert ratios("sum_over_everything")["W"] == pytest.approx([1] * 9, rel=1e-6)
    assert all(abs(ratio - 1) > 0.01 for ratio in ratios("sum_over_everything")["b"])
    assert found["sum_over_everything"][1]["shape"] == "a number"
    sign = found["one_sign"]
    assert [row["wrong"] for row in sign] == [1, 0]
    assert sign[0]["element"] == "2, 0"
    assert sign[0]["claimed"] == pytest.approx(-sign[0]["measured"], rel=1e-6)
    slopes = everywhere("no_slope_of_tanh")
    assert all(abs(ratio - 1) > 0.1 for ratio in slopes)
    assert round(min(slopes), 2) == -1.33
    assert round(max(slopes)) == 243
    small = sorted(abs(ratio - 1) for ratio in everywhere("no_last_sample"))
    assert small[0] > 1e-5
    assert small[6] < 0.05  # "for most"
    assert found["no_sum"][1]["shape"] == "100 × 3"
    assert "wrong" not in found["no_sum"][1]


def test_five_of_six_bugs_hide_behind_a_falling_loss():
    found = results("hidden")
    rows = {row["gradient"]: row for row in found["rows"]}
    seeds = found["seeds"]
    assert seeds >= 5
    falling = [name for name, row in rows.items() if row["halved"] >= 0.8 * seeds and name != "as it should be"]
    assert len(falling) == 5
    assert rows["∂L/∂W transposed"]["halved"] == 0
    assert min(rows[name]["halved"] for name in falling) == rows["one sign"]["halved"]
    # "end at the same floor"
    assert rows["tanh′ forgotten"]["worse"] == rows["last sample left out"]["worse"] == 0
    assert rows["factor 2 forgotten"]["median"] < 1.2 * rows["as it should be"]["median"]
    assert rows["b: sum over everything"]["worse"] == rows["one sign"]["worse"] == seeds
    # "even helps at first"
    early = 20 // found["every"]
    curves = found["curves"]
    assert curves["slope"]["median"][early] < curves["none"]["median"][early]


# Where checking lies


def test_a_moving_loss_gets_worse_as_the_step_shrinks():
    found = results("moving_loss")
    assert found["seeds"] >= 5
    for name in ("fresh_batch", "fresh_mask"):
        median = found["curves"][name]["median"]
        slope = (math.log10(median[-1]) - math.log10(median[2])) / (len(median) - 3)
        assert slope == pytest.approx(1, abs=0.1)  # a decade of error for each decade of h
        assert found["at_1e-5"][name] > 1000
    for name in ("same_batch", "pinned_mask"):
        assert found["at_1e-5"][name] < 1e-9
        assert min(found["curves"][name]["median"]) == found["at_1e-5"][name]


def test_at_the_minimum_both_judges_fail():
    found = results("at_the_minimum")
    assert found["start"] < 1e-8
    assert found["end"] > 0.5
    assert found["right_always_accepted"]
    assert found["blind_from"] is not None
    rows = found["rows"]
    assert not rows[0]["wrong_accepted"]
    assert all(row["wrong_accepted"] for row in rows if row["step"] >= found["blind_from"])
    assert rows[0]["wrong"] == pytest.approx(0.5, rel=1e-6)


def test_kinks():
    rows = {row["function"]: row for row in results("kinks")["rows"]}
    assert rows["torch.relu(x)"]["autograd"] == 0
    assert rows["torch.abs(x)"]["autograd"] == rows["torch.abs(x)"]["central"] == 0
    assert rows["torch.maximum(x, 0)"]["autograd"] == 0.5
    assert rows["torch.where(x > 0, x, 0)"]["autograd"] == 0
    assert rows["torch.where(x >= 0, x, 0)"]["autograd"] == 1
    assert all(
        row["central"] == pytest.approx((row["forward"] + row["backward"]) / 2, abs=1e-12) for row in rows.values()
    )
    relus = {name: row["autograd"] for name, row in rows.items() if name != "torch.abs(x)"}
    assert set(relus.values()) == {0.0, 0.5, 1.0}
    assert len(relus) == 6
    near = results("kinks")["near"]
    assert near["autograd"] == 0
    assert near["central"] == pytest.approx(0.75 / 2)


# Exercises


def test_exercise_2_a_bias_for_every_sample():
    found = results("per_sample_bias")
    assert found["end"]["wrong"] < 1e-15 < found["floor"] < found["end"]["right"]
    assert found["shape"] == {"right": "1", "wrong": "100 × 1"}
    assert found["biases"] == 100
    # In place, torch would have refused.
    b = torch.zeros(1)
    with pytest.raises(RuntimeError, match="shape"):
        b -= torch.zeros(100, 1)
    # "each is pulled to its point by a factor 0.8 per epoch": the loss by 0.64, late in the run
    late = found["wrong"][-20:]
    assert late[1] / late[0] == pytest.approx(0.64, rel=0.05)


def test_exercise_3_every_planted_bug_is_located():
    found = results("mystery")
    assert found["seeds"] == 200
    assert found["located"] == found["bugs"] == found["seeds"] - found["harmless"]
    assert found["harmless"] > 0
    assert found["false_alarms"] == 0
    assert all(row["found"] == row["planted"] for row in found["rows"])
    assert found["one_per_cent"]["passed_at_1e-2"] == found["one_per_cent"]["planted"] > 10


def test_exercise_4_one_direction():
    found = results("one_direction")
    rows = {row["gradient"]: row for row in found["rows"]}
    assert found["problems"] >= 5
    assert rows["as it should be"]["caught"] == rows["as it should be"]["ones"] == 0
    bugs = {name: row for name, row in rows.items() if name != "as it should be"}
    assert all(row["percent"] > 90 for row in bugs.values())
    assert min(bugs, key=lambda name: bugs[name]["percent"]) == "last sample left out"
    assert bugs["∂L/∂W transposed"]["ones"] == 0
    assert all(row["ones"] == found["problems"] for name, row in bugs.items() if name != "∂L/∂W transposed")
    for needle in found["needles"]:
        n = needle["n"]
        assert needle["expected"] == pytest.approx(1 - 2 / math.pi * math.atan(1e-3 * n**0.5 / 2))
        deviation = (needle["expected"] * (1 - needle["expected"]) / found["needles_tried"]) ** 0.5
        assert abs(needle["rate"] - needle["expected"]) < 4 * deviation


def test_exercise_5_complex_step():
    found = results("complex_step")
    assert found["steps"][-1] == pytest.approx(1e-20)
    assert found["at_smallest"] < 4 * found["epsilon"]
    assert found["central_best"] > 1000 * found["at_smallest"]
    assert found["curves"]["central"][-1] == 1.0
    assert found["network"]["complex"] < 4 * found["epsilon"]
    assert found["network"]["conj"] == 0
    # "abs and max fail more honestly"
    complex_step = script("complex_step").complex_step
    x = torch.ones(1, dtype=torch.float64)
    with pytest.raises(RuntimeError, match="complex"):
        complex_step(torch.abs, x)
    with pytest.raises(RuntimeError, match=r"[Cc]omplex"):
        complex_step(lambda z: torch.maximum(z, 0 * z), x)


def test_exercise_6_four_points():
    found = results("five_points")
    two, four = found["rows"]
    assert four["slope"] == pytest.approx(4, abs=0.05)
    assert two["slope"] == pytest.approx(2, abs=0.05)
    assert found["at_0.1"] == pytest.approx(0.1**4 / 30, rel=0.05)
    assert four["predicted"] == pytest.approx((2**-52) ** 0.2)
    assert 1 / 2 < four["best"] / four["predicted"] < 2
    assert four["error"] < two["error"] / 10
    at = min(range(len(found["steps"])), key=lambda i: abs(math.log10(found["steps"][i]) + 6))
    assert found["curves"]["four"][at] > found["curves"]["central"][at] / 2
