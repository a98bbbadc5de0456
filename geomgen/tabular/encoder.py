"""Frames of mixed types as features, and back."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from geomgen._fields import Count, Fraction, check_fields, estimator
from geomgen._random import draw_seed, substream
from geomgen.tabular._codecs import CategoryCodec, Codec, ConstantCodec, KeyCodec, NumberCodec
from geomgen.tabular._storage import Storage, Values, build_frame, column_names, read_column

__all__ = ["TableEncoder"]

_KINDS = ("numeric", "categorical", "key")
_FEW = 20  # rows below which hardly anything is a key


@estimator
class TableEncoder(TransformerMixin, BaseEstimator):
    r"""Columns of any type as features of a model, and features as columns again.

    Numbers and times become one feature each, scaled; a value that most rows share, and missing
    values, are states of their own, one-hot beside it. Categories and booleans become one-hot
    features, and points of a few dimensions where they are many; missing is one more category. On
    the way back, probabilities of categories and states are drawn from, so that rare ones
    survive; numbers are rounded as the column was, and stay inside its bounds. Constant columns
    have no feature. Columns of strings of which another stands in almost every row are keys: they
    have no feature either, and come back as new keys.

    A frame comes back with the columns, their order, names and dtypes, of the frame of ``fit``,
    pandas or polars, and pandas rows with the index of the features, if these are a frame.

    Attributes
    ----------
    blocks_ : list of (str, int)
        Kinds and widths of the features in their order, as ``feature_blocks`` of the estimators
        takes them.
    feature_names_in_ : ndarray of object of shape (n_columns,)
        Names of the columns.
    n_features_in_ : int
        Number of columns.
    kinds_ : dict of name to str
        What each column was taken for: "number", "category", "constant" or "key".

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"age": [31, 45, 62, 45], "city": ["Rome", "Oslo", None, "Rome"]})
    >>> encoder = TableEncoder().fit(X)
    >>> encoder.get_feature_names_out().tolist()
    ['age', 'city_Rome', 'city_Oslo', 'city_missing']
    >>> encoder.inverse_transform(encoder.transform(X)).equals(X)
    True
    """

    numeric: Annotated[
        Literal["auto", "standard", "quantile", "modes"],
        """Scale of numbers: mean 0 and variance 1; normal scores; or standard units within the
        likeliest component of a mixture, a state of its own. ``"auto"`` is the first, and normal
        scores where a standard deviation is 30 times as wide as the middle 98 % of the values.""",
    ] = "auto"
    categorical: Annotated[
        Literal["auto", "onehot", "embedding"],
        """Categories as one-hot features, or as points of ``n_embedding`` dimensions; ``"auto"``
        takes points where they are more than ``max_onehot``.""",
    ] = "auto"
    max_onehot: Annotated[Count, "Most categories of a column that are one-hot."] = 50
    n_embedding: Annotated[Count, "Dimensions of the points that stand for categories."] = 16
    spike_share: Annotated[
        Fraction, "Share of the rows from which one number's rows are a state of their own."
    ] = 0.8
    kinds: Annotated[
        dict | None,
        """What columns are to be taken for, by their names, where the dtype misleads:
        ``"numeric"``, ``"categorical"`` (such as codes written as integers) or ``"key"``.""",
    ] = None
    dtype: Annotated[Literal["float64", "float32"], "Of the features."] = "float64"
    random_state: Annotated[Any, "Seed of embeddings, modes, and draws of categories."] = None

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the columns' types, scales, categories and dtypes.

        Parameters
        ----------
        X : pandas or polars DataFrame of shape (n_samples, n_columns)
            Rows.
        y : object
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If X is no frame, or a column's dtype is not supported.
        ValueError
            For a parameter's value, an infinite number, or two columns of one name.

        Warns
        -----
        UserWarning
            Of columns that are taken for keys.
        """
        check_fields(self)
        names = column_names(X)
        unknown = [name for name in self.kinds or {} if name not in names]
        if unknown or not set((self.kinds or {}).values()) <= set(_KINDS):
            raise ValueError(
                f"kinds={self.kinds!r} must map columns of X ({unknown} are none) to {_KINDS}."
            )
        seed = draw_seed(self.random_state)
        storages, codecs = {}, {}
        for position, name in enumerate(names):
            storages[name], values = read_column(X, name)
            codecs[name] = self._codec(name, storages[name], values, substream(seed, position))
        self.storages_: dict[Any, Storage] = storages
        self.codecs_: dict[Any, Codec] = codecs
        self._seed = substream(seed, len(names))
        pandas = isinstance(X, pd.DataFrame)
        self.library_ = "pandas" if pandas else "polars"
        self.header_: Any = X.columns if pandas else None
        self.index_name_: Any = X.index.name if pandas else None
        self.feature_names_in_ = np.empty(len(names), dtype=object)
        self.feature_names_in_[:] = names
        self.n_features_in_ = len(names)
        self.blocks_ = [block for codec in codecs.values() for block in codec.blocks]
        self._warn_of_keys()
        return self

    @property
    def kinds_(self) -> dict[Any, str]:
        """What each column was taken for."""
        words = ((n, type(codec).__name__) for n, codec in self.codecs_.items())
        return {name: word.removesuffix("Codec").lower() for name, word in words}

    def transform(self, X: Any) -> np.ndarray:
        """Encode rows.

        Parameters
        ----------
        X : pandas or polars DataFrame of shape (n_samples, n_columns)
            Rows with the columns of ``fit``, in any order, and perhaps others.

        Returns
        -------
        ndarray of shape (n_samples, n_features)

        Raises
        ------
        ValueError
            For a category, or missing values, that ``fit`` did not see; it names the column.
        """
        check_is_fitted(self)
        names = set(column_names(X))
        lacking = [name for name in self.codecs_ if name not in names]
        if lacking:
            raise ValueError(f"X lacks the columns {lacking[:5]} of the rows of fit.")
        out = np.empty((len(X), self._n_features_out), dtype=self.dtype)
        start = 0
        for name, codec in self.codecs_.items():
            (storage, values), fitted = read_column(X, name), self.storages_[name]
            if storage.kind != fitted.kind and not values.missing.all():
                raise ValueError(
                    f"Column {name!r} is of dtype {storage.dtype}, and was of {fitted.dtype} in "
                    "the rows of fit: convert it."
                )
            if storage.kind != fitted.kind:  # a column of nothing has no type of its own
                blank = np.zeros(len(X), {"discrete": object, "time": np.int64}.get(fitted.kind))
                values = Values(blank, values.missing)
            out[:, start : start + codec.width] = codec.encode(name, values)
            start += codec.width
        return out

    def inverse_transform(self, X: Any, random_state: Any = None) -> Any:
        """Decode features.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_features)
            Features; for categories and states, their probabilities.
        random_state : int, RandomState or None, default=None
            Of the draws of categories; None takes a seed drawn in ``fit``.

        Returns
        -------
        DataFrame of shape (n_samples, n_columns)
        """
        check_is_fitted(self)
        index = X.index if isinstance(X, pd.DataFrame) else None
        features = np.asarray(X, dtype=np.float64)
        if features.ndim != 2 or features.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has shape {features.shape}, and {self._n_features_out} features are needed."
            )
        if not np.isfinite(features).all():
            raise ValueError("X contains NaN or infinity.")
        rng = check_random_state(self._seed if random_state is None else random_state)
        return self.build(self.decode(features, rng), index)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the features: the column's name, and what tells its features apart.

        Parameters
        ----------
        input_features : object
            Ignored: the columns have names of their own.

        Returns
        -------
        ndarray of object of shape (n_features,)
        """
        check_is_fitted(self)
        made = [f"{name}{end}" for name, codec in self.codecs_.items() for end in codec.names]
        return np.array(made, dtype=object)

    # ------------------------------------------------------------------- what generators use
    def decode(
        self,
        features: np.ndarray,
        rng: np.random.RandomState,
        corrections: dict[Any, Any] | None = None,
    ) -> dict[Any, Values]:
        """Decode features to plain arrays by column, read as ``corrections`` say."""
        found, start = {}, 0
        for name, codec in self.codecs_.items():
            part = features[:, start : start + codec.width]
            found[name] = codec.decode(part, rng, (corrections or {}).get(name))
            start += codec.width
        return found

    def corrections(
        self, real: np.ndarray, drawn: np.ndarray, sharp: bool, but: Any = None
    ) -> dict[Any, Any]:
        """Learn how features of a generator are to be read for the columns' laws to be right."""
        found, start = {}, 0
        for name, codec in self.codecs_.items():
            at = slice(start, start + codec.width)
            if name != but:
                found[name] = codec.correction(real[:, at], drawn[:, at], sharp)
            start += codec.width
        return found

    def build(self, columns: dict[Any, Values], index: Any = None) -> Any:
        """Make a frame, in the library of ``fit``, of plain arrays by column."""
        n = len(next(iter(columns.values())).data)
        if index is None:
            index = pd.RangeIndex(n, name=self.index_name_)
        made = {name: self.storages_[name].restore(name, v) for name, v in columns.items()}
        return build_frame(made, self.library_, index, self.header_)

    @property
    def _n_features_out(self) -> int:
        return sum(codec.width for codec in self.codecs_.values())

    # ------------------------------------------------------------------------------- choosing
    def _codec(self, name: Any, storage: Storage, values: Values, seed: int) -> Codec:
        present, given = values.present, (self.kinds or {}).get(name)
        distinct = len(set(present.tolist()))
        if distinct == 0 or (distinct == 1 and not values.missing.any()):
            return ConstantCodec(values)
        if given == "numeric" and storage.kind == "discrete":
            raise ValueError(
                f"kinds calls column {name!r} numeric, and it is of dtype {storage.dtype}: convert "
                "it, for example by pandas.to_numeric."
            )
        strings = all(isinstance(value, str) for value in present.tolist())
        if given == "key" and not strings:
            raise ValueError(f"kinds calls column {name!r} a key, and it does not hold strings.")
        # Strings that hardly repeat say nothing; a dtype of categories does.
        loose = strings and not hasattr(storage.dtype, "categories")
        key = loose and len(present) >= _FEW and distinct > 0.5 * len(present)
        if given == "key" or (key and given is None):
            return KeyCodec(name)
        if storage.kind != "discrete" and given != "categorical" and distinct > 2:
            return NumberCodec(values, self.numeric, self.spike_share, storage.precision, seed)
        embedded = self.categorical == "embedding" or (
            self.categorical == "auto" and distinct + values.missing.any() > self.max_onehot
        )
        return CategoryCodec(values, self.n_embedding if embedded else None, seed)

    def _warn_of_keys(self) -> None:
        given = self.kinds or {}
        keys = [name for name, kind in self.kinds_.items() if kind == "key" and name not in given]
        if keys:
            warnings.warn(
                f"Columns {keys[:5]} hold another string in almost every row: they are taken for "
                "keys, and generated rows get new ones. Drop them, or say what they are by "
                "kinds={name: 'key'} or 'categorical'.",
                UserWarning,
                stacklevel=3,
            )
