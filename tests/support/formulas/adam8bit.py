"""8-bit Adam, on the lines of Adam."""

from itertools import product

import numpy as np

from formulas import adam
from formulas._formula import FUNCTIONS, Formula
from trainloop.optim import Adam8bit
from trainloop.optim._quantize import dynamic_values


def adam_step(θ, m, v, g, **numbers):
    """One step by Adam's formula."""
    names = {**FUNCTIONS, **numbers, "θ": θ, "m": m, "v": v, "largest": 0.0, "amsgrad": False, "grad": lambda θ: g}
    for code in adam.FORMULA.lines.values():
        exec(code, names)
    return names["θ"], names["m"], names["v"]


def encode(numbers, values, size):
    """The codes, one for each number, and the scales, one for each block of this size."""
    blocks = [numbers[i : i + size] for i in range(0, len(numbers), size)]
    scales = [max(abs(x) for x in block) or 1.0 for block in blocks]
    codes = [
        min(range(256), key=lambda code: abs(values[code] - x / scale))
        for block, scale in zip(blocks, scales, strict=True)
        for x in block
    ]
    return codes, scales


def decode(stored, values, size):
    codes, scales = stored
    return np.array([scales[i // size] * values[code] for i, code in enumerate(codes)])


FORMULA = Formula(
    optimizer=Adam8bit,
    symbols={"lr": "η", "betas": "β1, β2", "eps": "ε", "weight_decay": "λ", "block_size": "size"},
    unused=frozenset({"min_8bit_size"}),
    start={
        r"Between steps there are only the codes $\tilde m$ and $\tilde v$": """\
m̃, ṽ = encode(0 * θ, signed, size), encode(0 * θ, unsigned, size)""",
    },
    lines={
        r"m_{t-1} = Q^{-1}(\tilde m_{t-1}), \qquad v_{t-1} = Q^{-1}(\tilde v_{t-1})": """\
m, v = decode(m̃, signed, size), decode(ṽ, unsigned, size)""",
        r"(\theta_t, m_t, v_t) = \text{Adam}(\theta_{t-1}, m_{t-1}, v_{t-1}, g_t)": """\
θ, m, v = adam_step(θ, m, v, grad(θ), t=t, η=η, β1=β1, β2=β2, ε=ε, λ=λ)""",
        r"\tilde m_t = Q(m_t), \qquad \tilde v_t = Q(v_t)": """\
m̃, ṽ = encode(m, signed, size), encode(v, unsigned, size)""",
    },
    functions={"adam_step": adam_step, "encode": encode, "decode": decode}
    | {"signed": dynamic_values(True), "unsigned": dynamic_values(False)},
    options=[
        {"block_size": size, "min_8bit_size": 1, **options}
        for size, options in product(
            (1, 5, 8, 100),
            (
                {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "maximize": False},
                {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-2, "weight_decay": 0.01, "maximize": True},
            ),
        )
    ],
    shapes=((13,),),
    scale=1.0,
    steps=40,
    # Codes and scales are float32. No number here lies so near a border that this decides its code.
    rel=1e-5,
    abs=1e-6,
)
