"""Penalties on the size of a map's Jacobian."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from geomgen.losses.tangents import evaluating, tangents

__all__ = ["jacobian_penalty"]


def jacobian_penalty(
    module: nn.Module | Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    n_probes: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Mean squared Frobenius norm of a map's Jacobian.

    .. math:: \mathbb{E}_x \|J(x)\|_F^2

    Of an encoder it is the contractive penalty; of a decoder, its gradient penalty.

    Parameters
    ----------
    module : Module or callable, (N, p) -> (N, m)
        A map that treats rows independently.
    x : Tensor of shape (N, p)
        Where.
    n_probes : int, optional
        Number of random directions v of Hutchinson's estimate, :math:`\mathbb{E}\|J v\|^2` for
        :math:`v \in \{-1, 1\}^p`, unbiased; by default the norm is exact, from
        min(p, m) directions.
    generator : torch.Generator, optional
        Source of the directions.

    Returns
    -------
    Tensor of shape ()

    References
    ----------
    Paper G (GA-AE), Eq. 3; Rifai et al., 2011, *Contractive auto-encoders*.

    Examples
    --------
    >>> layer = torch.nn.Linear(3, 2)
    >>> exact = jacobian_penalty(layer, torch.zeros(5, 3))
    >>> bool(torch.isclose(exact, layer.weight.square().sum()))
    True
    """
    n, p = x.shape
    if n_probes is None:
        return _jacobian(module, x).square().sum() / n
    bits = torch.randint(0, 2, (n, p, n_probes), generator=generator, device=x.device)
    return tangents(module, x, (2 * bits - 1).to(x)).square().sum() / (n * n_probes)


def _jacobian(module: nn.Module | Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Jacobians (N, m, p): pulled back from the outputs if these are fewer, or pushed forward."""
    with evaluating(module):
        out, pull = torch.func.vjp(module, x)[:2]
        if out.shape[1] < x.shape[1]:
            units = torch.eye(out.shape[1]).to(out)[:, None].expand(-1, *out.shape)
            return torch.vmap(pull)(units)[0].transpose(0, 1)
    return tangents(module, x, torch.eye(x.shape[1]).to(x))
