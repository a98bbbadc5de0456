"""Three ways to say which rows are rare: a known mixture, labels and a judge, a function."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import softmax
from scipy.stats import chi
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.preprocessing import StandardScaler

from geomgen.metrics._checks import check_pair, check_sample
from geomgen.metrics._intervals import corrected_interval
from geomgen.metrics.rare import held_out_judgement, is_rare, neighbour_judge

__all__ = ["Judged", "by_function", "by_labels", "by_mixture", "corrected_lift"]

_DRAWS = 10_000  # of each component: the rates of a rule to .005
_MASS = 1 - np.exp(-4.5)  # of a Gaussian within three standard deviations in two dimensions


class Judged(NamedTuple):
    """Which generated rows were counted rare, and how well that can be known."""

    counted: np.ndarray  # of bool, one a generated row
    counted_rows: np.ndarray  # those rows, in units for distances
    real_rows: np.ndarray  # real rows of the rare mode, in the same units
    rate: float
    n_real: int | None  # rows that the rate was counted on; None: it is known
    tpr: float
    fpr: float
    n_judged: tuple[int, int] | None = None  # rare and other rows they were counted on
    in_support: np.ndarray | None = None  # of the counted rows; None: see the real rows


def by_mixture(
    X_generated: Any,
    X_real: Any,
    mixture: Any,
    component: int | None,
    rule: str | float,
    n_neighbors: int,
    rng: np.random.RandomState,
) -> Judged:
    """Count rows of one component of a known mixture."""
    truth = _Gaussians.of(mixture)
    rows = check_sample(X_generated, name="X_generated", min_rows=2)
    n_components, p = truth.means.shape
    if rows.shape[1] != p:
        raise ValueError(f"X_generated has {rows.shape[1]} columns and the mixture {p}.")
    rare = int(truth.weights.argmin()) if component is None else component
    if not 0 <= rare < n_components or not 0 < truth.weights[rare] < 1:
        raise ValueError(
            f"{component=} must be one of 0 to {n_components - 1}, of a weight in (0, 1)."
        )
    own = truth.draw(rare, _DRAWS, rng)
    counts = np.array(
        [
            truth.select(own if j == rare else truth.draw(j, _DRAWS, rng), rare, rule).mean()
            for j in range(n_components)
        ]
    )
    others = np.delete(truth.weights, rare)
    rate = float(truth.weights[rare])
    if X_real is None:  # as many as a perfect generator would draw
        real_rows = own[: max(round(rate * len(rows)), n_neighbors + 1)]
    else:
        _, real = check_pair(X_generated, X_real, names=("X_generated", "X_real"), min_rows=2)
        real_rows = real[truth.select(real, rare, rule)]
    counted = truth.select(rows, rare, rule)
    counted_rows = truth.whiten(rows[counted], rare)
    return Judged(
        counted,
        counted_rows,
        truth.whiten(real_rows, rare),
        rate,
        None,
        tpr=float(counts[rare]),
        fpr=float(np.delete(counts, rare) @ others / others.sum()),
        in_support=np.linalg.norm(counted_rows, axis=1) <= chi.ppf(_MASS, p),
    )


def by_labels(
    X_generated: Any,
    X_real: Any,
    y: Any,
    rare_label: Any,
    judge: Any,
    rng: np.random.RandomState,
) -> Judged:
    """Count rows that a classifier, fitted on labelled real rows, takes for rare."""
    rows, real = _with_real(X_generated, X_real)
    if np.shape(y) != (len(real),):
        raise ValueError(f"y has shape {np.shape(y)}: it must be one label a row, ({len(real)},).")
    rare = is_rare(y, rare_label)
    n_rare = int(rare.sum())
    if min(n_rare, len(rare) - n_rare) < 2:
        raise ValueError(
            f"Of {len(rare)} real rows {n_rare} are rare: the judge is tried on rows held out, "
            "which takes two rare ones and two others. Give more real rows."
        )
    judge = _judge(judge, rng)
    held_out = held_out_judgement(judge, real, rare, rng)
    counted = clone(judge).fit(real, rare).predict(rows).astype(bool)
    counted_rows, real_rows = _standardised(real, rows[counted], real[rare])
    return Judged(
        counted,
        counted_rows,
        real_rows,
        rate=float(rare.mean()),
        n_real=len(rare),
        tpr=float(held_out[rare].mean()),
        fpr=float(held_out[~rare].mean()),
        n_judged=(n_rare, len(rare) - n_rare),
    )


def by_function(X_generated: Any, X_real: Any, rarity: Any) -> Judged:
    """Count rows that a function of the user defines as rare."""
    rows, real = _with_real(X_generated, X_real)
    counted, rare = (
        _called(rarity, X, len(checked)) for X, checked in ((X_generated, rows), (X_real, real))
    )
    counted_rows, real_rows = _standardised(real, rows[counted], real[rare])
    return Judged(
        counted,
        counted_rows,
        real_rows,
        rate=float(rare.mean()),
        n_real=len(rare),
        tpr=1.0,
        fpr=0.0,
    )


def corrected_lift(
    judged: Judged, confidence: float, rng: np.random.RandomState
) -> tuple[float, tuple[float, float]]:
    """Rogan and Gladen's estimate over the rate, with its interval; nan without a judge."""
    if judged.n_judged is None:
        return np.nan, (np.nan, np.nan)
    tpr, fpr, (n_rare, n_others) = judged.tpr, judged.fpr, judged.n_judged
    if tpr <= fpr:
        warnings.warn(
            f"The judge's true-positive rate {tpr:.3g} is not above its false-positive rate "
            f"{fpr:.3g}: the lift cannot be corrected. Pass another judge, such as "
            "judge='boosting', or features that tell the rare rows apart.",
            stacklevel=4,
        )
        return np.nan, (np.nan, np.nan)
    r, pi, n_real = judged.counted.mean(), judged.rate, judged.n_real
    ends = corrected_interval(
        (judged.counted.sum(), len(judged.counted)),
        (tpr * n_rare, n_rare),
        (fpr * n_others, n_others),
        pi if n_real is None else (pi * n_real, n_real),
        confidence=confidence,
        random_state=rng,
    )
    return float(np.clip((r - fpr) / (tpr - fpr), 0, 1) / pi), ends


def _with_real(X_generated: Any, X_real: Any) -> tuple[np.ndarray, np.ndarray]:
    if X_real is None:
        raise ValueError(
            "X_real is needed: the real rows to judge with; only a mixture has its own."
        )
    names = ("X_real", "X_generated")
    real, rows = check_pair(X_real, X_generated, names=names, min_rows=2)
    return rows, real


def _standardised(real: np.ndarray, *samples: np.ndarray) -> list[np.ndarray]:
    scaler = StandardScaler().fit(real)
    return [scaler.transform(X) if len(X) else X for X in samples]


def _called(rarity: Any, X: Any, n: int) -> np.ndarray:
    mask = np.asarray(rarity(X))
    if mask.dtype != bool or mask.shape != (n,):
        raise ValueError(
            f"rarity returned {mask.dtype} of shape {mask.shape} for {n} rows: it must return one "
            "bool a row."
        )
    return mask


def _judge(judge: Any, rng: np.random.RandomState) -> Any:
    if judge is None:
        return neighbour_judge()
    if isinstance(judge, str):
        if judge != "boosting":
            raise ValueError(
                f"{judge=} must be 'boosting' or a classifier; None is the nearest neighbour."
            )
        judge = HistGradientBoostingClassifier()
    judge = clone(judge)
    if judge.get_params().get("random_state", 0) is None:
        judge.set_params(random_state=rng.randint(2**31))
    return judge


@dataclass(frozen=True)
class _Gaussians:
    """Weights, means and Cholesky factors of the covariances."""

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    @classmethod
    def of(cls, mixture: Any) -> _Gaussians:
        if hasattr(mixture, "std") and hasattr(mixture, "means"):  # geomgen.datasets.RingMixture
            means = np.asarray(mixture.means, dtype=float)
            factors = np.broadcast_to(mixture.std * np.eye(means.shape[1]), means.shape + (2,))
            return cls(np.asarray(mixture.weights), means, factors)
        missing = [a for a in ("weights_", "means_", "covariances_") if not hasattr(mixture, a)]
        if missing:
            raise TypeError(
                f"mixture={mixture!r} has no {missing[0]}: pass a RingMixture or a fitted "
                "sklearn.mixture.GaussianMixture."
            )
        means = np.asarray(mixture.means_, dtype=float)
        (k, p), covariances = means.shape, np.asarray(mixture.covariances_, dtype=float)
        kind = getattr(mixture, "covariance_type", "full")
        if kind == "spherical":
            covariances = covariances[:, None, None] * np.eye(p)
        elif kind == "diag":
            covariances = covariances[:, :, None] * np.eye(p)
        factors = np.linalg.cholesky(np.broadcast_to(covariances, (k, p, p)))
        return cls(np.asarray(mixture.weights_, dtype=float), means, factors)

    def whiten(self, X: np.ndarray, j: int) -> np.ndarray:
        """Coordinates in which component j is standard normal."""
        return solve_triangular(self.factors[j], (X - self.means[j]).T, lower=True).T

    def distances(self, X: np.ndarray) -> np.ndarray:
        """Mahalanobis distance to each mean, (n, p) -> (n, k)."""
        columns = [np.linalg.norm(self.whiten(X, j), axis=1) for j in range(len(self.means))]
        return np.stack(columns, axis=1)

    def responsibilities(self, X: np.ndarray) -> np.ndarray:
        """Posterior probability of each component, (n, p) -> (n, k)."""
        log_volumes = np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(1)
        with np.errstate(divide="ignore"):  # a component without weight is never responsible
            return softmax(np.log(self.weights) - log_volumes - self.distances(X) ** 2 / 2, axis=1)

    def select(self, X: np.ndarray, j: int, rule: str | float) -> np.ndarray:
        """Which rows a rule assigns to component j."""
        if rule == "responsibility":
            return self.responsibilities(X).argmax(1) == j
        if rule == "mahalanobis":
            return self.distances(X).argmin(1) == j
        if isinstance(rule, str) or not 0 <= rule < 1:
            raise ValueError(
                f"{rule=} must be 'responsibility', 'mahalanobis' or a threshold of the "
                "responsibility in [0, 1), such as 0.5 or 0.9."
            )
        return self.responsibilities(X)[:, j] > rule

    def draw(self, j: int, n: int, rng: np.random.RandomState) -> np.ndarray:
        """Rows of component j."""
        return self.means[j] + rng.standard_normal((n, self.means.shape[1])) @ self.factors[j].T
