"""Generators of tables, ours and others', behind one interface: frame and target in, rows out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, clone
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity, NearestNeighbors
from sklearn.utils import check_random_state

from geomgen.pipeline import sample
from geomgen.tabular import TableGenerator

__all__ = ["MIXED", "NUMERIC", "PerClass", "make"]


class MixtureBIC(BaseEstimator):
    """scikit-learn's mixture, full covariances, with as many components as BIC says."""

    def __init__(self, random_state: Any = None) -> None:
        self.random_state = random_state

    def fit(self, X: np.ndarray) -> MixtureBIC:
        found = []
        for k in (1, 2, 4, 8, 16, 32):
            if len(X) > k * (X.shape[1] + 2):
                mixture = GaussianMixture(k, reg_covar=1e-4, random_state=self.random_state).fit(X)
                found.append((mixture.bic(X), k, mixture))
        self.mixture_ = min(found)[2]
        return self

    def sample(self, n: int, random_state: Any = None) -> np.ndarray:
        return sample(self.mixture_, n, random_state=random_state)


class KernelCV(BaseEstimator):
    """scikit-learn's kernel density, its bandwidth by cross-validation."""

    def __init__(self, random_state: Any = None) -> None:
        self.random_state = random_state

    def fit(self, X: np.ndarray) -> KernelCV:
        grid = {"bandwidth": np.logspace(-1.5, 0, 7)}
        some = check_random_state(self.random_state).permutation(len(X))[:2000]
        best = GridSearchCV(KernelDensity(), grid, cv=min(3, len(some))).fit(X[some])
        self.density_ = KernelDensity(bandwidth=best.best_params_["bandwidth"]).fit(X)
        return self

    def sample(self, n: int, random_state: Any = None) -> np.ndarray:
        return self.density_.sample(n, random_state=random_state)


class GaussianCopula(BaseEstimator):
    """Normal scores with one covariance, columns back by their empirical quantiles."""

    def fit(self, X: np.ndarray) -> GaussianCopula:
        scores = ndtri((rankdata(X, axis=0) - 0.5) / len(X))
        self.covariance_ = np.cov(scores.T).reshape(X.shape[1], -1)
        self.columns_ = np.sort(X, axis=0)
        return self

    def sample(self, n: int, random_state: Any = None) -> np.ndarray:
        rng, p = check_random_state(random_state), self.columns_.shape[1]
        scores = rng.multivariate_normal(np.zeros(p), self.covariance_, n, check_valid="ignore")
        levels = np.linspace(0, 1, len(self.columns_))
        u = ndtr(scores / np.sqrt(np.diag(self.covariance_).clip(1e-12)))
        return np.stack([np.interp(u[:, j], levels, self.columns_[:, j]) for j in range(p)], 1)


class Smote(BaseEstimator):
    """Points between a row and one of its five nearest others, as in Chawla et al., 2002."""

    def fit(self, X: np.ndarray) -> Smote:
        self.rows_ = X
        k = min(6, len(X))
        self.near_ = NearestNeighbors(n_neighbors=k).fit(X).kneighbors(return_distance=False)
        return self

    def sample(self, n: int, random_state: Any = None) -> np.ndarray:
        rng = check_random_state(random_state)
        at = rng.randint(len(self.rows_), size=n)
        others = self.near_[at, rng.randint(self.near_.shape[1], size=n)]
        return self.rows_[at] + rng.random_sample((n, 1)) * (self.rows_[others] - self.rows_[at])


class PerClass:
    """A density of rows, or one for each class of a target, from frame to frame."""

    def __init__(self, density: Any, target: str | None) -> None:
        self.density, self.target = density, target

    def fit(self, X: pd.DataFrame) -> PerClass:
        if self.target is None:
            self.columns_, self.parts_ = X.columns, {None: (1.0, self._fitted(X))}
            return self
        self.columns_ = X.columns.drop(self.target)
        self.parts_ = {
            label: (len(rows) / len(X), self._fitted(rows.drop(columns=self.target)))
            for label, rows in X.groupby(self.target)
        }
        return self

    def _fitted(self, rows: pd.DataFrame) -> Any:
        return clone(self.density).fit(rows.to_numpy())

    def sample(self, n: int, random_state: Any, conditions: dict | None = None) -> pd.DataFrame:
        parts = self.parts_
        if conditions:
            parts = {label: (1.0, parts[label][1]) for label in conditions.values()}
        frames = []
        for label, (share, density) in parts.items():
            drawn = sample(density, max(round(share * n), 1), random_state=random_state)
            frame = pd.DataFrame(drawn, columns=self.columns_)
            frames.append(frame if self.target is None else frame.assign(**{self.target: label}))
        return pd.concat(frames, ignore_index=True).sample(frac=1, random_state=random_state)


def _ours(model: str) -> Callable[[str | None, int], Any]:
    return lambda target, seed: TableGenerator(model=model, target=target, random_state=seed)


def _density(density: Any) -> Callable[[str | None, int], Any]:
    def made(target: str | None, seed: int) -> PerClass:
        known = "random_state" in density.get_params()
        return PerClass(clone(density).set_params(random_state=seed) if known else density, target)

    return made


OURS = {f"geomgen {name}": _ours(name) for name in ("auto", "rows", "pca", "ae")}
NUMERIC: dict[str, Callable[[str | None, int], Any]] = {
    **OURS,
    "GaussianMixture (BIC)": _density(MixtureBIC()),
    "KernelDensity (CV)": _density(KernelCV()),
    "Gaussian copula": _density(GaussianCopula()),
    "SMOTE": _density(Smote()),
}
MIXED = {name: OURS[name] for name in ("geomgen auto", "geomgen pca")}


def make(name: str, target: str | None, seed: int) -> Any:
    """Make an unfitted generator by its name in the tables."""
    return (NUMERIC | MIXED)[name](target, seed)
