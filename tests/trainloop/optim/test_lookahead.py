"""Lookahead: around any optimizer, and an optimizer to everything that takes one."""

import copy
import io
import pickle

import pytest
import torch

from trainloop.optim import SGD, Adam, Adam8bit, Lion, Lookahead

INNER = {
    "sgd": lambda params: SGD(params, lr=0.05),
    "sgd-momentum": lambda params: SGD(params, lr=0.05, momentum=0.9),
    "adam": lambda params: Adam(params, lr=0.05),
    "lion": lambda params: Lion(params, lr=0.05, weight_decay=0.1),
    "adam8bit": lambda params: Adam8bit(params, lr=0.05, min_8bit_size=1, block_size=4),
    "torch-adam": lambda params: torch.optim.Adam(params, lr=0.05),
    "torch-rmsprop": lambda params: torch.optim.RMSprop(params, lr=0.05, momentum=0.5),
}


@pytest.fixture(params=INNER)
def inner(request):
    return INNER[request.param]


@pytest.fixture
def params(params):
    return [p for p in params if p.numel() > 0]


# --- The rule ---------------------------------------------------------------------------------------


def test_adams_momentum_is_reset_too():
    w = torch.zeros(3, requires_grad=True)
    optimizer = Lookahead(Adam([w]), k=2, momentum="reset")
    for expected in (True, False, True):
        w.grad = torch.ones(3)
        optimizer.step()
        assert optimizer.state[w]["exp_avg"].any().item() is expected
        assert optimizer.state[w]["exp_avg_sq"].any()


@pytest.mark.parametrize("momentum", ["reset", "pull"])
def test_momentum_in_codes_can_only_be_kept(momentum):
    w = torch.zeros(3, requires_grad=True)
    optimizer = Lookahead(INNER["adam8bit"]([w]), k=1, momentum=momentum)
    w.grad = torch.ones(3)
    message = f'^momentum must be "keep", got "{momentum}": the inner optimizer stores its exp_avg in codes$'
    with pytest.raises(TypeError, match=message):
        optimizer.step()


def test_alpha_1_is_the_inner_optimizer_up_to_rounding(inner, params, clone_params, run):
    wrapped, plain = Lookahead(inner(params), alpha=1.0), inner(clone_params(params))
    run(wrapped, plain, steps=range(23))
    for p, q in zip(params, plain.param_groups[0]["params"], strict=True):
        # The way to go, θ − φ, is rounded before it is added to φ.
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-9)


def test_slow_weights_start_from_the_weights_of_the_first_step():
    # Not from those at construction: a model may be loaded in between.
    w = torch.zeros(2, requires_grad=True)
    optimizer = Lookahead(SGD([w], lr=1.0), k=1, alpha=0.5)
    with torch.no_grad():
        w.fill_(8.0)
    w.grad = torch.ones(2)
    optimizer.step()
    assert w.tolist() == [7.5, 7.5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k must be >= 1, got 0"),
        ({"alpha": -0.1}, "alpha must be in [0, 1], got -0.1"),
        ({"alpha": 1.1}, "alpha must be in [0, 1], got 1.1"),
        ({"momentum": "none"}, 'momentum must be "keep", "reset" or "pull", got \'none\''),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError) as error:
        Lookahead(SGD([torch.zeros(2, requires_grad=True)]), **options)
    assert str(error.value) == message


def test_refuses_parameters_and_itself_in_place_of_an_optimizer():
    w = torch.zeros(2, requires_grad=True)
    with pytest.raises(TypeError, match=r"^optimizer must be a torch.optim.Optimizer, got list$"):
        Lookahead([w])
    with pytest.raises(TypeError, match=r"^optimizer must be one without Lookahead, got Lookahead$"):
        Lookahead(Lookahead(SGD([w])))


# --- An optimizer like any other --------------------------------------------------------------------


def test_groups_state_and_defaults_are_the_inner_optimizers_own(params, run):
    base = SGD(params, lr=0.1, momentum=0.9)
    optimizer = Lookahead(base)
    assert isinstance(optimizer, torch.optim.Optimizer)
    run(optimizer, steps=range(3))
    assert optimizer.param_groups is base.param_groups
    assert optimizer.state is base.state
    assert optimizer.defaults is base.defaults
    # load_state_dict gives torch's optimizers new groups: a copy of the old list would go stale.
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert optimizer.param_groups is base.param_groups
    optimizer.param_groups[0]["lr"] = 0.0
    before = [p.detach().clone() for p in params]
    run(optimizer, steps=range(3, 4))
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))
    assert repr(optimizer).startswith("Lookahead(k=5, alpha=0.5, momentum='keep', SGD (")


def test_closure_is_forwarded_also_to_one_that_calls_it_often():
    w = torch.tensor([3.0, -2.0], dtype=torch.float64, requires_grad=True)
    optimizer = Lookahead(torch.optim.LBFGS([w], line_search_fn="strong_wolfe"), k=2)
    calls = []

    def closure():
        optimizer.zero_grad()
        loss = w.square().sum()
        loss.backward()
        calls.append(loss.item())
        return loss

    assert optimizer.step(closure).item() == 13.0
    assert len(calls) > 1
    assert optimizer.slow[w]["slow"].tolist() == [3.0, -2.0]


def test_zero_grad_and_hooks():
    w = torch.ones(2, requires_grad=True)
    base = SGD([w], lr=0.5)
    optimizer, calls = Lookahead(base, k=1), []
    optimizer.register_step_pre_hook(lambda o, *_: calls.append(("before", o is optimizer, w[0].item())))
    optimizer.register_step_post_hook(lambda o, *_: calls.append(("after", o is optimizer, w[0].item())))
    base.register_step_post_hook(lambda o, *_: calls.append(("inner", o is base, w[0].item())))
    w.grad = torch.ones(2)
    optimizer.step()
    assert calls == [("before", True, 1.0), ("inner", True, 0.5), ("after", True, 0.75)]
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert w.grad is None


# --- Checkpoints ------------------------------------------------------------------------------------


@pytest.mark.parametrize("carry", ["deepcopy", "pickle", "state_dict"])
@pytest.mark.parametrize("momentum", ["keep", "pull"])
@pytest.mark.parametrize("steps", [0, 3, 13])
def test_resumes_bit_for_bit(inner, carry, momentum, steps, params, clone_params, run):
    if inner is INNER["adam8bit"]:
        momentum = "keep"
    original = Lookahead(inner(params), k=5, alpha=0.8, momentum=momentum)
    run(original, steps=range(steps))
    if carry == "deepcopy":
        resumed = copy.deepcopy(original)
    elif carry == "pickle":
        resumed = pickle.loads(pickle.dumps(original))
    else:
        file = io.BytesIO()
        torch.save(original.state_dict(), file)
        file.seek(0)
        resumed = Lookahead(inner(clone_params(params)))
        resumed.load_state_dict(torch.load(file))
    assert (resumed.k, resumed.alpha, resumed.momentum, resumed.steps) == (5, 0.8, momentum, steps % 5)
    run(original, steps=range(steps, steps + 12))
    run(resumed, steps=range(steps, steps + 12))
    for p, q in zip(params, resumed.param_groups[0]["params"], strict=True):
        assert p is not q
        assert torch.equal(p, q)
        assert original.slow[p].keys() == resumed.slow[q].keys()
        for name, value in original.slow[p].items():
            assert torch.equal(value, resumed.slow[q][name])


def test_state_dict_has_the_inner_optimizers_form(params, run):
    base = SGD(params, momentum=0.9)
    optimizer = Lookahead(base, momentum="pull")
    run(optimizer, steps=range(5))
    saved, plain = optimizer.state_dict(), base.state_dict()
    assert saved.keys() == plain.keys()
    assert saved["state"][0].keys() == {"momentum_buffer", "slow", "slow_momentum_buffer"}
    assert saved["param_groups"][0].pop("lookahead") == {"k": 5, "alpha": 0.5, "momentum": "pull", "steps": 0}
    assert saved["param_groups"] == plain["param_groups"]
    assert optimizer.state[params[0]].keys() == {"momentum_buffer"}  # saving adds nothing to the state itself


def test_refuses_a_state_without_slow_weights(params, run):
    base = SGD(params, lr=0.1)
    run(base, steps=range(2))
    optimizer = Lookahead(SGD(params, lr=0.3))
    with pytest.raises(ValueError, match=r"^state_dict must be one of Lookahead, got one without slow weights: load"):
        optimizer.load_state_dict(base.state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.3
    assert optimizer.slow == {}
