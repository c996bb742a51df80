"""Compares PCA, UMAP and skvae on the digits dataset, with two components.

Each has its default parameters and is given the pixels as they are, since pixels share
one unit.
"""

import contextlib
import time
import warnings
from dataclasses import dataclass, field

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skvae._cli.terminal import format_number, format_table, is_installed
from skvae._vae import VAETransformer
from skvae.display import EmbeddingDisplay, drawing

IMAGE_SHAPE = (8, 8)
N_COMPONENTS = 2
N_SHOWN = 10
# UMAP's inverse_transform takes tens of ms per row, so its R2 is of these rows only.
N_UMAP_INVERSE = 50


@dataclass
class MethodResult:
    """What one method made of the held-out digits."""

    name: str
    estimator: object
    fit_seconds: float
    transform_seconds: float  # per 1,000 rows
    embedding: np.ndarray  # (n_held_out, 2)
    reconstructed: np.ndarray  # (n_reconstructed, 64): of the first held-out rows
    inverse_seconds: float  # per row
    r2: float
    accuracy: float
    log_likelihood: float | None


@dataclass
class DigitsComparison:
    """The digits, and what each method made of the held-out ones."""

    X_train: np.ndarray
    X_test: np.ndarray  # the first ten rows are one of each digit
    y_train: np.ndarray
    y_test: np.ndarray
    results: list[MethodResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare_on_digits(random_state, progress):
    """Fit PCA, skvae and, if it is installed, UMAP, and measure them on held-out rows.

    Parameters
    ----------
    random_state : int
        Seed of the split and of the three methods.

    progress : callable
        Called with the name of each task as it starts.

    Returns
    -------
    DigitsComparison
    """
    comparison = _split_digits(random_state)
    progress("fitting PCA")
    pca = PCA(N_COMPONENTS, random_state=random_state)
    comparison.results.append(_measure("PCA", pca, comparison))
    if is_installed("umap"):
        progress("fitting UMAP and reconstructing a few rows")
        comparison.results.append(_measure_umap(comparison, random_state))
    else:
        comparison.notes.append(
            'UMAP is left out, as it is not installed: pip install "skvae[umap]"'
        )
    progress("fitting skvae")
    vae = VAETransformer(N_COMPONENTS, random_state=random_state)
    comparison.results.append(_measure("skvae", vae, comparison))
    comparison.notes.append(_describe_standardised_pca(comparison))
    return comparison


def _split_digits(random_state):
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, stratify=y, random_state=random_state
    )
    shown = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]
    order = np.concatenate([shown, np.setdiff1d(np.arange(len(y_test)), shown)])
    return DigitsComparison(X_train, X_test[order], y_train, y_test[order])


def _measure(name, estimator, data, n_inverted=None):
    fit_seconds, _ = _timed(estimator.fit, data.X_train)
    runs = [_timed(estimator.transform, data.X_test) for _ in range(3)]
    # The first run may include compilation.
    transform_seconds = min(seconds for seconds, _ in runs)
    embedding = runs[-1][1]
    inverted = embedding[:n_inverted]
    estimator.inverse_transform(inverted[:2])
    inverse_seconds, reconstructed = _timed(estimator.inverse_transform, inverted)
    neighbors = KNeighborsClassifier(10)
    neighbors.fit(estimator.transform(data.X_train), data.y_train)
    return MethodResult(
        name=name,
        estimator=estimator,
        fit_seconds=fit_seconds,
        transform_seconds=transform_seconds * 1000 / len(data.X_test),
        embedding=embedding,
        reconstructed=reconstructed,
        inverse_seconds=inverse_seconds / len(inverted),
        r2=r2_score(
            data.X_test[:n_inverted], reconstructed, multioutput="variance_weighted"
        ),
        accuracy=neighbors.score(embedding, data.y_test),
        log_likelihood=_log_likelihood(estimator, data.X_test),
    )


def _measure_umap(comparison, random_state):
    with warnings.catch_warnings():
        # UMAP warns that its seed makes it use one thread.
        warnings.simplefilter("ignore")
        import umap

        estimator = umap.UMAP(
            n_components=N_COMPONENTS, random_state=random_state, n_jobs=1
        )
        result = _measure("UMAP", estimator, comparison, N_UMAP_INVERSE)
    comparison.notes.append(
        f"UMAP's R2 is of {N_UMAP_INVERSE} of the {len(comparison.X_test)} held-out "
        f"rows, as its\ninverse_transform takes {1000 * result.inverse_seconds:.0f} ms "
        "per row; its fit includes compilation."
    )
    return result


def _describe_standardised_pca(data):
    """Say what PCA reaches on standardised pixels, which skvae's network is given."""
    pca = make_pipeline(StandardScaler(), PCA(N_COMPONENTS)).fit(data.X_train)
    reconstructed = pca.inverse_transform(pca.transform(data.X_test))
    r2 = r2_score(data.X_test, reconstructed, multioutput="variance_weighted")
    nats = pca.score(data.X_test) - np.log(pca[0].scale_).sum()
    return (
        f"PCA of standardised pixels has an R2 of {format_number(r2)} and "
        f"{format_number(nats, 1)} nats per row."
    )


def _timed(function, *args):
    started = time.perf_counter()
    result = function(*args)
    return time.perf_counter() - started, result


def _log_likelihood(estimator, X):
    with contextlib.suppress(AttributeError):
        return float(estimator.score(X))
    return None


def describe(comparison):
    """Return the comparison as text, a table and notes.

    Parameters
    ----------
    comparison : DigitsComparison
        Output of `compare_on_digits`.

    Returns
    -------
    str
    """
    rows = [
        ["", "fit", "transform, s per", "R2 of the", "10-NN", "log-likelihood,"],
        ["", "s", "1,000 rows", "reconstruction", "accuracy", "nats per row"],
    ]
    for result in comparison.results:
        rows.append(
            [
                result.name,
                format_number(result.fit_seconds, 2),
                format_number(result.transform_seconds, 4),
                format_number(result.r2),
                format_number(result.accuracy),
                format_number(result.log_likelihood, 1),
            ]
        )
    n_columns = comparison.X_train.shape[1]
    heading = (
        f"handwritten digits: {len(comparison.X_train):,} training rows, "
        f"{len(comparison.X_test):,} held-out rows, {n_columns} columns "
        f"reduced to {N_COMPONENTS}"
    )
    return "\n".join([heading, "", format_table(rows, "<>>>>>"), "", *comparison.notes])


def draw(comparison, random_state):
    """Return a picture of reconstructed digits, sampled digits and the embeddings.

    Parameters
    ----------
    comparison : DigitsComparison
        Output of `compare_on_digits`.

    random_state : int
        Seed of the sampled digits.

    Returns
    -------
    matplotlib Figure
    """
    results = comparison.results
    heights = [0.98 * (len(results) + 2), 4.4]
    figure = drawing.new_figure((12, sum(heights)))
    top, bottom = figure.subfigures(2, height_ratios=heights)
    _draw_images(top, comparison, random_state)
    panels = bottom.subplots(1, len(results), squeeze=False)[0]
    for ax, result in zip(panels, results, strict=True):
        _draw_embedding(ax, result, comparison.y_test)
    handles, labels = panels[0].get_legend_handles_labels()
    bottom.legend(
        handles, labels, loc="outside right center", frameon=False, markerscale=1.5
    )
    return figure


def _draw_images(figure, comparison, random_state):
    rows = {"held-out digits": comparison.X_test[:N_SHOWN]}
    for result in comparison.results:
        label = f"reconstructed\nby {result.name}, R² {result.r2:.2f}"
        rows[label] = result.reconstructed[:N_SHOWN]
    vae = comparison.results[-1].estimator
    new_digits = vae.sample(N_SHOWN, random_state=random_state)
    rows["new digits,\nsampled from skvae"] = new_digits
    drawing.draw_image_rows(figure.subplots(), rows, IMAGE_SHAPE)


def _draw_embedding(ax, result, y):
    display = EmbeddingDisplay(result.embedding, y=y)
    display.plot(ax=ax, legend=False)
    ax.set_title(f"{result.name}, 10-NN accuracy {result.accuracy:.2f}")
    ax.set(xlabel="", ylabel="", xticks=[], yticks=[])
    ax.spines[:].set_color("0.8")
    low, high = _axis_limits(result.embedding)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    n_outside = ((result.embedding < low) | (result.embedding > high)).any(axis=1).sum()
    if n_outside:
        note = f"{n_outside} of {len(y)} rows lie outside"
        ax.text(0.98, 0.02, note, transform=ax.transAxes, ha="right", color="0.4")


def _axis_limits(embedding):
    """Return the limits of axes that show all rows but those far from the others."""
    low, high = np.percentile(embedding, [1, 99], axis=0)
    margin = 0.3 * (high - low)
    low = np.maximum(embedding.min(axis=0), low - margin)
    high = np.minimum(embedding.max(axis=0), high + margin)
    margin = 0.04 * (high - low)
    return low - margin, high + margin
