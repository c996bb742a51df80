"""The command ``python -m skvae``, which reports on a table or compares on digits.

This file has the order of the work; the files beside it do the work.
"""

from skvae._cli import demo, report, results
from skvae._cli.arguments import DIGITS_PICTURE, MANY_COMPONENTS, parse_arguments
from skvae._cli.evaluation import evaluate
from skvae._cli.reading import read_table
from skvae._cli.selection import select
from skvae._cli.terminal import (
    CommandError,
    Progress,
    format_count,
    format_names,
    is_installed,
    one_line_warnings,
    print_error,
)
from skvae._cli.writing import (
    MODEL_SUFFIXES,
    PICTURE_SUFFIXES,
    TABLE_KINDS,
    TABLE_SUFFIXES,
    OutputFile,
    free_name,
    require_writer,
    write_filled,
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
        The exit status: 0, or 2 after a mistake of the user, or 130 if interrupted.
    """
    try:
        args = parse_arguments(argv)
        with Progress() as progress, one_line_warnings(progress):
            if args.table is None:
                _compare_on_digits(args, progress)
            else:
                _report_on_table(args, progress)
    except CommandError as error:
        print_error(f"skvae: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _compare_on_digits(args, progress):
    if args.plot is None and not is_installed("matplotlib"):
        picture = None
    else:
        path = args.plot or free_name(DIGITS_PICTURE, args.force)
        picture = _output_file(args, "plot", PICTURE_SUFFIXES, path)
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


def _report_on_table(args, progress):
    """Report on a table, then write the files asked for, from a fit on all rows."""
    output = _output_file(args, "output", TABLE_SUFFIXES)
    imputed = _output_file(args, "impute", TABLE_SUFFIXES)
    model = _output_file(args, "model", MODEL_SUFFIXES)
    picture = _output_file(args, "plot", PICTURE_SUFFIXES)
    name = "standard input" if args.table == "-" else args.table
    progress(f"reading {name}", log=False)  # in a log, a mistake in it stays one line
    file = read_table(args.table)
    table = file.frame
    selection = select(name, table, args.label_column, file.decimal, file.marks)
    progress.print(report.describe_selection(name, table, selection))
    estimator = _make_estimator(args, selection.X.shape[1])
    evaluation = evaluate(selection, estimator, progress)
    n_components = estimator.n_components
    progress.print(report.describe_evaluation(evaluation, selection, n_components))
    if not (output or imputed or model or picture):
        return
    progress(f"fitting skvae on all {len(table):,} rows")
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
        figure = report.draw(name, selection, evaluation, embedding)
        _write_picture(picture, figure, progress)


def _output_file(args, option, suffixes, path=None):
    path = path or getattr(args, option)
    if path is None:
        return None
    output = OutputFile(path, f"--{option}", suffixes, args.force, args.table)
    require_writer(output)
    return output


def _make_estimator(args, n_columns):
    """Return an estimator with defaults that suit the files that are asked for."""
    only_imputes = args.impute and not (args.output or args.model or args.plot)
    many_components = max(min(MANY_COMPONENTS, n_columns - 1), 1)
    n_components = many_components if args.sample or only_imputes else 2
    scaling = args.scaling or ("quantile" if args.sample else "standard")
    return VAETransformer(
        args.n_components or n_components,
        noise=args.noise or ("diag" if only_imputes else "auto"),
        scaling=None if scaling == "none" else scaling,
        random_state=args.random_state,
    )


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
    progress.print(f"sampled rows: {output.name}, {n_rows}{without}")


def _write_embedding(output, selection, estimator, progress):
    write_table(output, results.embed(selection, estimator))
    progress.print(f"embedding: {output.name}")


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
    progress.print(f"imputed table: {output.name}, {n_values} imputed")
    incomplete = file.frame.columns[file.frame.isna().any()]
    left = [column for column in incomplete if column not in selection.X]
    if left:
        names = format_names(left)
        progress.print(f"  still with missing values, as they were not fitted: {names}")
    for column, what in selection.unparsed.items():
        progress.print(f"  {column}: {what}, is kept, as it is not empty")


def _write_model(output, estimator, progress):
    call = write_model(output, estimator)
    progress.print(f"model: {output.name}; {call} loads it,")
    progress.print("  and its feature_names_in_ are the columns that it expects")


def _write_picture(output, figure, progress):
    write_picture(output, figure)
    progress.print(f"picture: {output.name}")
