"""What the vectorizers of strings share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from geomgen._fields import estimator
from geomgen.sequence._strings import as_floats, check_strings
from geomgen.sequence.expressions import EXPRESSIONS
from geomgen.sequence.grammar import Grammar

__all__ = ["SequenceVectorizer", "check_grammar"]


def check_grammar(grammar: Any) -> Grammar:
    """Return a parameter ``grammar`` as a Grammar: None is EXPRESSIONS, a text is read."""
    if grammar is None:
        return EXPRESSIONS
    if isinstance(grammar, str):
        return Grammar(grammar)
    if not isinstance(grammar, Grammar):
        raise TypeError(f"grammar={grammar!r} must be a Grammar, its text, or None.")
    return grammar


class _Shaped:
    shape_: tuple[int, int]  # of a fitted vectorizer


@estimator
class SequenceVectorizer(_Shaped, TransformerMixin, BaseEstimator):
    """Strings as one-hot tables (steps x symbols), in flat rows; the last symbol is padding."""

    on_error: Annotated[
        Literal["raise", "skip"],
        """What is done with strings that have no row: skipping leaves them out of the rows, which
        are then fewer.""",
    ] = "raise"
    dtype: Annotated[Any, "Of the rows: a numpy dtype of numbers."] = np.float32

    @abstractmethod
    def _encode(self, strings: list[str]) -> tuple[np.ndarray, ValueError | None]:
        """Return symbols (n, steps), rows of -1 where a string has none, and its error."""

    @abstractmethod
    def _symbols(self) -> list[str]:
        """Name the symbols, but for the padding."""

    @abstractmethod
    def decode(
        self, logits: Any, sample: bool = False, random_state: Any = None, budget: bool = True
    ) -> np.ndarray:
        """Read strings off tables of logits."""

    def transform(self, strings: Any) -> np.ndarray:
        """Write strings as one-hot rows.

        Parameters
        ----------
        strings : array-like of str of shape (n,)
            Strings.

        Returns
        -------
        ndarray of shape (n, steps * symbols)
            One row a string; with on_error="skip", of those that have one.

        Raises
        ------
        ValueError
            If a string has no row and on_error="raise"; the message has the string and the
            position.
        """
        check_is_fitted(self)
        codes, error = self._encode(check_strings(strings))
        if error is not None and self.on_error == "raise":
            raise error
        codes = codes[codes[:, 0] >= 0]
        steps, symbols = self.shape_
        rows = np.zeros((len(codes), steps, symbols), dtype=self.dtype)
        np.put_along_axis(rows, codes[:, :, None], 1, axis=2)
        return rows.reshape(len(codes), steps * symbols)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Read strings off rows: one-hot, or any scores (see decode).

        Parameters
        ----------
        X : array-like of shape (n, steps * symbols)
            Rows.

        Returns
        -------
        ndarray of str of shape (n,)
            Strings.

        Raises
        ------
        ValueError
            If X has another number of columns, NaN or infinity.
        """
        check_is_fitted(self)
        rows = as_floats(X, "X")
        width = self.shape_[0] * self.shape_[1]
        if rows.ndim != 2 or rows.shape[1] != width:
            raise ValueError(f"X has shape {rows.shape}: it must be (n, {width}).")
        return self.decode(rows.reshape(len(rows), *self.shape_))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns: a step and a symbol each.

        Parameters
        ----------
        input_features : ignored
            Strings have no features.

        Returns
        -------
        ndarray of object
            Such as ``"0: S -> T"``.
        """
        check_is_fitted(self)
        symbols = [*self._symbols(), "padding"]
        names = [f"{step}: {symbol}" for step in range(self.shape_[0]) for symbol in symbols]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags
