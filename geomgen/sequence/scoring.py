"""How well strings survive their codes."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["exact_reconstruction"]


def exact_reconstruction(estimator: Any, X: Any, y: Any = None) -> float:
    """Share of strings that an estimator decodes from their codes, character by character.

    Parameters
    ----------
    estimator : estimator
        Fitted, with ``transform`` and ``inverse_transform``; a Pipeline will do.
    X : array-like of str, of shape (n_samples,)
        Strings, preferably held out.
    y : object
        Ignored. The signature is that of scikit-learn's scorers: ``scoring=exact_reconstruction``.

    Returns
    -------
    float
        Between 0 and 1; greater is better.

    Examples
    --------
    >>> from geomgen.sequence import GrammarLISA
    >>> strings = ["x+1", "x*2", "sin(x)", "exp(x)"] * 8
    >>> model = GrammarLISA(n_components=3, max_epochs=100, random_state=0).fit(strings)
    >>> exact_reconstruction(model, ["sin(x)", "x*2"])
    1.0
    """
    given = np.array([*X])
    return float(np.mean(estimator.inverse_transform(estimator.transform(X)) == given))
