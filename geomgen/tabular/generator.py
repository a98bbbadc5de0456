"""A generator from frame to frame."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from geomgen._draw import check_n_samples
from geomgen._fields import Interval, check_fields, estimator
from geomgen._frames import join, take
from geomgen._random import draw_seed, substream
from geomgen._rejection import draw_accepted
from geomgen.metrics._encode import encoded
from geomgen.metrics.energy import energy_distance
from geomgen.samplers._strata import stratified_counts
from geomgen.tabular._constraints import Constraint, acceptance, check_columns
from geomgen.tabular._engine import Engine
from geomgen.tabular._target import Target, joined, split_shares
from geomgen.tabular.encoder import TableEncoder

__all__ = ["TableGenerator"]


@estimator
class TableGenerator(BaseEstimator):
    r"""New rows of a table: columns of any type in, columns of the same types out.

    The table is encoded (:class:`TableEncoder`), a model is trained on the features, its codes are
    sampled, and what is decoded is read so that every column has the law it had in the training
    rows: quantiles are mapped to quantiles, and probabilities of categories weighted until their
    means are the categories' shares. With a target, each of its classes has a density and a
    reading of its own, so that classes keep their shares exactly, and can be asked for.

    Attributes
    ----------
    encoder_ : TableEncoder
        Fitted to the columns but the target.
    model_ : object
        The model of the features; None if every column is constant.
    model_name_ : str
        What ``model="auto"`` chose, or the class of the model given.
    classes_ : ndarray
        Values of the target, where it has classes.
    feature_names_in_, n_features_in_
        The columns, the target included.

    References
    ----------
    Zhang et al., 2024, *Mixed-type tabular data synthesis with score-based diffusion in latent
    space*, whose plan this is, with a mixture in place of the diffusion.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from geomgen.tabular import TableGenerator
    >>> X = load_iris(as_frame=True).frame
    >>> generator = TableGenerator(target="target", random_state=0).fit(X)
    >>> generator.sample(6, conditions={"target": 2}, random_state=0)["target"].tolist()
    [2, 2, 2, 2, 2, 2]
    """

    model: Annotated[
        Any,
        """Of the features: ``"rows"`` (the sampler on the features as they are), ``"pca"``,
        ``"ae"``, an estimator of geomgen, or a scikit-learn density. ``"auto"`` takes the rows
        where at most 16 features are numbers all, PCA where there are more, and the autoencoder
        where there are categories.""",
    ] = "auto"
    encoder: Annotated[Any, "An unfitted TableEncoder; by default one with its defaults."] = None
    sampler: Annotated[
        Any,
        """Of the model's codes, as the models' ``sampler``; by default cells refined by ten steps
        of EM (five if there are categories). None leaves a model of your own its sampler.""",
    ] = "auto"
    target: Annotated[
        Any,
        """Name of a column whose classes can be asked for; the labels given to ``fit`` as y, if
        any, take its place.""",
    ] = None
    marginals: Annotated[
        Literal["empirical", "decoded"],
        """Whether columns are read so that they have the laws of the training rows, or as the
        model gives them. The first keeps every number within its column's range.""",
    ] = "empirical"
    constraints: Annotated[
        list | None,
        """What every generated row must satisfy: expressions over columns, such as ``"low <=
        high"`` (in backticks if they are no Python names), or functions of a frame that return
        one bool a row. Rows that do not are drawn again.""",
    ] = None
    random_state: Annotated[
        Any, "Seed of encoder, model and sampler; None takes numpy's global state."
    ] = None
    device: Annotated[Any, "Of a model that has one; None leaves it as it is."] = None
    verbose: Annotated[Annotated[int, Interval(0)] | bool, "1 shows a progress bar."] = 0

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the table.

        Parameters
        ----------
        X : pandas or polars DataFrame of shape (n_samples, n_columns)
            Rows, at least two.
        y : array-like of shape (n_samples,), optional
            Labels: a further, last column of the table, under its name if it has one that no
            column has, else ``"target"``; its classes can be asked for.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For an illegal parameter, or bad rows; the estimator is then as it was before.

        Warns
        -----
        UserWarning
            Of keys, small classes, and constraints that training rows do not satisfy.
        """
        check_fields(self)
        X, name = joined(X, y, self.target)
        seed = draw_seed(self.random_state)
        target = Target(X, name, y is not None) if name is not None else None
        constraints = [Constraint(given, X.columns) for given in self.constraints or ()]
        for constraint in constraints:
            constraint.warn_of(X)
        if not isinstance(self.encoder, TableEncoder | None):
            raise TypeError(f"encoder={self.encoder!r} must be a TableEncoder, or None.")
        encoder = TableEncoder() if self.encoder is None else clone(self.encoder)
        if encoder.random_state is None:
            encoder.set_params(random_state=substream(seed, 0) % 2**31)
        encoder.set_params(dtype="float32").fit(X)
        settings = {"verbose": self.verbose} | ({"device": self.device} if self.device else {})
        engine = Engine(self.model, self.sampler, self.marginals == "empirical", settings)
        engine.fit(encoder, X, target, seed)
        self.encoder_, self._engine, self._target = encoder, engine, target
        self._constraints = constraints
        self.n_features_in_, self.feature_names_in_ = X.shape[1], encoder.feature_names_in_
        return self

    @property
    def model_(self) -> Any:
        """The model of the features."""
        return self._fitted_engine.model_

    @property
    def model_name_(self) -> str:
        """What ``model="auto"`` chose, or the class of the model given."""
        return self._fitted_engine.name_

    @property
    def classes_(self) -> np.ndarray:
        """Values of the target."""
        target = getattr(self, "_target", None)
        if target is None or target.classes_ is None:
            raise AttributeError("There are classes_ after a fit with a target of classes only.")
        return target.classes_

    @property
    def _fitted_engine(self) -> Engine:
        if not hasattr(self, "_engine"):
            raise AttributeError("This TableGenerator has not been fitted: call fit first.")
        return self._engine

    def sample(
        self,
        n_samples: int = 1,
        random_state: Any = None,
        *,
        conditions: dict[Any, Any] | None = None,
        balance: dict[Any, float] | Literal["equal"] | None = None,
    ) -> Any:
        """Draw new rows.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            None draws from numpy's global state.
        conditions : dict of column to value, optional
            What rows must have: a value, a list of values, or a function of the column that
            returns one bool a row. A class of the target is drawn from its own density; other
            conditions are met by drawing again, and leave the classes the shares they have then.
        balance : dict of class to share or "equal", optional
            Shares of the target's classes; by default those of the training rows.

        Returns
        -------
        DataFrame of shape (n_samples, n_columns)
            In the library, and with the columns and dtypes, of the rows of ``fit``.

        Raises
        ------
        ValueError
            For conditions on what is no column, or a class that there is not.
        RuntimeError
            If fewer than one row in 100 000 meets conditions and constraints.
        """
        check_is_fitted(self, "_engine")
        n, rng = check_n_samples(n_samples), check_random_state(random_state)
        asked = dict(conditions or {})
        check_columns(asked, self.encoder_.codecs_)
        shares, asked = split_shares(self._target, asked, balance)
        accept, what = acceptance(asked, self._constraints)
        if shares is None or accept is None or (asked and balance is None):
            propose = partial(self._propose, shares=shares, rng=rng)
            return draw_accepted(propose, n, accept, what)
        counts = stratified_counts(shares, n, rng)
        parts = []
        for k in np.nonzero(counts)[0]:
            propose = partial(self._propose, shares=np.eye(len(shares))[k], rng=rng)
            parts.append(draw_accepted(propose, counts[k], accept, what))
        rows = take(join(parts), rng.permutation(n))
        if self.encoder_.library_ == "pandas":
            rows.index.name = self.encoder_.index_name_
        return rows

    def sample_chunks(
        self,
        n_samples: int,
        chunk_size: int = 100_000,
        random_state: Any = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        """Draw new rows a chunk at a time, so that any number can be written to a file.

        Parameters
        ----------
        n_samples : int
            Number of rows.
        chunk_size : int, default=100_000
            Most rows of a chunk, on which the memory needed depends.
        random_state : int, RandomState or None, default=None
            None draws from numpy's global state.
        **kwargs : dict
            ``conditions`` and ``balance``, as :meth:`sample` takes them.

        Yields
        ------
        DataFrame
            The next rows.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from geomgen.tabular import TableGenerator
        >>> generator = TableGenerator(random_state=0).fit(load_iris(as_frame=True).data)
        >>> [len(chunk) for chunk in generator.sample_chunks(250, 100, random_state=0)]
        [100, 100, 50]
        """
        check_is_fitted(self, "_engine")
        n, size = check_n_samples(n_samples), chunk_size
        if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
            raise ValueError(f"chunk_size={chunk_size!r} must be an int in [1, inf).")
        return self._chunks(n, int(size), check_random_state(random_state), kwargs)

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the energy distance between X and a draw, categories one-hot; greater is better.

        Parameters
        ----------
        X : pandas or polars DataFrame of shape (n_samples, n_columns)
            Held-out rows.
        y : array-like of shape (n_samples,), optional
            Their labels, if ``fit`` was given labels.

        Returns
        -------
        float
            At most 0; the draw, of as many rows as X and at least 1000, is seeded. Keys do not
            count.
        """
        check_is_fitted(self, "_engine")
        labelled = self._target is not None and self._target.apart  # its last column came as y
        X, _ = joined(X, y if labelled else None, None)
        names = [name for name, kind in self.encoder_.kinds_.items() if kind != "key"]
        drawn = self.sample(max(len(X), 1000), random_state=0)
        return -energy_distance(*encoded("standard", X[names], drawn[names]))

    # ---------------------------------------------------------------------------------- drawing
    def _chunks(
        self, n: int, size: int, rng: np.random.RandomState, kwargs: dict[str, Any]
    ) -> Iterator[Any]:
        for start in range(0, n, size):
            yield self.sample(min(size, n - start), rng, **kwargs)

    def _propose(self, n: int, shares: np.ndarray | None, rng: np.random.RandomState) -> Any:
        if shares is None:
            return self.encoder_.build(self._engine.draw(n, None, rng))
        groups = np.repeat(np.arange(len(shares)), stratified_counts(shares, n, rng))
        return self.encoder_.build(self._engine.draw(n, rng.permutation(groups), rng))
