"""The spaces codes live in: what the decoder sees of a point of R^d."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Euclidean", "Sphere"]


class Euclidean:
    """The whole of R^d: every code is itself."""

    min_dim = 1

    def project(self, z: Tensor) -> Tensor:
        """Return the codes as they are."""
        return z


class Sphere:
    r"""The unit sphere :math:`S^{d-1}`; a code counts by its direction.

    Parameters
    ----------
    eps : float, default=1e-12
        Smallest norm divided by, so that the projection is finite at the origin.

    References
    ----------
    Paper L (LISA), Eqs. 6 and 9.

    Examples
    --------
    >>> import torch
    >>> Sphere().project(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """

    min_dim = 2  # S^0 is two points: no gradient moves a code between them

    def __init__(self, eps: float = 1e-12) -> None:
        self.eps = eps

    def project(self, z: Tensor) -> Tensor:
        r"""Project radially, :math:`\Pi(z) = z / \max(\|z\|, \epsilon)` (paper L, Eq. 6)."""
        return torch.nn.functional.normalize(z, dim=-1, eps=self.eps)
