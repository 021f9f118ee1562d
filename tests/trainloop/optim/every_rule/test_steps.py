"""Steps: up and down, with a closure, without a gradient, with one that is not finite, in lists."""

import pytest
import torch


@pytest.mark.duty("maximize")
def test_maximize_is_minimizing_the_negative(rule, params, clone_params, run, assert_same):
    down, up = rule.make(params), rule.make(clone_params(params), maximize=True)
    for step in range(20):
        run(down, steps=range(step, step + 1))
        run(up, steps=range(step, step + 1), sign=-1)
    assert_same(down, up)


def test_closure_runs_with_gradients_and_its_loss_is_returned(rule, params):
    optimizer = rule.make(params[:2])
    expected = rule.loss(params[:2]).item()
    with torch.no_grad():
        assert optimizer.step(rule.closure(optimizer, params[:2])).item() == expected
    assert all(p.requires_grad for p in params)


@pytest.mark.duty("no closure")
def test_step_by_closure_is_the_step_by_hand(rule, params, clone_params, assert_same):
    params = params[:2]
    by_closure, copies = rule.make(params), clone_params(params)
    by_hand = rule.make(copies)
    for _ in range(3):
        by_closure.step(rule.closure(by_closure, params))
        rule.closure(by_hand, copies)()
        assert by_hand.step() is None
    assert_same(by_closure, by_hand)


@pytest.mark.lacking("no closure")
def test_step_without_a_closure_is_refused(rule, params):
    with pytest.raises(TypeError, match=rf"{rule.ours.__name__}\.step needs a closure"):
        rule.single(params).step()


def test_no_gradient_no_update(rule, params, clone_params, run):
    before = clone_params(params)
    optimizer = rule.make(params)
    run(optimizer, steps=range(10))
    assert torch.equal(params[2], before[2])  # the one that never has a gradient
    assert not torch.equal(params[0], before[0])
    if "step" in optimizer.state.get(params[0], {}):
        assert optimizer.state[params[0]]["step"].item() == 10
        assert optimizer.state[params[1]]["step"].item() == 7  # without one on steps 2, 5 and 8


@pytest.mark.duty("own state")
def test_no_gradient_no_state(rule, params, run):
    optimizer = rule.make(params)
    run(optimizer, steps=range(2))
    assert params[2] not in optimizer.state


@pytest.mark.lacking("own state")
def test_state_of_a_parameter_without_gradients_is_as_new(rule, params, run):
    optimizer = rule.make(params)
    run(optimizer, steps=range(2))
    state = optimizer.state[params[2]]
    assert all(not x.any() for name, x in state.items() if name != "hessian")


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.duty("show non-finite")
def test_a_gradient_that_is_not_finite_reaches_its_weight(rule, bad):
    w = step_with(rule, bad)
    assert not w[2, 1].isfinite()
    if "every weight for itself" not in rule.lacks:
        assert w.isfinite().sum() == w.numel() - 1


def step_with(rule, bad):
    w = torch.ones(4, 3, requires_grad=True)
    optimizer = rule.single([w])

    def set_gradients():
        w.grad = torch.ones(4, 3)
        w.grad[2, 1] = bad

    for _ in range(2):
        rule.step(optimizer, set_gradients)
    return w.detach()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.duty("lists")
def test_lists_and_single_parameters_agree(rule, dtype, clone_params, run, assert_same, monkeypatch):
    params = rule.params(dtype)
    listed, single = rule.make(params), rule.make(clone_params(params))
    for step in range(30):
        with monkeypatch.context() as patch:
            patch.setattr("trainloop.optim._jobs.FEW", 1)
            run(listed, steps=range(step, step + 1))
            patch.setattr("trainloop.optim._jobs.SMALL", -1)
            run(single, steps=range(step, step + 1))
    assert_same(listed, single)


@pytest.mark.lacking("lists")
def test_rules_that_take_no_lists_say_so(rule):
    assert not getattr(rule.ours, "takes_lists", False)
