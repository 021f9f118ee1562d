"""The size of a run, figures with words, comparisons at equal budget."""

from __future__ import annotations

import base64
import builtins
import math
import sys
from pathlib import Path

import IPython.display
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_rel

from trainloop import lab
from trainloop.lab import VARIABLE, Shown, Sweep, paired, setting, show, spread, sweep

PNG = b"\x89PNG\r\n"


@pytest.fixture
def command_line(monkeypatch):
    """Set what a script finds on its command line."""

    def given(*options: str) -> None:
        monkeypatch.setattr(sys, "argv", ["lab.py", *options])

    given()
    return given


@pytest.fixture
def notebook(monkeypatch):
    """As inside IPython; what is displayed is put into the list."""
    shown: list[object] = []
    monkeypatch.setattr(builtins, "get_ipython", lambda: None, raising=False)
    monkeypatch.setattr(IPython.display, "display", shown.append)
    return shown


@pytest.fixture(autouse=True)
def _svg_backend():
    backend = mpl.get_backend()
    plt.switch_backend("agg")
    yield
    plt.switch_backend(backend)


def draw_line(results):
    figure, ax = plt.subplots()
    ax.plot([0, results["end"]])
    return figure


def test_a_script_is_small_on_the_cpu_unless_told(command_line):
    found = setting()
    assert (found.size, found.device.type, found.data, found.out) == ("small", "cpu", Path("data"), Path("lab-runs"))
    assert not found.full
    assert found.pick(quick=1, small=2, full=3) == 2


@pytest.mark.parametrize(("option", "size", "picked"), [("--quick", "quick", 1), ("--full", "full", 3)])
def test_options_choose_the_size(command_line, option, size, picked):
    command_line(option, "--device", "cpu", "--data", "d", "--out", "o")
    found = setting("small")
    assert (found.size, found.data, found.out) == (size, Path("d"), Path("o"))
    assert found.full == (size == "full")
    assert found.pick(quick=1, small=2, full=3) == picked


@pytest.mark.parametrize("options", [("--quick", "--full"), ("--fulll",), ("--ful",), ("--device", "toaster")])
def test_wrong_options_end_the_script(command_line, options, capsys):
    command_line(*options)
    with pytest.raises(SystemExit):
        setting()
    assert "usage" in capsys.readouterr().err


def test_a_full_run_takes_the_accelerator(command_line, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: torch.device("cuda"))
    command_line("--full")
    assert setting().device == torch.device("cuda")
    command_line()
    assert setting().device == torch.device("cpu")
    command_line("--full")
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: None)
    assert setting().device == torch.device("cpu")


def test_a_notebook_reads_the_variable_and_not_the_kernels_command_line(command_line, notebook, monkeypatch):
    command_line("-f", "kernel-123.json")
    assert setting("full").size == "full"
    monkeypatch.setenv(VARIABLE, "--quick --out 'my runs'")
    found = setting("full")
    assert (found.size, found.out) == ("quick", Path("my runs"))


def test_an_unknown_size_is_refused():
    with pytest.raises(ValueError, match="'huge'"):
        setting("huge")


def test_show_in_a_notebook(notebook):
    show(draw_line, {"end": 2.0}, alt=lambda r: f"up to {r['end']}", caption="a line")
    (shown,) = notebook
    assert isinstance(shown, Shown)
    assert shown.name == "line"
    data, metadata = shown._repr_mimebundle_(include=None, exclude=None)
    assert data["text/plain"] == "up to 2.0"
    assert base64.b64decode(data["image/png"]).startswith(PNG)
    assert metadata == {"image/png": {"alt": "up to 2.0"}}
    assert shown.words("alt", {"end": 3.0}) == "up to 3.0"
    assert shown.words("caption") == "a line"
    assert not plt.get_fignums()


def test_show_in_a_script(command_line, tmp_path, capsys, monkeypatch):
    command_line("--out", str(tmp_path / "runs"))
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/somewhere/my-lab.py", raising=False)
    show(draw_line, {"end": 2.0}, alt="a line")
    (file,) = (tmp_path / "runs").iterdir()
    assert file.name == "my-lab.line.png"
    assert file.read_bytes().startswith(PNG)
    assert "a line" in capsys.readouterr().out


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_spread_is_numpys_quantiles(values):
    found = spread(values)
    low, median, high = np.quantile(values, [0.1, 0.5, 0.9])
    assert found == pytest.approx({"median": median, "low": low, "high": high}, rel=1e-9, abs=1e-6)
    assert found["low"] <= found["median"] <= found["high"]


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_spread_refuses_what_has_none(values):
    with pytest.raises(ValueError, match="finite"):
        spread(values)


SCORES = st.floats(-100, 100, allow_subnormal=False)


@given(st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=12), st.integers(1, 20))
def test_paired_is_scipys_paired_test(pairs, comparisons):
    first, second = map(list, zip(*pairs, strict=True))
    gaps = np.subtract(first, second)
    found = paired(first, second, comparisons=comparisons)
    assert found["gap"] == pytest.approx(gaps.mean(), abs=1e-9)
    assert (found["low"], found["high"]) == (found["gap"] - found["margin"], found["gap"] + found["margin"])
    assert found["separable"] == (found["low"] > 0 or found["high"] < 0)
    if gaps.std() > 1e-6:
        test = ttest_rel(first, second)
        interval = test.confidence_interval(1 - 0.05 / comparisons)
        assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-6)


def test_paired_ignores_what_a_seed_does_to_both():
    seeds = [0.0, 10.0, -4.0, 7.0]
    found = paired([0.1 + seed for seed in seeds], [0.2 + seed for seed in seeds])
    assert found["gap"] == pytest.approx(-0.1)
    assert found["margin"] == pytest.approx(0, abs=1e-12)
    assert found["separable"]


@pytest.mark.parametrize(
    ("first", "second", "comparisons", "complaint"),
    [
        ([1.0, 2.0], [1.0], 1, "got 2 and 1"),
        ([1.0], [1.0], 1, "at least 2"),
        ([1.0, math.nan], [1.0, 2.0], 1, "must be finite"),
        ([1.0, 2.0], [1.0, math.inf], 1, "must be finite"),
        ([1.0, 2.0], [1.0, 2.0], 0, "comparisons must be >= 1, got 0"),
    ],
)
def test_paired_refuses(first, second, comparisons, complaint):
    with pytest.raises(ValueError, match=complaint):
        paired(first, second, comparisons=comparisons)


def test_paired_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    with pytest.raises(ImportError, match="pip install scipy"):
        paired([1.0, 2.0], [2.0, 3.0])


def test_sweep_takes_the_rate_with_the_best_median():
    tried = []

    def train(lr, seed):
        tried.append((lr, seed))
        # One lucky run at 1.0 does not make up for two bad ones.
        return {0.1: [3.0, 3.0, 3.0], 0.5: [2.0, 2.5, 9.0], 1.0: [0.1, 8.0, 8.0]}[lr][seed]

    found = sweep(train, [0.1, 0.5, 1.0], [0, 1, 2])
    assert found.best == 0.5
    assert not found.at_edge
    assert found.median(0.5) == 2.5
    assert tried == [(lr, seed) for lr in (0.1, 0.5, 1.0) for seed in (0, 1, 2)]
    assert sweep(train, [0.1, 0.5, 1.0], [0, 1, 2], higher_is_better=True).best == 1.0


def test_a_diverged_run_is_the_worst():
    found = sweep(lambda lr, seed: math.nan if lr > 0.5 and seed else 1 / lr, [0.1, 0.5, 1.0], [0, 1, 2])
    assert found.best == 0.5
    assert found.scores[1.0] == [1.0, None, None]
    assert found.median(1.0) is None
    accuracies = Sweep({0.1: [0.2, 0.3, None], 0.2: [0.9, None, None]}, higher_is_better=True)
    assert accuracies.best == 0.1
    assert accuracies.median(0.1) == 0.2


def test_the_edge_of_the_grid():
    assert sweep(lambda lr, seed: -lr, [0.1, 0.5, 1.0], [0]).at_edge
    assert sweep(lambda lr, seed: lr, [0.1, 0.5, 1.0], [0]).at_edge


@pytest.mark.parametrize(
    ("lrs", "seeds", "match"),
    [([], [0], "empty"), ([0.1], [], "empty"), ([0.1, 0.1], [0], "differ"), ([0.1, 0.0], [0], "positive")],
)
def test_sweep_refuses(lrs, seeds, match):
    with pytest.raises(ValueError, match=match):
        sweep(lambda lr, seed: lr, lrs, seeds)


def test_nothing_converged():
    with pytest.raises(ValueError, match="diverged"):
        sweep(lambda lr, seed: math.inf, [0.1, 1.0], [0, 1])


def test_what_is_exported():
    assert {name for name in lab.__all__ if not hasattr(lab, name)} == set()
