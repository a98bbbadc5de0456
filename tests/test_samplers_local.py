"""Samplers that keep the codes: local, kernel, interpolation, copula."""

import numpy as np
import pytest
from scipy.stats import kstest, spearmanr
from sklearn.model_selection import GridSearchCV, LeaveOneOut
from sklearn.neighbors import KernelDensity, NearestNeighbors

from geomgen.samplers.copula import CopulaSampler
from geomgen.samplers.interpolation import NeighbourInterpolationSampler
from geomgen.samplers.kernel import KernelSampler
from geomgen.samplers.local import LocalSampler

from .helpers import name
from .test_samplers import make_model
from .test_sphere_densities import circle, unit

Z = np.random.RandomState(0).normal(size=(300, 3)) @ [[2, 0, 0], [1, 1, 0], [0, 0.5, 0.3]]
ANCHORED = [
    LocalSampler(n_neighbors=5),
    KernelSampler(bandwidth=1e-6),
    NeighbourInterpolationSampler(n_neighbors=4),
]
anchored = pytest.mark.parametrize("sampler", ANCHORED, ids=lambda s: name(type(s)))


# ---------------------------------------------------------------------------------- anchors
@anchored
@pytest.mark.parametrize("n", [1, 7, 100, 333, 1000])
def test_every_code_is_the_anchor_of_as_many_draws(sampler, n):
    """Twenty groups of five codes, out of each other's reach."""
    groups = np.repeat(1e3 * np.arange(20), 5)
    codes = groups[:, None] + np.random.RandomState(0).normal(size=(100, 1))
    drawn = sampler.fit(codes).sample(n, random_state=1)[:, 0]
    counts = np.bincount(np.round(drawn / 1e3).astype(int), minlength=20)
    low, high = 5 * (n // 100), 5 * -(-n // 100)
    assert counts.sum() == n and low <= counts.min() and counts.max() <= high


@anchored
def test_fewer_draws_than_codes_are_of_any_codes(sampler):
    """Codes that alternate between two modes: no pattern of theirs shows in the draws."""
    codes = np.tile([[0.0], [1e3]], (50, 1)) + np.random.RandomState(0).normal(size=(100, 1))
    sampler.fit(codes)
    far = [(sampler.sample(50, random_state=seed) > 500).mean() for seed in range(40)]
    assert 0.47 < np.mean(far) < 0.53 and 0.03 < np.std(far) < 0.08  # hypergeometric: 0.05


def distances(draws, codes):
    return NearestNeighbors(n_neighbors=1).fit(codes).kneighbors(draws)[0][:, 0]


def test_copies():
    """Distances to the nearest code, relative to those of codes that were held out."""
    codes, held_out = np.random.RandomState(0).normal(size=(2, 3000, 8))
    real = np.median(distances(held_out, codes))
    ratios = {}
    for key, sampler in {
        "local": LocalSampler(),
        "small h": LocalSampler(h=0.01),
        "few neighbours": LocalSampler(n_neighbors=3),
        "interpolation": NeighbourInterpolationSampler(),
        "kernel": KernelSampler(),
        "small bandwidth": KernelSampler(bandwidth=0.02),
    }.items():
        draws = sampler.fit(codes).sample(2000, random_state=0)
        ratios[key] = np.median(distances(draws, codes)) / real
    assert min(ratios["local"], ratios["kernel"]) > 0.85
    assert max(ratios["small h"], ratios["small bandwidth"]) < 0.3
    assert ratios["few neighbours"] < 0.7 and ratios["interpolation"] < 0.7


# ------------------------------------------------------------------------------------ local
@pytest.mark.parametrize(("k", "h", "ridge"), [(10, 0.9, 1e-3), (4, 0.3, 0.0), (300, 1.0, 0.1)])
def test_local_gaussians_are_the_formula(k, h, ridge):
    sampler = LocalSampler(n_neighbors=k, h=h, ridge=ridge).fit(Z)
    near = NearestNeighbors(n_neighbors=k).fit(Z).kneighbors(Z, return_distance=False)
    blocks = list(sampler._blocks())
    weights, means, covariances = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    np.testing.assert_allclose(weights, 1 / 300)
    for i in range(0, 300, 29):
        mu, C = Z[near[i]].mean(0), np.cov(Z[near[i]].T)
        C += ridge * np.trace(C) / 3 * np.eye(3)
        np.testing.assert_allclose(means[i], mu + np.sqrt(1 - h) * (Z[i] - mu), atol=1e-12)
        np.testing.assert_allclose(covariances[i], h * C, atol=1e-12)


def test_local_draws_of_one_anchor():
    """All codes are neighbours and h = 1: one Gaussian of the codes' mean and covariance."""
    draws = LocalSampler(n_neighbors=300, h=1, ridge=0).fit(Z).sample(60_000, random_state=0)
    root = np.linalg.inv(np.linalg.cholesky(np.cov(Z.T)))
    white = (draws - Z.mean(0)) @ root.T
    np.testing.assert_allclose(white.mean(0), 0, atol=5 / 60_000**0.5)
    np.testing.assert_allclose(np.cov(white.T), np.eye(3), atol=5 * (2 / 60_000) ** 0.5)
    assert min(kstest(column, "norm").pvalue for column in white.T) > 1e-3


def test_local_ridge_is_the_thickness_of_a_plane():
    codes = Z * [1, 1, 0]
    sampler = LocalSampler(n_neighbors=300, h=0.5, ridge=0.01).fit(codes)
    thickness = sampler.sample(20_000, random_state=0)[:, 2].var()
    expected = 0.5 * 0.01 * np.trace(np.cov(codes.T)) / 3
    assert thickness == pytest.approx(expected, rel=5 * (2 / 20_000) ** 0.5)


def test_local_draws_follow_a_curve():
    """Across a circle of codes a local Gaussian spreads less than a kernel of its length."""
    angles = np.random.RandomState(0).uniform(0, 2 * np.pi, 2000)
    draws = LocalSampler(n_neighbors=20).fit(circle(angles)).sample(4000, random_state=0)
    assert np.abs(np.linalg.norm(draws, axis=1) - 1).max() < 5e-3
    spread = np.sort(np.arctan2(draws[:, 1], draws[:, 0]))
    assert np.diff(spread).max() < 0.05


@pytest.mark.parametrize("n", [1, 2, 3])
def test_local_takes_as_many_codes_as_there_are(n):
    sampler = LocalSampler().fit(Z[:n])
    draws = sampler.sample(4000, random_state=0)
    assert sampler.neighbours_.shape == (n, n) and (sampler.neighbours_[:, 0] == range(n)).all()
    spread = np.cov(Z[:n].T) if n > 1 else np.zeros((3, 3))
    off = (draws - Z[:n].mean(0)) @ np.linalg.svd(Z[:n] - Z[:n].mean(0))[2].T
    assert np.abs(off[:, n - 1 :]).max() <= 6 * np.sqrt(1e-3 * np.trace(spread) / 3) + 1e-12


def test_one_neighbour_copies():
    drawn = LocalSampler(n_neighbors=1).fit(Z).sample(300, random_state=0)
    np.testing.assert_array_equal(np.sort(drawn, axis=0), np.sort(Z, axis=0))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"h": 0.0}, r"'h' parameter .* in \(0, 1\]"),
        ({"h": 1.5}, r"'h' parameter .* in \(0, 1\]"),
        ({"n_neighbors": 0}, r"'n_neighbors' parameter .* in \[1, inf\)"),
        ({"ridge": -1.0}, r"'ridge' parameter .* in \[0, inf\)"),
    ],
)
def test_local_parameters_are_checked(params, message):
    with pytest.raises(ValueError, match=message):
        LocalSampler(**params).fit(Z)


# ----------------------------------------------------------------------------------- kernel
@pytest.mark.parametrize(
    ("bandwidth", "expected"),
    [("scott", 300 ** (-1 / 7)), ("silverman", (300 * 5 / 4) ** (-1 / 7)), (0.25, 0.25), (2, 2)],
)
def test_kernel_bandwidth_and_variance(bandwidth, expected):
    sampler = KernelSampler(bandwidth=bandwidth).fit(Z)
    assert sampler.bandwidth_ == pytest.approx(expected, rel=1e-12)
    draws = sampler.sample(60_000, random_state=0)
    variances = (1 + expected**2) * Z.var(0)
    np.testing.assert_allclose(draws.var(0), variances, rtol=5 * (2 / 60_000) ** 0.5)


@pytest.mark.parametrize("modes", [0, 30])
def test_likeliest_bandwidth_is_that_of_a_search(modes):
    """scikit-learn's grid search, leaving one out."""
    codes = np.random.RandomState(1).normal(size=(60, 2)) + modes * (np.arange(60) % 3)[:, None]
    grid = 60 ** (-1 / 6) * np.geomspace(1 / 16, 2, 16)
    search = GridSearchCV(KernelDensity(), {"bandwidth": grid}, cv=LeaveOneOut())
    expected = search.fit(codes / codes.std(0)).best_params_["bandwidth"]
    found = KernelSampler(random_state=0).fit(codes).bandwidth_
    assert found == pytest.approx(expected, rel=1e-12)
    assert (found < 0.3 * grid[-1]) == bool(modes)


def test_copies_of_codes_do_not_shrink_the_bandwidth():
    one, two = (KernelSampler(random_state=0).fit(np.tile(Z, (k, 1))).bandwidth_ for k in (1, 2))
    assert 0.7 < two / one < 1.4


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, "plug-in", None])
def test_kernel_bandwidth_is_checked(bandwidth):
    with pytest.raises((ValueError, TypeError), match="'bandwidth' parameter.*'silverman'"):
        KernelSampler(bandwidth=bandwidth).fit(Z)


# ---------------------------------------------------------------------------- interpolation
def test_interpolation_is_uniform_on_segments():
    codes = np.array([[0.0, 0], [3, 4], [100, 0], [100, 8]])
    draws = NeighbourInterpolationSampler(n_neighbors=1).fit(codes).sample(8000, random_state=0)
    for start, end in (codes[:2], codes[2:]):
        part = draws[np.abs(draws - start).max(1) < 50]
        share = (part - start) @ (end - start) / ((end - start) ** 2).sum()
        np.testing.assert_allclose(part, start + share[:, None] * (end - start), atol=1e-12)
        assert len(part) == 4000 and kstest(share, "uniform").pvalue > 1e-3


def test_interpolation_takes_any_of_the_neighbours():
    codes = np.array([[0.0], [1], [2], [3]])
    draws = NeighbourInterpolationSampler(n_neighbors=3).fit(codes).sample(9000, random_state=0)
    # of 12 pairs: 6 cross the middle unit; each unit of a longer segment gets its share
    middle = ((draws > 1) & (draws < 2)).mean()
    assert middle == pytest.approx((2 * 1 + 4 * 1 / 2 + 2 * 1 / 3) / 12, abs=0.02)


@pytest.mark.parametrize("d", [2, 16])
def test_interpolation_on_the_sphere_is_geodesic(d):
    """The angle from the start is uniform, and the angles to both ends add up."""
    ends = np.zeros((2, d))
    ends[0, 0], ends[1, :2] = 1, (np.cos(2.5), np.sin(2.5))
    sampler = NeighbourInterpolationSampler(n_neighbors=1)
    draws = sampler.fit(3 * ends, model=make_model("sphere", d)).sample(5000, random_state=0)
    angles = np.arccos(np.clip(draws @ ends.T, -1, 1))
    np.testing.assert_allclose(angles.sum(1), 2.5, atol=1e-7)
    assert kstest(angles[:, 0] / 2.5, "uniform").pvalue > 1e-3


def test_interpolation_on_the_sphere_of_copies_and_opposites():
    model = make_model("sphere", 3)
    for codes in (np.ones((4, 3)), np.array([[1.0, 0, 0], [-1, 0, 0]])):
        sampler = NeighbourInterpolationSampler().fit(codes, model=model)
        draws = sampler.sample(50, random_state=0)
        np.testing.assert_allclose(np.linalg.norm(draws, axis=1), 1, rtol=1e-12)
    copies = NeighbourInterpolationSampler().fit(unit(1, 3), model=model).sample(3, random_state=0)
    np.testing.assert_allclose(copies, unit(1, 3).repeat(3, axis=0), rtol=1e-12)


# ----------------------------------------------------------------------------------- copula
SKEWED = np.c_[np.exp(Z[:, 0]), Z[:, 1] ** 3, np.random.RandomState(1).binomial(2, 0.3, 300)]


def test_copula_keeps_the_components():
    draws = CopulaSampler().fit(SKEWED).sample(20_000, random_state=0)
    assert (draws.min(0) >= SKEWED.min(0)).all() and (draws.max(0) <= SKEWED.max(0)).all()
    levels = np.linspace(0.05, 0.95, 19)
    for column, codes in zip(draws.T[:2], SKEWED.T[:2], strict=True):
        below = (column[:, None] <= np.quantile(codes, levels)).mean(0)
        np.testing.assert_allclose(below, levels, atol=4 * 0.5 / 20_000**0.5)
    shares = [
        (np.abs(draws[:, 2] - v) < 1e-9).mean() - (SKEWED[:, 2] == v).mean() for v in range(3)
    ]
    assert np.abs(shares).max() < 0.02  # but for draws between two values


def test_copula_keeps_rank_correlations():
    """Of normal codes they are those of the codes, within the error of 300 of them."""
    draws = CopulaSampler().fit(SKEWED).sample(20_000, random_state=0)
    expected, found = spearmanr(SKEWED[:, :2]).statistic, spearmanr(draws[:, :2]).statistic
    assert abs(expected) > 0.3 and found == pytest.approx(expected, abs=0.03)


def test_copula_does_not_depend_on_the_components_units():
    one, two = (CopulaSampler().fit(codes) for codes in (Z, np.exp(Z)))
    at = np.linspace(0, 1, 300)
    ranks = [
        [np.interp(x, q, at) for x, q in zip(s.sample(50, 0).T, s.quantiles_.T, strict=True)]
        for s in (one, two)
    ]
    np.testing.assert_allclose(*ranks, atol=1e-9)


def test_copula_correlations_are_those_of_normal_scores():
    sampler = CopulaSampler().fit(np.c_[Z, np.ones(300)])
    R = sampler.factor_.T @ sampler.factor_
    np.testing.assert_allclose(np.diag(R), [1, 1, 1, 0], atol=1e-12)
    assert np.abs(R[:3, :3] - np.corrcoef(Z.T)).max() < 0.05
    assert (sampler.sample(9, random_state=0)[:, 3] == 1).all()


@pytest.mark.parametrize("cls", [CopulaSampler, NeighbourInterpolationSampler], ids=name)
def test_samplers_without_a_density(cls):
    assert not hasattr(cls().fit(Z), "_log_density")
