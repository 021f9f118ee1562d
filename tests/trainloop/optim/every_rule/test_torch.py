"""Torch's optimizers, and ours under the same names: the same constructor, steps, state and exchange of state."""

import copy
import inspect
import math

import pytest
import torch

pytestmark = pytest.mark.duty("torch")


@pytest.mark.once_per_class
def test_constructor_is_torchs(rule):
    mine = inspect.signature(rule.ours).parameters
    original = inspect.signature(rule.oracle).parameters
    dropped = {"foreach", "fused", "capturable", "differentiable"}
    if rule.name == "adam":
        dropped.add("decoupled_weight_decay")  # that is AdamW's rule
    if rule.name == "lbfgs" and torch.__version__ < "2.14":  # which brought torch's
        mine = {name: parameter for name, parameter in mine.items() if name != "maximize"}
    assert list(mine) == [name for name in original if name not in dropped]
    for name, parameter in mine.items():
        assert parameter.default == original[name].default
        if original[name].kind is inspect.Parameter.KEYWORD_ONLY:
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
    # Whatever is given by position means the same to both.
    positional = [n for n, p in mine.items() if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert positional == list(original)[: len(positional)]


def test_groups_equal_torch(rule, params, clone_params, run, assert_same):
    ours, theirs = rule.make(params), rule.make_oracle(clone_params(params))
    run(ours, theirs, steps=range(60))
    for group in (*ours.param_groups, *theirs.param_groups):
        group["lr"] *= 0.5
    run(ours, theirs, steps=range(60, 100))
    assert_same(ours, theirs)


@pytest.mark.duty("groups")
def test_group_added_mid_run_equals_torch(rule, params, clone_params, run, assert_same):
    late, late_copies = clone_params(params), clone_params(params)
    ours, theirs = rule.make(params), rule.make_oracle(clone_params(params))
    run(ours, theirs, steps=range(30))
    ours.add_param_group({"params": late, "lr": 0.01} | rule.first)
    theirs.add_param_group({"params": late_copies, "lr": 0.01} | rule.first)
    if rule.name == "adagrad" and torch.__version__ < "2.12":  # torch makes no state for a late group, and fails
        for q in late_copies:
            theirs.state[q] = {"step": torch.tensor(0.0), "sum": torch.zeros_like(q)}
    run(ours, theirs, steps=range(30, 60))
    assert_same(ours, theirs)


@pytest.mark.duty("torch's tensor lr")
def test_tensor_lr_equals_torch(rule, params, clone_params, run, assert_same):
    rate = torch.tensor(0.05)
    ours, theirs = rule.make(params, lr=rate), rule.make_oracle(clone_params(params), lr=rate.clone())
    run(ours, theirs, steps=range(20))
    for optimizer in (ours, theirs):
        for group in optimizer.param_groups:
            if torch.is_tensor(group["lr"]):
                group["lr"].mul_(0.5)
    run(ours, theirs, steps=range(20, 40))
    assert_same(ours, theirs)


@pytest.mark.once_per_class
@pytest.mark.duty("any layer")
def test_trains_a_model_as_torch_does(rule):
    def train(build):
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
        if rule.takes == "matrices":
            model.requires_grad_(False)
            model[0].weight.requires_grad_()
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        optimizer = build(trained, lr=0.01)
        x = torch.randn(32, 4)

        def closure():
            optimizer.zero_grad()
            loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
            loss.backward()
            return loss

        steps = 5 if rule.needs == "a closure" else 100  # of up to 20 iterations each
        losses = [optimizer.step(closure).item() for _ in range(steps)]
        return list(model.parameters()), optimizer.param_groups[0]["param_names"], losses

    mine, expected = train(rule.build), train(rule.build_oracle)
    assert all(torch.equal(p, q) for p, q in zip(mine[0], expected[0], strict=True))
    assert mine[1:] == expected[1:]


# --- State moves ------------------------------------------------------------------------------------


def test_state_moves_to_torch_mid_run(rule, params, clone_params, run, assert_same):
    if len(rule.ours.counters) > 1:  # torch rounds all counters but "step" to the parameter's type when it loads them
        params = [p.detach().float().requires_grad_() for p in params]
    ours = rule.make(params)
    run(ours, steps=range(30))
    theirs = rule.make_oracle(clone_params(params), lr=9.0)
    theirs.load_state_dict(copy.deepcopy(ours.state_dict()))
    run(ours, theirs, steps=range(30, 90))
    assert_same(ours, theirs)


def test_state_moves_from_torch_mid_run(rule, params, clone_params, run, assert_same):
    theirs = rule.make_oracle(params)
    run(theirs, steps=range(30))
    ours = rule.make(clone_params(params), lr=9.0)
    ours.load_state_dict(copy.deepcopy(theirs.state_dict()))
    run(ours, theirs, steps=range(30, 90))
    assert_same(ours, theirs)


def test_options_that_only_torch_knows_do_nothing(rule, params, clone_params, run, assert_same):
    ours = rule.make(params)
    run(ours, steps=range(10))
    saved = copy.deepcopy(ours.state_dict())
    for group in saved["param_groups"]:
        group |= {"foreach": True, "fused": True, "capturable": True, "differentiable": True}
    other = rule.make(clone_params(params))
    other.load_state_dict(saved)
    run(ours, other, steps=range(10, 30))
    assert_same(ours, other)


def test_old_state_dict_gets_what_it_lacks(rule, params, clone_params, run, assert_same):
    ours = rule.make(params)
    run(ours, steps=range(10))
    saved = copy.deepcopy(ours.state_dict())
    for group in saved["param_groups"]:
        del group["maximize"]  # torch < 1.11 had no such option,
    for state in saved["state"].values():
        for name in state.keys() & {"step", "eta", "mu", "mu_product"}:
            state[name] = float(state[name])  # and counted in plain numbers before 1.12
    other = rule.make(clone_params(params))
    other.load_state_dict(saved)
    assert all(group["maximize"] is False for group in other.param_groups)
    run(ours, other, steps=range(10, 30))
    assert_same(ours, other)


# --- Gradients that are not finite ------------------------------------------------------------------


@pytest.mark.once_per_class
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_does_what_it_does_in_torch(rule, bad):
    # Nothing is checked or skipped: that is for clipping, a GradScaler or a NonFiniteWatch.
    def train(build):
        w = torch.tensor([[1.0, 2.0], [-3.0, 0.5]], requires_grad=True)
        optimizer = build([w], lr=0.1)
        for g in (0.5, bad, 0.5):

            def set_gradients(g=g):
                w.grad = torch.full((2, 2), 0.5)
                w.grad[0, 0] = g

            rule.step(optimizer, set_gradients)
        return w.detach()

    w, v = train(rule.build), train(rule.build_oracle)
    assert torch.equal(w.isnan(), v.isnan())
    assert torch.equal(w.nan_to_num(), v.nan_to_num())
    if "every weight for itself" not in rule.lacks:
        assert w[1].isfinite().all()
