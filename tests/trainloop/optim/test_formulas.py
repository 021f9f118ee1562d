"""Every optimizer's formula: what its docstring shows, line by line, is what its code computes.

The lines lie in tests/support/formulas, a file for each rule, each beside the Python that says the same.
"""

from dataclasses import replace

import pytest
import torch
from formulas import FORMULAS
from formulas._formula import Formula, assignments, check_lines, check_options, check_values, displayed

import trainloop.optim

ALL = pytest.mark.parametrize("rule", FORMULAS)


def test_every_optimizer_has_its_formula():
    assert {formula.optimizer.__name__ for formula in FORMULAS.values()} == set(trainloop.optim.__all__)
    for rule, formula in FORMULAS.items():
        assert formula.optimizer.__module__ == f"trainloop.optim.{rule}"


@ALL
def test_docstring_shows_the_lines(rule):
    check_lines(FORMULAS[rule])


@ALL
def test_lines_use_every_option(rule):
    check_options(FORMULAS[rule])


@ALL
def test_optimizer_computes_what_the_lines_compute(rule):
    formula = FORMULAS[rule]
    assert formula.steps >= 20
    for options in formula.options:
        check_values(formula, options)


# --- The checks can fail ----------------------------------------------------------------------------


class Halving(torch.optim.Optimizer):
    r"""A rule for these tests.

    $$
    \begin{aligned}
    g_t &= \nabla L(\theta_{t-1}) \\
    \theta_t &= \begin{cases}
        \theta_{t-1} / 2 - \eta\,g_t & \text{if brave} \\
        \theta_{t-1} / 2 & \text{otherwise}
        \end{cases}
    \end{aligned}
    $$

    Cautious, it waits.

    Args:
        lr: $\eta$.
    """

    def __init__(self, params, lr=0.1, brave=True):
        super().__init__(params, {"lr": lr, "brave": brave})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.mul_(0.5).add_(p.grad, alpha=-group["lr"] * group["brave"])


HALVING = Formula(
    optimizer=Halving,
    symbols={"lr": "η", "brave": "brave"},
    lines={
        r"g_t = \nabla L(\theta_{t-1})": "g = grad(θ)",
        r"\theta_t = \begin{cases} \theta_{t-1} / 2 - \eta\,g_t & \text{if brave} \\"
        r" \theta_{t-1} / 2 & \text{otherwise} \end{cases}": "θ = θ / 2 - (η * g if brave else 0)",
    },
    said={"Cautious, it waits": "if brave else 0"},
    options=[{"lr": 0.1, "brave": brave} for brave in (True, False)],
)
"""Its formula, which is right."""


def check(formula):
    check_lines(formula)
    check_options(formula)
    for options in formula.options:
        check_values(formula, options)


def documented(docstring):
    return type("Halving", (Halving,), {"__doc__": docstring})


def test_a_right_formula_passes():
    check(HALVING)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        (r"\eta\,g_t", r"2\eta\,g_t", "the lines paired with Python differ"),
        (r"g_t &= \nabla L(\theta_{t-1}) \\", "", "the lines paired with Python differ"),
        ("it waits", "it rests", "no longer says"),
        ("it waits.", r"it waits. Then $\eta_t = \eta / t$.", "is paired with no Python"),
    ],
)
def test_a_changed_docstring_fails(before, after, complaint):
    assert before in Halving.__doc__
    changed = replace(HALVING, optimizer=documented(Halving.__doc__.replace(before, after)))
    with pytest.raises(AssertionError, match=complaint):
        check(changed)


@pytest.mark.parametrize("factor", [0.5 + 1e-9, 0.4])
def test_changed_code_fails(factor):
    class Changed(Halving):
        __doc__ = Halving.__doc__

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    p.mul_(factor).add_(p.grad, alpha=-group["lr"] * group["brave"])

    with pytest.raises(AssertionError, match=r"after step 1 with \{'lr': 0.1, 'brave': True\}"):
        check(replace(HALVING, optimizer=Changed))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"symbols": {"lr": "η"}}, "brave"),
        ({"symbols": {"lr": "η", "brave": "bold"}}, "no line uses"),
        ({"options": HALVING.options[:1]}, "is tried with"),
        ({"said": {"Cautious, it waits": "if bold"}}, "in no line"),
    ],
)
def test_a_formula_that_leaves_something_out_fails(change, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check(replace(HALVING, **change))


def test_displayed_lines_end_outside_of_cases_only():
    assert displayed("$$a &= b \\\\\nc$$ and $$\\begin{cases} d \\\\ e \\end{cases} \\\\ f$$") == [
        "a = b",
        "c",
        r"\begin{cases} d \\ e \end{cases}",
        "f",
    ]
    assert assignments(r"$$x_t = 1$$ $y_t = 2$, $z$, $Q \leftarrow 3$. Args: $v_t = 4$") == [
        "y_t = 2",
        r"Q \leftarrow 3",
    ]
