"""Recipe 1: how is a ResNet trained on images – here a small one, on digits?

    python examples/five-recipes/resnet.py

SGD with momentum, warm-up and cosine, no decay on BatchNorm. Five seeds, also without the warm-up and with
the learning rate scaled down to the batch. Takes about twelve seconds.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from trainloop.data import digits
from trainloop.figures import colour
from trainloop.fit import fit
from trainloop.lab import paired
from trainloop.optim import SGD
from trainloop.param_groups import weight_decay_groups
from trainloop.sampler import ShuffledBatches
from trainloop.schedulers import WarmupCosineLR

EPOCHS, BATCH = 6, 64
LR = 0.1  # the paper's, at a quarter of its batch
SCALED_LR = 0.1 * BATCH / 256  # what the linear scaling rule makes of it
WARMUP_EPOCHS = 1
WEIGHT_DECAY = 1e-4
SEEDS = range(5)


class Residual(nn.Module):
    """Two convolutions beside a shortcut; at the start the identity."""

    def __init__(self, width, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(width, out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.short = nn.Sequential(
            nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out)
        )
        nn.init.zeros_(self.norm2.weight)  # γ = 0: only the shortcut

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.short(x) + self.norm2(self.conv2(y)))


class SmallResNet(nn.Module):
    """A stem, three residual blocks, an average over all places, a layer."""

    def __init__(self, width=8, classes=10):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(
            Residual(width, width, stride=1),
            Residual(width, 2 * width, stride=2),
            Residual(2 * width, 4 * width, stride=2),
        )
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x):
        x = F.relu(self.norm(self.stem(x)))
        return self.head(self.blocks(x).mean(dim=(2, 3)))  # over all places


def accuracy(logits, y):
    return (logits.argmax(dim=1) == y).float().mean()


# --8<-- [start:train]
def train(seed, epochs, data, lr=LR, warmup=True):
    torch.manual_seed(seed)
    model = SmallResNet()
    order = ShuffledBatches(len(data.x_train), BATCH, seed=seed)
    images = TensorDataset(data.x_train, data.y_train)
    batches = DataLoader(images, sampler=order, batch_size=None)
    groups = weight_decay_groups(model, WEIGHT_DECAY)  # not BatchNorm's
    optimizer = SGD(groups, lr=lr, momentum=0.9)
    scheduler = WarmupCosineLR(
        optimizer,
        warmup_steps=WARMUP_EPOCHS * len(order) if warmup else 0,
        total_steps=epochs * len(order),
    )
    return fit(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        batches,
        epochs,
        scheduler=scheduler,
        cadence="step",
        validation=[(data.x_test, data.y_test)],
        metrics={"accuracy": accuracy},
    )
# --8<-- [end:train]


CHANGES = {"recipe": {}, "no_warmup": {"warmup": False}, "scaled": {"lr": SCALED_LR}}


def run(quick=False):
    epochs, seeds = (2, SEEDS[:2]) if quick else (EPOCHS, SEEDS)
    data = digits()
    runs = {
        name: [train(seed, epochs, data, **change) for seed in tqdm(seeds, desc=name, leave=False)]
        for name, change in CHANGES.items()
    }
    final = {name: [history.validation[-1]["accuracy"] for history in own] for name, own in runs.items()}
    first = {name: [history.validation[0]["accuracy"] for history in own] for name, own in runs.items()}
    shown = runs["recipe"][0]
    return {
        "loss": shown.loss,
        "lr": shown.lr_of(),
        "accuracy_by_epoch": [epoch["accuracy"] for epoch in shown.validation],
        "accuracy": sum(final["recipe"]) / len(seeds),
        "least": min(final["recipe"]),
        "most": max(final["recipe"]),
        "changes": {
            name: paired(final[name], final["recipe"], comparisons=len(CHANGES) - 1)
            for name in CHANGES
            if name != "recipe"
        },
        "first_epoch": {name: sum(own) / len(own) for name, own in first.items()},
        "steps": len(shown.loss),
        "epochs": epochs,
        "batch": BATCH,
        "peak": LR,
        "scaled_peak": SCALED_LR,
        "parameters": sum(p.numel() for p in SmallResNet().parameters()),
        "seeds": len(seeds),
    }


def draw(results):
    figure, (above, below) = plt.subplots(2, 1, figsize=(5.2, 4.6), sharex=True, height_ratios=(3, 1))
    above.plot(results["loss"], color=colour("sgd"), lw=1)
    above.set(yscale="log", ylabel="training loss", title="ResNet on digits")
    below.plot(results["lr"], color=colour("cosine"))
    below.set(xlabel="update", ylabel="lr", ylim=(0, None))
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
