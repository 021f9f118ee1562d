"""`serve` outlives the mistakes of whoever is writing."""

from __future__ import annotations

import subprocess
import time

import pytest
from mini_checkout import PAGE, QUICK

from courseware.bench import free_port, stop, wait_for


def test_a_mistake_does_not_stop_the_server(checkout):
    address = f"127.0.0.1:{free_port()}"
    log = checkout.root / "serve.log"
    with log.open("w", encoding="utf-8") as stream:
        server = subprocess.Popen(
            checkout.command("serve", "--address", address),
            cwd=checkout.root, env=checkout.environment, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip

    def alive() -> bool:
        return server.poll() is None

    def shows(text: str) -> None:
        wait_for(f"http://{address}/page/", text, alive=alive, limit=30)

    def says(text: str) -> None:
        for _ in range(300):
            if text in log.read_text(encoding="utf-8"):
                return
            time.sleep(0.1)
        pytest.fail(log.read_text(encoding="utf-8"))

    try:
        shows("The answer is 42")
        checkout.write("docs/page.md", PAGE.replace("quick.answer", "quick.question"))
        says("page.md:7: no 'question'")
        assert alive()
        checkout.write("docs/page.md", PAGE.replace("The answer is", "Now it is"))
        shows("Now it is 42")
        checkout.example("quick", QUICK.replace("42", "1 / 0"))
        says("ZeroDivisionError")
        assert alive()
        checkout.example("quick", QUICK.replace("42", "43"))
        shows("Now it is 43")
    finally:
        stop(server)
