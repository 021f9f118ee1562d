"""An example as its readers take it home: a script that needs no checkout, and a notebook of it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

MARKER = re.compile(r"^[ \t]*# --8<-- \[(start|end):[-\w]+\][ \t]*\n", re.MULTILINE)

# What stands in place of the two lines that hand an example to the site's tooling.
DRAWN_BY_HAND = """results = run()
draw(results)
plt.show()
"""
PRINTED_BY_HAND = """print(run())
"""


class DownloadError(Exception):
    """An example cannot be turned into a download; the message says why."""


def _by_hand(source: str) -> str:
    draws = any(isinstance(node, ast.FunctionDef) and node.name == "draw" for node in ast.parse(source).body)
    return DRAWN_BY_HAND if draws else PRINTED_BY_HAND


def _main_block(source: str) -> ast.If:
    for node in ast.parse(source).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            return node
    raise DownloadError("the script has no `if __name__ == '__main__':` block")


def _names(node: ast.AST, use: type[ast.expr_context] = ast.Load) -> set[str]:
    """The names that a piece of code reads, or stores."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, use)}


def _defined(node: ast.stmt) -> set[str]:
    """The names that a statement at the top of a script makes."""
    match node:
        case ast.FunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.Import() | ast.ImportFrom():
            return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        case ast.Assign() | ast.AnnAssign():
            return _names(node, ast.Store)
    return set()


def _taken(source: str, names: set[str]) -> str:
    """What a script says to define these names: the statements that make them, and those that these need."""
    statements = [(node, _defined(node)) for node in ast.parse(source).body]
    wanted, known = set(names), set[str]()
    while wanted - known:
        known |= wanted
        for node, made in statements:
            if made & known:
                wanted |= _names(node)
    if missing := names - {name for _, made in statements for name in made}:
        raise DownloadError(f"no {sorted(missing)} at the top of the script that they are imported from")
    lines = source.splitlines(keepends=True)
    parts = []
    for node, made in statements:
        if made & known:
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            gap = "" if isinstance(node, ast.Import | ast.ImportFrom | ast.Assign) else "\n\n"
            parts.append(gap + "".join(lines[first - 1 : node.end_lineno]))
    return "".join(parts)


def _with_siblings(source: str, folder: Path) -> str:
    """The script with what it imports from scripts of its own folder written out, as its reader has no such folder."""
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.ImportFrom) and (sibling := folder / f"{node.module}.py").is_file():
            taken = _taken(MARKER.sub("", sibling.read_text(encoding="utf-8")), {alias.name for alias in node.names})
            lines[node.lineno - 1 : node.end_lineno] = [taken]
    return "".join(lines)


def standalone(source: str, folder: Path) -> str:
    """The script without section markers and without the tooling: it runs with `trainloop` and matplotlib.

    Args:
        source: the script's text.
        folder: where it lies.
    """
    source = _with_siblings(MARKER.sub("", source), folder)
    lines = source.splitlines(keepends=True)
    block = _main_block(source)
    body = "".join(f"    {line}\n" for line in _by_hand(source).splitlines())
    lines[block.lineno : block.end_lineno] = [body]
    return "".join(lines)


def _cells(source: str) -> list[str]:
    """Split a standalone script into cells: its imports, its constants, then one function or statement group each."""
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    body = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    cells: list[list[ast.stmt]] = []
    for node in body:
        kind = type(node) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If) else ast.stmt
        imports = isinstance(node, ast.Import | ast.ImportFrom)
        last = cells[-1][-1] if cells else None
        joined = (
            last is not None
            and kind is ast.stmt
            and not isinstance(last, ast.FunctionDef | ast.ClassDef | ast.If)
            and imports == isinstance(last, ast.Import | ast.ImportFrom)
        )
        if joined:
            cells[-1].append(node)
        else:
            cells.append([node])
    texts, end = [], body[0].lineno - 1
    for group in cells:
        stop = group[-1].end_lineno or end
        # From where the last cell ended: comments and decorators above a statement stay with it.
        texts.append("".join(lines[end:stop]).strip("\n"))
        end = stop
    return texts


def notebook(source: str, folder: Path, *, name: str, repo_url: str = "") -> str:
    """The example as a Jupyter notebook (JSON text).

    Args:
        source: the example's script as it lies in the repository.
        folder: where it lies.
        name: its name, used to make cell ids reproducible.
        repo_url: the course's repository; with it the first cell installs the package where it is missing.
    """
    script = standalone(source, folder)
    docstring = ast.get_docstring(ast.parse(script)) or name
    question, _, rest = docstring.partition("\n")
    # The command line in the docstring is for the script, not for the notebook.
    rest = re.sub(r"\n {4}python .*\n", "\n", rest).strip()
    cells = [new_markdown_cell(f"# {question}\n\n{rest}".strip())]
    if repo_url:
        cells.append(install_cell(repo_url, "figures"))
    *code, last = _cells(script)
    cells += [new_code_cell(text) for text in code]
    if not last.startswith("if __name__"):
        raise DownloadError("the `__main__` block must come last")
    cells.append(new_code_cell(_by_hand(source).rstrip()))
    return text(finished(cells, name))


def install_cell(repo_url: str, extras: str) -> Any:
    """A cell that installs the course's package, with these extras, where it is missing: on Colab."""
    install = f'%pip install --quiet "trainloop-course[{extras}] @ git+{repo_url.rstrip("/")}"'
    check = 'import importlib.util\n\nif importlib.util.find_spec("trainloop") is None:\n    '
    return new_code_cell(check + install)


def finished(cells: list[Any], name: str) -> Any:
    """A notebook of these cells, valid, and the same at every build; `name` is used to make cell ids."""
    for index, cell in enumerate(cells):
        cell["id"] = f"{name}-{index}"[:64]  # reproducible, unlike nbformat's random ids
    book = new_notebook(cells=cells)
    book.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.validate(book)
    return book


def text(book: Any) -> str:
    """A notebook as a file's text."""
    return nbformat.writes(book) + "\n"
