"""The papers' figures as tables, the missing appendix D, kinds of nets, and work beyond both."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.quality import tables_g, tables_l
from benchmarks.quality._declare import Block, Column, Row, System, Table
from benchmarks.quality._pictures import ALPHAS
from benchmarks.quality._ring import EPOCHS

__all__ = ["TABLES"]

RING = tables_g.RADII[1]
PCA = Row("PCA, 2 components", System("PCAGenerator", {"n_components": 2}), control=True)


def by_epoch(figure: str, paper: str | None = None) -> tuple[Column, ...]:
    data = f"ring, radius {RING}"
    last = {EPOCHS[-1]: paper}
    return tuple(Column(f"{e}", f"{figure}_{e}", data, "epochs", last.get(e)) for e in EPOCHS)


def volume(label: str, metric: str, paper: str | None = None) -> Column:
    return Column(label, metric, f"ring, radius {RING}", "volumes", paper)


GF1 = Table(  # section 5.2, figure 1
    "GF1",
    "errors and distances during training",
    "paper G, Figure 1",
    (
        Block("Mean squared error after so many epochs", by_epoch("mse", "MSE")),
        Block("Energy distance of draws of N(0, I)", by_epoch("prior", "energy")),
        Block("Energy distance of draws by cells", by_epoch("cells")),
        Block(
            "Spread of log 2-volumes at the end, codes as they are",
            (
                volume("on the manifold", "on_std", "std on"),
                volume("off the manifold", "off_std", "std off"),
            ),
        ),
    ),
    (
        Row(
            "Standard AE",
            tables_g.AE,
            {"MSE": 0.190, "energy": 8.20, "std on": 0.12, "std off": 0.58},
        ),
        Row("GA-AE", tables_g.GA),
        Row("AE, our net", tables_g.WIDE),
        replace(PCA, why={"epochs": "there are no epochs"}),
    ),
    "Radius 4, followed for 50 epochs; the paper's figures are of its 200th.",
    pictures=("training.png",),
)

LAST = tuple(f"ring, radius {r}" for r in tables_g.RADII)
DIAGNOSTICS = (
    ("log 2-volume off the manifold", "off_mean_volume"),
    ("its spread", "off_std"),
    ("gap", "gap"),
    ("overlap", "overlap"),
    ("blade entropy", "entropy"),
)
COVERAGE = (("recall, N(0, I)", "recall"), ("energy, N(0, I)", "energy"))


def diagnosed(data: str) -> tuple[tuple[Column, ...], tuple[Column, ...]]:
    return (
        tuple(Column(label, metric, data, "volumes") for label, metric in DIAGNOSTICS),
        tuple(Column(label, metric, data, "prior") for label, metric in COVERAGE),
    )


CONFIGURATIONS = {
    row.label: row
    for table in (tables_g.G1, tables_g.G2, tables_g.G4)
    for row in table.rows
    if row.system.has_codes and row.label not in ("Reconstruction only", "+ Both (GA-AE)")
}
GF2 = Table(  # section 5.8, figure 2
    "GF2",
    "diagnostics against coverage",
    "paper G, Figure 2",
    tuple(
        Block(f"Radius {r}", sum(diagnosed(data), ()))
        for r, data in zip(tables_g.RADII, LAST, strict=True)
    ),
    tuple(replace(row, paper={}) for row in CONFIGURATIONS.values()),
    "The paper says that over its configurations recall rises with the off-manifold log 2-volume "
    "and falls with its spread; it prints no figure. Volumes are of codes as they are, the gap of "
    "standardised ones. Overlap (k = 1, along one latent direction for all codes, "
    "without the paper's stabiliser) and blade entropy are taken at codes of test rows; the "
    "paper's terms draw a direction for each code, ours do not. Where GA-AE's row and the AE's do "
    "not differ in them, the terms did not change the decoder.",
    (
        ("GA-AE", "Standard AE"),
        ("+ Grassmann spread", "Standard AE"),
        ("+ Blade entropy only", "Standard AE"),
    ),
    together=tuple(
        (first, second)
        for data in LAST
        for first in diagnosed(data)[0]
        for second in diagnosed(data)[1]
    ),
    pictures=("coverage.png",),
)

LF1 = Table(  # section 2.2, figure 1
    "LF1",
    "errors of rescaled codes on MNIST",
    "paper L, Figure 1",
    (
        Block(
            "Mean squared error of reconstructions from codes times α",
            tuple(Column(f"α = {a:g}", f"mse_{a:g}", "mnist", "rescaled codes") for a in ALPHAS),
        ),
    ),
    (
        Row("AE", System("AE")),
        Row("AE (Sphere)", tables_l.SPHERE),
        Row("LISA", tables_l.LISA),
        Row("VAE", System("VAEGenerator")),
        Row("RAE-L2", tables_l.RAE_L2),
        *tables_l.linear(16),
    ),
    "The paper has curves and no figures. A spherical model projects before it decodes, so that "
    "it is constant by construction.",
    pictures=("rescaled-codes.png",),
)

WEIGHTS, TEMPERATURES = (0.0, 0.0001, 0.001, 0.01, 0.1), (1.0, 2.0, 4.0)


def repelled(lam: float, t: float) -> Row:
    given = {name: v for name, v, own in (("lam", lam, 0.001), ("t", t, 2.0)) if v != own}
    return Row(f"λ = {lam:g}, t = {t:g}", System("LISAGenerator", given))


LD = Table(  # appendix D, which is not printed
    "LD",
    "sensitivity of λ and t on MNIST",
    "paper L, Appendix D (missing)",
    (
        Block(
            "Fréchet distance, directions, and accuracy of a logistic regression on codes",
            (
                *(Column(label, "frechet", "mnist", s) for label, s in tables_l.THREE),
                *(
                    Column(label, metric, "mnist")
                    for label, metric in (
                        ("reconstructions", "frechet"),
                        ("MSE", "mse"),
                        ("participation", "participation"),
                        ("accuracy", "logistic"),
                    )
                ),
            ),
        ),
    ),
    (
        *(repelled(lam, t) for lam in WEIGHTS for t in TEMPERATURES if lam or t == 2),
        *tables_l.linear(16),
    ),
    "λ multiplies the uniformity loss of a batch of 128, beside the mean squared error per pixel; "
    "without it, t has no meaning.",
    pictures=("sensitivity.png",),
)


def nets(data: str) -> tuple[Column, ...]:
    return (
        Column("reconstructions", "frechet", data),
        Column("MSE", "mse", data),
        Column("GMM-10", "frechet", data, "gmm"),
        Column("cells", "frechet", data, "cells"),
    )


NETS = Table(
    "NETS",
    "kinds of networks",
    "geomgen",
    (
        Block("MNIST, d = 16", nets("mnist")),
        Block("CIFAR-10, d = 128", nets("cifar10")),
        Block("Faces, d = 64", nets("faces")),
    ),
    (
        Row("AE, MLP, normalised", System("AE")),
        Row("AE, MLP", System("AE", {"norm": None})),
        Row("AE, conv, normalised", System("AE", architecture="conv")),
        Row("AE, conv", System("AE", {"norm": None}, "conv")),
        Row("AE, resnet", System("AE", {"norm": None}, "resnet")),
        Row("LISA, MLP, normalised", tables_l.LISA),
        Row("LISA, conv", tables_l.LISA_CONV),
        *tables_l.linear(16, 32, 64, 128),
    ),
    "Convolutions after Ghosh et al. (2020) with 32, 64 and 128 channels, as many epochs as the "
    "MLPs. Nets are normalised by batch where it says so.",
    (("AE, conv", "AE, MLP, normalised"), ("AE, conv", "AE, conv, normalised")),
    pictures=("sheet-nets-mnist.png",),
)

LONG = Table(
    "LONG",
    "colour pictures and faces, trained longer",
    "geomgen",
    (
        Block("CIFAR-10, d = 128", nets("cifar10, long")),
        Block("Faces, d = 64", nets("faces, long")),
    ),
    (
        Row("AE, conv", System("AE", {"norm": None}, "conv")),
        Row("LISA, MLP, normalised", tables_l.LISA),
        Row("LISA, conv", tables_l.LISA_CONV),
        *tables_l.linear(64, 128),
    ),
    "What so few epochs as L3's cost the deep models, which the linear ones do not need.",
    (("LISA, conv", "LISA, MLP, normalised"),),
    default=("LISA, conv", "cells"),
)

FEW = Table(
    "FEW",
    "two thousand digits",
    "geomgen",
    (
        Block(
            "Fréchet distance over the digit classifier's features",
            (
                *(Column(label, "frechet", "few", s) for label, s in tables_l.THREE),
                Column("local", "frechet", "few", "local"),
                Column("reconstructions", "frechet", "few"),
            ),
        ),
    ),
    (
        Row("AE", System("AE")),
        Row("AE (Sphere)", tables_l.SPHERE),
        Row("LISA", tables_l.LISA),
        Row("GA-AE, our terms", System("GrassmannAE")),
        Row("VAE", System("VAEGenerator")),
        Row("WAE", System("WAE")),
        Row("RAE-L2", tables_l.RAE_L2),
        Row("AE, conv, normalised", System("AE", architecture="conv")),
        Row("LISA, conv", tables_l.LISA_CONV),
        *tables_g.controls(100, (16, 32, 64), covariance_type="diag"),
    ),
    "As many steps of training as 10 000 rows get.",
    (("LISA", "AE"), ("GA-AE, our terms", "AE")),
    default=("LISA, conv", "cells"),
    pictures=("sheet-few-few.png",),
)


def rare(label: str, metric: str, names: dict[str, str]) -> Block:
    return Block(label, tuple(Column(n, metric, d, "ten draws") for n, d in names.items()))


RATES = {f"{r:g} %": f"digit, 9 at {r:g} %" for r in (0.5, 1, 2, 5)}
DIGITS = {f"{d}": f"digit, {d} at 2 %" for d in range(10)}
GENERATORS = (
    Row("LISA", tables_l.LISA),
    Row("VAE", System("VAEGenerator")),
    *tables_g.controls(100, (16,), covariance_type="diag"),
)
SAID = (
    "Corrected lift by the digit classifier, the mean of ten samples of 10 000 by the default "
    "sampler; nets have 16 codes."
)
LIFT = "Corrected lift (1 is right)"
RATE = Table(
    "RATES",
    "nines at four rates",
    "geomgen",
    (
        rare(LIFT, "lift_ten", RATES),
        rare("Fréchet distance to test digits at the rate", "frechet_ten", RATES),
    ),
    GENERATORS,
    SAID,
)
EVERY = Table(
    "DIGITS",
    "every digit as the rare one, at 2 %",
    "geomgen",
    (rare(LIFT, "lift_ten", DIGITS),),
    GENERATORS,
    SAID,
)
TABLES = (GF1, GF2, LF1, LD, NETS, LONG, FEW, RATE, EVERY)
