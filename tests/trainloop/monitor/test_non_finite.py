"""The first NaN or infinity: the right culprit, and no trace of having watched."""

import gc
import math
import weakref
from dataclasses import dataclass

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.checkpoint import checkpoint
from watched_model import X, hooks_of, make_model

from trainloop.monitor import NonFiniteError, NonFiniteWatch
from trainloop.optim import Adam

nan, inf = math.nan, math.inf


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
