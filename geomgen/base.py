"""The shell of every estimator: arrays to tensors and back, fit, transform, sample, score."""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor, nn

from geomgen._fields import (
    Count,
    Fraction,
    Interval,
    NonNegative,
    Positive,
    check_fields,
    estimator,
)
from geomgen._frames import frame_kind, to_frame
from geomgen._random import draw_seed, generator, substream
from geomgen._reservoir import Reservoir
from geomgen._sklearn_callbacks import CallbackSupportMixin, forwarding_epochs, with_callbacks
from geomgen._structure import check_widths, has_fused, make_network, resolve_device
from geomgen._training import Net, NonFiniteLoss, Rows, Terms, early_stopping
from geomgen.manifolds import Euclidean, Sphere
from geomgen.metrics.energy import energy_distance
from geomgen.nn import GaussianLikelihood, LatentVariableModel, PointPosterior, StandardNormal
from geomgen.samplers import LatentSampler, draw, make_sampler

__all__ = ["GenerativeAutoencoder"]

_CHUNK = 8192  # rows encoded or decoded at once
_OWN_NET_PARAMS = frozenset(
    ("module", "objective", "criterion", "optimizer", "lr", "max_epochs", "batch_size", "device")
    + ("callbacks", "log", "verbose", "train_split", "dataset", "iterator_train", "iterator_valid")
)


@estimator
class GenerativeAutoencoder(
    CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, ABC
):
    """Base of the generative autoencoders.

    A model declares its own parameters as annotated fields and its paper's equation as
    ``_objective(model, x, generator) -> {name: term}``; it overrides ``_prepare`` if parameters
    depend on the data, and ``_build`` if its structure is new.
    """

    n_components: Annotated[Count, "Dimension d of the codes; it may exceed the features'."] = 8
    hidden: Annotated[
        tuple[Count, ...], "Widths of the encoder's hidden layers; the decoder mirrors them."
    ] = (128, 64)
    activation: Annotated[
        Literal["relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "tanh"],
        "Activation between linear layers.",
    ] = "silu"
    norm: Annotated[Literal["batch", "layer"] | None, "Normalisation before each activation."] = (
        None
    )
    encoder: Annotated[
        Any,
        """An encoder network of your own: a module, which is copied, or a callable
        ``(n_inputs, n_outputs) -> module``; in place of hidden, activation and norm.""",
    ] = None
    decoder: Annotated[Any, "A decoder network of your own, likewise."] = None
    reduction: Annotated[
        Literal["sum", "mean"],
        """What is done with the squared error over features (it is averaged over rows): with the
        mean, every weight beside it counts n_features times as much.""",
    ] = "sum"
    max_epochs: Annotated[Count, "Passes over the rows."] = 100
    batch_size: Annotated[Count, "Rows a step; a last batch of one row joins the one before."] = 128
    lr: Annotated[Positive, "Learning rate."] = 1e-3
    optimizer: Annotated[type, "Class of the optimizer."] = torch.optim.Adam
    early_stopping: Annotated[
        bool, "Whether to hold out rows and stop when their loss no longer falls."
    ] = False
    validation_fraction: Annotated[Fraction, "Share of the rows held out to stop early."] = 0.1
    n_iter_no_change: Annotated[Count, "Epochs without improvement before stopping early."] = 10
    tol: Annotated[NonNegative, "Least fall of the held-out loss that counts."] = 1e-4
    warm_start: Annotated[bool, "Whether fit goes on from the weights of the last fit."] = False
    sampler: Annotated[
        Any,
        """Where new codes come from: ``"cells"``, ``"prior"``, ``"uniform"``, ``"mvg"``,
        ``"gmm"``, a sampler, or any scikit-learn object with fit and sample.""",
    ] = "cells"
    dtype: Annotated[
        Literal["float32", "float64", "auto"],
        "Of computation and of output; ``auto`` takes that of X if it is one of the two.",
    ] = "float32"
    device: Annotated[
        str, "Where to compute: ``auto`` takes a CUDA device if there is one; or torch's names."
    ] = "auto"
    callbacks: Annotated[list | None, "skorch callbacks; they are copied."] = None
    net_params: Annotated[
        dict | None, "Further parameters of the skorch net: ``{'optimizer__weight_decay': 1e-4}``."
    ] = None
    random_state: Annotated[
        Any, "Seed of weights, batches, noise and sampler; None takes numpy's global state."
    ] = None
    verbose: Annotated[
        Annotated[int, Interval(0)] | bool, "1 shows a progress bar, 2 a line an epoch."
    ] = 0

    _posterior: ClassVar[type[nn.Module]] = PointPosterior
    _prior: ClassVar[type[nn.Module]] = StandardNormal
    _manifold: ClassVar[Euclidean | Sphere] = Euclidean()

    # ------------------------------------------------------------------ what a model provides
    @abstractmethod
    def _objective(
        self, model: LatentVariableModel, x: Tensor, generator: torch.Generator
    ) -> Terms: ...

    def _prepare(self, n_features: int) -> None:
        """Check, and resolve into fitted attributes, the parameters that depend on the data."""

    def _build(self, n_features: int) -> LatentVariableModel:
        d, mlp_params = self.n_components, {"activation": self.activation, "norm": self.norm}
        d_out, hidden = d * self._posterior.outputs_per_dim, tuple(self.hidden)
        encoder = make_network("encoder", self.encoder, n_features, hidden, d_out, **mlp_params)
        decoder = make_network("decoder", self.decoder, d, hidden[::-1], n_features, **mlp_params)
        return LatentVariableModel(
            self._posterior(encoder), GaussianLikelihood(decoder), self._prior(d), self._manifold
        )

    # ---------------------------------------------------------------------------------- fit
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
            try:
                self._train(X, self.max_epochs)
            except NonFiniteLoss:
                if self.net_.history:
                    self._finish(X)
                raise
            self._finish(X)
        self.__dict__.pop("_reservoir", None)
        self.n_samples_seen_ = len(X)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train for one epoch on X, and refit the sampler on rows from all calls.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            The next rows, at least two.
        y : object
            Ignored.

        Returns
        -------
        self

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
            if not hasattr(self, "_reservoir"):
                self._reservoir = Reservoir(10_000)
                if resume:
                    n = min(self.n_samples_seen_, self._reservoir.size)
                    past = self._apply(self._module.decode, self._draw_codes(n, seed))
                    self._reservoir.start(past, self.n_samples_seen_)
            self._train(X, 1)
            self._reservoir.add(X, seed)
            self._finish(self._reservoir.rows)
        self.n_samples_seen_ = self._reservoir.n_seen
        return self

    def _start(self, X: Any, resume: bool) -> np.ndarray:
        """Validate, and make a new net unless training goes on."""
        check_fields(self)
        kind = frame_kind(X)
        X = validate_data(self, X, reset=not resume, dtype="numeric", ensure_min_samples=2)
        self._prepare(X.shape[1])
        self._frame_kind = kind
        if resume:
            self.net_.set_params(lr=self.lr, batch_size=self.batch_size)
            return X
        self._check_structure()
        given = X.dtype if X.dtype in (np.float32, np.float64) else np.float32
        self.dtype_ = np.dtype(given if self.dtype == "auto" else self.dtype)
        self._seed = draw_seed(self.random_state)
        self.net_ = self._make_net().build(substream(self._seed, 0))
        self._check_networks(X)
        return X

    @with_callbacks
    def _train(self, X: np.ndarray, epochs: int) -> None:
        rows: Any = Rows(X, self.dtype_, self.net_.device)
        valid = None
        if self.early_stopping and epochs > 1:
            n_valid = int(np.ceil(self.validation_fraction * len(X)))
            if len(X) - n_valid < 2:
                raise ValueError(
                    f"validation_fraction={self.validation_fraction} of {len(X)} rows leaves fewer "
                    "than two to train on; lower it, or turn early_stopping off."
                )
            order = torch.randperm(len(X), generator=generator(substream(self._seed, 2)))
            valid, rows = rows.split(n_valid, order)
        stopping = [] if valid is None else [early_stopping(self.n_iter_no_change, self.tol)]
        bar = type(self).__name__ if self.verbose == 1 else None
        with forwarding_epochs(self, epochs) as forwarding:
            self.net_.run(
                rows,
                valid,
                epochs=epochs,
                seed=substream(self._seed, 1),
                callbacks=[*stopping, *forwarding],
                bar=bar,
            )

    def _finish(self, X: np.ndarray) -> None:
        sampler = make_sampler(self.sampler, substream(self._seed, 4) % 2**31)
        ambient = self._apply(self._module.encode_ambient, X)
        if isinstance(sampler, LatentSampler):
            sampler.fit(ambient, model=self._module)
        else:  # a density of somebody else's sees the codes that transform gives
            sampler.fit(self._apply(self._module.manifold.project, ambient))
        self.sampler_ = sampler

    @contextmanager
    def _undone_on_error(self) -> Iterator[None]:
        """Leave the estimator as it was if fitting fails before anything was learnt."""
        before = dict(vars(self))
        try:
            yield
        except BaseException as error:
            learnt = isinstance(error, NonFiniteLoss) and bool(self.net_.history)
            if not learnt:
                vars(self).clear()
                vars(self).update(before)
            raise

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
            Codes: of unit length for a spherical model, posterior means for a variational one.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype="numeric")
        return self._apply(self._module.encode, X)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Decode codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Mean rows.
        """
        check_is_fitted(self)
        Z = check_array(X, dtype="numeric", input_name="X")
        if Z.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {Z.shape[1]} columns, but {type(self).__name__} decodes codes of "
                f"{self._n_features_out} components."
            )
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
            At most 0. The draw (as many rows as X, and at least 1000) is seeded.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype="numeric")
        codes = self._draw_codes(max(len(X), 1000), 0)
        return -energy_distance(X, self._apply(self._module.decode, codes))

    def _draw_codes(self, n: int, random_state: Any, **kwargs: Any) -> np.ndarray:
        Z = draw(self.sampler_, n, random_state, **kwargs)
        return self._apply(self._module.manifold.project, Z)

    @torch.no_grad()
    def _apply(self, function: Callable[[Tensor], Tensor], X: np.ndarray) -> np.ndarray:
        """Apply a tensor function to rows, by chunks."""
        device = self.net_.device
        chunks = (np.array(X[i : i + _CHUNK], self.dtype_) for i in range(0, len(X), _CHUNK))
        outputs = [function(torch.from_numpy(c).to(device)).cpu().numpy() for c in chunks]
        return np.concatenate(outputs)

    # ------------------------------------------------------------------------ fitted attributes
    @property
    def _module(self) -> LatentVariableModel:
        return self.net_.module_

    @property
    def _n_features_out(self) -> int:
        return self._module.prior.dim

    @property
    def n_iter_(self) -> int:
        """Number of epochs done."""
        return len(self._fitted_net.history)

    @property
    def device_(self) -> torch.device:
        """Where the weights are."""
        return torch.device(self._fitted_net.device)

    @property
    def history_(self) -> pd.DataFrame:
        """One row an epoch: ``loss``, its terms as weighted, ``valid_…`` of each, ``seconds``."""
        return self._fitted_net.history_frame()

    @property
    def _fitted_net(self) -> Net:
        if not hasattr(self, "net_"):  # hasattr(estimator, "n_iter_") must be False before fit
            raise AttributeError(f"This {type(self).__name__} has not been fitted: call fit first.")
        return self.net_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        auto = ["float64", "float32"]
        tags.transformer_tags.preserves_dtype = auto if self.dtype == "auto" else [self.dtype]
        return tags

    # -------------------------------------------------------------------------------- building
    def _make_net(self) -> Net:
        clash = sorted(_OWN_NET_PARAMS.intersection(self.net_params or {}))
        if clash:
            raise ValueError(
                f"net_params={self.net_params!r} sets {clash}, which the estimator sets itself; "
                "use its own parameters."
            )
        fused = {"optimizer__fused": True} if has_fused(self.optimizer) else {}
        return Net(
            self._make_module,
            objective=self._objective,
            draws_globally=self.encoder is not None or self.decoder is not None,
            optimizer=self.optimizer,
            lr=self.lr,
            batch_size=self.batch_size,
            device=resolve_device(self.device),
            callbacks=copy.deepcopy(self.callbacks),
            log=self.verbose > 1,
            **{**fused, **(self.net_params or {})},
        )

    def _make_module(self) -> LatentVariableModel:
        return self._build(self.n_features_in_).to(getattr(torch, self.dtype_.name))

    def _check_structure(self) -> None:
        if self.n_components < self._manifold.min_dim:
            warnings.warn(
                f"n_components={self.n_components} puts the codes of {type(self).__name__} on a "
                "sphere of two points, between which nothing can be learnt: use at least 2.",
                UserWarning,
                stacklevel=4,
            )
        if self.norm == "batch" and self.batch_size == 1:
            raise ValueError("norm='batch' needs batches of two rows or more: raise batch_size=1.")
        make_sampler(self.sampler)  # a bad sampler is found before the training, not after

    def _check_networks(self, X: np.ndarray) -> None:
        """Run two rows through networks of the user's own, to name the one that does not fit."""
        module, d = self._module.eval(), self.n_components
        x = torch.zeros(2, X.shape[1], dtype=getattr(torch, self.dtype_.name)).to(self.device_)
        if self.encoder is not None:
            check_widths("encoder", module.encoder.trunk, x, d * self._posterior.outputs_per_dim)
        if self.decoder is not None:
            check_widths("decoder", module.decoder.trunk, x.new_zeros(2, d), X.shape[1])
