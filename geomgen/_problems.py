"""Rows with a rare label, for the command line: shipped data, or a file of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from geomgen._io import Reading, read_table
from geomgen.datasets import make_rare_digits, make_ring_mixture

__all__ = ["Problem", "load_problem"]

MAX_ROWS = 12_000  # of a file: the demo is to take minutes, not hours


@dataclass(frozen=True)
class Problem:
    """Rows with a rare label, and how to look at them.

    Attributes
    ----------
    name : str
        For titles.
    X : ndarray or DataFrame of shape (n, p)
        Numeric rows.
    rare : ndarray of bool of shape (n,)
        Which rows are rare.
    n_components : int
        Latent dimension for the models.
    image_shape : tuple of int or None
        Height and width, where rows are images.
    notes : tuple of str
        What was left out of the data.
    """

    name: str
    X: Any
    rare: np.ndarray
    n_components: int
    image_shape: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


def load_problem(
    data: str = "digits", target: str | None = None, rare: str | None = None, seed: int = 0
) -> Problem:
    """Load ``digits``, ``ring`` or a CSV file.

    Parameters
    ----------
    data : str, default="digits"
        ``"digits"`` (scikit-learn's, with 2 % nines), ``"ring"`` or the path of a CSV file.
    target : str, optional
        The file's label column.
    rare : str, optional
        The rare label as written in the file; by default the least frequent.
    seed : int, default=0
        For the rows that are kept.

    Returns
    -------
    Problem

    Raises
    ------
    ValueError
        For a file that cannot be used, saying what to change.
    """
    if data in ("digits", "ring") and (target, rare) != (None, None):
        raise ValueError(f"--target and --rare go with a CSV file, not with {data}.")
    if data == "digits":
        X, y = make_rare_digits(9, 0.02, random_state=seed)
        return Problem("digits, 2 % nines", X, y == 9, 16, image_shape=(8, 8))
    if data == "ring":
        X, y = make_ring_mixture(6000, random_state=seed)
        return Problem("ring of 8 Gaussians, one of 2 %", X, y == 0, 2)
    return _load_csv(Path(data), target, rare, seed)


def _load_csv(path: Path, target: str | None, rare: str | None, seed: int) -> Problem:
    if not path.is_file():
        raise ValueError(f"--data {path}: there is no such file. Use digits, ring, or a CSV file.")
    how = Reading(keep=[target] if target else [])
    table = read_table(path, how)
    if target not in table.columns:
        asked = "--target is needed" if target is None else f"--target {target}: no such column"
        raise ValueError(f"{asked}: use one of the columns {list(table.columns)}.")
    notes = how.notes
    labelled = table[target].notna()
    if not labelled.all():
        notes.append(f"{int((~labelled).sum())} rows left out because {target} is missing")
        table = table[labelled]
    labels = table.pop(target).astype(str)
    if rare is not None and rare not in set(labels):
        raise ValueError(f"--rare {rare}: {target} has only {sorted(set(labels))[:20]}.")
    X = table.select_dtypes(["number", "bool"]).astype("Float64").astype(float)
    left_out = [c for c in table if c not in X]
    if left_out:
        notes.append(f"columns left out because they are not numeric: {left_out}")
    complete = X.notna().all(axis=1)
    if not complete.all():
        notes.append(f"{int((~complete).sum())} rows left out because they have missing values")
    X, labels = X[complete], labels[complete]
    if X.shape[1] == 0 or len(X) < 30:
        raise ValueError(
            f"{path} leaves {X.shape[0]} complete rows of {X.shape[1]} numeric columns."
        )
    if len(X) > MAX_ROWS:
        notes.append(f"{MAX_ROWS} of {len(X)} rows used, chosen at random")
        kept = check_random_state(seed).permutation(len(X))[:MAX_ROWS]
        X, labels = X.iloc[kept], labels.iloc[kept]
    rare = str(labels.value_counts().index[-1]) if rare is None else rare
    mask = (labels == rare).to_numpy()
    if not 6 <= mask.sum() <= len(mask) - 6:
        raise ValueError(
            f"{int(mask.sum())} of the {len(mask)} rows that can be used have {target} = {rare}: "
            "to train and to test, at least 6 must have it, and 6 not."
        )
    n_components = int(np.clip(X.shape[1] - 1, 2, 16))
    return Problem(path.name, X, mask, n_components, notes=tuple(notes))
