"""What the page on layer-wise learning rates claims, and that its full-size run works: data, groups, resume."""

from __future__ import annotations

import pytest
import torch
import torchvision
from examples_of import ExamplesOf
from killed import start, was_killed
from lab_script import Death, at_full_size, definitions, full_size, train_and_die, write_images

from trainloop.param_groups import layerwise_lr_groups

NAME = "layer-wise-learning-rates"


@pytest.fixture(scope="module")
def results():
    return ExamplesOf("labs").results(NAME)


def test_every_treatment_has_as_many_rates_and_the_same_seeds(results):
    assert results["seeds"] >= 5
    assert len({len(one["lrs"]) for found in results["found"] for one in found.values()}) == 1
    for found in results["found"]:
        for one in found.values():
            assert len(one["tests"]) == results["seeds"]
            assert one["lr"] == one["lrs"][one["grid"].index(max(one["grid"]))]
        assert not found["uniform"]["at_edge"] and not found["layerwise"]["at_edge"]


def test_what_is_said_of_layer_wise_rates_follows_from_the_numbers(results):
    for row in results["rows"]:
        clear = abs(row["apart"]) > row["margin"]
        assert row["separable"] == (("layerwise" if row["apart"] > 0 else "uniform") if clear else "neither")
        assert row["apart"] == pytest.approx(100 * (row["layerwise"] - row["uniform"]), abs=1e-4)
        # The best rate moves up
        assert row["layerwise_lr"] > row["uniform_lr"]


def test_at_a_common_rate_either_is_ahead(results):
    uniform, layerwise = (results["found"][1][name] for name in ("uniform", "layerwise"))
    assert uniform["lrs"] == layerwise["lrs"]
    assert layerwise["grid"][1] < uniform["grid"][1]
    assert layerwise["grid"][3] > uniform["grid"][3]


def test_freezing_costs_more_the_more_there_is_to_learn_from(results):
    costs = [row["uniform"] - row["frozen"] for row in results["rows"]]
    assert 0 < costs[0] < costs[1] < costs[2]
    assert all(row["frozen"] < row["layerwise"] for row in results["rows"])


def test_near_the_input_little_moves_and_with_decay_less(results):
    for found in results["found"]:
        uniform, layerwise = (list(found[name]["moved"].values()) for name in ("uniform", "layerwise"))
        assert uniform[0] == min(uniform)
        assert layerwise == sorted(layerwise)
        assert layerwise[0] < uniform[0] / 2
        assert layerwise[-1] > uniform[-1]


def test_frozen_means_that_nothing_moves_but_the_head(results):
    for found in results["found"]:
        *blocks, head = found["frozen"]["moved"].values()
        assert blocks == [0.0] * len(blocks) and head > 0
        assert found["frozen"]["statistics"] == 0
    for row in results["trap"]:
        assert row["lost_weights"] == row["kept_statistics"] == 0
        assert row["lost_statistics"] > 0.05
    # Unfrozen, statistics move about as much with decay as without.
    middle = results["found"][1]
    assert middle["layerwise"]["statistics"] > 0.7 * middle["uniform"]["statistics"] > 0.1


def test_a_power_per_tensor_freezes_the_stem_and_costs_accuracy(results):
    found = results["per_tensor"]
    assert found["tensors"] == 14
    assert found["first"] == 0.5**13 and found["head"] == 0.5
    assert found["stem"] < 0.1 * results["found"][1]["layerwise"]["moved"]["stem"]
    assert found["apart"] < -found["margin"]


def test_pretraining_is_worth_something(results):
    assert results["base"] > 0.95
    assert results["scratch"]["mean"] < results["rows"][2]["uniform"]
    assert not results["scratch"]["at_edge"]


# The full-size run

SHORT = {"ROUNDS": 2, "STEPS": 2, "BATCH": 4}


def without_download():
    torch.manual_seed(0)
    return torchvision.models.resnet18(weights=None)


def test_full_size_groups_are_ten_blocks_of_resnet18(tmp_path):
    script = definitions(NAME, SETTING=full_size(tmp_path), BASE=without_download())
    model = script.new_head(0)
    assert model.fc.out_features == 10
    groups = script.groups_of("layerwise", model, 0.1)
    assert len(groups) == 10
    assert groups[0]["lr"] == pytest.approx(0.1 * 0.7**9) and groups[-1]["lr"] == 0.1
    assert script.moved(model, 0) == dict.fromkeys(script.moved(model, 0), 0.0)

    frozen = script.new_head(0)
    (head,) = script.groups_of("frozen", frozen, 0.1)
    assert head["name"] == "head" and len(head["params"]) == 2
    frozen.train()
    norms = [layer for layer in frozen.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    assert len(norms) == 20 and not any(layer.training for layer in norms)
    trapped = script.new_head(0)
    script.groups_of("trap", trapped, 0.1)
    assert all(layer.training for layer in trapped.train().modules())
    # 0.5 ** 61 is less than float32 can add to a weight
    names = [name for name, _ in model.named_parameters()]
    assert layerwise_lr_groups(model, 1.0, 0.5, blocks=names)[0]["lr"] == pytest.approx(4.3e-19, rel=0.02)


def test_full_size_data_are_enlarged_and_named(tmp_path):
    write_images(tmp_path / "data", each=60)
    script = at_full_size(NAME, tmp_path, **SHORT)
    assert script.data_name == "CIFAR-10, re-encoded as JPEG"
    x, y = script.few(3, seed=1)
    assert y.bincount().tolist() == [3] * 10
    assert not torch.equal(x, script.few(3, seed=2)[0])
    batches = script.Batches(x, y)
    seen = [(images.shape, len(labels)) for images, labels in batches]
    assert seen == [((4, 3, 224, 224), 4)] * 2 and len(batches) == 2
    on = script.InOrder(*script.DATA["test"])
    assert [len(labels) for _, labels in on] == [len(labels) for _, labels in on] == [20]


@pytest.mark.parametrize("treatment", ["layerwise", "frozen"])
def test_a_killed_full_size_run_goes_on_bit_for_bit(tmp_path, treatment):
    for folder in ("whole", "killed"):
        write_images(tmp_path / folder / "data", each=50)
    run = (treatment, 2, 0.1, 1)
    given = SHORT | {"BASE": without_download()}
    script = at_full_size(NAME, tmp_path / "whole", **given)
    model, curve = script.train(*run)
    assert len(curve) == 2

    assert was_killed(start(train_and_die, NAME, tmp_path / "killed", given, run, 3), timeout=240)
    script = at_full_size(NAME, tmp_path / "killed", **given)
    resumed, again = script.train(*run)
    assert again == curve
    for ours, theirs in zip(resumed.state_dict().values(), model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    script.train(*run, callbacks=[Death(0)])  # a finished run is not repeated
    shift = script.relative(script.statistics(resumed), script.statistics(script.BASE))
    assert (shift == 0) == (treatment == "frozen")
