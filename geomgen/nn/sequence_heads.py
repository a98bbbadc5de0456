"""What the outputs of a sequence network say: p(x|z) over rules or characters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from geomgen.distributions import OneHotSequence
from geomgen.nn.heads import Head

__all__ = ["CategoricalLikelihood", "GroupedLogSoftmax"]


class GroupedLogSoftmax(nn.Module):
    r"""Log-probabilities within groups of symbols, on the last axis.

    .. math:: \ell_w = a_w - \log \sum_{v \in g(w)} e^{a_v}

    Parameters
    ----------
    groups : sequence of sequences of int
        Every symbol of 0, ..., W - 1 once. One group makes a plain log-softmax; the rules of each
        nonterminal, the conditional law of a rule given what it expands.

    Examples
    --------
    >>> GroupedLogSoftmax([(0, 2), (1,)])(torch.tensor([1.0, 7.0, 1.0])).exp()
    tensor([0.5000, 1.0000, 0.5000])
    """

    order: Tensor
    inverse: Tensor

    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.sizes = [len(group) for group in groups]
        order = torch.tensor([w for group in groups for w in group])
        if not torch.equal(order.sort().values, torch.arange(len(order))):
            raise ValueError(f"groups={groups!r} must have every symbol of 0, 1, ... once.")
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("inverse", order.argsort(), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """Normalise logits (..., W)."""
        if len(self.sizes) == 1:
            return logits.log_softmax(-1)
        groups = logits[..., self.order].split(self.sizes, dim=-1)
        return torch.cat([group.log_softmax(-1) for group in groups], -1)[..., self.inverse]


class CategoricalLikelihood(Head):
    r"""z -> p(x|z), a choice among the symbols of each group at every step.

    .. math:: p(x|z) = \prod_{t=1}^{L} \frac{e^{d_{t, x_t}(z)}}
       {\sum_{v \in g(x_t)} e^{d_{tv}(z)}}

    With the rules of a context-free grammar grouped by their left sides, this is the law of a
    leftmost derivation in which each step draws among the rules that the derivation so far allows:
    the nonterminal to be expanded is the left side of the rule that follows. What other rules
    would score does not count.

    Parameters
    ----------
    trunk : Module, (n, d) -> (n, L W)
        The logits d(z).
    shape : (int, int)
        Steps L and symbols W.
    groups : sequence of sequences of int, optional
        Symbols that are alternatives to each other; all of them by default.

    References
    ----------
    Kusner et al., 2017, *Grammar variational autoencoder*, section 3.2.
    """

    def __init__(
        self,
        trunk: nn.Module,
        shape: tuple[int, int],
        groups: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__(trunk)
        length, width = shape
        normalise = GroupedLogSoftmax([range(width)] if groups is None else groups)
        self.reading = nn.Sequential(nn.Unflatten(1, (length, width)), normalise)

    def forward(self, z: Tensor) -> OneHotSequence:
        """Map codes (n, d) to laws of sequences (n, L W)."""
        return OneHotSequence(self.reading(self.outputs(z)))

    @property
    def map(self) -> nn.Module:
        """The probabilities."""
        return nn.Sequential(self.trunk, self.reading, _Probabilities())


class _Probabilities(nn.Module):
    """Log-probabilities (n, L, W) -> probabilities (n, L W)."""

    def forward(self, logits: Tensor) -> Tensor:
        return logits.exp().flatten(1)
