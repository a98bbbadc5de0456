"""The well-posed forms beside the papers' literal ones, and the terms of the ablation."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles

from geomgen.losses import (
    blade_entropy,
    coverage,
    grassmann_similarity,
    grassmann_spread,
    jacobian_penalty,
    log_k_volume,
    random_frames,
    volume_preservation,
)
from geomgen.nn import mlp

EPS = 1e-6


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.RandomState(seed).normal(size=shape)).to(dtype)


def angles(A, B):
    return np.stack([subspace_angles(a, b) for a, b in zip(A.numpy(), B.numpy(), strict=True)])


# ----------------------------------------------------------------------------------- similarity
@pytest.mark.parametrize("k", [1, 2, 4])
def test_determinant_form_is_the_product_of_cosines(k):
    A, B = normal(6, 5, k), normal(6, 5, k, seed=1)
    similarity, _ = grassmann_similarity(A, B, form="determinant")
    np.testing.assert_allclose(similarity, np.cos(angles(A, B)).prod(1), rtol=1e-9)
    gram = [torch.linalg.slogdet(a.mT @ b)[1] for a, b in ((A, B), (A, A), (B, B))]
    by_formula = (gram[0] - (gram[1] + gram[2]) / 2).exp()
    torch.testing.assert_close(similarity, by_formula)


def test_forms_agree_without_eps_and_differ_where_subspaces_are_orthogonal():
    A, B = normal(6, 5, 2), normal(6, 5, 2, seed=1)
    literal, determinant = (
        grassmann_similarity(A, B, form=form, eps=0.0)[0] for form in ("literal", "determinant")
    )
    torch.testing.assert_close(literal, determinant)
    E = torch.eye(4, dtype=torch.float64)
    A, B = E[None, :, :2], E[None, :, 2:]
    assert grassmann_similarity(A, B)[0].item() == pytest.approx(EPS)
    assert grassmann_similarity(A, B, form="determinant")[0].item() == 0


@pytest.mark.parametrize("form", ["determinant", "literal"])
@pytest.mark.parametrize("repulsion", ["overlap", "log", "riesz"])
@pytest.mark.parametrize("k", [1, 3])
def test_spread_gradients(form, repulsion, k):
    A = normal(5, 4, k).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda A: grassmann_spread(A, form=form, repulsion=repulsion), A, atol=1e-6
    )


@pytest.mark.parametrize("k", [1, 2])
def test_log_and_riesz_are_their_formulas(k):
    A = normal(7, 5, k)
    theta = angles(A, A.roll(1, 0))
    similarity = np.cos(theta).prod(1)
    log = grassmann_spread(A, form="determinant", repulsion="log")
    assert log.item() == pytest.approx(-np.log(1 - similarity**2 + EPS).mean())
    riesz = grassmann_spread(A, repulsion="riesz")
    assert riesz.item() == pytest.approx(((np.sin(theta) ** 2).sum(1) + EPS).__pow__(-0.5).mean())


def test_only_riesz_feels_an_angle_beside_a_right_one():
    E, t = torch.eye(4, dtype=torch.float64), torch.tensor(0.3, dtype=torch.float64)
    near = t.cos() * E[:, 0] + t.sin() * E[:, 3]
    A = torch.stack([E[:, :2], torch.stack([near, E[:, 2]], 1)]).requires_grad_()
    for repulsion, felt in (("overlap", False), ("log", False), ("riesz", True)):
        loss = grassmann_spread(A, form="determinant", repulsion=repulsion)
        (gradient,) = torch.autograd.grad(loss, A)
        assert (gradient.norm().item() > 0.1) == felt


@pytest.mark.parametrize("form", ["determinant", "literal"])
@pytest.mark.parametrize("repulsion", ["overlap", "log", "riesz"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_blades_are_left_out_with_finite_gradients(form, repulsion, dtype):
    A = normal(6, 5, 2, dtype=dtype)
    A[2] = 0  # a dead unit
    A[4, :, 1] = A[4, :, 0]  # one direction, not two
    A.requires_grad_()
    loss = grassmann_spread(A, form=form, repulsion=repulsion)
    (gradient,) = torch.autograd.grad(loss, A)
    assert loss.isfinite() and gradient.isfinite().all()
    assert (gradient[[2, 4]] == 0).all() and gradient[0].norm() > 0
    pairs = A.detach()[[0, 1]], A.detach()[[5, 0]]  # the whole pairs (i, i - 1) that are left
    if repulsion == "overlap":
        wanted = grassmann_similarity(*pairs, form=form)[0].mean()
        torch.testing.assert_close(loss.detach(), wanted)


def test_equal_blades_have_finite_gradients():
    A = normal(1, 4, 2).expand(3, 4, 2).clone().requires_grad_()
    for repulsion in ("overlap", "log", "riesz"):
        (gradient,) = torch.autograd.grad(grassmann_spread(A, repulsion=repulsion), A)
        assert gradient.isfinite().all()


# -------------------------------------------------------------------------------------- entropy
GRADES = (1, 2, 4)


def entropy(s):
    p = (s + 1e-8) / (s + 1e-8).sum()
    return -(p * np.log(p)).sum()


def test_entropy_variants_are_their_formulas():
    A = normal(6, 5, 4)
    volumes = np.exp(log_k_volume(A, GRADES).numpy())
    k = np.array(GRADES)
    cases = {
        (False, "volume"): volumes.mean(0),
        (True, "volume"): volumes.mean(0) ** (1 / k),
        (False, "log_volume"): np.exp(np.log(volumes).mean(0)),
        (True, "log_volume"): np.exp(np.log(volumes).mean(0) / k),
    }
    for (scale_free, average), s in cases.items():
        value = blade_entropy(A, GRADES, scale_free=scale_free, average=average)
        assert value.item() == pytest.approx(entropy(s), rel=1e-9)


def test_only_the_scale_free_entropy_is_free_of_scale():
    A = normal(6, 5, 4)
    free, literal = (
        [blade_entropy(c * A, GRADES, scale_free=s).item() for c in (1.0, 7.0)]
        for s in (True, False)
    )
    assert free[0] == pytest.approx(free[1], abs=1e-4)  # but for the stabiliser
    assert abs(literal[0] - literal[1]) > 0.1


def test_log_volumes_show_a_local_collapse_that_mean_volumes_hide():
    A = torch.eye(4, dtype=torch.float64).repeat(50, 1, 1)
    A[::2, :, 2:] *= 1e-3  # half of the codes lose two dimensions
    drop = {
        average: np.log(3) - blade_entropy(A, GRADES, scale_free=True, average=average).item()
        for average in ("volume", "log_volume")
    }
    assert drop["log_volume"] > 5 * drop["volume"]


# ------------------------------------------------------------------------- ablation, penalties
def test_volume_preservation():
    A = normal(6, 5, 2)
    log_volumes = [0.5 * np.linalg.slogdet(a.T @ a)[1] for a in A.numpy()]
    assert volume_preservation(A).item() == pytest.approx(np.var(log_volumes), rel=1e-5)
    assert volume_preservation(3 * A).item() == pytest.approx(np.var(log_volumes), rel=1e-5)
    torch.autograd.gradcheck(volume_preservation, A.requires_grad_())


def test_coverage_is_the_energy_distance():
    x, y = normal(7, 3), 1 + normal(5, 3, seed=1)

    def mean(a, b, same=False):
        total = sum(np.linalg.norm(p - q) for p in a for q in b)
        return total / (len(a) * (len(b) - same))

    a, b = x.numpy(), y.numpy()
    wanted = 2 * mean(a, b) - mean(a, a, True) - mean(b, b, True)
    assert coverage(x, y).item() == pytest.approx(wanted)
    torch.autograd.gradcheck(lambda x: coverage(x, y), x.requires_grad_())


def test_coverage_at_coinciding_rows_and_of_one():
    x = normal(4, 3).repeat(2, 1).requires_grad_()
    (gradient,) = torch.autograd.grad(coverage(x, x.detach()), x)
    assert gradient.isfinite().all()
    assert coverage(normal(1, 3), normal(4, 3)).item() == 0


def test_jacobian_penalty_is_the_frobenius_norm_and_its_estimate_unbiased():
    net = mlp(3, (6,), 4, activation="tanh").double()
    x = normal(5, 3)
    J = torch.func.vmap(torch.func.jacrev(lambda v: net(v[None])[0]))(x)
    exact = J.square().sum((1, 2)).mean().item()
    assert jacobian_penalty(net, x).item() == pytest.approx(exact)
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack(
        [jacobian_penalty(net, x, n_probes=1, generator=generator) for _ in range(2000)]
    ).detach()
    error = draws.std().item() / np.sqrt(2000)
    assert abs(draws.mean().item() - exact) < 4 * error < 0.1 * exact
    weights = [net[0].weight, net[2].weight]
    gradients = torch.autograd.grad(jacobian_penalty(net, x), weights)
    assert all(g.isfinite().all() and g.norm() > 0 for g in gradients)


def test_frames_of_the_spheres_tangent_space():
    u = torch.nn.functional.normalize(normal(6, 5), dim=1)
    W = random_frames(6, 5, 4, like=u, normal=u)
    torch.testing.assert_close((u[:, None] @ W).squeeze(1), torch.zeros(6, 4).double())
    torch.testing.assert_close(W.mT @ W, torch.eye(4).double().expand(6, 4, 4))
