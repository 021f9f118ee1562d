"""What a lab script defines, without running the experiment; and a full-size run of one that is killed."""

from __future__ import annotations

import ast
import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from killed import die
from PIL import Image

from courseware import percent
from courseware.labs import LABS
from trainloop.callbacks import Callback
from trainloop.lab import Setting


def full_size(folder: Path) -> Setting:
    """A full-size setting on the CPU, its data and its checkpoints in a folder."""
    return Setting("full", torch.device("cpu"), folder / "data", folder / "runs")


def definitions(name: str, **given: Any) -> SimpleNamespace:
    """The functions and classes of a lab script, with its imports.

    Args:
        name: the script's, without `.py`.
        given: the global names that they use. Those that the script gives itself are taken from it, in order,
            as long as they can be had from these: `EPOCHS`, `LOSS`, a dict of lambdas.
    """
    names: dict[str, Any] = {"__name__": name, **given}
    source = (LABS / f"{name}.py").read_text(encoding="utf-8")
    for cell in percent.cells(source):
        if not cell.is_code or cell.is_solution:
            continue
        for part in ast.parse(cell.source).body:
            constant = isinstance(part, ast.Assign) and all(
                isinstance(target, ast.Name) and target.id.isupper() and target.id not in given
                for target in part.targets
            )
            if constant or isinstance(part, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
                with contextlib.suppress(*[NameError] if constant else []):
                    exec(compile(ast.Module([part], []), f"{name}.py", "exec"), names)
    return SimpleNamespace(**names)


class Death(Callback):
    """Kills the process before an update."""

    def __init__(self, step: int) -> None:
        self.step = step

    def before_step(self, run: Any) -> None:
        if run.step == self.step:
            die()


def write_images(folder: Path, each: int = 6) -> None:
    """Ten classes of 32×32 images as JPEG, `each` of them for training, 2 for testing."""
    generator = torch.Generator().manual_seed(0)
    for part, n in (("train", each), ("test", 2)):
        for label in "abcdefghij":
            (folder / part / label).mkdir(parents=True)
            for i in range(n):
                pixels = torch.randint(256, (32, 32, 3), dtype=torch.uint8, generator=generator)
                Image.fromarray(pixels.numpy()).save(folder / part / label / f"{i}.jpg")


def at_full_size(name: str, folder: Path, **given: Any) -> SimpleNamespace:
    """A script's definitions with a full-size setting and the data of `folder / "data"`, prepared as `DATA`."""
    settings = {"SETTING": full_size(folder), **given}
    script = definitions(name, **settings)
    whole, script.data_name = script.load()
    found = definitions(name, DATA=script.prepare(whole), **settings)
    found.data_name = script.data_name
    return found


def train_and_die(name: str, folder: Path, given: dict[str, Any], arguments: tuple[Any, ...], step: int) -> None:
    """Train at full size as the script does, until death before an update."""
    torch.set_num_threads(1)
    at_full_size(name, folder, **given).train(*arguments, callbacks=[Death(step)])
