"""Gaussian processes over codes: exact for few, on inducing points for many."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor

from geomgen._random import seeded

__all__ = ["fit_surrogate", "require_botorch", "sparse_process"]

_KERNEL = 500  # codes at most from which scale, length, noise and mean are learnt
_STEPS = 30  # of L-BFGS for these


def require_botorch() -> None:
    """Raise if the extra is not installed."""
    try:
        with warnings.catch_warnings():  # it compiles functions with torch.jit
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            import botorch  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "LatentOptimizer needs the package botorch, which is not installed: "
            'pip install "geomgen[bo]".'
        ) from error


def fit_surrogate(Z: Tensor, y: Tensor, max_exact: int, n_inducing: int, seed: int) -> Any:
    r"""Fit a Gaussian process with a Matérn kernel to values at codes.

    The kernel :math:`k(z, z') = s^2\, m_{5/2}(\|z - z'\| / \ell)` sees distances in space alone,
    which on the sphere are the chords: it is positive definite there too. Scale, length, noise
    and mean have the greatest posterior density given at most 500 codes. All codes enter the
    posterior of the values, through :func:`sparse_process`.

    Parameters
    ----------
    Z : Tensor of shape (n, d), float64
        Codes.
    y : Tensor of shape (n,), float64
        Values to be made large, standardised.
    max_exact : int
        Most codes for an exact process.
    n_inducing : int
        Number of inducing points beyond it.
    seed : int
        Of the subset and of the inducing points.

    Returns
    -------
    botorch Model
        With one output.
    """
    require_botorch()
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from gpytorch.constraints import GreaterThan
    from gpytorch.kernels import MaternKernel, ScaleKernel
    from gpytorch.likelihoods import GaussianLikelihood
    from gpytorch.mlls import ExactMarginalLogLikelihood
    from gpytorch.priors import GammaPrior

    rng = np.random.RandomState(seed)
    rows = rng.permutation(len(Z))[:_KERNEL]
    scale = torch.pdist(Z[rows]).median().clamp_min(1e-9)
    # Priors as BoTorch's own; that of the length has the median distance for its mean
    matern = MaternKernel(nu=2.5, lengthscale_constraint=GreaterThan(0.02 * float(scale)))
    matern.register_prior("lengthscale_prior", GammaPrior(3.0, 3.0 / scale), "lengthscale")
    matern.lengthscale = scale
    likelihood = GaussianLikelihood(
        noise_prior=GammaPrior(1.1, 0.05), noise_constraint=GreaterThan(1e-4)
    )
    likelihood.noise = 0.1
    model = SingleTaskGP(
        Z[rows],
        y[rows, None],
        covar_module=ScaleKernel(matern, outputscale_prior=GammaPrior(2.0, 0.15)),
        likelihood=likelihood,
        outcome_transform=None,
    ).double()
    with seeded(seed), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="botorch|linear_operator")
        fit_gpytorch_mll(
            ExactMarginalLogLikelihood(likelihood, model),
            optimizer_kwargs={"options": {"maxiter": _STEPS}},
        )
    model.eval()
    few = len(Z) <= max(max_exact, n_inducing)  # no sparser than exact
    return sparse_process(model, Z, y, Z if few else _centres(Z, n_inducing, seed))


def _centres(Z: Tensor, n: int, seed: int) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning)  # of threads
        means = MiniBatchKMeans(n, n_init=1, random_state=seed % 2**31).fit(Z.numpy())
    return torch.from_numpy(means.cluster_centers_)


@torch.no_grad()
def sparse_process(exact: Any, Z: Tensor, y: Tensor, inducing: Tensor) -> Any:
    r"""Give a process with another's kernel the best posterior that m inducing points allow.

    With :math:`K_{uu} = L L^\top`, :math:`A = L^{-1} K_{uf} / \sigma`, :math:`B = I + A A^\top`
    and :math:`w(z) = L^{-1} k_u(z)`, the posterior is

    .. math:: \mu(z) = \mu + w(z)^\top B^{-1} A (y - \mu) / \sigma, \qquad
       c(z, z') = k(z, z') - w(z)^\top (I - B^{-1})\, w(z'),

    in closed form, at a cost of :math:`O(n m^2)`. It is the exact one if the inducing points are
    the codes themselves.

    Parameters
    ----------
    exact : botorch SingleTaskGP
        Its kernel, mean and noise are taken.
    Z : Tensor of shape (n, d)
        Codes.
    y : Tensor of shape (n,)
        Values.
    inducing : Tensor of shape (m, d)
        Inducing points.

    Returns
    -------
    botorch Model
        With one output, and its noise in ``likelihood``.

    References
    ----------
    Titsias, 2009, *Variational learning of inducing variables in sparse Gaussian processes*,
    Eqs. 6 and 10.
    """
    from botorch.models.model import Model
    from botorch.posteriors import GPyTorchPosterior
    from gpytorch.distributions import MultivariateNormal

    for parameter in exact.parameters():
        parameter.requires_grad_(False)
    kernel, mean, sd = exact.covar_module, exact.mean_module, exact.likelihood.noise.sqrt()
    eye = torch.eye(len(inducing)).to(Z)
    L = torch.linalg.cholesky(kernel(inducing).to_dense() + 1e-6 * kernel.outputscale * eye)
    A = torch.linalg.solve_triangular(L, kernel(inducing, Z).to_dense(), upper=False) / sd
    root = torch.linalg.cholesky(A @ A.T + eye)
    weights = torch.cholesky_solve((A @ (y - mean(Z)) / sd)[:, None], root)[:, 0]
    # k_u' M k_u and k_u' a need no more triangular solves
    a = torch.linalg.solve_triangular(L.T, weights[:, None], upper=True)[:, 0]
    inverse = torch.linalg.solve_triangular(L, eye, upper=False)
    M = inverse.T @ (eye - torch.cholesky_inverse(root)) @ inverse

    class SparseProcess(Model):
        num_outputs = 1
        batch_shape = torch.Size()
        likelihood = exact.likelihood

        def expected(self, X: Tensor) -> Tensor:
            """Posterior mean alone, which needs no covariance."""
            return mean(X) + kernel(X, inducing).to_dense() @ a

        def posterior(self, X: Tensor, *_: Any, **__: Any) -> Any:
            k = kernel(X, inducing).to_dense()
            cov = kernel(X).to_dense() - k @ M @ k.transpose(-1, -2)
            spread = 1e-8 * torch.eye(cov.shape[-1]).to(cov)
            return GPyTorchPosterior(MultivariateNormal(mean(X) + k @ a, cov + spread))

    return SparseProcess()
