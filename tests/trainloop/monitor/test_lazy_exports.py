"""The package imports a name when it is asked for, and only the files it needs."""

import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

import trainloop.monitor


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("grad_norms", ["monitor._names", "monitor._numbers", "monitor.gradients", "parallel"]),
        ("UpdateRatios", ["monitor._hooks", "monitor._numbers", "monitor.updates", "parallel"]),
        ("dead_units", ["monitor._hooks", "monitor._names", "monitor.units"]),
        ("NonFiniteWatch", ["monitor._hooks", "monitor._names", "monitor._tensors", "monitor.non_finite"]),
        ("Monitor", ["clip", "monitor._hooks", "monitor._numbers", "monitor.records", "monitor.updates", "parallel"]),
    ],
)
def test_importing_one_name_reads_only_its_files(name, files):
    code = f"""
import sys
import trainloop.monitor
assert "torch" not in sys.modules
from trainloop.monitor import {name}
print(*sorted(name for name in sys.modules if name.startswith("trainloop.")))
"""
    assert run_python(code).split() == sorted(["trainloop.monitor", *(f"trainloop.{file}" for file in files)])


def test_every_name_is_found_and_listed():
    files = [file.name for file in pkgutil.iter_modules(trainloop.monitor.__path__) if not file.name.startswith("_")]
    for file in files:
        module = import_module(f"trainloop.monitor.{file}")
        for name in module.__all__:
            assert getattr(trainloop.monitor, name) is getattr(module, name)
            assert name in dir(trainloop.monitor)
    names = [name for file in files for name in import_module(f"trainloop.monitor.{file}").__all__]
    assert sorted(names) == sorted(trainloop.monitor.__all__)
    assert not {*names} & {*files}  # importing such a file would hide the name


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'trainloop.monitor' has no attribute 'monitor'$"):
        trainloop.monitor.monitor  # noqa: B018 - the look-up itself is what fails
