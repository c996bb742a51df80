"""``python -m skvae``: the digits comparison; ``python -m skvae TABLE``: its report."""

import argparse
import sys

from skvae import __version__, _demo, _report
from skvae._reading import read_table
from skvae._scaling import SCALINGS
from skvae._terminal import (
    CommandError,
    Progress,
    is_installed,
    one_line_warnings,
    say_aside,
)
from skvae._vae import VAETransformer
from skvae._writing import (
    EMBEDDING_SUFFIXES,
    MODEL_SUFFIXES,
    PICTURE_SUFFIXES,
    OutputFile,
    free_name,
    require_writer,
    write_embedding,
    write_model,
    write_picture,
)

DIGITS_PICTURE = "skvae-digits.png"


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
Reduce a table to a few columns with a variational autoencoder, and report how much of
held-out rows these columns keep, beside PCA. Without TABLE, compare PCA, UMAP and skvae
on handwritten digits."""

_EPILOG = """\
A fifth of the rows, 10,000 at most, is held out for the report. R2 is the share of the
standardised columns' variance that comes back from the components; the log-likelihood
is in nats per row and in the table's units. PCA is given standardised columns, as skvae
takes them. Distances are Kolmogorov-Smirnov's of a column, and the absolute difference
of two columns' rank correlation; those of the training rows are chance. Embedding,
model and picture are of all complete rows; a column is left out if with it fewer than
75 % of the rows were complete.

examples:
  python -m skvae
  python -m skvae wine.csv --label-column cultivar --plot wine.png
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
    add("--n-components", type=_positive, metavar="K", help="columns to reduce to (2)")
    add(
        "--scaling",
        choices=[str(scaling).lower() for scaling in SCALINGS],
        help="how columns are scaled (standard); with quantile drawn rows resemble "
        "the table's",
    )
    add(
        "--label-column",
        metavar="NAME",
        help="a column to leave out of the fit and compare the embedding with",
    )
    add(
        "--output",
        metavar="EMBEDDING.csv",
        help=f"write the embedding of all rows ({' '.join(EMBEDDING_SUFFIXES)})",
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
        for option in ("n_components", "scaling", "label_column", "output", "model"):
            if getattr(args, option) is not None:
                parser.error(f"--{option.replace('_', '-')} needs a TABLE")
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
    comparison = _demo.compare_on_digits(args.random_state, progress)
    progress.say(_demo.describe(comparison))
    if picture is None:
        progress.say('no picture: pip install "skvae[plot]"')
    else:
        progress("drawing")
        write_picture(picture, _demo.draw(comparison, args.random_state))
        progress.say(f"picture: {picture.name}")


def _run_table(args, progress):
    output = _output(args, "output", EMBEDDING_SUFFIXES)
    model = _output(args, "model", MODEL_SUFFIXES)
    picture = _output(args, "plot", PICTURE_SUFFIXES)
    name = "standard input" if args.table == "-" else args.table
    n_components, scaling = args.n_components or 2, args.scaling or "standard"
    scaling = None if scaling == "none" else scaling
    progress(f"reading {name}", log=False)  # in a log a mistake is one line
    table = read_table(args.table)
    selection = _report.select(name, table, args.label_column)
    progress.say(_report.describe_selection(name, table, selection))
    given = n_components, scaling, args.random_state, progress
    evaluation = _report.evaluate(selection, *given)
    columns = list(selection.X.columns)
    progress.say(_report.describe_evaluation(evaluation, columns, n_components))
    if not (output or model or picture):
        return
    progress(f"fitting skvae on all {len(selection.X):,} rows")
    estimator = VAETransformer(
        n_components, scaling=scaling, random_state=args.random_state
    )
    estimator.fit(selection.X)
    embedding = _report.embed(selection, estimator)
    progress.say()
    if output:
        write_embedding(output, embedding)
        progress.say(f"embedding: {output.name}")
    if model:
        progress.say(f"model: {model.name}; {write_model(model, estimator)} loads it,")
        progress.say("  and its feature_names_in_ are the columns that it takes")
    if picture:
        progress("drawing")
        write_picture(picture, _report.draw(name, selection, evaluation, embedding))
        progress.say(f"picture: {picture.name}")


if __name__ == "__main__":
    sys.exit(main())
