"""Parameter groups: which weights decay, and which learn how fast.

Every function here returns what any torch optimizer takes as its first argument: a list of groups, each a dict
with `"params"`, a readable `"name"`, and the options that hold for the group. In all of them

- a parameter stands in one group only, a tied one (used under several names) too;
- frozen parameters (`requires_grad=False`) are left out;
- a name means itself and all that is below it: `"layer1"` holds `layer1.0.conv1.weight`, not `layer10.weight`.
  It may contain `*` and `?`, as in `"*.norm1"`. A name that holds no parameter is an error, not a group of nothing.

Howard and Ruder, "Universal Language Model Fine-tuning for Text Classification", 2018,
https://arxiv.org/abs/1801.06146 (discriminative learning rates).
Clark et al., "ELECTRA", 2020, https://arxiv.org/abs/2003.10555 (layer-wise decay of the learning rate).
https://docs.pytorch.org/docs/stable/optim.html#per-parameter-options
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.optim import Optimizer

__all__ = [
    "Blocks",
    "Group",
    "describe_groups",
    "discriminative_groups",
    "find_blocks",
    "layerwise_lr_groups",
    "weight_decay_groups",
]

Group: TypeAlias = dict[str, Any]
"""A parameter group, as `torch.optim` takes it."""

Blocks: TypeAlias = Mapping[str, str | Sequence[str]] | Sequence[str | Sequence[str]]
"""Blocks from the input to the output: of each the name, or names, of what belongs to it. A mapping's keys
are the groups' names; without them a group is named after what it holds."""

_BIAS = re.compile(r"(^|[._])bias(_[^.]*)?\Z")

_NORMS: tuple[type[nn.Module], ...] = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
    *(nn.LayerNorm, nn.GroupNorm, nn.RMSNorm),
)


@dataclass
class _Entry:
    """A trainable parameter, all its names, and the layers that hold it."""

    parameter: nn.Parameter
    names: list[str]
    owners: list[nn.Module]


def weight_decay_groups(
    model: nn.Module,
    weight_decay: float,
    no_decay_names: Iterable[str] = (),
    no_decay_types: tuple[type[nn.Module], ...] = (),
) -> list[Group]:
    """Split a model's parameters into those that decay and those that do not.

    Weight decay is for weights that multiply: matrices and filters. Left out of it are

    - biases: parameters named `bias`, `bias_…` or `…_bias`, as in `nn.LSTM` and `nn.MultiheadAttention`;
    - all parameters of torch's norm layers and their subclasses, whatever their shape;
    - parameters of fewer than two dimensions, such as the scales of a norm layer of your own;
    - what `no_decay_names` and `no_decay_types` add.

    Embeddings are matrices, and decay unless you say otherwise. A tied parameter does not decay if any of its
    places says so.

    Args:
        model: the model.
        weight_decay: λ >= 0 of the group that decays; the other's is 0.
        no_decay_names: parameters or modules that shall not decay, such as `"pos_embedding"`.
        no_decay_types: classes of modules whose own parameters shall not decay, such as `(nn.Embedding,)`.

    Returns:
        A group "decay" and a group "no_decay", in this order, without one that would be empty.

    Raises:
        ValueError: `weight_decay` is negative or NaN, a name holds no parameter, or the model has lazy layers
            that do not know their shape yet.

    Examples:
        >>> from torch.optim import AdamW
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 2))
        >>> groups = weight_decay_groups(model, weight_decay=0.1)
        >>> print(describe_groups(groups))
        group     tensors  parameters  lr  weight decay
        decay           2          48   –           0.1
        no_decay        4          26   –             0
        >>> optimizer = AdamW(groups, lr=1e-3)
    """
    _check_at_least_0("weight_decay", weight_decay)
    rule = _NoDecay(model, no_decay_names, no_decay_types)
    return rule.split("", _entries(model), weight_decay)


def layerwise_lr_groups(
    model: nn.Module,
    lr: float,
    decay: float,
    *,
    blocks: Blocks | None = None,
    weight_decay: float | None = None,
    no_decay_names: Iterable[str] = (),
    no_decay_types: tuple[type[nn.Module], ...] = (),
) -> list[Group]:
    r"""Give each block its learning rate: full at the output, smaller by one factor per block towards the input.

    With blocks $0, \dots, n - 1$ from the input to the output, block $k$ learns at

    $$
    \eta_k = \eta\, \gamma^{\,n - 1 - k}
    $$

    The power counts blocks, not tensors: a block's weights, biases and norm layers share one learning rate.
    The stem before the blocks and the head behind them each count as a block, so the head learns at $\eta$.
    Freezing a block does not change what the others get.

    Args:
        model: the model.
        lr: $\eta \ge 0$, the last block's learning rate.
        decay: $\gamma$ in (0, 1]; 1 gives all blocks the same.
        blocks: the blocks from the input to the output, stem and head included, such as
            `["embed", ["block1", "norm1"], "block2", "head"]`; or a mapping with names for them. Together they
            must hold every trainable parameter, once. By default what `find_blocks` finds.
        weight_decay: $\lambda \ge 0$. If given, each block becomes up to two groups, `"<name>/decay"` and
            `"<name>/no_decay"`, as `weight_decay_groups` would split it; both have the block's learning rate.
        no_decay_names: as in `weight_decay_groups`.
        no_decay_types: as in `weight_decay_groups`.

    Returns:
        The groups from the input to the output. A tied parameter goes with the first of its blocks.

    Raises:
        ValueError: a number is out of range; trainable parameters belong to no block (the message lists them) or
            to two; a name holds no parameter; no blocks were given and none could be found; or names or types
            not to decay were given without a weight decay.

    Examples:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> groups = layerwise_lr_groups(model, lr=1.0, decay=0.5, blocks={"stem": "0", "middle": "2", "head": "4"})
        >>> print(describe_groups(groups))
        group   tensors  parameters    lr  weight decay
        stem          2          40  0.25             –
        middle        2          72   0.5             –
        head          2          18     1             –
    """
    _check_at_least_0("lr", lr)
    if not 0 < decay <= 1:
        raise ValueError(f"decay must be in (0, 1], got {decay}")
    if weight_decay is not None:
        _check_at_least_0("weight_decay", weight_decay)
    rule = _NoDecay(model, no_decay_names, no_decay_types)
    if weight_decay is None and (rule.names or rule.types):
        raise ValueError("weight_decay must be given with no_decay_names or no_decay_types, got None")
    named = _named_blocks(find_blocks(model) if blocks is None else blocks)
    held = _assign(model, named)

    groups: list[Group] = []
    # --8<-- [start:layerwise_lr]
    for k, (name, entries) in enumerate(zip(named, held, strict=True)):
        lr_k = lr * decay ** (len(named) - 1 - k)
        if weight_decay is None:
            block = [_group(name, entries)] if entries else []
        else:
            block = rule.split(f"{name}/", entries, weight_decay)
        groups += [{**group, "lr": lr_k} for group in block]
    # --8<-- [end:layerwise_lr]
    return groups


def discriminative_groups(
    model: nn.Module,
    lrs: Mapping[str, float],
    default_lr: float | None = None,
) -> list[Group]:
    """Give named parts of a model learning rates of their own.

    Where several names hold a parameter, the longest wins: `{"encoder": 1e-5, "encoder.norm": 1e-4}` does what it
    says.

    Args:
        model: the model.
        lrs: names of modules or parameters, and the learning rate (>= 0) of each.
        default_lr: the learning rate (>= 0) of all other parameters, which become the group "default". None means
            that there must not be any.

    Returns:
        One group per name, in the mapping's order, then "default"; without groups that would be empty.

    Raises:
        ValueError: a learning rate is negative or NaN; a name holds no parameter; or `default_lr` is None and
            trainable parameters have no learning rate (the message lists them).

    Examples:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> [(g["name"], g["lr"]) for g in discriminative_groups(model, {"2": 0.1}, default_lr=0.01)]
        [('2', 0.1), ('default', 0.01)]
    """
    for name, lr in lrs.items():
        _check_at_least_0(f"lrs[{name!r}]", lr)
        _check_holds_something(model, name)
    if default_lr is not None:
        _check_at_least_0("default_lr", default_lr)
    chosen: dict[str, list[_Entry]] = {name: [] for name in lrs}
    rest = []
    for entry in _entries(model):
        fitting = [name for name in lrs if any(_holds(name, n) for n in entry.names)]
        if fitting:
            chosen[max(fitting, key=len)].append(entry)
        else:
            rest.append(entry)
    if rest and default_lr is None:
        raise ValueError(f"lrs must hold every trainable parameter, or default_lr be given, got none for {_list(rest)}")
    groups = [{**_group(name, entries), "lr": lrs[name]} for name, entries in chosen.items() if entries]
    if rest:
        groups.append({**_group("default", rest), "lr": default_lr})
    return groups


def find_blocks(model: nn.Module) -> dict[str, list[str]]:
    """Find a model's blocks, from the input to the output, as `layerwise_lr_groups` takes them.

    Two kinds of models are understood:

    - ResNets as torchvision builds them: submodules `layer1`, `layer2`, …, each an `nn.Sequential` of residual
      blocks. Each residual block is a block: ResNet-18 has 8, and with stem (`conv1`, `bn1`) and head (`fc`) 10.
      (To count stages instead, pass `blocks=[["conv1", "bn1"], "layer1", "layer2", "layer3", "layer4", "fc"]`.)
    - Models with one stack: an `nn.ModuleList` or `nn.Sequential` of at least two layers of one class that
      have layers inside, such as the `layers` of `nn.TransformerEncoder` or the blocks of a ViT.

    What the model registers before the first block is the stem: patch or token embeddings, class token and
    position embedding, too, wherever the model uses them. What it registers after the last is the head: a final
    norm and the classifier. So a model that registers its output layer before its blocks needs `blocks` by hand.

    Returns:
        "stem", one entry per block under its qualified name, and "head"; without stem or head if there is none.
        Frozen parameters count like others.

    Raises:
        ValueError: there is no stack of blocks, or more than one (an encoder and a decoder).

    Examples:
        >>> layer = nn.TransformerEncoderLayer(d_model=8, nhead=2, batch_first=True)
        >>> class Classifier(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.embed = nn.Embedding(100, 8)
        ...         self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        ...         self.head = nn.Linear(8, 2)
        >>> find_blocks(Classifier())
        {'stem': ['embed'], 'encoder.layers.0': ['encoder.layers.0'], 'encoder.layers.1': ['encoder.layers.1'], \
'head': ['head']}
    """
    blocks = [block for stack in _stacks(model) for block in stack]
    names = [name for name, _ in model.named_parameters(remove_duplicate=False)]
    inside = [any(_below(block, name) for block in blocks) for name in names]
    first, behind = inside.index(True), len(names) - inside[::-1].index(True)
    between = [name for name, is_inside in zip(names[first:behind], inside[first:behind], strict=True) if not is_inside]
    if between:
        raise ValueError(f"blocks must be given: between those found, {between} belong to none")
    found = {
        "stem": _outermost(names[:first], blocks),
        **{block: [block] for block in blocks},
        "head": _outermost(names[behind:], blocks),
    }
    return {name: members for name, members in found.items() if members}


def describe_groups(groups: Iterable[Group] | Optimizer) -> str:
    """Return a table of groups to print: name, tensors, parameters, learning rate, weight decay.

    Args:
        groups: groups, or an optimizer, whose groups have every option. A "–" stands for an option that a group
            leaves to the optimizer, and a group without a name is shown by its number.
    """
    listed = groups.param_groups if isinstance(groups, Optimizer) else groups
    rows = [("group", "tensors", "parameters", "lr", "weight decay")]
    for i, group in enumerate(listed):
        params = [group["params"]] if isinstance(group["params"], Tensor) else group["params"]
        count = sum(p.numel() for p in params)
        lr, λ = (_number(group.get(option)) for option in ("lr", "weight_decay"))
        rows.append((str(group.get("name", i)), f"{len(params):,}", f"{count:,}", lr, λ))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )


class _NoDecay:
    """Knows which parameters do not decay, and splits groups by it."""

    def __init__(self, model: nn.Module, names: Iterable[str], types: tuple[type[nn.Module], ...]) -> None:
        self.names = [names] if isinstance(names, str) else list(names)
        self.types = types
        for name in self.names:
            _check_holds_something(model, name)

    # --8<-- [start:no_decay]
    def __call__(self, entry: _Entry) -> bool:
        names, owners = entry.names, entry.owners
        return (
            entry.parameter.ndim < 2
            or any(_BIAS.search(n) for n in names)
            or any(isinstance(m, _NORMS + self.types) for m in owners)
            or any(_holds(x, n) for x in self.names for n in names)
        )

    # --8<-- [end:no_decay]

    def split(self, prefix: str, entries: list[_Entry], weight_decay: float) -> list[Group]:
        decay = [entry for entry in entries if not self(entry)]
        no_decay = [entry for entry in entries if self(entry)]
        parts = (("decay", decay, weight_decay), ("no_decay", no_decay, 0.0))
        return [{**_group(prefix + name, part), "weight_decay": λ} for name, part, λ in parts if part]


def _entries(model: nn.Module) -> list[_Entry]:
    """Each trainable parameter once, in the model's order, with every name it has."""
    found: dict[nn.Parameter, _Entry] = {}
    for prefix, module in model.named_modules(remove_duplicate=False):
        for name, p in module.named_parameters(recurse=False, remove_duplicate=False):
            if isinstance(p, UninitializedParameter):
                raise ValueError(f"model must have been run once, got a lazy {type(module).__name__} without a shape")
            if p.requires_grad:
                entry = found.setdefault(p, _Entry(p, [], []))
                entry.names.append(f"{prefix}.{name}" if prefix else name)
                entry.owners.append(module)
    return list(found.values())


def _group(name: str, entries: list[_Entry]) -> Group:
    return {"name": name, "params": [entry.parameter for entry in entries]}


def _below(name: str, full: str) -> bool:
    return full == name or full.startswith(name + ".")


def _holds(pattern: str, full: str) -> bool:
    return fnmatchcase(full, pattern) or fnmatchcase(full, pattern + ".*")


def _check_holds_something(model: nn.Module, pattern: str) -> None:
    if not any(_holds(pattern, name) for name, _ in model.named_parameters(remove_duplicate=False)):
        raise ValueError(f"{pattern!r} must name parameters or modules of {type(model).__name__}, got none of them")


def _check_at_least_0(name: str, value: float) -> None:
    if not value >= 0:
        raise ValueError(f"{name} must be >= 0, got {value}")


def _named_blocks(blocks: Blocks) -> dict[str, list[str]]:
    if isinstance(blocks, Mapping):
        return {name: _strings(members) for name, members in blocks.items()}
    members = [_strings(block) for block in blocks]
    named = {"+".join(block): block for block in members}
    if len(named) < len(members):
        raise ValueError(f"blocks must differ, got {members}")
    return named


def _strings(one_or_more: str | Sequence[str]) -> list[str]:
    return [one_or_more] if isinstance(one_or_more, str) else list(one_or_more)


def _assign(model: nn.Module, blocks: dict[str, list[str]]) -> list[list[_Entry]]:
    """The entries of each block."""
    for members in blocks.values():
        for pattern in members:
            _check_holds_something(model, pattern)
    held: list[list[_Entry]] = [[] for _ in blocks]
    homeless = []
    for entry in _entries(model):
        places = [
            [k for k, members in enumerate(blocks.values()) if any(_holds(pattern, name) for pattern in members)]
            for name in entry.names
        ]
        for name, place in zip(entry.names, places, strict=True):
            if len(place) > 1:
                names = [list(blocks)[k] for k in place]
                raise ValueError(f"blocks must not overlap, got {name} in {' and '.join(map(repr, names))}")
        if any(places):
            held[min(k for place in places for k in place)].append(entry)
        else:
            homeless.append(entry)
    if homeless:
        raise ValueError(f"blocks must hold every trainable parameter, got none for {_list(homeless)}")
    return held


def _stacks(model: nn.Module) -> list[list[str]]:
    """The names of the blocks in each stack: a ResNet's stages, or the only stack of another model."""
    children = {name: _stack(name, child) for name, child in model.named_children() if re.fullmatch(r"layer\d+", name)}
    if children and all(children.values()):
        return list(children.values())
    stacks: dict[str, list[str]] = {}
    for name, module in model.named_modules():
        stack = _stack(name, module)
        if len(stack) > 1 and not any(_below(outer, name) or outer == "" for outer in stacks):
            stacks[name] = stack
    if len(stacks) != 1:
        found = f"{len(stacks)} stacks of blocks: {list(stacks)}" if stacks else "no stack of blocks"
        raise ValueError(f"blocks must be given: {type(model).__name__} has {found}")
    return list(stacks.values())


def _stack(name: str, module: nn.Module) -> list[str]:
    """The names of its blocks, if this is a list of layers of one class with layers inside; none if it is not."""
    layers = dict(module.named_children())
    one_class = len({type(layer) for layer in layers.values()}) == 1
    are_blocks = all(any(True for _ in x.children()) and any(True for _ in x.parameters()) for x in layers.values())
    if not (isinstance(module, (nn.ModuleList, nn.Sequential)) and one_class and are_blocks):
        return []
    return [f"{name}.{layer}" if name else layer for layer in layers]


def _outermost(names: list[str], blocks: list[str]) -> list[str]:
    """For these parameters, the outermost modules around them that hold no block."""
    found = []
    for name in names:
        parts = name.split(".")
        around = (".".join(parts[:k]) for k in range(1, len(parts) + 1))
        found.append(next(module for module in around if not any(_below(module, block) for block in blocks)))
    return list(dict.fromkeys(found))


def _number(option: float | Tensor | None) -> str:
    return "–" if option is None else f"{float(option):g}"


def _list(entries: list[_Entry]) -> str:
    return ", ".join(entry.names[0] for entry in entries)
