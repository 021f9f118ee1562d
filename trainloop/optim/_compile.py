"""An optimizer's step as one compiled program, for each way in which its parameters sort into jobs."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from trainloop.optim._jobs import Group, Job, State

__all__ = ["MOST_PROGRAMS", "Programs", "TooManyProgramsError"]

MOST_PROGRAMS = 8
"""How many programs there are for one optimizer. Then `step` warns, and goes on uncompiled."""

Update = Callable[[Tensor, Tensor, State, Group], None]
Program = Callable[[list[Tensor], Tensor], list[dict[str, list[Tensor]]]]
Layout = list[tuple[int, list[str], Group, list[str]]]
"""Of each job: how many parameters, the names of their state entries, the options, the names of the numbers."""


class TooManyProgramsError(Exception):
    """The optimizer's options, or which parameters have a gradient, keep changing."""


class Programs:
    """Compiles steps, and runs them.

    What is fixed in a program – the options, the number of tensors – is what its key tells apart. What changes
    from step to step goes in as tensors: the weights, gradients and states in one list, the numbers in one vector.
    A number that was handed over as a number would become a part of the program.
    """

    def __init__(self, update: Update, counters: tuple[str, ...], options: list[str], settings: dict[str, Any]) -> None:
        self.update = update
        self.counters = counters
        self.options = options
        self.settings = settings
        self.programs: dict[str, Program] = {}
        self.capturing = torch._dynamo.config.patch(capture_scalar_outputs=True)  # or `item` would end a program

    def run(self, jobs: list[Job]) -> list[dict[str, list[Tensor]]]:
        """Update the parameters; return, for each job, the state entries that the updates made.

        Raises:
            TooManyProgramsError: this step would need one program more than `MOST_PROGRAMS`.
        """
        tensors: list[Tensor] = []
        numbers: list[float] = []
        layout: Layout = []
        for job in jobs:
            entries = job.entries(self.counters)
            tensors += job.params
            tensors += job.grads
            for entry in entries.values():
                tensors += entry
            own = {"lr": job.group["lr"], **job.numbers}
            names = [name for name, x in own.items() if isinstance(x, (float, Tensor))]
            numbers += [float(own[name]) for name in names]
            fixed = {name: job.group[name] for name in (*self.options, *job.numbers) if name not in names}
            layout.append((len(job.params), list(entries), fixed, names))
        key = f"{layout} {[id(p) for job in jobs for p in job.params]}"
        program = self.programs.get(key)
        if program is None:
            if len(self.programs) == MOST_PROGRAMS:
                raise TooManyProgramsError
            program = self.programs[key] = _program(self.update, layout, self.settings)
        with self.capturing:  # the program may be compiled now, or again: memory formats can change
            return program(tensors, torch.tensor(numbers, dtype=torch.float64))


def _program(update: Update, layout: Layout, settings: dict[str, Any]) -> Program:
    def step(tensors: list[Tensor], numbers: Tensor) -> list[dict[str, list[Tensor]]]:
        made: list[dict[str, list[Tensor]]] = []
        values = [x.item() for x in numbers.unbind()]
        for count, entries, fixed, names in layout:
            group = {**fixed, **dict(zip(names, values[: len(names)], strict=True))}
            values = values[len(names) :]
            params, grads = tensors[:count], tensors[count : 2 * count]
            new: dict[str, list[Tensor]] = {}
            for i, (p, g) in enumerate(zip(params, grads, strict=True)):
                state = {name: tensors[(2 + k) * count + i] for k, name in enumerate(entries)}
                before = dict(state)
                update(p, g, state, group)
                for name, tensor in state.items():
                    if tensor is not before.get(name):
                        new.setdefault(name, []).append(tensor)
            tensors = tensors[(2 + len(entries)) * count :]
            made.append(new)
        return made

    # torch.compile keeps its programs with the function's code: a copy of the code keeps this one apart.
    own = FunctionType(step.__code__.replace(), step.__globals__, closure=step.__closure__)
    return torch.compile(own, **{"fullgraph": True, "dynamic": False, **settings})
