"""The process an example runs in: started by the engine, ended with it.

Apart from the engine so that an edit to the engine does not count as an edit to every example.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from courseware.example import ExampleError, execute


def _exit_with_parent() -> None:
    """End this process when its parent is gone: a killed build leaves no example running."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_child(script: Path, out: Path, log: Path, quick: bool, answer: Connection) -> None:
    """Body of the example's process: what it prints goes to `log`, how it ended through `answer`."""
    _exit_with_parent()
    # A Ctrl-C reaches the whole process group; the engine is the one to report it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with log.open("w", encoding="utf-8", buffering=1) as stream:
        sys.stdout = sys.stderr = stream
        try:
            answer.send(("ok", execute(script, out, quick=quick)))
        except ExampleError as error:
            answer.send(("error", f"{script}: {error}"))
        except BaseException as error:
            # Frames of the engine say nothing to the author of the script: start at the script's own.
            trace = error.__traceback__
            while trace and trace.tb_frame.f_code.co_filename != str(script) and trace.tb_next:
                trace = trace.tb_next
            lines = traceback.format_exception(type(error), error, trace)
            answer.send(("error", "".join(lines).rstrip()))
