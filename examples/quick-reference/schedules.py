"""What do the twelve usual schedules look like?

    python examples/quick-reference/schedules.py

A hundred steps of each, drawn as small multiples. Takes a second.
"""

import matplotlib.pyplot as plt

from trainloop.figures import colour
from trainloop.schedulers.cosine_annealing_lr import cosine_annealing_lr
from trainloop.schedulers.cosine_annealing_warm_restarts import cosine_annealing_warm_restarts
from trainloop.schedulers.cyclic_lr import cyclic_lr
from trainloop.schedulers.exponential_lr import exponential_lr
from trainloop.schedulers.inverse_sqrt_lr import inverse_sqrt_lr
from trainloop.schedulers.multi_step_lr import multi_step_lr
from trainloop.schedulers.one_cycle_lr import one_cycle_lr
from trainloop.schedulers.polynomial_lr import polynomial_lr
from trainloop.schedulers.reduce_lr_on_plateau import reduce_lr_on_plateau
from trainloop.schedulers.step_lr import step_lr
from trainloop.schedulers.warmup_cosine_lr import warmup_cosine_lr
from trainloop.schedulers.wsd_lr import wsd_lr

STEPS = 100
# A loss that falls, and stops falling twice.
LOSSES = [max(1 - t / 40, 0.5) if t < 70 else max(0.5 - (t - 70) / 50, 0.3) for t in range(STEPS)]

# Each for a top rate of 1.
SCHEDULES = {
    "StepLR": lambda t: step_lr(t, 1.0, step_size=30, gamma=0.3),
    "MultiStepLR": lambda t: multi_step_lr(t, 1.0, milestones=(50, 75), gamma=0.3),
    "ExponentialLR": lambda t: exponential_lr(t, 1.0, gamma=0.96),
    "ReduceLR\nOnPlateau": lambda t: reduce_lr_on_plateau(LOSSES, 1.0, factor=0.3, patience=10)[t],
    "Cosine\nAnnealingLR": lambda t: cosine_annealing_lr(t, 1.0, T_max=STEPS),
    "PolynomialLR": lambda t: polynomial_lr(t, 1.0, total_iters=STEPS, power=2.0),
    "Warmup\nCosineLR": lambda t: warmup_cosine_lr(t, 1.0, warmup_steps=10, total_steps=STEPS),
    "WSDLR": lambda t: wsd_lr(t, 1.0, warmup_steps=10, total_steps=STEPS, decay_steps=20),
    "InverseSqrtLR": lambda t: inverse_sqrt_lr(t, 1.0, warmup_steps=10),
    "OneCycleLR": lambda t: one_cycle_lr(t, 1.0, total_steps=STEPS),
    "CyclicLR": lambda t: cyclic_lr(t, 0.1, 1.0, step_size_up=15),
    "Cosine Annealing\nWarmRestarts": lambda t: cosine_annealing_warm_restarts(t, 1.0, T_0=25, T_mult=3),
}


def run(quick=False):
    return {"".join(name.split()): [at(t) for t in range(STEPS)] for name, at in SCHEDULES.items()}


def draw(results):
    figure, axes = plt.subplots(4, 3, figsize=(5.2, 4.6), sharex=True, sharey=True)
    for ax, name in zip(axes.flat, SCHEDULES, strict=True):
        rates = results["".join(name.split())]
        ax.plot(rates, color=colour("update"), linewidth=1.8)
        ax.set_title(name, fontsize=10.5)
        ax.set(xlim=(0, STEPS), ylim=(-0.05, 1.1), xticks=[], yticks=[])
        ax.grid(False)
    figure.supxlabel("steps, in batches or in epochs", fontsize=10.5)
    figure.supylabel("learning rate", fontsize=10.5)
    return figure


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
