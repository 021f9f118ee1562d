"""What the pages of the optimizers say they measured."""

from __future__ import annotations

import pytest
import torch
from examples_of import ExamplesOf

results = ExamplesOf("optimizers").results

# FACTS of the field: bytes of state for each float32 weight.
BYTES = {
    "sgd": 0, "momentum": 4, "adagrad": 4, "rmsprop": 4, "asgd": 4, "muon": 4, "lion": 4, "adam": 8, "adamw": 8,
    "adamax": 8, "nadam": 8, "radam": 8, "adadelta": 8, "rprop": 8, "adafactor": 0.008, "lbfgs": 88, "adam8bit": 2,
}  # fmt: skip


def test_parity_is_measured_for_all_fifteen_and_is_exact():
    found = results("parity")["rules"]
    names = {name for name in dir(torch.optim) if isinstance(getattr(torch.optim, name), type)} - {"Optimizer"}
    assert len(found) == 15 + 1, "SGD has a second row, with momentum"
    assert len(names) == 15
    assert all(about == {"float32": 0, "float64": 0} for about in found.values())


def test_state_is_what_the_rules_need():
    found = results("cost")["rules"]
    assert len(found) == 24 + 1
    for slug, expected in BYTES.items():
        assert found[slug]["bytes"] == pytest.approx(expected, rel=0.05, abs=1e-3), slug
    assert found["sgd"]["times"] == 1


def test_walks_end_lower_than_they_began():
    found = results("walks")["rules"]
    assert len(found) == 21
    for walks in found.values():
        for about in walks.values():
            assert len(about["path"]) == results("walks")["steps"] + 1
    # A rule that does not look at coordinates walks the turned ravine as the other one; Adam does not.
    assert found["sgd"]["turned"]["end"] == pytest.approx(found["sgd"]["ravine"]["end"], rel=1e-6)
    assert found["adam"]["turned"]["end"] != pytest.approx(found["adam"]["ravine"]["end"], rel=0.1)
