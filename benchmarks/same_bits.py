"""Do two checkouts fit the same models, to the bit?

A change of the architecture changes no result. This fits small tables under many
configurations with the code of two checkouts, each in a process of its own, and
compares all that the fitted estimators say. The new code also reads the artefacts that
the old code wrote.

    python benchmarks/same_bits.py OLD [NEW]

OLD and NEW are commits, or folders; NEW is this checkout unless it is given. The exit
status is 1 where something differs; the largest relative difference is printed, which
tells a changed order of summation from another model.
"""

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

HERE = Path(__file__).resolve()
CHECKOUT = HERE.parents[1]
QUICK = {"hidden_layer_sizes": (32, 16), "max_iter": 30, "random_state": 0}


def make_tables():
    """Return small tables by name, each a pair: rows to fit and rows to ask about."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    t = rng.uniform(-2, 2, (360, 2))
    curve = np.column_stack([t[:, 0], t[:, 0] ** 2, np.abs(t[:, 0]), t.sum(1), t[:, 1]])
    curve += 0.05 * rng.normal(size=curve.shape)
    curve = curve * [1, 10, 0.1, 5, 1] + [0, 50, -3, 100, 0]
    linear = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6))
    linear += 0.3 * rng.normal(size=linear.shape)
    steps = curve.copy()
    steps[:, 0] = np.maximum(steps[:, 0], 0)
    steps[:, 1] = steps[:, 1].round()
    steps[:, 4] = steps[:, 4] > 0.5
    missing = np.where(rng.random(curve.shape) < 0.2, np.nan, curve)
    missing[5] = np.nan
    mixed = pd.DataFrame(
        {
            "size": curve[:, 0],
            "price": curve[:, 1],
            "kind": pd.Categorical.from_codes(
                np.digitize(curve[:, 3], [94, 99, 104]), list("abcd")
            ),
            "lift": curve[:, 4] > 0.3,
            "town": np.where(curve[:, 2] > -2.9, "north", "south"),
            "built": np.datetime64("2000-01-01")
            + (100 * curve[:, 3]).astype("timedelta64[D]"),
            "rooms": curve[:, 1].round().astype(int) // 3,
            "level": np.array(["low", "mid", "high"])[
                np.digitize(curve[:, 0], [-0.7, 0.7])
            ],
        }
    )
    mixed_missing = mixed.mask(rng.random(mixed.shape) < 0.15)
    levels = mixed[["kind", "lift", "town", "level"]]
    wide = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 60))
    wide = np.sin(wide) + 0.1 * rng.normal(size=wide.shape)
    tables = {
        "curve": curve,
        "linear": linear,
        "steps": steps,
        "missing": missing,
        "missing steps": np.where(np.isnan(missing), np.nan, steps),
        "mixed": mixed,
        "mixed missing": mixed_missing,
        "levels": levels,
        "wide": wide,
    }
    split = {}
    for name, table in tables.items():
        n = len(table) * 5 // 6
        part = table.iloc if hasattr(table, "iloc") else table
        split[name] = part[:n], part[n:]
    return split


# Name: the table, and the parameters that differ from QUICK.
CONFIGURATIONS = {
    "auto": ("curve", {}),
    "defaults": ("curve", {"hidden_layer_sizes": (256, 128), "max_iter": "auto"}),
    "float32": ("curve", {}),
    "spherical, no scaling": ("curve", {"noise": "spherical", "scaling": None}),
    "diag": ("curve", {"noise": "diag"}),
    "all rows train": ("curve", {"early_stopping": False}),
    "autoencoder": ("curve", {"beta": 0}),
    "beta": ("curve", {"beta": 2.0, "noise": "diag"}),
    "a share": ("curve", {"n_components": 0.8}),
    "warm start": ("curve", {"warm_start": True}),
    "linear model": ("curve", {"hidden_layer_sizes": ()}),
    "linear model, diag": ("curve", {"hidden_layer_sizes": (), "noise": "diag"}),
    "closed form kept": ("linear", {}),
    "closed form kept, diag": ("linear", {"noise": "diag"}),
    "wide": ("wide", {"n_components": 4}),
    "quantile": ("steps", {"scaling": "quantile"}),
    "quantile, all rows": ("steps", {"scaling": "quantile", "early_stopping": False}),
    "quantile, linear": ("steps", {"scaling": "quantile", "hidden_layer_sizes": ()}),
    "missing": ("missing", {}),
    "missing, diag": ("missing", {"noise": "diag"}),
    "missing, linear": ("missing", {"hidden_layer_sizes": (), "noise": "diag"}),
    "missing, quantile": ("missing steps", {"scaling": "quantile"}),
    "mixed": ("mixed", {}),
    "mixed, diag, all rows": ("mixed", {"noise": "diag", "early_stopping": False}),
    "mixed, linear": ("mixed", {"hidden_layer_sizes": ()}),
    "mixed, missing": ("mixed missing", {"n_components": 3}),
    "mixed, missing, quantile": ("mixed missing", {"scaling": "quantile"}),
    "mixed, warm start": ("mixed", {"warm_start": True}),
    "categories alone": ("levels", {}),
}


def say_all(vae, X):
    """Return all that a fitted estimator says of rows, some of them with gaps."""
    import numpy as np

    holed = X.copy()
    if hasattr(X, "iloc"):
        holed.iloc[::2, 0] = None
        holed.iloc[1::3, -1] = None
    else:
        holed[::2, 0] = np.nan
        holed[1::3, -1] = np.nan
    Z = vae.transform(X)
    said = {
        "transform": Z,
        "posterior": vae.posterior(holed)[1],
        "inverse_transform": vae.inverse_transform(2 * Z),
        "score_samples": vae.score_samples(X),
        "score_samples, missing": vae.score_samples(holed),
        "sample": vae.sample(200, random_state=0),
        "impute": vae.impute(holed),
        "impute, draws": vae.impute(holed, n_draws=2, random_state=0)[1],
    }
    names = "component_kl_ loss_curve_ validation_scores_ noise_variance_ best_iter_"
    for name in f"{names} network_weight_ n_components_ mean_ scale_".split():
        said[name] = getattr(vae, name)
    return said


def work(folder, read_from=None):
    """Fit every configuration; write what the estimators say, and the estimators."""
    import joblib

    from skvae import VAETransformer

    warnings.simplefilter("ignore")
    tables, said, seconds = make_tables(), {}, 0.0
    for i, (name, (table, parameters)) in enumerate(CONFIGURATIONS.items()):
        X, X_new = tables[table]
        if name == "float32":
            X, X_new = X.astype("float32"), X_new.astype("float32")
        vae = VAETransformer(**{**QUICK, **parameters})
        started = time.perf_counter()
        vae.fit(X)
        if vae.warm_start:
            vae.fit(X[len(X) // 3 :])
        seconds += time.perf_counter() - started
        said[name] = say_all(vae, X_new)
        joblib.dump(vae, folder / f"{i}.joblib")
        if read_from is not None:
            old = joblib.load(read_from / f"{i}.joblib")
            said[f"{name}, artefact"] = say_all(old, X_new)
    (folder / "said.pickle").write_bytes(pickle.dumps(said))
    n_kept = sum(bool(of_one["best_iter_"]) for of_one in said.values())
    print(f"{seconds:.1f} s in fits; {n_kept} of {len(said)} keep a network")


def run(checkout, folder, *arguments):
    """Run the work with the package of a checkout; return what it said."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    command = [sys.executable, str(HERE), "--work", str(folder), *arguments]
    subprocess.run(command, env=environment, check=True)
    return pickle.loads((folder / "said.pickle").read_bytes())


def as_folder(checkout, scratch):
    """Return the folder of a checkout, which a commit is unpacked to."""
    if Path(checkout).is_dir():
        return Path(checkout).resolve()
    folder = Path(scratch, checkout)
    folder.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "archive", checkout], cwd=CHECKOUT, check=True, capture_output=True
    )
    subprocess.run(["tar", "-xf", "-", "-C", folder], input=archive.stdout, check=True)
    return folder


def difference(old, new):
    """Return the largest relative difference of two results, inf if not numbers."""
    import numpy as np

    if hasattr(old, "select_dtypes"):
        old, new = (frame.select_dtypes("number") for frame in (old, new))
    try:
        old, new = (np.asarray(value, dtype=np.float64) for value in (old, new))
        if old.shape != new.shape:
            return np.inf
        gap = np.abs(old - new)[~(np.isnan(old) & np.isnan(new))]
        return float(gap.max() / max(np.nanmax(np.abs(old)), 1e-300))
    except (TypeError, ValueError):
        return np.inf


def compare(old, new):
    """Print what differs; return how many results do."""
    import joblib

    n_different, n_compared = 0, 0
    for name, said in new.items():
        known = old[name.removesuffix(", artefact")]
        for verb, value in said.items():
            n_compared += 1
            if joblib.hash(value) != joblib.hash(known[verb]):
                n_different += 1
                gap = difference(known[verb], value)
                print(f"{name}: {verb} differs, by {gap:.1e} at most")
    print(f"{n_compared - n_different} of {n_compared} results have the same bits")
    return n_different


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", nargs="?")
    parser.add_argument("new", nargs="?", default=str(CHECKOUT))
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--read-from", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        return work(args.work, args.read_from)
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, name) for name in ("said by old", "said by new")]
        for folder in folders:
            folder.mkdir()
        old, new = (as_folder(checkout, scratch) for checkout in (args.old, args.new))
        known = run(old, folders[0])
        found = run(new, folders[1], "--read-from", str(folders[0]))
        return int(compare(known, found) > 0)


if __name__ == "__main__":
    sys.exit(main())
