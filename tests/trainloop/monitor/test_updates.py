"""Update ratios: right numbers, for the steps that were taken, and no trace of having watched."""

from math import inf

import pytest
import torch
from torch import nn
from watched_model import X, make_model

from trainloop.monitor import UpdateRatios
from trainloop.optim import SGD, Adam


@pytest.mark.parametrize("optimizer_class", [SGD, Adam, torch.optim.AdamW])
def test_update_ratios_are_those_computed_by_hand(optimizer_class):
    model = make_model()
    optimizer = optimizer_class(model.parameters(), lr=0.01)
    with UpdateRatios(model, optimizer) as watch:
        assert watch.ratios == {}
        for _ in range(3):
            optimizer.zero_grad()
            model(X).square().mean().backward()
            before = {name: p.detach().clone() for name, p in model.named_parameters()}
            optimizer.step()
            for name, p in model.named_parameters():
                if name == "1.bias" and before[name].norm() == 0:
                    assert name not in watch.ratios  # starts at 0
                else:
                    expected = ((p - before[name]).norm() / before[name].norm()).item()
                    assert watch.ratios[name] == pytest.approx(expected, rel=1e-14)
    assert len(watch.ratios) == 6


def test_update_ratios_of_parameters_that_stay_or_are_not_the_optimizers():
    model = nn.ModuleDict({"moved": nn.Linear(2, 2), "kept": nn.Linear(2, 2), "other": nn.Linear(2, 2)})
    foreign = torch.ones(2, requires_grad=True)
    optimizer = SGD([*model["moved"].parameters(), *model["kept"].parameters(), foreign], lr=0.1)
    with UpdateRatios(model, optimizer) as watch:
        model["moved"](torch.ones(1, 2)).sum().backward()
        optimizer.step()
    assert list(watch.ratios) == ["moved.weight", "moved.bias", "kept.weight", "kept.bias"]
    assert watch.ratios["moved.weight"] > 0
    assert watch.ratios["kept.weight"] == 0.0


def test_update_ratios_take_their_hooks_out():
    model = make_model()
    optimizer = SGD(model.parameters(), lr=0.01)
    with pytest.raises(ZeroDivisionError), UpdateRatios(model, optimizer) as watch:
        raise ZeroDivisionError
    model(X).sum().backward()
    optimizer.step()
    assert watch.ratios == {}
    with watch:  # and it can be used again
        optimizer.step()
        with pytest.raises(RuntimeError, match="this UpdateRatios is in use"):
            watch.__enter__()
    assert watch.ratios


def test_update_ratios_follow_the_steps_a_scaler_takes():
    model = nn.Linear(2, 1, bias=False)
    optimizer = SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    with UpdateRatios(model, optimizer) as watch:
        for factor, expected in ((inf, False), (1.0, True)):
            optimizer.zero_grad()
            scaler.scale(model(torch.ones(1, 2)).sum() * factor).backward()
            scaler.step(optimizer)
            scaler.update()
            assert bool(watch.ratios) is expected


def test_update_ratios_by_hand_need_a_beginning():
    model = nn.Linear(2, 1)
    with pytest.raises(RuntimeError, match="call before_step before"):
        UpdateRatios(model, SGD(model.parameters())).after_step()
