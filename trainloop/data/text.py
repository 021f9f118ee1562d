"""Text that comes with Python: its manual, character by character, and the words of its docstrings.

Both depend on the version of Python (Python Software Foundation License, https://docs.python.org/license.html);
for one version they are the same everywhere.
"""

import ast
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from trainloop.data._packages import require
from trainloop.data.split import Split, stratified_split

__all__ = ["Characters", "WordCounts", "characters", "docstring_words"]

STANDARD_LIBRARY = Path(os.__file__).parent

FAMILIES = ("asyncio", "email", "http", "importlib", "logging", "multiprocessing", "unittest", "xml")
"""Packages of the standard library with more than a hundred docstrings, in every Python since 3.11."""


@dataclass(frozen=True)
class Characters:
    """A text as numbers, one per character.

    Attributes:
        vocabulary: the characters that occur, sorted; a character's number is its place.
        train: the numbers of the text's first part, int64, shape (characters,).
        val: the numbers of the rest.
    """

    vocabulary: str
    train: Tensor
    val: Tensor

    def encode(self, text: str) -> Tensor:
        """Return the numbers of a text's characters, int64, shape (len(text),).

        Raises:
            ValueError: a character is not in the vocabulary.
        """
        unknown = sorted(set(text) - set(self.vocabulary))
        if unknown:
            raise ValueError(f"text must consist of characters of the vocabulary, got {''.join(unknown)!r}")
        return _numbers(text, self.vocabulary)

    def decode(self, numbers: Tensor) -> str:
        """Return the text of these numbers, shape (characters,)."""
        return "".join(self.vocabulary[i] for i in numbers.tolist())


@dataclass(frozen=True)
class WordCounts:
    """Texts as bags of words: how often each word of a vocabulary occurs in each text.

    Attributes:
        split: counts as sparse COO tensors, float32, coalesced, shape (texts, words); and the classes.
        vocabulary: the words, sorted; a word's column is its place.
        families: the classes' names; a class is its name's place.
    """

    split: Split
    vocabulary: tuple[str, ...]
    families: tuple[str, ...]


def characters(*, val_fraction: float = 0.1) -> Characters:
    """The language reference of Python as `help()` shows it: some 460,000 characters of English.

    Args:
        val_fraction: the part kept for validation, in (0, 1): the text's end.

    Raises:
        ValueError: `val_fraction` is out of range.
        ImportError: this Python came without `pydoc_data`.

    Examples:
        >>> corpus = characters()
        >>> corpus.decode(corpus.encode("lambda"))
        'lambda'
    """
    if not 0 < val_fraction < 1:
        raise ValueError(f"val_fraction must be in (0, 1), got {val_fraction}")
    topics = require("pydoc_data.topics", "install Python's full standard library", "characters()").topics
    text = "\n".join(topics[name] for name in sorted(topics))
    vocabulary = "".join(sorted(set(text)))
    numbers = _numbers(text, vocabulary)
    boundary = round(len(text) * (1 - val_fraction))
    return Characters(vocabulary, numbers[:boundary], numbers[boundary:])


def docstring_words(*, min_texts: int = 3, test_fraction: float = 0.2, seed: int = 0) -> WordCounts:
    """The docstrings of eight packages of the standard library, to be told apart by their words.

    A few words are in most texts, most words in a few: the case for which adaptive learning rates were
    made. The sources are parsed, not imported. A word is two or more letters, in lower case; texts of
    fewer than five words, and repeated ones, are left out.

    Args:
        min_texts: in how many of the training texts a word must occur to be counted, at least 1.
        test_fraction: the part of each class to test on, in (0, 1).
        seed: seed of the split.

    Raises:
        ValueError: an argument is out of range.
        FileNotFoundError: this Python came without the sources of its standard library.

    Examples:
        A layer that reads the counts, and whose weight gets a sparse gradient:

        >>> import torch
        >>> words = docstring_words()
        >>> x = words.split.x_train
        >>> layer = torch.nn.EmbeddingBag(x.shape[1], len(words.families), mode="sum", sparse=True)
        >>> row, column = x.indices()
        >>> starts = torch.searchsorted(row, torch.arange(len(x)))
        >>> logits = layer(column, starts, per_sample_weights=x.values())
        >>> torch.allclose(logits, torch.sparse.mm(x, layer.weight), atol=1e-4)
        True
    """
    if min_texts < 1:
        raise ValueError(f"min_texts must be >= 1, got {min_texts}")
    counts: list[Counter[str]] = []
    labels: list[int] = []
    seen = set()
    for label, family in enumerate(FAMILIES):
        for docstring in _docstrings(STANDARD_LIBRARY / family):
            words = Counter(re.findall(r"[a-z]{2,}", docstring.lower()))
            if words.total() >= 5 and docstring not in seen:
                seen.add(docstring)
                counts.append(words)
                labels.append(label)

    places = stratified_split(torch.arange(len(counts)), torch.tensor(labels), test_fraction=test_fraction, seed=seed)
    train, test = ([counts[i] for i in part.tolist()] for part in (places.x_train, places.x_test))
    texts_with = Counter(word for words in train for word in words)
    vocabulary = tuple(sorted(word for word, texts in texts_with.items() if texts >= min_texts))
    split = Split(_sparse(train, vocabulary), places.y_train, _sparse(test, vocabulary), places.y_test)
    return WordCounts(split, vocabulary, FAMILIES)


def _numbers(text: str, vocabulary: str) -> Tensor:
    place = {character: i for i, character in enumerate(vocabulary)}
    return torch.tensor([place[character] for character in text], dtype=torch.int64)


def _docstrings(package: Path) -> Iterator[str]:
    """Yield the docstrings of a package's modules, classes and functions, in the order of the files."""
    sources = sorted(package.rglob("*.py"), key=lambda path: path.as_posix())
    if not sources:
        raise FileNotFoundError(f"{package} has no Python sources: install Python with its full standard library")
    for source in sources:
        for node in ast.walk(ast.parse(source.read_bytes())):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                yield ast.get_docstring(node) or ""


def _sparse(texts: list[Counter[str]], vocabulary: tuple[str, ...]) -> Tensor:
    column = {word: i for i, word in enumerate(vocabulary)}
    entries = [
        (row, column[word], count) for row, words in enumerate(texts) for word, count in words.items() if word in column
    ]
    table = torch.tensor(entries, dtype=torch.int64).reshape(-1, 3)
    counts = torch.sparse_coo_tensor(
        table[:, :2].T,
        table[:, 2].float(),
        (len(texts), len(vocabulary)),
        check_invariants=True,  # torch warns where this is left open
    )
    return counts.coalesce()
