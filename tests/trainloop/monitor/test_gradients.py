"""Norms of gradients: those of torch, by parameter and by layer."""

import math

import pytest
import torch
from torch import nn
from watched_model import X, make_model

from trainloop.clip import total_norm
from trainloop.monitor import grad_norms

nan, inf = math.nan, math.inf


def test_grad_norms_per_parameter_and_per_layer():
    model = make_model()
    model(X).square().sum().backward()
    norms = grad_norms(model)
    assert list(norms) == [name for name, _ in model.named_parameters()]
    for name, p in model.named_parameters():
        assert norms[name] == p.grad.norm().item()
    layers = grad_norms(model, by="layer")
    assert list(layers) == ["0", "1", "5"]
    for name, norm in layers.items():
        whole = torch.cat([p.grad.flatten() for p in model.get_submodule(name).parameters()])
        assert norm == pytest.approx(whole.norm().item(), rel=1e-14)
    assert math.hypot(*layers.values()) == pytest.approx(
        total_norm([p.grad for p in model.parameters()]).item(), rel=1e-14
    )


def test_grad_norms_leave_out_what_has_no_gradient_and_count_tied_weights_once():
    model = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)})
    assert grad_norms(model) == {} == grad_norms(model, by="layer")
    model["b"].weight = model["a"].weight
    model["b"].weight.sum().backward()
    assert grad_norms(model) == {"a.weight": 3.0}
    assert grad_norms(model, by="layer") == {"a": 3.0}


def test_grad_norms_of_what_the_model_itself_holds():
    model = nn.Linear(2, 1)
    model(torch.ones(1, 2)).sum().backward()
    assert grad_norms(model, by="layer") == {"(model)": pytest.approx(math.sqrt(3))}


@pytest.mark.parametrize(("bad", "layer"), [(nan, nan), (inf, inf)])
def test_grad_norms_show_what_is_not_finite(bad, layer):
    model = nn.Linear(2, 1)
    model.weight.grad = torch.tensor([[bad, 1.0]])
    model.bias.grad = torch.tensor([inf])
    assert repr(grad_norms(model)) == repr({"weight": bad, "bias": inf})
    assert repr(grad_norms(model, by="layer")) == repr({"(model)": layer})


def test_half_precision_norms_do_not_overflow():
    model = nn.Linear(4, 1, bias=False).half()
    model.weight.grad = torch.full((1, 4), 60000.0, dtype=torch.float16)
    assert grad_norms(model) == {"weight": pytest.approx(120000.0, rel=1e-3)}


def test_grad_norms_by_something_else():
    with pytest.raises(ValueError, match=r"^by must be 'parameter' or 'layer', got 'block'$"):
        grad_norms(nn.Linear(1, 1), by="block")
