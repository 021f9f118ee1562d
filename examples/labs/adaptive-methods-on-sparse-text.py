# ---
# title: Adaptive Methods on Sparse Text
# number: 3
# description: Six optimizers learn to sort docstrings by their words. Adaptive methods win, until the words are weighed.
# objectives:
#   - count how many rows of a weight table a batch touches, and train with sparse gradients
#   - measure how far an optimizer moves the weights of rare and of frequent words
#   - test the claim that adaptive methods win on sparse data, with a budget for tuning and an error bar
# prerequisites:
#   - "[Optimization Algorithms Beyond SGD](../series/part-3/optimization-algorithms-beyond-sgd.md)"
# ---

# %% [markdown]
# # Adaptive Methods on Sparse Text
#
# A few words are in almost every text. Most words are in hardly any. A weight that belongs to a rare word gets a gradient a few times in a whole training run, and 0 in all other steps: its gradient is *sparse*.
#
# This is the case <% cite("duchi2011adaptive", "Adagrad") %> was made for. It divides each step by the root of all squared gradients so far, so that a weight that has seldom been moved still moves far. The folklore makes this a rule: on sparse data, adaptive methods win. You will test it on real text, with a tuned rate for everybody, and then look for the reason.

# %% [markdown]
# ## Setup
#
# <% downloads("adaptive-methods-on-sparse-text") %>

# %%
import functools
import json
import time

import matplotlib.pyplot as plt
import torch
from torch import nn
from tqdm import tqdm

from trainloop import optim
from trainloop.data import docstring_words, stratified_split
from trainloop.figures import NAMES, colour, label_ends, line
from trainloop.lab import setting, show, spread, sweep
from trainloop.loop import train_epoch, train_step
from trainloop.sampler import ShuffledBatches

SETTING = setting()  # setting("full") for the long run
PASSES = SETTING.pick(quick=2, small=4, full=10)
BATCH = 32
TUNING = range(SETTING.pick(quick=1, small=3, full=3))
FRESH = range(3, SETTING.pick(quick=5, small=11, full=23))

# %% [markdown]
# The texts are the docstrings of eight packages of Python's standard library (`asyncio`, `email`, `http` and so on); the task is to say which package a text is from. At full size they are the messages of twenty newsgroups, without headers, signatures and quotes.


# %%
def newsgroups(folder):
    """Word counts of the 20 newsgroups, which scikit-learn downloads once."""
    from sklearn.datasets import fetch_20newsgroups
    from sklearn.feature_extraction.text import CountVectorizer

    remove = ("headers", "footers", "quotes")
    train, test = (
        fetch_20newsgroups(data_home=folder, subset=part, remove=remove)
        for part in ("train", "test")
    )
    reader = CountVectorizer(token_pattern="[a-z]{2,}", min_df=3)

    def counted(table):
        table = table.tocoo()
        places = torch.stack([torch.tensor(table.row), torch.tensor(table.col)])
        values = torch.tensor(table.data, dtype=torch.float32)
        return torch.sparse_coo_tensor(
            places, values, table.shape, check_invariants=True
        ).coalesce()

    counts = counted(reader.fit_transform(train.data))
    others = counted(reader.transform(test.data))
    split = (
        counts,
        torch.tensor(train.target),
        others,
        torch.tensor(test.target),
    )
    return split, list(reader.get_feature_names_out()), train.target_names


if SETTING.full:
    split, vocabulary, classes = newsgroups(SETTING.data)
else:
    words = docstring_words()
    split, vocabulary, classes = words.split, words.vocabulary, words.families
counts, y, test_counts, y_test = split
in_texts = torch.bincount(counts.indices()[1], minlength=len(vocabulary))
print(f"{len(counts):,} texts to learn from, {len(test_counts):,} to test on")
print(f"{len(vocabulary):,} words, {counts._nnz() / len(counts):.0f} in a text")

# %% [markdown]
# ## Most words are rare

# %%
order = in_texts.argsort(descending=True, stable=True)
ranks = sorted({round(10 ** (k / 8)) for k in range(40)})
ranks = [r for r in ranks if r < len(order)] + [len(order)]
results = {
    "texts": len(counts),
    "test_texts": len(y_test),
    "words": len(vocabulary),
    "words_per_text": counts._nnz() / len(counts),
    "classes": len(classes),
    "passes": PASSES,
    "batch": BATCH,
    "median_texts": in_texts.median().item(),
    "most_frequent": [vocabulary[i] for i in order[:5]],
    "frequency": [[r, in_texts[order[r - 1]].item()] for r in ranks],
}


# %% tags=["figure"]
def draw_frequency(results):
    figure, ax = plt.subplots()
    ax.plot(*zip(*results["frequency"], strict=True), color=colour("data"))
    ax.axhline(results["median_texts"], **line("truth"), linewidth=1)
    ax.annotate(
        f"half of the words: {results['median_texts']} texts or fewer",
        (1, results["median_texts"]),
        xytext=(4, 5),
        textcoords="offset points",
    )
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="rank of the word",
        ylabel="texts it is in",
        title="A few words everywhere, most words nowhere",
    )
    return figure


show(
    draw_frequency,
    results,
    alt=lambda r: (
        "Number of texts a word is in against its rank, both on logarithmic scales, falling throughout. The "
        f"most frequent word is in {r['frequency'][0][1]:,} of {r['texts']:,} texts, half of the "
        f"{r['words']:,} words in {r['median_texts']} or fewer."
    ),
    caption=lambda r: (
        f"The most frequent words: {', '.join(r['most_frequent'])}."
    ),
)

# %% [markdown]
# ## Predict
#
# ```quiz
# - question: Every optimizer trains at the learning rate that suits it best. Will SGD's test accuracy be as good as Adagrad's?
#   options:
#     - text: No. SGD is clearly behind after one pass over the texts, and still behind after four
#       right: <% "true" if value("adaptive-methods-on-sparse-text.leads.adagrad.one.behind") and value("adaptive-methods-on-sparse-text.leads.adagrad.all.behind") else "false" %>
#       why: The words are as unequal as words are, and nothing in SGD makes up for it. "What was seen" has the distances.
#     - text: It is behind after one pass, and level after four
#       right: <% "true" if value("adaptive-methods-on-sparse-text.leads.adagrad.one.behind") and not value("adaptive-methods-on-sparse-text.leads.adagrad.all.behind") else "false" %>
#       why: The problem is convex, so given enough steps both would get anywhere. The question is whether four passes are enough.
#     - text: Yes, at its own best rate SGD is as good
#       right: <% "true" if not value("adaptive-methods-on-sparse-text.leads.adagrad.one.behind") else "false" %>
#       why: Many gaps between optimizers are gone once each has its own rate. This one has another cause than the rate.
# - question: Now every count is multiplied by a fixed number, large for rare words and small for frequent ones. Which optimizer gains most in one pass?
#   options:
#     - text: SGD
#       right: <% "true" if value("adaptive-methods-on-sparse-text.gains_most") == "sgd" else "false" %>
#       why: What Adagrad does to the step, the weighting does to the input. SGD gets from the data what its rule does not bring.
#     - text: Adagrad
#       right: <% "true" if value("adaptive-methods-on-sparse-text.gains_most") == "adagrad" else "false" %>
#       why: Adagrad divides by the size of the gradients, and so takes most of such a factor out again.
#     - text: Adam
#       right: <% "true" if value("adaptive-methods-on-sparse-text.gains_most") == "adam" else "false" %>
#       why: Adam's steps do not depend on the gradient's scale. The factor acts on the prediction alone.
# ```

# %% [markdown]
# ## A table of rows
#
# The model is linear. Every word has a row with one weight per class; the scores of a text are the sum of its words' rows, each times the word's count. `EmbeddingBag` does the sum, and with `sparse=True` its gradient holds the rows that the batch used, and no others.
#
# Texts differ in length, so that each is scaled to a norm of 1. The `weight` of a word is 1 for now.


# %%
def unit_length(counts, weight):
    text, word = counts.indices()
    x = counts.values() * weight[word]
    norm = torch.zeros(len(counts)).index_add_(0, text, x**2).sqrt()
    return torch.sparse_coo_tensor(
        counts.indices(),
        x / norm[text].clamp_min(1e-9),
        counts.shape,
        is_coalesced=True,
        check_invariants=False,
    )


class WordRows(nn.Module):
    def __init__(self, words, classes, sparse):
        super().__init__()
        self.rows = nn.EmbeddingBag(words, classes, mode="sum", sparse=sparse)
        nn.init.zeros_(self.rows.weight)

    def forward(self, x):
        text, word = x.indices()
        starts = torch.searchsorted(text, torch.arange(len(x), device=x.device))
        return self.rows(word, starts, per_sample_weights=x.values())


# %% [markdown]
# A seed draws which three quarters of the learning texts are trained on, and the order of the batches. The last quarter is for validation. The test texts are the same for all, and choose nothing.

# %%
WEIGHTS = {"counts": torch.ones(len(vocabulary))}


@functools.lru_cache(maxsize=4 if SETTING.full else None)
def parts(weighting, seed):
    x = unit_length(counts, WEIGHTS[weighting])
    own = stratified_split(
        torch.arange(len(y)), y, test_fraction=0.25, seed=seed
    )
    train, validation = (
        (
            x.index_select(0, rows).coalesce().to(SETTING.device),
            y[rows].to(SETTING.device),
        )
        for rows in (own.x_train, own.x_test)
    )
    return train, validation


@functools.lru_cache(maxsize=PASSES * 3 if SETTING.full else None)
def batches(weighting, seed, epoch):
    (x, y), _ = parts(weighting, seed)
    sampler = ShuffledBatches(len(y), BATCH, seed=seed)
    sampler.set_epoch(epoch)
    chosen = [torch.tensor(rows, device=y.device) for rows in sampler]
    return [(x.index_select(0, rows).coalesce(), y[rows]) for rows in chosen]


# %% [markdown]
# How much of the table does a batch touch, and how many rows does an optimizer write in return?

# %%
RULES = {  # the rule, whether it takes sparse gradients, the middle of its grid
    "sgd": (optim.SGD, True, 30),
    "momentum": (functools.partial(optim.SGD, momentum=0.9), False, 3),
    "adagrad": (optim.Adagrad, True, 0.3),
    "rmsprop": (optim.RMSprop, False, 0.03),
    "adam": (optim.Adam, False, 0.03),
    "sparseadam": (optim.SparseAdam, True, 0.1),
}


def build(name, lr):
    rule, sparse, _ = RULES[name]
    model = WordRows(len(vocabulary), len(classes), sparse).to(SETTING.device)
    return model, rule(model.parameters(), lr=lr)


def follow(name, lr, passes, seed=0):
    """Train, and note for every word in how many steps it was seen and moved, and how far."""
    model, optimizer = build(name, lr)
    table = model.rows.weight
    seen, moved, path, absent = torch.zeros(
        4, len(vocabulary), device=SETTING.device
    )
    steps = 0
    for epoch in range(passes):
        for x, y in batches("counts", seed, epoch):
            before = table.detach().clone()
            train_step(model, nn.functional.cross_entropy, optimizer, x, y)
            distance = (table.detach() - before).norm(dim=1)
            here = torch.zeros_like(seen)
            here[x.indices()[1]] = 1
            seen += here
            moved += distance > 0
            path += distance
            absent += distance * (1 - here)
            steps += 1
    return {
        "steps": steps,
        "seen": seen,
        "moved": moved,
        "path": path,
        "absent": absent,
        "table": table.detach(),
    }


results["touched"] = {"steps": 0}
for name in ("sgd", "adagrad", "sparseadam", "adam"):
    found = follow(name, RULES[name][2], 1)
    results["touched"] |= {
        "steps": found["steps"],
        "rows": found["seen"].sum().item() / found["steps"],
    }
    results["touched"][name] = found["moved"].sum().item() / found["steps"]
    print(
        f"{name:10} a batch uses {results['touched']['rows']:.0f} rows, a step moves {results['touched'][name]:.0f}"
    )

# %% [markdown]
# <% num("adaptive-methods-on-sparse-text.touched.rows", ".0f") %> rows of <% num("adaptive-methods-on-sparse-text.words", ",") %> are in a batch, in the mean over a pass. SGD, Adagrad and SparseAdam write these and no others. Adam moves <% num("adaptive-methods-on-sparse-text.touched.adam", ",.0f") %>: a word that has been seen once keeps moving by its momentum. Besides the weights it rewrites two averages for *all* rows, even where nothing moves. SparseAdam writes <% calc(100 * value("adaptive-methods-on-sparse-text.touched.sparseadam") / value("adaptive-methods-on-sparse-text.words"), ".0f") %> % of that state.
#
# On a table of this size nobody would notice. On a large one, time the step:

# %%
ROWS = SETTING.pick(quick=20_000, small=200_000, full=1_000_000)


def milliseconds(rule, sparse):
    table = nn.EmbeddingBag(ROWS, 8, mode="sum", sparse=sparse)
    optimizer = rule(table.parameters(), lr=0.01)
    used = torch.arange(0, ROWS, ROWS // 250).unsqueeze(0)
    times = []
    for _ in range(12):
        optimizer.zero_grad()
        table(used).square().sum().backward()
        started = time.perf_counter()
        optimizer.step()
        times.append(1000 * (time.perf_counter() - started))
    return sorted(times)[len(times) // 2]


results["large"] = {
    "rows": ROWS,
    "adam": milliseconds(optim.Adam, False),
    "sparseadam": milliseconds(optim.SparseAdam, True),
}
print(
    f"{ROWS:,} rows: Adam {results['large']['adam']:.2f} ms, SparseAdam {results['large']['sparseadam']:.2f} ms"
)

# %% [markdown]
# ## Everybody's best rate
#
# Seven rates each, two to a decade, around a middle that a coarse search found. Three seeds choose by validation accuracy: once for a budget of one pass over the texts, once for four. Fresh seeds, <% num("adaptive-methods-on-sparse-text.runs.fresh", "d") %> of them, report test accuracy.
#
# At full size a run takes seconds and there are hundreds of them: each is written to a file when it is done, and a second start goes on with the first that is missing.

# %%
GRID = range(-1, 2) if SETTING.size == "quick" else range(-3, 4)
METHODS = 6 + 3  # six on the counts, three on the weighed ones
BAR = tqdm(
    total=METHODS * (len(GRID) * len(TUNING) + 2 * len(FRESH)),
    unit=" run",
    disable=not SETTING.full,
)


def remembered(run):
    @functools.cache
    def wrapper(*key):
        path = SETTING.out / "sparse-text" / ("_".join(map(str, key)) + ".json")
        if SETTING.full and path.exists():
            return json.loads(path.read_text())
        found = run(*key)
        if SETTING.full:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found))
        BAR.update()
        return found

    return wrapper


@remembered
def train(weighting, name, lr, seed, passes):
    """Validation accuracy after each pass; in the end, which test texts are right."""
    model, optimizer = build(name, lr)
    x, y = parts(weighting, seed)[1]
    validation = []
    for epoch in range(passes):
        train_epoch(
            model,
            nn.functional.cross_entropy,
            optimizer,
            batches(weighting, seed, epoch),
        )
        with torch.no_grad():
            validation.append((model(x).argmax(1) == y).float().mean().item())
    with torch.no_grad():
        scores = model(
            unit_length(test_counts, WEIGHTS[weighting]).to(SETTING.device)
        )
    return {
        "validation": validation,
        "right": (scores.argmax(1).cpu() == y_test).int().tolist(),
    }


BUDGETS = {"one": 1, "all": PASSES}


def compare(weighting, name, budgets=BUDGETS):
    middle, longest = RULES[name][2], max(budgets.values())
    lrs = [float(f"{middle * 10 ** (k / 2):.2g}") for k in GRID]
    found = {"name": NAMES[name]}
    for budget, passes in budgets.items():
        # A run of all passes has been a run of one pass on its way.
        def validated(lr, seed, last=passes - 1):
            return train(weighting, name, lr, seed, longest)["validation"][last]

        tried = sweep(validated, lrs, TUNING, higher_is_better=True)
        right = [
            train(weighting, name, tried.best, seed, passes)["right"]
            for seed in FRESH
        ]
        found[budget] = {
            "lr": tried.best,
            "at_edge": tried.at_edge,
            "grid": [[lr, tried.median(lr)] for lr in lrs],
            "test": spread([sum(run) / len(run) for run in right]),
        }
    return found


# %%
results["runs"] = {"per_method": len(GRID) * len(TUNING), "fresh": len(FRESH)}
results["counts"] = {}
for name in RULES:
    results["counts"][name] = found = compare("counts", name)
    print(f"{NAMES[name]:15}", end="")
    for budget, passes in BUDGETS.items():
        print(
            f" {found[budget]['test']['median']:.3f} after {passes} at lr {found[budget]['lr']:<6.2g}",
            end="",
        )
    print()


# %% tags=["figure"]
def draw_grids(results):
    figure, axes = plt.subplots(2, 3, figsize=(5.2, 4.2), sharey=True)
    for ax, (name, found) in zip(
        axes.flat, results["counts"].items(), strict=True
    ):
        for budget, face in (("one", "none"), ("all", colour(name))):
            lrs, medians = zip(*found[budget]["grid"], strict=True)
            ax.plot(
                lrs,
                medians,
                "o-",
                color=colour(name),
                markersize=4,
                markerfacecolor=face,
                linewidth=1.2,
            )
        ax.set_xscale("log")
        ax.set_xticks(
            [lrs[1], lrs[-2]],
            [f"{float(f'{lr:.1g}'):g}" for lr in (lrs[1], lrs[-2])],
        )
        ax.minorticks_off()
        ax.set_title(NAMES[name].replace("SGD + m", "M"), color=colour(name))
    figure.suptitle(
        "In one pass, SGD's best is the lowest",
        x=0.02,
        ha="left",
        fontsize=12,
        fontweight="bold",
    )
    figure.supxlabel("learning rate η", fontsize=11)
    figure.supylabel("validation accuracy", fontsize=11)
    return figure


show(
    draw_grids,
    results,
    alt=lambda r: (
        "Validation accuracy against the learning rate, a panel for each optimizer, two curves in each. The peaks "
        f"after one pass and after {r['passes']}: "
        + ", ".join(
            f"{f['name']} {max(a for _, a in f['one']['grid']):.2f} and {max(a for _, a in f['all']['grid']):.2f}"
            for f in r["counts"].values()
        )
        + "."
    ),
    caption=lambda r: (
        f"Open: after one pass. Filled: after {r['passes']}. Medians over the seeds that choose."
    ),
)

# %% [markdown]
# Is a difference more than luck? Two kinds of luck are in it: the seed, and the test texts that happen to have been drawn. For each test text, take the share of seeds under which one optimizer is right, minus the other's. The mean of this number over the texts is the lead, and its spread gives the standard error of the draw of texts; the leads of single seeds give the other. A lead of more than two standard errors is called separable here.


# %%
def lead(weighting, name, budget, over="sgd"):
    def right(method):
        lr = results[weighting][method][budget]["lr"]
        runs = [
            train(weighting, method, lr, seed, BUDGETS[budget])["right"]
            for seed in FRESH
        ]
        return torch.tensor(runs, dtype=torch.float64)

    difference = right(name) - right(over)  # seeds × texts: −1, 0 or 1
    by_text, by_seed = difference.mean(0), difference.mean(1)
    error = (
        (by_text.var() / len(by_text) + by_seed.var() / len(by_seed))
        .sqrt()
        .item()
    )
    mean = difference.mean().item()
    return {
        "mean": mean,
        "error": error,
        "seeds_ahead": int((by_seed > 0).sum()),
        "behind": mean > 2 * error,
        "separable": abs(mean) > 2 * error,
    }


results["leads"] = {
    name: {budget: lead("counts", name, budget) for budget in BUDGETS}
    for name in RULES
    if name != "sgd"
}
results["among"] = {
    budget: lead("counts", "adam", budget, over="adagrad") for budget in BUDGETS
}
for name, found in results["leads"].items():
    told = [
        f"{100 * one['mean']:+5.1f} ± {200 * one['error']:.1f}"
        for one in found.values()
    ]
    print(
        f"{NAMES[name]:15} over SGD, in points: {told[0]} in one pass, {told[1]} in {PASSES}"
    )

# %% [markdown]
# ## How far a word moves
#
# Now the reason. Each optimizer trains once more at its best rate, and every word's row is followed: in how many steps it was in the batch (its *updates*), and how long the path is that it has gone.

# %%
FIVE = ("sgd", "adagrad", "rmsprop", "adam", "sparseadam")
EDGES = [2**k for k in range(16)]
results["movement"] = {}
for name in FIVE:
    found = follow(name, results["counts"][name]["all"]["lr"], PASSES)
    seen, per_update = (
        found["seen"].cpu(),
        (found["path"] / found["seen"]).cpu(),
    )
    bins = [(seen >= low) & (seen < 2 * low) for low in EDGES]
    rare, often = (seen >= 1) & (seen <= 2 * PASSES), seen >= found["steps"] / 2
    results["movement"][name] = {
        "bins": [
            [seen[b].median().item(), per_update[b].median().item()]
            for b in bins
            if b.sum() >= 5
        ],
        "rare": per_update[rare].median().item(),
        "often": per_update[often].median().item(),
        "ratio": per_update[rare].median().item()
        / per_update[often].median().item(),
        "absent": (
            found["absent"][rare].sum() / found["path"][rare].sum()
        ).item(),
    }
    results["updates"] = {
        "steps": found["steps"],
        "rare": seen[rare].median().item(),
        "rare_words": int(rare.sum()),
        "often": seen[often].median().item(),
        "often_words": int(often.sum()),
    }
    print(
        f"{NAMES[name]:10} rare : often = {results['movement'][name]['ratio']:5.2f}",
        end="",
    )
    print(
        f"   {100 * results['movement'][name]['absent']:2.0f} % of a rare word's path in its absence"
    )


# %% tags=["figure"]
def draw_movement(results):
    figure, ax = plt.subplots()
    lines = []
    for name, found in results["movement"].items():
        (drawn,) = ax.plot(
            *zip(*found["bins"], strict=True),
            **line(name),
            marker="o",
            markersize=3,
        )
        lines.append((drawn, NAMES[name]))
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="updates of the word in the whole run",
        ylabel="distance per update",
        title="Rare words: long steps, except under SGD",
    )
    ax.set_yticks(
        [0.01, 0.03, 0.1, 0.3, 1], ["0.01", "0.03", "0.1", "0.3", "1"]
    )
    ax.minorticks_off()
    distances = [
        distance
        for found in results["movement"].values()
        for _, distance in found["bins"]
    ]
    ax.set_ylim(min(distances) / 1.4, max(distances) * 1.4)
    ax.set_xlim(right=ax.get_xlim()[1] * 4)
    label_ends(ax, lines)
    return figure


show(
    draw_movement,
    results,
    alt=lambda r: (
        "Distance that a word's row moves per update against its number of updates, on logarithmic scales. From "
        "the rarest to the most frequent words: "
        + ", ".join(
            f"{NAMES[n]} from {f['bins'][0][1]:.2g} to {f['bins'][-1][1]:.2g}"
            for n, f in r["movement"].items()
        )
        + "."
    ),
    caption="Each at its best rate for the long budget; medians of words with about as many updates.",
)

# %% [markdown]
# There are <% num("adaptive-methods-on-sparse-text.updates.rare_words", ",") %> rare words, in two of the texts at most, with <% num("adaptive-methods-on-sparse-text.updates.rare", ".0f") %> updates in <% num("adaptive-methods-on-sparse-text.updates.steps", "d") %> steps in the median; and <% num("adaptive-methods-on-sparse-text.updates.often_words", "d") %> frequent ones that are in at least every second batch. One update moves a rare word <% num("adaptive-methods-on-sparse-text.movement.sgd.ratio", ".1f") %> times as far as a frequent one under SGD, <% num("adaptive-methods-on-sparse-text.movement.adagrad.ratio", ".1f") %> times under Adagrad and <% num("adaptive-methods-on-sparse-text.movement.adam.ratio", ".1f") %> times under Adam.
#
# Adam does it in a way of its own: <% calc(100 * value("adaptive-methods-on-sparse-text.movement.adam.absent"), ".0f") %> % of a rare word's path lies in steps in which the word is *not there*, and its momentum runs out. Task 1 works out how far that carries.

# %% [markdown]
# ## Do it by hand
#
# If long steps for rare words are the reason, then the optimizer is not the only one who can bring them. Multiply every count by a weight that grows with rarity: $\ln(n / n_w)$, with $n$ texts of which $n_w$ contain the word. Text retrieval has done so since <% cite("sparckjones1972a", "1972") %>, and calls it *inverse document frequency*, idf. A word in every text gets 0.
#
# The row's gradient is multiplied by the same number, and so is what the row does to the score: a step of SGD changes the score by the weight's square.

# %%
WEIGHTS["idf"] = (len(counts) / in_texts).log()
results["idf"] = {
    name: compare("idf", name) for name in ("sgd", "adagrad", "adam")
}
results["idf_leads"] = {
    name: {budget: lead("idf", name, budget) for budget in BUDGETS}
    for name in ("adagrad", "adam")
}
gains = {
    name: found["one"]["test"]["median"]
    - results["counts"][name]["one"]["test"]["median"]
    for name, found in results["idf"].items()
}
results["gains"], results["gains_most"] = gains, max(gains, key=gains.get)
for name, found in results["idf"].items():
    print(
        f"{NAMES[name]:8} one pass: {found['one']['test']['median']:.3f}, gained {100 * gains[name]:+.1f} points"
    )
for name, found in results["idf_leads"].items():
    told = [
        f"{100 * one['mean']:+.1f} ± {200 * one['error']:.1f}"
        for one in found.values()
    ]
    print(
        f"{NAMES[name]:8} over SGD, in points: {told[0]} in one pass, {told[1]} in {PASSES}"
    )
results["rows"] = list(results["counts"].values())
results["idf_rows"] = list(results["idf"].values())

# %% [markdown]
# Why does it help SGD so much? Its rate is held down by the steepest direction of the loss, and for a linear model steepness comes from the mean of $x x^\top$ over the texts. All texts have length 1, so that its eigenvalues add up to 1. Power iteration finds the largest:


# %%
def largest_eigenvalue(x, iterations=50):
    v = torch.ones(x.shape[1], 1) / x.shape[1] ** 0.5
    for _ in range(iterations):
        v = torch.sparse.mm(x.t(), torch.sparse.mm(x, v)) / len(x)
        size = v.norm()
        v = v / size
    return size.item()


results["eigenvalue"] = {
    w: largest_eigenvalue(unit_length(counts, WEIGHTS[w])) for w in WEIGHTS
}
print(
    "largest of",
    len(vocabulary),
    "eigenvalues:",
    {w: round(e, 4) for w, e in results["eigenvalue"].items()},
)


# %% tags=["figure"]
def draw_accuracy(results):
    plain, weighed = results["counts"], results["idf"]
    figure, axes = plt.subplots(
        2,
        1,
        figsize=(5.2, 4.6),
        sharex=True,
        height_ratios=[len(plain), len(weighed) + 0.7],
    )
    for ax, rows in zip(axes, (plain, weighed), strict=True):
        for at, (name, found) in enumerate(list(rows.items())[::-1]):
            for budget, face in (("one", "none"), ("all", colour(name))):
                test, shift = (
                    found[budget]["test"],
                    0.14 if budget == "one" else -0.14,
                )
                ends = [test["low"], test["high"]]
                ax.plot(
                    ends,
                    [at + shift] * 2,
                    color=colour(name),
                    linewidth=2,
                    alpha=0.5,
                )
                ax.plot(
                    test["median"],
                    at + shift,
                    "o",
                    color=colour(name),
                    markerfacecolor=face,
                )
        ax.set_yticks(range(len(rows)), [NAMES[name] for name in rows][::-1])
        ax.set_ylim(-0.6, len(rows) - 0.4)
    axes[0].set_title("Counts: SGD trails")
    axes[1].set_title("Counts weighed by idf: it does not")
    axes[1].set_xlabel("test accuracy")
    return figure


show(
    draw_accuracy,
    results,
    alt=lambda r: (
        "Test accuracy of each optimizer at its best rate. With plain counts, after one pass: "
        + ", ".join(
            f"{f['name']} {f['one']['test']['median']:.2f}"
            for f in r["counts"].values()
        )
        + ". With counts weighed by idf: "
        + ", ".join(
            f"{f['name']} {f['one']['test']['median']:.2f}"
            for f in r["idf"].values()
        )
        + "."
    ),
    caption=lambda r: (
        f"Open: after one pass. Filled: after {r['passes']}. Median and 10–90 % over {r['runs']['fresh']} fresh seeds."
    ),
)

# %% [markdown]
# ## What was seen
#
# With plain counts, everybody at the best of <% calc(value("adaptive-methods-on-sparse-text.counts.sgd.one.grid")|length, "d") %> rates:
#
# <% table("adaptive-methods-on-sparse-text.rows", {"name": "optimizer", "one.lr": ("η, one pass", ".2g"), "one.test.median": ("accuracy", ".3f"), "all.lr": ("η, four passes", ".2g"), "all.test.median": ("accuracy", ".3f")}, caption="Test accuracy, median over the fresh seeds") %>
#
# The folklore holds here. In one pass Adagrad leads SGD by <% calc(100 * value("adaptive-methods-on-sparse-text.leads.adagrad.one.mean"), ".0f") %> ± <% calc(200 * value("adaptive-methods-on-sparse-text.leads.adagrad.one.error"), ".0f") %> percentage points of test accuracy (± two standard errors), after four by <% calc(100 * value("adaptive-methods-on-sparse-text.leads.adagrad.all.mean"), ".1f") %> ± <% calc(200 * value("adaptive-methods-on-sparse-text.leads.adagrad.all.error"), ".1f") %>. Momentum alone brings SGD <% calc(100 * value("adaptive-methods-on-sparse-text.leads.momentum.one.mean"), ".0f") %> points in one pass, so much of that gap was no matter of rare words. Between Adam and Adagrad the difference is <% calc(100 * value("adaptive-methods-on-sparse-text.among.one.mean"), "+.1f") %> ± <% calc(200 * value("adaptive-methods-on-sparse-text.among.one.error"), ".1f") %> points in one pass and <% calc(100 * value("adaptive-methods-on-sparse-text.among.all.mean"), "+.1f") %> ± <% calc(200 * value("adaptive-methods-on-sparse-text.among.all.error"), ".1f") %> in four<%% if value("adaptive-methods-on-sparse-text.among.one.separable") or value("adaptive-methods-on-sparse-text.among.all.separable") %%>.<%% else %%>: not separable.<%% endif %%> Adagrad's steps shrink by themselves and Adam's do not, so the shrinking is not what wins.
#
# But the reason lies in the input. Weighed by idf, the largest eigenvalue falls from <% num("adaptive-methods-on-sparse-text.eigenvalue.counts", ".2f") %> to <% num("adaptive-methods-on-sparse-text.eigenvalue.idf", ".3f") %>, and SGD gains <% calc(100 * value("adaptive-methods-on-sparse-text.gains.sgd"), ".0f") %> points in one pass, Adagrad <% calc(100 * value("adaptive-methods-on-sparse-text.gains.adagrad"), ".1f") %>. Adagrad's lead is then <% calc(100 * value("adaptive-methods-on-sparse-text.idf_leads.adagrad.one.mean"), "+.1f") %> ± <% calc(200 * value("adaptive-methods-on-sparse-text.idf_leads.adagrad.one.error"), ".1f") %> points<%% if value("adaptive-methods-on-sparse-text.idf_leads.adagrad.one.separable") %%>,<%% else %%>: not separable,<%% endif %%> and after four passes <% calc(100 * value("adaptive-methods-on-sparse-text.idf_leads.adagrad.all.mean"), "+.1f") %> ± <% calc(200 * value("adaptive-methods-on-sparse-text.idf_leads.adagrad.all.error"), ".1f") %><%% if value("adaptive-methods-on-sparse-text.idf_leads.adagrad.all.separable") %%>: small, but still there.<%% else %%>: not separable either.<%% endif %%>

# %% [markdown]
# ## At full size
#
# Twenty newsgroups instead of eight packages, some 11,000 texts, ten passes, twenty fresh seeds: hundreds of runs of a few seconds each.
#
# <% recorded() %>

# %% [markdown]
# ## Tasks
#
# ### Task 1: one gradient, then silence
#
# A word appears at step 5,001, for the first time and the last. Its weight gets one gradient $g$, and zeros afterwards. How far does the weight travel in all, under SGD, Adagrad, RMSprop, Adam and SparseAdam? Work it out on paper, in units of the learning rate, then run it.

# %% [markdown] tags=["solution"]
# SGD goes $\eta\,|g|$, Adagrad $\eta$. RMSprop's $v$ holds one hundredth of $g^2$: $\eta / \sqrt{0.01} = 10\,\eta$. SparseAdam's $m$ is a tenth of $g$, its $v$ a thousandth of $g^2$: $0.1 / \sqrt{0.001} = 3.2\,\eta$, and the row then stays.
#
# Adam begins with the same $3.2\,\eta$. In every step of silence $m$ shrinks to 0.9 and $\sqrt v$ to $\sqrt{0.999}$ of itself, so that the steps make a geometric series:
#
# $$
# \frac{0.1}{\sqrt{0.001}} \sum_{k=0}^{\infty} \Bigl(\frac{0.9}{\sqrt{0.999}}\Bigr)^{k} = \frac{3.16}{1 - 0.9005} = 31.8
# $$

# %% tags=["solution"]
results["silence"] = {}
SILENT = SETTING.pick(quick=100, small=5000, full=5000)
for name in FIVE:
    rule, sparse, _ = RULES[name]
    table = nn.EmbeddingBag(2, 1, mode="sum", sparse=sparse)
    optimizer = rule(table.parameters(), lr=1.0)
    for step in range(SILENT + 100):
        used = torch.tensor([[0, 1]] if step == SILENT else [[0]])
        if step == SILENT:
            start = table.weight[1].item()
        optimizer.zero_grad()
        (0.01 * table(used)).sum().backward()  # g = 0.01
        optimizer.step()
    results["silence"][name] = abs(table.weight[1].item() - start)
    print(f"{NAMES[name]:10} {results['silence'][name]:7.3f} η")

# %% [markdown] tags=["solution"]
# The run says <% num("adaptive-methods-on-sparse-text.silence.adam", ".1f") %> for Adam, a little less than the paper: $1 - 0.999^{5000}$ is not quite 1. The usual slip is to stop at 3.2. Nine tenths of the way come when the word is gone, which is what the path of the rare words showed.

# %% [markdown]
# ### Task 2: leave the frequent words out
#
# Idf does two things: it lifts rare words, and it silences frequent ones. Which of the two does SGD need? Give the words in more than a tenth of the texts a weight of 0 and all others 1, and compare SGD and Adagrad after one pass, each at its own best rate.

# %% tags=["solution"]
WEIGHTS["rare"] = (in_texts <= len(counts) / 10).float()
results["rare"] = {
    name: compare("rare", name, {"one": 1}) for name in ("sgd", "adagrad")
}
results["rare_lead"] = lead("rare", "adagrad", "one")
results["left_out"] = int((WEIGHTS["rare"] == 0).sum())
print(f"{results['left_out']} words left out")
for name, found in results["rare"].items():
    print(
        f"{NAMES[name]:8} {found['one']['test']['median']:.3f} at lr {found['one']['lr']:.2g}"
    )
print(
    f"lead {100 * results['rare_lead']['mean']:+.1f} ± {200 * results['rare_lead']['error']:.1f} points"
)

# %% [markdown] tags=["solution"]
# Without the <% num("adaptive-methods-on-sparse-text.left_out", "d") %> most frequent words SGD reaches <% num("adaptive-methods-on-sparse-text.rare.sgd.one.test.median", ".3f") %> in one pass, where it had <% num("adaptive-methods-on-sparse-text.counts.sgd.one.test.median", ".3f") %>. Adagrad's lead shrinks to <% calc(100 * value("adaptive-methods-on-sparse-text.rare_lead.mean"), ".1f") %> ± <% calc(200 * value("adaptive-methods-on-sparse-text.rare_lead.error"), ".1f") %> points<%% if value("adaptive-methods-on-sparse-text.rare_lead.separable") %%>, which is small but separable<%% else %%>, which is not separable<%% endif %%>. So most of the trouble was never the rare words: a few dozen frequent ones made the loss steep, and all others had to move at the rate that these allow.

# %% [markdown]
# ## Summary
#
# - A batch of texts touches a small part of a word table. Sparse gradients, with an optimizer that takes them, write that part alone.
# - SGD moves frequent words further per update, Adagrad, RMSprop and Adam rare ones. Adam does most of it after the word is gone.
# - On plain counts adaptive methods win. Weighing the words by hand does most of the same work, for any optimizer.
# - A difference between two optimizers has two sources of luck, seeds and test samples. An error bar needs both.
#
# <% run_card() %>
#
# **Up next:** [L-BFGS with a Closure](l-bfgs-with-a-closure.ipynb).
