"""Divergences between a posterior and a prior."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution, kl_divergence

__all__ = ["kl"]


def kl(q: Distribution, p: Distribution, z: Tensor) -> Tensor:
    r"""Kullback-Leibler divergence of posteriors from the prior, mean over rows.

    .. math:: \frac{1}{N} \sum_i \mathrm{KL}(q_i \,\|\, p)
       \quad\text{or its estimate}\quad \frac{1}{N} \sum_i \log q_i(z_i) - \log p(z_i)

    Parameters
    ----------
    q : Distribution over (N, d)
        Posteriors q(z|x).
    p : Distribution over (d,)
        The prior.
    z : Tensor of shape (N, d)
        A draw of q, which the estimate is made from where torch has no closed form.

    Returns
    -------
    Tensor of shape ()

    References
    ----------
    Kingma and Welling, 2014, *Auto-encoding variational Bayes*, Eqs. 6 and 7.

    Examples
    --------
    >>> import torch
    >>> from geomgen.distributions import DiagonalNormal
    >>> q, p = (DiagonalNormal(torch.full((2,), m), torch.ones(2)) for m in (1.0, 0.0))
    >>> kl(q, p, q.mean)
    tensor(1.)
    """
    try:
        return kl_divergence(q, p).mean()
    except NotImplementedError:  # how torch says that it has none for this pair
        return (q.log_prob(z) - p.log_prob(z)).mean()
