"""What the chapter's page on schedules claims."""

from __future__ import annotations

import pytest
from examples_of import ExamplesOf

results = ExamplesOf("learning-rate-schedules").results
LABS = ExamplesOf("labs")


def test_a_constant_rate_rests_where_the_paper_says_and_schedules_end_lower():
    found = results("noise_floor")
    assert found["floor"]["measured"] == pytest.approx(found["floor"]["paper"], rel=0.03)
    end = found["end"]
    assert end["small"] > end["large"] > 3 * end["drops"]
    smooth = [end[name] for name in ("cosine", "line", "one over t")]
    assert max(smooth) < end["drops"] / 1.5
    assert max(smooth) < 1.2 * min(smooth)
    assert end["large"] / max(smooth) == pytest.approx(7, abs=0.6)  # "seven times lower"
    assert found["before_drop"] == pytest.approx(found["floor"]["paper"], rel=0.1)
    assert found["after_drop"] < found["before_drop"] / 2
    assert 0.8 < found["left_of_the_way"] < 0.85
    assert found["floor"]["small"] < min(end.values())


def test_no_wrong_cadence_is_noticed_by_torch():
    rows = results("cadence")["rows"]
    assert len(rows) == 6
    assert all(row["torch"] == "nothing" for row in rows)
    assert [row["refused"] for row in rows] == ["yes"] * 4 + ["no"] * 2
    by_name = {row["name"].partition("(")[0]: row for row in rows}
    assert by_name["OneCycleLR"]["wrong_highest"] < 0.1
    assert by_name["StepLR"]["wrong_last"] < 1e-20
    waves = next(row for row in rows if row["name"] == "CosineAnnealingLR(T_max=9)")
    still = next(row for row in rows if row["name"] == "CosineAnnealingLR(T_max=270)")
    assert waves["wrong_mean"] == pytest.approx(0.5)
    assert still["wrong_last"] > 0.99
    assert results("cadence")["epochs"] * results("cadence")["updates"] / 18 == 15  # "fifteen waves"


def test_lab_7_let_four_wrong_cadences_train():
    costs = LABS.results("four-schedules")["costs"]
    assert [row["mistake"] for row in costs] == [
        "OneCycleLR per epoch",
        "cosine per batch",
        "StepLR per batch",
        "cosine past its end",
    ]


def test_who_knows_the_end():
    found = results("horizon")
    assert found["seeds"] >= 5
    assert not any(about["at_edge"] for about in found["contestants"].values())

    def against(name, stop):
        return found["contestants"][name]["at"][str(stop)]["against_planned"]

    first, planned, last = found["stops"]
    assert planned == found["planned"]
    assert last == 2 * planned  # "at twice the length it is back at the top"
    assert against("cosine", last)["separable"] == "yes"
    assert against("cosine", last)["low"] > 1.5
    at = found["contestants"]["cosine"]["at"]
    assert at[str(last)]["median"] > at[str(planned)]["median"]  # "the model was better at half the time"
    assert against("constant", last)["low"] > 1
    assert against("constant", last)["times"] > against("constant", first)["times"]
    for name in ("wsd", "free"):  # "neither can be told apart"
        assert against(name, last)["separable"] == "no"
        assert against(name, last)["times"] < 1.5


def test_the_lab_separates_few_pairs():
    found = LABS.results("four-schedules")
    assert found["separable"]["accuracy"] <= 3
    assert found["range"]["accuracy"] < 0.02
    assert LABS.results("super-convergence")["separable"]["cosine"] == "neither"
    warmup = LABS.results("warmup-and-cosine")
    # "lowers the test loss by": whether that is more than nothing, the page asks of the build. On an Intel processor
    # both intervals lie above 0, on one of AMD the one at the large rate does not.
    assert warmup["best_gap"]["gap"] > 0
    assert warmup["same_gap"]["gap"] > 0
    assert warmup["large"] == pytest.approx(10 * warmup["contestants"]["no_warmup"]["lr"])  # "ten times the best one"
    assert warmup["contestants"]["warmup"]["lr"] == warmup["contestants"]["no_warmup"]["lr"]


def test_parts_composed():
    found = results("compose")
    assert found["peak"]["sequence"] == pytest.approx(1)
    assert found["peak"]["product"] < 0.35
    assert found["peak"]["product_at"] < found["warmup"]
    assert found["same"] < 1e-13
    assert found["cut_off"] > 0.05


def test_the_wrong_order_is_one_step_early():
    for about in results("order")["schedulers"].values():
        assert about["shifted"] == "yes"
        assert about["warnings"] == 1
        assert about["wrong"][0] != about["right"][0] or about["wrong"][2] != about["right"][2]
