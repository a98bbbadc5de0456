"""Scorers: ``scorer(estimator, X, y=None)``, greater is better.

``make_scorer`` compares labels with predictions; a generator is judged by its draws. Every draw
uses the same random numbers, so that candidates of a search differ by what they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from sklearn.base import BaseEstimator, clone

from geomgen._fields import Count, check_fields, estimator
from geomgen.metrics.energy import energy_distance
from geomgen.metrics.rare import is_rare, judge_lift, neighbour_judge, rare_mode_lift
from geomgen.metrics.spectrum import effective_rank
from geomgen.pipeline import sample, unwrap

__all__ = [
    "EffectiveRankScorer",
    "EnergyDistanceScorer",
    "GenerativeScorer",
    "RareModeLiftScorer",
    "effective_rank_scorer",
    "energy_distance_scorer",
    "get_scorer",
    "get_scorer_names",
    "rare_mode_lift_scorer",
]


@estimator
class _Scorer(BaseEstimator, ABC):
    """A callable that draws from a fitted generator and measures the draw."""

    name: ClassVar[str]
    draws: ClassVar[bool] = True

    n_samples: Annotated[
        Count | None, "Rows drawn; by default as many as X has, and at least 1000."
    ] = None
    random_state: Annotated[Any, "Seed of the draws, the same for every candidate."] = 0

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        """Score a fitted generator on held-out rows."""
        check_fields(self)
        return self._score(estimator, X, y, self._draw(estimator, X))

    def _draw(self, estimator: Any, X: Any) -> np.ndarray:
        if not self.draws:
            return np.empty(0)
        n = max(len(X), 1000) if self.n_samples is None else self.n_samples
        return np.asarray(sample(estimator, n, random_state=self.random_state))

    @abstractmethod
    def _score(self, estimator: Any, X: Any, y: Any, drawn: np.ndarray) -> float: ...


@estimator
class EnergyDistanceScorer(_Scorer):
    """Minus the energy distance between X and a draw.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> X = load_iris().data
    >>> one, three = (GaussianMixture(k, random_state=0).fit(X) for k in (1, 3))
    >>> scorer = EnergyDistanceScorer()
    >>> scorer(three, X) > scorer(one, X)
    True
    """

    name: ClassVar[str] = "energy_distance"

    def _score(self, estimator: Any, X: Any, y: Any, drawn: np.ndarray) -> float:
        return -energy_distance(X, drawn)


@estimator
class RareModeLiftScorer(_Scorer):
    """Minus the distance of the rare-mode lift from 1; at worst -1 when the mode is lost.

    A judge, fitted on (X, y), says which drawn rows are rare. Judges err: ``judge_lift`` is the
    lift that this one reports for real rows.

    Give ``rare_label`` when y has more than two labels: the least frequent label of a fold need
    not be that of the data, and a fold without rare rows would be scored on another label.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KernelDensity
    >>> X = np.r_[np.zeros((90, 1)), np.full((10, 1), 9.0)]
    >>> -0.3 < RareModeLiftScorer()(KernelDensity().fit(X), X, X[:, 0] == 9) <= 0
    True
    """

    name: ClassVar[str] = "rare_mode_lift"

    rare_label: Annotated[Any, "The label of rare rows; by default the least frequent in y."] = None
    judge: Annotated[
        Any, "A classifier; by default the nearest neighbour, columns standardised."
    ] = None

    def _score(self, estimator: Any, X: Any, y: Any, drawn: np.ndarray) -> float:
        return -abs(self.lift(X, y, drawn) - 1)

    def lift(self, X: Any, y: Any, drawn: Any) -> float:
        """Return the lift of drawn rows, by a judge fitted on the real (X, y)."""
        rare = is_rare(y, self.rare_label)
        judged = self._judge().fit(np.asarray(X), rare).predict(np.asarray(drawn))
        return rare_mode_lift(judged, rare.mean())

    def judge_lift(self, X: Any, y: Any) -> float:
        """Return the lift the judge reports for real rows it has not seen."""
        return judge_lift(X, is_rare(y, self.rare_label), self._judge())

    def _judge(self) -> Any:
        judge = neighbour_judge() if self.judge is None else clone(self.judge)
        if judge.get_params().get("random_state", 0) is None:
            judge.set_params(random_state=self.random_state)
        return judge


@estimator
class EffectiveRankScorer(_Scorer):
    """Effective rank of the codes of X: how many latent directions are in use.

    The estimator, or the pipeline's last step, must be a transformer. Greater is not always
    better: it is a diagnostic to watch beside the distance.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> X = np.eye(4)
    >>> round(EffectiveRankScorer()(PCA(n_components=3).fit(X), X), 6)
    3.0
    """

    name: ClassVar[str] = "effective_rank"
    draws: ClassVar[bool] = False  # it measures codes

    kind: Annotated[
        Literal["participation", "entropy"], "Definition of the rank; see effective_rank."
    ] = "participation"
    center: Annotated[bool, "Whether to centre the codes first."] = False

    def _score(self, estimator: Any, X: Any, y: Any, drawn: np.ndarray) -> float:
        fitted = unwrap(estimator)
        if not hasattr(fitted, "transform"):
            raise TypeError(
                f"{type(fitted).__name__} has no codes, hence no effective rank: leave "
                "'effective_rank' out for densities on the data."
            )
        codes = fitted.transform(X)
        return effective_rank(codes, kind=self.kind, center=self.center)


class GenerativeScorer(_Scorer):
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

    name: ClassVar[str] = "generative"

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
            scores[name] = scorer._score(estimator, X, y, drawn)
            if isinstance(scorer, RareModeLiftScorer):
                scores[f"{name}_judge"] = scorer.judge_lift(X, y)
        return scores

    def _score(self, estimator: Any, X: Any, y: Any, drawn: np.ndarray) -> float:
        raise TypeError("A GenerativeScorer cannot be part of another.")

    def _named(self) -> dict[str, _Scorer]:
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


def _resolve(scorer: Any) -> _Scorer:
    if isinstance(scorer, str):
        return get_scorer(scorer)
    if not isinstance(scorer, _Scorer):
        raise TypeError(
            f"{scorer!r} is not a scorer of geomgen: use one of {get_scorer_names()} or an "
            "instance such as EnergyDistanceScorer()."
        )
    return scorer


_CLASSES: dict[str, type[_Scorer]] = {
    cls.name: cls for cls in (EffectiveRankScorer, EnergyDistanceScorer, RareModeLiftScorer)
}


def get_scorer_names() -> list[str]:
    """List the names that ``get_scorer`` knows.

    Examples
    --------
    >>> get_scorer_names()
    ['effective_rank', 'energy_distance', 'rare_mode_lift']
    """
    return sorted(_CLASSES)


def get_scorer(name: str, **params: Any) -> _Scorer:
    """Make a scorer from its name.

    Parameters
    ----------
    name : str
        One of ``get_scorer_names()``; the ending ``_scorer`` may be written.
    **params : dict
        The scorer's parameters.

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
    """
    key = str(name).removesuffix("_scorer")
    if key not in _CLASSES:
        raise ValueError(f"Unknown scorer {name!r}. Use one of {get_scorer_names()}.")
    return _CLASSES[key](**params)


energy_distance_scorer = EnergyDistanceScorer()
rare_mode_lift_scorer = RareModeLiftScorer()
effective_rank_scorer = EffectiveRankScorer()
