"""The fewest components whose R2 on validation rows reaches a share."""

import numpy as np
import pytest
import torch
from fits import fit, make_split
from fits import make_recipe as recipe_of
from helpers import bow, make_people, with_missing
from sklearn.decomposition import PCA

from skvae import VAETransformer
from skvae._fitting.dimension import (
    EXPECTED_RATIO,
    Search,
    explained_by,
    explained_by_pca,
)
from skvae._fitting.fit import fit_vae
from skvae._linear.anchor import fit_linear_vae
from skvae._model.parts import linear_part
from skvae._model.rows import Rows
from skvae._training.events import Listener

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")


def decaying(n=500, d=8, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(size=(n, d)) * 0.7 ** np.arange(d)).float()


def ring(n=600, d=6, seed=0):
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, n)
    x = np.column_stack([np.cos(angle), np.sin(angle)]) @ rng.normal(size=(2, d))
    return torch.from_numpy(x + 0.05 * rng.normal(size=x.shape)).float()


def r2_of_pca(training, validation, k):
    pca = PCA(k).fit(training)
    back = pca.inverse_transform(pca.transform(validation))
    total = np.square(validation - training.mean(axis=0)).sum()
    return 1 - np.square(validation - back).sum() / total


# -------------------------------------------------------------- what components explain


def test_what_pca_explains_is_what_scikit_learns_explains():
    validation, training = (x.double() for x in decaying().split([100, 400]))
    found = explained_by_pca(training, validation)
    expected = [r2_of_pca(training.numpy(), validation.numpy(), k) for k in range(1, 9)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_what_a_linear_part_explains_is_what_pca_explains():
    """For each number of components, not only for all."""
    validation, training = decaying().split([100, 400])
    linear = fit_linear_vae(training, 5, "spherical", 1e-6)
    split = make_split(decaying())
    part = linear_part(linear, split.recipe.layout)
    found = explained_by(part, training, validation, range(1, 6))
    expected = [r2_of_pca(training.numpy(), validation.numpy(), k) for k in range(1, 6)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_of_a_fit_it_adds_up_to_the_r2_of_the_validation_rows():
    x = ring()
    solution = fit(x, k=3, n_validation=100, patience=10)
    assert solution.explained.shape == (3,)
    # Components that the ring has no use for explain nothing.
    of_pca = explained_by_pca(x[100:], x[:100])
    assert solution.explained.sum() == pytest.approx(of_pca[2], abs=0.02)
    assert solution.explained[0] > 0.3 > 0.05 > abs(solution.explained[2])


# ------------------------------------------------------------------------------- search


def search(share, of_pca, explained, ratio=EXPECTED_RATIO):
    """Return what a search finds, and the numbers that it tries."""
    looking, tried = Search(share, np.asarray(of_pca), ratio), []
    while (k := looking.next()) is not None:
        assert k not in tried
        tried.append(k)
        looking.note(k, explained[k - 1])
    return looking.found, tried


def curves(seed):
    """Return what PCA and a network might explain, by number of components."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 70))
    spectrum = np.sort(rng.exponential(size=d) * rng.uniform(0.7, 1.0) ** np.arange(d))
    left = np.append(spectrum[:-1].cumsum()[::-1], 1e-9) / spectrum.sum()
    least = rng.uniform(0.2, 1.0)
    ratios = least + (1 - least) * np.exp(-np.arange(d) / rng.uniform(1, 10))
    return 1 - left, 1 - np.minimum.accumulate(left * ratios)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.9, 0.95, 0.99])
def test_a_search_finds_the_fewest_in_few_fits(share):
    counts = []
    for seed in range(60):
        of_pca, explained = curves(seed)
        found, tried = search(share, of_pca, explained)
        assert found == np.argmax(explained >= share) + 1
        counts.append(len(tried))
    assert np.mean(counts) <= 3
    assert max(counts) <= 5


def test_a_linear_model_needs_as_many_as_pca_which_two_fits_confirm():
    of_pca, _ = curves(3)
    for share in (0.3, 0.6, 0.9):
        expected = int(np.argmax(of_pca >= share)) + 1
        found, tried = search(share, of_pca, of_pca, ratio=1.0)
        assert found == expected
        assert tried == [expected, expected - 1][: 1 + (expected > 1)]


def test_where_a_model_falls_short_of_pca_it_gets_more():
    of_pca = np.linspace(0.1, 1.0, 10)
    for loss in (0.05, 0.2, 0.4):
        explained = of_pca - loss
        expected = int(np.argmax(explained >= 0.5)) + 1
        assert search(0.5, of_pca, explained)[0] == expected


def test_where_nothing_suffices_it_is_those_that_explain_most():
    of_pca = np.linspace(0.3, 1.0, 8)
    found, tried = search(0.8, of_pca, of_pca / 2)
    assert found == tried[-1] == 8


def test_cut_short_it_has_found_the_fewest_that_sufficed_else_the_best():
    of_pca, explained = np.linspace(0.1, 1.0, 10), np.linspace(0.2, 1.0, 10)
    looking = Search(0.5, of_pca)
    looking.note(2, explained[1])
    looking.note(3, explained[2])
    assert looking.found == 3
    looking.note(8, explained[7])
    looking.note(6, explained[5])
    assert looking.found == 6


# --------------------------------------------------------------------------- with fits


class Trials(Listener):
    """Takes note of the numbers of components that are tried."""

    def __init__(self):
        self.tried = []

    def phase(self, name):
        if name.startswith("Trying"):
            self.tried.append(int(name.split()[1]))


def fewest(x, share, n_validation, **options):
    """Return the solution of a search, and the numbers tried."""
    options = {"max_epochs": 200, "learning_rate": 0.01} | options
    trials = Trials()
    recipe = recipe_of(x, n_validation=n_validation, listener=trials, **options)
    rows = Rows(x[:1000].double(), x[:1000].double())
    return fit_vae(x, rows, recipe, share=share), trials.tried


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8, 0.95, 0.999])
def test_of_the_linear_model_it_is_that_of_pca_on_validation_rows(share):
    x = decaying()
    validation, rest = np.split(x.numpy(), [100])
    curve = [r2_of_pca(rest, validation, k) for k in range(1, 9)]
    expected = next(k for k in range(1, 9) if curve[k - 1] >= share)
    solution, tried = fewest(x, share, 100, hidden=())
    assert len(solution.component_kl) == expected
    assert tried == [expected, expected - 1][: 1 + (expected > 1)]
    np.testing.assert_allclose(solution.explained.cumsum(), curve[:expected], atol=1e-5)


def test_a_network_may_need_fewer_than_pca():
    x = ring()
    solution, tried = fewest(x, 0.7, 60, hidden=(32,))
    (explained,) = solution.explained
    assert explained >= 0.7 > r2_of_pca(x[60:].numpy(), x[:60].numpy(), 1)
    assert tried == [1]
    solution, _ = fewest(x, 0.7, 60, hidden=())
    assert len(solution.explained) == 2


def test_noise_by_column_may_need_more_than_pca():
    """As its components have other aims."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 4)) @ rng.normal(size=(4, 12))
    x[:, 6:] += 3 * rng.normal(size=(1000, 6))
    x = torch.from_numpy(x / x.std(axis=0)).float()
    of_pca, of_factors = (
        fewest(x, 0.8, 100, hidden=(), noise=noise)[0] for noise in ("auto", "diag")
    )
    assert len(of_factors.explained) > len(of_pca.explained)
    assert of_factors.explained.sum() >= 0.8


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e20])
def test_of_a_constant_table_one_is_enough_and_nothing_is_left(value):
    solution, _ = fewest(torch.full((30, 4), value), 0.9, 3, hidden=())
    assert solution.explained.tolist() == [1.0]


def test_missing_entries_count_for_nothing():
    x = decaying()
    few = torch.from_numpy(np.random.default_rng(0).random(x.shape) < 0.03)
    tables = x, x.masked_fill(few, torch.nan)
    complete, incomplete = (fewest(one, 0.8, 100, hidden=())[0] for one in tables)
    assert abs(len(incomplete.explained) - len(complete.explained)) <= 1


@pytest.mark.parametrize("patience", [10, None])
def test_it_is_the_fit_with_the_number_found(patience):
    """To the bit: so intervals, and all else that a fit is told, are the same."""
    x, options = ring(), {"max_epochs": 5, "patience": patience}
    found, _ = fewest(x, 0.9, 60, hidden=(16,), **options)
    options |= {"learning_rate": 0.01, "n_validation": 60}
    expected = fit(x, k=len(found.component_kl), hidden=(16,), **options)
    z = found.density.encode(x.double())[0]
    assert torch.equal(z, expected.density.encode(x.double())[0])
    assert found.progress == expected.progress
    np.testing.assert_array_equal(found.explained, expected.explained)


# ----------------------------------------------------------------------- the estimator


def test_a_share_becomes_a_number_of_components(make_vae):
    x = decaying(800).numpy()
    vae = make_vae(n_components=0.8, hidden_layer_sizes=()).fit(x)
    assert vae.n_components == 0.8
    assert vae.n_components_ == vae.transform(x).shape[1]
    assert list(vae.get_feature_names_out())[-1] == (
        f"vaetransformer{vae.n_components_ - 1}"
    )
    new = decaying(800, seed=1).numpy()
    back = vae.inverse_transform(vae.transform(new))
    r2 = 1 - np.square(new / x.std(axis=0) - back / x.std(axis=0)).mean()
    assert r2 > 0.75


def test_more_share_takes_more_components(make_vae):
    x = decaying(800).numpy() / 0.7 ** np.arange(8)
    x[:, 4:] = x[:, :4]
    found = [
        make_vae(n_components=share, hidden_layer_sizes=()).fit(x).n_components_
        for share in (0.2, 0.45, 0.7, 0.95)
    ]
    assert found == [1, 2, 3, 4]


@pytest.mark.parametrize("scaling", ["standard", "quantile", None])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_share_goes_with_everything(make_vae, curve, scaling, early_stopping):
    vae = make_vae(
        n_components=0.9, scaling=scaling, early_stopping=early_stopping, max_iter=5
    ).fit(curve)
    assert 1 <= vae.n_components_ <= 4
    assert np.isfinite(vae.score(curve))
    assert vae.sample(3).shape == (3, 4)


def test_a_warm_start_keeps_the_number(make_vae, curve, monkeypatch):
    vae = make_vae(n_components=0.9, warm_start=True, max_iter=3).fit(curve)
    found = vae.n_components_
    monkeypatch.setattr("skvae._fitting.fit.Search", None)  # not asked again
    assert vae.fit(curve).n_components_ == found


def test_same_seed_same_number_and_bits(curve, make_vae, assert_same_bits):
    first, second = (make_vae(n_components=0.8).fit(curve) for _ in range(2))
    assert_same_bits(first, second, curve)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"scaling": "quantile"},
        {"noise": "diag"},
        {"early_stopping": False, "max_iter": 4},
        {"beta": 0.0},
        {"hidden_layer_sizes": (), "scaling": "quantile"},
    ],
)
def test_a_share_gives_the_fit_with_the_number_found(
    parameters, curve, make_vae, assert_same_bits
):
    rounded = curve.round(1)  # has intervals under "quantile"
    found = make_vae(n_components=0.9, **parameters).fit(rounded)
    assert found.explained_variance_ratio_.sum() >= 0.9
    expected = make_vae(n_components=found.n_components_, **parameters).fit(rounded)
    assert_same_bits(found, expected, rounded)


def test_the_share_of_each_component_is_near_that_of_new_rows(make_vae):
    x = decaying(2000).numpy()
    vae = make_vae(n_components=4, hidden_layer_sizes=(), scaling=None).fit(x)
    oracle = PCA(4).fit(decaying(2000, seed=1).numpy())
    expected = oracle.explained_variance_ratio_
    assert vae.explained_variance_ratio_.shape == (4,)
    np.testing.assert_allclose(vae.explained_variance_ratio_, expected, atol=0.04)


def test_a_share_of_a_mixed_table(make_vae):
    vae = make_vae(n_components=0.5, max_iter=3).fit(make_people())
    assert vae.explained_variance_ratio_.shape == (vae.n_components_,)
    assert vae.explained_variance_ratio_.sum() >= 0.5


def test_two_rows_and_a_share():
    assert VAETransformer(0.5).fit([[0.0, 1], [1, 0]]).n_components_ == 1


@pytest.mark.filterwarnings("ignore:max_iter")
def test_a_share_of_the_variance_is_found_beside_missing_values():
    vae = VAETransformer(0.8, max_iter=5, random_state=0).fit(
        with_missing(bow(400), 0.1)
    )
    assert 1 <= vae.n_components_ <= 4
