r"""Line search: how far to go along a direction, for `LBFGS(line_search_fn="strong_wolfe")`.

Along the direction $d$ the loss is a function of one number, $\varphi(t) = L(\theta + t\,d)$, with slope
$\varphi'(t) = \nabla L(\theta + t\,d) \cdot d$. A step length is good enough if it satisfies both strong
Wolfe conditions:

$$
\varphi(t) \le \varphi(0) + c_1\,t\,\varphi'(0), \qquad |\varphi'(t)| \le c_2\,|\varphi'(0)|
$$

The loss has fallen by a fair share of what the slope promised, and the slope has flattened. The search first grows
the step until a good length must lie between two it has tried, then narrows that interval down.

Nocedal and Wright, "Numerical Optimization", 2nd edition, 2006, algorithms 3.5 and 3.6,
https://doi.org/10.1007/978-0-387-40065-5. Safeguards as in Schmidt's minFunc, 2005,
https://www.cs.ubc.ca/~schmidtm/Software/minFunc.html, which torch follows, too.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from torch import Tensor

__all__ = ["Trial", "interpolate", "search"]

Length: TypeAlias = float | Tensor
"""A step length: a number, or a 0-dim tensor once it was computed from slopes."""

C1 = 1e-4
"""$c_1$: the share of the promised decrease that a step must bring."""

C2 = 0.9
"""$c_2$: the share of the first slope that a step may leave."""


TINY = 1e-9
"""The search ends when no parameter differs by more between the interval's two ends."""


class Trial(NamedTuple):
    r"""What is known about one step length.

    Attributes:
        t: the step length.
        loss: $\varphi(t)$.
        grad: the gradient there, flat.
        slope: $\varphi'(t)$, a 0-dim tensor.
    """

    t: Length
    loss: float
    grad: Tensor
    slope: Tensor


def interpolate(a: Trial, b: Trial, bounds: tuple[Length, Length] | None = None) -> Length:
    """Return where the cubic through both trials, with their losses and slopes, is lowest.

    Args:
        a: a trial; the order of the two does not matter.
        b: another one, at another step length.
        bounds: the smallest and the largest answer allowed; without them, the two trials' own step lengths.

    Returns:
        The lowest point, moved into the bounds; their middle if the cubic has none.

    Examples:
        Through 0, 1 and their slopes, the cubic is the parabola (t − 0.25)²:

        >>> import torch
        >>> g = torch.zeros(1)
        >>> a = Trial(0.0, 0.0625, g, torch.tensor(-0.5))
        >>> b = Trial(1.0, 0.5625, g, torch.tensor(1.5))
        >>> float(interpolate(a, b))
        0.25
    """
    left, right = (a, b) if a.t <= b.t else (b, a)
    lowest, highest = bounds or (left.t, right.t)
    d1 = left.slope + right.slope - 3 * (left.loss - right.loss) / (left.t - right.t)
    square = d1**2 - left.slope * right.slope
    if square >= 0:
        d2 = square.sqrt()
        share = (right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2)
        return min(max(right.t - (right.t - left.t) * share, lowest), highest)
    return (lowest + highest) / 2.0


def search(
    evaluate: Callable[[Length], Trial],
    start: Trial,
    t: Length,
    reach: Tensor,
    max_rounds: int,
) -> tuple[Trial, int]:
    """Find a step length that satisfies the strong Wolfe conditions.

    Args:
        evaluate: tries a step length.
        start: the trial of step length 0; its slope is negative.
        t: the first length to try, > 0.
        reach: the largest element of $|d|$, a 0-dim tensor.
        max_rounds: how often the search may try another length after the first.

    Returns:
        The best trial, and how many were made. Out of rounds, it need not satisfy the conditions.
    """
    interval, rounds, done = _bracket(evaluate, start, t, max_rounds)
    low = _lower(interval)
    close_before = False  # whether the last interpolation fell close to an end of the interval
    while not done and rounds < max_rounds:
        first, last = sorted((interval[0].t, interval[1].t))
        if (last - first) * reach < TINY:
            break
        t, close_before = _inside(interpolate(interval[0], interval[1]), first, last, close_before)
        trial = evaluate(t)
        rounds += 1
        if _too_high(trial, start) or trial.loss >= interval[low].loss:
            interval[1 - low] = trial
            low = _lower(interval)
        else:
            done = _flat(trial, start)
            if not done and trial.slope * (interval[1 - low].t - interval[low].t) >= 0:
                interval[1 - low] = interval[low]  # towards the high end the loss rises: the minimum lies behind
            interval[low] = trial
    return interval[low], 1 + rounds


def _bracket(
    evaluate: Callable[[Length], Trial], start: Trial, t: Length, max_rounds: int
) -> tuple[list[Trial], int, bool]:
    """Lengthen the step until two trials enclose a good length, or one is good.

    Returns:
        Two trials; how many were made after the first; whether the first of the two is the answer already.
    """
    before, trial = start, evaluate(t)
    for rounds in range(max_rounds):
        if _too_high(trial, start) or (rounds > 1 and trial.loss >= before.loss):
            return [before, trial], rounds, False
        if _flat(trial, start):
            return [trial, trial], rounds, True
        if trial.slope >= 0:
            return [before, trial], rounds, False
        a_bit_longer = trial.t + 0.01 * (trial.t - before.t)
        t = interpolate(before, trial, bounds=(a_bit_longer, trial.t * 10))
        before, trial = trial, evaluate(t)
    return [start, trial], max_rounds, False


def _too_high(trial: Trial, start: Trial) -> bool:
    """Whether the loss has fallen too little: the first condition fails."""
    return bool(trial.loss > start.loss + C1 * trial.t * start.slope)


def _flat(trial: Trial, start: Trial) -> bool:
    """Whether the slope has flattened: the second condition holds."""
    return bool(abs(trial.slope) <= -C2 * start.slope)


def _lower(interval: list[Trial]) -> int:
    """The index of the trial with the lower loss."""
    return 0 if interval[0].loss <= interval[1].loss else 1


def _inside(t: Length, first: Length, last: Length, close_before: bool) -> tuple[Length, bool]:
    """Keep an interpolated length away from the interval's ends, or the interval would hardly shrink.

    Close means within a tenth of the interval. A first close one is let through, unless it is the end itself.

    Returns:
        The length to try, and whether it was close and let through.
    """
    margin = 0.1 * (last - first)
    if not (last - t < margin or t - first < margin):
        return t, False
    if not (close_before or t >= last or t <= first):
        return t, True
    return (last - margin if last - t < t - first else first + margin), False
