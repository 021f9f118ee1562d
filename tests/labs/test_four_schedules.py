"""What the experiment on four schedules claims, as comparisons of this build's own numbers.

If a claim fails here, the sentence in the experiment must change, not this file.
"""

from __future__ import annotations

import sys

import pytest
import torch
from examples_of import ExamplesOf

from courseware import percent
from courseware.labs import LABS
from trainloop import data
from trainloop.models import MLP

SCRIPT = LABS / "four-schedules.py"


@pytest.fixture(scope="module")
def results() -> dict:
    return ExamplesOf("labs").results("four-schedules")


def test_every_contestant_had_the_same_budget_and_room_on_both_sides(results):
    assert results["tuning_seeds"] >= 2
    assert results["seeds"] >= 5
    for found in results["schedules"].values():
        assert len(found["grid"]) == len(results["lrs"])
        assert len(found["accuracy"]["runs"]) == len(found["test_loss"]["runs"]) == results["seeds"]
        assert not found["at_edge"]
        assert found["lr"] == results["lrs"][found["grid"].index(max(found["grid"]))]


def test_the_rate_is_stepped_at_the_cadence_the_schedule_is_made_for(results):
    different = {name: len(set(found["curve"]["lr"])) for name, found in results["schedules"].items()}
    epochs, steps = results["epochs"], results["steps"]
    assert different["constant"] == 1
    assert different["step_decay"] == 3
    assert different["cosine"] == epochs
    assert different["one_cycle"] > 0.9 * min(steps, 300)
    assert different["plateau"] < epochs
    one_cycle = results["schedules"]["one_cycle"]
    assert max(one_cycle["curve"]["lr"]) == pytest.approx(one_cycle["lr"], rel=1e-3)


def test_pairs_are_counted_as_the_intervals_say(results):
    for measure, rows in results["pairs"].items():
        assert len(rows) == 10
        assert all(row["separable"] == (row["low"] > 0 or row["high"] < 0) for row in rows)
        assert results["separable"][measure] == sum(row["separable"] for row in rows)
    # "two things are larger than any difference in that table"
    largest = max(abs(row["gap"]) for row in results["pairs"]["accuracy"])
    assert largest < results["mistakes"]["one_cycle_per_epoch"]["cost"]["gap"]
    assert largest < results["schedules"]["constant"]["grid"][2] - results["schedules"]["constant"]["worst_rate"]


def test_the_constant_rate_grows_overconfident_not_worse(results):
    found = results["schedules"]["constant"]
    dip = found["val_loss"].index(min(found["val_loss"]))
    assert found["val_loss"][-1] > 1.05 * found["val_loss"][dip]
    assert found["val_accuracy"][-1] >= found["val_accuracy"][dip]
    assert found["train_loss"][-1] < 0.1


def test_one_cycle_bears_the_large_rate_and_is_not_the_most_accurate(results):
    schedules = results["schedules"]
    worst = {name: found["worst_rate"] for name, found in schedules.items()}
    assert worst.pop("one_cycle") > max(worst.values()) + 0.05
    assert schedules["one_cycle"]["accuracy"]["median"] < max(f["accuracy"]["median"] for f in schedules.values())


def test_one_cycle_stepped_per_epoch_stays_at_the_foot_of_its_climb(results):
    found, right = results["mistakes"]["one_cycle_per_epoch"], results["schedules"]["one_cycle"]
    assert found["curve"]["lr"][0] == pytest.approx(right["lr"] / 25, rel=1e-4)
    assert max(found["curve"]["lr"]) < 0.1 * right["lr"]
    assert found["cost"]["low"] > 0


def test_the_other_mistakes(results):
    step = results["mistakes"]["step_per_batch"]
    assert step["cost"]["low"] > 0.1  # "stands still"
    after = 3 * (results["epochs"] // 3)
    lr = results["schedules"]["step_decay"]["lr"]
    assert step["curve"]["lr"][after] == pytest.approx(lr / 1000, rel=1e-4)
    wave = results["mistakes"]["cosine_per_batch"]["curve"]["lr"]
    period = 2 * results["epochs"]
    assert wave[period] == pytest.approx(wave[0], rel=1e-3)
    assert wave[period // 2] == pytest.approx(0, abs=1e-6)
    late = results["mistakes"]["cosine_past_end"]["curve"]["lr"]
    assert min(late) == pytest.approx(0, abs=1e-6)
    assert late[-1] == pytest.approx(late[0], rel=1e-4)
    assert results["mistakes"]["cosine_past_end"]["cost"]["low"] > 0


def test_patience_two_drops_after_the_third_bad_loss(results):
    assert [row["lr"] for row in results["patience"]] == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1])
    assert results["counted"] == pytest.approx([0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2])


def test_one_call_per_epoch_can_be_right(results):
    assert results["coarse"]["cost"]["gap"] < results["mistakes"]["one_cycle_per_epoch"]["cost"]["gap"] / 2


# --- the path of --full, without the download and without a GPU ------------------------------------------


def definitions(monkeypatch, tmp_path, size: str) -> dict:
    """The script's names, up to its first training run."""
    monkeypatch.setattr(sys, "argv", ["four-schedules.py", size, "--device", "cpu", "--out", str(tmp_path)])
    code = [cell.source for cell in percent.cells(SCRIPT.read_text(encoding="utf-8")) if cell.is_code]
    first_run = next(i for i, source in enumerate(code) if "results = {" in source)
    names: dict = {}
    exec(compile("\n\n".join(code[:first_run]), str(SCRIPT), "exec"), names)
    return names


class Killed(Exception):
    pass


@pytest.fixture
def full(monkeypatch, tmp_path) -> dict:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(120, 3, 32, 32, generator=generator)
    classes = torch.arange(120) % 10
    tiny = data.Split(images[:100], classes[:100], images[100:], classes[100:])
    monkeypatch.setattr(data, "find_cifar10", lambda root: (tiny, "noise"))
    return definitions(monkeypatch, tmp_path, "--full")


def test_full_size_normalises_and_augments_colour_images(full):
    x, _ = full["X"], full["Y"]
    assert len(x) == 90 and len(full["VALIDATION"][0]) == 10 and len(full["TEST"][0]) == 20
    assert x.mean(dim=(0, 2, 3)).abs().max() < 0.1
    assert x.std(dim=(0, 2, 3)).sub(1).abs().max() < 0.1
    augment = full["ShiftAndMirror"]()
    moved = augment(x)
    assert moved.shape == x.shape and not torch.equal(moved, x)
    assert torch.equal(augment.eval()(x), x)
    # Every moved image is a window of the padded one, or of its mirror image.
    padded = torch.nn.functional.pad(x, (4, 4, 4, 4))
    for image, result in zip(padded[:8], moved[:8], strict=True):
        windows = [image[:, i : i + 32, j : j + 32] for i in range(9) for j in range(9)]
        assert any(torch.equal(result, w) or torch.equal(result, w.flip(2)) for w in windows)
    assert full["network"](0)(x[:2]).shape == (2, 10)


def test_killed_run_goes_on_from_its_checkpoint(full, tmp_path):
    """With a small network in ResNet-18's place: what is tested is the script's run, not the network."""
    full["network"] = lambda seed: torch.manual_seed(seed) and MLP([3 * 32 * 32, 8, 10])
    full["BATCH"] = 30
    for name, (make, cadence) in full["CONTESTANTS"].items():
        steps = 3 * 2  # an epoch has three batches
        full["EPOCHS"], full["STEPS"] = 2, steps
        if name == "step_decay":
            continue  # two epochs have no third
        whole, history = full["train"](make, cadence, 0.1, 0, f"{name}-whole", epochs=2)

        def killing(optimizer, lr, make=make):
            optimizer.register_step_post_hook(counter)
            return make(optimizer, lr)

        calls = []

        def counter(*_, calls=calls):
            calls.append(1)
            if len(calls) == 5:
                raise Killed

        with pytest.raises(Killed):
            full["train"](killing, cadence, 0.1, 0, f"{name}-killed", epochs=2)
        resumed, again = full["train"](make, cadence, 0.1, 0, f"{name}-killed", epochs=2)
        assert again.loss == history.loss
        assert again.lr == history.lr
        for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
            assert torch.equal(a, b)
