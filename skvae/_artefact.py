"""What a saved estimator is: plain data, which are checked before they are used.

A file may come from anyone, and disks fail. So every field of a fitted state has a
rule, none of them is called or imported, and a digest tells damage that leaves a valid
state. It does not tell who wrote the file: whoever can write a state can write its
digest, too.
"""

from functools import cache
from hashlib import sha256
from inspect import signature
from math import inf

import numpy as np

from skvae._layout import load_layout
from skvae._model.state import dump_density, load_density, upgrade_density
from skvae._model.state_rules import density_rule
from skvae._rules import (
    ARRAYS,
    LARGEST,
    Optional,
    any_float,
    anything,
    array,
    both,
    each,
    integer,
    maybe,
    number,
    of_numeric,
    one_of,
    record,
    require,
    text,
)
from skvae._table.codec import codec_rule, load_codec
from skvae._table.entries import LARGEST_VALUE
from skvae._trees.dependency_network import load_network, network_rule, no_network

DIGEST = "_digest"
# Attributes that are made of the state, and stand in no file.
MADE = "_codec", "_density", "_network"
# Attributes that a fitted estimator need not have: X had no names, or it is older.
MAY_LACK = "feature_names_in_", "explained_variance_ratio_"
MOST_SHARED = 100  # times that a state may be longer when shared parts are written out
MOST_NESTED = 32  # levels of lists and dicts that the digest looks into
VERSION = text(r"[\w.+!-]{0,64}", "a version")
ALWAYS = {  # attributes of any estimator, each with its rule
    "_skvae_version": VERSION,
    "_sklearn_version": VERSION,
    "_sklearn_output_config": record(
        {"transform": one_of(None, "default", "pandas", "polars")}
    ),
}


def dump_fitted(state):
    """Return an estimator's state with its fitted objects as plain data.

    Parameters
    ----------
    state : dict

    Returns
    -------
    dict
    """
    if "_density" not in state:
        return state
    state = dict(state)
    codec, density = state.pop("_codec"), state.pop("_density")
    state["_state"] = {
        "codec": codec.state(),
        "density": dump_density(density, codec.layout),
        "network": state.pop("_network").state(),
    }
    if "feature_names_in_" in state:
        state["feature_names_in_"] = _plain_names(state["feature_names_in_"])
    return state | {DIGEST: digest(state)}


def check_keys(state, cls):
    """Check that a state may be an estimator's.

    Parameters
    ----------
    state : object
        Which nothing is known of.
    cls : type
        Of the estimator, whose attributes the state must not replace.
    """
    require(type(state) is dict, "the state", "a dict", state)
    _check_sharing(state)
    for key in state:
        rule = "an attribute that the class leaves to the estimator"
        require(type(key) is str, "a key of the state", rule, key)
        is_taken = hasattr(cls, key) or key.startswith("__") or key in MADE
        require(not is_taken, "a key of the state", rule, key)
    for key in ALWAYS.keys() & state.keys():
        ALWAYS[key](state[key], key)


def _check_sharing(state):
    """Check that a state is not much longer than what it is made of.

    A list that holds another twice, which holds a third twice, and so on, is short in a
    file, and takes forever to look through.
    """
    lengths: dict[int, float] = {}  # of what was looked through, with all its parts
    n_parts = 0

    def length(value, depth):
        nonlocal n_parts
        if type(value) not in (list, tuple, dict) or depth > MOST_NESTED:
            return 1  # nobody looks through more levels
        if id(value) not in lengths:
            lengths[id(value)] = inf  # if it holds itself
            n_parts += len(value)
            parts = value.values() if type(value) is dict else value
            lengths[id(value)] = 1 + sum(length(part, depth + 1) for part in parts)
        return lengths[id(value)]

    is_short = length(state, 0) <= MOST_SHARED * (n_parts + MOST_SHARED)
    require(is_short, "the state", "of few parts that are shared", state)


def load_fitted(state, cls):
    """Return the state with the fitted objects that `dump_fitted` was given.

    Parameters
    ----------
    state : dict
        Whose keys were checked.
    cls : type
        Of the estimator.

    Returns
    -------
    dict
        With the parameters that are younger than the file, at their defaults.

    Raises
    ------
    ValueError
        If a field is not what a fit has written; it names the field.
    """
    written = state
    state = _defaults(cls) | state
    for key in "_skvae_version", "_sklearn_version", DIGEST:
        state.pop(key, None)
    if "_parameters" in state:
        state = _upgrade(state)
    if "_state" not in state:
        fitted = sorted(_attribute_rules(None).keys() & state.keys())
        require(not fitted, "_state", f"there, as {', '.join(fitted)} are", None)
        return state
    if type(state.get("feature_names_in_")) in ARRAYS:
        state["feature_names_in_"] = _plain_names(state["feature_names_in_"])
    layout = _check_fitted(state)
    check_digest(written)
    fitted = state.pop("_state")
    density, _ = load_density(fitted["density"])
    codec = load_codec(fitted["codec"], layout)
    _check_names(state, codec.schema.labels)
    network = no_network(codec)
    if "network" in fitted:  # older files have none
        network_rule(codec)(fitted["network"], "network")
        network = load_network(fitted["network"], codec)
    shape = state["_fitted_shape"]  # whose older files lack one
    state["_fitted_shape"] = shape | {"n_neighbors": shape.get("n_neighbors")}
    return state | {"_density": density, "_codec": codec, "_network": network}


def check_digest(written):
    """Check the digest of a state, which older files lack."""
    if DIGEST in written:
        known = written[DIGEST]
        text("[0-9a-f]{64}", "a digest")(known, DIGEST)
        found = digest({key: one for key, one in written.items() if key != DIGEST})
        require(known == found, DIGEST, f"that of the state, {found[:8]}...", known)


def digest(state):
    """Return a digest of plain data, whatever file they have been through.

    Parameters
    ----------
    state : dict
        Numbers, texts, arrays, lists and dicts. Of other values, as parameters may be,
        the class counts alone.

    Returns
    -------
    str
    """
    parts: list[bytes | memoryview] = []
    _spell(state, parts.append, 0)
    return sha256(b" ".join(parts)).hexdigest()


def _spell(value, add, depth):
    """Add what a value is and how long, and then its parts, to what is digested."""
    kind = type(value)
    if kind in ARRAYS and value.dtype.kind in "biufUmM":
        dtype = value.dtype.newbyteorder("<")  # as joblib's files may change it
        add(f"array {dtype.str} {value.shape}".encode())
        add(np.ascontiguousarray(value, dtype).tobytes())
    elif kind in ARRAYS and value.dtype == object:
        add(f"array {value.shape}".encode())
        _spell(value.ravel().tolist(), add, depth)
    elif isinstance(value, np.generic) and kind.__module__ == "numpy":
        _spell(np.asarray(value), add, depth)
    elif kind in (list, tuple) and depth < MOST_NESTED:
        add(f"{kind.__name__} {len(value)}".encode())
        if {float}.issuperset(map(type, value)):
            return add(repr(value).encode())
        for one in value:
            _spell(one, add, depth + 1)
    elif kind is dict and depth < MOST_NESTED:
        add(f"dict {len(value)}".encode())
        for key, one in value.items():
            _spell(key, add, depth + 1)
            _spell(one, add, depth + 1)
    elif kind is int:  # of any length
        add(f"int {value:x}".encode())
    elif kind in (str, bytes, float, bool, type(None)):
        add(f"{kind.__name__} {value!r}".encode("ascii", "backslashreplace"))
    else:
        add(f"{kind.__module__}.{kind.__qualname__}".encode())


@cache
def _defaults(cls):
    """Return the defaults of a class's parameters."""
    parameters = signature(cls.__init__).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _check_fitted(state):
    """Check a fitted estimator's state; return the layout of its columns."""
    fitted = state["_state"]
    fields = {"codec": anything, "density": anything, "network": Optional(anything)}
    record(fields)(fitted, "_state")
    density_rule(fitted["density"], "density")
    layout = load_layout(fitted["density"]["layout"])
    codec_rule(layout)(fitted["codec"], "codec")
    rules = _attribute_rules(layout, len(fitted["density"]["readout"]) - 1)
    for name, rule in rules.items():
        if name in state or name not in MAY_LACK:
            require(name in state, name, "there", None)
            rule(state[name], name)
    _check_agreement(state)
    return layout


def _attribute_rules(layout, n_components=1):
    """Return the rule of each fitted attribute; without a layout their names alone."""
    is_numeric = np.ones(1, bool) if layout is None else layout.is_numeric_feature
    d, count = len(is_numeric), integer(0, 2**62)
    return {
        "n_features_in_": one_of(d),
        "feature_names_in_": array("O", (d,)),
        "n_components_": one_of(n_components),
        "_n_features_out": one_of(n_components),
        "mean_": of_numeric(is_numeric, -LARGEST_VALUE, LARGEST_VALUE),
        "scale_": of_numeric(is_numeric, 0, LARGEST_VALUE),
        "noise_variance_": of_numeric(is_numeric, 0, np.inf),
        "network_weight_": number(0, 1),
        "component_kl_": array("float32 float64", (n_components,), -LARGEST, LARGEST),
        "explained_variance_ratio_": both(
            array("float64", (n_components,), -LARGEST, LARGEST), _explain_at_most_all
        ),
        "n_active_components_": integer(0, n_components),
        "n_iter_": count,
        "best_iter_": count,
        "loss_curve_": each(any_float),
        "validation_scores_": maybe(each(any_float)),
        "best_validation_score_": maybe(any_float),
        "_fitted_shape": record(
            {
                "n_components": number(0, 2**62),
                "hidden_layer_sizes": each(integer(1, 2**62)),
                "activation": text(),
                "scaling": maybe(text()),
                "n_neighbors": Optional(maybe(integer(1, 2**62))),
            }
        ),
    }


def _explain_at_most_all(value, path):
    """Check that no number of components explains more than all variance.

    It may be less than nothing: so that a single one may add more than all.
    """
    rounding = 1e-6 * (1 + abs(value).max())
    explained = value.cumsum()
    rule = "an array whose first ones add up to at most 1"
    require((explained <= 1 + rounding).all(), path, rule, value)


def _check_names(state, labels):
    """Check that the names of the columns are their labels, which errors show."""
    if "feature_names_in_" in state:
        names = state["feature_names_in_"].tolist()
        fits = labels is not None and names == list(labels)
        rule = "the labels of codec.schema"
        require(fits, "feature_names_in_", rule, state["feature_names_in_"])


def _check_agreement(state):
    """Check that what a state says twice, it says alike."""
    codec, density = state["_state"]["codec"], state["_state"]["density"]
    for name in ("mean", "scale"):
        is_same = np.array_equal(state[f"{name}_"], codec[name], equal_nan=True)
        require(is_same, f"{name}_", f"what codec.{name} is", state[f"{name}_"])
    variance = np.full(len(codec["scale"]), np.nan)
    variance[~np.isnan(codec["scale"])] = density["parts"][0]["noise"]["variance"]
    if codec["marginals"] is None:
        variance = variance * codec["scale"] ** 2
    is_near = np.allclose(state["noise_variance_"], variance, 1e-6, 0, equal_nan=True)
    rule = "that of density.parts[0], in the units of the columns"
    require(is_near, "noise_variance_", rule, state["noise_variance_"])
    weight, of_parts = state["network_weight_"], density["weights"]
    require(weight == of_parts[0], "network_weight_", f"{of_parts[0]!r}", weight)
    shape, coder = state["_fitted_shape"], density["parts"][0]["coder"]
    is_quantile, path = codec["marginals"] is not None, "_fitted_shape"
    fits = is_quantile == (shape["scaling"] == "quantile")
    require(fits, f"{path}.scaling", "that of codec.marginals", shape["scaling"])
    n_components = shape["n_components"]  # or a share
    fits = n_components < 1 or n_components == state["n_components_"]
    rule = f"a share, or {state['n_components_']}"
    require(fits, f"{path}.n_components", rule, n_components)
    fits = (shape.get("n_neighbors") is None) != ("reference" in coder)
    rule = "None where density.parts[0] is no map, else a number"
    require(fits, f"{path}.n_neighbors", rule, shape.get("n_neighbors"))
    for name, known in _architecture(coder).items():
        rule = "that of the architecture"
        require(shape[name] == known, f"{path}.{name}", rule, shape[name])


def _architecture(coder):
    """Return what a coder has of the parameters that a warm start must share."""
    if "reference" in coder:
        widths = tuple(len(bias) for _, bias in coder["layers"][::-1])
        return {"hidden_layer_sizes": widths, "activation": coder["activation"]}
    names = ("hidden_layer_sizes", "activation") if "flat" in coder else ()
    return {name: coder["architecture"][name] for name in names}


def _plain_names(names):
    """Return names as plain strings, without what else the table's library has."""
    is_text = names.ndim == 1 and all(isinstance(name, str) for name in names.tolist())
    require(is_text, "feature_names_in_", "a flat array of texts", names)
    plain = np.empty(len(names), dtype=object)
    plain[:] = [str.__str__(name) for name in names.tolist()]
    return plain


def _upgrade(state):
    """Return the state of a file from before densities had parts."""
    for key in ("_schema", "_marginals", "_fitted_shape", "_log_slope", "mean_"):
        require(key in state, key, "there", None)
    require(type(state["_fitted_shape"]) is dict, "_fitted_shape", "a dict", None)
    number()(state["beta"], "beta")
    codec = {
        "schema": state.pop("_schema"),
        "mean": state["mean_"],
        "scale": state.get("scale_"),
        "marginals": state.pop("_marginals"),
    }
    density = upgrade_density(state.pop("_parameters"), state["beta"])
    fitted = {"codec": codec, "density": density}
    shape = {k: v for k, v in state.pop("_fitted_shape").items() if k != "columns"}
    del state["_log_slope"]
    return state | {"_state": fitted, "_fitted_shape": shape}
