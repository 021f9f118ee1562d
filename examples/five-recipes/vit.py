"""Recipe 5: how is a vision transformer trained from scratch – here a tiny one, on digits?

    python examples/five-recipes/vit.py

AdamW with strong decay, warm-up and cosine, clipping at norm 1, dropout. Five seeds, also
without the warm-up and without the clipping. Takes about fifteen seconds.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from trainloop.data import digits
from trainloop.figures import colour
from trainloop.fit import fit
from trainloop.lab import paired
from trainloop.optim import AdamW
from trainloop.param_groups import weight_decay_groups
from trainloop.sampler import ShuffledBatches
from trainloop.schedulers import WarmupCosineLR

EPOCHS, BATCH = 5, 64
LR, WEIGHT_DECAY, BETAS = 3e-3, 0.3, (0.9, 0.999)
WARMUP = 10_000 / 93_800  # of all updates, as in the paper
CLIP_NORM = 1.0
SEEDS = range(5)


class SmallViT(nn.Module):
    """Four patches of 4 × 4 pixels and a class token, through pre-norm blocks."""

    def __init__(self, width=48, depth=2, heads=4, classes=10, dropout=0.1):
        super().__init__()
        self.patch = nn.Conv2d(1, width, kernel_size=4, stride=4)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, 5, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)
        nn.init.zeros_(self.head.weight)  # all classes alike at the start

    def forward(self, x):
        patches = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(x), -1, -1), patches], dim=1)
        return self.head(self.norm(self.blocks(tokens + self.position)[:, 0]))


def standardised():
    data = digits()
    mean, std = data.x_train.mean(), data.x_train.std()
    return data._replace(x_train=(data.x_train - mean) / std, x_test=(data.x_test - mean) / std)


def accuracy(logits, y):
    return (logits.argmax(dim=1) == y).float().mean()


# --8<-- [start:train]
def train(seed, epochs, data, warmup=WARMUP, clip_norm=CLIP_NORM):
    torch.manual_seed(seed)
    model = SmallViT()
    order = ShuffledBatches(len(data.x_train), BATCH, seed=seed)
    images = TensorDataset(data.x_train, data.y_train)
    batches = DataLoader(images, sampler=order, batch_size=None)
    groups = weight_decay_groups(
        model, WEIGHT_DECAY, no_decay_names=("position", "class_token")
    )
    optimizer = AdamW(groups, lr=LR, betas=BETAS)
    total = epochs * len(order)
    scheduler = WarmupCosineLR(
        optimizer, warmup_steps=round(warmup * total), total_steps=total
    )
    return fit(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        batches,
        epochs,
        clip_norm=clip_norm,
        scheduler=scheduler,
        cadence="step",
        validation=[(data.x_test, data.y_test)],
        metrics={"accuracy": accuracy},
    )
# --8<-- [end:train]


CHANGES = {"recipe": {}, "no_warmup": {"warmup": 0.0}, "no_clipping": {"clip_norm": None}}


def run(quick=False):
    epochs, seeds = (2, SEEDS[:2]) if quick else (EPOCHS, SEEDS)
    data = standardised()
    runs = {
        name: [train(seed, epochs, data, **change) for seed in tqdm(seeds, desc=name, leave=False)]
        for name, change in CHANGES.items()
    }
    final = {name: [history.validation[-1]["accuracy"] for history in own] for name, own in runs.items()}
    shown = runs["recipe"][0]
    return {
        "loss": shown.loss,
        "lr": shown.lr_of(),
        "grad_norm": shown.grad_norm,
        "clipped": sum(norm > CLIP_NORM for norm in shown.grad_norm) / len(shown.grad_norm),
        "accuracy_by_epoch": [epoch["accuracy"] for epoch in shown.validation],
        "accuracy": sum(final["recipe"]) / len(seeds),
        "least": min(final["recipe"]),
        "most": max(final["recipe"]),
        "changes": {
            name: paired(final[name], final["recipe"], comparisons=len(CHANGES) - 1)
            for name in CHANGES
            if name != "recipe"
        },
        "steps": len(shown.loss),
        "epochs": epochs,
        "batch": BATCH,
        "warmup_percent": 100 * WARMUP,
        "parameters": sum(p.numel() for p in SmallViT().parameters()),
        "seeds": len(seeds),
    }


def draw(results):
    figure, axes = plt.subplots(3, 1, figsize=(5.2, 5.6), sharex=True, height_ratios=(3, 2, 1))
    axes[0].plot(results["loss"], color=colour("adamw"), lw=1)
    axes[0].set(yscale="log", ylabel="training loss", title="ViT on digits")
    axes[1].plot(results["grad_norm"], color=colour("data"), lw=1)
    axes[1].axhline(CLIP_NORM, color=colour("clip_norm"), ls="--")
    axes[1].set(yscale="log", ylabel="gradient norm")
    axes[2].plot(results["lr"], color=colour("cosine"))
    axes[2].set(xlabel="update", ylabel="lr", ylim=(0, None))
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
