"""What the pages of the schedules say they measured."""

from __future__ import annotations

import pytest
from examples_of import ExamplesOf
from torch.optim import lr_scheduler

import trainloop.schedulers
from courseware.bindings import document

results = ExamplesOf("schedules").results


def test_all_twenty_are_drawn_compared_and_described():
    names = set(trainloop.schedulers.__all__)
    assert {about["name"] for about in results("curves")["schedules"].values()} == names
    assert {row["name"] for row in results("facts")["rows"]} == names
    stems = set(results("curves")["schedules"])
    assert set(results("parity")["schedules"]) == set(results("facts")["schedules"]) == stems
    assert set(document("schedules", "curves")["figures"]) == stems | {"all"}
    assert len(names) == results("curves")["count"] == results("facts")["count"] == 20
    assert results("facts")["in_torch"] == 15


def test_parity_is_exact_where_torch_has_a_twin():
    for stem, about in results("parity")["schedules"].items():
        twin = hasattr(lr_scheduler, results("facts")["schedules"][stem]["name"])
        assert about["torch"] == (0 if twin else None), stem
        # A recursion rounds at every step; the cosine's the most, over 300 steps and three waves.
        assert about["function"] < 1e-11, stem
        assert about["steps"] >= 100


def test_facts():
    facts = results("facts")["schedules"]
    assert facts["cosine_annealing_lr"]["past_the_end"].startswith("rises again")
    assert facts["one_cycle_lr"]["past_the_end"] == "raises an error"
    for stem in ("polynomial_lr", "warmup_cosine_lr", "warmup_linear_lr", "warmup_polynomial_lr", "wsd_lr"):
        assert facts[stem]["past_the_end"] == "stays at 0"
    overwrite = {stem for stem, about in facts.items() if about["spares_others"] == "no"}
    assert overwrite == {
        "lambda_lr",
        "cosine_annealing_warm_restarts",
        "cyclic_lr",
        "one_cycle_lr",
        "sequential_lr",
    }
    assert facts["one_cycle_lr"]["begins"] == pytest.approx(1 / 25)
    assert all(facts[stem]["warms_up"] == "yes" for stem in facts if stem.startswith("warmup"))


def test_curves_say_what_they_show():
    found = results("curves")["schedules"]
    assert all(len(about["alt"]) > 100 for about in found.values())
    assert {stem for stem, about in found.items() if about["curves"][0]["momentum"]} == {"cyclic_lr", "one_cycle_lr"}
    wrong = [curve for about in found.values() for curve in about["curves"] if curve["wrong"]]
    assert len(wrong) == 3
    assert found["cosine_annealing_lr"]["curves"][0]["lr"][-1] > 0.4


def test_one_way_to_resume_is_right_for_all():
    wrong, of = results("resume")["wrong"], results("resume")["of"]
    assert of == {"ours": 20, "torch": 15}
    for word in ("ours", "torch"):
        assert wrong[word]["load_both"] == 0
        assert wrong[word]["load_the_scheduler_alone"] == of[word]
    assert wrong["torch"]["load_the_optimizer_then_build"] == 8
    assert results("resume")["highest"]["load_the_scheduler_alone"] <= 0.1 + 1e-12


def test_traps():
    traps = results("traps")
    assert traps["asked"]["get_last_lr"] == pytest.approx(0.1)
    assert traps["asked"]["get_lr"] == pytest.approx(0.01)
    assert traps["restarts_lowest"] == pytest.approx(0.232, abs=5e-4)
    assert traps["cosine_rebuilt"] == 0
    cycle = traps["one_cycle"]
    assert (cycle["beta_before"], cycle["beta_after"], cycle["one_call_more"]) == (0.9, 0.95, "ValueError")
    assert cycle["last"] == pytest.approx(4e-6)
    assert cycle["per_epoch_highest"] < 0.3
    assert traps["plateau_bad"] == 3
    assert traps["peaks"] == {"right": 1, "short": 2}
    chains = traps["chains"]
    assert (chains["cosine_top"], chains["cosine_second_top"]) == (0.5, pytest.approx(1.0))
    assert chains["restarts_first"] != chains["restarts_last"]
    assert chains["product"] < min(chains["restarts_first"], chains["restarts_last"])
    assert (chains["dead_highest"], chains["dead_at"]) == (pytest.approx(0.1), 0)
    assert traps["from_zero"] == 0
