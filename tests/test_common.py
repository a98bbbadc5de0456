"""scikit-learn's own checks, for every estimator and every sampler, by discovery."""

import pytest
import sklearn.utils.estimator_checks as checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from .helpers import ESTIMATORS, SAMPLERS, name, quick, small

VARIANTS = [
    *(small(cls) for cls in ESTIMATORS),
    *(small(cls, dtype="auto", norm="batch") for cls in ESTIMATORS),
    *(small(cls, early_stopping=True, n_components=3, norm="layer") for cls in ESTIMATORS),
]

# Public checks that scikit-learn's runner does not yield for third-party estimators.
NOT_YIELDED = [
    "check_dataframe_column_names_consistency",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_inplace_ensure_writeable",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
]


@parametrize_with_checks(VARIANTS)
def test_estimator(estimator, check):
    check(estimator)


@parametrize_with_checks([quick(cls) for cls in SAMPLERS])
def test_sampler(estimator, check):
    check(estimator)


# These checks transform arrays with estimators fitted on frames, and frames after arrays.
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names:UserWarning")
@pytest.mark.parametrize("check", NOT_YIELDED)
@pytest.mark.parametrize("cls", ESTIMATORS, ids=name)
def test_not_yielded(cls, check):
    getattr(checks, check)(cls.__name__, small(cls))


@pytest.mark.parametrize("cls", SAMPLERS, ids=name)
def test_sampler_column_names(cls):
    checks.check_dataframe_column_names_consistency(cls.__name__, quick(cls))


@pytest.mark.parametrize("cls", [*ESTIMATORS, *SAMPLERS], ids=name)
def test_default_constructible(cls):
    checks.check_parameters_default_constructible(cls.__name__, cls())
