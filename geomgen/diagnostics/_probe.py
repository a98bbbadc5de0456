"""A fitted model opened for measurements: in evaluation mode, by chunks, from its own seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from geomgen._random import draw_seed, generator, substream
from geomgen.diagnostics._base import check_count, open_fitted
from geomgen.losses import random_frames, tangents
from geomgen.manifolds import Sphere
from geomgen.nn import (
    BernoulliLikelihood,
    GaussianLikelihood,
    LatentVariableModel,
    NormalPosterior,
    PointPosterior,
)

__all__ = ["Probe"]

_BUDGET = 2**20  # numbers in the largest tensor of a chunk: megabytes, copies included
_ROWS = 8192


class Probe:
    """A fitted autoencoder and rows, opened for measurements.

    Parameters
    ----------
    fitted : object
        A fitted autoencoder, or a Pipeline or a search that ends in one.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Rows as ``fitted`` was fitted on.
    random_state : int, RandomState or None
        None draws from numpy's global state, once.
    verbose : int
        1 shows progress.
    """

    def __init__(self, fitted: Any, X: Any, *, random_state: Any = None, verbose: int = 0) -> None:
        self.estimator, self.rows = open_fitted(fitted, X)
        self.model: LatentVariableModel = self.estimator.net_.module_
        self.n, self.d = self.estimator.n_features_in_, self.model.prior.dim
        self.spherical = isinstance(self.model.manifold, Sphere)
        self.variational = not isinstance(self.model.encoder, PointPosterior)
        self.verbose = verbose
        self.seed = draw_seed(random_state)
        self._known_maps = type(self.model) is LatentVariableModel

    @property
    def latent_dim(self) -> int:
        """Dimension of the space that directions at a code live in: d, or d - 1 on the sphere."""
        return self.d - self.spherical

    @property
    def grade_limit(self) -> tuple[int, str]:
        """Largest legal grade of a blade, and why it is."""
        latent = "n_components - 1 (a sphere)" if self.spherical else "n_components"
        return min(self.n, self.latent_dim), f", the smaller of n_features and {latent}"

    def generator(self, *path: int) -> torch.Generator:
        """Make the generator of one purpose."""
        return generator(substream(self.seed, *path), self.estimator.net_.device)

    # ----------------------------------------------------------------------------------- chunks
    @torch.no_grad()
    def apply(
        self,
        function: Callable[..., Tensor],
        *arrays: np.ndarray,
        width: int = 1,
        label: str | None = None,
    ) -> np.ndarray:
        """Apply a tensor function by chunks of rows, small enough for ``width`` numbers a row."""
        step = max(1, min(_ROWS, _BUDGET // width))
        starts = range(0, len(arrays[0]), step)
        hidden = not self.verbose or label is None
        found: np.ndarray | None = None
        with _evaluating(self.model):
            for i in tqdm(starts, desc=label, disable=hidden, unit="chunk"):
                part = function(*(self._tensor(a[i : i + step]) for a in arrays)).cpu().numpy()
                if found is None:  # filled in place: a list of parts would pin the heap's top
                    found = np.empty((len(arrays[0]), *part.shape[1:]), part.dtype)
                found[i : i + step] = part
        return np.empty(0) if found is None else found

    def width(self, k: int) -> int:
        """Numbers a row of the chunk holds while k tangents pass through the widest layer."""
        layers = [max(p.shape) for p in self.model.parameters() if p.ndim]
        return max(self.n, self.d, *layers, 1) * (k + 1)

    def _tensor(self, rows: np.ndarray) -> Tensor:
        copied = np.array(rows, dtype=self.estimator.dtype_)  # the caller's rows stay theirs
        return torch.from_numpy(copied).to(self.estimator.net_.device)

    # ------------------------------------------------------------------------------------ codes
    @cached_property
    def codes(self) -> np.ndarray:
        """Codes of the rows, on the manifold."""
        return self.apply(self.model.encode, self.rows)

    def units(self, standardize: bool) -> tuple[np.ndarray, np.ndarray]:
        r"""Centre and scale of the codes per dimension: of :math:`q(z) = E_x\, q(z|x)`.

        0 and 1 where codes need no units: on the sphere, or if they are not to be standardised.
        The posterior's own variance counts, so that a VAE's codes, whose scale the prior fixes,
        stay nearly as they are.
        """
        if self.spherical or not standardize:
            return np.zeros(self.d), np.ones(self.d)
        codes = self.codes.astype(np.float64)
        variance = codes.var(0)
        if self.variational:
            variance = variance + self.apply(self._posterior_variance, self.rows).mean(0)
        return codes.mean(0), np.sqrt(variance)

    def _posterior_variance(self, x: Tensor) -> Tensor:
        return self.model.encoder(x).variance

    def choose(self, n_codes: int | None, *path: int) -> np.ndarray:
        """Choose rows without replacement: n_codes of them, or all if there are no more."""
        n_rows = len(self.rows)
        if n_codes is None or check_count("n_codes", n_codes, 2) >= n_rows:
            return np.arange(n_rows)
        rng = np.random.RandomState(substream(self.seed, *path))
        return np.sort(rng.choice(n_rows, n_codes, replace=False))

    def prior_codes(self, n: int, units: tuple[np.ndarray, np.ndarray], *path: int) -> np.ndarray:
        """Draw codes from the prior, in the units of the codes."""
        drawn = self.model.prior.sample(n, self.generator(*path)).cpu().numpy()
        codes = self._tensor(units[0] + units[1] * drawn)
        return self.model.manifold.project(codes).cpu().numpy()

    def sampler_codes(self, n: int, *path: int) -> np.ndarray:
        """Draw codes from the fitted sampler."""
        return self.estimator.sample_latent(n, substream(self.seed, *path))

    # --------------------------------------------------------------------------------- tangents
    def latent_frames(
        self, z: Tensor, k: int, scale: np.ndarray, generator: torch.Generator
    ) -> Tensor:
        """Draw a k-frame of latent directions a code: orthonormal in standardised units.

        On the sphere they are tangent to it: orthogonal to the code.
        """
        if not self.spherical:
            frames = random_frames(len(z), self.d, k, generator=generator, like=z)
            return frames * self._tensor(scale)[:, None]
        gaussian = torch.randn(*z.shape, k, generator=generator, dtype=z.dtype, device=z.device)
        return torch.linalg.qr(gaussian - z[..., None] * (z[:, None] @ gaussian)).Q

    def decoder_tangents(self, z: Tensor, frames: Tensor) -> Tensor:
        """Push latent directions, tangent to the manifold at z, through the mean decoder."""
        head = self.model.decoder
        if self._known_maps and type(head) in (GaussianLikelihood, BernoulliLikelihood):
            return tangents(head.map, z, frames)
        return tangents(self.model.decode, z, frames)

    def encoder_tangents(self, x: Tensor, frames: Tensor) -> Tensor:
        """Push directions of rows through the mean encoder, the projection included."""
        head = self.model.encoder
        if not self._known_maps or type(head) not in (PointPosterior, NormalPosterior):
            return tangents(self.model.encode, x, frames)
        A = tangents(head.trunk, x, frames)[:, : self.d]  # a NormalPosterior's trunk: (μ, log σ)
        manifold = self.model.manifold
        if not isinstance(manifold, Sphere):
            return A
        z = self.model.encode_ambient(x)
        radius = z.norm(dim=-1)[:, None, None].clamp_min(manifold.eps)
        unit = manifold.project(z)
        return (A - unit[..., None] * (unit[:, None] @ A)) / radius

    def check_differentiable(self, which: str) -> None:
        """Raise if the encoder or the decoder has no derivative, or one that says nothing."""
        decoder = which == "decoder"
        points = (self.codes if decoder else self.rows)[:64]
        width, own = (self.d, self.n) if decoder else (self.n, self.d)
        push = self.decoder_tangents if decoder else self.encoder_tangents
        function = self.model.decode if decoder else self.model.encode
        directions = self.generator(99)

        def lengths(point: Tensor) -> Tensor:
            frames = random_frames(len(point), width, 1, generator=directions, like=point)
            return push(point, frames).abs().sum((1, 2))

        name = f"The {which} of this {type(self.estimator).__name__}"
        try:
            slopes = self.apply(lengths, points, width=self.width(1))
        except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
            raise ValueError(
                f"{name} cannot be differentiated ({str(error).strip().splitlines()[0]}) "
                "Write it with torch operations that have forward-mode derivatives."
            ) from error
        outputs = self.apply(function, points, width=own)
        if not slopes.any() and (outputs != outputs[0]).any():
            raise ValueError(
                f"{name} is not differentiable: its output changes with its input, but its "
                "derivative is 0 everywhere (rounding, argmax, detach, no_grad). Use a smooth one."
            )


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module in evaluation mode, and every part back as it was."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
