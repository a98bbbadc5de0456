"""Fréchet distance of Gaussians, on moments, samples and features."""

import sys
import types

import numpy as np
import pandas as pd
import pytest
import scipy.linalg
import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance

from geomgen.metrics.frechet import (
    frechet_distance,
    frechet_distance_from_moments,
    inception_features,
)

FEW_ROWS = pytest.warns(UserWarning, match="rows for .* features.*biased upward.*Draw more rows")


def normal(n, p, seed=0):
    return np.random.RandomState(seed).normal(size=(n, p))


def moments(X):
    return X.mean(0), np.atleast_2d(np.cov(X, rowvar=False))


def definition(m1, S1, m2, S2):
    root = scipy.linalg.sqrtm(S1 @ S2)
    return float(((m1 - m2) ** 2).sum() + np.trace(S1 + S2 - 2 * root.real))


# ---------------------------------------------------------------------------------- moments
@pytest.mark.parametrize("p", [1, 2, 20])
def test_it_is_the_definition(p):
    X, Y = normal(100, p) @ normal(p, p, 2), 1 + normal(80, p, 1)
    expected = definition(*moments(X), *moments(Y))
    assert frechet_distance(X, Y) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(Y, X) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance_from_moments(*moments(X), *moments(Y)) == pytest.approx(
        expected, rel=1e-9
    )


def test_of_commuting_covariances():
    """Then d² is the squared distance of the means and of the roots of the eigenvalues."""
    Q = np.linalg.qr(normal(6, 6))[0]
    a, b, m = np.arange(1.0, 7), np.arange(6.0) ** 2, normal(6, 1)[:, 0]
    expected = (m**2).sum() + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    S1, S2 = (Q * a) @ Q.T, (Q * b) @ Q.T  # the second is singular
    assert frechet_distance_from_moments(m, S1, 0 * m, S2) == pytest.approx(expected, rel=1e-12)
    assert frechet_distance_from_moments(0 * m, S2, m, S1) == pytest.approx(expected, rel=1e-12)


def test_of_one_dimension_and_of_points():
    assert frechet_distance_from_moments([1.0], [[4.0]], [0.0], [[9.0]]) == pytest.approx(2)
    zero = np.zeros((2, 2))
    assert frechet_distance_from_moments([0, 0], zero, [3, 4], zero) == 25
    assert frechet_distance(np.zeros((5, 2)), np.ones((4, 2))) == 2
    assert frechet_distance(np.zeros((5, 1)), [[0.0], [2.0]]) == pytest.approx(1 + 2)


def test_of_singular_covariances():
    """Planes in six dimensions that share a line; sums of distances in separate blocks."""
    A, B = normal(6, 2), normal(6, 2, 1)
    B[:, 0] = A[:, 0]
    S1, S2 = A @ A.T, B @ B.T
    expected = np.trace(S1 + S2) - 2 * np.linalg.svd(A.T @ B, compute_uv=False).sum()
    zero = np.zeros(6)
    assert frechet_distance_from_moments(zero, S1, zero, S2) == pytest.approx(expected, rel=1e-10)
    assert frechet_distance_from_moments(zero, S1, zero, S1) < 1e-13 * np.trace(S1)
    block = np.diag([1.0, 1, 0, 0]), np.diag([0, 0, 4.0, 4])
    assert frechet_distance_from_moments(zero[:4], block[0], zero[:4], block[1]) == 10


@pytest.mark.parametrize("n", [200, 40])
def test_of_the_same_sample(n):
    X = 1000 + normal(n, 50) * np.logspace(0, -3, 50)
    X[:, 7] = X[:, 3]  # singular
    if n < 50:
        with FEW_ROWS:
            value = frechet_distance(X, X.copy())
    else:
        value = frechet_distance(X, X.copy())
    assert 0 <= value < 1e-12 * np.trace(np.cov(X, rowvar=False))


@pytest.mark.parametrize(("n", "m"), [(20, 15), (20, 300), (300, 20), (2, 2)])
def test_with_fewer_rows_than_features(n, m):
    """Equal to the moments' form, whose covariances are singular."""
    X, Y = normal(n, 40), 0.5 + 2 * normal(m, 40, 1)
    with FEW_ROWS:
        found = frechet_distance(X, Y)
    expected = frechet_distance_from_moments(*moments(X), *moments(Y))
    assert found == pytest.approx(expected, rel=1e-10)
    if min(n, m) > 2:  # sqrtm of a singular matrix has half the digits
        assert found == pytest.approx(definition(*moments(X), *moments(Y)), rel=1e-5)


def test_with_few_rows_it_is_biased_upward():
    """Of one distribution the distance is 0; it falls as rows are added."""
    values = []
    for n in (10, 100, 1000):
        X, Y = normal(n, 20), normal(n, 20, 1)
        if n < 20:
            with FEW_ROWS:
                values.append(frechet_distance(X, Y))
        else:
            values.append(frechet_distance(X, Y))
    assert values[0] > 5 * values[1] > 25 * values[2] > 0


def test_invariances():
    X, Y = normal(60, 4), 1 + 2 * normal(70, 4, 1)
    Q, value = np.linalg.qr(normal(4, 4, 2))[0], frechet_distance(X, Y)
    assert frechet_distance(X @ Q + 9, Y @ Q + 9) == pytest.approx(value, rel=1e-10)
    assert frechet_distance(3 * X, 3 * Y) == pytest.approx(9 * value, rel=1e-10)
    assert frechet_distance(X, X + [1, 2, 2, 0]) == pytest.approx(9, rel=1e-10)


def test_it_is_torchmetrics():
    class Flat(nn.Module):
        num_features = 12

        def forward(self, x):
            return x.flatten(1)

    X, Y = normal(90, 12).reshape(90, 3, 2, 2), 0.4 + 1.5 * normal(80, 12, 1).reshape(80, 3, 2, 2)
    peer = FrechetInceptionDistance(feature=Flat(), normalize=False, input_img_size=(3, 2, 2))
    peer.set_dtype(torch.float64)
    for rows, real in ((X, True), (Y, False)):
        peer.inception.forward = lambda x: x.flatten(1)
        peer.update(torch.tensor(rows), real=real)
    expected = float(peer.compute())
    assert frechet_distance(X.reshape(90, 12), Y.reshape(80, 12)) == pytest.approx(
        expected, rel=1e-4
    )
    assert frechet_distance(X, Y, features=Flat()) == pytest.approx(expected, rel=1e-4)


# --------------------------------------------------------------------------------- features
def test_features_by_a_function_and_by_a_transformer():
    X, Y = normal(50, 6), 1 + normal(60, 6, 1)
    pca = PCA(2).fit(X)
    expected = frechet_distance(pca.transform(X), pca.transform(Y))
    assert frechet_distance(X, Y, features=pca) == expected
    assert frechet_distance(X, Y, features=pca.transform) == expected
    with pytest.raises(NotFittedError):
        frechet_distance(X, Y, features=PCA(2))


class Net(nn.Module):
    """Batch norm and dropout, which training mode would change and be changed by."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(6, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Unflatten(1, (3, 1))
        ).to(dtype)
        self.seen = []

    def forward(self, x):
        self.seen.append((tuple(x.shape), x.dtype, self.training, torch.is_grad_enabled()))
        return self.layers(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_by_a_module(dtype):
    net = Net(dtype).train()
    net.layers[1].eval()  # modes may be mixed
    modes = [part.training for part in net.modules()]
    state = {k: v.clone() for k, v in net.state_dict().items()}
    X, Y = normal(150, 6), 1 + normal(60, 6, 1)
    found = frechet_distance(X, Y, features=net)
    assert net.seen == [((n, 6), dtype, False, False) for n in (64, 64, 22, 60)]
    assert [part.training for part in net.modules()] == modes
    assert all(torch.equal(v, state[k]) for k, v in net.state_dict().items())
    linear = net.layers[0]
    W, b = (p.detach().double().numpy() for p in (linear.weight, linear.bias))
    scale = np.sqrt(1 + 1e-5)
    expected = frechet_distance((X @ W.T + b) / scale, (Y @ W.T + b) / scale)
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_module_that_fails_is_left_as_it_was():
    net = Net().train()
    with pytest.raises(RuntimeError):
        frechet_distance(normal(9, 5), normal(9, 5), features=net)
    assert all(part.training for part in net.modules())


@pytest.mark.cuda
def test_features_by_a_module_on_cuda():
    net, X, Y = Net(), normal(150, 6), 1 + normal(60, 6, 1)
    expected = frechet_distance(X, Y, features=net)
    assert frechet_distance(X, Y, features=net.cuda()) == pytest.approx(expected, rel=1e-4)
    assert next(net.parameters()).is_cuda


# -------------------------------------------------------------------------------- inception
class FakeInception(nn.Module):
    """What torch-fidelity's network takes and returns, in two features."""

    def __init__(self, name, features_list, feature_extractor_weights_path=None):
        super().__init__()
        assert features_list == ["2048"] and feature_extractor_weights_path is not None

    def forward(self, x):
        assert x.dtype == torch.uint8 and x.ndim == 4 and x.shape[1] == 3
        channels = x.double().mean((2, 3))
        return (torch.stack([channels[:, 0], channels[:, 2]], 1),)


@pytest.fixture
def fidelity(monkeypatch, tmp_path):
    """Put a stand-in for torch-fidelity and its weights in place."""
    module = types.ModuleType("torch_fidelity.feature_extractor_inceptionv3")
    module.FeatureExtractorInceptionV3 = FakeInception
    package = types.ModuleType("torch_fidelity")
    monkeypatch.setitem(sys.modules, "torch_fidelity", package)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = tmp_path / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    path.parent.mkdir()
    path.touch()
    return path


@pytest.mark.parametrize("layout", ["hwc", "chw", "grey"])
def test_inception_takes_images(fidelity, layout):
    rng = np.random.RandomState(0)
    shape = (90, 8, 8) if layout == "grey" else (90, 8, 8, 3)
    X, Y = (rng.randint(high, size=shape).astype(np.uint8) for high in (256, 200))
    if layout == "grey":
        expected = [np.stack([a.mean((1, 2))] * 2, 1) for a in (X, Y)]
    else:
        expected = [a.mean((1, 2))[:, [0, 2]] for a in (X, Y)]
    if layout == "chw":
        X, Y = X.transpose(0, 3, 1, 2), Y.transpose(0, 3, 1, 2)
    found = frechet_distance(X, Y, features="inception")
    assert found == pytest.approx(frechet_distance(*expected), rel=1e-9)
    given = frechet_distance(X, Y, features=inception_features(fidelity))
    assert given == pytest.approx(found, rel=1e-12)


def test_inception_weights_are_never_downloaded(fidelity):
    fidelity.unlink()
    with pytest.raises(FileNotFoundError, match=r"none are downloaded.*weights=PATH"):
        inception_features()
    with pytest.raises(FileNotFoundError, match="elsewhere.pth"):
        inception_features("elsewhere.pth")


def test_inception_without_torch_fidelity(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(ImportError, match=r"pip install 'geomgen\[fid\]'"):
        frechet_distance(np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8)), features="inception")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 8, 8)), "dtype float64.*Multiply"),
        (np.zeros((4, 8, 8, 4), np.uint8), r"shape \(4, 8, 8, 4\)"),
        (np.zeros((4, 64), np.uint8), r"shape \(4, 64\)"),
    ],
)
def test_inception_rejects_images(fidelity, images, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(images, images, features="inception")


# ------------------------------------------------------------------------------------ input
def test_takes_frames_and_leaves_arrays():
    X, Y = normal(20, 2), normal(30, 2, 1)
    frames = [pd.DataFrame(a, columns=["a", "b"]) for a in (X, Y)]
    value = frechet_distance(X, Y)
    assert frechet_distance(frames[0], frames[1][["b", "a"]]) == pytest.approx(value, rel=1e-12)
    before = X.copy()
    assert frechet_distance(X.tolist(), Y) == pytest.approx(value, rel=1e-12)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize(
    ("X", "features", "message"),
    [
        ([[0.0]], None, "X has 1 rows: at least 2"),
        ([[0.0, 1.0], [1.0, 2.0]], None, "X has 2 columns and Y 1"),
        ([[0.0], [np.nan]], None, "X contains NaN"),
        ([[0.0], [1.0]], "resnet", "features='resnet' must be 'inception'"),
        ([[0.0], [1.0]], lambda rows: np.full((2, 1), np.inf), "Features of X contains infinity"),
    ],
)
def test_rejects_samples(X, features, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance(X, [[0.0], [1.0]], features=features)


@pytest.mark.parametrize(
    ("features", "message"), [(3, "features=3 must be"), (nn.LSTM(1, 1), "returns tuple")]
)
def test_rejects_features(features, message):
    with pytest.raises(TypeError, match=message):
        frechet_distance([[0.0], [1.0]], [[0.0], [1.0]], features=features)


I2 = np.eye(2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 0], I2, [0, 0, 0], I2), r"mean2 has shape \(3,\)"),
        (([0, 0], np.eye(3), [0, 0], I2), r"cov1 has shape \(3, 3\)"),
        (([0, 0], I2, [0, 0], [1, 1]), r"cov2 has shape \(2,\)"),
        (([0, np.nan], I2, [0, 0], I2), "mean1 .* finite"),
        (([0, 0], [[1, 2], [0, 5]], [0, 0], I2), "cov1 is not symmetric"),
        (([0, 0], I2, [0, 0], -I2), "eigenvalue -1"),
        (([0, 0], [[1, 2], [2, 1]], [0, 0], I2), "eigenvalue -1"),
    ],
)
def test_rejects_moments(arguments, message):
    with pytest.raises(ValueError, match=message):
        frechet_distance_from_moments(*arguments)
