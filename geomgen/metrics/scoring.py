"""Several scores of one draw, and scorers by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from geomgen._fields import check_fields
from geomgen.metrics._registry import METRICS
from geomgen.metrics.scorers import (
    EffectiveRankScorer,
    MemorisationScorer,
    MetricScorer,
    RareModeLiftScorer,
    Scorer,
    TrainOnSyntheticScorer,
)

__all__ = [
    "GenerativeScorer",
    "effective_rank_scorer",
    "energy_distance_scorer",
    "get_scorer",
    "get_scorer_names",
    "rare_mode_lift_scorer",
]


class GenerativeScorer(Scorer):
    """Several scores of one draw, as a dictionary under the metrics' names.

    Parameters
    ----------
    scorers : sequence of names and scorers, or dict of them
        Names are those of ``get_scorer_names()``; a dictionary gives other keys.
    n_samples : int or None, default=None
        Rows drawn; by default as many as X has, and at least 1000.
    random_state : object, default=0
        Seed of the draws, the same for every candidate.

    Notes
    -----
    The scorers' own ``n_samples`` and ``random_state`` are not used. With a
    :class:`RareModeLiftScorer` the dictionary also has ``rare_mode_lift_judge``, the lift its
    judge reports for real rows: a score can be no better than its judge.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> X, y = load_iris(return_X_y=True)
    >>> scores = GenerativeScorer(["energy_distance"])(GaussianMixture(3).fit(X), X)
    >>> list(scores)
    ['energy_distance']
    """

    _name = "generative"

    def __init__(
        self,
        scorers: Iterable[Any] | Mapping[str, Any] = (
            "energy_distance",
            "rare_mode_lift",
            "effective_rank",
        ),
        *,
        n_samples: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.scorers = scorers
        super().__init__(n_samples=n_samples, random_state=random_state)

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> dict[str, float]:  # type: ignore[override]
        """Score a fitted generator on held-out rows."""
        check_fields(self)
        scorers = self._named()
        needs_rows = any(scorer.draws for scorer in scorers.values())
        drawn = self._draw(estimator, X) if needs_rows else np.empty(0)
        scores = {}
        for name, scorer in scorers.items():
            check_fields(scorer)
            if isinstance(scorer, RareModeLiftScorer):
                report = scorer.report(X, y, drawn)
                scores[name] = scorer.score_report(report)
                scores[f"{name}_judge"] = report.judge_lift
            else:
                scores[name] = scorer._score(estimator, X, y, drawn)
        return scores

    def _score(self, estimator: Any, X: Any, y: Any, drawn: Any) -> float:
        raise TypeError("A GenerativeScorer cannot be part of another.")

    def _named(self) -> dict[str, Scorer]:
        if isinstance(self.scorers, Mapping):
            return {name: _resolve(scorer) for name, scorer in self.scorers.items()}
        if isinstance(self.scorers, str) or not isinstance(self.scorers, Iterable):
            raise TypeError(f"scorers={self.scorers!r} must be a list of scorers or a dictionary.")
        scorers = [_resolve(scorer) for scorer in self.scorers]
        named = {scorer.name: scorer for scorer in scorers}
        if len(named) < len(scorers):
            raise ValueError(
                f"Two of scorers={self.scorers!r} have the same name: pass a dictionary "
                "{key: scorer}."
            )
        return named


def _resolve(scorer: Any) -> Scorer:
    if isinstance(scorer, str):
        return get_scorer(scorer)
    if not isinstance(scorer, Scorer):
        raise TypeError(
            f"{scorer!r} is not a scorer of geomgen: use one of {get_scorer_names()} or an "
            "instance such as MetricScorer(metric=…)."
        )
    return scorer


_CLASSES: dict[str, type[Scorer]] = {
    cls._name: cls
    for cls in (
        EffectiveRankScorer,
        MemorisationScorer,
        RareModeLiftScorer,
        TrainOnSyntheticScorer,
    )
}


def get_scorer_names() -> list[str]:
    """List the names that ``get_scorer`` knows.

    Examples
    --------
    >>> "energy_distance" in get_scorer_names()
    True
    """
    return sorted([*_CLASSES, *METRICS])


def get_scorer(name: str, **params: Any) -> Scorer:
    """Make a scorer from its name.

    Parameters
    ----------
    name : str
        One of ``get_scorer_names()``; the ending ``_scorer`` may be written.
    **params : dict
        Parameters of the scorer; those it does not have go to its metric.

    Returns
    -------
    callable (estimator, X, y=None) -> float

    Raises
    ------
    ValueError
        For an unknown name.

    Examples
    --------
    >>> get_scorer("rare_mode_lift", rare_label=1)
    RareModeLiftScorer(rare_label=1)
    >>> get_scorer("kernel_mmd", kernel="imq", n_samples=2000)
    MetricScorer(metric='kernel_mmd', n_samples=2000, params={'kernel': 'imq'})
    """
    key = str(name).removesuffix("_scorer")
    if key in _CLASSES:
        return _CLASSES[key](**params)
    if key not in METRICS:
        raise ValueError(f"Unknown scorer {name!r}. Use one of {get_scorer_names()}.")
    own: dict[str, Any] = {
        k: params.pop(k) for k in list(params) if k in MetricScorer().get_params()
    }
    known = list(inspect.signature(METRICS[key].function).parameters)[2:]
    unknown = [k for k in params if k not in known]
    if unknown:
        raise TypeError(f"{unknown} are no parameters of {key!r}, which has {known}.")
    if params:
        own["params"] = {**(own.get("params") or {}), **params}
    return MetricScorer(metric=key, **own)


energy_distance_scorer = MetricScorer()
rare_mode_lift_scorer = RareModeLiftScorer()
effective_rank_scorer = EffectiveRankScorer()
