"""The catalogue: every row of both papers' tables, declared shortly and told apart."""

import ast
import statistics
from itertools import combinations
from pathlib import Path

import pytest

import geomgen
from geomgen.utils.discovery import all_estimators, model_table

from .helpers import ESTIMATORS, name

ROOT = Path(geomgen.__file__).parent
FILES = sorted(p for p in (ROOT / "models").glob("*.py") if p.name != "__init__.py")
DOCS = ROOT.parent / "docs"
PAGES = {"numeric": "models.md", "sequence": "sequences.md"}

ROWS = {  # of the tables, and of paper G's related work: the class that is meant
    "Standard AE": ("AE", {}),
    "AE (Sphere)": ("SphericalAE", {}),
    "Spectral Norm AE": ("SpectralNormAE", {}),
    "Contractive AE": ("ContractiveAE", {}),
    "GA-AE": ("GrassmannAE", {}),
    "VAE": ("VAEGenerator", {}),
    "beta-VAE": ("VAEGenerator", {"beta": 4.0}),
    "InfoVAE": ("InfoVAE", {}),
    "S-VAE": ("SphericalVAE", {}),
    "VAE-VampPrior": ("VampPriorVAE", {}),
    "VQ-VAE": ("VQVAE", {}),
    "HVAE": ("HamiltonianVAE", {}),
    "VAE-LinNF": ("FlowPosteriorVAE", {"flow": "planar"}),
    "VAE-IAF": ("FlowPosteriorVAE", {"flow": "iaf"}),
    "CV-VAE": ("ConstantVarianceVAE", {}),
    "2s-VAE": ("TwoStageVAE", {}),
    "WAE-MMD": ("WAE", {"discrepancy": "mmd"}),
    "AAE": ("AAE", {}),
    "RAE-L2": ("RAE", {"penalty": "l2"}),
    "RAE-GP": ("RAE", {"penalty": "gp"}),
    "RAE-SN": ("RAE", {"penalty": "sn"}),
    "IRMAE": ("IRMAE", {}),
    "GMM-DAE": ("GMMDAE", {}),
    "Geo-VAE": ("GeoVAE", {}),
    "LoRAE": ("LoRAE", {}),
    "LISA": ("LISAGenerator", {}),
    "Topological AE": ("TopologicalAE", {}),
    "Geometric AE": ("GeometricAE", {}),
    "Riemannian VAE": ("FlatVAE", {}),
    "Geometry-regularized AE": ("GeometryRegularizedAE", {}),
    "linear control": ("PCAGenerator", {}),
}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_a_class(row):
    class_name, params = ROWS[row]
    assert class_name in dict(all_estimators())
    assert getattr(geomgen, class_name)(**params).get_params().items() >= params.items()


@pytest.mark.parametrize("cls", ESTIMATORS, ids=name)
def test_every_model_says_where_it_comes_from(cls):
    for said in ("_paper", "_equation"):
        assert vars(cls).get(said), f"{cls.__name__} has no {said} of its own"


def code(path):
    """Lines of code of a file: no docstrings, comments, blanks or imports; and all but those."""
    text = path.read_text()
    lines, tree = text.splitlines(), ast.parse(text)
    imports = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports |= set(range(node.lineno, node.end_lineno + 1))
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and body:
            first = body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                for i in range(first.lineno, first.end_lineno + 1):
                    lines[i - 1] = ""
    kept = {i: line.strip() for i, line in enumerate(lines, 1)}
    kept = {i: line for i, line in kept.items() if line and not line.startswith("#")}
    return [line for i, line in kept.items() if i not in imports], len(kept)


def test_no_two_models_share_six_lines():
    blocks = {}
    for path in FILES:
        lines = code(path)[0]
        blocks[path.name] = {tuple(lines[i : i + 6]) for i in range(len(lines) - 5)}
    shared = {(a, b): blocks[a] & blocks[b] for a, b in combinations(blocks, 2)}
    assert not {pair: found for pair, found in shared.items() if found}


def test_models_are_short():
    sizes = {p.name: code(p)[1] for p in FILES if not p.name.startswith("_")}
    assert statistics.median(sizes.values()) <= 60, sizes


@pytest.mark.parametrize("kind", PAGES)
def test_the_documented_table_is_the_discovered_one(kind):
    page = (DOCS / PAGES[kind]).read_text()
    assert model_table(kind).to_markdown() in page, "run python docs/build.py"


def test_the_table():
    table = model_table()
    assert table.index.tolist() == [cls.__name__ for cls in ESTIMATORS]
    lisa = table.loc["LISAGenerator"]
    assert (lisa["latent space"], lisa["sampler"]) == ("sphere", "cells")
    assert table.loc["VAEGenerator", "posterior"] == "normal"
    assert table.notna().all(axis=None) and (table != "").all(axis=None)


def test_generators_of_tables_take_these_models():
    with pytest.raises(ValueError, match="its models are the numeric ones"):
        model_table("table")
