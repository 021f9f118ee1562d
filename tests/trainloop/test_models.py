"""The networks: shapes, sizes, torchvision's ResNet-18, causality, and signals that keep their size."""

import math

import pytest
import torch
from torch import nn

from trainloop import models
from trainloop.data import digits
from trainloop.models import MLP, CharTransformer, ResNet18, SmallCNN, deep_relu_net
from trainloop.optim import Adam


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.fixture(scope="module")
def resnets():
    """Torchvision's ResNet-18 with the stem for small images, and ours with its weights."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    theirs = resnet18(weights=None, num_classes=10)
    theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()
    for name, buffer in theirs.named_buffers():  # running statistics that are not those of a fresh model
        if not name.endswith("num_batches_tracked"):
            buffer.uniform_(0.5, 1.5)
    ours = ResNet18()
    ours.load_state_dict(theirs.state_dict())  # strict: the same names and shapes
    return ours, theirs


def test_resnet18_has_the_parameters_of_torchvisions(resnets):
    ours, theirs = resnets
    assert count(ours) == count(theirs) == 11_173_962
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert len(list(ours.parameters())) == 62


@pytest.mark.parametrize("size", [32, 28])
@pytest.mark.parametrize("training", [True, False])
def test_resnet18_is_bitwise_equal_to_torchvisions(resnets, size, training):
    x, y = torch.randn(2, 3, size, size), torch.arange(2)
    logits = []
    for model in resnets:
        model.train(training).zero_grad()
        logits.append(model(x))
        nn.functional.cross_entropy(logits[-1], y).backward()
    ours, theirs = resnets
    assert torch.equal(*logits)
    assert all(torch.equal(p.grad, q.grad) for p, q in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(ours.buffers(), theirs.buffers(), strict=True))


def test_resnet18_starts_as_torchvisions_does():
    model = ResNet18(classes=7, channels=1)
    assert model(torch.zeros(2, 1, 32, 32)).shape == (2, 7)
    weight = model.layer4[1].conv2.weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (512 * 9)), rel=0.01)  # Kaiming, fan out
    assert all((m.weight == 1).all() for m in model.modules() if isinstance(m, nn.BatchNorm2d))


def test_mlp_is_its_layers_in_a_row():
    model = MLP([4, 3, 2], activation=nn.Tanh)
    x = torch.randn(5, 4)
    first, last = model.layers[0], model.layers[2]
    torch.testing.assert_close(model(x), torch.tanh(x @ first.weight.T + first.bias) @ last.weight.T + last.bias)
    assert [type(layer) for layer in model.layers] == [nn.Linear, nn.Tanh, nn.Linear]
    assert count(model) == 4 * 3 + 3 + 3 * 2 + 2


@pytest.mark.parametrize(("size", "channels", "classes"), [(8, 1, 10), (28, 1, 10), (32, 3, 100), (30, 1, 2)])
def test_small_cnn_takes_the_images_of_the_course(size, channels, classes):
    model = SmallCNN(size, channels, classes, width=4)
    assert model(torch.randn(3, channels, size, size)).shape == (3, classes)


@pytest.mark.parametrize("make", [lambda: MLP([64, 32, 10]), SmallCNN])
def test_small_networks_learn_digits(make):
    torch.manual_seed(0)
    x, y, x_test, y_test = digits()
    model = make()
    optimizer = Adam(model.parameters(), lr=0.01)
    for epoch in range(4):
        for batch in torch.randperm(len(x), generator=torch.Generator().manual_seed(epoch)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    assert (model(x_test).argmax(dim=1) == y_test).float().mean() > 0.9


def test_transformer_does_not_look_ahead():
    torch.manual_seed(0)
    model = CharTransformer(vocabulary=11, context=8).eval()
    tokens = torch.randint(11, (2, 8))
    changed = tokens.clone()
    changed[:, 5] = (changed[:, 5] + 1) % 11
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :5], after[:, :5])
    assert (before[:, 5:] != after[:, 5:]).any(dim=2).all()


def test_transformer_looks_at_order_and_takes_shorter_texts():
    torch.manual_seed(0)
    model = CharTransformer(vocabulary=11, context=8).eval()
    tokens = torch.tensor([[1, 2, 3]])
    assert model(tokens).shape == (1, 3, 11)
    assert not torch.allclose(model(tokens)[0, -1], model(tokens[:, [1, 0, 2]])[0, -1])
    torch.testing.assert_close(model(tokens)[:, :2], model(tokens[:, :2]))


def test_attention_is_the_formula():
    torch.manual_seed(0)
    attention = models._Attention(width=6, heads=2, dropout=0.0).double()
    x = torch.randn(1, 4, 6, dtype=torch.float64)
    q, k, v = (x[0] @ attention.qkv.weight.T + attention.qkv.bias).split(6, dim=1)
    heads = []
    for part in (slice(0, 3), slice(3, 6)):
        scores = q[:, part] @ k[:, part].T / math.sqrt(3)
        scores[torch.ones(4, 4).triu(1).bool()] = -math.inf
        heads.append(scores.softmax(dim=1) @ v[:, part])
    expected = torch.cat(heads, dim=1) @ attention.out.weight.T + attention.out.bias
    torch.testing.assert_close(attention(x)[0], expected, rtol=1e-12, atol=1e-12)


def test_transformer_ties_its_weights():
    tied, untied = CharTransformer(50, 8), CharTransformer(50, 8, tied=False)
    assert tied.head.weight is tied.token.weight
    assert untied.head.weight is not untied.token.weight
    assert count(untied) - count(tied) == 50 * 64
    assert (tied.position.weight.std().item(), tied.token.weight.std().item()) == pytest.approx((0.02, 0.02), rel=0.15)


@pytest.mark.parametrize("tied", [True, False])
def test_transformer_starts_without_a_preference(tied):
    torch.manual_seed(0)
    tokens = torch.randint(50, (8, 16))
    loss = nn.functional.cross_entropy(CharTransformer(50, 16, tied=tied)(tokens).flatten(0, 1), tokens.flatten())
    assert loss.item() == pytest.approx(math.log(50), rel=0.1)


def test_transformer_learns_to_copy_the_last_token():
    torch.manual_seed(0)
    model = CharTransformer(vocabulary=6, context=8, width=32, heads=2, depth=1)
    optimizer = Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        tokens = torch.randint(6, (16, 8))
        previous = tokens.roll(1, dims=1)
        loss = nn.functional.cross_entropy(model(tokens)[:, 1:].flatten(0, 1), previous[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3  # the loss of guessing is ln 6 = 1.8


def test_transformer_drops_out_in_train_mode_only():
    torch.manual_seed(0)
    model = CharTransformer(vocabulary=6, context=8, dropout=0.5)
    tokens = torch.zeros(1, 8, dtype=torch.int64)
    assert not torch.equal(model(tokens), model(tokens))
    model.eval()
    assert torch.equal(model(tokens), model(tokens))
    attention = model.blocks[0].attention.train()
    x = torch.randn(1, 8, 64)
    assert not torch.equal(attention(x), attention(x))


@pytest.mark.parametrize(("gain", "per_layer"), [(math.sqrt(2), 1.0), (2.0, 2.0), (1.0, 0.5)])
def test_deep_relu_net_multiplies_the_mean_square_by_half_the_squared_gain(gain, per_layer):
    # The mean over 20 draws of 20 layers, in logarithms; wide layers, so that they scatter little.
    logs = []
    for seed in range(20):
        model = deep_relu_net(20, 200, gain=gain, generator=torch.Generator().manual_seed(seed))
        x = torch.randn(8, 200, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            first, last = model[:1](x), model[:-2](x)  # outputs of the first and of the last hidden layer
        logs.append(math.log(last.square().mean() / first.square().mean()) / 19)
    assert math.exp(sum(logs) / 20) == pytest.approx(per_layer, rel=0.05)


def test_deep_relu_net_has_exploding_gradients():
    generator = torch.Generator().manual_seed(0)
    model = deep_relu_net(50, 100, gain=2.0, inputs=64, outputs=10, generator=generator)
    model(torch.randn(32, 64, generator=generator)).sum().backward()
    assert model[0].weight.grad.norm() > 1e5 * model[-1].bias.grad.norm()
    assert [type(layer) for layer in model] == [nn.Linear, nn.ReLU] * 50 + [nn.Linear]
    assert not any(p.any() for name, p in model.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP([3]), r"^sizes must be at least two, got \[3\]$"),
        (lambda: MLP([3, 0, 1]), r"^sizes\[1\] must be >= 1, got 0$"),
        (lambda: SmallCNN(3), r"^size must be >= 4, got 3$"),
        (lambda: SmallCNN(width=0), r"^width must be >= 1, got 0$"),
        (lambda: ResNet18(0), r"^classes must be >= 1, got 0$"),
        (lambda: CharTransformer(9, 0), r"^context must be >= 1, got 0$"),
        (lambda: CharTransformer(9, 4, width=10), r"^width must be a multiple of heads = 4, got 10$"),
        (lambda: CharTransformer(9, 4, dropout=1.0), r"^dropout must be in \[0, 1\), got 1.0$"),
        (
            lambda: CharTransformer(9, 4)(torch.zeros(1, 5, dtype=torch.int64)),
            r"^tokens must be at most 4 \(the context\) in a row, got 5$",
        ),
        (lambda: deep_relu_net(0, 5), r"^depth must be >= 1, got 0$"),
        (lambda: deep_relu_net(2, 5, gain=0), r"^gain must be > 0, got 0$"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
