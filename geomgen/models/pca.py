"""Principal components: the linear autoencoder in closed form."""

from __future__ import annotations

from time import perf_counter
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
import torch
from scipy import linalg
from sklearn.decomposition import PCA
from sklearn.utils.extmath import svd_flip
from torch import Tensor, nn

from geomgen._callbacks import forwarding_epochs, with_callbacks
from geomgen._fields import Fraction, estimator, fixing
from geomgen._random import substream
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel

__all__ = ["PCAGenerator"]

_CHUNK = 8192  # rows of a memory map that are read at once


@estimator
@fixing(
    *("activation", "norm", "encoder", "decoder", "reduction", "batch_size", "lr", "optimizer"),
    *("early_stopping", "n_iter_no_change", "tol", "warm_start", "extra_terms", "callbacks"),
    *("net_params", "verbose", "image_shape", "architecture", "channels", "augment", "precision"),
    *("compile", "feature_blocks"),
    hidden=(),
    max_epochs=1,
)
class PCAGenerator(AE):
    r"""Principal components with an ex-post sampler: the best linear autoencoder, untrained.

    .. math:: \min_{W,\, V,\, \mu} \sum_i \|V W (x_i - \mu) + \mu - x_i\|^2
       \quad\text{at}\quad W = \Lambda^{-1/2} U^\top,\; V = U \Lambda^{1/2},\; \mu = \bar x

    U holds the first eigenvectors of the rows' covariance, :math:`\Lambda` its eigenvalues (I
    with ``whiten=False``). No autoencoder with linear maps reconstructs the training rows better,
    so this is the row of a table that a deep model must beat. With ``sampler="mvg"`` and
    ``residual="diagonal"`` it is the factor model of a Gaussian with these axes.

    Axes that the rows do not have (``n_components`` above their rank) have code 0, so that codes
    always have n_components columns. The solution is exact but for two cases: on large tables
    scikit-learn chooses a randomised solver, and ``partial_fit`` and memory maps, which are read
    in chunks, keep no more than n_components axes from one chunk to the next.

    Attributes
    ----------
    components_ : ndarray of shape (n_components_, n_features)
        The axes U, of unit length.
    explained_variance_ : ndarray of shape (n_components_,)
        Variances :math:`\Lambda` of the rows along them, with n - 1 in the denominator.
    mean_ : ndarray of shape (n_features,)
        Mean of the rows.
    n_components_ : int
        Number of axes: n_components, or the rank of the rows if it is less.
    history_ : DataFrame
        One row a call of ``fit`` or ``partial_fit``: the reconstruction error of its rows.
    n_iter_ : int
        Number of these calls.
    net_, sampler_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Baldi and Hornik, 1989, *Neural networks and principal component analysis*; Tipping and
    Bishop, 1999, *Probabilistic principal component analysis*; chunks: Ross et al., 2008,
    *Incremental learning for robust visual tracking*, section 3.1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = PCAGenerator(n_components=2, random_state=0).fit(X)
    >>> model.explained_variance_.round(2).tolist()
    [4.23, 0.24]
    >>> model.transform(X).std(axis=0, ddof=1).round(3).tolist()
    [1.0, 1.0]
    """

    whiten: Annotated[
        bool,
        """Whether codes have unit variance, as the prior N(0, I) has: ``sampler="prior"`` then
        draws from the rows' Gaussian law. Else the maps are isometries.""",
    ] = True
    validation_fraction: Annotated[
        Fraction, "Share of the rows held out to learn residual noise from."
    ] = 0.1

    _paper: ClassVar[str] = "Baldi and Hornik, 1989; Tipping and Bishop, 1999"
    _equation: ClassVar[str] = "closed form"

    def _build(self, n_features: int) -> LatentVariableModel:
        model = super()._build(n_features)
        model.encoder.trunk = nn.Sequential(_Centre(n_features), model.encoder.trunk)
        return model

    @with_callbacks
    def _train(self, X: np.ndarray, epochs: int) -> None:
        net, start = self.net_, perf_counter()
        with forwarding_epochs(self, 1) as forwarding:
            for _, callback in forwarding:
                callback.on_epoch_begin(net)
            self._axes = self._solve(X)
            self._load()
            loss = float(self._apply(self._errors, X).mean(dtype=np.float64))
            net.history.new_epoch()
            row = {"train_loss": loss, "train_recon": loss, "dur": perf_counter() - start}
            for name, value in row.items():
                net.history.record(name, value)
            for _, callback in forwarding:
                callback.on_epoch_end(net)

    def _errors(self, x: Tensor) -> Tensor:
        return (self._module.decode(self._module.encode(x)) - x).square().sum(1)

    def _solve(self, X: np.ndarray) -> _Axes:
        """Find the axes of the rows, and of those before them if the net is not new."""
        mapped = isinstance(X, np.memmap) or isinstance(X.base, np.memmap)
        step, d = _CHUNK if mapped else len(X), self.n_components
        axes = self._axes if self.net_.history else None
        for first in range(0, len(X), step):
            rows = X[first : first + step].astype(np.float64)
            seed = substream(self._seed, 0) % 2**31
            axes = _principal(rows, d, seed) if axes is None else _merged(axes, rows, d)
        assert axes is not None  # there are rows
        return axes

    def _load(self) -> None:
        """Put the axes into the net, in the dtype of the computation."""
        n, mean, singular, axes = self._axes
        # Less than what rounding makes of the first axis, or of the mean, is no axis.
        codes, rows = np.finfo(self.dtype_).eps * singular[0], np.finfo(float).eps * abs(mean).max()
        kept = singular > np.sqrt(len(mean)) * max(codes, np.sqrt(n * len(mean)) * rows)
        self.mean_, self.components_ = mean, axes[kept]
        self.explained_variance_ = singular[kept] ** 2 / (n - 1)
        self.n_components_ = int(kept.sum())
        units = np.sqrt(self.explained_variance_) if self.whiten else np.ones(self.n_components_)
        absent = ((0, self.n_components - self.n_components_), (0, 0))
        encode = np.pad(self.components_ / units[:, None], absent)
        decode = np.pad(self.components_ * units[:, None], absent).T
        rounded = mean.astype(self.dtype_).astype(np.float64)
        weights = {  # the layers of _build
            "encoder.trunk.0.mean": rounded,
            "encoder.trunk.1.0.weight": encode,
            "encoder.trunk.1.0.bias": encode @ (rounded - mean),
            "decoder.trunk.0.weight": decode,
            "decoder.trunk.0.bias": mean,
        }
        held = self._module.state_dict()
        for name, values in weights.items():
            held[name].copy_(torch.from_numpy(values))


class _Centre(nn.Module):
    """x - mean: exact before the linear map, where a bias after it would cancel digits."""

    mean: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))

    def forward(self, x: Tensor) -> Tensor:
        return x - self.mean


class _Axes(NamedTuple):
    """n rows: their mean, and the singular values and axes of the centred rows."""

    n: int
    mean: np.ndarray
    singular: np.ndarray
    axes: np.ndarray


def _principal(X: np.ndarray, d: int, seed: int) -> _Axes:
    mean = X.mean(0)
    with np.errstate(invalid="ignore"):  # shares of no variance, if all rows are the same
        # Centred here: scikit-learn's covariance solver takes products of rows as they are.
        pca = PCA(min(d, *X.shape), random_state=seed).fit(X - mean)
    return _Axes(len(X), mean, pca.singular_values_, pca.components_)


def _merged(old: _Axes, X: np.ndarray, d: int) -> _Axes:
    """Decompose old rows and new: their scatter is that of both, and that between their means.

    scikit-learn's IncrementalPCA does this too, but refuses a first chunk of less than d rows,
    and cannot go on from a PCA.
    """
    n, m, mean = old.n, len(X), X.mean(0)
    between = np.sqrt(n * m / (n + m)) * (old.mean - mean)
    stacked = np.vstack([old.singular[:, None] * old.axes, X - mean, between])
    U, singular, axes = linalg.svd(stacked, full_matrices=False)
    axes = svd_flip(U, axes, u_based_decision=False)[1]
    return _Axes(n + m, (n * old.mean + m * mean) / (n + m), singular[:d], axes[:d])
