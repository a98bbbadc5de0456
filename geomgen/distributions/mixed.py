"""Rows of several kinds of columns: one-hot groups, and joint distributions of parts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.distributions import Distribution

__all__ = ["IndependentCategorical", "MixedColumns"]


class IndependentCategorical(Distribution):
    """Independent categorical variables, each one-hot, side by side.

    Parameters
    ----------
    logits : Tensor of shape (..., p)
        Unnormalised log-probabilities, those of one variable next to each other.
    sizes : tuple of int
        Numbers of categories of the variables, whose sum is p.

    Examples
    --------
    >>> import torch
    >>> p = IndependentCategorical(torch.zeros(1, 5), (2, 3))
    >>> p.mean.round(decimals=2)
    tensor([[0.5000, 0.5000, 0.3300, 0.3300, 0.3300]])
    """

    def __init__(self, logits: Tensor, sizes: tuple[int, ...]) -> None:
        self.logits, self.sizes = logits, sizes
        super().__init__(logits.shape[:-1], logits.shape[-1:], validate_args=False)

    @property
    def log_probabilities(self) -> Tensor:
        """Normalised within each variable, of the shape of the logits."""
        take, present = (t.to(self.logits.device) for t in _padding(self.sizes))
        padded = self.logits[..., take].masked_fill(~present, -torch.inf)
        return padded.log_softmax(-1)[..., present]

    @property
    def mean(self) -> Tensor:
        """Probabilities of the categories."""
        return self.log_probabilities.exp()

    def log_prob(self, value: Tensor) -> Tensor:
        r"""Compute :math:`\sum_j x_j \log \pi_j`; rows that are shares count as mixtures."""
        return (value * self.log_probabilities).sum(-1)


class MixedColumns(Distribution):
    """Independent parts, each over some of the columns of a row.

    Parameters
    ----------
    parts : sequence of (Tensor of int of shape (m,), Distribution over (..., m))
        Columns, and their distribution; together all the columns, each once.

    Examples
    --------
    >>> import torch
    >>> from geomgen.distributions import DiagonalNormal
    >>> normal = DiagonalNormal(torch.ones(1, 1), torch.ones(1, 1))
    >>> choice = IndependentCategorical(torch.zeros(1, 2), (2,))
    >>> parts = [(torch.tensor([2]), normal), (torch.tensor([0, 1]), choice)]
    >>> MixedColumns(parts).mean
    tensor([[0.5000, 0.5000, 1.0000]])
    """

    def __init__(self, parts: Sequence[tuple[Tensor, Distribution]]) -> None:
        self.parts = list(parts)
        size = sum(len(columns) for columns, _ in self.parts)
        shape = self.parts[0][1].batch_shape
        super().__init__(shape, torch.Size([size]), validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Means of the parts, in the order of the columns."""
        columns = torch.cat([columns for columns, _ in self.parts])
        means = torch.cat([part.mean for _, part in self.parts], -1)
        return means[..., columns.argsort()]

    def log_prob(self, value: Tensor) -> Tensor:
        """Add the log-probabilities of the parts."""
        found = [part.log_prob(value[..., columns]) for columns, part in self.parts]
        return torch.stack(found).sum(0)


@lru_cache(maxsize=64)
def _padding(sizes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Where each variable's logits are, as rows of equal length, and which entries are real."""
    counts = torch.tensor(sizes)
    steps = torch.arange(int(counts.max()))
    starts = counts.cumsum(0) - counts
    present = steps < counts[:, None]
    return torch.where(present, starts[:, None] + steps, 0), present
