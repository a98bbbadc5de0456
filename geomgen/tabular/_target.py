"""The column whose classes can be asked for."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from geomgen.samplers._strata import parse_shares
from geomgen.tabular._storage import Values, column_names, read_column

__all__ = ["Target", "joined"]

_MOST_CLASSES = 50
_FEW = 10  # rows of a class, which say little of its spread


class Target:
    """Classes of a column, and their shares; no classes if its values are numbers of a measure.

    Attributes
    ----------
    classes_ : ndarray or None
        Values, sorted.
    shares_ : ndarray
        Their shares.
    codes_ : ndarray of int
        Index of each row's class.
    """

    def __init__(self, X: Any, name: Any, apart: bool = False) -> None:
        self.name, self.apart = name, apart
        storage, values = read_column(X, name)
        if values.missing.any():
            raise ValueError(
                f"The target {name!r} is missing in {int(values.missing.sum())} rows: drop them, "
                "or fill them."
            )
        self.classes_: Any = None
        data = np.asarray(X[name].to_list(), dtype=object)
        distinct = list(dict.fromkeys(data.tolist()))
        if len(distinct) > _MOST_CLASSES:
            if storage.kind == "discrete":
                raise ValueError(
                    f"The target {name!r} has {len(distinct)} classes: at most {_MOST_CLASSES} can "
                    "have a density each. Leave it among the columns, without target=."
                )
            return  # a measure: a column like the others
        if storage.kind == "numeric" and any(v != round(v) for v in distinct):
            return
        try:
            distinct = sorted(distinct)
        except TypeError:
            distinct = sorted(distinct, key=str)
        codes = {value: k for k, value in enumerate(distinct)}
        self.codes_ = np.array([codes[value] for value in data.tolist()])
        counts = np.bincount(self.codes_)
        if len(distinct) > 1 and counts.max() == 1:
            raise ValueError(f"Every row has a class of its own in the target {name!r}.")
        few = {v: int(c) for v, c in zip(distinct, counts, strict=True) if c < _FEW}
        if few:
            warnings.warn(
                f"Classes of the target {name!r} have fewer than {_FEW} rows, {few}: their draws "
                "take most of their spread from the other classes, and can be far off. Merge "
                "classes, or give more rows.",
                UserWarning,
                stacklevel=3,
            )
        self.shares_ = counts / counts.sum()
        first = [int(np.argmax(self.codes_ == k)) for k in range(len(distinct))]
        self.stored_ = values.data[first]
        made = np.array(distinct)
        self.classes_ = made if made.ndim == 1 else np.array(distinct, dtype=object)

    def values(self, groups: np.ndarray) -> Values:
        """Values of the column, of classes by number."""
        return Values(self.stored_[groups], np.zeros(len(groups), dtype=bool))

    def only(self, wanted: Any, shares: np.ndarray) -> np.ndarray:
        """Shares with the classes left out that are not wanted."""
        options = wanted if isinstance(wanted, list | tuple | set | np.ndarray) else [wanted]
        known = self.classes_.tolist()
        unknown = [option for option in options if option not in known]
        if unknown:
            raise ValueError(f"conditions asks for {self.name!r} in {unknown}: there are {known}.")
        kept = np.where([label in list(options) for label in known], shares, 0.0)
        if kept.sum() <= 0:
            raise ValueError(
                f"balance gives the classes that conditions asks for no share: {known}"
            )
        return kept / kept.sum()


def split_shares(
    target: Target | None, conditions: dict[Any, Any], balance: Any
) -> tuple[np.ndarray | None, dict[Any, Any]]:
    """Shares of the target's classes, if it has any, and the conditions that are left."""
    if target is None or target.classes_ is None:
        if balance is not None:
            raise ValueError(
                "balance= needs classes: name their column by target=, or give fit labels y."
            )
        return None, conditions
    shares = target.shares_
    if balance is not None:
        equal = isinstance(balance, str) and balance == "equal"
        given = dict.fromkeys(target.classes_.tolist(), 1.0) if equal else balance
        shares = parse_shares(given, target.classes_)
    wanted = conditions.get(target.name)
    if wanted is None or callable(wanted):
        return shares, conditions
    left = {name: value for name, value in conditions.items() if name != target.name}
    return target.only(wanted, shares), left


def joined(X: Any, y: Any, target: Any) -> tuple[Any, Any]:
    """Rows with the labels as their last column, and the name of the target, if there is one.

    Raises
    ------
    ValueError
        If the target is no column, the labels are not one a row, or both are given.
    """
    names = column_names(X)
    if y is None:
        if target is not None and target not in names:
            raise ValueError(f"target={target!r} is no column of X: {names[:20]}.")
        return X, target
    if target is not None and target in names:
        raise ValueError(f"Give labels as y, or by target={target!r}, not both.")
    if np.ndim(y) != 1 or len(y) != len(X):
        raise ValueError(f"y of shape {np.shape(y)} is not one label for each of {len(X)} rows.")
    name = target if target is not None else getattr(y, "name", None)
    name = "target" if name is None or name in names else name
    if name in names:
        raise ValueError("y has no name, and X has a column 'target': name it, as a Series.")
    if isinstance(X, pd.DataFrame):
        labels = y.to_numpy() if hasattr(y, "to_numpy") and not isinstance(y, pd.Series) else y
        values = labels.array if isinstance(labels, pd.Series) else np.asarray(labels)
        return X.assign(**{name: values}) if isinstance(name, str) else _assigned(
            X, name, values
        ), name
    import polars

    return X.with_columns(polars.Series(name, y if isinstance(y, polars.Series) else list(y))), name


def _assigned(X: pd.DataFrame, name: Any, values: Any) -> pd.DataFrame:
    X = X.copy()
    X[name] = values
    return X
