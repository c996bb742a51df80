"""Whether validation rows favour a network over its start by more than chance."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fits import NOISES, curved_table, linear_table, make_split, start_and_train
from models import mixed_rows, normal
from scipy.stats import norm, t

from skvae._fitting import comparison
from skvae._fitting.comparison import CAUTION, CONFIDENCE, exceeds_chance, is_better
from skvae._fitting.start import start_from_linear

LONG = {"max_epochs": 60, "learning_rate": 0.01}


@pytest.fixture(scope="module", params=NOISES)
def better(request):
    """A split whose training mattered, where it starts and where it ends."""
    split = make_split(curved_table(), noise=request.param, **LONG)
    return split, *start_and_train(split)


def test_a_network_that_bends_with_the_rows_is_favoured(better):
    split, start, network = better
    assert is_better(network, start, split)


def test_the_start_is_not_favoured_over_itself(better):
    """Nor what differs by nothing but a rounding."""
    split, start, _ = better
    assert not is_better(start.network.copy(), start, split)
    moved = start.network.with_flat(start.network.flat * (1 + 1e-7))
    assert not is_better(moved, start, split)


def test_a_network_that_ruins_the_rows_is_not_favoured(better):
    split, start, network = better
    ruined = network.with_flat(network.flat + 0.5 * normal(len(network.flat)).float())
    assert not is_better(ruined, start, split)


def test_two_rows_favour_nothing():
    split = make_split(curved_table(), n_validation=2, **LONG)
    start, network = start_and_train(split)
    assert not is_better(network, start, split)


def test_a_far_row_does_not_speak_of_the_network():
    x = curved_table()
    x[3, 0] = 1e4
    split = make_split(x, **LONG)
    start, network = start_and_train(split)
    assert is_better(network, start, split)


@pytest.mark.parametrize(("noise", "favoured"), [("spherical", False), ("diag", True)])
def test_with_one_noise_the_squared_error_counts_too(noise, favoured, monkeypatch):
    split = make_split(curved_table(), noise=noise, **LONG)
    start, network = start_and_train(split)
    assert is_better(network, start, split)
    monkeypatch.setattr(comparison, "R2_TOLERANCE", -10.0)  # no gain is enough
    assert is_better(network, start, split) == favoured


def test_a_small_loss_of_squared_error_is_forgiven(monkeypatch):
    """Of a network that gains nats elsewhere: as much as the tolerance."""
    split = make_split(linear_table(1000))
    start = start_from_linear(split.training, split)
    wrong = replace(start, network=start.network.copy())
    log_var = wrong.network.parts["encoder_linear_bias"][2:]
    log_var.add_(2.0)  # a start whose posteriors are too wide
    worse = start.network.copy()
    weight = worse.parts["encoder_linear_weight"]
    weight.add_(0.03 * normal(*weight.shape).float())
    gains = []
    for tolerance in (0.0, 0.05):
        monkeypatch.setattr(comparison, "R2_TOLERANCE", tolerance)
        gains.append(is_better(worse, wrong, split))
    assert gains == [False, True]


# ------------------------------------------------------------------------------- chance


@pytest.mark.parametrize("n", [3, 10, 100, 1000])
def test_a_gain_counts_in_standard_errors_the_more_the_fewer_rows(n):
    noise = normal(n)
    noise = (noise - noise.mean()) / noise.std()
    few = t.ppf(CONFIDENCE, n - 1) / norm.ppf(CONFIDENCE)
    bound = few * CAUTION / n / n**0.5
    assert exceeds_chance(noise + 1.01 * bound)
    assert not exceeds_chance(noise + 0.99 * bound)
    assert not exceeds_chance(noise - 1.0)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_less_than_three_rows_tell_nothing(n):
    assert exceeds_chance(torch.full((n,), 1e3)) is False


def test_a_gain_of_all_rows_alike_is_no_chance():
    assert exceeds_chance(torch.full((5,), 1e-9)) is True
    assert exceeds_chance(torch.zeros(5)) is False
    assert exceeds_chance(torch.full((5,), np.nan)) is False


@pytest.mark.parametrize(
    ("of_numbers", "of_categories", "favoured"),
    [(0.5, 0.5, True), (1.1, 0.1, False), (0.5, 5.0, False)],
)
def test_what_categories_gain_makes_up_for_no_loss_of_numbers(
    of_numbers, of_categories, favoured, monkeypatch
):
    """Nor the reverse: the errors of all columns count, and those of the numbers."""
    layout, x = mixed_rows()
    split = make_split(x.float(), layout=layout)
    start = start_from_linear(split.training, split)
    network, n = start.network.copy(), len(split.inside)
    of_start = torch.ones(n, layout.n_columns).double()
    of_network = of_start * of_categories
    of_network[:, : layout.n_numeric] = of_numbers
    nats = {network: torch.ones(n), start.network: torch.zeros(n)}
    errors = {network: of_network, start.network: of_start}
    for name, known in (("_bounds", nats), ("_errors", errors)):
        found = lambda vae, *_, known=known: known[vae].clone()  # noqa: E731
        monkeypatch.setattr(comparison, name, found)
    assert is_better(network, start, split) == favoured
