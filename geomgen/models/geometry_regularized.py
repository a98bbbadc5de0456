"""The geometry-regularised autoencoder (GRAE)."""

from __future__ import annotations

import copy
import importlib
import warnings
from typing import Annotated, Any, ClassVar, cast

import numpy as np
import torch
from scipy.linalg import eigh
from sklearn.base import clone
from sklearn.manifold import Isomap
from sklearn.neighbors import KNeighborsRegressor
from torch import Tensor

from geomgen._fields import Interval, NonNegative, estimator
from geomgen._random import substream
from geomgen._training import Terms
from geomgen.losses import squared_error
from geomgen.models.ae import AE
from geomgen.nn import LatentVariableModel

__all__ = ["GeometryRegularizedAE"]

_CHUNK = 8192  # rows that are given targets at once


@estimator
class GeometryRegularizedAE(AE):
    r"""Autoencoder whose codes are pulled to a manifold embedding computed beforehand (GRAE).

    .. math:: \mathcal{L} = \mathbb{E}_x \|D(E(x)) - x\|^2
       + \lambda\, \mathbb{E}_x \|e(x) - E(x)\|^2

    The encoder extends the embedding e to new rows, the decoder inverts it. ``reduction`` holds
    for both terms.

    The embedding is learnt from ``n_landmarks`` rows, centred, and divided by one number, so that
    its coordinates have variance 1 on average and keep its shape (the authors scale each of them).
    Coordinates that it does not have are 0. Each row's target is that of the landmarks near it;
    a landmark's is its own. ``partial_fit`` and ``fit`` with ``warm_start=True`` extend the first
    embedding to the rows they are given.

    The default is Isomap, by 10 neighbours: components of the neighbours' graph are joined by their
    shortest links, and coordinates of negative eigenvalue are 0. The paper's is PHATE.

    Targets travel with the rows, so a memory map of rows is read into memory.

    Attributes
    ----------
    embedding_ : ndarray of shape (min(n_samples, n_landmarks), n_components)
        Targets of the landmarks: of all rows trained on, in their order, if these are no more
        than ``n_landmarks``; rows held out to stop early are among them, those held out for
        residual noise are not.
    extension_ : KNeighborsRegressor
        From rows to targets; it keeps the landmarks' rows.
    net_, sampler_, history_, n_iter_, n_features_in_, device_, dtype_
        As in :class:`AE`.

    References
    ----------
    Duque, Morin, Wolf and Moon, 2022, *Geometry regularized autoencoders*, IEEE Transactions on
    Pattern Analysis and Machine Intelligence; Tenenbaum et al., 2000, for Isomap.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> model = GeometryRegularizedAE(n_components=2, max_epochs=5, random_state=0).fit(X)
    >>> model.history_.columns.tolist(), model.embedding_.shape
    (['loss', 'recon', 'geometry', 'seconds'], (150, 2))
    """

    lam: Annotated[NonNegative, "Weight λ of the pull to the embedding."] = 0.1
    embedding: Annotated[
        Any,
        """What codes are pulled to: ``"isomap"``; ``"phate"``, which needs the extra
        ``geomgen[phate]``; or an object with ``fit_transform``, such as scikit-learn's
        ``SpectralEmbedding(n_components=2)``, that gives at most n_components columns.""",
    ] = "isomap"
    n_landmarks: Annotated[
        Annotated[int, Interval(2)],
        "Rows, drawn at random, that the embedding is learnt from; all, if no more.",
    ] = 2000

    _paper: ClassVar[str] = "Duque et al., 2022"
    _equation: ClassVar[str] = "geometric loss"
    _structure: ClassVar[tuple[str, ...]] = ("embedding", "n_landmarks")

    def _prepare(self, X: np.ndarray) -> None:
        _make_learner(self.embedding, self.n_components, None)  # a bad one is found before training

    def _train(self, X: np.ndarray, epochs: int) -> None:
        if not self.net_.history:  # weights that have learnt already have their embedding
            self._embed(X)
        chunks = (np.asarray(X[i : i + _CHUNK], float) for i in range(0, len(X), _CHUNK))
        targets = [self.extension_.predict(chunk).astype(self.dtype_) for chunk in chunks]
        super()._train(np.hstack([X, np.concatenate(targets)]), epochs)

    def _embed(self, X: np.ndarray) -> None:
        """Learn the embedding of the landmarks, and its extension to other rows."""
        seed = substream(self._seed, 8) % 2**31
        index = np.arange(len(X))
        if len(X) > self.n_landmarks:
            index = np.random.RandomState(seed).choice(index, self.n_landmarks, replace=False)
        rows = np.asarray(X[index], float)
        learner = _make_learner(self.embedding, self.n_components, seed)
        E = np.zeros((len(rows), self.n_components))
        try:
            found = np.asarray(learner.fit_transform(rows), float)
        except Exception as error:
            error.add_note(f"It was raised by embedding={self.embedding!r}, on {len(rows)} rows.")
            raise
        if found.shape[0] != len(rows) or found.shape[1] > self.n_components:
            raise ValueError(
                f"embedding={self.embedding!r} gave {found.shape} for {len(rows)} rows: it must "
                f"give a row each, of at most n_components={self.n_components} columns."
            )
        if not np.isfinite(found).all():
            raise ValueError(
                f"embedding={self.embedding!r} gave numbers that are not finite: scale the columns "
                "of X, or use another."
            )
        E[:, : found.shape[1]] = found - found.mean(0)
        scale = np.sqrt(E.var(0).mean())
        self.embedding_ = (E / scale if scale > 0 else E).astype(self.dtype_)
        self.extension_ = KNeighborsRegressor(min(5, len(rows)), weights="distance")
        self.extension_.fit(rows, self.embedding_)

    def _objective(
        self, model: LatentVariableModel, x: Tensor, generator: torch.Generator
    ) -> Terms:
        x, target = x[:, : self.n_features_in_], x[:, self.n_features_in_ :]
        z = model.encode(x)
        terms = {
            "recon": self._reconstruction(model, z, x),
            "geometry": self.lam * squared_error(z, target, self.reduction),
        }
        return self._completed(terms, model, x, z, generator)


class _Isomap:
    """Isomap that takes any number of rows, components and pieces."""

    def __init__(self, n_components: int) -> None:
        self.n_components = n_components

    def fit_transform(self, X: np.ndarray) -> np.ndarray:
        """Embed rows: classical scaling of the distances along their neighbours' graph."""
        isomap = Isomap(n_neighbors=min(10, len(X) - 1), n_components=1, eigen_solver="dense")
        with warnings.catch_warnings():  # that a graph in pieces is joined, which the docs say
            warnings.filterwarnings("ignore", "The number of connected components", UserWarning)
            warnings.filterwarnings("ignore", "Changing the sparsity structure")
            squares = isomap.fit(X).dist_matrix_ ** 2
        # Isomap's own last step raises if an eigenvalue that it is asked for is negative.
        means = squares.mean(0)
        inner = -(squares - means - means[:, None] + means.mean()) / 2
        n, d = len(X), min(self.n_components, len(X))
        values, vectors = eigh(inner, subset_by_index=[n - d, n - 1])
        return (vectors * np.sqrt(values.clip(0)))[:, ::-1]


def _make_learner(embedding: Any, n_components: int, seed: int | None) -> Any:
    """Make an unfitted manifold learner from its name, or copy one."""
    if isinstance(embedding, str) and embedding == "isomap":
        return _Isomap(n_components)
    if isinstance(embedding, str) and embedding == "phate":
        try:
            phate = importlib.import_module("phate")
        except ImportError as error:
            raise ImportError(
                "embedding='phate' needs the package phate: pip install 'geomgen[phate]', or use "
                "embedding='isomap'."
            ) from error
        return phate.PHATE(n_components=n_components, random_state=seed, verbose=0)
    if isinstance(embedding, str | type) or not hasattr(embedding, "fit_transform"):
        kind = ValueError if isinstance(embedding, str) else TypeError
        raise kind(
            f"embedding={embedding!r} must be 'isomap', 'phate' or an instance with fit_transform, "
            "such as sklearn.manifold.SpectralEmbedding()."
        )
    if not hasattr(embedding, "get_params"):  # no estimator of scikit-learn's kind
        return copy.deepcopy(embedding)
    learner = cast(Any, clone(embedding))
    if "random_state" in learner.get_params() and learner.random_state is None:
        learner.set_params(random_state=seed)
    return learner
