"""Initialisers: torch's values to the bit, the formulas' variances, and layers of unit variance."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trainloop import init
from trainloop.init import (
    constant_,
    fan_in_and_out,
    gain,
    kaiming_normal_,
    kaiming_uniform_,
    lsuv_,
    orthogonal_,
    xavier_normal_,
    xavier_uniform_,
)

SHAPES = [(3, 5), (5, 3), (4, 4), (1, 7), (16, 3, 3, 3), (2, 8, 5), (6, 2, 3, 3, 3)]
NONLINEARITIES = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"]


def same_as_torch(ours, theirs, shape, dtype, **options):
    """Run both under a generator and under the global seed; weights require gradients, as in a layer."""
    for generator in (True, False):
        filled = []
        for fill in (ours, theirs):
            weight = torch.zeros(shape, dtype=dtype, requires_grad=True)
            torch.manual_seed(7)
            source = {"generator": torch.Generator().manual_seed(7)} if generator else {}
            assert fill(weight, **options, **source) is weight
            assert weight.requires_grad and weight.grad_fn is None
            filled.append((weight.detach(), torch.rand(()) if not generator else torch.rand((), **source)))
        (a, after_a), (b, after_b) = filled
        assert torch.equal(a, b)
        assert torch.equal(after_a, after_b)  # as many numbers drawn


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
class TestBitwiseEqualToTorch:
    @pytest.mark.parametrize("name", ["xavier_uniform_", "xavier_normal_", "orthogonal_"])
    @pytest.mark.parametrize("gain", [1.0, 5 / 3])
    def test_gain(self, name, gain, shape, dtype):
        same_as_torch(getattr(init, name), getattr(nn.init, name), shape, dtype, gain=gain)

    @pytest.mark.parametrize("name", ["kaiming_uniform_", "kaiming_normal_"])
    @pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
    def test_kaiming(self, name, mode, shape, dtype):
        ours, theirs = getattr(init, name), getattr(nn.init, name)
        for nonlinearity in NONLINEARITIES:
            same_as_torch(ours, theirs, shape, dtype, mode=mode, nonlinearity=nonlinearity, a=0.2)
        same_as_torch(ours, theirs, shape, dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"])
def test_half_precision_too(name, dtype):
    same_as_torch(getattr(init, name), getattr(nn.init, name), (8, 16), dtype)


@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
@pytest.mark.parametrize("a", [0, 0.01, 0.5, 3])
def test_gain_is_torchs(nonlinearity, a):
    assert gain(nonlinearity, a) == nn.init.calculate_gain(nonlinearity, a)
    assert gain(nonlinearity) == nn.init.calculate_gain(nonlinearity)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=5))
def test_fans_are_torchs(shape):
    weight = torch.empty(shape)
    assert fan_in_and_out(weight) == nn.init._calculate_fan_in_and_fan_out(weight)


def test_fans_count_connections():
    # Each output of a convolution sees fan_in numbers; each input, away from the border, reaches fan_out.
    layer = nn.Conv2d(3, 4, 5, padding=2, bias=False)
    constant_(layer.weight, 1.0)
    fan_in, fan_out = fan_in_and_out(layer.weight)
    assert layer(torch.ones(1, 3, 9, 9))[0, 0, 4, 4].item() == fan_in
    x = torch.zeros(1, 3, 9, 9)
    x[0, 1, 4, 4] = 1
    assert layer(x).sum().item() == fan_out


@pytest.mark.parametrize(
    ("fill", "std"),
    [
        (lambda w: xavier_uniform_(w, 2.0), 2 * math.sqrt(2 / 1200)),
        (lambda w: xavier_normal_(w, 2.0), 2 * math.sqrt(2 / 1200)),
        (lambda w: kaiming_uniform_(w, nonlinearity="relu"), math.sqrt(2 / 800)),
        (lambda w: kaiming_normal_(w, mode="fan_out", nonlinearity="tanh"), 5 / 3 / math.sqrt(400)),
    ],
)
def test_variances_are_those_of_the_formulas(fill, std):
    torch.manual_seed(0)
    w = fill(torch.empty(400, 800))  # 320,000 numbers: their standard deviation is right to 0.2 %
    assert w.std().item() == pytest.approx(std, rel=0.01)
    assert abs(w.mean().item()) < 0.01 * std


def test_uniform_stays_within_its_bound():
    w = xavier_uniform_(torch.empty(100, 200))
    assert w.abs().max() <= math.sqrt(6 / 300)
    assert w.abs().max() > 0.99 * math.sqrt(6 / 300)


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (6, 6), (4, 3, 3, 3)])
def test_orthogonal_rows_or_columns(shape):
    w = orthogonal_(torch.empty(shape, dtype=torch.float64), gain=2.0).flatten(1)
    gram = w @ w.T if len(w) <= w[0].numel() else w.T @ w
    torch.testing.assert_close(gram, 4 * torch.eye(len(gram), dtype=torch.float64))


def test_orthogonal_matrices_are_spread_evenly():
    # Without the sign, numerical libraries return Q with a negative first entry; its mean must be 0.
    torch.manual_seed(0)
    first = torch.stack([orthogonal_(torch.empty(3, 3))[0, 0] for _ in range(600)])
    assert abs(first.mean().item()) < 4 * first.std().item() / 600**0.5


@pytest.mark.parametrize("fill", [orthogonal_, xavier_normal_, kaiming_normal_, kaiming_uniform_, xavier_uniform_])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_weights_without_elements_stay(fill, shape):
    weight = torch.empty(shape)
    assert fill(weight) is weight


@pytest.mark.parametrize("fill", [fan_in_and_out, xavier_uniform_, xavier_normal_, orthogonal_, kaiming_normal_])
def test_vectors_are_refused(fill):
    with pytest.raises(ValueError, match=r"^weight must have at least 2 dimensions, got shape \(3,\)$"):
        fill(torch.zeros(3))


@pytest.mark.parametrize("fill", [kaiming_normal_, kaiming_uniform_])
def test_unknown_options_are_named(fill):
    with pytest.raises(ValueError, match=r"^mode must be 'fan_in' or 'fan_out', got 'both'$"):
        fill(torch.zeros(3, 3), mode="both")
    with pytest.raises(ValueError, match=r"^nonlinearity must be one of linear, .*, selu, got 'swish'$"):
        fill(torch.zeros(3, 3), nonlinearity="swish")


def test_constant_fills_in_place():
    bias = nn.Parameter(torch.randn(3))
    assert constant_(bias, 0.5) is bias
    assert bias.tolist() == [0.5] * 3 and bias.grad_fn is None


def deep_net(relu_inplace=False):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=relu_inplace),
        nn.Conv2d(8, 8, 3, bias=False),
        nn.ReLU(inplace=relu_inplace),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def outputs_of(model, x):
    """The outputs of linear and convolutional layers in eval mode, read one layer at a time."""
    found = []
    with torch.no_grad():
        for layer in model.eval():
            x = layer(x.clone())
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                found.append(x.clone())
    return found


@pytest.mark.parametrize("relu_inplace", [False, True])
def test_lsuv_gives_every_layer_unit_variance(relu_inplace):
    model, x = deep_net(relu_inplace), 5 * torch.randn(64, 1, 8, 8) + 1
    report = lsuv_(model, x, tolerance=0.01)
    assert [entry.layer for entry in report] == ["0", "3", "7"]
    for entry, output in zip(report, outputs_of(model, x), strict=True):
        assert output.var().item() == pytest.approx(1, abs=0.011)
        assert entry.std == pytest.approx(output.std().item(), rel=1e-5)
        assert entry.iterations == 1  # a layer is linear in its weight: one division does it
    assert not any(model[0].bias) and not any(model[7].bias)


def test_lsuv_is_orthonormal_weights_divided_by_the_outputs_deviation():
    x = 3 * torch.randn(200, 6, generator=torch.Generator().manual_seed(1))
    layer = nn.Linear(6, 4)
    (entry,) = lsuv_(nn.Sequential(layer), x, generator=torch.Generator().manual_seed(2))
    q = orthogonal_(torch.empty(4, 6), generator=torch.Generator().manual_seed(2))
    assert torch.equal(layer.weight, q / (x @ q.T).std().item())
    assert entry.layer == "0"


def test_lsuv_leaves_a_layer_within_the_tolerance_as_it_is():
    x = torch.randn(500, 20)
    model = nn.Sequential(nn.Linear(20, 20))
    assert lsuv_(model, x, tolerance=0.5)[0].iterations == 0
    torch.testing.assert_close(model[0].weight @ model[0].weight.T, torch.eye(20), atol=1e-5, rtol=0)
    (entry,) = lsuv_(model, 100 * x, max_iterations=0)
    assert entry.iterations == 0 and entry.std > 50


def test_lsuv_stops_at_max_iterations():
    class Stubborn(nn.Linear):
        def forward(self, x):
            return 9 * x @ self.weight.T / self.weight.norm()

    assert lsuv_(Stubborn(4, 4), torch.randn(50, 4), max_iterations=3)[0].iterations == 3


def test_lsuv_follows_the_order_of_running_and_skips_what_does_not_run():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first, self.unused = nn.Linear(3, 1), nn.Linear(2, 3), nn.Linear(5, 5)

        def forward(self, x):
            return self.last(self.first(x))

    model = Backwards()
    before = model.unused.weight.clone()
    assert [entry.layer for entry in lsuv_(model, torch.randn(99, 2))] == ["first", "last"]
    assert torch.equal(model.unused.weight, before)


def test_lsuv_restores_modes_hooks_buffers_and_the_random_state():
    class Noisy(nn.Module):
        def forward(self, x):
            return x + torch.rand(())

    model = deep_net()
    model.insert(1, Noisy())
    model[2].eval()
    modes = [layer.training for layer in model.modules()]
    buffers = [b.clone() for b in model.buffers()]
    before = torch.get_rng_state()
    lsuv_(model, torch.randn(16, 1, 8, 8, generator=torch.Generator()), generator=torch.Generator())
    assert torch.equal(torch.get_rng_state(), before)
    assert [layer.training for layer in model.modules()] == modes
    assert all(torch.equal(a, b) for a, b in zip(model.buffers(), buffers, strict=True))
    assert not any(layer._forward_hooks for layer in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_lsuv_draws_anew_each_time():
    x = torch.randn(16, 1, 8, 8)
    first, second = deep_net(), deep_net()
    torch.manual_seed(1)
    lsuv_(first, x), lsuv_(second, x)
    assert not torch.equal(first[0].weight, second[0].weight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tolerance": 0}, r"^tolerance must be > 0, got 0$"),
        ({"max_iterations": -1}, r"^max_iterations must be >= 0, got -1$"),
        ({"x": torch.zeros(4, 2)}, r"^the output of layer '0' must vary on x, got a standard deviation of 0.0$"),
        ({"x": torch.full((4, 2), math.inf)}, r"^the output of layer '0' must vary on x, got a .* of nan$"),
    ],
)
def test_lsuv_refuses(arguments, message):
    model = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=message):
        lsuv_(model, **{"x": torch.randn(4, 2), **arguments})
    assert not model[0]._forward_hooks
