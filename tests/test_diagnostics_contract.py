"""What every diagnostic of a fitted model keeps: inputs, errors, state, results."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from geomgen import AE, SphericalAE, VAEGenerator
from geomgen.diagnostics import (
    _probe,
    collapse,
    directional_spectrum,
    encoder_decoder_consistency,
    generative_gap,
    k_volumes,
    lipschitz_constant,
    radial_sensitivity,
)

from .helpers import ESTIMATORS, name, small

X = load_iris().data
MODEL = small(AE, n_components=3).fit(X)
SEEDED = {
    "volumes": k_volumes,
    "encoder volumes": lambda *a, **p: k_volumes(*a, which="encoder", **p),
    "consistency": encoder_decoder_consistency,
    "gap": generative_gap,
    "lipschitz": lipschitz_constant,
}
ALL = {
    **{key: lambda m, X, f=f: f(m, X, random_state=0) for key, f in SEEDED.items()},
    "radial": radial_sensitivity,
    "spectrum": directional_spectrum,
    "collapse": collapse,
}
seeded = pytest.mark.parametrize("function", SEEDED.values(), ids=SEEDED)
every = pytest.mark.parametrize("function", ALL.values(), ids=ALL)
differentiating = pytest.mark.parametrize("key", ["volumes", "consistency", "gap", "lipschitz"])


def assert_same(a, b, **tolerance):
    pd.testing.assert_frame_equal(a.to_frame(), b.to_frame(), **tolerance)


# --------------------------------------------------------------------------------------- inputs
@every
def test_pipelines_and_searches_are_opened(function):
    scaler = StandardScaler()
    inner = small(AE, n_components=3)
    pipe = make_pipeline(scaler, "passthrough", inner).fit(X)
    expected = function(pipe[-1], scaler.transform(X))
    assert_same(function(pipe, X), expected)
    nested = Pipeline([("all", pipe)])
    assert_same(function(nested, X), expected)
    search = GridSearchCV(make_pipeline(scaler, inner), {"ae__lr": [1e-3]}, cv=2).fit(X)
    assert_same(function(search, X), expected)


@every
def test_frames_and_read_only_rows(function):
    frame = load_iris(as_frame=True).data
    model = small(AE, n_components=3).fit(frame)
    rows = X.copy()
    rows.flags.writeable = False
    assert_same(function(model, frame), function(MODEL, rows))


@pytest.mark.parametrize("cls", ESTIMATORS, ids=name)
@every
def test_every_estimator_has_every_diagnostic(cls, function):
    for norm in (None, "layer"):
        found = function(small(cls, norm=norm, n_components=3).fit(X), X)
        numbers = found.to_frame().select_dtypes("number")
        assert np.isfinite(numbers.to_numpy(dtype=float, na_value=0)).all()


# --------------------------------------------------------------------------------------- errors
@every
def test_bad_objects(function):
    with pytest.raises(NotFittedError):
        function(AE(), X)
    with pytest.raises(NotFittedError):
        function(make_pipeline(StandardScaler(), AE()), X)
    with pytest.raises(NotFittedError):
        function(GridSearchCV(AE(), {}), X)
    with pytest.raises(TypeError, match="autoencoder of geomgen.*PCA"):
        function(PCA().fit(X), X)
    with pytest.raises(TypeError, match="is a class"):
        function(AE, X)


@every
def test_bad_rows(function):
    with pytest.raises(ValueError, match="NaN"):
        function(MODEL, np.where(X > 7, np.nan, X))
    with pytest.raises(ValueError, match="3 features"):
        function(MODEL, X[:, :3])
    with pytest.raises(ValueError, match="0 sample"):
        function(MODEL, X[:0])
    with pytest.raises(ValueError, match="1 sample.*minimum of 2"):
        function(MODEL, X[:1])


def test_bad_codes():
    for bad, match in [
        (np.empty((0, 3)), "0 sample"),
        (np.ones((1, 3)), "minimum of 2"),
        (np.full((4, 3), np.nan), "NaN"),
        ([[0.0, 0.0], [1.0, 0.0]], "1 of 2 codes have norm 0"),
    ]:
        with pytest.raises(ValueError, match=match):
            directional_spectrum(bad)
    with pytest.raises(TypeError, match="needs rows X"):
        directional_spectrum(MODEL)
    with pytest.raises(TypeError, match="pass codes alone"):
        directional_spectrum(np.eye(3), X)


BAD = [
    (
        k_volumes,
        {"grades": (1, 4)},
        ValueError,
        "grades=4 must be an int of at least 1 and at most 3",
    ),
    (k_volumes, {"grades": (0,)}, ValueError, "grades=0"),
    (k_volumes, {"grades": (1.0,)}, TypeError, "grades=1.0"),
    (k_volumes, {"grades": ()}, ValueError, "is empty"),
    (k_volumes, {"grades": 2}, TypeError, "grades=2 must be a sequence"),
    (k_volumes, {"which": "both"}, ValueError, "which='both'"),
    (k_volumes, {"n_codes": 1}, ValueError, "n_codes=1 must be an int of at least 2"),
    (k_volumes, {"n_codes": "all"}, TypeError, "n_codes='all'"),
    (encoder_decoder_consistency, {"k": 5}, ValueError, "k=5.*at most 4"),
    (encoder_decoder_consistency, {"k": 4, "directions": "manifold"}, ValueError, "k=4.*at most 3"),
    (encoder_decoder_consistency, {"k": True}, TypeError, "k=True"),
    (encoder_decoder_consistency, {"directions": "pca"}, ValueError, "directions='pca'"),
    (generative_gap, {"k": 4}, ValueError, "k=4.*at most 3"),
    (generative_gap, {"diagnostic": "consistency"}, ValueError, "space='latent', diagnostic="),
    (generative_gap, {"diagnostic": "consistency", "space": "data", "k": 5}, ValueError, "k=5"),
    (generative_gap, {"space": "both"}, ValueError, "space='both'"),
    (generative_gap, {"law": "q"}, ValueError, "law='q'"),
    (generative_gap, {"confidence": 1.0}, ValueError, "confidence=1.0"),
    (generative_gap, {"n_bootstrap": 0}, ValueError, "n_bootstrap=0"),
    (generative_gap, {"diagnostic": lambda Z: Z}, ValueError, "one finite number a point"),
    (generative_gap, {"diagnostic": lambda Z: Z[:, 0] * np.nan}, ValueError, "finite number"),
    (lipschitz_constant, {"n_partners": 0}, ValueError, "n_partners=0"),
    (radial_sensitivity, {"alphas": ()}, ValueError, "alphas"),
    (radial_sensitivity, {"alphas": (1, 0)}, ValueError, "alphas"),
    (radial_sensitivity, {"alphas": (1, np.inf)}, ValueError, "alphas"),
    (collapse, {"threshold": 0}, ValueError, "threshold=0"),
    (collapse, {"dead_threshold": "0.1"}, TypeError, "dead_threshold='0.1'"),
]


@pytest.mark.parametrize("function, params, error, match", BAD)
def test_bad_parameters_are_named(function, params, error, match):
    with pytest.raises(error, match=match):
        function(MODEL, X, **params)


def test_the_legal_grades_are_kept():
    assert k_volumes(MODEL, X, n_codes=5).grades == (1, 2)
    assert k_volumes(MODEL, X, n_codes=5, grades=[3, 1, 1]).grades == (1, 3)
    sphere = small(SphericalAE, n_components=3).fit(X)
    assert k_volumes(sphere, X, n_codes=5).grades == (1, 2)
    with pytest.raises(ValueError, match="grades=3.*at most 2.*sphere"):
        k_volumes(sphere, X, grades=[3])
    points = small(SphericalAE, n_components=1).fit(X)
    with pytest.raises(ValueError, match="No grade"):
        k_volumes(points, X)


class Rounding(nn.Linear):
    def forward(self, z):
        return torch.round(4 * super().forward(z))


class Detached(nn.Linear):
    def forward(self, z):
        return super().forward(z.detach()) if not self.training else super().forward(z)


class ByNumpy(nn.Linear):
    def forward(self, z):
        return super().forward(z) + torch.from_numpy(np.zeros(1, np.float32) * len(z.numpy()))


@differentiating
@pytest.mark.parametrize("decoder", [Rounding, Detached, ByNumpy], ids=name)
def test_a_decoder_without_a_derivative_is_an_error(key, decoder):
    model = small(AE, n_components=3, decoder=decoder, max_epochs=1)
    if decoder is ByNumpy:  # cannot be trained either: put in after
        model.set_params(decoder=nn.Linear).fit(X)
        model.net_.module_.decoder.trunk = ByNumpy(3, 4)
    else:
        model.fit(X)
    with pytest.raises(ValueError, match="decoder of this AE.*(derivative|differentiated)"):
        SEEDED[key](model, X, random_state=0)


def test_a_constant_decoder_is_a_finding_and_not_an_error():
    model = small(AE, n_components=3).fit(X)
    with torch.no_grad():
        model.net_.module_.decoder.trunk[-1].weight.zero_()
    found = k_volumes(model, X, random_state=0)
    np.testing.assert_allclose(found.on_manifold, [[np.log(1e-3), 2 * np.log(1e-3)]] * 150)
    assert lipschitz_constant(model, X, random_state=0).constant == 0


class Own(nn.Module):
    """A network without rules of its own for tangents."""

    def __init__(self, n_in, n_out):
        super().__init__()
        self.inner = nn.Linear(n_in, n_out)

    def forward(self, z):
        return torch.sin(self.inner(z))


@pytest.mark.parametrize("cls", [AE, SphericalAE, VAEGenerator], ids=name)
def test_networks_of_the_users_own_and_unknown_heads(cls, monkeypatch):
    model = small(cls, n_components=3, encoder=Own, decoder=Own, dtype="float64").fit(X)
    known = [function(model, X) for function in ALL.values()]
    monkeypatch.setattr(_probe, "LatentVariableModel", type("Another", (), {}))
    for one, function in zip(known, ALL.values(), strict=True):  # whole maps by jvp
        assert_same(one, function(model, X))


# ---------------------------------------------------------------------------------------- state
@every
def test_nothing_is_left_changed(function):
    model = small(AE, n_components=3, norm="batch").fit(X)
    module = model.net_.module_.train()
    module.decoder.eval()
    modes = [part.training for part in module.modules()]
    weights = {key: value.clone() for key, value in module.state_dict().items()}
    rows, state, numpy_state = X.copy(), torch.get_rng_state(), np.random.get_state()[1].copy()
    function(model, rows)
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(weights[key], value) for key, value in module.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(numpy_state, np.random.get_state()[1])
    np.testing.assert_array_equal(rows, X)
    expected = function(small(AE, n_components=3, norm="batch").fit(X), X)
    assert_same(function(model, rows), expected)  # measured in evaluation mode


@every
def test_rows_are_not_written_to_by_networks_that_work_in_place(function):
    def own(n_in, n_out):
        return nn.Sequential(nn.ReLU(inplace=True), nn.Linear(n_in, n_out))

    rows = (X - X.mean(0)).astype(np.float32)
    model = small(AE, n_components=3, encoder=own).fit(rows)
    before = rows.copy()
    function(model, rows)
    np.testing.assert_array_equal(rows, before)


def test_modes_are_put_back_after_an_error():
    model = small(AE, n_components=3, norm="batch").fit(X)
    model.net_.module_.train()
    with pytest.raises(ZeroDivisionError):
        generative_gap(model, X, diagnostic=lambda Z: 1 / 0)
    assert model.net_.module_.encoder.training


@seeded
def test_seeds(function):
    one, same, other = (function(MODEL, X, random_state=seed) for seed in (0, 0, 1))
    assert_same(one, same)
    with pytest.raises(AssertionError):
        assert_same(one, other, rtol=1e-3)
    np.random.seed(0)
    by_global = function(MODEL, X)
    np.random.seed(0)
    assert_same(by_global, function(MODEL, X))


@every
def test_chunks_change_nothing_but_the_frames(function, monkeypatch):
    whole = function(MODEL, X)
    monkeypatch.setattr(_probe, "_BUDGET", 2000)
    parts = function(MODEL, X)
    loose = function in [ALL[key] for key in ("volumes", "encoder volumes", "consistency", "gap")]
    assert whole.to_frame().shape == parts.to_frame().shape
    if not loose:
        assert_same(whole, parts, rtol=1e-4)


def test_the_largest_tensor_is_bounded(monkeypatch):
    model = small(AE, n_components=3).fit(X)
    rows = np.repeat(X, 20, axis=0)
    seen = []
    monkeypatch.setattr(_probe, "_BUDGET", 5000)
    inner = model.net_.module_.decoder.forward
    monkeypatch.setattr(
        model.net_.module_.decoder, "forward", lambda z: seen.append(len(z)) or inner(z)
    )
    radial_sensitivity(model, rows)
    assert max(seen) <= 5000 // 8 and sum(seen) >= 10 * len(rows)


@seeded
def test_progress_is_shown_when_asked_for(function, capsys):
    function(MODEL, X, random_state=0)
    assert capsys.readouterr() == ("", "")
    function(MODEL, X, random_state=0, verbose=1)
    assert "chunk" in capsys.readouterr().err


# -------------------------------------------------------------------------------------- results
@every
def test_results_are_frozen_lines_and_tables(function):
    found = function(MODEL, X)
    assert isinstance(found.to_frame(), pd.DataFrame) and len(found.to_frame())
    assert "\n" not in found.summary and len(found.summary) < 250
    assert repr(found) == f"<{type(found).__name__}: {found.summary}>"
    with pytest.raises(AttributeError):
        found.summary = ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found.to_frame().describe()


def test_volumes_table_holds_percentiles():
    found = k_volumes(MODEL, X, n_codes=50, random_state=0)
    table = found.to_frame().set_index(["law", "k"])
    assert len(table) == 6
    row = table.loc[("off_manifold", 2)]
    values = found.off_manifold[:, 1]
    expected = [50, values.mean(), values.std(), *np.quantile(values, (0.05, 0.5, 0.95))]
    np.testing.assert_allclose(row.to_numpy(float), expected)


def test_number_of_codes():
    found = k_volumes(MODEL, X, n_codes=20, random_state=0)
    assert [len(v) for v in (found.on_manifold, found.off_manifold, found.sampled)] == [20] * 3
    found = k_volumes(MODEL, X, n_codes=200, random_state=0)
    assert [len(v) for v in (found.on_manifold, found.off_manifold)] == [150, 200]
    found = lipschitz_constant(MODEL, X, n_codes=20, n_partners=3, random_state=0)
    assert len(found.on_manifold) == 20 and len(found.pairs) == 3 * 40
