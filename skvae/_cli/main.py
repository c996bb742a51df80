"""The work of the command ``python -m skvae``, in its order.

The files beside it do the work.
"""

import contextlib

from skvae._cli import demo, report, results
from skvae._cli.arguments import MANY_COMPONENTS, MAP_NEIGHBORS, TABLE_KINDS
from skvae._cli.evaluation import evaluate
from skvae._cli.selection import select
from skvae._cli.terminal import (
    CommandError,
    format_count,
    format_name,
    format_names,
    format_path,
)
from skvae._cli.writing import write_filled, write_model, write_picture, write_table
from skvae._vae import VAETransformer


def compare_on_digits(args, picture, progress):
    """Compare the methods on digits, and draw a picture unless it is None.

    Parameters
    ----------
    args : argparse.Namespace
        The options.

    picture : OutputFile or None
        None if it cannot be drawn.

    progress : Progress
        Where the comparison is printed.
    """
    comparison = demo.compare_on_digits(args.random_state, progress)
    progress.print(demo.describe(comparison))
    if picture is None:
        progress.print(
            "There is no picture, as matplotlib is not installed: "
            'pip install "skvae[plot]"'
        )
    else:
        progress("drawing")
        figure = demo.draw(comparison, args.random_state)
        _write_picture(picture, figure, progress)


def report_on_table(args, name, file, outputs, progress):
    """Report on a table, then write the files asked for, from a fit on all rows.

    Parameters
    ----------
    args : argparse.Namespace
        The options.

    name : str
        The table's name, for messages.

    file : DelimitedFile, ArrowFile or ExcelFile
        The table that was read.

    outputs : dict of str to OutputFile or None
        The files by their options, in the order of `OUTPUT_SUFFIXES`.

    progress : Progress
        Where the report is printed.
    """
    table = file.frame
    selection = select(name, table, args.label_column, file.decimal, file.marks)
    progress.print(report.describe_selection(name, table, selection))
    estimator = _make_estimator(args, selection.X.shape[1])
    with _one_line_refusal(name):
        evaluation = evaluate(selection, estimator, progress)
    n_components = estimator.n_components
    progress.print(report.describe_evaluation(evaluation, selection, n_components))
    output, imputed, model, picture = outputs.values()
    if not (output or imputed or model or picture):
        return
    progress(f"fitting skvae on all {len(table):,} rows")
    with _one_line_refusal(name):
        estimator.fit(selection.X)
    progress.print()
    if output and args.sample:
        _write_sampled(output, args, file, selection, estimator, progress)
    elif output:
        _write_embedding(output, selection, estimator, progress)
    if imputed:
        _write_imputed(imputed, file, selection, estimator, progress)
    if model:
        _write_model(model, estimator, progress)
    if picture:
        progress("drawing")
        embedding = results.embed(selection, estimator)
        is_map = estimator.n_neighbors is not None
        figure = report.draw(name, selection, evaluation, embedding, is_map)
        _write_picture(picture, figure, progress)


@contextlib.contextmanager
def _one_line_refusal(name):
    """Tell as a mistake of the user what the estimator says against the table."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise CommandError(f"{name}: {error}") from error


def _make_estimator(args, n_columns):
    """Return an estimator with defaults that suit the files that are asked for."""
    only_imputes = args.impute and not (args.output or args.model or args.plot)
    many_components = max(min(MANY_COMPONENTS, n_columns - 1), 1)
    n_components = many_components if args.sample or only_imputes else 2
    scaling = args.scaling or ("quantile" if args.sample else "standard")
    return VAETransformer(
        args.n_components or n_components,
        n_neighbors=_choose_neighbors(args),
        noise=args.noise or ("diag" if only_imputes else "auto"),
        scaling=None if scaling == "none" else scaling,
        redraw=bool(args.sample),
        random_state=args.random_state,
    )


def _choose_neighbors(args):
    """Return the number of neighbours of the map; None if there is none."""
    if args.neighbors is not None:
        return None if args.neighbors == "none" else args.neighbors
    only_draws = args.plot and not (args.output or args.impute or args.model)
    is_plane = args.n_components in (None, 2)
    return MAP_NEIGHBORS if only_draws and is_plane and args.label_column else None


def _write_sampled(output, args, file, selection, estimator, progress):
    table, is_text = file.frame, file.kind == "delimited"
    as_values = is_text and TABLE_KINDS[output.suffix] != "delimited"
    sampled = results.sample(
        args.sample, table, selection, estimator, args.random_state, as_values
    )
    write_table(output, sampled, like=file if is_text else None)
    left_out = table.columns.drop(sampled.columns)
    without = f", without {format_names(left_out)}" if len(left_out) else ""
    n_rows = format_count(len(sampled), "row")
    progress.print(f"sampled rows: {format_path(output.name)}, {n_rows}{without}")


def _write_embedding(output, selection, estimator, progress):
    write_table(output, results.embed(selection, estimator))
    progress.print(f"embedding: {format_path(output.name)}")


def _write_imputed(output, file, selection, estimator, progress):
    progress("imputing")
    entries = results.impute(selection, estimator)
    if TABLE_KINDS[output.suffix] == file.kind:
        readers = selection.readers
        texts = {column: readers[column].write(v) for column, v in entries.items()}
        write_filled(output, file, texts)
    else:
        write_table(output, results.fill(file, selection, entries))
    n_values = format_count(sum(map(len, entries.values())), "value")
    progress.print(f"imputed table: {format_path(output.name)}, {n_values} imputed")
    incomplete = file.frame.columns[file.frame.isna().any()]
    left = [column for column in incomplete if column not in selection.X]
    if left:
        names = format_names(left)
        progress.print(f"  still with missing values, as they were not fitted: {names}")
    for column, what in selection.unparsed.items():
        progress.print(f"  {format_name(column)}: {what}, is kept, as it is not empty")


def _write_model(output, estimator, progress):
    call = write_model(output, estimator)
    progress.print(f"model: {format_path(output.name)}; {call} loads it,")
    progress.print("  and its feature_names_in_ are the columns that it expects")


def _write_picture(output, figure, progress):
    write_picture(output, figure)
    progress.print(f"picture: {format_path(output.name)}")
