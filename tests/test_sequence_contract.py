"""What every estimator over strings owes its users, by discovery."""

import copy
import inspect
import pickle
import re
from functools import partial

import numpy as np
import pandas as pd
import polars
import pytest
import sklearn.utils.estimator_checks as checks
import torch
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags

import geomgen
from geomgen.metrics import energy_distance
from geomgen.sequence import exact_reconstruction, make_expressions
from geomgen.utils.discovery import all_estimators, model_table

from .helpers import name

STRINGS = np.random.default_rng(0).choice(make_expressions(), 120, replace=False)
ESTIMATORS = [cls for _, cls in all_estimators("sequence")]
GRAMMATICAL = [cls for cls in ESTIMATORS if "grammar" in inspect.signature(cls).parameters]
SMALL = {"n_components": 3, "hidden": (12,), "channels": (6,), "max_epochs": 3, "batch_size": 32}

every = pytest.mark.parametrize("cls", ESTIMATORS, ids=name)
grammatical = pytest.mark.parametrize("cls", GRAMMATICAL, ids=name)


def small(cls, **params):
    return cls(**{**SMALL, "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted():
    return {cls: small(cls).fit(STRINGS) for cls in ESTIMATORS}


def same(a, b):
    return a.dtype.kind == b.dtype.kind and a.tolist() == b.tolist()


def test_discovery():
    assert [cls.__name__ for cls in ESTIMATORS] == [
        "CharacterVAE",
        "GrammarConstantVarianceVAE",
        "GrammarGMMDAE",
        "GrammarLISA",
        "GrammarRAE",
        "GrammarVAE",
    ]
    assert not set(ESTIMATORS) & {cls for _, cls in all_estimators()}
    table = model_table("sequence")
    assert table.index.tolist() == [cls.__name__ for cls in ESTIMATORS]
    assert table.loc["GrammarLISA", "latent space"] == "sphere"
    assert table.notna().all(axis=None) and (table != "").all(axis=None)


@every
def test_every_model_says_where_it_comes_from(cls):
    assert vars(cls)["_paper"] and vars(cls)["_equation"]


@every
def test_tags(cls):
    tags = get_tags(cls())
    assert tags.input_tags.string and tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array and not tags.target_tags.required


WITHOUT_ROWS = [  # scikit-learn's checks that fit nothing; it skips the others for strings
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_no_attributes_set_in_init",
    "check_get_params_invariance",
    "check_set_params",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_parameters_default_constructible",
]


@every
@pytest.mark.parametrize("check", WITHOUT_ROWS)
def test_scikit_learn(cls, check):
    getattr(checks, check)(cls.__name__, small(cls))


@every
def test_parameters(cls):
    """Those of rows of numbers are none of theirs."""
    parameters = inspect.signature(cls).parameters
    assert not parameters.keys() & {"image_shape", "augment", "residual", "reduction", "sigma"}
    assert cls().get_params().keys() == parameters.keys()
    assert cls().n_components == 25


@every
def test_shapes_and_types(cls, fitted):
    model = fitted[cls]
    Z = model.transform(STRINGS)
    assert Z.shape == (120, 3) and Z.dtype == np.float32
    for strings in (model.inverse_transform(Z), model.sample(120, random_state=0)):
        assert strings.shape == (120,) and strings.dtype.kind == "U"
    assert model.sample().shape == (1,)
    assert model.get_feature_names_out().tolist() == [
        f"{cls.__name__.lower()}{i}" for i in range(3)
    ]
    assert model.n_iter_ == 3 and model.n_samples_seen_ == 120
    assert {"loss", "recon", "seconds"} <= {*model.history_}


@every
def test_sample_is_the_decoded_latent_sample(cls, fitted):
    Z = fitted[cls].sample_latent(50, random_state=3)
    assert same(fitted[cls].inverse_transform(Z), fitted[cls].sample(50, random_state=3))


@every
def test_drawing_rules(cls, fitted):
    Z = np.repeat(fitted[cls].transform(STRINGS[:1]), 200, axis=0)
    one, two, other = (
        fitted[cls].inverse_transform(Z, sample=True, random_state=s) for s in (0, 0, 1)
    )
    assert same(one, two) and not same(one, other) and len({*one}) > 20
    assert len({*fitted[cls].inverse_transform(Z)}) == 1


@grammatical
def test_every_string_is_of_the_grammar(cls, fitted):
    model = fitted[cls]
    codes = 100 * np.random.default_rng(0).normal(size=(300, 3))
    for strings in (
        model.inverse_transform(codes),
        model.inverse_transform(codes, sample=True, random_state=0),
        model.sample(300, random_state=0),
    ):
        assert model.grammar_.valid(model.grammar_.parse(strings)).all()


@grammatical
def test_without_the_budget_unfinished_strings_are_empty(cls, fitted):
    model = copy.deepcopy(fitted[cls]).set_params(budget=False)
    codes = np.random.default_rng(0).normal(size=(300, 3))
    found = model.inverse_transform(codes, sample=True, random_state=0)
    assert 0 < (found == "").sum() < 300
    model.grammar_.parse(found[found != ""])  # the others are whole


def test_a_character_model_may_decode_no_word(fitted):
    cls = geomgen.sequence.CharacterVAE
    strings = fitted[cls].sample(50, random_state=0)
    with pytest.raises(ValueError, match="position"):
        geomgen.sequence.EXPRESSIONS.parse(strings)
    assert set("".join(strings)) <= set(fitted[cls].charset_) == set("".join(STRINGS))


@every
def test_score_is_minus_the_energy_distance_of_rows(cls, fitted):
    model = fitted[cls]
    rows = model.vectorizer_.transform
    drawn = rows(model.sample(1000, random_state=0))
    assert model.score(STRINGS) == pytest.approx(-energy_distance(rows(STRINGS), drawn), rel=1e-5)


@every
def test_exact_reconstruction_is_a_share(cls, fitted):
    again = fitted[cls].inverse_transform(fitted[cls].transform(STRINGS))
    assert exact_reconstruction(fitted[cls], STRINGS) == np.mean(again == STRINGS)


@every
def test_same_seed_same_bytes(cls, fitted):
    again, other = small(cls).fit(STRINGS), small(cls, random_state=1).fit(STRINGS)
    codes = [model.transform(STRINGS).tobytes() for model in (again, fitted[cls], other)]
    assert codes[0] == codes[1] != codes[2]
    assert same(again.sample(9, random_state=5), fitted[cls].sample(9, random_state=5))


@every
def test_global_generators_do_not_move(cls):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    model = small(cls).fit(STRINGS).partial_fit(STRINGS)
    model.sample(5, random_state=0), model.score(STRINGS)
    model.inverse_transform(model.transform(STRINGS), sample=True, random_state=0)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert all(
        np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpy_state, strict=True)
    )


@every
def test_clone_pickle_and_deepcopy(cls, fitted):
    model = fitted[cls]
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.transform(STRINGS), model.transform(STRINGS))
        assert same(other.sample(4, random_state=0), model.sample(4, random_state=0))
        assert other.partial_fit(STRINGS).n_iter_ == 4
    assert (
        clone(model).fit(STRINGS).transform(STRINGS).tobytes() == model.transform(STRINGS).tobytes()
    )
    assert model.n_iter_ == 3


@every
@pytest.mark.parametrize(
    "kind",
    [list, tuple, partial(np.array, dtype=object), pd.Series, polars.Series],
    ids=["list", "tuple", "objects", "pandas", "polars"],
)
def test_containers(cls, kind, fitted):
    model = small(cls).fit(kind(STRINGS.tolist()))
    assert model.transform(STRINGS).tobytes() == fitted[cls].transform(STRINGS).tobytes()


@every
def test_pandas_out(cls, fitted):
    series = pd.Series(STRINGS, index=range(7, 127))
    model = copy.deepcopy(fitted[cls]).set_output(transform="pandas")
    for given in (series, STRINGS.tolist()):
        Z = model.transform(given)
        assert isinstance(Z, pd.DataFrame) and Z.columns.tolist() == [
            *model.get_feature_names_out()
        ]
        np.testing.assert_array_equal(Z.to_numpy(), fitted[cls].transform(STRINGS))


def lower(strings):
    return [string.lower() for string in strings]


@every
def test_pipelines(cls, fitted):
    given = [string.upper() for string in STRINGS]
    step = FunctionTransformer(lower, inverse_func=list, check_inverse=False)
    front = make_pipeline(step, small(cls)).fit(given)
    assert same(front[-1].sample(5, 0), fitted[cls].sample(5, 0))
    assert [*geomgen.sample(front, 5, random_state=0)] == [*fitted[cls].sample(5, 0)]
    back = make_pipeline(small(cls), StandardScaler()).fit(STRINGS)
    decoded = back.inverse_transform(back.transform(STRINGS))
    # up to rounding of the codes, which may tip a choice
    again = fitted[cls].inverse_transform(fitted[cls].transform(STRINGS))
    assert np.mean(decoded == again) > 0.9


@every
def test_searches(cls):
    grid = {"lam" if hasattr(cls, "lam") else "beta": [0.0, 0.5]}
    search = GridSearchCV(small(cls), grid, cv=2, error_score="raise").fit(STRINGS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.sample(3, random_state=0).shape == (3,)
    search = GridSearchCV(small(cls), grid, cv=2, scoring=exact_reconstruction, error_score="raise")
    assert 0 <= search.fit(STRINGS).best_score_ <= 1


@every
@pytest.mark.parametrize("sampler", ["prior", "mvg", "gmm", GaussianMixture(2)], ids=name)
def test_samplers(cls, sampler):
    model = small(cls, sampler=sampler).fit(STRINGS)
    assert same(model.sample(6, random_state=0), model.sample(6, random_state=0))


@every
def test_labels_and_conditions(cls):
    y = np.array(["+" in string[:2] for string in STRINGS])
    model = small(cls, sampler=geomgen.samplers.CellSampler(conditional=True)).fit(STRINGS, y)
    assert model.sample(4, random_state=0, y=True).shape == (4,)

    def begins(strings):
        return np.array([string[:1] in ("x", "1", "2", "3") for string in strings])

    assert begins(small(cls, max_epochs=9).fit(STRINGS).sample(8, 0, condition=begins)).all()


@every
@pytest.mark.parametrize("architecture,share", [("conv", 0.6), ("gru", 0.85)])
def test_training_learns(cls, architecture, share):
    model = small(cls, max_epochs=12, lr=1e-2, architecture=architecture, batch_size=16)
    recon = model.fit(STRINGS).history_["recon"]
    assert recon.iloc[-1] < share * recon.iloc[0]


@every
def test_early_stopping(cls):
    model = small(cls, early_stopping=True, max_epochs=50, n_iter_no_change=1, tol=5.0)
    assert model.fit(STRINGS).n_iter_ < 50 and "valid_recon" in model.history_


@every
def test_partial_fit_and_warm_start(cls):
    layout = {} if cls in GRAMMATICAL else {"charset": "()*+/123einpsx", "max_length": 25}
    model = small(cls, **layout)
    for part in np.array_split(STRINGS, 3):
        model.partial_fit(part)
    assert model.n_iter_ == 3 and model.n_samples_seen_ == 120
    model.fit(STRINGS).partial_fit(STRINGS[:20])
    assert len(model._reservoir.rows) == 140 and (model._reservoir.rows.sum(1) > 0).all()
    model.set_params(warm_start=True).fit(STRINGS)
    assert model.n_iter_ == 7


@every
def test_fit_sampler_leaves_the_net(cls, fitted):
    model = copy.deepcopy(fitted[cls]).set_params(sampler="mvg").fit_sampler(STRINGS)
    assert model.transform(STRINGS).tobytes() == fitted[cls].transform(STRINGS).tobytes()
    assert same(model.sample(5, 0), small(cls, sampler="mvg").fit(STRINGS).sample(5, 0))


BAD_STRINGS = [
    pytest.param([], "X has 0 strings", id="none"),
    pytest.param(["x+1"], "X has 1 strings", id="one"),
    pytest.param("x+1", "list or array of str", id="a bare string"),
    pytest.param(None, "list or array of str", id="None"),
    pytest.param(["x", None], r"strings\[1\]=None", id="a gap"),
    pytest.param(["x", 3], r"strings\[1\]=3", id="a number"),
    pytest.param(np.zeros((5, 2)), r"shape \(5, 2\) must be a list", id="rows of numbers"),
    pytest.param(STRINGS.reshape(60, 2), r"shape \(60, 2\) must be a list", id="two columns"),
]


@every
@pytest.mark.parametrize("given,message", BAD_STRINGS)
def test_bad_strings(cls, given, message, fitted):
    model = copy.deepcopy(fitted[cls])
    with pytest.raises(ValueError, match=message):
        model.fit(given)
    assert model.transform(STRINGS).tobytes() == fitted[cls].transform(STRINGS).tobytes()
    assert same(model.sample(5, random_state=0), fitted[cls].sample(5, random_state=0))


@every
@pytest.mark.parametrize("string", ["x+é", "y", "x + 1"])
def test_strings_that_are_refused(cls, string, fitted):
    model = copy.deepcopy(fitted[cls])
    for use in (model.transform, model.score, model.fit_sampler, model.partial_fit):
        with pytest.raises(ValueError, match=f"{re.escape(repr(string))}.*position"):
            use(["x+1", string])
    if cls in GRAMMATICAL:
        with pytest.raises(ValueError, match="position"):
            model.fit(["x+1", string])
    assert model.transform(STRINGS).tobytes() == fitted[cls].transform(STRINGS).tobytes()


def test_strings_of_any_alphabet():
    strings = ["愛", "naïve", "🎲🎲", "é"] * 20
    character = small(geomgen.sequence.CharacterVAE, max_epochs=150, lr=1e-2).fit(strings)
    assert exact_reconstruction(character, strings) == 1
    grammar = "S -> '愛' S | '🎲' S | 'é'"
    strings = ["é", "愛é", "🎲愛é", "🎲🎲é"] * 20
    model = small(geomgen.sequence.GrammarVAE, grammar=grammar, max_epochs=150, lr=1e-2)
    assert exact_reconstruction(model.fit(strings), strings) == 1


BAD = {
    "n_components": [0, "2"],
    "architecture": ["mlp", "lstm"],
    "channels": [(0,), 3],
    "hidden": [(0,)],
    "lr": [0],
    "sampler": ["cell"],
}


@every
@pytest.mark.parametrize("parameter,value", [(p, v) for p, vs in BAD.items() for v in vs])
def test_bad_parameters(cls, parameter, value, fitted):
    model = copy.deepcopy(fitted[cls])
    with pytest.raises((ValueError, TypeError), match=parameter):
        model.set_params(**{parameter: value}).fit(STRINGS)
    assert model.transform(STRINGS).tobytes() == fitted[cls].transform(STRINGS).tobytes()


@grammatical
@pytest.mark.parametrize("grammar", [3, "S -> T", "S = 'a'"])
def test_bad_grammars(cls, grammar, fitted):
    model = copy.deepcopy(fitted[cls])
    with pytest.raises((ValueError, TypeError)):
        model.set_params(grammar=grammar).fit(STRINGS)
    assert same(model.sample(5, random_state=0), fitted[cls].sample(5, random_state=0))


@every
def test_structure_cannot_change_in_training(cls):
    model = small(cls, warm_start=True).fit(STRINGS)
    other = {"grammar": "S -> 'x'"} if cls in GRAMMATICAL else {"max_length": 40}
    for change in (other, {"architecture": "gru"}, {"channels": (5,)}):
        before = {key: getattr(model, key) for key in change}
        with pytest.raises(ValueError, match=f"{next(iter(change))}.*changed"):
            model.set_params(**change).fit(STRINGS)
        model.set_params(**before)
    assert model.fit(STRINGS).n_iter_ == 6


@every
@pytest.mark.parametrize("n", [0, -1, 2.0, None])
def test_bad_number_of_samples(cls, n, fitted):
    with pytest.raises(ValueError, match="n_samples"):
        fitted[cls].sample(n)


@every
def test_codes_of_the_wrong_width(cls, fitted):
    with pytest.raises(ValueError, match="X has 4 columns"):
        fitted[cls].inverse_transform(np.zeros((2, 4)))


@every
def test_before_fit(cls):
    model = small(cls)
    for use in (model.transform, model.score, model.inverse_transform):
        with pytest.raises(ValueError, match="not fitted"):
            use(STRINGS)
    with pytest.raises(ValueError, match="not fitted"):
        model.sample()
    assert not hasattr(model, "grammar_") and not hasattr(model, "charset_")
