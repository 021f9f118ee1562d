"""Parameter groups: every trainable parameter in exactly one, with the options its place asks for."""

import copy

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trainloop.optim import SGD
from trainloop.param_groups import (
    describe_groups,
    discriminative_groups,
    find_blocks,
    layerwise_lr_groups,
    weight_decay_groups,
)


class Encoder(nn.Module):
    """A small transformer: token and position embeddings, blocks, a final norm, and a tied output layer."""

    def __init__(self, depth=3, tied=False):
        super().__init__()
        self.position = nn.Parameter(torch.zeros(1, 5, 8))
        self.embed = nn.Embedding(11, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth, norm=nn.LayerNorm(8), enable_nested_tensor=False)
        self.head = nn.Linear(8, 11)
        if tied:
            self.head.weight = self.embed.weight


def names_of(model, group):
    """The names of a group's parameters, a tied one under its first name."""
    name_of = {p: name for name, p in model.named_parameters()}
    return [name_of[p] for p in group["params"]]


def lr_of(model, groups):
    return {name: group["lr"] for group in groups for name in names_of(model, group)}


def assert_each_once(model, groups):
    listed = [p for group in groups for p in group["params"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {p for p in model.parameters() if p.requires_grad}
    assert all(group["params"] for group in groups)
    for optimizer in (torch.optim.AdamW, SGD):
        optimizer([dict(group) for group in groups], lr=1e-3)  # it fills in what a group lacks


@pytest.fixture(scope="module")
def resnet():
    return torchvision.models.resnet18(weights=None)


# --- weight decay


def test_resnet_decays_its_filters_and_its_matrix(resnet):
    groups = weight_decay_groups(resnet, 0.05)
    assert [(g["name"], g["weight_decay"]) for g in groups] == [("decay", 0.05), ("no_decay", 0.0)]
    assert_each_once(resnet, groups)
    convolutions_and_linear = [
        f"{name}.weight" for name, m in resnet.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))
    ]
    assert names_of(resnet, groups[0]) == convolutions_and_linear
    assert len(groups[1]["params"]) == 2 * 20 + 1  # 20 batch norms and the bias of fc


def test_every_kind_of_bias_and_norm_is_left_out():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(4))  # one dimension
            self.temperature = nn.Parameter(torch.tensor(1.0))  # none
            self.table = nn.Parameter(torch.ones(4, 4))

    model = nn.ModuleDict(
        {
            "attention": nn.MultiheadAttention(8, 2, add_bias_kv=True),  # bias_k and bias_v: three dimensions
            "lstm": nn.LSTM(3, 4),
            "layer_norm": nn.LayerNorm((3, 4)),  # weights of two dimensions
            "group_norm": nn.GroupNorm(2, 4),
            "rms_norm": nn.RMSNorm((2, 4)),
            "batch_norm": nn.BatchNorm3d(4),
            "instance_norm": nn.InstanceNorm1d(4, affine=True),
            "embedding": nn.Embedding(5, 4),
            "bilinear": nn.Bilinear(2, 3, 4),
            "bias_layer": nn.Linear(2, 2),
            "own": Own(),
        }
    )
    groups = weight_decay_groups(model, 0.1)
    assert_each_once(model, groups)
    assert names_of(model, groups[0]) == [
        "attention.in_proj_weight",
        "attention.out_proj.weight",
        "lstm.weight_ih_l0",
        "lstm.weight_hh_l0",
        "embedding.weight",
        "bilinear.weight",
        "bias_layer.weight",
        "own.table",
    ]


def test_subclass_of_a_norm_layer_is_a_norm_layer():
    class LayerNorm2d(nn.LayerNorm):
        pass

    groups = weight_decay_groups(nn.Sequential(LayerNorm2d((2, 2))), 0.1)
    assert [g["name"] for g in groups] == ["no_decay"]


@pytest.mark.parametrize(
    ("options", "left_out"),
    [
        ({}, set()),
        ({"no_decay_names": ["position", "embed"]}, {"position", "embed.weight"}),
        ({"no_decay_names": "embed"}, {"embed.weight"}),
        ({"no_decay_names": ["embed.weight"]}, {"embed.weight"}),
        ({"no_decay_names": ["*.linear?"]}, {f"encoder.layers.{i}.linear{k}.weight" for i in range(3) for k in (1, 2)}),
        ({"no_decay_types": (nn.Embedding,)}, {"embed.weight"}),
        ({"no_decay_names": ["position"], "no_decay_types": (nn.Embedding,)}, {"position", "embed.weight"}),
    ],
)
def test_names_and_types_to_leave_out(options, left_out):
    model = Encoder()
    by_default = set(names_of(model, weight_decay_groups(model, 0.1)[0]))
    assert left_out <= by_default
    groups = weight_decay_groups(model, 0.1, **options)
    assert_each_once(model, groups)
    assert set(names_of(model, groups[0])) == by_default - left_out


def test_a_name_ends_at_a_dot():
    model = nn.ModuleDict({"layer1": nn.Linear(2, 2), "layer10": nn.Linear(2, 2)})
    decay, _ = weight_decay_groups(model, 0.1, ["layer1"])
    assert names_of(model, decay) == ["layer10.weight"]


@pytest.mark.parametrize("names", [["embed"], ["head"]])
def test_a_tied_weight_is_left_out_if_one_of_its_places_is(names):
    model = Encoder(tied=True)
    assert "embed.weight" in names_of(model, weight_decay_groups(model, 0.1)[0])
    groups = weight_decay_groups(model, 0.1, names)
    assert_each_once(model, groups)
    assert "embed.weight" in names_of(model, groups[1])


def test_a_shared_module_counts_once():
    layer = nn.Linear(2, 2)
    model = nn.ModuleList([layer, layer])
    groups = weight_decay_groups(model, 0.1, no_decay_names=["1"])
    assert_each_once(model, groups)
    assert [(g["name"], len(g["params"])) for g in groups] == [("no_decay", 2)]


def test_frozen_parameters_and_empty_groups_are_left_out():
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    model[0].weight.requires_grad_(False)
    groups = weight_decay_groups(model, 0.1)
    assert_each_once(model, groups)
    assert [g["name"] for g in groups] == ["no_decay"]
    assert weight_decay_groups(model.requires_grad_(False), 0.1) == []


def test_only_the_decaying_group_shrinks():
    # With gradients of 0, AdamW's step is its decay alone: θ(1 − lr·λ).
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.AdamW(weight_decay_groups(model, 0.5), lr=0.1)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for name, p in model.named_parameters():
        factor = 0.95 if name == "0.weight" else 1.0
        assert torch.equal(p, before[name] * factor)


def test_lazy_layers_must_know_their_shape():
    model = nn.Sequential(nn.LazyLinear(3))
    with pytest.raises(ValueError, match="model must have been run once, got a lazy LazyLinear without a shape"):
        weight_decay_groups(model, 0.1)
    model(torch.ones(1, 2))
    assert_each_once(model, weight_decay_groups(model, 0.1))


@pytest.mark.parametrize("bad", [-0.1, float("nan")])
def test_weight_decay_out_of_range(bad):
    for call in (lambda m: weight_decay_groups(m, bad), lambda m: layerwise_lr_groups(m, 1, 1, weight_decay=bad)):
        with pytest.raises(ValueError, match=rf"^weight_decay must be >= 0, got {bad}$"):
            call(Encoder())


def test_a_name_that_holds_nothing_is_refused():
    message = r"^'embedd' must name parameters or modules of Encoder, got none of them$"
    model = Encoder()
    for call in (
        lambda: weight_decay_groups(model, 0.1, ["embedd"]),
        lambda: layerwise_lr_groups(model, 1, 0.5, blocks=["embedd"]),
        lambda: layerwise_lr_groups(model, 1, 0.5, weight_decay=0.1, no_decay_names=["embedd"]),
        lambda: discriminative_groups(model, {"embedd": 0.1}, 0.1),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# --- finding blocks


@pytest.mark.parametrize(("name", "depths"), [("resnet18", (2, 2, 2, 2)), ("resnet50", (3, 4, 6, 3))])
def test_resnet_blocks_are_residual_blocks(name, depths):
    with torch.device("meta"):
        model = getattr(torchvision.models, name)(weights=None)
    residual = [f"layer{stage}.{i}" for stage, depth in enumerate(depths, start=1) for i in range(depth)]
    assert find_blocks(model) == {"stem": ["conv1", "bn1"], **{b: [b] for b in residual}, "head": ["fc"]}


def test_vision_transformer_blocks():
    model = torchvision.models.VisionTransformer(
        image_size=8, patch_size=4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8
    )
    blocks = [f"encoder.layers.encoder_layer_{i}" for i in range(2)]
    assert find_blocks(model) == {
        "stem": ["class_token", "conv_proj", "encoder.pos_embedding"],
        **{b: [b] for b in blocks},
        "head": ["encoder.ln", "heads"],
    }


@pytest.mark.parametrize("tied", [False, True])
def test_transformer_encoder_blocks(tied):
    model = Encoder(tied=tied)
    assert list(find_blocks(model)) == ["stem", *(f"encoder.layers.{i}" for i in range(3)), "head"]
    assert find_blocks(model)["stem"] == ["position", "embed"]
    assert find_blocks(model)["head"] == ["encoder.norm", "head"]
    assert list(find_blocks(model.encoder.layers)) == ["0", "1", "2"]


def test_a_sequential_of_blocks_and_blocks_within_blocks():
    def block():
        return nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Sequential(nn.Linear(2, 2), nn.ReLU()))

    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(block(), block()), nn.Linear(2, 1))
    assert find_blocks(model) == {"stem": ["0"], "1.0": ["1.0"], "1.1": ["1.1"], "head": ["2"]}
    assert find_blocks(nn.Sequential(block(), block())) == {"0": ["0"], "1": ["1"]}
    one = nn.Sequential(nn.Sequential(nn.Linear(2, 2)))  # a single layer is no stack
    assert list(find_blocks(nn.ModuleDict({"neck": nn.ModuleDict({"one": one}), "body": model}))) == [
        "stem",
        "body.1.0",
        "body.1.1",
        "head",
    ]


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "Sequential has no stack of blocks"),
        (
            lambda: nn.Transformer(8, 2, 2, 2, 8, batch_first=True),
            r"Transformer has 2 stacks of blocks: \['encoder.layers', 'decoder.layers'\]",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")  # torch's, of its own Transformer
def test_other_models_need_blocks_by_hand(make, found):
    with pytest.raises(ValueError, match=f"^blocks must be given: {found}$"):
        find_blocks(make())
    with pytest.raises(ValueError, match=f"^blocks must be given: {found}$"):
        layerwise_lr_groups(make(), 1.0, 0.5)


def test_layers_of_a_plain_net_are_not_a_resnets_stages():
    model = nn.ModuleDict({f"layer{i}": nn.Sequential(nn.Linear(2, 2), nn.ReLU()) for i in (1, 2)})
    with pytest.raises(ValueError, match="ModuleDict has no stack of blocks"):
        find_blocks(model)


def test_parameters_between_the_blocks_are_refused():
    def stage():
        return nn.Sequential(nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 2)))

    model = nn.ModuleDict({"layer1": stage(), "transition": nn.Linear(2, 2), "layer2": stage()})
    with pytest.raises(ValueError, match=r"\['transition.weight', 'transition.bias'\] belong to none"):
        find_blocks(model)


# --- layer-wise learning rates


def test_resnet_learning_rates(resnet):
    groups = layerwise_lr_groups(resnet, lr=0.1, decay=0.5)
    assert_each_once(resnet, groups)
    assert [g["lr"] for g in groups] == [0.1 * 0.5**power for power in range(9, -1, -1)]
    lr = lr_of(resnet, groups)
    assert lr["fc.weight"] == lr["fc.bias"] == 0.1
    assert lr["layer4.1.conv1.weight"] == lr["layer4.1.bn2.bias"] == 0.05
    assert lr["layer2.0.conv1.weight"] == lr["layer2.0.downsample.1.weight"] == 0.1 * 0.5**6
    assert lr["conv1.weight"] == lr["bn1.weight"] == 0.1 * 0.5**9
    assert all("weight_decay" not in group for group in groups)


def test_stages_by_hand(resnet):
    blocks = [["conv1", "bn1"], "layer1", "layer2", "layer3", "layer4", "fc"]
    groups = layerwise_lr_groups(resnet, 1.0, 0.5, blocks=blocks)
    assert_each_once(resnet, groups)
    assert [(g["name"], g["lr"]) for g in groups] == [
        ("conv1+bn1", 1 / 32),
        ("layer1", 1 / 16),
        ("layer2", 1 / 8),
        ("layer3", 1 / 4),
        ("layer4", 1 / 2),
        ("fc", 1.0),
    ]


def test_a_blocks_two_groups_share_its_learning_rate():
    model = Encoder()
    groups = layerwise_lr_groups(model, 1.0, 0.5, weight_decay=0.1, no_decay_names=["position"])
    assert_each_once(model, groups)
    assert [(g["name"], g["lr"], g["weight_decay"]) for g in groups] == [
        (f"{block}/{part}", 0.5**power, λ)
        for block, power in [("stem", 4), *((f"encoder.layers.{i}", 3 - i) for i in range(3)), ("head", 0)]
        for part, λ in (("decay", 0.1), ("no_decay", 0.0))
    ]
    no_decay = set(names_of(model, weight_decay_groups(model, 0.1, ["position"])[1]))
    assert {name for g in groups if g["weight_decay"] == 0 for name in names_of(model, g)} == no_decay


def test_a_tied_weight_goes_with_its_first_block():
    model = Encoder(tied=True)
    groups = layerwise_lr_groups(model, 1.0, 0.5)
    assert_each_once(model, groups)
    lr = lr_of(model, groups)
    assert lr["embed.weight"] == 0.5**4
    assert lr["head.bias"] == 1.0
    backwards = layerwise_lr_groups(model, 1.0, 0.5, blocks=["head", ["position", "encoder"], "embed"])
    assert lr_of(model, backwards)["embed.weight"] == 0.25


def test_freezing_a_block_changes_no_other_learning_rate(resnet):
    model = copy.deepcopy(resnet)
    model.layer2.requires_grad_(False)
    model.fc.requires_grad_(False)
    groups = layerwise_lr_groups(model, 0.1, 0.5)
    assert_each_once(model, groups)
    everything = lr_of(resnet, layerwise_lr_groups(resnet, 0.1, 0.5))
    for name, lr in lr_of(model, groups).items():
        assert lr == everything[name]


def test_without_a_head_the_last_block_learns_at_the_full_rate():
    model = Encoder().encoder
    model.norm = None
    assert [g["lr"] for g in layerwise_lr_groups(model, 1.0, 0.5)] == [0.25, 0.5, 1.0]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.floats(0, 10), st.floats(0.1, 1.0))
def test_one_power_per_block(depth, lr, decay):
    model = nn.ModuleList([nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)) for _ in range(depth)])
    groups = layerwise_lr_groups(model, lr, decay, blocks=[str(i) for i in range(depth)])
    assert [g["lr"] for g in groups] == [lr * decay ** (depth - 1 - k) for k in range(depth)]
    assert [len(g["params"]) for g in groups] == [4] * depth


def test_parameters_without_a_block_are_listed():
    model = Encoder(depth=1)
    with pytest.raises(
        ValueError,
        match=r"^blocks must hold every trainable parameter, got none for position, encoder.norm.weight, "
        r"encoder.norm.bias$",
    ):
        layerwise_lr_groups(model, 1.0, 0.5, blocks=["embed", "encoder.layers", "head"])
    model.position.requires_grad_(False)
    model.encoder.norm.requires_grad_(False)
    assert_each_once(model, layerwise_lr_groups(model, 1.0, 0.5, blocks=["embed", "encoder.layers", "head"]))


def test_overlapping_blocks_are_refused(resnet):
    with pytest.raises(ValueError, match=r"^blocks must not overlap, got layer1.0.conv1.weight in 'layer1' and "):
        layerwise_lr_groups(resnet, 1.0, 0.5, blocks=["conv1", "bn1", "layer1", "layer*", "fc"])
    with pytest.raises(ValueError, match=r"^blocks must differ, got \[\['conv1'\], \['conv1'\]\]$"):
        layerwise_lr_groups(resnet, 1.0, 0.5, blocks=["conv1", ["conv1"]])


@pytest.mark.parametrize("bad", [0, -0.5, 1.1, float("nan")])
def test_decay_out_of_range(bad):
    with pytest.raises(ValueError, match=rf"^decay must be in \(0, 1\], got {bad}$"):
        layerwise_lr_groups(Encoder(), 1.0, bad)


@pytest.mark.parametrize("bad", [-1, float("nan")])
def test_learning_rates_out_of_range(bad):
    model = Encoder()
    with pytest.raises(ValueError, match=rf"^lr must be >= 0, got {bad}$"):
        layerwise_lr_groups(model, bad, 0.5)
    with pytest.raises(ValueError, match=rf"^lrs\['head'\] must be >= 0, got {bad}$"):
        discriminative_groups(model, {"head": bad}, 0.1)
    with pytest.raises(ValueError, match=rf"^default_lr must be >= 0, got {bad}$"):
        discriminative_groups(model, {"head": 0.1}, bad)


@pytest.mark.parametrize("options", [{"no_decay_names": ["embed"]}, {"no_decay_types": (nn.Embedding,)}])
def test_what_not_to_decay_needs_a_decay(options):
    with pytest.raises(
        ValueError, match=r"^weight_decay must be given with no_decay_names or no_decay_types, got None$"
    ):
        layerwise_lr_groups(Encoder(), 1.0, 0.5, **options)


# --- discriminative learning rates


def test_the_longest_name_wins(resnet):
    groups = discriminative_groups(resnet, {"layer4": 0.1, "layer4.1": 0.2, "layer4.*.bn1": 0.3, "fc": 1.0}, 0.01)
    assert_each_once(resnet, groups)
    assert [g["name"] for g in groups] == ["layer4", "layer4.1", "layer4.*.bn1", "fc", "default"]
    lr = lr_of(resnet, groups)
    assert lr["layer4.0.conv1.weight"] == 0.1
    assert lr["layer4.1.conv1.weight"] == 0.2
    assert lr["layer4.1.bn1.weight"] == lr["layer4.0.bn1.bias"] == 0.3
    assert lr["fc.bias"] == 1.0
    assert lr["conv1.weight"] == 0.01


def test_parameters_without_a_learning_rate_are_listed():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with pytest.raises(
        ValueError,
        match=r"^lrs must hold every trainable parameter, or default_lr be given, got none for 1.weight, 1.bias$",
    ):
        discriminative_groups(model, {"0": 0.1})
    assert_each_once(model, discriminative_groups(model, {"0": 0.1, "1": 0.2}))


def test_a_name_that_another_outdoes_makes_no_group():
    model = nn.Sequential(nn.Linear(2, 2))
    groups = discriminative_groups(model, {"0": 0.1, "0.weight": 0.2, "0.bias": 0.3})
    assert_each_once(model, groups)
    assert [(g["name"], g["lr"]) for g in groups] == [("0.weight", 0.2), ("0.bias", 0.3)]


def test_training_moves_each_part_at_its_own_rate():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = copy.deepcopy(model.state_dict())
    optimizer = SGD(discriminative_groups(model, {"1": 0.5}, default_lr=0.25))
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    for name, p in model.named_parameters():
        assert torch.equal(p, before[name] - (0.5 if name.startswith("1") else 0.25))


# --- the table


def test_the_table_of_an_optimizer_shows_its_own_options():
    model = nn.Linear(100, 20)
    optimizer = torch.optim.SGD(
        [{"params": model.weight, "name": "w"}, {"params": [model.bias], "lr": torch.tensor(0.5)}]
    )
    assert describe_groups(optimizer).splitlines() == [
        "group  tensors  parameters     lr  weight decay",
        "w            1       2,000  0.001             0",
        "1            1          20    0.5             0",
    ]
    assert describe_groups([{"params": model.weight}]).splitlines()[1] == "0            1       2,000   –             –"


def test_the_table_counts_every_parameter(resnet):
    rows = describe_groups(layerwise_lr_groups(resnet, 0.1, 0.75)).splitlines()[1:]
    assert sum(int(row.split()[2].replace(",", "")) for row in rows) == sum(p.numel() for p in resnet.parameters())
