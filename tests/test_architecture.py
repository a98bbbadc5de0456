"""The house rules that a machine can hold."""

import ast
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import geomgen

ROOT = Path(geomgen.__file__).parent
MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(geomgen.__path__, "geomgen.")
    if not info.name.endswith("__main__")
)

METRICS = (  # of rows alone
    "_checks _encode _features _intervals _pairs _rarity _registry _tables _verdicts "
    "columns comparison diversity energy frechet membership memorisation mmd neighbours "
    "rare rare_report spectrum two_sample utility wasserstein"
).split()
JUDGES = "_bench _draws compare evaluate scorers scoring".split()  # of generators
TRAINING = "_acceleration _structure _extra_terms _images _batches _training _adversarial".split()

# Each layer may import those before it, and itself.
LAYERS = [
    [
        "_fields",
        "_atomic",
        "_versions",
        "_random",
        "_device",
        "_frames",
        "_history",
        "_reservoir",
        "_callbacks",
    ],
    ["_draw", "_rejection"],
    ["distributions", "manifolds", "losses", "datasets"],
    [*(f"metrics.{name}" for name in METRICS), "nn"],
    TRAINING,
    ["samplers"],
    ["_output", "_parameters", "_trainable", "_generating"],
    ["pipeline"],
    [*(f"metrics.{name}" for name in JUDGES), "metrics"],
    ["base"],
    ["calibration", "models"],
    ["tabular"],
    ["diagnostics", "files"],
    ["sequence"],
    ["reporting"],
    ["_io"],
    ["_problems", "demo", "utils", "cli"],
]


def layer(module):
    name = module.removeprefix("geomgen.")
    for level, names in enumerate(LAYERS):
        if any(name == n or (n != "metrics" and name.startswith(n + ".")) for n in names):
            return level
    return None


def imports(module):
    spec = pkgutil.resolve_name(module)
    tree = ast.parse(Path(spec.__file__).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module):
    here = layer(module)
    assert here is not None, f"{module} has no layer: give it one in LAYERS"
    for imported in imports(module):
        if imported.startswith("geomgen."):
            assert layer(imported) <= here, f"{module} imports {imported}, of a later layer"


@pytest.mark.parametrize("module", MODULES)
def test_skorch_is_imported_by_the_training_alone(module):
    if module.split(".")[-1] not in ("_training", "_callbacks"):
        assert not any(name.partition(".")[0] == "skorch" for name in imports(module))


@pytest.mark.parametrize("layer_name", ["losses", "distributions", "manifolds", "nn"])
def test_the_mathematics_is_torch_alone(layer_name):
    for module in MODULES:
        if module.startswith(f"geomgen.{layer_name}"):
            roots = {name.partition(".")[0] for name in imports(module)}
            assert not roots & {"numpy", "sklearn", "pandas", "skorch"}, module


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_declared_documented_and_shown(module):
    loaded = pkgutil.resolve_name(module)
    for name in getattr(loaded, "__all__", []):
        member = getattr(loaded, name)
        if not (inspect.isclass(member) or inspect.isfunction(member)):
            continue
        assert inspect.getdoc(member), f"{module}.{name} has no docstring"
        public = not any(part.startswith("_") for part in module.split("."))
        if public and inspect.isfunction(member) and module not in ("geomgen.demo", "geomgen.cli"):
            assert ">>>" in member.__doc__, f"{module}.{name} has no example"


def test_importing_changes_nothing_outside():
    """No download, no output, no seed, no matplotlib backend, in a fresh interpreter."""
    code = (
        "import sys, numpy, torch, warnings; warnings.simplefilter('error');"
        "a, b = torch.get_rng_state(), numpy.random.get_state()[1];"
        "t = torch.get_num_threads(); import geomgen;"
        "assert torch.equal(a, torch.get_rng_state());"
        "assert (b == numpy.random.get_state()[1]).all();"
        "assert t == torch.get_num_threads();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_files_stay_short():
    long = {p.name: n for p in ROOT.rglob("*.py") if (n := len(p.read_text().splitlines())) > 300}
    assert not long
