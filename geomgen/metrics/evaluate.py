"""One table that says how good generated rows are, beside what real rows would get."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
from sklearn.utils import check_random_state

from geomgen.metrics._bench import Bench

__all__ = ["evaluate"]


def evaluate(
    generator: Any,
    X_train: Any,
    X_test: Any,
    *,
    y: tuple[Any, Any] | None = None,
    rare_label: Any = None,
    target: Any = None,
    metrics: str | Iterable[str] | Mapping[str, Callable] = "default",
    preprocess: Any = "standard",
    judge: Any = None,
    n_samples: int | None = None,
    n_repeats: int = 10,
    random_state: Any = 0,
) -> pd.DataFrame:
    """Judge generated rows: every metric beside what real rows get, with a verdict.

    Parameters
    ----------
    generator : object
        A fitted estimator, pipeline or search; anything with ``sample(n)``; generated rows; or a
        pair of generated rows and their labels.
    X_train : array-like or DataFrame of shape (n_train, p)
        Real rows that the generator was fitted to.
    X_test : array-like or DataFrame of shape (n_test, p)
        Real rows that it has not seen.
    y : pair of array-like, optional
        Labels of X_train and of X_test, for the rates of rare modes.
    rare_label : object, optional
        The rare label; by default the least frequent in y.
    target : object, optional
        The column of the labels if the rows contain them (a name, or a position in an array): y
        is then read there, and a classifier is trained on the generated rows and tested on real
        ones.
    metrics : {"default", "all"}, sequence of names, or dict of functions, default="default"
        Names are those of the scorers; a function takes (X_real, X_generated), on the scale of
        ``preprocess``.
    preprocess : {"standard"}, transformer or None, default="standard"
        What puts the columns on one scale: by default zero mean and unit variance, and categories
        one-hot. None leaves the numbers as they are: right for images.
    judge : classifier, optional
        Who says which generated rows are rare; see :func:`rare_mode_report`.
    n_samples : int, optional
        Rows drawn; by default as many as X_train has, at most 5000. More real rows than this are
        subsampled, and no more are drawn than X_train has: the floors need as many real ones.
    n_repeats : int, default=10
        Real-against-real comparisons behind each floor.
    random_state : int, RandomState or None, default=0
        Seed of the draw and the floors.

    Returns
    -------
    DataFrame
        One row a metric: ``value``, its interval (``low``, ``high``) where it has one, ``real``
        and ``real_sd`` (what real rows get in place of the generated ones: the floor of a
        distance, the control of a rate), and ``verdict``.

    Raises
    ------
    ValueError
        For an unknown metric, or rows that do not fit together.

    Notes
    -----
    The floor deals the rows of X_train and X_test anew into "real" and "generated", as many of
    each as were compared: what a perfect generator would get. A verdict allows for the spread of
    one more such value, 95 % of the time; of many metrics, some will stray by chance. ``precision``
    and ``density`` above those of real rows are no merit: the draws keep to the middle of the data.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> X = load_iris().data
    >>> mixture = GaussianMixture(3, random_state=0).fit(X[::2])
    >>> table = evaluate(mixture, X[::2], X[1::2], metrics=["energy_distance", "recall"])
    >>> table.loc["energy_distance", "verdict"]
    'at the floor'
    """
    floor_seed, draw_seed = check_random_state(random_state).randint(2**31, size=2)
    bench = Bench(
        X_train,
        X_test,
        y=y,
        rare_label=rare_label,
        target=target,
        metrics=metrics,
        preprocess=preprocess,
        judge=judge,
        n_samples=n_samples,
        n_repeats=n_repeats,
        seed=int(floor_seed),
    )
    return bench.table(generator, int(draw_seed))
