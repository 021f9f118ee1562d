"""What happens, number by number, in one turn of the training loop, and what in the turns after it?

    python examples/introduction-what-is-a-training-loop/one_turn.py

A rod hinged at the origin, three nails, three springs: one weight, fitted by hand in plain Python. Draws
the rod at three slopes, and twelve frames of the loop at work. Takes a second.
"""

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

from trainloop.figures import colour

VERBS = ("data", "predict", "measure", "differentiate", "update")
NAILS = ((1.0, 2.0), (2.0, 6.0), (4.0, 7.0))
LEARNING_RATE = 0.05
TURNS = 10
SPACE = "\u00a0\u00a0\u00a0"  # an SVG keeps no run of plain spaces

QUESTIONS = {
    "data": "which nails are there?",
    "predict": "where is the rod at each nail?",
    "measure": "how far do the springs stretch?",
    "differentiate": "what is the turning force?",
    "update": "let the rod give way a little",
}


# --8<-- [start:turn]
def one_turn(w, lr=LEARNING_RATE):
    """Every number of one turn, verb by verb."""
    predictions = [w * x for x, _ in NAILS]
    errors = [p - y for p, (_, y) in zip(predictions, NAILS, strict=True)]
    pulls = [2 * e * x for e, (x, _) in zip(errors, NAILS, strict=True)]
    loss = sum(e**2 for e in errors) / len(NAILS)
    gradient = sum(pulls) / len(NAILS)
    return {
        "w": w,
        "predictions": predictions,
        "errors": errors,
        "pulls": pulls,
        "loss": loss,
        "gradient": gradient,
        "new_w": w - lr * gradient,
    }


# --8<-- [end:turn]


def run(quick=False):
    turns, w = [], 0.0
    for _ in range(TURNS):
        turns.append(one_turn(w))
        w = turns[-1]["new_w"]
    rest = sum(x * y for x, y in NAILS) / sum(x * x for x, _ in NAILS)
    return {
        "turns": turns,
        "at_rest": one_turn(rest),
        "share_of_far_nail": turns[0]["pulls"][-1] / sum(turns[0]["pulls"]),
    }


def text_of(value, digits=2):
    """A number as a reader would write it: no trailing zeros, a true minus sign."""
    text = f"{value + 0.0:.{digits}f}".rstrip("0").rstrip(".")
    text = "0" if text == "-0" else text
    return text.replace("-", "−")


def listed(values, form="{}"):
    return ", ".join(form.format(text_of(value)) for value in values)


def in_brackets(value, digits=2):
    text = text_of(value, digits)
    return f"({text})" if text.startswith("−") else text


def zigzag(bottom, top, x, width=0.1, coils=6):
    """A spring from one height to another, as points; straight at both ends."""
    xs, ys = [x], [bottom]
    for i in range(2 * coils + 1):
        xs.append(x + (width if i % 2 else -width) * (0 < i < 2 * coils))
        ys.append(bottom + (top - bottom) * (0.12 + 0.76 * i / (2 * coils)))
    return [*xs, x], [*ys, top]


def draw_board(ax):
    """The hinge and the nails."""
    ax.plot(*zip(*NAILS, strict=True), "s", ms=6, color=colour("data"), zorder=4)
    ax.plot(0, 0, "o", ms=9, mfc="none", mew=2, color=colour("truth"), clip_on=False, zorder=5)
    ax.set(xlim=(-0.25, 4.9), ylim=(-0.9, 9.6), xticks=range(5), yticks=range(0, 10, 2))


def draw_rod(ax, w, **options):
    ax.plot([0, 4.6], [0, 4.6 * w], solid_capstyle="round", **options)


def draw_springs(ax, w, **options):
    for x, y in NAILS:
        if abs(y - w * x) > 1e-6:
            ax.plot(*zigzag(w * x, y, x), color=colour("measure"), lw=1.2, **options)


def draw_arrow(ax, start, tip):
    arrow = {"arrowstyle": "-|>", "color": colour("differentiate"), "lw": 2.2, "mutation_scale": 12}
    ax.annotate("", tip, start, arrowprops=arrow, annotation_clip=False)


def draw_springs_at_three_slopes(results):
    """The rod at the start, after one turn, and at rest."""
    first, second, rest = results["turns"][0], results["turns"][1], results["at_rest"]
    figure, axes = plt.subplots(1, 3, figsize=(5.2, 3.5), sharex=True, sharey=True)
    for ax, turn in zip(axes, (first, second, rest), strict=True):
        draw_board(ax)
        draw_springs(ax, turn["w"])
        draw_rod(ax, turn["w"], color=colour("predict"), lw=3)
        force = -turn["gradient"]
        if abs(force) > 1e-9:
            end = 4.6 * turn["w"]
            draw_arrow(ax, (4.62, end + 0.1), (4.62, end + 0.35 + 0.085 * force))
        ax.set_title(f"slope w = {text_of(turn['w'])}", fontsize=10.6, loc="center")
        ax.set_xlabel(f"turning force {text_of(force)}", color=colour("differentiate"), fontsize=10.4)
        ax.grid(False)
    axes[0].set_ylabel("height y")
    figure.suptitle("The turning force fades as the rod nears rest", fontsize=12, weight="bold", x=0.01, ha="left")
    return figure


def ledger(turn):
    """What each verb writes down: the formula, and the formula with this turn's numbers."""
    digits = 5 if abs(turn["gradient"]) < 0.01 else 3
    xs, ys = zip(*NAILS, strict=True)
    return {
        "data": ("the nails", f"x = {listed(xs)} {SPACE} y = {listed(ys)}"),
        "predict": ("ŷ = w · x", listed(turn["predictions"])),
        "measure": ("mean of (ŷ − y)²", f"mean of {squares(turn['errors'])} = {text_of(turn['loss'], 3)}"),
        "differentiate": (
            "mean of 2 · (ŷ − y) · x",
            f"mean of {listed(turn['pulls'])} = {text_of(turn['gradient'], digits)}",
        ),
        "update": (
            "w − learning rate · gradient",
            f"{text_of(turn['w'], digits)} − {LEARNING_RATE} · {in_brackets(turn['gradient'], digits)}"
            f" = {text_of(turn['new_w'], digits)}",
        ),
    }


def squares(errors):
    return ", ".join(f"{in_brackets(e)}²" for e in errors)


def draw_ledger(ax, turn, active):
    """The five verbs; those done so far with their numbers, the present one on its colour."""
    ax.axis("off")
    ax.set(xlim=(0, 1), ylim=(5, 0))
    done = VERBS.index(active)
    for row, (verb, (formula, numbers)) in enumerate(ledger(turn).items()):
        faded = 1.0 if row <= done else 0.4
        if verb == active:
            box = FancyBboxPatch(
                (0.005, row + 0.05), 0.99, 0.9, boxstyle="round,pad=0,rounding_size=0.03", mutation_aspect=6
            )
            box.set(facecolor=colour(verb), alpha=0.16, edgecolor="none")
            ax.add_patch(box)
        style = {"va": "center", "alpha": faded}
        ax.text(0.02, row + 0.29, verb, color=colour(verb), weight="bold", fontsize=11, **style)
        ax.text(0.345, row + 0.29, formula, fontsize=10.4, **style)
        if row <= done:
            ax.text(0.345, row + 0.72, numbers, fontsize=10.4, weight="bold" if verb == active else "normal", **style)


def draw_verb(ax, turn, verb):
    """What the verb looks like on the board."""
    w = turn["w"]
    at_nails = list(zip(NAILS, turn["predictions"], turn["errors"], turn["pulls"], strict=True))
    note = {"fontsize": 10.4, "va": "center", "bbox": {"boxstyle": "square,pad=0.1", "fc": "none", "ec": "none"}}
    rod = {"color": colour("predict"), "lw": 3.2}
    if verb == "data":
        draw_rod(ax, w, **rod, alpha=0.25)
        for x, y in NAILS:
            ax.text(x + 0.14, y + 0.1, f"({text_of(x)}, {text_of(y)})", color=colour("data"), **note)
    elif verb == "predict":
        draw_rod(ax, w, **rod)
        for (x, _), p, _, _ in at_nails:
            ax.plot(x, p, "o", ms=7, color=colour("predict"), zorder=6)
            ax.text(x + 0.1, p - 0.55, text_of(p), color=colour("predict"), weight="bold", **note)
    elif verb == "measure":
        draw_springs(ax, w)
        draw_rod(ax, w, **rod)
        for (x, y), p, e, _ in at_nails:
            ax.text(x + 0.18, (p + y) / 2, text_of(e), color=colour("measure"), weight="bold", **note)
    elif verb == "differentiate":
        draw_springs(ax, w, alpha=0.35)
        draw_rod(ax, w, **rod)
        for (x, y), p, e, pull in at_nails:
            if abs(e) > 1e-6:
                draw_arrow(ax, (x, p), (x, p - 0.42 * e))
            ax.text(x + 0.14, (p + y) / 2, text_of(pull), color=colour("differentiate"), weight="bold", **note)
    else:
        draw_springs(ax, turn["new_w"], alpha=0.55)
        draw_rod(ax, w, **rod, alpha=0.25)
        draw_rod(ax, turn["new_w"], color=colour("update"), lw=3.2)


def draw_frame(turn, number, verb):
    figure = plt.figure(figsize=(5.2, 6.6), layout="none")
    board = figure.add_axes((0.085, 0.475, 0.895, 0.465))
    draw_board(board)
    draw_verb(board, turn, verb)
    shown = turn["new_w"] if verb == "update" else turn["w"]
    text = f"w = {text_of(shown, 5 if number > 3 else 3)}"
    ink = colour("update" if verb == "update" else "predict")
    board.text(0.15, 8.9, text, fontsize=12, weight="bold", va="center", color=ink)
    figure.text(0.02, 0.967, f"Turn {number}, {verb}: {QUESTIONS[verb]}", fontsize=12, weight="bold", va="center")
    board.set_xlabel("x", labelpad=1)
    board.set_ylabel("y", labelpad=2)
    draw_ledger(figure.add_axes((0.0, 0.0, 1.0, 0.41)), turn, verb)
    return figure


def draw_frames(results):
    """Two turns verb by verb, then the ends of the third and the tenth."""
    frames = [(number, verb) for number in (1, 2) for verb in VERBS] + [(3, "update"), (10, "update")]
    turns = results["turns"]
    return {f"turn-{n}-{verb}": draw_frame(turns[n - 1], n, verb) for n, verb in frames}


def draw(results):
    return {"springs": draw_springs_at_three_slopes(results), **draw_frames(results)}


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
