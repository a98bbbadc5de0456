"""Diagnostics of single points, as functions of a chunk: what the public ones run and average."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from geomgen.diagnostics._probe import Probe
from geomgen.losses import log_k_volume, random_frames

__all__ = [
    "Pointwise",
    "after",
    "consistency",
    "cycle",
    "log_volumes",
    "reconstruction",
    "spectral_norms",
]

Pointwise = Callable[[Tensor], Tensor]


def after(first: Pointwise, second: Pointwise) -> Pointwise:
    """Compose two functions of a chunk, so that what is in between is never held as a whole."""
    return lambda points: second(first(points))


def log_volumes(
    probe: Probe, which: str, grades: Sequence[int], scale: np.ndarray, generator: torch.Generator
) -> Pointwise:
    """Log k-volumes of a random frame: codes (N, d) or rows (N, n) -> (N, n_grades).

    Paper G, Eqs. 7 and 8.
    """
    k = grades[-1]

    def decoder(z: Tensor) -> Tensor:
        frames = probe.latent_frames(z, k, scale, generator)
        return log_k_volume(probe.decoder_tangents(z, frames), grades)

    def encoder(x: Tensor) -> Tensor:
        frames = random_frames(len(x), probe.n, k, generator=generator, like=x)
        A = probe.encoder_tangents(x, frames)
        return log_k_volume(A / _alive(scale, A)[:, None], grades)

    return decoder if which == "decoder" else encoder


def consistency(
    probe: Probe, k: int, directions: str, scale: np.ndarray, generator: torch.Generator
) -> Pointwise:
    """Consistency error of a k-frame: rows (N, n) -> (N,). Paper G, Eqs. 9 and 10."""

    def errors(x: Tensor) -> Tensor:
        z = probe.model.encode(x)
        if directions == "random":
            V = random_frames(len(x), probe.n, k, generator=generator, like=x)
        else:
            frames = probe.latent_frames(z, k, scale, generator)
            V = torch.linalg.qr(probe.decoder_tangents(z, frames)).Q
        pushed = probe.decoder_tangents(z, probe.encoder_tangents(x, V))
        return (pushed - V).double().square().sum((1, 2))

    return errors


def spectral_norms(probe: Probe, scale: np.ndarray) -> Pointwise:
    """Spectral norm of the decoder's Jacobian: codes (N, d) -> (N,).

    By the largest eigenvalue of its smaller Gram matrix; on the sphere of the tangent map.
    """
    basis = torch.diag(torch.as_tensor(scale))

    def norms(z: Tensor) -> Tensor:
        frames = basis.to(z).expand(len(z), -1, -1)
        if probe.spherical:  # directions along the code lead nowhere
            frames = frames - z[..., None] * z[:, None]
        A = probe.decoder_tangents(z, frames).double()
        gram = A @ A.mT if probe.n < probe.d else A.mT @ A
        return torch.linalg.eigvalsh(gram)[:, -1].clamp_min(0).sqrt()

    return norms


def reconstruction(probe: Probe) -> Pointwise:
    """Squared error of a row's reconstruction, mean over features: rows (N, n) -> (N,)."""
    return lambda x: (probe.model.decode(probe.model.encode(x)) - x).double().square().mean(1)


def cycle(probe: Probe, scale: np.ndarray) -> Pointwise:
    """Squared error of a code's own reconstruction, mean over units: codes (N, d) -> (N,)."""

    def errors(z: Tensor) -> Tensor:
        back = probe.model.encode(probe.model.decode(z))
        return ((back - z) / _alive(scale, z)).double().square().mean(1)

    return errors


def _alive(scale: np.ndarray, like: Tensor) -> Tensor:
    """Divisors of codes: 1 for a dead unit, of which there is nothing to divide."""
    return torch.as_tensor(np.where(scale > 0, scale, 1)).to(like)
