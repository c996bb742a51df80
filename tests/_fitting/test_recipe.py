"""One fit's orders: what they say of the noise, and when there is nothing to train."""

from dataclasses import FrozenInstanceError

import pytest
from fits import NOISES, linear_table, make_recipe
from models import mixed_rows

from skvae import VAETransformer
from skvae._fitting.recipe import MAP_WIDTHS, NOISE_FLOOR, choose_widths
from skvae._fitting.recipe import make_recipe as resolve
from skvae._layout import numeric_layout
from skvae._training.events import SILENT

X = linear_table()
LAYOUT, MIXED = mixed_rows()


def recipe(hidden=(8,), is_numeric=True, **options):
    if is_numeric:
        return make_recipe(X, hidden=hidden, **options)
    return make_recipe(MIXED, hidden=hidden, layout=LAYOUT, **options)


def resolved(n_rows=1_000, n_features=10, n_components=2, **parameters):
    parameters = VAETransformer(**parameters).get_params()
    given = {"layout": numeric_layout(n_features), "seed": 0, "listener": SILENT}
    return resolve(parameters, n_rows, n_components, **given)


@pytest.mark.parametrize(
    ("n_features", "n_components", "widths"),
    [
        (2, 2, (128, 64)),
        (64, 2, (128, 64)),
        (85, 2, (170, 85)),
        (5_000, 2, (256, 128)),
        (10, 8, (192, 96)),
        (10, 30, (256, 128)),
    ],
)
def test_layers_are_as_wide_as_columns_and_components_ask(
    n_features, n_components, widths
):
    assert choose_widths("auto", n_features, n_components) == widths
    found = resolved(n_features=n_features, n_components=n_components).architecture
    assert found.hidden_layer_sizes == widths
    # As of a share of the variance, whose number of components is found later.
    recipe = resolved(n_features=n_features, n_components=1)
    found = recipe.with_components(n_components).architecture
    assert (found.n_components, found.hidden_layer_sizes) == (n_components, widths)


def test_widths_that_were_asked_for_stay():
    recipe = resolved(n_components=8, hidden_layer_sizes=(256, 128))
    for found in recipe, recipe.with_components(20):
        assert found.architecture.hidden_layer_sizes == (256, 128)


def test_a_map_has_as_many_features_whatever_its_size():
    for n_features in 2, 500:
        found = resolved(n_features=n_features, n_neighbors=15).architecture
        assert found.hidden_layer_sizes == MAP_WIDTHS


@pytest.mark.parametrize(
    ("n_rows", "batch_size"), [(20, 16), (240, 20), (1_200, 100), (10**6, 256)]
)
def test_a_batch_is_a_twelfth_of_the_rows_within_bounds(n_rows, batch_size):
    assert resolved(n_rows).training.batch_size == batch_size


@pytest.mark.parametrize(
    ("noise", "training"),
    [("auto", "spherical"), ("spherical", "spherical"), ("diag", "diag")],
)
def test_auto_trains_as_spherical(noise, training):
    found = recipe(noise=noise)
    assert found.training_noise == training
    assert found.floor == NOISE_FLOOR[training]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(
    ("options", "has_intervals", "is_pca"),
    [
        ({"hidden": ()}, False, True),
        ({"hidden": ()}, True, False),
        ({"hidden": (8,)}, False, False),
        ({"hidden": (), "is_numeric": False}, False, False),
    ],
)
def test_auto_gives_each_column_a_noise_unless_the_model_is_pca(
    options, has_intervals, is_pca, noise
):
    found = recipe(noise=noise, **options).has_noise_by_column(has_intervals)
    assert found == {"diag": True, "spherical": False, "auto": not is_pca}[noise]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"hidden": ()}, True),
        ({"hidden": (), "beta": 0.5}, False),
        ({"hidden": (), "is_numeric": False}, False),
        ({"hidden": (8,)}, False),
    ],
)
def test_there_is_nothing_to_train_where_the_closed_form_is_the_best(options, expected):
    found = recipe(**options)
    assert found.is_closed_form == expected
    assert found.is_linear == (not options["hidden"])


def test_a_recipe_is_fixed():
    found = recipe(k=3)
    assert found.n_components == 3
    with pytest.raises(FrozenInstanceError):
        found.seed = 1
