"""Which of the five verbs is missing or misplaced in a training loop?

    python examples/recap-and-key-takeaways/checker.py my_loop.py

Checks a loop that you have written. The file needs one function, `train(x, y, w, b, epochs, lr)`: full-batch
gradient descent on the mean squared error of w·x + b, from the two numbers w and b; it returns the new ones. By
hand, with autograd, with nn and optim: the checker looks at where the weights go, and compares with where each
mistake would take them.

Without a file, it checks the loops in `loops/`, one for each mistake. Takes a second.
"""

import argparse
import importlib.util
import sys
import traceback
import warnings
from pathlib import Path

import torch

from trainloop.data import noisy_line

LOOPS = Path(__file__).resolve().parent / "loops"
EPOCHS = 7
LR = 0.05
START = (0.5, -0.3)  # not 0: from there, a forgotten update and forgotten targets would look the same
CLOSE = 1e-4  # far below the distance between any two mistakes, far above float32's rounding

# Each mistake: the verb it concerns, and what to tell its maker.
MISTAKES = {
    "no targets": ("data", "The targets y never reach the loss: your weights go where a loss without y takes them."),
    "one example": ("data", "Only the first example is used. Hand the whole of x and y to every turn."),
    "broadcast": (
        "data",
        "y has shape (n,) where the prediction has (n, 1): their difference is (n, n), every target against "
        "every prediction. Keep both (n, 1).",
    ),
    "no bias": ("predict", "The prediction leaves out b: only w·x is fitted."),
    "stale": (
        "predict",
        "Every step is the same: the prediction, or the gradient that follows from it, is made once, before the "
        "loop. Make both again in every turn, with the new w and b.",
    ),
    "sum": ("measure", "The loss is a sum over the examples, not their mean: each step is n times too long."),
    "no square": (
        "measure",
        "The loss is the mean absolute error: its gradient knows an error's sign, not its size.",
    ),
    "half": (
        "measure",
        "Steps are half as long as they should be: a factor 2 is missing, or the loss is halved.",
    ),
    "no loss": ("measure", "What is differentiated is the prediction, not the loss: y plays no part."),
    "not cleared": (
        "differentiate",
        "Gradients pile up: each backward adds to the one before. Clear them once per turn.",
    ),
    "no x": ("differentiate", "The gradient of w lacks its factor x: it equals that of b."),
    "no update": ("update", "w and b come back as they were: nothing is ever subtracted from them."),
    "uphill": ("update", "The sign is wrong: the weights climb. Subtract the gradient."),
    "no lr": ("update", "The learning rate is missing: the whole gradient is subtracted."),
    "one update": ("update", "The update stands after the loop: it happens once."),
    "only w": ("update", "b is never updated."),
    "only b": ("update", "w is never updated."),
    "w first": (
        "update",
        "b's gradient is computed after w has moved. Compute both gradients first, then update both.",
    ),
    "delayed": (
        "update",
        "The update stands before differentiate: every step uses the gradient of the turn before.",
    ),
    "late": (
        "update",
        "One update is missing. Either the update comes before the gradient it needs, or the loop makes one turn less.",
    ),
}

# What torch says when a loop cannot run, and the mistake behind it.
ERRORS = [
    (
        "backward through the graph a second time",
        "predict",
        "The prediction or the loss is made once, before the loop: its graph is used up by the first backward. "
        "Predict and measure in every turn.",
    ),
    (
        "does not require grad",
        "differentiate",
        "Nothing was recorded: w and b need requires_grad=True, and the prediction must not stand under no_grad.",
    ),
    (
        "only for scalar outputs",
        "measure",
        "backward got a tensor, not a number: reduce the errors to one loss with mean().",
    ),
    (
        "a leaf Variable that requires grad",
        "update",
        "The update is being recorded as if it were a prediction: put it under torch.no_grad().",
    ),
    (
        "'NoneType'",
        "differentiate",
        "A gradient is None: no backward has run before the update, or w is no longer the tensor that "
        "backward knows (w = w - … makes a new one).",
    ),
]


# --8<-- [start:reference]
def reference(x, y, w, b, epochs, lr, mistake=None):
    """Where w and b go: in the right loop, or in one with a mistake."""
    n = len(x)
    if mistake == "one example":
        x, y, n = x[:1], y[:1], 1
    if mistake == "no targets":
        y = torch.zeros_like(y)
    w_sum = b_sum = w_old = b_old = 0.0
    prediction = w * x + b
    for turn in range(epochs - (mistake == "late")):
        if mistake != "stale":
            prediction = w * x + (0 if mistake == "no bias" else b)
        error = prediction - (y.T if mistake == "broadcast" else y)
        if mistake == "no square":
            error = error.sign() / 2
        if mistake == "no loss":
            error = torch.full_like(x, 0.5)
        w_grad = 2 * (error if mistake == "no x" else error * x).mean().item()
        b_grad = 2 * error.mean().item()
        if mistake == "no bias":
            b_grad = 0.0
        if mistake == "sum":
            w_grad, b_grad = n * w_grad, n * b_grad
        if mistake == "half":
            w_grad, b_grad = w_grad / 2, b_grad / 2
        if mistake == "not cleared":
            w_sum, b_sum = w_sum + w_grad, b_sum + b_grad
            w_grad, b_grad = w_sum, b_sum
        if mistake == "delayed":
            (w_old, w_grad), (b_old, b_grad) = (w_grad, w_old), (b_grad, b_old)
        if mistake == "w first":
            b_grad = 2 * ((w - lr * w_grad) * x + b - y).mean().item()
        if mistake == "no update" or (mistake == "one update" and turn < epochs - 1):
            continue
        size = {"uphill": -lr, "no lr": 1}.get(mistake, lr)
        w = w - (0 if mistake == "only b" else size) * w_grad
        b = b - (0 if mistake == "only w" else size) * b_grad
    return w, b


# --8<-- [end:reference]


def problem():
    x, y = noisy_line(12, seed=3)
    return x + 0.25, y  # no x of 0: every example has a say in w


def close(a, b):
    return all(abs(p - q) <= CLOSE * max(1, abs(q)) for p, q in zip(a, b, strict=True))


def load(path):
    """The function `train` of a file."""
    spec = importlib.util.spec_from_file_location(f"loop_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module.train


# --8<-- [start:check]
def check(train):
    """What is wrong with this loop: the verb it concerns and a sentence; (None, …) if nothing is."""
    x, y = problem()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's about shapes; the checker has its own words
            w, b = (float(v) for v in train(x.clone(), y.clone(), *START, EPOCHS, LR))
    except Exception as error:
        return explain(error)
    if close((w, b), reference(x, y, *START, EPOCHS, LR)):
        return None, "All five verbs are there, in their places."
    for mistake, (verb, words) in MISTAKES.items():
        if close((w, b), reference(x, y, *START, EPOCHS, LR, mistake)):
            return verb, words
    if close((w, b), reference(x, y, *START, EPOCHS + 1, LR)):
        return "update", "The loop makes one update too many."
    right = reference(x, y, *START, EPOCHS, LR)
    return "none I know", (
        f"After {EPOCHS} turns your w and b are {w:.4f} and {b:.4f}; they should be {right[0]:.4f} and {right[1]:.4f}. "
        "Print both after the first turn, and compare with one step on paper."
    )


# --8<-- [end:check]


def explain(error):
    """The mistake behind an error, and the line of the loop that raised it."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.name == "train"]
    where = f" (line {frames[-1].lineno})" if frames else ""
    for words, verb, advice in ERRORS:
        if words in str(error):
            return verb, advice + where
    if isinstance(error, NameError):
        return "none I know", f"{error}{where}: the line that makes it is missing, or stands further down."
    return "none I know", f"{type(error).__name__}: {error}{where}"


def run(quick=False):
    verdicts = []
    for path in sorted(LOOPS.glob("*.py")):
        verb, words = check(load(path))
        verdicts.append({"loop": path.stem.replace("_", " "), "says": words if verb is None else f"{verb}: {words}"})
    return {"verdicts": verdicts, "known": len(MISTAKES) + len(ERRORS), "epochs": EPOCHS, "lr": LR}


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("loop", type=Path, help="a file with a function train(x, y, w, b, epochs, lr)")
        verb, words = check(load(parser.parse_args().loop))
        print(words if verb is None else f"{verb}: {words}")
        sys.exit(verb is not None)

    from courseware.example import main

    main(run)
