"""A rule's formula twice: the lines of its docstring, each beside the Python that says the same."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray
Names = dict[str, Any]
Options = dict[str, Any]


def rms(x: Array) -> float:
    return float(np.sqrt(np.mean(x**2)))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sqrt": np.sqrt,
    "sign": np.sign,
    "where": np.where,
    "max": np.maximum,
    "min": np.minimum,
    "clip": np.clip,
    "norm": np.linalg.norm,
    "mean": np.mean,
    "outer": np.outer,
    "rms": rms,
    "product": math.prod,
    "float32": lambda x: float(np.float32(x)),
}
"""What the Python lines may call; all in float64, on numbers and on arrays alike."""


# --- What a docstring shows -------------------------------------------------------------------------


def squeeze(tex: str) -> str:
    """TeX without its marks of alignment, with white space in one form."""
    return " ".join(tex.replace("&=", "=").replace(r"&\leftarrow", r"\leftarrow").split())


def displayed(docstring: str) -> list[str]:
    """The lines of all displayed formulas. Line breaks between \\begin and \\end, as in `cases`, end no line."""
    lines = []
    for display in re.findall(r"\$\$(.+?)\$\$", docstring, flags=re.DOTALL):
        body = re.sub(r"\\(begin|end)\{aligned\}", "", display)
        line, depth = "", 0
        for part in re.split(r"(\\\\|\\begin\{\w+\}|\\end\{\w+\})", body):
            depth += part.startswith(r"\begin") - part.startswith(r"\end")
            if part == r"\\" and depth == 0:
                lines.append(squeeze(line))
                line = ""
            else:
                line += part
        lines.append(squeeze(line))
    return lines


def assignments(docstring: str) -> list[str]:
    """The formulas inside the text, above the arguments, that give a value to a symbol of the step."""
    text = re.sub(r"\$\$.+?\$\$", "", docstring.partition("Args:")[0], flags=re.DOTALL)
    return [squeeze(x) for x in re.findall(r"\$([^$]+)\$", text) if re.search(r"_[tk] =|\\leftarrow", x)]


# --- The formula ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Formula:
    """The formula of an optimizer, as its docstring shows it and as plain float64 Python.

    Attributes:
        optimizer: the class.
        symbols: each option, and its name in the Python lines: the letter that the docstring gives it.
        lines: each displayed line, in the docstring's order, and the Python that says the same.
        start: what is done before the first step, and the words of the docstring that say so.
        after: what is done after the lines of each step, in the same form.
        said: words of the docstring on what a line does under some option, and the part of the line that does it.
        options: the combinations to try.
        state: entries of the optimizer's state, and their names in the lines.
        unused: options that the formula says nothing about.
        functions: what the lines may call besides `FUNCTIONS`.
        shapes: of parameters to try.
        scale: standard deviation of the gradients.
        pull: the gradient at θ is random, plus this times θ.
        steps: how many.
        rel, abs: how far values may differ.
    """

    optimizer: type[torch.optim.Optimizer]
    symbols: Mapping[str, str]
    lines: Mapping[str, str]
    options: list[Options]
    start: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, str] = field(default_factory=dict)
    unused: frozenset[str] = frozenset()
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    shapes: tuple[tuple[int, ...], ...] = ((3,),)
    scale: float = 0.02  # of the size of the larger eps in the options, so that its place shows
    pull: float = 0.0
    steps: int = 50
    rel: float = 1e-11
    abs: float = 1e-13

    # --- In Python ----------------------------------------------------------------------------------

    def programs(self, lines: Mapping[str, str]) -> list[CodeType]:
        return [compile(code, f"<{self.optimizer.__name__}: {code}>", "exec") for code in lines.values()]

    def names(self, θ: Array, options: Options) -> Names:
        """What the lines see before the first step."""
        names: Names = {**FUNCTIONS, **self.functions, "θ": θ.copy(), "t": 0}
        for option, symbol in self.symbols.items():
            exec(f"{symbol} = value", {"value": options[option]}, names)
        for code in self.programs(self.start):
            exec(code, names)
        return names

    def walk(self, θ: Array, gradients: list[Array], options: Options) -> Iterator[Names]:
        """Run the lines once for each gradient, and give what they have computed."""
        names, programs = self.names(θ, options), self.programs(self.lines) + self.programs(self.after)
        for t, gradient in enumerate(gradients, start=1):
            names |= {"t": t, "grad": lambda θ, gradient=gradient: self.slope(θ, gradient, options)}
            for code in programs:
                exec(code, names)
            yield names

    def slope(self, θ: Array, gradient: Array, options: Options) -> Array:
        """What the formula calls ∇L(θ): with `maximize`, that of −L."""
        return (-1 if options.get("maximize") else 1) * (gradient + self.pull * θ)

    # --- In torch -----------------------------------------------------------------------------------

    def build(self, w: Tensor, options: Options) -> torch.optim.Optimizer:
        return self.optimizer([w], **options)

    def step(self, optimizer: torch.optim.Optimizer, w: Tensor, gradient: Array, t: int) -> None:
        w.grad = torch.from_numpy(gradient + self.pull * w.detach().numpy())
        optimizer.step()

    def read(self, optimizer: torch.optim.Optimizer, w: Tensor) -> dict[str, Any]:
        """The optimizer's values under the names of the lines."""
        state = {symbol: optimizer.state[w][entry] for entry, symbol in self.state.items()}
        return {"θ": w.detach().numpy()} | {symbol: entry.numpy() for symbol, entry in state.items()}

    # --- The same numbers ---------------------------------------------------------------------------

    def problem(self, shape: tuple[int, ...]) -> tuple[Array, list[Array]]:
        """A start and gradients, the same at every call, with a few exact zeros."""
        random = np.random.default_rng(0)
        θ = random.normal(size=shape)
        gradients = [self.scale * random.normal(size=shape) for _ in range(self.steps)]
        for gradient in gradients:
            gradient[random.random(shape) < 0.1] = 0.0
        return θ, gradients


# --- The checks -------------------------------------------------------------------------------------


def check_lines(formula: Formula) -> None:
    """The docstring shows the lines of the formula, all of them in this order, and says what is said to be there."""
    docstring = inspect.getdoc(formula.optimizer) or ""
    shown, paired = displayed(docstring), [squeeze(line) for line in formula.lines]
    assert shown == paired, "the docstring's formula and the lines paired with Python differ"

    text, words = squeeze(docstring), [*formula.start, *formula.after, *formula.said]
    missing = [said for said in words if squeeze(said) not in text]
    assert not missing, f"the docstring no longer says {missing}"
    silent = [x for x in assignments(docstring) if not any(x in squeeze(said) for said in words)]
    assert not silent, f"the docstring's text computes {silent}, which is paired with no Python"

    python = "\n".join([*formula.start.values(), *formula.lines.values(), *formula.after.values()])
    gone = [part for part in formula.said.values() if part not in python]
    assert not gone, f"said, but in no line: {gone}"


def check_options(formula: Formula) -> None:
    """Every option has a symbol that the lines use, and is tried with more than one value."""
    known = set(inspect.signature(formula.optimizer).parameters) - {"params", "optimizer"}
    named = formula.symbols.keys() | formula.unused | ({"maximize"} & known)
    assert known == named, f"options without a symbol, or the reverse: {sorted(known ^ named)}"

    code = [*formula.start.values(), *formula.lines.values(), *formula.after.values()]
    used = {name for program in code for name in _names(compile(program, "", "exec"))}
    idle = {s for symbols in formula.symbols.values() for s in symbols.split(", ") if s not in used}
    assert not idle, f"no line uses {idle}"

    for option in formula.symbols.keys() - {"lr"}:
        values = {repr(options[option]) for options in formula.options}
        assert len(values) > 1, f"{option} is tried with {values} alone"


def _names(program: CodeType) -> Iterator[str]:
    """The names that a line uses, also inside of comprehensions."""
    yield from program.co_names
    for constant in program.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def check_values(formula: Formula, options: Options) -> None:
    """The optimizer computes what the lines compute, in every step."""
    for shape in formula.shapes:
        θ, gradients = formula.problem(shape)
        w = torch.from_numpy(θ.copy()).requires_grad_()
        optimizer = formula.build(w, options)
        for t, names in enumerate(formula.walk(θ, gradients, options), start=1):
            formula.step(optimizer, w, gradients[t - 1], t)
            for symbol, value in formula.read(optimizer, w).items():
                expected = names[symbol]
                close = np.abs(value - expected) <= formula.abs + formula.rel * np.abs(expected)
                assert np.all(close), f"{symbol} is {value}, not {expected}, after step {t} with {options}"
