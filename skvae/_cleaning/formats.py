"""The formats of a column: of text that stands for values, and of values as such."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from skvae._cleaning.dates import DateFormat
from skvae._cleaning.numbers import NumberFormat


@dataclass
class BooleanFormat:
    """How a column of text writes True and False."""

    true: str
    false: str

    kind = "boolean"

    def parse(self, texts):
        """Return the booleans that texts stand for, NA where one is none."""
        values = texts.str.lower().map({"true": True, "false": False})
        return values.astype("boolean" if values.isna().any() else "bool")

    def write(self, values):
        """Return booleans as this column writes them."""
        return values.map({True: self.true, False: self.false}).astype(object)

    def describe(self):
        """Return nothing, as booleans are what they look like."""
        return ""


class AsValues:
    """Mixed into the format of values that a column has as such, and not as text.

    Other rows may have them as text, as files do.
    """

    def write(self, values):
        """Return values as they are."""
        return values


@dataclass
class PlainNumbers(AsValues, NumberFormat):
    """Numbers that a column has as such."""

    whole: bool = False

    kind = "plain"


@dataclass
class PlainDates(AsValues, DateFormat):
    """Datetimes that a column has as such; as text they are as ISO 8601 has it."""

    form: str = "%Y-%m-%d"
    iso: bool = True

    kind = "plain datetime"


@dataclass
class PlainBooleans(AsValues, BooleanFormat):
    """Booleans that a column has as such."""

    true: str = "True"
    false: str = "False"

    kind = "plain boolean"


@dataclass
class PlainTimedeltas(AsValues):
    """Timedeltas that a column has as such; as text they are as pandas writes them."""

    kind = "plain timedelta"

    def parse(self, texts):
        """Return the timedeltas that texts stand for, NaT where one is none."""
        return pd.to_timedelta(texts, errors="coerce")


FORMATS: dict[str, Any] = {
    form.kind: form
    for form in (
        *(NumberFormat, DateFormat, BooleanFormat),
        *(PlainNumbers, PlainDates, PlainBooleans, PlainTimedeltas),
    )
}
# What a column has as such, by the kinds of dtypes; whole numbers may be dates.
PLAIN_VALUES = {"b": PlainBooleans, "M": PlainDates, "m": PlainTimedeltas}
