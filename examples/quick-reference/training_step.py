"""The training step with everything in its place: does it learn, is it clipped, does the rate follow its plan?

    python examples/quick-reference/training_step.py

A small network on the 1,797 handwritten digits that ship with scikit-learn. Takes four seconds.
"""

import math

import torch
from torch import autocast, nn
from torch.nn.utils import clip_grad_norm_

from trainloop.data import digits
from trainloop.optim import AdamW
from trainloop.schedulers import WarmupCosineLR

BATCH, EPOCHS = 64, 8
LR, WARMUP = 3e-3, 10


# --8<-- [start:step]
def train_epoch(model, batches, loss_fn, optimizer, scheduler):
    model.train()  # dropout and BatchNorm learn
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        # AMP: forward pass and loss in bfloat16, nothing else
        with autocast(x.device.type, dtype=torch.bfloat16):
            loss = loss_fn(model(x), y)
        loss.backward()
        # clip between backward and step
        clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        scheduler.step()  # after optimizer.step, once a batch
        losses.append(loss.item())  # a number: it keeps no graph
    return losses
# --8<-- [end:step]


# --8<-- [start:evaluate]
@torch.inference_mode()
def accuracy(model, x, y):
    model.eval()  # dropout off, BatchNorm as it stands
    return (model(x).argmax(1) == y).float().mean().item()
# --8<-- [end:evaluate]


# --8<-- [start:setup]
def set_up(steps):
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    )
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [
        {"params": decayed, "weight_decay": 0.01},
        {"params": others, "weight_decay": 0.0},  # biases, norms
    ]
    optimizer = AdamW(groups, lr=LR)
    scheduler = WarmupCosineLR(
        optimizer, warmup_steps=WARMUP, total_steps=steps
    )
    return model, optimizer, scheduler
# --8<-- [end:setup]


def batches(x, y, generator):
    order = torch.randperm(len(x), generator=generator)
    return [(x[i], y[i]) for i in order.split(BATCH)]


def run(quick=False):
    data, epochs = digits(), 1 if quick else EPOCHS
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    steps = epochs * math.ceil(len(data.x_train) / BATCH)
    model, optimizer, scheduler = set_up(steps)
    losses, rates = [], []
    optimizer.register_step_pre_hook(lambda *_: rates.append(optimizer.param_groups[0]["lr"]))
    for _ in range(epochs):
        losses += train_epoch(
            model, batches(data.x_train, data.y_train, generator), nn.CrossEntropyLoss(), optimizer, scheduler
        )
    return {
        "steps": steps,
        "first_loss": losses[0],
        "last_loss": sum(losses[-5:]) / 5,
        "accuracy": accuracy(model, data.x_test, data.y_test),
        "first_rate": rates[0],
        "peak_rate": max(rates),
        "last_rate": rates[-1],
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
