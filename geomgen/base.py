"""The shell of every estimator: arrays to tensors and back, fit, transform, sample, score."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Annotated, Any, Self

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor

from geomgen._fields import estimator
from geomgen._frames import to_frame
from geomgen._random import substream
from geomgen._reservoir import Reservoir
from geomgen._structure import check_range
from geomgen._trainable import Trainable
from geomgen._training import NonFiniteLoss
from geomgen.metrics.energy import energy_distance
from geomgen.samplers import GaussianSampler, LatentSampler, draw, make_sampler

__all__ = ["GenerativeAutoencoder"]

_CHUNK = 8192  # rows encoded or decoded at once


@estimator
class GenerativeAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Trainable):
    """Base of the generative autoencoders: a trained net, and a sampler over its codes.

    What a model provides is said in ``Trainable``: its fields and its ``_objective``.
    """

    sampler: Annotated[
        Any,
        """Where new codes come from: ``"cells"``, ``"prior"``, ``"uniform"``, ``"mvg"``,
        ``"gmm"``, a sampler, or any scikit-learn object with fit and sample.""",
    ] = "cells"

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the autoencoder, then fit the sampler to the codes of X.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows. A memory map is read batch by batch.
        y : object
            Ignored; searches may pass labels for their scorers.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For an illegal parameter or bad rows: the estimator is then as it was before. If the
            loss stops being finite after an epoch that ended well, the weights of that epoch are
            kept, and the estimator can be used.

        Warns
        -----
        UserWarning
            On Ctrl-C: what was learnt is kept.
        """
        with self._undone_on_error():
            resume = self.warm_start and hasattr(self, "net_")
            X = self._start(X, resume)
            self.n_samples_seen_ = len(X)
            self._reservoir: Reservoir | None = None
            try:
                self._train(X, self.max_epochs)
            except NonFiniteLoss:
                if self.net_.history:
                    self._finish(X)
                raise
            self._finish(X)
        return self

    def fit_sampler(self, X: Any, y: Any = None) -> Self:
        """Fit the sampler anew, the net left as it is: one training serves many samplers.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows, to whose codes the sampler that ``sampler`` now says is fitted.
        y : object
            Ignored.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from geomgen import AE
        >>> X = load_iris().data
        >>> model = AE(max_epochs=5, random_state=0).fit(X)
        >>> model.set_params(sampler="gmm").fit_sampler(X).sampler_
        MixtureSampler(random_state=...)
        """
        check_is_fitted(self)
        self._finish(self._check_rows(X))
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train for one epoch on X, and refit the sampler on rows from all calls.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The next rows, at least two.
        y : object
            Ignored.

        Notes
        -----
        The estimator keeps a uniform sample of at most 10 000 of the rows seen, whose codes the
        sampler is fitted to. ``fit`` keeps no rows: after it, draws of the model stand in for
        the rows it saw.
        """
        with self._undone_on_error():
            resume = hasattr(self, "net_")
            X = self._start(X, resume)
            seed = substream(self._seed, 3, len(self.net_.history))
            reservoir = getattr(self, "_reservoir", None) or Reservoir(10_000)
            if resume and not reservoir.n_seen:
                n = min(self.n_samples_seen_, reservoir.size)
                past = self._apply(self._module.decode, self._draw_codes(n, seed))
                reservoir.start(past, self.n_samples_seen_)
            self._train(X, 1)
            reservoir.add(X, seed)
            self._finish(reservoir.rows)
            self._reservoir, self.n_samples_seen_ = reservoir, reservoir.n_seen
        return self

    def _check_structure(self) -> None:
        super()._check_structure()
        make_sampler(self.sampler)  # a bad sampler is found before the training, not after

    def _finish(self, X: np.ndarray) -> None:
        """Fit the sampler to the codes of X."""
        sampler = make_sampler(self.sampler, substream(self._seed, 4) % 2**31)
        ambient = self._apply(self._module.encode_ambient, X)
        if not np.isfinite(ambient).all():
            raise ValueError(
                f"The codes of X are not finite after {self.n_iter_} epochs: the weights diverged. "
                f"Lower lr (now {self.lr:g}), or scale the columns of X."
            )
        try:
            if isinstance(sampler, LatentSampler):
                sampler.fit(ambient, model=self._module)
            else:  # a density of somebody else's sees the codes that transform gives
                sampler.fit(self._apply(self._module.manifold.project, ambient))
        except KeyboardInterrupt:
            warnings.warn(
                "Interrupted while the sampler was fitted: one Gaussian stands in for it. The net "
                "keeps what it had learnt; call fit_sampler(X) for the sampler.",
                UserWarning,
                stacklevel=3,
            )
            sampler = GaussianSampler().fit(ambient, model=self._module)
        self.sampler_ = sampler

    # ------------------------------------------------------------------- codes, rows, scores
    def transform(self, X: Any) -> Any:
        """Encode rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Of unit length for a spherical model; posterior means for a variational one.
        """
        check_is_fitted(self)
        return self._apply(self._module.encode, self._check_rows(X))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        Z = check_array(X, dtype="numeric", input_name="X")
        if Z.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {Z.shape[1]} columns, but {type(self).__name__} decodes codes of "
                f"{self._n_features_out} components."
            )
        check_range(Z, self.dtype_)
        return self._apply(self._module.decode, Z)

    def sample(self, n_samples: int = 1, random_state: Any = None, **kwargs: Any) -> Any:
        """Draw new rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            None draws from numpy's global state.
        **kwargs : dict
            Passed to the sampler's ``sample``.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features)
            A DataFrame, of the library that fit was given one of, if that had named columns.
        """
        Z = self.sample_latent(n_samples, random_state, **kwargs)
        rows = self._apply(self._module.decode, Z)
        names = getattr(self, "feature_names_in_", None)
        return rows if names is None else to_frame(rows, names, self._frame_kind)

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

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the energy distance between X and a draw; greater is better.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Held-out rows.
        y : object
            Ignored.

        Returns
        -------
        float
            At most 0; the draw, of as many rows as X and at least 1000, is seeded.
        """
        check_is_fitted(self)
        X = self._check_rows(X)
        codes = self._draw_codes(max(len(X), 1000), 0)
        return -energy_distance(X, self._apply(self._module.decode, codes))

    def _check_rows(self, X: Any) -> np.ndarray:
        X = validate_data(self, X, reset=False, dtype="numeric")
        check_range(X, self.dtype_)
        return X

    def _draw_codes(self, n: int, random_state: Any, **kwargs: Any) -> np.ndarray:
        Z = draw(self.sampler_, n, random_state, **kwargs)
        return self._apply(self._module.manifold.project, Z)

    @torch.no_grad()
    def _apply(self, function: Callable[[Tensor], Tensor], X: np.ndarray) -> np.ndarray:
        """Apply a tensor function to rows, by chunks."""
        out: Any = None  # filled in place: a list of chunks would hold everything twice
        for start in range(0, len(X), _CHUNK):
            chunk = torch.from_numpy(np.array(X[start : start + _CHUNK], self.dtype_))
            done = function(chunk.to(self.net_.device)).cpu().numpy()
            out = np.empty((len(X), *done.shape[1:]), done.dtype) if out is None else out
            out[start : start + len(done)] = done
        return out

    @property
    def _n_features_out(self) -> int:
        return self._module.prior.dim

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        auto = ["float64", "float32"]
        tags.transformer_tags.preserves_dtype = auto if self.dtype == "auto" else [self.dtype]
        return tags
