"""An optimizer's step as one compiled program, for each way in which its parameters sort into jobs."""

from __future__ import annotations

import copy
from array import array
from collections.abc import Callable
from operator import is_
from types import FunctionType
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from trainloop.optim._jobs import PLAIN, Group, Job, State

__all__ = ["MOST_PROGRAMS", "Programs", "TooManyProgramsError"]

MOST_PROGRAMS = 8
"""How many programs there are for one optimizer. Then `step` warns, and goes on uncompiled."""

Update = Callable[[Tensor, Tensor, State, Group], None]
Made = list[dict[str, list[Tensor]]]
Step = Callable[[list[Tensor], list[Tensor], list[Tensor], Tensor], Made]
Program = Callable[[list[Tensor]], Any]
Layout = list[tuple[list[int], torch.dtype, torch.device, list[str], Group, list[str]]]
"""Of each job: which parameters, of which type, where; the names of their state entries, the options, the names of
the numbers."""


class TooManyProgramsError(Exception):
    """The optimizer's options, or which parameters have a gradient, keep changing."""


class Programs:
    """Compiles steps, and runs them.

    What is fixed in a program – the options, the number of tensors – is what its layout tells apart. What changes
    from step to step goes in as tensors: lists of the weights, gradients and states, and a vector of the numbers.
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

    `torch.compile` checks at every call that what it compiled still fits, and prepares what autograd and aliases might
    need: with a few parameters, that takes as long as their update. This class keeps what the latest call was like. A
    call like it goes straight to what inductor compiled; any other goes through `torch.compile`, which compiles
    anew if it must. With another backend, a mode or options, all calls do.
    """

    def __init__(self, step: Step, count: int, settings: dict[str, Any]) -> None:
        if settings.get("backend") in (None, "inductor") and not settings.keys() & {"mode", "options"}:
            settings = {**settings, "backend": self._inductor}
        self.step: Step = torch.compile(step, **{"fullgraph": True, "dynamic": False, **settings})
        self.capturing = torch._dynamo.config.patch(capture_scalar_outputs=True)  # or `item` would end a program
        self.memory = array("d", [0.0] * max(count, 1))
        self.numbers = torch.frombuffer(self.memory, dtype=torch.float64)  # writing there is ten times faster
        self.ran: tuple[Program, list[int]] | None = None
        self.latest: tuple[list[Tensor], list[Any], Program, list[int], Made] | None = None

    def _inductor(self, graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        """Compile as the backend `"inductor"` does, but note which program runs, and on which tensors."""
        from torch._inductor import config  # takes a second
        from torch._inductor.compile_fx import compile_fx, compile_fx_inner

        def noting(graph: torch.fx.GraphModule, inputs: list[Tensor], **settings: Any) -> Any:
            code = cast(Any, compile_fx_inner(graph, inputs, **settings))

            def noted(inputs: list[Tensor]) -> Any:
                ids = list(map(id, inputs))
                made = code(inputs)  # which empties the list
                self.ran = None if made else (code.current_callable, ids)
                return made

            noted._boxed_call = True  # type: ignore[attr-defined]  # it takes its inputs in a list
            return noted

        # A program out of autograd's cache would not ask `noting`. And sizes are compared before each call.
        with torch._functorch.config.patch(enable_autograd_cache=False), config.patch(size_asserts=False):
            return compile_fx(graph, inputs, inner_compile=noting)  # type: ignore[return-value]

    def __call__(self, params: list[Tensor], grads: list[Tensor], states: list[Tensor], numbers: list[float]) -> Made:
        """Run the step: on the parameters, their gradients, their states, and with these numbers of the step."""
        for i, x in enumerate(numbers):
            self.memory[i] = x
        kept = [*params, *states]
        looks = _looks(params, grads)
        if self.latest is not None:
            before, looked, program, order, nothing = self.latest
            if looks == looked and len(kept) == len(before) and all(map(is_, kept, before)):
                inputs = [*kept, *grads, self.numbers]
                increment_version(kept)  # autograd cannot see a program write
                program([inputs[i] for i in order])
                return nothing

        self.ran = None
        with self.capturing:
            made = self.step(params, grads, states, self.numbers)
        self.latest = None
        inputs = [*kept, *grads, self.numbers]
        places = {id(x): i for i, x in enumerate(inputs)}
        plain = PLAIN.issuperset(map(type, inputs)) and len(places) == len(inputs)
        if self.ran is not None and plain and not any(made) and not _autocast():
            program, ids = self.ran
            if places.keys() >= set(ids):  # else there is one that the rule brought along
                self.latest = (kept, looks, program, [places[i] for i in ids], made)
        return made


def _looks(params: list[Tensor], grads: list[Tensor]) -> list[Any]:
    """What a compiled program takes for granted, and what can change while parameters and states are the same tensors.

    The types and devices of the parameters are in the layout.
    """
    return [
        torch.get_num_threads(),
        _autocast(),
        PLAIN.issuperset(map(type, grads)),
        [g.dtype for g in grads],
        list(map(Tensor.size, params)),  # and so of their gradients
        list(map(Tensor.stride, params)),
        list(map(Tensor.stride, grads)),
    ]


def _autocast() -> bool:
    return torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda")
