"""The two-stage variational autoencoder."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np

from geomgen._fields import estimator
from geomgen._random import generator, substream
from geomgen.models.vae import VAEGenerator

__all__ = ["TwoStageVAE"]


@estimator
class TwoStageVAE(VAEGenerator):
    r"""VAE that learns the noise of its decoder, and a second VAE over its codes.

    .. math:: \mathcal{L}_1 = -\mathbb{E}_{q(z|x)} \log N(x; D(z), \gamma^2 I)
       + \mathrm{KL}(q(z|x) \,\|\, N(0, I))

    With :math:`\gamma` learnt the codes fill their space, but with a law of their own, far from
    N(0, I). The second stage, :class:`~geomgen.samplers.SecondStageSampler`, is a VAE on draws
    from :math:`q(z|x)`, one a row, which learns that law. Any other sampler is fitted to the same
    draws.

    Attributes
    ----------
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Dai and Wipf, 2019, *Diagnosing and enhancing VAE models*, Eq. 3 and section 4.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = TwoStageVAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.sampler_, model.sample(3, random_state=0).shape
    (SecondStageSampler(random_state=...), (3, 4))
    """

    sampler: Annotated[
        Any,
        """Where new codes come from: ``"second_stage"``, ``"cells"``, ``"prior"``, ``"gmm"``, a
        sampler, or any scikit-learn object with fit and sample.""",
    ] = "second_stage"

    _paper: ClassVar[str] = "Dai and Wipf, 2019"
    _equation: ClassVar[str] = "Eq. 3"

    def _ambient_codes(self, X: np.ndarray) -> np.ndarray:
        noise = generator(substream(self._seed, 8), self.net_.device)
        return self._apply(lambda x: self._module.encoder(x).rsample(generator=noise), X)
