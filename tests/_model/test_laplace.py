"""Where z of rows is drawn: at the mode of its posterior, as wide as that is there."""

import numpy as np
import pytest
import torch
from helpers import with_missing
from models import make_coder, mixed_rows, normal
from scipy.optimize import minimize

from skvae._fitting.logits import with_logits
from skvae._likelihoods.gaussian import Gaussian
from skvae._likelihoods.mixed import make_likelihood
from skvae._linear.anchor import fit_linear_vae
from skvae._model import laplace as laplace_module
from skvae._model.coder import LinearCoder
from skvae._model.laplace import propose
from skvae._model.prior import NormalMixture, StandardNormal
from skvae._model.rows import Rows

D, K = 5, 2
X = normal(30, D) @ normal(D, D, seed=1)
INCOMPLETE = torch.from_numpy(with_missing(X.numpy(), 0.3))
LINEAR = fit_linear_vae(X, K, "spherical", 1e-6)
LINEAR = LINEAR.with_noise(torch.linspace(0.5, 1.5, D).double())
PRIORS = (
    StandardNormal(K),
    NormalMixture(
        torch.tensor([0.4, 0.6]).double(),
        torch.tensor([[1.0, 1.0], [-1.0, 0.0]]).double(),
        torch.eye(K).double().expand(2, K, K),
    ),
)


@pytest.fixture
def unspread(monkeypatch):
    monkeypatch.setattr(laplace_module, "SPREAD", 0.0)


def covariance(proposal):
    root = proposal.root
    return torch.linalg.inv(root @ root.mT)


@pytest.mark.parametrize("x", [X, INCOMPLETE])
def test_of_a_linear_model_it_is_the_posterior(x, unspread):
    (exact,) = LINEAR.given(x)
    likelihood = Gaussian(LINEAR.noise_variance)
    given = LinearCoder(LINEAR), likelihood, StandardNormal(K), Rows(x, x)
    found = propose(*given)
    np.testing.assert_allclose(found.mean, exact.mean, atol=1e-9)
    np.testing.assert_allclose(covariance(found), exact.covariance, atol=1e-9)


def test_the_variances_are_somewhat_more():
    likelihood = Gaussian(LINEAR.noise_variance)
    given = LinearCoder(LINEAR), likelihood, StandardNormal(K), Rows(X, X)
    (exact,) = LINEAR.given(X)
    wider = exact.covariance * (1 + laplace_module.SPREAD / np.sqrt(K))
    np.testing.assert_allclose(covariance(propose(*given)), wider, rtol=1e-9)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("x", [X, INCOMPLETE])
def test_of_a_network_it_is_at_the_mode(x, prior, monkeypatch):
    monkeypatch.setattr(laplace_module, "STEPS", 30)
    coder, likelihood = make_coder(LINEAR, spoilt=0.1), Gaussian(LINEAR.noise_variance)
    found = propose(coder, likelihood, prior, Rows(x, x))

    def loss(z, row):
        z = torch.from_numpy(z)[None]
        log_prob = likelihood.log_prob(row[None], coder.decode(z)).sum()
        return -float(log_prob + prior.log_prob(z)[0])

    for row, z in zip(x, found.mean.numpy(), strict=True):
        best = minimize(loss, z, row, method="Nelder-Mead", options={"xatol": 1e-6})
        is_pull_exact = prior is PRIORS[0]  # steps take the prior to be N(0, I)
        assert loss(z, row) < best.fun + (1e-6 if is_pull_exact else 0.4)


def test_no_step_leaves_a_row_less_likely(monkeypatch):
    coder, likelihood = make_coder(LINEAR, spoilt=1.5), Gaussian(torch.full((D,), 1e-3))
    x = 4 * X

    def joints(n_steps):
        monkeypatch.setattr(laplace_module, "STEPS", n_steps)
        z = propose(coder, likelihood, PRIORS[0], Rows(x, x)).mean
        log_prob = likelihood.log_prob(x, coder.decode(z)).sum(dim=1)
        return log_prob + PRIORS[0].log_prob(z)

    by_steps = torch.stack([joints(n) for n in range(6)])
    assert (by_steps.diff(dim=0) >= 0).all()
    assert (by_steps[3] > by_steps[0] + 1).double().mean() > 0.9


def test_a_row_that_tells_nothing_is_the_priors(unspread):
    x = torch.full((1, D), torch.nan).double()
    given = make_coder(LINEAR), Gaussian(LINEAR.noise_variance), PRIORS[0], Rows(x, x)
    found = propose(*given)
    np.testing.assert_allclose(found.mean, 0, atol=1e-12)
    np.testing.assert_allclose(covariance(found)[0], np.eye(K), atol=1e-12)


def test_intervals_pull_what_is_beyond_them(unspread):
    low = X.clone()
    wide = torch.stack([low - 0.5, low + 0.5], dim=1)
    likelihood, prior = Gaussian(LINEAR.noise_variance), PRIORS[0]
    found, exact = (
        propose(LinearCoder(LINEAR), likelihood, prior, Rows(X, told))
        for told in (wide, X)
    )
    determinants = (covariance(of).det() for of in (found, exact))
    of_wide, of_exact = determinants
    assert (of_wide > of_exact).all()
    assert (found.mean.norm(dim=1) < exact.mean.norm(dim=1) + 1e-9).all()


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_categories_tell_too(missing):
    layout, x = mixed_rows(missing=missing)
    linear = with_logits(fit_linear_vae(x, K, "spherical", 1e-6, 3), x, layout)
    likelihood = make_likelihood(layout, linear.noise_variance[: layout.n_numeric])
    coder, rows = LinearCoder(linear), Rows(x, x)
    found = propose(coder, likelihood, PRIORS[0], rows)

    def joint(z):
        log_prob = likelihood.log_prob(x, coder.decode(z)).sum(dim=1)
        return log_prob + PRIORS[0].log_prob(z)

    best = joint(found.mean)
    assert (best >= joint(coder.encode(x)[0])).all()
    around = [joint(found.mean + 0.2 * normal(len(x), K, seed=i)) for i in range(8)]
    assert (best > torch.stack(around).amax(dim=0) - 0.05).double().mean() > 0.9


@pytest.mark.parametrize("size", [1e20, 1e150, 1e300])
def test_however_far_a_row_is_it_is_drawn_somewhere(size):
    coder, likelihood = make_coder(LINEAR), Gaussian(LINEAR.noise_variance)
    likelihood = likelihood.with_noise(likelihood.variance / size)
    x = X * size
    found = propose(coder, likelihood, PRIORS[0], Rows(x, x))
    assert found.mean.isfinite().all()
    assert found.root.isfinite().all()
    assert (found.root.diagonal(dim1=1, dim2=2) > 0).all()


def test_no_row_depends_on_the_others():
    given = make_coder(LINEAR), Gaussian(LINEAR.noise_variance), PRIORS[1]
    together = propose(*given, Rows(INCOMPLETE, INCOMPLETE))
    for i in (0, 7, 29):
        row = INCOMPLETE[[i]]
        alone = propose(*given, Rows(row, row))
        np.testing.assert_allclose(alone.mean[0], together.mean[i], rtol=1e-10)
        np.testing.assert_allclose(alone.root[0], together.root[i], rtol=1e-10)
