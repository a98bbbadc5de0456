"""``draw`` and ``make_sampler``: any density, one way."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from sklearn.base import BaseEstimator
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import KernelDensity

from geomgen.samplers import (
    AutoSampler,
    CellSampler,
    CopulaSampler,
    DiffusionSampler,
    FlowSampler,
    GaussianSampler,
    KernelSampler,
    LocalSampler,
    MixtureSampler,
    NeighbourInterpolationSampler,
    PriorSampler,
    RiemannianSampler,
    UniformSphereSampler,
    VonMisesFisherSampler,
    draw,
    make_sampler,
)

Z = np.random.RandomState(0).normal(size=(200, 2)) + 20 * (np.arange(200) < 50)[:, None]
DENSITIES = [
    KernelDensity(),
    GaussianMixture(2, random_state=4),
    GaussianMixture(2),
    BayesianGaussianMixture(n_components=2, random_state=0),
    CellSampler(random_state=0),
]


@pytest.mark.parametrize("density", DENSITIES, ids=repr)
def test_draw(density):
    density = density.fit(Z)
    before, fitted = np.random.get_state()[1].copy(), pickle.dumps(density)
    rows = draw(density, 1000, random_state=0)
    assert rows.shape == (1000, 2)
    np.testing.assert_array_equal(draw(density, 1000, random_state=0), rows)
    assert not np.isin(draw(density, 1000, random_state=1), rows).any()
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert pickle.dumps(density) == fitted  # its random state too
    far = rows[:, 0] > 10
    low, high = binom.interval(1 - 1e-4, 1000, 0.25)
    assert low <= far.sum() <= high
    changes = (far[1:] != far[:-1]).mean()  # scikit-learn's mixtures come sorted by component
    assert abs(changes - 2 * 0.25 * 0.75) < 0.08


@pytest.mark.parametrize("density", DENSITIES, ids=repr)
def test_draw_from_a_random_state_goes_on(density):
    density, rng = density.fit(Z), np.random.RandomState(0)
    one, two = draw(density, 9, rng), draw(density, 9, rng)
    assert not np.array_equal(one, two)
    np.random.seed(0)
    np.testing.assert_array_equal(draw(density, 9), one)  # None: numpy's global state


def test_draw_forwards_arguments():
    class Shifted(BaseEstimator):
        def sample(self, n_samples, shift=0.0):
            return np.full((n_samples, 1), shift)

    assert draw(Shifted(), 2, shift=3.0).tolist() == [[3.0], [3.0]]
    with pytest.raises(TypeError, match="offset"):
        draw(Shifted(), 2, offset=3.0)


@pytest.mark.parametrize("n", [0, 2.5, -3, True, "2"])
def test_draw_checks_n_samples(n):
    with pytest.raises(ValueError, match="n_samples"):
        draw(KernelDensity().fit(Z), n)


@pytest.mark.parametrize("n", [3, np.int64(3), np.uint8(3)])
def test_draw_takes_any_integer(n):
    assert draw(GaussianMixture(2).fit(Z), n, 0).shape == (3, 2)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("auto", AutoSampler),
        ("cells", CellSampler),
        ("copula", CopulaSampler),
        ("diffusion", DiffusionSampler),
        ("flow", FlowSampler),
        ("gmm", MixtureSampler),
        ("interpolation", NeighbourInterpolationSampler),
        ("kde", KernelSampler),
        ("local", LocalSampler),
        ("mvg", GaussianSampler),
        ("prior", PriorSampler),
        ("riemannian", RiemannianSampler),
        ("uniform", UniformSphereSampler),
        ("vmf", VonMisesFisherSampler),
    ],
)
def test_make_sampler_by_name(name, cls):
    made = make_sampler(name, 7)
    assert type(made) is cls and made.random_state == 7
    assert make_sampler(name).random_state is None
    assert make_sampler(name) is not make_sampler(name)


@pytest.mark.parametrize("given", [CellSampler(n_cells=3), GaussianMixture(3)], ids=repr)
def test_make_sampler_copies(given):
    """The seed is filled in a clone, and only where there is none."""
    made = make_sampler(given.fit(Z), 7)
    assert type(made) is type(given) and made is not given
    assert made.get_params() == {**given.get_params(), "random_state": 7}
    assert given.random_state is None
    assert not [key for key in vars(made) if key.endswith("_")]
    assert make_sampler(made, 8).random_state == 7
    assert make_sampler(copy.copy(made).set_params(random_state=0), 8).random_state == 0


def test_make_sampler_of_a_density_without_a_seed():
    made = make_sampler(KernelDensity(bandwidth=0.3), 7)
    assert made.get_params() == KernelDensity(bandwidth=0.3).get_params()


@pytest.mark.parametrize("given", [CellSampler, None, 3, object(), BaseEstimator(), ["cells"]])
def test_make_sampler_rejects_objects(given):
    with pytest.raises(TypeError, match="neither one of the names.*'cells'"):
        make_sampler(given)


@pytest.mark.parametrize("given", ["", "GMM", "flows"])
def test_make_sampler_rejects_names(given):
    with pytest.raises(ValueError, match="Unknown sampler.*'cells'.*'gmm'"):
        make_sampler(given)


def test_draw_of_a_frame():
    """An estimator of somebody else's that returns one, with an index of its own."""
    frame = pd.DataFrame({"a": np.arange(9.0)}, index=np.arange(9) + 100)

    class Rows(BaseEstimator):
        def sample(self, n_samples):
            return frame[:n_samples]

    drawn = draw(Rows(), 5, 0)
    assert drawn.index.tolist() == list(range(5)) and sorted(drawn["a"]) == [0, 1, 2, 3, 4]
