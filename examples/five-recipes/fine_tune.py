"""Recipe 3: how is a pretrained transformer fine-tuned – here from MNIST to other people's digits?

    python examples/five-recipes/fine_tune.py

Pretrained on 4,000 of MNIST's digits at 8 × 8, fine-tuned on 100 labelled ones of scikit-learn's: AdamW, a
low rate for the body and a ten times higher one for the new head, warm-up, linear decay, clipping.
Eight seeds, with three changes. Takes about ten seconds.
"""

import copy

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from trainloop.data import digits, mnist5k, stratified_split
from trainloop.figures import colour, label_ends
from trainloop.fit import fit
from trainloop.lab import paired, sweep
from trainloop.optim import AdamW
from trainloop.param_groups import discriminative_groups, weight_decay_groups
from trainloop.sampler import ShuffledBatches
from trainloop.schedulers import WarmupCosineLR, WarmupLinearLR

EPOCHS, BATCH, PER_CLASS = 4, 16, 10
RATES = (1e-3, 3e-3, 1e-2)  # of the body
HEAD_FACTOR, WARMUP, WEIGHT_DECAY, CLIP_NORM = 10, 0.1, 0.01, 1.0
PRETRAIN_EPOCHS = 2
TUNING, SEEDS = range(2), range(100, 108)


class Body(nn.Module):
    """Four patches of 4 × 4 pixels, through two pre-norm blocks, averaged."""

    def __init__(self, width=48, heads=4, depth=2):
        super().__init__()
        self.patch = nn.Conv2d(1, width, kernel_size=4, stride=4)
        self.position = nn.Parameter(0.02 * torch.randn(1, 4, width))
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2) + self.position
        return self.norm(self.blocks(tokens)).mean(dim=1)


class Classifier(nn.Module):
    """A body, and a new head."""

    def __init__(self, body, width=48, classes=10):
        super().__init__()
        self.body = body
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.body(x))


def accuracy(logits, y):
    return (logits.argmax(dim=1) == y).float().mean()


def standardised(x):
    return (x - x.mean()) / x.std()


def as_small(images):
    """MNIST's digits without their margin, 20 × 20 pixels averaged to 8 × 8."""
    return standardised(F.adaptive_avg_pool2d(images[:, :, 4:24, 4:24], 8))


def pretrain(epochs):
    """A body that knows MNIST."""
    data = mnist5k()
    x = as_small(data.x_train)
    torch.manual_seed(0)
    model = Classifier(Body())
    order = ShuffledBatches(len(x), 64, seed=0)
    optimizer = AdamW(weight_decay_groups(model, 0.05), lr=3e-3)
    total = epochs * len(order)
    scheduler = WarmupCosineLR(optimizer, warmup_steps=total // 10, total_steps=total)
    batches = DataLoader(TensorDataset(x, data.y_train), sampler=order, batch_size=None)
    fit(model, nn.CrossEntropyLoss(), optimizer, batches, epochs, clip_norm=1.0, scheduler=scheduler, cadence="step")
    with torch.no_grad():
        return model.body, accuracy(model.eval()(as_small(data.x_test)), data.y_test).item()


def few(seed):
    """100 labelled digits to fine-tune on, 257 to choose by, the rest to report."""
    data = digits(test_fraction=0.8)
    part = stratified_split(data.x_train, data.y_train, test_fraction=1 - 10 * PER_CLASS / len(data.x_train), seed=seed)
    x = standardised(torch.cat([part.x_train, part.x_test, data.x_test]))
    n, m = len(part.x_train), len(data.x_train)
    return x[:n], part.y_train, (x[n:m], part.y_test), (x[m:], data.y_test)


# --8<-- [start:train]
def fine_tune(
    body, lr, seed, epochs, head_factor=HEAD_FACTOR, warmup=WARMUP
):
    x, y, validation, test = few(seed)
    torch.manual_seed(seed)
    model = Classifier(copy.deepcopy(body))
    rates = {"body": lr, "head": head_factor * lr}
    groups = discriminative_groups(model, rates)
    optimizer = AdamW(groups, lr=lr, weight_decay=WEIGHT_DECAY)
    order = ShuffledBatches(len(x), BATCH, seed=seed)
    total = epochs * len(order)
    scheduler = WarmupLinearLR(
        optimizer, warmup_steps=round(warmup * total), total_steps=total
    )
    history = fit(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        DataLoader(TensorDataset(x, y), sampler=order, batch_size=None),
        epochs,
        clip_norm=CLIP_NORM,
        scheduler=scheduler,
        cadence="step",
        validation=[validation],
        metrics={"accuracy": accuracy},
    )
    model.eval()
    with torch.no_grad():
        return history, accuracy(model(test[0]), test[1]).item()
# --8<-- [end:train]


NAMES = {
    "recipe": "recipe",
    "one_rate": "one rate",
    "no_warmup": "no warm-up",
    "scratch": "from scratch",
}


def run(quick=False):
    epochs, before, tuning, seeds = (1, 1, TUNING[:1], SEEDS[:2]) if quick else (EPOCHS, PRETRAIN_EPOCHS, TUNING, SEEDS)
    body, pretrained_accuracy = pretrain(before)
    torch.manual_seed(1)
    blank = Body()
    changes = {  # where it starts, and what is other than in the recipe
        "recipe": (body, {}),
        "one_rate": (body, {"head_factor": 1}),
        "no_warmup": (body, {"warmup": 0.0}),
        "scratch": (blank, {}),
    }
    scores, chosen, shown = {}, {}, {}
    for name, (start, change) in tqdm(changes.items(), desc="changes", leave=False):

        def score(lr, seed, start=start, change=change):
            return fine_tune(start, lr, seed, epochs, **change)[0].validation[-1]["accuracy"]

        chosen[name] = sweep(score, RATES, tuning, higher_is_better=True).best
        runs = [fine_tune(start, chosen[name], seed, epochs, **change) for seed in seeds]
        scores[name] = [accuracy for _, accuracy in runs]
        shown[name] = runs[0][0]
    history = shown["recipe"]
    return {
        "loss": {name: shown[name].loss for name in ("recipe", "scratch")},
        "lr": {"body": history.lr_of(0), "head": history.lr_of(1)},
        "rows": [
            {
                "change": NAMES[name],
                "lr": chosen[name],
                "accuracy": sum(own) / len(own),
                "least": min(own),
                "most": max(own),
            }
            for name, own in scores.items()
        ],
        "changes": {
            name: paired(own, scores["recipe"], comparisons=len(changes) - 1)
            for name, own in scores.items()
            if name != "recipe"
        },
        "pretrained_accuracy": pretrained_accuracy,
        "steps": len(history.loss),
        "epochs": epochs,
        "batch": BATCH,
        "labels": 10 * PER_CLASS,
        "rates": len(RATES),
        "parameters": sum(p.numel() for p in Classifier(blank).parameters()),
        "seeds": len(seeds),
    }


def draw(results):
    figure, (above, below) = plt.subplots(2, 1, figsize=(5.2, 4.8), sharex=True, height_ratios=(3, 2))
    lines = []
    for name, concept, text in (("recipe", "layerwise", "pretrained"), ("scratch", "uniform", "from scratch")):
        lines.append((above.plot(results["loss"][name], color=colour(concept))[0], text))
    above.set(yscale="log", ylabel="training loss", title="Fine-tuning on 100 labels")
    label_ends(above, lines)
    rates = []
    for part, style in (("body", "-"), ("head", "--")):
        rates.append((below.plot(results["lr"][part], color=colour("cosine"), ls=style)[0], part))
    below.set(yscale="log", xlabel="update", ylabel="lr")
    label_ends(below, rates)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
