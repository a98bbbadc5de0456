"""Image data sets: from the files in GEOMGEN_DATA, or downloaded on request."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from http.client import HTTPException
from numbers import Integral
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from sklearn.datasets import fetch_file, fetch_lfw_people, fetch_openml
from sklearn.datasets import get_data_home as _cache

__all__ = ["fetch_cifar10", "fetch_lfw", "fetch_mnist"]

Rows = tuple[np.ndarray, np.ndarray]
Subset = Literal["train", "test", "all"]

_CIFAR10 = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"  # a format without pickles
_CIFAR10_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"


def fetch_mnist(
    subset: Subset = "train",
    *,
    n_rows: int | None = None,
    scale: bool = False,
    download_if_missing: bool = True,
) -> Rows:
    """Load MNIST: 60 000 and 10 000 images of digits, 28x28.

    Read from ``mnist.npz`` (``X_train``, ``y_train``, ``X_test``, ``y_test``) in the folder that
    the environment variable GEOMGEN_DATA names; else from OpenML ("mnist_784", version 1) by
    scikit-learn's client, which checks what arrives and keeps it in its own data folder.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Which rows; "all" are those of training, then those of test.
    n_rows : int, optional
        Keep the first ones only.
    scale : bool, default=False
        Whether pixels are float32 from 0 to 1 instead of uint8 from 0 to 255.
    download_if_missing : bool, default=True
        Whether to download; if not, a missing file is an error.

    Returns
    -------
    X : ndarray of shape (n, 784)
        Flat images, row by row: an ``image_shape`` of (1, 28, 28).
    y : ndarray of shape (n,)
        Digits, uint8.

    Raises
    ------
    ValueError
        If the subset is unknown, n_rows is not positive, or a local file is not as said.
    OSError
        If there is neither a file nor a connection.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner, 1998, *Gradient-based learning applied to document
    recognition*.

    Examples
    --------
    >>> import tempfile
    >>> from unittest import mock
    >>> blank = np.zeros((3, 28, 28), np.uint8)
    >>> file = {"X_train": blank, "y_train": [5, 0, 4], "X_test": blank, "y_test": [7, 2, 1]}
    >>> with tempfile.TemporaryDirectory() as data, mock.patch.dict(os.environ, GEOMGEN_DATA=data):
    ...     np.savez(Path(data, "mnist.npz"), **file)
    ...     X, y = fetch_mnist("test", n_rows=2, scale=True)
    >>> X.shape, y.tolist()
    ((2, 784), [7, 2])
    """
    _check_request(subset, n_rows)
    files = _local("mnist.npz")
    if files:
        X, y, *others = _arrays(files[0], "X_train", "y_train", "X_test", "y_test")
        n_train = len(y)
        X, y = (np.concatenate(parts) for parts in zip((X, y), others, strict=True))
    else:
        digits = _downloaded("MNIST", "mnist.npz", _mnist_of_openml, download_if_missing)
        (X, y), n_train = digits, 60_000
    return _chosen(X, y, n_train, subset, n_rows, scale)


def fetch_cifar10(
    subset: Subset = "train",
    *,
    n_rows: int | None = None,
    scale: bool = False,
    download_if_missing: bool = True,
) -> Rows:
    """Load CIFAR-10: 50 000 and 10 000 colour images of ten kinds, 32x32.

    Read from ``cifar10/train-*.npz`` and ``cifar10/test-*.npz`` (each with ``X`` of shape
    (n, 32, 32, 3) and ``y``, taken in the order of their names) in the folder that the environment
    variable GEOMGEN_DATA names; else from the binary archive of its author, whose SHA-256 is
    checked, and which scikit-learn keeps in its own data folder.

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        Which rows; "all" are those of training, then those of test.
    n_rows : int, optional
        Keep the first ones only.
    scale : bool, default=False
        Whether pixels are float32 from 0 to 1 instead of uint8 from 0 to 255.
    download_if_missing : bool, default=True
        Whether to download (170 MB); if not, a missing file is an error.

    Returns
    -------
    X : ndarray of shape (n, 3072)
        Flat images, channel by channel: an ``image_shape`` of (3, 32, 32).
    y : ndarray of shape (n,)
        Classes 0 to 9, uint8.

    Raises
    ------
    ValueError
        If the subset is unknown, n_rows is not positive, or a local file is not as said.
    OSError
        If there is neither a file nor a connection, or the archive is not the known one.

    References
    ----------
    Krizhevsky, 2009, *Learning multiple layers of features from tiny images*.

    Examples
    --------
    >>> import tempfile
    >>> from unittest import mock
    >>> shard = {"X": np.zeros((2, 32, 32, 3), np.uint8), "y": [6, 9]}
    >>> with tempfile.TemporaryDirectory() as data, mock.patch.dict(os.environ, GEOMGEN_DATA=data):
    ...     Path(data, "cifar10").mkdir()
    ...     for name in ("train-0", "train-1", "test-0"):
    ...         np.savez(Path(data, "cifar10", name), **shard)
    ...     X, y = fetch_cifar10()
    >>> X.shape, y.tolist()
    ((4, 3072), [6, 9, 6, 9])
    """
    _check_request(subset, n_rows)
    train, test = _local("cifar10/train-*.npz"), _local("cifar10/test-*.npz")
    if train and test:
        first, second = ([_shard(path) for path in paths] for paths in (train, test))
    else:
        archive = _downloaded("CIFAR-10", "cifar10/", _cifar10_archive, download_if_missing)
        *first, last = _batches(archive)
        second = [last]
    X, y = (np.concatenate(parts) for parts in zip(*first, *second, strict=True))
    return _chosen(X, y, sum(len(labels) for _, labels in first), subset, n_rows, scale)


def fetch_lfw(
    *, n_rows: int | None = None, scale: bool = False, download_if_missing: bool = True
) -> Rows:
    """Load Labelled Faces in the Wild: 13 233 grey faces of 5749 people, 64x64.

    Read from ``lfw64_gray.npz`` (``X`` of shape (n, 64, 64), ``identity``) in the folder that the
    environment variable GEOMGEN_DATA names; else by scikit-learn's ``fetch_lfw_people``, which
    checks what arrives, needs Pillow, and keeps the files in its own data folder. It cuts the
    middle 128x128 pixels and halves them; the crop of a local file may be another.

    Parameters
    ----------
    n_rows : int, optional
        Keep the first ones only.
    scale : bool, default=False
        Whether pixels are float32 from 0 to 1 instead of uint8 from 0 to 255.
    download_if_missing : bool, default=True
        Whether to download (230 MB); if not, a missing file is an error.

    Returns
    -------
    X : ndarray of shape (n, 4096)
        Flat images, row by row: an ``image_shape`` of (1, 64, 64).
    y : ndarray of shape (n,)
        Number of the person.

    Raises
    ------
    ValueError
        If n_rows is not positive, or the local file is not as said.
    OSError
        If there is neither a file nor a connection.

    References
    ----------
    Huang, Ramesh, Berg and Learned-Miller, 2007, *Labeled faces in the wild*.

    Examples
    --------
    >>> import tempfile
    >>> from unittest import mock
    >>> with tempfile.TemporaryDirectory() as data, mock.patch.dict(os.environ, GEOMGEN_DATA=data):
    ...     faces = np.full((3, 64, 64), 255, np.uint8)
    ...     np.savez(Path(data, "lfw64_gray.npz"), X=faces, identity=[0, 0, 1])
    ...     X, y = fetch_lfw(scale=True)
    >>> X.shape, float(X.max()), y.tolist()
    ((3, 4096), 1.0, [0, 0, 1])
    """
    _check_request("all", n_rows)
    files = _local("lfw64_gray.npz")
    if files:
        X, y = _arrays(files[0], "X", "identity")
    else:
        X, y = _downloaded("LFW", "lfw64_gray.npz", _lfw_of_sklearn, download_if_missing)
    return _chosen(X, y, len(X), "all", n_rows, scale)


def _check_request(subset: str, n_rows: int | None) -> None:
    """Raise before anything is read, or downloaded, for a request that cannot be met."""
    if subset not in ("all", "test", "train"):
        raise ValueError(f"subset={subset!r} must be one of ['all', 'test', 'train'].")
    if n_rows is not None and not (isinstance(n_rows, Integral) and n_rows >= 1):
        raise ValueError(f"n_rows={n_rows!r} must be positive and whole, or None for all rows.")


def _arrays(path: Path, *names: str) -> list[np.ndarray]:
    """Read arrays of a local file."""
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            return [file[name] for name in names]
    except (ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise ValueError(
            f"{path}, in the folder of GEOMGEN_DATA, is not a NumPy archive (.npz) with the arrays "
            f"{', '.join(names)}."
        ) from error


def _local(pattern: str) -> list[Path]:
    """Files of the user's own folder, by name."""
    folder = os.environ.get("GEOMGEN_DATA")
    return sorted(Path(folder).glob(pattern)) if folder else []


def _downloaded(name: str, file: str, download: Callable, allowed: bool) -> Any:
    folder = os.environ.get("GEOMGEN_DATA")
    where = f"GEOMGEN_DATA={folder!r} has no {file}" if folder else "GEOMGEN_DATA is not set"
    remedy = f"set the environment variable GEOMGEN_DATA to a folder with {file}"
    if not allowed:
        raise OSError(f"{name} is not here: {where}. Either {remedy}, or allow the download.")
    try:
        return download()
    except (OSError, HTTPException) as error:
        raise OSError(
            f"{name} could not be downloaded ({error}), and {where}. Either connect to the "
            f"network, or {remedy}."
        ) from error


def _mnist_of_openml() -> Rows:
    X, y = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
    return X.astype(np.uint8), y.astype(np.uint8)


def _lfw_of_sklearn() -> Rows:
    middle = slice(61, 189)
    X, y = fetch_lfw_people(slice_=(middle, middle), resize=0.5, return_X_y=True)
    return np.rint(255 * X).astype(np.uint8), y


def _cifar10_archive() -> Path:
    return fetch_file(_CIFAR10, folder=_cache(), sha256=_CIFAR10_SHA256)


def _batches(archive: Path) -> list[Rows]:
    """Five batches of training and the one of test: a byte of label, then the pixels."""
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    with tarfile.open(archive) as files:
        members = (files.extractfile(f"cifar-10-batches-bin/{name}") for name in names)
        read = [np.frombuffer(file.read(), np.uint8).reshape(-1, 3073) for file in members if file]
    return [(rows[:, 1:], rows[:, 0]) for rows in read]


def _shard(path: Path) -> Rows:
    X, y = _arrays(path, "X", "y")
    return np.ascontiguousarray(X.transpose(0, 3, 1, 2)).reshape(len(X), -1), y


def _chosen(
    X: np.ndarray, y: np.ndarray, n_train: int, subset: str, n_rows: int | None, scale: bool
) -> Rows:
    parts = {"train": slice(None, n_train), "test": slice(n_train, None), "all": slice(None)}
    X, y = X[parts[subset]][:n_rows], y[parts[subset]][:n_rows]
    X = X.reshape(len(X), -1)
    return (X / np.float32(255) if scale else X.copy()), y.copy()
