"""The report on a user's table, as text and as a picture."""

import numpy as np

from skvae._cli.terminal import count, format_table, listed, number
from skvae.display import EmbeddingDisplay, drawing

N_LISTED = 10  # columns of a kind, the best, and as many of the worst


def describe_selection(name, table, selection):
    """Return what is used and what is left out, and why, as text."""
    lines = []
    for kind, title in ("numbers", "numbers"), ("times", "dates"), ("levels", "levels"):
        columns = [c for c, of in selection.kinds.items() if of == kind]
        if columns:
            lines.append([title, f"{count(len(columns), 'column')}: {listed(columns)}"])
    if selection.n_missing:
        share = selection.n_missing / selection.X.size
        entries = f"{selection.n_missing:,} entries, {share:.1%} of these columns"
        lines.append(["missing", entries])
    for column, what in selection.odd.items():
        lines.append(["", f"{column}: {what}, taken for missing"])
    for reason, columns in selection.left_out.items():
        lines.append(["left out", f"{listed(columns)}: {reason}"])
    title = f"{name}: {count(len(table), 'row')}, {count(table.shape[1], 'column')}"
    return f"{title}\n\n{format_table(lines, '<<')}"


def describe_evaluation(evaluation, selection, n_components):
    """Return the held-out figures as text."""
    methods, columns = list(evaluation.back), list(selection.X.columns)
    is_level = selection.is_level
    heading = f"{evaluation.n_train:,} rows fitted, {evaluation.n_held_out:,} held out"
    if evaluation.n_pca < n_components:
        heading += f"; PCA has {evaluation.n_pca} of the {n_components} components"
    parts = [["", *methods, ""], *_describe_back(evaluation, is_level)]
    for title, figures, digits in (
        ("log-likelihood, nats", evaluation.log_likelihood, 2),
        (evaluation.neighbors_measure, evaluation.neighbors, 3),
    ):
        if figures:
            parts.append([title, *(number(figures[m], digits) for m in methods), ""])
    for title, chosen, majority in (
        ("R2 of each column", ~is_level, None),
        ("accuracy of each column", is_level, evaluation.majority),
    ):
        if chosen.any():
            of_columns = evaluation.back, columns, chosen, majority
            parts += [[""] * 4, *_describe_columns(title, *of_columns)]
    parts += [[""] * 4, *_describe_filled(evaluation.filled, is_level)]
    parts += [[""] * 4, *_describe_drawn(evaluation.drawn, columns)]
    lines = format_table(parts, "<>>>")
    return "\n".join(["", heading, "", lines, *("\n" + n for n in evaluation.notes)])


def draw(name, selection, evaluation, embedding):
    """Return the picture: the embedding, and how well each column comes back.

    Parameters
    ----------
    name : str
        The table's name.

    selection : Selection
        The table.

    evaluation : Evaluation
        Output of `evaluate`.

    embedding : pandas.DataFrame
        Output of `embed`.

    Returns
    -------
    matplotlib Figure
    """
    is_level, columns = selection.is_level, np.array(selection.X.columns, dtype=object)
    kinds = [
        ("R² of the column", ~is_level, 0),
        ("accuracy above the majority's", is_level, evaluation.majority),
    ]
    kinds = [kind for kind in kinds if kind[1].any()]
    heights = [min(chosen.sum(), 2 * N_LISTED) + 2 for _, chosen, _ in kinds]
    figure = drawing.new_figure((13, max(5, 0.28 * sum(heights) + 1)))
    left, right = figure.subfigures(1, 2, width_ratios=[1.2, 1])
    ax = left.subplots()
    EmbeddingDisplay(
        embedding.to_numpy(), y=selection.y, feature_names=list(embedding.columns)
    ).plot(ax=ax)
    ax.set_title(f"{name}: {len(selection.X):,} rows")
    axes = right.subplots(len(kinds), 1, height_ratios=heights, squeeze=False)[:, 0]
    for ax, (title, chosen, base) in zip(axes, kinds, strict=True):
        figures = {
            method: (quality.by_column - base)[chosen]
            for method, quality in evaluation.back.items()
        }
        drawing.draw_bars(ax, figures, columns[chosen], 2 * N_LISTED, title)
    for ax in axes[1:]:
        ax.get_legend().remove()
    axes[0].set_title(f"{evaluation.n_held_out:,} held-out rows", loc="left")
    return figure


def _describe_back(evaluation, is_level):
    back = list(evaluation.back.values())
    rows = []
    if not is_level.all():
        rows.append(["R2 of the inverse", *(number(q.r2) for q in back), ""])
    if is_level.any():
        majority = np.nanmean(evaluation.majority[is_level])
        accuracies = [number(q.accuracy) for q in back]
        gains = [number(q.accuracy - majority) for q in back]
        rows.append(["accuracy of the inverse", *accuracies, ""])
        rows.append(["  above the majority's", *gains, ""])
    return rows


def _describe_columns(title, back, columns, chosen, majority=None):
    """List the best and worst columns of a kind, by what is above the majority's."""
    base = np.zeros(len(columns)) if majority is None else majority
    places = np.flatnonzero(chosen & ~np.isnan(back["skvae"].by_column))
    gains = (back["skvae"].by_column - base)[places]
    order = drawing.best_and_worst(gains, 2 * N_LISTED)
    rows = [[title, *back, "" if majority is None else "majority"]]
    for j in places[order]:
        figures = [number(quality.by_column[j]) for quality in back.values()]
        last = "" if majority is None else number(majority[j])
        rows.append([columns[j], *figures, last])
    skipped = len(places) - len(order)
    if skipped:
        rows.insert(N_LISTED + 1, [f"({skipped:,} columns between)", "", "", ""])
    return rows


def _describe_filled(filled, is_level):
    has_levels = is_level.any()
    rows = [
        ["hidden entries, filled in", "", "skvae", "majority" if has_levels else ""]
    ]
    if not is_level.all():
        rows.append(["R2", "", number(filled["skvae"].r2), ""])
    if has_levels:
        accuracies = [number(quality.accuracy) for quality in filled.values()]
        rows.append(["accuracy", "", *accuracies])
    return rows


def _describe_drawn(drawn, columns):
    farthest = int(np.nanargmax(drawn["skvae"].by_column))
    rows = [["drawn rows, distance to held-out", *drawn, ""]]
    for title, figure in (
        ("columns, mean", lambda distances: np.nanmean(distances.by_column)),
        (
            f"farthest: {columns[farthest]}",
            lambda distances: distances.by_column[farthest],
        ),
        ("correlations, mean", lambda distances: distances.correlations),
    ):
        rows.append([title, *(number(figure(of)) for of in drawn.values()), ""])
    return rows
