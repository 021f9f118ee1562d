"""Dead units: counted over a whole period, in the right dimension, and no trace of having watched."""

import copy
from math import nan

import pytest
import torch
import torchvision
from torch import nn
from watched_model import X, hooks_of, make_model

from trainloop.monitor import DeadUnits, dead_units


def test_dead_units_are_counted_over_the_whole_period():
    model = nn.Sequential(nn.Linear(1, 4), nn.ReLU())
    model.load_state_dict(
        {"0.weight": torch.tensor([[1.0], [-1.0], [0.0], [0.0]]), "0.bias": torch.tensor([0, 0, 0, 1.0])}
    )
    watch = DeadUnits(model)
    assert watch.fractions() == {} == watch.units()
    with watch:
        model(torch.tensor([[1.0], [2.0]]))
        assert watch.units() == {"1": [1, 2]}
        assert watch.fractions() == {"1": 0.5}
        model(torch.tensor([[-1.0]]))
        assert watch.units() == {"1": [2]}
        watch.reset()
        assert watch.units() == {}
        model(torch.tensor([[-1.0], [nan]]))
        assert watch.units() == {"1": [0, 2]}
    model(torch.tensor([[1.0]]))  # no longer watched
    assert watch.fractions() == {"1": 0.5}
    assert hooks_of(model) == 0


@pytest.mark.parametrize(
    ("shape", "unit_dim", "units"),
    [
        ((3,), None, 3),
        ((2, 3), None, 3),
        ((2, 5, 3), None, 3),
        ((2, 3, 5), 1, 3),
        ((2, 3, 4, 4), None, 3),
        ((0, 3), None, 3),
    ],
)
def test_which_dimension_counts_the_units(shape, unit_dim, units):
    model = nn.ReLU()
    x = torch.full(shape, -1.0)
    if x.numel():
        x.movedim(-1 if unit_dim is None and x.ndim < 4 else 1, 0)[1] = 1.0
    with DeadUnits(model, unit_dim=unit_dim) as watch:
        model(x)
    assert watch.units() == {"(model)": [0, 2] if x.numel() else [0, 1, 2]}


def test_a_module_used_twice_counts_per_use():
    block = torchvision.models.resnet.Bottleneck(8, 2)  # one relu, with two narrow uses and a wide one
    with DeadUnits(nn.Sequential(block, nn.ReLU())) as watch:
        for _ in range(2):
            watch._model(torch.randn(2, 8, 4, 4))
    assert {name: len(fired) for name, fired in watch._fired.items()} == {
        "0.relu": 2,
        "0.relu#2": 2,
        "0.relu#3": 8,
        "1": 8,
    }


def test_dead_units_by_another_class_and_threshold():
    model = nn.Sequential(nn.Identity(), nn.Tanh())
    with DeadUnits(model, (nn.Tanh,), threshold=0.9) as watch:
        model(torch.tensor([[0.5, 5.0]]))
    assert watch.units() == {"1": [0]}
    with pytest.raises(ValueError, match=r"^types must name layers of Sequential, got .*ReLU.*: it has none of them$"):
        DeadUnits(model)


def test_a_changing_number_of_units_is_refused():
    model = nn.ReLU()
    with (
        DeadUnits(model, unit_dim=1) as watch,
        pytest.raises(ValueError, match=r"^unit_dim must count the units, got 7 and then 9 in \(model\)$"),
    ):
        model(torch.ones(2, 7, 4))
        model(torch.ones(2, 9, 4))
    assert watch.fractions() == {"(model)": 0.0}


def test_dead_units_of_a_model_over_data():
    model = make_model()
    with torch.no_grad():
        model[1].bias[2] = -100.0  # this channel never fires
    model[3].eval()
    before = copy.deepcopy(model.state_dict())
    expected = {"2": 0.25}
    assert dead_units(model, [X, X]) == expected
    assert dead_units(model, [(X, torch.zeros(5))]) == expected
    assert dead_units(model, iter([[X]])) == expected
    assert [m.training for m in model] == [True, True, True, False, True, True]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert hooks_of(model) == 0
    with pytest.raises(ValueError, match="types must name layers"):
        dead_units(model, [X], (nn.ReLU6,))
    assert model.training
