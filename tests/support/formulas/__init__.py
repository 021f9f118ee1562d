"""The formulas of all optimizers, by the name of their file: one transcription of each, for all tests."""

from importlib import import_module
from pathlib import Path

from formulas._formula import Formula

RULES = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))

FORMULAS: dict[str, Formula] = {rule: import_module(f"formulas.{rule}").FORMULA for rule in RULES}
