"""What diagnostics share outside the model: results, checks, the estimator in a pipeline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data

from geomgen._structure import check_range
from geomgen.base import GenerativeAutoencoder
from geomgen.pipeline import unwrap

__all__ = ["Result", "check_choice", "check_count", "check_grades", "check_number", "open_fitted"]

GRADES = (1, 2, 4, 8)  # paper G, Eq. 20


class Result(ABC):
    """What a diagnostic returns: arrays, one line of text, a table."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """What was found, in one line."""

    @abstractmethod
    def to_frame(self) -> pd.DataFrame:
        """Return what was found as a table."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary}>"


def open_fitted(fitted: Any, X: Any) -> tuple[GenerativeAutoencoder, np.ndarray]:
    """Find the autoencoder in a fitted object, and the rows as it sees them.

    Parameters
    ----------
    fitted : object
        A fitted autoencoder, a ``Pipeline`` that ends in one, a search that was refitted, nested
        as you like.
    X : array-like or DataFrame of shape (n_samples, n_features), n_samples ≥ 2
        Rows as ``fitted`` was fitted on.

    Returns
    -------
    estimator : GenerativeAutoencoder
    rows : ndarray of shape (n_samples, n_features_in_)
        X after the steps before the estimator.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If there is no autoencoder of this package in it.
    ValueError
        For rows that the estimator cannot take: another width, NaN, fewer than two.
    """
    fitted = unwrap(fitted)
    check_is_fitted(fitted)
    while isinstance(fitted, Pipeline):
        for _, step in fitted.steps[:-1]:
            if step is not None and not isinstance(step, str):  # "passthrough"
                X = step.transform(X)
        fitted = unwrap(fitted.steps[-1][1])
    if not isinstance(fitted, GenerativeAutoencoder):
        raise TypeError(
            "Diagnostics look inside a fitted autoencoder of geomgen, alone or as the last step of "
            f"a Pipeline or of a search; got {fitted!r}, a {type(fitted).__name__}."
        )
    check_is_fitted(fitted)
    rows = validate_data(fitted, X, reset=False, dtype="numeric", ensure_min_samples=2)
    check_range(rows, fitted.dtype_)
    return fitted, rows


def check_count(name: str, value: Any, low: int, high: int | None = None, why: str = "") -> int:
    """Return an integer in [low, high]; raise, naming it, for anything else."""
    ok = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
    if ok and value >= low and (high is None or value <= high):
        return int(value)
    most = "" if high is None else f" and at most {high}{why}"
    error = ValueError if ok else TypeError
    raise error(f"{name}={value!r} must be an int of at least {low}{most}.")


def check_number(name: str, value: Any, low: float, high: float = np.inf) -> float:
    """Return a number in (low, high); raise, naming it, for anything else."""
    ok = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    if ok and low < value < high:
        return float(value)
    error = ValueError if ok else TypeError
    raise error(f"{name}={value!r} must be a number in ({low:g}, {high:g}).")


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Return one of some words; raise, naming it, for anything else."""
    if isinstance(value, str) and value in choices:
        return value
    raise ValueError(f"{name}={value!r} must be one of {list(choices)}.")


def check_grades(grades: Any, most: int, why: str) -> tuple[int, ...]:
    """Return the grades in order; None stands for the legal ones of the paper's."""
    if most < 1:
        raise ValueError(f"No grade k is legal here: it is at most {most}{why}.")
    if grades is None:
        return tuple(g for g in GRADES if g <= most)
    if isinstance(grades, str) or not np.iterable(grades):
        raise TypeError(f"grades={grades!r} must be a sequence of ints, or None.")
    legal = tuple(sorted({check_count("a grade of grades", g, 1, most, why) for g in grades}))
    if not legal:
        raise ValueError(f"grades={grades!r} is empty: give a grade, or None for {GRADES}.")
    return legal
