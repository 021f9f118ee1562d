"""Can a checker find a bug whose place nobody has told it?

    python examples/numerical-vs-analytical-gradients/mystery.py

A seed plants one of five bugs in one place of a hand-written gradient; the checker names the parameter and
the element. 200 seeds, and 200 gradients without a bug. Takes a second.
"""

import torch
from planted import gradients, loss, numerical_gradient, problem
from tqdm import tqdm

SEEDS = range(200)
SHOWN = 6


# --8<-- [start:plant]
BUGS = {
    "sign turned": lambda g: -g,
    "halved": lambda g: g / 2,
    "set to zero": torch.zeros_like,
    "one per cent too large": lambda g: 1.01 * g,
    "absolute value": lambda g: g.abs(),
}


def plant(right, seed):
    """A copy with one element spoiled: parameter, element and bug."""
    generator = torch.Generator().manual_seed(seed)

    def pick(n):
        return torch.randint(n, (), generator=generator).item()

    spoiled = {name: g.clone() for name, g in right.items()}
    sizes = {name: g.numel() for name, g in right.items()}
    places = [(name, i) for name in sizes for i in range(sizes[name])]
    name, i = places[pick(len(places))]
    bug = list(BUGS)[pick(len(BUGS))]
    flat = spoiled[name].view(-1)
    flat[i] = BUGS[bug](flat[i])
    return spoiled, name, i, bug
# --8<-- [end:plant]


def find(f, claimed, θ, rtol=1e-6, atol=1e-9):
    """Every element that is wrong: parameter, flat index, claimed and measured value."""
    found = []
    for name, parameter in θ.items():
        measured = numerical_gradient(f, parameter)
        gap = (claimed[name] - measured).abs()
        allowed = atol + rtol * torch.maximum(claimed[name].abs(), measured.abs())
        for i in (gap > allowed).view(-1).nonzero().view(-1).tolist():
            found.append((name, i, claimed[name].view(-1)[i].item(), measured.view(-1)[i].item()))
    return found


def place(name, i):
    return f"W[{i // 3}, {i % 3}]" if name == "W" else f"b[{i}]"


def run(quick=False):
    seeds = SEEDS[:20] if quick else SEEDS
    rows, located, harmless, false_alarms, small, small_passed = [], 0, 0, 0, 0, 0
    for seed in tqdm(seeds, desc="seeds", leave=False):
        x, y, θ = problem(seed)
        right = gradients(x, y, θ)

        def here(x=x, y=y, θ=θ):
            return loss(x, y, θ)

        false_alarms += bool(find(here, right, θ))
        spoiled, name, i, bug = plant(right, seed)
        found = find(here, spoiled, θ)
        # The absolute value of a positive number is no bug.
        innocent = torch.equal(spoiled[name], right[name])
        harmless += innocent
        located += not innocent and [(name, i)] == [(row[0], row[1]) for row in found]
        if bug == "one per cent too large":
            small += 1
            small_passed += not find(here, spoiled, θ, rtol=1e-2)
        if found and len(rows) < SHOWN:
            rows.append({
                "seed": seed,
                "found": ", ".join(place(row[0], row[1]) for row in found),
                "claimed": found[0][2],
                "measured": found[0][3],
                "planted": place(name, i),
                "bug": bug,
            })
    return {
        "rows": rows,
        "seeds": len(seeds),
        "bugs": len(seeds) - harmless,
        "harmless": harmless,
        "located": located,
        "false_alarms": false_alarms,
        "one_per_cent": {"planted": small, "passed_at_1e-2": small_passed},
    }


if __name__ == "__main__":
    from courseware.example import main

    main(run)
