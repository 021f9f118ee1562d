"""The same loop on two processes, under DDP and FSDP2: what one process with large batches computes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import two_ranks

CASES = [(check.__name__, how) for check in two_ranks.CHECKS for how in two_ranks.WRAPPERS]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """What the checks printed: all of them in one start of two processes, since each start costs seconds."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    folder = tmp_path_factory.mktemp("two_ranks")
    done = subprocess.run(
        [*command, str(Path(two_ranks.__file__)), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(("check", "how"), CASES, ids=[f"{check}-{how}" for check, how in CASES])
def test_on_two_processes(check, how, output):
    assert f"passed {check} {how}\n" in output, output
