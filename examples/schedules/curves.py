"""What does the learning rate of every schedule do, update by update?

    python examples/schedules/curves.py

One figure per schedule with its settings, and one with all twenty. Nothing is trained: an optimizer without
gradients carries the scheduler through a run of 100 updates and beyond. Takes about ten seconds, nearly all of
it to draw.
"""

from _schedules import EPOCH, METRICS, SCHEDULES, UPDATES, trace
from matplotlib.figure import Figure

from trainloop.figures import colour, label_ends

COLOURS = {
    "yours": "data",
    "drops": "step_decay",
    "starts": "constant",
    "decays": "cosine",
    "cycles": "one_cycle",
    "reacts": "plateau",
    "composes": "update",
    "warms up": "warmup",
}
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.5)))
SHORT = {
    "cosine_annealing_warm_restarts": "warm restarts",
    "reduce_lr_on_plateau": "on plateau",
    "cosine_annealing_lr": "cosine",
    "warmup_polynomial_lr": "warm-up, power",
    "warmup_cosine_lr": "warm-up, cosine",
    "warmup_linear_lr": "warm-up, line",
    "multiplicative_lr": "multiplicative",
    "inverse_sqrt_lr": "inverse sqrt",
    "chained_scheduler": "chained",
    "wsd_lr": "WSD",
}


def rounded(values):
    return [float(f"{x:.4g}") for x in values]


def in_words(label, lrs):
    """What a curve does, for whoever cannot see it."""
    peak, low = max(lrs), min(lrs)
    parts = [f"begins at {lrs[0]:.3g}"]
    if peak > lrs[0]:
        parts.append(f"reaches {peak:.3g} at update {lrs.index(peak)}")
    if low < min(lrs[0], lrs[-1]) * 0.99:
        parts.append(f"is lowest, {low:.2g}, at update {lrs.index(low)}")
    parts.append(f"is at {lrs[-1]:.2g} after {len(lrs)} updates")
    return f"{' '.join(label.split())}: {', '.join(parts)}"


def run(quick=False):
    found = {}
    for stem, schedule in SCHEDULES.items():
        curves = []
        for setting in schedule.settings:
            lrs, momenta = trace(schedule, setting, schedule.updates)
            moves = max(momenta) > min(momenta)
            curves.append(
                {
                    "label": setting.label,
                    "wrong": setting.wrong,
                    "lr": rounded(lrs),
                    "momentum": rounded(momenta) if moves else None,
                    "words": in_words(setting.label, lrs),
                }
            )
        alt = f"Learning rate of {schedule.name} against the update. " + "; ".join(c["words"] for c in curves)
        momenta = curves[0]["momentum"]
        if momenta:
            alt += f". Below, momentum between {min(momenta):g} and {max(momenta):g}, lowest where the rate is highest"
        if schedule.cadence == "metric":
            alt += ". Above, the validation loss, which stalls from epoch 3 and for good from epoch 10"
        found[stem] = {
            "name": schedule.name,
            "kind": schedule.kind,
            "ends": schedule.needs.startswith("the run's length"),
            "short": SHORT.get(stem, stem.removesuffix("_lr").replace("_", " ")),
            "curves": curves,
            "alt": alt + ".",
        }
    return {"updates": UPDATES, "epoch": EPOCH, "count": len(found), "schedules": found}


def plot(ax, values, about, place, **more):
    """A curve as it is: constant during an update, and a jump to the next."""
    style = {"color": colour(COLOURS[about["kind"]]), "linestyle": DASHES[place]} | more
    (line,) = ax.plot(range(len(values)), values, drawstyle="steps-post", **style)
    return line


def draw_one(about, metric):
    curves = about["curves"]
    momentum = curves[0]["momentum"]
    panels = 2 if momentum or metric else 1
    figure = Figure(figsize=(5.2, 4.4 if panels == 2 else 2.9))
    axes = list(figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0])
    if metric:
        above, ax = axes
        ends = range(EPOCH, len(curves[0]["lr"]) + 1, EPOCH)
        above.plot(ends, METRICS[: len(ends)], "o-", color=colour("data"), ms=3.5)
        above.set(ylabel="validation loss")
    else:
        ax = axes[0]
    lines = []
    for place, curve in enumerate(curves):
        wrong = {"color": colour("wrong")} if curve["wrong"] else {}
        lines.append((plot(ax, curve["lr"], about, place, **wrong), curve["label"]))
        if momentum and not curve["wrong"]:
            plot(axes[1], curve["momentum"], about, place)
    ax.set(ylabel="learning rate", ylim=(-0.04, 1.06))
    axes[0].set_title(about["name"])
    if about["ends"] and len(curves[0]["lr"]) > UPDATES:
        ax.axvline(UPDATES, color=colour("data"), linewidth=0.8)
    if momentum:
        axes[1].set(ylabel="momentum")
    length = len(curves[0]["lr"])
    # None under the labels at the lines' ends.
    axes[-1].set(xlabel="update", xticks=range(0, round(0.9 * length), 25 if length < 2 * UPDATES else 50))
    rows = max(label.count("\n") for _, label in lines) + 1
    label_ends(ax, lines, gap=14.0 * rows)
    return figure


def corners(values, tolerance=0.005):
    """Updates between which a curve is nearly straight."""
    kept = [0]
    for end in range(2, len(values)):
        begin = kept[-1]
        slope = (values[end] - values[begin]) / (end - begin)
        line = (values[begin] + slope * (k - begin) for k in range(begin, end))
        if any(abs(a - b) > tolerance for a, b in zip(values[begin:end], line, strict=True)):
            kept.append(end - 1)
    return [*kept, len(values) - 1]


def draw_all(found):
    figure = Figure(figsize=(5.2, 8.6))
    axes = figure.subplots(7, 3, sharex=True, sharey=True).flatten()
    for ax, about in zip(axes, found.values(), strict=False):
        lrs = about["curves"][0]["lr"]
        places = corners(lrs)
        ax.plot(places, [lrs[k] for k in places], color=colour(COLOURS[about["kind"]]), linewidth=1.6)
        ax.set_title(about["short"], fontsize=10.5, fontweight="normal")
        ax.set(xlim=(0, 120), ylim=(-0.04, 1.08), xticks=[0, 50, 100], yticks=[0, 1])
    for ax in axes[len(found) :]:
        ax.set_axis_off()
    figure.supxlabel("update", fontsize=11)
    figure.supylabel("learning rate / its largest", fontsize=11)
    return figure


def draw(results):
    found = results["schedules"]
    figures = {stem: draw_one(about, about["kind"] == "reacts") for stem, about in found.items()}
    return figures | {"all": draw_all(found)}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
