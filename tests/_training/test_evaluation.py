"""How good a network is on rows: their ELBO at their own best noise."""

import numpy as np
import pytest
import torch
from models import mixed_rows, network_of, normal, tracked
from torch.distributions import Normal, kl_divergence

from skvae._fitting.logits import with_logits
from skvae._likelihoods.mixed import make_likelihood
from skvae._likelihoods.noise import Tracked
from skvae._linear.anchor import fit_linear_vae
from skvae._model.bounds import elbo
from skvae._model.rows import Rows
from skvae._numerics import chunks
from skvae._training.evaluation import evaluate, mean_error

N, D, K = 60, 4, 2
X = normal(N, D) @ normal(D, D, seed=1)
DRAWS = normal(N, K, seed=2)
MISSING = normal(N, D, seed=3) < -0.5
VARIANCE = torch.tensor([0.5, 1.0, 2.0, 0.7]).double()


def network():
    return network_of(fit_linear_vae(X, K, "diag", 1e-6))


def incomplete_rows():
    return Rows(X, X.masked_fill(MISSING, torch.nan))


def errors_of(vae):
    """Return squared errors, (n, d), and the KL divergence, (n,)."""
    mean, log_var = vae.encode(X)
    posterior = Normal(mean, (0.5 * log_var).exp())
    kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(dim=1)
    decoded = vae.decode(mean + posterior.scale * DRAWS)
    return (X - decoded).square(), kl


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("within", [0.0, 0.4])
def test_it_is_the_elbo_at_the_rows_own_best_noise(shared, within):
    vae = network()
    likelihood = tracked(VARIANCE, shared=shared, within=within)
    score, fitted = evaluate(vae, likelihood, Rows(X, X), DRAWS, beta=0.5)
    squares, kl = errors_of(vae)
    variance = squares.mean(dim=0) + within
    if shared:
        variance = variance.mean().expand(D)
    fit = -0.5 * ((squares + within) / variance + (2 * np.pi * variance).log())
    expected = float((fit.sum(dim=1) - 0.5 * kl).mean())
    assert score == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(fitted.variance, variance, rtol=1e-12)
    assert torch.equal(likelihood.variance, VARIANCE)  # it is left as it was
    if not within:
        plain = fitted.likelihood
        oracle = elbo(vae, plain, X, DRAWS, 0.5)[0].mean()
        assert score == pytest.approx(float(oracle), rel=1e-12)


def test_no_noise_is_below_the_floor():
    likelihood = tracked(VARIANCE, floor=2.0)
    _, fitted = evaluate(network(), likelihood, Rows(X, X), DRAWS)
    error = mean_error(network(), likelihood, Rows(X, X), DRAWS)
    assert 0 < (error < 2.0).sum() < D
    np.testing.assert_allclose(fitted.variance, error.clamp(min=2.0), rtol=1e-12)


def test_what_is_missing_counts_for_nothing():
    vae, rows = network(), incomplete_rows()
    share = 1 - MISSING.double().mean(dim=0)
    likelihood = tracked(VARIANCE, share=share)
    score, fitted = evaluate(vae, likelihood, rows, DRAWS)
    squares, kl = errors_of(vae)
    variance = squares.masked_fill(MISSING, 0).sum(dim=0) / (~MISSING).sum(dim=0)
    np.testing.assert_allclose(fitted.variance, variance, rtol=1e-12)
    fit = -0.5 * (squares / variance + (2 * np.pi * variance).log())
    expected = fit.masked_fill(MISSING, 0).sum(dim=1) - kl
    assert score == pytest.approx(float(expected.mean()), rel=1e-12)


def test_errors_are_means_of_what_is_observed():
    vae, rows = network(), incomplete_rows()
    found = mean_error(vae, tracked(VARIANCE), rows, DRAWS)
    squares, _ = errors_of(vae)
    observed = np.ma.masked_array(squares, MISSING)
    np.testing.assert_allclose(found, observed.mean(axis=0), rtol=1e-12)


def test_a_column_without_any_entry_has_no_error():
    target = X.clone()
    target[:, 1] = torch.nan
    found = mean_error(network(), tracked(VARIANCE), Rows(X, target), DRAWS)
    assert float(found[1]) == 0
    assert (found[[0, 2, 3]] > 0).all()


def test_errors_of_indicators_are_minus_log_masses():
    layout, x = mixed_rows(N)
    linear = with_logits(fit_linear_vae(x, K, "spherical", 1e-6, 3), x, layout)
    vae, variance = network_of(linear), torch.tensor([0.5, 2.0]).double()
    plain = make_likelihood(layout, variance)
    nothing = torch.zeros(2).double()
    options = {"shared": False, "within": nothing, "share": torch.ones(12).double()}
    likelihood = Tracked(plain, floor=nothing, **options)
    found = mean_error(vae, likelihood, Rows(x, x), DRAWS)
    mean, log_var = vae.encode(x)
    decoded = vae.decode(mean + (0.5 * log_var).exp() * DRAWS)
    log_mass = plain.log_prob(x, decoded)[:, 2:].mean(dim=0)
    np.testing.assert_allclose(found[2:], -log_mass, rtol=1e-9)
    squares = (x - decoded)[:, :2].square().mean(dim=0)
    np.testing.assert_allclose(found[:2], squares, rtol=1e-9)


@pytest.mark.parametrize("rows", [Rows(X, X), incomplete_rows()])
def test_the_rows_may_be_taken_in_parts(rows, monkeypatch):
    vae, likelihood = network(), tracked(VARIANCE)
    whole = evaluate(vae, likelihood, rows, DRAWS)[0]
    error = mean_error(vae, likelihood, rows, DRAWS)
    seen, encode = [], vae.encode
    monkeypatch.setattr(vae, "encode", lambda x: seen.append(len(x)) or encode(x))
    monkeypatch.setattr(chunks.slices, "__defaults__", (7,))
    assert evaluate(vae, likelihood, rows, DRAWS)[0] == pytest.approx(whole, rel=1e-12)
    assert seen == [7] * 8 + [4]
    found = mean_error(vae, likelihood, rows, DRAWS)
    np.testing.assert_allclose(found, error, rtol=1e-12)
