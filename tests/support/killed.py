"""Processes that are killed: they write a checkpoint, or train, until SIGKILL ends them.

Each is a real process, forked from a server that has imported torch once.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from trainloop import checkpoint
from trainloop.averaging import EMA, SWA
from trainloop.callbacks import Callback, EarlyStopping
from trainloop.checkpoint import Checkpoints, save_state
from trainloop.fit import fit
from trainloop.optim import Adam, ScheduleFreeSGD
from trainloop.sampler import ShuffledBatches

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # on Windows, SIGTERM ends a process as hard


def _context():
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        # The first step of any optimizer imports torch._dynamo: two seconds, once instead of in every process.
        context.set_forkserver_preload(
            ["numpy", "torch._dynamo", "trainloop.fit", "trainloop.sampler", "trainloop.optim.schedulefreesgd"]
        )
    return context


def start(function, *arguments):
    """Start a process that runs a function of this module."""
    process = _context().Process(target=function, args=arguments)
    process.start()
    return process


def was_killed(process, timeout=60) -> bool:
    """Wait for the end of a process; tell whether it was killed rather than finished."""
    process.join(timeout)
    assert process.exitcode is not None, "the process hangs"
    assert process.exitcode in (0, -KILL, KILL), f"the process failed with {process.exitcode}"
    return process.exitcode != 0


def die() -> None:
    os.kill(os.getpid(), KILL)


# Killed while writing


def version(n: int) -> dict:
    """A state that is inconsistent if it is half one version and half another."""
    return {"n": n, "a": torch.full((2000,), n), "b": [torch.full((500,), n) for _ in range(20)]}


def write_versions(path) -> None:
    """Write one version after another, for ever."""
    n = 1
    while True:
        save_state(version(n), path)
        n += 1


def write_and_die(path, moment) -> None:
    """Write version 2 over version 1 and die at a certain moment of it."""
    torch_save, fsync, replace = torch.save, os.fsync, checkpoint.Path.replace

    def half(state, file):
        torch_save(state, file)
        file.truncate(file.tell() // 2)
        file.flush()
        die()

    def before(function):
        return lambda *arguments: die() if arguments else function()

    if moment == "half written":
        torch.save = half
    elif moment == "before it is on the disk":
        os.fsync = before(fsync)
    elif moment == "before it is renamed":
        checkpoint.Path.replace = before(replace)
    elif moment == "after it is renamed":
        checkpoint._sync_folder = before(None)
    save_state(version(2), path)


# Killed while training

SAMPLES = 22


class Noisy(Dataset):
    """Augments with every global random generator there is."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(7)
        self.x = torch.randn(SAMPLES, 3, generator=generator)

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, i: int):
        x = self.x[i] + 0.1 * torch.randn(3) + 0.1 * random.random() + 0.1 * float(np.random.rand())
        return x, self.x[i].sum().reshape(1)


def everything(folder):
    """Every part that has state: 6 batches an epoch, in windows of 4 and 2, all random states in use."""
    data = Noisy()
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1))
    optimizer = Adam(model.parameters(), lr=0.01)
    return {
        "arguments": (model, nn.functional.mse_loss, optimizer, DataLoader(data, batch_size=4, shuffle=True), 4),
        "accumulate": 4,
        "clip_norm": 1.0,
        "autocast": torch.float16,
        "scaler": torch.amp.GradScaler("cpu", init_scale=2.0**20, growth_interval=2),
        "scheduler": torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.05, total_steps=8),
        "cadence": "step",
        "average": EMA(0.9, correct_bias=True),
        "validation": DataLoader(data, batch_size=8),
        "callbacks": [EarlyStopping(patience=3, min_delta=0.0)],
        "checkpoints": Checkpoints(folder, every=1, keep=2),
    }


def other_parts(folder):
    """The other kind of each part: a sampler that can begin anywhere, SWA, a plateau, Schedule-Free."""
    data = Noisy()
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1))
    optimizer = ScheduleFreeSGD(model.parameters(), lr=0.2)
    tensors = TensorDataset(data.x, data.x.sum(dim=1, keepdim=True))
    return {
        "arguments": (
            model,
            nn.functional.mse_loss,
            optimizer,
            DataLoader(tensors, sampler=ShuffledBatches(SAMPLES, 4, seed=1), batch_size=None),
            4,
        ),
        "accumulate": 2,
        "scheduler": torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=0.5),
        "cadence": "metric",
        "average": SWA(start=1),
        "validation": [(data.x, data.x.sum(dim=1, keepdim=True))],
        "checkpoints": Checkpoints(folder, every=2, keep=1),
    }


class Death(Callback):
    """Dies between a window's gradients and its update."""

    def __init__(self, step: int) -> None:
        self.step = step

    def before_step(self, run) -> None:
        if run.step == self.step:
            die()


def train(make, folder, kill=None) -> None:
    """Train to the end, or until death: ("at batch", n), the n-th of this process, or ("before step", n)."""
    torch.set_num_threads(1)
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    options = make(folder)
    model, loss_fn, optimizer, batches, epochs = options.pop("arguments")
    moment, n = kill or (None, None)
    seen = 0

    def loss_or_death(prediction, y):
        nonlocal seen
        seen += model.training
        if moment == "at batch" and seen == n:
            die()
        return loss_fn(prediction, y)

    if moment == "before step":
        options["callbacks"] = [*options.get("callbacks", ()), Death(n)]
    fit(model, loss_or_death, optimizer, batches, epochs, **options)
