"""The two sides of a game in which a critic tells codes from draws of the prior."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

__all__ = ["critic_loss", "generator_loss"]


def critic_loss(drawn: Tensor, encoded: Tensor) -> Tensor:
    r"""Cross-entropy of a critic that should call draws 1 and codes 0.

    .. math:: -\mathbb{E}_{z \sim p} \log C(z) - \mathbb{E}_x \log(1 - C(E(x)))

    Parameters
    ----------
    drawn, encoded : Tensor of shape (N, 1)
        What the critic says of draws of the prior and of codes, as log-odds of C.

    Returns
    -------
    Tensor of shape ()
        2 log 2 if the critic cannot tell; 0 if it is right beyond doubt.

    References
    ----------
    Goodfellow et al., 2014, *Generative adversarial nets*, Eq. 1, for the codes of Makhzani et al.,
    2016, *Adversarial autoencoders*, section 2.

    Examples
    --------
    >>> import torch
    >>> critic_loss(torch.zeros(3, 1), torch.zeros(3, 1))
    tensor(1.3863)
    """
    return softplus(-drawn).mean() + softplus(encoded).mean()


def generator_loss(encoded: Tensor) -> Tensor:
    r"""Non-saturating loss of the generator of codes: they should be called draws.

    .. math:: -\mathbb{E}_x \log C(E(x))

    The critic is given. The gradient is largest where the critic is surest.

    Parameters
    ----------
    encoded : Tensor of shape (N, 1)
        What the critic says of codes, as log-odds of C.

    Returns
    -------
    Tensor of shape ()

    References
    ----------
    Goodfellow et al., 2014, *Generative adversarial nets*, section 3; Makhzani et al., 2016,
    *Adversarial autoencoders*, section 2.

    Examples
    --------
    >>> import torch
    >>> generator_loss(torch.zeros(3, 1))
    tensor(0.6931)
    """
    return softplus(-encoded).mean()
