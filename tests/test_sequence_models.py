"""The six models of strings: their terms, their laws, and what they take."""

import copy
from itertools import product

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import chisquare
from torch import nn

from geomgen.models import RAE, LISAGenerator, VAEGenerator
from geomgen.sequence import (
    EXPRESSIONS,
    CharacterVAE,
    Grammar,
    GrammarConstantVarianceVAE,
    GrammarGMMDAE,
    GrammarLISA,
    GrammarRAE,
    GrammarVAE,
    exact_reconstruction,
)

TINY = Grammar("S -> 'a' S | 'b' T | 'c'\nT -> 'd' | 'e' S", max_length=4)
WORDS = ["c", "ac", "bd", "abd", "bec", "abec", "aac", "aabd"]
SMALL = {
    "n_components": 3,
    "hidden": (12,),
    "channels": (6,),
    "max_epochs": 3,
    "batch_size": 32,
    "random_state": 0,
}


def small(cls, **params):
    return cls(**{**SMALL, **params}).fit(WORDS * 6)


def terms(model, words, seed=0):
    """Return the objective of a batch, the net in evaluation mode."""
    x = torch.tensor(model.vectorizer_.transform(words))
    with torch.no_grad():
        found = model._objective(model._module.eval(), x, torch.Generator().manual_seed(seed))
    return {name: float(term) for name, term in found.items()}


def raw_logits(model, codes):
    """Return the decoder's outputs, as the network gives them."""
    with torch.no_grad():
        out = model._module.decoder.trunk(torch.tensor(codes)).numpy()
    return out.reshape(len(codes), *model.vectorizer_.shape_).astype(np.float64)


def log_likelihood(grammar, logits, word):
    """Sum over steps of log p(rule | its left side), in plain loops."""
    total = 0.0
    for step, rule in enumerate(grammar.parse([word])[0]):
        if rule < grammar.n_rules:
            left = grammar.rules[rule][0]
            rivals = [r for r, (other, _) in enumerate(grammar.rules) if other == left]
            total += logits[step, rule] - logsumexp(logits[step, rivals])
    return total


@pytest.mark.parametrize("cls", [GrammarLISA, GrammarRAE, GrammarGMMDAE])
@pytest.mark.parametrize("architecture", ["conv", "gru"])
def test_the_reconstruction_is_a_cross_entropy_over_rules(cls, architecture):
    model = small(cls, grammar=TINY, architecture=architecture)
    logits = raw_logits(model, model.transform(WORDS))
    each = [log_likelihood(TINY, row, word) for row, word in zip(logits, WORDS, strict=True)]
    assert terms(model, WORDS)["recon"] == pytest.approx(-np.mean(each), rel=1e-4)


def test_a_vaes_reconstruction_is_at_a_draw():
    model = small(GrammarConstantVarianceVAE, grammar=TINY, noise=0.5)
    noise = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)).numpy()
    logits = raw_logits(model, model.transform(WORDS) + np.float32(0.5) * noise)
    each = [log_likelihood(TINY, row, word) for row, word in zip(logits, WORDS, strict=True)]
    found = terms(model, WORDS)
    assert found["recon"] == pytest.approx(-np.mean(each), rel=1e-4)
    squares = np.square(model.transform(WORDS)).sum(1).mean()
    constant = 3 * (0.25 - 1 - np.log(0.25))
    assert found["kl"] == pytest.approx(model.beta / 2 * (squares + constant), rel=1e-4)


def test_characters_compete_with_all_others_and_the_padding():
    model = small(CharacterVAE, beta=0.0)
    with torch.no_grad():
        q = model._module.encoder(torch.tensor(model.vectorizer_.transform(WORDS)))
        z = q.rsample(generator=torch.Generator().manual_seed(0)).numpy()
    logits = raw_logits(model, z)
    symbols = [[model.charset_.index(c) for c in word] for word in WORDS]
    symbols = [row + [len(model.charset_)] * (4 - len(row)) for row in symbols]
    chosen = np.take_along_axis(logits, np.array(symbols)[..., None], -1)[..., 0]
    each = (chosen - logsumexp(logits, axis=-1)).sum(1)
    assert terms(model, WORDS)["recon"] == pytest.approx(-each.mean(), rel=1e-4)


def test_the_other_terms_are_the_models_own():
    """Of the same codes, the penalties of a model of strings are those of its model of rows."""
    for cls, base in ((GrammarLISA, LISAGenerator), (GrammarRAE, RAE)):
        assert cls._objective is base._objective and cls._penalties is base._penalties
    assert GrammarVAE._objective is VAEGenerator._objective
    model = small(GrammarLISA, grammar=TINY, lam=0.3, t=2.0)
    Z = model.transform(WORDS).astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), 1, atol=1e-6)
    squares = np.square(Z[:, None] - Z).sum(-1)[~np.eye(8, dtype=bool)]
    wanted = 0.3 * np.log(np.mean(np.exp(-2 * squares)))
    assert terms(model, WORDS)["uniformity"] == pytest.approx(wanted, rel=1e-4)


def test_draws_of_rules_have_the_likelihood_that_is_trained():
    """Frequencies of decoded strings against p(x|z) of every string there is."""
    grammar = Grammar("S -> A B | B\nA -> 'a' | 'b'\nB -> 'c' | 'd' 'e' | 'f'", max_length=3)
    words = [a + b for a in ("", "a", "b") for b in ("c", "de", "f")]
    model = GrammarLISA(**{**SMALL, "grammar": grammar}).fit(words * 5)
    code, n = model.transform(["ade"]), 4000
    shares = np.exp([log_likelihood(grammar, raw_logits(model, code)[0], word) for word in words])
    assert shares.sum() == pytest.approx(1, rel=1e-5)
    drawn = model.inverse_transform(np.repeat(code, n, 0), sample=True, random_state=0)
    counts = [(drawn == word).sum() for word in words]
    assert chisquare(counts, n * shares / shares.sum()).pvalue > 1e-3
    assert sum(counts) == n


@pytest.mark.parametrize("cls", [GrammarLISA, GrammarVAE])
def test_a_grammar_is_an_object_or_a_text(cls):
    text = "S -> 'a' S | 'b' T | 'c'\nT -> 'd' | 'e' S"
    codes = [small(cls, grammar=g).transform(WORDS) for g in (text, Grammar(text))]
    np.testing.assert_array_equal(*codes)
    model = cls(**SMALL).fit(["x+1", "sin(x)"] * 4)
    assert model.grammar is None and model.grammar_ == EXPRESSIONS


def test_held_out_strings_are_reconstructed():
    parts = product("x123", "+*/", "x123", "+*/", "x123")
    strings = np.random.default_rng(0).permutation(["".join(row) for row in parts])
    params = {**SMALL, "n_components": 10, "hidden": (64,), "channels": (16,), "lr": 5e-3}
    model = GrammarLISA(**{**params, "max_epochs": 40}).fit(strings[:450])
    assert exact_reconstruction(model, strings[450:]) > 0.95
    model.set_params(budget=False)
    assert (model.sample(500, random_state=0) != "").mean() > 0.95


@pytest.mark.parametrize("architecture", ["conv", "gru"])
@pytest.mark.parametrize("penalty", ["l2", "gp", "sn"])
def test_penalties_of_the_decoder(penalty, architecture):
    model = small(GrammarRAE, grammar=TINY, penalty=penalty, architecture=architecture, lam=0.1)
    assert np.isfinite(model.history_["loss"]).all()
    if penalty == "gp":
        assert (model.history_["decoder"] > 0).all()


@pytest.mark.parametrize("architecture", ["conv", "gru"])
def test_grassmann_terms(architecture):
    params = {"lam_grass": 1.0, "lam_entropy": 1.0, "architecture": architecture}
    history = small(GrammarLISA, grammar=TINY, **params).history_
    assert {"grass", "entropy"} <= {*history} and np.isfinite(history["loss"]).all()


def test_own_networks():
    model = small(
        GrammarLISA,
        grammar=TINY,
        encoder=lambda n_in, n_out: nn.Linear(n_in, n_out),
        decoder=nn.Linear(3, 4 * 6),
    )
    assert TINY.valid(TINY.parse(model.sample(20, random_state=0))).all()
    with pytest.raises(ValueError, match="decoder must map"):
        small(GrammarLISA, grammar=TINY, decoder=nn.Linear(3, 23))


@pytest.mark.parametrize("params", [{"dtype": "float64"}, {"precision": "bf16"}, {"norm": "batch"}])
def test_ways_of_computing(params):
    model = small(GrammarVAE, grammar=TINY, **params)
    assert model.transform(WORDS).dtype == model.dtype_ and np.isfinite(model.score(WORDS))


def test_chunks_of_codes_are_one_draw(monkeypatch):
    model = small(GrammarVAE, grammar=TINY)
    codes = np.random.default_rng(0).normal(size=(50, 3))
    whole = model.inverse_transform(codes), model.inverse_transform(codes, True, 0)
    monkeypatch.setattr("geomgen.sequence._shell._CHUNK", 7)
    assert model.inverse_transform(codes).tolist() == whole[0].tolist()
    parts = model.inverse_transform(codes, True, 0)
    assert parts.shape == whole[1].shape and len({*parts[:7]} | {*parts[7:14]}) > 1


def test_rows_are_bytes_in_training():
    model = small(GrammarVAE, grammar=TINY)
    assert model._rows(WORDS).dtype == np.uint8
    x = copy.deepcopy(model).partial_fit(WORDS)._reservoir.rows
    assert x.dtype == np.uint8 and x.shape[1] == 4 * 6


def test_a_failed_refit_with_another_grammar_keeps_the_first():
    model = small(GrammarLISA, grammar=TINY)
    before = model.sample(9, random_state=0).tolist()
    with pytest.raises(ValueError, match="position"):
        model.set_params(grammar=None).fit(WORDS)
    assert model.grammar_ == TINY and model.sample(9, random_state=0).tolist() == before
