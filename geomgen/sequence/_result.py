"""What an optimisation over codes evaluated, and its figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

__all__ = ["OptimizationResult"]

_COLUMNS = ["round", "code", "string", "score", "failed", "valid", "novel"]


@dataclass(frozen=True, eq=False)
class OptimizationResult:
    """Every string that was evaluated, with its score, and figures of them all.

    Shares are of all evaluations. A figure of no evaluation is NaN.

    Parameters
    ----------
    evaluations : DataFrame
        A row an evaluation, in order: ``round``, ``code`` (an array), ``string``, ``score``
        (failures have the worst score known), ``failed`` (the objective gave no finite score, or
        the string is empty), ``valid``, and ``novel`` (not empty, and not among the strings
        given to ``fit``).
    maximize : bool, default=False
        Whether greater scores are better.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {
    ...         "string": ["aa", "ab", "aa", ""],
    ...         "score": [2.0, 1.0, 2.0, 9.0],
    ...         "failed": [False, False, False, True],
    ...         "valid": [True, True, True, False],
    ...         "novel": [True, False, True, False],
    ...     }
    ... )
    >>> result = OptimizationResult(table)
    >>> result.valid, result.distinct, result.n_failures
    (0.75, 0.5, 1)
    >>> result.best, result.best_novel
    (('ab', 1.0), ('aa', 2.0))
    >>> round(result.average_score, 3), result.average_score_with_failures
    (1.667, 3.5)
    """

    evaluations: pd.DataFrame
    maximize: bool = False

    @classmethod
    def of(cls, tables: list[dict[str, Any]], worst: float, maximize: bool) -> Self:
        """Join the tables of rounds; failures get the worst score."""
        frames = [pd.DataFrame(table, columns=_COLUMNS) for table in tables]
        table = pd.concat(frames or [pd.DataFrame(columns=_COLUMNS)], ignore_index=True)
        table["score"] = table["score"].astype(float).fillna(worst)
        for name in ("failed", "valid", "novel"):
            table[name] = table[name].astype(bool)
        return cls(table, maximize)

    @property
    def valid(self) -> float:
        """Share of valid strings."""
        return float(self.evaluations["valid"].mean())

    @property
    def distinct(self) -> float:
        """Number of different strings over the number of evaluations; empty ones do not count."""
        strings = self.evaluations["string"]
        return strings[strings != ""].nunique() / len(strings) if len(strings) else np.nan

    @property
    def novel(self) -> float:
        """Share of strings that are valid and were not given to ``fit``."""
        return float((self.evaluations["valid"] & self.evaluations["novel"]).mean())

    @property
    def average_score(self) -> float:
        """Mean score of the valid strings: the failures are left out, as in the papers."""
        return float(self.evaluations.loc[self.evaluations["valid"], "score"].mean())

    @property
    def average_score_with_failures(self) -> float:
        """Mean score of all, failures at their worst score."""
        return float(self.evaluations["score"].mean())

    @property
    def n_failures(self) -> int:
        """Number of evaluations without a finite score."""
        return int(self.evaluations["failed"].sum())

    @property
    def best(self) -> tuple[str, float]:
        """The best valid string and its score; ("", NaN) if there is none."""
        return self._first(self.top(1))

    @property
    def best_novel(self) -> tuple[str, float]:
        """The best valid string that was not given to ``fit``, and its score."""
        return self._first(self.top(1, novel=True))

    def top(self, k: int = 10, novel: bool = False) -> pd.DataFrame:
        """Give the k best different valid strings, the best first.

        Parameters
        ----------
        k : int, default=10
            Number of strings, at most.
        novel : bool, default=False
            Whether to leave out strings that were given to ``fit``.

        Returns
        -------
        DataFrame
            Rows of ``evaluations``, the first evaluation of each string.
        """
        table = self.evaluations[self.evaluations["valid"]]
        table = table[table["novel"]] if novel else table
        ordered = table.sort_values("score", ascending=not self.maximize, kind="stable")
        return ordered.drop_duplicates("string").head(k)

    def summary(self) -> pd.Series:
        """Give all figures by name."""
        return pd.Series(
            {
                "evaluations": len(self.evaluations),
                "valid": self.valid,
                "distinct": self.distinct,
                "novel": self.novel,
                "average_score": self.average_score,
                "average_score_with_failures": self.average_score_with_failures,
                "best": self.best[1],
                "best_novel": self.best_novel[1],
                "failures": self.n_failures,
            }
        )

    @staticmethod
    def _first(table: pd.DataFrame) -> tuple[str, float]:
        if table.empty:
            return "", np.nan
        return str(table["string"].iloc[0]), float(table["score"].iloc[0])
