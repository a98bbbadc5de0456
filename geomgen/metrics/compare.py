"""Generators side by side: folds, seeds, paired differences."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.utils import check_random_state
from tqdm.auto import tqdm

from geomgen._frames import take
from geomgen.metrics._bench import Bench
from geomgen.metrics._draws import seeded_globally
from geomgen.metrics._encode import as_rows, split_target
from geomgen.metrics.comparison import Comparison

__all__ = ["compare"]


def compare(
    generators: Mapping[str, Any],
    X: Any,
    y: Any = None,
    *,
    cv: Any = 3,
    n_seeds: int = 1,
    metrics: Any = "default",
    rare_label: Any = None,
    target: Any = None,
    preprocess: Any = "standard",
    judge: Any = None,
    n_samples: int | None = None,
    n_repeats: int = 10,
    random_state: Any = 0,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> Comparison:
    """Fit every generator on every fold with every seed, and judge all on the same terms.

    Parameters
    ----------
    generators : dict of str to generator
        Unfitted objects with ``fit`` and ``sample``, which are copied: estimators and pipelines of
        scikit-learn and of geomgen, wrappers of other packages.
    X : array-like or DataFrame of shape (n, p)
        Real rows.
    y : array-like of shape (n,), optional
        Labels: folds are stratified by them, and rates of rare modes judged. They are not given
        to the generators.
    cv : int or splitter, default=3
        Folds; shuffled when it is a number.
    n_seeds : int, default=1
        Fits of each generator on each fold, with different seeds: every ``random_state`` of a
        scikit-learn estimator is then set, and with one fit those that were left at None.
    metrics, rare_label, target, preprocess, judge, n_samples, n_repeats
        As in :func:`evaluate`.
    random_state : int, RandomState or None, default=0
        Seed of folds, fits, draws and floors.
    n_jobs : int, optional
        Processes of joblib.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    Comparison
        Its ``summary()`` is the table; ``differences(baseline)`` the paired differences;
        ``plot()`` the picture.

    Raises
    ------
    ValueError, TypeError
        For no generator, one without ``fit`` or ``sample``, or bad rows.

    Warns
    -----
    UserWarning
        If a generator fails on a fold: it names both, and that cell is left empty.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> X = load_iris().data
    >>> found = compare(
    ...     {"one": GaussianMixture(1), "three": GaussianMixture(3)},
    ...     X,
    ...     metrics=["energy_distance"],
    ... )
    >>> means = found.summary()["mean"].unstack("generator").loc["energy_distance"]
    >>> bool(means["three"] < means["one"])
    True
    """
    _check(generators, n_seeds)
    X = as_rows(X, name="X")
    seed = int(check_random_state(random_state).randint(2**31))
    labels = y if target is None else split_target(X, target)[1]
    folds = list(_folds(cv, X, labels, seed))
    options = {
        "rare_label": rare_label,
        "target": target,
        "metrics": metrics,
        "preprocess": preprocess,
        "judge": judge,
        "n_samples": n_samples,
        "n_repeats": n_repeats,
    }
    jobs = (
        delayed(_one_fold)(generators, X, y, train, test, fold, n_seeds, seed, options)
        for fold, (train, test) in enumerate(folds)
    )
    done = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    bar = tqdm(done, total=len(folds), desc="compare", unit="fold", disable=not verbose)
    tables: list[pd.DataFrame] = []
    for fold, (made, failures) in enumerate(bar):
        for failure in failures:
            warnings.warn(failure, UserWarning, stacklevel=2)
        if not made:
            raise RuntimeError(f"Every generator failed on fold {fold}: {'; '.join(failures)}")
        tables += made
    return Comparison(pd.concat(tables, ignore_index=True))


def _check(generators: Any, n_seeds: int) -> None:
    if not isinstance(generators, Mapping) or not generators:
        raise TypeError("generators must be a dictionary of names and unfitted generators.")
    for name, generator in generators.items():
        last = generator[-1] if hasattr(generator, "steps") else generator
        last = getattr(last, "estimator", last)  # a search
        lacks = [m for m in ("fit", "sample") if not hasattr(last, m)]
        if isinstance(generator, type) or lacks:
            raise TypeError(
                f"generators[{name!r}]={generator!r} must be an instance with fit and sample."
            )
    if not isinstance(n_seeds, int) or n_seeds < 1:
        raise ValueError(f"n_seeds={n_seeds!r} must be an int in [1, inf).")


def _folds(cv: Any, X: Any, y: Any, seed: int) -> Any:
    if isinstance(cv, int):
        kind = KFold if y is None else StratifiedKFold
        return kind(cv, shuffle=True, random_state=seed % 2**31).split(X, y)
    return check_cv(cv, y, classifier=y is not None).split(X, y)


def _one_fold(
    generators: Mapping[str, Any],
    X: Any,
    y: Any,
    train: np.ndarray,
    test: np.ndarray,
    fold: int,
    n_seeds: int,
    seed: int,
    options: dict[str, Any],
) -> tuple[list[pd.DataFrame], list[str]]:
    """Judge all generators on one fold, whose floors they share; and say which failed."""
    labels = None if y is None else (np.asarray(y)[train], np.asarray(y)[test])
    real = take(X, train)
    bench = Bench(real, take(X, test), y=labels, seed=seed + fold, **options)
    tables, failures = [], []
    for s in range(n_seeds):
        at = int(np.random.RandomState([seed % 2**32, fold, s]).randint(2**31))
        for name, generator in generators.items():
            try:
                made = seeded_copy(generator, at, every=n_seeds > 1)
                start = time.perf_counter()
                with seeded_globally(at):
                    made.fit(real)
                seconds = time.perf_counter() - start
                table = bench.table(made, at).reset_index()
            except Exception as error:  # one that fails must not take the others with it
                failures.append(
                    f"{name!r} failed on fold {fold}, seed {s}, and is left out there: {error}"
                )
                continue
            tables.append(table.assign(generator=name, fold=fold, seed=s, fit_seconds=seconds))
    return tables, failures


def seeded_copy(generator: Any, seed: int, every: bool) -> Any:
    """Copy an unfitted generator and set its random states: all, or those left at None."""
    if not isinstance(generator, BaseEstimator):
        return copy.deepcopy(generator)
    made = clone(generator)
    params = made.get_params()
    unset = [k for k in params if k.endswith("random_state") and (every or params[k] is None)]
    return made.set_params(**dict.fromkeys(unset, seed))
