"""Topological, geometric, flat and geometry-regularised autoencoders: terms, limits, targets."""

import itertools
import sys
import types

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import Isomap, SpectralEmbedding

from geomgen.losses import volume_preservation
from geomgen.losses.distortion import area_distortion, metric_flatness
from geomgen.losses.topology import spanning_tree, topological_loss
from geomgen.models import AE, VAEGenerator
from geomgen.models.flat import FlatVAE
from geomgen.models.geometric import GeometricAE
from geomgen.models.geometry_regularized import GeometryRegularizedAE
from geomgen.models.topological import TopologicalAE

from .helpers import small

X = np.random.RandomState(0).normal(size=(40, 4))


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def objective(est, seed=3):
    """Return an estimator's terms on X in float64, its model, and the rows."""
    model, x = est.net_.module_.double().eval(), torch.tensor(X)
    return est._objective(model, x, seeded(seed)), model, x


def jacobians(decode, z):
    """Jacobians by central differences, (n, p, d)."""
    step, out = 1e-5, []
    for direction in np.eye(z.shape[1]):
        out.append((decode(z + step * direction) - decode(z - step * direction)) / (2 * step))
    return np.stack(out, axis=-1)


# ------------------------------------------------------------------------- topology: Moor et al.
def kruskal(points):
    """Edges (i < j) at which union-find joins components, shortest first."""
    group, edges = list(range(len(points))), []
    pairs = itertools.combinations(range(len(points)), 2)
    for i, j in sorted(pairs, key=lambda ij: np.linalg.norm(points[ij[0]] - points[ij[1]])):
        if group[i] != group[j]:
            edges.append((i, j))
            group = [group[i] if g == group[j] else g for g in group]
    return edges


def paper_topology(x, z):
    """Eqs. 2-4, distances relative to the largest, over the batch's size."""
    A, B = (np.linalg.norm(p[:, None] - p, axis=-1) for p in (x, z))
    A, B = A / A.max(), B / B.max()
    to_codes = sum((A[e] - B[e]) ** 2 for e in kruskal(x)) / 2
    to_rows = sum((B[e] - A[e]) ** 2 for e in kruskal(z)) / 2
    return (to_codes + to_rows) / len(x)


@pytest.mark.parametrize(("n", "p", "d"), [(2, 1, 1), (3, 5, 2), (25, 4, 2)])
def test_topological_loss_is_the_papers(n, p, d):
    x, z = normal(n, p), normal(n, d, seed=1)
    expected = paper_topology(x.numpy(), z.numpy())
    assert topological_loss(x, z).item() == pytest.approx(expected, rel=1e-10, abs=1e-15)
    assert topological_loss(x.float(), z.float()).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_spanning_tree_is_kruskals(dtype):
    points = normal(30, 3).to(dtype)
    edges = {tuple(sorted(edge)) for edge in spanning_tree(points).T.tolist()}
    assert edges == set(kruskal(points.numpy()))
    assert {tuple(sorted(e)) for e in spanning_tree(1e6 * points + 3).T.tolist()} == edges


def test_spanning_tree_of_duplicates():
    """Equal points are joined: as many edges, of the same total length."""
    distinct = normal(6, 2)
    points = distinct.repeat(3, 1)
    start, end = spanning_tree(points)
    lengths = (points[start] - points[end]).norm(dim=1)
    a, b = np.array(kruskal(distinct.numpy())).T
    assert len(lengths) == 17 and (lengths == 0).sum() == 12
    assert lengths.sum().item() == pytest.approx((distinct[a] - distinct[b]).norm(dim=1).sum())
    assert spanning_tree(torch.zeros(5, 2)).shape == (2, 4)


def test_topological_loss_sees_neither_motions_nor_units():
    x, z = normal(20, 4), normal(20, 3, seed=1)
    Q, R = (torch.linalg.qr(normal(k, k, seed=2)).Q for k in (4, 3))
    value = topological_loss(x, z).item()
    assert value > 1e-3
    assert topological_loss(9 * x @ Q + 2, z).item() == pytest.approx(value, rel=1e-9)
    assert topological_loss(x, z @ R / 7 - 1).item() == pytest.approx(value)
    assert topological_loss(x, 5 - 3 * x @ Q).item() == pytest.approx(0, abs=1e-25)
    assert topological_loss(x.flip(0), z.flip(0)).item() == pytest.approx(value)


def test_topological_loss_gradient():
    """Of the selected distances; 0 for codes that no selected pair has, or that are one point."""
    x, z = normal(9, 3), normal(9, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: topological_loss(x, z), z)
    for codes in (torch.zeros(9, 2), torch.cat([z[:5], z[:4]]).detach().float()):
        codes = codes.requires_grad_()
        topological_loss(x.float(), codes).backward()
        assert codes.grad.isfinite().all()
    assert topological_loss(x[:1], z[:1]).item() == 0
    assert topological_loss(x, torch.full_like(z, torch.nan)).isnan()


def test_topological_objective():
    est = small(TopologicalAE, lam=7.0).fit(X)
    terms, model, x = objective(est)
    z = model.encode(x).detach().numpy()
    error = (model.decode(torch.tensor(z)).detach().numpy() - X) ** 2
    assert terms["recon"].item() == pytest.approx(error.sum(1).mean())
    assert terms["topology"].item() == pytest.approx(7 * paper_topology(X, z), rel=1e-9)


def test_the_topological_term_can_be_lowered():
    rows = np.random.RandomState(1).normal(size=(64, 2))
    params = {"hidden": (32,), "max_epochs": 60, "lr": 1e-2, "batch_size": 64}
    values = []
    for lam in (0.0, 10.0):
        Z = small(TopologicalAE, lam=lam, **params).fit_transform(rows)
        values.append(topological_loss(torch.tensor(rows), torch.tensor(Z).double()).item())
    assert values[1] < 0.7 * values[0]


# ------------------------------------------------------------------------- distortion of a map
def test_area_distortion_is_the_papers():
    J = normal(12, 5, 3)
    area = [0.5 * np.log(np.linalg.det(j.T @ j)) for j in J.numpy()]
    assert area_distortion(J).item() == pytest.approx(np.var(area), rel=1e-4)  # the stabiliser
    assert torch.autograd.gradcheck(area_distortion, J.requires_grad_())


def test_area_distortion_sees_neither_axes_nor_units():
    J, Q = normal(12, 5, 3), torch.linalg.qr(normal(3, 3, seed=1)).Q
    value = area_distortion(J).item()
    assert area_distortion(J @ Q).item() == pytest.approx(value, rel=1e-9)
    assert area_distortion(100 * J).item() == pytest.approx(value, rel=1e-4)
    assert area_distortion(J) == volume_preservation(J)
    shear = torch.diag_embed(torch.stack([(t := normal(12).exp()), 1 / t], dim=1))
    assert area_distortion(shear).item() == pytest.approx(0, abs=1e-8)  # areas, not lengths
    assert area_distortion(J[:1]).item() == 0


def test_area_distortion_with_more_components_than_features():
    """det(JJᵀ), the coarea factor, in place of a determinant that is 0."""
    J = normal(12, 2, 5)
    area = [0.5 * np.log(np.linalg.det(j @ j.T)) for j in J.numpy()]
    assert area_distortion(J).item() == pytest.approx(np.var(area), rel=1e-4)
    assert area_distortion(1e6 * J).item() == pytest.approx(np.var(area), rel=1e-8)
    assert area_distortion(torch.zeros(3, 2, 2)).item() == 0


@pytest.mark.parametrize("n_codes", [None, 7])
def test_geometric_objective(n_codes):
    est = small(GeometricAE, lam=0.3, n_codes=n_codes).fit(X)
    terms, model, x = objective(est)
    with torch.no_grad():
        z = model.encode(x).numpy()
        error = (model.decode(torch.tensor(z)).numpy() - X) ** 2
        J = jacobians(lambda z: model.decode(torch.tensor(z)).numpy(), z[:n_codes])
    area = [0.5 * np.log(np.linalg.det(j.T @ j + 1e-6 * np.eye(2))) for j in J]
    assert terms["recon"].item() == pytest.approx(error.sum(1).mean())
    assert terms["area"].item() == pytest.approx(0.3 * np.var(area), rel=1e-5)


def test_a_linear_decoder_has_no_distortion():
    linear = torch.nn.Linear(2, 4)
    for cls, name in ((GeometricAE, "area"), (FlatVAE, "flat")):
        terms, model, _ = objective(small(cls, decoder=linear, lr=1e-2).fit(X))
        if cls is FlatVAE:
            assert terms[name] > 0  # one metric everywhere, but no multiple of the identity
            with torch.no_grad():
                model.decoder.trunk.weight.copy_(3 * torch.linalg.qr(normal(4, 2)).Q)
            terms = small(cls).set_params(eta=1.0)._objective(model, torch.tensor(X), seeded())
        assert terms[name].item() == pytest.approx(0, abs=1e-12)


# --------------------------------------------------------------------------- flat: Chen et al.
def test_metric_flatness_is_the_papers():
    J = normal(12, 5, 3)
    G = J.numpy().transpose(0, 2, 1) @ J.numpy()
    c2 = np.trace(G, axis1=1, axis2=2).mean() / 3
    expected = np.mean([np.linalg.norm(g - c2 * np.eye(3), "fro") ** 2 for g in G])
    assert metric_flatness(J).item() == pytest.approx(expected, rel=1e-12)
    best = min(((G - c * np.eye(3)) ** 2).sum((1, 2)).mean() for c in c2 + np.linspace(-1, 1, 201))
    assert expected == pytest.approx(best, rel=1e-9)  # c² is the best multiple
    assert torch.autograd.gradcheck(metric_flatness, J.requires_grad_())


def test_metric_flatness_sees_no_rotation_and_scales_with_the_fourth_power():
    J = normal(12, 5, 3)
    P, Q = (torch.linalg.qr(normal(k, k, seed=1)).Q for k in (5, 3))
    value = metric_flatness(J).item()
    assert metric_flatness(P @ J @ Q).item() == pytest.approx(value, rel=1e-9)
    assert metric_flatness(3 * J).item() == pytest.approx(81 * value, rel=1e-9)
    isometry = 4 * torch.linalg.qr(J).Q
    assert metric_flatness(isometry).item() == pytest.approx(0, abs=1e-20)


@pytest.mark.parametrize("n_codes", [None, 5])
def test_flat_objective(n_codes):
    """The VAE's terms, and the metric at mixtures of its draws of the posterior."""
    est = small(FlatVAE, eta=0.2, alpha=0.4, n_codes=n_codes).fit(X)
    terms, model, x = objective(est)
    plain = small(VAEGenerator).fit(X)._objective(model, x, seeded(3))
    generator = seeded(3)
    noise = torch.randn(40, 2, generator=generator, dtype=x.dtype).numpy()
    shares = 1.8 * torch.rand(40, 1, generator=generator, dtype=x.dtype).numpy() - 0.4
    with torch.no_grad():
        mu, log_sigma = np.split(model.encoder.trunk(x).numpy(), 2, axis=1)
        z = mu + np.exp(log_sigma) * noise
        z = (1 - shares) * z + shares * np.roll(z, 1, axis=0)
        J = jacobians(lambda z: model.decode(torch.tensor(z)).numpy(), z[:n_codes])
    G = np.einsum("npi,npj->nij", J, J)
    flat = ((G - np.trace(G.mean(0)) / 2 * np.eye(2)) ** 2).sum((1, 2)).mean()
    assert terms["flat"].item() == pytest.approx(0.2 * flat, rel=1e-5)
    for name in ("recon", "kl"):
        assert terms[name].item() == pytest.approx(plain[name].item(), rel=1e-12)


def test_flat_shares_reach_beyond_the_codes():
    shares = FlatVAE(alpha=0.5)._shares(torch.zeros(4000, 2), seeded())
    assert -0.5 <= shares.min() < -0.49 and 1.49 < shares.max() <= 1.5
    assert shares.mean().item() == pytest.approx(0.5, abs=4 * 2 / 12**0.5 / 4000**0.5)


@pytest.mark.parametrize(
    ("cls", "term"), [(GeometricAE, "area"), (FlatVAE, "flat"), (TopologicalAE, "topology")]
)
def test_gradient_by_finite_differences(cls, term):
    """Of the objective in a decoder and an encoder weight, through the Jacobian."""
    est = small(cls, activation="tanh").fit(X)
    model, x = est.net_.module_.double().eval(), torch.tensor(X)
    for part in (model.encoder.trunk, model.decoder.trunk):
        weight = next(part.parameters())

        def value(shift, weight=weight):
            with torch.no_grad():
                weight[1, 0] += shift
                total = sum(est._objective(model, x, seeded()).values()).item()
                weight[1, 0] -= shift
            return total

        model.zero_grad()
        sum(est._objective(model, x, seeded()).values()).backward()
        expected = (value(1e-5) - value(-1e-5)) / 2e-5
        assert weight.grad[1, 0].item() == pytest.approx(expected, rel=1e-5, abs=1e-8)
    assert term in est.history_


@pytest.mark.parametrize("cls", [TopologicalAE, GeometricAE, GeometryRegularizedAE])
def test_without_its_term_it_is_the_plain_autoencoder(cls):
    Z, plain = (
        small(c, **params).fit_transform(X) for c, params in ((cls, {"lam": 0.0}), (AE, {}))
    )
    np.testing.assert_allclose(Z, plain, atol=1e-6)


# ---------------------------------------------------------------------------------------- GRAE
def test_geometry_regularized_objective():
    est = small(GeometryRegularizedAE, lam=0.7, embedding=PCA(2)).fit(X)
    target = PCA(2).fit_transform(X)
    target /= np.sqrt(target.var(0).mean())
    np.testing.assert_allclose(est.embedding_, target, atol=1e-6)
    model = est.net_.module_.double().eval()
    terms = est._objective(model, torch.tensor(np.hstack([X, target])), seeded())
    with torch.no_grad():
        z = model.encode(torch.tensor(X)).numpy()
        error = (model.decode(torch.tensor(z)).numpy() - X) ** 2
    assert terms["recon"].item() == pytest.approx(error.sum(1).mean())
    assert terms["geometry"].item() == pytest.approx(0.7 * ((z - target) ** 2).sum(1).mean())
    est.set_params(reduction="mean")
    terms = est._objective(model, torch.tensor(np.hstack([X, target])), seeded())
    assert terms["geometry"].item() == pytest.approx(0.7 * ((z - target) ** 2).mean())


def test_codes_go_to_the_embedding_and_extend_it():
    angle = np.random.RandomState(0).uniform(0, 4, 300)
    spiral = np.c_[angle * np.cos(2 * angle), angle * np.sin(2 * angle)]
    params = {"n_components": 1, "hidden": (64,), "max_epochs": 150, "lr": 5e-3}
    length = angle * np.sqrt(1 + 4 * angle**2) / 2 + np.arcsinh(2 * angle) / 4  # of the spiral
    errors = []
    for lam in (100.0, 0.0):
        est = small(GeometryRegularizedAE, lam=lam, **params).fit(spiral[:200])
        assert abs(np.corrcoef(est.embedding_[:, 0], length[:200])[0, 1]) > 0.999
        wanted = np.poly1d(np.polyfit(length[:200], est.embedding_[:, 0], 1))(length[200:])
        errors.append(((est.transform(spiral[200:])[:, 0] - wanted) ** 2).mean())
    assert errors[0] < 0.02 and errors[1] > 0.2  # of a variance of 1


@pytest.mark.parametrize(("rows", "d"), [(X, 2), (X[:, :1], 1), (X[:9], 3)])
def test_the_default_is_isomap(rows, d):
    est = small(GeometryRegularizedAE, n_components=d, max_epochs=1).fit(rows)
    isomap = Isomap(n_neighbors=min(10, len(rows) - 1), n_components=d).fit_transform(rows)
    isomap /= np.sqrt(isomap.var(0).mean())
    signs = np.sign((isomap * est.embedding_).sum(0))
    np.testing.assert_allclose(est.embedding_, signs * isomap, atol=1e-4)


@pytest.mark.parametrize(
    ("rows", "d"),
    [
        pytest.param(X[:2], 5, id="two rows"),
        pytest.param(X[:15], 12, id="negative eigenvalues"),
        pytest.param(np.ones((30, 3)), 2, id="constant rows"),
        pytest.param(np.repeat(X[:4], 20, axis=0), 3, id="duplicates"),
        pytest.param(np.r_[X, X + 100], 2, id="two pieces"),
    ],
)
def test_isomap_of_unusual_rows(rows, d):
    """Without a warning, each a target; equal rows have equal targets."""
    est = small(GeometryRegularizedAE, n_components=d, max_epochs=1).fit(rows)
    variance = est.embedding_.var(0)
    assert est.embedding_.shape == (len(rows), d)
    assert variance.mean() == pytest.approx(float(np.ptp(rows) > 0), rel=1e-4)
    _, index, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    np.testing.assert_allclose(est.embedding_, est.embedding_[index][inverse], atol=1e-3)
    assert np.isfinite(est.sample(5, random_state=0)).all()


def spy_on_targets(monkeypatch):
    seen, train = [], AE._train

    def spy(self, X, epochs):
        seen.append(X)
        return train(self, X, epochs)

    monkeypatch.setattr(AE, "_train", spy)
    return seen


def test_landmarks_and_later_rows(monkeypatch):
    seen = spy_on_targets(monkeypatch)
    rows = np.random.RandomState(1).normal(size=(60, 4)).astype(np.float32)
    est = small(GeometryRegularizedAE, n_landmarks=25, embedding=PCA(2), max_epochs=1).fit(rows)
    landmarks, embedding = est.extension_._fit_X, est.embedding_.copy()
    assert embedding.shape == (25, 2) and len(np.unique(landmarks, axis=0)) == 25
    (given,) = seen
    np.testing.assert_array_equal(given[:, :4], rows)
    for landmark, target in zip(landmarks, embedding, strict=True):  # a landmark keeps its own
        index = np.flatnonzero((rows == landmark.astype(np.float32)).all(1))
        np.testing.assert_allclose(given[index, 4:], target[None], atol=1e-5)
    distance = ((rows[:, None] - landmarks) ** 2).sum(-1)
    own = embedding[np.argsort(distance, axis=1)[:, :5]]
    assert (given[:, 4:] >= own.min(1) - 1e-5).all() and (given[:, 4:] <= own.max(1) + 1e-5).all()

    est.partial_fit(rows[:10] + 0.1)
    np.testing.assert_array_equal(est.embedding_, embedding)
    assert seen[1].shape == (10, 6) and est.n_iter_ == 2
    est.fit(rows + 5)  # anew: a new embedding
    assert not np.allclose(est.extension_._fit_X, landmarks)
    est.set_params(warm_start=True).fit(rows)
    with pytest.raises(ValueError, match=r"\['n_landmarks'\] changed"):
        est.set_params(n_landmarks=30).fit(rows)


def test_extra_terms_and_held_out_rows_see_no_targets():
    params = {"extra_terms": {"width": (1.0, width)}, "early_stopping": True}
    history = small(GeometryRegularizedAE, embedding=PCA(2), **params).fit(X).history_
    assert (history["width"] == 4).all() and (history["valid_width"] == 4).all()
    assert np.isfinite(history["valid_geometry"]).all()


def width(model, x, z, generator):
    return x.new_tensor(float(x.shape[1]))


def test_a_learner_of_the_users_own():
    learner = SpectralEmbedding(n_components=2, n_neighbors=20)
    one, two = (small(GeometryRegularizedAE, embedding=learner).fit(X) for _ in range(2))
    np.testing.assert_array_equal(one.embedding_, two.embedding_)
    assert learner.random_state is None and not hasattr(learner, "embedding_")
    narrow = small(GeometryRegularizedAE, n_components=4, embedding=PCA(1)).fit(X)
    assert narrow.embedding_[:, 0].var() == pytest.approx(4, rel=1e-5)
    assert not narrow.embedding_[:, 1:].any()


class Broken(PCA):
    def __init__(self, fault="rows"):
        self.fault = fault

    def fit_transform(self, X, y=None):
        return X[1:, :1] if self.fault == "rows" else np.full((len(X), 1), np.inf)


@pytest.mark.parametrize(
    ("embedding", "error", "message"),
    [
        ("umap", ValueError, "embedding='umap' must be 'isomap', 'phate'"),
        (Isomap, TypeError, "instance with fit_transform"),
        (3, TypeError, "embedding=3"),
        (PCA(3), ValueError, r"\(40, 3\) for 40 rows.*n_components=2"),
        (Broken("rows"), ValueError, r"\(39, 1\) for 40 rows"),
        (Broken("numbers"), ValueError, "not finite"),
    ],
)
def test_bad_embeddings(embedding, error, message):
    with pytest.raises(error, match=message):
        small(GeometryRegularizedAE, embedding=embedding).fit(X)


def test_phate(monkeypatch):
    """Called with the width and the seed; without the package the extra is named."""
    monkeypatch.setitem(sys.modules, "phate", None)
    with pytest.raises(ImportError, match=r"geomgen\[phate\]"):
        small(GeometryRegularizedAE, embedding="phate").fit(X)

    class PHATE:
        def __init__(self, n_components, random_state, verbose):
            assert verbose == 0 and isinstance(random_state, int | None)
            self.fit_transform = PCA(n_components).fit_transform

    monkeypatch.setitem(sys.modules, "phate", types.SimpleNamespace(PHATE=PHATE))
    one, two = (
        small(GeometryRegularizedAE, embedding=e).fit(X).embedding_ for e in ("phate", PCA(2))
    )
    np.testing.assert_allclose(one, two, atol=1e-5)
