"""MkDocs hooks: where the course's tooling meets the site generator. Each hook only delegates."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url
from mkdocs.utils.meta import get_data

from courseware import (
    ROOT,
    bindings,
    chooser,
    citations,
    glossary,
    lab_pages,
    notebooks,
    pages,
    percent,
    rule_pages,
    schedule_pages,
    take_home,
)
from courseware.build import PREPARED
from courseware.engine import BuildError, output_folder, run_examples, scripts, warm_up
from courseware.example import SCHEMES, is_lab
from courseware.fonts import write_fonts
from courseware.mathml import render_page
from courseware.slim import without_unused
from courseware.source_pages import PageError

WORDS_PER_MINUTE = 200  # of prose with formulas in it

_generated: set[str] = set()  # pages made from a source of their own
_sources: dict[str, str] = {}  # page → its file as written, front matter and all
_glossary = glossary.Glossary()
_references = citations.Bibliography()
_chooser = chooser.Chooser()


def _slug(page: Page) -> str:
    """The name of the page's folder of examples; a folder's index page has the folder's name."""
    path = Path(page.file.src_uri)
    return path.parent.name if path.stem == "index" and path.parent.name else path.stem


def _first_line(source: str, markdown: str) -> int:
    """The line of the file on which the page's Markdown begins: behind the front matter."""
    return source[: max(source.rfind(markdown.strip()), 0)].count("\n") + 1


def _written(page: Page) -> tuple[str, dict[str, Any]]:
    """A page's Markdown and front matter: of its file, or of the lab script that it is made of."""
    if script := lab_pages.script_of(page):
        source = script.read_text(encoding="utf-8")
        return percent.page_markdown(source), percent.front_matter(source)
    return get_data(page.file.content_string)


def on_startup(command: str, dirty: bool) -> None:
    if command == "serve":
        warm_up()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Offer "edit this page" only where there is a repository to edit."""
    config.edit_uri = "edit/main/docs/" if config.repo_url else ""
    return config


def on_pre_build(config: MkDocsConfig) -> None:
    """Bring the examples up to date, also under a bare `mkdocs build` and on every rebuild of `mkdocs serve`."""
    if PREPARED in os.environ:
        return
    try:
        run_examples()
    except BuildError as error:
        raise PluginError(f"an example failed.\n\n{error}") from None


@event_priority(50)  # before mkdocs-jupyter, which takes up the notebooks
def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what the runs made: figures, every example as script, notebook and numbers, and the lab's pages."""
    global _references
    orphans = pages.examples_without_page(Path(config.docs_dir))
    if orphans:
        raise PluginError(f"examples/ has folders that are no page's name: {orphans}")
    _references = citations.read(Path(config.docs_dir))
    for script in scripts():
        page, example, out = script.parent.name, script.stem, output_folder(script)
        for figure in bindings.document(page, example)["figures"]:
            for scheme in SCHEMES:
                path = out / f"{figure}.{scheme}.svg"
                name = bindings.figure_asset(page, example, figure, scheme)
                files.append(File.generated(config, name, abs_src_path=str(path)))
        source = script.read_text(encoding="utf-8")
        if is_lab(script):
            files.append(lab_pages.generated(script, config))
            bound = take_home.TakenHome("labs", "", references=_references, lab=example)
            book = take_home.notebook(script, bound, repo_url=config.repo_url or "", site_url=config.site_url or "")
            contents = {"py": take_home.script(book), "ipynb": notebooks.text(book)}
        else:
            contents = {
                "py": notebooks.standalone(source, script.parent),
                "ipynb": notebooks.notebook(source, script.parent, name=example, repo_url=config.repo_url or ""),
            }
        contents["json"] = (out / bindings.RESULTS).read_text(encoding="utf-8")
        for kind, content in contents.items():
            name = bindings.download_asset(page, example, kind)
            files.append(File.generated(config, name, content=content))
    _generated.clear()
    for kind in (rule_pages, schedule_pages):
        if (Path(config.docs_dir) / kind.FOLDER).is_dir():
            _add_pages(kind.pages, files, config)
    return files


def _add_pages(make: Callable[[], dict[str, str]], files: Files, config: MkDocsConfig) -> None:
    """Add pages that are made from a source of their own."""
    try:
        generated = make()
    except (PageError, bindings.BindingError) as error:
        raise PluginError(str(error)) from None
    _generated.update(generated)
    for name, content in generated.items():
        files.append(File.generated(config, name, content=content))


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Check the posts' numbers; read the chooser and the glossary, and which pages use a term or cite a reference."""
    global _chooser, _glossary
    sources = [(page, *_written(page)) for page in nav.pages]
    complaints = [
        complaint
        for _, part in groupby(sources, key=lambda source: source[0].parent)
        for complaint in pages.check_order([(page.file.src_uri, meta) for page, _, meta in part])
    ]
    if complaints:
        raise PluginError("\n".join(complaints))
    _glossary = glossary.read(Path(config.docs_dir))
    _chooser = chooser.read(Path(config.docs_dir), {file.src_uri for file in files.documentation_pages()})
    uses = [
        (str(meta.get("title", page.title)), page.file.src_uri, markdown + _chooser.shown_by(markdown))
        for page, markdown, meta in sources
    ]
    _glossary.note_uses(uses)
    _references.note_uses(uses)
    return nav


def _head(page: Page, minutes: int) -> str:
    """What stands under the title of a post or a chapter's page: its place, its length, what it teaches."""
    meta = page.meta
    place = (
        f"Part {meta['part']}, post {meta['number']}" if "part" in meta else f"The optimizer chapter, {meta['section']}"
    )
    facts = [place, f"about {minutes} minutes to read"]
    runs = [bindings.document(_slug(page), example)["run"] for example in meta["examples"]]
    if runs:
        scripts = "1 script" if len(runs) == 1 else f"{len(runs)} scripts"
        facts.append(f"{scripts}, run in {sum(run['seconds'] for run in runs):.0f} seconds")
    return f"*{' · '.join(facts)}*\n\n{pages.aims(meta)}"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Check the page, then answer what it asks of the runs."""
    if script := lab_pages.script_of(page):
        return _lab_markdown(page, script, config)
    name = page.file.src_uri
    source = _sources[name] = page.file.content_string
    first = _first_line(source, markdown)
    section = page.parent.title if page.parent else ""
    if "part" in page.meta and not section.startswith(f"Part {page.meta['part']}"):
        raise PluginError(f"{name}:1: says part {page.meta['part']}, the nav has it under {section!r}")
    complaints = list(_glossary.check(markdown))
    if name not in _generated:  # whose listings are cut out of the file by the lines that Python's parser gives
        complaints += pages.check(markdown, page.meta, _slug(page))
    if complaints:
        raise PluginError("\n".join(f"{name}:{first + line - 1}: {text}" for line, text in complaints))
    bound = _bound(page, config)
    rendered = bindings.render(markdown, bound, page=name, first_line=first)
    if "part" in page.meta or "section" in page.meta:
        own = {example for folder, example in bound.used if folder == _slug(page)}
        unused = set(page.meta["examples"]) ^ own
        if unused:
            raise PluginError(f"{name}:1: examples named in the front matter and examples used differ: {unused}")
        minutes = math.ceil(len(markdown.split()) / WORDS_PER_MINUTE)
        title, _, rest = rendered.partition("\n")
        rendered = f"{title}\n\n{_head(page, minutes)}\n{rest}"
    return rendered


def _bound(page: Page, config: MkDocsConfig) -> bindings.Bindings:
    script = lab_pages.script_of(page)
    slug, lab = ("labs", script.stem) if script else (_slug(page), "")
    repo_url = config.repo_url or ""
    return bindings.Bindings(
        slug, page.url, repo_url, _glossary, _references, _chooser, lab=lab, compare=rule_pages.compare
    )


def _lab_markdown(page: Page, script: Path, config: MkDocsConfig) -> str:
    """The same for the prose of a lab script, whose lines are the script's."""
    name = script.relative_to(ROOT).as_posix()
    source = script.read_text(encoding="utf-8")
    markdown, meta = _written(page)
    _sources[page.file.src_uri] = markdown
    page.meta = meta
    page.edit_url = f"{config.repo_url.rstrip('/')}/edit/main/{name}" if config.repo_url else None
    complaints = [*lab_pages.check(markdown, meta, source), *_glossary.check(markdown)]
    if complaints:
        raise PluginError("\n".join(f"{name}:{line}: {text}" for line, text in complaints))
    rendered = bindings.render(markdown, _bound(page, config), page=name)
    title, _, rest = rendered.lstrip().partition("\n")
    seconds = bindings.document("labs", script.stem)["run"]["seconds"]
    return f"{title}\n\n{lab_pages.head(meta, seconds)}\n{rest}"


def on_pre_page(page: Page, config: MkDocsConfig, files: Files) -> Page:
    """Give a lab page its prose back, which mkdocs-jupyter would render its own way."""
    if lab_pages.script_of(page):
        lab_pages.replace_render(page, lambda: _bound(page, config))
    return page


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    if glossary_file := files.get_file_from_path(glossary.PAGE):
        html = glossary.note_terms(html, _glossary, get_relative_url(glossary_file.url, page.url))
    return render_page(html, page=page.file.src_uri, markdown=_sources[page.file.src_uri])


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    return without_unused(output)


def on_post_build(config: MkDocsConfig) -> None:
    write_fonts(Path(config.site_dir), ROOT / "build" / "fonts")
