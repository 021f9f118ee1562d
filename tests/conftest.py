"""One torch thread, here and in every process that a test starts: the tests' tensors are small, and two threads wait
for each other longer than they compute.

And what `--dist=loadgroup` keeps on one worker: the tests of a file, which share what its fixtures made; of a module
whose fixtures come in shards, those of one shard. With `--no-loadscope-reorder` they start in the order given here.
"""

import os

import pytest
import torch

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"


# Files that take minutes start first, or one worker would be at the last of them long after the other has finished.
# xdist's own order, by the number of tests, starts these late: they have few.
LONG = ("test_engine.py", "test_every_page.py", "test_labs.py", "test_every_experiment.py", "test_transfer.py")


@pytest.hookimpl(tryfirst=True)  # before xdist, which reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        item.add_marker(pytest.mark.xdist_group(f"{item.path.name}{parameters.get('shard', '')}"))
    ranks = {name: i for i, name in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(LONG)))
