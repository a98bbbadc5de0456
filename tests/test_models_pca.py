"""The linear control: scikit-learn's PCA, the optimum of linear autoencoders, a Gaussian law."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA, IncrementalPCA

import geomgen.models.pca as module
from geomgen import AE, PCAGenerator
from geomgen.diagnostics import k_volumes
from geomgen.losses import random_frames, tangents

X = load_iris().data
DIGITS = np.random.RandomState(0).permutation(load_digits().data / 16)


def fitted(rows=X, **params):
    return PCAGenerator(**{"dtype": "float64", "random_state": 0, **params}).fit(rows)


def error(model, rows):
    return np.square(model.inverse_transform(model.transform(rows)) - rows).sum(1).mean()


def same_up_to_sign(axes, others, **tolerance):
    signs = np.sign((axes * others).sum(1, keepdims=True))
    np.testing.assert_allclose(axes * signs, others, **tolerance)


# ------------------------------------------------------------------------- scikit-learn's PCA
@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize("rows,d", [(X, 3), (DIGITS, 10), (DIGITS[:40], 30)])
def test_is_the_pca_of_scikit_learn(rows, d, whiten):
    pca, model = (
        PCA(d, whiten=whiten, random_state=0).fit(rows),
        fitted(rows, n_components=d, whiten=whiten),
    )
    codes = model.transform(rows)
    same_up_to_sign(codes.T, pca.transform(rows).T, atol=1e-7 * abs(codes).max())
    decoded = pca.inverse_transform(pca.transform(rows))
    np.testing.assert_allclose(model.inverse_transform(codes), decoded, atol=1e-9)
    np.testing.assert_allclose(model.explained_variance_, pca.explained_variance_, rtol=1e-7)
    same_up_to_sign(model.components_, pca.components_, atol=1e-7)
    np.testing.assert_allclose(model.mean_, rows.mean(0), atol=1e-12)
    if whiten:
        np.testing.assert_allclose(np.cov(codes.T), np.eye(d), atol=1e-8)


def test_history_is_the_error_of_each_call():
    model = fitted(n_components=2)
    assert model.n_iter_ == 1 and model.history_.columns.tolist() == ["loss", "recon", "seconds"]
    left = PCA().fit(X).explained_variance_[2:].sum() * 149 / 150
    assert model.history_["recon"].item() == pytest.approx(left, rel=1e-9)
    model.partial_fit(X[:50])
    assert model.n_iter_ == 2 and model.n_samples_seen_ == 200
    assert model.history_["recon"].iloc[1] == pytest.approx(error(model, X[:50]), rel=1e-9)


def test_seed_does_not_matter_to_an_exact_solution():
    codes = [fitted(n_components=2, random_state=seed).transform(X) for seed in (0, 1)]
    np.testing.assert_array_equal(*codes)


# ---------------------------------------------------------------------------------- the optimum
@pytest.mark.parametrize("d", [1, 2])
def test_no_trained_linear_autoencoder_reconstructs_better(d):
    """Eckart and Young; the trained one comes within 2 %: the comparison says something."""
    rows = (X - X.mean(0)) / X.std(0)
    params = {"n_components": d, "hidden": (), "dtype": "float64", "random_state": 0}
    trained = AE(**params, max_epochs=600, batch_size=150, lr=0.02).fit(rows)
    best = error(fitted(rows, n_components=d), rows)
    assert best * (1 - 1e-9) <= error(trained, rows) <= 1.02 * best


def test_maps_are_linear_and_isometric_without_whitening():
    model = fitted(n_components=3, whiten=False)
    decoder = model.net_.module_.decoder.map
    z = torch.from_numpy(model.transform(X))
    frames = random_frames(150, 3, 3, generator=torch.Generator().manual_seed(0), like=z)
    pushed = tangents(decoder, z, frames).detach()
    np.testing.assert_allclose(pushed, model.components_.T @ frames.numpy(), atol=1e-12)
    eye = np.broadcast_to(np.eye(3), (150, 3, 3))
    np.testing.assert_allclose(pushed.mT @ pushed, eye, atol=1e-12)
    log_volumes = k_volumes(model, X, random_state=0, standardize=False).to_frame()
    np.testing.assert_allclose(log_volumes["mean"], 0, atol=1e-5)


# ------------------------------------------------------------------------------- a Gaussian law
LOADINGS = np.random.RandomState(3).standard_normal((6, 2)) * 2


def factor_rows(n, noise, seed=0):
    """Gaussian rows with two factors and a noise of the columns' own deviations."""
    rng = np.random.RandomState(seed)
    rows = rng.standard_normal((n, 2)) @ LOADINGS.T + rng.standard_normal((n, 6)) * noise
    return rows + np.arange(6)


@pytest.mark.parametrize(
    "residual,noise,limit",
    [("full", np.linspace(0.2, 1.2, 6), 0.03), ("diagonal", 0.5, 0.03)],
)
def test_mean_and_covariance_of_a_gaussian_come_back(residual, noise, limit):
    """3 % of the largest variance; without the residual, 1 to 2 of 10 times that is missing."""
    rows = factor_rows(20_000, noise)
    params = {"n_components": 2, "sampler": "mvg"}
    real, scale = np.cov(rows.T), rows.var(0).max()
    drawn = fitted(rows, residual=residual, **params).sample(50_000, random_state=1)
    np.testing.assert_allclose(drawn.mean(0), rows.mean(0), atol=0.02 * np.sqrt(scale))
    np.testing.assert_allclose(np.cov(drawn.T), real, atol=limit * scale)
    without = np.cov(fitted(rows, **params).sample(50_000, random_state=1).T)
    assert (np.diag(real - without) > 0).all()
    assert np.diag(real - without).sum() > 3 * abs(np.diag(real - np.cov(drawn.T))).sum()


def test_prior_draws_have_the_rows_covariance_if_codes_are_whitened():
    rows = factor_rows(5000, 0.5)
    drawn = fitted(rows, n_components=6, sampler="prior").sample(50_000, random_state=0)
    np.testing.assert_allclose(drawn.mean(0), rows.mean(0), atol=0.05)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(rows.T), atol=0.03 * rows.var(0).max())
    raw = fitted(rows, n_components=6, sampler="prior", whiten=False).sample(50_000, random_state=0)
    np.testing.assert_allclose(np.cov(raw.T), np.eye(6), atol=0.05)


# --------------------------------------------------------------------------------------- chunks
def streamed(parts, **params):
    model = PCAGenerator(**{"dtype": "float64", "random_state": 0, **params})
    for part in parts:
        model.partial_fit(part)
    return model


def test_chunks_give_all_rows_solution_if_no_axis_is_dropped():
    whole, parts = fitted(n_components=4), streamed(np.array_split(X, 7), n_components=4)
    np.testing.assert_allclose(parts.mean_, whole.mean_, rtol=1e-12)
    np.testing.assert_allclose(parts.explained_variance_, whole.explained_variance_, rtol=1e-10)
    same_up_to_sign(parts.components_, whole.components_, atol=1e-10)
    later = fitted(X[:70], n_components=4).partial_fit(X[70:])  # goes on from fit as well
    np.testing.assert_allclose(later.transform(X), parts.transform(X), atol=1e-9)


def test_chunks_are_those_of_incremental_pca():
    parts = np.array_split(DIGITS, 18)
    model, pca = streamed(parts, n_components=8), IncrementalPCA(8)
    for part in parts:
        pca.partial_fit(part)
    np.testing.assert_allclose(model.explained_variance_, pca.explained_variance_, rtol=1e-9)
    same_up_to_sign(model.components_, pca.components_, atol=1e-8)


@pytest.mark.parametrize("d", [2, 8, 32])
def test_chunks_reconstruct_nearly_as_well(d):
    """Measured: 1.007, 1.005 and 1.03 times the error of a fit to all rows."""
    whole, parts = (
        fitted(DIGITS, n_components=d),
        streamed(np.array_split(DIGITS, 18), n_components=d),
    )
    assert 1 < error(parts, DIGITS) / error(whole, DIGITS) < 1.05


def test_axes_come_with_the_rows():
    model = streamed([X[:2]], n_components=4)
    assert model.n_components_ == 1 and not model.transform(X)[:, 1:].any()
    model.partial_fit(X[2:4])
    assert model.n_components_ == 3 and model.transform(X).shape == (150, 4)
    model.partial_fit(X[4:])
    np.testing.assert_allclose(
        model.explained_variance_, fitted(n_components=4).explained_variance_, rtol=1e-9
    )


def test_memory_maps_are_read_by_chunks(tmp_path, monkeypatch):
    np.save(tmp_path / "rows.npy", X)
    monkeypatch.setattr(module, "_CHUNK", 40)
    model = fitted(np.load(tmp_path / "rows.npy", mmap_mode="r"), n_components=4)
    assert model.net_.history[-1, "train_loss"] < 1e-20 and model.n_iter_ == 1
    same_up_to_sign(model.components_, fitted(n_components=4).components_, atol=1e-9)


# ---------------------------------------------------------------------------------------- edges
@pytest.mark.parametrize("whiten", [True, False])
def test_axes_that_rows_do_not_have_are_zero(whiten):
    rows = np.c_[X, X[:, :1] + X[:, 1:2], np.full(150, 1e9 / 3)]  # rank 4, two columns for nothing
    for dtype in ("float64", "float32"):
        model = fitted(rows, n_components=8, whiten=whiten, dtype=dtype)
        codes = model.transform(rows)
        assert codes.shape == (150, 8) and model.n_components_ == 4
        assert (codes.std(0)[:4] > 0.1).all() and not codes[:, 4:].any()
        assert model.components_.shape == (4, 6) and model.explained_variance_.shape == (4,)
        close = {"rtol": 1e-6, "atol": 1e-6} if dtype == "float32" else {"atol": 1e-6}
        np.testing.assert_allclose(model.inverse_transform(codes), rows, **close)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
def test_constant_rows_come_back(value):
    rows = np.full((30, 3), value)  # whose mean, in floating point, may be another number
    for model in (fitted(rows, sampler="gmm"), streamed(np.split(rows, 3), sampler="gmm")):
        assert model.n_components_ == 0 and not model.transform(rows).any()
        np.testing.assert_allclose(model.sample(9, random_state=0), rows[:9], rtol=1e-12)


@pytest.mark.parametrize("sampler", ["cells", "mvg", "gmm", "kde", "auto"])
def test_samplers_take_codes_with_empty_columns(sampler):
    rows = fitted(n_components=9, sampler=sampler, residual="diagonal").sample(2000, random_state=0)
    np.testing.assert_allclose(rows.mean(0), X.mean(0), atol=0.15)
    np.testing.assert_allclose(rows.std(0), X.std(0), rtol=0.25)


def test_one_feature():
    rows = X[:, :1]
    model = fitted(rows, n_components=1, sampler="prior")
    assert abs(model.components_.item()) == 1
    assert model.explained_variance_.item() == pytest.approx(rows.var(ddof=1))
    assert error(model, rows) < 1e-25


def test_far_from_zero_float32_codes_keep_their_digits():
    """Centred before the linear map: 1e-6 of a unit, where a bias after it is 1e-3 off."""
    rng = np.random.RandomState(0)
    rows = (1e4 + rng.standard_normal((500, 5)) * [3, 2, 1, 0.5, 0.2]).astype(np.float32)
    codes = [fitted(rows, n_components=5, dtype=t).transform(rows) for t in ("float32", "float64")]
    np.testing.assert_allclose(*codes, atol=1e-5)
    far = fitted(rows + np.float64(1e9), n_components=5).explained_variance_  # nor does the solver
    near = fitted(rows, n_components=5).explained_variance_
    np.testing.assert_allclose(far, near, rtol=1e-3)


def test_bad_rows_leave_it_as_it_was():
    model = fitted(n_components=2)
    codes = model.transform(X)
    for bad, message in ((np.nan, "NaN"), (np.inf, "infinity")):
        rows = np.where(np.arange(600).reshape(150, 4) == 7, bad, X)
        for method in (model.fit, model.partial_fit, model.transform):
            with pytest.raises(ValueError, match=message):
                method(rows)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, :2])
    with pytest.raises(ValueError, match=r"\['n_components'\] changed"):
        copy.copy(model).set_params(n_components=3).partial_fit(X)
    np.testing.assert_array_equal(model.transform(X), codes)
    assert model.n_iter_ == 1


# ------------------------------------------------------------------------------------ parameters
def test_what_a_closed_form_has_no_use_for_is_no_parameter():
    kept = "device dtype marginals n_components random_state residual sampler validation_fraction"
    assert sorted(PCAGenerator().get_params()) == [*kept.split(), "whiten"]
    assert set(PCAGenerator().get_params()) - set(AE().get_params()) == {"whiten"}
    for gone in set(AE().get_params()) - set(PCAGenerator().get_params()):
        assert f"\n{gone} : " not in PCAGenerator.__doc__
        with pytest.raises(TypeError, match=gone):
            PCAGenerator(**{gone: getattr(AE(), gone)})


def test_scikit_learn_callbacks_hear_of_the_one_epoch():
    pytest.importorskip("sklearn.callback", reason="scikit-learn < 1.9")
    heard = []

    class Listener:
        def setup(self, estimator, context): ...

        def teardown(self, estimator, context): ...

        def on_fit_task_begin(self, estimator, context, **kwargs):
            heard.append(("begin", context.task_name))

        def on_fit_task_end(self, estimator, context, **kwargs):
            heard.append(("end", context.task_name))

    PCAGenerator(n_components=2).set_callbacks(Listener()).fit(X)
    assert heard[1:-1] == [("begin", "epoch"), ("end", "epoch")]
