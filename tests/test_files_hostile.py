"""Files that are damaged or made up: refused, and nothing of them is run."""

import copy
import hashlib
import json
import os
import pickle
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import geomgen
from geomgen import ModelFileError, load, save
from geomgen.files import _container
from geomgen.files._container import pack, unpack
from geomgen.samplers import FlowSampler

from .helpers import quick, small

X, Y = load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    pipe = make_pipeline(StandardScaler(), small(geomgen.VAEGenerator)).fit(X)
    return save(pipe, tmp_path_factory.mktemp("files") / "model").read_bytes()


@pytest.fixture
def loaded(tmp_path):
    def from_bytes(content):
        path = tmp_path / "made-up"
        path.write_bytes(content)
        return load(path)

    return from_bytes


@pytest.fixture
def document(content):
    return unpack(content, "file")


# ---------------------------------------------------------------------------------------- damage
def test_truncations(content, loaded):
    rng = np.random.RandomState(0)
    for length in [*range(64), *rng.randint(len(content), size=800)]:
        with pytest.raises(ModelFileError):
            loaded(content[:length])
    with pytest.raises(ModelFileError, match="altered"):
        loaded(content + b"\0")


def test_bit_flips(content, loaded):
    rng = np.random.RandomState(1)
    header = int.from_bytes(content[:8], "little")
    bits = [*range(64), *rng.randint(64, 8 * header, size=500)]
    for bit in [*bits, *rng.randint(8 * len(content), size=600)]:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(ModelFileError):
            loaded(bytes(flipped))


def test_edited_headers(content, loaded):
    """Edits that nobody sealed anew."""
    rng = np.random.RandomState(2)
    size = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + size].rstrip()
    for _ in range(300):
        start, length = rng.randint(len(header)), rng.randint(20)
        new = header[:start] + rng.bytes(rng.randint(20)) + header[start + length :]
        edited = len(new).to_bytes(8, "little") + new + content[8 + size :]
        if new != header:
            with pytest.raises(ModelFileError):
                loaded(edited)


def places(tree, path=()):
    """Every place of a tree."""
    yield path
    if isinstance(tree, dict | list):
        for key, child in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places(child, (*path, key))


WRONG = [None, -1, 10**12, 1e308, "x", "builtins.eval", [], {}, {"is": "ref", "of": 0}, [[[]]],
         {"is": "class", "name": "os.system", "id": 0}, "t0", True]  # fmt: skip


def test_documents_made_up_and_sealed(document, loaded):
    """Whoever makes a file can seal it: what is in it must be harmless, or be refused."""
    rng = np.random.RandomState(3)
    tree, tensors = document
    every = [path for path in places(tree["model"]) if path]
    for _ in range(300):
        made = copy.deepcopy(tree)
        at = made["model"]
        *steps, last = every[rng.randint(len(every))]
        for step in steps:
            at = at[step]
        if rng.rand() < 0.3 and isinstance(at, dict):
            del at[last]
        else:
            at[last] = WRONG[rng.randint(len(WRONG))]
        try:
            loaded(pack(made, tensors))
        except ModelFileError:
            continue


def test_tensors_swapped_and_sealed(document, loaded):
    rng = np.random.RandomState(4)
    tree, tensors = document
    names = [*tensors]
    for _ in range(100):
        one, two = rng.choice(names, 2)
        try:
            loaded(pack(tree, {**tensors, one: tensors[two], two: tensors[one]}))
        except ModelFileError:
            continue


# ---------------------------------------------------------------------------------- nothing is run
class Bomb:
    def __reduce__(self):
        return os.system, ("touch bomb",)


@pytest.fixture
def quiet(tmp_path, monkeypatch):
    """Check that no bomb went off."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pickle, "loads", None)
    monkeypatch.setattr(pickle, "load", None)
    monkeypatch.setattr(pickle, "Unpickler", None)
    yield
    assert not (tmp_path / "bomb").exists()


def test_a_pickle_is_no_file(quiet, loaded, tmp_path):
    for protocol in range(6):
        with pytest.raises(ModelFileError, match="not a geomgen file"):
            loaded(pickle.dumps(Bomb(), protocol))
    torch.save({"x": 1}, tmp_path / "torch")
    np.save(tmp_path / "numpy.npy", np.array([Bomb()], dtype=object))
    for name in ("torch", "numpy.npy"):
        with pytest.raises(ModelFileError):
            load(tmp_path / name)


def test_loading_never_unpickles(quiet, content, loaded):
    assert geomgen.sample(loaded(content), 3, random_state=0).shape == (3, 4)


def test_a_pickle_in_an_array_is_bytes(quiet, document, loaded):
    tree, tensors = document
    bomb = np.frombuffer(pickle.dumps(np.array([Bomb()], dtype=object)), np.uint8)
    bomb = bomb[: len(bomb) // 8 * 8]
    for dtype in ("|O", "object", "O", "O,i4", "V8"):
        node = {"is": "array", "id": 1, "order": "C", "dtype": dtype, "shape": [-1], "tensor": "b"}
        made = copy.deepcopy(tree)
        made["model"]["state"]["steps"] = node
        try:
            read = loaded(pack(made, {**tensors, "b": bomb})).steps
        except ModelFileError:
            continue
        assert read.dtype == "V8"  # bytes


NAMES = [
    "os.system", "posix.system", "builtins.eval", "builtins.exec", "builtins.getattr",
    "subprocess.Popen", "pickle.Unpickler", "_pickle.Unpickler", "sklearn.conftest.x",
    "sklearn.utils._bunch.Bunch", "sklearn.utils.os", "geomgen.files.os", "geomgen.base.np",
    "geomgen.files._graph.Reader", "geomgen.cli.main", "geomgen.__main__.main", "antigravity.x",
    "torch.serialization.load", "torch.load", "torch.hub.load", "torch.nn.modules.module.torch",
    "torch.utils.data.DataLoader", "numpy.load", "numpy.lib.npyio.NpzFile", "numpy.memmap",
    "joblib.memory.Memory", "skorch.net.NeuralNet", "geomgen._training.Net", "", "x", None, 3,
    "geomgen.models.ae.AE.fit", "sklearn.preprocessing..StandardScaler",
    "functools.partial", "importlib.import_module", "numpy.f2py.compile",
]  # fmt: skip


@pytest.mark.parametrize("is_kind", ["object", "layer", "named tuple", "class", "function"])
def test_names_that_are_not_known(is_kind, quiet, document, loaded):
    tree, tensors = document
    for given in NAMES:
        if is_kind == "class" and given == "geomgen._training.Net":
            continue  # a name; no object of it can be made
        node = {"is": is_kind, "id": 9999, "class": given, "name": given, "state": {}, "items": []}
        made = copy.deepcopy(tree)
        made["model"]["state"]["memory"] = node | {"training": False}
        with pytest.raises(ModelFileError):
            loaded(pack(made, tensors))


def test_methods_cannot_be_replaced(document, loaded):
    tree, tensors = document
    for name in ("predict", "fit", "__getstate__"):
        made = copy.deepcopy(tree)
        made["model"]["state"][name] = {"is": "class", "id": 9999, "name": "builtins.int"}
        with pytest.raises(ModelFileError, match="replaces"):
            loaded(pack(made, tensors))


def test_a_cache_of_pickles_cannot_be_set(document, loaded):
    tree, tensors = document
    tree["model"]["state"]["memory"] = "somewhere"
    with pytest.raises(ModelFileError, match="memory='somewhere'"):
        loaded(pack(tree, tensors))


def test_trees_that_lead_nowhere(tmp_path, loaded):
    """Compiled code follows branches unchecked."""
    path = save(ExtraTreesClassifier(1, random_state=0).fit(X, Y), tmp_path / "trees")
    tree, tensors = unpack(path.read_bytes(), "file")
    text = json.dumps(tree)
    node = json.JSONDecoder().raw_decode(text, text.index('{"is": "decisions"'))[0]
    for column, value in [("left_child", 10**6), ("right_child", 0), ("feature", 77)]:
        name = node["nodes"][column]["tensor"]
        wrong = tensors[name].copy()
        wrong[0] = value
        with pytest.raises(ModelFileError, match="a tree (has branches|asks for columns)"):
            loaded(pack(tree, {**tensors, name: wrong}))
    made = json.loads(text.replace(f'"shape": {node["shape"]}', '"shape": [4, 99]'))
    with pytest.raises(ModelFileError, match="outputs"):
        loaded(pack(made, tensors))
    node["shape"][0] = 99  # more than the rows have that it is given
    at = text.index('{"is": "decisions"')
    end = json.JSONDecoder().raw_decode(text, at)[1]
    with pytest.raises(ModelFileError, match="not the columns"):
        loaded(pack(json.loads(text[:at] + json.dumps(node) + text[end:]), tensors))
    assert load(path).predict(X).shape == (150,)


def test_the_depth_of_a_tree_is_counted(tmp_path, loaded):
    """Compiled code makes room for paths by the depth, and writes beyond it."""
    forest = ExtraTreesClassifier(3, random_state=0).fit(X, Y)
    tree, tensors = unpack(save(forest, tmp_path / "trees").read_bytes(), "file")
    text = json.dumps(tree)
    depth = forest.estimators_[0].tree_.max_depth
    made = loaded(
        pack(json.loads(text.replace(f'"max_depth": {depth},', '"max_depth": 0,')), tensors)
    )
    depths = [[e.tree_.max_depth for e in f.estimators_] for f in (made, forest)]
    assert depths[0] == depths[1]


def test_a_random_state_beyond_its_end(tmp_path, loaded):
    """Of numpy's own code, which would read what is there in memory."""
    path = save(PCA(2, random_state=np.random.RandomState(0)).fit(X), tmp_path / "model")
    tree, tensors = unpack(path.read_bytes(), "file")
    text = json.dumps(tree)
    for wrong in (625, 10**9, -1, 1.5, "0", True):
        made = json.loads(text.replace('["pos", 624]', json.dumps(["pos", wrong])))
        with pytest.raises(ModelFileError, match="beyond its end"):
            loaded(pack(made, tensors))
    name = made["model"]["state"]["random_state"]["state"]["items"][1][1]["items"][0][1]["tensor"]
    with pytest.raises(ModelFileError, match="beyond its end"):
        loaded(pack(tree, {**tensors, name: tensors[name][:3]}))
    assert load(path).random_state.randint(9, size=3).shape == (3,)


# ----------------------------------------------------------------------------------------- sizes
def header(tensors, metadata=None, size=None, data=b""):
    text = json.dumps({"__metadata__": metadata or {}, **tensors}).encode()
    return (len(text) if size is None else size).to_bytes(8, "little") + text + data


def test_what_is_no_model_is_not_read_whole(tmp_path):
    path = tmp_path / "table.csv"
    with open(path, "wb") as file:
        file.write(b"amount,country\n")
        file.truncate(2**42)  # takes no room on the disk
    with pytest.raises(ModelFileError, match="not a geomgen file"):
        load(path)


def test_absurd_sizes_take_no_memory(document, loaded, tmp_path):
    tree, tensors = document
    huge = {"dtype": "F64", "shape": [2**40], "data_offsets": [0, 2**43]}
    files = [
        header({}, size=2**63 - 1),
        header({}, size=2**40),
        header({"t0": huge}),
        pack(tree, tensors).replace(b'"shape":[4]', b'"shape":[9]'),
    ]
    node = {"is": "array", "id": 1, "order": "C", "dtype": "<f8", "tensor": "t0"}
    for part in (
        node | {"shape": [2**40]},
        node | {"shape": [2**62, 0]},
        {"is": "array", "id": 1, "order": "C", "dtype": "object", "shape": [2**40], "items": []},
        {"is": "frame", "id": 1, "columns": [], "names": None, "index": None},
    ):
        made = copy.deepcopy(tree)
        made["model"]["state"]["steps"] = part
        files.append(pack(made, tensors))
    flow = save(quick(FlowSampler).fit(X), tmp_path / "flow")
    made, weights = unpack(flow.read_bytes(), "file")
    made["model"]["state"]["hidden"]["items"] = [10**9]
    files.append(pack(made, weights))
    made, weights = unpack(flow.read_bytes(), "file")
    made["model"]["state"]["n_transforms"] = 10**9
    files.append(pack(made, weights))
    tracemalloc.start()
    for content in files:
        with pytest.raises(ModelFileError):
            loaded(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * max(map(len, files))


LONG = {"is": "index", "id": 900, "name": None, "range": [0, 2**62, 1]}


@pytest.mark.parametrize(
    "part",
    [
        {"is": "series", "values": 1.5, "index": LONG, "name": None},
        {"is": "series", "values": LONG, "index": LONG, "name": None},
        {"is": "index", "name": None, "values": LONG, "dtype": "Int64"},
        {"is": "index", "name": None, "values": LONG, "zone": "datetime64[ns, UTC]"},
        {"is": "index", "levels": [LONG, LONG]},
        {"is": "neighbours", "class": "KDTree", "data": LONG, "leaf_size": 1, "metric": "euclidean",
         "p": {}, "weights": None},
    ],
    ids=["scalar", "series", "integers", "times", "levels", "tree"],
)  # fmt: skip
def test_a_range_is_not_written_out(part, document, loaded):
    """A range of any length takes no room in a file."""
    tree, tensors = copy.deepcopy(document)
    tree["model"]["state"]["steps"] = part | {"id": 901}
    with pytest.raises(ModelFileError, match="should be|several lengths|too long"):
        loaded(pack(tree, tensors))


@pytest.mark.parametrize("kind", ["set", "frozenset", "dict"])
def test_parts_shared_over_and_over_are_not_hashed(kind, document, loaded):
    tree, tensors = copy.deepcopy(document)
    parts = [{"is": "tuple", "id": 900, "items": [1]}]
    for number in range(901, 960):
        twice = [{"is": "ref", "of": number - 1}] * 2
        parts.append({"is": "tuple", "id": number, "items": twice})
    last = {"is": "ref", "of": 959}
    items = [[last, 1]] if kind == "dict" else [last]
    tree["model"]["state"]["steps"] = [*parts, {"is": kind, "id": 999, "items": items}]
    with pytest.raises(ModelFileError, match="too many parts"):
        loaded(pack(tree, tensors))


def test_deep_documents(document, loaded):
    tree, tensors = document
    deep = "[" * 100_000 + "]" * 100_000
    metadata = {"format": "geomgen 1", "sha256": "0" * 64, "document": deep}
    for content in (header({}, metadata), header({"x": "y"}, metadata)):
        with pytest.raises(ModelFileError):
            loaded(content)
    nested = []
    for _ in range(400):
        nested = [nested]
    tree["model"]["state"]["steps"] = nested
    for _ in range(3000):
        nested = [nested]
    tree["model"]["state"]["verbose"] = None
    with pytest.raises((ModelFileError, RecursionError)):
        loaded(pack({"model": nested, "versions": tree["versions"]}, tensors))


def test_too_much_text(tmp_path, monkeypatch):
    monkeypatch.setattr("geomgen.files._container._MOST_HEADER", 20_000)
    words = np.array([f"word {i}" for i in range(2000)], dtype=object)[:, None]
    with pytest.raises(ModelFileError, match="too many labels"):
        save(OneHotEncoder().fit(words), tmp_path / "model")
    assert not [*tmp_path.iterdir()]


# -------------------------------------------------------------------------------------- versions
def version(content, text):
    edited = content.replace(b'"format":"geomgen 1"', b'"format":"' + text + b'"')
    size = int.from_bytes(content[:8], "little") + len(edited) - len(content)
    edited = size.to_bytes(8, "little") + edited[8:]
    return resealed(edited)


def resealed(content):
    blank = _container._with_sum(content, b"0" * 64)
    return _container._with_sum(blank, hashlib.sha256(blank).hexdigest().encode())


def test_versions_of_the_format(content, loaded):
    for text, message in [
        (b"geomgen 2", "version 2 of the format, and this geomgen reads 1: upgrade geomgen"),
        (b"geomgen 0", "no longer reads"),
        (b"another 1", "not a geomgen file: it says 'another 1'"),
    ]:
        with pytest.raises(ModelFileError, match=message):
            loaded(version(content, text))
    assert loaded(version(content, b"geomgen 1"))


def test_other_versions_of_libraries_are_told(document, loaded):
    tree, tensors = document
    tree["versions"]["scikit-learn"] = "0.1.2"
    with pytest.warns(UserWarning, match=r"saved with scikit-learn 0.1.2 \(here "):
        loaded(pack(tree, tensors))


def test_a_file_of_safetensors_without_a_model(tmp_path):
    safetensors.torch.save_file({"x": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(ModelFileError, match="no checksum"):
        load(tmp_path / "x.safetensors")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")


def test_others_can_read_the_weights(content):
    tensors = safetensors.numpy.load(content)
    assert any(array.shape == (8, 4) for array in tensors.values())
