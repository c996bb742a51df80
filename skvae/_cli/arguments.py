"""The command's options, their help, and the checks of them that need no table."""

import argparse

from skvae._choices import NOISES, SCALINGS
from skvae._cli.terminal import CommandError, print_output, suggest
from skvae._printable import quote
from skvae._version import __version__

DIGITS_PICTURE = "skvae-digits.png"
TABLE_KINDS = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".txt": "delimited",
    ".parquet": "parquet",
    ".feather": "feather",
    ".xlsx": "excel",
}
TABLE_SUFFIXES = tuple(TABLE_KINDS)
MODEL_SUFFIXES = (".skops", ".joblib", ".pkl")
PICTURE_SUFFIXES = (".png", ".pdf", ".svg", ".jpg")
# Of the files that options name, in the order in which they are written.
OUTPUT_SUFFIXES = {
    "output": TABLE_SUFFIXES,
    "impute": TABLE_SUFFIXES,
    "model": MODEL_SUFFIXES,
    "plot": PICTURE_SUFFIXES,
}
MANY_COMPONENTS = 8  # to sample or impute; two are for a picture
MAP_NEIGHBORS = 15  # of a picture with labels
TABLE_OPTIONS = (
    "n_components neighbors noise scaling label_column output sample impute model"
).split()

DESCRIPTION = """\
Reduce a table to a few components with a variational autoencoder, impute its missing
values, sample new rows, and report how well held-out rows are reconstructed, beside
PCA. Columns may be numeric, datetime, timedelta, boolean or categorical (text with few
distinct values), and may have missing values. Without TABLE, PCA, UMAP, skvae and its
map are compared on handwritten digits."""

EPILOG = """\
the report:
  PCA and skvae are fitted on the training rows; all figures are of the held-out rows,
  a fifth of the table and at most 10,000 rows.
  R2 is the share of variance that is reconstructed from the components, of numeric,
  datetime and timedelta columns, each standardised. Accuracy is the share of categories
  that are reconstructed, averaged over the categorical columns; "most frequent" is the
  accuracy of always predicting the category that is most frequent in the training rows.
  Columns that do not vary in the training or in the held-out rows have no R2; they are
  named, and no mean counts them.
  The log-likelihood is in nats per row and in the units of the table.
  PCA is given the table with missing values imputed (median or most frequent category),
  numeric columns standardised and categorical columns one-hot encoded. It has a
  log-likelihood only if all columns are numeric and without missing values.
  Imputation is measured on 200 of the held-out rows: each of their entries is hidden
  once, a tenth of them at a time. Imputing the mean has an R2 of 0.
  The distance of two samples of a column is the Kolmogorov-Smirnov statistic, or for
  categories the total variation distance; that of the rank correlations is their
  absolute difference. The training rows have the distances that chance alone makes.

a map (--neighbors):
  Rows that are near each other in the table are near each other on a map, so that it
  shows groups; the distances of far groups mean little. The rows that it is fitted to
  are kept in the model and are where the layout puts them; other rows, such as the
  held-out ones of the report, are placed by their nearest among these.

the files:
  They come from a fit on all rows. Imputed numbers are within the range of their column
  and have as many decimals. Sampled rows have no missing values.
  Row numbers, constant columns, text with too many distinct values, columns with fewer
  than 10 values and the label column are not fitted: --impute copies them as they are,
  and --sample leaves them out, except for constant columns. --impute leaves every byte
  of a text file but its empty entries as it is.

the table:
  Empty entries are missing values, and so are NA, NaN, null, None and the like without
  quotes; among numbers and dates ?, - and . too. Text is parsed as numbers or dates if
  that succeeds for more than 90 % of a column's entries; its other entries are treated
  as missing values, and --impute keeps them. Codes such as 02109 stay text.

examples:
  python -m skvae
  python -m skvae wine.csv --label-column cultivar --plot wine.png
  python -m skvae wine.csv --neighbors 15 --output map.csv
  python -m skvae survey.csv --impute full.csv
  python -m skvae survey.csv --sample 1000 --output sampled.csv
  python -m skvae big.csv.gz --n-components 8 --output embedding.parquet"""


def parse_arguments(argv=None):
    """Return the options of a command line.

    Parameters
    ----------
    argv : list of str, default=None
        The arguments; those of the process if `None`.

    Returns
    -------
    argparse.Namespace
    """
    parser = _make_parser()
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        options = list(parser._option_string_actions)
        given = next((word for word in unknown if word.startswith("-")), "")
        meant = suggest(given.split("=")[0], options)
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{meant}")
    if args.table is None:
        for option in TABLE_OPTIONS:
            if getattr(args, option) is not None:
                parser.error(f"--{option.replace('_', '-')} needs a TABLE")
    n_components, neighbors = args.n_components, args.neighbors
    if neighbors not in (None, "none") and isinstance(n_components, float):
        parser.error(
            f"--neighbors {neighbors} needs a number of components, such as "
            f"--n-components 2; {n_components:g} is a share of the variance"
        )
    if args.sample and not args.output:
        parser.error("--sample needs --output, the file for the sampled rows")
    return args


def _make_parser():
    parser = _Parser(
        prog="python -m skvae",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_fit_options(parser.add_argument)
    _add_file_options(parser.add_argument)
    add = parser.add_argument
    add(
        "--random-state",
        type=_seed,
        default=0,
        metavar="S",
        help="seed of everything that is random (default: 0)",
    )
    add("--force", action="store_true", help="replace files that exist")
    add("--version", action="version", version=f"skvae {__version__}")
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise CommandError(f"{message} (see python -m skvae --help)")

    def _print_message(self, message, file=None):  # the help or the version
        print_output(message.rstrip("\n"))


def _add_fit_options(add):
    add(
        "table",
        nargs="?",
        type=_path,
        metavar="TABLE",
        help="a .csv, .tsv or .txt file (separated by commas, semicolons, tabs or "
        "bars; also .gz, .bz2, .xz and .zst), .parquet, .feather or .xlsx; - reads "
        "standard input",
    )
    add(
        "--n-components",
        type=_n_components,
        metavar="K",
        help="number of components, or between 0 and 1 the share of the variance that "
        "as few as can be are to explain (default: 2; with --sample, or if --impute is "
        f"the only output, {MANY_COMPONENTS}, or one less than the fitted columns if "
        "these are fewer)",
    )
    add(
        "--neighbors",
        type=_neighbors,
        metavar="{N,none}",
        help="fit a map that keeps each row's N nearest neighbours, such as 15, near "
        "it; see below (default: none; if --plot is the only output, of a table with "
        f"--label-column and of two components, {MAP_NEIGHBORS})",
    )
    add(
        "--scaling",
        **_one_of([str(scaling).lower() for scaling in SCALINGS]),
        help="how columns are scaled (default: standard; with --sample quantile, as "
        "sampled rows then resemble the table's)",
    )
    add(
        "--noise",
        **_one_of(NOISES),
        help="the variance that the components do not explain: one for each column "
        "(diag), one for all columns (spherical), or one for all while training and "
        "then one for each (auto). Default: auto, or if --impute is the only output "
        "diag, which imputes best but reconstructs less",
    )
    add(
        "--label-column",
        metavar="NAME",
        help="a column that is not fitted; the report says how well the nearest "
        "neighbours in the embedding predict it, and the picture is coloured by it",
    )


def _add_file_options(add):
    tables = " ".join(TABLE_SUFFIXES)
    add(
        "--output",
        type=_path,
        metavar="OUT.csv",
        help=f"write the embedding of all rows, or with --sample new rows ({tables})",
    )
    add(
        "--sample",
        type=_positive_integer,
        metavar="N",
        help="sample N new rows, to be written to --output",
    )
    add(
        "--impute",
        type=_path,
        metavar="FULL.csv",
        help=f"write the table with its missing values imputed ({tables})",
    )
    add(
        "--model",
        type=_path,
        metavar="MODEL.skops",
        help=f"write the model fitted on all rows ({' '.join(MODEL_SUFFIXES)})",
    )
    add(
        "--plot",
        type=_path,
        metavar="PICTURE.png",
        help=f"write a picture ({' '.join(PICTURE_SUFFIXES)}); without TABLE, "
        f"{DIGITS_PICTURE} is written by default",
    )


def _one_of(words):
    """Return the arguments of an option that takes one of some words."""

    def check(text):
        if text not in words:
            raise argparse.ArgumentTypeError(
                f"{quote(text)} is not one of {', '.join(words)}{suggest(text, words)}"
            )
        return text

    return {"type": check, "metavar": f"{{{','.join(words)}}}"}


def _n_components(text):
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if 0 < value < 1:
        return value
    try:
        return _positive_integer(text)
    except argparse.ArgumentTypeError as error:
        rule = f"{error}, or a number between 0 and 1"
        raise argparse.ArgumentTypeError(rule) from error


def _neighbors(text):
    if text == "none":
        return text
    try:
        return _positive_integer(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or none") from error


def _path(text):
    if not text:
        raise argparse.ArgumentTypeError("'' is not a path")
    return text


def _positive_integer(text):
    return _integer_between(text, least=1)


def _seed(text):
    return _integer_between(text, least=0, most=2**32 - 1)


def _integer_between(text, least, most=None):
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value < least or (most is not None and value > most):
        limit = "" if most is None else f" and at most {most}"
        raise argparse.ArgumentTypeError(
            f"{quote(text)} is not an integer of at least {least}{limit}"
        )
    return value
