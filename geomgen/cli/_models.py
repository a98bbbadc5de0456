"""Generators by the names that the command line gives them."""

from __future__ import annotations

import importlib.util
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from geomgen.pipeline import sample
from geomgen.tabular import TableGenerator
from geomgen.utils.discovery import all_estimators

__all__ = ["PEERS", "catalogue", "make_generator", "make_peer"]

_OWN = ("auto", "rows", "pca", "ae")  # names that TableGenerator knows
_OF_SDV = {
    "tvae": "TVAESynthesizer",
    "ctgan": "CTGANSynthesizer",
    "copulagan": "CopulaGANSynthesizer",
    "gaussiancopula": "GaussianCopulaSynthesizer",
}
PEERS = ("gmm", "kde", *_OF_SDV)


def catalogue() -> dict[str, type]:
    """Models by their short names: LISAGenerator is lisa, GrassmannAE grassmann, WAE wae."""
    found = {}
    for name, cls in all_estimators():
        short = name.removesuffix("Generator")
        word = short.removesuffix("AE")
        if len(word) > 4 and not word.endswith("V"):  # of WAE or FlatVAE nothing sensible is left
            short = word
        if short.lower() not in _OWN:
            found[short.lower()] = cls
    return found


def make_generator(name: str, option: str, **params: Any) -> TableGenerator:
    """Make an unfitted generator of tables.

    Parameters
    ----------
    name : str
        ``auto``, ``rows``, ``pca``, ``ae``, or a model of the catalogue, short or in full.
    option : str
        What asked for it, for the error.
    **params : dict
        Of :class:`~geomgen.tabular.TableGenerator`.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    key = name.lower()
    models = catalogue() | {full.lower(): cls for full, cls in all_estimators()}
    if key in _OWN:
        return TableGenerator(model=key, **params)
    if key not in models:
        known = ", ".join([*_OWN, *catalogue(), *(PEERS if option == "--models" else ())])
        raise ValueError(f"{option} {name}: use one of {known}.")
    return TableGenerator(model=models[key](), **params)


def make_peer(name: str) -> Any:
    """Make an unfitted generator of another package, as its users have it.

    Raises
    ------
    ImportError
        If the package is not installed; it says which.
    """
    if name == "gmm":
        return TableGenerator(model=MixtureByBIC(), marginals="decoded")
    if name == "kde":
        return TableGenerator(model=KernelDensity(bandwidth="scott"), marginals="decoded")
    if importlib.util.find_spec("sdv") is None:
        raise ImportError(
            f"--models {name}: it is of the package sdv, which is not installed here: pip install "
            "sdv, or leave it out."
        )
    return FromSDV(_OF_SDV[name])


class MixtureByBIC(BaseEstimator):
    """scikit-learn's mixture with as many components as its BIC prefers.

    Parameters
    ----------
    random_state : int, RandomState or None, default=None
        Seed of the fits.
    """

    def __init__(self, random_state: Any = None) -> None:
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: Any = None) -> Self:
        """Fit 1, 2, 4, ... components, and keep the best."""
        most = max(1, min(32, len(X) // (X.shape[1] + 2)))
        sizes = [k for k in (1, 2, 4, 8, 16, 32) if k <= most]
        mixtures = [
            GaussianMixture(k, reg_covar=1e-3, random_state=self.random_state).fit(X) for k in sizes
        ]
        self.mixture_ = min(mixtures, key=lambda mixture: mixture.bic(X))
        return self

    def sample(self, n_samples: int, random_state: Any = None) -> np.ndarray:
        """Draw rows."""
        return sample(self.mixture_, n_samples, random_state=random_state)


class FromSDV:
    """A synthesizer of sdv at its defaults, from frame to frame.

    Parameters
    ----------
    name : str
        Of the class in ``sdv.single_table``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Detect what the columns are, as sdv's users do, and fit."""
        metadata_module = importlib.import_module("sdv.metadata")
        single_table = importlib.import_module("sdv.single_table")
        metadata = metadata_module.Metadata.detect_from_dataframe(X)
        self.synthesizer_ = getattr(single_table, self.name)(metadata)
        self.synthesizer_.fit(X)
        return self

    def sample(self, n_samples: int) -> pd.DataFrame:
        """Draw rows."""
        return self.synthesizer_.sample(num_rows=n_samples)
