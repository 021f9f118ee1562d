"""What torch puts around a step: hooks, and a GradScaler."""

import pytest
import torch


def test_hooks_run_around_the_step(rule, params, run):
    w, seen = params[0], []
    optimizer = rule.make(params)
    run(optimizer, steps=range(1))
    before = w.detach().clone()
    optimizer.register_step_pre_hook(lambda o, *_: seen.append((o is optimizer, w.detach().clone())))
    optimizer.register_step_post_hook(lambda o, *_: seen.append((o is optimizer, w.detach().clone())))
    run(optimizer, steps=range(1, 2))
    (pre, start), (post, end) = seen
    assert pre and post
    assert torch.equal(start, before)
    assert torch.equal(end, w)
    assert not torch.equal(end, before)


@pytest.mark.duty("scaler")
def test_grad_scaler_skips_a_step_that_overflows_and_changes_no_other(rule, params, clone_params, assert_same):
    def train(params, scaler=None):
        optimizer = rule.make(params)
        for step in range(12):
            optimizer.zero_grad()
            overflows = step == 5
            if scaler is None and overflows:
                continue
            loss = rule.loss(params[:2]) * (torch.inf if overflows else 1.0)
            if scaler is None:
                loss.backward()
                optimizer.step()
            else:
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
        return optimizer

    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=3)
    copies = clone_params(params)
    scaled, plain = train(params, scaler), train(copies)
    assert scaler.get_scale() == 8.0 * 2 * 0.5 * 2 * 2  # powers of two: they change no digit
    assert_same(scaled, plain)


@pytest.mark.lacking("scaler")
def test_grad_scaler_takes_no_closure(rule, params):
    optimizer, scaler = rule.make(params), torch.amp.GradScaler("cpu")
    with pytest.raises(RuntimeError, match="Closure use is not currently supported"):
        scaler.step(optimizer, closure=rule.closure(optimizer, params))
