"""Posteriors made of a normal distribution and invertible transformations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.functional import softplus

from geomgen.distributions import DiagonalNormal
from geomgen.nn.heads import Head
from geomgen.nn.mlp import linear

__all__ = ["AutoregressiveFlow", "FlowPosterior", "FlowedNormal", "PlanarFlow", "RadialFlow"]

Flow = Callable[[Tensor], tuple[Tensor, Tensor]]


class FlowedNormal(Distribution):
    r"""Law of f(ε), ε normal and f invertible.

    .. math:: \log q(f(\epsilon)) = \log N(\epsilon; \mu, \mathrm{diag}\,\sigma^2)
       - \log|\det \partial f / \partial \epsilon|

    The density is known at the last draw alone, for which no inverse is needed.

    Parameters
    ----------
    base : DiagonalNormal over (n, d)
        Law of ε.
    flow : callable (..., n, d) -> (..., n, d), (..., n)
        f, and the logarithm of its Jacobian's determinant.
    """

    has_rsample = True

    def __init__(self, base: DiagonalNormal, flow: Flow) -> None:
        self.base, self.flow = base, flow
        self._drawn: tuple[Tensor, Tensor] | None = None
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The base's mean, transformed; not the expectation, which has no closed form."""
        return self.flow(self.base.mean)[0]

    @property
    def variance(self) -> Tensor:
        """The variance of 100 draws, always of the same noise; it has no closed form either."""
        noise = torch.Generator(self.base.mean.device).manual_seed(0)
        return self.flow(self.base.rsample((100,), generator=noise))[0].var(0)

    def rsample(
        self, sample_shape: Sequence[int] = (), *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Draw, reparameterised, and keep the draw's log-density."""
        noise = self.base.rsample(sample_shape, generator=generator)
        z, log_det = self.flow(noise)
        self._drawn = z, self.base.log_prob(noise) - log_det
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density of the last draw."""
        if self._drawn is None or self._drawn[0] is not value:
            raise ValueError(
                "A flow's density is known at its last draw alone: pass the tensor that rsample "
                "returned."
            )
        return self._drawn[1]


class FlowPosterior(Head):
    r"""x -> q(z|x), the law of a normal draw transformed.

    .. math:: z = (f_K \circ \dots \circ f_1)(z_0), \qquad
       z_0 \sim N(\mu(x), \mathrm{diag}\,\sigma(x)^2)

    The trunk gives :math:`(\mu, \log\sigma, h)`. The context :math:`h(x) \in R^d` is read by each
    of ``flows``, modules ``(z, h) -> f_k(z), log|det|``, in this order.
    """

    def __init__(self, trunk: nn.Module, flows: Sequence[nn.Module] = ()) -> None:
        super().__init__(trunk)
        self.flows = nn.ModuleList(flows)

    @staticmethod
    def n_outputs(dim: int) -> int:
        """Count a mean, a log-scale and a context for each component."""
        return 3 * dim

    def forward(self, x: Tensor) -> FlowedNormal:
        """Map rows (n, p) to distributions over codes (n, d)."""
        loc, log_scale, context = self.outputs(x).chunk(3, dim=-1)

        def flow(z: Tensor) -> tuple[Tensor, Tensor]:
            log_det = z.new_zeros(z.shape[:-1])
            for step in self.flows:
                z, more = step(z, context)
                log_det = log_det + more
            return z, log_det

        return FlowedNormal(DiagonalNormal(loc, log_scale.clamp(-8, 4).exp()), flow)


class PlanarFlow(nn.Module):
    r"""Stretching across a plane, :math:`f(z) = z + \hat u \tanh(w^\top z + b)`.

    .. math:: \hat u = u + \big(m(w^\top u) - w^\top u\big) \frac{w}{\|w\|^2}, \quad
       m(a) = \log(1 + e^a) - 1, \qquad
       \log|\det| = \log\big(1 + (1 - \tanh^2(w^\top z + b))\, w^\top \hat u\big)

    :math:`w^\top \hat u > -1` makes it invertible. (u, w, b) is a linear map of the context; it
    starts constant, the transformation being the identity.

    Parameters
    ----------
    dim : int
        Dimension d of z and of the context.
    generator : torch.Generator
        Source of the first w.

    References
    ----------
    Rezende and Mohamed, 2015, *Variational inference with normalizing flows*, Eqs. 10-12 and
    appendix A.1.
    """

    def __init__(self, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.parameters_of = linear(dim, 2 * dim + 1, generator)
        w = torch.randn(dim, generator=generator)
        nn.init.zeros_(self.parameters_of.weight)
        u = math.log(math.e - 1) * w / w.square().sum()  # m(w·u) = 0
        with torch.no_grad():
            self.parameters_of.bias.copy_(torch.cat([u, w, torch.zeros(1)]))

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Transform (..., n, d), and return the log-determinants (..., n)."""
        d = z.shape[-1]
        u, w, b = self.parameters_of(context).split([d, d, 1], dim=-1)
        wu = (w * u).sum(-1, keepdim=True)
        u = u + (softplus(wu) - 1 - wu) * w / w.square().sum(-1, keepdim=True).clamp_min(1e-6)
        t = torch.tanh((w * z).sum(-1, keepdim=True) + b)
        log_det = torch.log1p((1 - t.square()) * (w * u).sum(-1, keepdim=True))
        return z + u * t, log_det[..., 0]


class RadialFlow(nn.Module):
    r"""Stretching about a point, :math:`f(z) = z + \hat\beta\,(z - c) / (\alpha + \|z - c\|)`.

    .. math:: \hat\beta = \log(1 + e^\beta) - \alpha > -\alpha, \qquad
       \log|\det| = (d - 1) \log\Big(1 + \frac{\hat\beta}{\alpha + r}\Big)
       + \log\Big(1 + \frac{\alpha \hat\beta}{(\alpha + r)^2}\Big), \quad
       r = \|z - c\|

    :math:`(c, \log(e^\alpha - 1), \beta)` is a linear map of the context; it starts constant, the
    transformation being the identity.

    Parameters
    ----------
    dim : int
        Dimension d of z and of the context.
    generator : torch.Generator
        Source of the first c.

    References
    ----------
    Rezende and Mohamed, 2015, *Variational inference with normalizing flows*, Eq. 14 and
    appendix A.2.
    """

    def __init__(self, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.parameters_of = linear(dim, dim + 2, generator)
        nn.init.zeros_(self.parameters_of.weight)
        with torch.no_grad():
            self.parameters_of.bias.copy_(
                torch.cat([torch.randn(dim, generator=generator), torch.zeros(2)])
            )

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Transform (..., n, d), and return the log-determinants (..., n)."""
        d = z.shape[-1]
        centre, alpha, beta = self.parameters_of(context).split([d, 1, 1], dim=-1)
        alpha = softplus(alpha)
        beta = softplus(beta) - alpha
        offset = z - centre
        h = 1 / (alpha + offset.norm(dim=-1, keepdim=True))
        log_det = (d - 1) * torch.log1p(beta * h) + torch.log1p(alpha * beta * h.square())
        return z + beta * h * offset, log_det[..., 0]


class AutoregressiveFlow(nn.Module):
    r"""Affine in each component, :math:`f_i(z) = m_i + s_i z_i`, m and s of :math:`z_{<i}` and h.

    One pass of the masked network transforms all components: the fast direction, which inverse
    autoregressive flows draw in. It starts as the identity.

    Parameters
    ----------
    layer : zuko.flows.MaskedAutoregressiveTransform
        With a context of d features.

    References
    ----------
    Kingma et al., 2016, *Improving variational inference with inverse autoregressive flow*,
    Algorithm 1.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer
        for parameter in layer.hyper[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Transform (..., n, d), and return the log-determinants (..., n)."""
        return self.layer(context).call_and_ladj(z)
