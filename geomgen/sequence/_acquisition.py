"""Which codes to decode next: log expected improvement and Thompson sampling, by batches."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geomgen._random import seeded
from geomgen.sequence._domains import Box, UnitSphere

__all__ = ["greedy_batch", "log_expected_improvement", "pool_of", "refine", "thompson_batch"]

_BEST = 100  # codes, whose neighbours are candidates
_STEPS = (0.1, 0.6)  # of neighbours, in standard deviations of the codes
_SHARE = 0.05  # of candidates, from anywhere: far from all codes variance wins over the mean


def pool_of(
    Z: np.ndarray, y: np.ndarray, domain: Box | UnitSphere, n: int, rng: np.random.RandomState
) -> np.ndarray:
    """Draw candidates: a few anywhere in the domain, the others beside the best codes.

    A neighbour is one of the 100 best codes (of few, the better half) moved by Gaussian noise
    whose size is uniform in its logarithm.
    """
    best = np.argsort(-y, kind="stable")[: min(_BEST, (len(Z) + 1) // 2)]
    n_near = n - math.ceil(_SHARE * n)
    steps = np.exp(rng.uniform(math.log(_STEPS[0]), math.log(_STEPS[1]), (n_near, 1))) * Z.std(0)
    near = Z[rng.choice(best, n_near)] + steps * rng.standard_normal((n_near, Z.shape[1]))
    pool = np.concatenate([domain.draw(n - n_near, rng), near])
    return domain.project(torch.from_numpy(pool)).numpy()


def log_expected_improvement(mean: Tensor, std: Tensor, best: float) -> Tensor:
    r"""Log of the expected improvement, finite however small that is.

    .. math:: \log \mathrm{EI} = \log \sigma + \log(\varphi(u) + u\, \Phi(u)),
       \qquad u = (\mu - y^*) / \sigma.

    Below :math:`u = -1` the sum is :math:`\varphi(u) (1 + u\, \Phi(u) / \varphi(u))` with the
    ratio from the scaled complementary error function; below -1e4 the bracket is
    :math:`u^{-2}` to double precision. BoTorch's own takes a model; here the deviation is what a
    batch has left of it.

    References
    ----------
    Ament et al., 2023, *Unexpected improvements to expected improvement*.
    """
    u = (mean - best) / std
    low = u.clamp(-1e4, -1.0)
    ratio = math.sqrt(math.pi / 2) * torch.special.erfcx(-low / math.sqrt(2))
    bracket = torch.where(u < -1e4, -2 * torch.log(-u.clamp_max(-1.0)), torch.log1p(low * ratio))
    log_density = -(u**2) / 2 - math.log(2 * math.pi) / 2
    high = u.clamp_min(-1.0)
    direct = torch.exp(-(high**2) / 2) / math.sqrt(2 * math.pi) + high * torch.special.ndtr(high)
    return torch.log(std) + torch.where(u < -1.0, log_density + bracket, torch.log(direct))


def refine(
    model: Any, pool: Tensor, best: float, domain: Box | UnitSphere, n_starts: int = 16
) -> Tensor:
    """Climb log-EI by its gradient (BoTorch's L-BFGS) from the best candidates of the pool."""
    from botorch.acquisition import LogExpectedImprovement
    from botorch.generation import gen_candidates_scipy

    gain = LogExpectedImprovement(model, best_f=best)
    with torch.no_grad():
        starts = pool[gain(pool[:, None]).topk(min(n_starts, len(pool))).indices]
    found, _ = gen_candidates_scipy(
        initial_conditions=starts[:, None],
        acquisition_function=lambda Z: gain(domain.project(Z)),  # type: ignore[arg-type]
        lower_bounds=torch.from_numpy(domain.low).to(pool),
        upper_bounds=torch.from_numpy(domain.high).to(pool),
        options={"maxiter": 50},
    )
    return domain.project(found[:, 0].detach())


@torch.no_grad()
def greedy_batch(model: Any, pool: Tensor, best: float, n: int) -> Tensor:
    r"""Choose a batch one by one, each as if those before had been found to be what was expected.

    A chosen code leaves the posterior mean where it is and takes from the covariance
    :math:`c c^\top / (C_{jj} + \sigma^2)`, with c its column, so that the batch spreads out.

    References
    ----------
    Ginsbourger et al., 2010, *Kriging is well-suited to parallelize optimization*;
    Desautels et al., 2014, for the hallucinated variance.
    """
    posterior = model.posterior(pool)
    mean, noise = posterior.mean[:, 0], float(model.likelihood.noise)
    cov = posterior.distribution.covariance_matrix
    variance = cov.diagonal().clone()
    n = min(n, len(pool))
    taken = torch.empty(len(pool), n).to(pool)  # its columns' products are what the batch took
    chosen: list[int] = []
    for k in range(n):
        gain = log_expected_improvement(mean, variance.clamp_min(1e-12).sqrt(), best)
        gain[chosen] = -torch.inf
        j = int(gain.argmax())
        chosen.append(j)
        column = cov[:, j] - taken[:, :k] @ taken[j, :k]
        taken[:, k] = column / (column[j].clamp_min(0) + noise).sqrt()
        variance -= taken[:, k] ** 2
    return pool[chosen]


@torch.no_grad()
def thompson_batch(model: Any, pool: Tensor, n: int, seed: int) -> Tensor:
    """Choose the best candidate of each of n joint draws from the posterior, none twice."""
    from botorch.generation import MaxPosteriorSampling

    with seeded(seed):
        return MaxPosteriorSampling(model, replacement=False)(pool, num_samples=min(n, len(pool)))
