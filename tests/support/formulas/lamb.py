"""LAMB, with and without its ratio."""

from itertools import product

from formulas._formula import Formula
from trainloop.optim import LAMB

GRID = [
    {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "adapt": adapt, "maximize": maximize}
    for lr, betas, eps, weight_decay, adapt, maximize in product(
        (1e-3, 0.05), ((0.9, 0.999), (0.5, 0.9)), (1e-6, 1e-2), (0, 0.1), (False, True), (False, True)
    )
]

FORMULA = Formula(
    optimizer=LAMB,
    symbols={"lr": "η", "betas": "β1, β2", "eps": "ε", "weight_decay": "λ", "adapt": "adapt"},
    start={"$m$ and $v$ start at 0": "m = v = 0.0"},
    lines={
        r"g_t = \nabla L(\theta_{t-1})": "g = grad(θ)",
        r"m_t = \beta_1\,m_{t-1} + (1 - \beta_1)\,g_t": "m = β1 * m + (1 - β1) * g",
        r"v_t = \beta_2\,v_{t-1} + (1 - \beta_2)\,g_t^2": "v = β2 * v + (1 - β2) * g**2",
        r"\hat m_t = \frac{m_t}{1 - \beta_1^t}, \qquad \hat v_t = \frac{v_t}{1 - \beta_2^t}": """\
m̂ = m / (1 - β1**t); v̂ = v / (1 - β2**t)""",
        r"u_t = \frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon} + \lambda\,\theta_{t-1}": """\
u = m̂ / (sqrt(v̂) + ε) + λ * θ""",
        r"r_t = \begin{cases}"
        r" \|\theta_{t-1}\| / \|u_t\| & \text{if both norms are above 0} \\"
        r" 1 & \text{otherwise}"
        r" \end{cases}": "r = norm(θ) / norm(u) if adapt and norm(θ) > 0 and norm(u) > 0 else 1",
        r"\theta_t = \theta_{t-1} - \eta\,r_t\,u_t": "θ = θ - η * r * u",
    },
    said={"A group with `adapt=False` has $r = 1$": "if adapt and"},
    state={"exp_avg": "m", "exp_avg_sq": "v"},
    options=GRID,
)
