"""GA-AE (paper G)."""

from __future__ import annotations

from typing import Annotated, Any, Self

import torch
from torch import Tensor

from geomgen._fields import Count, NonNegative, estimator
from geomgen._training import Terms
from geomgen.losses import blade_entropy, grassmann_spread, random_frames, squared_error, tangents
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel

__all__ = ["GrassmannAE"]

PAPER_GRADES = (1, 2, 4, 8)


@estimator
class GrassmannAE(AE):
    r"""GA-AE: an autoencoder whose decoder's tangent blades are spread and of many grades.

    .. math:: \mathcal{L} = \mathcal{L}_{recon} + \lambda_{grass} \mathcal{L}_{grass}
       - \lambda_{entropy} H_{blade}

    The blades are those at the codes of the batch, along random frames of latent directions, one
    a code; blades are paired by rolling the batch by one. With piecewise linear activations the
    terms have no gradient in the codes, and train the decoder alone.

    Attributes
    ----------
    k_ : int or None
        Dimension of the blades that are spread; None if no k is legal, the term is then off.
    grades_ : tuple of int
        Grades of the entropy; empty if fewer than two are legal, the term is then off.
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    See Also
    --------
    geomgen.losses.grassmann_spread : What the first term does, and does not, ask for.
    geomgen.losses.blade_entropy : The second term.

    References
    ----------
    Paper G (GA-AE), Eqs. 17-22.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = GrassmannAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.k_, model.grades_, model.history_.columns.tolist()
    (2, (1, 2), ['loss', 'recon', 'grass', 'entropy', 'seconds'])
    """

    lam_grass: Annotated[NonNegative, "Weight of the Grassmann spread (Eq. 19)."] = 0.1
    lam_entropy: Annotated[NonNegative, "Weight of the blade entropy (Eq. 21)."] = 0.01
    k: Annotated[
        Count | None,
        """Dimension of the blades that are spread, 1 ≤ k ≤ min(n_features, n_components) and
        k < n_features. None takes 2, or the largest that is legal.""",
    ] = None
    grades: Annotated[
        tuple[Count, ...] | None,
        """Grades of the entropy, two or more of at most min(n_features, n_components). None takes
        those of (1, 2, 4, 8) that are legal.""",
    ] = None

    @classmethod
    def paper(cls, **params: Any) -> Self:
        """Make the paper's estimator: its losses and weights, ReLU, N(0, I) sampling.

        Parameters
        ----------
        **params : dict
            Further parameters, or others in place of the paper's.

        Returns
        -------
        GrassmannAE

        References
        ----------
        Paper G (GA-AE), sections 4.4 and 5.1.

        Examples
        --------
        >>> GrassmannAE.paper(n_components=2, hidden=(64, 32)).sampler
        'prior'
        """
        paper = {
            "lam_grass": 0.1,
            "lam_entropy": 0.01,
            "activation": "relu",
            "reduction": "sum",
            "sampler": "prior",
            "optimizer": torch.optim.Adam,
            "lr": 1e-3,
            "batch_size": 256,
            "max_epochs": 200,
        }
        return cls(**{**paper, **params})

    def _prepare(self, n_features: int) -> None:
        most = min(n_features, self.n_components)
        self.k_ = self._legal_k(most, n_features)
        self.grades_ = self._legal_grades(most)

    def _legal_k(self, most: int, n_features: int) -> int | None:
        """Gr(k, n) needs k ≤ min(n, d); at k = n it is one point, and the similarity constant."""
        largest = min(most, n_features - 1)
        if self.k is None:
            return min(2, largest) or None
        if self.k > largest:
            raise ValueError(
                f"k={self.k} is illegal for n_features={n_features} and "
                f"n_components={self.n_components}: it must be at most {largest}, or None."
            )
        return self.k

    def _legal_grades(self, most: int) -> tuple[int, ...]:
        if self.grades is None:
            legal = tuple(g for g in PAPER_GRADES if g <= most)
            return legal if len(legal) > 1 else ()
        grades = tuple(sorted({int(g) for g in self.grades}))
        if len(grades) < 2 or grades[-1] > most:
            raise ValueError(
                f"grades={self.grades!r} are illegal: they must be two or more different ones of "
                f"at most min(n_features, n_components) = {most}, or None."
            )
        return grades

    def _objective(
        self, model: LatentVariableModel, x: Tensor, generator: torch.Generator
    ) -> Terms:
        z = model.encode(x)
        terms = {"recon": squared_error(model.decode(z), x, self.reduction)}
        spread = self.k_ is not None and self.lam_grass > 0
        entropy = bool(self.grades_) and self.lam_entropy > 0
        if not (spread or entropy):
            return terms
        n_directions = max(self.k_ or 1, *self.grades_, 1)
        n, d = z.shape
        frames = random_frames(n, d, n_directions, generator=generator, like=z)
        A = tangents(model.decoder.trunk, z, frames)
        if spread:
            terms["grass"] = self.lam_grass * grassmann_spread(A[..., : self.k_])
        if entropy:
            terms["entropy"] = -self.lam_entropy * blade_entropy(A, self.grades_)
        return terms
