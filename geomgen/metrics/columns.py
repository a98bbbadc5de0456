"""Tables compared column by column, and by how their columns go together."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, contingency, ks_2samp, rankdata

from geomgen.metrics._tables import as_tables, is_numeric

__all__ = ["association", "column_distances", "correlation_error"]


def column_distances(X: Any, Y: Any) -> pd.DataFrame:
    r"""Compare the distributions of two tables, column by column.

    For columns of numbers the Kolmogorov-Smirnov statistic of the distribution functions F and G,
    for columns of categories the total variation of their shares p and q:

    .. math:: \mathrm{KS} = \sup_x |F(x) - G(x)|, \qquad
       \mathrm{TV} = \tfrac12 \sum_c |p_c - q_c|

    Parameters
    ----------
    X : array-like, pandas or polars DataFrame of shape (n, p)
        Real rows. Columns of numbers, dates and durations are numeric; strings, booleans,
        categories and other objects are categorical. NaN and None are missing values.
    Y : array-like, pandas or polars DataFrame of shape (m, p)
        Generated rows. A column that is categorical in X or Y is so in both, and values count as
        equal if Python's ``==`` says so: 1 is 1.0 and is not "1".

    Returns
    -------
    DataFrame of shape (p, 4)
        One row a column, with ``kind`` ("numeric" or "categorical"); ``distance``, between the
        values that are present, in [0, 1]; ``pvalue`` of equal distributions, asymptotic
        (Kolmogorov-Smirnov, conservative with ties, or chi-squared, rough for categories expected
        fewer than five times); and ``missing_difference``, the share of missing values in Y less
        that in X. Distance and p-value are nan if X or Y has no value in the column.

    Raises
    ------
    ValueError
        If the columns differ, a table is empty, two columns have one name, or a value is infinite.

    References
    ----------
    Hodges, 1958, *The significance probability of the Smirnov two-sample test*.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"age": [20, 30, 40, 50], "smokes": ["no", "no", "no", "yes"]})
    >>> Y = pd.DataFrame({"age": [20, 30, 60, None], "smokes": ["no", "no", "yes", "yes"]})
    >>> column_distances(X, Y)[["kind", "distance", "missing_difference"]].round(3)
                   kind  distance  missing_difference
    age         numeric     0.333                0.25
    smokes  categorical     0.250                0.00
    """
    X, Y = as_tables(X=X, Y=Y)
    found = {}
    for column in X.columns:
        x, y = X[column], Y[column]
        compare = _smirnov if is_numeric(x) else _total_variation
        present = x.dropna(), y.dropna()
        distance, pvalue = (
            compare(*present) if all(len(values) for values in present) else (np.nan, np.nan)
        )
        found[column] = {
            "kind": "numeric" if is_numeric(x) else "categorical",
            "distance": distance,
            "pvalue": pvalue,
            "missing_difference": y.isna().mean() - x.isna().mean(),
        }
    return pd.DataFrame.from_dict(found, orient="index").reindex(X.columns)


def association(X: Any) -> pd.DataFrame:
    r"""How strongly the columns of a table go together, two by two.

    - Two columns of numbers: Spearman's rank correlation, in [-1, 1].
    - Numbers and categories: the correlation ratio of the ranks, in [0, 1],
      :math:`\eta = \sqrt{\sum_c n_c (\bar r_c - \bar r)^2 / \sum_i (r_i - \bar r)^2}`.
    - Two columns of categories: Cramér's V, in [0, 1],
      :math:`V = \sqrt{\chi^2 / (n \min(a - 1, b - 1))}` for a and b categories.

    Parameters
    ----------
    X : array-like, pandas or polars DataFrame of shape (n, p)
        Rows; see :func:`column_distances` for the kinds of columns. A row counts for a pair of
        columns if neither value is missing.

    Returns
    -------
    DataFrame of shape (p, p)
        Symmetric, with 1 on the diagonal. A constant column has association 0 with all others.

    Raises
    ------
    ValueError
        If the table is empty, two columns have one name, or a value is infinite.

    Notes
    -----
    Ranks make the figures indifferent to increasing transforms of single columns and safe from
    outliers. The ratio and V of independent columns are above 0, more so with many categories and
    few rows: compare tables of like size.

    References
    ----------
    Spearman, 1904, *The proof and measurement of association between two things*; Cramér, 1946,
    *Mathematical methods of statistics*, section 21.9.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"a": [1, 2, 3, 4], "b": [9, 7, 5, 1], "c": ["x", "x", "y", "y"]})
    >>> association(X).round(3)
           a      b      c
    a  1.000 -1.000  0.894
    b -1.000  1.000  0.894
    c  0.894  0.894  1.000
    """
    (table,) = as_tables(X=X)
    return _association(table)


def correlation_error(X: Any, Y: Any) -> float:
    r"""Mean absolute difference between the associations of two tables.

    .. math:: \frac{2}{p(p-1)} \sum_{i<j} |A_{ij}(X) - A_{ij}(Y)|

    with A of :func:`association`; ``association(X) - association(Y)`` shows which pairs differ.

    Parameters
    ----------
    X : array-like, pandas or polars DataFrame of shape (n, p)
        Real rows, p ≥ 2.
    Y : array-like, pandas or polars DataFrame of shape (m, p)
        Generated rows.

    Returns
    -------
    float
        0 for equal associations; at most 2. Two samples of one distribution differ by chance:
        read the value beside that of real training and test rows.

    Raises
    ------
    ValueError
        As :func:`column_distances`, and if there is one column only.

    References
    ----------
    Spearman, 1904; Cramér, 1946; see :func:`association`.

    Examples
    --------
    >>> round(correlation_error([[1, 1], [2, 2], [3, 3]], [[1, 3], [2, 2], [3, 1]]), 6)
    2.0
    """
    X, Y = as_tables(X=X, Y=Y)
    p = X.shape[1]
    if p < 2:
        raise ValueError("X has one column: an association needs two.")
    error = np.abs(_association(X).to_numpy() - _association(Y).to_numpy())
    return float(error[np.triu_indices(p, 1)].mean())


def _smirnov(x: pd.Series, y: pd.Series) -> tuple[float, float]:
    test = ks_2samp(x, y, method="asymp")
    return float(test.statistic), float(test.pvalue)


def _total_variation(x: pd.Series, y: pd.Series) -> tuple[float, float]:
    codes, _ = pd.factorize(np.concatenate([x, y]))
    counts = _crosstab(np.repeat([0, 1], [len(x), len(y)]), codes)
    shares = counts / counts.sum(1, keepdims=True)
    return float(np.abs(shares[0] - shares[1]).sum() / 2), float(
        chi2_contingency(counts, correction=False).pvalue
    )


def _association(table: pd.DataFrame) -> pd.DataFrame:
    values = {
        name: column.to_numpy() if is_numeric(column) else pd.factorize(column)[0]
        for name, column in table.items()
    }
    numeric = [name for name, column in table.items() if is_numeric(column)]
    found = _spearman(table[numeric]).reindex(index=table.columns, columns=table.columns)
    for a, b in combinations(table.columns, 2):
        if a in numeric and b in numeric:
            continue
        if a in numeric or b in numeric:
            groups, numbers = (b, a) if a in numeric else (a, b)
            value = _correlation_ratio(values[groups], values[numbers])
        else:
            value = _cramer(values[a], values[b])
        found.loc[a, b] = found.loc[b, a] = value
    np.fill_diagonal(matrix := found.to_numpy(copy=True), 1.0)
    return pd.DataFrame(matrix, index=table.columns, columns=table.columns)


def _spearman(numbers: pd.DataFrame) -> pd.DataFrame:
    """Rank correlations, 0 with a constant column; all at once where nothing is missing."""
    if numbers.shape[1] < 2 or numbers.isna().any(axis=None):
        return numbers.corr(method="spearman").fillna(0.0)
    ranks = rankdata(numbers.to_numpy(), axis=0)
    ranks -= ranks.mean(0)
    lengths = np.linalg.norm(ranks, axis=0)
    unit = ranks / np.where(lengths > 0, lengths, 1)
    return pd.DataFrame(unit.T @ unit, index=numbers.columns, columns=numbers.columns)


def _correlation_ratio(groups: np.ndarray, numbers: np.ndarray) -> float:
    present = (groups >= 0) & ~np.isnan(numbers)
    groups, ranks = groups[present], rankdata(numbers[present])
    ranks = ranks - (len(ranks) + 1) / 2
    total = (ranks**2).sum()
    if total == 0:
        return 0.0
    counts = np.bincount(groups)
    between = (np.bincount(groups, ranks)[counts > 0] ** 2 / counts[counts > 0]).sum()
    return float(min(np.sqrt(between / total), 1.0))


def _cramer(a: np.ndarray, b: np.ndarray) -> float:
    present = (a >= 0) & (b >= 0)
    counts = _crosstab(a[present], b[present])
    return float(contingency.association(counts, method="cramer")) if min(counts.shape) > 1 else 0.0


def _crosstab(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Count the pairs of codes that occur."""
    return contingency.crosstab(a, b).count
