"""`TableCleaner`, which makes columns of values of the text of a raw table."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import get_config
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skvae._cleaning.columns import ColumnReader, find_kind, find_readers, is_text
from skvae._cleaning.dtypes import conform, describe
from skvae._printable import quote
from skvae._table.values import shorten
from skvae._warnings import warn


class TableCleaner(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Makes a raw table one that `VAETransformer` can be fitted to.

    It does with any data frame what ``python -m skvae`` does with a file: text that
    stands for numbers, dates or booleans is replaced by these, also with decimal
    commas, marks between thousands, currencies and percent signs; ``?``, ``-``, ``NA``
    and the like among them, and infinite numbers, become missing values; columns that
    cannot be fitted are left out, and `dropped_columns_` says why.

    Parameters
    ----------
    drop_identifiers : bool, default=True
        Whether to leave out row numbers, and text that differs in more than half of the
        rows (and in more than 30): names, remarks and the like.

    drop_constant : bool, default=True
        Whether to leave out columns with only one value.

    Attributes
    ----------
    kept_columns_ : list
        The columns that `transform` returns.

    dropped_columns_ : dict of str to str
        The other columns, and why they are left out.

    column_kinds_ : dict of str to str
        Of each kept column "numeric", "datetime", "timedelta" or "categorical", which
        text and booleans are.

    notes_ : dict of str to str
        What is special about columns, such as how dates are written, that codes begin
        with 0, or that something looks like dates and is not read.

    n_features_in_ : int
        Number of columns in `fit`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if all are strings.

    See Also
    --------
    read_table : Reads a file as ``python -m skvae`` does.

    Notes
    -----
    The cleaned table has datetimes, timedeltas, booleans and text beside numbers.
    `VAETransformer` takes all of these. Before an estimator that takes numbers only,
    such as `HistGradientBoostingClassifier`, encode or leave out the others.

    What a column is gets decided in `fit`, so `transform` returns the same columns for
    any rows, of the same dtypes as far as these can hold them. Text that cannot be read
    as the column's others were is missing, and a warning says so. Values of another
    kind, such as dates where fit had numbers, are an error.

    Examples
    --------
    >>> import pandas as pd
    >>> from skvae import TableCleaner
    >>> X = pd.DataFrame(
    ...     {
    ...         "id": range(1, 5),
    ...         "zip": ["02109", "02110", "02109", "02110"],
    ...         "price": ["$1,200.50", "$990.00", "?", "$1,500.00"],
    ...         "day": ["25/03/21", "01/04/21", "13/04/21", None],
    ...     }
    ... )
    >>> cleaner = TableCleaner().set_output(transform="pandas")
    >>> cleaner.fit_transform(X)["price"].tolist()
    [1200.5, 990.0, nan, 1500.0]
    >>> cleaner.column_kinds_
    {'zip': 'categorical', 'price': 'numeric', 'day': 'datetime'}
    >>> cleaner.dropped_columns_
    {'id': 'row numbers'}
    """

    # As in VAETransformer: with a link, the HTML shows what each parameter is.
    _doc_link_module = "skvae"
    _doc_link_template = Path(__file__).as_uri()

    def __init__(self, *, drop_identifiers=True, drop_constant=True):
        self.drop_identifiers = drop_identifiers
        self.drop_constant = drop_constant

    def fit(self, X, y=None):
        """Find out what the columns are.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
            The raw table. Other tables are made one: a polars DataFrame, a pyarrow
            Table, an array.

        y : None
            Ignored.

        Returns
        -------
        self : TableCleaner
            The fitted transformer.

        Examples
        --------
        >>> import pandas as pd
        >>> from skvae import TableCleaner
        >>> X = pd.DataFrame({"n": [1, 2, 3], "day": ["2-Jan-20", "9-Feb-20", "?"]})
        >>> TableCleaner().fit(X).notes_
        {'day': 'dates written %d-%b-%y'}
        """
        self._check_parameters()
        table = _to_frame(X)
        readers = find_readers(table)
        kinds, dropped, kept, fitted = {}, {}, [], []
        left_out = {
            "unusable",
            "identifier" if self.drop_identifiers else None,
            "constant" if self.drop_constant else None,
        }
        for j, reader in enumerate(readers):
            column = table.columns[j]
            reading = reader.read(table.iloc[:, j])
            kind, why, reason = find_kind(reading.values)
            if why not in left_out:
                kinds[column] = kind
                kept.append(j)
                of_fit = describe(reading.values, _called(column))
                fitted.append(of_fit | {"all_read": not len(reading.unread)})
            else:
                dropped[column] = reason
        if not kept:
            reasons = "; ".join(f"{column}: {why}" for column, why in dropped.items())
            raise ValueError(
                "Input X has no column that can be fitted, with n_samples = "
                f"{len(table)} ({reasons})."
            )
        validate_data(self, X, reset=True, skip_check_array=True)
        self.kept_columns_ = [table.columns[j] for j in kept]
        self.dropped_columns_, self.column_kinds_ = dropped, kinds
        self.notes_ = {
            column: reader.note
            for column, reader in zip(table.columns, readers, strict=True)
            if reader.note
        }
        self._kept = kept
        self._readers = [readers[j].state() for j in kept]
        self._fitted = fitted
        return self

    def transform(self, X):
        """Return the columns that can be fitted, as numbers, dates, booleans and text.

        Parameters
        ----------
        X : DataFrame of shape (n_samples, n_features)
            A table with the columns of `fit`, in the same order.

        Returns
        -------
        DataFrame of shape (n_samples, n_kept_columns)
            Of pandas, with the index of `X`; an array if `X` is one and `set_output`
            asks for nothing else; of polars if `set_output` asks for it.

        Raises
        ------
        ValueError
            If the columns are not those of fit, or one is of another kind.

        Warns
        -----
        UserWarning
            If there is text that cannot be read as its column was in fit.

        Examples
        --------
        >>> import pandas as pd
        >>> from skvae import TableCleaner
        >>> cleaner = TableCleaner().fit(pd.DataFrame({"x": ["1,5", "2,25", "-"]}))
        >>> cleaner.transform(pd.DataFrame({"x": ["0,5", "?"]}))["x"].tolist()
        [0.5, nan]
        """
        check_is_fitted(self)
        table = _to_frame(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        readings = [
            ColumnReader.from_state(state).read(table.iloc[:, j])
            for j, state in zip(self._kept, self._readers, strict=True)
        ]
        columns = self._as_in_fit(readings)
        cleaned = pd.concat(columns, axis=1).set_axis(self.kept_columns_, axis=1)
        is_frame = hasattr(X, "columns") or self._output() != "default"
        return cleaned if is_frame else _to_array(cleaned)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that are kept.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored, but for being checked against the names in `fit`.

        Returns
        -------
        ndarray of str
            The names.

        Examples
        --------
        >>> import pandas as pd
        >>> from skvae import TableCleaner
        >>> X = pd.DataFrame({"row": [0, 1, 2], "x": ["1.5", "2", "4"]})
        >>> TableCleaner().fit(X).get_feature_names_out()
        array(['x'], dtype=object)
        """
        return super().get_feature_names_out(input_features)[self._kept]

    def _check_parameters(self):
        for name in ("drop_identifiers", "drop_constant"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(
                    f"The {name!r} parameter of TableCleaner must be True or False. "
                    f"Got {getattr(self, name)!r} instead."
                )

    def _output(self):
        """Return which container `set_output` asks for."""
        own = getattr(self, "_sklearn_output_config", {}).get("transform")
        return own or get_config()["transform_output"]

    def _as_in_fit(self, readings):
        """Return the columns, of fit's dtypes, and warn of text that is not read."""
        if not hasattr(self, "_fitted"):  # which older files lack
            return [reading.values for reading in readings]
        columns, unread = [], []
        for name, fitted, reading in zip(
            self.kept_columns_, self._fitted, readings, strict=True
        ):
            columns.append(conform(reading.values, fitted, _called(name)))
            if fitted["all_read"] and len(reading.unread) and is_text(reading.unread):
                n, example = len(reading.unread), quote(reading.unread.iloc[0])
                rows = f"{n:,} of {len(reading.values):,} rows"
                unread.append(f"{quote(name)} ({rows}, such as {example})")
        if unread:
            warn(
                "Input X has text that cannot be read as its column was in fit, and "
                f"that becomes missing: {', '.join(unread)}."
            )
        return columns

    def __sklearn_tags__(self):
        """Return what scikit-learn may expect of the transformer."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


def _called(column):
    return f"column {quote(column)}"


def _to_frame(X):
    """Return a table as a pandas DataFrame, with any names of columns, once each."""
    if isinstance(X, pd.DataFrame):
        if X.shape[0] == 0:
            raise ValueError(f"Found array with 0 sample(s) (shape={X.shape})")
        repeated = X.columns[X.columns.duplicated()].unique()
        if len(repeated):
            raise ValueError(
                f"Input X has several columns of the name {shorten(repeated, 8)}. "
                "Rename them, so that each has its own."
            )
        return X
    if hasattr(X, "to_pandas"):
        return _to_frame(X.to_pandas())
    array = check_array(X, dtype=None, ensure_all_finite=False)
    names = [f"x{j}" for j in range(array.shape[1])]
    return pd.DataFrame(array, columns=names).infer_objects()


def _to_array(table):
    """Return an array, of floats where numpy lacks the dtype of numbers."""
    are_numbers = all(dtype.kind in "iufb" for dtype in table.dtypes)
    if are_numbers and table.isna().any(axis=None):
        return table.to_numpy(np.float64, na_value=np.nan)
    return table.to_numpy()
