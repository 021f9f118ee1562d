"""Bad input: refused by every rule in the same words, before anything has moved."""

import math
import re

import pytest
import torch

pytestmark = pytest.mark.once_per_class

BAD = [
    ("lr", -0.1),
    ("lr", math.nan),
    ("lr", torch.tensor(-0.5)),
    ("weight_decay", -1),
    ("eps", -1e-8),
    ("eps", math.nan),
    ("momentum", -0.5),
    ("betas", (1.0, 0.999)),
    ("betas", (0.9, -0.1)),
    ("betas", (0.9, math.nan)),
    ("betas", (0.9,)),
    ("betas", (0.9, 0.9, 0.9)),
    ("betas", 0.9),
]


def test_options_out_of_range_are_refused(rule, params):
    known = rule.single(params).defaults.keys() - rule.lacks.keys()  # such as Adafactor's eps
    for option, value in BAD:
        if option not in known:
            continue
        shown = f"{value}" if not isinstance(value, torch.Tensor) else f"{value.item()}"
        message = rf"^{option} must be .*(>= 0|in [\[(]0, 1\)), got {re.escape(shown)}$"
        with pytest.raises(ValueError, match=message):
            rule.single(params, **{option: value})
        with pytest.raises(ValueError, match=message):
            rule.build([{"params": params, option: value}])


def test_lr_for_many_is_refused(rule, params):
    with pytest.raises(ValueError, match=r"^lr must be a number or a 0-dim tensor, got shape \(2,\)$"):
        rule.single(params, lr=torch.tensor([0.1, 0.2]))


def test_no_parameters_are_refused(rule):
    with pytest.raises(ValueError, match="empty parameter list"):
        rule.single([])


def test_a_parameter_given_twice_is_refused(rule, params):
    w, v, *_ = params
    with pytest.raises(ValueError, match=r"^params must hold each parameter once, got one twice in a group$"):
        rule.single([w, v, w])


@pytest.mark.duty("groups")
def test_a_parameter_in_two_groups_is_refused(rule, params):
    with pytest.raises(ValueError, match="more than one parameter group"):
        rule.build([{"params": params}, {"params": params[:1]}])


def test_complex_parameter_is_refused(rule):
    w = torch.zeros(2, 2, dtype=torch.complex64, requires_grad=True)
    message = rf"{rule.speaker.__name__} takes real parameters, got torch.complex64: .*view_as_complex"
    with pytest.raises(TypeError, match=message):
        rule.single([w])


@pytest.mark.duty("dense only")
def test_sparse_gradient_is_refused(rule):
    table = torch.nn.Embedding(5, 2, sparse=True)
    before = table.weight.detach().clone()
    optimizer = rule.single(table.parameters())
    table(torch.tensor([1])).sum().backward()
    message = rf"{rule.ours.__name__} needs dense gradients, .* shape \(5, 2\): give that parameter to SGD"
    with pytest.raises(RuntimeError, match=message):
        optimizer.step()
    assert torch.equal(table.weight, before)
    assert not any(optimizer.state.values())


@pytest.mark.lacking("dense only")
def test_sparse_gradient_is_taken(rule):
    table = torch.nn.Embedding(5, 2, sparse=True)
    before = table.weight.detach().clone()
    optimizer = rule.single(table.parameters())

    def closure():
        optimizer.zero_grad()
        loss = table(torch.tensor([1, 3])).square().sum()
        loss.backward()
        assert table.weight.grad.is_sparse
        return loss

    first = optimizer.step(closure)
    assert optimizer.step(closure) < first
    moved = (table.weight != before).any(1)
    assert moved.tolist() == [False, True, False, True, False]
