"""Residual noise and the map of marginals."""

import numpy as np
import pytest

from geomgen._output import QuantileMap, ResidualNoise, choose_residual
from geomgen.metrics import energy_distance
from geomgen.models import AE, VAEGenerator

from .helpers import ESTIMATORS, name, small

RNG = np.random.RandomState(0)
CODES = RNG.normal(size=(6000, 2))
KINDS = ["none", "diagonal", "full", "component"]


def residuals(codes, rng=RNG):
    """Correlated, and with a mean and a scale that depend on where the code is."""
    right = codes[:, :1] > 0
    noise = rng.normal(size=(len(codes), 2)) @ [[1.0, 0.8], [0.0, 0.6]]
    return np.where(right, 3 * noise + 2, 0.5 * noise - 2)


@pytest.mark.parametrize("kind", KINDS)
def test_moments_of_the_noise(kind):
    left = residuals(CODES)
    noise = ResidualNoise(kind, 0).fit(CODES, left)
    added = noise.add(np.zeros_like(left), CODES, np.random.RandomState(1))
    second = left.T @ left / len(left)
    found = added.T @ added / len(added)
    expected = {
        "none": 0 * second,
        "diagonal": np.diag(np.diag(second)),
        "full": second,
        "component": second,
    }[kind]
    np.testing.assert_allclose(found, expected, atol=0.8)
    right = CODES[:, 0] > 0.3
    if kind == "component":
        np.testing.assert_allclose(added[right].mean(0), [2, 2], atol=0.3)
        np.testing.assert_allclose(np.cov(added[right].T), np.cov(left[right].T), rtol=0.2)
    else:
        assert np.abs(added[right].mean(0)).max() < 0.25


def test_cells_shrink_to_the_whole():
    """Sigma_k = (n_k S_k + p S) / (n_k + p) and mu_k = n_k / (n_k + 5) of the mean."""
    codes = np.repeat([[0.0], [9.0]], [60, 30], axis=0)
    left = np.random.RandomState(2).normal(size=(90, 2)) * np.repeat([[1.0], [4.0]], [60, 30], 0)
    noise = ResidualNoise("component", 0).fit(codes, left)
    k = int(noise._label(np.array([[9.0]]))[0])
    own = left[60:]
    expected = (30 * np.cov(own.T, bias=True) + 2 * left.T @ left / 90) / 32
    np.testing.assert_allclose(noise.factors_[k].T @ noise.factors_[k], expected)
    np.testing.assert_allclose(noise.means_[k], own.mean(0) * 30 / 35)


def test_none_changes_nothing_and_nothing_is_changed_in_place():
    rows = RNG.normal(size=(20, 2)).astype(np.float32)
    kept = rows.copy()
    left = residuals(CODES)
    for kind in KINDS:
        noise = ResidualNoise(kind, 0).fit(CODES, left)
        out = noise.add(rows, CODES[:20], np.random.RandomState(0))
        assert out.dtype == np.float32 and (kind == "none") == np.array_equal(out, rows)
    np.testing.assert_array_equal(rows, kept)


@pytest.mark.parametrize("n", [4, 7, 40])
def test_few_held_out_rows(n):
    noise = ResidualNoise("component", 0).fit(CODES[:n], residuals(CODES[:n]))
    out = noise.add(np.zeros((50, 2)), CODES[:50], np.random.RandomState(0))
    assert np.isfinite(out).all()


def test_auto_takes_noise_where_there_is_some_and_none_where_there_is_not():
    decoded = np.c_[CODES, CODES.sum(1)].astype(np.float32)
    noisy = decoded + np.c_[residuals(CODES), RNG.normal(size=6000)].astype(np.float32)
    assert choose_residual("auto", noisy, CODES, decoded, 0).kind == "component"
    assert choose_residual("auto", decoded, CODES, decoded, 0).kind == "none"


# -------------------------------------------------------------------------------- marginals
def test_quantiles_are_those_of_the_training_rows():
    real = np.c_[RNG.exponential(size=5000), RNG.uniform(size=5000)]
    drawn = RNG.normal(size=(4000, 2))
    mapped = QuantileMap().fit(real, drawn).transform(drawn)
    levels = np.linspace(0.01, 0.99, 50)
    np.testing.assert_allclose(
        np.quantile(mapped, levels, 0), np.quantile(real, levels, 0), atol=0.02
    )
    far = QuantileMap().fit(real, drawn).transform(np.array([[1e9, -1e9]]))
    np.testing.assert_allclose(far, [[real[:, 0].max(), real[:, 1].min()]])
    ranks = np.argsort(np.argsort(drawn[:, 0]))
    assert (np.diff(mapped[np.argsort(ranks), 0]) >= 0).all()  # monotone


def test_new_values_between_the_old_ones():
    real = np.arange(10.0)[:, None]
    mapped = (
        QuantileMap().fit(real, RNG.normal(size=(1000, 1))).transform(RNG.normal(size=(1000, 1)))
    )
    assert len(np.unique(mapped)) > 900


# ------------------------------------------------------------------------------ in estimators
N = 1500
T = RNG.normal(size=(N, 1))
TABLE = (np.c_[T, T**2, -T] + 0.3 * RNG.normal(size=(N, 3))).astype(np.float32)


@pytest.mark.parametrize("cls", ESTIMATORS, ids=name)
@pytest.mark.parametrize("residual", KINDS[1:] + ["auto"])
def test_every_estimator_has_residual_noise(cls, residual):
    model = small(cls, residual=residual, marginals="empirical").fit(TABLE[:120])
    rows = model.sample(50, random_state=0)
    assert rows.dtype == np.float32 and np.isfinite(rows).all()
    np.testing.assert_array_equal(rows, model.sample(50, random_state=0))
    low, high = TABLE[:120].min(0), TABLE[:120].max(0)
    assert (rows >= low).all() and (rows <= high).all()


def test_residual_noise_helps_where_rows_scatter():
    params = {"n_components": 1, "hidden": (32,), "max_epochs": 60, "random_state": 0}
    plain, noisy = (AE(residual=r, **params).fit(TABLE) for r in ("none", "auto"))
    fresh = np.random.RandomState(9).normal(size=(N, 1))
    fresh = np.c_[fresh, fresh**2, -fresh] + 0.3 * np.random.RandomState(8).normal(size=(N, 3))
    distances = [energy_distance(fresh, m.sample(N, random_state=0)) for m in (plain, noisy)]
    assert noisy.residual_.kind != "none" and distances[1] < 0.7 * distances[0]


def test_held_out_rows_are_not_trained_on():
    model = AE(residual="full", max_epochs=1, batch_size=10_000, random_state=0).fit(TABLE)
    held = model._held_out(N)
    assert held.sum() == 150 and np.array_equal(held, model._held_out(N))
    alone = AE(max_epochs=1, batch_size=10_000, random_state=0).fit(TABLE[~held])
    np.testing.assert_array_equal(alone.transform(TABLE), model.transform(TABLE))


def test_rows_that_stand_in_for_those_of_fit_have_noise_and_marginals():
    noisy = np.random.RandomState(0).normal(size=(800, 3))  # nothing for a code of one dimension
    for params in ({"residual": "diagonal"}, {"marginals": "empirical"}):
        model = AE(n_components=1, max_epochs=10, random_state=0, **params).fit(noisy)
        before = model.sample(2000, 0).std(0)
        after = model.partial_fit(noisy[:50]).sample(2000, 0).std(0)
        np.testing.assert_allclose(after, before, rtol=0.2)


def test_fit_sampler_checks_and_undoes():
    model = small(AE).fit(TABLE[:200])
    before = model.sample(5, 0)
    for bad in ({"residual": "bogus"}, {"sampler": "bogus"}, {"marginals": "bogus"}):
        kept = {name: getattr(model, name) for name in bad}
        with pytest.raises(ValueError, match="bogus"):
            model.set_params(**bad).fit_sampler(TABLE[:200])
        model.set_params(**kept)
        np.testing.assert_array_equal(model.sample(5, 0), before)


def test_too_few_rows_for_residuals():
    with pytest.raises(ValueError, match="residual='full' holds 4 of 5 rows"):
        small(VAEGenerator, residual="full").fit(TABLE[:5])


def test_bad_values():
    with pytest.raises(ValueError, match="'residual' parameter"):
        small(AE, residual="some").fit(TABLE)
    with pytest.raises(ValueError, match="'marginals' parameter"):
        small(AE, marginals="uniform").fit(TABLE)
