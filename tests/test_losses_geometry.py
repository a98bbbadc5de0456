"""Paper G: volumes, similarity, blade entropy and the objective of GA-AE."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles

from geomgen.losses import (
    blade_entropy,
    grassmann_similarity,
    grassmann_spread,
    log_k_volume,
    random_frames,
)
from geomgen.models import GrassmannAE

from .helpers import small

EPS, DELTA = 1e-6, 1e-8  # paper G, sections 3.1 and 4.3


# ---------------------------------------------------------------- transcriptions of the paper
def paper_log_volume(A, eps=EPS):  # Eqs. 7 and 8
    return 0.5 * np.linalg.slogdet(A.T @ A + eps * np.eye(A.shape[1]))[1]


def paper_similarity(A, B, eps=EPS):  # Eqs. 17 and 18
    U, V = np.linalg.qr(A)[0], np.linalg.qr(B)[0]
    return np.exp(0.5 * np.linalg.slogdet(U.T @ V @ V.T @ U + eps * np.eye(A.shape[1]))[1])


def paper_spread(A):  # Eq. 19, the pairs of a batch rolled by one
    return np.mean([paper_similarity(A[i], A[i - 1]) for i in range(len(A))])


def paper_entropy(A, grades):  # Eqs. 20 and 21
    s = np.array([np.mean([np.exp(paper_log_volume(a[:, :k])) for a in A]) for k in grades])
    p = (s + DELTA) / (s + DELTA).sum()
    return -(p * np.log(p)).sum()


def jacobians(module, z):
    """J(z_i) by torch.func.jacfwd, the module in evaluation mode."""
    module = module.eval()
    return torch.stack([torch.func.jacfwd(lambda v: module(v[None])[0])(row) for row in z])


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# ----------------------------------------------------------------------- Eqs. 7-8: log volumes
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_log_k_volume_is_eq_8(scale):
    A = scale * normal(6, 7, 4)
    expected = [[paper_log_volume(a[:, :k]) for k in (1, 3, 4)] for a in A.numpy()]
    np.testing.assert_allclose(log_k_volume(A, (1, 3, 4)), expected, rtol=1e-9, atol=1e-10)
    np.testing.assert_array_equal(log_k_volume(A), log_k_volume(A, (4,)))


def test_log_k_volume_is_the_volume_of_a_box():
    A = torch.diag(torch.tensor([2.0, 3.0, 5.0], dtype=torch.float64))[None]
    np.testing.assert_allclose(log_k_volume(A, (1, 2, 3), eps=0.0).exp(), [[2, 6, 30]])


@pytest.mark.parametrize("A", [torch.zeros(2, 5, 3), normal(2, 5, 1).expand(-1, -1, 3)])
def test_log_k_volume_of_degenerate_tangents(A):
    """Eq. 8 with eps is finite at any rank: each missing direction has length sqrt(eps)."""
    A = A.double().clone().requires_grad_()
    value = log_k_volume(A)
    rank_one = A.detach().square().sum(1)[:, 0] * 3 + EPS
    missing = 3 if not A.any() else 2
    kept = 0.0 if missing == 3 else 0.5 * rank_one.log()
    expected = kept + missing * 0.5 * math.log(EPS) * torch.ones(2)
    torch.testing.assert_close(value[:, 0].detach(), expected.double(), rtol=1e-6, atol=0)
    value.sum().backward()
    assert A.grad.isfinite().all()


def test_log_k_volume_of_long_rank_deficient_tangents():
    assert log_k_volume(1e6 * normal(200, 3, 1).expand(-1, -1, 2)).isfinite().all()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_volumes_that_are_not_finite_do_not_raise(value):
    """Training looks at the terms, and names the one that is not finite."""
    A = normal(3, 4, 2)
    A[1] = value
    assert log_k_volume(A).isfinite().flatten().tolist() == [True, False, True]
    assert not blade_entropy(A, (1, 2)).isfinite()


# ------------------------------------------------------------------- Eqs. 17-18: similarity
@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_similarity_is_eqs_17_and_18(k, scale):
    A, B = normal(20, 6, k), scale * normal(20, 6, k, seed=1)
    expected = [paper_similarity(a, b) for a, b in zip(A.numpy(), B.numpy(), strict=True)]
    found, full_rank = grassmann_similarity(A, B)
    assert full_rank.all()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_similarity_is_the_product_of_cosines(k):
    A, B = normal(20, 7, k), normal(20, 7, k, seed=1)
    expected = [np.prod(np.cos(subspace_angles(a, b))) for a, b in zip(A, B, strict=True)]
    np.testing.assert_allclose(grassmann_similarity(A, B, eps=0.0)[0], expected, rtol=1e-9)


def test_similarity_depends_on_the_subspaces_alone():
    A, B = normal(20, 6, 3), normal(20, 6, 3, seed=1)
    M, N = normal(20, 3, 3, seed=2), normal(20, 3, 3, seed=3)
    found = grassmann_similarity(A, B)[0]
    torch.testing.assert_close(grassmann_similarity(A @ M, B @ N)[0], found, rtol=1e-7, atol=0)
    torch.testing.assert_close(grassmann_similarity(B, A)[0], found, rtol=1e-9, atol=0)
    Q = torch.linalg.qr(normal(6, 6, seed=4)).Q
    torch.testing.assert_close(grassmann_similarity(Q @ A, Q @ B)[0], found, rtol=1e-9, atol=0)


def test_similarity_range():
    A = normal(50, 6, 2)
    found = grassmann_similarity(A, normal(50, 6, 2, seed=1))[0]
    assert 0 < found.min() and found.max() < 1 and found.std() > 0.1
    torch.testing.assert_close(  # equal subspaces: det((1 + eps) I_2)^(1/2)
        grassmann_similarity(A, A @ normal(50, 2, 2, seed=2))[0],
        torch.full((50,), 1 + EPS, dtype=torch.float64),
        rtol=1e-9,
        atol=0,
    )
    line, other = torch.eye(2).T.reshape(2, 1, 2, 1)
    assert grassmann_similarity(line, other)[0].item() == pytest.approx(math.sqrt(EPS))


def test_similarity_of_orthogonal_lines_without_eps():
    line, other = torch.eye(2).T.reshape(2, 1, 2, 1)
    assert grassmann_similarity(line, other, eps=0.0)[0].item() < 1e-12


# ------------------------------------------------------------------------- Eq. 19: spread
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_spread_is_eq_19(k, dtype):
    A = normal(9, 5, k, dtype=dtype)
    expected = paper_spread(A.double().numpy())
    assert grassmann_spread(A).item() == pytest.approx(expected, rel=1e-9)


def test_spread_in_float32_is_that_of_float64():
    """Columns that are nearly parallel: a float32 Gram matrix would be singular."""
    A = normal(9, 5, 2)
    A[..., 1] = A[..., 0] + 1e-3 * A[..., 1]
    assert grassmann_spread(A.float()).item() == pytest.approx(grassmann_spread(A).item(), rel=0.01)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["zero", "zero column", "duplicate", "almost duplicate"])
def test_degenerate_blades_are_left_out(kind, dtype):
    A = normal(7, 5, 3, dtype=dtype)
    whole = A.double().numpy()
    expected = np.mean([paper_similarity(whole[i], whole[i - 1]) for i in (0, 1, 2, 5, 6)])
    A = A.clone()
    if kind == "zero":
        A[3] = 0
    elif kind == "zero column":
        A[3, :, 2] = 0
    else:
        noise = 0 if kind == "duplicate" else torch.finfo(dtype).eps
        A[3, :, 2] = A[3, :, 0] * (2 + noise)
    A.requires_grad_()
    full_rank = grassmann_similarity(A, A.roll(1, 0))[1]
    assert full_rank.tolist() == [True, True, True, False, False, True, True]
    value = grassmann_spread(A)
    assert value.item() == pytest.approx(expected, rel=1e-5)
    value.backward()
    assert A.grad.isfinite().all() and not A.grad[3].any() and A.grad[0].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_rank_is_seen_through_rounding(scale, dtype):
    """Of a singular Gram matrix the last pivot is rounding, of either sign."""
    A = (scale * normal(500, 6, 2) @ normal(500, 2, 3, seed=1)).to(dtype)
    assert not grassmann_similarity(A, A.roll(1, 0))[1].any()
    assert grassmann_similarity(*(scale * normal(2, 500, 6, 3, dtype=dtype)))[1].all()


@pytest.mark.parametrize("A", [torch.zeros(4, 3, 2), torch.ones(4, 3, 2), normal(1, 3, 2)])
def test_spread_without_pairs_is_zero(A):
    A = A.clone().requires_grad_()
    value = grassmann_spread(A)
    assert value.item() == 0 and value.dtype == torch.float64
    if value.requires_grad:
        value.backward()
        assert not A.grad.any()


# -------------------------------------------------------------------- Eqs. 20-21: entropy
@pytest.mark.parametrize("scale", [1e-6, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("grades", [(1, 2), (1, 3, 4)])
def test_entropy_is_eqs_20_and_21(scale, grades):
    A = scale * normal(8, 6, 4)
    expected = paper_entropy(A.numpy(), grades)
    assert blade_entropy(A, grades).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_entropy_limits():
    equal = blade_entropy(torch.eye(4).expand(3, 4, 4), (1, 2, 4)).item()
    assert equal == pytest.approx(math.log(3), abs=1e-6)
    assert 0 <= blade_entropy(1e20 * torch.eye(4).expand(3, 4, 4), (1, 4)).item() < 1e-50


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("column", [0.0, 1.0])
def test_entropy_of_degenerate_tangents(dtype, column):
    A = torch.full((3, 4, 2), column, dtype=dtype, requires_grad=True)
    value = blade_entropy(A, (1, 2))
    expected = paper_entropy(A.detach().double().numpy(), (1, 2))
    assert value.item() == pytest.approx(expected, rel=1e-6)
    value.backward()
    assert A.grad.isfinite().all()


# ----------------------------------------------------------------------- exact gradients
@pytest.mark.parametrize(
    "function",
    [
        lambda A: log_k_volume(A, (1, 3)),
        lambda A: grassmann_similarity(A, A.roll(1, 0))[0],
        grassmann_spread,
        lambda A: blade_entropy(A, (1, 2, 3)),
    ],
    ids=["volume", "similarity", "spread", "entropy"],
)
def test_gradients(function):
    assert torch.autograd.gradcheck(function, normal(4, 5, 3).requires_grad_())


# ----------------------------------------------------------------- the objective, Eq. 22
X = np.random.RandomState(0).normal(size=(60, 5))


LITERAL = {"repulsion": "literal", "entropy": "literal", "shared_frames": False, "n_blades": None}


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"n_components": 4, "k": 1, "lam_grass": 3.0, "lam_entropy": 2.0, "norm": "layer"},
        {"n_components": 4, "k": 3, "grades": (2, 4), "reduction": "mean", "activation": "relu"},
        {"n_components": 4, "lam_grass": 0.0, "lam_entropy": 0.5},
        {"n_components": 4, "lam_grass": 0.5, "lam_entropy": 0.0},
    ],
    ids=str,
)
def test_objective_is_eq_22(params):
    est = small(GrassmannAE, **LITERAL, **params).fit(X)
    model, x = est.net_.module_.double().eval(), torch.tensor(X)
    terms = est._objective(model, x, torch.Generator().manual_seed(5))
    with torch.no_grad():
        z = model.encode(x)
        error = (model.decode(z) - x).square().sum(1).mean().item()
    n_directions = max(est.k_, *est.grades_)
    frames = random_frames(
        60, est.n_components, n_directions, generator=torch.Generator().manual_seed(5), like=z
    )
    A = (jacobians(model.decoder.trunk, z) @ frames).detach().numpy()
    recon = error if est.reduction == "sum" else error / 5
    spread, entropy = paper_spread(A[..., : est.k_]), paper_entropy(A, est.grades_)
    expected = recon + est.lam_grass * spread - est.lam_entropy * entropy
    assert sum(terms.values()).item() == pytest.approx(expected, rel=1e-8)
    assert set(terms) == {"recon"} | {t for t in ("grass", "entropy") if getattr(est, f"lam_{t}")}
