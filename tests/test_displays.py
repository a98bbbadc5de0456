"""Displays beyond their artists: both ways of making them agree, panels, colours, bad input."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import geomgen
from geomgen import AE, SphericalAE
from geomgen.datasets import make_ring_mixture
from geomgen.diagnostics import (
    directional_spectrum,
    generative_gap,
    k_volumes,
    radial_sensitivity,
)
from geomgen.diagnostics.displays import (
    CoverageDisplay,
    GapDisplay,
    HistoryDisplay,
    LatentDisplay,
    RadialSensitivityDisplay,
    SamplesDisplay,
    SpectrumDisplay,
    VolumeDisplay,
)

from .helpers import small

X, Y, MIXTURE = make_ring_mixture(300, random_state=0, return_mixture=True)
PIPE = make_pipeline(StandardScaler(), small(AE)).fit(X)
RNG = np.random.RandomState(0)
CODES = RNG.standard_normal((60, 4)) * [4, 3, 1, 1]
ONE_PANEL = {
    "volume": lambda ax: VolumeDisplay.from_estimator(PIPE, X, random_state=0, ax=ax),
    "gap": lambda ax: GapDisplay.from_estimator(PIPE, X, random_state=0, ax=ax),
    "radial": lambda ax: RadialSensitivityDisplay.from_estimator(PIPE, X, ax=ax),
    "spectrum": lambda ax: SpectrumDisplay.from_codes(CODES, ax=ax),
    "coverage": lambda ax: CoverageDisplay.from_labels([0, 1, 1], [0, 1], ax=ax),
    "history": lambda ax: HistoryDisplay.from_estimator(PIPE, ax=ax),
}
TWO_PANELS = {
    "latent": lambda ax: LatentDisplay.from_codes(CODES, drawn=CODES[:9], ax=ax),
    "points": lambda ax: SamplesDisplay.from_samples(CODES, CODES[:9], ax=ax),
    "images": lambda ax: SamplesDisplay.from_samples(CODES, CODES, image_shape=(2, 2), ax=ax),
}
one_panel = pytest.mark.parametrize("make", ONE_PANEL.values(), ids=ONE_PANEL)
two_panels = pytest.mark.parametrize("make", TWO_PANELS.values(), ids=TWO_PANELS)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def offsets(ax):
    return [np.asarray(c.get_offsets()) for c in ax.collections]


def lines(ax):
    return {line.get_label(): line.get_xydata() for line in ax.lines}


def bars(ax):
    """Ends of the error bars, one array (n, 2, 2) for each call."""
    return [np.array(c.lines[2][0].get_segments()) for c in ax.containers]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ------------------------------------------------------------------------------------------ axes
@one_panel
def test_one_panel_takes_one_axes_alone(make):
    _, axes = plt.subplots(1, 2)
    assert make(axes[1]).ax_ is axes[1] and not axes[0].has_data()
    assert make([axes[0]]).ax_ is axes[0]
    with pytest.raises(ValueError, match="ax holds 2 Axes, but this picture has 1 panel:"):
        make(axes)
    for bad in (3, "left", [1, 2], {}):
        with pytest.raises(TypeError, match="ax="):
            make(bad)


@two_panels
def test_two_panels_take_a_pair_or_one(make):
    figure, axes = plt.subplots(1, 2)
    pair = make(axes)
    assert list(pair.ax_) == list(axes) and pair.figure_ is figure
    assert all(ax.has_data() for ax in axes)
    _, one = plt.subplots()
    assert make(one).ax_ is one and one.has_data()
    assert len(plt.get_fignums()) == 2  # none of its own
    _, three = plt.subplots(1, 3)
    with pytest.raises(ValueError, match="ax holds 3 Axes, but this picture has 2 panels"):
        make(three)


# --------------------------------------------------------------------------- both ways must agree
def test_results_and_estimators_give_the_same_pictures():
    volumes = k_volumes(PIPE, X, random_state=0)
    gap = generative_gap(PIPE, X, random_state=0)
    pairs = [
        (ONE_PANEL["volume"](None), VolumeDisplay.from_result(volumes)),
        (ONE_PANEL["gap"](None), GapDisplay.from_results({"AE": gap})),
        (
            ONE_PANEL["radial"](None),
            RadialSensitivityDisplay.from_result({"AE": radial_sensitivity(PIPE, X)}),
        ),
        (
            SpectrumDisplay.from_estimator(PIPE, X, center=True),
            SpectrumDisplay.from_results({"AE": directional_spectrum(PIPE, X, center=True)}),
        ),
        (ONE_PANEL["history"](None), HistoryDisplay.from_history(PIPE[-1].history_)),
    ]
    for a, b in pairs:
        assert len(a.ax_.lines) == len(b.ax_.lines) > 0
        for one, other in zip(a.ax_.lines, b.ax_.lines, strict=True):
            np.testing.assert_array_equal(one.get_xydata(), other.get_xydata())
        for one, other in zip(bars(a.ax_), bars(b.ax_), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_single_model_is_named_as_the_autoencoder_in_it():
    search = GridSearchCV(PIPE, {"ae__lr": [1e-3]}, cv=2).fit(X)
    assert list(GapDisplay.from_estimator(search, X, random_state=0).results) == ["AE"]
    assert legend(ONE_PANEL["radial"](None).ax_)[-1] == "AE"


def test_draws_are_those_of_the_random_state():
    display = LatentDisplay.from_estimator(PIPE, X, n_draws=20, random_state=3)
    np.testing.assert_array_equal(display.drawn, PIPE[-1].sample_latent(20, 3))
    np.testing.assert_allclose(display.codes, PIPE.transform(X), rtol=1e-6)
    none = LatentDisplay.from_estimator(PIPE, X, n_draws=0)
    assert none.drawn is None and none.ax_ is none.figure_.axes[0]


# ---------------------------------------------------------------------------------------- latent
def test_each_label_has_its_codes_and_the_rare_are_on_top():
    codes, drawn = LatentDisplay.from_estimator(PIPE, X, Y, random_state=0).ax_
    Z = PIPE.transform(X)
    by_label = {c.get_label(): c for c in codes.collections}
    assert set(by_label) == {str(label) for label in range(8)}
    for label in range(8):
        np.testing.assert_allclose(by_label[str(label)].get_offsets(), Z[Y == label], rtol=1e-6)
    rare = by_label.pop("0")
    assert all(rare.get_zorder() > c.get_zorder() for c in by_label.values())
    assert legend(drawn) == ["0", *sorted(by_label)]
    assert codes.get_xlim() == drawn.get_xlim() and codes.get_ylim() == drawn.get_ylim()


def test_twenty_labels_differ_in_colour_or_marker():
    display = LatentDisplay.from_codes(RNG.standard_normal((40, 2)), np.arange(40) % 20)
    looks = {
        (tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.tobytes())
        for c in display.ax_.collections
    }
    assert len(looks) == 20


def test_a_quantity_has_a_colour_bar():
    y = RNG.standard_normal(60)
    display = LatentDisplay.from_codes(CODES, y)
    np.testing.assert_array_equal(display.ax_.collections[0].get_array(), y)
    assert display.figure_.axes[1].get_ylabel() == "y"


def test_many_components_are_shown_by_two_principal_ones():
    display = LatentDisplay.from_codes(CODES, drawn=CODES[::-1] + 1)
    pca = PCA(2, svd_solver="full").fit(CODES)
    np.testing.assert_allclose(offsets(display.ax_[0])[0], pca.transform(CODES))
    np.testing.assert_allclose(offsets(display.ax_[1])[0], pca.transform(CODES[::-1] + 1))
    share = pca.explained_variance_ratio_[0]
    assert display.ax_[0].get_xlabel() == f"principal component 1\n({share:.0%} of variance)"


def test_the_sphere_has_a_map_with_true_areas():
    model = small(SphericalAE, n_components=3).fit(X)
    display = LatentDisplay.from_estimator(model, X, random_state=0)
    Z = model.transform(X)
    angles = np.radians(offsets(display.ax_[0])[0][:, 0])
    height = offsets(display.ax_[0])[0][:, 1]
    radius = np.sqrt(1 - height.clip(-1, 1) ** 2)
    back = np.c_[radius * np.cos(angles), radius * np.sin(angles), height]
    np.testing.assert_allclose(back, Z, atol=1e-3)
    flat = LatentDisplay.from_codes(Z, projection="pca")
    assert "principal" in flat.ax_.get_xlabel()
    with pytest.raises(ValueError, match="projection='map'"):
        LatentDisplay(CODES, projection="map")


def test_one_component_is_spread_along_a_line():
    display = LatentDisplay.from_codes(CODES[:, :1])
    np.testing.assert_array_equal(offsets(display.ax_)[0][:, 0], CODES[:, 0])


# --------------------------------------------------------------------------------------- numbers
@pytest.mark.parametrize("which", ["encoder", "decoder"])
def test_violins_have_the_medians(which):
    result = k_volumes(PIPE, X, which=which, random_state=0)
    ax = VolumeDisplay.from_result(result, kind="violin").ax_
    heights = np.concatenate(
        [s[:, 1] for c in ax.collections for s in getattr(c, "get_segments", list)()]
    )
    for median in np.median(result.off_manifold, axis=0):
        assert np.isclose(heights, median).any()
    assert which in ax.get_ylabel() and len(legend(ax)) == 3
    with pytest.raises(ValueError, match="kind='bar'"):
        VolumeDisplay.from_result(result, kind="bar")


def test_radial_bars_are_two_standard_errors_and_ratios_have_none():
    result = radial_sensitivity(PIPE, X, alphas=(2, 0.5, 1))
    ax = RadialSensitivityDisplay.from_result({"AE": result}).ax_
    order = [1, 2, 0]
    lengths = np.diff(bars(ax)[0][:, :, 1], axis=1).ravel()
    np.testing.assert_allclose(lengths, 4 * result.standard_error[order], rtol=1e-6)
    ax = RadialSensitivityDisplay.from_result({"AE": result}, relative=True).ax_
    points = ax.containers[0].lines[0].get_xydata()
    np.testing.assert_array_equal(points, np.c_[[0.5, 1, 2], result.relative[order]])
    assert not ax.containers[0].has_yerr


def test_a_constant_curve_looks_constant():
    model = small(SphericalAE, n_components=3).fit(X)
    ax = RadialSensitivityDisplay.from_estimator(model, X, relative=True).ax_
    low, high = ax.get_ylim()
    assert low == 0 and 1.05 < high < 2


def test_gaps_of_different_things_share_no_axis():
    volume = generative_gap(PIPE, X, random_state=0)
    norm = generative_gap(PIPE, X, diagnostic="spectral_norm", random_state=0)
    with pytest.raises(ValueError, match="results measure different things"):
        GapDisplay({"a": volume, "b": norm})


def test_spectra_of_several_sizes_have_a_level_each():
    ax = SpectrumDisplay.from_codes({"four": CODES, "two": CODES[:, :2]}).ax_
    levels = {k: v[:, 1].tolist() for k, v in lines(ax).items() if k.startswith("spread evenly")}
    assert levels == {"spread evenly: 1/4": [0.25] * 2, "spread evenly: 1/2": [0.5] * 2}


# --------------------------------------------------------------------------------------- samples
def test_both_sides_of_one_axes_hold_the_images_on_one_grey_scale():
    real, drawn = RNG.uniform(size=(4, 6)), 10 * RNG.uniform(size=(3, 6))
    display = SamplesDisplay.from_samples(real, drawn, image_shape=(2, 3))
    for ax, rows in zip(display.ax_, (real, drawn), strict=True):
        image = ax.images[0]
        assert image.get_clim() == (real.min(), real.max())
        np.testing.assert_array_equal(image.get_array()[:2, 4:7], rows[1].reshape(2, 3))
        np.testing.assert_array_equal(image.get_array()[3:5, :3], rows[2].reshape(2, 3))
    assert display.ax_[1].images[0].get_array()[3:5, 4:7].mask.all()  # there is no fourth
    _, ax = plt.subplots()
    both = SamplesDisplay.from_samples(real, drawn, image_shape=(2, 3), ax=ax)
    picture = both.ax_.images[0].get_array()
    np.testing.assert_array_equal(picture[:2, -7:-4], drawn[0].reshape(2, 3))
    assert picture.shape == (5, 7 + 6 + 7)


def test_rows_of_many_columns_are_in_the_plane_of_the_real_ones():
    drawn = CODES[:20] + 5
    display = SamplesDisplay.from_samples(CODES, drawn)
    scaler = StandardScaler().fit(CODES)
    pca = PCA(2, svd_solver="full").fit(scaler.transform(CODES))
    for ax, rows in zip(display.ax_, (CODES, drawn), strict=True):
        np.testing.assert_allclose(offsets(ax)[0], pca.transform(scaler.transform(rows)))


def test_frames_name_the_axes_and_real_rows_are_chosen_without_copies():
    frame = pd.DataFrame(X, columns=["east", "north"])
    model = small(AE).fit(frame)
    display = SamplesDisplay.from_estimator(model, frame, 50, random_state=0)
    assert display.ax_[0].get_xlabel() == "east" and display.ax_[0].get_ylabel() == "north"
    assert len(np.unique(display.real, axis=0)) == 50
    assert set(map(tuple, display.real)) <= set(map(tuple, X))
    wanted = geomgen.sample(model, 50, random_state=0).to_numpy()
    np.testing.assert_array_equal(display.drawn, wanted)


# -------------------------------------------------------------------------------------- coverage
def test_a_lost_mode_is_shown_on_a_log_scale():
    display = CoverageDisplay.from_counts(["a", "b", "c"], [0, 1, 999], [0.02, 0.08, 0.9])
    assert {"none drawn", "expected share"} <= set(legend(display.ax_))
    floor = display.ax_.get_ylim()[0]
    arrow = next(c for c in display.ax_.collections if c.get_label() == "none drawn")
    np.testing.assert_allclose(arrow.get_offsets(), [[0, floor]])
    (ends,) = bars(display.ax_)  # no mode agrees
    np.testing.assert_allclose(ends[0, :, 1], [floor, display.high[0]])
    np.testing.assert_allclose(ends[1:, :, 1], np.c_[display.low, display.high][1:])
    plain = CoverageDisplay.from_counts(["a", "b"], [0, 9], [0.5, 0.5], scale="linear")
    assert plain.ax_.get_yscale() == "linear" and plain.ax_.get_ylim()[0] == 0
    assert "none drawn" not in legend(plain.ax_)


def test_expected_shares_are_the_black_bars():
    display = CoverageDisplay.from_labels(["x"] * 3 + ["y"], ["x", "y"])
    wide = next(c for c in display.ax_.collections if c.get_label() == "expected share")
    heights = [segment[0, 1] for segment in wide.get_segments()]
    np.testing.assert_allclose(heights, [0.75, 0.25])


@pytest.mark.parametrize("judge", [None, MIXTURE, DecisionTreeClassifier(random_state=0)])
def test_the_judge_counts_the_draws(judge):
    display = CoverageDisplay.from_estimator(PIPE, X, Y, judge=judge, n_samples=200, random_state=0)
    drawn = geomgen.sample(PIPE, 200, random_state=0)
    if judge is None:
        from geomgen.metrics import neighbour_judge

        known = neighbour_judge().fit(X, Y)
    else:
        known = judge if judge is MIXTURE else DecisionTreeClassifier(random_state=0).fit(X, Y)
    wanted = [(known.predict(drawn) == label).sum() for label in range(8)]
    np.testing.assert_array_equal(display.counts, wanted)
    np.testing.assert_allclose(display.expected, np.bincount(Y) / len(Y))
    assert not hasattr(judge, "tree_")  # the caller's judge is not fitted


# --------------------------------------------------------------------------------------- history
@pytest.mark.parametrize(
    ("terms", "scale"),
    [
        ({"loss": [3.0, 2], "a": [2.0, 1.5], "b": [1.0, 0.5]}, "linear"),
        ({"loss": [3.0, 2], "a": [2.9, 1.9], "b": [1e-3, 1e-3]}, "log"),
        ({"loss": [3.0, 2], "a": [3.01, 2.1], "b": [-1e-3, -1e-3]}, "symlog"),
    ],
)
def test_the_scale_lets_every_term_be_seen(terms, scale):
    history = pd.DataFrame({**terms, "seconds": [1.0, 1]}, index=[1, 2])
    ax = HistoryDisplay.from_history(history).ax_
    assert ax.get_yscale() == scale
    assert "seconds" not in legend(ax)
    for name, shown in (("a", "a"), ("loss", "loss (sum of terms)")):
        np.testing.assert_array_equal(lines(ax)[shown], np.c_[[1, 2], history[name]])


def test_held_out_terms_are_dashed_in_the_same_colour():
    history = pd.DataFrame({"loss": [1.0], "recon": [1.0], "valid_loss": [2], "valid_recon": [2]})
    ax = HistoryDisplay.from_history(history, scale="log").ax_
    own, held_out = ax.lines  # the loss is its only term: once is enough
    assert (own.get_linestyle(), held_out.get_linestyle()) == ("-", "--")
    assert own.get_color() == held_out.get_color()
    assert own.get_marker() == "o"  # one epoch would else be invisible
    assert legend(ax) == ["recon", "recon, held out"]


# ------------------------------------------------------------------------------------- bad input
BAD = {
    "codes is empty": (ValueError, "codes must be", lambda: LatentDisplay(np.empty((0, 2)))),
    "codes 1-D": (ValueError, "codes must be", lambda: LatentDisplay([1.0, 2.0])),
    "codes NaN": (ValueError, "codes must be", lambda: LatentDisplay([[np.nan, 1]])),
    "short y": (ValueError, "y has 2 entries for 60", lambda: LatentDisplay(CODES, [0, 1])),
    "y in from_estimator": (
        ValueError,
        "y has 2 entries for 300",
        lambda: LatentDisplay.from_estimator(PIPE, X, [0, 1]),
    ),
    "many labels": (
        ValueError,
        "y has 60 different labels",
        lambda: LatentDisplay(CODES, np.arange(60)),
    ),
    "NaN y": (ValueError, "y has NaN", lambda: LatentDisplay(CODES, np.full(60, np.nan))),
    "width of drawn": (
        ValueError,
        "drawn has 2 components and codes 4",
        lambda: LatentDisplay(CODES, drawn=CODES[:, :2]),
    ),
    "n_draws": (
        ValueError,
        "n_draws=-1",
        lambda: LatentDisplay.from_estimator(PIPE, X, n_draws=-1),
    ),
    "no KVolumes": (TypeError, "result=3 must be a KVolumes", lambda: VolumeDisplay(3)),
    "no gaps": (ValueError, "results is empty", lambda: GapDisplay({})),
    "no gap": (TypeError, r"results\['a'\]=1 must be a Gen", lambda: GapDisplay({"a": 1})),
    "no radial": (TypeError, "results=1", lambda: RadialSensitivityDisplay(1)),
    "no spectrum": (TypeError, "results=1", lambda: SpectrumDisplay(1)),
    "no models": (
        ValueError,
        "fitted is empty",
        lambda: SpectrumDisplay.from_estimator({}, X),
    ),
    "words": (ValueError, "real must be", lambda: SamplesDisplay([["a", "b"]], [[1, 2]])),
    "columns of drawn": (
        ValueError,
        "drawn has 2 columns and real 4",
        lambda: SamplesDisplay(CODES, X),
    ),
    "pixels": (
        ValueError,
        r"image_shape=\(3, 3\) has 9 pixels, but rows have 4",
        lambda: SamplesDisplay(CODES, CODES, image_shape=(3, 3)),
    ),
    "image_shape": (
        TypeError,
        "image_shape=4",
        lambda: SamplesDisplay(CODES, CODES, image_shape=4),
    ),
    "n_samples": (
        ValueError,
        "n_samples=0",
        lambda: SamplesDisplay.from_estimator(PIPE, X, 0, random_state=0),
    ),
    "no modes": (ValueError, "labels is empty", lambda: CoverageDisplay([], [], [])),
    "uneven modes": (
        ValueError,
        "have 2, 2 and 1 entries",
        lambda: CoverageDisplay([0, 1], [1, 1], [1]),
    ),
    "no counts": (ValueError, "counts=", lambda: CoverageDisplay([0], [0], [1])),
    "half a row": (ValueError, "counts=", lambda: CoverageDisplay([0], [0.5], [1])),
    "expected": (ValueError, "expected=", lambda: CoverageDisplay([0, 1], [1, 1], [1, -1])),
    "confidence": (
        ValueError,
        "confidence=2",
        lambda: CoverageDisplay([0], [1], [1], confidence=2),
    ),
    "unknown mode": (
        ValueError,
        r"y_drawn has the modes \[2\]",
        lambda: CoverageDisplay.from_labels([0, 1], [0, 2]),
    ),
    "no y_drawn": (
        ValueError,
        "y_drawn is empty",
        lambda: CoverageDisplay.from_labels([0, 1], []),
    ),
    "y=None": (ValueError, "y=None", lambda: CoverageDisplay.from_estimator(PIPE, X, None)),
    "short y of coverage": (
        ValueError,
        "y has 2 entries for 300 rows",
        lambda: CoverageDisplay.from_estimator(PIPE, X, [0, 1]),
    ),
    "judge": (
        TypeError,
        "judge='me' must have predict",
        lambda: CoverageDisplay.from_estimator(PIPE, X, Y, judge="me"),
    ),
    "scale": (
        ValueError,
        "scale='cubic'",
        lambda: CoverageDisplay.from_labels([0], [0], scale="cubic"),
    ),
    "no frame": (TypeError, r"history=\[\] must be a DataFrame", lambda: HistoryDisplay([])),
    "no epochs": (
        ValueError,
        "history of shape",
        lambda: HistoryDisplay(pd.DataFrame({"loss": []})),
    ),
}


@pytest.mark.parametrize(("error", "message", "make"), BAD.values(), ids=BAD)
def test_bad_input_is_named_and_makes_no_figure(error, message, make):
    with pytest.raises(error, match=message):
        make()
    assert not plt.get_fignums()
