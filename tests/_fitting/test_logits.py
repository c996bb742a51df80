"""Logits for a linear VAE: logistic regressions, as scikit-learn fits them."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import kinds_of
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from skvae._fitting import logits as logits_module
from skvae._fitting.logits import RIDGE, with_logits
from skvae._linear.anchor import fit_linear_vae
from skvae._linear.vae import LinearVAE
from skvae._table.indicators import fit_layout
from skvae._table.scaling import make_numeric, make_scaling


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def coded(X, columns):
    """Return the network's columns of a table as a tensor, and their layout.

    `columns` has numbers of categories: 0 if numeric, negative if ordered.
    """
    layout, d = fit_layout(X, *kinds_of(columns)), X.shape[1]
    scaling = make_scaling(make_numeric(np.zeros(d), np.ones(d), None, layout), layout)
    return tensor(scaling.forward(X)), layout


def table(n=500, seed=0, slope=1.5):
    """Return z, and columns of two, three and two categories that depend on it."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    noise = rng.logistic(size=(n, 3))
    first, second, third = (slope * z[:, None] + noise).T
    codes = np.c_[first > 1, (second > -1) + 1.0 * (second > 1), third > 0]
    return z, codes.astype(float)


def knowing_z(z, codes):
    """Return a linear VAE whose z is the number in the first column, and the rows."""
    x, layout = coded(np.c_[z, codes], [0, 2, 3, 2])
    d = x.shape[1]
    encoder, decoder = tensor(np.zeros((d, 1))), tensor(np.full((1, d), 0.3))
    encoder[0] = 1
    bias = tensor(np.full(d, 7.0))
    linear = LinearVAE(
        encoder=encoder,
        encoder_bias=tensor([0.0]),
        log_var=tensor([-np.inf]),  # exact
        decoder=decoder,
        decoder_bias=bias,
        noise_variance=tensor(np.ones(d)),
        output_map=torch.cat([bias[None], decoder]),
    )
    return linear, x, layout


def link_of(linear, x, layout):
    """Return bias and weights of what the columns start from, (k + 1, d)."""
    return with_logits(linear, x, layout).output_map.numpy()


def probabilities(link, z):
    """Of the second of two categories, for both such columns, and of all of three."""
    logits = np.c_[np.ones(len(z)), z] @ link
    return expit(logits[:, 1]), expit(logits[:, 2]), softmax(logits[:, 3:], axis=1)


def regress(z, codes):
    """As scikit-learn does, with the same ridge."""
    model = LogisticRegression(C=1 / RIDGE, tol=1e-10, max_iter=10_000)
    return model.fit(z[:, None], codes).predict_proba(z[:, None])


def test_logits_are_those_of_logistic_regression(monkeypatch):
    monkeypatch.setattr(logits_module, "STEPS", 3000)
    z, codes = table()
    linear, x, layout = knowing_z(z, codes)
    first, third, second = probabilities(link_of(linear, x, layout), z)
    for found, column in ((first, 0), (third, 2)):
        expected = regress(z, codes[:, column])[:, 1]
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(second, regress(z, codes[:, 1]), atol=1e-5)


def test_missing_entries_leave_the_regression_of_the_others(monkeypatch):
    monkeypatch.setattr(logits_module, "STEPS", 3000)
    z, codes = table()
    codes[np.random.default_rng(1).random(codes.shape) < 0.4] = np.nan
    linear, x, layout = knowing_z(z, codes)
    # The linear VAE would tell less of rows with missing values: here it knows z.
    monkeypatch.setattr(LinearVAE, "posterior_mean", lambda self, x: x[:, :1])
    first, third, second = probabilities(link_of(linear, x, layout), z)
    for found, column in ((first, 0), (third, 2)):
        rows = ~np.isnan(codes[:, column])
        expected = regress(z[rows], codes[rows, column])[:, 1]
        np.testing.assert_allclose(found[rows], expected, atol=1e-5)
    rows = ~np.isnan(codes[:, 1])
    np.testing.assert_allclose(
        second[rows], regress(z[rows], codes[rows, 1]), atol=1e-5
    )


def test_the_regression_is_on_draws_from_the_posteriors(monkeypatch):
    monkeypatch.setattr(logits_module, "STEPS", 3000)
    z, codes = table()
    linear, x, layout = knowing_z(z, codes)
    vague = replace(linear, log_var=tensor([np.log(0.25)]))
    drawn = z + 0.5 * np.random.RandomState(0).normal(size=len(z))
    first, third, second = probabilities(link_of(vague, x, layout), drawn)
    for found, column in ((first, 0), (third, 2)):
        expected = regress(drawn, codes[:, column])[:, 1]
        np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(second, regress(drawn, codes[:, 1]), atol=1e-5)


def test_few_steps_come_close():
    z, codes = table(slope=3)
    linear, x, layout = knowing_z(z, codes)
    found = probabilities(link_of(linear, x, layout), z)
    for probability, column in zip(found, (0, 2, 1), strict=True):
        best = regress(z, codes[:, column])
        of_rows = codes[:, column]
        assert log_loss(of_rows, probability) < log_loss(of_rows, best) + 0.01


def test_each_step_improves_the_fit(monkeypatch):
    z, codes = table()
    linear, x, layout = knowing_z(z, codes)
    losses = []
    for steps in (0, 1, 2, 5, 30, 300):
        monkeypatch.setattr(logits_module, "STEPS", steps)
        link = link_of(linear, x, layout)
        first, third, second = probabilities(link, z)
        fit = log_loss(codes[:, 0], first) + log_loss(codes[:, 2], third)
        fit += log_loss(codes[:, 1], second)
        losses.append(len(z) * fit + 0.5 * RIDGE * np.square(link[1:, 1:]).sum())
    assert losses == sorted(losses, reverse=True)


def test_without_a_signal_the_logits_are_those_of_the_shares(monkeypatch):
    z, codes = table()
    codes[:, 2] = z == z.max()  # a rare category
    linear, x, layout = knowing_z(np.zeros_like(z), codes)
    for steps in (0, logits_module.STEPS):
        monkeypatch.setattr(logits_module, "STEPS", steps)
        link = link_of(linear, x, layout)
        np.testing.assert_allclose(link[1:, 1:], 0, atol=1e-12)
        first, third, second = probabilities(link, z[:1])
        np.testing.assert_allclose(first, codes[:, 0].mean())
        np.testing.assert_allclose(third, 1 / len(codes))
        shares = np.bincount(codes[:, 1].astype(int)) / len(codes)
        np.testing.assert_allclose(second[0], shares)


def test_numeric_columns_are_decoded_as_before():
    z, codes = table()
    linear, x, layout = knowing_z(z, codes)
    linked = with_logits(linear, x, layout)
    np.testing.assert_array_equal(linked.output_map[:, 0], [7.0, 0.3])
    assert linked.decoder is linear.decoder
    assert linked.decoder_bias is linear.decoder_bias
    np.testing.assert_array_equal(linear.output_map[0], 7)


def test_no_posterior_is_surer_than_its_logits_let_it_be():
    z, codes = table()
    linear, x, layout = knowing_z(z, codes)  # of no variance at all
    linked = with_logits(linear, x, layout)
    share = np.concatenate([[0.0], *(b.center for b in layout.blocks[1:])])
    information = np.where(np.arange(len(share)) == 0, 1.0, share * (1 - share))
    slopes = linked.output_map[1].numpy()
    variance = 1 / (1 + slopes**2 @ information)
    np.testing.assert_allclose(linked.log_var.exp(), [variance])
    wide = replace(linear, log_var=tensor([-0.01]))
    np.testing.assert_array_equal(with_logits(wide, x, layout).log_var, wide.log_var)


def test_a_permuted_model_has_the_same_logits():
    z, codes = table()
    linear, x, layout = knowing_z(z, codes)
    linear = with_logits(fit_linear_vae(x.float(), 2, "diag", 1e-4), x, layout)
    turned = linear.permuted(torch.tensor([1, 0]), tensor([-1.0, 1.0]))
    at = tensor(np.random.default_rng(0).normal(size=(9, 2)))
    found = turned.output_map[0] + at @ turned.output_map[1:]
    same = at[:, [1, 0]] * tensor([1.0, -1.0])
    expected = linear.output_map[0] + same @ linear.output_map[1:]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("limit", ["rows", "entries"])
def test_the_first_rows_are_enough(limit, monkeypatch):
    z, codes = table()
    linear, x, layout = knowing_z(z, codes)
    if limit == "rows":
        monkeypatch.setattr(logits_module, "MOST_ROWS", 100)
    else:
        monkeypatch.setattr(logits_module, "MOST_ENTRIES", 100 * x.shape[1])
        monkeypatch.setattr(logits_module, "LEAST_ROWS", 10)
    found = link_of(linear, x, layout)
    np.testing.assert_array_equal(found, link_of(linear, x[:100], layout))


@pytest.mark.parametrize("n_categories", [2, 3, -4])
@pytest.mark.parametrize(("n", "n_components"), [(2, 2), (4, 2), (10, 8), (40, 30)])
def test_few_rows_and_many_components_give_modest_logits(n, n_components, n_categories):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        codes = rng.integers(abs(n_categories), size=(n, 4)).astype(float)
        x, layout = coded(codes, 4 * [n_categories])
        linear = fit_linear_vae(x.float(), n_components, "spherical", 1e-6)
        link = link_of(linear, x, layout)
        assert abs(link[1:]).max() < 5  # the ridge alone sees to it


def test_categories_far_apart_stay_finite():
    z, codes = table(slope=1e6)
    linear, x, layout = knowing_z(1e3 * z, codes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        link = link_of(linear, x, layout)
    assert np.isfinite(link).all()
