"""The shell of every estimator: arrays to tensors and back, fit, transform, sample, score."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from geomgen._fields import check_fields, estimator
from geomgen._generating import Generating
from geomgen._random import substream
from geomgen._reservoir import Reservoir
from geomgen._structure import check_range
from geomgen._training import NonFiniteLoss
from geomgen.metrics.energy import energy_distance

__all__ = ["GenerativeAutoencoder"]


@estimator
class GenerativeAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Generating):
    """Base of the generative autoencoders: a trained net, and a sampler over its codes.

    What a model provides is said in ``Trainable``: its fields and its ``_objective``.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the autoencoder, then fit the sampler to the codes of X.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows. A memory map is read batch by batch.
        y : array-like of shape (n_samples,), optional
            Labels for a sampler with ``conditional=True``. Otherwise ignored: searches may pass
            labels for their scorers.

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
        resume = self.warm_start and hasattr(self, "net_")
        with self._undone_on_error(resume):
            X = self._start(X, resume)
            self._check_labels(y, len(X))
            self.n_samples_seen_ = len(X)
            self._reservoir: Reservoir | None = None
            held = self._held_out(len(X))
            try:
                self._train(X if held is None else X[~held], self.max_epochs)
            except NonFiniteLoss:
                if self.net_.history:
                    self._finish(X, y, held)
                raise
            self._finish(X, y, held)
        return self

    def fit_sampler(self, X: Any, y: Any = None) -> Self:
        """Fit the sampler anew, the net left as it is: one training serves many samplers.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Rows, to whose codes the sampler that ``sampler`` now says is fitted.
        y : array-like of shape (n_samples,), optional
            Labels for a sampler with ``conditional=True``; otherwise ignored.

        Notes
        -----
        Residual noise is then learnt from rows that may have been trained on; ``fit`` holds some
        out for it.

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
        with self._undone_on_error():
            check_fields(self)
            self._check_sampler()
            X = self._check_rows(X)
            self._check_labels(y, len(X))
            self._finish(X, y, self._held_out(len(X)))
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
        the rows it saw. Residual noise is learnt from rows that were trained on.
        """
        resume = hasattr(self, "net_")
        with self._undone_on_error(resume):
            self._check_labels(None, 0)
            X = self._start(X, resume)
            seed = substream(self._seed, 3, len(self.net_.history))
            reservoir = getattr(self, "_reservoir", None) or Reservoir(10_000)
            if resume and not reservoir.n_seen:
                n = min(self.n_samples_seen_, reservoir.size)
                past = self._draw_rows(n, seed)
                reservoir.start(past, self.n_samples_seen_)
            self._train(X, 1)
            reservoir.add(X, seed)
            self._finish(reservoir.rows, None, self._held_out(len(reservoir.rows)))
            self._reservoir, self.n_samples_seen_ = reservoir, reservoir.n_seen
        return self

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
        return self._apply(self._module.decode, self._check_codes(X))

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
        return -energy_distance(X, self._draw_rows(max(len(X), 1000), 0))

    def _check_rows(self, X: Any) -> np.ndarray:
        X = validate_data(self, X, reset=False, dtype="numeric")
        check_range(X, self.dtype_)
        return X

    def _check_codes(self, X: Any) -> np.ndarray:
        Z = check_array(X, dtype="numeric", input_name="X")
        if Z.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {Z.shape[1]} columns, but {type(self).__name__} decodes codes of "
                f"{self._n_features_out} components."
            )
        check_range(Z, self.dtype_)
        return Z

    @property
    def _n_features_out(self) -> int:
        return self._module.prior.dim

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        auto = ["float64", "float32"]
        tags.transformer_tags.preserves_dtype = auto if self.dtype == "auto" else [self.dtype]
        return tags
