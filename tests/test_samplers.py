"""Samplers over codes: what all of them share."""

import pickle

import numpy as np
import pytest
import torch

from geomgen.manifolds import Euclidean, Sphere
from geomgen.nn import (
    GaussianLikelihood,
    LatentVariableModel,
    PointPosterior,
    StandardNormal,
    UniformSphere,
    mlp,
)
from geomgen.samplers import (
    CellSampler,
    GaussianSampler,
    MixtureSampler,
    PriorSampler,
    UniformSphereSampler,
)

from .helpers import QUICK, SAMPLERS, name, quick

Z = np.random.RandomState(0).normal([1, -2, 3], [1, 2, 0.5], size=(200, 3))
LEARNT = [cls for cls in SAMPLERS if cls not in (PriorSampler, UniformSphereSampler)]
ANYWHERE = [cls for cls in LEARNT if "euclidean" in cls.manifolds]
UNIT = [cls for cls in SAMPLERS if cls not in ANYWHERE and cls is not PriorSampler]
each = pytest.mark.parametrize("cls", SAMPLERS, ids=name)
each_learnt = pytest.mark.parametrize("cls", LEARNT, ids=name)
modelled = pytest.mark.parametrize("kind", [None, "euclidean", "sphere"])


def make_model(kind, d=3):
    if kind is None:
        return None
    prior, manifold = {"euclidean": (StandardNormal, Euclidean), "sphere": (UniformSphere, Sphere)}[
        kind
    ]
    encoder, decoder = PointPosterior(mlp(4, (), d)), GaussianLikelihood(mlp(d, (), 4))
    return LatentVariableModel(encoder, decoder, prior(d), manifold())


def global_states():
    return torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes()


# ----------------------------------------------------------------------------- all samplers
@each
@modelled
def test_contract(cls, kind):
    """Shape, dtype, manifold, reproducibility, silence about global states, pickling."""
    np.random.seed(0)
    model = make_model(kind)
    if (kind or "euclidean") not in cls.manifolds and kind is not None:
        with pytest.raises(ValueError, match="not on one. Use a spherical model"):
            quick(cls).fit(Z, model=model)
        return
    before, codes = global_states(), Z.copy()
    sampler = quick(cls).fit(Z, model=model)
    draws = sampler.sample(101, random_state=1)
    assert draws.shape == (101, 3) and draws.dtype == np.float64 and np.isfinite(draws).all()
    assert sampler.sample(101, random_state=1).tobytes() == draws.tobytes()
    assert pickle.loads(pickle.dumps(sampler)).sample(101, 1).tobytes() == draws.tobytes()
    again = quick(cls).fit(Z, model=model)
    assert again.sample(101, random_state=1).tobytes() == draws.tobytes()
    assert not np.isin(sampler.sample(101, random_state=2), draws).any()
    assert len(np.unique(draws, axis=0)) == 101
    assert global_states() == before
    np.testing.assert_array_equal(Z, codes)
    if kind == "sphere" or cls in UNIT:
        np.testing.assert_allclose(np.linalg.norm(draws, axis=1), 1, rtol=1e-12)
    else:
        assert np.linalg.norm(draws, axis=1).std() > 0.1


@each
def test_without_a_seed_numpys_global_state_decides(cls):
    sampler = quick(cls).fit(Z)
    np.random.seed(3)
    one, two = sampler.sample(5), sampler.sample(5)
    np.random.seed(3)
    np.testing.assert_array_equal(sampler.sample(5), one)
    assert not np.array_equal(one, two)


@each
@pytest.mark.parametrize("n", [0, -1, 2.5, "3", True, None])
def test_n_samples_is_checked(cls, n):
    with pytest.raises(ValueError, match="n_samples"):
        quick(cls).fit(Z).sample(n)


@each
def test_rows_are_in_no_order(cls):
    """First and second half of the draws are alike, though the codes are sorted by mode."""
    two = np.repeat([[-9.0, 1.0], [9.0, 1.0]], 100, axis=0)
    two = two + np.random.RandomState(0).normal(size=(200, 2))
    draws = quick(cls).fit(two).sample(2000, random_state=0)[:, 0] > 0
    assert abs(draws[:1000].mean() - draws[1000:].mean()) < 5 * np.sqrt(0.5 / 1000)
    assert 0.3 < (draws[1:] != draws[:-1]).mean() < 0.7


# ------------------------------------------------------------------------- degenerate codes
CASES = {
    "constant": np.full((30, 3), 2.0),
    "one feature": Z[:, :1],
    "collinear": np.outer(np.linspace(-1, 1, 40), [1, 2, -1]) + [5, 0, 0],
    "few rows": Z[:4],
    "repeated rows": np.repeat(Z[:3], 20, axis=0),
    "tiny": 1e-12 * Z,
    "huge": 1e12 * Z,
    "far": Z + 1e6,
    "float32": Z.astype(np.float32),
}


@each
@modelled
@pytest.mark.parametrize("case", CASES)
def test_degenerate_codes(cls, kind, case):
    codes = CASES[case]
    if cls not in ANYWHERE and cls in LEARNT and (kind == "euclidean" or case == "one feature"):
        with pytest.raises(ValueError, match="not on one|no direction"):
            quick(cls).fit(codes, model=make_model(kind, codes.shape[1]))
        return
    sampler = quick(cls).fit(codes, model=make_model(kind, codes.shape[1]))
    draws = sampler.sample(500, random_state=0)
    assert draws.shape == (500, codes.shape[1]) and np.isfinite(draws).all()
    if kind == "sphere":
        np.testing.assert_allclose(np.linalg.norm(draws, axis=1), 1, rtol=1e-9)
    elif cls in ANYWHERE:
        # means within 6 standard errors, in the codes' own units (MixtureSampler has a ridge);
        # what is trained for a few steps only is as far off as half a standard deviation
        error = np.abs(draws.mean(0) - codes.mean(0, dtype=np.float64))
        error -= 0.5 * codes.std(0) * (cls.__name__ in QUICK)
        assert (error <= 6 * codes.std(0) / 500**0.5 + 1e-3 * (case == "constant") + 1e-300).all()


@each
def test_one_row(cls):
    if cls is MixtureSampler:
        with pytest.raises(ValueError, match="minimum of 2"):
            quick(cls).fit(Z[:1])
        return
    draws = quick(cls).fit(Z[:1]).sample(4, random_state=0)
    if cls in ANYWHERE:
        np.testing.assert_allclose(draws, np.repeat(Z[:1], 4, axis=0))


@pytest.mark.parametrize("cls", [CellSampler, GaussianSampler], ids=name)
def test_draws_of_collinear_codes_are_collinear(cls):
    codes = CASES["collinear"]
    draws = quick(cls).fit(codes).sample(300, random_state=0) - [5, 0, 0]
    np.testing.assert_allclose(draws, np.outer(draws[:, 0], [1, 2, -1]), atol=1e-12)
    assert draws[:, 0].std() == pytest.approx(codes[:, 0].std(), rel=0.2)


@each
def test_bad_codes(cls):
    for bad, message in ((np.full((3, 2), np.nan), "NaN"), (Z[0], "2D array"), (Z[:0], "0 sample")):
        with pytest.raises(ValueError, match=message):
            quick(cls).fit(bad)
    with pytest.raises(ValueError, match="space"):
        cls(space="sphere").fit(Z)


# ------------------------------------------------------------------------------------ space
@pytest.mark.parametrize(  # chains are chaotic: a rounding error of codes becomes another draw
    "cls", [c for c in ANYWHERE if c.__name__ != "RiemannianSampler"], ids=name
)
@pytest.mark.parametrize("space", ["unit", "ambient"])
def test_space_and_the_radius_of_codes(cls, space):
    """A spherical model's radii are arbitrary: "unit" does not see them, "ambient" does."""
    radii = np.random.RandomState(1).lognormal(size=(200, 1))
    one, two = (
        quick(cls, space=space).fit(codes, model=make_model("sphere")).sample(50, 0)
        for codes in (Z, radii * Z)
    )
    if space == "unit":
        np.testing.assert_allclose(one, two, atol=1e-6)
    else:
        assert np.abs(one - two).max() > 1e-2


@pytest.mark.parametrize("cls", [*ANYWHERE, PriorSampler, UniformSphereSampler], ids=name)
def test_space_changes_nothing_without_a_sphere(cls):
    unit, ambient = (
        quick(cls, space=s).fit(Z, model=make_model("euclidean")).sample(9, 0)
        for s in ("unit", "ambient")
    )
    np.testing.assert_array_equal(unit, ambient)


def test_ambient_space_is_eq_18():
    """Fit the codes as they are, project the draws."""
    sampler = GaussianSampler(space="ambient").fit(Z, model=make_model("sphere"))
    plain = GaussianSampler().fit(Z)
    expected = plain.sample(20, 0)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(sampler.sample(20, 0), expected, rtol=1e-12)
