"""The sampler that measures best on held-out codes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import check_random_state

from geomgen._fields import Count, Fraction, estimator
from geomgen.metrics.energy import energy_distance
from geomgen.metrics.memorisation import memorisation
from geomgen.samplers._base import LatentSampler
from geomgen.samplers.cells import CellSampler
from geomgen.samplers.gaussian import GaussianSampler
from geomgen.samplers.local import LocalSampler
from geomgen.samplers.mixture import MixtureSampler

__all__ = ["AutoSampler"]

_CLEAN = 0.6  # copy AUC up to which draws are no nearer to the codes than fresh ones might be


@estimator
class AutoSampler(LatentSampler):
    """Try several samplers, and keep the one whose draws are nearest to held-out codes.

    Each candidate is fitted to four fifths of the codes and judged by the energy distance of its
    draws to the rest. One that copies is not taken unless all do: its draws prefer the codes that
    it was fitted to over those held out, and are nearer to them than held-out codes are. (Any good
    fit to few codes has a little of the first.) The best is fitted anew to all codes.

    Attributes
    ----------
    sampler_ : LatentSampler
        The best.
    report_ : DataFrame
        One row a candidate, best first: ``energy_distance``; ``preference``, its lower bound, and
        what is ``expected`` of it without copying; ``copy_auc``, clean at .5; whether it
        ``copies``.

    Examples
    --------
    >>> import numpy as np
    >>> Z = np.random.RandomState(0).normal(size=(500, 2)) + np.array([[-9], [9]] * 250)
    >>> sampler = AutoSampler(random_state=0).fit(Z)
    >>> bool(sampler.report_.loc["GaussianSampler", "energy_distance"] > 0.1)
    True
    """

    candidates: Annotated[
        list | tuple | None,
        """Samplers to try; by default cells, local Gaussians, a mixture of 10 and one Gaussian.
        Labels, modes and distances are set on this sampler, not on them.""",
    ] = None
    held_out: Annotated[Fraction, "Share of the codes that judge."] = 0.2
    n_judged: Annotated[Count, "Most codes, and draws, that are compared."] = 3000

    def _check(self) -> None:
        super()._check()
        if self.candidates is not None and not len(self.candidates):
            raise ValueError("candidates is empty: leave it out for the default ones.")
        for candidate in self.candidates or ():
            if not isinstance(candidate, LatentSampler):
                raise TypeError(
                    f"candidates has {candidate!r}: each must be a sampler, such as CellSampler()."
                )
            candidate._check()
            own = {"conditional": False, "stratify": None, "min_distance": None}
            set_there = [name for name, unset in own.items() if getattr(candidate, name) != unset]
            if set_there:
                raise ValueError(f"Set {set_there} on AutoSampler, not on {candidate!r}.")

    def _fit(self, Z: np.ndarray, model: Any) -> None:
        candidates = self.candidates
        if candidates is None:
            candidates = [CellSampler(), LocalSampler(), MixtureSampler(), GaussianSampler()]
        n_held = round(self.held_out * len(Z))
        if n_held < 10:  # nothing could be told apart
            self.report_ = pd.DataFrame({"energy_distance": np.nan}, index=_names(candidates[:1]))
            self.sampler_ = self._fitted(candidates[0], Z, model)
            return
        rng = check_random_state(self.random_state)
        order = rng.permutation(len(Z))
        held, train = Z[order[:n_held]], Z[order[n_held:]]
        rows = [self._judge(self._fitted(c, train, model), train, held, rng) for c in candidates]
        report = pd.DataFrame(rows, index=_names(candidates))
        chosen = report["energy_distance"].where(~report["copies"], np.inf).argmin()
        if report["copies"].all():
            chosen = int(report["preference"].argmin())
            warnings.warn(
                "Every sampler's draws prefer the codes it was fitted to: the one that does so "
                "least is taken. Set min_distance, or fit to more rows.",
                UserWarning,
                stacklevel=4,
            )
        self.report_ = report.sort_values("energy_distance", kind="stable")
        self.sampler_ = self._fitted(candidates[chosen], Z, model)

    def _fitted(self, candidate: LatentSampler, Z: np.ndarray, model: Any) -> LatentSampler:
        made = clone(candidate)
        if made.random_state is None:
            made.set_params(random_state=self.random_state)
        made.manifold_, made.n_features_in_ = self.manifold_, self.n_features_in_
        made._fit(Z, model)
        return made

    def _judge(
        self,
        fitted: LatentSampler,
        train: np.ndarray,
        held: np.ndarray,
        rng: np.random.RandomState,
    ) -> dict[str, Any]:
        drawn = self._project(fitted._draw(self.n_judged, rng))
        train, held = self._project(train), self._project(held)
        found = memorisation(drawn, train, held)
        return {
            "energy_distance": energy_distance(held[: self.n_judged], drawn),
            "preference": found.preference,
            "low": found.preference_interval[0],
            "expected": found.training_share,
            "copy_auc": found.copy_auc,
            "copies": bool(
                found.preference_interval[0] > found.training_share and found.copy_auc > _CLEAN
            ),
        }

    def _draw(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        return self.sampler_._draw(n, rng)


def _names(candidates: Sequence[LatentSampler]) -> list[str]:
    """Names of the samplers, numbered where one class comes twice."""
    names = [type(candidate).__name__ for candidate in candidates]
    return [
        name if names.count(name) == 1 else f"{name} #{names[: k + 1].count(name)}"
        for k, name in enumerate(names)
    ]
