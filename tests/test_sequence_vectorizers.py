import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from geomgen.sequence import EXPRESSIONS, CharacterVectorizer, Grammar, GrammarVectorizer

pytest.importorskip("lark")

STRINGS = ["x+1", "sin(x)", "exp(x/2)", "1", "x+x*x"]
UNICODE = ["été", "日本語", "a\u0301", "😀", "", "مرحبا", "\ud800"]  # a lone surrogate, too
both = pytest.mark.parametrize("vectorizer", [GrammarVectorizer(), CharacterVectorizer()], ids=str)


@both
def test_rows_are_one_hot_and_come_back(vectorizer):
    vectorizer = clone(vectorizer).fit(STRINGS)
    X = vectorizer.transform(STRINGS)
    steps, symbols = vectorizer.shape_
    assert X.shape == (5, steps * symbols) and X.dtype == np.float32
    tables = X.reshape(5, steps, symbols)
    assert (tables.sum(axis=2) == 1).all() and set(np.unique(X)) == {0, 1}
    assert vectorizer.inverse_transform(X).tolist() == STRINGS
    assert vectorizer.decode(tables).tolist() == STRINGS
    assert vectorizer.decode(torch.from_numpy(tables)).tolist() == STRINGS
    assert len(vectorizer.get_feature_names_out()) == X.shape[1]


def test_rows_of_rules_are_the_derivation_s():
    vectorizer = GrammarVectorizer(dtype=np.uint8).fit(STRINGS)
    tables = vectorizer.transform(STRINGS).reshape(5, *EXPRESSIONS.shape)
    assert tables.dtype == np.uint8
    np.testing.assert_array_equal(tables.argmax(axis=2), EXPRESSIONS.parse(STRINGS))
    names = vectorizer.get_feature_names_out()
    assert len(names) == 180 and names[0] == "0: S -> S '+' T"
    assert names[11] == "0: padding" and names[-1] == "14: padding"


def test_rows_of_characters_are_their_numbers():
    vectorizer = CharacterVectorizer(charset="ba", max_length=3).fit([])
    assert vectorizer.shape_ == (3, 3) and vectorizer.charset_ == "ba"
    codes = vectorizer.transform(["ab", "", "bbb"]).reshape(3, 3, 3).argmax(axis=2)
    np.testing.assert_array_equal(codes, [[1, 0, 2], [2, 2, 2], [0, 0, 0]])


def test_a_string_ends_at_its_first_padding():
    vectorizer = CharacterVectorizer(charset="ab", max_length=3).fit([])
    tables = np.eye(3)[[[0, 2, 1], [2, 0, 0], [0, 1, 0]]]
    assert vectorizer.decode(tables).tolist() == ["a", "", "aba"]


def test_any_unicode_survives():
    vectorizer = CharacterVectorizer().fit(UNICODE)
    assert vectorizer.charset_ == "".join(sorted(set("".join(UNICODE))))
    assert vectorizer.inverse_transform(vectorizer.transform(UNICODE)).tolist() == UNICODE
    grammar = Grammar("S -> " + " | ".join(repr(s) for s in UNICODE[:4]) + " | 'ア' S 'é'")
    strings = [*UNICODE[:4], "ア😀é", "アア日本語éé"]
    rules = GrammarVectorizer(grammar=grammar).fit(strings)
    assert rules.inverse_transform(rules.transform(strings)).tolist() == strings


@pytest.mark.parametrize(
    ("vectorizer", "bad", "message"),
    [
        (GrammarVectorizer(), "x+", r"'x\+'.*position 2"),
        (GrammarVectorizer(), "x" + "+x" * 9, "more than max_length=15"),
        (CharacterVectorizer(charset="x+1", max_length=5), "x+y", "'y' at position 2"),
        (CharacterVectorizer(charset="x+1", max_length=5), "x+x+x+x", "more than max_length=5"),
    ],
)
def test_strings_without_a_row_are_refused_or_skipped(vectorizer, bad, message):
    strings = ["x", bad, "x+1"]
    with pytest.raises(ValueError, match=message):
        vectorizer.fit(["x"]).transform(strings)
    skipping = clone(vectorizer).set_params(on_error="skip").fit(["x"])
    assert skipping.inverse_transform(skipping.transform(strings)).tolist() == ["x", "x+1"]
    assert skipping.transform([bad]).shape == (0, np.prod(skipping.shape_))
    assert skipping.inverse_transform(skipping.transform([bad])).shape == (0,)


def test_draws_have_the_softmax_of_the_logits():
    vectorizer = CharacterVectorizer(charset="ab", max_length=1).fit([])
    logits = np.tile(np.log([[[0.2, 0.3, 0.5]]]), (10_000, 1, 1))
    drawn = vectorizer.decode(logits, sample=True, random_state=0)
    shares = [(drawn == s).mean() for s in ("a", "b", "")]
    np.testing.assert_allclose(shares, [0.2, 0.3, 0.5], atol=4 * 0.5 / 100)
    assert (drawn == vectorizer.decode(logits, sample=True, random_state=0)).all()
    assert (vectorizer.decode(logits) == "").all()


def test_grammar_draws_are_seeded_valid_with_the_budget_and_empty_without():
    vectorizer = GrammarVectorizer().fit([])
    logits = np.zeros((200, *vectorizer.shape_))
    drawn = vectorizer.decode(logits, sample=True, random_state=0)
    assert (drawn == vectorizer.decode(logits, sample=True, random_state=0)).all()
    assert EXPRESSIONS.accepts(drawn).all() and len(set(drawn)) > 50
    np.random.seed(0)
    from_global = vectorizer.decode(logits, sample=True)
    np.random.seed(0)
    assert (from_global == vectorizer.decode(logits, sample=True)).all()
    assert (vectorizer.decode(logits) != "").all()
    assert (vectorizer.decode(logits, budget=False) == "").all()  # S -> S '+' T for ever


@pytest.mark.parametrize("grammar", [None, str(EXPRESSIONS), EXPRESSIONS])
def test_a_grammar_is_given_in_three_ways(grammar):
    assert GrammarVectorizer(grammar=grammar).fit([]).grammar_ == EXPRESSIONS


@both
def test_the_contract_of_scikit_learn(vectorizer):
    vectorizer = clone(vectorizer)
    before = {**vectorizer.get_params()}
    rows = vectorizer.fit_transform(np.array(STRINGS))
    assert vectorizer.get_params() == before
    again = pickle.loads(pickle.dumps(vectorizer))
    np.testing.assert_array_equal(again.transform(STRINGS), rows)
    frame = clone(vectorizer).set_output(transform="pandas").fit_transform(STRINGS)
    assert list(frame.columns) == list(vectorizer.get_feature_names_out())
    pipeline = make_pipeline(clone(vectorizer), PCA(n_components=4, random_state=0))
    codes = pipeline.fit_transform(STRINGS)
    assert pipeline.inverse_transform(codes).tolist() == STRINGS  # rank 4: exact but for rounding
    tags = vectorizer.__sklearn_tags__()
    assert tags.input_tags.string and not tags.input_tags.two_d_array


@pytest.mark.parametrize(
    ("vectorizer", "error", "message"),
    [
        (GrammarVectorizer(grammar=3), TypeError, "grammar=3 must be a Grammar"),
        (GrammarVectorizer(grammar="S -> T"), ValueError, "T, which has no rule"),
        (GrammarVectorizer(on_error="warn"), ValueError, "'on_error'.*'raise', 'skip'"),
        (CharacterVectorizer(charset="aa"), ValueError, "charset='aa' must be distinct"),
        (CharacterVectorizer(charset=""), ValueError, "charset='' must be distinct"),
        (CharacterVectorizer(charset="a"), ValueError, "strings are all empty"),
        (CharacterVectorizer(max_length=0), ValueError, "'max_length'"),
    ],
)
def test_bad_parameters_are_refused_at_fit(vectorizer, error, message):
    with pytest.raises(error, match=message):
        vectorizer.fit([""])


def test_bad_rows_are_refused():
    for vectorizer in (GrammarVectorizer().fit([]), CharacterVectorizer().fit(STRINGS)):
        with pytest.raises(ValueError, match=r"X has shape \(1, 7\): it must be \(n, "):
            vectorizer.inverse_transform(np.zeros((1, 7)))
        with pytest.raises(ValueError, match="X has NaN or infinity"):
            vectorizer.inverse_transform(np.full((1, np.prod(vectorizer.shape_)), np.nan))
        with pytest.raises(ValueError, match="logits has shape"):
            vectorizer.decode(np.zeros((1, *vectorizer.shape_))[..., :-1])
        with pytest.raises(ValueError, match="list or array of str"):
            vectorizer.transform("x")
        with pytest.raises(ValueError, match="list or array of str"):
            vectorizer.fit([["x"]])
