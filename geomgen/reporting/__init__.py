"""A report on a fitted generator: one page that can be handed on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.utils import check_random_state

from geomgen._atomic import write_atomically
from geomgen.metrics._bench import Bench
from geomgen.reporting import _html
from geomgen.reporting._measured import Measured, last_step
from geomgen.reporting._sections import sections

__all__ = ["Report", "report"]


@dataclass(frozen=True, repr=False)
class Report:
    """What :func:`report` made.

    Attributes
    ----------
    title : str
        Of the page.
    verdicts : DataFrame
        One row a question of the summary: ``status`` ("good", "poor" or "bad") and ``verdict``.
    metrics : DataFrame
        What :func:`geomgen.metrics.evaluate` gives for the same draw.
    html : str
        The page, a whole document.

    Examples
    --------
    >>> import geomgen, numpy as np
    >>> from sklearn.mixture import GaussianMixture
    >>> X = np.random.RandomState(0).normal(size=(300, 2))
    >>> mixture = GaussianMixture(random_state=0).fit(X[:200])
    >>> made = geomgen.report(mixture, X[:200], X[200:])
    >>> made
    <Report: Report on GaussianMixture, ... questions, ... bad>
    """

    title: str
    verdicts: pd.DataFrame
    metrics: pd.DataFrame
    _body: str

    @property
    def html(self) -> str:
        """The page, a whole document."""
        return _html.page(self.title, self._body)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the page into one file, at once or not at all.

        Parameters
        ----------
        path : str or path
            Where. Its folder must exist.
        overwrite : bool, default=False
            Whether to replace a file that is there.

        Returns
        -------
        Path

        Raises
        ------
        FileExistsError
            If there is a file, and ``overwrite`` is False.
        """
        content = self.html.encode(errors="xmlcharrefreplace")  # halves of characters, in names
        return write_atomically(path, content, overwrite)

    def _repr_html_(self) -> str:
        return self._body

    def __repr__(self) -> str:
        bad = int((self.verdicts["status"] == "bad").sum())
        return f"<Report: {self.title}, {len(self.verdicts)} questions, {bad} bad>"


def report(
    fitted: Any,
    X_train: Any,
    X_test: Any,
    *,
    y: tuple[Any, Any] | None = None,
    rare_label: Any = None,
    target: Any = None,
    preprocess: Any = "standard",
    judge: Any = None,
    n_samples: int | None = None,
    n_repeats: int = 10,
    title: str | None = None,
    random_state: Any = 0,
) -> Report:
    """Make a report on a generator: one page of HTML that needs nothing from outside.

    It has a summary of verdicts; every metric beside its floor; distributions of columns and how
    they go together; the rare class and its calibration; memorisation and an attack on privacy;
    a classifier trained on generated rows; the codes of an autoencoder; and what was run, with
    which seed and versions. All of it is measured on one draw.

    Parameters
    ----------
    fitted : object
        A fitted estimator, pipeline or search; anything with ``sample(n)``; generated rows; or a
        pair of generated rows and their labels.
    X_train : array-like or DataFrame of shape (n_train, p)
        Real rows that the generator was fitted to, at least 6.
    X_test : array-like or DataFrame of shape (n_test, p)
        Real rows that it has not seen, at least 6.
    y : pair of array-like, optional
        Labels of X_train and of X_test, for the rare class. If the sampler was fitted with labels
        (``conditional=True``), rows are drawn for labels, and a classifier is trained on them.
    rare_label : object, optional
        The rare label; by default the least frequent in y.
    target : object, optional
        The column of the labels if the rows contain them, in place of y.
    preprocess : {"standard"}, transformer or None, default="standard"
        What puts the columns on one scale.
    judge : classifier, optional
        Who says which generated rows are rare; see :func:`geomgen.metrics.rare_mode_report`.
    n_samples : int, optional
        Rows drawn; by default as many as X_train has, at most 5000.
    n_repeats : int, default=10
        Real-against-real comparisons behind each floor.
    title : str, optional
        Of the page.
    random_state : int, RandomState or None, default=0
        Seed of everything that is drawn.

    Returns
    -------
    Report
        With ``save(path)``; a notebook shows it.

    Raises
    ------
    ValueError, TypeError
        For rows that do not fit together, or a generator that cannot draw.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.mixture import GaussianMixture
    >>> X = np.random.RandomState(0).normal(size=(300, 2))
    >>> mixture = GaussianMixture(random_state=0).fit(X[:200])
    >>> made = report(mixture, X[:200], X[200:])
    >>> made.verdicts.loc["Are training rows copied?", "status"]
    'good'
    """
    floors, seed = (int(s) for s in check_random_state(random_state).randint(2**31, size=2))
    bench = Bench(
        X_train,
        X_test,
        y=y,
        rare_label=rare_label,
        target=target,
        preprocess=preprocess,
        judge=judge,
        n_samples=n_samples,
        n_repeats=n_repeats,
        seed=floors,
    )
    model = last_step(fitted)
    given = isinstance(fitted, tuple) or hasattr(fitted, "__array__")
    name = "generated rows" if given else type(model).__name__
    settings = {
        "generator": fitted if hasattr(fitted, "get_params") else name,
        "random_state": random_state,
        "rows fitted to": len(bench.X_train),
        "rows held out": len(bench.X_test),
        "columns": bench.X_train.shape[1],
        "rows generated": bench.n_draws,
        "rare label": bench.rare_label if bench.labels is not None else "no labels",
        "target": target if target is not None else "none",
        "preprocess": preprocess,
        "comparisons behind each floor": n_repeats,
    }
    found = Measured(fitted, bench, settings, seed)
    title = f"Report on {name}" if title is None else str(title)
    body = _html.fragment(title, sections(found))
    return Report(title, found.verdicts, found.metrics, body)
