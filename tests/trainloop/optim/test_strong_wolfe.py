"""The line search: its answers satisfy the conditions it is named after, whatever the function."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainloop.optim._strong_wolfe import C1, C2, Trial, interpolate, search


def scalar(x):
    return torch.tensor(float(x), dtype=torch.float64)


def trials_of(f, df):
    """Return a function that tries a step length, and the list of what was tried."""
    made = []

    def evaluate(t):
        made.append(Trial(t, f(float(t)), scalar(df(float(t))).reshape(1), scalar(df(float(t)))))
        return made[-1]

    return evaluate, made


def find(f, df, t=1.0, rounds=25, reach=1.0):
    evaluate, made = trials_of(f, df)
    start = Trial(0.0, f(0.0), scalar(df(0.0)).reshape(1), scalar(df(0.0)))
    best, count = search(evaluate, start, t, scalar(reach), rounds)
    assert count == len(made)
    assert any(best is trial for trial in [start, *made])
    return best, made


def is_good(f, df, t):
    t = float(t)
    return f(t) <= f(0.0) + C1 * t * df(0.0) and abs(df(t)) <= C2 * abs(df(0.0))


def waves(steepness, wavelength, height):
    """A function that falls at first and rises in the end, with ripples."""
    return (
        lambda t: 0.5 * (t - steepness) ** 2 + height * math.cos(t / wavelength),
        lambda t: t - steepness - height / wavelength * math.sin(t / wavelength),
    )


@settings(deadline=None, max_examples=150)
@given(
    steepness=st.floats(0.05, 50),
    wavelength=st.floats(0.2, 10),
    height=st.floats(0, 2),
    first=st.floats(1e-3, 100),
)
def test_answer_satisfies_both_conditions(steepness, wavelength, height, first):
    f, df = waves(steepness, wavelength, height)
    best, _ = find(f, df, t=first, rounds=200)
    assert is_good(f, df, best.t)
    assert best.loss == f(float(best.t))
    assert best.slope.item() == df(float(best.t))


def test_first_length_is_taken_if_good():
    _, made = find(lambda t: (t - 1) ** 2, lambda t: 2 * (t - 1), t=1.0)
    assert [trial.t for trial in made] == [1.0]


def test_short_first_length_grows_at_most_tenfold():
    _, made = find(lambda t: (t - 1000) ** 2, lambda t: 2 * (t - 1000), t=0.1)
    lengths = [float(trial.t) for trial in made]
    assert lengths[:4] == pytest.approx([0.1, 1, 10, 100])


def test_long_first_length_shrinks_to_the_parabolas_minimum():
    best, made = find(lambda t: (t - 1) ** 2, lambda t: 2 * (t - 1), t=64.0)
    assert float(best.t) == 1
    assert len(made) == 2


def test_guess_next_to_an_end_is_moved_inwards_the_second_time():
    # φ' jumps at 1, which no cubic foresees: every guess lies close to the left end.
    def f(t):
        return -t if t < 1 else 1e4 * (t - 1) - 1

    _, made = find(f, lambda t: -1.0 if t < 1 else 1e4, t=100.0, rounds=4)
    lengths = [float(trial.t) for trial in made]
    assert lengths[0] == 100
    assert 0 < lengths[1] < 10  # let through
    assert lengths[2] == pytest.approx(lengths[1] + 0.1 * (lengths[0] - lengths[1]))


def test_out_of_rounds_it_returns_the_lowest_trial():
    f, df = waves(30.0, 0.3, 2.0)
    for rounds in range(6):
        best, made = find(f, df, t=1e-3, rounds=rounds)
        assert len(made) <= 1 + rounds
        assert best.loss == min(f(0.0), *(trial.loss for trial in made))


def test_no_progress_returns_the_start():
    # A kink: the slope promises a descent that never comes.
    best, made = find(lambda t: t, lambda t: -1.0, t=1.0, rounds=25)
    assert best.t == 0
    assert len(made) > 1


def test_interval_too_short_to_matter_ends_the_search():
    far, near = (find(lambda t: t, lambda t: -1.0, reach=reach)[1] for reach in (1.0, 1e-6))
    assert len(near) < len(far) < 26
    assert float(near[-1].t) * 1e-6 > 1e-10  # a tenth of an interval, once more


@pytest.mark.parametrize("swapped", [False, True])
def test_interpolation_finds_a_cubics_minimum(swapped):
    # t³ − 3t has its minimum at 1, and its maximum at −1.
    a, b = (Trial(t, t**3 - 3 * t, None, scalar(3 * t**2 - 3)) for t in (-0.5, 2.5))
    if swapped:
        a, b = b, a
    assert float(interpolate(a, b)) == pytest.approx(1)
    assert interpolate(a, b, bounds=(1.5, 9.0)) == 1.5
    assert interpolate(a, b, bounds=(-3.0, 0.5)) == 0.5


def test_interpolation_without_a_minimum_is_in_the_middle():
    a, b = (Trial(t, -t - t**3, None, scalar(-1 - 3 * t**2)) for t in (0.0, 1.0))
    assert interpolate(a, b) == 0.5
    assert interpolate(a, b, bounds=(2.0, 4.0)) == 3.0
