"""Units that never fire.

https://cs231n.github.io/neural-networks-3/ (dead units).
"""

from collections import Counter
from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn

from trainloop.monitor._hooks import Hooked
from trainloop.monitor._names import MODEL

__all__ = ["DeadUnits", "dead_units"]


class DeadUnits(Hooked):
    """Finds units of ReLU layers that never fire: their output, and so their gradient, is always 0.

    In its `with` block, every forward pass counts. A unit has fired if any of its outputs, of any sample at any
    position, was above the threshold; the others are dead. NaN is not above it.

    Only layers that are modules are seen, not `F.relu(x)` within a `forward`. A module used several times in one
    pass, as the `relu` of torchvision's residual blocks, counts once per use: "layer1.0.relu", "layer1.0.relu#2".

    Args:
        model: the model; calling it, not a part of it, begins a pass.
        types: the classes of layers to watch.
        unit_dim: which dimension of the outputs counts the units. By default 1 where there are four or more
            (N, C, H, W), else the last, as in (N, C) and (N, T, C). Pass 1 for the (N, C, L) of an `nn.Conv1d`.
        threshold: an output above it has fired, in units of the outputs.

    Raises:
        ValueError: the model has no layer of these classes; or, in a pass, the number of units of a layer is not
            what it was before.

    Examples:
        >>> model = nn.Sequential(nn.Linear(1, 3), nn.ReLU())
        >>> _ = model.load_state_dict({"0.weight": torch.tensor([[1.0], [-1.0], [0.0]]), "0.bias": torch.zeros(3)})
        >>> with DeadUnits(model) as watch:
        ...     _ = model(torch.tensor([[1.0], [2.0]]))  # positive inputs only
        >>> watch.units()
        {'1': [1, 2]}
        >>> round(watch.fractions()["1"], 3)
        0.667
    """

    def __init__(
        self,
        model: nn.Module,
        types: tuple[type[nn.Module], ...] = (nn.ReLU, nn.ReLU6),
        *,
        unit_dim: int | None = None,
        threshold: float = 0.0,
    ) -> None:
        super().__init__()
        self._model, self._unit_dim, self._threshold = model, unit_dim, threshold
        self._layers = {name or MODEL: m for name, m in model.named_modules() if isinstance(m, types)}
        if not self._layers:
            raise ValueError(f"types must name layers of {type(model).__name__}, got {types}: it has none of them")
        self._uses: Counter[str] = Counter()
        self._fired: dict[str, Tensor] = {}

    def _attach(self) -> None:
        self._handles = [self._model.register_forward_pre_hook(lambda *_: self._uses.clear())]
        for name, layer in self._layers.items():
            self._handles.append(layer.register_forward_hook(partial(self._look, name)))

    def _look(self, name: str, _layer: nn.Module, _inputs: object, out: Tensor) -> None:
        self._uses[name] += 1
        use = self._uses[name]
        key = name if use == 1 else f"{name}#{use}"
        # --8<-- [start:dead_units]
        unit_dim = self._unit_dim
        if unit_dim is None:
            unit_dim = 1 if out.ndim >= 4 else -1
        others = [d for d in range(out.ndim) if d != unit_dim % out.ndim]
        fired = out.detach() > self._threshold
        fired = fired.any(dim=others) if others else fired
        # --8<-- [end:dead_units]
        before = self._fired.get(key, fired)
        if len(before) != len(fired):
            raise ValueError(f"unit_dim must count the units, got {len(before)} and then {len(fired)} in {key}")
        self._fired[key] = before | fired

    def units(self) -> dict[str, list[int]]:
        """Return the numbers of the units that have not fired, by layer; nothing before the first pass."""
        return {name: (~fired).nonzero().flatten().tolist() for name, fired in self._fired.items()}

    def fractions(self) -> dict[str, float]:
        """Return the share of units that have not fired, from 0 to 1, by layer; nothing before the first pass."""
        return {name: len(dead) / len(self._fired[name]) for name, dead in self.units().items()}

    def reset(self) -> None:
        """Forget what has fired: a new period begins."""
        self._fired.clear()


@torch.no_grad()
def dead_units(
    model: nn.Module,
    batches: Iterable[Tensor | tuple[Tensor, ...] | list[Tensor]],
    types: tuple[type[nn.Module], ...] = (nn.ReLU, nn.ReLU6),
    *,
    unit_dim: int | None = None,
    threshold: float = 0.0,
) -> dict[str, float]:
    """Return the share of dead units per layer over some data, measured in eval mode.

    Args:
        model: the model. Afterwards every layer is in the mode it was in before.
        batches: inputs, or tuples that begin with the inputs.
        types: as in `DeadUnits`.
        unit_dim: as in `DeadUnits`.
        threshold: as in `DeadUnits`.

    Raises:
        ValueError: as `DeadUnits`.
    """
    modes = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    try:
        with DeadUnits(model, types, unit_dim=unit_dim, threshold=threshold) as watch:
            for batch in batches:
                model(batch if isinstance(batch, Tensor) else batch[0])
        return watch.fractions()
    finally:
        for layer, training in modes:
            layer.training = training
