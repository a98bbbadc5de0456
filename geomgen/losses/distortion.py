r"""How much a decoder distorts its codes' space, by its metric :math:`G = J^\top J`."""

from __future__ import annotations

import torch
from torch import Tensor

from geomgen.losses._gram import gram
from geomgen.losses.geometry import volume_preservation

__all__ = ["area_distortion", "metric_flatness"]


def area_distortion(J: Tensor) -> Tensor:
    r"""Variance over the codes of the log of the decoder's area element.

    .. math:: \mathrm{Var}_i \log \sqrt{\det J(z_i)^\top J(z_i)}

    It is 0 if areas of codes are stretched by one factor everywhere, whatever the factor.

    Parameters
    ----------
    J : Tensor of shape (N, p, d)
        Jacobians. With more components than features the determinant is 0 everywhere; that of
        :math:`J J^\top` then stands for it, the area element across the directions in which the
        decoder is constant.

    Returns
    -------
    Tensor of shape (), float64
        0 for one code.

    See Also
    --------
    volume_preservation : The same variance for blades of any k directions, of which this is the
        case of all d: no frame is drawn, and the value does not depend on the choice of axes.

    References
    ----------
    Nazari, Damrich and Hamprecht, 2023, *Geometric autoencoders*, the determinant regulariser.
    The authors' code has :math:`\log_{10} \det J^\top J` in place of the log, which makes its term
    0.75 of this one, and the unbiased variance.

    Notes
    -----
    1e-6 is added to the Gram matrices, as in Eq. 8 of paper G: Jacobians far below 1e-3 count as
    alike.

    Examples
    --------
    >>> import torch
    >>> J = torch.tensor([[[2.0, 0.0], [0.0, 3.0]], [[6.0, 5.0], [0.0, 1.0]]])
    >>> area_distortion(J).round(decimals=6)  # two maps of determinant 6
    tensor(0., dtype=torch.float64)
    """
    return volume_preservation(J if J.shape[1] >= J.shape[2] else J.mT)


def metric_flatness(J: Tensor) -> Tensor:
    r"""Distance of the decoder's metric from one multiple of the identity.

    .. math:: \frac{1}{N} \sum_i \|J_i^\top J_i - c^2 I\|_F^2, \qquad
       c^2 = \frac{1}{N d} \sum_i \mathrm{tr}\, J_i^\top J_i

    It is 0 if the decoder is an isometry up to the factor c: straight lines between codes are then
    geodesics of what it draws.

    Parameters
    ----------
    J : Tensor of shape (N, p, d)
        Jacobians. With more components than features it cannot be 0 unless J is.

    Returns
    -------
    Tensor of shape (), float64

    Notes
    -----
    :math:`c^2` minimises the sum, so no gradient goes through it. The value scales with the fourth
    power of J: a decoder that shrinks flattens.

    References
    ----------
    Chen et al., 2020, *Learning flat latent manifolds with VAEs*, section 3 (the regularisation of
    the metric tensor).

    Examples
    --------
    >>> import torch
    >>> metric_flatness(torch.diag(torch.tensor([1.0, 2.0]))[None])  # 1 and 4, around 2.5
    tensor(4.5000, dtype=torch.float64)
    """
    G = gram(J)
    d = G.shape[-1]
    c_squared = G.diagonal(dim1=-2, dim2=-1).mean()
    identity = torch.eye(d, dtype=G.dtype, device=G.device)
    return (G - c_squared * identity).square().sum((-2, -1)).mean()
