"""What decays, and what does it cost to let everything decay?

    python examples/practice/groups.py

Parameter groups of a small transformer; a hundred steps of AdamW without a gradient, so that only decay
moves the weights; and a classifier of digits with LayerNorm, trained with and without the split at three
decays, from ten starts each. Takes about five seconds.
"""

import statistics

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from trainloop.data import digits, stratified_split
from trainloop.lab import paired
from trainloop.loop import evaluate, train_epoch
from trainloop.models import CharTransformer
from trainloop.optim import AdamW
from trainloop.param_groups import weight_decay_groups
from trainloop.sampler import shuffled

LR, DECAY = 1e-2, 0.5
DECAYS = (0.1, 1.0, 3.0)
SEEDS = range(10)
EPOCHS = 12

x, y, _, _ = digits()
x, y, x_val, y_val = stratified_split(((x - x.mean()) / x.std()).flatten(1), y, seed=1)
x, y = x[:200], y[:200]  # few, so that decay has something to do


def split(model, weight_decay):
    return weight_decay_groups(model, weight_decay)


def all_alike(model, weight_decay):
    return [{"params": list(model.parameters()), "weight_decay": weight_decay}]


# --8<-- [start:without_gradient]
def without_gradient(groups_of):
    """What is left of each parameter's size after 100 steps of decay."""
    torch.manual_seed(0)
    model = CharTransformer(100, context=32, width=32, heads=2, depth=2)
    before = {name: p.norm().item() for name, p in model.named_parameters()}
    optimizer = AdamW(groups_of(model, DECAY), lr=LR)
    for _ in range(100):
        for p in model.parameters():
            p.grad = torch.zeros_like(p)
        optimizer.step()
    return {
        name: p.norm().item() / before[name]
        for name, p in model.named_parameters()
        if before[name] > 0
    }
# --8<-- [end:without_gradient]


def kind(name):
    part = "norm layer" if "norm" in name else "embedding" if name.startswith(("token", "position")) else "matrix"
    return "bias" if name.endswith("bias") and part == "matrix" else part


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU(),
        nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 10),
    )


def train(groups_of, weight_decay, seed, epochs):
    model = network(seed)
    optimizer = AdamW(groups_of(model, weight_decay), lr=LR)
    for epoch in range(epochs):
        parts = shuffled(len(x), seed, epoch).split(32)
        train_epoch(model, cross_entropy, optimizer, [(x[i], y[i]) for i in parts])
    return model


def run(quick=False):
    decays, seeds, epochs = (DECAYS[:2], range(2), 1) if quick else (DECAYS, SEEDS, EPOCHS)
    torch.manual_seed(0)
    model = CharTransformer(100, context=32, width=32, heads=2, depth=2)
    groups = weight_decay_groups(model, DECAY)
    results = {
        "groups": [
            {"name": g["name"], "tensors": len(g["params"]), "parameters": sum(p.numel() for p in g["params"]),
             "weight_decay": g["weight_decay"]}
            for g in groups
        ],
        "kept": [],
        "paper": (1 - LR * DECAY) ** 100,
        "seeds": len(seeds),
    }
    left = {"split": without_gradient(split), "all": without_gradient(all_alike)}
    for what in ("matrix", "embedding", "bias", "norm layer"):
        names = [name for name in left["all"] if kind(name) == what]
        results["kept"].append({
            "kind": what, "tensors": len(names),
            "split": statistics.mean(left["split"][name] for name in names),
            "all": statistics.mean(left["all"][name] for name in names),
        })
    results["trained"] = []
    for decay in tqdm(decays, desc="decays", leave=False):
        losses = {"split": [], "all": []}
        for name, groups_of in (("split", split), ("all", all_alike)):
            models = [train(groups_of, decay, seed, epochs) for seed in seeds]
            losses[name] = [evaluate(m, cross_entropy, [(x_val, y_val)]) for m in models]
            scale = statistics.mean(p.mean().item() for m in models for p in (m[1].weight, m[4].weight))
            losses[f"{name}_scale"] = scale
        # Negative: the split is better.
        compared = paired(losses["split"], losses["all"], comparisons=len(decays))
        results["trained"].append(
            {"decay": decay, "split_scale": losses["split_scale"], "all_scale": losses["all_scale"]}
            | {name: statistics.mean(losses[name]) for name in ("split", "all")}
            | {key: compared[key] for key in ("gap", "margin", "separable")}
        )
    return results


if __name__ == "__main__":
    from courseware.example import main

    main(run)
