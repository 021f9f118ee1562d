"""How many of a network's gradients are too small for float16, and what does scaling the loss save?

    python examples/practice/underflow.py

The gradients of a classifier of handwritten digits, in float32 and computed anew in float16 by autocast,
with the loss as it is and multiplied by powers of two, while it trains. Takes three seconds.
"""

import matplotlib.pyplot as plt
import torch
from torch.nn.functional import cross_entropy

from trainloop.data import digits
from trainloop.figures import colour, label_ends, line
from trainloop.models import MLP
from trainloop.optim import AdamW
from trainloop.sampler import shuffled
from trainloop.window import autocasting

EPOCHS, BATCH = 12, 64
FACTORS = {"1": 1.0, "256": 2.0**8, "65,536": 2.0**16}

x, y, _, _ = digits()
x = ((x - x.mean()) / x.std()).flatten(1)


# --8<-- [start:lost]
def gradient(model, dtype, factor):
    """The gradient of one batch, its loss multiplied by a factor."""
    model.zero_grad()
    with autocasting(torch.device("cpu"), dtype):
        loss = cross_entropy(model(x[:BATCH]), y[:BATCH])
    (loss * factor).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def share_lost(model, factor):
    """Of the entries that are not 0 in float32: how many float16 loses."""
    exact = gradient(model, None, 1.0)
    half = gradient(model, torch.float16, factor)
    return ((half == 0) & (exact != 0)).sum() / (exact != 0).sum()
# --8<-- [end:lost]


def overflowed(model, factor):
    return int((~gradient(model, torch.float16, factor).isfinite()).sum())


def sizes(model):
    """Exponents of two of the gradient's entries, as a histogram in per cent."""
    g = gradient(model, None, 1.0).abs()
    exponents = g[g > 0].log2().floor().int()
    return {f"{e}": 100 * (exponents == e).float().mean().item() for e in range(-50, 4)}


def run(quick=False):
    epochs = 2 if quick else EPOCHS
    torch.manual_seed(0)
    model = MLP([64, 128, 128, 10])
    optimizer = AdamW(model.parameters(), lr=1e-2)
    half = torch.finfo(torch.float16)
    brain = torch.finfo(torch.bfloat16)
    results = {
        "formats": [
            {"name": name, "smallest": info.smallest_normal, "subnormal": info.smallest_normal * info.eps,
             "largest": info.max, "eps": info.eps}
            for name, info in (("float32", torch.finfo(torch.float32)), ("float16", half), ("bfloat16", brain))
        ],
        "epochs": epochs,
        "lost": {name: [] for name in FACTORS},
        "before": sizes(model),
    }
    for epoch in range(epochs + 1):
        for name, factor in FACTORS.items():
            results["lost"][name].append(100 * share_lost(model, factor).item())
        if epoch < epochs:
            for i in shuffled(len(x), 0, epoch).split(BATCH):
                loss = cross_entropy(model(x[i]), y[i])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    results["after"] = sizes(model)
    with torch.no_grad():
        results["loss"] = cross_entropy(model(x), y).item()
    # Raise the factor until float16 overflows, at the start and at the end of training.
    torch.manual_seed(0)
    for word, net in (("start", MLP([64, 128, 128, 10])), ("end", model)):
        first = next(k for k in range(40) if overflowed(net, 2.0**k))
        results[f"overflows_at_{word}"] = first
    return results


def draw(results):
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(5.2, 6.0))
    for word, concept, text in (("before", "data", "untrained"), ("after", "differentiate", "trained")):
        sizes = results[word]
        exponents = [int(e) for e in sizes]
        top.step(exponents, list(sizes.values()), where="mid", color=colour(concept), label=text)
    top.axvspan(-50, -24, color=colour("wrong"), alpha=0.15, lw=0)
    top.text(-49, 0.97, "0 in float16", color=colour("wrong"), va="top", transform=top.get_xaxis_transform())
    top.set_xticks(range(-48, 1, 8), [f"$2^{{{e}}}$" for e in range(-48, 1, 8)])
    top.set(xlabel="size of an entry of the gradient", ylabel="share of entries, %", xlim=(-50, 0))
    top.set_title("Training moves gradients towards the edge")
    top.legend(loc="center left")
    lines = []
    for name, concept in zip(FACTORS, ("wrong", "below", "update"), strict=True):
        (shown,) = bottom.plot(results["lost"][name], **line(concept))
        lines.append((shown, f"× {name}"))
    bottom.set(xlabel="epoch", ylabel="lost entries, %", title="A factor on the loss brings them back")
    bottom.set_xlim(0, results["epochs"] * 1.2)
    label_ends(bottom, lines, gap=15)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
