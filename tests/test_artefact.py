"""Files that are damaged, or meant to harm: one error names the field before use."""

import copy
import importlib.util
import pickle
import sys
import warnings
from enum import Enum
from pathlib import Path
from types import FunctionType

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from sklearn.base import clone

from skvae import VAETransformer
from skvae._artefact import digest

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")
TRUSTED = ["skvae._vae.VAETransformer"]
OPENED: list = []  # what was opened, connected to or executed while a test listened
LISTENS = [False]


def _note(event, arguments):
    if LISTENS[0] and event.startswith(("open", "socket.", "exec", "subprocess.")):
        OPENED.append((event, arguments[:1]))


sys.addaudithook(_note)  # once and for good: a hook cannot be removed


@pytest.fixture
def opened():
    """What is opened, connected to or executed during a test."""
    OPENED.clear()
    LISTENS[0] = True
    yield OPENED
    LISTENS[0] = False


@pytest.fixture(scope="module")
def network(make_vae, curve):
    quick = {"hidden_layer_sizes": (4,), "max_iter": 2, "early_stopping": False}
    return make_vae(**quick).fit(curve)


@pytest.fixture(scope="module")
def redrawn(make_vae, curve):
    return make_vae(hidden_layer_sizes=(), redraw=True).fit(curve)


@pytest.fixture(scope="module")
def quantile(make_vae, curve):
    return make_vae(hidden_layer_sizes=(), scaling="quantile").fit(curve)


@pytest.fixture(scope="module")
def mapped(make_vae, curve):
    return make_vae(hidden_layer_sizes=(4, 3), n_neighbors=5).fit(curve)


@pytest.fixture(scope="module")
def mixed(make_vae):
    """Of polars: a time zone, ordered categories, text and numbers."""
    rng = np.random.default_rng(0)
    days = rng.integers(0, 99, 40)
    stamps = pl.Series(days * 86_400_000_000).cast(pl.Datetime("us", "Asia/Tokyo"))
    X = pl.DataFrame(
        {
            "number": days + rng.normal(size=40),
            "stamp": stamps,
            "rank": pl.Series(rng.choice(list("abc"), 40), dtype=pl.Enum(list("abc"))),
            "word": [f"w{day % 2}" for day in days],
        }
    )
    return make_vae(hidden_layer_sizes=(), max_iter=2).fit(X)


@pytest.fixture(scope="module")
def frame(make_vae):
    """Of pandas: objects as categories, a zone, and categories with an order."""
    rng = np.random.default_rng(0)
    days = rng.integers(0, 99, 40)
    stamps = pd.Timestamp("2020", tz="Asia/Tokyo") + pd.to_timedelta(days, unit="D")
    X = pd.DataFrame(
        {
            "number": days + rng.normal(size=40),
            "stamp": pd.Series(stamps, dtype=object),
            "any": [str(day % 3) if day % 2 else int(day % 3) for day in days],
        }
    )
    return make_vae(hidden_layer_sizes=(), max_iter=2).fit(X)


def changed(vae, path, value):
    """Return a fitted state with one field changed, and with a digest to match."""
    state = copy.deepcopy(vae.__getstate__())
    *way, last = path
    at = state
    for key in way:
        at = at[key]
    if value is KeyError:
        del at[last]
    else:
        at[last] = value(at[last]) if isinstance(value, FunctionType) else value
    return signed(state)


def signed(state):
    state.pop("_digest", None)
    return state | {"_digest": digest(state)}


def load(state):
    vae = VAETransformer()
    vae.__setstate__(state)
    return vae


def entry(index, value):
    """Return a function that gives an array another entry."""

    def change(array):
        array = np.array(array)
        array[index] = value
        return array

    return change


def deep(depth):
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


DENSITY, CODEC = ("_state", "density"), ("_state", "codec")
PART = *DENSITY, "parts", 0
CODER = *PART, "coder"
COLUMNS = *CODEC, "schema", 1


class Text(str):
    """A text with a method of its own, which is never called."""

    def __eq__(self, other):
        raise AssertionError("called")

    __hash__ = str.__hash__


class Floats(np.ndarray):
    """An array with a method of its own, which is never called."""

    def min(self, *args, **options):
        raise AssertionError("called")


OF_NETWORK = {
    # what the state is
    "a method": (("transform",), "x", "a key of the state must be an attribute that"),
    "a property": (("_n_features_out",), 7, "_n_features_out must be 2"),
    "a dunder": (("__class__",), dict, "a key of the state must be"),
    "an object made later": (("_density",), 1, "a key of the state must be"),
    "a field less": (("mean_",), KeyError, "mean_ must be there"),
    "the state itself": (("_state",), KeyError, "_state must be there"),
    "a key more": ((*DENSITY, "x"), 1, r"density must be a dict with the keys .*'x'"),
    "a key that is a number": ((3,), 1, "a key of the state must be"),
    "nested": (
        (*DENSITY, "parts"),
        deep(100_000),
        r"density.parts\[0\] must be a dict",
    ),
    # its numbers
    "NaN weights": (
        (*CODER, "flat"),
        entry(5, np.nan),
        r"density.parts\[0\].coder.flat must be an array of float32 .* nan",
    ),
    "weight of 7": (("network_weight_",), 7.0, "network_weight_ must be a number .* 1"),
    "weights that differ": (("network_weight_",), 0.5, "network_weight_ must be"),
    "weights beyond 1": ((*DENSITY, "weights"), [0.9, 0.9], "weights must be of the"),
    "no weight": ((*DENSITY, "weights"), [0.0, 1.0], r"density.weights\[0\] must be"),
    "negative variance": (
        (*PART, "noise", "variance"),
        entry(1, -1.0),
        r"density.parts\[0\].noise.variance must be",
    ),
    "no posterior": ((*CODER, "posterior_scale"), 0.0, "posterior_scale must be"),
    "share of 2": ((*CODER, "typical_share"), entry(0, 2.0), "typical_share must be"),
    "a range upside down": ((*CODER, "x_range"), lambda x: x[::-1], "x_range must be"),
    "a range of NaN": ((*CODER, "z_range"), entry((0, 0), np.nan), "z_range must be"),
    "scale of 0": ((*CODEC, "scale"), entry(0, 0.0), "codec.scale must be"),
    "mean of NaN": ((*CODEC, "mean"), entry(0, np.nan), "codec.mean must be"),
    "noise that differs": (
        ("noise_variance_",),
        lambda x: 2 * x,
        r"noise_variance_ must be that of density.parts\[0\]",
    ),
    "a scaling that differs": (
        ("_fitted_shape", "scaling"),
        "quantile",
        "_fitted_shape.scaling must be that of codec.marginals",
    ),
    "components that differ": (
        ("_fitted_shape", "n_components"),
        3,
        "_fitted_shape.n_components must be a share, or 2",
    ),
    "layers that differ": (
        ("_fitted_shape", "hidden_layer_sizes"),
        (5,),
        "_fitted_shape.hidden_layer_sizes must be that of the architecture",
    ),
    "names of columns without any": (
        ("feature_names_in_",),
        np.array(list("abcd"), dtype=object),
        "feature_names_in_ must be the labels of codec.schema",
    ),
    "an infinite share": (
        ("explained_variance_ratio_",),
        entry(0, -np.inf),
        "explained_variance_ratio_ must be an array of float64 .* from",
    ),
    "more than all": (
        ("explained_variance_ratio_",),
        np.array([0.5, 0.6]),
        "explained_variance_ratio_ must be an array whose first ones add up to",
    ),
    "means that differ": (("mean_",), entry(0, 1.5), "mean_ must be what codec.mean"),
    "too many iterations": (("n_iter_",), -1, "n_iter_ must be an integer"),
    "losses of text": (("loss_curve_",), ["a"], r"loss_curve_\[0\] must be a float"),
    "a long integer": (
        ("n_iter_",),
        1 << 3_000_000,
        "Got an integer of 3000001 bits",
    ),
    # its sizes
    "wrong shape": ((*DENSITY, "readout"), np.zeros((3, 9)), "density.readout must be"),
    "shapes apart": (
        (*CODER, "linear", "decoder"),
        np.zeros((2, 5)),
        r"coder.linear.decoder must be an array of float64 of shape \(2, 4\)",
    ),
    "a weight less": ((*CODER, "flat"), lambda x: x[:-1], "flat must be of the"),
    "layers": (
        (*CODER, "architecture", "hidden_layer_sizes"),
        (1,) * 100_000,
        "hidden_layer_sizes must be a list of 0 to 1000",
    ),
    "a wide layer": (
        (*CODER, "architecture", "hidden_layer_sizes"),
        (2**40,),
        r"hidden_layer_sizes\[0\] must be an integer",
    ),
    "an activation": (
        (*CODER, "architecture", "activation"),
        "eval",
        "activation must",
    ),
    "n_features_in_": (("n_features_in_",), 5, "n_features_in_ must be 4"),
    "a column twice": (
        (*DENSITY, "layout", 0, "columns"),
        np.array([0, 1, 2, 2]),
        "density.layout must be each column of the table in one block",
    ),
    # its types
    "a list for an array": (("mean_",), [0.0] * 4, "mean_ must be a flat array"),
    "another dtype": ((*CODER, "flat"), lambda x: x.astype(str), "flat must be"),
    "objects": ((*CODER, "flat"), lambda x: x.astype(object), "flat must be"),
    "a subclass of str": ((*CODER, "architecture", "activation"), Text("silu"), "must"),
    "a subclass of ndarray": (
        (*CODER, "flat"),
        lambda x: x.view(Floats),
        "flat must be .* Got a value of class Floats",
    ),
    "a subclass of int": (("n_iter_",), True, "n_iter_ must be"),
    "a function": (("n_iter_",), lambda _: print, "a value of class builtin_function"),
    "control characters": (
        (*CODER, "architecture", "activation"),
        "\x1b[2J" * 99,
        r"Got '\\x1b\[2J.*'\.\.\. of length 396",
    ),
    "a version": (("_skvae_version",), "\x1b[2J", "_skvae_version must be a version"),
}


@pytest.mark.parametrize("name", OF_NETWORK)
def test_a_field_that_no_fit_writes_is_named(name, network):
    path, value, message = OF_NETWORK[name]
    with pytest.raises(ValueError, match=f"^corrupt or hostile artefact: .*{message}"):
        load(changed(network, path, value))


NETWORK = "_state", "network"
OF_TREES = {
    "no network of trees": (NETWORK, None, "network must be a dict"),
    "rows of NaN": (
        (*NETWORK, "codes"),
        entry((0, 0), np.nan),
        "network.codes must be",
    ),
    "rows and no trees": (
        (*NETWORK, "forests"),
        [],
        "network.forests must be a list of 4 to 4",
    ),
    "trees and no rows": (
        (*NETWORK, "codes"),
        lambda x: x[:0],
        "network.forests must be a list of 0 to 0",
    ),
    "a circle": (
        (*NETWORK, "forests", 1, "children"),
        entry((0, 0), 0),
        r"network.forests\[1\].children must be of nodes that come later",
    ),
    "a row of another table": (
        (*NETWORK, "forests", 2, "rows"),
        entry(0, 10**6),
        r"network.forests\[2\].rows must be an array of int32",
    ),
    "a field more": (
        (*NETWORK, "forests", 0, "estimators_"),
        [],
        r"network.forests\[0\] must be a dict with the keys",
    ),
}


@pytest.mark.parametrize("name", OF_TREES)
def test_a_field_of_trees_that_no_fit_writes_is_named(name, redrawn):
    path, value, message = OF_TREES[name]
    with pytest.raises(ValueError, match=f"^corrupt or hostile artefact: .*{message}"):
        load(changed(redrawn, path, value))


@pytest.mark.parametrize("name", ["_network", "_codec", "_density"])
def test_what_is_made_of_a_state_stands_in_none(name, network):
    state = network.__getstate__() | {name: None}
    with pytest.raises(ValueError, match="an attribute that the class leaves"):
        load(signed(state))


def test_an_older_file_has_no_trees(network):
    vae = load(changed(network, NETWORK, KeyError))
    assert vae.sample(3, random_state=0).tolist() == (
        network.sample(3, random_state=0).tolist()
    )


OF_MAP = {
    "NaN rows": ((*CODER, "reference"), entry((3, 1), np.nan), "reference must be"),
    "rows of another width": (
        (*CODER, "reference"),
        lambda x: x[:, :3],
        r"reference must be an array of float32 of shape \(.*, 4\)",
    ),
    "rows in double precision": (
        (*CODER, "reference"),
        lambda x: x.astype(float),
        "reference must be an array of float32",
    ),
    "a row less": ((*CODER, "reference"), lambda x: x[1:], "reference must be of one"),
    "no row": ((*CODER, "positions"), lambda x: x[:0], "reference must be of one row"),
    "infinite places": (
        (*CODER, "positions"),
        entry((0, 0), np.inf),
        r"positions must be an array of float64 of shape \(.*, 2\)",
    ),
    "a map of scale 0": ((*CODER, "scale"), 0.0, "coder.scale must be a number"),
    "a map of scale NaN": ((*CODER, "scale"), np.nan, "coder.scale must be a number"),
    "layers that are none": ((*CODER, "layers"), 3, "layers must be a list"),
    "a layer without biases": (
        (*CODER, "layers"),
        lambda x: [x[0][:1], x[1]],
        r"layers\[0\] must be a list of 2",
    ),
    "layers apart": (
        (*CODER, "layers"),
        lambda x: x[::-1],
        r"layers\[0\]\[0\] must be of shape \(2, 4\)",
    ),
    "a layer of NaN": (
        (*CODER, "layers", 1, 0),
        entry((0, 0), np.nan),
        r"layers\[1\]\[0\] must be an array of float32",
    ),
    "an activation of a map": (
        (*CODER, "activation"),
        "eval",
        "coder.activation must be",
    ),
    "a feature less": ((*CODER, "decoder"), lambda x: x[1:], "decoder must be of 7"),
    "a column less": (
        (*CODER, "decoder"),
        lambda x: x[:, 1:],
        "decoder must be an array of float64",
    ),
    "a range of z upside down": (
        (*CODER, "z_range"),
        lambda x: x[::-1],
        "z_range must be the lower ends",
    ),
    "negative information": (
        (*CODER, "information"),
        entry(0, -1.0),
        "information must be an array",
    ),
    "information of NaN": (
        (*CODER, "information"),
        entry(0, np.nan),
        "information must be an array",
    ),
    "posteriors without a width": (
        (*CODER, "posterior_scale"),
        0.0,
        "posterior_scale must be a number",
    ),
    "no filler": ((*CODER, "filler"), None, "coder.filler must be a dict"),
    "a filler of text": (
        (*CODER, "filler", "decoder"),
        "x",
        "coder.filler.decoder must be an array",
    ),
    "a field more": ((*CODER, "flat"), 1, "coder must be a dict with the keys"),
    "a map by no neighbours": (
        ("_fitted_shape", "n_neighbors"),
        None,
        r"_fitted_shape.n_neighbors must be None where density.parts\[0\] is no map",
    ),
    "neighbours that are none": (
        ("_fitted_shape", "n_neighbors"),
        0,
        "_fitted_shape.n_neighbors must be an integer",
    ),
    "layers that differ": (
        ("_fitted_shape", "hidden_layer_sizes"),
        (3, 4),
        "_fitted_shape.hidden_layer_sizes must be that of the architecture",
    ),
    "an activation that differs": (
        ("_fitted_shape", "activation"),
        "relu",
        "_fitted_shape.activation must be that of the architecture",
    ),
}


@pytest.mark.parametrize("name", OF_MAP)
def test_a_field_of_a_map_that_no_fit_writes_is_named(name, mapped):
    path, value, message = OF_MAP[name]
    with pytest.raises(ValueError, match=f"^corrupt or hostile artefact: .*{message}"):
        load(changed(mapped, path, value))


@pytest.mark.parametrize("field", ["reference", "positions", "layers", "z_range"])
def test_each_field_of_a_map_must_be_there(field, mapped):
    with pytest.raises(ValueError, match=r"^corrupt .*density.parts\[0\].coder"):
        load(changed(mapped, (*CODER, field), KeyError))


def test_a_network_has_no_neighbours(network):
    state = changed(network, ("_fitted_shape", "n_neighbors"), 5)
    with pytest.raises(ValueError, match="n_neighbors must be None where"):
        load(state)
    del state["_fitted_shape"]["n_neighbors"]  # as in older files
    shape = load(signed(state))._fitted_shape
    assert shape == network._fitted_shape
    assert "n_neighbors" not in state["_fitted_shape"]


@pytest.mark.parametrize("field", ["decoder", "information"])
def test_the_largest_numbers_of_a_map_end_in_finite_places(field, mapped, curve):
    vae = load(changed(mapped, (*CODER, field), lambda x: 0 * x + 1e100))
    for found in vae.posterior(curve):
        assert np.isfinite(found).all()


OF_MARGINALS = {
    "falling edges": ("edges", lambda x: x[::-1].copy(), "edges must be increasing"),
    "equal scores": ("scores", lambda x: x * 0, "scores must be increasing"),
    "a point elsewhere": (
        "points",
        lambda x: np.full_like(x, 1e9),
        "points must be in cells",
    ),
    "decimals": ("decimals", 10**9, "decimals must be an integer from -6 to 6"),
    "no tail": ("tail", 0.0, "tail must be a number"),
    "values": ("values", np.array([2.0, 1.0]), "values must be increasing"),
}


@pytest.mark.parametrize("name", OF_MARGINALS)
def test_cells_follow_each_other(name, quantile):
    key, value, message = OF_MARGINALS[name]
    state = changed(quantile, (*CODEC, "marginals", 1, key), value)
    with pytest.raises(ValueError, match=rf"codec.marginals\[1\].{message}"):
        load(state)


DTYPES = {
    "a function": {"polars": "read_csv", "source": "http://127.0.0.1:9/x"},
    "another function": {"polars": "scan_parquet", "source": "/etc/passwd"},
    "an attribute": {"polars": "__doc__"},
    "an argument more": {"polars": "Float64", "source": "x"},
    "an argument of another type": {"polars": "Datetime", "time_unit": "ns"}
    | {"time_zone": ["UTC"]},
    "precision": {"polars": "Decimal", "precision": 10**9, "scale": 0},
    "a path": {"polars": "Datetime", "time_unit": "ns"}
    | {"time_zone": "../../etc/passwd"},
    "a path for dateutil": {"pandas": "datetime64[ns, dateutil//etc/passwd]"},
    "a path for pandas": {"pandas": "datetime64[ns, /etc/passwd]"},
    "a registered dtype": {"pandas": "category"},
    "a structure": {"numpy": "f8,f8"},
    "a shape": {"numpy": "(99999999,)f8"},
    "a long text": {"numpy": "<U999999999"},
    "bytes": {"arrow": b"\xff" * 64},
    "no dtype": {"x": 1},
    "a text": "int64",
}


@pytest.mark.parametrize("name", DTYPES)
def test_only_listed_dtypes_are_made(name, mixed, monkeypatch, opened):
    def called(*args, **options):
        raise AssertionError("called")

    for function in "read_csv", "scan_parquet":
        monkeypatch.setattr(pl, function, called)
    through_skops(mixed, None)  # which imports what it needs once
    hostile = copy.deepcopy(mixed)
    hostile._codec.schema._states[0]["dtype"] = DTYPES[name]
    content = skops.io.dumps(hostile)
    opened.clear()
    with pytest.raises(ValueError, match=r"^corrupt or hostile artefact: codec.schema"):
        skops.io.loads(content, trusted=TRUSTED)
    assert not opened


def test_no_extension_type_of_arrow_is_made(mixed):
    """The class of an extension type is handed bytes of the file, and runs code."""
    pa = pytest.importorskip("pyarrow")
    made = []

    class Extension(pa.ExtensionType):
        def __init__(self):
            super().__init__(pa.int64(), "skvae.test")

        def __arrow_ext_serialize__(self):
            return b""

        @classmethod
        def __arrow_ext_deserialize__(cls, storage, serialized):
            made.append(storage)
            return cls()

    pa.register_extension_type(Extension())
    try:
        schema = pa.schema([("", Extension())]).serialize().to_pybytes()
        hostile = copy.deepcopy(mixed)
        hostile._codec.schema._states[0]["dtype"] = {"arrow": schema}
        content = skops.io.dumps(hostile)
        made.clear()
        with pytest.raises(ValueError, match=r"at most .* bytes, of no extension type"):
            skops.io.loads(content, trusted=TRUSTED)
    finally:
        pa.unregister_extension_type("skvae.test")
    assert not made


LEVELS = {
    "a fraction that takes seconds": ["Fraction", "1e5000000"],
    "a fraction of nothing": ["Fraction", "1/00"],
    "a decimal whose integer takes minutes": ["Decimal", "1e99999999"],
    "a long integer": 10**400,
    "a zone that is a path": ["Timestamp", "2020-01-01", "ns", "../../etc/passwd"],
    "a zone that there is not": ["Timestamp", "2020-01-01", "ns", "No/Where"],
    "today": ["Timestamp", "today", "ns", None],
    "30 February": ["date", "2020-02-30"],
    "a class that is not listed": ["open", "/etc/passwd"],
    "an argument more": ["date", "2020-01-01", "x"],
    "nested tuples": [
        "tuple",
        [
            "tuple",
            [
                "tuple",
                ["tuple", ["tuple", ["tuple", ["tuple", ["tuple", ["tuple", 1]]]]]],
            ],
        ],
    ],
    "nested intervals": ["Interval", ["Interval", 0, 1, "left"], 2, "left"],
    "a period": ["Period", "2020", "9" * 99 + "D"],
    "the same twice": ["str", "0"],
}


@pytest.mark.parametrize("name", LEVELS)
def test_categories_are_plain_data(name, frame, opened):
    state = copy.deepcopy(frame.__getstate__())
    levels = state["_state"]["codec"]["schema"][1][2]["column"]["levels"]
    levels[levels.index(["str", "2"])] = LEVELS[name]
    load_it = signed(state)
    opened.clear()
    with pytest.raises(ValueError, match=r"^corrupt .*: codec.schema"):
        load(load_it)
    assert not [what for what in opened if "passwd" in str(what)]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("zone", "../../etc/passwd"),
        ("zone", "dateutil//etc/passwd"),
        ("tick", "Y"),
        ("origin", 2**63),
        ("origin", -(10**9)),
        ("entry", "open"),
        ("high", 2**63 - 1),
    ],
)
def test_times_are_within_what_a_table_can_hold(key, value, frame):
    state = copy.deepcopy(frame.__getstate__())
    state["_state"]["codec"]["schema"][1][1]["column"][key] = value
    with pytest.raises(ValueError, match=r"^corrupt .*: codec.schema\[1\]\[1\]"):
        load(signed(state))


@pytest.mark.parametrize("of", ["frame", "mixed"])
def test_names_are_the_labels_of_the_columns(of, request):
    vae = request.getfixturevalue(of)
    names = vae.feature_names_in_
    hostile = changed(vae, ("feature_names_in_",), np.roll(names, 1))
    with pytest.raises(ValueError, match="feature_names_in_ must be the labels"):
        load(hostile)
    assert load(vae.__getstate__()).feature_names_in_.tolist() == names.tolist()


def test_what_errors_call_a_column_is_its_label(frame):
    """Older files say both, and a hostile one might call a column anything."""
    state = changed(frame, (*COLUMNS, 0, "name"), "\x1b[2J")
    vae = load(state)
    assert vae._codec.schema.names == [
        f"column {n!r}" for n in ("number", "stamp", "any")
    ]
    assert "name" not in vae.__getstate__()["_state"]["codec"]["schema"][1][0]


@pytest.mark.parametrize("shares", [[-1e9, 1e9 + 0.5], [1.0, 0.0], [3e-9, -0.5]])
def test_shares_that_a_fit_may_find_are_loaded(shares, network):
    state = changed(network, ("explained_variance_ratio_",), np.array(shares))
    assert load(state).explained_variance_ratio_.tolist() == shares


def test_a_share_may_have_been_asked_for(network):
    load(changed(network, ("_fitted_shape", "n_components"), 0.9))


def test_labels_are_as_many_as_columns(frame, mixed):
    for vae, labels in ((frame, {"values": ["str", "a"]}), (mixed, ["a"])):
        state = copy.deepcopy(vae.__getstate__())
        container = state["_state"]["codec"]["schema"][0]
        if type(labels) is dict:
            container["labels"] |= {"values": np.array(["a"])}
        else:
            container["labels"] = labels
        with pytest.raises(ValueError, match=r"codec.schema\[0\].labels must be"):
            load(signed(state))


def test_a_huge_array_is_refused_by_its_shape(network):
    state = network.__getstate__() | {"component_kl_": np.broadcast_to(0.0, 10**12)}
    with pytest.raises(ValueError, match="component_kl_ must be an array"):
        load(state)


def test_a_failed_load_leaves_the_estimator_as_it_was(network, curve):
    vae = copy.deepcopy(network)
    before, expected = dict(vae.__dict__), vae.transform(curve)
    with pytest.raises(ValueError, match="corrupt or hostile"):
        vae.__setstate__(changed(network, ("n_iter_",), -1))
    assert vae.__dict__ == before
    np.testing.assert_array_equal(vae.transform(curve), expected)


# ------------------------------------------------------------------ the digest


@pytest.mark.parametrize("path", [(*CODER, "flat"), ("component_kl_",)])
def test_a_flipped_bit_is_damage(path, network):
    state = copy.deepcopy(network.__getstate__())
    at = state
    for key in path[:-1]:
        at = at[key]
    flipped = at[path[-1]].copy()
    flipped.view(np.uint8)[0] ^= 1
    at[path[-1]] = flipped
    with pytest.raises(ValueError, match="_digest must be that of the state"):
        load(state)


def test_files_older_than_the_digest_load(network, curve, assert_same_bits):
    state = network.__getstate__()
    del state["_digest"]
    assert_same_bits(load(state), network, curve)


class Column(str, Enum):  # noqa: UP042
    """Names of columns that are more than text."""

    A = "a"
    B = "b"


def through_a_mapped_file(vae, folder):
    joblib.dump(vae, folder / "vae.joblib")
    return joblib.load(folder / "vae.joblib", mmap_mode="r")


def through_a_compressed_file(vae, folder):
    joblib.dump(vae, folder / "vae.joblib", compress=3)
    return joblib.load(folder / "vae.joblib")


def through_skops(vae, folder):
    content = skops.io.dumps(vae, compression=8)
    return skops.io.loads(content, trusted=TRUSTED)


def through_pickle(vae, folder):
    return pickle.loads(pickle.dumps(vae, protocol=2))


WAYS = [
    through_a_mapped_file,
    through_a_compressed_file,
    through_skops,
    through_pickle,
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "of", ["names", "numpy's numbers", "mapped", "mixed", "frame", "notes"]
)
def test_the_digest_is_the_same_through_any_file(way, of, request, make_vae, tmp_path):
    rng = np.random.default_rng(0)
    parameters = {"hidden_layer_sizes": (np.int64(3),), "max_iter": np.int32(2)}
    X = rng.normal(size=(40, 2))
    if of == "names":
        X = pd.DataFrame(X, columns=list(Column))
        vae = make_vae(max_iter=2).fit(X)
        assert set(map(type, vae.__getstate__()["feature_names_in_"])) == {str}
    elif of in ("mapped", "mixed", "frame"):
        vae = request.getfixturevalue(of)
    else:
        seed = np.random.RandomState(0)
        vae = make_vae(**parameters, n_components=np.int64(2), beta=np.float32(1))
        vae.set_params(random_state=seed, tol=np.float64(0.1)).fit(X)
        if of == "notes":
            vae.note_, vae.rows = {"when": (1, None, [2.5, "ä\ud800"])}, X
    copied = way(vae, tmp_path)
    assert copied.__getstate__()["_digest"] == vae.__getstate__()["_digest"]


# --------------------------------------------------------- what is let through


def test_an_unfitted_estimator_may_have_any_parameters():
    odd = {"n_components": "two", "beta": {"a": [float("nan")]}, "device": print}
    vae = VAETransformer(**odd, hidden_layer_sizes=(1,) * 10**4)
    copied = pickle.loads(pickle.dumps(vae.set_output(transform="pandas")))
    assert copied.get_params()["device"] is print
    assert repr(clone(copied).get_params()) == repr(vae.get_params())
    plain = VAETransformer("two", beta=None, activation=3)
    assert through_skops(plain, None).get_params() == plain.get_params()


def test_a_parameter_younger_than_its_file_has_its_default(network):
    state = network.__getstate__()
    del state["tol"]
    assert load(signed(state)).tol == VAETransformer().tol


def test_attributes_of_ones_own_are_kept(network):
    vae = copy.deepcopy(network)
    vae.trained_on, vae.note_ = "Monday", [1, 2]
    copied = pickle.loads(pickle.dumps(vae))
    assert (copied.trained_on, copied.note_) == ("Monday", [1, 2])


def test_a_dtype_that_no_file_holds_is_told_when_fitting():
    class Odd(pd.Int64Dtype):
        def __str__(self):
            return "odd[1]"

    from skvae._table.plain import dump_dtype

    with pytest.raises(TypeError, match=r"dtype odd\[1\], which no file can hold"):
        dump_dtype(Odd())


# ------------------------------------------------------------------- at random


@pytest.fixture(scope="module")
def fuzzer():
    path = Path(__file__).parents[1] / "benchmarks" / "artefact_fuzz.py"
    spec = importlib.util.spec_from_file_location("artefact_fuzz", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_changed_files_end_in_a_model_or_in_one_error(fuzzer):
    tables = fuzzer.make_tables(40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        some = {name: tables[name] for name in ("numeric", "map", "objects", "polars")}
        models = fuzzer.fit_models(some)
        ends, _, notes = fuzzer.fuzz(120, 0, models, most_seconds=float("inf"))
    assert not notes
    assert ends.total() == 120


@pytest.fixture(scope="module")
def pooled(make_vae):
    rng = np.random.default_rng(0)
    words = [f"w{i % 60}" for i in rng.zipf(1.3, 200)]
    X = pd.DataFrame({"number": rng.normal(size=200), "word": words})
    return make_vae(hidden_layer_sizes=(), max_iter=2).fit(X)


GROUPS = {
    "an empty group": (
        "groups",
        lambda g: np.where(g == 1, 0, g),
        "groups must be the",
    ),
    "one too few": ("groups", lambda g: g[:-1], "counts must be of"),
    "no rows": ("counts", entry(0, 0), "counts must be an array"),
    "no order": ("ordered", True, "groups must be the group"),
}


@pytest.mark.parametrize("name", GROUPS)
def test_each_group_has_categories_and_rows(name, pooled):
    key, value, message = GROUPS[name]
    with pytest.raises(ValueError, match=rf"^corrupt .*\[1\].column.{message}"):
        load(changed(pooled, (*COLUMNS, 1, "column", key), value))


def _doubled(levels):
    value = [0.0]
    for _ in range(levels):
        value = [value, value]
    return value


def _circle():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize("note", [_doubled(60), _circle()])
def test_parts_that_are_shared_too_often_are_refused_at_once(note):
    with pytest.raises(ValueError, match="corrupt or hostile artefact: the state"):
        VAETransformer().__setstate__({"note_": note})
