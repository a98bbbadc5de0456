"""The Grassmann terms of paper G, for any model with a deterministic encoder."""

from __future__ import annotations

import warnings
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from geomgen._fields import Count, NonNegative, estimator
from geomgen._training import Terms
from geomgen.losses import (
    blade_entropy,
    coverage,
    grassmann_spread,
    random_frames,
    tangents,
    volume_preservation,
)
from geomgen.manifolds import Sphere
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel

__all__ = ["BladeTerms"]

PAPER_GRADES = (1, 2, 4, 8)


@estimator
class BladeTerms(AE):
    """Terms on the blades that the decoder's tangents span at the codes.

    On the sphere the tangents are along directions of its own, so that blades have at most
    n_components - 1 dimensions.
    """

    lam_grass: Annotated[NonNegative, "Weight of the Grassmann spread (Eq. 19)."] = 0.0
    lam_entropy: Annotated[NonNegative, "Weight of the blade entropy (Eq. 21)."] = 0.0
    lam_volume: Annotated[
        NonNegative, "Weight of the variance of log k-volumes (the paper's ablation E2)."
    ] = 0.0
    lam_coverage: Annotated[
        NonNegative,
        """Weight of the energy distance between decoded prior draws and the batch (its ablation
        E2b).""",
    ] = 0.0
    k: Annotated[
        Count | None,
        """Dimension of the blades that are spread, 1 ≤ k ≤ min(n_features, n_components) and
        k < n_features. None takes 2, or the largest that is legal.""",
    ] = None
    grades: Annotated[
        tuple[Count, ...] | None,
        """Grades of the entropy, two or more of at most min(n_features, n_components). None takes
        those of (1, 2, 4, 8) that are legal.""",
    ] = None
    repulsion: Annotated[
        Literal["literal", "overlap", "log", "riesz"],
        """Of two blades: their similarity with the paper's stabiliser or without; minus the log
        of its complement; the Riesz energy of their chordal distance.""",
    ] = "overlap"
    entropy: Annotated[
        Literal["literal", "scale_free", "per_code"],
        """Of mean volumes (the paper's); of the lengths that volumes stand for; of the lengths,
        log-volumes averaged in place of volumes, so that a local collapse shows.""",
    ] = "scale_free"
    latent_law: Annotated[
        Literal["codes", "prior", "segments"],
        """Where the blades are: at codes of the batch, at draws of N(0, I), or between codes.""",
    ] = "codes"
    shared_frames: Annotated[
        bool,
        """Whether all codes share one frame of latent directions; with frames of their own,
        similarity mostly measures the frames' overlap.""",
    ] = True
    n_blades: Annotated[Count | None, "Codes of a batch that have blades; None takes all."] = 8
    every: Annotated[
        Count, "The terms are computed every so many steps, and count for as many."
    ] = 2

    def _prepare(self, X: np.ndarray) -> None:
        n_features = X.shape[1]
        most = min(n_features, self.n_components - isinstance(self._manifold, Sphere))
        self.k_ = self._legal_k(most, n_features)
        self.grades_ = self._legal_grades(most)

    def _legal_k(self, most: int, n_features: int) -> int | None:
        """Gr(k, n) needs k ≤ min(n, d); at k = n it is one point, and the similarity constant."""
        largest = min(most, n_features - 1)
        if self.k is None:
            return min(2, largest) or None
        if self.k > largest:
            raise ValueError(
                f"k={self.k} is illegal for n_features={n_features} and "
                f"n_components={self.n_components}: it must be at most {largest}, or None."
            )
        return self.k

    def _legal_grades(self, most: int) -> tuple[int, ...]:
        if self.grades is None:
            legal = tuple(g for g in PAPER_GRADES if g <= most)
            return legal if len(legal) > 1 else ()
        grades = tuple(sorted({int(g) for g in self.grades}))
        if len(grades) < 2 or grades[-1] > most:
            raise ValueError(
                f"grades={self.grades!r} are illegal: they must be two or more different ones of "
                f"at most min(n_features, n_components) = {most}, or None."
            )
        return grades

    def _penalties(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        """Compute the weighted terms of a batch with codes z, or zeros between their steps."""
        if not model.training:
            return self._geometry(model, x, z, generator)
        if model.n_steps % self.every == 0:
            geometry = self._geometry(model, x, z, generator)
            return {name: self.every * term for name, term in geometry.items()}
        return dict.fromkeys(self._active(), x.new_zeros(()))

    def _active(self) -> list[str]:
        """Names of the terms that are on, beside the reconstruction."""
        on = {
            "grass": self.k_ is not None and self.lam_grass > 0,
            "entropy": bool(self.grades_) and self.lam_entropy > 0,
            "volume": self.lam_volume > 0,
            "coverage": self.lam_coverage > 0,
        }
        return [name for name, is_on in on.items() if is_on]

    def _geometry(
        self, model: LatentVariableModel, x: Tensor, z: Tensor, generator: torch.Generator
    ) -> Terms:
        """Compute the weighted terms beside the reconstruction."""
        active, terms = self._active(), {}
        if set(active) - {"coverage"}:
            A = self._blades(model, self._where(model, z, generator), generator)
        if "grass" in active:
            terms["grass"] = self.lam_grass * self._spread(A[..., : self.k_])
        if "entropy" in active:
            terms["entropy"] = -self.lam_entropy * blade_entropy(
                A,
                self.grades_,
                scale_free=self.entropy != "literal",
                average="log_volume" if self.entropy == "per_code" else "volume",
            )
        if "volume" in active:
            terms["volume"] = self.lam_volume * volume_preservation(A[..., : self.k_ or 1])
        if "coverage" in active:
            drawn = model.decode(model.prior.sample(len(x), generator))
            terms["coverage"] = self.lam_coverage * coverage(drawn, x)
        return terms

    def _spread(self, A: Tensor) -> Tensor:
        if self.repulsion == "literal":
            return grassmann_spread(A, form="literal")
        return grassmann_spread(A, form="determinant", repulsion=self.repulsion)

    def _where(self, model: LatentVariableModel, z: Tensor, generator: torch.Generator) -> Tensor:
        z = z[: self.n_blades]  # batches are in random order
        if self.latent_law == "prior":
            return model.prior.sample(len(z), generator)
        if self.latent_law == "segments":
            share = torch.rand(len(z), 1, generator=generator, dtype=z.dtype, device=z.device)
            return model.manifold.project(torch.lerp(z, z.roll(1, 0), share))
        return z

    def _blades(self, model: LatentVariableModel, z: Tensor, generator: torch.Generator) -> Tensor:
        """Tangents of the decoder along random frames: one set for the terms and all grades."""
        n, d = z.shape
        n_directions = max(self.k_ or 1, *self.grades_, 1)
        n_frames = 1 if self.shared_frames else n
        normal = z if isinstance(model.manifold, Sphere) else None
        frames = random_frames(
            n_frames, d, n_directions, generator=generator, like=z, normal=normal
        )
        return tangents(model.decoder.map, z, frames).double()

    def _train(self, X: np.ndarray, epochs: int) -> None:
        super()._train(X, epochs)
        if self.repulsion != "literal":  # the preset reproduces the paper, inert terms and all
            self._warn_if_inert()

    def _warn_if_inert(self) -> None:
        """Warn of terms that are asked for but hardly part of the loss."""
        terms = self.history_.tail(10)[["recon", *self._active()]]
        share = (terms.mean().abs() / terms.mean().abs().sum()).drop("recon")
        inert = share[share < 1e-3]
        listed = ", ".join(f"{name} {value:.1g}" for name, value in inert.items())
        if "grass" in terms and len(terms) > 2 and terms["grass"].std() < 1e-9:
            listed += " (the similarity of the blades is constant)"
        if listed:
            warnings.warn(
                f"Terms that are less than 0.001 of the loss change nothing: {listed}. Raise their "
                "weights (search them), or set them to 0.",
                UserWarning,
                stacklevel=4,
            )
