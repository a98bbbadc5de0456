"""Parameters declared once."""

import inspect
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone

from geomgen._fields import (
    Count,
    Fraction,
    Interval,
    NonNegative,
    Positive,
    check_fields,
    estimator,
    fixing,
)

from .helpers import ESTIMATORS, SAMPLERS, name


@estimator
class Parent(BaseEstimator):
    """A parent.

    Notes
    -----
    Something.
    """

    count: Annotated[Count, "How many."] = 1
    rate: Annotated[Fraction | None, "A share."] = None
    mode: Annotated[Literal["a", "b"], "One of two."] = "a"
    shared: ClassVar[int] = 3


@estimator
class Child(Parent):
    """A child."""

    mode: Annotated[Literal["a", "b", "c"], "One of three."] = "c"
    lam: Annotated[NonNegative, "A weight."] = 0.5
    widths: Annotated[tuple[Count, ...], "Widths."] = (2,)
    anything: Annotated[Any, "Anything."] = None
    flag: bool = False


@estimator
@fixing("mode", "flag", count=7)
class Fixed(Child):
    """A child with fewer parameters."""

    lam: Annotated[NonNegative, "Another weight."] = 2.0


@estimator
class Grandchild(Fixed):
    """A child of that, which has one of them back."""

    mode: Annotated[Literal["a", "b"], "One of two again."] = "a"


def test_constructor_is_keyword_only_and_inherits():
    parameters = inspect.signature(Child).parameters
    assert list(parameters) == ["count", "rate", "mode", "lam", "widths", "anything", "flag"]
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())
    assert Child().get_params()["mode"] == "c" and clone(Child(lam=2)).lam == 2
    assert repr(Child(lam=2)) == "Child(lam=2)"
    with pytest.raises(TypeError):
        Child(1)


def test_documentation_comes_from_the_fields():
    assert Parent.__doc__.index("count : int in [1, inf), default=1\n    How many.") < (
        Parent.__doc__.index("Notes\n-----")
    )
    assert "mode : one of 'a', 'b', 'c', default='c'\n    One of three." in Child.__doc__
    assert "count : int" in Child.__doc__ and "shared" not in Child.__doc__


def test_fixed_fields_are_no_parameters():
    assert list(inspect.signature(Fixed).parameters) == ["rate", "lam", "widths", "anything"]
    model = Fixed(lam=3)
    assert (model.count, model.mode, model.flag) == (7, "c", False)
    assert sorted(model.get_params()) == ["anything", "lam", "rate", "widths"]
    assert repr(clone(model)) == "Fixed(lam=3)" and "count" not in vars(model)
    for gone in ("count", "mode", "flag"):
        assert f"\n{gone} : " not in Fixed.__doc__
        with pytest.raises(TypeError, match=gone):
            Fixed(**{gone: getattr(model, gone)})
        with pytest.raises(ValueError, match=gone):
            model.set_params(**{gone: getattr(model, gone)})
    assert "lam : float in [0, inf), default=2.0\n    Another weight." in Fixed.__doc__


def test_fixed_fields_are_not_checked_and_the_parent_keeps_them():
    @estimator
    @fixing(lam=-1.0)  # a value that the parent would refuse
    class Odd(Child):
        """No field of its own."""

    check_fields(Odd())
    assert Odd().lam == -1 and Child().lam == 0.5 and "count" in Child().get_params()
    with pytest.raises(ValueError, match="lam"):
        check_fields(Child(lam=-1.0))


def test_children_of_a_fixed_class():
    assert list(inspect.signature(Grandchild).parameters) == [
        *("rate", "mode", "lam", "widths", "anything")
    ]
    assert Grandchild(mode="b").mode == "b" and Grandchild().count == 7
    with pytest.raises(ValueError, match="'mode'"):
        check_fields(Grandchild(mode="c"))


def test_fixing_a_field_of_any_base():
    @estimator
    class Other:
        """Beside the parents."""

        other: Annotated[Count, "Another."] = 1

    @estimator
    @fixing("other", "lam")
    class Both(Other, Child):
        """Fields of two bases, some of them fixed."""

    assert "other" not in inspect.signature(Both).parameters
    assert list(inspect.signature(Both).parameters) == [
        *("count", "rate", "mode", "widths", "anything", "flag")
    ]


def test_fixing_what_is_no_field():
    with pytest.raises(TypeError, match=r"Child inherits no field \['cuont', 'shared'\]"):
        fixing("cuont", shared=4)(type("Child", (Parent,), {}))
    with pytest.raises(TypeError, match="under @estimator"):
        fixing(count=2)(Parent)


@pytest.mark.parametrize(
    "good",
    [
        {"count": np.int64(3)},
        {"rate": 0.5, "lam": np.float32(0.0), "widths": [1, 2]},
        {"widths": np.array([3, 4])},
        {"widths": (), "anything": object, "flag": np.True_},
    ],
)
def test_accepted(good):
    check_fields(Child(**good))


@pytest.mark.parametrize(
    "bad,error,message",
    [
        ({"count": 0}, ValueError, r"'count' parameter of Child must be int in \[1, inf\). Got 0"),
        ({"count": True}, TypeError, "'count'"),
        ({"count": 2.0}, TypeError, "'count'"),
        ({"rate": 1.0}, ValueError, r"float in \(0, 1\) or None"),
        ({"mode": "z"}, ValueError, "one of 'a', 'b', 'c'. Got 'z'"),
        ({"mode": 1}, TypeError, "'mode'"),
        ({"lam": -1e-9}, ValueError, "'lam'"),
        ({"lam": np.nan}, ValueError, "'lam'"),
        ({"lam": np.inf}, ValueError, "'lam'"),
        ({"lam": "1"}, ValueError, "'lam'"),
        ({"widths": (2, 0)}, ValueError, r"a sequence of int in \[1, inf\)"),
        ({"widths": 2}, TypeError, "'widths'"),
        ({"flag": 1}, TypeError, "'flag'"),
    ],
)
def test_refused(bad, error, message):
    with pytest.raises(error, match=message):
        check_fields(Child(**bad))


def test_intervals():
    assert 0 in Interval(0) and 0 not in Interval(0, include_low=False)
    assert 1 in Interval(0, 1) and 1 not in Interval(0, 1, include_high=False)
    assert str(Interval(0, 1)) == "[0, 1]" and str(Interval(0, include_low=False)) == "(0, inf)"
    assert Positive.__metadata__ and np.inf not in Interval(0)


@pytest.mark.parametrize("cls", [*ESTIMATORS, *SAMPLERS], ids=name)
def test_every_parameter_is_documented(cls):
    doc = inspect.getdoc(cls)
    for parameter in inspect.signature(cls).parameters:
        head, _, body = doc.partition(f"\n{parameter} : ")
        assert body.splitlines()[1].startswith("    "), parameter
        assert len(body.splitlines()[1].strip()) > 10, parameter
