"""One torch thread, here and in every process that a test starts: the tests' tensors are small, and two threads wait
for each other longer than they compute.

And what `--dist=loadgroup` keeps on one worker: the tests of a file, which share what its fixtures made; of a module
whose fixtures come in shards, those of one shard.
"""

import os

import pytest
import torch

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.hookimpl(tryfirst=True)  # before xdist, which reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        item.add_marker(pytest.mark.xdist_group(f"{item.path.name}{parameters.get('shard', '')}"))
