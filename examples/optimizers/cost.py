"""What does a step of each optimizer take, in time and in memory?

    python examples/optimizers/cost.py

A matrix of a million weights in float32: the bytes of state for each, and the time of a step beside plain
SGD's, measured in turns. Takes ten seconds.
"""

import time

import torch
from _rules import RULES, VARIANTS

from trainloop import optim

SIDE = 1024
TURNS = 10


def bytes_of(state):
    """What a structure of tensors holds."""
    if isinstance(state, torch.Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, dict):
        return sum(map(bytes_of, state.values()))
    if isinstance(state, list | tuple):
        return sum(map(bytes_of, state))
    return 0


def contender(rule, side):
    """An optimizer on one matrix, with a gradient that stays."""
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(side, side, generator=generator).requires_grad_()
    g = torch.randn(side, side, generator=generator)
    w.grad = g.to_sparse(1) if rule.cls is optim.SparseAdam else g
    options = {"max_iter": 1, "history_size": 10} if rule.cls is optim.LBFGS else {}
    optimizer = rule.make([w], **options)

    def closure():
        if rule.cls is optim.LBFGS:  # it remembers how the gradient changes
            w.grad = w.detach() * g.abs()
        return (w.detach() * g).sum()

    return (lambda: optimizer.step(closure)), optimizer, w


def run(quick=False):
    side, turns = (64, 2) if quick else (SIDE, TURNS)
    contenders = {slug: contender(rule, side) for slug, rule in (RULES | VARIANTS).items()}
    seconds = {slug: [] for slug in contenders}
    for turn in range(turns + 2):
        for slug, (step, _, _) in contenders.items():
            started = time.perf_counter()
            step()
            if turn >= 2:  # the first ones make the state
                seconds[slug].append(time.perf_counter() - started)
    found = {}
    for slug, (_, optimizer, w) in contenders.items():
        state = bytes_of(dict(optimizer.state))
        if isinstance(optimizer, optim.Lookahead):
            state = bytes_of(optimizer.state_dict()["state"])
        ms = 1000 * sorted(seconds[slug])[len(seconds[slug]) // 2]
        found[slug] = {"ms": ms, "bytes": state / w.numel()}
    for about in found.values():
        about["times"] = about["ms"] / found["sgd"]["ms"]
    return {"weights": side * side, "rules": found}


if __name__ == "__main__":
    from courseware.example import main

    main(run)
