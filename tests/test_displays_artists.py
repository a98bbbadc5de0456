"""Displays: what is drawn is what was measured."""

import copy

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy.stats import binomtest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import geomgen
from geomgen import AE, LISAGenerator, VAEGenerator, diagnostics
from geomgen.datasets import make_rare_digits, make_ring_mixture
from geomgen.diagnostics import displays

from .helpers import name, small

RING, LABELS = make_ring_mixture(400, random_state=0)
DIGITS, DIGIT = make_rare_digits(random_state=0)
DISPLAYS = [getattr(displays, d) for d in displays.__all__]


@pytest.fixture(scope="module")
def pipe():
    return make_pipeline(StandardScaler(), small(AE)).fit(RING)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def arguments(cls):
    if cls is displays.HistoryDisplay:
        return (), {}
    if cls is displays.CoverageDisplay:
        return (RING, LABELS), {"random_state": 0, "n_samples": 500}
    seeded = cls not in (displays.RadialSensitivityDisplay, displays.SpectrumDisplay)
    return (RING,), {"random_state": 0} if seeded else {}


def drawn(ax):
    """Numbers behind the artists of an axes."""
    lines = [np.asarray(line.get_xydata()) for line in ax.lines]
    points = [np.asarray(c.get_offsets()) for c in ax.collections if len(c.get_offsets())]
    images = [np.asarray(image.get_array()) for image in ax.images]
    return [a for a in (*lines, *points, *images) if a.size]


@pytest.mark.parametrize("cls", DISPLAYS, ids=name)
def test_every_display_draws_labelled_axes_and_redraws_the_same(cls, pipe):
    args, params = arguments(cls)
    state, own = torch.get_rng_state(), np.random.get_state()[1].copy()
    display = cls.from_estimator(pipe, *args, **params)
    assert torch.equal(state, torch.get_rng_state()) and (own == np.random.get_state()[1]).all()
    assert isinstance(display.figure_, Figure)
    first = [a.copy() for ax in display.figure_.axes for a in drawn(ax)]
    assert first and all(np.isfinite(a).any() for a in first)
    assert any(ax.get_xlabel() for ax in display.figure_.axes)
    again = display.plot()
    assert again is display
    second = [a for ax in display.figure_.axes for a in drawn(ax)]
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))
    display.figure_.canvas.draw()  # no text or layout fails


@pytest.mark.parametrize("cls", DISPLAYS, ids=name)
def test_every_display_draws_where_it_is_told(cls, pipe):
    args, params = arguments(cls)
    figure, ax = plt.subplots()
    before = plt.get_fignums()
    display = cls.from_estimator(pipe, *args, ax=ax, **params)
    assert display.figure_ is figure and plt.get_fignums() == before and drawn(ax)


@pytest.mark.parametrize("cls", DISPLAYS, ids=name)
def test_every_display_refuses_what_it_cannot_show(cls, pipe):
    args, params = arguments(cls)
    with pytest.raises(NotFittedError):
        cls.from_estimator(AE(), *args, **params)
    with pytest.raises(TypeError):
        cls.from_estimator(StandardScaler().fit(RING), *args, **params)
    with pytest.raises(TypeError, match="ax="):
        cls.from_estimator(pipe, *args, ax="here", **params)


@pytest.mark.parametrize("cls", DISPLAYS, ids=name)
def test_searches_are_taken(cls):
    search = GridSearchCV(small(VAEGenerator), {"beta": [0.1]}, cv=2).fit(RING)
    args, params = arguments(cls)
    assert drawn(cls.from_estimator(search, *args, **params).figure_.axes[0])


def test_history_lines_are_the_history():
    model = small(VAEGenerator, early_stopping=True).fit(RING)
    ax = displays.HistoryDisplay.from_estimator(model).ax_
    ys = [line.get_ydata() for line in np.ravel(ax)[0].lines]
    for column in ("recon", "kl", "loss", "valid_loss"):
        wanted = model.history_[column].to_numpy()
        assert any(np.array_equal(y, wanted) for y in ys if len(y) == len(wanted)), column


def test_coverage_is_shares_with_clopper_pearson_intervals():
    display = displays.CoverageDisplay.from_counts(["a", "b"], [30, 970], [0.02, 0.98])
    y = np.concatenate([a[:, 1] for a in drawn(display.ax_)])
    for value in (0.03, 0.97):
        assert np.isclose(y, value).any()
    segments = [s for c in display.ax_.collections for s in getattr(c, "get_segments", list)()]
    ends = {tuple(np.round(sorted(s[:, 1]), 9)) for s in segments}
    for count in (30, 970):
        interval = binomtest(count, 1000).proportion_ci(0.95, method="exact")
        assert tuple(np.round([interval.low, interval.high], 9)) in ends
    real, model = np.repeat([0, 1], [20, 980]), np.repeat([0, 1], [30, 970])
    same = displays.CoverageDisplay.from_labels(real, model)
    for a, b in zip(drawn(display.ax_), drawn(same.ax_), strict=True):
        np.testing.assert_allclose(a, b)


def test_spectrum_is_the_eigenvalues_and_the_uniform_level():
    model = small(LISAGenerator, n_components=3).fit(RING)
    result = diagnostics.directional_spectrum(model, RING)
    ax = displays.SpectrumDisplay.from_estimator(model, RING).ax_
    ys = [line.get_ydata() for line in ax.lines]
    wanted = np.sort(result.eigenvalues)[::-1]
    assert any(len(y) == 3 and np.allclose(y, wanted) for y in ys)
    assert any(np.allclose(y, 1 / 3) for y in ys)
    assert f"{result.effective_rank:.1f}" in " ".join(
        text.get_text() for text in ax.get_legend().get_texts()
    )


def test_radial_lines_are_the_errors():
    models = {"AE": small(AE).fit(RING), "LISA": small(LISAGenerator).fit(RING)}
    ax = displays.RadialSensitivityDisplay.from_estimator(models, RING).ax_
    ys = [line.get_ydata() for line in ax.lines]
    for model in models.values():
        mse = diagnostics.radial_sensitivity(model, RING).mse
        assert any(len(y) == len(mse) and np.allclose(y, mse) for y in ys)


def test_gaps_are_points_with_their_intervals(pipe):
    gap = diagnostics.generative_gap(pipe, RING, random_state=0)
    ax = displays.GapDisplay.from_results({"AE": gap}).ax_
    x = np.concatenate([a[:, 0] for a in drawn(ax)])
    assert np.isclose(x, gap.gap).any() and np.isclose(x, 0).any()
    segments = [s for c in ax.collections for s in getattr(c, "get_segments", list)()]
    assert any(np.allclose(sorted(s[:, 0]), gap.interval) for s in segments)


def test_volume_boxes_have_the_medians(pipe):
    result = diagnostics.k_volumes(pipe, RING, n_codes=200, random_state=0)
    ax = displays.VolumeDisplay.from_result(result).ax_
    y = np.concatenate([line.get_ydata() for line in ax.lines])
    for values in (result.on_manifold, result.off_manifold, result.sampled):
        for median in np.median(values, axis=0):
            assert np.isclose(y, median).any()


def test_codes_and_draws_are_the_points(pipe):
    display = displays.LatentDisplay.from_estimator(pipe, RING, LABELS, random_state=0)
    codes, draws = display.figure_.axes[:2]
    points = np.concatenate(drawn(codes))
    wanted = pipe.transform(RING)
    order = [np.lexsort(a.T) for a in (points, wanted)]
    np.testing.assert_allclose(points[order[0]], wanted[order[1]], rtol=1e-5)
    assert len(np.concatenate(drawn(draws))) == len(RING)


def test_images_are_tiled_as_they_are():
    model = small(AE).fit(DIGITS)
    display = displays.SamplesDisplay.from_estimator(
        model, DIGITS, 16, image_shape=(8, 8), random_state=0
    )
    real, made = (ax.images[0].get_array() for ax in display.figure_.axes[:2])
    assert (
        display.figure_.axes[0].images[0].get_clim() == display.figure_.axes[1].images[0].get_clim()
    )
    image = np.asarray(display.drawn[0]).reshape(8, 8)
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(made), (8, 8))
    assert (np.abs(windows - image).max((2, 3)) < 1e-5).any()
    assert real.shape == made.shape


def test_rows_of_a_pipeline_are_in_their_own_units(pipe):
    display = displays.SamplesDisplay.from_estimator(pipe, RING, 50, random_state=0)
    points = np.concatenate(drawn(display.figure_.axes[1]))
    wanted = geomgen.sample(pipe, 50, random_state=0)
    order = [np.lexsort(a.T) for a in (points, wanted)]
    np.testing.assert_allclose(points[order[0]], wanted[order[1]], rtol=1e-6)


def test_the_fitted_model_is_left_alone(pipe):
    before = copy.deepcopy(pipe[-1].net_.module_.state_dict())
    for cls in DISPLAYS:
        args, params = arguments(cls)
        cls.from_estimator(pipe, *args, **params)
    after = pipe[-1].net_.module_.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
