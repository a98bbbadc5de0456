"""What every sampler shares."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from geomgen._draw import check_n_samples
from geomgen._fields import NonNegative, check_fields, estimator
from geomgen._rejection import check_mask, draw_accepted
from geomgen.manifolds import Euclidean, Sphere
from geomgen.metrics._pairs import nearest
from geomgen.metrics.memorisation import Memorisation, memorisation
from geomgen.samplers._density import has_density
from geomgen.samplers._strata import (
    borrow,
    check_labels,
    find_labels,
    find_modes,
    parse_shares,
    stratified_counts,
)

__all__ = ["LatentSampler"]


@estimator
class LatentSampler(BaseEstimator, ABC):
    """Base of the samplers: validation, labels, rejection, and the manifold of the codes.

    A sampler implements ``_fit(Z, model)``, ``_draw(n, rng)`` and, if it has a density,
    ``_log_density(Z)``.

    Attributes
    ----------
    n_features_in_ : int
        Dimension of the codes.
    manifold_ : Euclidean or Sphere
        Where the draws lie.
    classes_, shares_, samplers_ : ndarray, ndarray, list
        With labels or modes: which, their shares, and the sampler of each.
    codes_, least_distance_ : ndarray, float
        With ``min_distance``: the codes, and how far from them draws are at least.
    """

    manifolds: ClassVar[tuple[str, ...]] = ("euclidean", "sphere")  # that its draws can lie on
    discrete: ClassVar[bool] = False  # whether a density is one of the codebook's tuples

    space: Annotated[
        Literal["unit", "ambient"],
        """For a model with spherical codes: fit the unit codes (free of their arbitrary radius),
        or the codes before projection (paper L, Eq. 18). The draws are projected in both cases.
        Without such a model it changes nothing.""",
    ] = "unit"
    conditional: Annotated[
        bool,
        """Whether to fit a density of its own to the codes of each label in y, so that labels can
        be asked for. Off by default: searches pass y for other reasons.""",
    ] = False
    stratify: Annotated[
        Literal["auto"] | None,
        """``"auto"`` finds the modes of the codes, without labels, gives each a density of its
        own, and keeps their shares.""",
    ] = None
    min_distance: Annotated[
        NonNegative | None,
        """Reject draws nearer than this to a code that was fitted, in units of the median
        distance of codes to their nearest neighbours. The codes are then kept.""",
    ] = None
    random_state: Annotated[Any, "Seed of the fit, where a fit is random."] = None

    def fit(self, X: Any, y: Any = None, *, model: Any = None) -> LatentSampler:
        """Fit the density to codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, before projection where the model's are spherical.
        y : array-like of shape (n_samples,), optional
            Labels, for ``conditional=True``; otherwise ignored.
        model : LatentVariableModel, optional
            The trained model, which knows the manifold and the prior; Euclidean codes without it.

        Returns
        -------
        self
        """
        self._check()
        Z = validate_data(self, X, dtype=np.float64)
        labels = self._check_labels(y, len(Z))
        self.manifold_ = getattr(model, "manifold", Euclidean())
        Z = self._project(Z) if self.space == "unit" else Z
        if labels is None and self.stratify == "auto":
            labels = find_modes(Z, self.random_state)
        self._fit_groups(Z, labels, model)
        self.__dict__.pop("codes_", None)
        if self.min_distance:
            self.codes_ = self._project(Z)
            apart = nearest(self.codes_, self.codes_, 1)[0] if len(Z) > 1 else np.zeros(1)
            self.least_distance_ = self.min_distance * float(np.median(apart))
        return self

    def _check(self) -> None:
        """Check the parameters, before a model trains for nothing."""
        check_fields(self)

    def sample(
        self,
        n_samples: int = 1,
        random_state: Any = None,
        *,
        y: Any = None,
        balance: dict[Any, float] | None = None,
        condition: Callable[[np.ndarray], Any] | None = None,
    ) -> np.ndarray:
        """Draw codes.

        Parameters
        ----------
        n_samples : int, default=1
            Number of codes.
        random_state : int, RandomState or None, default=None
            None draws from numpy's global state.
        y : object or array-like of shape (n_samples,), optional
            The label of all draws, or of each. Needs ``conditional=True``.
        balance : dict of label to share, optional
            Shares of the labels among the draws; by default those of the codes. Needs
            ``conditional=True``.
        condition : callable, optional
            Takes codes and returns a bool each: draws that fail are drawn again.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            In random order, or in that of y.

        Raises
        ------
        ValueError
            For labels that were not fitted.
        RuntimeError
            If hardly any draw satisfies the condition.
        """
        check_is_fitted(self)
        n = check_n_samples(n_samples)
        rng = check_random_state(random_state)
        if y is None and balance is None and not hasattr(self, "samplers_"):
            return self._accepted(self, n, rng, condition)
        groups = self._groups(n, y, balance, rng)
        drawn = np.empty((n, self.n_features_in_))
        for k, group in enumerate(self.samplers_):
            at = np.nonzero(groups == k)[0]
            if len(at):
                drawn[at] = self._accepted(group, len(at), rng, condition)
        return drawn

    @available_if(has_density)
    def score_samples(self, X: Any) -> np.ndarray:
        """Log-density of the draws at codes.

        Parameters
        ----------
        X : array-like of shape (n, n_components)
            Codes; where the model's are spherical they are projected first.

        Returns
        -------
        ndarray of shape (n,)
            With respect to volume, or on the sphere to its surface; rejection is left out of
            account.
        """
        check_is_fitted(self)
        Z = self._project(validate_data(self, X, dtype=np.float64, reset=False))
        if not hasattr(self, "samplers_"):
            return self._log_density(Z)
        parts = [group._log_density(Z) for group in self.samplers_]
        return logsumexp(np.stack(parts, axis=1) + np.log(self.shares_), axis=1)

    def memorisation(
        self, X: Any, X_holdout: Any, *, n_samples: int = 5000, random_state: Any = 0
    ) -> Memorisation:
        """Compare draws with the codes fitted and with codes held out.

        Parameters
        ----------
        X : array-like of shape (n, n_components)
            Codes fitted, as the model's ``transform`` gives them.
        X_holdout : array-like of shape (m, n_components)
            Codes of rows not seen.
        n_samples, random_state : int, default=5000; int, RandomState or None, default=0
            Draws compared, and their seed.

        Returns
        -------
        Memorisation

        Warns
        -----
        UserWarning
            If the whole interval of the preference is above what is expected of it.
        """
        found = memorisation(self.sample(n_samples, random_state), X, X_holdout)
        if found.preference_interval[0] > found.training_share:
            warnings.warn(
                f"{type(self).__name__} copies: {found.preference:.0%} of its draws are nearest to "
                f"a fitted code, and {found.training_share:.0%} is expected. Smooth more, set "
                "min_distance, or fit more codes.",
                UserWarning,
                stacklevel=2,
            )
        return found

    # ----------------------------------------------------------------------- labels and modes
    def _check_labels(self, y: Any, n: int) -> np.ndarray | None:
        if not self.conditional:
            return None
        if y is None:
            raise ValueError("conditional=True needs labels: pass y to fit.")
        return check_labels(y, n)

    def _fit_groups(self, Z: np.ndarray, labels: np.ndarray | None, model: Any) -> None:
        for name in ("classes_", "shares_", "samplers_", "labelled_"):
            self.__dict__.pop(name, None)
        if labels is None:
            self._fit(Z, model)
            return
        self.labelled_ = self.conditional  # or the groups are modes, which have no names
        self.classes_, counts = np.unique(labels, return_counts=True)
        self.shares_ = counts / counts.sum()
        self.samplers_ = []
        for label in self.classes_:
            group = clone(self).set_params(conditional=False, stratify=None, min_distance=None)
            group.manifold_, group.n_features_in_ = self.manifold_, self.n_features_in_
            group._fit(borrow(Z, labels, label, self.random_state), model)
            self.samplers_.append(group)

    def _groups(self, n: int, y: Any, balance: Any, rng: np.random.RandomState) -> np.ndarray:
        """Which group each draw comes from."""
        if y is not None or balance is not None:
            if not getattr(self, "labelled_", False):
                raise ValueError(
                    "This sampler knows no labels: set conditional=True, and fit it with y."
                )
            if y is not None and balance is not None:
                raise ValueError("Pass y or balance, not both.")
        if y is None:
            shares = self.shares_ if balance is None else parse_shares(balance, self.classes_)
            return rng.permutation(
                np.repeat(np.arange(len(shares)), stratified_counts(shares, n, rng))
            )
        return find_labels(y, n, self.classes_)

    # ------------------------------------------------------------------------------- rejection
    def _accepted(
        self,
        group: LatentSampler,
        n: int,
        rng: np.random.RandomState,
        condition: Callable[[np.ndarray], Any] | None,
    ) -> np.ndarray:
        def propose(size: int) -> np.ndarray:
            return self._project(group._draw(size, rng))

        if not hasattr(self, "codes_"):
            return draw_accepted(propose, n, condition, "condition")

        def accept(Z: np.ndarray) -> np.ndarray:
            far = nearest(Z, self.codes_, 1)[0][:, 0] >= self.least_distance_
            return far if condition is None else far & check_mask(condition(Z), len(Z), "condition")

        what = "min_distance" if condition is None else "condition, beside min_distance,"
        return draw_accepted(propose, n, accept, what)

    def _project(self, Z: np.ndarray) -> np.ndarray:
        if isinstance(self.manifold_, Sphere) and not Z.any(axis=1).all():
            raise ValueError(
                "A code of norm 0 has no direction on the sphere: the encoder maps rows to the "
                "origin. Train it longer, or lower lr."
            )
        return self.manifold_.project(torch.tensor(Z)).numpy()

    @abstractmethod
    def _fit(self, Z: np.ndarray, model: Any) -> None: ...

    @abstractmethod
    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray: ...
