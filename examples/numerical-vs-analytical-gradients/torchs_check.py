"""What does torch.autograd.gradcheck accept, and what does it refuse, in float64 and in float32?

    python examples/numerical-vs-analytical-gradients/torchs_check.py

The gradient of `planted.py`, written by hand inside an autograd function, checked by torch and by a
fifteen-line gradcheck of our own. Takes a second.
"""

import warnings

import torch
from torch.autograd.gradcheck import GradcheckError

# torch's defaults
DEFAULTS = {"eps": 1e-6, "atol": 1e-5, "rtol": 1e-3}
LOOSE = {"eps": 5e-3, "atol": 1e-3, "rtol": 1e-2}
STRICT = {"eps": 1e-6, "atol": 1e-8, "rtol": 1e-5}


def problem(dtype, n=100):
    generator = torch.Generator().manual_seed(42)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    x, W, b = normal(n, 3), 0.7 * normal(3, 3), 0.5 * normal(3)
    y = torch.tanh(x @ W + b) + 0.05 * normal(n, 3)
    return x, y, (0.7 * normal(3, 3)).requires_grad_(), (0.5 * normal(3)).requires_grad_()


# --8<-- [start:function]
class SquaredError(torch.autograd.Function):
    """Loss of tanh(x W + b), with a backward of our own."""

    bug = None

    @staticmethod
    def forward(ctx, x, y, W, b):
        p = torch.tanh(x @ W + b)
        ctx.save_for_backward(x, y, p)
        return (p - y).square().mean()

    @staticmethod
    def backward(ctx, upstream):
        x, y, p = ctx.saved_tensors
        size = y.numel()
        if SquaredError.bug == "one too few":
            size -= 1
        dz = upstream * 2 * (p - y) / size * (1 - p**2)
        dW = x.T @ dz
        if SquaredError.bug == "transposed":
            dW = dW.T
        return None, None, dW, dz.sum(dim=0)
# --8<-- [end:function]


# --8<-- [start:by_hand]
def our_gradcheck(f, inputs, eps=1e-6, atol=1e-5, rtol=1e-3):
    """Whether autograd and central differences agree, as torch judges."""
    for θ in inputs:
        analytic = torch.autograd.grad(f(*inputs), θ)[0]
        measured = torch.empty_like(θ)
        with torch.no_grad():
            for i in range(θ.numel()):
                kept = θ.view(-1)[i].clone()
                θ.view(-1)[i] = kept + eps
                above = f(*inputs)
                θ.view(-1)[i] = kept - eps
                below = f(*inputs)
                θ.view(-1)[i] = kept
                measured.view(-1)[i] = (above - below) / (2 * eps)
        gap = (analytic - measured).abs()
        if not torch.all(gap <= atol + rtol * measured.abs()):
            return False
    return True
# --8<-- [end:by_hand]


def judge(dtype, settings, bug=None, n=100):
    """torch's verdict and ours, with the number of evaluations torch asked for and the first line it said."""
    x, y, W, b = problem(dtype, n)
    asked = 0

    def loss(W, b):
        nonlocal asked
        asked += 1
        return SquaredError.apply(x, y, W, b)

    SquaredError.bug = bug
    message = ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            passed = torch.autograd.gradcheck(loss, (W, b), **settings)
        except GradcheckError as error:
            passed, message = False, str(error).splitlines()[0]
    evaluations = asked
    ours = our_gradcheck(loss, (W, b), **settings)
    SquaredError.bug = None
    return {
        "verdict": "passes" if passed else "fails",
        "ours": "passes" if ours else "fails",
        "evaluations": evaluations,
        "message": message.rstrip(","),
        "warned": bool(caught),
    }


CASES = (
    ("right", "float64, defaults", torch.float64, DEFAULTS, None, 100),
    ("right", "float32, defaults", torch.float32, DEFAULTS, None, 100),
    ("right", "float32, loosened", torch.float32, LOOSE, None, 100),
    ("∂L/∂W transposed", "float64, defaults", torch.float64, DEFAULTS, "transposed", 100),
    ("∂L/∂W transposed", "float32, loosened", torch.float32, LOOSE, "transposed", 100),
    ("mean over N − 1, n = 100", "float64, defaults", torch.float64, DEFAULTS, "one too few", 100),
    ("mean over N − 1, n = 100", "float32, loosened", torch.float32, LOOSE, "one too few", 100),
    ("mean over N − 1, n = 1,000", "float64, defaults", torch.float64, DEFAULTS, "one too few", 1000),
    ("mean over N − 1, n = 1,000", "float64, rtol 1e-5", torch.float64, STRICT, "one too few", 1000),
)


def float32_gaps():
    """How far float32's central difference at eps = 1e-6 is from the gradient, against what is allowed."""
    x, y, W, b = problem(torch.float32)
    gradient = torch.autograd.grad(SquaredError.apply(x, y, W, b), W)[0]
    h, gaps, allowed, elements = DEFAULTS["eps"], [], [], []
    unit = torch.finfo(torch.float32).eps / (2 * h)  # between 1 and 2, float32 counts in steps of ε
    with torch.no_grad():
        for i in range(W.numel()):
            kept = W.view(-1)[i].clone()
            W.view(-1)[i] = kept + h
            above = SquaredError.apply(x, y, W, b)
            W.view(-1)[i] = kept - h
            below = SquaredError.apply(x, y, W, b)
            W.view(-1)[i] = kept
            measured = ((above - below) / (2 * h)).item()
            elements.append({
                "element": f"W[{i // 3}, {i % 3}]",
                "autograd": gradient.view(-1)[i].item(),
                "measured": measured,
                "units": measured / unit,
            })
            gaps.append(abs(gradient.view(-1)[i].item() - measured))
            allowed.append(DEFAULTS["atol"] + DEFAULTS["rtol"] * abs(measured))
    loss = SquaredError.apply(x, y, W, b).item()
    return {
        "largest": max(gaps),
        "allowed": allowed[gaps.index(max(gaps))],
        "loss": loss,
        "unit": unit,
        "elements": elements,
        "failing": sum(gap > limit for gap, limit in zip(gaps, allowed, strict=True)),
        "of": len(gaps),
    }


def run(quick=False):
    rows = [
        {"gradient": gradient, "settings": name} | judge(dtype, settings, bug, n)
        for gradient, name, dtype, settings, bug, n in CASES
    ]
    return {"rows": rows, "defaults": DEFAULTS, "float32": float32_gaps(), "parameters": 12}


if __name__ == "__main__":
    from courseware.example import main

    main(run)
