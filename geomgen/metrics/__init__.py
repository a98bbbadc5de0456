"""Metrics: arrays or frames in, numbers out; scorers, tables and comparisons built on them."""

from geomgen.metrics.columns import association, column_distances, correlation_error
from geomgen.metrics.compare import compare
from geomgen.metrics.comparison import Comparison
from geomgen.metrics.diversity import SampleDiversity, sample_diversity
from geomgen.metrics.energy import (
    EnergyFloor,
    EnergyTest,
    energy_distance,
    energy_floor,
    energy_test,
)
from geomgen.metrics.evaluate import evaluate
from geomgen.metrics.frechet import (
    frechet_distance,
    frechet_distance_from_moments,
    inception_features,
)
from geomgen.metrics.membership import MembershipInference, membership_inference
from geomgen.metrics.memorisation import Memorisation, memorisation
from geomgen.metrics.mmd import kernel_mmd
from geomgen.metrics.neighbours import (
    PRDC,
    expected_coverage,
    precision_recall_density_coverage,
)
from geomgen.metrics.rare import (
    is_rare,
    judge_lift,
    lift_interval,
    neighbour_judge,
    rare_mode_lift,
    rare_mode_rate,
    rare_recall,
)
from geomgen.metrics.rare_report import RareModeReport, rare_mode_report
from geomgen.metrics.scorers import (
    EffectiveRankScorer,
    MemorisationScorer,
    MetricScorer,
    RareModeLiftScorer,
    Scorer,
    TrainOnSyntheticScorer,
)
from geomgen.metrics.scoring import (
    GenerativeScorer,
    effective_rank_scorer,
    energy_distance_scorer,
    get_scorer,
    get_scorer_names,
    rare_mode_lift_scorer,
)
from geomgen.metrics.spectrum import Spectrum, effective_rank, spectrum
from geomgen.metrics.two_sample import ClassifierTest, classifier_two_sample_test
from geomgen.metrics.utility import TrainOnSynthetic, train_on_synthetic
from geomgen.metrics.wasserstein import sliced_wasserstein

__all__ = [
    "PRDC",
    "ClassifierTest",
    "Comparison",
    "EffectiveRankScorer",
    "EnergyFloor",
    "EnergyTest",
    "GenerativeScorer",
    "MembershipInference",
    "Memorisation",
    "MemorisationScorer",
    "MetricScorer",
    "RareModeLiftScorer",
    "RareModeReport",
    "SampleDiversity",
    "Scorer",
    "Spectrum",
    "TrainOnSynthetic",
    "TrainOnSyntheticScorer",
    "association",
    "classifier_two_sample_test",
    "column_distances",
    "compare",
    "correlation_error",
    "effective_rank",
    "effective_rank_scorer",
    "energy_distance",
    "energy_distance_scorer",
    "energy_floor",
    "energy_test",
    "evaluate",
    "expected_coverage",
    "frechet_distance",
    "frechet_distance_from_moments",
    "get_scorer",
    "get_scorer_names",
    "inception_features",
    "is_rare",
    "judge_lift",
    "kernel_mmd",
    "lift_interval",
    "membership_inference",
    "memorisation",
    "neighbour_judge",
    "precision_recall_density_coverage",
    "rare_mode_lift",
    "rare_mode_lift_scorer",
    "rare_mode_rate",
    "rare_mode_report",
    "rare_recall",
    "sample_diversity",
    "sliced_wasserstein",
    "spectrum",
    "train_on_synthetic",
]
