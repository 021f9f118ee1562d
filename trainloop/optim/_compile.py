"""An optimizer's step as one compiled program, for each way in which its parameters sort into jobs."""

from __future__ import annotations

import copy
from array import array
from collections.abc import Callable
from operator import is_
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from trainloop.optim._jobs import PLAIN, Group, Job, State

__all__ = ["MOST_PROGRAMS", "Programs", "TooManyProgramsError"]

MOST_PROGRAMS = 8
"""How many programs there are for one optimizer. Then `step` warns, and goes on uncompiled."""

Update = Callable[[Tensor, Tensor, State, Group], None]
Made = list[dict[str, list[Tensor]]]
Step = Callable[[list[Tensor], list[Tensor], list[Tensor], Tensor], Made]
Layout = list[tuple[list[int], torch.dtype, torch.device, list[str], Group, list[str]]]
"""Of each job: which parameters, of which type, where; the names of their state entries, the options, the names of
the numbers."""


class TooManyProgramsError(Exception):
    """The optimizer's options, or which parameters have a gradient, keep changing."""


class Programs:
    """Compiles steps, and runs them.

    What is fixed in a program – the options, the number of tensors – is what its layout tells apart. What changes
    from step to step goes in as tensors: the weights, gradients and states in one list, the numbers in one vector.
    A number that was handed over as a number would become a part of the program.
    """

    def __init__(self, update: Update, counters: tuple[str, ...], options: list[str], settings: dict[str, Any]) -> None:
        self.update = update
        self.counters = counters
        self.options = options
        self.settings = settings
        self.programs: list[tuple[Layout, _Program]] = []

    def run(self, jobs: list[Job]) -> Made:
        """Update the parameters; return, for each job, the state entries that the updates made.

        Raises:
            TooManyProgramsError: this step would need one program more than `MOST_PROGRAMS`.
        """
        params: list[Tensor] = []
        grads: list[Tensor] = []
        states: list[Tensor] = []
        numbers: list[float] = []
        layout: Layout = []
        for job in jobs:
            entries = job.entries(self.counters)
            params += job.params
            grads += job.grads
            for entry in entries.values():
                states += entry
            own = {"lr": job.group["lr"], **job.numbers}
            names = [name for name, x in own.items() if isinstance(x, (float, Tensor))]
            numbers += [float(own[name]) for name in names]
            fixed = {name: job.group[name] for name in (*self.options, *job.numbers) if name not in names}
            first = job.params[0]  # the others are like it in type and device
            layout.append((list(map(id, job.params)), first.dtype, first.device, list(entries), fixed, names))
        program = next((program for known, program in self.programs if known == layout), None)
        if program is None:
            if len(self.programs) == MOST_PROGRAMS:
                raise TooManyProgramsError
            layout = copy.deepcopy(layout)  # an option may be a list or a tensor, and change in place
            program = _Program(_step(self.update, layout), len(numbers), self.settings)
            self.programs.append((layout, program))
        return program(params, grads, states, numbers)


def _step(update: Update, layout: Layout) -> Step:
    """Return the updates of all jobs as one function of tensors alone."""

    def step(params: list[Tensor], grads: list[Tensor], states: list[Tensor], numbers: Tensor) -> Made:
        made: Made = []
        values = [x.item() for x in numbers.unbind()]
        for ids, _, _, entries, fixed, names in layout:
            count = len(ids)
            group = {**fixed, **dict(zip(names, values[: len(names)], strict=True))}
            new: dict[str, list[Tensor]] = {}
            for i in range(count):
                state = {name: states[k * count + i] for k, name in enumerate(entries)}
                before = dict(state)
                update(params[i], grads[i], state, group)
                for name, tensor in state.items():
                    if tensor is not before.get(name):
                        new.setdefault(name, []).append(tensor)
            params, grads, states = params[count:], grads[count:], states[len(entries) * count :]
            values = values[len(names) :]
            made.append(new)
        return made

    # torch.compile keeps its programs with the function's code: a copy of the code keeps this one apart.
    return FunctionType(step.__code__.replace(), step.__globals__, closure=step.__closure__)


class _Program:
    """A step, compiled, and the short way to it.

    `torch.compile` checks at every call that what it compiled still fits: with a few parameters, that takes as
    long as their update. This class keeps what the latest call was like. A call like it goes straight to the program
    that the backend returned then; any other goes through `torch.compile`, which compiles anew if it must.
    """

    def __init__(self, step: Step, count: int, settings: dict[str, Any]) -> None:
        if not settings.keys() & {"mode", "options"}:  # which torch.compile alone knows how to hand on
            settings = {**settings, "backend": self._noting(settings.get("backend", "inductor"))}
        self.step: Step = torch.compile(step, **{"fullgraph": True, "dynamic": False, **settings})
        self.capturing = torch._dynamo.config.patch(capture_scalar_outputs=True)  # or `item` would end a program
        self.memory = array("d", [0.0] * max(count, 1))
        self.numbers = torch.frombuffer(self.memory, dtype=torch.float64)  # writing there is ten times faster
        self.inputs: list[Tensor] = []
        self.ran: tuple[Callable[..., Any], list[int]] | None = None
        self.latest: tuple[list[Tensor], list[Any], Made] | None = None

    def _noting(self, backend: str | Callable[..., Any]) -> Callable[..., Any]:
        """Return the backend, made to note which of its programs runs, and where the program's inputs come from."""
        compile_graph = torch._dynamo.lookup_backend(backend)

        def noting(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
            program: Callable[..., Any] = compile_graph(graph, inputs)
            places = {id(x): i for i, x in enumerate(self.inputs)}
            order = [places.get(id(x), -1) for x in inputs]
            if -1 in order:  # one that the rule brought along
                return program

            def noted(*inputs: Tensor) -> Any:
                self.ran = program, order
                return program(*inputs)

            return noted

        return noting

    def __call__(self, params: list[Tensor], grads: list[Tensor], states: list[Tensor], numbers: list[float]) -> Made:
        """Run the step: on the parameters, their gradients, their states, and with these numbers of the step."""
        for i, x in enumerate(numbers):
            self.memory[i] = x
        kept = [*params, *states]
        looks = _looks(params, grads)
        if self.latest is not None and self.ran is not None:
            before, looked, nothing = self.latest
            if looks == looked and len(kept) == len(before) and all(map(is_, kept, before)):
                program, order = self.ran
                inputs = [*kept, *grads, self.numbers]
                program(*[inputs[i] for i in order])
                return nothing

        self.ran = None
        self.inputs = [*kept, *grads, self.numbers]
        with self.capturing:
            made = self.step(params, grads, states, self.numbers)
        self.inputs = []
        plain = PLAIN.issuperset(map(type, kept)) and len(set(map(id, grads))) == len(grads)
        self.latest = (kept, looks, made) if plain and not any(made) else None
        return made


def _looks(params: list[Tensor], grads: list[Tensor]) -> list[Any]:
    """What a compiled program takes for granted, and what can change while parameters and states are the same tensors.

    The types and devices of the parameters are in the layout.
    """
    return [
        torch.get_num_threads(),
        torch.is_autocast_enabled("cpu"),
        torch.is_autocast_enabled("cuda"),
        PLAIN.issuperset(map(type, grads)),
        [g.dtype for g in grads],
        list(map(Tensor.size, params)),  # and so of their gradients
        list(map(Tensor.stride, params)),
        list(map(Tensor.stride, grads)),
    ]
