import ast
import copy
import hashlib
import itertools
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch

from geomgen.sequence import EXPRESSIONS, Grammar, make_expressions

pytest.importorskip("lark")

NESTED = Grammar(  # the lambda calculus: a list of binders, nested at will
    r"""
    term -> name | '(' term ' ' term ')' | 'λ' names '.' term
    names -> name | name names
    name -> 'x' | 'y' | 'zz'
    """,
    max_length=30,
)
JSON = Grammar(
    r"""
    # As RFC 8259 has it, with few literals
    value -> object | array | string | number | 'true' | 'false' | 'null'
    object -> '{' '}' | '{' members '}'
    members -> pair | pair ', ' members
    pair -> string ': ' value
    array -> '[' ']' | '[' items ']'
    items -> value | value ', ' items
    string -> '"' letters '"'
    letters -> '' | letter letters
    letter -> 'a' | 'é' | '\\n' | '😀'
    number -> digits | '-' digits | digits '.' digits
    digits -> digit | digit digits
    digit -> '0' | '1' | '9'
    """,
    max_length=40,
)
MOLECULES = Grammar(  # SMILES without rings; terminals that begin with another: C and Cl, B and Br
    r"""
    chain -> atom | atom chain | atom bond chain | atom branch chain
    branch -> '(' chain ')' | '(' bond chain ')'
    bond -> '=' | '#' | '/' | '\\'
    atom -> 'C' | 'N' | 'O' | 'B' | 'Cl' | 'Br' | '[' 'N' 'H' '4' '+' ']' | '[nH]'
    """,
    max_length=24,
)
GRAMMARS = {
    "expressions": EXPRESSIONS,
    "nested": NESTED,
    "json": JSON,
    "molecules": MOLECULES,
}
every_grammar = pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS)


unquote = ast.literal_eval  # the rules' terminals are quoted as Python's strings


def write(grammar, rules):
    """Write one derivation by rewriting its leftmost nonterminal; None if it is none."""
    form = [grammar.start]
    rules = list(rules)
    while any(s in grammar.nonterminals for s in form):
        at = next(i for i, s in enumerate(form) if s in grammar.nonterminals)
        if not rules or rules[0] == grammar.n_rules or grammar.rules[rules[0]][0] != form[at]:
            return None
        form[at : at + 1] = grammar.rules[rules.pop(0)][1]
    return "".join(map(unquote, form)) if set(rules) <= {grammar.n_rules} else None


def least(grammar):
    cost = dict.fromkeys(grammar.nonterminals, np.inf)
    for _ in range(100):
        for left, body in grammar.rules:
            new = 1 + sum(cost[s] for s in body if s in cost)
            cost[left] = min(cost[left], new)
    return cost


def decode(grammar, logits, budget):
    """Decode one table, as the formula of Grammar reads."""
    cost, stack, rules, steps = least(grammar), [grammar.start], [], len(logits)
    for t, scores in enumerate(logits):
        allowed = []
        for r, (left, body) in enumerate(grammar.rules):
            rest = [s for s in body if s in cost] + stack[1:]
            if stack and left == stack[0]:
                if not budget or sum(cost[s] for s in rest) <= steps - t - 1:
                    allowed.append(r)
        if not stack:
            allowed = [grammar.n_rules]
        choice = max(allowed, key=lambda r: scores[r])
        rules.append(choice)
        if stack:
            stack = [s for s in grammar.rules[choice][1] if s in cost] + stack[1:]
    return rules


def derivations(grammar, length):
    """Every complete derivation of at most length rules, by string."""
    found, waiting = {}, [((), (grammar.start,), "")]
    while waiting:
        rules, form, text = waiting.pop()
        if not form:
            found.setdefault(text, []).append(rules)
        elif form[0] not in grammar.nonterminals:
            waiting.append((rules, form[1:], text + unquote(form[0])))
        elif len(rules) < length:
            for r, (left, body) in enumerate(grammar.rules):
                if left == form[0]:
                    waiting.append(((*rules, r), body + form[1:], text))
    return found


def tables(grammar, kind, n, rng):
    """Logits that try to break a decoder."""
    shape = n, *grammar.shape
    if kind == "uniform":
        return rng.uniform(size=shape)
    if kind == "extreme":
        return rng.choice([-1e6, 0.0, 1e6], size=shape)
    if kind == "largest":
        return rng.choice([-1, 1], size=shape) * np.finfo(np.float32).max.astype(float)
    if kind == "beyond float32":
        return rng.choice([-1, 1], size=shape) * np.finfo(np.float64).max
    if kind == "equal":
        return np.zeros(shape)
    # Adversarial: the padding first of all, or the rules that cost most.
    logits = rng.standard_normal(shape)
    cost = least(grammar)
    growth = [sum(cost[s] for s in body if s in cost) for _, body in grammar.rules]
    logits[: n // 2, :, -1] += 1e6
    logits[n // 2 :, :, :-1] += 1e5 * np.array(growth)
    return logits


KINDS = ["uniform", "extreme", "largest", "beyond float32", "equal", "adversarial"]


# -------------------------------------------------------------------------------------- decoding
@every_grammar
@pytest.mark.parametrize("kind", KINDS)
def test_with_the_budget_every_string_is_valid(grammar, kind):
    logits = tables(grammar, kind, 300, np.random.default_rng(0))
    dtypes = [np.float64] if kind == "beyond float32" else [np.float32, np.float64]
    for random_state in (None, 0):
        for dtype in dtypes:
            rules = grammar.decode(logits.astype(dtype), random_state=random_state)
            assert grammar.valid(rules).all()
    strings = grammar.unparse(rules)
    few = rules[::20]
    assert [write(grammar, row) for row in few] == strings[::20].tolist()
    assert grammar.accepts(strings[::20]).all()


@every_grammar
@pytest.mark.parametrize("budget", [True, False])
def test_decoding_is_the_formula_row_by_row(grammar, budget):
    logits = np.random.default_rng(1).standard_normal((40, *grammar.shape))
    expected = [decode(grammar, table, budget) for table in logits]
    np.testing.assert_array_equal(grammar.decode(logits, budget=budget), expected)


@every_grammar
def test_valid_tells_complete_derivations_from_others(grammar):
    logits = np.random.default_rng(2).standard_normal((60, *grammar.shape))
    rules = grammar.decode(logits[:, :12], budget=False)
    broken = grammar.decode(logits)
    at = np.random.default_rng(3).integers(grammar.max_length, size=len(broken))
    broken[np.arange(len(broken)), at] = np.random.default_rng(4).integers(
        grammar.n_rules + 1, size=len(broken)
    )
    for array in (rules, broken):
        expected = [write(grammar, row) for row in array]
        assert 0 < sum(string is None for string in expected) < len(expected)
        np.testing.assert_array_equal(grammar.valid(array), [s is not None for s in expected])
        assert grammar.unparse(array).tolist() == [s or "" for s in expected]


@pytest.mark.parametrize("max_length", [1, 4, 7])
def test_the_budget_forbids_no_derivation_that_fits(max_length):
    grammar = Grammar("S -> 'a' | S S B | B\nB -> 'b' | '(' S ')'", max_length=max_length)
    complete = [r for rows in derivations(grammar, max_length).values() for r in rows]
    padded = np.array([[*r, *[grammar.n_rules] * (max_length - len(r))] for r in complete])
    np.testing.assert_array_equal(grammar.decode(np.eye(grammar.n_rules + 1)[padded]), padded)


def test_draws_have_the_masked_softmax():
    logits = np.tile(np.log([[[0.1, 0.2, 0.3, 0.4]]]), (20_000, 2, 1))
    grammar = Grammar("S -> 'a' | 'b' | 'c' S", max_length=2)
    drawn = grammar.decode(logits, random_state=0)
    first = np.bincount(drawn[:, 0], minlength=4) / len(drawn)
    np.testing.assert_allclose(first, [1 / 6, 2 / 6, 3 / 6, 0], atol=4 * 0.5 / np.sqrt(20_000))
    second = np.bincount(drawn[drawn[:, 0] == 2, 1], minlength=4) / (drawn[:, 0] == 2).sum()
    np.testing.assert_allclose(second, [1 / 3, 2 / 3, 0, 0], atol=4 * 0.5 / np.sqrt(10_000))
    np.testing.assert_array_equal(drawn, grammar.decode(logits, random_state=0))
    assert (drawn != grammar.decode(logits, random_state=1)).any()


def test_tensors_of_any_precision_decode_as_arrays_and_nothing_is_changed():
    logits = torch.randn(50, *EXPRESSIONS.shape, generator=torch.Generator().manual_seed(0))
    before = logits.clone()
    expected = EXPRESSIONS.decode(logits.numpy())
    np.testing.assert_array_equal(EXPRESSIONS.decode(logits), expected)
    np.testing.assert_array_equal(EXPRESSIONS.decode(logits.double().requires_grad_()), expected)
    half = logits.bfloat16()
    np.testing.assert_array_equal(EXPRESSIONS.decode(half), EXPRESSIONS.decode(half.double()))
    assert torch.equal(logits, before)
    assert EXPRESSIONS.decode(np.zeros((0, 15, 12))).shape == (0, 15)


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (np.zeros((2, 15, 11)), r"shape \(2, 15, 11\).*\(n, steps, 12\)"),
        (np.zeros((15, 12)), r"shape \(15, 12\)"),
        (np.full((1, 15, 12), np.nan), "NaN or infinity"),
        (np.full((1, 15, 12), -np.inf), "NaN or infinity"),
        (np.zeros((2, 1, 12)), "1 steps; the shortest string takes 2 rules"),
    ],
)
def test_logits_that_cannot_be_decoded_are_refused(logits, message):
    with pytest.raises(ValueError, match=message):
        EXPRESSIONS.decode(logits)


@pytest.mark.parametrize("rules", [[[12]], [[-1]], [0], [[0.5]]])
def test_numbers_that_are_no_rules_are_refused(rules):
    with pytest.raises(ValueError, match="rules has"):
        EXPRESSIONS.unparse(rules)


# --------------------------------------------------------------------------------------- parsing
@every_grammar
def test_parse_and_unparse_are_inverse(grammar):
    logits = np.random.default_rng(5).standard_normal((60, *grammar.shape))
    rules = grammar.decode(logits)
    strings = grammar.unparse(rules)
    parsed = grammar.parse(strings)
    assert grammar.unparse(parsed).tolist() == strings.tolist()
    if grammar.parser == "lalr":  # which has one derivation a string
        np.testing.assert_array_equal(parsed, rules)


def test_the_paper_s_grammar_takes_the_fast_parser():
    assert EXPRESSIONS.parser == "lalr"
    assert MOLECULES.parser == "lalr"  # its terminals are cut into characters
    np.testing.assert_array_equal(
        EXPRESSIONS.parse(["x+1"])[0, :6], [0, 3, 7, 8, 11, 11]
    )  # S -> S + T, S -> T, T -> x, T -> 1


def random_grammar(rng):
    names = "ABC"[: rng.integers(1, 4)]
    symbols = [*names, "'a'", "'b'", "'ab'", "'aa'"]
    lines = []
    for name in names:
        sizes = rng.integers(0, 4, size=rng.integers(1, 4))
        bodies = [" ".join(rng.choice(symbols, size=k)) or "''" for k in sizes]
        lines.append(f"{name} -> " + " | ".join(bodies))
    return "\n".join(lines)


def test_random_grammars_are_refused_or_exact():
    """Against a search of all derivations: which strings, and the first shortest of each."""
    rng = np.random.default_rng(0)
    kinds = []
    for _ in range(400):
        text = random_grammar(rng)
        try:
            grammar = Grammar(text, max_length=5)
        except ValueError as error:
            assert re.search("->|shortest", str(error)), text
            continue
        kinds.append(grammar.parser)
        language = derivations(grammar, 5)
        candidates = sorted({*language, *("".join(s) for s in itertools.product("ab", repeat=3))})
        expected = [string in language for string in candidates]
        assert grammar.accepts(candidates).tolist() == expected, text
        for string, row in zip(language, grammar.parse(list(language)), strict=True):
            first = min(language[string], key=lambda rules: (len(rules), rules))
            assert tuple(row[row < grammar.n_rules]) == first, (text, string)
            assert kinds[-1] == "earley" or len(language[string]) == 1, (text, string)
        rules = grammar.decode(rng.standard_normal((20, *grammar.shape)))
        assert grammar.valid(rules).all() and {*grammar.unparse(rules)} <= language.keys()
    assert min(kinds.count("lalr"), kinds.count("earley")) > 10


def test_an_ambiguous_string_has_the_first_of_its_shortest_derivations():
    grammar = Grammar("S -> S S | 'a' | A\nA -> 'a'", max_length=9)
    assert grammar.parser == "earley"
    np.testing.assert_array_equal(grammar.parse(["aaa"])[0, :6], [0, 0, 1, 1, 1, 4])


@pytest.mark.parametrize(
    ("string", "message"),
    [
        ("x+", r"'x\+' is not of the grammar: at position 2, the string ends.*'sin\('"),
        ("x++1", r"at position 2, '\+' stands"),
        ("x $", "at position 1, ' ' stands"),
        ("sin x)", "at position 0, 's' stands"),
        ("", "at position 0, the string ends"),
        ("x+x+x+x+x+x+x+x", "takes 16 rules: more than max_length=15"),
        ("x" * 10**6, "has 1000000 characters: max_length=15 rules give 75 at most"),
    ],
)
def test_strings_off_the_grammar_are_refused_by_name_and_position(string, message):
    with pytest.raises(ValueError, match=message):
        EXPRESSIONS.parse(["x", string])
    assert EXPRESSIONS.accepts(["x", string, "(x)"]).tolist() == [True, False, True]


def test_earley_names_the_position_too():
    grammar = Grammar("S -> S S | 'a' | 'b'", max_length=9)
    for string, message in [("abc", "position 2, 'c' stands"), ("", "position 0, the string ends")]:
        with pytest.raises(ValueError, match=message):
            grammar.parse([string])


@pytest.mark.parametrize("strings", ["x+1", [1], [["x"]], None, ["x", b"x"]])
def test_what_is_no_list_of_strings_is_refused(strings):
    with pytest.raises(ValueError, match="list or array of str"):
        EXPRESSIONS.parse(strings)


def test_parsing_without_lark_names_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lark", None)
    grammar = Grammar("S -> 'q' S | 'r'")
    assert grammar.unparse([[0, 1]]) == ["qr"]
    with pytest.raises(ImportError, match=r'pip install "geomgen\[grammar\]"'):
        grammar.parse(["r"])


# -------------------------------------------------------------------------------------- notation
def test_the_notation():
    grammar = Grammar(
        r"""
        S -> 'it\'s' "\"" '#' S   # a comment, 'and' -> no more
          | ''
          | été_1 '\\' '\t'
        été_1 -> '|' | '->'
        """
    )
    assert grammar.rules == (
        ("S", (r"'it\'s'", "'\"'", "'#'", "S")),
        ("S", ()),
        ("S", ("été_1", r"'\\'", r"'\t'")),
        ("été_1", ("'|'",)),
        ("été_1", ("'->'",)),
    )
    assert grammar.nonterminals == ("S", "été_1") and grammar.start == "S"
    strings = ["", "it's\"#", "->\\\t", "it's\"#|\\\t"]
    assert grammar.unparse(grammar.parse(strings)).tolist() == strings
    assert Grammar(str(grammar)) == grammar


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no rule"),
        ("S -> 'a' | ", "line 1: an alternative of S is empty. Write ''"),
        ("S = 'a'", "line 1, column 3: cannot read \"= 'a'\""),
        ("S -> 'a", "column 6: cannot read"),
        ("| 'a'", "is no rule"),
        ("S -> 'a' -> 'b'", "is no rule"),
        (r"S -> '\d'", r"unknown escape \\d"),
        ("S -> '\0'", "NUL"),
        ("S -> 'a' T", "the rule S -> 'a' T uses T, which has no rule"),
        ("S -> 'a'\nT -> 'b'", "the rule T -> 'b' cannot be reached from S"),
        ("S -> 'a' | T\nT -> 'b' T", "the rule S -> T derives no string, as T never ends"),
        ("S -> 'a' S", "the rule S -> 'a' S derives no string"),
        ("S -> 'a' | 'b' | 'a'", "the rules S -> 'a' and S -> 'a' are the same"),
        ("S -> 'a' 'bc' | 'ab' 'c'", "the rules S -> 'a' 'bc' and S -> 'ab' 'c' are the same"),
        ("S -> S | 'a'", "by the rule S -> S, S derives itself"),
        ("S -> T | 'a'\nT -> 'b' | S", "by the rule S -> T, S derives itself"),
        ("S -> S S | ''", "by the rule S -> S S, S derives itself"),
    ],
)
def test_grammars_of_no_use_are_refused_with_the_rule_named(text, message):
    with pytest.raises(ValueError, match=message.replace("|", r"\|").replace("(", r"\(")):
        Grammar(text)


def test_names_of_nonterminals_are_the_user_s():
    grammar = Grammar("END -> padding END | 'END'\npadding -> 'r0' | \"_T0\"", max_length=5)
    assert grammar.unparse(grammar.parse(["r0_T0END"])).tolist() == ["r0_T0END"]
    logits = np.random.default_rng(0).standard_normal((30, *grammar.shape))
    assert grammar.accepts(grammar.unparse(grammar.decode(logits))).all()


def test_parameters_are_checked():
    with pytest.raises(ValueError, match=r"text=3 must be a str"):
        Grammar(3)
    with pytest.raises(ValueError, match="start='X' is no left side"):
        Grammar("S -> 'a'", start="X")
    with pytest.raises(ValueError, match="max_length=0 must be"):
        Grammar("S -> 'a'", max_length=0)
    with pytest.raises(ValueError, match="shortest string of S takes 3 rules. Set max_length to 3"):
        Grammar("S -> A A\nA -> 'a'", max_length=2)


def test_a_start_that_is_given_leaves_out_what_it_does_not_reach():
    digits = Grammar(str(JSON), start="digits")
    assert digits.nonterminals == ("digits", "digit")
    assert digits.accepts(["190", "true"]).tolist() == [True, False]


def test_rules_that_are_far_beyond_the_budget_cost_nothing():
    """The least number of rules doubles with every line: more than an int64 holds."""
    lines = [f"A{i} -> A{i + 1} A{i + 1}" for i in range(80)]
    grammar = Grammar("S -> 'a' | A0\n" + "\n".join(lines) + "\nA80 -> 'b'", max_length=6)
    logits = np.random.default_rng(0).standard_normal((20, *grammar.shape))
    assert set(grammar.unparse(grammar.decode(logits))) == {"a"}
    assert not grammar.valid(grammar.decode(logits, budget=False)).all()


def test_the_empty_language_s_neighbours():
    only = Grammar("S -> ''")
    assert only.parse([""])[0, 0] == 0 and only.unparse([[0, 1]]).tolist() == [""]
    assert only.valid([[0, 1], [1, 1]]).tolist() == [True, False]
    assert only.accepts(["", "a"]).tolist() == [True, False]
    assert only.parse([]).shape == (0, 15)


def test_grammars_are_values():
    other = Grammar(str(EXPRESSIONS), max_length=15)
    longer = Grammar(str(EXPRESSIONS), max_length=16)
    assert other == EXPRESSIONS and hash(other) == hash(EXPRESSIONS)
    assert longer != EXPRESSIONS and EXPRESSIONS != "S"
    for same in (
        pickle.loads(pickle.dumps(EXPRESSIONS)),
        copy.deepcopy(EXPRESSIONS),
        eval(repr(EXPRESSIONS), {"Grammar": Grammar}),
    ):
        assert same == EXPRESSIONS
        assert same.unparse(same.parse(["x/3"])).tolist() == ["x/3"]


# ----------------------------------------------------------------------------------- expressions
def test_the_benchmark_s_expressions_are_the_published_ones():
    strings, left_out = make_expressions(return_left_out=True)
    assert strings.shape == (100_000,) and left_out.shape == (22_880,)
    assert len({*strings, *left_out}) == 122_880
    # SHA-256 of the published file's lines, without spaces, sorted
    checksum = hashlib.sha256("\n".join(sorted(strings)).encode()).hexdigest()
    assert checksum == "f72dda458a7a6ce08793c37f69c8225574ef2daa31b95df11875acf24f7291a8"
    np.testing.assert_array_equal(make_expressions(), strings)
    assert "1/3+(x)+sin(x*x)" in strings  # the optimum of the paper's search


def test_expressions_are_of_the_grammar_and_in_its_order():
    strings, left_out = make_expressions(return_left_out=True)
    some = np.concatenate([strings[::500], left_out[::500]])
    rules = EXPRESSIONS.parse(some)
    assert EXPRESSIONS.unparse(rules).tolist() == some.tolist()
    lengths = (rules < EXPRESSIONS.n_rules).sum(axis=1)
    assert lengths.max() == 14
    parts = {re.split(r"\+(?![^(]*\))", s)[-1] for s in left_out}
    assert parts <= {re.split(r"\+(?![^(]*\))", s)[-1] for s in strings}


def test_ambiguous_strings_do_not_take_exponential_time():
    grammar = Grammar("S -> S S | 'a'", max_length=49)  # 25 letters: 10^12 derivations
    rules = grammar.parse(["a" * 25])
    assert rules[0, :3].tolist() == [0, 0, 0] and grammar.valid(rules).all()


def test_only_ends_of_lines_end_lines():
    grammar = Grammar("S -> '\u2028' T\r\nT -> '\x0c' | '\x85'", max_length=2)
    assert grammar.accepts(["\u2028\x0c", "\u2028\x85", "\u2028"]).tolist() == [True, True, False]


@pytest.mark.parametrize("strings", [np.array("12"), pd.DataFrame({"x": ["1"]})])
def test_neither_characters_nor_columns_are_taken_for_strings(strings):
    with pytest.raises(ValueError, match="must be a list or array of str"):
        EXPRESSIONS.parse(strings)
