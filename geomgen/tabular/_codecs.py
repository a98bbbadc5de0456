"""One column as features of a model, and back: numbers, times, categories, constants, keys."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from geomgen._output import QuantileMap
from geomgen.tabular._scales import Grid, make_scale
from geomgen.tabular._states import StateReader
from geomgen.tabular._storage import Values

__all__ = ["CategoryCodec", "Codec", "ConstantCodec", "KeyCodec", "NumberCodec"]

_ROWS_OF_A_MAP = 20  # values from which quantiles can be told


class Codec(ABC):
    """Base: features of a column, named and of known kinds.

    Attributes
    ----------
    blocks : list of (str, int)
        Kinds and widths of the features.
    names : list of str
        What is put after the column's name for each; "" if it is the only one.
    """

    blocks: list[tuple[str, int]]
    names: list[str]

    @property
    def width(self) -> int:
        """Number of features."""
        return sum(width for _, width in self.blocks)

    @abstractmethod
    def encode(self, name: Any, values: Values) -> np.ndarray:
        """Features of values, (n,) -> (n, width)."""

    def correction(self, real: np.ndarray, drawn: np.ndarray, sharp: bool) -> Any:
        """Learn how a generator's features are to be read, from real ones and a draw."""
        return None

    @abstractmethod
    def decode(self, features: np.ndarray, rng: np.random.RandomState, correction: Any) -> Values:
        """Values of features, (n, width) -> (n,)."""


class ConstantCodec(Codec):
    """A column of one value, or of none at all: nothing to learn."""

    def __init__(self, values: Values) -> None:
        self.blocks, self.names = [], []
        self.missing_ = bool(values.missing.all())
        self.value_ = values.data[0] if self.missing_ else values.present[0]
        self.dtype_ = values.data.dtype

    def encode(self, name: Any, values: Values) -> np.ndarray:
        same = values.missing if self.missing_ else ~values.missing & (values.data == self.value_)
        if not np.all(same):
            other = values.data[np.argmin(same)]
            held = "no value" if self.missing_ else f"only {self.value_}"
            raise ValueError(
                f"Column {name!r} had {held} in the rows of fit, and holds {other} now: fit on "
                "rows that have all its values."
            )
        return np.zeros((len(values.data), 0))

    def decode(self, features: np.ndarray, rng: np.random.RandomState, correction: Any) -> Values:
        data = np.empty(len(features), dtype=self.dtype_)
        data[:] = self.value_
        return Values(data, np.full(len(features), self.missing_))


class KeyCodec(Codec):
    """A column of keys, another in almost every row: nothing to learn, and new ones are made."""

    def __init__(self, name: Any) -> None:
        self.blocks, self.names, self.name_ = [], [], name

    def encode(self, name: Any, values: Values) -> np.ndarray:
        return np.zeros((len(values.data), 0))

    def decode(self, features: np.ndarray, rng: np.random.RandomState, correction: Any) -> Values:
        data = np.empty(len(features), dtype=object)
        data[:] = [f"{self.name_}_{rng.bytes(8).hex()}" for _ in range(len(features))]
        return Values(data, np.zeros(len(features), dtype=bool))


class CategoryCodec(Codec):
    """A column of categories: one-hot, or points of a few dimensions; missing is one of them.

    With ``n_embedding`` the categories are points drawn from a normal distribution, far apart
    from each other; features are read as the probabilities of a mixture of narrow normals around
    them, weighted by the categories' shares.
    """

    def __init__(self, values: Values, n_embedding: int | None = None, seed: int = 0) -> None:
        counts: dict[Any, int] = {}
        for value in values.present:
            counts[value] = counts.get(value, 0) + 1
        self.values_ = sorted(counts, key=lambda value: (-counts[value], str(value)))
        self.codes_ = {value: k for k, value in enumerate(self.values_)}
        self.missing_ = bool(values.missing.any())
        self.dtype_ = values.data.dtype
        frequencies = [counts[v] for v in self.values_] + [values.missing.sum()] * self.missing_
        self.shares_ = np.array(frequencies) / len(values.data)
        self.points_, k = None, len(self.shares_)
        labels = [*map(str, self.values_), *["missing"] * self.missing_]
        if n_embedding is None:
            self.blocks, self.names = [("categorical", k)], [f"_{label}" for label in labels]
            return
        rng = np.random.RandomState(seed)
        self.points_ = rng.standard_normal((k, n_embedding)) / np.sqrt(n_embedding)
        nearest = KDTree(self.points_).query(self.points_, k=2)[0][:, 1]  # after itself
        self.narrowness_ = 20 / nearest.min() ** 2
        self.blocks = [("embedding", n_embedding)]
        self.names = [f"_embedding{i}" for i in range(n_embedding)]

    def encode(self, name: Any, values: Values) -> np.ndarray:
        codes = np.array([self.codes_.get(v, -1) for v in values.data], dtype=int)
        codes[values.missing] = len(self.values_) if self.missing_ else -1
        if (codes < 0).any():
            unknown = values.data[codes < 0][0] if not values.missing[codes < 0][0] else None
            what = "a missing value" if unknown is None else f"the unknown category {unknown!r}"
            raise ValueError(
                f"Column {name!r} has {what}: {len(self.values_)} categories were seen in fit, "
                f"such as {self.values_[:3]}. Fit on rows that have them all, or replace it."
            )
        if self.points_ is not None:
            return self.points_[codes]
        return np.eye(len(self.shares_))[codes]

    def _probabilities(self, features: np.ndarray, narrowness: float | None) -> np.ndarray:
        if self.points_ is None:
            return features
        squares = (self.points_**2).sum(1) - 2 * features @ self.points_.T
        logits = np.log(self.shares_) - (narrowness or self.narrowness_) * squares
        P = np.exp(logits - logits.max(1, keepdims=True))
        return P / P.sum(1, keepdims=True)

    def correction(self, real: np.ndarray, drawn: np.ndarray, sharp: bool) -> Any:
        shares, narrowness = self._probabilities(real, None).mean(0), None
        if self.points_ is not None:  # as wide as draws are away from the points
            squares = (self.points_**2).sum(1) - 2 * drawn @ self.points_.T
            away = np.median((drawn**2).sum(1) + squares.min(1))
            narrowness = min(self.narrowness_, drawn.shape[1] / (2 * max(away, 1e-12)))
            sharp = False
        reader = StateReader(sharp).fit(self._probabilities(drawn, narrowness), shares)
        return reader, narrowness

    def decode(self, features: np.ndarray, rng: np.random.RandomState, correction: Any) -> Values:
        reader, narrowness = correction or (StateReader(), None)
        codes = reader.draw(self._probabilities(features, narrowness), rng)
        pool = np.empty(len(self.shares_), dtype=self.dtype_)
        for k, value in enumerate(self.values_):
            pool[k] = value
        pool[len(self.values_) :] = self.values_[0]
        return Values(pool[codes], codes == len(self.values_))


class NumberCodec(Codec):
    """A column of numbers, or times: spikes and missing values are states of their own.

    The states are the modes of the scale, the spikes, and "missing"; the last feature is where a
    value lies in its mode, 0 in the other states. A column of one state has that feature alone.
    """

    def __init__(
        self, values: Values, scale: str, spike_share: float, precision: str, seed: int
    ) -> None:
        x = values.present
        self.dtype_, self.origin_, self.step_ = x.dtype, 0, 1
        if x.dtype == np.int64:  # times, counted in the greatest step that all are multiples of
            self.origin_ = int(x.min())
            # unsigned: nanoseconds of 300 years are more than int64 holds
            self.step_ = int(np.gcd.reduce((x - self.origin_).view(np.uint64))) or 1
            precision = "int64"
        x = self._number(x)
        self.grid_ = Grid().fit(x, precision)
        found, counts = np.unique(x, return_counts=True)
        many = (counts >= spike_share * len(values.data)) & (len(found) > 2)
        self.spikes_ = found[many]
        others = x[~np.isin(x, self.spikes_)]
        others = others if len(others) else x  # a scale that no row needs
        self.scale_ = make_scale(scale, others).fit(others, seed)
        self.missing_ = bool(values.missing.any())
        n_modes = self.scale_.n_modes
        self.n_states_ = n_modes + len(self.spikes_) + self.missing_
        self.blocks, self.names = [("gaussian", 1)], [""]
        if self.n_states_ > 1:
            modes = [f"_mode{k}" if n_modes > 1 else "_other" for k in range(n_modes)]
            spikes = [f"_{spike:g}" for spike in self.spikes_]
            self.blocks.insert(0, ("categorical", self.n_states_))
            self.names = [*modes, *spikes, *["_missing"] * self.missing_, ""]

    def _number(self, x: np.ndarray) -> np.ndarray:
        if x.dtype != np.int64:
            return x
        exact = ((x - self.origin_) // self.step_).astype(float)
        rough = (x.astype(float) - self.origin_) / self.step_
        return np.where(np.abs(rough) * self.step_ < 2.0**62, exact, np.round(rough))

    def encode(self, name: Any, values: Values) -> np.ndarray:
        if values.missing.any() and not self.missing_:
            raise ValueError(
                f"Column {name!r} has missing values, and had none in the rows of fit: fill them, "
                "or fit on rows that have some."
            )
        x, n_modes = self._number(values.data), self.scale_.n_modes
        states = np.full(len(x), self.n_states_ - 1)
        spike = np.searchsorted(self.spikes_, np.where(values.missing, self.grid_.low_, x))
        spike = spike.clip(0, max(len(self.spikes_) - 1, 0))
        on_spike = ~values.missing & (np.append(self.spikes_, np.nan)[spike] == x)
        states[on_spike] = n_modes + spike[on_spike]
        free = ~values.missing & ~on_spike
        place = np.zeros(len(x))
        states[free], place[free] = self.scale_.encode(x[free])
        if self.n_states_ == 1:
            return place[:, None]
        return np.c_[np.eye(self.n_states_)[states], place]

    def correction(self, real: np.ndarray, drawn: np.ndarray, sharp: bool) -> Any:
        reader, maps = StateReader(sharp), {}
        states = np.zeros(len(real), dtype=int)
        drawn_states = np.zeros(len(drawn), dtype=int)
        if self.n_states_ > 1:
            reader.fit(drawn[:, :-1], real[:, :-1].mean(0))
            states = real[:, :-1].argmax(1)
            drawn_states = reader.draw(drawn[:, :-1], np.random.RandomState(0))
        for mode in range(self.scale_.n_modes):
            wanted, found = real[states == mode, -1:], drawn[drawn_states == mode, -1:]
            if min(len(wanted), len(found)) >= _ROWS_OF_A_MAP:
                maps[mode] = QuantileMap().fit(wanted, found)
        return reader, maps

    def decode(self, features: np.ndarray, rng: np.random.RandomState, correction: Any) -> Values:
        reader, maps = correction or (StateReader(), {})
        states = np.zeros(len(features), dtype=int)
        if self.n_states_ > 1:
            states = reader.draw(features[:, :-1], rng)
        place, n_modes = features[:, -1].astype(float), self.scale_.n_modes
        for mode, quantiles in maps.items():
            at = states == mode
            place[at] = quantiles.transform(place[at, None])[:, 0]
        missing = (states == self.n_states_ - 1) & self.missing_
        x = self.grid_.snap(self.scale_.decode(np.minimum(states, n_modes - 1), place))
        on_spike = (states >= n_modes) & ~missing
        x[on_spike] = self.spikes_[states[on_spike] - n_modes]
        if self.dtype_ == np.int64:
            return Values(x.astype(np.int64) * self.step_ + self.origin_, missing)
        return Values(x, missing)
