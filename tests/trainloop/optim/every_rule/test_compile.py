"""Compiled steps: one program for all groups and all learning rates, and the rule unchanged."""

import pytest
import torch

PRESENT = [t for t in range(17) if t % 3 != 2]
"""Steps at which the same parameters have a gradient. The first is run uncompiled."""


@pytest.mark.duty("compile")
def test_compiled_step_is_one_program_and_the_same_rule(rule, params, clone_params, run, params_of, count_graphs):
    # The updates of both groups are one program, and neither a new step nor a new lr makes another.
    params = params[:4]  # to trace more takes longer, and shows nothing new
    compiled, plain = rule.make(params), rule.make(clone_params(params))
    graphs, backend = count_graphs
    compiled.compile(backend=backend)
    for step in PRESENT:
        for optimizer in (compiled, plain):
            optimizer.param_groups[0]["lr"] *= 0.9
        run(compiled, plain, steps=range(step, step + 1))
    assert len(graphs) == rule.programs
    for p, q in zip(params, params_of(plain), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(compiled.state.get(p, {}), plain.state.get(q, {}), rtol=1e-12, atol=1e-12)


@pytest.mark.duty("compile")
def test_what_is_compiled_is_the_rule(rule, params, clone_params, run, assert_same, monkeypatch):
    # The function handed to the compiler, run by Python instead: not a bit differs.
    monkeypatch.setattr("torch.compile", lambda function, **_: function)
    ours, plain = rule.make(params), rule.make(clone_params(params))
    ours.compile()
    for step in PRESENT:
        run(ours, plain, steps=range(step, step + 1))
    assert_same(ours, plain)


@pytest.mark.lacking("compile")
def test_compile_is_refused(rule, params):
    if rule.ours.__module__ == "trainloop.optim.lookahead":
        assert not hasattr(rule.ours, "compile")  # but the inner optimizer has it
        return
    with pytest.raises(TypeError, match=f"{rule.ours.__name__} cannot be compiled"):
        rule.make(params).compile()
