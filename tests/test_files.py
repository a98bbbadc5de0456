"""Files of fitted models: what was saved is what is loaded, whatever it is made of."""

import os

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from skorch.callbacks import GradientNormClipping

import geomgen
from geomgen import ModelFileError, RareModeCalibrator, load, save
from geomgen.samplers import SecondStageSampler

from .helpers import ESTIMATORS, SAMPLERS, name, quick, small

X, Y = load_iris(return_X_y=True)
FRAME = pd.DataFrame(X, columns=list("abcd"))


@pytest.fixture
def again(tmp_path):
    """Save, and load what was saved."""

    def saved_and_loaded(fitted, **how):
        path = save(fitted, tmp_path / f"{len([*tmp_path.iterdir()])}.geomgen")
        return load(path, **how)

    return saved_and_loaded


def assert_same(one, two):
    """The same parameters, by their values, also those of parts."""
    assert type(one) is type(two)
    left, right = one.get_params(), two.get_params()
    assert left.keys() == right.keys()
    for key, value in left.items():
        if hasattr(value, "get_params"):
            assert_same(value, right[key])
        elif not isinstance(value, torch.nn.Module):
            assert type(value) is type(right[key]) and repr(value) == repr(right[key]), key


@pytest.mark.parametrize("cls", ESTIMATORS, ids=name)
def test_every_estimator(cls, again):
    two_stage = {"sampler": quick(SecondStageSampler)} if cls is geomgen.TwoStageVAE else {}
    model = small(cls, **two_stage).fit(X).partial_fit(X[:40])
    other = again(model)
    assert_same(model, other)
    assert other.transform(X).tobytes() == model.transform(X).tobytes()
    assert other.sample(30, random_state=1).tobytes() == model.sample(30, random_state=1).tobytes()
    assert other.score(X) == model.score(X)
    pd.testing.assert_frame_equal(other.history_, model.history_)
    for fitted in (model, other):
        fitted.partial_fit(X[40:90])
    assert other.transform(X).tobytes() == model.transform(X).tobytes()
    assert other.sample(9, random_state=2).tobytes() == model.sample(9, random_state=2).tobytes()
    if "warm_start" in model.get_params():
        for fitted in (model, other):
            fitted.set_params(warm_start=True).fit(X)
        assert other.transform(X).tobytes() == model.transform(X).tobytes()


@pytest.mark.parametrize("cls", SAMPLERS, ids=name)
@pytest.mark.parametrize(
    "how", [{}, {"conditional": True, "min_distance": 0.1}], ids=["", "groups"]
)
def test_every_sampler(cls, how, again):
    spherical = cls.__name__ in ("VonMisesFisherSampler", "UniformSphereSampler")
    if cls.__name__ == "RiemannianSampler" and how:
        how = {"n_steps": 2, **how}
    model = small(geomgen.SphericalAE if spherical else geomgen.AE).fit(X)
    sampler = quick(cls, **how).fit(model.transform(X), Y, model=model.net_.module_)
    other = again(sampler)
    assert_same(sampler, other)
    draws = [s.sample(20, random_state=1, **({"y": 1} if how else {})) for s in (sampler, other)]
    assert draws[0].tobytes() == draws[1].tobytes()
    if hasattr(sampler, "score_samples") and not (spherical or how):
        codes = model.transform(X)
        np.testing.assert_array_equal(other.score_samples(codes), sampler.score_samples(codes))


def test_options_of_the_shell(again):
    rng = np.random.RandomState(3)
    model = small(
        geomgen.VAEGenerator,
        random_state=rng,
        residual="component",
        marginals="empirical",
        norm="batch",
        dtype="float64",
        sampler=geomgen.samplers.AutoSampler(random_state=1),
        optimizer=torch.optim.SGD,
        net_params={"optimizer__momentum": 0.9},
    ).fit(FRAME)
    other = again(model)
    pd.testing.assert_frame_equal(model.sample(9, random_state=0), other.sample(9, random_state=0))
    pd.testing.assert_frame_equal(model.sampler_report_, other.sampler_report_)
    assert other.random_state.randint(2**31) == model.random_state.randint(2**31)
    model.partial_fit(FRAME), other.partial_fit(FRAME)
    pd.testing.assert_frame_equal(model.sample(9, random_state=0), other.sample(9, random_state=0))


def test_images_and_their_augmentation(again):
    rows = np.random.RandomState(0).rand(20, 64).astype(np.float32)
    shift = geomgen.nn.RandomShift((8, 8))
    model = small(
        geomgen.AE, image_shape=(8, 8), architecture="resnet", channels=(4, 8), augment=shift
    ).fit(rows)
    other = again(model)
    for fitted in (model, other):
        fitted.partial_fit(rows)
    assert other.transform(rows).tobytes() == model.transform(rows).tobytes()


def test_networks_of_torchs_layers(again):
    encoder = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Dropout(0.2), torch.nn.Linear(8, 2)
    )
    model = small(geomgen.AE, encoder=encoder, warm_start=True).fit(X)
    other = again(model)
    assert other.encoder is other._built_with["encoder"]  # shared, so that training goes on
    for fitted in (model, other):
        fitted.fit(X)
    assert other.transform(X).tobytes() == model.transform(X).tobytes()


def test_a_recurrent_layer(again):
    torch.manual_seed(0)
    gru = torch.nn.GRU(3, 4, num_layers=2, bidirectional=True).double()
    from geomgen.files import _KINDS
    from geomgen.files._graph import Reader, Writer

    writer = Writer(_KINDS)
    other = Reader(_KINDS, {}, None)
    tree = writer.write(gru)
    other.tensors = writer.tensors
    read, rows = other.read(tree), torch.ones(5, 2, 3, dtype=torch.float64)
    assert torch.equal(read(rows)[0], gru(rows)[0])


STEPS = [
    StandardScaler(),
    MinMaxScaler(),
    RobustScaler(),
    PowerTransformer(),
    QuantileTransformer(n_quantiles=50, output_distribution="normal"),
    PCA(3, random_state=0),
    FunctionTransformer(np.log1p, inverse_func=np.expm1),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
@pytest.mark.parametrize("rows", [X, FRAME], ids=["array", "frame"])
def test_pipelines(step, rows, again):
    pipe = make_pipeline(step, small(geomgen.AE)).fit(rows)
    other = again(pipe)
    assert_same(pipe, other)
    draws = [np.asarray(geomgen.sample(p, 20, random_state=0)) for p in (pipe, other)]
    assert draws[0].tobytes() == draws[1].tobytes()
    assert other.transform(rows).tobytes() == pipe.transform(rows).tobytes()


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_columns_of_several_kinds(output, again):
    frame = FRAME.assign(
        kind=pd.Categorical(np.take(["x", "y", "z"], Y)),
        word=np.take(["one", None, "two"], Y),
        flag=Y == 1,
    )
    encode = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), list("ab")),
            ("kinds", OneHotEncoder(sparse_output=False, dtype=np.float32), ["kind"]),
            ("words", OrdinalEncoder(encoded_missing_value=-1), ["word", "flag"]),
        ],
        remainder="passthrough",
    ).set_output(transform=output)
    pipe = make_pipeline(encode, small(geomgen.AE)).fit(frame)
    other = again(pipe)
    assert other.transform(frame).tobytes() == pipe.transform(frame).tobytes()
    assert other[0].get_feature_names_out().tolist() == pipe[0].get_feature_names_out().tolist()
    assert type(other[0].transform(frame)) is type(pipe[0].transform(frame))
    np.testing.assert_array_equal(other[0].transform(frame), pipe[0].transform(frame))


@pytest.mark.parametrize(
    "density",
    [
        GaussianMixture(3, random_state=0),
        KernelDensity(bandwidth=0.2),
        KernelDensity(algorithm="ball_tree", metric="manhattan", kernel="tophat", leaf_size=5),
    ],
    ids=["mixture", "kd tree", "ball tree"],
)
def test_densities_of_scikit_learn(density, again):
    density.fit(X)
    other = again(density)
    np.testing.assert_array_equal(other.score_samples(X), density.score_samples(X))
    if density.get_params().get("metric") != "manhattan":
        draws = [geomgen.sample(d, 9, random_state=0) for d in (density, other)]
        np.testing.assert_array_equal(*draws)
    model = small(geomgen.AE, sampler=GaussianMixture(2)).fit(X)
    np.testing.assert_array_equal(again(model).sample(9, 0), model.sample(9, 0))


@pytest.mark.parametrize(
    "judge",
    [
        None,
        ExtraTreesClassifier(5, random_state=0),
        KNeighborsClassifier(metric="minkowski", p=1.5),
    ],
    ids=["default", "trees", "neighbours"],
)
def test_calibrated_generators(judge, again):
    pipe = make_pipeline(StandardScaler(), geomgen.PCAGenerator(n_components=2)).fit(X)
    calibrated = RareModeCalibrator(generator=pipe, judge=judge, rare_label=0, random_state=0).fit(
        X, Y
    )
    other = again(calibrated)
    draws = [c.sample(30, random_state=1) for c in (calibrated, other)]
    np.testing.assert_array_equal(*draws)
    assert other.rate_ == calibrated.rate_
    if judge is not None:
        np.testing.assert_array_equal(
            other.judge_.predict_proba(X), calibrated.judge_.predict_proba(X)
        )


def test_of_a_search_what_it_found(again):
    search = GridSearchCV(small(geomgen.AE), {"n_components": [1, 2]}, cv=2).fit(X)
    other = again(search)
    assert isinstance(other, geomgen.AE)
    np.testing.assert_array_equal(other.transform(X), search.best_estimator_.transform(X))
    pipe = make_pipeline(StandardScaler(), search).fit(X)
    np.testing.assert_array_equal(again(pipe).transform(X), pipe.transform(X))


def test_arrays_keep_their_layout(again):
    """The order in memory decides the last digits of a product."""
    scaler = StandardScaler().fit(X)
    scaler.arrays_ = arrays = {
        "columns": np.asfortranarray(X),
        "none": np.zeros((0, 3)),
        "scalar": np.array(2.5),
        "text": np.array(["a", "bcd"]),
        "objects": np.array([["a", 1], [None, np.nan]], dtype=object),
        "days": np.array(["2020-01-01", "NaT"], "datetime64[D]"),
        "complex": np.array([1 + 2j]),
        "swapped": np.array([1.5, 2.5], dtype=">f8"),
        "mask": np.array([True, False]),
    }
    scaler.others_ = others = [
        np.float32(0.1), np.str_("x"), -0.0, float("inf"), 2**80, b"\x00\xff",
        {1: "a", (2, 3): {4}}, frozenset({1}), slice(1, None, 2), np.dtype("float16"),
        torch.float64, torch.device("cpu"), np.float64, int, np.log,
    ]  # fmt: skip
    other = again(scaler)
    for key, array in arrays.items():
        read = other.arrays_[key]
        assert (read.dtype, read.shape, read.flags.f_contiguous) == (
            array.dtype,
            array.shape,
            array.flags.f_contiguous,
        )
        pd.testing.assert_series_equal(pd.Series(read.ravel()), pd.Series(array.ravel()))
        assert read.flags.writeable
    assert repr(other.others_) == repr(others)


def test_tensors(again):
    scaler = StandardScaler().fit(X)
    weight = torch.arange(6.0).reshape(2, 3)
    scaler.parts_ = parts = [
        weight.T,
        weight.to(torch.bfloat16),
        torch.nn.Parameter(weight, requires_grad=False),
        torch.zeros(0, 2, dtype=torch.int64),
        torch.tensor(True),
    ]
    for one, two in zip(again(scaler).parts_, parts, strict=True):
        assert type(one) is type(two) and one.dtype == two.dtype and torch.equal(one, two)
        assert one.stride() == two.stride() and one.requires_grad == two.requires_grad


def test_pandas_values(again):
    frame = pd.DataFrame(
        {
            "number": [1.5, np.nan],
            "text": ["a", None],
            "object": np.array(["a", 1], dtype=object),
            "kind": pd.Categorical(["u", None], categories=["v", "u"], ordered=True),
            "count": pd.array([1, None], dtype="Int64"),
            "flag": pd.array([True, None], dtype="boolean"),
            "day": pd.to_datetime(["2020-01-01", None]),
            "hour": pd.to_datetime(["2020-06-01 12:30", None]).tz_localize("Europe/Paris"),
            "span": pd.to_timedelta([1, 2], unit="h"),
        },
        index=pd.Index(["r", "s"], name="row"),
    )
    scaler = StandardScaler().fit(X)
    scaler.frame_, scaler.series_ = frame, frame["kind"]
    scaler.many_ = pd.DataFrame(
        {"v": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", "i"])
    )
    scaler.dtypes_ = dtypes = dict(frame.dtypes)
    scaler.scalars_ = scalars = [
        pd.NA, pd.NaT, pd.Timestamp("2020-01-01 10:00", tz="Asia/Tokyo"), pd.Timedelta("3h"),
        frame["day"].max(), pd.Timestamp("2020-01-01").date(),
    ]  # fmt: skip
    other = again(scaler)
    pd.testing.assert_frame_equal(other.frame_, frame)
    pd.testing.assert_series_equal(other.series_, frame["kind"])
    pd.testing.assert_frame_equal(other.many_, scaler.many_)
    assert other.dtypes_ == dtypes and repr(other.scalars_) == repr(scalars)


# ------------------------------------------------------------------------------- what is refused
def own_function(rows):
    return rows[:, 0] > 5


class OwnLayer(torch.nn.Linear):
    pass


class OwnDensity(GaussianMixture):
    pass


HOOKED = torch.nn.Linear(4, 2)
HOOKED.register_forward_hook(lambda *_: None)


@pytest.mark.parametrize(
    "make,message",
    [
        (
            lambda: RareModeCalibrator(
                generator=GaussianMixture().fit(X), event=own_function, rate=0.5
            ).fit(X),
            r"Cannot save event: a function cannot",
        ),
        (
            lambda: small(geomgen.AE, encoder=OwnLayer(4, 2)).fit(X),
            r"Cannot save encoder: a file cannot hold the class .*OwnLayer",
        ),
        (
            lambda: make_pipeline(StandardScaler(), small(geomgen.AE, sampler=OwnDensity())).fit(X),
            r"Cannot save steps\[1\]\[1\].sampler: a .*OwnDensity cannot be put",
        ),
        (lambda: small(geomgen.AE, encoder=HOOKED).fit(X), r"encoder: hooks \(_forward_hooks\)"),
        (
            lambda: small(geomgen.AE, callbacks=[GradientNormClipping(1.0)]).fit(X),
            r"set_params\(callbacks=None\)",
        ),
        (
            lambda: make_pipeline(StandardScaler(), GaussianMixture(), memory="there").fit(X),
            "memory='there' is a cache of pickles",
        ),
        (lambda: HistGradientBoostingClassifier(max_iter=2).fit(X, Y), "Cannot save _"),
        (lambda: GridSearchCV(GaussianMixture(), {}, refit=False, cv=2).fit(X), "refit"),
    ],
    ids="function layer density hook callback memory compiled search".split(),
)
def test_what_no_file_can_hold(make, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted = make()
    before = {*tmp_path.iterdir()}
    with pytest.raises((ModelFileError, TypeError), match=message):
        save(fitted, "model.geomgen")
    assert {*tmp_path.iterdir()} == before


def test_callbacks_can_be_left_out(again):
    model = small(geomgen.AE, callbacks=[GradientNormClipping(1.0)]).fit(X)
    other = again(model.set_params(callbacks=None))
    np.testing.assert_array_equal(other.transform(X), model.transform(X))


def test_what_contains_itself(tmp_path):
    scaler = StandardScaler().fit(X)
    scaler.loop_ = []
    scaler.loop_.append(scaler.loop_)
    with pytest.raises(ModelFileError, match="contains itself"):
        save(scaler, tmp_path / "x")


def test_unfitted(tmp_path):
    with pytest.raises(NotFittedError):
        save(geomgen.AE(), tmp_path / "x")


# ---------------------------------------------------------------------------------------- writing
def test_no_file_is_replaced_unasked(tmp_path):
    path = tmp_path / "model.geomgen"
    first, second = (StandardScaler().fit(X[:, :d]) for d in (2, 3))
    assert save(first, path) == path
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save(second, path)
    assert load(path).n_features_in_ == 2
    save(second, str(path), overwrite=True)
    assert load(str(path)).n_features_in_ == 3
    assert [*tmp_path.iterdir()] == [path]


def test_folders(tmp_path):
    scaler = StandardScaler().fit(X)
    for overwrite in (False, True):
        with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
            save(scaler, tmp_path, overwrite=overwrite)
        with pytest.raises(FileNotFoundError, match="no folder '.*there': make it first"):
            save(scaler, tmp_path / "there" / "model", overwrite=overwrite)
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_private_file_stays_private(tmp_path):
    path = save(StandardScaler().fit(X), tmp_path / "model.geomgen")
    path.chmod(0o600)
    save(MinMaxScaler().fit(X), path, overwrite=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert type(load(path)) is MinMaxScaler


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = save(StandardScaler().fit(X), tmp_path / "model.geomgen")
    before = path.read_bytes()

    def fail(handle):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    for where in (path, tmp_path / "new"):
        with pytest.raises(OSError, match="No space"):
            save(MinMaxScaler().fit(X), where, overwrite=True)
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "model.geomgen"
    sync = os.fsync

    def meanwhile(handle):
        sync(handle)
        path.write_text("another's")

    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        save(StandardScaler().fit(X), path)
    assert path.read_text() == "another's" and [*tmp_path.iterdir()] == [path]


def test_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    path = save(StandardScaler().fit(X), tmp_path / "model.geomgen")
    assert load(path).n_features_in_ == 4 and [*tmp_path.iterdir()] == [path]


# ---------------------------------------------------------------------------------------- devices
def test_the_device_can_be_chosen(again):
    model = small(geomgen.AE, warm_start=True).fit(X)
    other = again(model, device="cpu")
    assert other.device == "cpu" and other.device_.type == "cpu"
    other.fit(X)  # no change of structure
    with pytest.raises(ValueError, match="device='nowhere'"):
        again(model, device="nowhere")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is present")
def test_a_device_that_is_not_here(again):
    model = small(geomgen.AE).fit(X).set_params(device="cuda")
    with pytest.raises(ModelFileError, match="device='cuda' cannot be used here.*pass device="):
        again(model)
    np.testing.assert_array_equal(again(model, device="cpu").transform(X), model.transform(X))


@pytest.mark.cuda
def test_from_one_device_to_another(again):
    model = small(geomgen.AAE, device="cuda").fit(X)
    there, here = again(model), again(model, device="cpu")
    assert there.device_.type == "cuda" and here.device_.type == "cpu"
    np.testing.assert_array_equal(there.transform(X), model.transform(X))
    np.testing.assert_allclose(here.transform(X), model.transform(X), rtol=1e-4, atol=1e-4)
    back = again(here, device="cuda")
    for fitted in (model, there, back):
        fitted.partial_fit(X)
    np.testing.assert_array_equal(there.transform(X), model.transform(X))
    np.testing.assert_array_equal(back.transform(X), model.transform(X))
