"""A lab script that has everything an experiment must have, in a small checkout."""

from __future__ import annotations

from pathlib import Path

from mini_checkout import Checkout, make_checkout

LAB = """# ---
# title: A line
# number: 1
# description: How far does a line rise?
# objectives: [draw a line, read it, extend it]
# prerequisites: []
# ---

# %% [markdown]
# # A line
#
# It rises by $\\sqrt{2}$ or more.

# %% [markdown]
# ## Setup
#
# <% downloads("line") %>

# %%
import matplotlib.pyplot as plt

from trainloop.lab import setting, show

SETTING = setting()
print("<size>", SETTING.size)

# %% [markdown]
# ## Predict
#
# ```quiz
# - question: How far?
#   options:
#     - text: Two
#       right: true
#       why: It is twice one.
#     - text: Three
#       why: That is the full size.
#     - text: Four
#       why: Too far.
# ```

# %%
results = {"end": SETTING.pick(quick=1.0, small=2.0, full=3.0)}

# %% tags=["figure"]
def draw_line(results):
    figure, ax = plt.subplots()
    ax.plot([0, results["end"]])
    return figure


show(
    draw_line,
    results,
    alt=lambda r: f"A straight line that rises from zero to {r['end']}, and no further.",
    caption=lambda r: f"It ends at {r['end']}.",
)

# %% [markdown]
# ## What was seen
#
# It rose to <% num("line.end", ".1f") %>, see [home](../index.md).

# %% [markdown]
# ## At full size
#
# <%% if is_recorded() %%>It reached <% record("end", ".1f") %>.<%% endif %%>
#
# <% recorded() %>

# %% [markdown]
# ## Tasks
#
# ### Task 1: twice
#
# Double it.

# %% [markdown] tags=["solution"]
# Multiply by two.

# %% tags=["solution"]
results["double"] = 2 * results["end"]
results["double"]

# %% [markdown]
# ### Task 2: thrice
#
# Treble it.

# %% tags=["solution"]
results["treble"] = 3 * results["end"]

# %% [markdown] tags=["solution"]
# That is <% num("line.treble") %>.

# %% [markdown]
# ## Summary
#
# Lines rise.
#
# <% run_card() %>
#
# **Up next:** [home](../index.md).
"""


def write_lab(checkout: Checkout, text: str = LAB) -> Path:
    return checkout.write("examples/labs/line.py", text)


def make_lab_checkout(root: Path) -> Checkout:
    checkout = make_checkout(root)
    write_lab(checkout)
    config = checkout.root / "mkdocs.yml"
    config.write_text(config.read_text(encoding="utf-8") + "  - A line: lab/line.ipynb\n", encoding="utf-8")
    return checkout
