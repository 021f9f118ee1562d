"""Which ten lines of plain Python fit one weight, and what does each of them do for it?

    python examples/introduction-what-is-a-training-loop/ten_lines.py

Three nails, ten turns, no torch; then the same loop with one verb's line deleted. Takes no time at all.
"""

import contextlib
import inspect
import io
import textwrap

VERBS = ("data", "predict", "measure", "differentiate", "update")


def ten_lines():
    # fmt: off
    # --8<-- [start:ten_lines]
    nails = [(1.0, 2.0), (2.0, 6.0), (4.0, 7.0)]
    w = 0.0
    for turn in range(10):
        loss = gradient = 0.0
        for x, y in nails:                              # data
            prediction = w * x                          # predict
            loss += (prediction - y) ** 2 / 3           # measure
            gradient += 2 * (prediction - y) * x / 3    # differentiate
        w = w - 0.05 * gradient                         # update
        print(turn + 1, loss, gradient, w)
    # --8<-- [end:ten_lines]
    # fmt: on


def printed(source):
    """What the lines print, a list of numbers a line; and the name of the error that stopped them, if any."""
    out = io.StringIO()
    stopped = None
    with contextlib.redirect_stdout(out):
        try:
            exec(source, {})
        except Exception as error:
            stopped = type(error).__name__
    return [[float(word) for word in line.split()] for line in out.getvalue().splitlines()], stopped


# --8<-- [start:without]
def without(source, verb):
    """Run the ten lines with the line of one verb deleted."""
    lines = source.splitlines()
    kept = [text for text in lines if not text.endswith(f"# {verb}")]
    rows, stopped = printed("\n".join(kept))
    return {
        "deleted": verb,
        "error": stopped or "none",
        "loss": rows[-1][1] if rows else None,
        "w": rows[-1][3] if rows else None,
    }


# --8<-- [end:without]


def run(quick=False):
    body = inspect.getsource(ten_lines).partition("\n")[2]
    source = textwrap.dedent(body)
    rows, _ = printed(source)
    turns = [{"turn": int(turn), "loss": loss, "gradient": g, "w": w} for turn, loss, g, w in rows]
    return {
        "turns": turns,
        "lines": sum(1 for text in source.splitlines() if text.strip() and not text.strip().startswith("#")),
        "without": [without(source, verb) for verb in VERBS],
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
