"""Bayesian optimisation of strings over the codes of an autoencoder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import field
from functools import partial
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from geomgen._fields import Count, Interval, check_fields, estimator
from geomgen._random import draw_seed, substream
from geomgen.sequence._acquisition import greedy_batch, pool_of, refine, thompson_batch
from geomgen.sequence._domains import domain_of
from geomgen.sequence._evaluating import Evaluator, Table, check_rounds, score_strings
from geomgen.sequence._result import OptimizationResult
from geomgen.sequence._surrogate import fit_surrogate, require_botorch

__all__ = ["LatentOptimizer"]


@estimator
class LatentOptimizer(MetaEstimatorMixin, BaseEstimator):
    r"""Search for strings with good scores by Bayesian optimisation over an estimator's codes.

    Each round fits a Gaussian process to the scores at all known codes, chooses a batch of codes,
    decodes each ``n_decodes`` times by sampling, keeps the commonest string that is not empty,
    and scores it. Codes are searched for in the box of the known ones, or on the sphere if they
    have unit length; candidates are drawn there and beside the best known codes.

    ``fit`` takes the strings known from the start; ``run`` evaluates. Calling ``run`` again goes
    on, after pickling too: ``run(2)`` then ``run(3)`` is ``run(5)``. Needs BoTorch:
    ``pip install "geomgen[bo]"``.

    Attributes
    ----------
    codes_ : ndarray of shape (n_known, n_components)
        Codes of the strings given to ``fit``, then those evaluated.
    scores_ : ndarray of shape (n_known,)
        Their scores; NaN for failures, which count as the worst score known.
    n_rounds_done_ : int
        Rounds evaluated so far.
    result_ : OptimizationResult
        Of all rounds so far.

    Notes
    -----
    The average score alone can be made good by proposing the same known string again and again:
    read it beside ``distinct``, ``novel`` and ``best_novel`` of the result, and beside
    ``random_baseline()``.

    References
    ----------
    Kusner et al., 2017, *Grammar variational autoencoder*, for the protocol; paper L, section 7.

    Examples
    --------
    >>> import numpy as np
    >>> class Letters:  # an "autoencoder" of words of one letter
    ...     fitted_ = True
    ...
    ...     def transform(self, X):
    ...         return np.array([[ord(x) - ord("a")] for x in X], float)
    ...
    ...     def inverse_transform(self, Z, sample=False, random_state=None):
    ...         return np.array([chr(ord("a") + int(round(z))) for z in Z[:, 0]])
    >>> def distance_to_q(strings):
    ...     return [abs(ord(s) - ord("q")) for s in strings]
    >>> search = LatentOptimizer(
    ...     Letters(), distance_to_q, n_rounds=2, batch_size=1, random_state=0
    ... )
    >>> search.fit(["a", "f", "k", "z"]).run().best
    ('p', 1.0)
    """

    estimator: Annotated[
        Any,
        """Fitted, with ``transform(strings)`` and ``inverse_transform(codes, sample,
        random_state)``.""",
    ] = field(default=None, kw_only=False)
    objective: Annotated[
        Any,
        """``(list of str) -> scores``, lower is better. If it raises, or returns something other
        than a finite number a string, it is asked string by string, and strings that still fail
        get the worst score known.""",
    ] = field(default=None, kw_only=False)
    acquisition: Annotated[
        Literal["log_ei", "thompson"],
        """How a batch is chosen: greedily by log expected improvement, each code as if those
        before had been found to be as expected; or the best of a joint draw for each code.""",
    ] = "log_ei"
    n_rounds: Annotated[Count, "Rounds of a ``run``."] = 5
    batch_size: Annotated[Count, "Strings evaluated a round."] = 50
    n_decodes: Annotated[Count, "Times that each code is decoded."] = 25
    duplicates: Annotated[
        bool,
        """Whether strings that were scored before may be evaluated again. If not, the commonest
        string that is new stands for a code, and codes that have none are passed over.""",
    ] = False
    maximize: Annotated[bool, "Whether greater scores are better."] = False
    valid: Annotated[
        Callable | None,
        """``(list of str) -> bools``: which strings count as valid; by default all that the
        objective gives a finite score.""",
    ] = None
    max_exact: Annotated[
        Annotated[int, Interval(2)], "Most codes for an exact Gaussian process, not a sparse one."
    ] = 1000
    n_inducing: Annotated[Count, "Inducing points of the sparse Gaussian process."] = 500
    n_candidates: Annotated[Count, "Codes among which each batch is chosen, at least."] = 2000
    random_state: Annotated[Any, "Seed of candidates, decoding and draws."] = None
    verbose: Annotated[
        Annotated[int, Interval(0)] | bool, "1 shows a progress bar of the rounds."
    ] = 0

    def fit(self, X: Any, y: Any = None) -> Self:
        """Start anew from strings that are known: encode them, and score them if need be.

        Parameters
        ----------
        X : array-like of str of shape (n,)
            Strings, at least two, such as those that the estimator was trained on.
        y : array-like of shape (n,), optional
            Their scores, NaN for failures; by default the objective is asked.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For an illegal parameter, strings that cannot be encoded, or no finite score.
        """
        check_fields(self)
        require_botorch()
        strings = self._check(X)
        codes = np.asarray(self.estimator.transform(strings), dtype=float)
        if codes.ndim != 2 or len(codes) != len(strings) or not np.isfinite(codes).all():
            raise ValueError(
                f"estimator.transform gave codes of shape {codes.shape} for {len(strings)} "
                "strings, or some that are not finite: leave strings that it skips out of X."
            )
        scores = self._known_scores(strings, y)
        self._seed = draw_seed(self.random_state)
        self._first, self._domain = frozenset(strings), domain_of(codes)
        self.codes_, self.scores_, self.n_rounds_done_ = codes, scores, 0
        self._tables: list[Table] = []
        return self

    def run(self, n_rounds: int | None = None) -> OptimizationResult:
        """Evaluate more rounds.

        Parameters
        ----------
        n_rounds : int, optional
            Number of rounds; by default the parameter of that name.

        Returns
        -------
        OptimizationResult
            Of all rounds since ``fit``.

        Warns
        -----
        UserWarning
            On Ctrl-C: the rounds that were finished are kept. If a round finds fewer strings
            than ``batch_size`` that were not scored before.
        """
        check_is_fitted(self, "codes_")
        check_fields(self)
        n_rounds = check_rounds(self.n_rounds if n_rounds is None else n_rounds)
        bar = tqdm(range(n_rounds), desc="optimize", unit="round", disable=not self.verbose)
        try:
            for _ in bar:
                self._round()
                bar.set_postfix(best=f"{self.result_.best[1]:.4g}")
        except KeyboardInterrupt:
            warnings.warn(
                f"Interrupted: the {self.n_rounds_done_} finished rounds are kept; call run() to "
                "go on.",
                UserWarning,
                stacklevel=2,
            )
        finally:
            bar.close()
        return self.result_

    def random_baseline(self, n_rounds: int | None = None) -> OptimizationResult:
        """Evaluate random codes at equal budget, decoded and counted in the same way.

        The codes are draws of the estimator's sampler if it has ``sample_latent``, or else uniform
        in the box or on the sphere. What is learnt here does not enter the search.

        Parameters
        ----------
        n_rounds : int, optional
            Rounds; by default as many as were run, or ``n_rounds`` if none was.

        Returns
        -------
        OptimizationResult
        """
        check_is_fitted(self, "codes_")
        default = self.n_rounds_done_ or self.n_rounds
        n_rounds = check_rounds(default if n_rounds is None else n_rounds)
        taken, tables = set(self._first), []
        for r in range(n_rounds):
            rng = np.random.RandomState(substream(self._seed, 1, r))
            draw = partial(self._random, rng=rng)
            tables.append(self._evaluator().evaluate(r, draw, taken, rng))
            taken.update(tables[-1]["string"])
        return OptimizationResult.of(tables, self._worst(), self.maximize)

    @property
    def result_(self) -> OptimizationResult:
        """Of all rounds so far."""
        check_is_fitted(self, "codes_")
        return OptimizationResult.of(self._tables, self._worst(), self.maximize)

    # ---------------------------------------------------------------------------------- checks
    def _check(self, X: Any) -> list[str]:
        for name in ("transform", "inverse_transform"):
            if not hasattr(self.estimator, name):
                raise TypeError(f"estimator={self.estimator!r} must have a method {name}.")
        if not callable(self.objective):
            raise TypeError(f"objective={self.objective!r} must be a callable of strings.")
        if isinstance(X, str) or np.ndim(X) != 1 or len(X) < 2:
            raise ValueError("X must be a sequence of at least two strings.")
        if not all(isinstance(x, str) for x in X):
            raise TypeError("X must hold strings only.")
        return [str(x) for x in X]

    def _known_scores(self, strings: list[str], y: Any) -> np.ndarray:
        if y is None:
            scores = score_strings(self.objective, strings)
        else:
            scores = np.array(y, dtype=float)
            if scores.shape != (len(strings),):
                raise ValueError(f"y has shape {scores.shape}; it must be ({len(strings)},).")
            scores[~np.isfinite(scores)] = np.nan
        if np.isnan(scores).all():
            raise ValueError("No string of X has a finite score: the objective fails on all.")
        return scores

    # ---------------------------------------------------------------------------------- rounds
    def _round(self) -> None:
        """Choose, decode and score a batch; the state changes at the end."""
        r = self.n_rounds_done_
        rng = np.random.RandomState(substream(self._seed, 0, r))
        y = self._utilities()
        model = fit_surrogate(
            torch.from_numpy(self.codes_),
            torch.from_numpy(y),
            self.max_exact,
            self.n_inducing,
            substream(self._seed, 2, r),
        )
        taken = set(self._first).union(*(table["string"] for table in self._tables))
        propose = partial(self._propose, model, y, rng=rng)
        table = self._evaluator().evaluate(r, propose, taken, rng)
        self.codes_ = np.concatenate([self.codes_, *(c[None] for c in table["code"])])
        self.scores_ = np.concatenate([self.scores_, table["score"]])
        self._tables = [*self._tables, table]
        self.n_rounds_done_ = r + 1

    def _utilities(self) -> np.ndarray:
        """Scores with the failures filled in, standardised, greater better."""
        y = np.where(np.isnan(self.scores_), self._worst(), self.scores_)
        y = y if self.maximize else -y
        return (y - y.mean()) / max(y.std(), 1e-12)

    def _worst(self) -> float:
        return float(np.nanmin(self.scores_) if self.maximize else np.nanmax(self.scores_))

    def _evaluator(self) -> Evaluator:
        names = ("estimator", "objective", "valid", "batch_size", "n_decodes", "duplicates")
        return Evaluator(**{name: getattr(self, name) for name in names}, first=self._first)

    def _propose(self, model: Any, y: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
        n = min(n, max(self.n_candidates, self.batch_size))  # their covariance is a dense matrix
        size = max(self.n_candidates, 2 * n)
        pool = torch.from_numpy(pool_of(self.codes_, y, self._domain, size, rng))
        if self.acquisition == "thompson":
            return thompson_batch(model, pool, n, draw_seed(rng)).numpy()
        with torch.no_grad():
            best = float(model.expected(torch.from_numpy(self.codes_)).max())
        pool = torch.cat([refine(model, pool, best, self._domain), pool])
        return greedy_batch(model, pool, best, n).numpy()

    def _random(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        if hasattr(self.estimator, "sample_latent"):
            return self.estimator.sample_latent(n, random_state=draw_seed(rng))
        return self._domain.draw(n, rng)
