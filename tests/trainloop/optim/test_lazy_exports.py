"""The package imports an optimizer when it is asked for, and only that one's file."""

import subprocess
import sys

import pytest

import trainloop.optim


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_the_package_does_not_import_torch():
    assert run_python("import sys, trainloop.optim; print('torch' in sys.modules)") == "False\n"


def test_importing_one_optimizer_reads_only_its_file():
    code = """
import sys
from trainloop.optim import SGD
print(*sorted(name for name in sys.modules if name.startswith("trainloop")))
"""
    assert run_python(code).split() == [
        "trainloop",
        "trainloop.optim",
        "trainloop.optim._base",
        "trainloop.optim._compile",
        "trainloop.optim._jobs",
        "trainloop.optim._lists",
        "trainloop.optim.sgd",
    ]


def test_every_name_is_found_and_listed():
    assert len(trainloop.optim.__all__) == len(set(trainloop.optim.__all__))
    for name in trainloop.optim.__all__:
        assert getattr(trainloop.optim, name).__name__ == name
        assert getattr(trainloop.optim, name) is getattr(trainloop.optim, name)
        assert name in dir(trainloop.optim)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'trainloop.optim' has no attribute 'Sgd'$"):
        trainloop.optim.Sgd  # noqa: B018 - the look-up itself is what fails
