"""Parameter groups: each by its own options, added in mid-run, refused whole."""

import pytest
import torch


@pytest.mark.duty("groups")
def test_each_group_follows_its_own_options(rule, params, clone_params, run, params_of):
    together = rule.make(params)
    apart = [rule.build([group], lr=0.05) for group in rule.groups(clone_params(params))]
    for step in range(25):
        run(together, steps=range(step, step + 1))
        grads = [p.grad for p in params]
        for optimizer in apart:
            mine = [grads.pop(0) for _ in params_of(optimizer)]
            rule.step(optimizer, lambda: set_dense(params_of(optimizer), mine))  # noqa: B023 - called here
    for p, q in zip(params, (p for optimizer in apart for p in params_of(optimizer)), strict=True):
        assert torch.equal(p, q)


def set_dense(params, grads):
    for p, g in zip(params, grads, strict=True):
        p.grad = None if g is None else g.to_dense()


@pytest.mark.duty("groups")
def test_group_added_mid_run_starts_from_the_beginning(rule, params, clone_params, run, params_of, gradients):
    late, alone = clone_params(params), clone_params(params)
    optimizer = rule.make(params)
    run(optimizer, steps=range(10))  # a whole number of Lookahead's cycles
    optimizer.add_param_group({"params": late, "lr": 0.01} | rule.second)
    expected = rule.build([{"params": alone, "lr": 0.01} | rule.second])
    for step in range(10, 25):
        for made, fresh in ((optimizer, late), (expected, alone)):

            def set_gradients(made=made, fresh=fresh, step=step):
                gradients.set(params_of(made), step)
                gradients.set(fresh, step)

            rule.step(made, set_gradients)
    assert len(optimizer.param_groups) == 3
    for p, q in zip(late, alone, strict=True):
        assert torch.equal(p, q)


@pytest.mark.duty("groups")
@pytest.mark.once_per_class
def test_bad_group_is_refused_and_not_added(rule, params, clone_params):
    kept = rule.single(params)
    with pytest.raises(ValueError, match=r"^lr must be >= 0, got -1$"):
        kept.add_param_group({"params": clone_params(params), "lr": -1})
    complex_ = torch.zeros(2, 2, dtype=torch.complex64, requires_grad=True)
    with pytest.raises(TypeError, match=rf"^{rule.speaker.__name__} takes real parameters, got torch.complex64: "):
        kept.add_param_group({"params": [complex_]})
    with pytest.raises(ValueError, match="more than one parameter group"):
        kept.add_param_group({"params": [params[0]]})
    assert len(kept.param_groups) == 1


@pytest.mark.lacking("groups")
def test_second_group_is_refused(rule, params, clone_params):
    with pytest.raises(ValueError, match="one parameter group, got a second one"):
        rule.build([{"params": params}, {"params": clone_params(params)}])
    kept = rule.single(params)
    with pytest.raises(ValueError, match="one parameter group, got a second one"):
        kept.add_param_group({"params": clone_params(params)})
    assert len(kept.param_groups) == 1


@pytest.mark.once_per_class
def test_parameters_may_come_with_names_or_from_a_generator(rule, params):
    named = rule.single([(f"p{i}", p) for i, p in enumerate(params)])
    assert named.param_groups[0]["param_names"] == [f"p{i}" for i in range(len(params))]
    assert len(rule.single(p for p in params).param_groups[0]["params"]) == len(params)
