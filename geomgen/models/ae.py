"""The plain autoencoder."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from geomgen._fields import estimator
from geomgen._training import Terms
from geomgen.base import GenerativeAutoencoder
from geomgen.nn import LatentVariableModel

__all__ = ["AE"]


@estimator
class AE(GenerativeAutoencoder):
    r"""Autoencoder with an ex-post sampler.

    .. math:: \mathcal{L} = \mathbb{E}_x \|D(E(x)) - x\|^2

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; ``net_.module_`` is the torch model.
    sampler_ : object
        The density fitted to the codes.
    history_ : DataFrame
        One row an epoch, one column a term.
    n_iter_ : int
        Epochs done.
    n_features_in_, feature_names_in_, n_samples_seen_, device_, dtype_
        Of the rows and of the computation.

    References
    ----------
    Paper G (GA-AE), Eq. 1, whose sum over features is the default ``reduction``; Hinton and
    Salakhutdinov, 2006, *Reducing the dimensionality of data with neural networks*.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = AE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.transform(X).shape, model.sample(3, random_state=0).shape
    ((150, 2), (3, 4))
    """

    _paper: ClassVar[str] = "Hinton and Salakhutdinov, 2006"
    _equation: ClassVar[str] = "paper G, Eq. 1"

    def _objective(
        self, model: LatentVariableModel, x: Tensor, generator: torch.Generator
    ) -> Terms:
        z = model.encode(x)
        terms = {"recon": self._reconstruction(model, z, x)}
        return self._completed(terms, model, x, z, generator)
