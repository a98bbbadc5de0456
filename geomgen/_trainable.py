"""From parameters to a trained net."""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import validate_data
from torch import Tensor, nn

from geomgen._batches import Rows
from geomgen._callbacks import early_stopping, forwarding_epochs, with_callbacks
from geomgen._device import resolve_device
from geomgen._extra_terms import check_extra_terms, extra_terms
from geomgen._fields import check_fields, estimator
from geomgen._frames import frame_kind
from geomgen._history import history_frame
from geomgen._images import augmented, check_images, widest_layer
from geomgen._parameters import Parameters
from geomgen._random import draw_seed, generator, substream
from geomgen._structure import (
    check_blocks,
    check_range,
    check_widths,
    has_fused,
    make_network,
    mixed,
    warn_of_scales,
)
from geomgen._training import Net, NonFiniteLoss, Terms
from geomgen.losses import reconstruction_error
from geomgen.manifolds import Euclidean, Sphere
from geomgen.nn import GaussianLikelihood, Head, LatentVariableModel, PointPosterior, StandardNormal

__all__ = ["Trainable"]

# Parameters that cannot change between two fits of the same weights; models name theirs too.
_STRUCTURE = (
    *("n_components", "hidden", "activation", "norm", "encoder", "decoder", "image_shape"),
    "feature_blocks",
    *("architecture", "channels", "dtype", "device", "optimizer", "net_params"),
)


@estimator
class Trainable(Parameters, ABC):
    """The training half of an estimator: parameters in, ``net_`` out.

    A model declares its own parameters as annotated fields, where it was published as ``_paper``
    and ``_equation``, and that equation as ``_objective(model, x, generator) -> {name: term}``, or
    as ``_penalties`` what the equation adds to an autoencoder's or a VAE's. It overrides
    ``_prepare`` if parameters depend on the data, ``_build`` if its structure is new, and
    ``_initialise`` if its first weights are made of rows; ``_structure`` names the parameters
    that the structure depends on.
    """

    _posterior: ClassVar[type[Head]] = PointPosterior
    _prior: ClassVar[type[StandardNormal]] = StandardNormal
    _manifold: ClassVar[Euclidean | Sphere] = Euclidean()
    _net: ClassVar[type[Net]] = Net
    _paper: ClassVar[str] = ""
    _equation: ClassVar[str] = ""
    _structure: ClassVar[tuple[str, ...]] = ()

    # ------------------------------------------------------------------ what a model provides
    @abstractmethod
    def _objective(
        self, model: LatentVariableModel, x: Tensor, generator: torch.Generator
    ) -> Terms: ...

    def _penalties(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        """Compute the weighted terms of a batch beside its model's own, at its codes z."""
        return {}

    def _completed(
        self,
        terms: Terms,
        model: LatentVariableModel,
        x: Tensor,
        z: Tensor,
        generator: torch.Generator,
    ) -> Terms:
        """Add the penalties and the user's terms to those of the model itself."""
        terms = terms | self._penalties(model, x, z, generator)
        return terms | extra_terms(self.extra_terms or {}, terms, model, x, z, generator)

    def _prepare(self, X: np.ndarray) -> None:
        """Check, and resolve into fitted attributes, the parameters that depend on the data."""

    @property
    def _warm_epochs(self) -> int:
        """Epochs in which the loss still changes, so that stopping early must not judge them."""
        return 0

    def _initialise(self, X: np.ndarray) -> None:
        """Set what of a new net depends on the rows."""

    def _build(self, n_features: int) -> LatentVariableModel:
        d, start = self.n_components, generator(substream(self._seed, 0))
        encoder = make_network("encoder", self, n_features, self._posterior.n_outputs(d), start)
        decoder = make_network("decoder", self, d, n_features, start)
        return LatentVariableModel(
            *(self._make_posterior(encoder), mixed(self.feature_blocks, self._likelihood, decoder)),
            *(self._make_prior(), self._manifold),
        )

    def _make_posterior(self, encoder: nn.Module) -> Head:
        """Read the encoder's output as q(z|x)."""
        return self._posterior(encoder)

    def _make_prior(self) -> StandardNormal:
        """Make p(z)."""
        return self._prior(self.n_components)

    def _likelihood(self, decoder: nn.Module) -> Head:
        """Read the decoder's output as p(x|z)."""
        return GaussianLikelihood(decoder)

    def _reconstruction(self, model: LatentVariableModel, z: Tensor, x: Tensor) -> Tensor:
        """Compute how far what codes on the manifold are decoded to is from the rows."""
        return reconstruction_error(model.decoder(z), x, self.reduction)

    def _augmented(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return augmented(self.augment, self.n_features_in_, x, generator)

    # --------------------------------------------------------------------------------- training
    def _start(self, X: Any, resume: bool) -> np.ndarray:
        """Validate, and make a new net unless training goes on."""
        check_fields(self)
        self._frame_kind = frame_kind(X)
        X = validate_data(self, X, reset=not resume, dtype="numeric", ensure_min_samples=2)
        if not resume:
            given = X.dtype if X.dtype in (np.float32, np.float64) else np.float32
            self.dtype_ = np.dtype(given if self.dtype == "auto" else self.dtype)
        check_range(X, self.dtype_)
        check_images(self, X.shape[1])
        check_blocks(self.feature_blocks, X.shape[1])
        self._prepare(X)
        self._check_structure()
        warn_of_scales(X)
        if resume:
            self._check_same_structure()
            self.net_.renew(**self._net_settings())
            return X
        self._seed, self._widest = draw_seed(self.random_state), widest_layer(self, X.shape[1])
        self.net_: Net = self._make_net().build(substream(self._seed, 0))
        self._built_with = {n: getattr(self, n) for n in (*_STRUCTURE, *self._structure)}
        self._check_networks(X)
        self._initialise(X)
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
        stop = early_stopping(self.n_iter_no_change, self.tol, self._warm_epochs)
        stopping = [] if valid is None else [stop]
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

    @contextmanager
    def _undone_on_error(self, resume: bool = False) -> Iterator[None]:
        """Leave the estimator as it was if fitting fails before anything was learnt."""
        before = dict(vars(self))
        saved = self.net_.saved() if resume else None
        try:
            yield
        except BaseException as error:
            learnt = isinstance(error, NonFiniteLoss) and bool(self.net_.history)
            if not learnt:
                self.__dict__ = before
                if saved is not None:
                    self.net_.restore(saved)
            raise

    # ------------------------------------------------------------------------ fitted attributes
    @property
    def _module(self) -> LatentVariableModel:
        return self.net_.module_

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
        return history_frame(self._fitted_net.history)

    @property
    def _fitted_net(self) -> Net:
        if not hasattr(self, "net_"):  # hasattr(estimator, "n_iter_") must be False before fit
            raise AttributeError(f"This {type(self).__name__} has not been fitted: call fit first.")
        return self.net_

    # -------------------------------------------------------------------------------- building
    def _net_settings(self) -> dict[str, Any]:
        """Give what the net is told at every fit, be it the first of its weights or not."""
        return {
            "lr": self.lr,
            "batch_size": self.batch_size,
            "augment": None if self.augment is None else self._augmented,
            "low_precision": self.precision == "bf16",
            "compiled": bool(self.compile),
            "callbacks": copy.deepcopy(self.callbacks),
            "log": self.verbose > 1,
        }

    def _make_net(self) -> Net:
        given = self.net_params or {}
        unknown = [k for k in given if not str(k).startswith(("optimizer__", "callbacks__"))]
        if unknown:
            raise ValueError(
                f"net_params={given!r} sets {unknown}: only names that begin with 'optimizer__' or "
                "'callbacks__' can be set there; the rest are parameters of the estimator."
            )
        variants = {f"optimizer__{v}" for v in ("fused", "foreach", "capturable", "differentiable")}
        fused = has_fused(self.optimizer) and not variants.intersection(given)
        return self._net(
            self._make_module,
            objective=self._objective,
            draws_globally=self.encoder is not None or self.decoder is not None,
            optimizer=self.optimizer,
            device=resolve_device(self.device),
            **self._net_settings(),
            **(given | ({"optimizer__fused": True} if fused else {})),
        )

    def _make_module(self) -> LatentVariableModel:
        return self._build(self.n_features_in_).to(getattr(torch, self.dtype_.name))

    def _check_networks(self, X: np.ndarray) -> None:
        """Run two rows through networks of the user's own, to name the one that does not fit."""
        module, d = self._module.eval(), self.n_components
        x = torch.zeros(2, X.shape[1], dtype=getattr(torch, self.dtype_.name)).to(self.device_)
        if self.encoder is not None:
            n_outputs = self._posterior.n_outputs(d)
            why = f" (a {self._posterior.__name__} over {d} components reads {n_outputs} outputs)"
            check_widths("encoder", module.encoder.trunk, x, n_outputs, why)
        if self.decoder is not None:
            check_widths("decoder", module.decoder.trunk, x.new_zeros(2, d), X.shape[1])

    def _check_same_structure(self) -> None:
        changed = [
            name
            for name, built in self._built_with.items()
            if getattr(self, name) is not built and not np.all(getattr(self, name) == built)
        ]
        if changed:
            raise ValueError(
                f"{changed} changed since the net was built, and training cannot go on from it: "
                "put them back, or fit anew with warm_start=False."
            )

    def _check_structure(self) -> None:
        check_extra_terms(self.extra_terms)
        if self.n_components < self._manifold.min_dim:
            warnings.warn(
                f"n_components={self.n_components} puts the codes of {type(self).__name__} on a "
                "sphere of two points, between which nothing can be learnt: use at least 2.",
                UserWarning,
                stacklevel=5,
            )
        if self.norm == "batch" and self.batch_size == 1:
            raise ValueError("norm='batch' needs batches of two rows or more: raise batch_size=1.")
