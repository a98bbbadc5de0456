"""GA-AE (paper G)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

import torch

from geomgen._fields import NonNegative, estimator
from geomgen.models._blades import BladeTerms

__all__ = ["GrassmannAE"]

_EXPERIMENTS = {
    "E2": {"lam_volume": 0.1},
    "E2b": {"lam_volume": 0.1, "lam_coverage": 0.1},
    "E2c": {"lam_grass": 0.1, "lam_entropy": 0.01},
}


@estimator
class GrassmannAE(BladeTerms):
    r"""GA-AE: an autoencoder whose decoder's tangent blades are spread and of many grades.

    .. math:: \mathcal{L} = \mathcal{L}_{recon} + \lambda_{grass} \mathcal{L}_{grass}
       - \lambda_{entropy} H_{blade}

    The blades are spanned by the decoder's tangents along random frames of latent directions, and
    paired by rolling the batch by one. With piecewise linear activations (and no normalisation
    over features, projection or smooth output) a blade is locally constant in its code: the terms
    then have no gradient in the codes, and train the decoder alone.

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

    _paper: ClassVar[str] = "Paper G (GA-AE)"
    _equation: ClassVar[str] = "Eqs. 17-22"

    @classmethod
    def paper(cls, experiment: Literal["E2", "E2b", "E2c"] = "E2c", **params: Any) -> Self:
        """Make the paper's estimator: its losses and weights, ReLU, N(0, I) sampling.

        Parameters
        ----------
        experiment : {"E2", "E2b", "E2c"}, default="E2c"
            Which of its section 5.3: volume preservation; that and the coverage term; or the
            final one, spread and entropy. It gives no weights for the first two: 0.1 each here.
        **params : dict
            Further parameters, or others in place of the paper's.

        Returns
        -------
        GrassmannAE

        References
        ----------
        Paper G (GA-AE), sections 4.4, 5.1 and 5.3.

        Examples
        --------
        >>> GrassmannAE.paper(n_components=2, hidden=(64, 32)).sampler
        'prior'
        >>> model = GrassmannAE.paper("E2b")
        >>> model.lam_grass, model.lam_volume, model.lam_coverage
        (0.0, 0.1, 0.1)
        """
        if experiment not in _EXPERIMENTS:
            raise ValueError(f"experiment={experiment!r} must be one of {sorted(_EXPERIMENTS)}.")
        weights = dict.fromkeys(("lam_grass", "lam_entropy", "lam_volume", "lam_coverage"), 0.0)
        paper = {
            **weights,
            **_EXPERIMENTS[experiment],
            "repulsion": "literal",
            "entropy": "literal",
            "latent_law": "codes",
            "shared_frames": False,
            "n_blades": None,
            "every": 1,
            "activation": "relu",
            "reduction": "sum",
            "sampler": "prior",
            "optimizer": torch.optim.Adam,
            "lr": 1e-3,
            "batch_size": 256,
            "max_epochs": 200,
        }
        return cls(**{**paper, **params})
