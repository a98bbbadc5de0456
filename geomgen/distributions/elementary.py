"""Point masses, normal and Bernoulli distributions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal

__all__ = ["Delta", "DiagonalNormal", "IndependentBernoulli"]


class Delta(Distribution):
    """Point mass at ``loc``: the posterior of a deterministic encoder.

    Parameters
    ----------
    loc : Tensor of shape (..., d)
        Where the mass is; the last dimension is the event.

    Examples
    --------
    >>> import torch
    >>> Delta(torch.tensor([1.0, 2.0])).rsample()
    tensor([1., 2.])
    """

    has_rsample = True

    def __init__(self, loc: Tensor) -> None:
        self.loc = loc
        super().__init__(loc.shape[:-1], loc.shape[-1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Where the mass is."""
        return self.loc

    def rsample(
        self, sample_shape: Sequence[int] = (), *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return ``loc``, repeated."""
        return self.loc.expand(*sample_shape, *self.loc.shape)


class DiagonalNormal(Independent):
    r"""Normal distribution with diagonal covariance, :math:`N(\mu, \mathrm{diag}\,\sigma^2)`.

    Parameters
    ----------
    loc : Tensor of shape (..., d)
        The mean :math:`\mu`.
    scale : Tensor of shape (..., d)
        The standard deviation :math:`\sigma > 0`.

    Examples
    --------
    >>> import torch
    >>> q = DiagonalNormal(torch.zeros(2), torch.ones(2))
    >>> q.rsample(generator=torch.Generator().manual_seed(0)).shape
    torch.Size([2])
    """

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        super().__init__(Normal(loc, scale, validate_args=False), 1, validate_args=False)

    def rsample(
        self, sample_shape: Sequence[int] = (), *, generator: torch.Generator | None = None
    ) -> Tensor:
        r"""Draw :math:`\mu + \sigma\epsilon`, reparameterised; the noise is the generator's."""
        loc, scale = self.base_dist.loc, self.base_dist.scale
        shape = (*sample_shape, *loc.shape)
        noise = torch.randn(shape, generator=generator, dtype=loc.dtype, device=loc.device)
        return loc + scale * noise


class IndependentBernoulli(Independent):
    """Independent Bernoulli variables, one a feature; rows between 0 and 1 count as mixtures.

    Parameters
    ----------
    logits : Tensor of shape (..., p)
        Log-odds of a one.

    Examples
    --------
    >>> import torch
    >>> IndependentBernoulli(torch.zeros(3)).mean
    tensor([0.5000, 0.5000, 0.5000])
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__(Bernoulli(logits=logits, validate_args=False), 1, validate_args=False)
