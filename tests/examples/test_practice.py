"""What the chapter's page on practice claims, as comparisons of this build's own numbers.

If a claim fails here, the sentence on the page must change, not this file.
"""

from __future__ import annotations

import pytest
import torch
from examples_of import ExamplesOf

EXAMPLES = ExamplesOf("practice")
results, script = EXAMPLES.results, EXAMPLES.script


def rows(example: str, key: str = "rows", by: str = "name") -> dict[str, dict]:
    return {row[by]: row for row in results(example)[key]}


# --- finding a learning rate --------------------------------------------------------------------------


def test_a_tenth_of_any_suggestion_is_worse_in_every_start():
    for row in rows("lr_finder").values():
        assert row["better 0.1"] == 0
        assert row["times 0.1"] > row["times 1"]


def test_two_readings_of_one_sweep_err_in_opposite_directions():
    found = rows("lr_finder")
    assert found["steepest"]["least"] > 5 * found["valley"]["most"]
    assert found["steepest"]["times 3"] > 0.9 * results("lr_finder")["restored"]["guessing"]
    assert found["valley"]["better 3"] == results("lr_finder")["seeds"]


def test_a_longer_sweep_suggests_a_lower_rate():
    found = rows("lr_finder")
    assert found["steepest, longer"]["most"] < 0.6 * found["steepest"]["least"]


def test_only_copies_put_the_network_back():
    restored = results("lr_finder")["restored"]
    assert restored["ours"]["moved"] == 0
    assert restored["shallow"]["moved"] > 0.5
    assert restored["shallow"]["loss"] > 2 * restored["guessing"]


def test_the_best_rate_is_inside_the_grid():
    found = results("lr_finder")
    assert found["grid"][0]["lr"] < found["best"]["lr"] < found["grid"][-1]["lr"]


# --- clipping -----------------------------------------------------------------------------------------


def test_without_clipping_none_learns_and_with_any_all_do():
    found = rows("clipping")
    seeds = results("clipping")["seeds"]
    assert found["not clipped"]["learned"] == 0
    assert found["not clipped"]["blew_up"] < seeds
    assert found["not clipped"]["first_three"] > 20 * found["not clipped"]["soon_after"]
    assert all(row["learned"] == seeds for name, row in found.items() if name != "not clipped")


def test_the_norm_keeps_the_direction_and_the_other_two_turn_it():
    found = rows("clipping")
    assert found["by norm, to 1"]["lowest_cosine"] == pytest.approx(1, abs=1e-9)
    assert found["by norm, to 1"]["highest_after"] <= 1 + 1e-5
    assert found["by norm, to 1"]["acted"] > 99
    assert 40 < found["by value"]["angle"] < found["adaptive, factor 0.02"]["angle"] < 90


def test_a_bound_per_entry_bounds_the_norm():
    assert rows("clipping")["by value"]["highest_after"] <= 1 + 1e-5


# --- accumulation -------------------------------------------------------------------------------------


def test_by_samples_is_exact_but_for_batchnorm():
    for name, row in rows("accumulation").items():
        assert (row["exact"] < 1e-13) == ("BatchNorm" not in name)
    assert rows("accumulation")["4 of 32, with BatchNorm"]["exact"] > 0.1


def test_the_recipe_is_exact_for_equal_parts_only():
    found = rows("accumulation")
    assert found["4 of 32"]["naive"] < 1e-11
    assert found["32, 32, 32, 8"]["naive"] > 10
    assert found["texts, by tokens"]["naive"] > 50


def test_the_last_window_makes_a_quarter_of_a_step():
    found = results("accumulation")
    assert found["micro_batches_left"] == 1
    assert found["rows"][2]["length"] == pytest.approx(0.25, abs=1e-12)
    assert found["rows"][2]["cosine"] == pytest.approx(1, abs=1e-12)


def test_no_two_windows_of_texts_weigh_alike_by_chance():
    tokens = results("accumulation")["tokens"]
    assert sum(tokens) == 12 + 12 + 2 + 2 + 3 + 1 + 2 + 1
    assert max(tokens) > 5 * min(tokens)


# --- mixed precision ----------------------------------------------------------------------------------


def test_float16_loses_what_lies_below_its_smallest_number():
    smallest = torch.finfo(torch.float16).smallest_normal * torch.finfo(torch.float16).eps
    kept = torch.tensor([smallest, smallest / 4]).half()
    assert (kept > 0).tolist() == [True, False]


def test_training_loses_more_entries_and_the_factor_saves_most():
    lost = results("underflow")["lost"]
    assert lost["1"][-1] > lost["1"][0] + 1
    assert lost["65,536"][-1] < lost["256"][-1] < lost["1"][-1] / 2
    assert results("underflow")["overflows_at_start"] > 16


def test_autocast_keeps_up_and_bfloat16_weights_do_not():
    found = rows("precision", by="way")
    for way in ("bfloat16", "float16, unscaled", "float16, scaled"):
        assert found[way]["apart"] < 2
    assert found["bfloat16 weights"]["worse"] == results("precision")["seeds"]
    assert found["bfloat16 weights"]["loss"] > 1.1 * found["float32"]["loss"]


def test_where_each_way_fails_when_gradients_get_small():
    found = results("precision")
    works = {
        way: [k for k, loss in zip(found["powers"], ends, strict=True) if loss is not None and loss < 0.2]
        for way, ends in found["small"].items()
    }
    assert works["float32"] == works["bfloat16"] == found["powers"]
    assert max(works["float16, unscaled"]) + 16 == max(works["float16, scaled"])
    assert max(works["float16, unscaled"]) < 16


def test_small_rates_leave_bfloat16_weights_where_they_are():
    stuck = [row["stuck"] for row in results("precision")["stuck"]]
    assert stuck == sorted(stuck)
    assert stuck[0] < 1 and stuck[-1] > 80


# --- the order of the calls ---------------------------------------------------------------------------


def test_three_orders_are_refused_one_is_warned_about_three_are_silent():
    said = {name: row["said"].split(":")[0] for name, row in rows("order").items()}
    assert said == {
        "in order": "nothing",
        "clip before unscale_": "nothing",
        "clip before backward": "nothing",
        "clip after step": "nothing",
        "scheduler before step": "UserWarning",
        "update forgotten": "RuntimeError",
        "unscale_ per micro-batch": "RuntimeError",
        "zero_grad after backward": "AssertionError",
    }


def test_what_the_silent_orders_cost():
    found, guessing = rows("order"), results("order")["guessing"]
    assert found["in order"]["worst"] < 0.3
    assert found["clip before unscale_"]["loss"] == pytest.approx(guessing, abs=0.1)
    assert found["clip after step"]["loss"] > 5 * found["in order"]["worst"]
    assert results("order")["same_as_after"]


def test_clipping_before_unscaling_makes_the_step_65536_times_shorter():
    module = script("order")
    lengths = []
    for step in (module.right, module.clip_before_unscale):
        run = module.Run(0)
        before = [p.detach().clone() for p in run.model.parameters()]
        step(run)
        moved = [(p - b).norm() for p, b in zip(run.model.parameters(), before, strict=True)]
        lengths.append(torch.stack(moved).norm().item())
    # Steps this short are hardly more than float32 can add to a weight: hence the tolerance.
    assert lengths[0] / lengths[1] > 1000


def test_left_out_steps_count_for_the_schedule():
    skipped = results("order")["skipped"]
    assert skipped["left_out"] > 10
    assert skipped["counted"] == skipped["steps"]
    assert "before `optimizer.step()`" in skipped["warned"]


# --- parameter groups ---------------------------------------------------------------------------------


def test_what_decays_keeps_what_the_paper_says():
    found = results("groups")
    for row in found["kept"]:
        decays = row["kind"] in ("matrix", "embedding")
        assert row["all"] == pytest.approx(found["paper"], rel=1e-4)
        assert row["split"] == pytest.approx(found["paper"] if decays else 1, rel=1e-4)


def test_groups_hold_every_parameter_once():
    from trainloop.models import CharTransformer

    model = CharTransformer(100, context=32, width=32, heads=2, depth=2)
    groups = results("groups")["groups"]
    assert sum(g["parameters"] for g in groups) == sum(p.numel() for p in model.parameters())


def test_at_small_decays_the_split_shows_no_gain():
    *small, largest = results("groups")["trained"]
    assert not any(row["separable"] and row["gap"] < 0 for row in small)
    assert all(largest[name] > row[name] for row in small for name in ("split", "all"))


def test_a_power_per_block_and_a_power_per_tensor():
    found = results("rates")
    for k, row in enumerate(found["rows"]):
        assert row["lr"] == pytest.approx(found["lr"] * found["decay"] ** (len(found["rows"]) - 1 - k))
        assert row["least"] <= row["most"] <= row["lr"] * (1 + 1e-9)
    assert found["lowest"] == pytest.approx(found["lr"] * found["decay"] ** (found["tensors"] - 1))
    assert found["ratio"] > 1e5
    assert {row["tensors"] for row in found["rows"][1:-1]} == {12}
