"""Compares PCA, UMAP, skvae and its map on the digits dataset, with two components.

Each has its default parameters, but for the neighbours of the map, which are as many as
UMAP's, and is given the pixels as they are, since pixels share one unit.
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
N_NEIGHBORS = 15  # UMAP's default
N_SHOWN = 10
N_TILES = 18  # on each side of the grid over the map
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
    """Fit PCA, UMAP if it is installed, skvae and its map; measure held-out rows.

    Parameters
    ----------
    random_state : int
        Seed of the split and of the methods.

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
    progress("fitting skvae's map")
    vae = VAETransformer(
        N_COMPONENTS, n_neighbors=N_NEIGHBORS, random_state=random_state
    )
    comparison.results.append(_measure("skvae, map", vae, comparison))
    comparison.notes.append(
        f'"skvae, map" has n_neighbors={N_NEIGHBORS}, all else is the default.'
    )
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
    """Return a picture of the embeddings, of digits that came back, and of the map.

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
    width = 15.0
    heights = [width / len(results) + 0.4, 5.8]
    figure = drawing.new_figure((width, sum(heights)))
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    top, bottom = figure.subfigures(2, height_ratios=heights)
    panels = top.subplots(1, len(results), squeeze=False)[0]
    for ax, result in zip(panels, results, strict=True):
        _draw_embedding(ax, result, comparison.y_test)
    left, right = bottom.subfigures(1, 2, width_ratios=[1.55, 1])
    _draw_images(left, comparison, random_state)
    _draw_grid(right.subplots(), results[-1], comparison.X_train, comparison.y_train)
    return figure


def _draw_embedding(ax, result, y):
    display = EmbeddingDisplay(result.embedding, y=y, is_map=True)
    display.plot(ax=ax, legend="on data", s=18)
    ax.set_title(f"{result.name}: 10-NN accuracy {result.accuracy:.3f}")
    low, high = _set_frame(ax, result.embedding)
    n_outside = ((result.embedding < low) | (result.embedding > high)).any(axis=1).sum()
    if n_outside:
        note = f"{n_outside} of {len(y)} rows lie outside"
        ax.text(0.98, 0.02, note, transform=ax.transAxes, ha="right", color="0.4")


def _draw_images(figure, comparison, random_state):
    rows = {"held-out digits": comparison.X_test[:N_SHOWN]}
    for result in comparison.results:
        label = f"{result.name}\nR² {result.r2:.2f}"
        rows[label] = result.reconstructed[:N_SHOWN]
    of_map = comparison.results[-1]
    new_digits = of_map.estimator.sample(N_SHOWN, random_state=random_state)
    rows[f"new digits,\nsampled from\n{of_map.name}"] = new_digits
    ax = figure.subplots()
    drawing.draw_image_rows(ax, rows, IMAGE_SHAPE)
    ax.set_title("held-out digits, and what two components bring back")
    ax.set_anchor("N")


def _draw_grid(ax, result, X_train, y_train):
    """Draw the digits that a map decodes from a grid, wherever training rows are.

    Each has the colour of the training row that is nearest.
    """
    Z = result.estimator.transform(X_train)
    low, high = _set_frame(ax, Z)
    edges = np.linspace(low, high, N_TILES + 1)
    step = edges[1] - edges[0]
    x, y = (edges[:-1] + step / 2).T
    # From the top left to the right, as the tiles of an image.
    places = np.stack(np.meshgrid(x, y[::-1]), axis=-1).reshape(-1, N_COMPONENTS)
    distances = np.abs(places[:, None] - Z).max(axis=2)
    is_near = distances.min(axis=1) <= step[0] / 2
    colors = np.empty((len(y_train), 3))
    for rows, _, color in drawing.split_classes(y_train.astype(float)):
        colors[rows] = color[:3]
    height, width = IMAGE_SHAPE
    tiles = np.zeros((len(places), height + 1, width + 1, 4))
    tiles[:, :, :, :3] = colors[distances.argmin(axis=1)][:, None, None]
    decoded = result.estimator.inverse_transform(places[is_near]) / X_train.max()
    tiles[is_near, :height, :width, 3] = decoded.clip(0, 1).reshape(-1, *IMAGE_SHAPE)
    sheet = tiles.reshape(N_TILES, N_TILES, height + 1, width + 1, 4).swapaxes(1, 2)
    sheet = sheet.reshape(N_TILES * (height + 1), N_TILES * (width + 1), 4)
    extent = low[0], high[0], low[1], high[1]
    ax.imshow(sheet, extent=extent, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.set_title(f"{result.name}: digits decoded from a grid")


def _set_frame(ax, embedding):
    """Give the axes a grey frame around all rows but those far from the others."""
    ax.spines[:].set_color("0.8")
    low, high = _axis_limits(embedding)
    ax.set(xlabel="", ylabel="", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.set_aspect("equal", adjustable="box", anchor="N")
    return low, high


def _axis_limits(embedding):
    """Return the corners of a square with all rows but those far from the others."""
    low, high = np.percentile(embedding, [1, 99], axis=0)
    margin = 0.3 * (high - low)
    low = np.maximum(embedding.min(axis=0), low - margin)
    high = np.minimum(embedding.max(axis=0), high + margin)
    middle, half = (low + high) / 2, 0.54 * (high - low).max()
    return middle - half, middle + half
