"""The fewest components whose R2 on validation rows reaches a share."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fits import fit as fit_rows
from helpers import bow, with_missing
from sklearn.decomposition import PCA

from skvae import VAETransformer
from skvae._fitting.dimension import fewest_components
from skvae._model.coder import LinearCoder

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")


def fitter(hidden=(), noise="auto"):
    """Return what fits, and the numbers of components that it was asked for."""
    asked = []

    def fit(x, k):
        asked.append(k)
        options = {"hidden": hidden, "noise": noise, "n_validation": len(x) // 10}
        return fit_rows(x, k=k, max_epochs=200, learning_rate=0.01, **options).density

    return fit, asked


def decaying(n=500, d=8, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(size=(n, d)) * 0.7 ** np.arange(d)).float()


def ring(n=600, d=6, seed=0):
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, n)
    x = np.column_stack([np.cos(angle), np.sin(angle)]) @ rng.normal(size=(2, d))
    return torch.from_numpy(x + 0.05 * rng.normal(size=x.shape)).float()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8, 0.95, 0.999])
def test_of_the_linear_model_it_is_that_of_pca_on_validation_rows(share):
    x = decaying()
    validation, rest = np.split(x.numpy(), [100])
    deviations = np.square(validation - rest.mean(axis=0)).sum()

    def r2(k):
        pca = PCA(k).fit(rest)
        back = pca.inverse_transform(pca.transform(validation))
        return 1 - np.square(validation - back).sum() / deviations

    expected = next(k for k in range(1, 9) if r2(k) >= share)
    fit, asked = fitter()
    assert fewest_components(x, share, 100, fit) == expected
    assert asked == [expected, expected - 1][: 1 + (expected > 1)]


def test_a_network_may_need_fewer_than_pca():
    x = ring()
    fit, asked = fitter((32,))
    assert fewest_components(x, 0.7, 60, fit) == 1
    assert asked[0] == 2
    fit, _ = fitter()
    assert fewest_components(x, 0.7, 60, fit) == 2


def test_where_a_model_falls_short_of_pca_it_gets_more():
    """As with noise by column, whose components have other aims."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 4)) @ rng.normal(size=(4, 12))
    x[:, 6:] += 3 * rng.normal(size=(1000, 6))
    x = torch.from_numpy(x / x.std(axis=0)).float()
    of_pca = fewest_components(x, 0.8, 100, fitter()[0])
    found = fewest_components(x, 0.8, 100, fitter(noise="diag")[0])
    assert found > of_pca


def test_where_nothing_suffices_it_is_as_many_as_there_can_be():
    def useless(rest, k):
        density = fitter()[0](rest, k)
        linear = density.parts[0].coder.linear
        names = ("encoder", "decoder", "output_map")
        zeros = {name: torch.zeros_like(getattr(linear, name)) for name in names}
        return density.with_first(coder=LinearCoder(replace(linear, **zeros)))

    assert fewest_components(decaying(), 0.8, 100, useless) == 8


def test_of_a_constant_table_one_is_enough():
    fit, _ = fitter()
    assert fewest_components(torch.ones(30, 4), 0.9, 3, fit) == 1


def test_missing_entries_count_for_nothing():
    x = decaying()
    expected = fewest_components(x, 0.8, 100, fitter()[0])
    few = torch.from_numpy(np.random.default_rng(0).random(x.shape) < 0.03)
    incomplete = x.masked_fill(few, torch.nan)
    found = fewest_components(incomplete, 0.8, 100, fitter()[0])
    assert abs(found - expected) <= 1


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
    monkeypatch.setattr("skvae._vae.fewest_components", None)  # not asked again
    assert vae.fit(curve).n_components_ == found


def test_same_seed_same_number_and_bits(curve, make_vae, assert_same_bits):
    first, second = (make_vae(n_components=0.8).fit(curve) for _ in range(2))
    assert_same_bits(first, second, curve)


def test_the_search_prints_nothing(make_vae, curve, capsys):
    vae = make_vae(n_components=0.8, verbose=True, max_iter=3).fit(curve)
    assert len(capsys.readouterr().out.splitlines()) == vae.n_iter_


def test_two_rows_and_a_share():
    assert VAETransformer(0.5).fit([[0.0, 1], [1, 0]]).n_components_ == 1


@pytest.mark.filterwarnings("ignore:max_iter")
def test_a_share_of_the_variance_is_found_beside_missing_values():
    vae = VAETransformer(0.8, max_iter=5, random_state=0).fit(
        with_missing(bow(400), 0.1)
    )
    assert 1 <= vae.n_components_ <= 4
