"""The latent-variable model every estimator of this package trains."""

from __future__ import annotations

from torch import Tensor, nn

from geomgen.manifolds import Euclidean, Sphere
from geomgen.nn.codebook import Codebook
from geomgen.nn.heads import Head
from geomgen.nn.priors import StandardNormal

__all__ = ["LatentVariableModel"]


class LatentVariableModel(nn.Module):
    """Three conditional distributions, and the manifold on which the codes count.

    Parameters
    ----------
    encoder : Head, (n, p) -> distribution over (n, d)
        q(z|x), before projection on the manifold.
    decoder : Head, (n, d) -> distribution over (n, p)
        p(x|z); it is only ever called on projected codes.
    prior : StandardNormal or a class of its kind
        p(z), which knows the dimension.
    manifold : Euclidean, Sphere or Codebook
        Where the decoder reads its codes.
    """

    encoder: Head
    decoder: Head
    prior: StandardNormal
    manifold: Euclidean | Sphere | Codebook

    def __init__(
        self,
        encoder: Head,
        decoder: Head,
        prior: StandardNormal,
        manifold: Euclidean | Sphere | Codebook,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.prior = encoder, decoder, prior
        self.manifold = manifold
        self.n_steps = self.n_epochs = 0  # of training, for terms that depend on them

    def encode(self, x: Tensor) -> Tensor:
        """Mean codes on the manifold, (n, p) -> (n, d)."""
        return self.manifold.project(self.encode_ambient(x))

    def encode_ambient(self, x: Tensor) -> Tensor:
        """Mean codes before projection, (n, p) -> (n, d)."""
        return self.encoder(x).mean

    def decode(self, z: Tensor) -> Tensor:
        """Mean rows of codes, projected first, (n, d) -> (n, p)."""
        return self.decoder(self.manifold.project(z)).mean
