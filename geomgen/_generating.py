"""From a trained net to new rows: the sampler, the decoder, and what is done to its output."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from geomgen._draw import check_n_samples, draw
from geomgen._fields import estimator
from geomgen._frames import to_frame
from geomgen._output import QuantileMap, choose_residual
from geomgen._random import generator, substream
from geomgen._rejection import check_conditioned, draw_accepted
from geomgen._trainable import Trainable
from geomgen.samplers import GaussianSampler, LatentSampler, make_sampler

__all__ = ["Generating"]

_CHUNK = 8192  # rows encoded or decoded at once, at most
_NUMBERS = 2**24  # in the widest layer at once, at most
_MAPPED = 10_000  # rows drawn to learn the quantiles of a column


@estimator
class Generating(Trainable):
    """The generating half of an estimator: ``sampler_``, and rows decoded from its draws."""

    sampler: Annotated[
        Any,
        """Where new codes come from: a name such as ``"cells"``, ``"prior"`` or ``"gmm"`` (see
        ``make_sampler``), a sampler, or any scikit-learn object with fit and sample.""",
    ] = "cells"
    residual: Annotated[
        Literal["none", "auto", "diagonal", "full", "component"],
        """Noise added to decoded rows, with the law of what reconstructions leave of held-out
        rows (``validation_fraction`` of them, which are not trained on): a variance a column, one
        covariance, or one in each of several cells of the codes. ``"auto"`` takes what measures
        best on them. For tables, whose rows scatter about any surface a decoder can draw.""",
    ] = "none"
    marginals: Annotated[
        Literal["decoded", "empirical"],
        """``"empirical"`` maps every column's generated quantiles onto those of X. Values then
        stay inside each column's range, and its extremes are exposed.""",
    ] = "decoded"

    def sample(
        self,
        n_samples: int = 1,
        random_state: Any = None,
        *,
        condition: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Draw new rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            None draws from numpy's global state.
        condition : callable, optional
            Takes rows, as they are returned, and returns a bool each: rows that fail are drawn
            again.
        **kwargs : dict
            Passed to the sampler's ``sample``: ``y`` or ``balance`` for labels.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            A DataFrame, of the library that fit was given one of, if that had named columns.
        """
        check_is_fitted(self)
        n, rng = check_n_samples(n_samples), check_random_state(random_state)
        if condition is not None:
            check_conditioned(kwargs)
        names = getattr(self, "feature_names_in_", None)

        def propose(size: int) -> Any:
            rows = self._draw_rows(size, rng, **kwargs)
            return rows if names is None else to_frame(rows, names, self._frame_kind)

        return draw_accepted(propose, n, condition, "condition")

    def sample_latent(
        self, n_samples: int = 1, random_state: Any = None, **kwargs: Any
    ) -> np.ndarray:
        """Draw new codes, as ``transform`` gives them.

        ``pipe.inverse_transform(pipe[-1].sample_latent(n))`` draws rows through a Pipeline.

        Parameters
        ----------
        n_samples : int, default=1
            Number of codes.
        random_state : int, RandomState or None, default=None
            None draws from numpy's global state.
        **kwargs : dict
            Passed to the sampler's ``sample``.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
        """
        check_is_fitted(self)
        return self._draw_codes(n_samples, random_state, **kwargs)

    @property
    def sampler_report_(self) -> pd.DataFrame:
        """What ``sampler="auto"`` measured of each candidate."""
        sampler = getattr(self, "sampler_", None)
        labels, groups = getattr(sampler, "classes_", ()), getattr(sampler, "samplers_", ())
        reports = {
            label: getattr(group, "report_", None)
            for label, group in zip(labels, groups, strict=True)
        }
        report = getattr(sampler, "report_", None)
        if report is None and not any(found is not None for found in reports.values()):
            raise AttributeError("There is a sampler_report_ after a fit with sampler='auto' only.")
        return pd.concat(reports, names=["label"]) if report is None else report

    # ---------------------------------------------------------------------------------- fitting
    def _check_structure(self) -> None:
        super()._check_structure()
        self._check_sampler()

    def _check_sampler(self) -> None:
        """Find a bad sampler before the training, not after."""
        sampler = make_sampler(self.sampler)
        if isinstance(sampler, LatentSampler):
            sampler._check()

    def _check_labels(self, y: Any, n: int) -> None:
        sampler = make_sampler(self.sampler)
        if isinstance(sampler, LatentSampler):
            sampler._check_labels(y, n)

    def _held_out(self, n: int) -> np.ndarray | None:
        """Mark the rows that residual noise is learnt from, if any."""
        if self.residual == "none":
            return None
        n_held = max(4, int(np.ceil(self.validation_fraction * n)))
        if n - n_held < 2:
            raise ValueError(
                f"residual={self.residual!r} holds {n_held} of {n} rows out, and too few are left "
                "to train on: use residual='none'."
            )
        held = np.zeros(n, dtype=bool)
        held[torch.randperm(n, generator=generator(substream(self._seed, 5)))[:n_held]] = True
        return held

    def _finish(self, X: np.ndarray, y: Any = None, held: np.ndarray | None = None) -> None:
        """Fit the sampler to the codes of X, and what is done to decoded rows."""
        ambient = self._ambient_codes(X)
        if not np.isfinite(ambient).all():
            raise ValueError(
                f"The codes of X are not finite after {self.n_iter_} epochs: the weights diverged. "
                f"Lower lr (now {self.lr:g}), or scale the columns of X."
            )
        self.sampler_ = self._fit_sampler(ambient, y)
        self.residual_ = self.marginals_ = None
        if held is not None:
            rows = np.asarray(X[held], self.dtype_)
            codes = self._apply(self._module.encode, rows)
            decoded = self._apply(self._module.decode, codes)
            decoded = np.where(self._is_gaussian, decoded, rows)  # others' noise is in p(x|z)
            self.residual_ = choose_residual(
                self.residual, rows, codes, decoded, substream(self._seed, 6)
            )
        if self.marginals == "empirical":
            drawn = self._draw_rows(_MAPPED, substream(self._seed, 7) % 2**31)
            self.marginals_ = QuantileMap().fit(np.asarray(X, self.dtype_), drawn)

    @property
    def _is_gaussian(self) -> Any:
        """Which features residual noise is added to: one bool for all, or each."""
        if self.feature_blocks is None:
            return True
        return np.concatenate([np.full(n, kind == "gaussian") for kind, n in self.feature_blocks])

    def _ambient_codes(self, X: np.ndarray) -> np.ndarray:
        """Codes that the sampler is fitted to, before projection."""
        return self._apply(self._module.encode_ambient, X)

    def _fit_sampler(self, ambient: np.ndarray, y: Any) -> Any:
        sampler = make_sampler(self.sampler, substream(self._seed, 4) % 2**31)
        try:
            if isinstance(sampler, LatentSampler):
                sampler.fit(ambient, y if sampler.conditional else None, model=self._module)
            else:  # a density of somebody else's sees the codes that transform gives
                codes = self._apply(self._module.manifold.project, ambient)
                sampler.fit(codes.astype(np.float64))  # mixtures lose their digits in float32
        except KeyboardInterrupt:
            warnings.warn(
                "Interrupted while the sampler was fitted: one Gaussian stands in for it. The net "
                "keeps what it had learnt; call fit_sampler(X) for the sampler.",
                UserWarning,
                stacklevel=4,
            )
            sampler = GaussianSampler().fit(ambient, model=self._module)
        return sampler

    # ---------------------------------------------------------------------------------- drawing
    def _draw_rows(self, n: int, random_state: Any, **kwargs: Any) -> np.ndarray:
        rng = check_random_state(random_state)
        codes = self._draw_codes(n, rng, **kwargs)
        rows = self._apply(self._module.decode, codes)
        if self.residual_ is not None:
            rows = np.where(self._is_gaussian, self.residual_.add(rows, codes, rng), rows)
        return rows if self.marginals_ is None else self.marginals_.transform(rows)

    def _draw_codes(self, n: int, random_state: Any, **kwargs: Any) -> np.ndarray:
        Z = draw(self.sampler_, n, random_state, **kwargs)
        return self._apply(self._module.manifold.project, Z)

    @torch.no_grad()
    def _apply(self, function: Callable[[Tensor], Tensor], X: np.ndarray) -> np.ndarray:
        """Apply a tensor function to rows, by chunks."""
        out: Any = None  # filled in place: a list of chunks would hold everything twice
        step = max(1, min(_CHUNK, _NUMBERS // self._widest))
        for start in range(0, len(X), step):
            chunk = torch.from_numpy(np.array(X[start : start + step], self.dtype_))
            done = function(chunk.to(self.net_.device)).cpu().numpy()
            out = np.empty((len(X), *done.shape[1:]), done.dtype) if out is None else out
            out[start : start + len(done)] = done
        return out
