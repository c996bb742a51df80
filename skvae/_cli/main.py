"""``python -m skvae``: the digits comparison; ``python -m skvae TABLE``: its report."""

from skvae._cli import demo, report, results
from skvae._cli.arguments import DIGITS_PICTURE, FULL_COMPONENTS, parse_arguments
from skvae._cli.evaluation import evaluate
from skvae._cli.reading import read_table
from skvae._cli.selection import select
from skvae._cli.terminal import (
    CommandError,
    Progress,
    count,
    is_installed,
    listed,
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
from skvae._vae import VAETransformer


def main(argv=None):
    """Run the command.

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
        args = parse_arguments(argv)
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


def _run_digits(args, progress):
    if args.plot is None and not is_installed("matplotlib"):
        picture = None
    else:
        args.plot = args.plot or free_name(DIGITS_PICTURE, args.force)
        picture = _output_file(args, "plot", PICTURE_SUFFIXES)
    comparison = demo.compare_on_digits(args.random_state, progress)
    progress.say(demo.describe(comparison))
    if picture is None:
        progress.say('no picture: pip install "skvae[plot]"')
    else:
        progress("drawing")
        figure = demo.draw(comparison, args.random_state)
        _write_picture(picture, figure, progress)


def _run_table(args, progress):
    """Report on a table, then write the files asked for, of a fit on all its rows."""
    output = _output_file(args, "output", TABLE_SUFFIXES)
    imputed = _output_file(args, "impute", TABLE_SUFFIXES)
    model = _output_file(args, "model", MODEL_SUFFIXES)
    picture = _output_file(args, "plot", PICTURE_SUFFIXES)
    name = "standard input" if args.table == "-" else args.table
    progress(f"reading {name}", log=False)  # in a log a mistake is one line
    table = read_table(args.table)
    selection = select(name, table, args.label_column)
    progress.say(report.describe_selection(name, table, selection))
    estimator = _make_estimator(args, selection.X.shape[1])
    evaluation = evaluate(selection, estimator, progress)
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
        _write_embedding(output, selection, estimator, progress)
    if imputed:
        _write_imputed(imputed, table, selection, estimator, progress)
    if model:
        _write_model(model, estimator, progress)
    if picture:
        progress("drawing")
        embedding = results.embed(selection, estimator)
        figure = report.draw(name, selection, evaluation, embedding)
        _write_picture(picture, figure, progress)


def _output_file(args, option, suffixes):
    path = getattr(args, option)
    if path is None:
        return None
    output = OutputFile(path, f"--{option}", suffixes, args.force, args.table)
    require_writer(output)
    return output


def _make_estimator(args, n_columns):
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
    drawn = results.sample(args.sample, table, selection, estimator, args.random_state)
    write_table(output, drawn)
    without = table.columns.drop(drawn.columns)
    less = f", without {listed(without)}" if len(without) else ""
    progress.say(f"drawn: {output.name}, {count(len(drawn), 'row')}{less}")


def _write_embedding(output, selection, estimator, progress):
    write_table(output, results.embed(selection, estimator))
    progress.say(f"embedding: {output.name}")


def _write_imputed(output, table, selection, estimator, progress):
    progress("filling in")
    filled = results.impute(table, selection, estimator)
    write_table(output, filled)
    entries = count(selection.n_missing, "entry")
    progress.say(f"filled in: {output.name}, {entries}")
    holed = filled.columns[filled.isna().any()]
    if len(holed):
        progress.say(f"  missing as they were: {listed(holed)}")


def _write_model(output, estimator, progress):
    progress.say(f"model: {output.name}; {write_model(output, estimator)} loads it,")
    progress.say("  and its feature_names_in_ are the columns that it takes")


def _write_picture(output, figure, progress):
    write_picture(output, figure)
    progress.say(f"picture: {output.name}")
