"""A small site whose one page has each tool that a reader works with: a stepper, terms, questions, a table to sort."""

from __future__ import annotations

from pathlib import Path

from mini_checkout import Checkout, make_checkout

WALK = '''"""Where does the walk stand after each step?"""

import matplotlib.pyplot as plt

from trainloop.figures import line

STEPS = 5


def run(quick=False):
    w, walk = 8.0, []
    for _ in range(STEPS):
        walk.append(w)
        w -= 0.25 * 2 * w
    rows = [("SGD", 10.0, 0.1), ("Adam", 9.0, 0.001), ("Muon", None, 0.5), ("L-BFGS", 6e-5, 0.001)]
    rows = [dict(zip(("name", "loss", "lr"), row, strict=True)) for row in rows]
    return {"walk": walk, "small": -6.1e-5, "rows": rows}


def draw(results):
    figures = {}
    for step in range(STEPS):
        figure, ax = plt.subplots()
        ax.plot(range(step + 1), results["walk"][: step + 1], marker="o", **line("sgd"))
        ax.set(title=f"Step {step}", xlabel="step", ylabel="w", xlim=(-0.2, STEPS), ylim=(0, 9))
        figures[f"step-{step}"] = figure
    figures["wide"] = plt.figure(figsize=(6, 3.5))
    return figures


if __name__ == "__main__":
    from courseware.example import main

    main(run, draw)
'''

FRAMES = ", ".join(
    f'("step-{step}", "After {step} steps, w has been halved as often: it is " ~ num("walk.walk.{step}") ~ ".")'
    for step in range(5)
)

STEPPER = f'<% stepper("walk", frames=[{FRAMES}], still="step-4", caption="Each step halves w.") %>'

COLUMNS = '{"name": "optimizer", "loss": ("loss", ".2g"), "lr": ("rate", "g")}'
TABLE = f'<% table("walk.rows", {COLUMNS}, caption="Four runs", sortable=True) %>'

PAGE = f"""---
title: Tools
---

# Tools

Each [step](glossary.md#step) subtracts the gradient times the [learning rate](glossary.md#learning-rate).
The page says [step](glossary.md#step) twice.

{STEPPER}

{TABLE}

```quiz
- question: At $w = 8$ the gradient of $w^2$ is 16. Where does a step at learning rate 0.25 lead?
  answer: 4
  tolerance: 0.01
  why: 8 − 0.25 · 16 = 4, see [step](glossary.md#step).
  mistakes:
    - value: 12
      why: That *adds* the step.
    - value: 6
      why: The gradient of $w^2$ is $2w$, not $w$.
- question: And which number is `small`?
  answer: <% num("walk.small", ".1e") %>
  tolerance: 1e-7
  why: It is what the run says.
  mistakes:
    - value: 6.2e-5
      why: The sign, and the last digit.
- question: Which is a choice?
  options:
    - {{text: this, why: It is, right: true}}
    - {{text: that, why: It is not}}
    - {{text: neither, why: One is}}
```

## Exercise

??? success "Solution"

    {STEPPER.replace('still="step-4"', 'still="step-3"')}

    ```quiz
    - question: How many steps are there?
      answer: 5
      tolerance: 0
      why: Count them.
      mistakes:
        - value: 4
          why: That is the number of the last, counted from 0.
    ```
"""

GLOSSARY = r"""
- id: learning-rate
  term: learning rate
  definition: The factor $\eta$ that the gradient is multiplied by before it is subtracted from a parameter.
  see: [step]

- id: step
  term: step
  definition: One update of the parameters.
"""


def make_tools_site(root: Path) -> Checkout:
    """Write the checkout and build it; the page lies at `page/`."""
    checkout = make_checkout(root)
    config = (root / "mkdocs.yml").read_text(encoding="utf-8")
    checkout.write("mkdocs.yml", config + "  - Glossary: glossary.md\n")
    checkout.write("docs/glossary.yml", GLOSSARY)
    checkout.write("docs/glossary.md", "---\ntitle: Glossary\n---\n\n# Glossary\n\n<% glossary() %>\n")
    checkout.write("docs/page.md", PAGE)
    (root / "examples/page/quick.py").unlink()
    checkout.example("walk", WALK)
    checkout.run("build")
    return checkout
