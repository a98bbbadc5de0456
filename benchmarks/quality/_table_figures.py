"""What is measured of generated tables, numeric and mixed."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from geomgen.metrics import (
    column_distances,
    correlation_error,
    energy_distance,
    memorisation,
    precision_recall_density_coverage,
    rare_mode_report,
    train_on_synthetic,
)

__all__ = ["Table", "labelled", "mixed", "rate_error", "unlabelled"]

_BINS = 10  # of a number, for the errors of pairs


class Table(NamedTuple):
    """Training and test rows of one data set and seed, and the column of labels, 1 if rare."""

    train: pd.DataFrame
    test: pd.DataFrame
    target: str

    def rows(self, part: pd.DataFrame) -> np.ndarray:
        """Rows without labels, in units of the training rows."""
        X = self.train.drop(columns=self.target)
        scale = X.std(ddof=0).replace(0, 1)
        return ((part[X.columns] - X.mean()) / scale).to_numpy(float)


def unlabelled(table: Table, drawn: pd.DataFrame) -> dict[str, float]:
    """Figures of as many draws as training rows, of a generator that saw no labels."""
    train, test, G = table.rows(table.train), table.rows(table.test), table.rows(drawn)
    found = precision_recall_density_coverage(test, G[: len(test)])
    copies = memorisation(G, train, test)
    return {
        "precision": found.precision,
        "recall": found.recall,
        "coverage": found.coverage,
        "energy": energy_distance(test, G),
        "floor": energy_distance(test, train),
        "lRML": rate_error(table, drawn),
        "preference": copies.preference,
        "expected": copies.training_share,
    }


def rate_error(table: Table, drawn: pd.DataFrame) -> float:
    """Logarithm, without its sign, of the rare rows' lift over the judge's own."""
    y = table.train[table.target].to_numpy() == 1
    rows, rate = (table.rows(drawn), table.rows(table.train)), float(y.mean())
    report = rare_mode_report(
        *rows, y=y, rare_label=True, judge="boosting", rate=rate, random_state=0
    )
    # As in paper G, draws that are counted rare where no rare row is do not count.
    lift = max(report.lift * report.in_support, 1e-3) if report.n_rare else 1e-3
    return float(abs(np.log(lift / report.judge_lift)))


def labelled(table: Table, drawn: pd.DataFrame, rare: pd.DataFrame) -> dict[str, float]:
    """Figures of draws of a generator that saw labels, and of draws of its rare class."""
    name = table.target
    found = _utility(table, drawn)
    own = [part[part[name] == 1] for part in (table.train, table.test)]
    copies = memorisation(table.rows(rare), *(table.rows(part) for part in own))
    return {"tstr": found, "rare_preference": copies.preference}


def mixed(table: Table, drawn: pd.DataFrame) -> dict[str, float]:
    """Errors of columns, of pairs and of associations; usefulness, as a ratio to real rows."""
    return {
        "marginal": float(column_distances(table.test, drawn)["distance"].mean()),
        "pairwise": _pairwise(table.test, drawn),
        "association": correlation_error(table.test, drawn),
        "tstr": _utility(table, drawn),
    }


def _utility(table: Table, drawn: pd.DataFrame) -> float:
    name = table.target
    parts = (drawn, table.train, table.test)
    sides: list[Any] = []
    for part in parts:
        sides += [part.drop(columns=name), (part[name] == 1).to_numpy()]
    return float(train_on_synthetic(*sides, scoring="average_precision").ratio)


def _pairwise(X: pd.DataFrame, Y: pd.DataFrame) -> float:
    """Mean total variation between the tables of two columns, numbers in tenths of X."""
    codes = {name: _codes(X[name], Y[name]) for name in X}
    errors = []
    for a, b in combinations(codes, 2):
        width = 1 + max(part.max() for part in codes[b])
        cells = [one * width + other for one, other in zip(codes[a], codes[b], strict=True)]
        size = 1 + max(part.max() for part in cells)
        shares = [np.bincount(part, minlength=size) / len(part) for part in cells]
        errors.append(np.abs(shares[0] - shares[1]).sum() / 2)
    return float(np.mean(errors))


def _codes(x: pd.Series, y: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    if pd.api.types.is_numeric_dtype(x) and x.nunique() > 2 * _BINS:
        edges = np.unique(x.quantile(np.linspace(0, 1, _BINS + 1)[1:-1]))
        return np.searchsorted(edges, x, "right"), np.searchsorted(edges, y, "right")
    both = pd.factorize(pd.concat([x, y]).astype(str))[0]
    return both[: len(x)], both[len(x) :]
