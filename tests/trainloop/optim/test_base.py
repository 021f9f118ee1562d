"""The base class by itself: what it leaves to the rules, and where it counts. Its duties: every_rule/."""

import inspect

import pytest
import torch

from trainloop.optim._base import Optimizer, new_step


def test_step_counter_stays_in_main_memory():
    # On an accelerator, reading t for the formula would wait for the device at every step.
    with torch.device("meta"):
        assert new_step().device.type == "cpu"


@pytest.mark.parametrize("method", ["check", "init_state", "update"])
def test_base_class_leaves_the_rule_to_its_subclasses(method):
    arguments = [None] * (len(inspect.signature(getattr(Optimizer, method)).parameters) - 1)
    with pytest.raises(NotImplementedError):
        getattr(Optimizer, method)(None, *arguments)
