"""State: what it costs, and how it is copied, saved, loaded – or refused."""

import copy
import io
import pickle

import pytest
import torch


def clear(optimizer):
    """A sparse gradient has no storage to pickle."""
    optimizer.zero_grad()
    return optimizer


def through_a_file(rule, original, params):
    file = io.BytesIO()
    torch.save(original.state_dict(), file)
    file.seek(0)
    resumed = rule.make(params, lr=9.0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    return resumed


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("carry", ["deepcopy", "pickle", "state_dict"])
def test_resumes_bit_for_bit(rule, carry, dtype, clone_params, run, assert_same, params_of):
    params = rule.params(dtype)
    original = rule.make(params)
    run(original, steps=range(13))  # in the middle of Lookahead's cycle, and SOAP's
    if carry == "deepcopy":
        twin = copy.deepcopy(clear(original))
    elif carry == "pickle":
        twin = pickle.loads(pickle.dumps(clear(original)))
    else:
        twin = through_a_file(rule, original, clone_params(params))
    assert_same(original, twin)
    assert twin.defaults.keys() >= original.defaults.keys()
    assert all(p is not q for p, q in zip(params, params_of(twin), strict=True))
    run(original, steps=range(13, 22))
    run(twin, steps=range(13, 22))
    assert_same(original, twin)


def entries(state):
    """All tensors of a state, however deep."""
    if isinstance(state, torch.Tensor):
        return [state]
    inner = state.values() if isinstance(state, dict) else state if isinstance(state, list) else []
    return [tensor for x in inner for tensor in entries(x)]


def test_loaded_state_is_a_copy(rule, params, clone_params, run):
    # torch shares the tensors with what was loaded: two optimizers in one process would move each other's momentum.
    original, other = rule.make(params), rule.make(clone_params(params))
    run(original, steps=range(4))
    other.load_state_dict(original.state_dict())
    loaded = entries(other.state_dict()["state"])
    before = [x.clone() for x in loaded]
    run(original, steps=range(4, 12))
    assert all(torch.equal(x, y) for x, y in zip(loaded, before, strict=True))


def test_state_that_someone_looked_at_is_still_made(rule, params, clone_params, run, assert_same, params_of):
    seen, unseen = rule.make(params), rule.make(clone_params(params))
    for p, q in zip(params, params_of(unseen), strict=True):
        assert seen.state[p].keys() == unseen.state.get(q, {}).keys()
    run(seen, unseen, steps=range(3))
    assert_same(seen, unseen)


def test_state_bytes_per_float32_parameter(rule, run):
    w = torch.zeros(64, 64, requires_grad=True)
    optimizer = rule.single([w])
    run(optimizer, steps=range(12))  # LBFGS remembers a few pairs more in each
    tensors = entries(optimizer.state_dict()["state"])
    assert sum(x.nbytes for x in tensors if x.dim() > 0) / w.numel() == rule.bytes_per_parameter
    assert all(x.is_cpu and x.dtype == torch.float32 for x in tensors if x.dim() == 0)


@pytest.mark.once_per_class
def test_state_dict_hooks(rule, params, run):
    optimizer, calls = rule.make(params), []
    run(optimizer, steps=range(1))
    optimizer.register_state_dict_pre_hook(lambda _: calls.append("before saving"))
    optimizer.register_state_dict_post_hook(lambda _, saved: {**saved, "note": 1})
    saved = optimizer.state_dict()
    assert saved["note"] == 1
    optimizer.register_load_state_dict_pre_hook(lambda _, saved: {k: x for k, x in saved.items() if k != "note"})
    optimizer.register_load_state_dict_post_hook(lambda _: calls.append("after loading"))
    optimizer.load_state_dict(saved)
    assert calls == ["before saving", "after loading"]


# --- Refusals ---------------------------------------------------------------------------------------


def trained(rule, w, **options):
    """An optimizer that has made two steps on one matrix."""
    optimizer = rule.single([w], **options)

    def set_gradients():
        w.grad = w.detach().cos()

    for _ in range(2):
        rule.step(optimizer, set_gradients)
    return optimizer


def matrix(*shape):
    return torch.ones(shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.once_per_class
def test_state_of_another_rule_is_refused(rule, table):
    accepted = []
    for source in table:
        if source.ours is rule.ours:
            continue
        saved = trained(source, matrix(4, 6), lr=0.3).state_dict()
        target = rule.single([matrix(4, 6)], lr=0.1)
        before = copy.deepcopy(target.state_dict())
        try:
            target.load_state_dict(saved)
        except ValueError as error:
            assert "must be" in str(error)
            assert str(target.state_dict()) == str(before), f"part of {source.name} was loaded"
        else:
            accepted.append(source.name)
    assert sorted(accepted) == sorted(rule.accepts)


@pytest.mark.duty("state")
def test_state_of_another_shape_is_refused(rule):
    saved = trained(rule, matrix(4, 6)).state_dict()
    target = rule.single([matrix(5, 7)])
    with pytest.raises(ValueError, match=r"must have shape \(.*\).*, got \(.*\)$"):
        target.load_state_dict(saved)
    assert not any(x.any() for x in entries(target.state_dict()["state"]))  # nothing was loaded


@pytest.mark.once_per_class
def test_state_of_other_groups_is_refused(rule, params):
    target = rule.single(params)
    with pytest.raises(ValueError, match="different number of parameter groups"):
        target.load_state_dict({"state": {}, "param_groups": []})
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        target.load_state_dict(rule.single(params[:2]).state_dict())


@pytest.mark.duty("no closure")
def test_counters_are_the_single_numbers_of_a_state(rule, run):
    # A rule that names none is spared the counting; one that forgets to name one never counts it.
    w = torch.zeros(4, 4, requires_grad=True)
    optimizer = rule.single([w])
    run(optimizer, steps=range(3))
    numbers = {name for name, x in optimizer.state[w].items() if isinstance(x, torch.Tensor) and x.dim() == 0}
    assert numbers == set(rule.speaker.counters)
