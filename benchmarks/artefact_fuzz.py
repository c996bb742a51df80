"""Does a damaged or hostile file end in a right model, or in one clear error?

    python benchmarks/artefact_fuzz.py [N] [--seed S]

Fits small models of tables of every kind, and loads each from N files that are not what
was saved: states with fields swapped, replaced, removed, added, nested deep, made huge,
NaN or hostile, with and without a digest to match, handed over as they are, or through
pickle and skops; and bytes of skops with bits flipped or an end cut off. (Pickles are
for files of one's own, and run code by design: their bytes are not damaged here.)

Each must load to a model that says the same to the bit; or to another one, all of whose
verbs work; or be refused with one error, "corrupt or hostile artefact"; of bytes of
skops that are no archive any more, skops, zipfile and json raise errors of their own,
which are counted apart. To set a state may not take a second of CPU time; no load may
open a file or a socket, import or execute anything, the database of time zones aside.
Prints a table of the outcomes; the exit status says whether any was bad.
"""

import argparse
import copy
import datetime as dt
import pickle
import random
import sys
import time
import warnings
import zoneinfo
from collections import Counter
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction

import joblib
import numpy as np
import pandas as pd
import skops.io

from skvae import VAETransformer
from skvae._artefact import DIGEST, digest

QUICK = {"n_components": 2, "hidden_layer_sizes": (4,), "max_iter": 2}
QUICK |= {"batch_size": 16, "random_state": 0}
TRUSTED = ["skvae._vae.VAETransformer"]
REFUSED = "corrupt or hostile artefact: "
GOOD = "same bits", "another model", "refused", "archive's own error"
BAD = "a verb fails", "another error", "slow", "touches something"
MOST_SECONDS = 1.0


# ---------------------------------------------------------------- what is fitted


def make_tables(n=60):
    """Return tables, and parameters of the models to fit to them."""
    rng = np.random.default_rng(0)
    t = rng.normal(size=n)
    numbers = np.c_[t, t**2, np.sin(t)] + 0.1 * rng.normal(size=(n, 3))
    steps = np.where(numbers < 0.2, 0.0, numbers.round(1))
    days = np.floor(300 * t).astype(int)
    stamps = pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")
    mixed = pd.DataFrame(
        {
            "number": t,
            "count": pd.array(days // 9, dtype="Int16"),
            "flag": pd.array(t > 0, dtype="boolean"),
            "word": rng.choice(["a", "b", "ä\0"], n),
            "order": pd.Categorical(np.digitize(t, [-1, 0, 1]), ordered=True),
            "span": pd.Categorical(pd.cut(t, 3)),
            "stamp": stamps.tz_localize("Asia/Tokyo"),
            "length": stamps - stamps[0],
            "arrow": pd.array(days % 7, dtype="int32[pyarrow]"),
        }
    )
    objects = pd.DataFrame(
        {
            "price": [Decimal(int(day)).scaleb(-2) for day in days],
            "share": [Fraction(int(day) % 4, 3) for day in days],
            "date": [stamp.date() for stamp in stamps],
            "clock": [dt.time(abs(int(day)) % 24) for day in days],
            "any": [str(day % 3) if day % 2 else int(day % 3) for day in days],
            "tuple": pd.Categorical([("a", int(day) % 2) for day in days]),
        },
        dtype=object,
    ).astype({"tuple": "category"})
    objects["share"] = objects["share"].astype("category")
    objects.columns = pd.MultiIndex.from_tuples(
        [(name, i) for i, name in enumerate(objects)], names=["name", None]
    )
    choices = {"categorical_features": None}
    return {
        "numeric": (numbers, {}),
        "quantile": (steps, {"scaling": "quantile"}),
        "linear": (numbers, {"hidden_layer_sizes": ()}),
        "map": (numbers, {"n_neighbors": 5}),
        "incomplete": (np.where(rng.random((n, 3)) < 0.2, np.nan, numbers), {}),
        "mixed": (mixed.mask(rng.random(mixed.shape) < 0.1), {}),
        "objects": (objects, choices),
        "texts": (rng.choice(["x", "yy", "z"], (n, 3)), choices),
    } | ({"polars": (make_polars(t, days, stamps), {})} if has_polars() else {})


def has_polars():
    """Return whether polars is installed."""
    try:
        import polars  # noqa: F401
    except ImportError:
        return False
    return True


def make_polars(t, days, stamps):
    """Return a DataFrame of polars of many dtypes."""
    import polars as pl

    cents = [Decimal(int(day)).scaleb(-2) for day in days]
    small = [abs(int(day)) % 3 for day in days]
    return pl.DataFrame(
        {
            "float": pl.Series(t, dtype=pl.Float32),
            "int": pl.Series(days, dtype=pl.Int64).cast(pl.Int16),
            "bool": t > 0,
            "text": [str(day) for day in small],
            "enum": pl.Series(
                ["abc"[day] for day in small], dtype=pl.Enum(list("abc"))
            ),
            "category": pl.Series([f"c{day}" for day in small], dtype=pl.Categorical),
            "decimal": pl.Series(cents, dtype=pl.Decimal(10, 2)),
            "stamp": pl.Series(stamps.to_numpy()).dt.replace_time_zone("Europe/Paris"),
            "date": [stamp.date() for stamp in stamps],
            "time": [dt.time(day) for day in small],
            "span": [dt.timedelta(int(day)) for day in days],
        }
    )


def fit_models(tables):
    """Return each table's fitted model, some rows, and what the model says of them."""
    models = {}
    for name, (X, parameters) in tables.items():
        vae = VAETransformer(**QUICK | parameters).fit(X)
        rows = X[:8] if not hasattr(X, "iloc") else X.iloc[:8]
        models[name] = vae, rows, say_all(vae, rows)
    return models


def say_all(vae, X):
    """Return all that a fitted model says, in the order in which it is asked."""
    Z = np.outer([-1.0, 1.0], np.ones(vae.n_components_))
    said = [vae.inverse_transform(Z), vae.sample(5, random_state=0)]
    said += [vae.transform(X), *vae.posterior(X), vae.score_samples(X)]
    said += [vae.impute(X), *vae.impute(X, n_draws=1, random_state=0)]
    return joblib.hash([as_plain(table) for table in said])


def as_plain(table):
    """Return a table of polars as lists, others as they are."""
    if not hasattr(table, "get_columns"):
        return table
    return [(s.name, str(s.dtype), s.to_list()) for s in table.get_columns()]


# ---------------------------------------------------------------- what is changed


class Trap(str):
    """A text whose methods must not be called."""

    def _spring(self, *_):
        SPRUNG.append(1)
        return True

    __eq__ = __len__ = __str__ = __repr__ = __format__ = __iter__ = __call__ = _spring
    __hash__ = str.__hash__


class TrapDict(dict):
    """A dict whose methods must not be called."""

    __getitem__ = __iter__ = __len__ = keys = items = get = Trap._spring


class TrapArray(np.ndarray):
    """An array whose methods must not be called."""

    min = max = sum = tolist = astype = __array_ufunc__ = Trap._spring


SPRUNG: list = []


def nested(depth, make):
    """Return plain data that are nested deep."""
    value = None
    for _ in range(depth):
        value = make(value)
    return value


def hostile_values():
    """Return values that no fit has written."""
    return [
        *(None, True, False, "", 0, 1, -1, 7, 2.5, -0.0, 1e300, b"bytes", (), [], {}),
        *(float("nan"), float("inf"), 2**63, 2**70, 10**400, 1 << 3_000_000),
        *("transform", "../../etc/passwd", "/etc/passwd", "dateutil//etc/passwd"),
        *("\x1b[2J\x1b]0;x\x07", "x" * 100_000, "now", "NaT", "read_csv", "Foo/Bar"),
        *(["Fraction", "1e5000000"], ["Fraction", "1/0"], ["Decimal", "1e99999999"]),
        *(["Timestamp", "now", "ns", None], ["Period", "2020", "9" * 99 + "D"]),
        *(
            ["Timestamp", "2020-02-30T00:00:00", "ns", "../../etc/passwd"],
            ["open", "x"],
        ),
        *(["Interval", 2, 1, "left"], ["timedelta", 10**12, 0, 0], ["str", 3], ["x"]),
        ["Interval", ["Interval", 0, 1, "left"], 1, "left"],
        {"polars": "read_csv", "source": "http://127.0.0.1:9/x"},
        {"polars": "Datetime", "time_unit": "ns", "time_zone": "../../etc/passwd"},
        {"polars": "Decimal", "precision": 10**9, "scale": 10**9},
        *({"numpy": "f8,f8"}, {"numpy": "<U999999999"}, {"numpy": "<U99999"}),
        *({"numpy": "(9999999,)f8"}, {"numpy": "<M8[s]"}, {"numpy": "|O"}),
        *({"pandas": "category"}, {"pandas": "Sparse[float]"}, {"pandas": "Int8"}),
        *({"pandas": "datetime64[ns, ../../etc/passwd]"}, {"pandas": "period[999X]"}),
        *(
            {"arrow": b"\xff" * 64},
            {"arrow": b""},
            {"string": "python", "is_nan": True},
        ),
        {"categories": ["Decimal", "1e9"], "of": {"numpy": "<i8"}, "ordered": False},
        *(list(range(20_000)), [1] * 20_000, (5,) * 20_000),
        *(nested(10_000, lambda v: [v]), nested(10_000, lambda v: {"a": v})),
        nested(500, lambda v: ["tuple", v]),
        *(np.zeros(0), np.zeros((2, 3)), np.full(3, np.nan), np.array([None, "x"])),
        *(
            np.array(["a", "b"]),
            np.array("a"),
            np.zeros(1, "i4,f8"),
            np.zeros((1,) * 30),
        ),
        *(np.broadcast_to(0.0, (10**6,)), np.broadcast_to(1, (10**3, 10**3))),
        *(
            Trap("levels"),
            TrapDict(a=1),
            np.zeros(3).view(TrapArray),
            print,
            np.float64,
        ),
        *(np.float64(0.5), np.int64(3), np.str_("x"), VAETransformer()),
    ]


def places_of(value, depth=0):
    """Yield every dict and list of a state with each of its keys."""
    if type(value) in (dict, list) and depth < 12:
        for key in value if type(value) is dict else range(len(value)):
            yield value, key
            yield from places_of(value[key], depth + 1)


def as_lists(value):
    """Return a deep copy whose tuples are lists, which can be changed in place."""
    if type(value) is dict:
        return {key: as_lists(one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return [as_lists(one) for one in value]
    return copy.deepcopy(value)


def change(state, rng, hostile):
    """Change one place of a state, in place."""
    places = list(places_of(state))
    where, key = rng.choice(places)
    value = where[key]
    whole = [lambda: rng.choice(hostile)] * 3
    whole += [lambda: copy.deepcopy((lambda w, k: w[k])(*rng.choice(places)))] * 2
    if type(value) is np.ndarray and value.size:
        whole += [lambda: changed_array(value, rng)] * 8
    elif type(value) in (int, float):
        changed = [-value, value * 10, value * 10**40, value + 1, 0, 10**9]
        changed.append(float("nan"))
        whole += [lambda: rng.choice(changed)] * 4
    elif type(value) is str:
        changed = [value + "x", value[1:], value.upper(), value * 1000, f"../{value}"]
        whole += [lambda: rng.choice(changed)] * 4
    how = rng.random()
    if how < 0.1:
        del where[key]
    elif how < 0.2 and type(where) is dict:
        names = "transform", "n_features_in_", "__class__", "_codec", "x", "kind", "of"
        where[rng.choice(names)] = rng.choice(hostile)
    elif how < 0.2:
        where.insert(key, copy.deepcopy(value))
    else:
        where[key] = rng.choice(whole)()


def changed_array(value, rng):
    """Return an array with a bit flipped, an entry or the form changed."""
    value = np.array(value)
    flat = value.reshape(-1)
    how, at = rng.randrange(9), rng.randrange(flat.size)
    if how < 4 and value.dtype != object:
        raw = value.view(np.uint8) if value.ndim == 1 else flat.view(np.uint8)
        raw[rng.randrange(raw.size)] ^= 1 << rng.randrange(8)
    elif how < 6 and value.dtype.kind == "f":
        flat[at] = rng.choice([np.nan, np.inf, -np.inf, 0, -1, 1e30, 1e99, -1e-300])
    elif how < 6 and value.dtype.kind in "iu":
        flat[at] = rng.choice([-1, 0, 1, 2**31 - 1])
    elif how == 6:
        return value[:-1]
    elif how == 7:
        return value.T[..., None] if rng.random() < 0.5 else np.concatenate([value] * 2)
    else:
        kinds = (
            ["f4", "f8", "O", "U9", "?"] if value.dtype.kind in "iuf" else ["O", "U9"]
        )
        return value.astype(rng.choice(kinds))
    return value


# ---------------------------------------------------------------- what happens


@contextmanager
def state_to_save(state):
    """Let the next estimator that is saved have a given state."""
    own = VAETransformer.__getstate__
    VAETransformer.__getstate__ = lambda self: state
    try:
        yield
    finally:
        VAETransformer.__getstate__ = own


def load_state(state):
    """Load a state as it is."""
    vae = VAETransformer()
    before = list(vae.__dict__)
    try:
        vae.__setstate__(state)
    finally:
        is_whole = hasattr(vae, "_codec") == hasattr(vae, "n_iter_")
        assert is_whole or list(vae.__dict__) == before, "half a state was set"
    return vae


def through_pickle(state):
    """Return a function that loads a state from a pickle, or as it is."""
    try:
        content = pickle.dumps(state)
    except Exception:  # traps, and what is nested too deep
        return lambda: load_state(state)
    return lambda: load_state(pickle.loads(content))


def through_skops(state):
    """Return a function that loads a state from skops, or as it is."""
    try:
        with state_to_save(state):
            content = skops.io.dumps(VAETransformer())
        if skops.io.get_untrusted_types(data=content) != TRUSTED:
            return lambda: load_state(state)
    except Exception:
        return lambda: load_state(state)
    return lambda: skops.io.loads(content, trusted=TRUSTED)


def mutate(vae, rng, hostile):
    """Return how a saved model is changed, and a function that loads it."""
    way = rng.choice(["state"] * 3 + ["pickle", "skops", "bytes"])
    if way == "bytes":
        content = bytearray(skops.io.dumps(vae))
        if rng.random() < 0.3:
            del content[rng.randrange(len(content)) :]
        else:
            for _ in range(rng.choice([1, 1, 2, 16])):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        content = bytes(content)
        return "skops bytes", lambda: skops.io.loads(content, trusted=TRUSTED)
    state = as_lists(vae.__getstate__())
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        change(state, rng, hostile)
    how = rng.choice(["damaged", "forged", "without digest"])
    if how == "without digest":
        state.pop(DIGEST, None)
    elif how == "forged":
        state[DIGEST] = digest({k: v for k, v in state.items() if k != DIGEST})
    load = {"state": lambda s: lambda: load_state(s)}
    load |= {"pickle": through_pickle, "skops": through_skops}
    return f"{way}, {how}", load[way](state)


@contextmanager
def timed(seconds):
    """Add the CPU seconds of each estimator that sets its state to a list."""
    own = VAETransformer.__setstate__

    def set_state(self, state):
        started = time.process_time()
        try:
            own(self, state)
        finally:
            seconds.append(time.process_time() - started)

    VAETransformer.__setstate__ = set_state
    try:
        yield
    finally:
        VAETransformer.__setstate__ = own


class Watch:
    """Notes what Python is asked to open, import or run while it is on."""

    events = "open", "socket.", "import", "exec", "subprocess.", "os."

    def __init__(self):
        self.is_on, self.seen = False, []
        sys.addaudithook(self._note)

    def _note(self, event, arguments):
        if self.is_on and event.startswith(self.events):
            text = str(arguments[0])
            zones = text.startswith((*zoneinfo.TZPATH, "tzdata"))
            if not zones and "/tzdata/" not in text and "/pytz/" not in text:
                self.seen.append(f"{event} {text[:80]}")


def outcome_of(load, X, expected, watch, most_seconds):
    """Return what a load ends in, its CPU seconds, and a note on what went wrong."""
    SPRUNG.clear()
    watch.seen.clear()
    seconds, note, vae = [0.0], "", None
    watch.is_on = True
    try:
        with timed(seconds):
            vae = load()
        end = "another model"
    except Exception as error:
        is_ours = type(error) is ValueError and str(error).startswith(REFUSED)
        end, note = "refused" if is_ours else "another error", repr(error)[:300]
    finally:
        watch.is_on = False
    if watch.seen or SPRUNG:
        end, note = "touches something", f"{watch.seen[:3]} {SPRUNG[:1]}"
    elif sum(seconds) > most_seconds:
        end = "slow"
    elif vae is not None:
        try:
            if hasattr(vae, "n_components_"):
                end = "same bits" if say_all(vae, X) == expected else end
        except Exception as error:
            # It may well have been fitted to other columns than those of X.
            if not str(error).startswith(("Input X", "X has", "The feature names")):
                end, note = "a verb fails", f"{type(error).__name__}: {error}"[:300]
    return end, sum(seconds), note


def fuzz(n, seed, models, most_seconds=MOST_SECONDS):
    """Load n changed files; return their ways and ends, seconds, and notes on bad ones.

    Parameters
    ----------
    n : int
    seed : int
    models : dict
        Which `fit_models` returned.
    most_seconds : float
        Of CPU time to set a state.

    Returns
    -------
    ends : Counter of (way, end)
    seconds : list of float
    notes : list of str
    """
    rng, hostile, watch = random.Random(seed), hostile_values(), Watch()
    ends, all_seconds, notes = Counter(), [], []
    for vae, _, _ in models.values():  # what is imported once
        skops.io.loads(skops.io.dumps(vae), trusted=TRUSTED)
    for i in range(n):
        name = rng.choice(list(models))
        vae, X, expected = models[name]
        way, load = mutate(vae, rng, hostile)
        end, seconds, note = outcome_of(load, X, expected, watch, most_seconds)
        if way == "skops bytes" and end == "another error":
            end = "archive's own error"
        ends[way, end] += 1
        all_seconds.append(seconds)
        if end in BAD:
            notes.append(f"{i}, {name}, {way}: {end}, {seconds:.2f} s, {note}")
    return ends, all_seconds, notes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("n", nargs="?", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    models = fit_models(make_tables())
    ends, seconds, notes = fuzz(args.n, args.seed, models)
    columns = [end for end in (*GOOD, *BAD) if any(e == end for _, e in ends)]
    ways = sorted({way for way, _ in ends})
    table = pd.DataFrame(
        [[ends[way, end] for end in columns] for way in ways], ways, columns
    )
    table.loc["all"] = table.sum()
    print(table.to_string())
    middle, most = 1e3 * np.median(seconds), 1e3 * max(seconds)
    print(f"CPU time to set a state: {middle:.1f} ms in the median, {most:.0f} at most")
    print("\n".join(notes[:40]))
    return int(bool(notes))


if __name__ == "__main__":
    sys.exit(main())
