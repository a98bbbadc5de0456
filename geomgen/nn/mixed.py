"""p(x|z) of rows with several kinds of columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from geomgen.distributions import IndependentBernoulli, IndependentCategorical, MixedColumns
from geomgen.nn.heads import Head

__all__ = ["FEATURE_KINDS", "MixedLikelihood"]

FEATURE_KINDS = ("gaussian", "bernoulli", "categorical")


class MixedLikelihood(Head):
    r"""z -> p(x|z), a product over blocks of features.

    .. math:: \log p(x|z) = \sum_{j \in G} \log N(x_j; d_j(z), \sigma^2)
       + \sum_{j \in B} \log \mathrm{Bernoulli}(x_j; s(d_j(z)))
       + \sum_{C} \sum_{j \in C} x_j \log \mathrm{softmax}_C(d(z))_j

    Parameters
    ----------
    trunk : Module, (n, d) -> (n, p)
        Means, log-odds and logits.
    blocks : sequence of (str, int)
        Kind and number of features of each block, in the order of the columns: ``"gaussian"``,
        ``"bernoulli"``, or ``"categorical"``, the one-hot columns of one variable.
    gaussian : Head
        A head over an identity, which says what the Gaussian features' distribution is.
    """

    def __init__(self, trunk: nn.Module, blocks: Sequence[tuple[str, int]], gaussian: Head) -> None:
        super().__init__(trunk)
        self.gaussian = gaussian
        edges = [0]
        for _, width in blocks:
            edges.append(edges[-1] + width)
        found: dict[str, list[int]] = {kind: [] for kind in FEATURE_KINDS}
        for (kind, _), (start, stop) in zip(blocks, pairwise(edges), strict=True):
            found[kind] += range(start, stop)
        for kind, columns in found.items():
            self.register_buffer(f"_{kind}", torch.tensor(columns, dtype=torch.long))
        self.sizes = tuple(width for kind, width in blocks if kind == "categorical")

    def forward(self, z: Tensor) -> MixedColumns:
        """Map codes (n, d) to distributions over rows (n, p)."""
        return self._read(self.outputs(z))

    def _read(self, outputs: Tensor) -> MixedColumns:
        readings = {
            "gaussian": self.gaussian,
            "bernoulli": IndependentBernoulli,
            "categorical": lambda logits: IndependentCategorical(logits, self.sizes),
        }
        columns = {kind: getattr(self, f"_{kind}") for kind in FEATURE_KINDS}
        return MixedColumns(
            [(at, readings[kind](outputs[..., at])) for kind, at in columns.items() if len(at)]
        )

    @property
    def map(self) -> nn.Module:
        """Means and probabilities."""
        return nn.Sequential(self.trunk, _Means(self))

    def calibrated(self, p: Distribution, x: Tensor) -> Distribution:
        """Let the Gaussian features' head learn from the rows what it does."""
        assert isinstance(p, MixedColumns)
        if not len(self._gaussian):
            return p
        (columns, part), *others = p.parts
        return MixedColumns([(columns, self.gaussian.calibrated(part, x[..., columns])), *others])


class _Means(nn.Module):
    """Outputs of a mixed likelihood's trunk to its means; it holds no weights of its own."""

    def __init__(self, head: MixedLikelihood) -> None:
        super().__init__()
        self._head = (head,)  # in a tuple, lest the head become a child of its own map

    def forward(self, outputs: Tensor) -> Tensor:
        return self._head[0]._read(outputs).mean
