"""The course's colours can be told apart and read, in both schemes; labels do not overlap."""

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from trainloop.figures import COLOURS, DASHES, FAMILIES, NAMES, colour, label_ends, line, scheme

GROUND = {"light": "#ffffff", "dark": "#141b1d"}

# What a dichromat sees, as a map of linear sRGB: Machado, Oliveira and Fernandes (2009), severity 1,
# https://doi.org/10.1109/TVCG.2009.113
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}

# Linear sRGB to OKLab: Ottosson (2020), https://bottosson.github.io/posts/oklab/
TO_CONES = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]

# Two colours 0.02 apart in OKLab are just noticeably different, says CSS Color 4
# (https://www.w3.org/TR/css-color-4/#css-gamut-mapping). Lines are thin: we ask for four times that.
APART = 0.08
# So far apart that the same dash will do.
FAR_APART = 0.18


def linear(ink: str) -> np.ndarray:
    """Linear sRGB of `#rrggbb`."""
    channels = [int(ink[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels])


def luminance(ink: str) -> float:
    """Relative luminance, WCAG 2.2."""
    return float(linear(ink) @ [0.2126, 0.7152, 0.0722])


def seen(ink: str, vision: str) -> np.ndarray:
    """The colour in OKLab as somebody with this vision sees it."""
    light = np.clip(np.array(VISION[vision]) @ linear(ink), 0, 1)
    return np.array(TO_OKLAB) @ np.cbrt(np.array(TO_CONES) @ light)


def apart(a: str, b: str) -> float:
    """The distance of two colours in OKLab, in the vision that tells them apart worst."""
    return min(float(np.linalg.norm(seen(a, vision) - seen(b, vision))) for vision in VISION)


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_every_colour_is_legible_as_text_on_its_ground(name):
    with scheme(name):
        for concept in COLOURS:
            assert contrast(colour(concept), GROUND[name]) >= 4.5, concept


def test_white_and_black_are_as_far_apart_as_oklab_says():
    assert apart("#ffffff", "#000000") == pytest.approx(1, abs=1e-3)
    # The textbook confusion: red and green of one lightness, near to each other for a deuteranope alone.
    red, green = "#c0504d", "#7d8c2a"
    distances = {vision: np.linalg.norm(seen(red, vision) - seen(green, vision)) for vision in VISION}
    assert distances["deuteranopia"] < APART < distances["normal"]


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_told_apart_by_the_colour_blind(family, name):
    with scheme(name):
        for a, b in itertools.combinations(FAMILIES[family], 2):
            assert apart(colour(a), colour(b)) >= APART, (a, b)


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("family", FAMILIES)
def test_lines_of_a_family_have_a_second_cue(family, name):
    with scheme(name):
        lines = [concept for concept in FAMILIES[family] if concept in DASHES]
        for a, b in itertools.combinations(lines, 2):
            assert DASHES[a] != DASHES[b] or apart(colour(a), colour(b)) >= FAR_APART, (a, b)


def test_every_concept_is_in_a_family():
    assert {concept for family in FAMILIES.values() for concept in family} == set(COLOURS)
    assert set(DASHES) <= set(COLOURS)
    assert set(NAMES) <= set(COLOURS)


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
