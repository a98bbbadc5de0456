"""AutoSampler, the guard against copies, and the options of cells."""

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.mixture import GaussianMixture

from geomgen.metrics import energy_distance
from geomgen.models import AE, SphericalAE
from geomgen.samplers import (
    AutoSampler,
    CellSampler,
    GaussianSampler,
    KernelSampler,
    LocalSampler,
)

from .helpers import small

RNG = np.random.RandomState(0)


def ring(n, seed):
    rng = np.random.RandomState(seed)
    angles = rng.uniform(0, 2 * np.pi, n)
    return np.c_[np.cos(angles), np.sin(angles)] * 5 + 0.1 * rng.normal(size=(n, 2))


NORMAL = np.random.RandomState(1).normal(size=(1500, 2)) @ [[2.0, 0.5], [0, 0.3]]


# ------------------------------------------------------------------------------------- auto
def test_auto_refuses_what_does_not_fit():
    sampler = AutoSampler(random_state=0).fit(ring(1500, 0))
    report = sampler.report_
    assert report.index[0] != "GaussianSampler" and report.index[-1] == "GaussianSampler"
    assert type(sampler.sampler_).__name__ == report.index[~report["copies"]][0]
    assert report["energy_distance"].is_monotonic_increasing
    drawn = sampler.sample(2000, random_state=0)
    assert energy_distance(drawn, ring(2000, 5)) < 0.02


def test_auto_does_not_take_a_copier():
    """A kernel too narrow is nearest to the codes, because it repeats them."""
    codes = np.random.RandomState(2).normal(size=(600, 6))
    copier = KernelSampler(bandwidth=1e-3)
    sampler = AutoSampler(candidates=[copier, GaussianSampler()], random_state=0).fit(codes)
    assert sampler.report_.loc["KernelSampler", "copies"]
    assert isinstance(sampler.sampler_, GaussianSampler)
    with pytest.warns(UserWarning, match="Every sampler's draws prefer"):
        forced = AutoSampler(candidates=[copier], random_state=0).fit(codes)
    assert isinstance(forced.sampler_, KernelSampler)


def test_auto_is_refitted_to_all_codes():
    only = AutoSampler(candidates=[GaussianSampler()], random_state=0).fit(NORMAL)
    np.testing.assert_allclose(only.sampler_.mean_, NORMAL.mean(0))
    few = AutoSampler(random_state=0).fit(NORMAL[:20])
    assert few.report_.index.tolist() == ["CellSampler"] and isinstance(few.sampler_, CellSampler)


def test_candidates_of_one_class_have_their_own_rows():
    two = np.r_[NORMAL[:300] - 20, 0.1 * NORMAL[:300] + 20]
    candidates = (*(GaussianSampler() for _ in range(3)), CellSampler(n_cells=2))
    sampler = AutoSampler(candidates=candidates, random_state=0).fit(two)
    names = ["GaussianSampler #1", "GaussianSampler #2", "GaussianSampler #3", "CellSampler"]
    assert sorted(sampler.report_.index) == sorted(names)
    assert sampler.report_.index[0] == "CellSampler"
    assert isinstance(sampler.sampler_, CellSampler)


@pytest.mark.parametrize(
    ("candidates", "error", "message"),
    [
        ([], ValueError, "candidates is empty"),
        (["cells"], TypeError, "'cells': each must be a sampler"),
        ([GaussianMixture()], TypeError, "each must be a sampler"),
        ([CellSampler(n_cells=-1)], ValueError, "n_cells"),
        ([CellSampler(min_distance=0.5)], ValueError, "min_distance.* on AutoSampler"),
    ],
)
def test_bad_candidates_are_found_before_the_training(candidates, error, message):
    model = small(AE, sampler=AutoSampler(candidates=candidates))
    with pytest.raises(error, match=message):
        model.fit(ring(50, 0))
    assert not hasattr(model, "net_")


@pytest.mark.parametrize("cls", [AE, SphericalAE])
def test_auto_in_an_estimator(cls):
    model = small(cls, sampler="auto").fit(ring(400, 0))
    assert set(model.sampler_report_.columns) >= {"energy_distance", "preference", "copies"}
    labelled = small(cls, sampler=AutoSampler(conditional=True))
    report = labelled.fit(ring(400, 0), np.arange(400) % 2).sampler_report_
    assert report.index.get_level_values("label").unique().tolist() == [0, 1]
    with pytest.raises(AttributeError, match="sampler='auto' only"):
        _ = small(cls).fit(ring(50, 0)).sampler_report_
    assert not hasattr(small(cls), "sampler_report_")


# --------------------------------------------------------------------------------- memorisation
def test_samplers_say_when_they_copy():
    codes, held = NORMAL[:1000], NORMAL[1000:]
    clean = GaussianSampler().fit(codes).memorisation(codes, held)
    assert clean.preference_interval[0] < 2 / 3 < clean.preference_interval[1]
    copier = LocalSampler(n_neighbors=2, h=0.01).fit(codes)
    with pytest.warns(UserWarning, match="LocalSampler copies: .*67% is expected.*min_distance"):
        assert copier.memorisation(codes, held).preference > 0.9


# ------------------------------------------------------------------------------- cells' options
def test_em_steps_make_the_codes_likelier():
    codes, fresh = ring(2000, 0), ring(2000, 1)
    plain, refined = (CellSampler(em_steps=k, random_state=0).fit(codes) for k in (0, 10))
    assert refined.score_samples(fresh).mean() > plain.score_samples(fresh).mean()
    assert refined.weights_.sum() == pytest.approx(1)
    drawn = refined.sample(2000, random_state=0)
    assert energy_distance(drawn, fresh) < 0.02


def test_em_steps_are_those_of_scikit_learn():
    codes = ring(500, 0)
    start = CellSampler(n_cells=4, ridge=1e-3, random_state=0).fit(codes)
    U = (codes - start.mean_) @ np.linalg.inv(start.unwhiten_)
    covariances = start.factors_ @ np.swapaxes(start.factors_, 1, 2)
    with pytest.warns(Warning, match="did not converge"):
        expected = GaussianMixture(
            4,
            weights_init=start.weights_,
            means_init=start.means_,
            precisions_init=np.linalg.inv(covariances),
            reg_covar=1e-3,
            max_iter=2,
        ).fit(U)
    refined = CellSampler(n_cells=4, ridge=1e-3, em_steps=2, random_state=0).fit(codes)
    np.testing.assert_allclose(refined.means_, expected.means_)
    np.testing.assert_allclose(refined.weights_, expected.weights_)


def test_without_whitening_the_codes_own_units_decide():
    """Two modes apart in a direction of little variance: whitening makes it count."""
    rng = np.random.RandomState(0)
    codes = rng.normal(size=(2000, 2)) * [10, 0.01] + np.repeat([[0, 0.1], [0, -0.1]], 1000, 0)
    found = {}
    for whiten in (True, False):
        sampler = CellSampler(n_cells=2, whiten=whiten, random_state=0).fit(codes)
        centres = sampler.means_ @ sampler.unwhiten_ + sampler.mean_
        found[whiten] = np.abs(centres[0] - centres[1])
    assert found[True][1] > 0.15 and found[False][1] < 0.05 and found[False][0] > 5


def test_density_of_cells_is_their_mixture():
    codes = ring(800, 0)
    sampler = CellSampler(n_cells=7, random_state=0).fit(codes)
    A = sampler.unwhiten_
    parts = []
    for w, mean, F in zip(sampler.weights_, sampler.means_, sampler.factors_, strict=True):
        covariance = A.T @ F @ F.T @ A
        gap = codes - (mean @ A + sampler.mean_)
        squares = np.einsum("nd,de,ne->n", gap, np.linalg.inv(covariance), gap)
        logdet = np.linalg.slogdet(2 * np.pi * covariance).logabsdet
        parts.append(np.log(w) - squares / 2 - logdet / 2)
    np.testing.assert_allclose(sampler.score_samples(codes), logsumexp(parts, axis=0))
    grid = np.stack(np.meshgrid(*[np.linspace(-9, 9, 600)] * 2), -1).reshape(-1, 2)
    mass = np.exp(sampler.score_samples(grid)).sum() * (18 / 599) ** 2
    assert mass == pytest.approx(1, abs=1e-3)
