"""Small checkouts of the course, to build for real."""

from __future__ import annotations

from pathlib import Path

import pytest
from mini_checkout import Checkout, make_checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return make_checkout(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout that has been built once; for tests that change pages only."""
    checkout = make_checkout(tmp_path_factory.mktemp("built"))
    checkout.run("build")
    return checkout
