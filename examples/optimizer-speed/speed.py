"""How long does an optimizer's step take, ours beside torch's and other libraries'?

    python examples/optimizer-speed/speed.py

Reads what `make bench-optim` recorded, three quarters of an hour of timing that no build repeats, and
says which sources have changed since. Takes a second.
"""

import json
import statistics
from pathlib import Path

import matplotlib.pyplot as plt

import trainloop.optim
from benchmarks.optimizers import MOST_PROCESSES, PAIRS, PROCESSES, PULL, sources
from trainloop.figures import colour
from trainloop.optim._jobs import FEW, SMALL

RECORDED = Path(__file__).resolve().parent / "recorded"
WORKLOADS = {"resnet18": "ResNet-18", "mlp": "4-layer MLP", "small": "200 small tensors"}
PEERS = ("pytorch_optimizer", "timm")
AIMS = {"resnet18": 1.0, "mlp": 1.1}  # compiled, as a multiple of torch's fused kernel


def read(device):
    """The record of a device, with what has changed since; None if nobody has made one."""
    path = RECORDED / f"{device}.json"
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    for name in trainloop.optim.__all__:
        getattr(trainloop.optim, name)  # so that a change to a rule runs this script again
    known, now = record["card"].pop("sources"), sources()
    record["card"]["changed"] = sorted(name for name in {*known, *now} if known.get(name) != now.get(name))
    return record


def tables(rows):
    """For each workload: our milliseconds, and everybody's as a multiple of torch's foreach or of ours."""
    found = {}
    for workload in WORKLOADS:
        torchs, others = [], []
        for row in rows:
            if row["workload"] != workload:
                continue
            ms = row["ms"]
            line = {
                "rule": row["rule"],
                "ms": ms["trainloop"],
                "compiled_ms": ms.get("trainloop, compiled"),
                "state": row["state_bytes"]["trainloop"],
            }
            reference = ms.get("torch foreach", ms.get("torch loop"))
            if reference:
                line |= {
                    "plain": ms["trainloop"] / reference,
                    "compiled": over(ms.get("trainloop, compiled"), reference),
                    "loop": over(ms.get("torch loop"), reference),
                    "fused": over(ms.get("torch fused"), reference),
                    "compiled_over_fused": over(ms.get("trainloop, compiled"), ms.get("torch fused")),
                }
                torchs.append(line)
            else:
                line |= {peer: over(ms.get(peer), ms["trainloop"]) for peer in PEERS}
                others.append(line)
        found[workload] = {"torch": torchs, "others": others}
    return found


def over(a, b):
    return None if a is None or b is None else a / b


def kernel_error(row):
    """The standard error of compiled over fused. A process and the next, in reverse order, make one observation."""
    compiled, fused = (row["ms_of_each_process"][label] for label in ("trainloop, compiled", "torch fused"))
    ratios = [a / b for a, b in zip(compiled, fused, strict=True)]
    pairs = [statistics.fmean(two) for two in zip(ratios[::2], ratios[1::2], strict=True)]
    return statistics.stdev(pairs) / len(pairs) ** 0.5


def summary(found, rows):
    """Counts and extremes behind the sentences of the page."""
    torchs = [line | {"workload": name} for name, part in found.items() for line in part["torch"]]
    peers = [
        {"library": peer, "rule": line["rule"], "workload": WORKLOADS[name], "ratio": line[peer]}
        for name, part in found.items()
        for line in part["others"]
        for peer in PEERS
        if line[peer] is not None
    ]
    slowest = max(torchs, key=lambda line: line["plain"])
    seconds = [row["compile_seconds"] for row in rows if row["compile_seconds"] is not None]
    over_fused, missed = {}, []
    for name, aim in AIMS.items():
        ratios = {line["rule"]: line["compiled_over_fused"] for line in found[name]["torch"]}
        ratios = {rule: ratio for rule, ratio in ratios.items() if ratio}
        over_fused[name] = {"least": min(ratios.values()), "most": max(ratios.values()), "pairs": len(ratios)}
        missed += [
            {"rule": rule, "workload": WORKLOADS[name], "ratio": ratio}
            for rule, ratio in ratios.items()
            if ratio > aim
        ]
    beside_kernels = [row for row in rows if {"trainloop, compiled", "torch fused"} <= row["ms"].keys()]
    plain = [line["plain"] for line in torchs]
    compiled = [line["compiled"] for line in torchs if line["compiled"] is not None]
    return {
        "plain": {"least": min(plain), "most": max(plain)},
        "compiled": {"least": min(compiled), "most": max(compiled)},
        "compile_seconds": {"most": max(seconds)},
        "torch_pairs": len(torchs),
        "not_slower": sum(line["plain"] <= 1.0 for line in torchs),
        "within_10_percent": sum(line["plain"] <= 1.1 for line in torchs),
        "slowest": {
            "rule": slowest["rule"],
            "workload": WORKLOADS[slowest["workload"]],
            "ratio": slowest["plain"],
        },
        "compiled_over_fused": over_fused,
        "kernel_error": max(map(kernel_error, beside_kernels)),
        "rounds": min(row["rounds"] for row in rows),
        "made_first": statistics.quantiles(row["made_first_over_last"] for row in rows),
        "aims": {"pairs": sum(part["pairs"] for part in over_fused.values()), "missed": missed},
        "peer_pairs": len(peers),
        "peers_slower": sum(peer["ratio"] >= 1.0 for peer in peers),
        "closest_peer": min(peers, key=lambda peer: peer["ratio"]),
    }


def run(quick=False):
    cpu, gpu = read("cpu"), read("cuda")
    found = tables(cpu["rows"])
    return {
        "card": cpu["card"],
        "parameters": {row["workload"]: row["parameters"] for row in cpu["rows"] if row["rule"] == "Adam"},
        "tables": found,
        "sparse": next(row for row in cpu["rows"] if row["rule"] == "SparseAdam"),
        "summary": summary(found, cpu["rows"]),
        "lists": {"up_to": SMALL, "at_least": FEW},
        "measured": {
            "processes": PROCESSES,
            "most_processes": MOST_PROCESSES,
            "pull": PULL,
            "pairs": PAIRS,
        },
        "state": [
            {"rule": row["rule"], "bytes": row["state_bytes"]["trainloop"]}
            for row in cpu["rows"]
            if row["workload"] == "resnet18"
        ],
        "gpu": gpu and {"card": gpu["card"], "tables": tables(gpu["rows"])},
    }


def draw(results):
    """A line for each rule that torch has too, a marker for each workload; left of 1 is faster than torch."""
    figure, ax = plt.subplots(figsize=(5.2, 5.6))
    markers = dict(zip(WORKLOADS, (("o", "sgd"), ("s", "adam"), ("^", "rmsprop")), strict=True))
    names = [line["rule"] for line in results["tables"]["resnet18"]["torch"]]
    for workload, (marker, concept) in markers.items():
        lines = {line["rule"]: line for line in results["tables"][workload]["torch"]}
        known = [name for name in names if name in lines]
        rows = [names.index(name) for name in known]
        ink = colour(concept)
        ax.plot([lines[name]["plain"] for name in known], rows, marker, color=ink, label=WORKLOADS[workload])
        compiled = [(lines[name]["compiled"], row) for name, row in zip(known, rows, strict=True)]
        compiled = [(ratio, row) for ratio, row in compiled if ratio is not None]
        ax.plot(*zip(*compiled, strict=True), marker, color=ink, mfc="none")
    ax.axvline(1, color=colour("truth"), lw=1, ls=":")
    ax.set_xscale("log")
    ax.set_xticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
    ax.set_xticks([], minor=True)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlabel("time of a step, torch's foreach = 1")
    ax.set_title("Left of the line: faster than torch's foreach")
    ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.12), ncols=3, handletextpad=0.2, columnspacing=1)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
