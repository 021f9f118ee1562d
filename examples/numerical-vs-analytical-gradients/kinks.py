"""What do autograd and a central difference say at a kink, and near one?

    python examples/numerical-vs-analytical-gradients/kinks.py

ReLU written six ways and |x|, differentiated at 0, and once a quarter of a step away. Takes a tenth
of a second.
"""

import torch

# --8<-- [start:ways]
WAYS = {
    "torch.relu(x)": torch.relu,
    "x.clamp(min=0)": lambda x: x.clamp(min=0),
    "torch.maximum(x, 0)": lambda x: torch.maximum(x, 0 * x),
    "(x + |x|) / 2": lambda x: (x + x.abs()) / 2,
    "torch.where(x > 0, x, 0)": lambda x: torch.where(x > 0, x, 0 * x),
    "torch.where(x >= 0, x, 0)": lambda x: torch.where(x >= 0, x, 0 * x),
    "torch.abs(x)": torch.abs,
}
# --8<-- [end:ways]


def slopes(f, at, h):
    """Autograd's slope, and the three differences."""
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    autograd = torch.autograd.grad(f(x), x)[0].item()
    with torch.no_grad():
        below, here, above = f(x - h).item(), f(x).item(), f(x + h).item()
    return {
        "autograd": autograd,
        "forward": (above - here) / h,
        "backward": (here - below) / h,
        "central": (above - below) / (2 * h),
    }


def run(quick=False):
    rows = [{"function": name} | slopes(f, 0.0, 1e-6) for name, f in WAYS.items()]
    near = slopes(torch.relu, -0.25e-6, 1e-6)  # a quarter of a step left of the kink
    return {"rows": rows, "near": near}


if __name__ == "__main__":
    from courseware.example import main

    main(run)
