"""Monitoring: right numbers, the right culprit, and no trace of having watched."""

import copy
import gc
import json
import math
import weakref
from dataclasses import dataclass

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.checkpoint import checkpoint

from trainloop.clip import clip_grad_norm_, total_norm
from trainloop.monitor import (
    DeadUnits,
    Monitor,
    NonFiniteError,
    NonFiniteWatch,
    UpdateRatios,
    dead_units,
    grad_norms,
)
from trainloop.optim import SGD, Adam

nan, inf = math.nan, math.inf


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.3), nn.Flatten(), nn.Linear(64, 3)
    ).double()


X = torch.randn(5, 1, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def hooks_of(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules())


# --- grad_norms


def test_grad_norms_per_parameter_and_per_layer():
    model = make_model()
    model(X).square().sum().backward()
    norms = grad_norms(model)
    assert list(norms) == [name for name, _ in model.named_parameters()]
    for name, p in model.named_parameters():
        assert norms[name] == p.grad.norm().item()
    layers = grad_norms(model, by="layer")
    assert list(layers) == ["0", "1", "5"]
    for name, norm in layers.items():
        whole = torch.cat([p.grad.flatten() for p in model.get_submodule(name).parameters()])
        assert norm == pytest.approx(whole.norm().item(), rel=1e-14)
    assert math.hypot(*layers.values()) == pytest.approx(
        total_norm([p.grad for p in model.parameters()]).item(), rel=1e-14
    )


def test_grad_norms_leave_out_what_has_no_gradient_and_count_tied_weights_once():
    model = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)})
    assert grad_norms(model) == {} == grad_norms(model, by="layer")
    model["b"].weight = model["a"].weight
    model["b"].weight.sum().backward()
    assert grad_norms(model) == {"a.weight": 3.0}
    assert grad_norms(model, by="layer") == {"a": 3.0}


def test_grad_norms_of_what_the_model_itself_holds():
    model = nn.Linear(2, 1)
    model(torch.ones(1, 2)).sum().backward()
    assert grad_norms(model, by="layer") == {"(model)": pytest.approx(math.sqrt(3))}


@pytest.mark.parametrize(("bad", "layer"), [(nan, nan), (inf, inf)])
def test_grad_norms_show_what_is_not_finite(bad, layer):
    model = nn.Linear(2, 1)
    model.weight.grad = torch.tensor([[bad, 1.0]])
    model.bias.grad = torch.tensor([inf])
    assert repr(grad_norms(model)) == repr({"weight": bad, "bias": inf})
    assert repr(grad_norms(model, by="layer")) == repr({"(model)": layer})


def test_half_precision_norms_do_not_overflow():
    model = nn.Linear(4, 1, bias=False).half()
    model.weight.grad = torch.full((1, 4), 60000.0, dtype=torch.float16)
    assert grad_norms(model) == {"weight": pytest.approx(120000.0, rel=1e-3)}


def test_grad_norms_by_something_else():
    with pytest.raises(ValueError, match=r"^by must be 'parameter' or 'layer', got 'block'$"):
        grad_norms(nn.Linear(1, 1), by="block")


# --- UpdateRatios


@pytest.mark.parametrize("optimizer_class", [SGD, Adam, torch.optim.AdamW])
def test_update_ratios_are_those_computed_by_hand(optimizer_class):
    model = make_model()
    optimizer = optimizer_class(model.parameters(), lr=0.01)
    with UpdateRatios(model, optimizer) as watch:
        assert watch.ratios == {}
        for _ in range(3):
            optimizer.zero_grad()
            model(X).square().mean().backward()
            before = {name: p.detach().clone() for name, p in model.named_parameters()}
            optimizer.step()
            for name, p in model.named_parameters():
                if name == "1.bias" and before[name].norm() == 0:
                    assert name not in watch.ratios  # starts at 0
                else:
                    expected = ((p - before[name]).norm() / before[name].norm()).item()
                    assert watch.ratios[name] == pytest.approx(expected, rel=1e-14)
    assert len(watch.ratios) == 6


def test_update_ratios_of_parameters_that_stay_or_are_not_the_optimizers():
    model = nn.ModuleDict({"moved": nn.Linear(2, 2), "kept": nn.Linear(2, 2), "other": nn.Linear(2, 2)})
    foreign = torch.ones(2, requires_grad=True)
    optimizer = SGD([*model["moved"].parameters(), *model["kept"].parameters(), foreign], lr=0.1)
    with UpdateRatios(model, optimizer) as watch:
        model["moved"](torch.ones(1, 2)).sum().backward()
        optimizer.step()
    assert list(watch.ratios) == ["moved.weight", "moved.bias", "kept.weight", "kept.bias"]
    assert watch.ratios["moved.weight"] > 0
    assert watch.ratios["kept.weight"] == 0.0


def test_update_ratios_take_their_hooks_out():
    model = make_model()
    optimizer = SGD(model.parameters(), lr=0.01)
    with pytest.raises(ZeroDivisionError), UpdateRatios(model, optimizer) as watch:
        raise ZeroDivisionError
    model(X).sum().backward()
    optimizer.step()
    assert watch.ratios == {}
    with watch:  # and it can be used again
        optimizer.step()
        with pytest.raises(RuntimeError, match="this UpdateRatios is in use"):
            watch.__enter__()
    assert watch.ratios


def test_update_ratios_follow_the_steps_a_scaler_takes():
    model = nn.Linear(2, 1, bias=False)
    optimizer = SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    with UpdateRatios(model, optimizer) as watch:
        for factor, expected in ((inf, False), (1.0, True)):
            optimizer.zero_grad()
            scaler.scale(model(torch.ones(1, 2)).sum() * factor).backward()
            scaler.step(optimizer)
            scaler.update()
            assert bool(watch.ratios) is expected


def test_update_ratios_by_hand_need_a_beginning():
    model = nn.Linear(2, 1)
    with pytest.raises(RuntimeError, match="call before_step before"):
        UpdateRatios(model, SGD(model.parameters())).after_step()


# --- DeadUnits


def test_dead_units_are_counted_over_the_whole_period():
    model = nn.Sequential(nn.Linear(1, 4), nn.ReLU())
    model.load_state_dict(
        {"0.weight": torch.tensor([[1.0], [-1.0], [0.0], [0.0]]), "0.bias": torch.tensor([0, 0, 0, 1.0])}
    )
    watch = DeadUnits(model)
    assert watch.fractions() == {} == watch.units()
    with watch:
        model(torch.tensor([[1.0], [2.0]]))
        assert watch.units() == {"1": [1, 2]}
        assert watch.fractions() == {"1": 0.5}
        model(torch.tensor([[-1.0]]))
        assert watch.units() == {"1": [2]}
        watch.reset()
        assert watch.units() == {}
        model(torch.tensor([[-1.0], [nan]]))
        assert watch.units() == {"1": [0, 2]}
    model(torch.tensor([[1.0]]))  # no longer watched
    assert watch.fractions() == {"1": 0.5}
    assert hooks_of(model) == 0


@pytest.mark.parametrize(
    ("shape", "unit_dim", "units"),
    [
        ((3,), None, 3),
        ((2, 3), None, 3),
        ((2, 5, 3), None, 3),
        ((2, 3, 5), 1, 3),
        ((2, 3, 4, 4), None, 3),
        ((0, 3), None, 3),
    ],
)
def test_which_dimension_counts_the_units(shape, unit_dim, units):
    model = nn.ReLU()
    x = torch.full(shape, -1.0)
    if x.numel():
        x.movedim(-1 if unit_dim is None and x.ndim < 4 else 1, 0)[1] = 1.0
    with DeadUnits(model, unit_dim=unit_dim) as watch:
        model(x)
    assert watch.units() == {"(model)": [0, 2] if x.numel() else [0, 1, 2]}


def test_a_module_used_twice_counts_per_use():
    block = torchvision.models.resnet.Bottleneck(8, 2)  # one relu, with two narrow uses and a wide one
    with DeadUnits(nn.Sequential(block, nn.ReLU())) as watch:
        for _ in range(2):
            watch._model(torch.randn(2, 8, 4, 4))
    assert {name: len(fired) for name, fired in watch._fired.items()} == {
        "0.relu": 2,
        "0.relu#2": 2,
        "0.relu#3": 8,
        "1": 8,
    }


def test_dead_units_by_another_class_and_threshold():
    model = nn.Sequential(nn.Identity(), nn.Tanh())
    with DeadUnits(model, (nn.Tanh,), threshold=0.9) as watch:
        model(torch.tensor([[0.5, 5.0]]))
    assert watch.units() == {"1": [0]}
    with pytest.raises(ValueError, match=r"^types must name layers of Sequential, got .*ReLU.*: it has none of them$"):
        DeadUnits(model)


def test_a_changing_number_of_units_is_refused():
    model = nn.ReLU()
    with (
        DeadUnits(model, unit_dim=1) as watch,
        pytest.raises(ValueError, match=r"^unit_dim must count the units, got 7 and then 9 in \(model\)$"),
    ):
        model(torch.ones(2, 7, 4))
        model(torch.ones(2, 9, 4))
    assert watch.fractions() == {"(model)": 0.0}


def test_dead_units_of_a_model_over_data():
    model = make_model()
    with torch.no_grad():
        model[1].bias[2] = -100.0  # this channel never fires
    model[3].eval()
    before = copy.deepcopy(model.state_dict())
    expected = {"2": 0.25}
    assert dead_units(model, [X, X]) == expected
    assert dead_units(model, [(X, torch.zeros(5))]) == expected
    assert dead_units(model, iter([[X]])) == expected
    assert [m.training for m in model] == [True, True, True, False, True, True]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert hooks_of(model) == 0
    with pytest.raises(ValueError, match="types must name layers"):
        dead_units(model, [X], (nn.ReLU6,))
    assert model.training


# --- NonFiniteWatch


class Apply(nn.Module):
    """Applies a function."""

    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, *args, **kwargs):
        return self.f(*args, **kwargs)


class BadBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * nan


def caught(model, x, loss=lambda out: out.sum(), **kwargs):
    with pytest.raises(NonFiniteError) as info, NonFiniteWatch(model) as watch:
        loss(model(x, **kwargs)).backward()
    assert watch.found == [info.value.found]
    assert str(info.value) == str(watch.found[0])
    assert hooks_of(model) == 0
    return info.value.found


def net(f, *more):
    """A linear layer, a function in the middle of a block, another linear layer."""
    torch.manual_seed(0)
    block = nn.Sequential(nn.Identity(), Apply(f))
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), block, nn.Linear(4, 2), *more)


def test_a_clean_run_finds_nothing_and_changes_nothing():
    plain, watched = make_model(), make_model()
    for model in (plain, watched):
        optimizer = Adam(model.parameters(), lr=0.01)
        torch.manual_seed(3)
        watch = NonFiniteWatch(model) if model is watched else None
        for _ in range(4):
            optimizer.zero_grad()
            if watch:
                with watch:
                    model(X).square().mean().backward()
            else:
                model(X).square().mean().backward()
            optimizer.step()
    assert watch.found == []
    for p, q in zip(plain.parameters(), watched.parameters(), strict=True):
        assert torch.equal(p, q)
        assert torch.equal(p.grad, q.grad)
    assert hooks_of(watched) == 0


@pytest.mark.parametrize(("bad", "nans", "infs"), [(nan, 5, 0), (inf, 0, 5), (-inf, 0, 5)])
def test_output(bad, nans, infs):
    def spoil(h):
        h = h.clone()
        h[:, 1] = bad
        return h

    found = caught(net(spoil), torch.randn(5, 3))
    assert (found.module, found.module_class, found.where, found.detail) == ("2.1", "Apply", "output", "output")
    assert (found.nans, found.infs, found.shape, found.step) == (nans, infs, (5, 4), 0)
    assert str(found) == (
        f"step 0: {nans} NaN and {infs} infinite of 20 values in the output of 2.1 (Apply): output, shape (5, 4)"
    )


def test_input_data():
    x = torch.randn(5, 3)
    x[2, 1] = nan
    found = caught(net(torch.tanh), x)
    assert (found.module, found.where, found.detail) == ("0", "input", "input[0]")
    assert (found.nans, found.infs, found.shape) == (1, 0, (5, 3))


def test_input_from_code_between_the_modules():
    class Between(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.two(self.one(x) / 0)

    found = caught(Between(), torch.ones(1, 2))
    assert (found.module, found.where) == ("two", "input")


def test_output_of_code_behind_the_last_module_is_the_enclosing_modules():
    class Behind(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(2, 2)

        def forward(self, x):
            return {"logits": self.one(x) / 0}

    found = caught(nn.Sequential(Behind()), torch.ones(1, 2), lambda out: out["logits"].sum())
    assert (found.module, found.module_class, found.where) == ("0", "Behind", "output")
    assert found.detail == "output['logits']"


def test_parameter():
    model = net(torch.tanh)
    with torch.no_grad():
        model[3].weight[0, 1] = nan
    found = caught(model, torch.randn(5, 3))
    assert (found.module, found.module_class, found.where, found.detail) == ("3", "Linear", "parameter", "weight")
    assert (found.nans, found.shape) == (1, (2, 4))


def test_parameter_of_a_layer_that_is_not_called_itself():
    model = nn.Sequential(nn.Linear(4, 4), nn.TransformerEncoderLayer(4, 2, 8, batch_first=True))
    with torch.no_grad():
        model[1].self_attn.out_proj.weight[0, 0] = inf  # attention reads it without calling out_proj
    found = caught(model, torch.randn(2, 3, 4))
    assert (found.module, found.where, found.detail) == ("1.self_attn", "parameter", "out_proj.weight")


def test_parameter_of_an_enclosing_module():
    model = torchvision.models.VisionTransformer(
        image_size=8, patch_size=4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8
    )
    with torch.no_grad():
        model.encoder.pos_embedding[0, 1, 2] = nan
    found = caught(model, torch.randn(2, 3, 8, 8))
    assert (found.module, found.where, found.detail) == ("encoder", "parameter", "pos_embedding")


@pytest.mark.parametrize("inplace", [False, True])
def test_gradient_made_by_a_module(inplace):
    # sqrt has an infinite slope at 0: the forward pass is finite, the gradient is not.
    model = net(lambda h: (h.mul_(0) if inplace else h * 0).sqrt())
    found = caught(model, torch.randn(5, 3))
    assert (found.module, found.where, found.detail) == ("2.1", "gradient", "SqrtBackward0")
    assert found.infs + found.nans > 0
    assert found.shape == (5, 4)


def test_gradient_made_by_a_function_of_ones_own():
    found = caught(net(BadBackward.apply), torch.randn(5, 3))
    assert (found.module, found.where, found.detail) == ("2.1", "gradient", "BadBackwardBackward")
    assert (found.nans, found.infs) == (20, 0)


def test_gradient_made_between_modules_is_the_enclosing_modules():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            return x + self.two((self.one(x) * 0).sqrt())

    found = caught(nn.Sequential(nn.Linear(3, 3), Block()), torch.ones(2, 3))
    assert (found.module, found.module_class, found.where, found.detail) == ("1", "Block", "gradient", "SqrtBackward0")


def test_gradient_beside_a_residual_connection():
    # Three consumers of one tensor: the sum of their gradients is bad, one of them made it so.
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k, self.v = nn.Linear(3, 3), Apply(BadBackward.apply), nn.Linear(3, 3)

        def forward(self, x):
            return self.q(x) + self.k(x) + self.v(x)

    found = caught(nn.Sequential(nn.Linear(3, 3), Branches()), torch.ones(2, 3))
    assert (found.module, found.where) == ("1.k", "gradient")


def test_gradient_of_a_weight():
    # In float16 the gradients of the outputs fit, their sum over the batch does not.
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).half()
    x = torch.ones(8, 2, dtype=torch.float16)
    found = caught(model, x, lambda out: (out.float() * 3e4).sum())
    assert (found.module, found.where, found.detail) == ("1", "gradient", "AddmmBackward0")
    assert found.infs > 0


@pytest.mark.parametrize("factor", [nan, inf])
def test_gradient_that_the_loss_sends(factor):
    found = caught(net(torch.tanh), torch.randn(5, 3), lambda out: (out * factor).sum())
    assert (found.module, found.module_class, found.where) == ("(model)", "Sequential", "gradient of output")
    assert found.detail == "output"


def test_gradient_that_an_auxiliary_loss_sends():
    hidden = []
    model = net(lambda h: hidden.append(h * 2) or hidden[-1])
    found = caught(model, torch.randn(5, 3), lambda out: (hidden[-1] * nan).sum())
    assert (found.module, found.where, found.detail) == ("2.1", "gradient of output", "MulBackward0")


def test_the_graph_behind_the_models_input_is_not_the_models():
    generator = nn.Linear(2, 3)
    fake = BadBackward.apply(generator(torch.ones(4, 2)))
    model = net(torch.tanh)
    with NonFiniteWatch(model) as watch:
        model(fake).sum().backward()
    assert watch.found == []
    assert generator.weight.grad.isnan().all()


@dataclass
class Output:
    logits: torch.Tensor
    extra: tuple


@pytest.mark.parametrize(
    ("wrap", "first", "detail"),
    [
        (lambda h: (h, [h / 0]), lambda out: out[0], "output[1][0]"),
        (lambda h: {"a": h, "b": (h / 0,)}, lambda out: out["a"], "output['b'][0]"),
        (lambda h: Output(h, (None, 3, "x", h / 0)), lambda out: out.logits, "output.extra[3]"),
        (lambda h: (torch.tensor([1, 2]), h / 0), lambda out: out[1], "output[1]"),
    ],
)
def test_outputs_in_containers(wrap, first, detail):
    found = caught(nn.Sequential(nn.Linear(3, 3), Apply(wrap)), torch.ones(2, 3), lambda out: first(out).sum())
    assert (found.module, found.where, found.detail) == ("1", "output", detail)


def test_modules_that_return_containers_are_watched_backward():
    model = nn.Sequential(nn.LSTM(3, 4, batch_first=True), Apply(lambda out: {"h": BadBackward.apply(out[0])}))
    found = caught(model, torch.randn(2, 5, 3), lambda out: out["h"].sum())
    assert (found.module, found.where) == ("1", "gradient")


def test_inputs_by_keyword():
    model = Apply(lambda *, x: x + 1)
    with pytest.raises(NonFiniteError) as info, NonFiniteWatch(model):
        model(x=torch.tensor([nan]))
    assert (info.value.found.where, info.value.found.detail) == ("input", "input['x']")


def test_a_shared_module_goes_by_its_first_name():
    shared = Apply(lambda h: h.log())
    model = nn.Sequential(nn.Identity(), shared, nn.Identity(), shared)
    found = caught(model, torch.full((1, 1), 0.5, requires_grad=True))  # the log of a log of .5
    assert (found.module, found.where, found.nans) == ("1", "output", 1)


def test_an_in_place_module_is_not_excused_by_its_input():
    model = nn.Sequential(nn.Linear(2, 2), Apply(lambda h: h.mul_(0).log_()))
    found = caught(model, torch.ones(1, 2))
    assert (found.module, found.where) == ("1", "output")


def test_sparse_gradients():
    model = nn.Sequential(nn.Embedding(10, 3, sparse=True), nn.Identity())
    with NonFiniteWatch(model) as watch:
        (model(torch.tensor([1, 5, 2])) * 3e38).sum().backward()  # their sum would overflow
    assert model[0].weight.grad.is_sparse
    assert watch.found == []
    # Row 1 is used twice, and its two gradients add up to more than float32 holds.
    found = caught(model, torch.tensor([1, 1, 2]), lambda out: (out * 3e38).sum())
    assert (found.module, found.where, found.detail) == ("0", "gradient", "EmbeddingBackward0")
    assert (found.nans, found.infs, found.shape) == (0, 3, (10, 3))


def test_a_large_sum_is_not_an_infinity():
    model = nn.Sequential(Apply(lambda x: x * 1.0))
    with NonFiniteWatch(model) as watch:
        out = model(torch.full((10,), 3e38))
    assert not out.sum().isfinite()
    assert watch.found == []


def test_complex_values():
    found = caught(Apply(lambda x: x * complex(0, inf)), torch.tensor([1 + 1j]), lambda out: out.abs().sum())
    assert found.where == "output"


def test_recording_notes_one_find_per_pass_and_goes_on():
    model = net(BadBackward.apply)
    with NonFiniteWatch(model, raises=False) as watch:
        for bad in (False, True, False):
            x = torch.full((5, 3), nan if bad else 1.0)
            model(x).sum().backward()
    assert [(f.step, f.module, f.where) for f in watch.found] == [
        (0, "2.1", "gradient"),
        (1, "0", "input"),
        (2, "2.1", "gradient"),
    ]
    assert all(p.grad is not None for p in model.parameters())


def test_no_grad_and_inference_mode():
    model = net(lambda h: h / 0)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode(), pytest.raises(NonFiniteError) as info, NonFiniteWatch(model):
            model(torch.ones(5, 3))
        assert info.value.found.module == "2.1"


def test_a_watch_ends_with_its_block():
    model = net(BadBackward.apply)
    with NonFiniteWatch(model) as watch:
        loss = model(torch.ones(1, 3)).sum()
    loss.backward()  # its graph still holds hooks, and they keep quiet
    assert watch.found == []
    with pytest.raises(ZeroDivisionError), watch:
        raise ZeroDivisionError
    assert hooks_of(model) == 0


def fail(h):
    raise ZeroDivisionError


def test_a_module_that_catches_an_error_is_itself_again():
    class Catching(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(Apply(fail))

        def forward(self, x):
            try:
                return self.inner(x)
            except ZeroDivisionError:
                return x / 0

    found = caught(nn.Sequential(Catching(), nn.Identity()), torch.ones(2))
    assert (found.module, found.where) == ("0", "output")


def test_a_pass_that_ended_in_an_error_leaves_nothing_behind():
    model = nn.Sequential(nn.Sequential(Apply(fail)))
    with NonFiniteWatch(model) as watch:
        with pytest.raises(ZeroDivisionError):
            model(torch.ones(2))
        model[0][0].f = torch.tanh
        behind = BadBackward.apply(torch.ones(2, requires_grad=True))
        model(behind).sum().backward()  # bad, but behind the model's input
        assert watch.found == []
        with pytest.raises(NonFiniteError):
            model(torch.tensor([nan]))
    assert (watch.found[0].module, watch.found[0].where, watch.found[0].step) == ("0.0", "input", 2)


def test_checkpointed_blocks_are_watched():
    class Checkpointed(nn.Module):
        def __init__(self, f):
            super().__init__()
            self.first = nn.Linear(3, 3)
            self.block = nn.Sequential(nn.Linear(3, 3), Apply(f))

        def forward(self, x):
            return checkpoint(self.block, self.first(x), use_reentrant=False)

    with NonFiniteWatch(Checkpointed(torch.tanh)) as watch:
        watch._model(torch.ones(2, 3)).sum().backward()
    assert watch.found == []
    assert caught(Checkpointed(BadBackward.apply), torch.ones(2, 3)).module == "block.1"


def test_a_watch_keeps_no_graph_alive():
    model = net(torch.tanh)
    with NonFiniteWatch(model):
        out = model(torch.ones(1, 3))
        alive = weakref.ref(out)
        del out
        gc.collect()
        assert alive() is None


# --- Monitor


def train(model, optimizer, monitor, steps, clip=None):
    """A loop as a reader would write it; returns what a record should hold."""
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    expected = []
    for _ in range(steps):
        loss = model(X).square().mean()
        optimizer.zero_grad()
        loss.backward()
        norm = total_norm([p.grad for p in model.parameters()]).item()
        given = None if clip is None else clip_grad_norm_(model.parameters(), clip)
        lrs = [group["lr"] for group in optimizer.param_groups]
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        if monitor:
            monitor.before_step(given)
        optimizer.step()
        scheduler.step()
        if monitor:
            monitor.after_step(loss, samples=5)
        ratios = {
            name: ((p - before[name]).norm() / before[name].norm()).item()
            for name, p in model.named_parameters()
            if before[name].norm() > 0
        }
        expected.append({"loss": loss.item(), "lr": lrs, "grad_norm": norm, "update_ratios": ratios})
    return expected


@pytest.mark.parametrize("clip", [None, 1e-3])
def test_records_hold_the_numbers_of_each_step(clip):
    model = make_model()
    optimizer = SGD([{"params": model[:5].parameters()}, {"params": model[5].parameters(), "lr": 0.1}], lr=0.01)
    times = iter([10.0, 10.5, 12.5, 12.75])
    monitor = Monitor(model, optimizer, clock=lambda: next(times))
    expected = train(model, optimizer, monitor, 3, clip)
    assert monitor.column("step") == [0, 1, 2]
    for key in ("loss", "lr", "grad_norm"):
        assert monitor.column(key) == [row[key] for row in expected]
    for ratios, row in zip(monitor.column("update_ratios"), expected, strict=True):
        assert ratios == pytest.approx(row["update_ratios"], rel=1e-13)
    assert monitor.column("lr") == [[0.01, 0.1], [0.005, 0.05], [0.0025, 0.025]]
    assert monitor.column("samples_per_second") == [10.0, 2.5, 20.0]
    assert json.loads(json.dumps(monitor.records)) == monitor.records


def test_watching_changes_nothing():
    results = []
    for watched in (False, True):
        model = make_model()
        optimizer = Adam(model.parameters(), lr=0.01)
        torch.manual_seed(5)
        train(model, optimizer, Monitor(model, optimizer) if watched else None, 5)
        results.append([p.detach().clone() for p in model.parameters()])
    for p, q in zip(*results, strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize(("every", "measured"), [(0, []), (1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (10, [0])])
def test_ratios_in_every_so_many_steps(every, measured):
    model = make_model()
    optimizer = SGD(model.parameters(), lr=0.01)
    monitor = Monitor(model, optimizer, ratios_every=every)
    train(model, optimizer, monitor, 5)
    assert [r["step"] for r in monitor.records if r["update_ratios"] is not None] == measured


def test_numbers_may_come_as_numbers_or_not_at_all():
    model = nn.Linear(1, 1)
    optimizer = SGD(model.parameters(), lr=torch.tensor(0.5))
    times = iter([1.0, 1.0, 3.0, 8.0, 9.0])
    monitor = Monitor(model, optimizer, clock=lambda: next(times))
    monitor.before_step()  # no gradients yet
    monitor.after_step(nan, samples=4)  # at the same tick of the clock
    monitor.before_step(grad_norm=inf)
    monitor.after_step(torch.tensor(2.0))
    monitor.restart_clock()
    monitor.before_step(torch.tensor(3.0))
    monitor.after_step(2, samples=4)
    assert repr(monitor.column("loss")) == "[nan, 2.0, 2.0]"
    assert monitor.column("grad_norm") == [0.0, inf, 3.0]
    assert monitor.column("lr") == [[0.5]] * 3
    assert monitor.column("samples_per_second") == [inf, None, 4.0]
    assert repr(json.loads(json.dumps(monitor.records))) == repr(monitor.records)


def test_a_step_has_a_beginning_and_an_end():
    model = nn.Linear(1, 1)
    monitor = Monitor(model, SGD(model.parameters()))
    with pytest.raises(RuntimeError, match="call before_step before"):
        monitor.after_step(1.0)
    monitor.before_step()
    monitor.after_step(1.0)
    with pytest.raises(RuntimeError, match="call before_step before"):
        monitor.after_step(1.0)


def test_ratios_every_must_not_be_negative():
    model = nn.Linear(1, 1)
    with pytest.raises(ValueError, match=r"^ratios_every must be >= 0, got -1$"):
        Monitor(model, SGD(model.parameters()), ratios_every=-1)
