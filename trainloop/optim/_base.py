"""What all optimizers share: the loop over parameters, their state, and the checks of their options.

A rule file adds what is particular: the options, the state, and the update of one parameter. The rule is
written once and runs in three ways: parameter by parameter; small parameters in one list (`_lists.py`);
and compiled, after `optimizer.compile()` (`_compile.py`).
"""

import copy
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from operator import attrgetter
from typing import Any, ClassVar, cast, overload

# torch's functions on many tensors at once, torch._foreach_*, have no public name:
# pyright: reportPrivateImportUsage=false
import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from trainloop.optim._compile import MOST_PROGRAMS, Programs, TooManyProgramsError
from trainloop.optim._jobs import Group, Job, Numbers, Roster, State
from trainloop.optim._lists import TensorList

__all__ = ["Group", "Numbers", "Optimizer", "ParamsT", "State", "check_entries", "check_range", "new_step"]


class Optimizer(torch.optim.Optimizer):
    """Base class: applies a rule to every parameter that has a gradient.

    A subclass brings three methods: `check` refuses options that make no sense, `init_state` says
    what a new parameter's state is, and `update` is the rule. Four more are there for rules that need
    them: `check_param`, `begin`, `count` and `at_step`.

    It is a `torch.optim.Optimizer`: learning-rate schedulers, hooks, `GradScaler` and checkpoints take
    it as they take torch's own.

    Args:
        params: parameters, named parameters or parameter groups.
        defaults: every option, with the value it has in a group that sets none of its own.

    Raises:
        ValueError: an option of the constructor or of a group is out of range.
        TypeError: a parameter is complex.
    """

    supports_sparse: ClassVar[bool] = False
    """Whether `update` takes a sparse gradient, such as `nn.Embedding(sparse=True)` makes."""

    takes_lists: ClassVar[bool] = True
    """Whether `update` treats all parameters alike, without an `if` on a shape or a value. Then it takes many of
    them at once, in a `TensorList`."""

    counters: ClassVar[tuple[str, ...]] = ("step",)
    """The state entries that are single numbers, kept in 0-dim tensors; () where there are none. `at_step` gets their
    values."""

    lazy: ClassVar[frozenset[str]] = frozenset()
    """The state entries that `update` makes, of their parameter's shape, once it needs them."""

    optional: ClassVar[frozenset[str]] = frozenset({"maximize", "decoupled_weight_decay", "differentiable"})
    """Options that a loaded state may lack, as those from older versions of torch do."""

    compilable: ClassVar[bool] = True
    """Whether `update` can be traced: no `if` on a number it computes, no `item`."""

    _compiled: Callable[[list[Job]], None] | None = None
    _rosters: defaultdict[int, Roster] | None = None

    def __init__(self, params: ParamsT, defaults: Group) -> None:
        self.check(defaults)
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        """Raise `ValueError` if an option is out of range. Sees the defaults, then every group."""
        raise NotImplementedError

    def check_param(self, p: Tensor) -> None:
        """Raise `TypeError` or `ValueError` if the rule cannot update this parameter: here, if it is complex."""
        if p.is_complex():
            raise TypeError(
                f"{type(self).__name__} takes real parameters, got {p.dtype}: keep a real one with a "
                "last dimension of 2, and call torch.view_as_complex on it inside the model"
            )

    def init_state(self, θ: Tensor, group: Group) -> State:
        """Return the state of a parameter before its first update.

        An entry `"step"` counts the updates: `count` adds 1 to it before each of them.
        """
        raise NotImplementedError

    def begin(self, group: Group) -> None:
        """Prepare a group for a step: called once, before its first update."""

    def count(self, states: list[State]) -> None:
        """Advance the counters of the parameters that are about to be updated: here, add 1 to `"step"`."""
        steps = [state["step"] for state in states if "step" in state]
        if steps:
            torch._foreach_add_(steps, _ONE, alpha=1)  # twice as fast as adding the number 1

    def at_step(self, counters: Numbers, group: Group) -> Numbers:
        """Return the numbers that change from step to step, such as the corrections of Adam's averages.

        `update` finds them in its `group`. They are computed once for all parameters whose counters
        agree, and a compiled update takes them as inputs. A number under a counter's name is the
        counter's next value.
        """
        return {}

    def update(self, θ: Tensor, g: Tensor, state: State, group: Group) -> None:
        """Apply the rule: change `θ` and its state in place.

        `g` must stay as it is, for it is `θ.grad` itself. A rule that needs `g + λθ` makes a new tensor.
        """
        raise NotImplementedError

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients, and returns the loss. Optional.

        Returns:
            What the closure returned; None without one.

        Raises:
            RuntimeError: a gradient is sparse and the rule needs dense ones.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()

        # --8<-- [start:step]
        with torch.no_grad():
            jobs: list[Job] = []
            for i, group in enumerate(self.param_groups):
                self.begin(group)
                jobs += self._jobs(i, group)
            (self._compiled or self._run)(jobs)
            # --8<-- [end:step]
            if len(self.counters) > 1:
                self._write_counters(jobs)
        return loss

    def _jobs(self, i: int, group: Group) -> Iterable[Job]:
        """Count the step of every parameter of group `i` that has a gradient, and sort them into jobs."""
        params = group["params"]
        grads = [g for p in params if (g := p.grad) is not None]  # asked for once: with cold caches, that takes longest
        if not grads:
            return
        if len(grads) < len(params):
            params = [p for p in params if p.grad is not None]
        if not self.supports_sparse and any(map(_is_sparse, grads)):
            self._refuse_sparse(params, grads)
        states: list[Any] = list(map(self.state.get, params))
        if not all(states):
            states = [state or self._new_state(p, group) for p, state in zip(params, states, strict=True)]
        if group["maximize"]:
            grads = [-g for g in grads]
        if self.counters:
            self.count(states)
        counters = self.counters if type(self).at_step is not Optimizer.at_step else ()  # whoever reads them
        counts: list[tuple[Any, ...]] = [()] * len(states)
        if counters:
            columns = [[state[name].item() if name in state else None for state in states] for name in counters]
            counts = list(zip(*columns, strict=True))

        if self._rosters is None:
            self._rosters = defaultdict(Roster)
        lists = self.takes_lists and self._compiled is None  # a program is the same either way
        bands = self._rosters[i].sort(params, grads, states, counts, lists)
        for listed, band in bands:
            read = zip(counters, counts[band[0]], strict=True)
            numbers = self.at_step({name: count for name, count in read if count is not None}, group)
            if len(band) == len(params):
                yield Job(group, numbers, listed, params, grads, states)
            else:
                some = [params[k] for k in band], [grads[k] for k in band], [states[k] for k in band]
                yield Job(group, numbers, listed, *some)

    def _new_state(self, p: Tensor, group: Group) -> State:
        state = self.init_state(p, group)
        if state:
            self.state[p] = state
        return state

    def _write_counters(self, jobs: list[Job]) -> None:
        for job in jobs:
            for name in job.numbers.keys() & set(self.counters):
                for state in job.states:
                    state[name].fill_(job.numbers[name])

    def _run(self, jobs: list[Job]) -> None:
        """Update the parameters of each job: all in one list, or one by one."""
        for job in jobs:
            if not job.listed:
                for p, g, state in zip(job.params, job.grads, job.states, strict=True):
                    empty = not state
                    self.update(p, g, state, job.group)
                    if empty and state:
                        self.state[p] = state
            else:
                entries: State = {name: TensorList(entry) for name, entry in job.entries(self.counters).items()}
                before = dict(entries)
                params, grads = TensorList(job.params), TensorList(job.grads)
                self.update(cast(Tensor, params), cast(Tensor, grads), entries, job.group)
                for name, entry in entries.items():
                    if entry is not before.get(name):
                        self._keep(job, name, entry.tensors)

    def _keep(self, job: Job, name: str, entry: Iterable[Tensor]) -> None:
        """Store a state entry that an update made."""
        for p, state, tensor in zip(job.params, job.states, entry, strict=True):
            state[name] = tensor
            self.state[p] = state

    def compile(self, **options: Any) -> None:
        """Let `step` run the rule through `torch.compile` from now on.

        All updates of a step become one program, which reads and writes each weight once rather than once an
        operation. The second step compiles it, which takes seconds to minutes. The learning rate and the
        numbers of the step may change freely. For other values of the other options, or other
        parameters with a gradient, one more program is compiled: see `MOST_PROGRAMS`. Results
        differ from the uncompiled rule's by rounding.

        Args:
            options: handed to `torch.compile`.

        Raises:
            TypeError: the rule cannot be compiled.
        """
        if not self.compilable:
            raise TypeError(f"{type(self).__name__} cannot be compiled: its update asks for values it computed")
        programs = Programs(self.update, self.counters, list(self.defaults), options)

        def run(jobs: list[Job]) -> None:
            dense = jobs
            if self.supports_sparse:  # torch.compile takes no sparse tensors
                sparse = [job for job in jobs if any(map(_is_sparse, job.grads))]
                if sparse:
                    dense = [job for job in jobs if job not in sparse]
                    self._run(sparse)
            try:
                made = programs.run(dense)
            except TooManyProgramsError:
                warnings.warn(
                    f"{type(self).__name__} goes on uncompiled: its options, or which parameters have a gradient, "
                    f"changed more than {MOST_PROGRAMS} times. Under OneCycleLR and CyclicLR, cycle_momentum=False "
                    "keeps the options as they are",
                    stacklevel=5,
                )
                self._compiled = None
                self._run(dense)
                return
            for job, entries in zip(dense, made, strict=True):
                for name, entry in entries.items():
                    self._keep(job, name, entry)

        def first_run(jobs: list[Job]) -> None:
            self._run(jobs)  # makes state entries: later steps have them, and a program of their own
            self._compiled = run

        self._compiled = first_run

    def _refuse_sparse(self, params: list[Tensor], grads: list[Tensor]) -> None:
        shape = next(tuple(p.shape) for p, g in zip(params, grads, strict=True) if g.is_sparse)
        raise RuntimeError(
            f"{type(self).__name__} needs dense gradients, got a sparse one for a parameter of shape {shape}: "
            "give that parameter to SGD, or make its layer with sparse=False"
        )

    def add_param_group(self, param_group: Group) -> None:
        """Add a group of parameters, after checking the options it sets for itself."""
        self.check({**self.defaults, **param_group})
        params = param_group["params"]
        if not isinstance(params, Tensor):
            param_group["params"] = params = list(params)  # a generator can be read once
            tensors = [entry[1] if isinstance(entry, tuple) else entry for entry in params]
            if len({id(p) for p in tensors}) != len(tensors):
                raise ValueError("params must hold each parameter once, got one twice in a group")
        super().add_param_group(param_group)
        try:
            for p in self.param_groups[-1]["params"]:
                self.check_param(p)
        except (TypeError, ValueError):
            self.param_groups.pop()
            raise

    def load_state_dict(self, state_dict: State) -> None:
        """Load what `state_dict` returned, of this class or of torch's own.

        Two things torch does are undone. It would share the tensors with what is loaded, so that two
        optimizers in one process moved each other's momentum; here they are copies. And it would give
        counters the type of the parameter; here they come back as they were saved.

        Raises:
            ValueError: the groups are other in number or size, an option or a state entry of this rule is
                missing, or an entry has another shape than its parameter's. Nothing is loaded then.
        """
        self._check_state(state_dict)
        super().load_state_dict(state_dict)
        saved_ids = chain.from_iterable(group["params"] for group in state_dict["param_groups"])
        params = chain.from_iterable(group["params"] for group in self.param_groups)
        for i, p in zip(saved_ids, params, strict=True):
            for name, saved in state_dict["state"].get(i, {}).items():
                if saved is None:
                    continue
                if name in self.counters:
                    self.state[p][name] = new_step(float(saved))
                elif self.state[p].get(name) is saved or isinstance(
                    saved, (dict, list)
                ):  # new ones hold the same tensors
                    self.state[p][name] = copy.deepcopy(self.state[p][name])

    def _check_state(self, state_dict: State) -> None:
        """Raise `ValueError` if a state is another rule's, or another model's."""
        groups = state_dict["param_groups"]
        if [len(group["params"]) for group in groups] != [len(group["params"]) for group in self.param_groups]:
            return  # torch says it well
        rule = type(self).__name__
        for group, saved_group in zip(self.param_groups, groups, strict=True):
            missing = [name for name in self.defaults if name not in saved_group and name not in self.optional]
            if missing:
                raise ValueError(f"state_dict must be {rule}'s, got groups without {', '.join(missing)}")
            for i, p in zip(saved_group["params"], group["params"], strict=True):
                saved = {name: x for name, x in state_dict["state"].get(i, {}).items() if x is not None}
                if saved:
                    self.check_saved(p, saved, {**group, **saved_group})

    def check_saved(self, p: Tensor, saved: State, group: Group) -> None:
        """Raise `ValueError` if what was saved of a parameter is not this rule's state of it.

        Args:
            p: the parameter.
            saved: its saved state.
            group: its saved options.
        """
        own = self.init_state(torch.empty(p.shape, dtype=p.dtype, device="meta"), group)  # takes no memory
        own |= {name: p for name in self.lazy if name in saved}
        check_entries(type(self).__name__, own, saved, but=self.counters)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Accept a pickle or a state_dict, also from torch's own class or an older version.

        Options that it lacks get this optimizer's defaults; options that only torch knows are kept,
        and ignored.
        """
        super().__setstate__(state)
        for group in self.param_groups:
            for option, default in self.defaults.items():
                group.setdefault(option, default)
            for p in group["params"]:
                saved = self.state.get(p, {})
                for name in [name for name, x in saved.items() if x is None]:
                    del saved[name]  # torch < 2.0 saved None for a buffer that was not needed yet
                if "step" in saved and not isinstance(saved["step"], Tensor):
                    saved["step"] = new_step(saved["step"])


_ONE = torch.ones((), device="cpu")
_is_sparse = attrgetter("is_sparse")


def new_step(start: float = 0.0) -> Tensor:
    """Return a counter as torch keeps it: a scalar in main memory, float32 unless float64 is the default."""
    float64 = torch.get_default_dtype() == torch.float64
    return torch.tensor(start, dtype=torch.float64 if float64 else torch.float32, device="cpu")


def check_entries(rule: str, own: State, saved: State, but: tuple[str, ...] = ()) -> None:
    """Raise `ValueError` unless a saved state has the entries of a rule's own, each of the same shape.

    Args:
        rule: the rule's name, for the message.
        own: what the state should be like.
        saved: what it is.
        but: entries whose shape does not matter.
    """
    for names, what in ((own.keys() - saved.keys(), "without"), (saved.keys() - own.keys(), "with")):
        if names:
            raise ValueError(f"state_dict must be {rule}'s, got a state {what} {', '.join(sorted(map(str, names)))}")
    for name, x in own.items():
        if isinstance(x, dict):
            check_entries(rule, x, saved[name])
        elif isinstance(x, Tensor) and name not in but and saved[name].shape != x.shape:
            shapes = f"{tuple(x.shape)} for its parameter, got {tuple(saved[name].shape)}"
            raise ValueError(f"{name} must have shape {shapes}")


def check_range(group: Group, *options: str, below: float | None = None, count: int | None = None) -> None:
    """Raise `ValueError` unless each of these options is at least 0, and below a bound if there is one.

    An option is a number or a 0-dim tensor; with `count`, a tuple of so many numbers, such as `betas`.
    """
    wanted = ">= 0" if below is None else f"in [0, {below})"
    for option in options:
        value = group[option]
        if isinstance(value, Tensor) and value.dim() > 0:
            raise ValueError(f"{option} must be a number or a 0-dim tensor, got shape {tuple(value.shape)}")
        if count is not None and not (isinstance(value, (tuple, list)) and len(value) == count):
            raise ValueError(f"{option} must be {count} numbers {wanted}, got {value}")
        for x in value if isinstance(value, (tuple, list)) else (value,):
            if not x >= 0 or (below is not None and x >= below):
                raise ValueError(f"{option} must be {wanted}, got {value}")
