"""Fitted models as files that are safe to open: no pickle, and nothing but what is known."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from sklearn.utils.validation import check_is_fitted

from geomgen._atomic import write_atomically
from geomgen._device import resolve_device
from geomgen._versions import versions
from geomgen.files import _frames, _objects, _polars, _values
from geomgen.files._container import ModelFileError, pack, read, unpack
from geomgen.files._graph import Reader, Writer
from geomgen.pipeline import unwrap

__all__ = ["ModelFileError", "load", "save"]

_KINDS = [*_values.KINDS, *_frames.KINDS, *_polars.KINDS, *_objects.KINDS]


def save(fitted: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a fitted model into a file that is safe to open.

    The file is a safetensors file: weights and arrays are its tensors; parameters, encoders and
    samplers are JSON in its metadata, beside a checksum of the whole. It appears at once or not at
    all.

    Parameters
    ----------
    fitted : object
        A fitted estimator or sampler of geomgen, of rows, strings or tables, a scikit-learn
        estimator, a ``Pipeline``; of a search, what it found (``best_estimator_``) is saved.
    path : str or path
        Where. Its folder must exist.
    overwrite : bool, default=False
        Whether to replace a file that is there.

    Returns
    -------
    Path

    Raises
    ------
    ModelFileError
        If a part cannot be put into a file: functions, modules and classes of the user's own,
        callbacks, objects of other packages. The message names the part.
    FileExistsError
        If there is a file, and ``overwrite`` is False.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from geomgen import AE, load, save
    >>> X = load_iris().data
    >>> model = AE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> path = save(model, pathlib.Path(tempfile.mkdtemp()) / "iris.geomgen")
    >>> again = load(path)
    >>> bool((again.sample(9, random_state=0) == model.sample(9, random_state=0)).all())
    True
    """
    fitted = unwrap(fitted)
    check_is_fitted(fitted)
    writer = Writer(_KINDS)
    try:
        tree = writer.write(fitted)
    except RecursionError as error:
        raise ModelFileError(f"Cannot save {type(fitted).__name__}: it contains itself.") from error
    document = {"model": tree, "versions": versions()}
    return write_atomically(path, pack(document, writer.tensors), overwrite)


def load(path: str | os.PathLike[str], *, device: str | None = None) -> Any:
    """Read a fitted model from a file that :func:`save` wrote.

    Nothing is unpickled and no code of the file is run: the file may name classes of geomgen,
    scikit-learn's estimators, torch's layers and optimizers, and is refused if it names others.
    The checksum tells of damage. It does not say who made the file.

    Parameters
    ----------
    path : str or path
        The file.
    device : str, optional
        Where to compute: it replaces the parameter ``device`` of every estimator. By default they
        keep it, and ``"auto"`` takes what there is on this machine.

    Returns
    -------
    object
        The fitted model; it draws the same rows, and training goes on from where it was.

    Raises
    ------
    ModelFileError
        If the file is no model, is damaged, of another version of the format, or names what is not
        known. It is a ValueError.
    ImportError
        If a package that the model needs is not installed.

    Warns
    -----
    UserWarning
        If scikit-learn or torch had another version when the file was written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> from geomgen import load, save
    >>> mixture = GaussianMixture(3, random_state=0).fit(load_iris().data)
    >>> path = save(mixture, pathlib.Path(tempfile.mkdtemp()) / "mixture.geomgen")
    >>> load(path)
    GaussianMixture(n_components=3, random_state=0)
    """
    device = None if device is None else resolve_device(device)
    document, tensors = unpack(read(path), str(path))
    try:
        _warn_of_versions(document["versions"], str(path))
        return Reader(_KINDS, tensors, device).read(document["model"])
    except (ImportError, UserWarning):
        raise
    except Exception as error:  # whatever a made-up file may cause: it is refused
        what = (
            str(error) if isinstance(error, ModelFileError) else f"{type(error).__name__}: {error}"
        )
        raise ModelFileError(f"{path} holds no model that can be loaded here: {what}.") from error


def _warn_of_versions(saved: dict[str, str], name: str) -> None:
    here = versions()
    other = [
        f"{package} {saved[package]} (here {here[package]})"
        for package in ("scikit-learn", "torch")
        if saved[package].split(".")[:2] != here[package].split(".")[:2]
    ]
    if other:
        warnings.warn(
            f"{name} was saved with {' and '.join(other)}: draws may differ, and a part that has "
            "changed since may not work. Fit anew, or install the versions it was saved with.",
            UserWarning,
            stacklevel=3,
        )
