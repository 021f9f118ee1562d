"""Imported once by the fork server, so that an example starts in 0.1 s instead of 3.5 s.

Nothing of this checkout may be imported here: the server outlives edits under `make serve`.
"""

import importlib
import io

import matplotlib

matplotlib.use("svg")

import matplotlib.pyplot as plt
import torch

# A fork must not inherit running threads.
torch.set_num_threads(1)

# The first step of an optimizer imports torch's compiler, the first saved figure its fonts: seconds, once.
torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0).zero_grad()
plt.figure().text(0.5, 0.5, "0")
plt.savefig(io.StringIO(), format="svg")
plt.close("all")

importlib.import_module("IPython.core.interactiveshell")  # the lab's scripts run in it
