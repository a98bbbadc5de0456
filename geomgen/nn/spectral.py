"""Layers whose spectral norm is fixed."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

__all__ = ["SpectralNormalised", "spectrally_normalised"]

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *_TRANSPOSED)


class SpectralNormalised(nn.Module):
    r"""A linear or convolutional layer that applies :math:`c\,W / \sigma(W)` in place of W.

    :math:`\sigma(W) = u^\top W v` is the largest singular value; u and v follow it by one step of
    power iteration each time the layer is applied in training, and stay as they are in evaluation.

    ``torch.nn.utils.parametrizations.spectral_norm`` computes the same, but makes a class at run
    time, which pickle refuses, and draws u and v from torch's global generator. Here the layer is
    a child, called with another weight: the state is W, u and v, and a state dict holds all of it.

    Parameters
    ----------
    layer : Module
        Linear, or a convolution, transposed or not, with its own parameter ``weight``.
    coefficient : float, default=1
        The largest singular value c of the weights applied.
    generator : torch.Generator, optional
        Source of the first u, on the CPU.

    Raises
    ------
    ValueError
        If all weights are 0.
    """

    u: Tensor
    v: Tensor

    def __init__(
        self, layer: nn.Module, coefficient: float = 1.0, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.layer, self.coefficient = layer, coefficient
        if "weight" not in dict(layer.named_parameters(recurse=False)):
            raise ValueError(
                f"{layer} has no parameter 'weight' of its own (weight_norm, or another "
                "parametrisation?) to give a spectral norm: use plain layers."
            )
        W = self._matrix()
        if not W.any():
            raise ValueError(
                f"The weights of {layer} are all 0 and have no spectral norm to be divided by: "
                "draw them at random."
            )
        self.register_buffer("u", torch.randn(len(W), generator=generator).to(W.detach()))
        self.register_buffer("v", W.new_zeros(W.shape[1]))
        self.follow(15)

    @torch.no_grad()
    def follow(self, n_steps: int = 1) -> None:
        """Bring u and v closer to the first singular vectors. Miyato et al., Algorithm 1."""
        W = self._matrix()
        for _ in range(n_steps):
            self.v.copy_(nn.functional.normalize(W.mT @ self.u, dim=0))
            self.u.copy_(nn.functional.normalize(W @ self.v, dim=0))

    @property
    def weight(self) -> Tensor:
        """The weights applied."""
        u, v = self.u.clone(), self.v.clone()  # a later step must not change what backward reads
        return self.coefficient / (u @ self._matrix() @ v) * self._own

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        if self.training:
            self.follow()
        return functional_call(self.layer, {"weight": self.weight}, (x,))

    @property
    def _own(self) -> Tensor:
        return self.layer.get_parameter("weight")

    def _matrix(self) -> Tensor:
        """W with a row an output."""
        W = self._own
        return (W.transpose(0, 1) if isinstance(self.layer, _TRANSPOSED) else W).flatten(1)


def spectrally_normalised(
    module: nn.Module, coefficient: float = 1.0, generator: torch.Generator | None = None
) -> nn.Module:
    r"""Fix the spectral norm of every linear and convolutional layer of a network.

    .. math:: \bar{W} = c \, W / \sigma(W)

    The norm of a convolution is that of its kernel as a matrix, a row an output channel, as its
    authors have it. Biases and normalisation layers stay as they are.

    Parameters
    ----------
    module : Module
        A network; its layers are replaced in place.
    coefficient : float, default=1
        The largest singular value c of each layer's weights.
    generator : torch.Generator, optional
        Source of the vectors that the power iterations start from; torch's global one by default.

    Returns
    -------
    Module
        The network, or the layer that stands for it if it is itself a layer.

    Raises
    ------
    ValueError
        If a layer's weights are all 0.

    References
    ----------
    Miyato et al., 2018, *Spectral normalization for generative adversarial networks*, Eq. 8 and
    Algorithm 1.

    Examples
    --------
    >>> layer = spectrally_normalised(nn.Linear(3, 2), 2.0, torch.Generator().manual_seed(0))
    >>> round(torch.linalg.matrix_norm(layer.weight, 2).item(), 3)
    2.0
    """
    holder = nn.ModuleList([module])
    done: dict[nn.Module, SpectralNormalised] = {}  # a layer used twice stays one layer
    for parent in list(holder.modules()):
        if isinstance(parent, SpectralNormalised):
            continue
        for name, child in parent._modules.items():
            if isinstance(child, _LAYERS):
                if child not in done:
                    done[child] = SpectralNormalised(child, coefficient, generator)
                setattr(parent, name, done[child])
    return holder[0]
