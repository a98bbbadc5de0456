"""Strings as one-hot rows, of rules or of characters, and back."""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from geomgen._fields import Count, check_fields, estimator
from geomgen.sequence._notation import show
from geomgen.sequence._strings import as_floats, check_strings, make_pick
from geomgen.sequence._vectorizing import SequenceVectorizer, check_grammar

__all__ = ["CharacterVectorizer", "GrammarVectorizer"]


@estimator
class GrammarVectorizer(SequenceVectorizer):
    """Strings of a grammar as one-hot rows of the rules of their leftmost derivations.

    Attributes
    ----------
    grammar_ : Grammar
        The grammar.
    shape_ : tuple of int
        Steps (the grammar's max_length) and symbols (its rules and the padding).

    See Also
    --------
    CharacterVectorizer : Without a grammar.

    References
    ----------
    Kusner, Paige and Hernandez-Lobato, 2017, *Grammar variational autoencoder*, section 3.1.

    Examples
    --------
    >>> vectorizer = GrammarVectorizer().fit(["x+1"])
    >>> X = vectorizer.transform(["x+1", "sin(x)"])
    >>> X.shape, X.sum()
    ((2, 180), np.float32(30.0))
    >>> vectorizer.inverse_transform(X)
    array(['x+1', 'sin(x)'], dtype='<U6')
    """

    grammar: Annotated[
        Any, "A Grammar, its text (of at most 15 rules a string), or None for EXPRESSIONS."
    ] = None

    def fit(self, strings: Any, y: Any = None) -> Self:
        """Read the grammar; the strings themselves teach nothing.

        Parameters
        ----------
        strings : array-like of str of shape (n,)
            Strings; that they parse is seen by transform.
        y : ignored
            For Pipelines.

        Returns
        -------
        self
        """
        check_fields(self)
        check_strings(strings)
        self.grammar_ = check_grammar(self.grammar)
        self.shape_ = self.grammar_.shape
        return self

    def _encode(self, strings: list[str]) -> tuple[np.ndarray, ValueError | None]:
        return self.grammar_._parse(strings, stop=self.on_error == "raise")

    def _symbols(self) -> list[str]:
        return [show(rule) for rule in self.grammar_.rules]

    def decode(
        self, logits: Any, sample: bool = False, random_state: Any = None, budget: bool = True
    ) -> np.ndarray:
        """Read strings off logits of rules, by the grammar's masks.

        Parameters
        ----------
        logits : array-like or Tensor of shape (n, steps, symbols)
            Finite scores.
        sample : bool, default=False
            Whether to draw rules; else the likeliest are taken.
        random_state : int, RandomState or None, default=None
            Of draws; None is numpy's global state.
        budget : bool, default=True
            Whether to mask what could not end in the steps left. Without it, a derivation that
            does not end gives ``""``.

        Returns
        -------
        ndarray of str of shape (n,)
            Strings.
        """
        check_is_fitted(self)
        state = check_random_state(random_state) if sample else None
        return self.grammar_.unparse(self.grammar_.decode(logits, budget, state))


@estimator
class CharacterVectorizer(SequenceVectorizer):
    """Strings as one-hot rows of their characters, which are Unicode's code points.

    Attributes
    ----------
    charset_ : str
        The characters, sorted where they are learnt.
    shape_ : tuple of int
        Steps (the longest string's) and symbols (the characters and the padding).

    See Also
    --------
    GrammarVectorizer : Of which every decoded string is valid.

    References
    ----------
    Gomez-Bombarelli et al., 2018, *Automatic chemical design using a data-driven continuous
    representation of molecules*.

    Examples
    --------
    >>> vectorizer = CharacterVectorizer().fit(["x+1", "é"])
    >>> vectorizer.charset_, vectorizer.shape_
    ('+1xé', (3, 5))
    >>> vectorizer.inverse_transform(vectorizer.transform(["1+é", "x"]))
    array(['1+é', 'x'], dtype='<U3')
    """

    charset: Annotated[str | None, "The characters; None takes those of the strings at fit."] = None
    max_length: Annotated[Count | None, "Steps; None takes the longest string at fit."] = None

    def fit(self, strings: Any, y: Any = None) -> Self:
        """Learn the characters and the length, where they are not given.

        Parameters
        ----------
        strings : array-like of str of shape (n,)
            Strings.
        y : ignored
            For Pipelines.

        Returns
        -------
        self
        """
        check_fields(self)
        listed = check_strings(strings)
        charset = "".join(sorted(set("".join(listed)))) if self.charset is None else self.charset
        if len(set(charset)) < len(charset) or not charset or "\0" in charset:
            raise ValueError(
                f"charset={charset!r} must be distinct characters, one at least, without NUL."
            )
        length = max(map(len, listed), default=0) if self.max_length is None else self.max_length
        if length < 1:
            raise ValueError("strings are all empty: give one that is not, or max_length.")
        self.charset_ = charset
        self.shape_ = int(length), len(charset) + 1
        return self

    def _encode(self, strings: list[str]) -> tuple[np.ndarray, ValueError | None]:
        steps, padding = self.shape_[0], len(self.charset_)
        codes = np.full((len(strings), steps), padding)
        number = {character: i for i, character in enumerate(self.charset_)}
        bad = {i for i, string in enumerate(strings) if len(string) > steps}
        fine = [string if i not in bad else "" for i, string in enumerate(strings)]
        lengths = np.array([len(string) for string in fine], dtype=np.int64)
        flat = np.array([number.get(c, -1) for string in fine for c in string], dtype=np.int64)
        codes[np.arange(steps) < lengths[:, None]] = flat
        bad.update(np.flatnonzero((codes < 0).any(axis=1)).tolist())
        codes[sorted(bad)] = -1
        return codes, self._complaint(strings[min(bad)]) if bad else None

    def _complaint(self, string: str) -> ValueError:
        for at, character in enumerate(string):
            if character not in self.charset_:
                return ValueError(
                    f"{string!r}: {character!r} at position {at} is not of the charset "
                    f"{self.charset_!r}. Add it, or set on_error='skip'."
                )
        return ValueError(
            f"{string!r} has {len(string)} characters: more than max_length={self.shape_[0]}. "
            "Raise max_length, or set on_error='skip'."
        )

    def _symbols(self) -> list[str]:
        return list(self.charset_)

    def decode(
        self, logits: Any, sample: bool = False, random_state: Any = None, budget: bool = True
    ) -> np.ndarray:
        """Read strings off logits of characters; a string ends at its first padding.

        Parameters
        ----------
        logits : array-like or Tensor of shape (n, steps, symbols)
            Finite scores.
        sample : bool, default=False
            Whether to draw characters; else the likeliest are taken.
        random_state : int, RandomState or None, default=None
            Of draws; None is numpy's global state.
        budget : ignored
            A charset has no rules that could go on.

        Returns
        -------
        ndarray of str of shape (n,)
            Strings.
        """
        check_is_fitted(self)
        scores = as_floats(logits, "logits")
        if scores.ndim != 3 or scores.shape[2] != self.shape_[1]:
            raise ValueError(
                f"logits has shape {scores.shape}: it must be (n, steps, {self.shape_[1]}), a "
                "column for each character and one for the padding."
            )
        n, steps, symbols = scores.shape
        pick = make_pick(check_random_state(random_state) if sample else None)
        codes = pick(scores.reshape(-1, symbols)).reshape(n, steps)
        ended = np.logical_or.accumulate(codes == symbols - 1, axis=1)
        table = np.array([*map(ord, self.charset_), 0], dtype=np.uint32)
        text = np.ascontiguousarray(np.where(ended, 0, table[codes]), dtype=np.uint32)
        return text.view(f"<U{steps}")[:, 0]
