"""By how much does each optimizer differ from torch's of the same name?

    python examples/optimizers/parity.py

100 steps with the same random gradients, in float32 and float64, ours beside torch's for-loop: the largest
difference of any weight. Takes ten seconds.
"""

import inspect

import torch
from _rules import RULES, VARIANTS

STEPS = 100
SHAPES = ((32, 16), (16, 8))  # matrices: what every one of them takes


def weights(dtype):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in SHAPES]


def gradients(dtype, sparse, steps):
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        step = [torch.randn(shape, generator=generator, dtype=dtype) for shape in SHAPES]
        if sparse:  # half of the rows
            step = [(g * (torch.rand(len(g), 1, generator=generator) < 0.5)).to_sparse(1) for g in step]
        yield step


def largest_difference(rule, dtype, steps):
    """The largest |ours − torch's| over all weights and steps."""
    mine, theirs = weights(dtype), weights(dtype)
    ours = rule.make(mine)
    # Where torch has several paths: the one that goes parameter by parameter.
    loop = {"foreach": False} if "foreach" in inspect.signature(rule.twin).parameters else {}
    torchs = rule.twin(theirs, **rule.options, **loop)
    found = 0.0
    for step in gradients(dtype, rule.name == "SparseAdam", steps):
        for params, optimizer in ((mine, ours), (theirs, torchs)):

            def closure(params=params, step=step):
                for p, g in zip(params, step, strict=True):
                    p.grad = g.clone()
                return sum((p.detach() * g).sum() for p, g in zip(params, step, strict=True))

            optimizer.step(closure)
        with torch.no_grad():
            found = max(found, *((a - b).abs().max().item() for a, b in zip(mine, theirs, strict=True)))
    return found


def run(quick=False):
    steps = 5 if quick else STEPS
    return {
        "steps": steps,
        "rules": {
            slug: {
                str(dtype).removeprefix("torch."): largest_difference(rule, dtype, steps)
                for dtype in (torch.float32, torch.float64)
            }
            for slug, rule in (RULES | VARIANTS).items()
            if rule.twin
        },
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
