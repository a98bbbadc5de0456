"""The vector-quantised autoencoder."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from scipy.stats import entropy
from torch import Tensor

from geomgen._fields import Count, Fraction, NonNegative, estimator
from geomgen._training import Terms
from geomgen.base import GenerativeAutoencoder
from geomgen.losses import squared_error
from geomgen.nn import Codebook, LatentVariableModel

__all__ = ["VQVAE"]


@estimator
class VQVAE(GenerativeAutoencoder):
    r"""Autoencoder with discrete codes: VQ-VAE.

    .. math:: \mathcal{L} = \mathbb{E}_x\, \|D(\Pi(E(x))) - x\|^2
       + \beta\, \|E(x) - \mathrm{sg}[\Pi(E(x))]\|^2

    :math:`\Pi` splits a code into positions of ``code_dim`` numbers and snaps each to the nearest
    of ``n_codes`` vectors; sg stops the gradient, which passes straight through :math:`\Pi`. The
    vectors follow running means of the positions assigned to them, and those that nothing is
    assigned to any more are put on positions of the batch. ``transform`` gives snapped codes, and
    every draw is snapped; ``sampler="autoregressive"`` learns the law of the vectors' indices, as
    in the paper. The commitment is summed over components, whatever the ``reduction``.

    Attributes
    ----------
    code_usage_ : ndarray of shape (n_codes,)
        Share of each vector among the positions of the rows that the sampler was fitted to.
    perplexity_ : float
        Number of vectors in effective use, :math:`\exp(-\sum_k p_k \log p_k)` of those shares; a
        collapsed codebook has few.
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    van den Oord, Vinyals and Kavukcuoglu, 2017, *Neural discrete representation learning*, Eq. 3,
    and appendix A.1 for the running means, which take the place of its second term; Razavi, van
    den Oord and Vinyals, 2019, *Generating diverse high-fidelity images with VQ-VAE-2*.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = VQVAE(n_components=2, n_codes=16, sampler="mvg", max_epochs=5, random_state=0)
    >>> Z = model.fit_transform(X)
    >>> vectors = model.net_.module_.manifold.vectors
    >>> bool(np.isin(model.sample_latent(9, random_state=0), vectors).all())
    True
    """

    n_codes: Annotated[Count, "Number K of vectors in the codebook."] = 64
    code_dim: Annotated[
        Count,
        """Numbers in a position of a code, which must divide ``n_components``; with 1, each
        component takes one of K values.""",
    ] = 1
    beta: Annotated[NonNegative, "Weight β of the commitment of codes to their vectors."] = 0.25
    decay: Annotated[
        Fraction,
        "Share γ of the running means that a batch leaves as it was; the paper's is 0.99.",
    ] = 0.9

    _manifold: ClassVar[Any] = Codebook()  # of the kind that _build makes
    _paper: ClassVar[str] = "van den Oord et al., 2017"
    _equation: ClassVar[str] = "Eq. 3"
    _structure: ClassVar[tuple[str, ...]] = ("n_codes", "code_dim", "decay")

    @property
    def perplexity_(self) -> float:
        """Number of vectors in effective use."""
        return float(np.exp(entropy(self.code_usage_)))

    def _prepare(self, X: np.ndarray) -> None:
        d = self.n_components
        if d % self.code_dim:
            divisors = [k for k in range(1, d + 1) if d % k == 0]
            raise ValueError(
                f"code_dim={self.code_dim} does not divide n_components={d}: use one of {divisors}."
            )

    def _build(self, n_features: int) -> LatentVariableModel:
        model = super()._build(n_features)
        model.manifold = Codebook(self.n_codes, self.code_dim, self.decay)
        return model

    def _objective(
        self, model: LatentVariableModel, x: Tensor, generator: torch.Generator
    ) -> Terms:
        codebook: Any = model.manifold
        z = model.encode_ambient(x)
        if model.training:
            codebook.learn(z, generator)
        q = codebook.project(z)
        terms = {
            "recon": self._reconstruction(model, q, x),
            "commitment": self.beta * squared_error(z, q.detach()),
        }
        return self._completed(terms, model, x, q, generator)

    def _finish(self, X: np.ndarray, y: Any = None, held: np.ndarray | None = None) -> None:
        super()._finish(X, y, held)
        codebook: Any = self._module.manifold
        indices = self._apply(lambda x: codebook.assign(self._module.encode_ambient(x)), X)
        self.code_usage_ = np.bincount(indices.ravel(), minlength=self.n_codes) / indices.size
