"""RareModeCalibrator: rates, weights, judges, and what it refuses."""

import numpy as np
import pandas as pd
import polars
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from geomgen import RareModeCalibrator
from geomgen.models import AE

from .helpers import small

RNG = np.random.RandomState(0)
Y = RNG.random_sample(4000) < 0.05
X = RNG.normal(size=(4000, 2)) + 6 * Y[:, None]


def event(rows):
    return np.asarray(rows)[:, 0] > 3


class Off(BaseEstimator):
    """A generator whose event comes at four times its rate."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def sample(self, n_samples=1, random_state=None):
        rare = random_state.random_sample(n_samples) < 0.2
        return random_state.normal(size=(n_samples, 2)) + 6 * rare[:, None]


OFF = Off().fit(X)


@pytest.mark.parametrize("n", [100, 1003, 4000])
def test_the_rate_is_the_real_one(n):
    found = RareModeCalibrator(generator=OFF, event=event).fit(X)
    assert found.rate_ == event(X).mean()
    assert found.generated_rate_ == pytest.approx(0.2, abs=0.02)
    drawn = event(found.sample(n, random_state=1))
    assert abs(drawn.sum() - n * found.rate_) < 1
    assert abs(np.nonzero(drawn)[0].mean() / n - 0.5) < 0.25  # in random order


def test_rounding_is_right_on_average():
    found = RareModeCalibrator(generator=OFF, event=event, rate=0.03).fit(X)
    counts = [event(found.sample(10, random_state=seed)).sum() for seed in range(400)]
    assert set(counts) == {0, 1}
    assert np.mean(counts) == pytest.approx(0.3, abs=4 * (0.21 / 400) ** 0.5)


def test_lift_and_the_weights_that_undo_it():
    found = RareModeCalibrator(generator=OFF, event=event).fit(X)
    rows, weights = found.sample(5000, random_state=0, lift=5.0, return_weights=True)
    seen = event(rows)
    assert seen.mean() == pytest.approx(5 * found.rate_, abs=1 / 5000)
    assert np.average(seen, weights=weights) == pytest.approx(found.rate_, rel=2e-3)
    assert weights.mean() == pytest.approx(1, abs=2e-3)
    # the weighted mean of anything is the calibrated one: 0 + 6 × rate
    assert np.average(rows[:, 1], weights=weights) == pytest.approx(6 * found.rate_, abs=0.1)
    every, weights = found.sample(50, 0, lift=1 / found.rate_, return_weights=True)
    assert event(every).all() and np.allclose(weights, found.rate_)


def test_acceptance_is_what_it_costs():
    found = RareModeCalibrator(generator=OFF, event=event).fit(X)
    rate, own = found.rate_, found.generated_rate_
    assert found.acceptance_ == pytest.approx(min(own / rate, (1 - own) / (1 - rate)))
    asked = []

    class Counting(Off):
        def sample(self, n_samples=1, random_state=None):
            asked.append(n_samples)
            return super().sample(n_samples, random_state)

    wasteful = RareModeCalibrator(generator=Counting().fit(X), event=event).fit(X)
    asked.clear()
    wasteful.sample(5000, random_state=0)
    assert sum(asked) == pytest.approx(5000 / found.acceptance_, rel=0.3)


class Noisy(ClassifierMixin, BaseEstimator):
    """A judge that misses a fifth of the events, and cries wolf for a tenth of the others."""

    def fit(self, X, y):
        self.classes_ = np.array([False, True])
        return self

    def predict(self, X):
        u = np.modf(1e4 * np.abs(X[:, 1]))[0]
        return np.where(event(X), u > 0.2, u < 0.1)


def test_a_judges_errors_cancel():
    """Draws are taken until the judge sees as many events as in real rows; so the truth agrees."""
    found = RareModeCalibrator(generator=OFF, judge=Noisy(), rare_label=True).fit(X, Y)
    assert found.rate_ == pytest.approx(0.8 * Y.mean() + 0.1 * (1 - Y.mean()), abs=0.02)
    other = RareModeCalibrator(generator=OFF, judge=Noisy(), rare_label=True, rate=0.5).fit(X, Y)
    assert other.rate_ == pytest.approx(0.45, abs=0.03)
    exact = RareModeCalibrator(generator=OFF).fit(X, Y)
    assert event(exact.sample(4000, 0)).mean() == pytest.approx(Y.mean(), abs=2e-3)


def test_pipelines_frames_and_labels():
    frame = pd.DataFrame(X, columns=["u", "v"])
    pipe = make_pipeline(StandardScaler(), small(AE, max_epochs=20)).fit(frame)
    found = RareModeCalibrator(generator=pipe, event=lambda rows: (rows["u"] > 3).to_numpy())
    rows = found.fit(frame).sample(200, random_state=0)
    assert list(rows.columns) == ["u", "v"] and rows.index.tolist() == list(range(200))
    assert abs((rows["u"] > 3).sum() - 200 * found.rate_) < 1
    again = found.sample(200, random_state=0)
    pd.testing.assert_frame_equal(rows, again)


def test_a_very_rare_event():
    """Once in 2000 draws: not too rare to be waited for."""
    found = RareModeCalibrator(
        generator=OFF, event=lambda rows: rows[:, 0] > 8.6, rate=0.02, n_probe=20_000
    ).fit(X)
    assert 0 < found.generated_rate_ < 0.004
    assert (found.sample(100, 0)[:, 0] > 8.6).sum() == 2


def test_polars_and_one_kind_only():
    frame = polars.DataFrame(X, schema=["u", "v"])
    model = small(AE, max_epochs=20).fit(frame)
    found = RareModeCalibrator(generator=model, event=lambda rows: (rows["u"] > 1).to_numpy())
    found.fit(frame)
    for n, lift in ((1, 1.0), (30, 1.0), (5, 1 / found.rate_)):
        rows = found.sample(n, 0, lift=lift)
        assert type(rows) is polars.DataFrame and rows.shape == (n, 2)
    before = found.rate_
    with pytest.raises(ValueError, match="rate 0"):
        found.set_params(event=lambda rows: np.zeros(len(rows), bool)).fit(frame)
    assert found.rate_ == before


def test_what_it_refuses():
    one = GaussianMixture(1, random_state=0).fit(X)
    with pytest.raises(TypeError, match="generator=None"):
        RareModeCalibrator(event=event).fit(X)
    with pytest.raises(NotFittedError):
        RareModeCalibrator(generator=KernelDensity(), event=event).fit(X)
    with pytest.raises(ValueError, match="needs labels"):
        RareModeCalibrator(generator=one).fit(X)
    with pytest.raises(ValueError, match="rate 0 in the real rows"):
        RareModeCalibrator(generator=one, event=lambda rows: rows[:, 0] > 1e9).fit(X)
    with pytest.raises(ValueError, match="rate 0 in the draws"):
        far = GaussianMixture(1, random_state=0).fit(X[~Y] * 0.01)
        RareModeCalibrator(generator=far, event=event).fit(X)
    with pytest.raises(ValueError, match="one bool a row"):
        RareModeCalibrator(generator=one, event=lambda rows: rows[:, 0]).fit(X)
    with pytest.raises(ValueError, match="1 rare rows"):
        RareModeCalibrator(generator=one).fit(X[:50], np.arange(50) == 3)
    with pytest.raises(NotFittedError):
        RareModeCalibrator(generator=one, event=event).sample(3)
    found = RareModeCalibrator(generator=one, event=event).fit(X)
    for lift in (0, -1, 1000, np.nan, "x", None, True):
        with pytest.raises(ValueError, match="lift"):
            found.sample(3, 0, lift=lift)
