"""Recipe 4: how are the two networks of a GAN trained against each other – here on digits of 8 × 8 pixels?

    python examples/five-recipes/dcgan.py

Two Adams with a short memory, one step each in turn, weights drawn with a spread of 0.02. Five seeds, with
the paper's β₁ of 0.5 and with 0.9. Takes about fifteen seconds.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from trainloop.data import digits
from trainloop.figures import colour, label_ends
from trainloop.lab import paired
from trainloop.loop import train_epoch
from trainloop.models import MLP
from trainloop.optim import Adam
from trainloop.sampler import ShuffledBatches

EPOCHS, BATCH, LATENT = 20, 128, 16
LR, BETAS = 1e-3, (0.5, 0.999)
SEEDS = range(5)


def generator():
    """Noise of shape (n, 16, 1, 1) to images of shape (n, 1, 8, 8), in −1 … 1."""
    return nn.Sequential(
        nn.ConvTranspose2d(LATENT, 32, 2, bias=False),  # 2 × 2
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1, bias=False),  # 4 × 4
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),  # 8 × 8
        nn.Tanh(),
    )


def discriminator():
    """Images to one number each: real above 0, made below."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1),  # 4 × 4
        nn.LeakyReLU(0.2),
        nn.Conv2d(16, 32, 4, stride=2, padding=1, bias=False),  # 2 × 2
        nn.BatchNorm2d(32),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 1, 2),  # 1 × 1
        nn.Flatten(0),
    )


def draw_weights(layer):
    """The paper's start: weights around 0, scales of BatchNorm around 1, both with a spread of 0.02."""
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)


# --8<-- [start:step]
def step(G, D, optimizer_G, optimizer_D, real):
    """One update of the discriminator, then one of the generator."""
    noise = torch.randn(len(real), LATENT, 1, 1)
    made = G(noise)

    on_real, on_made = D(real), D(made.detach())  # no gradient into G
    loss_D = (says(on_real, 1.0) + says(on_made, 0.0)) / 2
    optimizer_D.zero_grad()
    loss_D.backward()
    optimizer_D.step()

    loss_G = says(D(made), 1.0)  # G wants its images called real
    optimizer_G.zero_grad()
    loss_G.backward()
    optimizer_G.step()
    return loss_G.item(), loss_D.item()


def says(logits, answer):
    """The discriminator's error if this is the answer for all images."""
    answers = torch.full_like(logits, answer)
    return F.binary_cross_entropy_with_logits(logits, answers)
# --8<-- [end:step]


def train(seed, epochs, images, betas=BETAS):
    torch.manual_seed(seed)
    G, D = generator(), discriminator()
    G.apply(draw_weights)
    D.apply(draw_weights)
    optimizer_G = Adam(G.parameters(), lr=LR, betas=betas)
    optimizer_D = Adam(D.parameters(), lr=LR, betas=betas)
    order = ShuffledBatches(len(images), BATCH, seed=seed, drop_last=True)
    losses = []
    for epoch in range(epochs):
        order.set_epoch(epoch)
        losses += [step(G, D, optimizer_G, optimizer_D, images[i]) for i in order]
    return G.eval(), losses


def frechet(a, b):
    """The distance between two clouds of features, each taken for a bell: of their means and covariances."""
    (μ, Σ), (ν, Τ) = ((c.mean(dim=0), c.T.cov()) for c in (a.double(), b.double()))
    root_of_product = torch.linalg.eigvals(Σ @ Τ).real.clamp(min=0).sqrt().sum()
    return ((μ - ν).square().sum() + Σ.trace() + Τ.trace() - 2 * root_of_product).item()


def judge(x, y):
    """A classifier of real digits, whose hidden layer serves as features."""
    torch.manual_seed(0)
    model = MLP([64, 64, 10])
    optimizer = Adam(model.parameters(), lr=3e-3)
    order = ShuffledBatches(len(x), 64, seed=0)
    for epoch in range(15):
        order.set_epoch(epoch)
        train_epoch(model, nn.CrossEntropyLoss(), optimizer, ((x[i], y[i]) for i in order))
    return model.eval()


@torch.no_grad()
def verdict(classifier, G, held_out):
    """How far 1,000 made images are from real ones, how sure the classifier is, how evenly the classes come."""
    made = G(torch.randn(1000, LATENT, 1, 1, generator=torch.Generator().manual_seed(1)))
    hidden = classifier.layers[:2]
    shares = classifier(made).softmax(dim=1)
    classes = shares.argmax(dim=1).bincount(minlength=10) / len(made)
    return {
        "distance": frechet(hidden(made.flatten(1)), hidden(held_out.flatten(1))),
        "sure": (shares.amax(dim=1) > 0.9).float().mean().item(),
        "rarest": classes.min().item(),
    }


def run(quick=False):
    epochs, seeds = (2, SEEDS[:2]) if quick else (EPOCHS, SEEDS)
    data = digits()
    x, x_test = 2 * data.x_train - 1, 2 * data.x_test - 1  # as tanh's range
    classifier = judge(x, data.y_train)
    shown, distances, verdicts = None, {"0.5": [], "0.9": []}, []
    for seed in tqdm(seeds, desc="seeds", leave=False):
        for β1, found in distances.items():
            G, losses = train(seed, epochs, x, betas=(float(β1), 0.999))
            judged = verdict(classifier, G, x_test)
            found.append(judged["distance"])
            if float(β1) == BETAS[0]:
                verdicts.append(judged)
                shown = shown or (G, losses)
    G, losses = shown
    with torch.no_grad():
        images = G(torch.randn(24, LATENT, 1, 1, generator=torch.Generator().manual_seed(2)))
        noise_distance = verdict(classifier, lambda z: 2 * torch.rand(len(z), 1, 8, 8) - 1, x_test)["distance"]
        hidden = classifier.layers[:2]
        floor = frechet(hidden(x.flatten(1)), hidden(x_test.flatten(1)))
    return {
        "loss": {"generator": [g for g, _ in losses], "discriminator": [d for _, d in losses]},
        "images": images.squeeze(1).mul(100).round().int().tolist(),
        "distance": {β1: sum(found) / len(found) for β1, found in distances.items()},
        "beta": paired(distances["0.9"], distances["0.5"]),
        "noise_distance": noise_distance,
        "real_distance": floor,
        "sure": sum(v["sure"] for v in verdicts) / len(verdicts),
        "rarest": min(v["rarest"] for v in verdicts),
        "steps": len(losses),
        "epochs": epochs,
        "batch": BATCH,
        "lr": LR,
        "parameters": sum(p.numel() for net in (generator(), discriminator()) for p in net.parameters()),
        "seeds": len(seeds),
    }


def draw(results):
    return {"losses": draw_losses(results), "images": draw_images(results)}


def draw_losses(results):
    figure, ax = plt.subplots()
    lines = []
    for name, concept in (("generator", "start_a"), ("discriminator", "start_b")):
        drawn = ax.plot(results["loss"][name], color=colour(concept), lw=1)[0]
        lines.append((drawn, name))
    ax.set(xlabel="update", ylabel="loss", title="Neither loss says when it is good")
    label_ends(ax, lines)
    return figure


def draw_images(results):
    figure, axes = plt.subplots(3, 8, figsize=(5.2, 2.1))
    for ax, image in zip(axes.flat, results["images"], strict=True):
        ax.pcolormesh(image[::-1], cmap="gray_r", vmin=-100, vmax=100, rasterized=True)
        ax.set_axis_off()
        ax.set_aspect("equal")
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
