"""Samplers side by side: their fits, their draws, their distances over the floor, panels."""

import copy

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import cdist, pdist
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from geomgen import AE, SphericalAE
from geomgen.datasets import make_ring_mixture
from geomgen.diagnostics import LatentDisplay, SamplersDisplay
from geomgen.metrics.energy import energy_floor
from geomgen.samplers import CellSampler, GaussianSampler, MixtureSampler

from .helpers import small

X, Y = make_ring_mixture(300, random_state=0)
PIPE = make_pipeline(StandardScaler(), small(AE)).fit(X)
CODES = np.random.RandomState(0).standard_normal((90, 4)) * [4, 3, 1, 1]
DRAWS = {"a": CODES[::-1] + 1, "b": CODES[:7], "c": -CODES}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def offsets(ax):
    return [np.asarray(c.get_offsets()) for c in ax.collections]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def show(fitted=PIPE, rows=X, samplers=("cells", "mvg", "prior"), **params):
    return SamplersDisplay.from_estimator(fitted, rows, samplers, **{"random_state": 0, **params})


# ------------------------------------------------------------------------------------- the numbers
def test_ratios_are_the_energy_distance_over_its_expectation():
    ratios = SamplersDisplay(CODES, DRAWS).ratios
    for name, drawn in DRAWS.items():
        distance = 2 * cdist(CODES, drawn).mean() - cdist(CODES, CODES).mean()
        distance -= cdist(drawn, drawn).mean()
        floor = (1 / len(CODES) + 1 / len(drawn)) * pdist(CODES).mean()
        assert ratios[name] == pytest.approx(distance / floor, rel=1e-9)


def test_the_floor_is_the_mean_over_splits_and_that_of_perfect_draws():
    floor = energy_floor(CODES, 90, 7, n_repeats=2000, random_state=0)
    distance = 2 * cdist(CODES, DRAWS["b"]).mean() - cdist(CODES, CODES).mean()
    distance -= cdist(DRAWS["b"], DRAWS["b"]).mean()
    measured = distance / SamplersDisplay(CODES, DRAWS).ratios["b"]
    assert abs(measured - floor.mean) < 4 * floor.std / np.sqrt(2000)
    rng = np.random.RandomState(1)
    perfect = [
        SamplersDisplay(rng.normal(size=(80, 2)), {"": rng.normal(size=(40, 2))}).ratios[""]
        for _ in range(200)
    ]
    assert abs(np.mean(perfect) - 1) < 4 * np.std(perfect) / np.sqrt(200)


def test_ratios_have_no_units_and_are_shown():
    display = SamplersDisplay.from_codes(CODES, DRAWS)
    scaled = SamplersDisplay(1e3 * CODES + 5, {k: 1e3 * v + 5 for k, v in DRAWS.items()})
    assert scaled.ratios == pytest.approx(display.ratios)
    for ax, (name, ratio) in zip(display.ax_, display.ratios.items(), strict=True):
        assert ax.get_title() == f"{name}\n{ratio:,.1f} × floor"


def test_codes_that_are_all_equal_have_no_floor():
    display = SamplersDisplay.from_codes(np.ones((5, 2)), {"same": np.ones((3, 2)), "b": [[0, 0]]})
    assert np.isnan(display.ratios["same"]) and display.ratios["b"] == np.inf
    display.figure_.canvas.draw()


# --------------------------------------------------------------------------------------- the fits
def test_the_own_sampler_is_fitted_and_drawn_as_in_the_estimator():
    display = show(n_samples=200)
    np.testing.assert_array_equal(display.draws["cells"], PIPE[-1].sample_latent(200, 0))
    codes = PIPE.transform(X)
    mean, covariance = codes.mean(0), np.cov(codes.T, bias=True)
    drawn = show(n_samples=4000).draws["mvg"]
    assert (abs(drawn.mean(0) - mean) < 4 * np.sqrt(np.diag(covariance) / 4000)).all()
    np.testing.assert_allclose(np.cov(drawn.T), covariance, rtol=0.15, atol=0.15 * covariance.max())


def test_draws_do_not_depend_on_what_stands_beside():
    alone = show(samplers=["mvg"]).draws["mvg"]
    np.testing.assert_array_equal(show(samplers=["gmm", "mvg"]).draws["mvg"], alone)
    assert not np.array_equal(show(samplers=["mvg"], random_state=1).draws["mvg"], alone)


def test_the_estimator_keeps_its_sampler_and_all_else():
    model = small(AE, residual="diagonal", marginals="empirical").fit(X)
    sampler, kept, params = model.sampler_, dict(vars(model)), model.get_params()
    weights, rows = copy.deepcopy(model.net_.module_.state_dict()), model.sample(9, 0)
    mine = CellSampler(n_cells=3)
    show(model, samplers=["prior", mine, "gmm"])
    assert model.sampler_ is sampler and dict(vars(model)) == kept
    assert model.get_params() == params and not hasattr(mine, "means_")
    after = model.net_.module_.state_dict()
    assert all(torch.equal(weights[k], after[k]) for k in weights)
    np.testing.assert_array_equal(model.sample(9, 0), rows)


def test_samplers_see_all_codes_of_which_some_are_shown():
    display = show(n_samples=50)
    codes = PIPE.transform(X)
    assert len(display.codes) == len(display.draws["mvg"]) == 50
    assert (cdist(display.codes, codes).min(1) < 1e-5).all()
    assert len(np.unique(display.codes, axis=0)) == 50
    np.testing.assert_array_equal(display.draws["cells"], PIPE[-1].sample_latent(50, 0))
    assert len(show(n_samples=400).codes) == len(X)


def test_objects_are_named_by_what_they_are_or_by_a_dict():
    objects = [CellSampler(n_cells=5), CellSampler(n_cells=9), GaussianMixture(2)]
    display = show(samplers=objects)
    assert list(display.draws) == [
        "CellSampler(n_cells=5)",
        "CellSampler(n_cells=9)",
        "GaussianMixture(n_components=2)",
    ]
    named = show(samplers={"five": objects[0], "one": GaussianSampler()})
    assert list(named.draws) == ["five", "one"]
    np.testing.assert_array_equal(named.draws["five"], display.draws["CellSampler(n_cells=5)"])


def test_labels_reach_conditional_samplers():
    sampler = MixtureSampler(conditional=True)
    assert list(show(samplers={"by label": sampler, "mvg": "mvg"}, y=Y).draws) == [
        "by label",
        "mvg",
    ]
    with pytest.raises(ValueError, match="pass y"):
        show(samplers=[sampler])


def test_frames_are_taken():
    frame = pd.DataFrame(X, columns=["a", "b"])
    display = show(small(AE).fit(frame), frame, ["cells"])
    np.testing.assert_array_equal(
        display.draws["cells"], show(small(AE).fit(X), X, ["cells"]).draws["cells"]
    )


# ------------------------------------------------------------------------------------- the picture
def test_panels_show_codes_and_draws_in_the_plane_of_the_codes():
    draws = {**DRAWS, "far": CODES[:3] * 50}
    display = SamplersDisplay.from_codes(CODES, draws)
    pca = PCA(2, svd_solver="full").fit(CODES)
    for ax, drawn in zip(display.ax_, draws.values(), strict=True):
        grey, colour = offsets(ax)
        np.testing.assert_allclose(grey, pca.transform(CODES))
        np.testing.assert_allclose(colour, pca.transform(drawn))
        assert ax.get_xlim() == display.ax_[0].get_xlim()
        assert ax.get_ylim() == display.ax_[0].get_ylim()
        low, high = np.transpose([ax.get_xlim(), ax.get_ylim()])
        assert (low < colour).all() and (colour < high).all()
    assert legend(display.ax_[-1]) == ["codes", "draws"]


def test_spherical_codes_stay_on_the_sphere_and_are_mapped():
    model = small(SphericalAE, n_components=3).fit(X)
    display = show(model, samplers=["cells", "uniform"])
    for Z in (display.codes, *display.draws.values()):
        np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 1, atol=1e-5)
    alone = LatentDisplay.from_codes(display.codes, drawn=display.draws["uniform"])
    for ours, theirs in zip(offsets(display.ax_[1]), alone.ax_, strict=True):
        np.testing.assert_array_equal(ours, offsets(theirs)[0])
    assert display.ratios["uniform"] > 5 * display.ratios["cells"]
    off = SamplersDisplay.from_codes(display.codes, {"off": 2 * display.codes})  # on no map
    assert "principal component" in off.ax_.get_xlabel()


def test_draws_of_one_component_lie_below_the_codes():
    model = small(AE, n_components=1).fit(X)
    display = show(model)
    for ax, drawn in zip(display.ax_, display.draws.values(), strict=True):
        codes, draws = offsets(ax)
        np.testing.assert_array_equal(draws[:, 0], drawn[:, 0])
        assert draws[:, 1].max() < 0 <= codes[:, 1].min()
    own = display.draws["cells"].copy()
    display.plot()
    np.testing.assert_array_equal(display.draws["cells"], own)


def test_one_axes_holds_all_and_given_axes_are_used():
    _, (ax, other) = plt.subplots(1, 2)
    display = SamplersDisplay.from_codes(CODES, DRAWS, ax=ax)
    assert display.ax_ is ax and len(ax.collections) == 4 and not other.has_data()
    assert len({tuple(c.get_facecolor()[0]) for c in ax.collections}) == 4
    assert [text.split("\n")[0] for text in legend(ax)] == ["codes", "a", "b", "c"]
    figure, axes = plt.subplots(3, 1)
    down = display.plot(axes)
    assert list(down.ax_) == list(axes) and down.figure_ is figure
    assert len(plt.get_fignums()) == 2  # none of its own
    with pytest.raises(ValueError, match="ax holds 2 Axes, but this picture has 3 panels"):
        display.plot([ax, other])


def test_many_samplers_are_laid_out_in_rows():
    display = SamplersDisplay.from_codes(CODES, {str(i): CODES[i:] for i in range(6)}, s=3)
    assert len(display.figure_.axes) == len(display.ax_) == 6
    rows = {ax.get_subplotspec().rowspan.start for ax in display.ax_}
    assert rows == {0, 1} and display.ax_[3].get_legend() is not None
    assert display.ax_[5].collections[1].get_sizes() == [3]
    one = SamplersDisplay.from_codes(CODES, {"a": CODES})
    assert len(one.figure_.axes) == 1 and len(offsets(one.ax_)) == 2


# --------------------------------------------------------------------------------------- bad input
BAD = {
    "a word": (TypeError, "samplers='cells' must be a sequence", lambda: show(samplers="cells")),
    "a sampler": (TypeError, "samplers=CellS", lambda: show(samplers=CellSampler())),
    "none": (ValueError, "samplers is empty", lambda: show(samplers=[])),
    "twice": (ValueError, "has one twice: pass a dict", lambda: show(samplers=["mvg", "mvg"])),
    "unknown": (ValueError, "Unknown sampler 'mgv'", lambda: show(samplers=["cells", "mgv"])),
    "a class": (TypeError, "is neither one of", lambda: show(samplers=[CellSampler])),
    "n_samples": (ValueError, "n_samples=0", lambda: show(n_samples=0)),
    "one code": (ValueError, "codes has one row", lambda: SamplersDisplay([[1, 2]], DRAWS)),
    "NaN": (ValueError, r"draws\['a'\] must be", lambda: SamplersDisplay(CODES, {"a": [[np.nan]]})),
    "no dict": (TypeError, "must be a dict", lambda: SamplersDisplay(CODES, CODES)),
    "no draws": (ValueError, "draws is empty", lambda: SamplersDisplay(CODES, {})),
    "width": (
        ValueError,
        r"draws\['a'\] has 2 components and codes 4",
        lambda: SamplersDisplay(CODES, {"a": CODES[:, :2]}),
    ),
}


@pytest.mark.parametrize("error, match, make", BAD.values(), ids=BAD)
def test_bad_input_is_named(error, match, make):
    with pytest.raises(error, match=match):
        make()


def test_a_bad_sampler_is_found_before_anything_is_drawn():
    rng = np.random.RandomState(0)
    with pytest.raises(ValueError, match="Unknown sampler"):
        show(samplers=["cells", "mgv"], random_state=rng)
    assert rng.randint(2**31) == np.random.RandomState(0).randint(2**31)
