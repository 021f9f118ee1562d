"""Records: what a full-size run of a lab script measured, on a machine that had the time or the GPU for it.

`python -m courseware record <name> [options]` runs `examples/labs/<name>.py` at full size and writes
`examples/labs/recorded/<name>.json`, which is committed. The build draws the script's figures from it as well, and
says so where code that the record depends on has changed since.
"""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import Any

from courseware import ROOT, percent
from courseware.example import local_modules, record_path


def code_digest(source: str) -> str:
    """A digest of what Python code does: comments, docstrings and line breaks do not count."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [
                part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            ]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _digest(file: Path, script: Path) -> str:
    source = file.read_text(encoding="utf-8")
    return code_digest(percent.code(source) if file == script else source)


def sources(script: Path) -> dict[str, str]:
    """The script and the modules of `trainloop` imported by now, with the digests of their code."""
    files = {script} | {file for file in local_modules() if file.is_relative_to(ROOT / "trainloop")}
    return {file.relative_to(ROOT).as_posix(): _digest(file, script) for file in sorted(files)}


def read(script: Path) -> dict[str, Any] | None:
    """The record of a lab script, its `changed` naming the sources that differ from what ran; None without one."""
    file = record_path(script)
    if not file.exists():
        return None
    record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    known = record["card"].pop("sources")
    record["changed"] = sorted(
        name for name, digest in known.items() if not (ROOT / name).exists() or _digest(ROOT / name, script) != digest
    )
    return record


def write(script: Path, card: dict[str, Any], results: dict[str, Any]) -> Path:
    """Write a record, whole or not at all; return where."""
    file = record_path(script)
    file.parent.mkdir(exist_ok=True)
    partial = file.with_suffix(".partial")
    document = {"card": card | {"sources": sources(script)}, "results": results}
    partial.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(file)
    return file
