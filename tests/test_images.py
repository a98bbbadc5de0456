"""Rows that are images: layouts, convolutional networks, augmentation, cheaper training."""

import copy
import pickle
import tracemalloc
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from torch import nn

import geomgen
from geomgen import AE, PCAGenerator
from geomgen._acceleration import accelerated
from geomgen._batches import Batches, Rows
from geomgen._images import widest_layer
from geomgen._structure import warn_of_scales
from geomgen.losses import tangents
from geomgen.nn import ImageLayout, RandomFlip, RandomShift, conv_decoder, conv_encoder

DIGITS = load_digits().data.astype(np.float32) / 16
TRAIN, HELD_OUT = DIGITS[:400], DIGITS[1400:]
SMALL = {"image_shape": (1, 8, 8), "channels": (8, 16), "n_components": 4}
SMALL |= {"max_epochs": 2, "batch_size": 64, "random_state": 0}
BOTH = pytest.mark.parametrize("architecture", ["conv", "resnet"])


def conv(cls=AE, architecture="conv", **params):
    return cls(architecture=architecture, **(SMALL | params))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(shape, n=5):
    return torch.rand(n, int(np.prod(shape)), generator=seeded(), dtype=torch.float64)


def recon(model, X=HELD_OUT):
    return np.square(model.inverse_transform(model.transform(X)) - X).sum(1).mean()


# ------------------------------------------------------------------------------------ layouts
@pytest.mark.parametrize(
    "shape,found",
    [
        ((28, 20), (1, 28, 20, False)),
        ((1, 28, 20), (1, 28, 20, False)),
        ((28, 20, 1), (1, 28, 20, False)),  # of one channel, first and last are the same
        ((3, 8, 9), (3, 8, 9, False)),
        ((8, 9, 3), (3, 8, 9, True)),
        ((4, 8, 9), (4, 8, 9, False)),
        ((8, 9, 4), (4, 8, 9, True)),
        ((3, 4, 4), (3, 4, 4, False)),
        ((4, 4, 1), (1, 4, 4, False)),
        (np.array([8, 9, 3]), (3, 8, 9, True)),
    ],
)
def test_which_end_the_channels_are(shape, found):
    layout = ImageLayout.of(shape)
    assert layout == ImageLayout(*found) and layout.n_features == np.prod(shape)
    assert {type(size) for size in (layout.channels, layout.height, layout.width)} == {int}


@pytest.mark.parametrize("shape", [(3, 8, 3), (1, 8, 3), (4, 8, 4), (2, 8, 8), (8, 8, 8)])
def test_a_shape_that_names_no_end_or_both(shape):
    with pytest.raises(ValueError, match=r"image_shape=.*the channels. Give \(height, width\)"):
        ImageLayout.of(shape)


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 5, 3), (4, 5)])
def test_rows_to_images_and_back(shape):
    """Pixel (i, j) of channel c is where NumPy's reshape says."""
    layout, x = ImageLayout.of(shape), images(shape)
    found = layout.to_images(x)
    array = x.numpy().reshape(5, *shape)
    array = array[:, None] if len(shape) == 2 else array
    expected = np.moveaxis(array, -1, 1) if layout.channels_last else array
    np.testing.assert_array_equal(found.numpy(), expected)
    assert torch.equal(layout.to_rows(found), x)


@BOTH
def test_the_layout_of_the_rows_changes_nothing_else(architecture):
    """Channel-last rows give the model of channel-first rows, up to the order of columns."""
    first = np.random.RandomState(0).rand(40, 3, 6, 5)
    last = np.moveaxis(first, 1, -1)
    params = {"channels": (4, 6), "dtype": "float64", "norm": "layer", "image_shape": (3, 6, 5)}
    one = conv(architecture=architecture, **params).fit(first.reshape(40, -1))
    params["image_shape"] = (6, 5, 3)
    other = conv(architecture=architecture, **params).fit(last.reshape(40, -1))
    Z = one.transform(first.reshape(40, -1))
    np.testing.assert_allclose(other.transform(last.reshape(40, -1)), Z, rtol=1e-6)
    decoded = one.inverse_transform(Z).reshape(40, 3, 6, 5)
    found = other.inverse_transform(Z).reshape(40, 6, 5, 3)
    np.testing.assert_allclose(np.moveaxis(found, -1, 1), decoded, rtol=1e-6)
    assert np.abs(decoded - decoded.mean(axis=(2, 3), keepdims=True)).max() > 0.01


# ----------------------------------------------------------------------------------- networks
SHAPES = [(8, 8), (28, 28), (3, 32, 32), (64, 64, 3), (7, 9), (13, 5, 3), (1, 3, 40), (1, 16)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("residual", [False, True], ids=["conv", "resnet"])
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_shapes_and_gradients(shape, residual, norm):
    """Codes see every pixel, pixels see every component, and every weight has a gradient."""
    layout, x = ImageLayout.of(shape), images(shape, 3).float().requires_grad_()
    style = {"norm": norm, "residual": residual, "generator": seeded()}
    encoder = conv_encoder(layout, (4, 6, 8), 5, **style)
    decoder = conv_decoder(layout, (4, 6, 8), 5, **style)
    z = encoder(x)
    out = decoder(z)
    assert z.shape == (3, 5) and out.shape == x.shape
    (out - x.detach()).square().sum().backward()
    assert (x.grad != 0).any(0).all()
    for network in (encoder, decoder):
        before_norm = 1 if norm else 0  # the bias before a batch norm has none but rounding
        ungraded = [k for k, p in network.named_parameters() if not p.grad.any()]
        assert not [k for k in ungraded if not (before_norm and k.endswith("bias"))]


def test_the_levels_halve_the_image():
    layout = ImageLayout.of((28, 7))
    net = conv_encoder(layout, (4, 8, 16), 2, activation="relu")
    found, x = [], images((28, 7)).float()
    for layer in net:
        x = layer(x)
        found += [tuple(x.shape[1:])] * isinstance(layer, nn.Conv2d)
    assert found == [(4, 14, 3), (8, 7, 3), (16, 3, 3)]  # 3 pixels are not halved
    assert net[1].kernel_size == (4, 4) and net[3].kernel_size == (4, 3)


def test_initial_weights_keep_the_size_of_activations():
    """He et al.'s bound √(6/n): of ReLU networks, the second moment stays, layer by layer."""
    layout = ImageLayout.of((3, 32, 32))
    style = {"activation": "relu", "generator": seeded()}
    moments = []
    for net, x in (
        (conv_encoder(layout, (64, 64, 64), 4, **style), torch.randn(20, 3072)),
        (conv_decoder(layout, (64, 64, 64), 4, **style), torch.randn(20, 4)),
    ):
        for layer in net:
            x = layer(x)
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                inner = x[:, :, 2:-2, 2:-2] if x.shape[2] > 4 else x  # edges see zeros
                moments.append(inner.square().mean().item())
    encoder, decoder = np.array(moments[:3]), np.array(moments[3:])
    assert ((encoder > 1.0) & (encoder < 3)).all()  # 2 · E[relu(x)²], x of moment 1
    assert ((decoder[1:] / decoder[:-1] > 0.4) & (decoder[1:] / decoder[:-1] < 1.7)).all()


def test_weights_come_from_the_generator():
    state = torch.get_rng_state()
    layout = ImageLayout.of((8, 8))
    nets = [conv_decoder(layout, (4, 6), 3, residual=True, generator=seeded(s)) for s in (0, 0, 1)]
    one, two, other = (torch.cat([p.flatten() for p in net.parameters()]) for net in nets)
    assert torch.equal(one, two) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("shape", [(2 * 3, 5), (3, 6, 5), (6, 5, 3)], ids=str)
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("residual", [False, True], ids=["conv", "resnet"])
def test_tangents_are_the_jacobian(shape, norm, residual):
    layout = ImageLayout.of(shape)
    net = conv_decoder(layout, (4, 6), 3, norm=norm, residual=residual, generator=seeded())
    net.double()(images((3,), 30))  # running statistics
    z = images((3,))
    J = torch.func.vmap(torch.func.jacrev(lambda v: net.eval()(v[None])[0]))(z)
    torch.testing.assert_close(tangents(net.train(), z, torch.eye(3).double()), J)


# --------------------------------------------------------------------------------- estimators
MODELS = """AE LISAGenerator VAEGenerator WAE VQVAE SphericalVAE HamiltonianVAE FlatVAE GrassmannAE
SpectralNormAE AAE VampPriorVAE GeometryRegularizedAE""".split()


@pytest.mark.parametrize("name", MODELS)
def test_models_of_images(name):
    model = conv(getattr(geomgen, name), sampler="cells", random_state=np.int64(3))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Terms that are less than")
        model.fit(TRAIN[:130])
        again = clone(model).fit(TRAIN[:130])
        Z = model.transform(HELD_OUT[:9])
        assert Z.shape == (9, 4) and np.isfinite(Z).all()
        drawn = model.sample(6, random_state=0)
        assert drawn.shape == (6, 64) and np.isfinite(drawn).all()
        assert again.sample(6, random_state=0).tobytes() == drawn.tobytes()
        read = pickle.loads(pickle.dumps(model))
        assert read.sample(6, random_state=0).tobytes() == drawn.tobytes()
        one, two = model.partial_fit(TRAIN[130:200]), read.partial_fit(TRAIN[130:200])
    assert one.n_iter_ == 3
    assert one.transform(HELD_OUT[:9]).tobytes() == two.transform(HELD_OUT[:9]).tobytes()


@BOTH
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_last_batch_of_one_image(architecture, norm):
    model = conv(architecture=architecture, norm=norm, batch_size=24).fit(TRAIN[:49])
    assert np.isfinite(model.transform(HELD_OUT)).all()
    assert np.isfinite(model.transform(HELD_OUT[:1])).all()


def test_warm_start_and_what_cannot_change():
    model = conv(warm_start=True).fit(TRAIN)
    model.set_params(precision="bf16", augment=RandomShift((8, 8), 1)).fit(TRAIN)
    assert model.n_iter_ == 4
    for name, value in {
        "image_shape": (1, 4, 16),
        "architecture": "resnet",
        "channels": (8, 17),
    }.items():
        changed = copy.deepcopy(model).set_params(**{name: value})
        with pytest.raises(ValueError, match=rf"\['{name}'\] changed"):
            changed.fit(TRAIN)


def test_a_network_of_the_users_own_beside_a_convolution():
    model = conv(decoder=nn.Linear(4, 64)).fit(TRAIN[:100])
    kinds = [type(part) for part in model.net_.module_.modules()]
    assert nn.Conv2d in kinds and nn.ConvTranspose2d not in kinds


@BOTH
def test_images_are_reconstructed_no_worse_than_by_an_mlp(architecture):
    """In 15 epochs of 1400 digits, 8 components: held-out squared error, on seed 0."""
    budget = {"max_epochs": 15, "n_components": 8, "batch_size": 128, "channels": (16, 32)}
    error = recon(conv(architecture=architecture, **budget).fit(DIGITS[:1400]))
    small = AE(hidden=(64, 32), max_epochs=15, n_components=8, random_state=0).fit(DIGITS[:1400])
    mean = np.square(HELD_OUT - DIGITS[:1400].mean(0)).sum(1).mean()
    assert error < 0.55 * mean and error < recon(small)


@pytest.mark.parametrize(
    "params,message",
    [
        ({"image_shape": None}, r"architecture='conv' needs image_shape"),
        ({"image_shape": (1, 8, 9)}, r"image_shape=\(1, 8, 9\) has 72 numbers, but X has 64"),
        ({"image_shape": (2, 4, 8)}, r"image_shape=\(2, 4, 8\): neither end"),
        ({"image_shape": (64,)}, r"image_shape=\(64,\) must be \(height, width\)"),
        ({"image_shape": (8, 0)}, "'image_shape' parameter of AE"),
        ({"image_shape": "8x8"}, "'image_shape' parameter of AE"),
        ({"architecture": "cnn"}, "'architecture' parameter of AE .*'resnet'. Got 'cnn'"),
        ({"channels": (0,)}, "'channels' parameter of AE"),
        ({"precision": "fp16"}, "'precision' parameter of AE"),
        ({"precision": "bf16", "dtype": "float64"}, "no effect on weights of dtype='float64'"),
        ({"compile": 1}, "'compile' parameter of AE"),
        ({"augment": "flip"}, "augment='flip' must be a function"),
        ({"augment": lambda x, generator: x}, "augment: a lambda"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises((ValueError, TypeError), match=message):
        conv(**params).fit(TRAIN[:20])


def test_a_shape_is_checked_for_an_mlp_too():
    with pytest.raises(ValueError, match="72 numbers"):
        AE(image_shape=(1, 8, 9), architecture="mlp").fit(TRAIN[:20])


def test_networks_are_convolutions_where_rows_are_images():
    drawn = [
        AE(**params).fit(TRAIN[:100]).sample(5, random_state=0)
        for params in (SMALL, SMALL | {"architecture": "conv"}, SMALL | {"architecture": "mlp"})
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.allclose(drawn[0], drawn[2])
    plain = AE(**(SMALL | {"image_shape": None})).fit(TRAIN[:100])
    np.testing.assert_array_equal(plain.sample(5, random_state=0), drawn[2])


def test_the_linear_control_has_none_of_it():
    names = {"image_shape", "architecture", "channels", "augment", "precision", "compile"}
    assert not names & set(PCAGenerator().get_params())


# ------------------------------------------------------------------------------- augmentation
def test_flips_are_mirror_images():
    x = images((4, 5, 3), 400)
    out = RandomFlip((4, 5, 3))(x, seeded()).reshape(400, 4, 5, 3)
    as_is = (out == x.reshape(out.shape)).flatten(1).all(1)
    mirrored = (out == x.reshape(out.shape).flip(2)).flatten(1).all(1)
    assert (as_is ^ mirrored).all()
    assert abs(mirrored.double().mean() - 0.5) < 4 * 0.5 / 20  # 4 standard errors


def test_shifts_are_those_of_scipy():
    """Every image is one of 25 shifts with its edges repeated, each as often as any other."""
    from scipy.ndimage import shift

    x = images((6, 7), 1)
    moves = [(i, j) for i in range(-2, 3) for j in range(-2, 3)]
    expected = [shift(x.numpy().reshape(6, 7), m, order=0, mode="nearest").ravel() for m in moves]
    out = RandomShift((6, 7), 2)(x.expand(2000, -1), seeded()).numpy()
    same = (out[:, None] == np.array(expected)).all(-1)
    assert (same.sum(1) == 1).all()
    counts = same.sum(0)
    assert np.square(counts - 80).sum() / 80 < 51.2  # chi-squared, 24 degrees, p = 0.001


class Recorder:
    """An augmentation that remembers what passed through it."""

    seen: list = []  # noqa: RUF012

    def __call__(self, x, generator):
        self.seen.append(x)
        return 1 - x


def test_augmentation_is_of_training_alone_and_seeded():
    Recorder.seen.clear()
    model = conv(augment=Recorder(), early_stopping=True, batch_size=60).fit(TRAIN[:200])
    assert sum(map(len, Recorder.seen)) == 2 * 180  # rows held out are as they are
    n = len(Recorder.seen)
    model.transform(TRAIN), model.sample(3, random_state=0), model.score(TRAIN[:50])
    assert len(Recorder.seen) == n
    shift = {"augment": RandomShift((8, 8), 1)}
    one, two = (conv(**shift).fit(TRAIN).transform(HELD_OUT).tobytes() for _ in range(2))
    assert one == two != conv().fit(TRAIN).transform(HELD_OUT).tobytes()


def test_what_is_reconstructed_is_the_augmented_row():
    """Trained on negatives alone, a net reconstructs these better than the rows it was given."""
    model = conv(augment=Recorder(), max_epochs=15).fit(TRAIN)
    assert recon(model, 1 - HELD_OUT) < 0.5 * recon(model, HELD_OUT)


@pytest.mark.parametrize("name", ["GeometryRegularizedAE", "AAE"])
def test_augmentation_of_batches_that_carry_more(name):
    model = conv(getattr(geomgen, name), augment=RandomFlip((1, 8, 8))).fit(TRAIN[:100])
    assert np.isfinite(model.transform(HELD_OUT)).all()


def halve(x, generator):
    return x[: len(x) // 2]


def test_augmentation_that_loses_rows():
    with pytest.raises(ValueError, match=r"augment=.*must return rows of the shape \(64, 64\)"):
        conv(augment=halve).fit(TRAIN)


# ----------------------------------------------------------------------------- cheaper training
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_bfloat16_trains_as_well(norm):
    params = {"norm": norm, "max_epochs": 8, "lr": 3e-3}
    full, half = (conv(precision=p, **params).fit(TRAIN) for p in ("full", "bf16"))
    assert half.transform(TRAIN).dtype == np.float32
    assert all(p.dtype == torch.float32 for p in half.net_.module_.parameters())
    assert full.transform(TRAIN).tobytes() != half.transform(TRAIN).tobytes()
    assert recon(half) == pytest.approx(recon(full), rel=0.1)
    assert not torch.is_autocast_enabled("cpu")


def test_bfloat16_is_of_the_networks_in_training_alone():
    module = conv().fit(TRAIN[:100]).net_.module_
    dtypes = []
    module.encoder.trunk[1].register_forward_hook(lambda m, a, out: dtypes.append(out.dtype))
    x = torch.from_numpy(TRAIN[:10])
    with accelerated(module, True, False):
        codes = module.train().encode(x)
        module.eval().encode(x)
    module.train().encode(x)
    assert dtypes == [torch.bfloat16, torch.float32, torch.float32]
    assert codes.dtype == torch.float32


def test_compiled_training_is_training(monkeypatch):
    """Same numbers, and nothing compiled is left: it pickles, clones, and goes on."""
    # Code generation takes 15 s and is torch's; that it is asked for is what is tested.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    counters = torch._dynamo.utils.counters
    counters.clear()
    plain = AE(hidden=(8,), max_epochs=1, random_state=0).fit(TRAIN[:128])
    assert not counters["frames"]["total"]
    model = clone(plain).set_params(compile=True).fit(TRAIN[:128])
    assert counters["frames"]["ok"] >= 2  # encoder and decoder
    np.testing.assert_allclose(model.transform(HELD_OUT), plain.transform(HELD_OUT), atol=1e-5)
    other = pickle.loads(pickle.dumps(model)).set_params(compile=False).partial_fit(TRAIN[:64])
    assert other.n_iter_ == 2 and clone(model).compile
    assert model.net_.module_.encoder.compiled is model.net_.module_.decoder.compiled is None


def test_no_compiler(monkeypatch):
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("no-such-compiler",))
    torch._dynamo.reset()
    with torch._inductor.utils.fresh_cache():
        with pytest.raises(RuntimeError, match="compile=True, but torch.compile fails here"):
            AE(compile=True, hidden=(7,), max_epochs=1, random_state=0).fit(TRAIN[:20])


# --------------------------------------------------------------------------------------- memory
@pytest.mark.parametrize("dtype", [np.uint8, bool, np.int16, np.float16])
def test_narrow_rows_are_widened_by_the_batch(dtype):
    X = (TRAIN * 16).astype(dtype)
    rows = Rows(X, np.dtype(np.float32), "cpu")
    assert rows.data.element_size() == np.dtype(dtype).itemsize
    found = torch.cat(list(Batches(rows, 64, None)))
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.numpy(), X.astype(np.float32))
    narrow, wide = (conv(max_epochs=1).fit(rows) for rows in (X, X.astype(np.float32)))
    assert narrow.transform(X).tobytes() == wide.transform(X).tobytes()


def test_rows_are_encoded_a_bounded_number_at_a_time():
    model = conv(image_shape=(64, 64, 3), channels=(32, 64))
    assert widest_layer(model, 12288) == 32 * 32 * 32
    assert widest_layer(AE(hidden=(256,)), 12288) == 12288
    wide = AE(hidden=(2**20,), max_epochs=1, n_components=1, random_state=0).fit(TRAIN[:4, 30:32])
    wide.set_params(hidden=(3,))  # the net is as it was
    seen = []
    wide.net_.module_.encoder.register_forward_pre_hook(lambda m, args: seen.append(len(args[0])))
    wide.transform(TRAIN[:40, 30:32])
    assert seen == [16, 16, 8]  # 2²⁴ numbers are 16 rows of 2²⁰


def test_scales_of_large_images_are_told_from_few():
    X = np.random.RandomState(0).randint(0, 255, (1000, 2**15), np.uint8)
    tracemalloc.start()
    warn_of_scales(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**27  # a float64 copy of all of it is 2²⁸


def test_bytes_are_never_all_floats():
    X = np.random.RandomState(0).randint(0, 255, (3000, 3072)).astype(np.uint8)
    tracemalloc.start()
    AE(hidden=(8,), max_epochs=1, batch_size=64, random_state=0).fit(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3000 * 3072 * 4 + 2**24 * 4  # NumPy's side: chunks, and no copy in float32
