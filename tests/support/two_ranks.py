"""Checks that run on two processes: `python -m torch.distributed.run --nproc-per-node=2 two_ranks.py FOLDER`.

Every check asserts on both ranks; rank 0 prints the name of each that held on both.
"""

from __future__ import annotations

import copy
import os
import sys
import traceback
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset

from trainloop import parallel
from trainloop.averaging import EMA, SWA
from trainloop.callbacks import Callback, KeepBest
from trainloop.checkpoint import Checkpoints, load_state
from trainloop.fit import fit
from trainloop.optim import SGD, Adam, ScheduleFreeSGD
from trainloop.sampler import ShuffledBatches
from trainloop.window import accumulate

SAMPLES = 23  # in batches of 4 over both ranks, the last of 3: the ranks' shares of it differ
WRAPPERS = ("ddp", "fsdp2")
mse = nn.functional.mse_loss
generator = torch.Generator().manual_seed(5)
X = torch.randn(SAMPLES, 3, generator=generator, dtype=torch.float64)
Y = torch.sin(X[:, :2])


def make_model(dropout=0.0):
    torch.manual_seed(0)
    layers = [nn.Linear(3, 5), nn.LayerNorm(5), nn.Tanh(), nn.Dropout(dropout), nn.Linear(5, 2)]
    return nn.Sequential(*layers).double()


def wrap(model, how):
    if how == "ddp":
        return DistributedDataParallel(model)
    if how == "fsdp2":
        mesh = init_device_mesh("cpu", (2,))
        fully_shard(model[0], mesh=mesh)
        return fully_shard(model, mesh=mesh)
    return model


def batches(how, shuffle=True):
    alone = how == "single"
    sampler = ShuffledBatches(
        SAMPLES,
        4 if alone else 2,
        seed=3,
        shuffle=shuffle,
        **({"rank": 0, "world_size": 1} if alone else {}),  # else torch.distributed's
    )
    return DataLoader(TensorDataset(X, Y), sampler=sampler, batch_size=None)


def whole(model):
    return {name: parallel.whole(x).clone() for name, x in parallel.unwrap(model).state_dict().items()}


def assert_close(a, b, bound=1e-12):
    torch.testing.assert_close(a, b, rtol=bound, atol=bound)


def assert_ranks_agree(model):
    for x in whole(model).values():
        both = [torch.empty_like(x) for _ in range(2)]
        dist.all_gather(both, x.contiguous())
        assert torch.equal(*both)


def train(how, folder=None, epochs=3, dropout=0.0, optimizer_class=Adam, average=None, keep=None, **options):
    model = wrap(make_model(dropout), how)
    optimizer = optimizer_class(model.parameters(), lr=0.01)
    torch.manual_seed(1 + dist.get_rank())  # every rank has dropout of its own
    if keep is not None:
        options["callbacks"] = [*options.get("callbacks", ()), KeepBest(keep)]
    history = fit(
        model,
        mse,
        optimizer,
        batches(how),
        epochs,
        accumulate=4,
        average=average,
        validation=batches(how, shuffle=False),
        metrics={"error": nn.functional.l1_loss},
        checkpoints=None if folder is None else Checkpoints(folder, every=1, keep=1),
        **options,
    )
    return model, history


def same_as_single(how, folder):
    """Losses, norms, metrics, weights and averages of a run are those of one process with large batches."""

    def run(how):
        model = wrap(make_model(), how)
        optimizer = Adam(model.parameters(), lr=0.01)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.05, total_steps=6)
        ema = EMA(0.8)
        history = fit(
            model,
            mse,
            optimizer,
            batches(how),
            3,
            accumulate=4,
            clip_norm=0.2,
            scheduler=scheduler,
            cadence="step",
            average=ema,
            validation=batches(how, shuffle=False),
            metrics={"error": nn.functional.l1_loss},
        )
        return model, history, ema

    single, expected, single_ema = run("single")
    model, history, ema = run(how)
    assert len(history.loss) == 6
    assert max(history.grad_norm) > 0.2
    assert_ranks_agree(model)
    # Adam's division by √v enlarges rounding where v is small.
    assert_close(whole(model), whole(single), 1e-10)
    for name, column in expected.as_dict().items():
        if name == "validation":
            assert [set(row) for row in history.validation] == [{"loss", "error"}] * 3
            column = [value for row in column for value in row.values()]
            assert_close([value for row in history.validation for value in row.values()], column, 1e-10)
        elif name != "seconds":
            assert_close(getattr(history, name), column, 1e-10)
    assert_close({k: parallel.whole(x) for k, x in ema.averages.items()}, single_ema.averages, 1e-10)


class Gradients(Callback):
    """Compares each window's gradient with that of one large batch on an unwrapped copy."""

    def __init__(self) -> None:
        self.compared = 0

    def before_step(self, run) -> None:
        width = 4 * 4  # accumulate × batch on both ranks
        order = [i for batch in self.order[run.epoch] for i in batch]
        window = order[run.step % 2 * width : (run.step % 2 + 1) * width]
        plain = make_model()
        plain.load_state_dict(whole(run.model))
        loss = mse(plain(X[window]), Y[window])
        loss.backward()
        assert_close(run.loss, loss.detach())
        got = [parallel.whole(p.grad) for p in run.model.parameters()]
        assert_close(got, [p.grad for p in plain.parameters()])
        self.compared += 1

    def on_fit_start(self, run) -> None:
        sampler = ShuffledBatches(SAMPLES, 4, seed=3, rank=0, world_size=1)
        self.order = []
        for epoch in range(run.epochs):
            sampler.set_epoch(epoch)
            self.order.append(list(sampler))


def gradients_of_large_batches(how, folder):
    gradients = Gradients()
    train(how, callbacks=[gradients], optimizer_class=SGD)
    assert gradients.compared == 6


def one_averaging_per_window(how, folder):
    """Gradients are averaged over the ranks in the last backward pass of a window only."""
    model = wrap(make_model(), how)
    pieces = list(model.parameters())
    averaged = []

    def loss_fn(prediction, y):
        if how == "ddp":
            averaged.append(model.require_backward_grad_sync)
        else:  # a piece gets its gradient by the averaging: this tells of the backward pass before
            averaged.append(all(p.grad is not None for p in pieces))
        return mse(prediction, y)

    for _ in range(2):
        accumulate(model, loss_fn, [(X[:2], Y[:2])] * 3)
        assert all(p.grad is not None for p in pieces)
        for p in pieces:
            p.grad = None
    assert averaged == ([False, False, True] if how == "ddp" else [False, False, False]) * 2


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def after_step(self, run) -> None:
        if run.step == self.step:
            run.stop()


def resumed_bit_for_bit(how, folder):
    """With dropout on each rank, clipping, an average; stopped in the middle of an epoch and at its end."""
    make = {"dropout": 0.3, "clip_norm": 0.5}
    model, expected = train(how, folder / "whole", average=EMA(0.8), **make)
    for step in (3, 4):
        train(how, folder / f"{step}", average=EMA(0.8), callbacks=[StopAt(step)], **make)
        dist.barrier()
        resumed, history = train(how, folder / f"{step}", average=EMA(0.8), **make)
        assert history.loss == expected.loss
        assert history.validation == expected.validation
        for a, b in zip(whole(resumed).values(), whole(model).values(), strict=True):
            assert torch.equal(a, b)
    dist.barrier()
    names = [path.name for path in (folder / "whole").iterdir()]
    assert names == ["step-00000006.pt"], names


def checkpoints_are_plain(how, folder):
    """Rank 0's file holds whole tensors under the plain model's names: any process can use it."""
    model, _ = train(how, folder, keep=folder / "best.pt")
    dist.barrier()
    state = Checkpoints(folder).load_newest()
    assert all(type(x) is torch.Tensor for x in state["model"].values())
    plain = make_model()
    plain.load_state_dict(state["model"])
    for a, b in zip(whole(plain).values(), whole(model).values(), strict=True):
        assert torch.equal(a, b)
    optimizer = Adam(plain.parameters(), lr=0.01)
    optimizer.load_state_dict(state["optimizer"])
    assert optimizer.state[plain[0].weight]["exp_avg"].shape == (5, 3)
    plain.load_state_dict(load_state(folder / "best.pt")["model"])
    assert len(state["data"]) == 2  # a random state per rank
    assert not torch.equal(*(data["now"]["global"]["torch"] for data in state["data"]))
    try:
        train("single", folder)
    except ValueError as error:
        assert "ranks was 2, is 1" in str(error), error
    else:
        raise AssertionError("a checkpoint of two ranks was loaded by one")


def a_skip_on_one_rank_is_a_skip_on_all(how, folder):
    model = wrap(make_model().float(), how)
    before = whole(model)
    calls = []

    def loss_fn(prediction, y):
        calls.append(1)
        bad = dist.get_rank() == 1 and len(calls) == 1
        return mse(prediction, y) * (float("inf") if bad else 1.0)

    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    optimizer = SGD(model.parameters(), lr=0.1)
    data = [(X[:2].float(), Y[:2].float())]
    history = fit(model, loss_fn, optimizer, data, 1, scaler=scaler)
    assert history.skipped == [0]
    assert scaler.get_scale() == 4.0
    for a, b in zip(whole(model).values(), before.values(), strict=True):
        assert torch.equal(a, b)
    assert fit(model, loss_fn, optimizer, data, 1, scaler=scaler).skipped == []
    assert_ranks_agree(model)


def ranks_with_different_numbers_of_batches(how, folder):
    """An error on all ranks at once, instead of one that waits for ever."""
    model = wrap(make_model(), how)
    mine = [(X[:2], Y[:2])] * (3 if dist.get_rank() == 0 else 2)
    try:
        fit(model, mse, SGD(model.parameters(), lr=0.1), mine, 1)
    except ValueError as error:
        assert str(error) == "batches must be as many on every rank, got [1, 0] next, in the order of the ranks"
    else:
        raise AssertionError("no error")


def averages_that_switch_weights(how, folder):
    """Schedule-Free and SWA: weights move between forward passes, and training goes on from the right ones."""
    options = {"optimizer_class": ScheduleFreeSGD, "epochs": 4}
    single, expected = train("single", average=SWA(start=1), **options)
    model, history = train(how, average=SWA(start=1), **options)
    assert_close(whole(model), whole(single))
    assert_close(history.loss, expected.loss)
    assert_close([row["loss"] for row in history.validation], [row["loss"] for row in expected.validation])


def unwrapped(how, folder):
    plain = make_model()
    model = wrap(copy.deepcopy(plain), how)
    compiled = torch.compile(model, backend="eager")
    for wrapped in (model, compiled):
        assert [name for name, _ in parallel.unwrap(wrapped).named_parameters()] == [
            name for name, _ in plain.named_parameters()
        ]
        assert parallel.ranks(wrapped) == 2
        assert parallel.rank(wrapped) == dist.get_rank()
    assert (parallel.ranks(plain), parallel.rank(plain)) == (1, 0)


CHECKS = (
    same_as_single,
    gradients_of_large_batches,
    one_averaging_per_window,
    resumed_bit_for_bit,
    checkpoints_are_plain,
    a_skip_on_one_rank_is_a_skip_on_all,
    ranks_with_different_numbers_of_batches,
    averages_that_switch_weights,
    unwrapped,
)


def main(folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=timedelta(seconds=60))
    for check in CHECKS:
        for how in WRAPPERS:
            failure = None
            try:
                check(how, Path(folder) / check.__name__ / how)
            except Exception:
                failure = traceback.format_exc()
            failures = [None, None]
            dist.all_gather_object(failures, failure)
            if dist.get_rank() == 0:
                print(f"{'passed' if failures == [None, None] else 'failed'} {check.__name__} {how}", flush=True)
                for rank, text in enumerate(failures):
                    if text is not None:
                        print(f"rank {rank}: {text}", flush=True)
    dist.barrier()
    dist.destroy_process_group()
    # Gloo's threads may still drop their last tensors while the interpreter is taken down, which aborts the process
    # now and then (pytorch/pytorch#179291). Everything has been reported by now: leave without the taking down.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
