"""The report on a user's table, as text and as a picture."""

import numpy as np

from skvae._cli.terminal import (
    format_count,
    format_name,
    format_names,
    format_number,
    format_table,
)
from skvae.display import EmbeddingDisplay, drawing

N_LISTED = 20  # columns of a kind, half of them the best and half the worst
EMPTY_ROW = [""] * 4


def describe_selection(name, table, selection):
    """Return as text which columns are fitted, and why the others are left out.

    Parameters
    ----------
    name : str
        The table's name.

    table : pandas.DataFrame
        The table.

    selection : Selection
        Its columns that can be fitted.

    Returns
    -------
    str
    """
    lines = []
    for kind in "numeric", "datetime", "timedelta", "categorical":
        columns = [column for column, its in selection.kinds.items() if its == kind]
        if columns:
            n_columns = format_count(len(columns), "column")
            lines.append([kind, f"{n_columns}: {format_names(columns)}"])
    if selection.n_missing:
        n_missing = format_count(selection.n_missing, "value")
        share = selection.n_missing / selection.X.size
        lines.append(["missing", f"{n_missing}, {share:.1%} of these columns"])
        lines.append(["", format_names(_describe_missing(selection))])
    for column, text in selection.unparsed.items():
        lines.append(["", f"{format_name(column)}: {text}, is treated as missing"])
    for column, note in selection.notes.items():
        lines.append(["taken for", f"{format_name(column)}: {note}"])
    for column, text in selection.pooled.items():
        lines.append(["pooled", f"{format_name(column)}: {text}"])
    for reason, columns in selection.left_out.items():
        lines.append(["left out", f"{format_names(columns)}: {reason}"])
    n_rows = format_count(len(table), "row")
    n_columns = format_count(table.shape[1], "column")
    return f"{name}: {n_rows}, {n_columns}\n\n{format_table(lines, '<<')}"


def _describe_missing(selection):
    """Return how many values each column misses, and the marks that it has for them."""
    texts = []
    for column, n in selection.missing.items():
        marks = ", ".join(map(repr, selection.marks[column]))
        texts.append(f"{column} {n:,} ({marks})" if marks else f"{column} {n:,}")
    return texts


def describe_evaluation(evaluation, selection, n_components):
    """Return the figures of PCA and skvae on held-out rows as text.

    Parameters
    ----------
    evaluation : Evaluation
        The figures.

    selection : Selection
        The columns that were fitted.

    n_components : int
        Number of components of skvae.

    Returns
    -------
    str
    """
    columns = [format_name(column) for column in selection.X.columns]
    is_categorical = selection.is_categorical
    heading = (
        f"{evaluation.n_train:,} training rows, {evaluation.n_held_out:,} held-out rows"
    )
    if evaluation.n_pca_components < n_components:
        heading += (
            f"; PCA has only {evaluation.n_pca_components} of {n_components} components"
        )
    rows = _summary_rows(evaluation, is_categorical)
    for title, chosen, most_frequent in (
        ("R2 of each column", ~is_categorical, None),
        ("accuracy of each column", is_categorical, evaluation.most_frequent),
    ):
        if chosen.any():
            of_columns = evaluation.reconstruction, columns, chosen, most_frequent
            rows += [EMPTY_ROW, *_column_rows(title, *of_columns)]
    rows += [EMPTY_ROW, *_imputation_rows(evaluation.imputation, is_categorical)]
    rows += [EMPTY_ROW, *_sampling_rows(evaluation.sampling, columns)]
    notes = [f"\n{note}" for note in evaluation.notes]
    return "\n".join(["", heading, "", format_table(rows, "<>>>"), *notes])


def draw(name, selection, evaluation, embedding, is_map=False):
    """Return a picture of the embedding and of how well each column is reconstructed.

    Parameters
    ----------
    name : str
        The table's name.

    selection : Selection
        The columns that were fitted.

    evaluation : Evaluation
        The figures on held-out rows.

    embedding : pandas.DataFrame
        The embedding of all rows.

    is_map : bool, default=False
        Whether it is a map, on which only neighbourhoods mean something.

    Returns
    -------
    matplotlib Figure
    """
    is_categorical = selection.is_categorical
    panels = [
        ("R² of the column", ~is_categorical, 0),
        (
            "accuracy above that of\nthe most frequent category",
            is_categorical,
            evaluation.most_frequent,
        ),
    ]
    panels = [panel for panel in panels if panel[1].any()]
    heights = [min(chosen.sum(), N_LISTED) + 2 for _, chosen, _ in panels]
    figure = drawing.new_figure((13, max(5, 0.28 * sum(heights) + 1)))
    left, right = figure.subfigures(1, 2, width_ratios=[1.2, 1])
    ax = left.subplots()
    EmbeddingDisplay(
        embedding.to_numpy(),
        y=selection.y,
        feature_names=list(embedding.columns),
        is_map=is_map,
    ).plot(ax=ax)
    ax.set_title(f"{drawing.as_text(name)}: {len(selection.X):,} rows")
    axes = right.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    columns = np.array(selection.X.columns, dtype=object)
    for ax, (title, chosen, baseline) in zip(axes, panels, strict=True):
        scores = {
            method: (of_method.by_column - baseline)[chosen]
            for method, of_method in evaluation.reconstruction.items()
        }
        drawing.draw_bars(ax, scores, columns[chosen], N_LISTED, title)
    for ax in axes[1:]:
        ax.get_legend().remove()
    axes[0].set_title(f"{evaluation.n_held_out:,} held-out rows", loc="left")
    return figure


def _summary_rows(evaluation, is_categorical):
    scores = list(evaluation.reconstruction.values())
    rows = [["", *evaluation.reconstruction, ""]]
    if not is_categorical.all():
        r2 = [format_number(of_method.r2) for of_method in scores]
        rows.append(["R2 of the reconstruction", *r2, ""])
    if is_categorical.any():
        baseline = _mean(evaluation.most_frequent)
        accuracies = [format_number(of_method.accuracy) for of_method in scores]
        gains = [format_number(of_method.accuracy - baseline) for of_method in scores]
        rows.append(["accuracy of the reconstruction", *accuracies, ""])
        rows.append(["  above that of the most frequent", *gains, ""])
    for title, figures, digits in (
        ("log-likelihood, nats per row", evaluation.log_likelihood, 2),
        (evaluation.neighbors_metric, evaluation.neighbors, 3),
    ):
        if figures:
            numbers = (figures[method] for method in evaluation.reconstruction)
            rows.append([title, *(format_number(n, digits) for n in numbers), ""])
    return rows


def _column_rows(title, reconstruction, columns, chosen, most_frequent=None):
    """Return the scores of the best and worst columns, best first.

    Categorical columns are ordered by what their accuracy gains on that of the most
    frequent category.
    """
    baseline = np.zeros(len(columns)) if most_frequent is None else most_frequent
    has_score = ~np.isnan(reconstruction["skvae"].by_column)
    places = np.flatnonzero(chosen & has_score)
    gains = (reconstruction["skvae"].by_column - baseline)[places]
    order = drawing.best_and_worst(gains, N_LISTED)
    rows = [[title, *reconstruction, "" if most_frequent is None else "most frequent"]]
    for j in places[order]:
        scores = [format_number(s.by_column[j]) for s in reconstruction.values()]
        last = "" if most_frequent is None else format_number(most_frequent[j])
        rows.append([columns[j], *scores, last])
    n_between = len(places) - len(order)
    if n_between:
        n_columns = format_count(n_between, "column")
        rows.insert(N_LISTED // 2 + 1, [f"({n_columns} between)", "", "", ""])
    return rows


def _imputation_rows(imputation, is_categorical):
    has_categorical = is_categorical.any()
    baseline = "most frequent" if has_categorical else ""
    rows = [["imputation of hidden entries", "", "skvae", baseline]]
    if not is_categorical.all():
        rows.append(["R2", "", format_number(imputation["skvae"].r2), ""])
    if has_categorical:
        accuracies = [format_number(scores.accuracy) for scores in imputation.values()]
        rows.append(["accuracy", "", *accuracies])
    return rows


def _sampling_rows(sampling, columns):
    farthest = np.argmax(np.nan_to_num(sampling["skvae"].by_column, nan=-1))
    figures = {
        "mean of the columns": [
            _mean(distances.by_column) for distances in sampling.values()
        ],
        f"farthest column: {columns[farthest]}": [
            distances.by_column[farthest] for distances in sampling.values()
        ],
        "mean of the rank correlations": [
            distances.rank_correlations for distances in sampling.values()
        ],
    }
    rows = [["sampled rows, distance to held-out rows", *sampling, ""]]
    for title, distances in figures.items():
        rows.append([title, *(format_number(d) for d in distances), ""])
    return rows


def _mean(values):
    """Return the mean of the values that are not NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return known.mean() if len(known) else np.nan
