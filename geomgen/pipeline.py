"""Sampling through pipelines and searches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from geomgen._draw import check_n_samples, draw
from geomgen._rejection import check_conditioned, draw_accepted

__all__ = ["sample", "unwrap"]


def sample(
    fitted: Any,
    n_samples: int = 1,
    *,
    random_state: Any = None,
    condition: Callable[[Any], Any] | None = None,
    **kwargs: Any,
) -> Any:
    """Draw new rows in the units of the rows that ``fitted`` was fitted on.

    scikit-learn's ``Pipeline`` has no ``sample``, and ``pipe[-1].sample()`` returns rows in the
    scaled units of the last step. This undoes every step before it.

    Parameters
    ----------
    fitted : object
        A fitted estimator with ``sample`` (ours, or scikit-learn's ``GaussianMixture`` and
        ``KernelDensity``), a ``Pipeline`` that ends in one, a search that was refitted, nested as
        you like.
    n_samples : int, default=1
        Number of rows.
    random_state : int, RandomState or None, default=None
        None draws from numpy's global state.
    condition : callable, optional
        Takes rows, as they are returned, and returns a bool each: rows that fail are drawn again.
    **kwargs : dict
        Forwarded to the last step's ``sample``.

    Returns
    -------
    ndarray or DataFrame of shape (n_samples, n_features)
        A DataFrame with the columns of the training data if that had named columns.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    TypeError
        If a step has no ``inverse_transform``, or the last one no ``sample``; it names the step.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, _ = load_iris(return_X_y=True, as_frame=True)
    >>> pipe = make_pipeline(StandardScaler(), GaussianMixture(3, random_state=0)).fit(X)
    >>> sample(pipe, 2, random_state=0).columns[0]
    'sepal length (cm)'
    """
    fitted = unwrap(fitted)
    check_is_fitted(fitted)
    if condition is not None:
        check_conditioned(kwargs)
    rng = check_random_state(random_state)
    names = getattr(fitted, "feature_names_in_", None)

    def propose(n: int) -> Any:
        rows = _rows(fitted, n, rng, kwargs)
        return (
            rows if names is None or hasattr(rows, "columns") else pd.DataFrame(rows, columns=names)
        )

    return draw_accepted(propose, check_n_samples(n_samples), condition, "condition")


def unwrap(fitted: Any) -> Any:
    """Return the estimator that a search refitted; anything else as it is.

    Raises
    ------
    TypeError
        For a search with ``refit=False``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> from sklearn.model_selection import GridSearchCV
    >>> search = GridSearchCV(GaussianMixture(), {"n_components": [1, 3]}).fit(load_iris().data)
    >>> type(unwrap(search)).__name__
    'GaussianMixture'
    """
    if isinstance(fitted, BaseEstimator) and hasattr(fitted, "cv_results_"):
        if not hasattr(fitted, "best_estimator_"):
            raise TypeError(
                f"This {type(fitted).__name__} kept no fitted estimator: it needs refit=True, or "
                "refit='name of a score'."
            )
        return unwrap(fitted.best_estimator_)
    return fitted


def _rows(fitted: Any, n_samples: int, random_state: Any, kwargs: dict[str, Any]) -> Any:
    fitted = unwrap(fitted)
    if not isinstance(fitted, Pipeline):
        if not hasattr(fitted, "sample"):
            raise TypeError(f"{type(fitted).__name__} has no sample method to draw rows with.")
        return draw(fitted, n_samples, random_state, **kwargs)
    inverses = [_inverse(name, step) for name, step in fitted.steps[:-1]]  # before the draw
    rows = _rows(fitted.steps[-1][1], n_samples, random_state, kwargs)
    for (name, step), inverse in zip(reversed(fitted.steps[:-1]), reversed(inverses), strict=True):
        try:
            rows = inverse(rows)
        except (ValueError, TypeError, AttributeError) as error:
            raise TypeError(f"{_in_the_way(name, step)} cannot be undone: {error}") from error
    return rows


def _inverse(name: str, step: Any) -> Callable[[Any], Any]:
    if step is None or step == "passthrough":
        return lambda rows: rows
    one_way = isinstance(step, FunctionTransformer) and step.func and not step.inverse_func
    if one_way or not hasattr(step, "inverse_transform"):
        lacks = "inverse_func" if one_way else "inverse_transform"
        raise TypeError(
            f"{_in_the_way(name, step)} has no {lacks}. Use a step that has one, or draw in the "
            "units of the last step with pipeline[-1].sample(n)."
        )
    return step.inverse_transform


def _in_the_way(name: str, step: Any) -> str:
    return (
        f"Drawing rows means undoing every step before the last, but step {name!r} "
        f"({type(step).__name__})"
    )
