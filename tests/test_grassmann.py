"""The parameters of GrassmannAE."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from geomgen import GrassmannAE, LISAGenerator
from geomgen.losses import (
    blade_entropy,
    coverage,
    grassmann_spread,
    random_frames,
    tangents,
    volume_preservation,
)

from .helpers import small

X = load_iris().data
D = {"n_components": 3, "lam_grass": 1.0, "lam_entropy": 1.0}


def terms(model, seed=7, rows=X[:40]):
    module = model.net_.module_.eval()
    x = torch.from_numpy(rows.astype(np.float32))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return {k: v.item() for k, v in model._objective(module, x, generator).items()}


def blades(model, seed=7, n=8, rows=X[:40]):
    """Redraw what the objective draws for codes and a shared frame."""
    module = model.net_.module_
    with torch.no_grad():
        z = module.encode(torch.from_numpy(rows.astype(np.float32)))[:n]
        generator = torch.Generator().manual_seed(seed)
        frames = random_frames(1, z.shape[1], 2, generator=generator, like=z)
        return tangents(module.decoder.trunk, z, frames)


@pytest.mark.parametrize("repulsion", ["literal", "overlap", "log", "riesz"])
def test_repulsion(repulsion):
    model = small(GrassmannAE, **D, repulsion=repulsion).fit(X)
    form = "literal" if repulsion == "literal" else "determinant"
    name = "overlap" if repulsion == "literal" else repulsion
    wanted = grassmann_spread(blades(model), form=form, repulsion=name)
    assert terms(model)["grass"] == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize(
    "entropy,options",
    [
        ("literal", {}),
        ("scale_free", {"scale_free": True}),
        ("per_code", {"scale_free": True, "average": "log_volume"}),
    ],
)
def test_entropy(entropy, options):
    model = small(GrassmannAE, **D, entropy=entropy).fit(X)
    wanted = -blade_entropy(blades(model), (1, 2), **options)
    assert terms(model)["entropy"] == pytest.approx(wanted.item(), rel=1e-5)


def test_ablation_terms():
    model = small(GrassmannAE, n_components=3, lam_volume=2.0, lam_coverage=3.0).fit(X)
    model.set_params(lam_grass=0.0, lam_entropy=0.0)
    assert set(terms(model)) == {"recon", "volume", "coverage"}
    A = blades(model)
    assert terms(model)["volume"] == pytest.approx(2 * volume_preservation(A).item(), rel=1e-5)
    model.set_params(lam_volume=0.0)
    module = model.net_.module_
    with torch.no_grad():
        z = module.prior.sample(40, torch.Generator().manual_seed(7))
        wanted = coverage(module.decode(z), torch.from_numpy(X[:40].astype(np.float32)))
    assert terms(model)["coverage"] == pytest.approx(3 * wanted.item(), rel=1e-5)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_lazy_terms_count_for_the_steps_they_skip(every):
    """The mean over an epoch of a term that is constant does not depend on the schedule."""

    class Constant(GrassmannAE):
        def _geometry(self, model, x, z, generator):
            seen.append(model.n_steps)
            return {name: x.new_ones(()) for name in self._active()}

    seen: list[int] = []
    model = small(Constant, every=every, batch_size=25, max_epochs=2).fit(X)  # 6 steps an epoch
    assert seen == list(range(0, 12, every))
    np.testing.assert_allclose(model.history_["grass"], 1)


def test_few_blades_and_where_they_are(monkeypatch):
    seen = []

    def spy(module, z, frames):
        seen.append((z.detach().clone(), frames.shape))
        return tangents(module, z, frames)

    monkeypatch.setattr("geomgen.models._blades.tangents", spy)
    where = {}
    for law in ("codes", "prior", "segments"):
        model = small(GrassmannAE, n_blades=5, latent_law=law, shared_frames=False).fit(X)
        seen.clear(), terms(model)
        ((z, frames),) = seen
        assert len(z) == 5 and frames == (5, 2, 2)
        with torch.no_grad():
            codes = model.net_.module_.encode(torch.from_numpy(X[:40].astype(np.float32)))[:5]
        where[law] = z, codes
    torch.testing.assert_close(*where["codes"])
    assert not torch.allclose(*where["prior"])
    z, codes = where["segments"]
    ends = torch.stack([codes, codes.roll(1, 0)])
    assert ((z >= ends.amin(0) - 1e-5) & (z <= ends.amax(0) + 1e-5)).all()
    assert not torch.allclose(z, codes)


def test_the_preset_is_the_paper():
    model = GrassmannAE.paper(n_components=2, max_epochs=2, random_state=0)
    wanted = {
        "lam_grass": 0.1,
        "lam_entropy": 0.01,
        "lam_volume": 0.0,
        "lam_coverage": 0.0,
        "repulsion": "literal",
        "entropy": "literal",
        "latent_law": "codes",
        "n_blades": None,
        "every": 1,
        "activation": "relu",
        "sampler": "prior",
        "batch_size": 256,
        "lr": 1e-3,
        "reduction": "sum",
    }
    assert {name: getattr(model, name) for name in wanted} == wanted
    assert GrassmannAE.paper(lam_grass=3).lam_grass == 3 and GrassmannAE.paper().max_epochs == 200
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X)  # no warning of inert terms


def test_inert_terms_are_named_once():
    with pytest.warns(UserWarning, match="less than 0.001 of the loss.*entropy .*search") as caught:
        small(GrassmannAE, lam_grass=10.0, lam_entropy=1e-6).fit(X)
    assert [w.filename for w in caught] == [__file__]  # once, at the caller's line
    flat = np.random.RandomState(0).normal(size=(60, 2)) @ [[1.0, 0, 0], [0, 1, 0]]
    with pytest.warns(UserWarning, match="similarity of the blades is constant"):
        linear = small(GrassmannAE, hidden=(), k=2, lam_grass=10.0, lam_entropy=10.0)
        linear.fit(flat)  # a linear decoder has one blade
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(GrassmannAE, lam_grass=10.0, lam_entropy=10.0).fit(X)
        small(GrassmannAE, lam_grass=0.0, lam_entropy=0.0).fit(X)


@pytest.mark.parametrize(
    "activation,trains", [("relu", False), ("leaky_relu", False), ("silu", True)]
)
def test_piecewise_linear_decoders_give_the_codes_no_gradient(activation, trains):
    model = small(GrassmannAE, **D, activation=activation, entropy="literal").fit(X)
    module = model.net_.module_
    z = module.encode(torch.from_numpy(X[:8].astype(np.float32))).detach().requires_grad_()
    A = tangents(module.decoder.trunk, z, torch.eye(3)[:, :2])
    loss = grassmann_spread(A) - blade_entropy(A, (1, 2))
    (gradient,) = torch.autograd.grad(loss, z, allow_unused=True, retain_graph=True)
    assert (gradient is not None and bool(gradient.abs().max() > 1e-8)) == trains
    weights = module.decoder.trunk[0].weight
    assert torch.autograd.grad(loss, weights)[0].abs().max() > 0


def test_the_spread_falls_where_it_is_asked_for():
    """Not that it helps to generate: that the term is minimised."""
    spread = {}
    for lam in (0.0, 30.0):
        model = small(
            GrassmannAE, n_components=3, hidden=(32,), max_epochs=60, lam_grass=lam, k=1, lr=3e-3
        ).fit(X)
        model.set_params(lam_grass=1.0)
        spread[lam] = np.mean([terms(model, seed, X[:100])["grass"] for seed in range(20)])
    assert spread[30.0] < spread[0.0]


# ------------------------------------------------------------------ the experiments of the paper
@pytest.mark.parametrize(
    "experiment,wanted",
    [
        ("E2", {"recon", "volume"}),
        ("E2b", {"recon", "volume", "coverage"}),
        ("E2c", {"recon", "grass", "entropy"}),
    ],
)
def test_experiments(experiment, wanted):
    model = GrassmannAE.paper(experiment, n_components=3, hidden=(8,), max_epochs=2, random_state=0)
    assert set(model.fit(X).history_.columns) - {"loss", "seconds"} == wanted
    assert model.sampler == "prior" and model.activation == "relu"


def test_unknown_experiment():
    with pytest.raises(ValueError, match=r"experiment='E3'.*E2b"):
        GrassmannAE.paper("E3")


# -------------------------------------------------------------------------------- on the sphere
ON = {"n_components": 4, "lam_grass": 1.0, "lam_entropy": 1.0, "n_blades": None, "every": 1}


@pytest.mark.parametrize("shared", [True, False])
def test_blades_on_the_sphere_are_along_its_tangents(shared):
    """With frames orthogonal to the codes, blades of the decoder are those of D∘Π."""
    model = small(LISAGenerator, **ON, shared_frames=shared, dtype="float64").fit(X)
    module, x = model.net_.module_, torch.tensor(X[:12])
    z = module.encode(x).detach()
    A = model._blades(module, z, torch.Generator().manual_seed(3))
    frames = random_frames(
        1 if shared else 12, 4, 2, generator=torch.Generator().manual_seed(3), like=z, normal=z
    )
    torch.testing.assert_close(frames.mT @ frames, torch.eye(2).double().expand(12, 2, 2))
    assert (z[:, None] @ frames).abs().max() < 1e-12
    torch.testing.assert_close(A, tangents(module.decode, z, frames))


def test_the_terms_of_lisa_on_the_sphere():
    model = small(LISAGenerator, **ON, dtype="float64").fit(X)
    module, x = model.net_.module_, torch.tensor(X[:20])
    found = model._objective(module, x, torch.Generator().manual_seed(3))
    A = model._blades(module, module.encode(x), torch.Generator().manual_seed(3))
    assert (model.k_, model.grades_) == (2, (1, 2))  # of S^3: three directions
    torch.testing.assert_close(found["grass"], grassmann_spread(A[..., :2], form="determinant"))
    torch.testing.assert_close(found["entropy"], -blade_entropy(A, (1, 2), scale_free=True))
    assert set(found) == {"recon", "uniformity", "grass", "entropy"}


def test_terms_on_the_sphere_do_not_see_the_radius():
    model = small(LISAGenerator, **ON, dtype="float64").fit(X)
    module, x = model.net_.module_, torch.tensor(X[:20])
    before = model._objective(module, x, torch.Generator().manual_seed(3))
    with torch.no_grad():
        module.encoder.trunk[-1].weight *= 7
        module.encoder.trunk[-1].bias *= 7
    after = model._objective(module, x, torch.Generator().manual_seed(3))
    torch.testing.assert_close(before, after)


def test_gradient_of_the_terms_on_the_sphere():
    """Against central differences in the decoder's last weights and the encoder's last bias."""
    model = small(LISAGenerator, **ON, lam=0.0, dtype="float64").fit(X)
    module, x = model.net_.module_.train(), torch.tensor(X[:10])
    model.n_blades = 6

    def loss():
        terms = model._objective(module, x, torch.Generator().manual_seed(3))
        return terms["grass"] + terms["entropy"]

    for weights in (module.decoder.trunk[-1].weight, module.encoder.trunk[-1].bias):
        (gradient,) = torch.autograd.grad(loss(), weights)
        flat, h = weights.data.view(-1), 1e-6
        for i in (0, 1, 3):
            flat[i] += h
            up = loss().item()
            flat[i] -= 2 * h
            down = loss().item()
            flat[i] += h
            assert gradient.view(-1)[i].item() == pytest.approx((up - down) / (2 * h), rel=1e-5)


def test_grades_on_the_sphere_are_those_of_its_tangents():
    small(LISAGenerator, n_components=4, lam_grass=0.1, k=3).fit(X)
    with pytest.raises(ValueError, match="k=4"):
        small(LISAGenerator, n_components=4, lam_grass=0.1, k=4).fit(np.hstack([X, X**2]))
    with pytest.raises(ValueError, match="grades"):
        small(LISAGenerator, n_components=4, lam_entropy=0.1, grades=(1, 4)).fit(X)
