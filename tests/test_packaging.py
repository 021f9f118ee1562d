"""What an install brings: the package needs torch alone, the pins are exact, nothing names this or that machine."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from courseware import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line]


def test_package_requires_torch_alone():
    assert PROJECT["dependencies"] == ["torch>=2.9"]
    # The blocked modules stand for "not installed"; figures.py is the one that says it needs matplotlib.
    probe = """
import pkgutil, importlib, sys
for name in ("matplotlib", "tqdm", "courseware", "mkdocs", "torchvision"):
    sys.modules[name] = None
import trainloop
names = [m.name for m in pkgutil.walk_packages(trainloop.__path__, "trainloop.")]
assert "trainloop.optim.adam" in names
for name in names:
    if name != "trainloop.figures":
        importlib.import_module(name)
"""
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_requirement_is_pinned_exactly():
    pinned = {canonicalize_name(pin.name) for pin in PINS}
    for pin in PINS:
        assert re.fullmatch(r"==[\w.+]+", str(pin.specifier)), pin
        assert pin.url is None
    for extra, requirements in PROJECT["optional-dependencies"].items():
        for requirement in map(Requirement, requirements):
            name = canonicalize_name(requirement.name)
            assert name in pinned or name == PROJECT["name"], f"{requirement} of [{extra}] has no pin"


def test_pins_satisfy_the_ranges():
    ranges = [Requirement(r) for extra in PROJECT["optional-dependencies"].values() for r in extra]
    for pin in PINS:
        version = str(pin.specifier).removeprefix("==")
        for wanted in ranges:
            if canonicalize_name(wanted.name) == canonicalize_name(pin.name) and not wanted.marker:
                assert wanted.specifier.contains(version), f"{pin} against {wanted}"


def test_readme_gives_the_commands_the_makefile_has():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", readme, re.MULTILINE))
    assert {"site", "test", "serve"} <= named <= targets
    for path in re.findall(r"(?:examples|docs|tests|trainloop|courseware|theme)/[\w/.-]*", readme):
        assert (ROOT / path).exists(), path
