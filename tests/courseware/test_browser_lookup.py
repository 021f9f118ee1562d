"""Where a browser is looked for, and how one is installed. Nothing is started and nothing is installed here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from courseware import browser
from courseware.browser import NoBrowserError, ensure, find


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a browser."""
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.setattr(browser, "PLACES", ())
    (tmp_path / "bin").mkdir()
    return tmp_path


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def installing(monkeypatch: pytest.MonkeyPatch, effect: Callable[[list[str]], int]) -> list[list[str]]:
    """Replace the running of commands; return the list they are written to."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, effect(command))

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_none(bare: Path) -> None:
    assert find() is None


@pytest.mark.skipif(sys.platform == "win32", reason="programs on Windows are found by their suffix")
@pytest.mark.parametrize("name", ["chromium", "google-chrome"])
def test_on_the_path(bare: Path, name: str) -> None:
    expected = program(bare / "bin" / name)
    assert find() == expected


def test_in_a_usual_place(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMEWHERE", str(bare))
    # As os.path.expandvars reads it on this system; on Windows the list writes %SOMEWHERE%.
    monkeypatch.setattr(browser, "PLACES", ("/nonexistent/chrome", "$SOMEWHERE/Chrome.app/Chrome"))
    expected = program(bare / "Chrome.app/Chrome")
    assert find() == expected


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the folder is named differently elsewhere")
def test_playwrights_own_newest(bare: Path) -> None:
    program(bare / "playwright/chromium-1000/chrome-linux/chrome")
    expected = program(bare / "playwright/chromium-1200/chrome-linux64/chrome")
    assert find() == expected


def test_named_by_the_environment(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / "bin/chromium")
    named = program(bare / "my-chromium")
    monkeypatch.setenv("CHROMIUM", str(named))
    assert find() == named


def test_a_wrong_name_is_an_error(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / "bin/chromium")
    monkeypatch.setenv("CHROMIUM", str(bare / "nope"))
    with pytest.raises(NoBrowserError, match=r"CHROMIUM names .*nope, which is not a file"):
        find()


def test_one_that_is_there_is_not_installed(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = program(bare / "my-chromium")
    monkeypatch.setenv("CHROMIUM", str(named))
    commands = installing(monkeypatch, lambda _: pytest.fail("installs"))
    assert ensure() == named
    assert not commands


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no root on Windows")
def test_root_on_debian_uses_apt(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / "bin/apt-get")
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    def effect(command: list[str]) -> int:
        if "install" in command:
            program(bare / "bin/chromium")
        return 0

    commands = installing(monkeypatch, effect)
    assert ensure() == bare / "bin/chromium"
    assert [command[:2] for command in commands] == [["apt-get", "update"], ["apt-get", "install"]]
    assert commands[1][-1] == "chromium"


def test_others_use_playwright(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if hasattr(os, "geteuid"):
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
    program(bare / "bin/apt-get")
    named = bare / "my-chromium"
    monkeypatch.setattr(browser, "PLACES", (str(named),))

    def effect(_: list[str]) -> int:
        program(named)
        return 0

    commands = installing(monkeypatch, effect)
    assert ensure() == named
    assert commands == [[sys.executable, "-m", "playwright", "install", "chromium"]]


def test_a_failed_installation_says_what_to_do(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = installing(monkeypatch, lambda _: 7)
    with pytest.raises(NoBrowserError) as caught:
        ensure()
    message = str(caught.value)
    assert "exit status 7" in message
    assert "apt-get install chromium" in message
    assert "CHROMIUM" in message
    assert len(commands) == 1, "goes on after a command that failed"
