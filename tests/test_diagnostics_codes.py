"""Diagnostics of the codes: radius, spectrum of directions, collapse."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from torch.distributions import Normal, kl_divergence

from geomgen import AE, LISAGenerator, SphericalAE, VAEGenerator
from geomgen.diagnostics import collapse, directional_spectrum, radial_sensitivity

from .helpers import name, small

X = load_iris().data


def fitted(cls, **params):
    return small(cls, **{"n_components": 3, "dtype": "float64", "max_epochs": 20, **params}).fit(X)


MODELS = [fitted(cls) for cls in (AE, SphericalAE, LISAGenerator, VAEGenerator)]
models = pytest.mark.parametrize("model", MODELS, ids=lambda m: name(type(m)))
euclidean = pytest.mark.parametrize("model", [MODELS[0], MODELS[3]], ids=["AE", "VAE"])


# ----------------------------------------------------------------------------- paper L, Fig. 1
@euclidean
def test_radial_error_is_that_of_scaled_codes(model):
    alphas = (0.5, 1.0, 3.0)
    found = radial_sensitivity(model, X, alphas=alphas)
    for j, alpha in enumerate(alphas):
        errors = ((model.inverse_transform(alpha * model.transform(X)) - X) ** 2).mean(1)
        assert found.mse[j] == pytest.approx(errors.mean())
        assert found.standard_error[j] == pytest.approx(errors.std(ddof=1) / np.sqrt(150))
    assert found.baseline == found.mse[1]
    assert found.relative[1] == 1 and np.ptp(found.relative) > 1e-3
    without = radial_sensitivity(model, X, alphas=[2.0])
    assert without.baseline == found.baseline and without.mse.shape == (1,)


@pytest.mark.parametrize("cls", [SphericalAE, LISAGenerator], ids=name)
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-12)])
def test_spherical_models_do_not_see_the_radius(cls, dtype, tolerance):
    found = radial_sensitivity(fitted(cls, dtype=dtype), X, alphas=np.geomspace(1e-3, 1e3, 9))
    np.testing.assert_allclose(found.relative, 1, rtol=tolerance)
    exact = radial_sensitivity(fitted(cls, dtype=dtype), X, alphas=[0.25, 2.0, 64.0])
    assert (exact.mse == exact.baseline).all()  # no rounding in powers of two


def test_a_perfect_reconstruction_has_no_relative_error():
    model = AE(n_components=4, hidden=(), max_epochs=1, dtype="float64").fit(X)
    with torch.no_grad():
        for head in (model.net_.module_.encoder, model.net_.module_.decoder):
            head.trunk[0].weight.copy_(torch.eye(4))
            head.trunk[0].bias.zero_()
    found = radial_sensitivity(model, X, alphas=[1, 3])
    np.testing.assert_allclose(found.mse, [0, 4 * (X**2).mean()])
    assert np.isnan(found.relative).all() and "nan" in found.summary


# ----------------------------------------------------------------------------- paper L, Table 1
@models
@pytest.mark.parametrize("center", [False, True])
def test_spectrum_is_that_of_the_second_moment(model, center):
    found = directional_spectrum(model, X, center=center)
    unit = model.transform(X)
    unit = unit / np.linalg.norm(unit, axis=1)[:, None]
    if center:
        unit = unit - unit.mean(0)
    eigenvalues = np.linalg.eigvalsh(unit.T @ unit / 150)[::-1]
    np.testing.assert_allclose(found.eigenvalues, eigenvalues, rtol=1e-6, atol=1e-12)
    share = eigenvalues / eigenvalues.sum()
    assert found.effective_rank == pytest.approx(1 / (share**2).sum())
    assert found.entropy_rank == pytest.approx(np.exp(-(share * np.log(share)).sum()))
    assert found.lambda_max == found.eigenvalues[0]
    assert found.condition_number == pytest.approx(eigenvalues[0] / eigenvalues[-1], rel=1e-5)
    if not center:
        assert found.eigenvalues.sum() == pytest.approx(1)


def test_spectra_that_are_known():
    even = directional_spectrum(np.repeat(np.eye(4), 5, axis=0) * np.arange(1, 21)[:, None])
    np.testing.assert_allclose(even.eigenvalues, 0.25)
    assert even.effective_rank == pytest.approx(4) and even.condition_number == pytest.approx(1)
    line = directional_spectrum([[2.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    assert (line.lambda_max, line.condition_number, line.effective_rank) == (1, np.inf, 1)
    assert directional_spectrum(np.eye(5)[:2]).eigenvalues.shape == (5,)  # fewer codes than d
    equal = directional_spectrum(np.ones((3, 2)), center=True)
    assert equal.effective_rank < 2 and equal.eigenvalues.max() < 1e-30


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1e300])
def test_spectrum_does_not_see_radii(scale):
    rng = np.random.RandomState(0)
    Z = rng.normal(size=(40, 3)) + 1
    radii = rng.uniform(0.5, 2, size=(40, 1)) * scale
    a, b = directional_spectrum(Z), directional_spectrum(Z * radii)
    np.testing.assert_allclose(a.eigenvalues, b.eigenvalues, rtol=1e-12)


# ------------------------------------------------------------------------------------- collapse
@pytest.mark.parametrize("beta, active", [(0.01, 3), (1e4, 0)])
def test_collapse_of_a_vae(beta, active):
    model = fitted(VAEGenerator, beta=beta, max_epochs=100, lr=1e-2)
    found = collapse(model, X)
    q = model.net_.module_.encoder(torch.tensor(X))
    prior = Normal(torch.zeros(3), torch.ones(3))
    kl = kl_divergence(q.base_dist, prior).mean(0).detach().numpy()
    np.testing.assert_allclose(found.kl, kl, rtol=1e-8)
    np.testing.assert_allclose(found.variance, q.mean.var(0, correction=0).detach().numpy())
    np.testing.assert_array_equal(found.active, found.variance > 0.01)
    assert found.n_active == active
    assert (found.kl.sum() < 0.1) == (active == 0)


def test_dead_directions_are_principal_ones():
    Z = np.c_[X[:, :2], X[:, 0] - X[:, 1], X[:, 0] * 0 + 3]  # rank 2, and a constant
    model = AE(n_components=4, hidden=(), max_epochs=1, dtype="float64").fit(Z)
    with torch.no_grad():
        model.net_.module_.encoder.trunk[0].weight.copy_(torch.eye(4))
        model.net_.module_.encoder.trunk[0].bias.zero_()
    found = collapse(model, Z)
    np.testing.assert_array_equal(found.active, [True, True, True, False])
    np.testing.assert_array_equal(found.dead, [False, False, True, True])
    expected = np.linalg.eigvalsh(np.cov(Z.T, ddof=0))[::-1]
    np.testing.assert_allclose(found.direction_variance, expected, atol=1e-12)
    assert found.dead_share == 0.5 and found.kl is None and "kl" not in found.to_frame()


@pytest.mark.parametrize("c", [1e-3, 1e3])
def test_active_units_of_a_deterministic_model_do_not_depend_on_the_scale(c):
    model = fitted(AE)
    before = collapse(model, X)
    with torch.no_grad():
        model.net_.module_.encoder.trunk[-1].weight *= c
        model.net_.module_.encoder.trunk[-1].bias *= c
    after = collapse(model, X)
    np.testing.assert_array_equal(before.active, after.active)
    np.testing.assert_array_equal(before.dead, after.dead)
    np.testing.assert_allclose(after.variance, before.variance * c**2)
    assert collapse(model, X, standardize=False).n_active == (0 if c < 1 else 3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equal_codes_are_all_dead(dtype):
    model = fitted(AE, dtype=dtype)
    with torch.no_grad():
        model.net_.module_.encoder.trunk[-1].weight.zero_()
        model.net_.module_.encoder.trunk[-1].bias.fill_(0.3)
    found = collapse(model, X)
    assert found.n_active == 0 and found.dead_share == 1
