"""`make bench-optim`: the time of an optimizer's step, ours beside torch's and other libraries'.

    python -m benchmarks.optimizers                      every rule, every workload; prints the tables
    python -m benchmarks.optimizers --rules Adam,Lion --workloads small
    python -m benchmarks.optimizers --record             also writes the record the site shows

All contenders for one rule take turns, one step each, so that whatever else the machine does falls on
all of them alike; of their steps, the median counts. Gradients are fixed random numbers: a step
costs the same whatever they are. Nothing but `step()` is timed. The step of an optimizer that
works in cycles (SOAP renews its basis every tenth step) is the mean over a whole cycle.

Where a tensor happens to lie in memory changes the time of a step, and the contender whose tensors are made first
is often the slow one. Each rule and workload is therefore measured several times, each time in a new process, every
second time in reverse order, until it is clear who is faster; the numbers are the means over the processes.

The peers are optional: `pip install -e ".[bench]"` brings them, and a library that is missing is left out.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import gc
import hashlib
import importlib
import importlib.metadata
import io
import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
import tokenize
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import trainloop.optim

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "examples" / "optimizer-speed" / "recorded"
LR = 1e-4
LEAST_ROUNDS = 20  # in all, however long a step takes: a median of fewer says little
PULL = 5  # Lookahead's steps from one pull to the next
PROCESSES = 4  # that measure a rule: an even number, for half of them make the contenders in reverse order
MOST_PROCESSES = 12  # where a compiled step meets a kernel, and wherever fewer leave open who is faster
PAIRS = 10  # that L-BFGS remembers

Params = list[nn.Parameter]
Make = Callable[[Params], torch.optim.Optimizer]


# --- what is stepped ---------------------------------------------------------------------------------


def resnet18() -> list[tuple[int, ...]]:
    from torchvision.models import resnet18

    return [tuple(p.shape) for p in resnet18(num_classes=10).parameters()]


def mlp() -> list[tuple[int, ...]]:
    sizes = [784, 512, 512, 512, 10]
    return [shape for a, b in pairwise(sizes) for shape in ((b, a), (b,))]


def small() -> list[tuple[int, ...]]:
    return [(32,), (16, 16)] * 100


def embedding() -> list[tuple[int, ...]]:
    return [(50_000, 64)]  # of which a batch has used a few rows


WORKLOADS = {"resnet18": resnet18, "mlp": mlp, "small": small, "embedding": embedding}
USED_ROWS = 2_048
COMPILED = ("resnet18", "mlp")  # a program of 200 updates takes a minute to compile, for every rule


def parameters(shapes: Iterable[tuple[int, ...]], device: str, sparse: bool = False) -> Params:
    generator = torch.Generator().manual_seed(0)
    params = []
    for shape in shapes:
        p = nn.Parameter(torch.randn(shape, generator=generator).to(device))
        if sparse:
            rows = torch.randint(shape[0], (1, USED_ROWS), generator=generator)
            values = torch.randn(USED_ROWS, *shape[1:], generator=generator)
            p.grad = torch.sparse_coo_tensor(rows, values, shape).to(device)
        else:
            p.grad = torch.randn(shape, generator=generator).to(device)
        params.append(p)
    return params


# --- the rules ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """How to make an optimizer of ours and of each library that has the rule, set to do the same work."""

    options: dict[str, Any] = field(default_factory=dict)
    peers: dict[str, Callable[[Any, Params], torch.optim.Optimizer]] = field(default_factory=dict)
    cycle: int = 1  # steps after which the work repeats
    warm_up: int = 3  # cycles before the first one timed
    matrices: bool = False  # takes matrices alone: filters are flattened, vectors left out
    columns: bool = False  # vectors are handed over as matrices of one column
    sparse: bool = False  # takes sparse gradients alone: it has a workload of its own
    make: Make | None = None  # ours, where it takes more than parameters and options


def _closure(params: Params) -> Callable[[], Tensor]:
    """A quadratic's loss and gradient, at next to no cost: L-BFGS calls it several times a step."""

    def closure() -> Tensor:
        for p in params:
            p.grad = p.detach().clone()
        return torch.zeros(())

    return closure


def _lookahead(params: Params) -> torch.optim.Optimizer:
    made: Any = trainloop.optim
    return made.Lookahead(made.SGD(params, lr=LR, momentum=0.9), k=PULL)


RULES = {
    "SGD": Rule({"momentum": 0.9}),
    "Adagrad": Rule(),
    "Adadelta": Rule(),
    "RMSprop": Rule(),
    "Adam": Rule(),
    "AdamW": Rule(),
    "Adamax": Rule(),
    "NAdam": Rule(),
    "RAdam": Rule(warm_up=8),  # its sixth step is the first that is not one of SGD
    "ASGD": Rule(),
    "Rprop": Rule(),
    "SparseAdam": Rule(sparse=True),
    "Adafactor": Rule(),
    "Muon": Rule(matrices=True),
    "LBFGS": Rule({"max_iter": 1, "history_size": PAIRS}, warm_up=PAIRS + 2),  # the more pairs, the slower
    "LAMB": Rule(
        {"weight_decay": 0.01},
        {
            "pytorch_optimizer": lambda lib, params: lib.Lamb(params, lr=LR, weight_decay=0.01, max_grad_norm=0.0),
            "timm": lambda lib, params: lib.optim.Lamb(params, lr=LR, weight_decay=0.01, max_grad_norm=None),
        },
    ),
    "LARS": Rule(
        {"weight_decay": 0.01, "momentum": 0.9},
        {
            "pytorch_optimizer": lambda lib, params: lib.LARS(params, lr=LR, weight_decay=0.01, momentum=0.9),
            "timm": lambda lib, params: lib.optim.Lars(params, lr=LR, weight_decay=0.01, momentum=0.9),
        },
        columns=True,  # pytorch_optimizer computes no ratio for vectors
    ),
    "Lion": Rule(
        {"weight_decay": 0.01},
        {
            "pytorch_optimizer": lambda lib, params: lib.Lion(params, lr=LR, weight_decay=0.01),
            "timm": lambda lib, params: lib.optim.Lion(params, lr=LR, weight_decay=0.01),
        },
    ),
    "Adam8bit": Rule(),
    "SophiaG": Rule({"weight_decay": 0.1}, {"pytorch_optimizer": lambda lib, params: _sophia(lib, params)}),
    "Lookahead": Rule(
        {},
        {
            "pytorch_optimizer": lambda lib, params: lib.Lookahead(
                torch.optim.SGD(params, lr=LR, momentum=0.9), k=PULL
            ),
            "timm": lambda lib, params: lib.optim.Lookahead(torch.optim.SGD(params, lr=LR, momentum=0.9), k=PULL),
        },
        cycle=PULL,
        make=_lookahead,
    ),
    "ScheduleFreeSGD": Rule({}, {"pytorch_optimizer": lambda lib, params: lib.ScheduleFreeSGD(params, lr=LR)}),
    "ScheduleFreeAdamW": Rule({}, {"pytorch_optimizer": lambda lib, params: lib.ScheduleFreeAdamW(params, lr=LR)}),
    "SOAP": Rule(
        {"max_precond_dim": 600},
        {"pytorch_optimizer": lambda lib, params: lib.SOAP(params, lr=LR, max_precondition_dim=600)},
        cycle=10,
        matrices=True,
    ),
}


def _sophia(lib: Any, params: Params) -> torch.optim.Optimizer:
    # The update alone: estimating h is not part of it.
    optimizer = lib.SophiaH(params, lr=LR, weight_decay=0.1, update_period=1 << 30)
    optimizer.step(hessian=[torch.ones_like(p) for p in params])
    return optimizer


def workloads(rule: Rule) -> list[str]:
    """What the rule is measured on."""
    return [name for name in WORKLOADS if (name == "embedding") == rule.sparse]


def contenders(name: str, rule: Rule, device: str, compiled: bool) -> dict[str, Make]:
    """Everybody who has the rule, by name. torch's `fused` is there for some rules only."""
    ours = getattr(trainloop.optim, name)
    make = rule.make or (lambda params: ours(params, lr=LR, **rule.options))
    found: dict[str, Make] = {"trainloop": make}
    if compiled and getattr(ours, "compilable", True) and hasattr(ours, "compile"):

        def make_compiled(params: Params) -> Any:
            optimizer: Any = make(params)
            optimizer.compile()
            return optimizer

        found["trainloop, compiled"] = make_compiled
    theirs = getattr(torch.optim, name, None)
    if theirs is not None:
        for label, option in (
            ("torch loop", {"foreach": False}),
            ("torch foreach", {"foreach": True}),
            ("torch fused", {"fused": True}),
        ):
            try:
                theirs([nn.Parameter(torch.zeros(1, 1))], lr=LR, **rule.options, **option)
            except TypeError:
                continue  # torch has no such version of this rule
            found[label] = lambda params, option=option: theirs(params, lr=LR, **rule.options, **option)
        if not any(label.startswith("torch") for label in found):  # its only version
            found["torch loop"] = lambda params: theirs(params, lr=LR, **rule.options)
    for library, build in rule.peers.items():
        try:
            lib = importlib.import_module(library)
            if library == "timm":
                importlib.import_module("timm.optim")
        except ImportError:
            continue
        found[library] = lambda params, lib=lib, build=build: build(lib, params)
    return found


# --- measuring ---------------------------------------------------------------------------------------


def stepper(optimizer: torch.optim.Optimizer, params: Params, cycle: int) -> Callable[[], None]:
    if hasattr(optimizer, "train"):
        optimizer.train()
    arguments = (_closure(params),) if type(optimizer).__name__ == "LBFGS" else ()

    def step() -> None:
        for _ in range(cycle):
            optimizer.step(*arguments)

    return step


def nbytes(x: Any) -> int:
    if isinstance(x, Tensor):
        return x.untyped_storage().nbytes()
    if isinstance(x, dict):
        return sum(map(nbytes, x.values()))
    if isinstance(x, (list, tuple)):
        return sum(map(nbytes, x))
    return 0


def fresh_processes(cache: str) -> ProcessPoolExecutor:
    """Return what runs each task in a process of its own: where the system can, a copy of one with all imports done.

    Args:
        cache: an empty folder for what the compiler keeps, or programs of an earlier run would compile in no time.
    """
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
    # Memory that a step frees is kept for the next one. Else glibc gives some of it back, and a step that then needs
    # it again takes much longer: whose steps these are depends on what the process did before.
    os.environ.update(MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_=str(1 << 36))
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # the compiler's helpers would start while steps are timed
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        libraries = ["torch._dynamo", "torchvision", "pytorch_optimizer", "timm.optim"]  # what is missing is left out
        context.set_forkserver_preload(["trainloop.optim", *libraries])
    return ProcessPoolExecutor(max_workers=1, mp_context=context, max_tasks_per_child=1)


def measure(
    fresh: ProcessPoolExecutor, name: str, workload: str, device: str, seconds: float, compiled: bool
) -> dict[str, Any]:
    """One rule on one workload: for each contender the milliseconds of a step, and the bytes of its state.

    Those of each process, too: even ones made the contenders in order, odd ones in reverse.

    Args:
        fresh: where processes come from.
        name: the rule's.
        workload: its name.
        device: "cpu" or "cuda".
        seconds: for each contender.
        compiled: whether ours is measured compiled, too.
    """
    task = name, workload, device, seconds / PROCESSES, compiled
    found: list[dict[str, Any]] = []
    while len(found) < PROCESSES or (len(found) < MOST_PROCESSES and not settled([once["ms"] for once in found])):
        found += [fresh.submit(measure_once, *task, reverse).result() for reverse in (False, True)]
    each = {label: [once["ms"][label] for once in found] for label in found[0]["ms"]}
    return {
        **found[0],  # the first one compiles, the others find its programs
        "rounds": sum(once["rounds"] for once in found),
        "ms": {label: statistics.fmean(series) for label, series in each.items()},
        "ms_of_each_process": each,
        "made_first_over_last": sum(each["trainloop"][::2]) / sum(each["trainloop"][1::2]),
    }


def settled(ms: list[dict[str, float]]) -> bool:
    """Whether a few processes have told who is faster: ours as written, or torch's or a library's version of the rule.

    They have if the ratio of the times is away from 1 by two standard errors of its mean. A compiled step and a kernel
    differ by so little that this is never taken for granted.
    """
    labels = ms[0].keys()
    if {"trainloop, compiled", "torch fused"} <= labels:
        return False
    rivals = [label for label in labels if not label.startswith(("trainloop", "torch"))]
    rivals += [label for label in ("torch foreach", "torch loop") if label in labels][:1]  # what the page compares
    for rival in rivals:
        ratios = [once["trainloop"] / once[rival] for once in ms]
        if abs(statistics.fmean(ratios) - 1) < 2 * statistics.stdev(ratios) / len(ratios) ** 0.5:
            return False
    return True


def measure_once(
    name: str, workload: str, device: str, seconds: float, compiled: bool, reverse: bool
) -> dict[str, Any]:
    """What `measure` returns, from one process."""
    warnings.simplefilter("ignore")  # of other libraries
    rule = RULES[name]
    shapes = WORKLOADS[workload]()
    if rule.matrices:
        shapes = [(shape[0], int(torch.Size(shape[1:]).numel())) for shape in shapes if len(shape) > 1]
    if rule.columns:
        shapes = [shape if len(shape) > 1 else (*shape, 1) for shape in shapes]
    steps: dict[str, Callable[[], None]] = {}
    state: dict[str, float] = {}
    compile_seconds = None
    order = list(contenders(name, rule, device, compiled).items())
    for label, make in reversed(order) if reverse else order:
        params = parameters(shapes, device, rule.sparse)
        optimizer = make(params)
        step = stepper(optimizer, params, rule.cycle)
        started = time.perf_counter()
        for _ in range(rule.warm_up):
            step()
        if "compiled" in label:
            compile_seconds = time.perf_counter() - started
        steps[label] = step
        state[label] = nbytes(dict(optimizer.state)) / sum(p.numel() for p in params)

    def timed(step: Callable[[], None]) -> float:
        # For more than a kilobyte, malloc first puts its small free pieces together. A model's operations make it do
        # so all the time; here, whoever asks for that much first would pay for the pieces of all others.
        bytes(4096)
        if device == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        return 1e3 * (time.perf_counter() - started) / rule.cycle

    times: dict[str, list[float]] = {label: [] for label in steps}
    gc.collect()
    gc.disable()
    end = time.perf_counter() + seconds * len(steps)
    while time.perf_counter() < end or len(times["trainloop"]) * PROCESSES < LEAST_ROUNDS:
        for label, step in steps.items():
            times[label].append(timed(step))
    gc.enable()
    return {
        "rule": name,
        "workload": workload,
        "tensors": len(shapes),
        "parameters": sum(int(torch.Size(shape).numel()) for shape in shapes),
        "rounds": len(times["trainloop"]),
        "ms": {label: statistics.median(series) for label, series in times.items()},
        "state_bytes": state,
        "compile_seconds": compile_seconds,
    }


# --- telling -----------------------------------------------------------------------------------------


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each rule and workload: our milliseconds, and everybody else's as a multiple of ours."""
    labels = list(dict.fromkeys(label for row in rows for label in row["ms"] if label != "trainloop"))
    lines = [["rule", "workload", "trainloop ms", *labels, "state B/param"]]
    for row in rows:
        ours = row["ms"]["trainloop"]
        ratios = [f"{row['ms'][label] / ours:.2f}" if label in row["ms"] else "" for label in labels]
        lines.append([row["rule"], row["workload"], f"{ours:.3f}", *ratios, f"{row['state_bytes']['trainloop']:.2f}"])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            [
                line[0].ljust(widths[0]),
                line[1].ljust(widths[1]),
                *(x.rjust(w) for x, w in zip(line[2:], widths[2:], strict=True)),
            ]
        ).rstrip()
        for line in lines
    )


def sources() -> dict[str, str]:
    """What the times depend on, with digests of what runs: this script and the optimizers."""
    files = [Path(__file__).resolve(), *sorted((ROOT / "trainloop" / "optim").glob("*.py"))]
    return {
        path.relative_to(ROOT).as_posix(): hashlib.sha256(
            what_runs(path.read_text(encoding="utf-8")).encode()
        ).hexdigest()
        for path in files
    }


def files_of(rule: str) -> set[str]:
    """The files of trainloop/optim that the times of a rule depend on: its own, and those that they import."""
    folder = ROOT / "trainloop" / "optim"
    names = [rule.lower(), *(["sgd"] if RULES[rule].make else [])]  # Lookahead goes around SGD
    found: set[str] = set()
    while names:
        path = folder / f"{names.pop()}.py"
        found.add(path.relative_to(ROOT).as_posix())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("trainloop.optim."):
                name = node.module.rpartition(".")[2]
                if (folder / f"{name}.py").relative_to(ROOT).as_posix() not in found:
                    names.append(name)
    return found


def what_runs(source: str) -> str:
    """Return a program without its comments, docstrings and empty lines: a better word in one changes no time."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for row in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                lines[row - 1] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def run_card(device: str) -> dict[str, Any]:
    versions = {}
    for library in ("torch", "pytorch_optimizer", "timm"):
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "command": "python -m benchmarks.optimizers --record" + (" --device cuda" if device == "cuda" else ""),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "device": torch.cuda.get_device_name()
        if device == "cuda"
        else f"{processor()}, {torch.get_num_threads()} threads",
        "python": platform.python_version(),
        "versions": versions,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "sources": sources(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=lambda text: text.split(","), default=list(RULES))
    parser.add_argument("--workloads", type=lambda text: text.split(","), default=list(WORKLOADS))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, default=1.2, help="for each contender (default 1.2)")
    parser.add_argument("--no-compile", dest="compiled", action="store_false", help="leave compiled steps out")
    parser.add_argument("--record", action="store_true", help="write the numbers for the site")
    options = parser.parse_args()
    for given, known in ((options.rules, RULES), (options.workloads, WORKLOADS)):
        if unknown := set(given) - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")

    card = run_card(options.device)
    rows = []
    with tempfile.TemporaryDirectory() as cache, fresh_processes(cache) as fresh:
        for name in options.rules:
            for workload in [known for known in workloads(RULES[name]) if known in options.workloads]:
                compiled = options.compiled and workload in COMPILED
                rows.append(measure(fresh, name, workload, options.device, options.seconds, compiled))
                if options.record:
                    record(options.device, card, rows)
                print(table(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    print(f"\n{card['device']}; torch {card['versions']['torch']}")
    print("Milliseconds of one step; the others as multiples of it (above 1: slower than ours).\n")
    print(table(rows))


def record(device: str, card: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Write the record, whole or not at all: after every row, so that an interrupted run leaves what it has.

    What was recorded before for other rules or workloads stays, if the files it depends on are still the same.
    """
    path = RECORDS / f"{device}.json"
    kept = []
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        old, new = before["card"]["sources"], card["sources"]
        changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        measured = {(row["rule"], row["workload"]) for row in rows}
        if before["card"]["device"] == card["device"]:
            kept = [
                row
                for row in before["rows"]
                if (row["rule"], row["workload"]) not in measured and not changed & files_of(row["rule"])
            ]
    order = [(rule, workload) for rule in RULES for workload in WORKLOADS]
    together = sorted(kept + rows, key=lambda row: order.index((row["rule"], row["workload"])))
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"card": card, "rows": together}, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    main()
