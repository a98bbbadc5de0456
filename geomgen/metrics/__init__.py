"""Metrics: arrays or frames in, numbers out; and scorers built on them."""

from geomgen.metrics.energy import energy_distance
from geomgen.metrics.rare import (
    is_rare,
    judge_lift,
    lift_interval,
    neighbour_judge,
    rare_mode_lift,
)
from geomgen.metrics.scorers import (
    EffectiveRankScorer,
    EnergyDistanceScorer,
    GenerativeScorer,
    RareModeLiftScorer,
    effective_rank_scorer,
    energy_distance_scorer,
    get_scorer,
    get_scorer_names,
    rare_mode_lift_scorer,
)
from geomgen.metrics.spectrum import effective_rank

__all__ = [
    "EffectiveRankScorer",
    "EnergyDistanceScorer",
    "GenerativeScorer",
    "RareModeLiftScorer",
    "effective_rank",
    "effective_rank_scorer",
    "energy_distance",
    "energy_distance_scorer",
    "get_scorer",
    "get_scorer_names",
    "is_rare",
    "judge_lift",
    "lift_interval",
    "neighbour_judge",
    "rare_mode_lift",
    "rare_mode_lift_scorer",
]
