"""Loaders of images, on files of a few rows and a client that is not the real one."""

import hashlib
import io
import tarfile
import urllib.error

import numpy as np
import pytest

from geomgen.datasets import fetch, fetch_cifar10, fetch_lfw, fetch_mnist

LOADERS = {"MNIST": fetch_mnist, "CIFAR-10": fetch_cifar10, "LFW": fetch_lfw}


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A folder with three tiny data sets, whose pixels are all different."""
    rng = np.random.RandomState(0)
    digits = rng.randint(0, 256, (5, 28, 28)).astype(np.uint8)
    np.savez(
        tmp_path / "mnist.npz",
        **{"X_train": digits[:3], "y_train": np.array([5, 0, 4], np.uint8)},
        **{"X_test": digits[3:], "y_test": np.array([7, 2], np.uint8)},
    )
    (tmp_path / "cifar10").mkdir()
    colour = rng.randint(0, 256, (6, 32, 32, 3)).astype(np.uint8)
    for i, name in enumerate(("train-0", "train-1", "test-1000")):
        part = slice(2 * i, 2 * i + 2)
        np.savez(tmp_path / "cifar10" / name, X=colour[part], y=np.arange(6, dtype=np.uint8)[part])
    faces = rng.randint(0, 256, (3, 64, 64)).astype(np.uint8)
    np.savez(tmp_path / "lfw64_gray.npz", X=faces, identity=np.array([0, 0, 1], np.int32))
    monkeypatch.setenv("GEOMGEN_DATA", str(tmp_path))
    return {"MNIST": digits, "CIFAR-10": colour, "LFW": faces}


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """No local files, an empty cache, and no network."""

    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.delenv("GEOMGEN_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    for client in ("fetch_openml", "fetch_file", "fetch_lfw_people"):
        monkeypatch.setattr(fetch, client, refuse)
    return tmp_path


def test_mnist_rows_are_flat_and_in_order(data):
    for subset, part in (("train", slice(0, 3)), ("test", slice(3, 5)), ("all", slice(0, 5))):
        X, y = fetch_mnist(subset)
        assert X.dtype == y.dtype == np.uint8
        np.testing.assert_array_equal(X.reshape(-1, 28, 28), data["MNIST"][part])
        np.testing.assert_array_equal(y, [5, 0, 4, 7, 2][part])


def test_cifar10_rows_are_channel_first(data):
    X, y = fetch_cifar10("all")
    np.testing.assert_array_equal(X.reshape(-1, 3, 32, 32), np.moveaxis(data["CIFAR-10"], 3, 1))
    np.testing.assert_array_equal(y, range(6))
    assert len(fetch_cifar10()[0]) == 4 and len(fetch_cifar10("test")[0]) == 2


def test_lfw_rows_and_people(data):
    X, y = fetch_lfw()
    np.testing.assert_array_equal(X.reshape(-1, 64, 64), data["LFW"])
    np.testing.assert_array_equal(y, [0, 0, 1])


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
def test_scaled_and_fewer_rows(data, loader):
    X, _ = loader()
    scaled, y = loader(n_rows=2, scale=True)
    assert scaled.dtype == np.float32 and len(scaled) == len(y) == 2
    np.testing.assert_allclose(scaled, X[:2] / 255, rtol=1e-6)


def test_bad_requests(data):
    with pytest.raises(ValueError, match="subset='valid' must be one of"):
        fetch_mnist("valid")
    with pytest.raises(ValueError, match="n_rows=0 must be positive"):
        fetch_cifar10(n_rows=0)
    for n_rows in (2.5, "2"):
        with pytest.raises(ValueError, match="n_rows=.* must be positive and whole"):
            fetch_lfw(n_rows=n_rows)
    with pytest.raises(ValueError, match="subset=.*must be one of"):
        fetch_mnist(["train"])


def test_bad_requests_are_refused_before_a_download(offline):
    with pytest.raises(ValueError, match="subset='valid' must be one of"):
        fetch_cifar10("valid")
    with pytest.raises(ValueError, match="n_rows=-1 must be positive"):
        fetch_lfw(n_rows=-1)


@pytest.mark.parametrize("content", [b"no archive", b"", b"PK\x03\x04 cut off"])
def test_a_local_file_that_is_something_else(tmp_path, monkeypatch, content):
    monkeypatch.setenv("GEOMGEN_DATA", str(tmp_path))
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"mnist\.npz, in the .* with the arrays X_train, y_train"):
        fetch_mnist()
    np.savez(tmp_path / "lfw64_gray.npz", X=np.zeros((2, 64, 64)))
    with pytest.raises(ValueError, match=r"lfw64_gray\.npz, in the .* with the arrays X, identity"):
        fetch_lfw()


@pytest.mark.parametrize("name", LOADERS)
def test_neither_file_nor_network(offline, name):
    with pytest.raises(OSError, match=f"{name} could not be downloaded.*no network.*GEOMGEN_DATA"):
        LOADERS[name]()
    with pytest.raises(OSError, match=f"{name} is not here: GEOMGEN_DATA is not set.*allow"):
        LOADERS[name](download_if_missing=False)
    assert not any(path.is_file() for path in offline.rglob("*"))


def test_a_folder_without_the_file_is_named(offline, monkeypatch):
    monkeypatch.setenv("GEOMGEN_DATA", str(offline))
    with pytest.raises(OSError, match=f"GEOMGEN_DATA='{offline}' has no mnist.npz"):
        fetch_mnist(download_if_missing=False)


def test_mnist_of_openml(offline, monkeypatch):
    def client(name, version, **kwargs):
        assert (name, version) == ("mnist_784", 1)
        labels = np.arange(60_004) % 10
        return np.tile(labels[:, None].astype(float), (1, 784)), labels.astype(str)

    monkeypatch.setattr(fetch, "fetch_openml", client)
    X, y = fetch_mnist("test")
    assert X.shape == (4, 784) and X.dtype == np.uint8
    np.testing.assert_array_equal(X[:, 0], y)
    np.testing.assert_array_equal(y, [0, 1, 2, 3])


def test_lfw_of_sklearn(offline, monkeypatch):
    def client(slice_, resize, return_X_y):
        sides = [round((s.stop - s.start) * resize) for s in slice_]
        assert sides == [64, 64] and return_X_y
        return np.full((2, 4096), 0.2, np.float32), np.array([3, 1])

    monkeypatch.setattr(fetch, "fetch_lfw_people", client)
    X, y = fetch_lfw()
    assert (X == 51).all() and X.dtype == np.uint8 and y.tolist() == [3, 1]


def archive(path):
    """A CIFAR-10 archive of one row a batch: its label is the batch, its pixels count up."""
    names = [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]
    with tarfile.open(path, "w:gz") as files:
        for label, name in enumerate(names):
            row = np.r_[label, np.arange(3072) % 251].astype(np.uint8).tobytes()
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(row)
            files.addfile(info, io.BytesIO(row))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_cifar10_archive_is_checked_and_read(tmp_path, monkeypatch):
    """By scikit-learn's own client, from an address of a local file."""
    digest = archive(tmp_path / "cifar-10-binary.tar.gz")
    monkeypatch.delenv("GEOMGEN_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch, "_CIFAR10", f"file://localhost{tmp_path}/cifar-10-binary.tar.gz")
    with pytest.raises(OSError, match="SHA256 checksum .* differs"):
        fetch_cifar10()
    assert not any(path.is_file() for path in (tmp_path / "cache").rglob("*"))

    monkeypatch.setattr(fetch, "_CIFAR10_SHA256", digest)
    X, y = fetch_cifar10("all")
    np.testing.assert_array_equal(y, range(6))
    np.testing.assert_array_equal(X, np.tile(np.arange(3072) % 251, (6, 1)))
    assert fetch_cifar10("test")[1].tolist() == [5]
