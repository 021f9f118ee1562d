"""At what rate does each layer learn, under layer-wise decay and under the recipe that counts tensors?

    python examples/practice/rates.py

The groups of a transformer of four blocks: one power of the decay per block, one per tensor, and ULMFiT's
factor of 2.6. Nothing is trained. Takes a second.
"""

import matplotlib.pyplot as plt
import torch

from trainloop.figures import colour, label_ends
from trainloop.models import CharTransformer
from trainloop.param_groups import discriminative_groups, find_blocks, layerwise_lr_groups

LR, DECAY = 1e-3, 0.75


# --8<-- [start:groups]
def by_block(model):
    return layerwise_lr_groups(model, lr=LR, decay=DECAY)


def by_tensor(model):
    """A popular recipe: one power for each entry of named_parameters."""
    names = [name for name, _ in model.named_parameters()]
    return layerwise_lr_groups(model, lr=LR, decay=DECAY, blocks=names)


def by_hand(model):
    """Discriminative rates: you name the parts and their rates."""
    rates = {"blocks": LR / 10, "head": LR, "norm": LR}
    return discriminative_groups(model, rates, default_lr=LR / 100)
# --8<-- [end:groups]


def rate_of_each(model, groups):
    """Every tensor's rate, in the model's order."""
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    return [rate[id(p)] for p in model.parameters()]


def run(quick=False):
    torch.manual_seed(0)
    model = CharTransformer(100, context=32, width=32, heads=2, depth=4, tied=False)
    blocks, tensors = by_block(model), by_tensor(model)
    # The factor of ULMFiT: each layer learns 2.6 times slower than the one above it.
    ulmfit = layerwise_lr_groups(model, lr=LR, decay=1 / 2.6)
    rows = [
        {"name": a["name"], "tensors": len(a["params"]), "lr": a["lr"], "share": 100 * a["lr"] / LR,
         "ulmfit": b["lr"], "least": min(rate), "most": max(rate)}
        for a, b in zip(blocks, ulmfit, strict=True)
        for ids in [{id(p) for p in a["params"]}]
        for rate in [[group["lr"] for group in tensors if id(group["params"][0]) in ids]]
    ]
    return {
        "rows": rows,
        "found": [", ".join(members) for members in find_blocks(model).values()],
        "tensors": len(tensors),
        "blocks": rate_of_each(model, blocks),
        "each": rate_of_each(model, tensors),
        "by_hand": [{"name": g["name"], "lr": g["lr"], "tensors": len(g["params"])} for g in by_hand(model)],
        "decay": DECAY,
        "lr": LR,
        "lowest": min(rate_of_each(model, tensors)),
        # Relative to a weight of ordinary size, what float32 can still add.
        "ratio": rows[0]["lr"] / min(rate_of_each(model, tensors)),
    }


def draw(results):
    figure, ax = plt.subplots(figsize=(5.2, 3.8))
    lines = []
    for key, concept, text in (("blocks", "layerwise", "a power\nper block"), ("each", "wrong", "a power\nper tensor")):
        dashes = "-" if key == "blocks" else (0, (3, 1, 1, 1))
        at = range(1, results["tensors"] + 1)
        (shown,) = ax.plot(at, results[key], color=colour(concept), linestyle=dashes, drawstyle="steps-mid")
        lines.append((shown, text))
    ax.set(yscale="log", ylim=(1e-10, 1e-2), xlabel="tensor, from the input to the output", ylabel="learning rate")
    ax.set_title("Counting tensors freezes what it should slow")
    ax.set_xlim(0, results["tensors"] * 1.28)
    label_ends(ax, lines, gap=30)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
