"""From codes to strings and scores, whatever the objective does."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from geomgen._random import draw_seed

__all__ = ["Evaluator", "Table", "check_rounds", "score_strings"]

Table = dict[str, Any]

_SPARE = 4  # codes proposed for each string that is needed, and for each of these next time
_ATTEMPTS = 3  # proposals a round before it ends with fewer strings than asked for


@dataclass(frozen=True)
class Evaluator:
    """Decodes codes and scores the strings; the fields are those of the optimizer.

    ``first`` are the strings that the optimizer was given: no others are novel.
    """

    estimator: Any
    objective: Callable
    valid: Callable | None
    first: Set[str]
    batch_size: int
    n_decodes: int
    duplicates: bool

    def evaluate(
        self,
        r: int,
        propose: Callable[[int], np.ndarray],
        taken: Set[str],
        rng: np.random.RandomState,
    ) -> Table:
        """Propose codes until there are enough strings, and score these."""
        codes: list[np.ndarray] = []
        strings: list[str] = []
        passed = set() if self.duplicates else set(taken)
        for attempt in range(1, _ATTEMPTS + 1):
            missing = self.batch_size - len(strings)
            Z = propose(missing if self.duplicates else _SPARE**attempt * missing)
            for code, string in zip(Z, self._decode(Z, passed, rng), strict=True):
                if len(strings) < self.batch_size and (self.duplicates or string):
                    codes.append(np.asarray(code, float))
                    strings.append(string)
            if len(strings) == self.batch_size:
                return self._scored(r, codes, strings)
        warnings.warn(
            f"Round {r} found {len(strings)} of batch_size={self.batch_size} strings that were "
            "not scored before: raise n_decodes or n_candidates, or allow duplicates.",
            UserWarning,
            stacklevel=4,
        )
        return self._scored(r, codes, strings)

    def _decode(self, Z: np.ndarray, passed: set[str], rng: np.random.RandomState) -> list[str]:
        """Decode each code, to the commonest string that is not empty and not passed over."""
        many = np.repeat(Z, self.n_decodes, axis=0)
        drawn = self.estimator.inverse_transform(many, sample=True, random_state=draw_seed(rng))
        kept = []
        for i in range(0, len(many), self.n_decodes):
            counts = Counter(str(s) for s in drawn[i : i + self.n_decodes] if s)
            kept.append(next((s for s, _ in counts.most_common() if s not in passed), ""))
            if not self.duplicates:
                passed.add(kept[-1])
        return kept

    def _scored(self, r: int, codes: list[np.ndarray], strings: list[str]) -> Table:
        scores = score_strings(self.objective, strings)
        valid = ~np.isnan(scores)
        if self.valid is not None and valid.any():
            asked = [s for s, ok in zip(strings, valid, strict=True) if ok]
            told = np.asarray(self.valid(asked), dtype=bool)
            if told.shape != (len(asked),):
                raise ValueError(
                    f"valid returned an array of shape {told.shape} for {len(asked)} strings: it "
                    "must return one bool a string."
                )
            valid[valid] = told
        novel = np.array([bool(s) and s not in self.first for s in strings], dtype=bool)
        columns = {"round": [r] * len(strings), "code": codes, "string": strings, "score": scores}
        return {**columns, "failed": np.isnan(scores), "valid": valid, "novel": novel}


def score_strings(objective: Callable[[list[str]], Any], strings: list[str]) -> np.ndarray:
    """Score strings; NaN where the objective fails, whatever the failure.

    The whole list is tried first. If the objective raises, or returns something other than a
    number for each string, each string is tried alone. Only interruptions pass through.

    Parameters
    ----------
    objective : callable
        ``(list of str) -> scores``.
    strings : list of str
        Strings; an empty one is a failure, and the objective never sees it.

    Returns
    -------
    ndarray of shape (len(strings),)
        Finite scores, or NaN.
    """
    scores = np.full(len(strings), np.nan)
    at = [i for i, string in enumerate(strings) if string]
    if not at:
        return scores
    found = _try(objective, [strings[i] for i in at])
    if found is None:
        alone = (_try(objective, [strings[i]]) for i in at)
        found = np.array([np.nan if one is None else one[0] for one in alone])
    scores[at] = np.where(np.isfinite(found), found, np.nan)
    return scores


def _try(objective: Callable[[list[str]], Any], strings: list[str]) -> np.ndarray | None:
    try:
        scores = np.asarray(objective(strings), dtype=float)
    except Exception:  # the objective is the user's: any failure is a failure of its strings
        return None
    return scores if scores.shape == (len(strings),) else None


def check_rounds(n_rounds: Any) -> int:
    """Return a number of rounds, or raise."""
    if not isinstance(n_rounds, int | np.integer) or n_rounds < 1:
        raise ValueError(f"n_rounds={n_rounds!r} must be an int in [1, inf).")
    return int(n_rounds)
