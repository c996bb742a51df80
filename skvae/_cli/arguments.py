"""The command's options, their help, and the checks that need no table."""

import argparse

from skvae import __version__
from skvae._cli.terminal import CommandError
from skvae._cli.writing import MODEL_SUFFIXES, PICTURE_SUFFIXES, TABLE_SUFFIXES
from skvae._parameters import NOISES
from skvae._table.scaling import SCALINGS

DIGITS_PICTURE = "skvae-digits.png"
FULL_COMPONENTS = 8  # to draw rows from, or to fill in; two make a picture
OF_A_TABLE = (
    "n_components noise scaling label_column output sample impute model".split()
)

DESCRIPTION = """\
Reduce a table to a few columns with a variational autoencoder, fill in what is missing,
draw new rows, and report how much of held-out rows comes back, beside PCA. Numbers,
dates and levels (text of few values, true and false) are used, with missing entries.
Without TABLE, compare PCA, UMAP and skvae on handwritten digits."""

EPILOG = """\
A fifth of the rows, 10,000 at most, is held out for the report. R2 is the share of the
standardised numbers' and dates' variance that comes back from the components; accuracy
is the share of levels that do, the mean of their columns, and the majority's that of
the commonest level. The log-likelihood is in nats per row and in the table's units. PCA
is given filled and standardised numbers and a column of 0 and 1 for each level, and has
no likelihood for them. Hidden entries are those of 200 held-out rows, hidden once each,
a tenth at a time; an R2 of 0 is that of the mean. Distances are Kolmogorov-Smirnov's of
a column, of levels half the sum of what their shares differ by, and the absolute
difference of two columns' rank correlation; those of the training rows are chance.

The files are of all rows. Empty entries are missing, and NA, NaN, null, None and the
like. What --impute fills in is within its column's range and has its decimals; what is
drawn has no holes. Not used, and copied by --impute as they are, are row
numbers, constant columns, text of too many values, columns of fewer than 10 values, and
the label; --sample leaves out all of these but the constant ones. Text is read as
numbers or dates where more than 90 % of a column are such; the rest is missing.

examples:
  python -m skvae
  python -m skvae wine.csv --label-column cultivar --plot wine.png
  python -m skvae survey.csv --impute full.csv
  python -m skvae survey.csv --sample 1000 --output drawn.csv
  zcat big.csv.gz | python -m skvae - --n-components 8 --output embedding.parquet"""


def parse_arguments(argv=None):
    """Return the options that are given, checked as far as that needs no table.

    Parameters
    ----------
    argv : list of str, default=None
        The arguments; those of the process if `None`.

    Returns
    -------
    argparse.Namespace
    """
    parser = _make_parser()
    args = parser.parse_args(argv)
    if args.table is None:
        for option in OF_A_TABLE:
            if getattr(args, option) is not None:
                parser.error(f"--{option.replace('_', '-')} needs a TABLE")
    if args.sample and not args.output:
        parser.error("--sample needs --output, the file for the drawn rows")
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
    add("--random-state", type=_seed, default=0, metavar="S", help="seed (0)")
    add("--force", action="store_true", help="replace files that are there")
    add("--version", action="version", version=f"skvae {__version__}")
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise CommandError(f"{message} (python -m skvae --help explains)")


def _add_fit_options(add):
    add(
        "table",
        nargs="?",
        metavar="TABLE",
        help="a .csv file (comma, semicolon, tab or bar) or .parquet file; - reads "
        "standard input",
    )
    add(
        "--n-components",
        type=_positive,
        metavar="K",
        help="columns to reduce to (2; to draw, or only to fill in, "
        f"{FULL_COMPONENTS}, or one less than the table's where that is fewer)",
    )
    add(
        "--scaling",
        choices=[str(scaling).lower() for scaling in SCALINGS],
        help="how columns are scaled (standard; quantile with --sample, as drawn rows "
        "then resemble the table's)",
    )
    add(
        "--noise",
        choices=NOISES,
        help="variance of what the components do not tell: one for each column (diag), "
        "one for all (spherical), or one for all in training and then one for each "
        "(auto). Only to fill in it is diag, which fills in nearest and brings back "
        "less; else auto",
    )
    add(
        "--label-column",
        metavar="NAME",
        help="a column to leave out of the fit and compare the embedding with",
    )


def _add_file_options(add):
    add(
        "--output",
        metavar="OUT.csv",
        help="write the embedding of all rows, or the rows that --sample draws "
        f"({' '.join(TABLE_SUFFIXES)})",
    )
    add("--sample", type=_positive, metavar="N", help="draw N new rows, for --output")
    add(
        "--impute",
        metavar="FULL.csv",
        help="write the table with what is missing filled in "
        f"({' '.join(TABLE_SUFFIXES)})",
    )
    add(
        "--model",
        metavar="MODEL.skops",
        help=f"write the model fitted on all rows ({' '.join(MODEL_SUFFIXES)})",
    )
    add(
        "--plot",
        metavar="PICTURE.png",
        help=f"write a picture ({' '.join(PICTURE_SUFFIXES)}); without TABLE it is "
        f"{DIGITS_PICTURE}",
    )


def _positive(text):
    return _integer(text, least=1)


def _seed(text):
    return _integer(text, least=0, most=2**32 - 1)


def _integer(text, least, most=None):
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value < least or (most is not None and value > most):
        upto = "" if most is None else f" and at most {most}"
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number of at least {least}{upto}"
        )
    return value
