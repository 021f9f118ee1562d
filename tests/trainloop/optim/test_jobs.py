"""How parameters sort into jobs, and when they are sorted anew."""

import pytest
import torch

from trainloop.optim import SGD, Adam
from trainloop.optim._jobs import FEW, SMALL, Roster

STATE = {"step": torch.tensor(1.0)}


def sort(roster, params, *, states=None, counts=None, lists=True):
    """The jobs of these parameters, whose gradients are there."""
    counts = counts or [(1.0,)] * len(params)
    return roster.sort(params, [p.grad for p in params], states or [STATE] * len(params), counts, lists)


def parameters(*sizes, dtype=torch.float32):
    params = [torch.nn.Parameter(torch.ones(size, dtype=dtype)) for size in sizes]
    for p in params:
        p.grad = torch.ones_like(p)
    return params


def test_small_ones_make_a_list_and_large_ones_go_one_by_one():
    params = parameters(*[3] * FEW, SMALL + 1, SMALL)
    assert sort(Roster(), params) == [(True, [*range(FEW), FEW + 1]), (False, [FEW])]


def test_too_few_small_ones_go_one_by_one():
    assert sort(Roster(), parameters(*[3] * (FEW - 1))) == [(False, [*range(FEW - 1)])]


def test_what_is_sorted_the_same_way_is_not_sorted_again():
    for sizes in ([3] * FEW, [SMALL + 1] * 2):
        roster, params = Roster(), parameters(*sizes)
        assert sort(roster, params) is sort(roster, params)


@pytest.mark.parametrize("sizes", [[3] * (FEW + 2), [SMALL + 1] * 4])
def test_sorted_anew_when_something_changes(sizes):
    roster, params = Roster(), parameters(*sizes)
    everyone = list(range(len(params)))
    listed = len(sizes) > 4
    assert sort(roster, params) == [(listed, everyone)]
    counts = [(2.0,)] + [(1.0,)] * (len(params) - 1)
    bands = sort(roster, params, counts=counts)
    assert sorted(band for _, band in bands) == [[0], everyone[1:]]
    states = [{**STATE, "new": 0}] + [STATE] * (len(params) - 1)
    bands = sort(roster, params, states=states)
    assert sorted(band for _, band in bands) == [[0], everyone[1:]]
    assert sort(roster, params[1:]) == [(listed, everyone[:-1])]


def test_no_list_holds_two_types():
    roster, params = Roster(), parameters(*[3] * (2 * FEW))
    assert len(sort(roster, params)) == 1
    for p in params[:FEW]:
        p.data = p.data.double()
    assert sort(roster, params) == [(True, [*range(FEW)]), (True, [*range(FEW, 2 * FEW)])]


def test_a_gradient_that_turns_dense_can_join_a_list():
    roster, params = Roster(), parameters(*[(3, 2)] * FEW)
    for p in params:
        p.grad = p.grad.to_sparse()
    assert sort(roster, params) == [(False, [*range(FEW)])]
    for p in params:
        p.grad = p.grad.to_dense()
    assert sort(roster, params) == [(True, [*range(FEW)])]


@pytest.mark.parametrize("size", [3, SMALL + 1])
def test_a_model_may_change_its_type_in_mid_run(size):
    # Large ones are not looked at again, which is right as long as they go one by one.
    params = parameters(*[size] * FEW)
    optimizer = SGD(params, lr=0.5)
    optimizer.step()
    for p in params[::2]:
        p.data, p.grad = p.data.double(), p.grad.double()
    optimizer.step()
    for i, p in enumerate(params):
        assert p.dtype == (torch.float32 if i % 2 else torch.float64)
        assert torch.equal(p.detach(), torch.zeros(size, dtype=p.dtype))


def test_a_compiled_step_sorts_without_lists():
    # Small and large ones are two jobs for lists, and would be two loops in a program.
    optimizer = Adam(parameters(*[3] * FEW, SMALL + 1))
    (group,) = optimizer.param_groups
    optimizer.step()
    assert len(list(optimizer._jobs(0, group))) == 2
    optimizer.compile()
    (job,) = optimizer._jobs(0, group)
    assert not job.listed and len(job.params) == FEW + 1
