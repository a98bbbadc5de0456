"""What every estimator of the package owes its users, by discovery."""

import copy
import pickle
import re

import numpy as np
import pandas as pd
import polars
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

from geomgen.metrics import energy_distance

from .helpers import ESTIMATORS, having, name, small

X = load_iris().data
CUDA = torch.cuda.is_available()
every = pytest.mark.parametrize("cls", ESTIMATORS, ids=name)


@pytest.fixture(scope="module")
def fitted():
    return {cls: small(cls).fit(X) for cls in ESTIMATORS}


@every
def test_shapes_and_dtypes(cls, fitted):
    model = fitted[cls]
    Z = model.transform(X)
    assert Z.shape == (150, 2) and Z.dtype == np.float32
    assert model.inverse_transform(Z).shape == X.shape
    assert model.sample(7, random_state=0).shape == (7, 4)
    assert model.sample_latent(7, random_state=0).shape == (7, 2)
    assert model.get_feature_names_out().tolist() == [f"{cls.__name__.lower()}{i}" for i in (0, 1)]
    assert model.n_iter_ == model.max_epochs and model.device_.type == ("cuda" if CUDA else "cpu")
    assert model.n_samples_seen_ == 150


@every
def test_history_has_a_row_an_epoch_and_a_column_a_term(cls, fitted):
    model = fitted[cls]
    history = model.history_
    assert history.index.tolist() == [*range(1, model.max_epochs + 1)]
    assert history.index.name == "epoch"
    terms = history.drop(columns=["loss", "critic_loss", "seconds"], errors="ignore")
    np.testing.assert_allclose(terms.sum(axis=1), history["loss"], rtol=1e-6)
    assert "recon" in terms


@every
def test_sample_is_the_decoded_latent_sample(cls, fitted):
    Z = fitted[cls].sample_latent(20, random_state=3)
    rows = fitted[cls].sample(20, random_state=3)
    np.testing.assert_array_equal(fitted[cls].inverse_transform(Z), rows)


@every
def test_score_is_minus_the_energy_distance_to_a_draw(cls, fitted):
    score = fitted[cls].score(X)
    assert isinstance(score, float) and score <= 0
    drawn = fitted[cls].sample(1000, random_state=0)
    assert score == pytest.approx(-energy_distance(X, drawn), rel=1e-6)


@every
def test_same_seed_same_bytes(cls, fitted):
    again = small(cls).fit(X)
    assert again.transform(X).tobytes() == fitted[cls].transform(X).tobytes()
    draws = [m.sample(9, random_state=5).tobytes() for m in (again, fitted[cls])]
    assert draws[0] == draws[1]
    assert draws[0] != again.sample(9, random_state=6).tobytes()


@every
def test_a_random_state_object_is_advanced(cls):
    rng = np.random.RandomState(0)
    small(cls, random_state=rng).fit(X)
    assert rng.randint(2**31) != np.random.RandomState(0).randint(2**31)


@having("max_epochs")
def test_another_seed_gives_other_weights(cls, fitted):
    rng = np.random.RandomState(2)
    models = [fitted[cls], *(small(cls, random_state=seed).fit(X) for seed in (1, rng, rng))]
    assert len({model.transform(X).tobytes() for model in models}) == 4


@every
def test_global_generators_do_not_move(cls):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    model = small(cls).fit(X).partial_fit(X)
    model.sample(5, random_state=0), model.score(X)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert all(
        np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpy_state, strict=True)
    )


@every
def test_without_a_seed_only_numpys_global_state_moves(cls):
    torch_state = torch.get_rng_state()
    np.random.seed(0)
    one = small(cls, random_state=None).fit(X).sample(5)
    two = small(cls, random_state=None).fit(X).sample(5)
    np.random.seed(0)
    again = small(cls, random_state=None).fit(X).sample(5)
    assert one.tobytes() == again.tobytes() != two.tobytes()
    assert torch.equal(torch.get_rng_state(), torch_state)


@every
def test_pickle_and_deepcopy(cls, fitted):
    model = fitted[cls]
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.transform(X), model.transform(X))
        np.testing.assert_array_equal(other.sample(4, random_state=0), model.sample(4, 0))
        other.partial_fit(X)  # training can go on
        assert other.n_iter_ == model.n_iter_ + 1
    assert model.n_iter_ == model.max_epochs


@every
@pytest.mark.parametrize("dtype", ["float32", "float64", "auto"])
def test_dtype_of_computation_is_that_of_output(cls, dtype):
    for given in (np.float32, np.float64):
        model = small(cls, dtype=dtype).fit(X.astype(given))
        wanted = given if dtype == "auto" else np.dtype(dtype)
        weights = next(model.net_.module_.parameters())
        assert str(weights.dtype) == f"torch.{np.dtype(wanted)}"
        assert model.transform(X).dtype == model.sample(2, 0).dtype == wanted


@having("hidden", "max_epochs", "lr")
def test_training_learns(cls):
    model = small(cls, hidden=(32,), max_epochs=60, lr=5e-3).fit(X)
    recon = model.history_["recon"]
    assert recon.iloc[-1] < 0.5 * recon.iloc[0]


@having("encoder")
def test_caller_keeps_rows_and_modules(cls):
    rows = X.copy()
    d_out = cls._posterior.n_outputs(2)
    encoder = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, d_out))
    before = copy.deepcopy(encoder.state_dict())
    model = small(cls, encoder=encoder).fit(rows)
    np.testing.assert_array_equal(rows, X)
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())
    assert model.encoder is encoder and encoder.training
    assert clone(model).encoder is not encoder


@having("encoder", "decoder")
def test_own_networks(cls):
    calls = []

    def factory(n_in, n_out):
        calls.append((n_in, n_out))
        return torch.nn.Sequential(torch.nn.Linear(n_in, n_out), torch.nn.Dropout(0.5))

    state = torch.get_rng_state()
    one, two = (small(cls, encoder=factory, decoder=factory).fit(X) for _ in range(2))
    assert calls[0] == (4, cls._posterior.n_outputs(2)) and calls[1] == (2, 4)
    assert one.transform(X).tobytes() == two.transform(X).tobytes()  # dropout is seeded too
    assert torch.equal(torch.get_rng_state(), state)


@every
def test_frames_come_back_as_frames(cls):
    frame = pd.DataFrame(X, columns=list("abcd"))
    drawn = small(cls).fit(frame).sample(3, random_state=0)
    assert isinstance(drawn, pd.DataFrame) and drawn.columns.tolist() == list("abcd")
    drawn = small(cls).fit(polars.DataFrame(frame.to_dict("list"))).sample(3, random_state=0)
    assert isinstance(drawn, polars.DataFrame) and drawn.columns == list("abcd")


@every
def test_set_output(cls, fitted):
    Z = clone(fitted[cls]).set_output(transform="pandas").fit_transform(X)
    assert isinstance(Z, pd.DataFrame)
    np.testing.assert_array_equal(Z.to_numpy(), fitted[cls].transform(X))


@every
def test_memory_map_gives_the_same_model(cls, fitted, tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, X)
    model = small(cls).fit(np.load(path, mmap_mode="r"))
    assert model.transform(X).tobytes() == fitted[cls].transform(X).tobytes()


@having("norm", "batch_size")
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("batch_size", [149, 74, 1000])
def test_last_batch_of_one_row(cls, norm, batch_size):
    model = small(cls, norm=norm, batch_size=batch_size, early_stopping=False).fit(X)
    assert np.isfinite(model.transform(X)).all()


@having("norm", "batch_size")
def test_batches_of_one_row(cls):
    assert np.isfinite(small(cls, batch_size=1, max_epochs=1).fit(X[:10]).sample(3, 0)).all()
    with pytest.raises(ValueError, match="batch_size=1"):
        small(cls, batch_size=1, norm="batch").fit(X)


@every
@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(X[:2], id="two rows"),
        pytest.param(X[:, :1], id="one feature"),
        pytest.param(np.c_[X, np.ones(150)], id="a constant column"),
        pytest.param(np.ones((30, 3)), id="constant rows"),
        pytest.param((X * 10).astype(np.uint8), id="integers"),
        pytest.param(X.astype(object), id="numbers as objects"),
        pytest.param(X.astype(np.float16), id="float16"),
        pytest.param(np.asfortranarray(X)[::2], id="strided"),
    ],
)
def test_unusual_rows(cls, rows):
    model = small(cls).fit(rows)
    drawn = model.sample(5, random_state=0)
    assert drawn.shape == (5, rows.shape[1]) and np.isfinite(drawn).all()


@every
def test_more_components_than_features(cls):
    model = small(cls, n_components=9).fit(X)
    assert model.transform(X).shape == (150, 9) and np.isfinite(model.sample(3, 0)).all()


SAMPLERS = ["cells", "prior", "uniform", "mvg", "gmm", GaussianMixture(2), KernelDensity()]


@every
@pytest.mark.parametrize("sampler", SAMPLERS, ids=name)
def test_every_sampler_with_every_model(cls, sampler):
    model = small(cls, sampler=sampler).fit(X)
    one, two, other = (model.sample(6, random_state=s) for s in (0, 0, 1))
    assert one.tobytes() == two.tobytes() != other.tobytes()
    assert model.sampler is sampler and not hasattr(sampler, "means_")
    again = small(cls, sampler=sampler).fit(X)
    assert again.sample(6, random_state=0).tobytes() == one.tobytes()


@every
def test_fit_sampler_leaves_the_net(cls, fitted):
    model = copy.deepcopy(fitted[cls]).set_params(sampler="mvg").fit_sampler(X)
    np.testing.assert_array_equal(model.transform(X), fitted[cls].transform(X))
    wanted = small(cls, sampler="mvg").fit(X).sample(5, random_state=0)
    np.testing.assert_array_equal(model.sample(5, random_state=0), wanted)
    with pytest.raises(ValueError, match="features"):
        model.fit_sampler(X[:, :2])


@every
def test_partial_fit_sees_all_rows(cls):
    model = small(cls, sampler="mvg")
    for part in np.array_split(X, 3):
        model.partial_fit(part)
    assert model.n_iter_ == 3 and model.n_samples_seen_ == 150
    # what transform gives, but for models whose sampler sees draws of the posteriors
    codes = model._apply(model._module.manifold.project, model._ambient_codes(X))
    np.testing.assert_allclose(model.sampler_.mean_, codes.mean(0), atol=1e-5)


@every
def test_partial_fit_after_fit_remembers_by_drawing(cls):
    low, high = X[X[:, 2] < 2], X[X[:, 2] > 4]
    model = small(cls, max_epochs=40, sampler="gmm").fit(low)
    for _ in range(3):
        model.partial_fit(high[:10])
    assert model.n_samples_seen_ == len(low) + 30
    assert len(model._reservoir.rows) == len(low) + 30
    assert not (model._reservoir.rows[0] == low).all(axis=1).any()  # draws, not rows


@having("warm_start", "lr")
def test_warm_start_goes_on(cls, fitted):
    model = small(cls, warm_start=True).fit(X)
    first = model.transform(X)
    model.set_params(lr=1e-2).fit(X)
    assert model.n_iter_ == 6 and not np.array_equal(model.transform(X), first)
    assert model.net_.optimizer_.param_groups[0]["lr"] == 1e-2
    np.testing.assert_array_equal(first, fitted[cls].transform(X))
    with pytest.raises(ValueError, match="features"):
        model.fit(X[:, :2])
    with pytest.raises(ValueError, match=r"\['hidden'\] changed"):
        model.set_params(hidden=(9,)).fit(X)
    model.set_params(hidden=(8,))
    assert model.transform(X).shape == (150, 2)


@having("early_stopping")
def test_early_stopping_restores_the_best_weights(cls):
    rows = load_digits().data[:200] / 16
    model = small(cls, early_stopping=True, max_epochs=400, n_iter_no_change=2, tol=0.05, lr=1e-2)
    history = model.fit(rows).history_
    assert model.n_iter_ < 400 and "valid_recon" in history
    assert history["valid_loss"].tail(3).min() > history["valid_loss"].min() - 0.05
    kept = clone(model).set_params(max_epochs=int(model.n_iter_) - 2).fit(rows)
    np.testing.assert_array_equal(kept.transform(rows), model.transform(rows))


BAD = {
    "n_components": [0, 1.5, "2"],
    "hidden": [(0,), 8, ("8",)],
    "activation": ["sigmoidal"],
    "norm": ["group"],
    "reduction": ["max"],
    "max_epochs": [0],
    "batch_size": [0],
    "lr": [0, -1, np.inf, np.nan],
    "optimizer": ["adam"],
    "early_stopping": ["yes"],
    "validation_fraction": [0, 1],
    "dtype": ["float16"],
    "device": ["abacus", "meta:x", "meta", 0],
    "sampler": ["cell", 3, GaussianMixture],
    "verbose": [-1],
    "callbacks": ["bar"],
    "encoder": [3],
    "net_params": [{"lr": 1}, {"optimiser__weight_decay": 1}, {"iterator_train__shuffle": 1}, 5],
}


@every
@pytest.mark.parametrize("parameter,value", [(p, v) for p, vs in BAD.items() for v in vs])
def test_bad_parameter_is_named(cls, parameter, value, fitted):
    model = copy.deepcopy(fitted[cls])
    with pytest.raises((ValueError, TypeError), match=parameter):
        model.set_params(**{parameter: value}).fit(X)  # set_params, if the class has no such one
    np.testing.assert_array_equal(model.transform(X), fitted[cls].transform(X))  # nothing is lost


def fails_later(model, x, z, generator):
    if model.n_steps % 5 == 3:
        raise ZeroDivisionError
    return z.square().mean()


@having("warm_start", "extra_terms")
def test_training_on_that_fails_changes_nothing(cls):
    """Neither weights, history nor optimizer, whether it fails before training or in it."""
    control = small(cls, warm_start=True).fit(X)
    model = copy.deepcopy(control)
    for broken in (
        {"sampler": "cell"},
        {"extra_terms": {"a": 3}},
        {"extra_terms": {"a": (1.0, fails_later)}, "max_epochs": 9},
    ):
        good = {name: getattr(model, name) for name in broken}
        for fit in (model.fit, model.partial_fit):
            with pytest.raises((ValueError, ZeroDivisionError)):
                model.set_params(**broken) and fit(X)
            np.testing.assert_array_equal(model.transform(X), control.transform(X))
            np.testing.assert_array_equal(model.sample(9, 0), control.sample(9, 0))
            assert model.n_iter_ == 3 and len(model.history_) == 3
        model.set_params(**good)
    model.partial_fit(X), control.partial_fit(X)  # the optimizer is where it was, too
    np.testing.assert_array_equal(model.transform(X), control.transform(X))


@every
def test_columns_of_far_scales_are_warned_of(cls):
    with pytest.warns(UserWarning, match="deviations from .* to .*StandardScaler"):
        small(cls).fit(X * [1, 1e-6, 1, 1])


@every
@pytest.mark.parametrize(
    "rows,message",
    [
        (np.where(np.arange(600).reshape(150, 4) == 7, np.nan, X), "NaN"),
        (np.where(np.arange(600).reshape(150, 4) == 7, np.inf, X), "infinity"),
        (X[0], "1D"),
        (X[:1], "1 sample"),
        (X.astype(str).astype(object) + np.array("a", object), "could not convert"),
        (X[:, :0], "0 feature"),
    ],
    ids=["NaN", "inf", "1-D", "one row", "strings", "no feature"],
)
def test_bad_rows(cls, rows, message, fitted):
    model = copy.deepcopy(fitted[cls])
    with pytest.raises(ValueError, match=message):
        model.fit(rows)
    np.testing.assert_array_equal(model.transform(X), fitted[cls].transform(X))


@every
@pytest.mark.parametrize("n", [0, -1, 2.0, True, "3", None])
def test_bad_number_of_samples(cls, n, fitted):
    with pytest.raises(ValueError, match="n_samples"):
        fitted[cls].sample(n)


@every
def test_codes_of_the_wrong_width(cls, fitted):
    with pytest.raises(ValueError, match=re.escape("X has 3 columns")):
        fitted[cls].inverse_transform(np.zeros((2, 3)))


@having("encoder", "decoder")
def test_networks_that_do_not_fit(cls):
    with pytest.raises(ValueError, match="encoder must map"):
        small(cls, encoder=torch.nn.Linear(4, cls._posterior.n_outputs(2) + 1)).fit(X)
    with pytest.raises(ValueError, match="decoder must map"):
        small(cls, decoder=lambda a, b: torch.nn.Linear(a, b + 1)).fit(X)


@every
@pytest.mark.skipif(CUDA, reason="a CUDA device is present")
def test_cuda_asked_for_and_absent(cls):
    with pytest.raises(ValueError, match="device='cuda'"):
        small(cls, device="cuda").fit(X)
