"""Brings the examples up to date before the first test that reads what they wrote."""

import pytest

from courseware.engine import run_examples


@pytest.fixture(scope="session", autouse=True)
def built():
    run_examples()
