"""The site's fonts: cut down to the characters its pages use, and served from the site itself.

No font is committed. Each comes from a package of the build environment: STIX Two Math from ``ziamath``,
Source Sans Pro from ``font-source-sans-pro``, DejaVu Sans Mono from ``matplotlib``. `write_fonts` runs when
the site is built. Cutting takes seconds and depends on the font and the characters alone, so it is cached.

A character that no font of ours has is drawn in whatever font the reader's system offers. That is right for
emoji, and the pages may use them. For anything else a warning names the page, and a strict build stops: a
formula with a borrowed glyph is spaced wrongly, and the next reader may see an empty box.
"""

from __future__ import annotations

import io
import logging
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from html import unescape
from importlib.util import find_spec
from pathlib import Path

import fontTools
from fontTools import subset
from fontTools.ttLib import TTFont

log = logging.getLogger("mkdocs.plugins.courseware.fonts")

ASCII = frozenset(map(chr, range(0x20, 0x7F)))
# What prose is likely to use is always there, so that a new page rarely means new fonts: Latin-1, quotes and
# dashes, a few signs. Greek and all else is there when a page has it.
PROSE = ASCII | set(map(chr, range(0xA0, 0x100))) - {"\xad"} | set("–—‘’“”…•−→←≈≠≤≥")


@dataclass(frozen=True)
class Used:
    """The characters of a page, by the font that draws them, each with one page that has it."""

    text: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    math: dict[str, str] = field(default_factory=dict)

    def add(self, html: str, page: str) -> None:
        for characters, seen in zip(_characters(html), (self.text, self.code, self.math), strict=True):
            for character in characters:
                seen.setdefault(character, page)


@dataclass(frozen=True)
class Face:
    """One font file: where it comes from, under which name it is served, and what of it is kept."""

    name: str
    package: str
    file: str
    family: str
    features: tuple[str, ...] = ("ccmp", "kern", "liga", "locl", "mark", "mkmk")

    @property
    def path(self) -> Path:
        return _package_directory(self.package) / self.file

    @cache  # noqa: B019  (four constants)
    def characters(self) -> frozenset[str]:
        with TTFont(self.path, lazy=True) as font:
            return frozenset(map(chr, font.getBestCmap()))


# The families are named as in course.css. The licence reserves the name "Source" for the uncut font.
SANS = "font_source_sans_pro", "Course Text"
REGULAR = Face("text-regular", SANS[0], "files/SourceSansPro-Regular.otf", SANS[1])
BOLD = Face("text-bold", SANS[0], "files/SourceSansPro-Bold.otf", SANS[1])
ITALIC = Face("text-italic", SANS[0], "files/SourceSansPro-It.otf", SANS[1])
CODE = Face("code", "matplotlib", "mpl-data/fonts/ttf/DejaVuSansMono.ttf", "Course Code", ("ccmp",))
# ssty: the shapes for indices. dtls: letters without their dot, under an accent. The rest are style variants.
MATH = Face("math", "ziamath", "fonts/STIXTwoMath-Regular.ttf", "STIX Two Math", ("dtls", "ssty"))


def write_fonts(site_dir: Path, cache_dir: Path) -> dict[str, int]:
    """Write the fonts of a built site to ``assets/fonts`` and return their sizes in bytes.

    Args:
        site_dir: the built site.
        cache_dir: where cut fonts are kept from one build to the next.
    """
    used = Used()
    for path in sorted(site_dir.rglob("*.html")):
        used.add(path.read_text(encoding="utf-8"), path.relative_to(site_dir).as_posix())

    # What the text font lacks, the code font lends (course.css names it as the text's second choice).
    borrowed = used.text.keys() & CODE.characters() - REGULAR.characters()
    text = PROSE | used.text.keys()
    wanted = {
        REGULAR: text & REGULAR.characters(),
        BOLD: text & BOLD.characters(),
        ITALIC: text & ITALIC.characters(),
        CODE: (ASCII | used.code.keys() | borrowed) & CODE.characters(),
        MATH: used.math.keys() & MATH.characters(),
    }
    _report("text", used.text, REGULAR.characters() | CODE.characters())
    _report("code", used.code, CODE.characters())
    _report("formulas", used.math, MATH.characters())

    target = site_dir / "assets" / "fonts"
    target.mkdir(parents=True, exist_ok=True)
    sizes = {}
    for face, characters in wanted.items():
        data = _cached(face, characters, cache_dir)
        _write(target / f"{face.name}.woff2", data)
        sizes[f"{face.name}.woff2"] = len(data)
    _write(target / "LICENSES.txt", _licences().encode())
    return sizes


# --- the characters of a page

_MATH = re.compile(r"<math\b.*?</math>", re.DOTALL)
_IDENTIFIER = re.compile(r"<mi(?P<attributes>[^>]*)>(?P<text>[^<]*)</mi>")
_CODE = re.compile(r"<(code|pre|kbd|samp)\b.*?</\1>", re.DOTALL)
_UNSEEN = re.compile(r"<(script|style|svg)\b.*?</\1>|<!--.*?-->", re.DOTALL)
_NOTE = re.compile(r'<a class="term"[^>]* title="([^"]*)"')
_TAG = re.compile(r"<[^>]*>")


def _characters(html: str) -> tuple[set[str], set[str], set[str]]:
    """Return the visible characters of a page: in its text, in its code, in its formulas."""
    math, code = [], []

    def take(into: list[str]) -> Callable[[re.Match[str]], str]:
        def replace(match: re.Match[str]) -> str:
            into.append(match[0])
            return " "

        return replace

    html = _UNSEEN.sub(" ", html)
    html += "".join(_NOTE.findall(html))  # terms.js shows them
    html = _MATH.sub(take(math), html)
    html = _CODE.sub(take(code), html)
    # A formula shows italics that no page spells out: <mi>x</mi> is drawn with U+1D465.
    formulas = _IDENTIFIER.sub(_italic, "".join(math))
    if "<msqrt" in formulas or "<mroot" in formulas:
        formulas += "√"  # the browser draws it, no page spells it
    return _visible(html), _visible("".join(code)), _visible(formulas)


def _visible(html: str) -> set[str]:
    # Control and format characters have no shape that a font could draw.
    return {c for c in unescape(_TAG.sub("", html)) if unicodedata.category(c) not in {"Cc", "Cf"}}


def _italic(identifier: re.Match[str]) -> str:
    text = unescape(identifier["text"])
    return identifier[0] if "normal" in identifier["attributes"] else _ITALICS.get(text, text)


def _italics() -> Iterator[tuple[str, str]]:
    """Yield what ``text-transform: math-auto`` (MathML Core) does to an identifier of one letter."""
    ranges = (("A", "Z", "𝐴"), ("a", "z", "𝑎"), ("Α", "Ρ", "𝛢"), ("Σ", "Ω", "𝛴"), ("α", "ω", "𝛼"))
    for first, last, italic in ranges:
        for offset in range(ord(last) - ord(first) + 1):
            yield chr(ord(first) + offset), chr(ord(italic) + offset)
    yield from {"h": "ℎ", "ı": "𝚤", "ȷ": "𝚥", "ϴ": "𝛳", "∇": "𝛻", "∂": "𝜕"}.items()
    yield from {"ϵ": "𝜖", "ϑ": "𝜗", "ϰ": "𝜘", "ϕ": "𝜙", "ϱ": "𝜚", "ϖ": "𝜛"}.items()


_ITALICS = dict(_italics())


def _report(where: str, seen: dict[str, str], available: frozenset[str]) -> None:
    for character in sorted(seen.keys() - available):
        emoji = character >= "\U0001f000"
        variation_selector = "\ufe00" <= character <= "\ufe0f"  # picks a shape for the character before it
        if not (emoji or variation_selector or character.isspace()):
            code = f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()
            log.warning(f"{seen[character]}: no font of the site has the {character} in its {where} ({code})")


# --- cutting


def _cached(face: Face, characters: frozenset[str], cache_dir: Path) -> bytes:
    """Return the cut font, from the cache if the same cut was made before."""
    # The version stands for fontTools' ways; this file's own ways are in its text.
    recipe = (fontTools.version, _digest(Path(__file__)), _digest(face.path), repr(face), *sorted(characters))
    kept = cache_dir / f"{face.name}-{sha256(repr(recipe).encode()).hexdigest()[:20]}.woff2"
    if not kept.exists():
        cache_dir.mkdir(parents=True, exist_ok=True)
        _write(kept, _cut(face, characters))
    return kept.read_bytes()


def _cut(face: Face, characters: frozenset[str]) -> bytes:
    """Return the font with nothing but these characters, and what their formulas need, as WOFF2.

    The glyphs that the MATH table builds large brackets, roots and arrows from are kept for what is kept.
    """
    options = subset.Options()
    options.flavor = "woff2"
    options.layout_features = list(face.features)
    options.hinting = False  # today's screens and rasterisers draw these sizes well without
    options.desubroutinize = True  # larger, but compresses better
    options.name_IDs = [0, 13, 14]  # copyright and licence must travel with the font
    options.name_languages = [0x409]
    options.notdef_outline = True
    options.ignore_missing_unicodes = False
    options.drop_tables += ["FFTM"]  # FontForge's time stamps
    font = subset.load_font(face.path, options, lazy=False)
    cutter = subset.Subsetter(options)
    cutter.populate(text="".join(characters))
    cutter.subset(font)
    if "MATH" in font and "√" in characters:
        _even_radicals(font)
    names = font["name"]
    for name_id, value in ((1, face.family), (4, face.family), (6, face.family.replace(" ", ""))):
        names.setName(value, name_id, 3, 1, 0x409)
    buffer = io.BytesIO()
    subset.save_font(font, buffer, options)
    return buffer.getvalue()


def _even_radicals(font: TTFont) -> None:
    """Give the radical signs of all heights one width.

    Chromium makes a root as wide as with the widest radical sign, and then draws the one that fits. The tall
    signs of STIX Two Math are half as wide again, so that leaves a hole behind every root. The rule joins the
    sign at its advance width: scaling outline and advance together keeps the joint.
    """
    variants = font["MATH"].table.MathVariants
    index = variants.VertGlyphCoverage.glyphs.index(font.getBestCmap()[ord("√")])
    construction = variants.VertGlyphConstruction[index]
    names = {variant.VariantGlyph for variant in construction.MathGlyphVariantRecord}
    names |= {part.glyph for part in construction.GlyphAssembly.PartRecords}
    advances = {name: font["hmtx"][name][0] for name in names}
    width = (min(advances.values()) + max(advances.values())) // 2
    for name, advance in advances.items():
        glyph = font["glyf"][name]
        glyph.coordinates.scale((width / advance, 1))
        glyph.coordinates.toInt()
        glyph.recalcBounds(font["glyf"])
        font["hmtx"][name] = (width, glyph.xMin)


def _write(path: Path, data: bytes) -> None:
    """Write at once or not at all: an interrupted build leaves no half font behind."""
    if path.exists() and path.read_bytes() == data:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.replace(path)


@cache
def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


@cache
def _package_directory(package: str) -> Path:
    # Found, not imported: importing matplotlib takes longer than all the rest.
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the site's fonts need the package {package!r}: pip install -e '.[docs]'")
    return Path(spec.origin).parent


def _licences() -> str:
    """Return the text that must accompany the fonts wherever they are served."""
    sans = (_package_directory(SANS[0]) / "files/LICENSE.txt").read_text(encoding="utf-8", errors="replace")
    code = (CODE.path.parent / "LICENSE_DEJAVU").read_text(encoding="utf-8", errors="replace")
    with TTFont(MATH.path, lazy=True) as font:
        math = "\n".join(font["name"].getDebugName(name_id) or "" for name_id in (0, 13, 14))
    parts = {
        f"math.woff2: a subset of STIX Two Math\n\n{math}\n(its text is the one below)": "",
        "text-*.woff2: subsets of Source Sans Pro, renamed": sans,
        "code.woff2: a subset of DejaVu Sans Mono": code,
    }
    return "\n\n\n".join(f"{title}\n\n{text}".strip() for title, text in parts.items()) + "\n"
