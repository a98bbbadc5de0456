"""The report's sections, each from what was measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from geomgen._versions import versions
from geomgen.diagnostics import collapse, directional_spectrum, encoder_decoder_consistency
from geomgen.diagnostics._base import open_fitted
from geomgen.diagnostics.displays import HistoryDisplay, LatentDisplay, SpectrumDisplay
from geomgen.metrics import association, column_distances
from geomgen.metrics._pairs import nearest
from geomgen.metrics._tables import as_tables
from geomgen.reporting import _figures as figures
from geomgen.reporting import _html as html
from geomgen.reporting._measured import Measured

__all__ = ["sections"]

_MOST_SHOWN = 12  # columns in pictures, the worst first
_MOST_LISTED = 50  # columns in tables
_MOST_MAPPED = 30  # columns in maps of associations
_MOST_CODES = 2000  # rows that diagnostics look at
_MOST_ROWS = 5000  # held-out rows in a picture of distances

_FOR_LABELS = " Rows were drawn for labels, which come at their rates among the rows trained on."

Section = tuple[str, str, list[str]]


def sections(found: Measured) -> list[Section]:
    """All sections in their order: title, anchor, parts; empty ones are left out."""
    return [
        ("Summary", "summary", _summary(found)),
        ("Figures beside their floors", "figures", _metrics(found)),
        ("Columns", "columns", _columns(found)),
        ("Rare class", "rare", _rare(found)),
        ("Memorisation and privacy", "privacy", _privacy(found)),
        ("Usefulness", "usefulness", _usefulness(found)),
        ("Codes", "codes", _codes(found)),
        ("What was run", "run", _run(found)),
    ]


def _summary(found: Measured) -> list[str]:
    n, m, p = len(found.bench.X_train), len(found.bench.X_test), found.bench.X_train.shape[1]
    return [
        html.paragraph(
            f"{len(found.drawn)} generated rows, judged against {n} rows that the generator was "
            f"fitted to and {m} that it has not seen, of {p} columns."
        ),
        html.verdicts(found.verdicts),
        html.note(
            "Good: as fresh real rows are, as far as so many rows can tell. Poor: within twice "
            "the floor, or leaning to one side. Bad: the rest. Of ten such questions, a perfect "
            "generator fails one now and then."
        ),
    ]


def _metrics(found: Measured) -> list[str]:
    return [
        html.note(
            "'low' and 'high' are a 95 % interval, where there is one. 'real' is what real rows "
            "get in place of the generated ones, the floor of a distance and the control of a "
            "rate; 'real_sd' is its spread. A verdict allows for the spread 95 % of the time: of "
            "many, some stray by chance."
        ),
        html.note(
            "Precision and density say whether generated rows lie where real ones do, recall and "
            "coverage whether they reach all of them, preference how many are nearest to a row "
            "that was trained on."
        ),
        html.table(found.metrics),
    ]


def _columns(found: Measured) -> list[str]:
    real, drawn = as_tables(X_test=found.bench.X_test, X_generated=found.drawn)
    columns = column_distances(found.bench.X_test, found.drawn)
    worst = columns.sort_values("distance", ascending=False)
    parts = [
        html.figure(
            figures.marginals(real, drawn, [*worst.index[:_MOST_SHOWN]]),
            f"Columns, those that differ most first ({min(len(worst), _MOST_SHOWN)} of "
            f"{len(worst)}): held-out rows and generated ones. The end bars of a histogram hold "
            "what lies beyond the real range.",
        )
    ]
    if len(worst) > 1:
        parts.append(_associations(real, drawn))
    listed = worst.head(_MOST_LISTED)
    listed = listed.set_axis(listed.index.to_flat_index().rename("column"))
    if len(worst) > len(listed):
        parts.append(html.note(f"The {len(listed)} columns of {len(worst)} that differ most:"))
    return [*parts, html.table(listed)]


def _associations(real: pd.DataFrame, drawn: pd.DataFrame) -> str:
    pair = [association(table) for table in (real, drawn)]
    apart = (pair[1] - pair[0]).abs().sum().sort_values(ascending=False)
    shown = [c for c in real.columns if c in set(apart.index[:_MOST_MAPPED])]
    pair = [values.loc[shown, shown] for values in pair]
    return html.figure(
        figures.associations(*pair),
        f"How columns go together ({len(shown)} of {len(apart)}): rank correlations of numbers, "
        "correlation ratios of numbers and categories, Cramér's V of categories.",
    )


def _rare(found: Measured) -> list[str]:
    if found.bench.labels is None:
        return []
    metrics, rate = found.metrics, found.bench.rate
    lines = metrics.loc[["rare_mode_lift", "corrected_rare_mode_lift"]]
    lift = float(lines["value"].iloc[0])
    return [
        html.paragraph(
            f"The rare class is {found.bench.rare_label}, at a rate of {rate:.4g} among the rows "
            "trained on. A judge, which is trained on the real rows, says which generated rows "
            "belong to it." + (_FOR_LABELS if found.for_labels else "")
        ),
        html.figure(
            figures.lifts((rate, lift * rate), lines),
            "Calibration: the rate of the rare class, as the judge counts it, and its lift with "
            "95 % intervals. The corrected lift is free of the judge's errors, as far as they are "
            "known.",
        ),
        html.table(metrics.loc[[i for i in metrics.index if "rare" in i]]),
        html.note(
            "Recall is the share of real rare rows that a generated one reaches, beside what draws "
            "from the truth would reach; in support is the share of the rows counted rare that lie "
            "where the rare class is. A generator with another rate can be calibrated: "
            "RareModeCalibrator."
        ),
    ]


def _privacy(found: Measured) -> list[str]:
    attack, copies = found.attack, found.memorisation
    train, test, drawn = found.encoded
    to_train = {
        "generated": nearest(drawn, train)[0][:, 0],
        "held-out": nearest(test[:_MOST_ROWS], train)[0][:, 0],
    }
    attacked = pd.DataFrame(
        {"value": [attack.accuracy, attack.auc], "low": [attack.interval[0], np.nan],
         "high": [attack.interval[1], np.nan], "chance": [0.5, 0.5]},
        index=["accuracy", "auc"],
    )  # fmt: skip
    return [
        html.paragraph(copies.verdict),
        html.figure(
            figures.distances(to_train),
            "Distances to the nearest training row. Generated rows that are nearer than held-out "
            "ones crowd the training rows.",
        ),
        html.table(copies.to_frame()),
        html.paragraph(
            f"Membership inference: an attacker who sees the generated rows, and knows of some "
            f"rows whether they were trained on, tells {attack.accuracy:.1%} of {attack.n_rows} "
            f"others rightly (95 % interval {attack.interval[0]:.1%} to {attack.interval[1]:.1%}; "
            "50 % is chance)."
        ),
        html.table(attacked),
        html.note(
            "One attack, by distances: accuracy at chance does not prove that rows are private."
        ),
    ]


def _usefulness(found: Measured) -> list[str]:
    if "train_on_synthetic" not in found.metrics.index:
        why = "the rows have no labels: pass target= or y="
        if found.bench.labels is not None:
            why = (
                "generated rows have no labels: pass target=, a column of the rows, or fit a "
                "sampler with conditional=True and y"
            )
        return [html.note(f"No classifier was trained on generated rows, because {why}.")]
    return [
        html.paragraph(
            "A classifier is trained on generated rows and tested on real ones (value), beside one "
            "that is trained on real rows (real): balanced accuracy of gradient boosting."
        ),
        html.table(found.metrics.loc[["train_on_synthetic"]]),
    ]


def _codes(found: Measured) -> list[str]:
    fitted, rows = found.fitted, found.bench.X_test[:_MOST_CODES]
    try:
        model, _ = open_fitted(fitted, rows)
    except TypeError:  # a mixture, say, or rows
        return [html.note("This generator has no codes to look at.")]
    labels = None if found.bench.labels is None else found.bench.labels[1][: len(rows)]
    figure, axes = figures.empty(1, 2, 10, 3.6)
    LatentDisplay.from_estimator(fitted, rows, labels, random_state=found.seed, ax=axes[0])
    second, (pair,) = figures.empty(1, 2, 10, 3.2)
    SpectrumDisplay.from_estimator(fitted, rows, ax=pair[0])
    if len(model.history_) > 1:
        HistoryDisplay.from_estimator(model, ax=pair[1])
    else:
        pair[1].set_axis_off()
    consistency = encoder_decoder_consistency(fitted, rows, random_state=found.seed)
    return [
        html.paragraph(f"Use of the codes: {collapse(fitted, rows).summary}."),
        html.paragraph(f"Spectrum: {directional_spectrum(fitted, rows).summary}."),
        html.paragraph(f"Encoder and decoder: {consistency.summary}."),
        html.figure(figure, "Codes of held-out rows, and draws of the sampler."),
        html.figure(second, "Spectrum of the codes' directions; the training."),
    ]


def _run(found: Measured) -> list[str]:
    settings = pd.DataFrame({"value": {k: str(v) for k, v in found.settings.items()}})
    parts = [html.table(settings.rename_axis("setting"))]
    if isinstance(found.fitted, BaseEstimator):
        params = {k: repr(v) for k, v in found.fitted.get_params().items()}
        frame = pd.DataFrame({"value": params}).rename_axis("parameter of the generator")
        parts.append(html.table(frame))
    used = pd.DataFrame({"version": versions()}).rename_axis("library")
    return [*parts, html.table(used)]
