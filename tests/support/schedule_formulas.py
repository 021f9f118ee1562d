r"""The displayed formulas of trainloop.schedulers, in plain Python: a second opinion for the tests.

Each transcription has the name of the function or class whose docstring it transcribes, and its comments are that
docstring's formula, line by line, as it stands there. `displayed` and `transcribed` give both, and
tests/trainloop/schedulers/test_formulas.py holds them against each other: nobody can change one alone.

A function's transcription takes the step, the base learning rate and the function's options. A class's makes the
learning rate of step t from that of the step before, as the class does; before step 0 stands the base.
"""

# ruff: noqa: SIM108 – a case of a formula is a line of its own

import inspect
import io
import re
import tokenize
from collections.abc import Callable
from math import cos, floor, inf, pi, prod, sqrt

__all__ = ["displayed", "transcribed"]


def displayed(docstring: str | None) -> list[str]:
    """The lines of a docstring's displayed formulas."""
    formulas = re.findall(r"\$\$(.+?)\$\$", inspect.cleandoc(docstring or ""), flags=re.DOTALL)
    return [line.strip() for formula in formulas for line in formula.strip().splitlines()]


def transcribed(function: Callable) -> list[str]:
    """The comments of a transcription: the formula that it says it transcribes."""
    tokens = tokenize.generate_tokens(io.StringIO(inspect.getsource(function)).readline)
    return [token.string.removeprefix("# ") for token in tokens if token.type == tokenize.COMMENT]


# What follows here stands in docstrings between the displays, or in words.


def A(x, y, q, strategy):
    return x + (y - x) * q if strategy == "linear" else y + (x - y) * (1 + cos(pi * q)) / 2


def phases(t, total_steps, pct_start, three_phase):
    """The phase that a step of OneCycleLR is in: 1, 2 or 3, and how much of it is over."""
    a, e = pct_start * total_steps - 1, total_steps - 1
    if t <= a:
        return 1, t / a
    if not three_phase:
        return 2, (t - a) / (e - a)
    if t <= 2 * a:
        return 2, (t - a) / a
    return 3, (t - 2 * a) / (e - 2 * a)


def first_share(start_factor, warmup_steps):
    return 1 / (warmup_steps + 1) if start_factor is None else start_factor


SHAPES = {
    "1-sqrt": lambda u: 1 - sqrt(u),
    "linear": lambda u: 1 - u,
    "cosine": lambda u: (1 + cos(pi * u)) / 2,
}


# And here the formulas.


def lambda_lr(t, η_0, *, lr_lambda):
    λ = lr_lambda
    # \eta_t = \eta_0 \, \lambda(t)
    return η_0 * λ(t)


def LambdaLR(t, before, η_0, *, lr_lambda):
    λ = lr_lambda
    # \eta_t = \eta_0 \, \lambda(t)
    return η_0 * λ(t)


def multiplicative_lr(t, η_0, *, lr_lambda):
    λ = lr_lambda
    # \eta_t = \eta_0 \prod_{i=1}^{t} \lambda(i)
    return η_0 * prod(λ(i) for i in range(1, t + 1))


def MultiplicativeLR(t, before, η_0, *, lr_lambda):
    λ = lr_lambda
    # \eta_t = \lambda(t) \, \eta_{t-1} \quad \text{for } t \ge 1
    return λ(t) * before if t >= 1 else before


def step_lr(t, η_0, *, step_size, gamma=0.1):
    s, γ = step_size, gamma
    # \eta_t = \eta_0 \, \gamma^{\lfloor t / s \rfloor}
    return η_0 * γ ** floor(t / s)


def StepLR(t, before, η_0, *, step_size, gamma=0.1):
    s, γ = step_size, gamma
    # \eta_t = \begin{cases}
    if t > 0 and t % s == 0:
        # \gamma \, \eta_{t-1} & \text{if } t > 0 \text{ and } s \text{ divides } t \\
        return γ * before
    # \eta_{t-1} & \text{otherwise}
    return before
    # \end{cases}


def multi_step_lr(t, η_0, *, milestones, gamma=0.1):
    γ = gamma
    # \eta_t = \eta_0 \, \gamma^k, \qquad k = \text{number of milestones} \le t
    return η_0 * γ ** sum(m <= t for m in milestones)


def MultiStepLR(t, before, η_0, *, milestones, gamma=0.1):
    γ = gamma
    # \eta_t = \gamma^{n} \, \eta_{t-1}, \qquad n = \text{number of milestones} = t
    return γ ** sum(m == t for m in milestones) * before


def constant_lr(t, η, *, factor=1 / 3, total_iters=5):
    c, T = factor, total_iters
    # \eta_t = \begin{cases}
    if t < T:
        # c \, \eta & \text{1. for } t < T \\
        return c * η
    # \eta & \text{2. from } t = T \text{ on}
    return η
    # \end{cases}


def ConstantLR(t, before, η, *, factor=1 / 3, total_iters=5):
    c, T = factor, total_iters
    if t == 0:
        # \eta_0 = c \, \eta, \qquad
        return c * η
    # \eta_t = \begin{cases}
    if t == T:
        # \eta_{t-1} / c & \text{if } t = T \\
        return before / c
    # \eta_{t-1} & \text{otherwise}
    return before
    # \end{cases}


def linear_lr(t, η, *, start_factor=1 / 3, end_factor=1.0, total_iters=5):
    a, b, T = start_factor, end_factor, total_iters
    # \frac{\eta_t}{\eta} = \begin{cases}
    if t < T:
        # a + (b - a) \, t / T & \text{1. for } t < T \\
        return η * (a + (b - a) * t / T)
    # b & \text{2. from } t = T \text{ on}
    return η * b
    # \end{cases}


def LinearLR(t, before, η, *, start_factor=1 / 3, end_factor=1.0, total_iters=5):
    a, b, T = start_factor, end_factor, total_iters
    if t == 0:
        # \eta_0 = a \, \eta, \qquad
        return a * η
    if t <= T:
        # \eta_t = \eta_{t-1} \left( 1 + \frac{b - a}{T a + (t - 1)(b - a)} \right)
        # \quad \text{for } 1 \le t \le T
        return before * (1 + (b - a) / (T * a + (t - 1) * (b - a)))
    return before


def exponential_lr(t, η_0, *, gamma):
    γ = gamma
    # \eta_t = \eta_0 \, \gamma^t
    return η_0 * γ**t


def ExponentialLR(t, before, η_0, *, gamma):
    γ = gamma
    # \eta_t = \gamma \, \eta_{t-1} \quad \text{for } t \ge 1
    return γ * before if t >= 1 else before


def polynomial_lr(t, η_0, *, total_iters=5, power=1.0):
    T, p = total_iters, power
    # \eta_t = \begin{cases}
    if t < T:
        # \eta_0 \, (1 - t / T)^p & \text{1. for } t < T \\
        return η_0 * (1 - t / T) ** p
    # \eta_0 \, 0^p & \text{2. from } t = T \text{ on}
    return η_0 * 0.0**p
    # \end{cases}


def PolynomialLR(t, before, η_0, *, total_iters=5, power=1.0):
    T, p = total_iters, power
    if 1 <= t <= T:
        # \eta_t = \left( \frac{1 - t / T}{1 - (t - 1) / T} \right)^p \eta_{t-1}
        # \quad \text{for } 1 \le t \le T
        return ((1 - t / T) / (1 - (t - 1) / T)) ** p * before
    return before


def cosine_annealing_lr(t, η_0, *, T_max, eta_min=0.0):
    T, η_min = T_max, eta_min
    # \eta_t = \eta_{\min} + \tfrac12 (\eta_0 - \eta_{\min})
    # \left( 1 + \cos \frac{\pi t}{T} \right)
    return η_min + 1 / 2 * (η_0 - η_min) * (1 + cos(pi * t / T))


def CosineAnnealingLR(t, before, η_0, *, T_max, eta_min=0.0):
    T, η_min = T_max, eta_min
    if t == 0:
        return before
    # \eta_t = \begin{cases}
    if t % (2 * T) == (T + 1) % (2 * T):
        # \eta_{t-1} + \tfrac12 (\eta_0 - \eta_{\min}) \left( 1 - \cos \frac{\pi}{T} \right)
        # & \text{1. one step after a bottom, } t = T + 1, \, 3T + 1, \dots \\
        return before + 1 / 2 * (η_0 - η_min) * (1 - cos(pi / T))
    # \eta_{\min} + (\eta_{t-1} - \eta_{\min}) \, c_t / c_{t-1}
    # & \text{2. otherwise}
    return η_min + (before - η_min) * c(t, T) / c(t - 1, T)
    # \end{cases}
    # \qquad c_t = 1 + \cos \frac{\pi t}{T}


def c(t, T):
    return 1 + cos(pi * t / T)


def cosine_annealing_warm_restarts(t, η_0, *, T_0, T_mult=1, eta_min=0.0):
    m, η_min = T_mult, eta_min

    def s(n):
        # s_n = \begin{cases}
        if m == 1:
            # n\,T_0 & \text{if } m = 1 \\
            return n * T_0
        # T_0\,\dfrac{m^n - 1}{m - 1} & \text{if } m > 1
        return T_0 * (m**n - 1) // (m - 1)
        # \end{cases}

    n = 0
    while s(n + 1) <= t:
        n += 1
    # \eta_t = \eta_{\min} + (\eta_0 - \eta_{\min})\,\frac{1 + \cos(\pi\,(t - s_n) / T_n)}{2},
    # \qquad s_n \le t < s_{n+1}
    return η_min + (η_0 - η_min) * (1 + cos(pi * (t - s(n)) / (T_0 * m**n))) / 2


def CosineAnnealingWarmRestarts(t, before, η_0, *, T_0, T_mult=1, eta_min=0.0):
    η_min, T_cur, T_i = eta_min, 0, T_0
    for _ in range(t):
        T_cur += 1
        if T_cur == T_i:
            T_cur, T_i = 0, T_i * T_mult
    # \eta_t = \eta_{\min} + (\eta_0 - \eta_{\min})\,\frac{1 + \cos(\pi\,T_{\text{cur}} / T_i)}{2}
    return η_min + (η_0 - η_min) * (1 + cos(pi * T_cur / T_i)) / 2


def cyclic_lr(t, η_base, η_max, *, step_size_up=2000, step_size_down=None, mode="triangular", gamma=1.0):
    u, γ = step_size_up, gamma
    d = u if step_size_down is None else step_size_down
    c, τ = 1 + t // (u + d), t % (u + d)

    def η_t(Λ, s):
        # \eta_t = \eta_{\text{base}} + (\eta_{\max} - \eta_{\text{base}})\,\Lambda_t\,s_t,
        return η_base + (η_max - η_base) * Λ * s

    # \qquad
    # \Lambda_t = \begin{cases}
    if τ <= u:
        # \tau / u & \text{if } \tau \le u \\
        Λ = τ / u
    else:
        # 1 - (\tau - u) / d & \text{if } \tau > u
        Λ = 1 - (τ - u) / d
    # \end{cases}
    # s_t = \begin{cases}
    if mode == "triangular":
        # 1 & \text{triangular} \\
        s = 1
    elif mode == "triangular2":
        # 2^{1 - c} & \text{triangular2} \\
        s = 2.0 ** (1 - c)
    else:
        # \gamma^t & \text{exp\_range}
        s = γ**t
    # \end{cases}
    return η_t(Λ, s)


def cyclic_momentum(t, μ_base, μ_max, **shape):
    Λs = cyclic_lr(t, 0, 1, **shape)
    # \mu_t = \mu_{\max} - (\mu_{\max} - \mu_{\text{base}})\,\Lambda_t\,s_t
    return μ_max - (μ_max - μ_base) * Λs


def CyclicLR(t, η_base, η_max, μ_base, μ_max, **shape):
    Λs = cyclic_lr(t, 0, 1, **shape)
    # \eta_t = \eta_{\text{base}} + (\eta_{\max} - \eta_{\text{base}})\,\Lambda_t\,s_t,
    η = η_base + (η_max - η_base) * Λs
    # \qquad
    # \mu_t = \mu_{\max} - (\mu_{\max} - \mu_{\text{base}})\,\Lambda_t\,s_t
    μ = μ_max - (μ_max - μ_base) * Λs
    return η, μ


def one_cycle_lr(
    t,
    η_max,
    *,
    total_steps,
    pct_start=0.3,
    anneal_strategy="cos",
    div_factor=25.0,
    final_div_factor=1e4,
    three_phase=False,
):
    a, e = pct_start * total_steps - 1, total_steps - 1
    η_first = η_max / div_factor
    η_last = η_first / final_div_factor
    if not three_phase:
        # \eta_t = \begin{cases}
        if t <= a:
            # A(\eta_{\text{first}}, \eta_{\max}, t / a) & \text{if } t \le a \\
            return A(η_first, η_max, t / a, anneal_strategy)
        # A(\eta_{\max}, \eta_{\text{last}}, (t - a) / (e - a)) & \text{if } t > a
        return A(η_max, η_last, (t - a) / (e - a), anneal_strategy)
        # \end{cases}
    # \eta_t = \begin{cases}
    if t <= a:
        # A(\eta_{\text{first}}, \eta_{\max}, t / a) & \text{if } t \le a \\
        return A(η_first, η_max, t / a, anneal_strategy)
    if t <= 2 * a:
        # A(\eta_{\max}, \eta_{\text{first}}, (t - a) / a) & \text{if } a < t \le 2a \\
        return A(η_max, η_first, (t - a) / a, anneal_strategy)
    # A(\eta_{\text{first}}, \eta_{\text{last}}, (t - 2a) / (e - 2a)) & \text{if } t > 2a
    return A(η_first, η_last, (t - 2 * a) / (e - 2 * a), anneal_strategy)
    # \end{cases}


def OneCycleLR(
    t,
    η_max,
    *,
    total_steps,
    pct_start=0.3,
    anneal_strategy="cos",
    div_factor=25.0,
    final_div_factor=1e4,
    three_phase=False,
    base_momentum=0.85,
    max_momentum=0.95,
):
    first = η_max / div_factor
    last = first / final_div_factor
    low, high = base_momentum, max_momentum
    phase, q = phases(t, total_steps, pct_start, three_phase)
    if three_phase:
        x, y = {1: (first, η_max), 2: (η_max, first), 3: (first, last)}[phase]
    else:
        x, y = {1: (first, η_max), 2: (η_max, last)}[phase]
    x2, y2 = {1: (high, low), 2: (low, high), 3: (high, high)}[phase]
    # \eta_t = A(x, y, q), \qquad \mu_t = A(x', y', q)
    return A(x, y, q, anneal_strategy), A(x2, y2, q, anneal_strategy)


def reduce_lr_on_plateau(
    metrics,
    η,
    *,
    mode="min",
    factor=0.1,
    patience=10,
    threshold=1e-4,
    threshold_mode="rel",
    cooldown=0,
    min_lr=0.0,
    eps=1e-8,
):
    θ, γ, η_min, ε = threshold, factor, min_lr, eps

    def is_better(x, b):
        # \begin{cases}
        if (mode, threshold_mode) == ("min", "rel"):
            # x_t < b\,(1 - \theta) & \text{min, rel} \\
            return x < b * (1 - θ)
        if (mode, threshold_mode) == ("min", "abs"):
            # x_t < b - \theta & \text{min, abs} \\
            return x < b - θ
        if (mode, threshold_mode) == ("max", "rel"):
            # x_t > b\,(1 + \theta) & \text{max, rel} \\
            return x > b * (1 + θ)
        # x_t > b + \theta & \text{max, abs}
        return x > b + θ
        # \end{cases}

    def dropped(before):
        # \eta_t = \begin{cases}
        if before - max(γ * before, η_min) > ε:
            # \max(\gamma\,\eta_{t-1}, \eta_{\min}) & \text{if that is smaller by more than } \varepsilon \\
            return max(γ * before, η_min)
        # \eta_{t-1} & \text{otherwise}
        return before
        # \end{cases}

    best, bad, after_drop, lrs = inf if mode == "min" else -inf, 0, cooldown, []
    for x in metrics:
        if is_better(x, best):
            best, bad = x, 0
        elif after_drop >= cooldown:
            bad += 1
        after_drop += 1
        if bad > patience:
            η, bad, after_drop = dropped(η), 0, 0
        lrs.append(η)
    return lrs


def ReduceLROnPlateau(bad_metrics, before, *, factor=0.1, patience=10, min_lr=0.0):
    γ, P, η_min = factor, patience, min_lr
    # \eta_t = \begin{cases}
    if bad_metrics == P + 1:
        # \max(\gamma\,\eta_{t-1}, \eta_{\min}) & \text{after } P + 1 \text{ bad metrics} \\
        return max(γ * before, η_min)
    # \eta_{t-1} & \text{otherwise}
    return before
    # \end{cases}


def chained_scheduler(t, η_0, *, factors):
    # \eta_t = \eta_0 \prod_i f_i(t)
    return η_0 * prod(f_i(t) for f_i in factors)


def ChainedScheduler(t, before, *, recursions):
    η = before
    for h_i in recursions:
        # \eta_t = h_n(t, \dots h_2(t, h_1(t, \eta_{t-1})))
        η = h_i(t, η)
    return η


def sequential_lr(t, *, schedules, milestones):
    f, m = dict(enumerate(schedules, 1)), dict(enumerate(milestones, 1))
    n = len(f)
    # \eta_t = \begin{cases}
    if n == 1 or t < m[1]:
        # f_1(t) & \text{if } t < m_1 \\
        return f[1](t)
    for i in range(2, n):
        if m[i - 1] <= t < m[i]:
            # f_i(t - m_{i-1}) & \text{if } m_{i-1} \le t < m_i \\
            return f[i](t - m[i - 1])
    # f_n(t - m_{n-1}) & \text{if } t \ge m_{n-1}
    return f[n](t - m[n - 1])
    # \end{cases}


def SequentialLR(t, *, schedules, milestones):
    bounds = [0, *milestones, inf]
    for i, f_i in enumerate(schedules):
        if bounds[i] <= t < bounds[i + 1]:
            # \eta_t = f_i(t - m_{i-1}), \qquad m_{i-1} \le t < m_i
            return f_i(t - bounds[i])
    raise AssertionError("some schedule has its turn")


def warmup_cosine_lr(t, η, *, warmup_steps, total_steps, end_factor=0.0, start_factor=None):
    W, N, a, b = warmup_steps, total_steps, first_share(start_factor, warmup_steps), end_factor
    # \frac{\eta_t}{\eta} = \begin{cases}
    if t < W:
        # a + (1 - a) \, t / W & \text{1. for } t < W \\
        share = a + (1 - a) * t / W
    elif t < N:
        # b + (1 - b) \, \tfrac12 \left( 1 + \cos \pi \frac{t - W}{N - W} \right)
        # & \text{2. for } W \le t < N \\
        share = b + (1 - b) * 1 / 2 * (1 + cos(pi * (t - W) / (N - W)))
    else:
        # b & \text{3. from } t = N \text{ on}
        share = b
    # \end{cases}
    return η * share


def warmup_linear_lr(t, η, *, warmup_steps, total_steps, end_factor=0.0, start_factor=None):
    W, N, a, b = warmup_steps, total_steps, first_share(start_factor, warmup_steps), end_factor
    # \frac{\eta_t}{\eta} = \begin{cases}
    if t < W:
        # a + (1 - a) \, t / W & \text{1. for } t < W \\
        share = a + (1 - a) * t / W
    elif t < N:
        # b + (1 - b) \, \frac{N - t}{N - W} & \text{2. for } W \le t < N \\
        share = b + (1 - b) * (N - t) / (N - W)
    else:
        # b & \text{3. from } t = N \text{ on}
        share = b
    # \end{cases}
    return η * share


def warmup_polynomial_lr(t, η, *, warmup_steps, total_steps, power=2.0, end_factor=0.0, start_factor=None):
    W, N, p, a, b = warmup_steps, total_steps, power, first_share(start_factor, warmup_steps), end_factor
    # \frac{\eta_t}{\eta} = \begin{cases}
    if t < W:
        # a + (1 - a) \, t / W & \text{1. for } t < W \\
        share = a + (1 - a) * t / W
    elif t < N:
        # b + (1 - b) \left( \frac{N - t}{N - W} \right)^p & \text{2. for } W \le t < N \\
        share = b + (1 - b) * ((N - t) / (N - W)) ** p
    else:
        # b & \text{3. from } t = N \text{ on}
        share = b
    # \end{cases}
    return η * share


def wsd_lr(t, η, *, warmup_steps, total_steps, decay_steps, decay="1-sqrt", end_factor=0.0, start_factor=None):
    W, N, D, d = warmup_steps, total_steps, decay_steps, SHAPES[decay]
    a, b = first_share(start_factor, warmup_steps), end_factor
    # \frac{\eta_t}{\eta} = \begin{cases}
    if t < W:
        # a + (1 - a) \, t / W & \text{1. for } t < W \\
        share = a + (1 - a) * t / W
    elif t < N - D:
        # 1 & \text{2. for } W \le t < N - D \\
        share = 1
    elif t < N:
        u = (t - (N - D)) / D
        # b + (1 - b) \, d(u), \quad u = \frac{t - (N - D)}{D} & \text{3. for } N - D \le t < N \\
        share = b + (1 - b) * d(u)
    else:
        # b & \text{4. from } t = N \text{ on}
        share = b
    # \end{cases}
    return η * share


def inverse_sqrt_lr(t, η, *, warmup_steps, timescale=None, start_factor=None):
    W, a = warmup_steps, first_share(start_factor, warmup_steps)
    τ = W + 1 if timescale is None else timescale
    # \frac{\eta_t}{\eta} = \begin{cases}
    if t < W:
        # a + (1 - a) \, t / W & \text{1. for } t < W \\
        share = a + (1 - a) * t / W
    else:
        # \sqrt{\frac{\tau}{\tau + (t - W)}} & \text{2. from } t = W \text{ on}
        share = sqrt(τ / (τ + (t - W)))
    # \end{cases}
    return η * share
