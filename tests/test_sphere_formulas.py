"""Paper L: the constant of Theorem 2, and uniformity (Eq. 13) by tiles and above its floor."""

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy.special import gammaln, ive, logsumexp
from torch.utils._python_dispatch import TorchDispatchMode

import geomgen.losses.sphere as losses
from geomgen.losses.sphere import uniform_log_kernel, uniformity, uniformity_excess


def unit(n, d, seed=0):
    gaussian = np.random.RandomState(seed).standard_normal((n, d))
    return gaussian / np.linalg.norm(gaussian, axis=1, keepdims=True)


# ----------------------------------------------------------------------- log C of Theorem 2
@pytest.mark.parametrize("d", [2, 3, 16, 128, 512, 4096])
def test_log_kernel_is_the_hypergeometric_function(d):
    with mpmath.workdps(40):
        for t in (1e-3, 0.1, 1.0, 2.0, 10.0, 60.0, 100.0):
            exact = mpmath.log(mpmath.hyp0f1(mpmath.mpf(d) / 2, mpmath.mpf(t) ** 2)) - 2 * t
            assert uniform_log_kernel(d, t) == pytest.approx(float(exact), rel=2e-13)


@pytest.mark.parametrize("d", [2, 3, 16])
@pytest.mark.parametrize("t", [0.3, 2.0, 30.0])
def test_log_kernel_is_theorem_2(d, t):
    """C = exp(-1/σ²) Γ(d/2) (2σ²)^(d/2-1) I_(d/2-1)(1/σ²), as printed, with t = 1/(2σ²)."""
    order, two_sigma2 = d / 2 - 1, 1 / t
    bessel = math.log(ive(order, 2 / two_sigma2))  # exp(-1/σ²) I
    expected = gammaln(d / 2) + order * math.log(two_sigma2) + bessel
    assert uniform_log_kernel(d, t) == pytest.approx(expected, rel=1e-10)


def test_log_kernel_values():
    values = [uniform_log_kernel(16, t) for t in (1.0, 2.0, 4.0)]
    np.testing.assert_allclose(values, [-1.876, -3.513, -6.178], atol=5e-4)
    assert uniform_log_kernel(512, 1.0) == pytest.approx(-1.9961, abs=5e-5)


@pytest.mark.parametrize("d", [2, 3, 16, 128])
def test_log_kernel_is_the_mean_kernel_of_uniform_pairs(d):
    n, t = 40000, 2.0
    kernel = np.exp(-t * ((unit(n, d, 1) - unit(n, d, 2)) ** 2).sum(1))
    constant, error = math.exp(uniform_log_kernel(d, t)), kernel.std() / math.sqrt(n)
    assert error < 0.01 * constant
    assert abs(kernel.mean() - constant) < 4 * error


# ---------------------------------------------------------------------- uniformity by tiles
def transcription(u, t):
    """Eq. 13 from distances, and its gradient in the codes of the Gram form."""
    squared = ((u[:, None] - u[None]) ** 2).sum(-1)
    log_kernel = np.where(np.eye(len(u), dtype=bool), -np.inf, -t * squared)
    weights = np.exp(log_kernel - logsumexp(log_kernel))
    return logsumexp(log_kernel) - math.log(len(u) * (len(u) - 1)), 4 * t * weights @ u


@pytest.mark.parametrize("t", [0.5, 2.0, 60.0])
@pytest.mark.parametrize("n", [losses._WHOLE, losses._WHOLE + 1, 2 * losses._BLOCK + 300])
def test_tiles_equal_the_whole(n, t, monkeypatch):
    u = unit(n, 5)
    u[-40:] = u[-1]  # the largest exponents come last: what was summed is rescaled
    value, gradient = transcription(u, t)
    for whole in (0, n):
        monkeypatch.setattr(losses, "_WHOLE", whole)
        v = torch.tensor(u, requires_grad=True)
        uniformity(v, t).backward()
        assert uniformity(v, t).item() == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(v.grad, gradient, rtol=1e-9, atol=1e-12 * t)


@pytest.mark.parametrize("t", [0.5, 60.0])
@pytest.mark.parametrize("copies", [1, 2])
def test_gradient_by_tiles(t, copies, monkeypatch):
    monkeypatch.setattr(losses, "_WHOLE", 0)
    monkeypatch.setattr(losses, "_BLOCK", 3)
    u = torch.tensor(unit(7, 3)).repeat(copies, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda u: uniformity(u, t), u)
    assert torch.autograd.gradcheck(lambda u: uniformity_excess(u, t) * 3, u)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tiles_do_not_underflow_or_blow_up(dtype):
    spread = torch.tensor(unit(520, 512), dtype=dtype, requires_grad=True)
    value = uniformity(spread, 100.0)  # kernels are about exp(-200): 0 in float32
    assert value.item() == pytest.approx(transcription(spread.detach().numpy(), 100)[0], rel=1e-5)
    copies = torch.tensor(np.repeat(unit(1, 4), 600, axis=0), dtype=dtype, requires_grad=True)
    at_copies = uniformity(copies, 60.0)
    (value + at_copies).backward()
    assert at_copies.item() == pytest.approx(0, abs=1e-4)
    assert spread.grad.isfinite().all() and spread.grad.any()
    tangential = copies.grad - (copies.grad * copies).sum(1, keepdim=True) * copies
    assert tangential.norm().item() == pytest.approx(0, abs=1e-4)


def test_memory_of_tiles_is_linear():
    class Largest(TorchDispatchMode):
        size = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            self.size = max(self.size, getattr(out, "numel", int)())
            return out

    u = torch.tensor(unit(2000, 8), requires_grad=True)
    with Largest() as largest:
        uniformity(u).backward()
    assert 0 < largest.size <= max(u.numel(), losses._BLOCK**2)


@pytest.mark.parametrize("whole", [0, 512])
def test_second_derivatives(whole, monkeypatch):
    monkeypatch.setattr(losses, "_WHOLE", whole)
    monkeypatch.setattr(losses, "_BLOCK", 3)
    u = torch.tensor(unit(7, 3), requires_grad=True)
    assert torch.autograd.gradgradcheck(uniformity, u)


def test_uniformity_works_batched():
    u = torch.tensor(unit(12, 3)).reshape(3, 4, 3)
    values, gradients = torch.func.vmap(torch.func.grad_and_value(uniformity))(u)[::-1]
    np.testing.assert_allclose(values, [transcription(part.numpy(), 2)[0] for part in u])
    np.testing.assert_allclose(gradients[1], transcription(u[1].numpy(), 2)[1])


def test_excess():
    u = torch.tensor(unit(50, 3))
    expected = uniformity(u, 4.0).item() - uniform_log_kernel(3, 4.0)
    assert uniformity_excess(u, 4.0).item() == pytest.approx(expected, rel=1e-12)
    assert uniformity_excess(u.float(), 4.0).dtype == torch.float32
    assert uniformity_excess(u[:1], 1.0).item() == -uniform_log_kernel(3, 1.0)


def test_excess_of_uniform_codes_is_about_zero():
    """The mean of exp(excess) over draws is 1: the kernel, not its log, is unbiased."""
    found = np.array([uniformity_excess(torch.tensor(unit(100, 16, s))).item() for s in range(200)])
    error = found.std() / math.sqrt(len(found))
    assert error < 2e-3
    assert abs(np.exp(found).mean() - 1) < 4 * error


# ------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize("t", [0, -1.0, math.inf, math.nan, "2", torch.tensor(2.0)])
def test_bad_temperatures(t):
    u = unit(5, 3)
    for function in (uniformity, uniformity_excess):
        with pytest.raises(ValueError, match=r"t=.* must be a number in \(0, inf\)"):
            function(torch.tensor(u), t)
    with pytest.raises(ValueError, match=r"t=.* must be a number in \(0, inf\)"):
        uniform_log_kernel(3, t)


@pytest.mark.parametrize("d", [1, 0, 2.5, True])
def test_bad_dimensions(d):
    with pytest.raises(ValueError, match=r"d=.* must be an int in \[2, inf\)"):
        uniform_log_kernel(d)
