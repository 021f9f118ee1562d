"""Records: the numbers of each step as a loop sees them, and a run that stays as it was."""

import json
import math

import pytest
import torch
from torch import nn
from watched_model import X, make_model

from trainloop.clip import clip_grad_norm_, total_norm
from trainloop.monitor import Monitor
from trainloop.optim import SGD, Adam

nan, inf = math.nan, math.inf


def train(model, optimizer, monitor, steps, clip=None):
    """A loop as a reader would write it; returns what a record should hold."""
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    expected = []
    for _ in range(steps):
        loss = model(X).square().mean()
        optimizer.zero_grad()
        loss.backward()
        norm = total_norm([p.grad for p in model.parameters()]).item()
        given = None if clip is None else clip_grad_norm_(model.parameters(), clip)
        lrs = [group["lr"] for group in optimizer.param_groups]
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        if monitor:
            monitor.before_step(given)
        optimizer.step()
        scheduler.step()
        if monitor:
            monitor.after_step(loss, samples=5)
        ratios = {
            name: ((p - before[name]).norm() / before[name].norm()).item()
            for name, p in model.named_parameters()
            if before[name].norm() > 0
        }
        expected.append({"loss": loss.item(), "lr": lrs, "grad_norm": norm, "update_ratios": ratios})
    return expected


@pytest.mark.parametrize("clip", [None, 1e-3])
def test_records_hold_the_numbers_of_each_step(clip):
    model = make_model()
    optimizer = SGD([{"params": model[:5].parameters()}, {"params": model[5].parameters(), "lr": 0.1}], lr=0.01)
    times = iter([10.0, 10.5, 12.5, 12.75])
    monitor = Monitor(model, optimizer, clock=lambda: next(times))
    expected = train(model, optimizer, monitor, 3, clip)
    assert monitor.column("step") == [0, 1, 2]
    for key in ("loss", "lr", "grad_norm"):
        assert monitor.column(key) == [row[key] for row in expected]
    for ratios, row in zip(monitor.column("update_ratios"), expected, strict=True):
        assert ratios == pytest.approx(row["update_ratios"], rel=1e-13)
    assert monitor.column("lr") == [[0.01, 0.1], [0.005, 0.05], [0.0025, 0.025]]
    assert monitor.column("samples_per_second") == [10.0, 2.5, 20.0]
    assert json.loads(json.dumps(monitor.records)) == monitor.records


def test_watching_changes_nothing():
    results = []
    for watched in (False, True):
        model = make_model()
        optimizer = Adam(model.parameters(), lr=0.01)
        torch.manual_seed(5)
        train(model, optimizer, Monitor(model, optimizer) if watched else None, 5)
        results.append([p.detach().clone() for p in model.parameters()])
    for p, q in zip(*results, strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize(("every", "measured"), [(0, []), (1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (10, [0])])
def test_ratios_in_every_so_many_steps(every, measured):
    model = make_model()
    optimizer = SGD(model.parameters(), lr=0.01)
    monitor = Monitor(model, optimizer, ratios_every=every)
    train(model, optimizer, monitor, 5)
    assert [r["step"] for r in monitor.records if r["update_ratios"] is not None] == measured


def test_numbers_may_come_as_numbers_or_not_at_all():
    model = nn.Linear(1, 1)
    optimizer = SGD(model.parameters(), lr=torch.tensor(0.5))
    times = iter([1.0, 1.0, 3.0, 8.0, 9.0])
    monitor = Monitor(model, optimizer, clock=lambda: next(times))
    monitor.before_step()  # no gradients yet
    monitor.after_step(nan, samples=4)  # at the same tick of the clock
    monitor.before_step(grad_norm=inf)
    monitor.after_step(torch.tensor(2.0))
    monitor.restart_clock()
    monitor.before_step(torch.tensor(3.0))
    monitor.after_step(2, samples=4)
    assert repr(monitor.column("loss")) == "[nan, 2.0, 2.0]"
    assert monitor.column("grad_norm") == [0.0, inf, 3.0]
    assert monitor.column("lr") == [[0.5]] * 3
    assert monitor.column("samples_per_second") == [inf, None, 4.0]
    assert repr(json.loads(json.dumps(monitor.records))) == repr(monitor.records)


def test_a_step_has_a_beginning_and_an_end():
    model = nn.Linear(1, 1)
    monitor = Monitor(model, SGD(model.parameters()))
    with pytest.raises(RuntimeError, match="call before_step before"):
        monitor.after_step(1.0)
    monitor.before_step()
    monitor.after_step(1.0)
    with pytest.raises(RuntimeError, match="call before_step before"):
        monitor.after_step(1.0)


def test_ratios_every_must_not_be_negative():
    model = nn.Linear(1, 1)
    with pytest.raises(ValueError, match=r"^ratios_every must be >= 0, got -1$"):
        Monitor(model, SGD(model.parameters()), ratios_every=-1)
