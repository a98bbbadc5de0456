"""The prior made of posteriors at pseudo-inputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily
from torch.func import functional_call

from geomgen.distributions import DiagonalNormal
from geomgen.nn.heads import Head
from geomgen.nn.priors import StandardNormal

__all__ = ["VampPrior"]


class VampPrior(StandardNormal):
    r"""The variational mixture of posteriors, :math:`p(z) = \frac1K \sum_k q(z|u_k)`.

    The encoder is the model's own, shared: a copy of the prior carries a copy of it. The
    pseudo-inputs pass through it in evaluation mode and alone, as they do when codes are drawn:
    batch normalisation reads its running statistics, which the rows alone make.

    Parameters
    ----------
    dim : int
        Dimension d of the codes.
    encoder : Head, (n, p) -> DiagonalNormal over (n, d)
        q(z|x). Without it the prior knows its dimension alone.
    n_inputs, n_features : int
        The number K of pseudo-inputs, and the p features of each; they start at zero.

    References
    ----------
    Tomczak and Welling, 2018, *VAE with a VampPrior*, Eq. 9.
    """

    encoder: Head

    def __init__(
        self, dim: int, encoder: Head | None = None, n_inputs: int = 0, n_features: int = 0
    ) -> None:
        super().__init__(dim)
        if encoder is not None:
            self.encoder = encoder
        self.inputs = nn.Parameter(torch.zeros(n_inputs, n_features))

    def posteriors(self) -> DiagonalNormal:
        """Return the K components."""
        # Copies: a later pass of rows overwrites the statistics, which autograd does not notice.
        buffers = {name: value.clone() for name, value in self.encoder.named_buffers()}
        modes = [(module, module.training) for module in self.encoder.modules()]
        self.encoder.eval()
        try:
            return functional_call(self.encoder, buffers, (self.inputs,))
        finally:
            for module, mode in modes:
                module.training = mode

    def forward(self) -> MixtureSameFamily:
        """Return the prior as a distribution."""
        equal = Categorical(logits=self.inputs.new_zeros(len(self.inputs)), validate_args=False)
        return MixtureSameFamily(equal, self.posteriors(), validate_args=False)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw codes of shape (n, d)."""
        q = self.posteriors()
        device = self.inputs.device
        k = torch.randint(len(self.inputs), (n,), generator=generator, device=device)
        return DiagonalNormal(q.mean[k], q.stddev[k]).rsample(generator=generator)
