"""The manual's characters and the docstrings' words: nothing lost, nothing imported, the same every time."""

import subprocess
import sys
from pydoc_data.topics import topics

import pytest
import torch

from trainloop.data import characters, docstring_words, text
from trainloop.optim import SGD


@pytest.fixture(scope="module")
def corpus():
    return characters()


@pytest.fixture(scope="module")
def words():
    return docstring_words()


def test_characters_are_the_whole_manual(corpus):
    whole = corpus.decode(torch.cat([corpus.train, corpus.val]))
    assert whole == "\n".join(topics[name] for name in sorted(topics))
    assert len(whole) > 400_000
    assert corpus.train.dtype == torch.int64
    assert len(corpus.val) == pytest.approx(len(whole) / 10, abs=1)


def test_vocabulary_is_sorted_and_used(corpus):
    assert list(corpus.vocabulary) == sorted(set(corpus.vocabulary))
    numbers = torch.cat([corpus.train, corpus.val])
    assert torch.equal(numbers.unique(), torch.arange(len(corpus.vocabulary)))


def test_encode_and_decode_are_inverse(corpus):
    line = 'The "del" statement\n'
    assert corpus.decode(corpus.encode(line)) == line
    assert corpus.encode("").tolist() == []
    assert corpus.encode(corpus.vocabulary).tolist() == list(range(len(corpus.vocabulary)))


def test_unknown_characters_are_named(corpus):
    with pytest.raises(ValueError, match=r"^text must consist of characters of the vocabulary, got '√≠'$"):
        corpus.encode("a≠√")


@pytest.mark.parametrize("fraction", [0, 1])
def test_val_fraction_is_checked(fraction):
    with pytest.raises(ValueError, match=rf"^val_fraction must be in \(0, 1\), got {fraction}$"):
        characters(val_fraction=fraction)


def test_counts_are_sparse_and_complete(words):
    x_train, y_train, x_test, y_test = words.split
    for x, y in ((x_train, y_train), (x_test, y_test)):
        assert x.layout == torch.sparse_coo and x.is_coalesced() and x.dtype == torch.float32
        assert x.shape == (len(y), len(words.vocabulary))
        assert x.values().min() >= 1
        assert y.dtype == torch.int64
    assert y_train.bincount().min() > 80  # every family is there
    assert len(y_train) + len(y_test) > 1500
    assert x_train._nnz() < 0.03 * x_train.numel()
    assert (torch.sparse.sum(x_train.bool().float(), dim=0).to_dense() >= 3).all()  # min_texts


def test_words_occur_where_they_should(words):
    counts = words.split.x_train.to_dense()
    for word, family in (("dom", "xml"), ("coroutine", "asyncio"), ("logger", "logging"), ("mock", "unittest")):
        per_family = [
            counts[words.split.y_train == label, words.vocabulary.index(word)].sum().item()
            for label in range(len(words.families))
        ]
        assert max(per_family) == per_family[words.families.index(family)] >= 5


def test_parsing_finds_every_kind_of_docstring_and_counts_it(tmp_path, monkeypatch):
    package = tmp_path / "asyncio"
    package.mkdir()
    (package / "b.py").write_text('"""Module words: one two three one."""\nraise RuntimeError("imported")\n')
    (package / "a.py").write_text(
        'class A:\n    """Class words here, two three."""\n'
        '    def f(self):\n        """Too short."""\n'
        '    async def g(self):\n        """Method words here, two three."""\n'
        'def h():\n    """Class words here, two three."""\n'  # a repetition
        "def i(): pass\n"
    )
    monkeypatch.setattr(text, "STANDARD_LIBRARY", tmp_path)
    monkeypatch.setattr(text, "FAMILIES", ("asyncio",))
    counts = docstring_words(min_texts=1, test_fraction=0.1)  # rounds to no test text
    assert counts.vocabulary == ("class", "here", "method", "module", "one", "three", "two", "words")
    assert sorted(counts.split.x_train.to_dense().tolist()) == [
        [0, 0, 0, 1, 2, 1, 1, 1],
        [0, 1, 1, 0, 0, 1, 1, 1],
        [1, 1, 0, 0, 0, 1, 1, 1],
    ]
    assert counts.split.x_test.shape == (0, 8)
    with pytest.raises(ValueError, match=r"^test_fraction must be in \(0, 1\), got 1$"):
        docstring_words(test_fraction=1)


def test_without_sources_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "STANDARD_LIBRARY", tmp_path)
    with pytest.raises(FileNotFoundError, match="has no Python sources: install Python with its full"):
        docstring_words()


def test_min_texts_is_checked():
    with pytest.raises(ValueError, match=r"^min_texts must be >= 1, got 0$"):
        docstring_words(min_texts=0)


def test_same_in_another_process_and_nothing_is_imported(words):
    code = """
import sys
from trainloop.data import docstring_words
before = set(sys.modules)
words = docstring_words()
assert not {"xml.dom", "multiprocessing.queues", "unittest.mock"} & (set(sys.modules) - before)
print(words.split.x_train.indices().sum().item(), words.split.y_train.tolist()[:20], len(words.vocabulary))
"""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    split = words.split
    assert out == f"{split.x_train.indices().sum().item()} {split.y_train.tolist()[:20]} {len(words.vocabulary)}\n"


def test_words_tell_the_families_apart(words):
    # A linear model on the counts, by full-batch descent: far above the 1 in 8 of guessing.
    x, y, x_test, y_test = words.split
    w = torch.zeros(len(words.vocabulary), len(words.families), requires_grad=True)
    optimizer = SGD([w], lr=1.0)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(torch.sparse.mm(x, w), y).backward()
        optimizer.step()
    accuracy = (torch.sparse.mm(x_test, w).argmax(dim=1) == y_test).float().mean().item()
    assert accuracy > 0.6
