"""The package imports a scheduler when it is asked for, and only the files it needs."""

import re
import subprocess
import sys

import pytest
import torch

import trainloop.schedulers
from trainloop.schedulers import _base


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_the_package_does_not_import_torch():
    assert run_python("import sys, trainloop.schedulers; print('torch' in sys.modules)") == "False\n"


def test_importing_one_scheduler_reads_only_its_file():
    code = """
import sys
from trainloop.schedulers import StepLR
print(*sorted(name for name in sys.modules if name.startswith("trainloop")))
"""
    assert run_python(code).split() == [
        "trainloop",
        "trainloop.schedulers",
        "trainloop.schedulers._base",
        "trainloop.schedulers.step_lr",
    ]


def test_every_name_is_found_and_listed():
    assert len(trainloop.schedulers.__all__) == len(set(trainloop.schedulers.__all__)) == 20
    for name in trainloop.schedulers.__all__:
        scheduler = getattr(trainloop.schedulers, name)
        assert scheduler.__name__ == name
        assert scheduler is getattr(trainloop.schedulers, name)
        assert issubclass(scheduler, _base.Scheduler)
        assert name in dir(trainloop.schedulers)


def test_torchs_schedulers_are_all_here():
    torchs = set(torch.optim.lr_scheduler.__all__) - {"LRScheduler"}
    assert len(torchs) == 15
    assert torchs <= set(trainloop.schedulers.__all__)


def test_every_file_is_the_class_name_in_words():
    for name in trainloop.schedulers.__all__:
        file = getattr(trainloop.schedulers, name).__module__.rpartition(".")[2]
        assert file.replace("_", "") == name.lower()
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", file)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'trainloop.schedulers' has no attribute 'StepLr'$"):
        trainloop.schedulers.StepLr  # noqa: B018 - the look-up itself is what fails
