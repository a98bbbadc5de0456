"""The VAE whose posteriors all have one variance."""

from __future__ import annotations

from typing import Annotated, ClassVar

from torch import nn

from geomgen._fields import Positive, estimator
from geomgen.models.vae import VAEGenerator
from geomgen.nn import ConstantVariancePosterior, Head

__all__ = ["ConstantVarianceVAE"]


@estimator
class ConstantVarianceVAE(VAEGenerator):
    r"""CV-VAE: a deterministic encoder, and noise of one size on its codes.

    .. math:: \mathcal{L} = -\mathbb{E}_{\epsilon \sim N(0, I)} \log p(x \mid \mu(x) + s \epsilon)
       + \frac{\beta}{2} \|\mu(x)\|^2 + \text{const}

    The penalty and its constant are :math:`\beta\,\mathrm{KL}(N(\mu(x), s^2 I) \,\|\, N(0, I))`.
    The codes do not follow the prior, so the default sampler is fitted to them.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Ghosh et al., 2020, *From variational to deterministic autoencoders*, section 3.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = ConstantVarianceVAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist()
    ['loss', 'recon', 'kl', 'seconds']
    """

    noise: Annotated[Positive, "Standard deviation s of every posterior."] = 0.1

    _posterior: ClassVar[type[Head]] = ConstantVariancePosterior
    _paper: ClassVar[str] = "Ghosh et al., 2020"
    _equation: ClassVar[str] = "section 3"
    _structure: ClassVar[tuple[str, ...]] = (*VAEGenerator._structure, "noise")

    def _make_posterior(self, encoder: nn.Module) -> Head:
        return ConstantVariancePosterior(encoder, self.noise)
