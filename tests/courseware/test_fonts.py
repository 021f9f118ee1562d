"""The fonts hold what the pages use, and little else."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from courseware import fonts
from courseware.fonts import write_fonts
from courseware.mathml import to_mathml

NAMES = {"text-regular.woff2", "text-bold.woff2", "text-italic.woff2", "code.woff2", "math.woff2"}
FORMULA = r"\hat m_t = \frac{\beta_1}{\sqrt{1 + \left( \frac{a}{b} \right)}} + h + \mathcal{L}"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fonts")


def make_site(folder: Path, **pages: str) -> Path:
    for name, body in {"index": f"<p>Text {to_mathml(FORMULA)}</p>", **pages}.items():
        html = f"<!doctype html><title>x</title><script>let '漢'</script><body>{body}</body>"
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    return folder


def characters(site: Path, name: str) -> set[str]:
    with TTFont(site / "assets/fonts" / name) as font:
        return set(map(chr, font.getBestCmap()))


def taller(font: TTFont, character: str) -> tuple[list[str], list[str]]:
    """Return the glyphs for a character at its larger sizes, and the parts that any size is built from."""
    variants = font["MATH"].table.MathVariants
    index = variants.VertGlyphCoverage.glyphs.index(font.getBestCmap()[ord(character)])
    construction = variants.VertGlyphConstruction[index]
    sizes = [variant.VariantGlyph for variant in construction.MathGlyphVariantRecord]
    return sizes, [part.glyph for part in construction.GlyphAssembly.PartRecords]


def test_all_are_written_and_small(tmp_path: Path, cache: Path) -> None:
    site = make_site(tmp_path)
    sizes = write_fonts(site, cache)
    assert sizes.keys() == NAMES
    assert sizes == {path.name: path.stat().st_size for path in (site / "assets/fonts").glob("*.woff2")}
    assert sum(sizes.values()) <= 90_000


def test_the_definition_beside_a_term_is_drawn_too(tmp_path: Path, cache: Path) -> None:
    link = '<a class="term" href="glossary/#x" title="Written Ξ.">x</a> <a href="y" title="Ψ">y</a>'
    site = make_site(tmp_path, page=f"<p>{link}</p>")
    write_fonts(site, cache)
    drawn = characters(site, "text-regular.woff2")
    assert "Ξ" in drawn
    assert "Ψ" not in drawn


def test_formulas_find_their_glyphs(tmp_path: Path, cache: Path) -> None:
    site = make_site(tmp_path)
    write_fonts(site, cache)
    drawn = characters(site, "math.woff2")
    # The browser draws single letters in italics, and the radical sign that no page spells.
    assert {"𝑚", "𝑡", "𝛽", "𝑎", "ℎ", "1", "+", "=", "ˆ", "(", ")", "√", "ℒ"} <= drawn
    assert "𝑞" not in drawn
    with TTFont(site / "assets/fonts/math.woff2") as font:
        sizes, parts = taller(font, "(")
    assert len(sizes) > 5
    assert parts


def test_radicals_have_one_width(tmp_path: Path, cache: Path) -> None:
    site = make_site(tmp_path)
    write_fonts(site, cache)
    with TTFont(site / "assets/fonts/math.woff2") as font:
        sizes, parts = taller(font, "√")
        widths = [font["hmtx"][name][0] for name in (*sizes, *parts)]
    assert len(widths) > 4
    assert len(set(widths)) == 1


def test_text_and_code_find_their_glyphs(tmp_path: Path, cache: Path) -> None:
    site = make_site(tmp_path, a="<p>Šarić &rarr; η ∇</p><pre><code># β₁ ≥ █</code></pre>")
    write_fonts(site, cache)
    text, code = characters(site, "text-regular.woff2"), characters(site, "code.woff2")
    assert {"A", "z", "é", "—", "Š", "ć", "→", "η"} <= text
    assert {"A", "~", "β", "₁", "≥", "█"} <= code
    # Source Sans has no ∇: the code font lends it, and the stylesheet names it second.
    assert "∇" not in text
    assert "∇" in code
    assert "漢" not in text | code, "a script's text is not shown"


def test_every_borrowed_family_is_named_in_the_stylesheet() -> None:
    stylesheet = (Path(fonts.__file__).parents[1] / "theme/assets/course.css").read_text(encoding="utf-8")
    for face in (fonts.REGULAR, fonts.BOLD, fonts.ITALIC, fonts.CODE, fonts.MATH):
        assert f'font-family: "{face.family}"' in stylesheet
        assert f'url("fonts/{face.name}.woff2")' in stylesheet


def test_a_second_build_cuts_nothing(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make_site(tmp_path)
    first = write_fonts(site, cache)
    monkeypatch.setattr(fonts, "_cut", lambda *_: pytest.fail("cut again"))
    assert write_fonts(site, cache) == first


def test_an_interrupted_cut_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(fonts, "_cut", stop)
    site, cache = make_site(tmp_path), tmp_path / "cache"
    with pytest.raises(KeyboardInterrupt):
        write_fonts(site, cache)
    assert not list(tmp_path.rglob("*.woff2"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<p>漢</p>", "no font of the site has the 漢 in its text (U+6F22"),
        ("<pre>漢</pre>", "no font of the site has the 漢 in its code (U+6F22"),
        ("<math><mi>漢</mi></math>", "no font of the site has the 漢 in its formulas (U+6F22"),
    ],
)
def test_a_missing_glyph_is_reported(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture, body: str, message: str
) -> None:
    with caplog.at_level(logging.WARNING):
        write_fonts(make_site(tmp_path, odd=body), cache)
    assert [record.getMessage() for record in caplog.records] == [f"odd.html: {message} CJK UNIFIED IDEOGRAPH-6F22)"]


def test_emoji_are_left_to_the_reader(tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_fonts(make_site(tmp_path, odd="<p>🎉 ✓\ufe0f &nbsp; &shy;</p>"), cache)
    assert not caplog.records


def test_licences_travel_with_the_fonts(tmp_path: Path, cache: Path) -> None:
    site = make_site(tmp_path)
    write_fonts(site, cache)
    text = (site / "assets/fonts/LICENSES.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE" in text
    assert "Bitstream Vera" in text
    for name in NAMES:
        with TTFont(site / "assets/fonts" / name) as font:
            assert font["name"].getDebugName(0), f"{name} names no copyright holder"
            assert "Source" not in font["name"].getDebugName(1), "a name that the licence reserves"
