"""``python -m skvae``: the digits comparison; ``python -m skvae TABLE``: its report."""

import argparse

from skvae import __version__
from skvae._cli import demo, report
from skvae._cli import selection as selecting
from skvae._cli.reading import read_table
from skvae._cli.terminal import (
    CommandError,
    Progress,
    is_installed,
    one_line_warnings,
    say_aside,
)
from skvae._cli.writing import (
    MODEL_SUFFIXES,
    PICTURE_SUFFIXES,
    TABLE_SUFFIXES,
    OutputFile,
    free_name,
    require_writer,
    write_model,
    write_picture,
    write_table,
)
from skvae._parameters import NOISES
from skvae._table.scaling import SCALINGS
from skvae._vae import VAETransformer

DIGITS_PICTURE = "skvae-digits.png"
OF_A_TABLE = (
    "n_components noise scaling label_column output sample impute model".split()
)
FULL_COMPONENTS = 8  # to draw rows from, or to fill in; two make a picture


def main(argv=None):
    """Run the main job.

    Parameters
    ----------
    argv : list of str, default=None
        The arguments; those of the process if `None`.

    Returns
    -------
    int
        The exit status: 0, 2 after a mistake of the user's, 130 when interrupted.
    """
    try:
        args = _parse(argv)
        with Progress() as progress, one_line_warnings(progress):
            if args.table is None:
                _run_digits(args, progress)
            else:
                _run_table(args, progress)
    except CommandError as error:
        say_aside(f"skvae: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


_DESCRIPTION = """\
Reduce a table to a few columns with a variational autoencoder, fill in what is missing,
draw new rows, and report how much of held-out rows comes back, beside PCA. Numbers,
dates and levels (text of few values, true and false) are used, with missing entries.
Without TABLE, compare PCA, UMAP and skvae on handwritten digits."""

_EPILOG = """\
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


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise CommandError(f"{message} (python -m skvae --help explains)")


def _parse(argv):
    parser = _Parser(
        prog="python -m skvae",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
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
    add("--random-state", type=_seed, default=0, metavar="S", help="seed (0)")
    add("--force", action="store_true", help="replace files that are there")
    add("--version", action="version", version=f"skvae {__version__}")
    args = parser.parse_args(argv)
    if args.table is None:
        for option in OF_A_TABLE:
            if getattr(args, option) is not None:
                parser.error(f"--{option.replace('_', '-')} needs a TABLE")
    if args.sample and not args.output:
        parser.error("--sample needs --output, the file for the drawn rows")
    return args


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


def _output(args, option, suffixes):
    path = getattr(args, option)
    if path is None:
        return None
    output = OutputFile(path, f"--{option}", suffixes, args.force, args.table)
    require_writer(output)
    return output


def _run_digits(args, progress):
    if args.plot is None and not is_installed("matplotlib"):
        picture = None
    else:
        args.plot = args.plot or free_name(DIGITS_PICTURE, args.force)
        picture = _output(args, "plot", PICTURE_SUFFIXES)
    comparison = demo.compare_on_digits(args.random_state, progress)
    progress.say(demo.describe(comparison))
    if picture is None:
        progress.say('no picture: pip install "skvae[plot]"')
    else:
        progress("drawing")
        write_picture(picture, demo.draw(comparison, args.random_state))
        progress.say(f"picture: {picture.name}")


def _run_table(args, progress):
    output = _output(args, "output", TABLE_SUFFIXES)
    imputed = _output(args, "impute", TABLE_SUFFIXES)
    model = _output(args, "model", MODEL_SUFFIXES)
    picture = _output(args, "plot", PICTURE_SUFFIXES)
    name = "standard input" if args.table == "-" else args.table
    progress(f"reading {name}", log=False)  # in a log a mistake is one line
    table = read_table(args.table)
    selection = selecting.select(name, table, args.label_column)
    progress.say(selecting.describe_selection(name, table, selection))
    estimator = _estimator(args, selection.X.shape[1])
    evaluation = report.evaluate(selection, estimator, progress)
    n_components = estimator.n_components
    progress.say(report.describe_evaluation(evaluation, selection, n_components))
    if not (output or imputed or model or picture):
        return
    progress(f"fitting skvae on all {len(table):,} rows")
    estimator.fit(selection.X)
    progress.say()
    if output and args.sample:
        _write_drawn(output, args, table, selection, estimator, progress)
    elif output:
        write_table(output, selecting.embed(selection, estimator))
        progress.say(f"embedding: {output.name}")
    if imputed:
        progress("filling in")
        _write_imputed(imputed, table, selection, estimator, progress)
    if model:
        progress.say(f"model: {model.name}; {write_model(model, estimator)} loads it,")
        progress.say("  and its feature_names_in_ are the columns that it takes")
    if picture:
        progress("drawing")
        embedding = selecting.embed(selection, estimator)
        write_picture(picture, report.draw(name, selection, evaluation, embedding))
        progress.say(f"picture: {picture.name}")


def _estimator(args, n_columns):
    """Return the estimator that suits what is asked for, where its options are not."""
    only_fills = args.impute and not (args.output or args.model or args.plot)
    full = max(min(FULL_COMPONENTS, n_columns - 1), 1)
    scaling = args.scaling or ("quantile" if args.sample else "standard")
    return VAETransformer(
        args.n_components or (full if args.sample or only_fills else 2),
        noise=args.noise or ("diag" if only_fills else "auto"),
        scaling=None if scaling == "none" else scaling,
        random_state=args.random_state,
    )


def _write_drawn(output, args, table, selection, estimator, progress):
    drawn = selecting.sample(
        args.sample, table, selection, estimator, args.random_state
    )
    write_table(output, drawn)
    without = table.columns.drop(drawn.columns)
    less = f", without {selecting.listed(without)}" if len(without) else ""
    progress.say(f"drawn: {output.name}, {selecting.count(len(drawn), 'row')}{less}")


def _write_imputed(output, table, selection, estimator, progress):
    filled = selecting.impute(table, selection, estimator)
    write_table(output, filled)
    entries = selecting.count(selection.n_missing, "entry")
    progress.say(f"filled in: {output.name}, {entries}")
    holed = filled.columns[filled.isna().any()]
    if len(holed):
        progress.say(f"  missing as they were: {selecting.listed(holed)}")
