"""An optimizer's step as one compiled program, for each way in which its parameters sort into jobs."""

from __future__ import annotations

import copy
from array import array
from collections.abc import Callable, Sequence
from itertools import chain
from operator import is_
from types import FunctionType
from typing import Any, cast

import torch
from torch import Tensor
from torch._C._dynamo.guards import TensorGuards
from torch.autograd.graph import increment_version

from trainloop.optim._jobs import PLAIN, Group, Job, State

__all__ = ["MOST_PROGRAMS", "Programs", "TooManyProgramsError"]

MOST_PROGRAMS = 8
"""How many programs there are for one optimizer. Then `step` warns, and goes on uncompiled."""

Update = Callable[[Tensor, Tensor, State, Group], None]
Lists = list[list[Tensor]]
Made = list[dict[str, list[Tensor]]]
Step = Callable[[list[Tensor], list[Tensor], list[Tensor], Tensor], Made]
Program = Callable[[list[Tensor]], Any]
Layout = list[tuple[list[int], list[str], Group, list[str]]]
"""Of each job: which parameters, the names of their state entries, the options, the names of the numbers."""


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
        self.options = [name for name in options if name != "lr"]
        self.settings = settings
        self.programs: list[tuple[Layout, _Program]] = []

    def run(self, jobs: list[Job]) -> Made:
        """Update the parameters; return, for each job, the state entries that the updates made.

        Raises:
            TooManyProgramsError: this step would need one program more than `MOST_PROGRAMS`.
        """
        states: Lists = []
        numbers: list[float] = []
        layout: Layout = []
        for job in jobs:
            entries = job.entries(self.counters)
            states += entries.values()
            names = ["lr"]
            numbers.append(float(job.group["lr"]))
            fixed = {name: job.group[name] for name in self.options if name not in job.numbers}
            for name, x in job.numbers.items():
                if isinstance(x, (float, Tensor)):
                    names.append(name)
                    numbers.append(float(x))
                else:
                    fixed[name] = x
            layout.append((list(map(id, job.params)), list(entries), fixed, names))
        program = None
        for known, its_program in self.programs:
            if known == layout:
                program = its_program
                break
        if program is None:
            if len(self.programs) == MOST_PROGRAMS:
                raise TooManyProgramsError
            layout = copy.deepcopy(layout)  # an option may be a list or a tensor, and change in place
            program = _Program(_step(self.update, layout), len(numbers), self.settings)
            self.programs.append((layout, program))
        return program([job.params for job in jobs], [job.grads for job in jobs], states, numbers)


def _step(update: Update, layout: Layout) -> Step:
    """Return the updates of all jobs as one function of tensors alone."""

    def step(params: list[Tensor], grads: list[Tensor], states: list[Tensor], numbers: Tensor) -> Made:
        made: Made = []
        values = [x.item() for x in numbers.unbind()]
        for ids, entries, fixed, names in layout:
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

    Between two steps a model has used the processor's caches for itself, so every object that is looked at here comes
    from main memory. Therefore nothing is copied that can be kept.
    """

    def __init__(self, step: Step, count: int, settings: dict[str, Any]) -> None:
        if settings.get("backend") in (None, "inductor") and not settings.keys() & {"mode", "options"}:
            settings = {**settings, "backend": self._inductor}
        self.step: Step = torch.compile(step, **{"fullgraph": True, "dynamic": False, **settings})
        self.capturing = torch._dynamo.config.patch(capture_scalar_outputs=True)  # or `item` would end a program
        self.memory = array("d", [0.0] * max(count, 1))
        self.numbers = torch.frombuffer(self.memory, dtype=torch.float64)  # writing there is ten times faster
        self.ran: tuple[Program, list[int]] | None = None
        self.latest: _Call | None = None

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

            # AOTAutograd asks a function for this attribute, and there is no typed way to set it.
            noted._boxed_call = True  # type: ignore[attr-defined]  # it takes its inputs in a list
            return noted

        # A program out of autograd's cache would not ask `noting`. And sizes are compared before each call.
        with torch._functorch.config.patch(enable_autograd_cache=False), config.patch(size_asserts=False):
            return cast(Callable[..., Any], compile_fx(graph, inputs, inner_compile=noting))

    def __call__(self, params: Lists, grads: Lists, states: Lists, numbers: list[float]) -> Made:
        """Run the step: on lists of parameters, of their gradients and of their states, with these numbers."""
        for i, x in enumerate(numbers):
            self.memory[i] = x
        if self.latest is not None and self.latest.fits([*params, *states], grads):
            self.latest(grads)
            return [{}] * len(params)

        all_params, all_grads, all_states = ([*chain(*lists)] for lists in (params, grads, states))
        self.ran = self.latest = None
        with self.capturing:
            made = self.step(all_params, all_grads, all_states, self.numbers)
        if self.ran is not None and not any(made):
            self.latest = _call_of(*self.ran, all_params, all_grads, all_states, self.numbers)
        return made


class _Call:
    """A program with its tensors: the parameters and states stay, the gradients are new each time."""

    def __init__(self, program: Program, kept: tuple[Tensor, ...], grads: list[Tensor], inputs: list[Tensor]) -> None:
        self.program = program
        self.kept = kept
        self.alike = _alike([*kept, *grads])
        self.threads = torch.get_num_threads()
        self.inputs = _Inputs(inputs)
        places = {id(x): i for i, x in enumerate(inputs)}
        self.places = [places[id(g)] for g in grads]
        self._forget()

    def fits(self, kept: Lists, grads: Lists) -> bool:
        """Whether these are the parameters and states, and the gradients are like those of the call before.

        That there are as many of each, the layout has told.
        """
        return (
            torch.get_num_threads() == self.threads
            and all(map(is_, chain(*kept), self.kept))
            and self.alike(*self.kept, *chain(*grads))
        )

    def __call__(self, grads: Lists) -> None:
        for i, g in zip(self.places, chain(*grads), strict=True):
            self.inputs[i] = g
        increment_version(self.kept)  # autograd cannot see a program write
        self.program(self.inputs)
        self._forget()

    def _forget(self) -> None:
        """Let go of the gradients, whose memory the model may need before the next step."""
        for i in self.places:
            self.inputs[i] = None


def _call_of(
    program: Program, ids: list[int], params: list[Tensor], grads: list[Tensor], states: list[Tensor], numbers: Tensor
) -> _Call | None:
    """Return the call of a program that ran on the tensors with these ids; None if it must not run by itself."""
    known = {id(x): x for x in (*params, *grads, *states, numbers)}
    distinct = len(known) == len(params) + len(grads) + len(states) + 1
    plain = PLAIN.issuperset(map(type, known.values()))
    autocast = torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda")
    # Else there is one that the rule brought along, or a gradient that it does not look at.
    all_known = known.keys() >= set(ids) and set(ids).issuperset(map(id, grads))
    if distinct and plain and all_known and not autocast:
        return _Call(program, (*params, *states), grads, [known[i] for i in ids])
    return None


class _Inputs(list[Any]):
    """The inputs of a program. It would clear a list of them, and one as long would have to be made for each step."""

    def clear(self) -> None:
        pass


def _alike(tensors: Sequence[Tensor]) -> Callable[..., bool]:
    """Return what tells whether tensors are like these, one by one, and autocast and inference mode off as now.

    They are if they are of the same class, type, device, size and strides, and all different. torch.compile has this
    check, too: one call for all of them, where asking each in Python takes several times as long.
    """
    like = cast(Any, TensorGuards)(*tensors, dynamic_dims_sizes=None, dynamic_dims_strides=None)
    return cast(Callable[..., bool], like.check)
