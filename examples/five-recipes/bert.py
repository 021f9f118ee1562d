"""Recipe 2: how is BERT pretrained – here a small one, on the characters of Python's manual?

    python examples/five-recipes/bert.py

Masked characters, post-norm blocks, AdamW without decay on norms and biases, linear warm-up and decay,
clipping, two micro-batches an update. Three seeds, with the warm-up and without. Takes about fifteen
seconds.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from trainloop.data import characters
from trainloop.figures import colour, label_ends
from trainloop.fit import fit
from trainloop.lab import paired
from trainloop.optim import AdamW
from trainloop.param_groups import weight_decay_groups
from trainloop.schedulers import WarmupLinearLR

STEPS, MICRO, ACCUMULATE, CONTEXT = 160, 16, 2, 32
LR, BETAS, EPS, WEIGHT_DECAY = 3e-3, (0.9, 0.999), 1e-6, 0.01
WARMUP, CLIP_NORM = 0.1, 1.0
MASKED = 0.15
SEEDS = range(3)


class SmallBERT(nn.Module):
    """An encoder that sees both sides of every character; norms after the blocks."""

    def __init__(self, vocabulary, width=48, heads=4, depth=2, dropout=0.1):
        super().__init__()
        self.token = nn.Embedding(vocabulary + 1, width)  # the last one is the mask
        self.position = nn.Parameter(0.02 * torch.randn(1, CONTEXT, width))
        self.norm = nn.LayerNorm(width)
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout, "gelu", batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, vocabulary)
        nn.init.normal_(self.token.weight, std=0.02)

    def forward(self, tokens):
        return self.head(self.blocks(self.norm(self.token(tokens) + self.position)))


# --8<-- [start:mask]
def masked(text, n, vocabulary, generator):
    """n pieces of a text with 15 % of the characters hidden; and those,
    with −1 for the others.

    Of the hidden ones, 80 % show the mask, 10 % any character, 10 %
    themselves.
    """
    last = len(text) - CONTEXT
    starts = torch.randint(last, (n, 1), generator=generator)
    tokens = text[starts + torch.arange(CONTEXT)]
    draw = torch.rand(n, CONTEXT, generator=generator)
    random = torch.randint(vocabulary, (n, CONTEXT), generator=generator)
    shown = torch.where(draw < 0.8 * MASKED, vocabulary, tokens)
    swapped = (draw >= 0.8 * MASKED) & (draw < 0.9 * MASKED)
    shown = torch.where(swapped, random, shown)
    return shown, torch.where(draw < MASKED, tokens, -1)


def loss_fn(logits, hidden):
    logits, hidden = logits.flatten(0, 1), hidden.flatten()
    return F.cross_entropy(logits, hidden, ignore_index=-1)


def accuracy(logits, hidden):
    return (logits.argmax(dim=2) == hidden)[hidden >= 0].float().mean()


def count(tokens, hidden):
    """What a micro-batch weighs: its hidden characters."""
    return int((hidden >= 0).sum())
# --8<-- [end:mask]


# --8<-- [start:train]
def train(seed, steps, corpus, warmup=WARMUP):
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    vocabulary = len(corpus.vocabulary)
    model = SmallBERT(vocabulary)
    groups = weight_decay_groups(model, WEIGHT_DECAY)  # no norms, no biases
    optimizer = AdamW(groups, lr=LR, betas=BETAS, eps=EPS)
    scheduler = WarmupLinearLR(
        optimizer, warmup_steps=round(warmup * steps), total_steps=steps
    )
    same = torch.Generator().manual_seed(0)  # for all runs
    held_out = masked(corpus.val, 256, vocabulary, same)
    batches = [
        masked(corpus.train, MICRO, vocabulary, generator)
        for _ in range(ACCUMULATE * steps)
    ]
    return fit(
        model,
        loss_fn,
        optimizer,
        batches,
        epochs=1,
        accumulate=ACCUMULATE,
        count=count,
        clip_norm=CLIP_NORM,
        scheduler=scheduler,
        cadence="step",
        validation=[held_out],
        metrics={"accuracy": accuracy},
    )
# --8<-- [end:train]


def most_frequent(corpus):
    """The accuracy of always saying the training text's most frequent character."""
    return (corpus.val == corpus.train.bincount().argmax()).float().mean().item()


def run(quick=False):
    steps, seeds = (10, SEEDS[:2]) if quick else (STEPS, SEEDS)
    corpus = characters()
    runs = {
        name: [train(seed, steps, corpus, warmup) for seed in tqdm(seeds, desc=name, leave=False)]
        for name, warmup in (("recipe", WARMUP), ("no_warmup", 0.0))
    }
    losses = {name: [history.validation[-1]["loss"] for history in own] for name, own in runs.items()}
    shown = runs["recipe"][0]
    return {
        "loss": {name: own[0].loss for name, own in runs.items()},
        "lr": shown.lr_of(),
        "clipped": sum(norm > CLIP_NORM for norm in shown.grad_norm) / len(shown.grad_norm),
        "validation_loss": {name: sum(own) / len(own) for name, own in losses.items()},
        "no_warmup": paired(losses["no_warmup"], losses["recipe"]),
        "accuracy": sum(history.validation[-1]["accuracy"] for history in runs["recipe"]) / len(seeds),
        "most_frequent": most_frequent(corpus),
        "steps": steps,
        "batch": MICRO * ACCUMULATE,
        "micro": MICRO,
        "context": CONTEXT,
        "vocabulary": len(corpus.vocabulary),
        "peak": LR,
        "parameters": sum(p.numel() for p in SmallBERT(len(corpus.vocabulary)).parameters()),
        "seeds": len(seeds),
    }


def draw(results):
    figure, (above, below) = plt.subplots(2, 1, figsize=(5.2, 4.6), sharex=True, height_ratios=(3, 1))
    lines = []
    for name, concept, text in (("recipe", "warmup", "warm-up"), ("no_warmup", "no_warmup", "none")):
        lines.append((above.plot(results["loss"][name], color=colour(concept), lw=1)[0], text))
    above.set(ylabel="training loss", title="A small BERT on Python's manual")
    label_ends(above, lines)
    below.plot(results["lr"], color=colour("cosine"))
    below.set(xlabel="update", ylabel="lr", ylim=(0, None))
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
