"""Linear maps that are trained as products."""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor, nn

__all__ = ["LinearChain"]


class LinearChain(nn.Sequential):
    r"""Square linear layers without biases, :math:`z \mapsto W_n \cdots W_1 z`.

    They are applied one after the other in training, and as one matrix in evaluation. The factors
    are kept, so that training can go on.

    Parameters
    ----------
    dim : int
        Dimension of the codes.
    n_layers : int
        Number of factors.
    scale : float, default=1
        Factors start as normal draws of standard deviation ``scale`` / √dim.
    generator : torch.Generator, optional
        Source of the initial weights.

    Examples
    --------
    >>> chain = LinearChain(3, 2, generator=torch.Generator().manual_seed(0))
    >>> bool(torch.equal(chain.matrix, chain[1].weight @ chain[0].weight))
    True
    """

    def __init__(
        self,
        dim: int,
        n_layers: int,
        scale: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        layers = [nn.utils.skip_init(nn.Linear, dim, dim, bias=False) for _ in range(n_layers)]
        for layer in layers:
            nn.init.normal_(layer.weight, std=scale / math.sqrt(dim), generator=generator)
        super().__init__(*layers)

    @property
    def matrix(self) -> Tensor:
        """The product of the factors, (dim, dim)."""
        factors: list[Tensor] = [layer.get_parameter("weight") for layer in self]
        return reduce(torch.matmul, factors[::-1])

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (n, dim) to codes (n, dim)."""
        return super().forward(z) if self.training else z @ self.matrix.mT
