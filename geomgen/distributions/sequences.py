"""Distributions of discrete sequences, laid flat as one-hot rows."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

__all__ = ["OneHotSequence"]


class OneHotSequence(Distribution):
    r"""Independent choices, one a step, of a row of one-hot vectors laid flat.

    .. math:: \log p(x) = \sum_{t=1}^{L} \sum_{w=1}^{W} x_{tw} \, \ell_{tw}

    Parameters
    ----------
    logits : Tensor of shape (..., L, W)
        Log-probabilities :math:`\ell`: of each symbol at each step or, of a grammar, of each rule
        given the nonterminal that it expands.

    Examples
    --------
    >>> import torch
    >>> p = OneHotSequence(torch.full((2, 3), 1 / 3).log())
    >>> p.log_prob(torch.tensor([1.0, 0, 0, 0, 0, 1])).exp()
    tensor(0.1111)
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        event = torch.Size([logits.shape[-2] * logits.shape[-1]])
        super().__init__(logits.shape[:-2], event, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The probabilities, laid flat: (..., L W)."""
        return self.logits.exp().flatten(-2)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability of rows, (..., L W) -> (...)."""
        return (value * self.logits.flatten(-2)).sum(-1)
