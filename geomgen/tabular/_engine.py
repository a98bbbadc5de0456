"""From a table's features to new ones: the model, and how what it gives is read."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from geomgen._draw import draw
from geomgen._random import substream
from geomgen.base import GenerativeAutoencoder
from geomgen.tabular._models import choose_model, is_linear, make_model, make_sampler, prepared
from geomgen.tabular._storage import Values
from geomgen.tabular._target import Target
from geomgen.tabular.encoder import TableEncoder

__all__ = ["Engine"]

_NAMES = ("auto", "rows", "pca", "ae")
_DRAWN = 10_000  # rows that readings are learnt from, of all classes together
_LEAST_DRAWN = 2_000  # and of each


class Engine:
    """A model of features, and the reading of its draws, one for each class.

    Parameters
    ----------
    model, sampler, empirical
        Of :class:`TableGenerator`.
    settings : dict
        Parameters of the model, of those that it has.
    """

    def __init__(self, model: Any, sampler: Any, empirical: bool, settings: dict[str, Any]) -> None:
        if isinstance(model, str) and model not in _NAMES:
            raise ValueError(
                f"model={model!r} must be one of {', '.join(_NAMES)}, or an estimator."
            )
        made = not isinstance(model, str | type) and hasattr(model, "fit")
        if not isinstance(model, str) and not (made and hasattr(model, "sample")):
            raise TypeError(
                f"model={model!r} has no fit and sample: {', '.join(_NAMES)} are names."
            )
        self.model, self.sampler = model, sampler
        self.empirical, self.settings = empirical, settings

    def fit(self, encoder: TableEncoder, X: Any, target: Target | None, seed: int) -> Engine:
        """Train the model on the features, and learn to read it."""
        self.encoder, self.target = encoder, target
        self.labels_: Any = None if target is None or target.classes_ is None else target.codes_
        self.keep_ = self._columns_kept()
        blocks = self._blocks()
        features = encoder.transform(X)[:, self.keep_]
        own = not isinstance(self.model, str)
        self.name_ = type(self.model).__name__ if own else self.model
        self.model_: Any = None
        self.models_: Any = None
        if features.shape[1]:
            if self.name_ == "auto":
                self.name_ = choose_model(blocks)
            model = self.model if own else make_model(self.name_, blocks, len(features))
            self._fit_model(model, blocks, features, seed)
        self._learn_readings(features, seed)
        del self.labels_  # as long as the table
        if target is not None and target.classes_ is not None:
            del target.codes_
        return self

    def _columns_kept(self) -> np.ndarray:
        """Mark the features of all columns but the target of classes."""
        name = None if self.labels_ is None else self.target.name  # type: ignore[union-attr]
        codecs = self.encoder.codecs_.items()
        return np.concatenate([np.full(c.width, column != name) for column, c in codecs])

    def _blocks(self) -> list[tuple[str, int]]:
        name = None if self.labels_ is None else self.target.name  # type: ignore[union-attr]
        codecs = self.encoder.codecs_.items()
        return [block for column, codec in codecs if column != name for block in codec.blocks]

    def _fit_model(
        self, model: Any, blocks: list[tuple[str, int]], features: np.ndarray, seed: int
    ) -> None:
        params = {"random_state": substream(seed, 1) % 2**31, **self.settings}
        conditional = self.labels_ is not None
        autoencoder = isinstance(model, GenerativeAutoencoder)
        if not autoencoder:  # mixtures lose their digits in float32
            features = features.astype(np.float64)
        if autoencoder and self.sampler is not None:
            named = isinstance(self.sampler, str) and self.sampler == "auto"
            sampler = make_sampler(blocks, conditional) if named else self.sampler
            if conditional and "conditional" in getattr(sampler, "get_params", dict)():
                sampler = clone(sampler).set_params(conditional=True)
            params["sampler"] = sampler
        self.model_ = prepared(model, blocks, params)
        self.sharp_ = is_linear(self.model_)
        if autoencoder and getattr(self.model_.sampler, "conditional", False) and conditional:
            self.model_.fit(features, self.labels_)
        elif conditional:  # a density that knows no labels: one for each class
            self.models_ = [
                prepared(model, blocks, params).fit(features[self.labels_ == k])
                for k in np.unique(self.labels_)
            ]
            self.model_ = self.models_[0]
        else:
            self.model_.fit(features)
        if isinstance(self.model, str) and "callbacks" in self.model_.get_params():
            self.model_.set_params(callbacks=None)  # they have served, and no file holds them

    # ---------------------------------------------------------------------------------- reading
    def _learn_readings(self, features: np.ndarray, seed: int) -> None:
        self.readings_: list[Any] = []
        if not self.empirical or self.model_ is None:
            return
        rng = check_random_state(substream(seed, 2) % 2**31)
        groups = [None] if self.labels_ is None else list(np.unique(self.labels_))
        n = max(_DRAWN // len(groups), _LEAST_DRAWN)
        for group in groups:
            real = features if group is None else features[self.labels_ == group]
            drawn = self._features(n, None if group is None else np.full(n, group), rng)
            wide = [np.zeros((len(part), len(self.keep_))) for part in (real, drawn)]
            for whole, part in zip(wide, (real, drawn), strict=True):
                whole[:, self.keep_] = part
            self.readings_.append(self._corrections(*wide))

    def _corrections(self, real: np.ndarray, drawn: np.ndarray) -> dict[Any, Any]:
        skipped = None if self.labels_ is None else self.target.name  # type: ignore[union-attr]
        return self.encoder.corrections(real, drawn, self.sharp_, skipped)

    # ---------------------------------------------------------------------------------- drawing
    def draw(
        self, n: int, groups: np.ndarray | None, rng: np.random.RandomState
    ) -> dict[Any, Values]:
        """Draw columns as plain arrays; of each group its class, by number."""
        features = np.zeros((n, len(self.keep_)), dtype=np.float32)
        if self.model_ is not None:
            features[:, self.keep_] = self._features(n, groups, rng)
        if groups is None:
            return self.encoder.decode(features, rng, (self.readings_ or [None])[0])
        readings = self.readings_ or [None] * (int(groups.max()) + 1)
        columns: dict[Any, Values] = {}
        for group in np.unique(groups):
            at = groups == group
            found = self.encoder.decode(features[at], rng, readings[group])
            for name, values in found.items():
                whole = columns.setdefault(
                    name, Values(np.empty(n, values.data.dtype), np.zeros(n, dtype=bool))
                )
                whole.data[at], whole.missing[at] = values.data, values.missing
        assert self.target is not None
        columns[self.target.name] = self.target.values(groups)
        return columns

    def _features(
        self, n: int, groups: np.ndarray | None, rng: np.random.RandomState
    ) -> np.ndarray:
        if groups is None:
            return np.asarray(draw(self.model_, n, rng))
        if self.models_ is None:
            return np.asarray(self.model_.sample(n, rng, y=groups))
        out = np.empty((n, int(self.keep_.sum())), dtype=np.float32)
        for group in np.unique(groups):
            at = groups == group
            out[at] = draw(self.models_[group], int(at.sum()), rng)
        return out
