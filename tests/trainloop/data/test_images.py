"""Images are those of their sources, in [0, 1]; files that are missing or wrong are named."""

import gzip
import hashlib
import pickle

import pytest
import torch
import torchvision
from PIL import Image

from trainloop.data import cifar10, digits, fashion_mnist, image_folder, images, mnist5k


@pytest.mark.parametrize(
    ("make", "shape", "train", "test", "steps"),
    [(digits, (1, 8, 8), 1438, 359, 16), (mnist5k, (1, 28, 28), 4000, 1000, 255)],
    ids=["digits", "mnist5k"],
)
def test_packaged_images(make, shape, train, test, steps):
    split = make()
    assert split.x_train.shape == (train, *shape) and split.x_test.shape == (test, *shape)
    assert split.y_train.shape == (train,) and split.y_test.shape == (test,)
    for x, y in (split[:2], split[2:]):
        assert x.dtype == torch.float32 and y.dtype == torch.int64
        assert x.min() == 0 and x.max() == 1
        assert torch.equal((x * steps).round() / steps, x)
        counts = y.bincount(minlength=10)
        assert counts.max() - counts.min() <= 8  # stratified


def test_digits_show_the_digits_they_are_labelled_with():
    # The mean image of a class, taken from the training part, is nearest for most test images.
    split = digits(seed=3)
    means = torch.stack([split.x_train[split.y_train == k].mean(dim=0) for k in range(10)])
    nearest = torch.cdist(split.x_test.flatten(1), means.flatten(1)).argmin(dim=1)
    assert (nearest == split.y_test).float().mean() > 0.85


def write_fashion_mnist(folder, pack):
    """A tiny set in Fashion-MNIST's files; returns its images and labels."""
    folder.mkdir(parents=True)
    written = []
    for part, n in (("train", 6), ("t10k", 3)):
        pixels = torch.randint(256, (n, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(n))
        labels = torch.arange(n, dtype=torch.uint8)
        for kind, data in (("images-idx3", pixels), ("labels-idx1", labels)):
            sizes = b"".join(size.to_bytes(4, "big") for size in data.shape)
            content = bytes([0, 0, 8, data.ndim]) + sizes + bytes(data.flatten().tolist())
            path = folder / f"{part}-{kind}-ubyte"
            if pack:
                path.with_name(path.name + ".gz").write_bytes(gzip.compress(content))
            else:
                path.write_bytes(content)
        written += [pixels, labels]
    return written


@pytest.mark.parametrize("pack", [False, True])
def test_fashion_mnist_reads_torchvisions_folder(tmp_path, pack):
    written = write_fashion_mnist(tmp_path / "FashionMNIST" / "raw", pack)
    split = fashion_mnist(tmp_path)
    assert split.x_train.shape == (6, 1, 28, 28) and split.x_test.shape == (3, 1, 28, 28)
    assert [y.dtype for y in (split.y_train, split.y_test)] == [torch.int64] * 2
    for ours, expected in zip(split[::2], written[::2], strict=True):
        assert torch.equal((ours.squeeze(1) * 255).round().to(torch.uint8), expected)
    assert split.y_train.tolist() == [0, 1, 2, 3, 4, 5]
    if not pack:
        theirs = torchvision.datasets.FashionMNIST(str(tmp_path), train=False)
        assert torch.equal(split.x_test.squeeze(1), theirs.data.float() / 255)
        assert torch.equal(split.y_test, theirs.targets)


def test_fashion_mnist_reads_debians_folder(tmp_path, monkeypatch):
    written = write_fashion_mnist(tmp_path / "fashion-mnist", pack=True)
    monkeypatch.setattr(images, "DEBIAN_FASHION_MNIST", tmp_path / "fashion-mnist")
    assert torch.equal(fashion_mnist().x_train.squeeze(1), written[0].float() / 255)


def test_fashion_mnist_downloads_only_when_told(tmp_path, monkeypatch):
    asked = []

    def download(root, download):
        asked.append((root, download))
        write_fashion_mnist(tmp_path / "FashionMNIST" / "raw", pack=True)

    monkeypatch.setattr("torchvision.datasets.FashionMNIST", download)
    with pytest.raises(FileNotFoundError, match=r"^Fashion-MNIST is not in .*apt install dataset-fashion-mnist"):
        fashion_mnist(tmp_path)
    assert asked == []
    assert len(fashion_mnist(tmp_path, download=True).x_train) == 6
    assert asked == [(str(tmp_path), True)]
    with pytest.raises(ValueError, match=r"^root must be a folder when download=True, got None$"):
        fashion_mnist(download=True)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\0\0\x08\x01\0\0\0\x09short"])
def test_fashion_mnist_refuses_files_that_are_something_else(tmp_path, content):
    folder = tmp_path / "FashionMNIST" / "raw"
    write_fashion_mnist(folder, pack=False)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(content)
    with pytest.raises(ValueError, match=r"^t10k-labels-idx1-ubyte must be an IDX file of unsigned bytes"):
        fashion_mnist(tmp_path)


def test_cifar10_reads_torchvisions_folder(tmp_path, monkeypatch):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    pixels = torch.randint(256, (5, 3, 32, 32), generator=torch.Generator().manual_seed(0))

    def write(name, **content):
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return name, hashlib.md5(data).hexdigest()

    rows = pixels.to(torch.uint8).flatten(1).numpy()
    lists = {
        "train_list": [write("data_batch_1", data=rows[:3], labels=[3, 1, 2])],
        "test_list": [write("test_batch", data=rows[3:], labels=[9, 0])],
    }
    name, digest = write("batches.meta", label_names=["airplane"])
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "meta", {"filename": name, "key": "label_names", "md5": digest})
    for attribute, files in lists.items():
        monkeypatch.setattr(torchvision.datasets.CIFAR10, attribute, files)

    split = cifar10(tmp_path)
    assert torch.equal(torch.cat([split.x_train, split.x_test]), pixels.float() / 255)
    assert (split.y_train.tolist(), split.y_test.tolist()) == ([3, 1, 2], [9, 0])
    assert split.x_train.is_contiguous()

    (folder / "test_batch").write_bytes(b"damaged")
    with pytest.raises(FileNotFoundError, match="or is damaged"):
        cifar10(tmp_path)


def test_cifar10_says_what_to_do_when_it_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^CIFAR-10 is not in .*cifar10\(root, download=True\) fetches it"):
        cifar10(tmp_path)


def write_folder(root, name="1.png", size=(6, 4), classes=("ant", "bee"), parts=("train", "test")):
    """Images in folders, three a class for training, two for testing; returns the pixels as (n, 3, 4, 6)."""
    written = {}
    for part, n in zip(parts, (3, 2), strict=False):
        for label in classes:
            (root / part / label).mkdir(parents=True)
            for i in range(n):
                pixels = torch.randint(256, (size[1], size[0], 3), dtype=torch.uint8)
                Image.fromarray(pixels.numpy()).save(root / part / label / f"{i}-{name}")
                written.setdefault(part, []).append(pixels.permute(2, 0, 1))
    return {part: torch.stack(pixels) for part, pixels in written.items()}


def test_image_folder_reads_images_and_their_classes(tmp_path):
    written = write_folder(tmp_path)
    split = image_folder(tmp_path)
    assert split.x_train.shape == (6, 3, 4, 6) and split.x_train.dtype == torch.float32
    for ours, part in ((split.x_train, "train"), (split.x_test, "test")):
        assert torch.equal((ours * 255).round().to(torch.uint8), written[part])
    assert split.y_train.tolist() == [0, 0, 0, 1, 1, 1] and split.y_train.dtype == torch.int64
    assert split.y_test.tolist() == [0, 0, 1, 1]


def test_image_folder_reads_jpegs_and_makes_grey_images_colour(tmp_path):
    write_folder(tmp_path, name="1.jpg")
    Image.new("L", (6, 4), 128).save(tmp_path / "test" / "bee" / "grey.jpg")
    split = image_folder(str(tmp_path))
    assert split.x_test.shape == (5, 3, 4, 6)
    assert torch.allclose(split.x_test[-1], torch.tensor(128 / 255), atol=2 / 255)


def test_image_folder_refuses_what_does_not_fit_together(tmp_path):
    write_folder(tmp_path / "sizes")
    Image.new("RGB", (5, 5)).save(tmp_path / "sizes" / "train" / "ant" / "other.png")
    with pytest.raises(ValueError, match=r"^images must be of one size, got \[\(4, 6\), \(5, 5\)\] in .*train$"):
        image_folder(tmp_path / "sizes")
    write_folder(tmp_path / "classes", parts=("train",))
    write_folder(tmp_path / "classes", classes=("ant", "cat"), parts=("test",))
    with pytest.raises(ValueError, match=r"^train and test must have the same classes, got \['ant', 'bee'\] and"):
        image_folder(tmp_path / "classes")
    with pytest.raises(FileNotFoundError):
        image_folder(tmp_path / "nothing")
