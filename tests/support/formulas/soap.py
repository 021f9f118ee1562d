"""SOAP on a matrix."""

from itertools import product

import numpy as np

from formulas._formula import Formula
from trainloop.optim import SOAP

GRID = [
    {
        "lr": lr,
        "betas": betas,
        "shampoo_beta": shampoo_beta,
        "eps": eps,
        "weight_decay": weight_decay,
        "precondition_frequency": frequency,
        "maximize": maximize,
    }
    for (lr, betas), (shampoo_beta, eps), (weight_decay, maximize), frequency in product(
        ((3e-3, (0.95, 0.95)), (0.1, (0.5, 0.9)), (0.1, (0.0, 0.0))),
        ((None, 1e-8), (0.8, 1e-2)),
        ((0, False), (0.1, True)),
        (1, 10),
    )
]


def eigenvectors(L):
    """Those of large eigenvalues first."""
    return np.linalg.eigh(L)[1][:, ::-1]


def order(Q, L):
    return np.argsort(-np.diag(Q.T @ L @ Q), kind="stable")


class OfFullRank(Formula):
    """Gradients with eigenvalues far apart: then the formula leaves nothing to chance but signs."""

    def problem(self, shape):
        θ, _ = super().problem(shape)
        random, scale = np.random.default_rng(1), np.arange(1, shape[0] + 1).reshape(-1, 1) ** 2
        return θ, [0.01 * scale * random.normal(size=shape) for _ in range(self.steps)]


FORMULA = OfFullRank(
    optimizer=SOAP,
    symbols={
        "lr": "η",
        "betas": "β1, β2",
        "shampoo_beta": "βs",
        "eps": "ε",
        "weight_decay": "λ",
        "precondition_frequency": "every",
    },
    unused=frozenset({"max_precond_dim", "merge_dims", "precondition_1d"}),
    start={
        "$M$, $V$, $L$ and $R$ start at 0": "M = V = L = R = 0.0; QL, QR = 0 * θ @ θ.T, 0 * θ.T @ θ",
        r"None takes $\beta_2$": "βs = β2 if βs is None else βs",
    },
    lines={
        r"G_t = \nabla L(\theta_{t-1}), \qquad G_t' = Q_L^\top\,G_t\,Q_R": """\
k = t - 1
G = grad(θ)
G_ = QL.T @ G @ QR""",
        r"M_t = \beta_1\,M_{t-1} + (1 - \beta_1)\,G_t'": "if k > 0: M = β1 * M + (1 - β1) * G_",
        r"V_t = \beta_2\,V_{t-1} + (1 - \beta_2)\,G_t'^2": "if k > 0: V = β2 * V + (1 - β2) * G_**2",
        r"N_t = Q_L\,\frac{M_t}{\sqrt{V_t} + \varepsilon}\,Q_R^\top": "if k > 0: N = QL @ (M / (sqrt(V) + ε)) @ QR.T",
        r"\theta_t = (1 - \eta\lambda)"
        r" \left(\theta_{t-1} - \eta\,\frac{\sqrt{1 - \beta_2^k}}{1 - \beta_1^k}\,N_t\right)": """\
if k > 0: θ = (1 - η * λ) * (θ - η * sqrt(1 - β2**k) / (1 - β1**k) * N)""",
        r"L_t = \beta_s\,L_{t-1} + (1 - \beta_s)\,G_t\,G_t^\top": "L = βs * L + (1 - βs) * G @ G.T",
        r"R_t = \beta_s\,R_{t-1} + (1 - \beta_s)\,G_t^\top\,G_t": "R = βs * R + (1 - βs) * G.T @ G",
    },
    said={"The first step, $k = 0$, moves nothing": "if k > 0"},
    after={
        "They come from the first gradient": "if k == 0: QL, QR = eigenvectors(L), eigenvectors(R)",
        r"and are refreshed every `precondition_frequency` steps: one power iteration,"
        r" $Q \leftarrow \operatorname{QR}(L\,Q)$,"
        r" after sorting the columns by $\operatorname{diag}(Q^\top L\,Q)$": """\
if k > 0 and k % every == 0:
    rows, columns = order(QL, L), order(QR, R)
    QL_before, QR_before = QL, QR
    QL, QR = qr(L @ QL[:, rows]), qr(R @ QR[:, columns])""",
        "$M$ is then carried over into the new basis, $V$ only sorted along": """\
if k > 0 and k % every == 0:
    M = QL.T @ QL_before @ M @ QR_before.T @ QR
    V = V[rows][:, columns]""",
    },
    functions={"eigenvectors": eigenvectors, "order": order, "qr": lambda x: np.linalg.qr(x)[0]},
    options=GRID,
    shapes=((4, 4), (4, 3)),
    steps=60,
    # Eigenvectors magnify rounding by one over the distance of their eigenvalues.
    rel=1e-7,
    abs=1e-8,
)
