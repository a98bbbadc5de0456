"""Optimisation over codes: its Gaussian processes, its choices, and what it keeps."""

import itertools
import pickle
import sys

import mpmath
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import norm
from sklearn.base import clone
from sklearn.decomposition import PCA

from geomgen.sequence import GrammarLISA
from geomgen.sequence._acquisition import (
    greedy_batch,
    log_expected_improvement,
    pool_of,
    refine,
    thompson_batch,
)
from geomgen.sequence._domains import Box, UnitSphere, domain_of
from geomgen.sequence._evaluating import score_strings
from geomgen.sequence._surrogate import (
    fit_surrogate,
    require_botorch,
    sparse_process,
)
from geomgen.sequence.optimize import LatentOptimizer

require_botorch()

LETTERS, LENGTH = "abcd", 5
WORDS = np.array(["".join(word) for word in itertools.product(LETTERS, repeat=LENGTH)])


def one_hot(words):
    places = np.array([[LETTERS.index(letter) for letter in word] for word in words])
    return np.eye(len(LETTERS))[places].reshape(len(words), -1)


class Words:
    """Words of five letters by principal components; on the sphere if asked."""

    def __init__(self, sphere=False, temperature=0.3):
        self.sphere, self.temperature = sphere, temperature

    def fit(self, words):
        self.pca_ = PCA(10, random_state=0).fit(one_hot(words))
        return self

    def transform(self, words):
        Z = self.pca_.transform(one_hot(words))
        return Z / np.linalg.norm(Z, axis=1, keepdims=True) if self.sphere else Z

    def inverse_transform(self, Z, sample=False, random_state=None):
        logits = self.pca_.inverse_transform(Z).reshape(len(Z), LENGTH, -1) / self.temperature
        if sample:
            logits = logits + np.random.RandomState(random_state).gumbel(size=logits.shape)
        return np.array(["".join(LETTERS[i] for i in row) for row in logits.argmax(2)])


def letters_wrong(words):
    """Lower is better; 0 at "dbdca"."""
    return [float(sum(a != b for a, b in zip(word, "dbdca", strict=True))) for word in words]


KNOWN = WORDS[np.random.RandomState(0).permutation(len(WORDS))]
KNOWN = KNOWN[np.array(letters_wrong(KNOWN)) >= 3][:60]


def search(sphere=False, objective=letters_wrong, fit=True, **params):
    params = {"n_rounds": 2, "batch_size": 8, "n_decodes": 5, "n_candidates": 200} | params
    made = LatentOptimizer(Words(sphere).fit(KNOWN), objective, random_state=0, **params)
    return made.fit(KNOWN) if fit else made


def process(n=40, m=None, noise=0.1, d=2, seed=0):
    """A Gaussian process of known kernel on random codes, with its codes and values."""
    from botorch.models import SingleTaskGP
    from gpytorch.kernels import MaternKernel, ScaleKernel

    generator = torch.Generator().manual_seed(seed)
    Z = torch.randn(n, d, generator=generator, dtype=torch.float64)
    y = torch.sin(2 * Z[:, 0]) + 0.1 * torch.randn(n, generator=generator, dtype=torch.float64)
    y = (y - y.mean()) / y.std()
    exact = SingleTaskGP(
        Z, y[:, None], covar_module=ScaleKernel(MaternKernel(nu=2.5)), outcome_transform=None
    ).double()
    exact.covar_module.base_kernel.lengthscale = 0.8
    exact.covar_module.outputscale = 1.3
    exact.likelihood.noise = noise
    exact.mean_module.constant = 0.2
    exact.eval()
    inducing = Z if m is None else Z[:m] + 0.05
    return sparse_process(exact, Z, y, inducing), exact, Z, y, inducing


def kernel(A, B):
    r = np.sqrt(5) * cdist(A, B) / 0.8
    return 1.3 * (1 + r + r**2 / 3) * np.exp(-r)


def points(n, d=2, seed=9):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ------------------------------------------------------------------------------------- surrogate
def test_with_all_codes_for_inducing_points_the_process_is_exact():
    model, exact, *_ = process()
    X = points(15)
    with torch.no_grad():
        ours, theirs = model.posterior(X), exact.posterior(X)
    np.testing.assert_allclose(ours.mean, theirs.mean, atol=1e-4)
    np.testing.assert_allclose(
        ours.distribution.covariance_matrix, theirs.distribution.covariance_matrix, atol=1e-4
    )
    np.testing.assert_allclose(model.expected(X), theirs.mean[:, 0], atol=1e-4)


def test_sparse_process_is_the_formula_of_titsias():
    model, _, Z, y, inducing = process(m=12)
    X, U, s2 = points(6).numpy(), inducing.numpy(), 0.1
    Kuu, Kuf, Kxu = kernel(U, U), kernel(U, Z.numpy()), kernel(X, U)
    S = np.linalg.inv(Kuu + Kuf @ Kuf.T / s2)
    mean = 0.2 + Kxu @ S @ Kuf @ (y.numpy() - 0.2) / s2
    cov = kernel(X, X) - Kxu @ np.linalg.inv(Kuu) @ Kxu.T + Kxu @ S @ Kxu.T
    with torch.no_grad():
        posterior = model.posterior(torch.from_numpy(X))
    np.testing.assert_allclose(posterior.mean[:, 0], mean, atol=1e-4)
    np.testing.assert_allclose(posterior.distribution.covariance_matrix, cov, atol=1e-4)


@pytest.mark.parametrize("max_exact", [200, 50])
def test_fitted_process_predicts_and_knows_its_error(max_exact):
    generator = np.random.RandomState(0)
    Z = generator.normal(size=(160, 2))
    y = np.sin(2 * Z[:, 0]) + 0.2 * generator.normal(size=160)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    model = fit_surrogate(*map(torch.from_numpy, (Z, y / y.std())), max_exact, 40, seed=0)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
    X = generator.uniform(-1.5, 1.5, (200, 2))
    found = model.expected(torch.from_numpy(X)).numpy() * y.std()
    assert np.mean((found - np.sin(2 * X[:, 0])) ** 2) < 0.02
    assert 0.1 < float(model.likelihood.noise.sqrt()) * y.std() < 0.3


# ----------------------------------------------------------------------------------- acquisition
@pytest.mark.parametrize("u", [4.0, 0.3, -0.99, -1.01, -5.0, -40.0, -3e3, -2e4])
def test_log_expected_improvement_to_many_digits(u):
    with mpmath.workdps(60):
        v = mpmath.mpf(u)
        density = mpmath.exp(-(v**2) / 2) / mpmath.sqrt(2 * mpmath.pi)
        true = mpmath.log(2) + mpmath.log(density + v * mpmath.erfc(-v / mpmath.sqrt(2)) / 2)
    one = torch.tensor([1.0], dtype=torch.float64)
    found = log_expected_improvement(5 + 2 * u * one, 2 * one, 5.0)
    assert float(found) == pytest.approx(float(true), rel=1e-7)


def test_greedy_batch_is_refitting_with_what_was_expected():
    model, *_ = process(n=15, noise=0.05)
    pool = points(40)
    with torch.no_grad():
        posterior = model.posterior(pool)
        mean, cov = posterior.mean[:, 0], posterior.distribution.covariance_matrix
    chosen = []
    for _ in range(6):
        C = cov
        if chosen:  # the covariance given all that was chosen, at once
            K = cov[np.ix_(chosen, chosen)] + 0.05 * torch.eye(len(chosen))
            C = cov - cov[:, chosen] @ torch.linalg.inv(K) @ cov[chosen]
        gain = log_expected_improvement(mean, C.diagonal().sqrt(), 0.5)
        gain[chosen] = -torch.inf
        chosen.append(int(gain.argmax()))
    torch.testing.assert_close(greedy_batch(model, pool, 0.5, 6), pool[chosen])
    assert len(torch.unique(greedy_batch(model, pool, 0.5, 99), dim=0)) == 40


def test_thompson_chooses_a_code_as_often_as_it_is_the_best():
    model, *_ = process(n=15)
    pool = points(2, seed=3)
    with torch.no_grad():
        posterior = model.posterior(pool)
        mean, cov = posterior.mean[:, 0], posterior.distribution.covariance_matrix
    spread = (cov[0, 0] + cov[1, 1] - 2 * cov[0, 1]).sqrt()
    p = norm.cdf(float((mean[0] - mean[1]) / spread))
    hits = [torch.equal(thompson_batch(model, pool, 1, s)[0], pool[0]) for s in range(400)]
    assert 0.02 < p < 0.98
    assert abs(np.mean(hits) - p) < 4 * np.sqrt(p * (1 - p) / 400)
    many = thompson_batch(model, points(50), 20, 0)
    assert len(torch.unique(many, dim=0)) == 20


def test_refined_candidates_gain_and_stay_in_the_domain():
    from botorch.acquisition import LogExpectedImprovement

    for make in (Box, UnitSphere):
        model, _, Z, *_ = process(d=3)
        domain = make(Z.numpy())
        pool = domain.project(points(50, d=3))
        gain = LogExpectedImprovement(model, best_f=1.0)
        found = refine(model, pool, 1.0, domain, n_starts=5)
        with torch.no_grad():
            old = gain(pool[:, None]).sort(descending=True).values[:5]
            assert (gain(found[:, None]).sort(descending=True).values > old).all()
        torch.testing.assert_close(domain.project(found), found)


# ---------------------------------------------------------------------------------------- domain
def test_sphere_is_seen_by_the_codes_alone():
    assert isinstance(domain_of(Words(sphere=True).fit(KNOWN).transform(KNOWN)), UnitSphere)
    assert isinstance(domain_of(Words().fit(KNOWN).transform(KNOWN)), Box)
    assert isinstance(domain_of(np.array([[1.0], [-1.0]])), Box)


@pytest.mark.parametrize("sphere", [False, True])
def test_candidates_are_in_the_domain(sphere):
    Z = Words(sphere).fit(KNOWN).transform(KNOWN)
    pool = pool_of(Z, np.arange(60.0), domain_of(Z), 4000, np.random.RandomState(0))
    anywhere, near = pool[:200], pool[200:]
    assert pool.shape == (4000, 10)
    if sphere:
        np.testing.assert_allclose(np.linalg.norm(pool, axis=1), 1.0)
        assert np.abs(anywhere.mean(0)).max() < 4 * np.sqrt(1 / 10 / 200)  # uniform: mean 0
    else:
        assert (pool >= Z.min(0)).all() and (pool <= Z.max(0)).all()
    assert np.median(cdist(near, Z[30:]).min(1)) < np.median(cdist(anywhere, Z).min(1))


# ------------------------------------------------------------------------------------- objective
def test_failures_of_any_kind_are_nan_and_the_rest_is_scored():
    calls = []

    def objective(strings):
        calls.append(list(strings))
        if "bad" in strings:
            raise RuntimeError("no")
        if strings == ["long"]:
            return [1.0, 2.0]
        if strings == ["text"]:
            return ["?"]
        return [np.inf if s == "inf" else None if s == "none" else len(s) for s in strings]

    strings = ["a", "bad", "", "inf", "long", "text", "none", "abc"]
    scores = score_strings(objective, strings)
    np.testing.assert_array_equal(scores, [1, *[np.nan] * 6, 3])
    assert len(calls) == 8 and all("" not in call for call in calls)
    calls.clear()
    np.testing.assert_array_equal(score_strings(objective, ["ab", "inf"]), [2, np.nan])
    assert len(calls) == 1  # a whole list that works is asked once
    assert np.isnan(score_strings(objective, ["", ""])).all() and len(calls) == 1


def test_failing_strings_score_worst_and_are_counted():
    def objective(words):
        if any(word[0] == "a" for word in words):
            raise ValueError("a")
        return letters_wrong(words)

    fitted = search(objective=objective, acquisition="thompson")
    result = fitted.run()
    table = result.evaluations
    failed = table["string"].str[0] == "a"
    assert failed.any() and (table["failed"] == failed).all()
    assert result.n_failures == failed.sum() and result.valid == pytest.approx(1 - failed.mean())
    assert (table.loc[failed, "score"] == 5).all()  # the worst that is known
    assert np.isnan(fitted.scores_).sum() > failed.sum()  # those of the first strings, too
    assert result.average_score < result.average_score_with_failures


# ------------------------------------------------------------------------------------- optimizer
@pytest.mark.parametrize("acquisition", ["log_ei", "thompson"])
@pytest.mark.parametrize("sphere", [False, True])
def test_search_beats_the_known_strings_and_random_codes(acquisition, sphere):
    fitted = search(sphere, acquisition=acquisition, n_rounds=4)
    result, random = fitted.run(), fitted.random_baseline()
    assert len(result.evaluations) == len(random.evaluations) == 32
    assert result.distinct == result.novel == random.distinct == 1
    assert not set(result.evaluations["string"]) & set(KNOWN)
    assert result.best_novel[1] < min(letters_wrong(KNOWN))
    assert result.average_score < random.average_score - 0.25
    codes = np.stack(result.evaluations["code"])
    if sphere:
        np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1.0)
    np.testing.assert_array_equal(letters_wrong(result.evaluations["string"]), fitted.scores_[60:])


def test_sparse_process_serves_too():
    result = search(max_exact=20, n_inducing=15, n_rounds=4).run()
    assert result.best[1] < min(letters_wrong(KNOWN))


def test_rounds_add_up_through_a_pickle():
    whole = search().run(3)
    part = search()
    part.run(1)
    part = pickle.loads(pickle.dumps(part))
    part.run(2)
    assert part.n_rounds_done_ == 3 and len(part.codes_) == 60 + 24
    pd.testing.assert_frame_equal(part.result_.evaluations, whole.evaluations)
    assert list(whole.evaluations["round"].unique()) == [0, 1, 2]


class Interrupted:
    """Ctrl-C in the second round."""

    def __init__(self):
        self.calls = 0

    def __call__(self, words):
        self.calls += 1
        if self.calls == 3:
            raise KeyboardInterrupt
        return letters_wrong(words)


def test_ctrl_c_keeps_the_finished_rounds():
    fitted = search(objective=Interrupted())
    with pytest.warns(UserWarning, match="the 1 finished rounds are kept"):
        result = fitted.run(2)
    assert len(result.evaluations) == 8 and len(fitted.codes_) == 68
    whole = search().run(2)
    pd.testing.assert_frame_equal(fitted.run(1).evaluations, whole.evaluations)


def test_maximizing_is_minimizing_the_negative():
    low = search().run()
    high = search(objective=lambda words: [-s for s in letters_wrong(words)], maximize=True).run()
    assert list(low.evaluations["string"]) == list(high.evaluations["string"])
    assert low.best == (high.best[0], -high.best[1])
    assert list(low.top(5)["string"]) == list(high.top(5)["string"])
    assert low.top(5)["score"].is_monotonic_increasing


def test_commonest_string_is_kept_and_known_ones_are_passed_over():
    class Coin(Words):
        def inverse_transform(self, Z, sample=False, random_state=None):
            assert sample
            drawn = np.random.RandomState(random_state).choice(
                ["", "aaaaa", KNOWN[0], "bbbbb"], len(Z), p=[0.4, 0.1, 0.3, 0.2]
            )
            return drawn

    made = LatentOptimizer(
        Coin().fit(KNOWN), letters_wrong, n_rounds=1, batch_size=6, n_decodes=300, random_state=0
    )
    with_known = clone_with(made, duplicates=True).fit(KNOWN).run()
    assert set(with_known.evaluations["string"]) == {KNOWN[0]}
    assert (with_known.distinct, with_known.novel) == (1 / 6, 0)
    with pytest.warns(UserWarning, match="Round 0 found 2 of batch_size=6 strings"):
        fresh = made.fit(KNOWN).run()
    assert list(fresh.evaluations["string"]) == ["bbbbb", "aaaaa"]


def clone_with(made, **params):
    return clone(made, safe=False).set_params(**params)


def test_validity_of_the_users_own():
    result = search(valid=lambda words: [word[1] in "bc" for word in words]).run()
    table = result.evaluations
    assert (
        table["valid"] == (table["string"].str[1].isin(["b", "c"]))
    ).all() and 0 < result.valid < 1
    assert result.n_failures == 0 and result.top(99)["string"].str[1].isin(["b", "c"]).all()


def test_known_scores_are_taken_as_given():
    calls = []

    def objective(words):
        calls.append(len(words))
        return letters_wrong(words)

    y = np.array(letters_wrong(KNOWN))
    y[3] = np.nan
    fitted = search(objective=objective, fit=False).fit(KNOWN, y)
    kept = y.copy()
    fitted.run(1)
    assert calls == [8] and np.array_equal(y, kept, equal_nan=True)


def test_result_before_any_round_is_empty():
    result = search().result_
    assert len(result.evaluations) == 0 and np.isnan(result.valid)
    assert result.best[0] == "" and np.isnan(result.average_score)


def test_progress_bar_only_if_asked(capsys):
    search().run(1)
    assert capsys.readouterr().err == ""
    search(verbose=1).run(1)
    assert "optimize" in capsys.readouterr().err


def test_nothing_global_moves():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    for acquisition in ("log_ei", "thompson"):
        search(acquisition=acquisition).run(1)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()


def test_grammar_estimators_are_searched_on_their_sphere():
    strings = [f"{a}{o}{b}" for a in "x123" for o in "+*/" for b in ("x", "sin(x)", "2")]
    model = GrammarLISA(n_components=3, max_epochs=5, random_state=0).fit(strings)
    fitted = LatentOptimizer(
        model,
        lambda found: [float(len(s)) for s in found],
        n_rounds=1,
        batch_size=5,
        random_state=0,
    ).fit(strings)
    result = fitted.run()
    codes = np.stack(result.evaluations["code"])
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1.0, atol=1e-6)
    assert model.grammar_.valid(model.grammar_.parse(result.evaluations["string"])).all()
    assert fitted.random_baseline().distinct == 1


@pytest.mark.parametrize(
    ("params", "X", "y", "error", "message"),
    [
        ({"acquisition": "ucb"}, KNOWN, None, ValueError, "acquisition.*'ucb'"),
        ({"batch_size": 0}, KNOWN, None, ValueError, "batch_size"),
        ({"objective": None}, KNOWN, None, TypeError, "objective=None must be a callable"),
        ({"estimator": 3}, KNOWN, None, TypeError, "estimator=3 must have a method transform"),
        ({}, "word", None, ValueError, "sequence of at least two strings"),
        ({}, ["aaaaa"], None, ValueError, "at least two strings"),
        ({}, ["aaaaa", 3], None, TypeError, "strings only"),
        ({}, KNOWN, [1.0], ValueError, r"y has shape \(1,\); it must be \(60,\)"),
        ({}, KNOWN, [np.nan] * 60, ValueError, "No string of X has a finite score"),
        ({"objective": lambda words: 1 / 0}, KNOWN, None, ValueError, "fails on all"),
    ],
)
def test_bad_input_is_named(params, X, y, error, message):
    with pytest.raises(error, match=message):
        search(fit=False).set_params(**params).fit(X, y)


def test_a_validity_of_another_shape_is_named_and_loses_no_round():
    searching = search(n_rounds=1)
    searching.run()
    searching.set_params(valid=lambda words: True)
    with pytest.raises(ValueError, match=r"valid returned an array of shape \(\) for \d+ strings"):
        searching.run(1)
    searching.set_params(valid=None)
    assert searching.run(1).evaluations["round"].nunique() == 2


def test_bad_codes_and_rounds_are_named():
    class Skips(Words):
        def transform(self, words):
            return super().transform(words)[1:]

    with pytest.raises(ValueError, match=r"codes of shape \(59, 10\) for 60 strings"):
        LatentOptimizer(Skips().fit(KNOWN), letters_wrong).fit(KNOWN)
    with pytest.raises(ValueError, match="n_rounds=0 must be"):
        search().run(0)


def test_failed_fit_leaves_the_state():
    fitted = search()
    before = fitted.run(1).evaluations
    with pytest.raises(ValueError):
        fitted.fit(KNOWN, [1.0])
    pd.testing.assert_frame_equal(fitted.result_.evaluations, before)


def test_missing_botorch_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "botorch", None)
    with pytest.raises(ImportError, match=r'pip install "geomgen\[bo\]"'):
        search()


def test_more_inducing_points_than_codes_are_the_codes():
    Z, y = points(40), torch.linspace(-1.0, 1.0, 40, dtype=torch.float64)
    sparse, exact = (fit_surrogate(Z, y, m, 500, 0) for m in (20, 1000))
    torch.testing.assert_close(sparse.expected(Z), exact.expected(Z))


@pytest.mark.parametrize("n_rounds", [0, -1, 1.5])
@pytest.mark.parametrize("method", ["run", "random_baseline"])
def test_numbers_of_rounds_that_are_refused(method, n_rounds):
    with pytest.raises(ValueError, match="n_rounds"):
        getattr(search(), method)(n_rounds)


def test_numbers_of_rounds_may_be_numpy_s():
    assert len(search(batch_size=2).random_baseline(np.int64(1)).evaluations) == 2
