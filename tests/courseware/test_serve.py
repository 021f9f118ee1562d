"""`serve` outlives the mistakes of whoever is writing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.request

import pytest
from mini_checkout import PAGE, QUICK


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.skipif(os.name == "nt", reason="the server is stopped as a process group, which Windows has not")
def test_a_mistake_does_not_stop_the_server(checkout):
    address = f"127.0.0.1:{free_port()}"
    log = checkout.root / "serve.log"
    with log.open("w", encoding="utf-8") as stream:
        server = subprocess.Popen(
            checkout.command("serve", "--address", address),
            cwd=checkout.root, env=checkout.environment, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip

    def wait(condition) -> None:
        for _ in range(300):
            assert server.poll() is None, log.read_text(encoding="utf-8")
            if condition():
                return
            time.sleep(0.1)
        pytest.fail(log.read_text(encoding="utf-8"))

    def shows(text: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://{address}/page/", timeout=30) as answer:
                return text in answer.read().decode("utf-8")
        except OSError:
            return False

    def says(text: str) -> bool:
        return text in log.read_text(encoding="utf-8")

    try:
        wait(lambda: shows("The answer is 42"))
        checkout.write("docs/page.md", PAGE.replace("quick.answer", "quick.question"))
        wait(lambda: says("page.md:7: no 'question'"))
        checkout.write("docs/page.md", PAGE.replace("The answer is", "Now it is"))
        wait(lambda: shows("Now it is 42"))
        checkout.example("quick", QUICK.replace("42", "1 / 0"))
        wait(lambda: says("ZeroDivisionError"))
        checkout.example("quick", QUICK.replace("42", "43"))
        wait(lambda: shows("Now it is 43"))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=20)
