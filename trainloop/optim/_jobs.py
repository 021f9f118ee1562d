"""The parameters of a step, sorted into those that are updated together."""

from __future__ import annotations

from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

import torch
from torch import Tensor

__all__ = ["PLAIN", "Group", "Job", "Numbers", "Roster", "State"]

Group: TypeAlias = dict[str, Any]
"""A parameter group: parameters under `"params"`, and the options that hold for them."""

State: TypeAlias = dict[str, Any]
"""What an optimizer remembers about one parameter, under the names `torch.optim` gives it."""

Numbers: TypeAlias = dict[str, Any]
"""Numbers of one step, the same for every parameter that has made as many steps."""

SMALL = 1 << 14
"""On the CPU, parameters of up to this many elements are updated as one list. Larger ones go one by one: what a
step computes on the way then stays in the processor's cache, while a list would write all of it out to memory."""

FEW = 6
"""On the CPU, fewer small parameters than this go one by one, too: making a list of them takes more than it saves."""

PLAIN = {Tensor, torch.nn.Parameter}
"""The classes whose tensors are nothing but tensors."""

# On the CPU, a list of bfloat16 tensors rounds the factors of `mul_` and `div_`; a single one does not.
_LISTED = {torch.float32, torch.float64}


class Job:
    """Parameters of one group that make their step together: equal counters, the same entries in their state.

    Attributes:
        numbers: what `at_step` returned for them.
        group: the group's options, and the numbers.
        listed: whether they are updated in one list.
        params: the parameters; in the same order `grads`, the gradients to descend, and `states`.
    """

    __slots__ = ("grads", "group", "listed", "numbers", "params", "states")

    def __init__(
        self,
        group: Group,
        numbers: Numbers,
        listed: bool,
        params: list[Tensor],
        grads: list[Tensor],
        states: list[State],
    ) -> None:
        self.numbers = numbers
        self.group = {**group, **numbers}
        self.listed = listed
        self.params = params
        self.grads = grads
        self.states = states

    def entries(self, counters: tuple[str, ...]) -> dict[str, list[Tensor]]:
        """The states, entry by entry, without the counters: what an update needs of those, `at_step` has told it."""
        return {name: list(map(itemgetter(name), self.states)) for name in self.states[0] if name not in counters}


class Roster:
    """How the parameters of a group sort into jobs.

    They nearly always sort as they did at the step before, so the result is kept, with what it depends
    on. To find that unchanged takes a fifth of the time that sorting takes; with hundreds of small
    parameters, sorting would be a third of a step.
    """

    def __init__(self) -> None:
        self.seen: tuple[list[Any], ...] = ()
        self.alone = False
        self.bands: list[tuple[bool, list[int]]] = []

    def sort(
        self, params: list[Tensor], grads: list[Tensor], states: list[State], counts: list[tuple[Any, ...]], lists: bool
    ) -> list[tuple[bool, list[int]]]:
        """Return the positions of the parameters of each job, and whether they are updated in one list.

        Args:
            params: those that have a gradient; in the same order the next three.
            grads: the gradients.
            states: the states.
            counts: what the counters read.
            lists: whether the rule takes a list.
        """
        seen: tuple[list[Any], ...] = ([lists], list(map(id, params)), list(map(len, states)))
        if not self.alone:
            seen = (
                *seen,
                list(map(attrgetter("dtype"), params)),
                list(map(Tensor.get_device, params)),
                list(map(attrgetter("layout"), grads)),
            )
        if seen != self.seen or not self._agree(counts):
            bands: dict[Any, list[int]] = {}
            for i, (p, g, state, count) in enumerate(zip(params, grads, states, counts, strict=True)):
                listed = (
                    lists
                    and type(p) in PLAIN
                    and g.layout is torch.strided
                    and (not p.is_cpu or (p.numel() <= SMALL and p.dtype in _LISTED))
                )
                bands.setdefault((listed, p.dtype, p.device, g.layout, count, *state), []).append(i)
            for key, band in list(bands.items()):
                listed, _, device, *_ = key
                if listed and device.type == "cpu" and len(band) < FEW:
                    del bands[key]
                    bands.setdefault((False, *key[1:]), []).extend(band)
            self.bands = [(key[0], band) for key, band in bands.items()]
            # Parameters updated one by one may come to be of any type: it need not be looked at again.
            dense = all(g.layout is torch.strided for g in grads)
            self.alone = dense and not any(listed for listed, _ in self.bands)
            self.seen = seen[:3] if self.alone else seen
        return self.bands

    def _agree(self, counts: list[tuple[Any, ...]]) -> bool:
        """Whether the counters of each job still read the same."""
        if counts.count(counts[0]) == len(counts):
            return True
        return all(len({counts[i] for i in band}) == 1 for _, band in self.bands)
