"""The networks of the course: small ones that train in seconds on a CPU, and ResNet-18 for CIFAR-10.

He et al., "Deep Residual Learning for Image Recognition", 2015, https://arxiv.org/abs/1512.03385 (ResNet).
Vaswani et al., "Attention Is All You Need", 2017, https://arxiv.org/abs/1706.03762 (transformer).
Press and Wolf, "Using the Output Embedding to Improve Language Models", 2016,
https://arxiv.org/abs/1608.05859 (tied weights).
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

__all__ = ["MLP", "CharTransformer", "ResNet18", "SmallCNN", "deep_relu_net"]


class MLP(nn.Module):
    """Linear layers with a nonlinearity between them.

    It takes x of shape (n, …) with `sizes[0]` numbers per sample, images too, and returns
    (n, `sizes[-1]`).

    Args:
        sizes: the width of the input, of each hidden layer, and of the output; at least two.
        activation: makes the nonlinearity.

    Raises:
        ValueError: fewer than two sizes, or one below 1.

    Examples:
        >>> model = MLP([64, 32, 10])
        >>> model(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 10])
    """

    def __init__(self, sizes: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU) -> None:
        super().__init__()
        if len(sizes) < 2:
            raise ValueError(f"sizes must be at least two, got {list(sizes)}")
        _check(**{f"sizes[{i}]": size for i, size in enumerate(sizes)})
        layers: list[nn.Module] = []
        for width, next_width in pairwise(sizes):
            layers += [nn.Linear(width, next_width), activation()]
        self.layers = nn.Sequential(*layers[:-1])  # none after the last

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x.flatten(1))
        return y


class SmallCNN(nn.Module):
    """Two convolutions, each with a ReLU and a pooling that halves the image, and a linear layer.

    It takes images of shape (n, channels, size, size) and returns logits of shape (n, classes).

    Args:
        size: height and width of the images, at least 4: 8 for `digits`, 28 for MNIST, 32 for CIFAR-10.
        channels: 1 for grey images, 3 for colour.
        classes: how many there are.
        width: channels after the first convolution; the second has twice as many.

    Raises:
        ValueError: size < 4, or another argument is below 1.

    Examples:
        >>> SmallCNN(size=28)(torch.zeros(5, 1, 28, 28)).shape
        torch.Size([5, 10])
    """

    def __init__(self, size: int = 8, channels: int = 1, classes: int = 10, width: int = 16) -> None:
        super().__init__()
        if size < 4:
            raise ValueError(f"size must be >= 4, got {size}")
        _check(channels=channels, classes=classes, width=width)
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.fc = nn.Linear(2 * width * (size // 4) ** 2, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        logits: Tensor = self.fc(x.flatten(1))
        return logits


class ResNet18(nn.Module):
    """ResNet-18 for small images: a stem that keeps the resolution, then eight residual blocks.

    The paper's stem, made for 224×224, is a 7×7 convolution of stride 2 and a max-pool; here it is a
    3×3 convolution of stride 1, as is usual for 32×32. The rest is torchvision's `resnet18`, with the
    same names in the state_dict, so that its weights load, but for the stem's.

    It takes images of shape (n, channels, height, width) and returns logits of shape (n, classes).
    11,173,962 parameters in 62 tensors, for 10 classes and colour.

    Args:
        classes: how many there are.
        channels: 3 for colour images, 1 for grey.

    Raises:
        ValueError: an argument is below 1.

    Examples:
        >>> model = ResNet18()
        >>> sum(p.numel() for p in model.parameters()), len(list(model.parameters()))
        (11173962, 62)
    """

    def __init__(self, classes: int = 10, channels: int = 3) -> None:
        super().__init__()
        _check(classes=classes, channels=channels)
        self.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(_Residual(64, 64), _Residual(64, 64))
        self.layer2 = nn.Sequential(_Residual(64, 128, stride=2), _Residual(128, 128))
        self.layer3 = nn.Sequential(_Residual(128, 256, stride=2), _Residual(256, 256))
        self.layer4 = nn.Sequential(_Residual(256, 512, stride=2), _Residual(512, 512))
        self.fc = nn.Linear(512, classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = x.mean(dim=(2, 3))  # over all places
        logits: Tensor = self.fc(x)
        return logits


class _Residual(nn.Module):
    """Two convolutions whose result is added to their input; (n, in, h, w) → (n, out, h/stride, w/stride).

    Where the shapes differ, a 1×1 convolution brings the input into the result's shape.
    """

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample: nn.Module | None = None
        if channels != out or stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class CharTransformer(nn.Module):
    """A decoder-only transformer: predicts, at every place of a text, the token that comes next.

    It takes tokens of shape (n, t), int64, t ≤ context, and returns logits of shape (n, t, vocabulary).
    Those at a place depend on the tokens up to it, and on none after.

    Args:
        vocabulary: how many different tokens there are.
        context: how many tokens it can look at.
        width: length of the vector that stands for a token; a multiple of `heads`.
        heads: how many attentions work side by side in a block.
        depth: how many blocks follow each other.
        dropout: the probability in [0, 1) of dropping a number, in embeddings, attention and blocks.
        tied: use the token embedding as the output layer's weight, too.

    Raises:
        ValueError: an argument is out of range; in a forward pass: more tokens than `context`.

    Examples:
        >>> model = CharTransformer(vocabulary=100, context=16)
        >>> model(torch.zeros(2, 16, dtype=torch.int64)).shape
        torch.Size([2, 16, 100])
    """

    def __init__(
        self,
        vocabulary: int,
        context: int,
        width: int = 64,
        heads: int = 4,
        depth: int = 2,
        dropout: float = 0.0,
        tied: bool = True,
    ) -> None:
        super().__init__()
        _check(vocabulary=vocabulary, context=context, width=width, heads=heads, depth=depth)
        if width % heads != 0:
            raise ValueError(f"width must be a multiple of heads = {heads}, got {width}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(context, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(_Block(width, heads, dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        for embedding in (self.token, self.position):
            nn.init.normal_(embedding.weight, std=0.02)  # as GPT-2: logits near 0, all tokens equally likely
        if tied:
            self.head.weight = self.token.weight

    def forward(self, tokens: Tensor) -> Tensor:
        length, context = tokens.shape[1], self.position.num_embeddings
        if length > context:
            raise ValueError(f"tokens must be at most {context} (the context) in a row, got {length}")
        places = torch.arange(length, device=tokens.device)
        x = self.dropout(self.token(tokens) + self.position(places))
        logits: Tensor = self.head(self.norm(self.blocks(x)))
        return logits


class _Block(nn.Module):
    """Attention, then a two-layer network for each token, both added to what they read; (n, t, width)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = _Attention(width, heads, dropout)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.norm1(x)))
        x = x + self.dropout(self.mlp(self.norm2(x)))
        return x


class _Attention(nn.Module):
    """Causal self-attention with several heads; (n, t, width) → the same."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each (n, heads, t, …)
        dropout = self.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        mixed: Tensor = self.out(y.transpose(1, 2).flatten(2))
        return mixed


def deep_relu_net(
    depth: int,
    width: int,
    *,
    inputs: int | None = None,
    outputs: int = 1,
    gain: float = math.sqrt(2),
    generator: Generator | None = None,
) -> nn.Sequential:
    r"""Return a deep stack of linear layers with ReLUs, in which signals keep, lose or gain size.

    Weights are normal with mean 0 and variance $\text{gain}^2 / \text{fan\_in}$, biases 0. So each layer
    multiplies the mean square of a signal, and of a gradient, by $\text{gain}^2 / 2$ on average: $\sqrt 2$
    keeps it, and with a gain of 2 gradients are $2^{25}$ times as large after 50 layers.

    It takes x of shape (n, inputs) and returns (n, outputs).

    Args:
        depth: how many hidden layers, at least 1.
        width: the width of each.
        inputs: the width of the input; that of the hidden layers by default.
        outputs: the width of the output.
        gain: see above, > 0.
        generator: where the weights come from; torch's global one by default.

    Raises:
        ValueError: an argument is out of range.

    Examples:
        >>> deep_relu_net(depth=50, width=16)(torch.zeros(5, 16)).shape
        torch.Size([5, 1])
    """
    inputs = width if inputs is None else inputs
    _check(depth=depth, width=width, inputs=inputs, outputs=outputs)
    if not gain > 0:
        raise ValueError(f"gain must be > 0, got {gain}")
    model = MLP([inputs, *[width] * depth, outputs]).layers
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.in_features), generator=generator)
            nn.init.zeros_(layer.bias)
    return model


def _check(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be >= 1, got {size}")
