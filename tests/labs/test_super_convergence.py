"""What the page on super-convergence claims, and that its full-size run works: data, speed, resume."""

from __future__ import annotations

import math

import pytest
import torch
from examples_of import ExamplesOf
from killed import start, was_killed
from lab_script import Death, at_full_size, definitions, full_size, train_and_die, write_images

NAME = "super-convergence"


@pytest.fixture(scope="module")
def results():
    return ExamplesOf("labs").results(NAME)


def test_one_cycle_lr_does_what_the_page_says(results):
    cycle = results["cycle"]
    assert cycle["initial"] == pytest.approx(cycle["max_lr"] / 25)
    assert cycle["final"] == pytest.approx(cycle["max_lr"] / 25 / 1e4)
    assert [cycle["momentum"][key] for key in ("first", "least", "last")] == pytest.approx([0.95, 0.85, 0.95], abs=1e-3)
    assert cycle["peak_at"] == pytest.approx(0.3 * results["steps"] - 1, abs=1)
    assert cycle["refused"] == (
        f"Tried to step {results['steps'] + 1} times. The specified number of total steps is {results['steps']}"
    )


def test_every_schedule_has_the_same_grid_and_seeds(results):
    assert results["seeds"] >= 5
    for found in (*results["schedules"].values(), results["long"]):
        assert len(found["grid"]) == len(results["lrs"])
        assert len(found["tests"]) == results["seeds"]
        assert found["lr"] == results["lrs"][found["grid"].index(max(found["grid"]))]
        assert not found["at_edge"]


def test_the_cycle_bears_a_rate_at_which_the_others_break_down(results):
    high = {name: found["grid"][3] for name, found in results["schedules"].items()}
    best = {name: max(found["grid"]) for name, found in results["schedules"].items()}
    assert high["one_cycle"] > 0.9
    for name in ("constant", "cosine"):
        assert high["one_cycle"] > high[name] + 0.05
        assert best[name] > high[name] + 0.05


def test_schedules_that_end_near_zero_beat_a_constant_rate(results):
    means = {name: found["mean"] for name, found in results["schedules"].items()}
    assert means["constant"] < min(means["cosine"], means["one_cycle"])
    # The summary: the cycle does not profit from the rate that it bears.
    assert results["separable"]["cosine"] in ("cosine", "neither")


def test_there_is_no_factor_of_eight(results):
    long = results["long"]
    assert long["reached"] is None or results["epochs"] <= long["reached"] <= long["epochs"]
    assert long["mean"] > results["schedules"]["constant"]["mean"]
    if long["reached"] is not None:
        assert long["curve"]["median"][long["reached"] - 1] >= long["target"]
        assert long["factor"] == long["reached"] / results["epochs"] < 8


def test_the_range_tests_rate_is_usable(results):
    readings = results["range"]["readings"].values()
    assert results["found"]["lr"] == max(readings) < results["range"]["lowest"]
    assert max(readings) > 1.5 * min(readings)
    assert results["found"]["validation"] > max(results["schedules"]["one_cycle"]["grid"]) - 0.03


def test_once_per_epoch_never_leaves_the_warm_up(results):
    stepped = results["per_epoch"]
    assert stepped["highest"] == pytest.approx(stepped["on_paper"], rel=1e-9)
    assert stepped["highest"] < 0.15 * results["schedules"]["one_cycle"]["lr"]
    assert stepped["mean"] < results["schedules"]["one_cycle"]["mean"] - 0.02


def test_the_momentum_answer_follows_from_its_numbers(results):
    found = results["momentum"]
    assert (found["clear"] == "yes") == (abs(found["gap"]) > found["margin"])
    assert abs(found["gap"]) < 0.02


# The full-size run


# Two epochs of two steps
SHORT = {"EPOCHS": 2, "BATCH": 25}


def test_a_folder_of_jpegs_takes_cifars_place_and_is_named(tmp_path):
    write_images(tmp_path / "data")
    script = at_full_size(NAME, tmp_path, **SHORT)
    assert script.data_name == "CIFAR-10, re-encoded as JPEG"
    x, y = script.DATA["train"]
    assert x.shape == (50, 3, 32, 32) and y.bincount().tolist() == [5] * 10
    assert len(script.DATA["validation"][0]) == 10 and len(script.DATA["test"][0]) == 20
    assert torch.allclose(x.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(x.std(dim=(0, 2, 3)), torch.ones(3), atol=1e-3)


def test_batches_are_crops_and_flips_of_the_padded_images(tmp_path):
    script = definitions(NAME, SETTING=full_size(tmp_path))
    x = torch.randn(6, 3, 8, 8)
    batches = script.Batches(x, torch.arange(6), 3, seed=0, pad=2, flip=True)
    padded = torch.nn.functional.pad(x, (2,) * 4, mode="reflect")
    torch.manual_seed(0)
    flips = 0
    for moved, y in batches:
        assert moved.is_contiguous(memory_format=torch.channels_last)
        for image, label in zip(moved, y.tolist(), strict=True):
            crops = [(padded[label, :, i : i + 8, j : j + 8], (i, j)) for i in range(5) for j in range(5)]
            plain = any(torch.equal(image, crop) for crop, _ in crops)
            flipped = any(torch.equal(image, crop.flip(2)) for crop, _ in crops)
            assert plain or flipped
            flips += flipped
    assert 0 < flips < 6
    assert len(batches) == 2


def test_a_killed_full_size_run_goes_on_bit_for_bit(tmp_path):
    for folder in ("whole", "killed"):
        write_images(tmp_path / folder / "data")
    script = at_full_size(NAME, tmp_path / "whole", **SHORT)
    model, history = script.train("one_cycle", 0.1, 1)
    assert len(history.loss) == 4 and all(map(math.isfinite, history.loss))
    assert [set(epoch) for epoch in history.validation] == [{"loss", "accuracy"}] * 2

    run = ("one_cycle", 0.1, 1)
    assert was_killed(start(train_and_die, NAME, tmp_path / "killed", SHORT, run, 3), timeout=240)
    script = at_full_size(NAME, tmp_path / "killed", **SHORT)
    resumed, again = script.train("one_cycle", 0.1, 1)
    assert again.loss == history.loss and again.lr == history.lr
    for ours, theirs in zip(resumed.state_dict().values(), model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert 0 <= script.on_test(resumed) <= 1

    # Started once more, a finished run is not repeated.
    _, done = script.train("one_cycle", 0.1, 1, callbacks=[Death(0)])
    assert done.loss == history.loss
