"""One fit's orders: what they say of the noise, and when there is nothing to train."""

from dataclasses import FrozenInstanceError

import pytest
from fits import NOISES, linear_table, make_recipe
from models import mixed_rows

from skvae._fitting.recipe import NOISE_FLOOR

X = linear_table()
LAYOUT, MIXED = mixed_rows()


def recipe(hidden=(8,), is_numeric=True, **options):
    if is_numeric:
        return make_recipe(X, hidden=hidden, **options)
    return make_recipe(MIXED, hidden=hidden, layout=LAYOUT, **options)


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
