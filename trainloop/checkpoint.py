"""Checkpoints: a run's state in a file that is always whole, and that is safe to read.

Writing takes a while, and a process can be killed at any moment of it. So a checkpoint is written under
another name, forced to the disk, and then renamed: a rename happens as a whole or not at all. Whoever reads
finds the old file or the new one, never half of one.

A pickle can run any code when it is read. `torch.load(weights_only=True)` refuses everything but tensors and
plain values, so nothing else may get into a checkpoint: `save_state` checks that when the file is written,
not a week later when it is needed.
https://docs.pytorch.org/docs/stable/notes/serialization.html#weights-only.
"""

import os
import pickle
import re
from collections import Counter, OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Checkpoints", "load_state", "save_state"]

PARTIAL = ".partial"


def save_state(state: dict[str, Any], path: str | Path) -> None:
    """Write nested dicts, lists and tuples of tensors and plain values to a file, all of it or nothing.

    The folder is made if it does not exist. One process may write to a path at a time.

    Raises:
        ValueError: something in it could not be read back with `weights_only=True`.
    """
    for where, value in _strangers(state):
        raise ValueError(f"state must hold tensors and plain values, got {type(value).__name__} at {where}")
    # --8<-- [start:save]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())  # on the disk, not only on its way
    partial.replace(path)
    _sync_folder(path.parent)  # the new name, too
    # --8<-- [end:save]


def load_state(path: str | Path) -> dict[str, Any]:
    """Read what `save_state` wrote, to main memory. No code in the file is run.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a checkpoint, or a damaged one.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"path must be a whole checkpoint, got {path}: {error}") from error
    if not isinstance(state, dict):
        raise ValueError(f"path must be a checkpoint with a dict, got a {type(state).__name__} in {path}")
    return state


class Checkpoints:
    """A folder of checkpoints, one file per saved step, of which the newest stay.

    Given to `fit`, it makes the run resumable: `fit` continues from the folder's newest checkpoint, if
    there is one, so that the same program, started again, goes on where it was killed. Another experiment
    needs another folder. On several ranks all must see the same folder; rank 0 writes.

    Args:
        folder: is made when the first checkpoint is written.
        every: save after every so many steps, and at the end of each epoch; None: only at the end of each epoch.
        keep: how many of the newest files stay, >= 1.

    Raises:
        ValueError: `every` or `keep` is less than 1.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> checkpoints = Checkpoints(folder.name, keep=2)
        >>> for step in (10, 20, 30):
        ...     checkpoints.save({"step": step}, step)
        >>> [path.name for path in checkpoints.paths()]
        ['step-00000020.pt', 'step-00000030.pt']
        >>> checkpoints.load_newest()
        {'step': 30}
        >>> folder.cleanup()
    """

    def __init__(self, folder: str | Path, *, every: int | None = None, keep: int = 3) -> None:
        if every is not None and every < 1:
            raise ValueError(f"every must be >= 1, got {every}")
        if keep < 1:
            raise ValueError(f"keep must be >= 1, got {keep}")
        self.folder = Path(folder)
        self.every = every
        self.keep = keep

    def is_due(self, step: int) -> bool:
        """Tell whether a checkpoint is wanted after so many steps."""
        return self.every is not None and step % self.every == 0

    def paths(self) -> list[Path]:
        """Return the checkpoints, oldest first."""
        found = [path for path in self.folder.glob("step-*.pt") if re.fullmatch(r"step-\d+", path.stem)]
        return sorted(found, key=lambda path: int(path.stem.removeprefix("step-")))

    def save(self, state: dict[str, Any], step: int) -> None:
        """Write a checkpoint, then remove the files that are one too many."""
        save_state(state, self.folder / f"step-{step:08d}.pt")
        for old in self.paths()[: -self.keep]:
            old.unlink()
        for left_over in self.folder.glob(f"step-*.pt{PARTIAL}"):  # by a process killed while it wrote
            left_over.unlink()

    def load_newest(self) -> dict[str, Any] | None:
        """Return the newest checkpoint; None if there is none."""
        paths = self.paths()
        return load_state(paths[-1]) if paths else None


PLAIN = frozenset(
    {type(None), bool, int, float, complex, str, bytes} | {Tensor, nn.Parameter, torch.dtype, torch.device, torch.Size}
)


def _strangers(tree: Any, where: str = "state") -> Iterator[tuple[str, Any]]:
    """Yield what `weights_only=True` would refuse, with its place."""
    if type(tree) in (dict, OrderedDict, Counter):
        yield from _strangers(list(tree), f"the keys of {where}")
        items = tree.items()
    elif type(tree) in (list, tuple, set):
        items = enumerate(tree)
    else:
        items = ()
        if type(tree) not in PLAIN:
            yield where, tree
    for key, value in items:
        if type(value) not in PLAIN:  # saves a call for each of a million numbers
            yield from _strangers(value, f"{where}[{key!r}]")


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
