"""Diagnostics of the maps: volumes, consistency, gap, Lipschitz constant."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from geomgen import AE, SphericalAE, VAEGenerator
from geomgen.diagnostics import (
    _pointwise,
    _probe,
    encoder_decoder_consistency,
    generative_gap,
    k_volumes,
    lipschitz_constant,
    sampling_risk_bound,
)
from geomgen.manifolds import Sphere

from .helpers import ESTIMATORS, name, small

X = load_iris().data  # (150, 4)
EPS = 1e-6  # paper G, section 3.1
MODELS = {
    (cls, norm): small(cls, n_components=3, dtype="float64", norm=norm, max_epochs=5).fit(X)
    for cls in ESTIMATORS
    for norm in (None, "batch")
}
# torch's own, on its first use of forward mode
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
models = pytest.mark.parametrize(
    "model", MODELS.values(), ids=lambda m: f"{name(type(m))}-{m.norm}"
)


def spherical(model):
    return isinstance(model._manifold, Sphere)


def jacobians(function, points):
    """J(p_i) of a map of rows, by torch.func.jacfwd."""
    points = torch.as_tensor(points, dtype=torch.float64)
    with torch.no_grad():
        return torch.vmap(torch.func.jacfwd(lambda v: function(v[None])[0]))(points).numpy()


def log_volume(A):  # Eqs. 7 and 8
    return 0.5 * np.linalg.slogdet(A.T @ A + EPS * np.eye(A.shape[1]))[1]


def linear(E, D, **params):
    """An autoencoder x -> E x, z -> D z, with these matrices."""
    (d, n), cls = E.shape, params.pop("cls", AE)
    rows = np.random.RandomState(0).normal(size=(60, n)) * np.arange(1, n + 1) + 5
    made = cls(n_components=d, hidden=(), max_epochs=1, dtype="float64", random_state=0, **params)
    made.fit(rows)
    with torch.no_grad():
        for trunk, matrix in (
            (made.net_.module_.encoder.trunk, E),
            (made.net_.module_.decoder.trunk, D),
        ):
            trunk[-1].weight.copy_(torch.as_tensor(matrix))
            trunk[-1].bias.zero_()
    return made, rows


def rescaled(model, c):
    """E -> c E, D -> D(· / c): the same autoencoder in other units of the codes."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        module = other.net_.module_
        module.encoder.trunk[-1].weight *= c
        module.encoder.trunk[-1].bias *= c
        module.decoder.trunk[0].weight /= c
    return other


def matrix(rows, columns, seed=0):
    return np.random.RandomState(seed).normal(size=(rows, columns))


@pytest.fixture
def frames(monkeypatch):
    """What frames are drawn, latent ones with their codes."""
    seen = {"latent": [], "data": []}
    latent, data = _probe.Probe.latent_frames, _pointwise.random_frames

    def record_latent(self, z, *args):
        W = latent(self, z, *args)
        seen["latent"].append((z.numpy(), W.numpy()))
        return W

    def record_data(*args, **params):
        V = data(*args, **params)
        seen["data"].append(V.numpy())
        return V

    monkeypatch.setattr(_probe.Probe, "latent_frames", record_latent)
    monkeypatch.setattr(_pointwise, "random_frames", record_data)
    return seen


# ----------------------------------------------------------------------------------- Eqs. 6 - 8
@models
@pytest.mark.parametrize("standardize", [True, False])
def test_decoder_volumes_are_eq_8_on_three_laws(model, standardize, frames):
    found = k_volumes(model, X, n_codes=12, standardize=standardize, random_state=0)
    assert found.grades == (1, 2)
    parts = (found.on_manifold, found.off_manifold, found.sampled)
    for (z, W), volumes in zip(frames["latent"], parts, strict=True):
        J = jacobians(model.net_.module_.decode, z)
        expected = [[log_volume(j @ w[:, :k]) for k in (1, 2)] for j, w in zip(J, W, strict=True)]
        np.testing.assert_allclose(volumes, expected, rtol=1e-6, atol=1e-8)
        units = W / found.scale[:, None]  # orthonormal in standardised units
        np.testing.assert_allclose(
            units.swapaxes(1, 2) @ units, np.tile(np.eye(2), (12, 1, 1)), atol=1e-9
        )
        if spherical(model):
            np.testing.assert_allclose(np.einsum("nd,ndk->nk", z, W), 0, atol=1e-9)
    if standardize and not spherical(model):
        assert (found.scale != 1).all()
    else:
        assert (found.scale == 1).all()


@models
def test_encoder_volumes_are_eq_7(model, frames):
    found = k_volumes(model, X, which="encoder", n_codes=None, random_state=0)
    J = jacobians(model.net_.module_.encode, X) / found.scale[:, None]
    V = frames["data"][0]
    expected = [[log_volume(j @ v[:, :k]) for k in (1, 2)] for j, v in zip(J, V, strict=True)]
    np.testing.assert_allclose(found.on_manifold, expected, rtol=1e-6, atol=1e-8)


def test_on_and_off_manifold_are_codes_of_rows_and_draws_of_the_prior(frames):
    model = MODELS[VAEGenerator, None]
    k_volumes(model, X, n_codes=None, standardize=False, random_state=0)
    (on, _), (off, _), (drawn, _) = frames["latent"]
    np.testing.assert_allclose(on, model.transform(X))
    many = _probe.Probe(model, X, random_state=0).prior_codes(4000, (np.zeros(3), np.ones(3)), 1)
    np.testing.assert_allclose([many.mean(0), many.std(0)], [[0] * 3, [1] * 3], atol=0.08)
    assert off.shape == drawn.shape == (150, 3)


@pytest.mark.parametrize("seed", [0, 1])
def test_full_volumes_of_a_linear_decoder_are_products_of_singular_values(seed):
    D = matrix(6, 3, seed)
    model, rows = linear(matrix(3, 6), D)
    found = k_volumes(model, rows, grades=[3], standardize=False, n_codes=10, random_state=0)
    expected = np.log(np.linalg.svd(D, compute_uv=False)).sum()
    for values in (found.on_manifold, found.off_manifold, found.sampled):
        np.testing.assert_allclose(values, expected, rtol=1e-5)
    scaled = k_volumes(model, rows, grades=[3], n_codes=10, random_state=0)
    shift = np.log(model.transform(rows).std(0)).sum()
    np.testing.assert_allclose(scaled.on_manifold, expected + shift, rtol=1e-5)
    E = matrix(3, 6)
    found = k_volumes(model, rows, grades=[1], which="encoder", standardize=False, random_state=0)
    longest = np.linalg.svd(E, compute_uv=False)[0]
    assert (found.on_manifold <= np.log(longest) + 1e-9).all()


def test_full_volume_does_not_depend_on_the_frame_and_the_others_do():
    model = MODELS[SphericalAE, None]
    one, two = (k_volumes(model, X, n_codes=None, random_state=seed) for seed in (0, 1))
    np.testing.assert_allclose(one.on_manifold[:, 1], two.on_manifold[:, 1], rtol=1e-6)  # k = d - 1
    assert not np.allclose(one.on_manifold[:, 0], two.on_manifold[:, 0], rtol=1e-3)


@pytest.mark.parametrize("c", [1e-2, 7.0])
def test_volumes_and_gap_do_not_depend_on_the_scale_of_the_codes(c):
    model = MODELS[AE, None]
    other = rescaled(model, c)
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(X)), other.inverse_transform(other.transform(X))
    )
    for which in ("decoder", "encoder"):
        a, b = (k_volumes(m, X, which=which, random_state=0) for m in (model, other))
        np.testing.assert_allclose(a.on_manifold, b.on_manifold, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(a.off_manifold, b.off_manifold, rtol=1e-7, atol=1e-8)
    for diagnostic in ("log_volume", "cycle", "spectral_norm"):
        a, b = (generative_gap(m, X, diagnostic=diagnostic, random_state=0) for m in (model, other))
        np.testing.assert_allclose(a.gap, b.gap, rtol=1e-6)
    a, b = (lipschitz_constant(m, X, random_state=0).constant for m in (model, other))
    np.testing.assert_allclose(a, b, rtol=1e-7)


def test_literal_volumes_shift_by_k_log_c():
    model = MODELS[AE, None]
    a, b = (
        k_volumes(m, X, standardize=False, random_state=0) for m in (model, rescaled(model, 2.0))
    )
    np.testing.assert_allclose(
        a.on_manifold - b.on_manifold, [[np.log(2), 2 * np.log(2)]] * 150, atol=5e-3
    )
    assert not np.allclose(a.off_manifold - b.off_manifold, [[np.log(2), 2 * np.log(2)]], atol=1e-2)


def test_standardised_units_of_a_vae_are_those_of_its_whole_posterior():
    model = VAEGenerator(n_components=3, beta=20, max_epochs=60, lr=1e-2, random_state=0).fit(X)
    means = model.transform(X).std(0)
    assert means.min() < 0.2  # collapsed units: their means say nothing of the scale
    scale = k_volumes(model, X, n_codes=5, random_state=0).scale
    np.testing.assert_allclose(scale, 1, atol=0.15)


# ---------------------------------------------------------------------------------- Eqs. 9 - 10
@models
@pytest.mark.parametrize("k", [1, 4])
def test_consistency_is_eq_10(model, k, frames):
    found = encoder_decoder_consistency(model, X, k=k, random_state=0)
    module = model.net_.module_
    J = jacobians(lambda x: module.decode(module.encode(x)), X)
    V = np.concatenate(frames["data"])
    np.testing.assert_allclose(V.swapaxes(1, 2) @ V, np.tile(np.eye(k), (150, 1, 1)), atol=1e-9)
    expected = [np.linalg.norm(j @ v - v) ** 2 for j, v in zip(J, V, strict=True)]
    np.testing.assert_allclose(found.errors, expected, rtol=1e-7, atol=1e-9)


def test_consistency_of_the_identity_is_0():
    model, rows = linear(np.eye(4), np.eye(4))
    found = encoder_decoder_consistency(model, rows, k=3, random_state=0)
    np.testing.assert_allclose(found.errors, 0, atol=1e-20)
    assert found.floor == 0


def test_consistency_of_a_projection_is_0_along_it_and_at_the_floor_on_average():
    U = np.linalg.qr(matrix(8, 2))[0]
    model, rows = linear(U.T, U)
    rows = np.tile(rows, (40, 1))
    along = encoder_decoder_consistency(model, rows, k=2, directions="manifold", random_state=0)
    np.testing.assert_allclose(along.errors, 0, atol=1e-20)
    found = encoder_decoder_consistency(model, rows, k=2, random_state=0)
    assert found.floor == 2 * (1 - 2 / 8)
    assert found.errors.mean() == pytest.approx(found.floor, abs=4 * 0.4 / np.sqrt(2400))
    assert (found.errors <= 2).all()


def test_manifold_directions_are_the_decoders_tangents(frames):
    model = MODELS[SphericalAE, None]
    found = encoder_decoder_consistency(model, X, k=2, directions="manifold", random_state=0)
    module = model.net_.module_
    z, W = frames["latent"][0]
    JD, JE = jacobians(module.decode, z), jacobians(module.encode, X)
    V = np.linalg.qr(JD @ W)[0]
    np.testing.assert_allclose(
        found.errors,
        [np.linalg.norm(d @ e @ v - v) ** 2 for d, e, v in zip(JD, JE, V, strict=True)],
    )


# --------------------------------------------------------------------------------- Eqs. 13 - 14
def test_gap_in_latent_space_is_eq_14():
    model = MODELS[VAEGenerator, None]
    norm = generative_gap(
        model,
        X,
        diagnostic=lambda Z: (Z**2).sum(1),
        standardize=False,
        n_codes=None,
        random_state=0,
    )
    codes = model.transform(X)
    np.testing.assert_allclose(norm.on_manifold, (codes**2).sum(1))
    assert norm.gap == pytest.approx(norm.off_manifold.mean() - (codes**2).sum(1).mean())
    assert norm.off_manifold.mean() == pytest.approx(3, abs=4 * np.sqrt(6 / 150))  # chi-square of 3
    error = np.sqrt(norm.on_manifold.var(ddof=1) / 150 + norm.off_manifold.var(ddof=1) / 150)
    assert norm.standard_error == pytest.approx(error)


def test_gap_in_data_space_is_eq_13():
    model = MODELS[AE, None]
    found = generative_gap(
        model, X, diagnostic="reconstruction", space="data", n_codes=None, random_state=0
    )
    again = model.inverse_transform(model.transform(X))
    np.testing.assert_allclose(found.on_manifold, ((again - X) ** 2).mean(1))
    rows = []
    generative_gap(
        model,
        X,
        diagnostic=lambda R: rows.append(R) or R[:, 0],
        space="data",
        n_codes=None,
        random_state=0,
    )
    again = model.inverse_transform(model.transform(rows[1]))  # of what the prior's draws decode to
    np.testing.assert_allclose(found.off_manifold, ((again - rows[1]) ** 2).mean(1))
    np.testing.assert_array_equal(rows[0], X)


@pytest.mark.parametrize(
    "model", [MODELS[AE, None], MODELS[SphericalAE, None]], ids=["AE", "sphere"]
)
@pytest.mark.parametrize(
    "diagnostic, space",
    [("log_volume", "latent"), ("log_volume", "data"), ("consistency", "data"), ("cycle", "latent")]
    + [("spectral_norm", "latent"), ("reconstruction", "data")],
)
@pytest.mark.parametrize("law", ["prior", "sampler"])
def test_every_named_gap(model, diagnostic, space, law):
    found = generative_gap(
        model, X, diagnostic=diagnostic, space=space, law=law, n_codes=40, k=2, random_state=0
    )
    assert found.gap == pytest.approx(found.off_manifold.mean() - found.on_manifold.mean())
    assert found.on_manifold.shape == found.off_manifold.shape == (40,)
    assert found.interval[0] < found.gap < found.interval[1]
    if diagnostic == "log_volume":
        which = "decoder" if space == "latent" else "encoder"
        same = k_volumes(model, X, grades=[2], which=which, n_codes=40, random_state=0)
        if spherical(model) and space == "latent":  # k = d - 1: free of the frames
            np.testing.assert_allclose(found.on_manifold, same.on_manifold[:, 0], rtol=1e-6)


def test_gap_interval_covers_at_its_rate():
    model, _ = linear(np.eye(2), np.eye(2))

    def gap(seed, confidence):
        rows = np.random.RandomState(seed).normal(size=(50, 2)) + 5
        return generative_gap(
            model,
            rows,
            diagnostic=lambda Z: Z[:, 0],
            standardize=False,
            n_codes=None,
            confidence=confidence,
            n_bootstrap=200,
            random_state=seed,
        )

    covered = sum(low <= -5 <= high for low, high in (gap(s, 0.8).interval for s in range(100)))
    assert 80 - 4 * 4 <= covered <= 80 + 4 * 4
    wide = gap(0, 0.95)
    assert np.diff(wide.interval) == pytest.approx(2 * 1.96 * wide.standard_error, rel=0.2)
    assert wide.interval[0] < gap(0, 0.5).interval[0] < gap(0, 0.5).interval[1] < wide.interval[1]


# ------------------------------------------------------------------------------------ Theorem 1
@models
def test_spectral_norms_are_those_of_the_tangent_map(model, monkeypatch):
    found = lipschitz_constant(model, X, n_codes=None, standardize=False, random_state=0)
    J = jacobians(model.net_.module_.decode, model.transform(X))
    expected = np.linalg.norm(J, ord=2, axis=(1, 2))
    np.testing.assert_allclose(found.on_manifold, expected, rtol=1e-7)
    assert found.metric == ("geodesic" if spherical(model) else "euclidean")
    assert found.constant >= max(found.pairs.max(), expected.max())


def test_lipschitz_constant_of_a_linear_map_is_its_norm():
    D = matrix(5, 3)
    model, rows = linear(matrix(3, 5), D)
    found = lipschitz_constant(model, rows, standardize=False, n_partners=50, random_state=0)
    longest = np.linalg.norm(D, 2)
    np.testing.assert_allclose(found.on_manifold, longest)
    assert (found.pairs <= longest * (1 + 1e-9)).all()
    assert found.pairs.max() > 0.97 * longest
    wide, rows = linear(matrix(5, 3), matrix(3, 5))  # the Gram matrix of the shorter side
    found = lipschitz_constant(wide, rows, standardize=False, random_state=0)
    np.testing.assert_allclose(found.on_manifold, np.linalg.norm(matrix(3, 5), 2))


def test_pairs_on_the_sphere_are_measured_along_it():
    model, rows = linear(np.eye(2), np.eye(2), cls=SphericalAE)  # the circle in the plane
    found = lipschitz_constant(model, rows, n_partners=200, random_state=0)
    np.testing.assert_allclose(found.on_manifold, 1)
    moved = found.pairs[found.pairs > 0]
    assert (moved <= 1 + 1e-6).all() and moved.min() == pytest.approx(2 / np.pi, rel=0.02)


def test_risk_bound_is_a_product_that_holds():
    assert sampling_risk_bound(2, 3, loss_lipschitz=0.5) == 3
    model = MODELS[SphericalAE, None]
    L = lipschitz_constant(model, X, random_state=0).constant
    u, v = model.transform(X)[:75], model.sample_latent(75, random_state=0)
    W = np.arccos(np.clip((u * v).sum(1), -1, 1)).mean()  # of one coupling: at least W1
    risks = [np.linalg.norm(X[:, None] - model.inverse_transform(z), axis=2).mean() for z in (u, v)]
    assert abs(risks[0] - risks[1]) <= sampling_risk_bound(L, W)
    for bad in (-1, np.nan, np.inf):
        with pytest.raises(ValueError, match="wasserstein"):
            sampling_risk_bound(1, bad)
