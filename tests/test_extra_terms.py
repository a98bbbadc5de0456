"""Terms of the user's own, in any model."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

import geomgen
from geomgen import AE, LISAGenerator
from geomgen.losses import uniformity

from .helpers import having, small

X = load_iris().data


def second_moment(model, x, z, generator):
    return z.square().sum(1).mean()


def noise(model, x, z, generator):
    return torch.rand((), generator=generator, dtype=x.dtype, device=x.device)


def repulsion(model, x, z, generator):
    return uniformity(z, 2.0)


def per_row(model, x, z, generator):
    return z.square().sum(1)


def a_number(model, x, z, generator):
    return 1.0


def shapes(model, x, z, generator):
    assert x.shape[1] == 4 and z.shape == (len(x), 2)
    torch.testing.assert_close(model.manifold.project(z), z)  # what the decoder reads
    return z.new_zeros(())


@having("extra_terms")
def test_every_model_takes_them(cls):
    terms = {"size": (0.5, second_moment), "shapes": (1.0, shapes), "noise": (1e-3, noise)}
    model = small(cls, extra_terms=terms, early_stopping=True).fit(X)
    history = model.history_
    assert {"size", "shapes", "noise", "valid_size"} <= set(history.columns)
    assert (history["size"] > 0).all() and not history["shapes"].any()
    model.partial_fit(X)
    other = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(other.transform(X), model.transform(X))


def test_the_weight_and_the_gradient_count():
    sizes = [
        np.square(small(AE, max_epochs=30, extra_terms=terms).fit_transform(X)).mean()
        for terms in (None, {"size": (0.0, second_moment)}, {"size": (10.0, second_moment)})
    ]
    assert sizes[0] == sizes[1] > 10 * sizes[2]


@pytest.mark.parametrize("norm", [None, "batch"])
def test_a_hybrid_is_the_model_it_imitates(norm):
    """SphericalAE with the repulsion as an extra term is LISA, to the last bit."""
    from geomgen import SphericalAE

    lisa = small(LISAGenerator, lam=0.1, t=2.0, norm=norm).fit(X)
    extra = {"uniformity": (0.1, repulsion)}
    hybrid = small(SphericalAE, reduction="mean", norm=norm, extra_terms=extra).fit(X)
    np.testing.assert_array_equal(hybrid.history_["uniformity"], lisa.history_["uniformity"])
    np.testing.assert_array_equal(hybrid.transform(X), lisa.transform(X))


def test_weights_can_be_searched():
    grid = [{"extra_terms": [{"size": (w, second_moment)} for w in (0.0, 0.1)]}]
    search = GridSearchCV(small(AE), grid, cv=2).fit(X)
    assert search.best_params_["extra_terms"]["size"][0] in (0.0, 0.1)


def test_the_callers_dictionary_is_left_alone():
    terms = {"size": (0.5, second_moment)}
    model = small(AE, extra_terms=terms).fit(X)
    assert terms == {"size": (0.5, second_moment)} and model.extra_terms is terms


@pytest.mark.parametrize(
    "terms,message",
    [
        ({"a b": (1.0, noise)}, "identifier"),
        ({1: (1.0, noise)}, "identifier"),
        ({"a": noise}, "pair"),
        ({"a": (1.0, 2.0)}, "pair"),
        ({"a": ("1", noise)}, "finite number"),
        ({"a": (np.nan, noise)}, "finite number"),
        ({"a": (True, noise)}, "finite number"),
        ({"a": (1.0, lambda m, x, z, g: z.sum())}, "pickled"),
        ({"recon": (1.0, noise)}, r"names \['recon'\]"),
        ({"valid_recon": (1.0, noise)}, "no other use"),
        ({"second_best": (1.0, noise)}, "no other use"),
        ({"loss": (1.0, noise)}, r"names \['loss'\]"),
        ({"a": (1.0, per_row)}, r"shape \(\), but gave \(32,\)"),
        ({"a": (1.0, a_number)}, "but gave float"),
        ([("a", 1.0, noise)], "extra_terms"),
    ],
)
def test_bad_terms(terms, message):
    model = small(AE).fit(X)
    before = model.transform(X)
    broken = copy.copy(model).set_params(extra_terms=terms)
    with pytest.raises((ValueError, TypeError), match=message):
        broken.fit(X)
    np.testing.assert_array_equal(broken.transform(X), before)


def broken(model, x, z, generator):
    raise ZeroDivisionError("of mine")


def test_an_error_of_a_function_names_its_term():
    with pytest.raises(ZeroDivisionError) as caught:
        small(AE, extra_terms={"mine": (1.0, broken)}).fit(X)
    assert any("extra_terms['mine']" in note for note in caught.value.__notes__)


def test_functions_of_a_script_are_searched_in_other_processes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from sklearn.datasets import load_iris\n"
        "from sklearn.model_selection import GridSearchCV\n"
        "from geomgen import AE\n"
        "def size(model, x, z, generator):\n"
        "    return z.square().mean()\n"
        "if __name__ == '__main__':\n"
        "    grid = {'extra_terms': [{'size': (w, size)} for w in (0.0, 0.1)]}\n"
        "    model = AE(max_epochs=1, hidden=(8,), random_state=0)\n"
        "    search = GridSearchCV(model, grid, cv=2, n_jobs=2, error_score='raise')\n"
        "    print(search.fit(load_iris().data).best_score_)\n"
    )
    path = os.pathsep.join([str(Path(geomgen.__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0
