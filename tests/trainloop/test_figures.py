"""The course's colours can be told apart and read, in both schemes; labels do not overlap."""

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from trainloop.figures import COLOURS, DASHES, NAMES, colour, label_ends, line, scheme

GROUND = {"light": "#ffffff", "dark": "#141b1d"}


def luminance(ink: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(ink[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_every_colour_is_legible_as_text_on_its_ground(name):
    with scheme(name):
        for concept in COLOURS:
            assert contrast(colour(concept), GROUND[name]) >= 4.5, concept


@pytest.mark.parametrize("name", ["light", "dark"])
def test_optimizers_differ_in_colour_and_a_second_cue(name):
    with scheme(name):
        for a, b in itertools.combinations(NAMES, 2):
            assert colour(a) != colour(b)
    cues = [str(DASHES[concept]) for concept in NAMES]
    assert len(set(cues)) >= len(cues) - 1


def test_scheme_is_undone_also_after_an_error():
    before = dict(mpl.rcParams)
    with pytest.raises(ZeroDivisionError), scheme("dark"):
        assert mpl.rcParams["text.color"] == "#e6e9ee"
        raise ZeroDivisionError
    assert dict(mpl.rcParams) == before
    assert colour("adam") == COLOURS["adam"][0]


def test_unknown_names():
    with pytest.raises(ValueError, match="'sepia'"), scheme("sepia"):
        pass
    with pytest.raises(KeyError):
        colour("adamant")


@pytest.mark.parametrize("log", [False, True])
def test_labels_of_meeting_lines_do_not_overlap(log):
    with scheme("light"):
        figure, ax = plt.subplots()
        lines = [(ax.plot([0, 1], [1, 2 + 0.001 * i], **line(name))[0], NAMES[name]) for i, name in enumerate(NAMES)]
        if log:
            ax.set_yscale("log")
        label_ends(ax, lines)
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in ax.texts]
        plt.close(figure)
    assert len(boxes) == len(NAMES)
    for a, b in itertools.combinations(boxes, 2):
        assert not a.overlaps(b)
