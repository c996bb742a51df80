"""The rows of a fit: who validates, who trains, and what is known beforehand."""

import numpy as np
import pytest
import torch
from fits import NOISES, linear_table, make_split, without_some
from models import mixed_rows
from scipy.stats import truncnorm

from skvae._fitting.split import INTERVAL_SHARE
from skvae._linear.moments import least_noise

X = linear_table(100)


@pytest.mark.parametrize("n_validation", [1, 10, 99])
def test_the_first_rows_validate_and_the_others_train(n_validation):
    split = make_split(X, n_validation=n_validation)
    assert torch.equal(torch.cat([split.validation, split.training]), X)
    assert len(split.validation) == n_validation


def test_validation_rows_are_seen_inside_the_range_of_the_training_rows():
    x = X.clone()
    x[3, 0], x[4, 1], x[50, 2] = 1e3, -1e3, 1e3
    split = make_split(x)
    low, high = split.training.amin(dim=0), split.training.amax(dim=0)
    assert torch.equal(split.inside, x[:10].clamp(low, high))
    assert float(split.inside[3, 0]) == float(high[0])
    assert float(high[2]) == 1e3  # its own range is what it is
    assert torch.equal(split.validation, x[:10])


def test_missing_entries_neither_have_a_range_nor_come_into_it():
    x = without_some(X, 0.3)
    x[10:, 4] = torch.nan  # unknown to the training rows
    split = make_split(x)
    of_training = split.training[:, :4].numpy()
    low, high = np.nanmin(of_training, axis=0), np.nanmax(of_training, axis=0)
    expected = np.clip(x[:10, :4].numpy(), low, high)
    np.testing.assert_array_equal(split.inside[:, :4], expected)
    np.testing.assert_array_equal(split.inside[:, 4], x[:10, 4])


def test_a_few_rows_have_no_range():
    x = X[:12].clone()
    x[0, 0] = 1e3
    assert float(make_split(x, n_validation=3).inside[0, 0]) == 1e3
    assert float(make_split(x, n_validation=2).inside[0, 0]) < 1e3


@pytest.mark.parametrize("beta", [1.0, 0.3, 0.0])
def test_draws_are_the_same_each_time_and_none_for_the_autoencoder(beta):
    split = make_split(X, beta=beta, seed=3)
    draws = split.draws(X[:7])
    assert draws.shape == (7, 2)
    assert torch.equal(draws, split.draws(2 * X[:7]))
    assert bool(draws.any()) == bool(beta)
    if beta:
        assert not torch.equal(draws, make_split(X, seed=4).draws(X[:7]))


def test_the_observed_share_is_1_where_all_is():
    assert (make_split(X).observed_share == 1).all()
    x = without_some(X, 0.3)
    share = make_split(x).observed_share
    np.testing.assert_allclose(share, (~x.isnan()).double().mean(dim=0), rtol=1e-6)


def test_training_knows_a_share_of_what_intervals_leave_open():
    assert not make_split(X).within.any()
    half = torch.linspace(0, 1, 5)  # of the width, by column
    intervals = torch.stack([X - half, X + half], dim=1)
    found = make_split(X, intervals).within
    assert found.dtype == torch.float32
    for j in range(5):
        low, high = intervals[:, :, j].double().numpy().T
        variance = truncnorm(low, high).var() if j else np.zeros(len(X))
        assert float(found[j]) == pytest.approx(
            INTERVAL_SHARE * variance.mean(), rel=1e-3, abs=1e-9
        )


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("hidden", [(), (8,)])
def test_the_least_noise_is_by_column_where_the_noise_is_in_the_end(noise, hidden):
    x = X * torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    split = make_split(x, noise=noise, hidden=hidden)
    by_column = noise == "diag" or (noise == "auto" and bool(hidden))
    assert split.by_column == by_column
    assert split.gains_columns == (by_column and noise == "auto")
    kind = "diag" if by_column else "spherical"
    expected = least_noise(x, kind, split.recipe.floor)
    assert torch.equal(split.least_noise, expected)
    assert (len(split.least_noise.unique()) > 1) == by_column


def test_the_noise_is_of_the_numeric_columns():
    layout, x = mixed_rows(50)
    split = make_split(x.float(), layout=layout)
    for rows in x, torch.stack([x, x], dim=1), x[0]:
        assert torch.equal(split.numeric(rows), rows[..., :2])
    assert len(split.least_noise) == len(split.within) == 2
