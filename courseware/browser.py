"""A Chromium for the browser tests and the benchmark: found on this machine, or installed.

    python -m courseware.browser    # install one if there is none, and print its path

Playwright drives it. Where a system Chromium exists it is used: it is the reader's browser, and it needs no
download from a host that a closed network may not reach.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/snap/bin/chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "~/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "%PROGRAMFILES%/Google/Chrome/Application/chrome.exe",
    "%PROGRAMFILES(X86)%/Google/Chrome/Application/chrome.exe",
    "%LOCALAPPDATA%/Google/Chrome/Application/chrome.exe",
    "%PROGRAMFILES(X86)%/Microsoft/Edge/Application/msedge.exe",
)
# Chromium talks to Google's hosts at every start: to no purpose here, and a closed network refuses it.
FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--force-color-profile=srgb",
)

# The screens that tests and benchmark look at: a laptop, and the narrowest phone in common use.
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
SCHEMES = ("light", "dark")


class NoBrowserError(RuntimeError):
    """No Chromium on this machine, and none could be installed."""


def find() -> Path | None:
    """Return a Chromium that is installed here, or None. The variable CHROMIUM names one outright."""
    if named := os.environ.get("CHROMIUM"):
        # A wrong name is an error, not a reason to test with another browser than the one asked for.
        path = Path(named)
        if not path.is_file():
            raise NoBrowserError(f"CHROMIUM names {named}, which is not a file")
        return path
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    for place in PLACES:
        path = Path(os.path.expandvars(place)).expanduser()
        if path.is_file():
            return path
    return _playwrights_own()


def ensure() -> Path:
    """Return a Chromium, installing one if there is none."""
    if (found := find()) is not None:
        return found
    tried = []
    for command in _install_commands():
        print("+", *command, file=sys.stderr, flush=True)
        done = subprocess.run(command, stdout=sys.stderr)
        if done.returncode != 0:
            tried.append(f"  {' '.join(command)}: exit status {done.returncode}")
            break
    if (found := find()) is not None:
        return found
    raise NoBrowserError(
        "\n".join(
            [
                "The browser tests need Chromium or Chrome, and installing one failed:",
                *tried,
                "Install it yourself (Debian, Ubuntu: apt-get install chromium; macOS: brew install",
                "chromium; Windows: winget install Google.Chrome), or set CHROMIUM to the path of one.",
            ]
        )
    )


def flags() -> list[str]:
    """The command line flags Chromium needs on this machine."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*FLAGS, "--no-sandbox"] if root else list(FLAGS)  # as root, Chromium refuses to start its sandbox


@contextmanager
def launch(playwright: Playwright, executable: Path | None = None) -> Iterator[Browser]:
    """Start a headless Chromium with an empty profile, and close it at the end."""
    executable = executable or find()
    if executable is None:
        raise NoBrowserError("no Chromium found; python -m courseware.browser installs one")
    with tempfile.TemporaryDirectory(prefix="courseware-home-", ignore_cleanup_errors=True) as home:
        # Playwright gives every launch an empty profile; what Chromium keeps elsewhere goes to an empty home.
        environment = {**os.environ, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=flags(), env=environment)
        try:
            yield browser
        finally:
            browser.close()


def _install_commands() -> list[list[str]]:
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        return [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]]
    return [[sys.executable, "-m", "playwright", "install", "chromium"]]


def _playwrights_own() -> Path | None:
    """Return the Chromium that ``playwright install`` put into its own folder, if it did."""
    if sys.platform == "win32":
        folder, pattern = "%LOCALAPPDATA%/ms-playwright", "chromium-*/chrome-win*/chrome.exe"
    elif sys.platform == "darwin":
        folder, pattern = "~/Library/Caches/ms-playwright", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*"
    else:
        folder, pattern = "~/.cache/ms-playwright", "chromium-*/chrome-linux*/chrome"
    folder = os.path.expandvars(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", folder))
    return max((path for path in Path(folder).expanduser().glob(pattern) if path.is_file()), default=None)


def main() -> None:
    try:
        print(ensure())
    except NoBrowserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
