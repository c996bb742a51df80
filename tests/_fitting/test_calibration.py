"""What validation rows choose: each step returns a candidate, and leaves its own."""

import copy
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from fits import (
    NOISES,
    curved_table,
    decode_mean,
    encode,
    first_of,
    fit,
    linear_table,
    make_split,
    standardised,
    start_and_train,
    without_some,
)
from helpers import bow
from models import mixed_rows, normal, seeded
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from skvae import VAETransformer
from skvae._fitting import calibration as calibration_module
from skvae._fitting import fitter as fitter_module
from skvae._fitting.calibration import (
    calibrate,
    choose_dispersion,
    choose_posterior_scale,
    choose_prior,
    choose_weight,
    interval_factor,
    measure_noise,
    measure_share,
    refit_dispersion,
    refit_prior,
)
from skvae._fitting.candidate import make_candidate
from skvae._fitting.start import fit_linear, start_from_linear
from skvae._likelihoods.dispersion import Dispersion
from skvae._model.bounds import elbo, standard_normal
from skvae._model.coder import LinearCoder
from skvae._model.density import stacking_weight
from skvae._model.prior import NormalMixture
from skvae._model.rows import Rows

K = 2


def make(x, intervals=None, trained=True, **options):
    """Return a split and a candidate of it that nothing has been chosen for."""
    options = {"max_epochs": 20, "learning_rate": 0.01, "noise": "auto"} | options
    split = make_split(x, intervals, **options)
    start, network = start_and_train(split)
    if not trained:
        network = start.network
    variance = start.likelihood.variance.double()
    return split, make_candidate(network, start, variance, split, start.linear)


def contents(candidate):
    """All that a candidate consists of, for comparison."""
    first, second = candidate.density.parts
    coder, likelihood, prior = first.coder, first.likelihood, first.prior
    dispersion = likelihood.dispersion
    parts = [
        candidate.network.flat,
        candidate.start.network.flat,
        candidate.start.likelihood.variance,
        *vars(candidate.start.linear).values(),
        *vars(candidate.start.filler).values(),
        coder.network.flat,
        coder.x_range,
        coder.z_range,
        coder.typical_share,
        coder.posterior_scale,
        likelihood.variance,
        dispersion.arguments() and dispersion.coefficients,
        *((prior.weights, prior.means, prior.covariances) if prior.is_fitted else ()),
        *vars(second.coder.linear).values(),
        second.likelihood.variance,
        candidate.density.weights,
        candidate.density.readout,
    ]
    return copy.deepcopy(parts)


def assert_same_contents(found, expected):
    for a, b in zip(found, expected, strict=True):
        if torch.is_tensor(b):
            np.testing.assert_array_equal(a, b)
        else:
            assert a == b


STEPS = [
    measure_noise,
    measure_share,
    choose_dispersion,
    choose_prior,
    choose_posterior_scale,
    choose_weight,
]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_a_step_leaves_its_candidate_and_the_rows_as_they_were(missing, noise):
    """And what it returns is of a chain: all that the steps before it chose."""
    split, candidate = make(without_some(fanned_table()[0], missing), noise=noise)
    rows = split.x.clone(), split.first_rows.observed.clone()
    for step in (*STEPS, refit_prior, refit_dispersion):
        before, parts = contents(candidate), candidate.density
        chosen = step(candidate, split)
        assert_same_contents(contents(candidate), before)
        assert candidate.density is parts
        candidate = chosen
    for found, expected in zip((split.x, split.first_rows.observed), rows, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_calibration_takes_all_steps_in_their_order():
    split, candidate = make(fanned_table()[0])
    expected = candidate
    for step in STEPS:
        expected = step(expected, split)
    found = calibrate(candidate, split, calibration_module.STEPS)
    assert_same_contents(contents(found), contents(expected))


@pytest.mark.parametrize("step", STEPS)
def test_a_step_gives_the_same_each_time(step):
    split, candidate = make(without_some(fanned_table()[0]))
    first, second = (step(candidate, split) for _ in range(2))
    assert_same_contents(contents(first), contents(second))


# ------------------------------------------------------------------- honest noise


def test_the_noise_is_that_of_all_rows_at_the_level_of_the_unseen(monkeypatch):
    x = linear_table(1000)
    split, candidate = make(x, n_validation=200, noise="diag")
    unseen = torch.tensor([0.5, 0.4, 0.6, 0.5, 0.5]).double()
    seen = torch.tensor([0.3, 0.1, 0.2, 0.2, 0.2]).double()
    found = iter([unseen, seen])
    monkeypatch.setattr(calibration_module, "mean_error", lambda *_: next(found))
    variance = measure_noise(candidate, split).first.likelihood.variance
    expected = 0.2 * unseen + 0.8 * 2.5 * seen
    # As if one more row had shown the noise of the start.
    validation, training = split.inside.double(), split.training.double()
    n = validation.square().sum(dim=0) / training.square().mean(dim=0)
    start = candidate.start.likelihood.variance
    np.testing.assert_allclose(variance, (n * expected + start) / (n + 1), rtol=1e-7)


def test_training_rows_that_show_more_than_unseen_ones_are_believed(monkeypatch):
    split, candidate = make(linear_table(1000), noise="diag")
    unseen = torch.full((5,), 0.2).double()
    found = iter([unseen, 2 * unseen])
    monkeypatch.setattr(calibration_module, "mean_error", lambda *_: next(found))
    variance = measure_noise(candidate, split).first.likelihood.variance
    np.testing.assert_allclose(variance, 0.1 * 0.2 + 0.9 * 0.4, rtol=0.05)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("early_stopping", [True, False])
def test_noise_is_the_error_on_fresh_rows_and_not_on_the_trained(noise, early_stopping):
    x, fresh = linear_table(2000, 12).split([50, 1950])
    solution = fit(
        x,
        hidden=(64,),
        k=6,
        noise=noise,
        max_epochs=400,
        learning_rate=0.01,
        weight_decay=0.0,
        patience=10 if early_stopping else None,
    )

    def mean_error(rows):
        return float((rows - decode_mean(solution, rows)).square().mean())

    claimed = float(first_of(solution).likelihood.variance.mean())
    if not early_stopping:
        assert solution.progress.best_epoch == 400
        assert claimed > 5 * mean_error(x)
    assert 0.4 < claimed / mean_error(fresh) < 2.5


def test_auto_noise_trains_as_spherical_and_tells_columns_apart():
    rng = np.random.default_rng(0)
    x = np.tanh(3 * rng.normal(size=(4000, 2)) @ rng.normal(size=(2, 10)))
    x += rng.normal(size=x.shape) * np.linspace(0.1, 1, 10)
    x, fresh = torch.from_numpy(x).float().split(2000)
    solution, spherical = (
        fit(x, noise=noise, max_epochs=30) for noise in ("auto", "spherical")
    )
    assert solution.progress.best_epoch > 0
    flats = (first_of(s).coder.network.flat for s in (solution, spherical))
    assert torch.equal(*flats)
    assert len(first_of(spherical).likelihood.variance.unique()) == 1
    mean, log_var = encode(solution, fresh)
    z = mean + (0.5 * log_var).exp() * torch.from_numpy(rng.normal(size=mean.shape))
    error = (fresh - solution.density.mean(z)).square().mean(dim=0)
    np.testing.assert_allclose(first_of(solution).likelihood.variance, error, rtol=0.15)
    assert error.max() > 4 * error.min()


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_a_column_may_have_all_its_entries_among_the_validation_rows(
    seed, early_stopping
):
    X = bow(60)
    X[1:, 2] = np.nan  # for some seeds its only entry is in a validation row
    options = {"hidden_layer_sizes": (8,), "max_iter": 40, "random_state": seed}
    vae = VAETransformer(2, early_stopping=early_stopping, **options)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "max_iter")
        vae.fit(X)
    assert np.isfinite(vae.score_samples(X)).all()
    assert np.isfinite(vae.noise_variance_).all()


@pytest.mark.parametrize("noise", NOISES)
def test_intervals_cover_what_they_say(noise):
    """The noise unseen entries, the posterior the z of rows that were drawn."""
    rng = np.random.default_rng(0)
    x = np.tanh(rng.normal(size=(3000, 2)) @ rng.normal(size=(2, 10)))
    x = torch.from_numpy(x + 0.2 * rng.normal(size=x.shape)).float()
    x, fresh = x.split([2000, 1000])
    solution = fit(x, hidden=(32,), noise=noise, max_epochs=30)
    assert solution.progress.best_epoch > 0
    first, generator = first_of(solution), seeded()
    mean, log_var = first.coder.encode(fresh.double())
    z = mean + (0.5 * log_var).exp() * torch.randn(*mean.shape, generator=generator)
    std = first.likelihood.given(z).variance.sqrt()
    entries = (fresh - first.coder.decode(z)) / std
    z = first.prior.sample(1000, generator)
    drawn = first.likelihood.given(z).sample(first.coder.decode(z), generator)
    mean, log_var = first.coder.encode(drawn)
    latents = (z - mean) / (0.5 * log_var).exp()
    for level, reach in [(0.5, 0.674), (0.9, 1.645)]:
        for distances in entries, latents:
            share = float((distances.abs() < reach).double().mean())
            assert share == pytest.approx(level, abs=0.04)


# ---------------------------------------------------------------------- intervals

WIDTHS = np.array([0.0, 0.5, 2.0, 4.0])  # of the cells that entries are rounded to
STEP = 10 ** (4 / 40)  # between the factors that are tried


def rounded_table(n=2000, seed=0):
    """Return rows, centred in the cells that they are in, and the ends of the cells."""
    rng = np.random.default_rng(seed)
    loadings = np.array([[1.0, 1, 1, 1], [1, -1, 1, -1]])
    x = rng.normal(size=(n, 2)) @ loadings + 0.3 * rng.normal(size=(n, 4))
    wide = WIDTHS > 0
    x[:, wide] = (np.floor(x[:, wide] / WIDTHS[wide]) + 0.5) * WIDTHS[wide]
    intervals = np.stack([x - WIDTHS / 2, x + WIDTHS / 2], axis=1)
    return torch.from_numpy(x).float(), torch.from_numpy(intervals)


def likeliest_variance(intervals, decoded, least):
    """By scipy, of one column; bounded where the search is."""
    low, high = intervals.T

    def loss(log_variance):
        std = np.exp(0.5 * log_variance)
        if (low == high).all():
            return -norm.logpdf(low, decoded, std).sum()
        mass = norm.cdf(high, decoded, std) - norm.cdf(low, decoded, std)
        return -np.log(np.maximum(mass, 1e-300)).sum()

    bounds = np.log(least), np.log(100.0)
    return np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_factor_makes_the_noise_by_which_intervals_are_likeliest(missing):
    x, intervals = rounded_table()
    gone = normal(*x.shape, seed=3) < -0.5
    if missing:
        x = x.masked_fill(gone, torch.nan)
        intervals = intervals.masked_fill(gone[:, None], torch.nan)
    split = make_split(x, intervals, noise="auto")
    linear = fit_linear(split.x, split.recipe)
    found = interval_factor(LinearCoder(linear), linear.fill, split)
    assert found.shape == (4,)
    first_rows = split.first_rows.observed
    rows = x[: len(first_rows)].double()
    mean, log_var = LinearCoder(linear).encode(linear.fill(rows))
    z = mean + (0.5 * log_var).exp() * split.draws(rows)
    decoded = linear.decode(z)
    error = (rows - decoded).square().nanmean(dim=0)
    for j in range(4):
        known = ~rows[:, j].isnan()
        cells, at = first_rows[known][:, :, j].numpy(), decoded[known, j].numpy()
        best = likeliest_variance(cells, at, float(split.least_noise[j]))
        if WIDTHS[j]:
            ratio = float(found[j] * error[j]) / best
            assert 1 / STEP < ratio < STEP
        else:  # and where it is known exactly the error is the likeliest
            assert float(found[j]) == 1
            assert float(error[j]) == pytest.approx(best, rel=0.01)
    assert float(found[1:].min()) < 0.9  # some are not what the errors say


def test_there_is_no_factor_without_intervals_or_with_one_noise():
    x, intervals = rounded_table(200)
    linear = fit_linear(x, make_split(x, noise="auto").recipe)
    for split in (make_split(x, noise="auto"), make_split(x, intervals)):
        assert interval_factor(LinearCoder(linear), linear.fill, split) == 1.0


def test_a_column_known_exactly_has_no_factor_even_where_any_noise_will_do():
    """As where its errors are below the least noise, times any factor."""
    x, intervals = rounded_table(400)
    x[:, 0] = x[:, 1]
    intervals[:, :, 0] = x[:, 1, None]
    split = make_split(x, intervals, noise="auto", k=3)
    coder = LinearCoder(fit_linear(x, split.recipe))
    split.least_noise[0] = 100.0
    factor = interval_factor(coder, coder.linear.fill, split)
    assert float(factor[0]) == 1.0
    assert (factor[1:] != 1.0).all()


def test_in_cells_so_wide_that_any_noise_will_do_there_is_a_factor():
    x, _ = rounded_table(200)
    wide = torch.stack([x - 1e3, x + 1e3], dim=1)
    split = make_split(x, wide, noise="auto")
    linear = fit_linear(x, split.recipe)
    factor = interval_factor(LinearCoder(linear), linear.fill, split)
    assert (factor >= 10.0**-2).all()
    assert (factor <= 10.0**2).all()


def test_the_measured_noise_has_the_factor(monkeypatch):
    x, intervals = rounded_table()
    split, candidate = make(x, intervals)
    factor = interval_factor(candidate.network, candidate.start.fill, split)
    assert (factor[2:] < 0.7).all()
    found = measure_noise(candidate, split).first.likelihood.variance
    monkeypatch.setattr(calibration_module, "interval_factor", lambda *_: 1.0)
    plain = measure_noise(candidate, split).first.likelihood.variance
    np.testing.assert_allclose(found, plain * factor, rtol=1e-9)


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_a_fit_to_intervals_has_the_factor_and_suits_new_ones_better(
    hidden, monkeypatch
):
    x, intervals = rounded_table(1000)
    options = {"hidden": hidden, "noise": "auto", "max_epochs": 20}
    found = fit(x, intervals, **options)
    for module in calibration_module, fitter_module:
        monkeypatch.setattr(module, "interval_factor", lambda *_: 1.0)
    plain = fit(x, intervals, **options)
    before, after = (first_of(s).likelihood.variance for s in (plain, found))
    factor = (after / before).log10() * 10  # a whole number, of those that are tried
    np.testing.assert_allclose(factor, factor.round(), atol=1e-6)
    assert float(factor[0]) == 0  # known exactly
    assert (factor[2:].round() != 0).all()
    new = rounded_table(500, seed=1)[1]
    first_rows = Rows(new.mean(dim=1), new)
    scores = [first_of(s).log_density(first_rows, 32).mean() for s in (plain, found)]
    assert scores[1] > scores[0]


# -------------------------------------------------------------- incomplete rows


def test_complete_rows_tell_all_and_others_a_share():
    split, candidate = make(curved_table())
    share = measure_share(candidate, split).first.coder.typical_share
    assert (share == 1).all()
    x = without_some(curved_table())
    split, candidate = make(x)
    found = measure_share(candidate, split).first.coder.typical_share
    expected = candidate.start.linear.informed_share(x).mean(dim=0)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert (found < 1).all()


# --------------------------------------------------------------------- dispersion


def fanned_table(n=1500, seed=0):
    """Rows on a curve, whose noise grows fourfold along it."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=n)
    noise = np.exp(0.7 * t)[:, None] * rng.normal(size=(n, 6))
    return standardised(np.c_[t, t, t, t**2, -t, t**2] + 0.1 * noise), t


@pytest.mark.parametrize("share", [0.01, 1e-300])
def test_a_far_row_costs_a_dispersion_what_it_costs_the_density(share, monkeypatch):
    monkeypatch.setattr(calibration_module, "LEAST_SHARE", share)
    x, _ = fanned_table()
    x[0] = torch.tensor([1.0, -1, 1, -1, 1, -1]) * 40  # it validates
    split, candidate = make(x, k=1, max_epochs=40)
    found = choose_dispersion(candidate, split)
    assert found.first.likelihood.dispersion.is_fitted == (share == 0.01)


def test_auto_noise_grows_where_errors_do():
    x, t = fanned_table()
    fresh = x[1200:].double()
    auto, plain = (
        fit(x[:1200], k=1, noise=noise, max_epochs=40)
        for noise in ("auto", "spherical")
    )
    flats = (first_of(s).coder.network.flat for s in (auto, plain))
    assert torch.equal(*flats)
    first, rows = first_of(auto), Rows(fresh, fresh)
    found = first.likelihood.given(first.coder.encode(fresh)[0]).variance.log()
    slopes = np.polyfit(t[1200:], found.numpy(), 1)[0]  # 1.4, were z known
    assert slopes.min() > 0.3
    assert 0.5 < slopes.mean() < 1.6
    scores = first.log_density(rows, 32).mean()
    constant = first.likelihood.with_noise(first.likelihood.variance)
    before = replace(first, likelihood=constant).log_density(rows, 32)
    assert float(scores - before.mean()) > 0.5


@pytest.mark.parametrize("noise", ["spherical", "diag"])
def test_the_noise_of_the_classics_is_the_same_everywhere(noise):
    x, _ = fanned_table()
    first = first_of(fit(x, k=1, noise=noise))
    assert not first.likelihood.dispersion.is_fitted


def test_where_errors_are_alike_the_noise_hardly_varies():
    varies = []
    for seed in range(6):
        x = linear_table(1000, seed=seed)
        first = first_of(fit(x, noise="auto", seed=seed))
        log_variance = first.likelihood.given(normal(500, 2)).variance.log()
        varies.append(float(log_variance.expand(500, -1).std(dim=0).max()))
    assert max(varies) < 0.25
    assert np.median(varies) == 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_far_entry_among_the_validation_rows_does_not_stop_the_noise_from_varying(
    seed,
):
    x = curved_table(400, seed)
    x[3, 0] = 30
    x /= x.std(dim=0, correction=0)
    first = first_of(fit(x, noise="auto", max_epochs=60, seed=seed))
    assert first.likelihood.dispersion.is_fitted


def test_of_a_wide_table_fewer_rows_than_validate_choose_the_dispersion(monkeypatch):
    split, candidate = make(fanned_table()[0], k=1)
    assert len(split.validation) == 150
    monkeypatch.setattr(calibration_module, "MOST_DECODED", 100 * 6)
    chosen = choose_dispersion(candidate, split)
    assert chosen.first.likelihood.dispersion.is_fitted


def test_a_dispersion_that_was_not_chosen_is_not_refitted():
    split, candidate = make(curved_table())
    assert refit_dispersion(candidate, split) is candidate
    assert refit_prior(candidate, split) is candidate


def test_a_dispersion_is_refitted_with_its_ridge_and_at_its_variance():
    split, candidate = make(fanned_table()[0], k=1)
    likelihood = candidate.first.likelihood
    for ridge in (3.0, 300.0):
        dispersion = Dispersion(torch.zeros(3, 6).double(), ridge)
        chosen = likelihood.with_noise(likelihood.variance, dispersion)
        found = refit_dispersion(candidate.with_first(likelihood=chosen), split)
        found = found.first.likelihood
        assert found.dispersion.ridge == ridge
        assert torch.equal(found.variance, likelihood.variance)
        assert found.dispersion.coefficients[1:].abs().max() > 0.1


# -------------------------------------------------------------------------- the prior


def clumped_table(n=600, seed=0):
    rng = np.random.default_rng(seed)
    t = rng.choice([-1.5, 0.2, 1.2], n) + 0.1 * rng.normal(size=n)
    return standardised(np.c_[t, t**2, -t, t] + 0.1 * rng.normal(size=(n, 4)))


def test_rows_in_clumps_get_a_prior():
    split, candidate = make(clumped_table(), k=1)
    chosen = choose_prior(candidate, split)
    assert chosen.first.prior.is_fitted
    assert not candidate.first.prior.is_fitted
    n_components = len(chosen.first.prior.weights) - 1
    assert n_components > 1
    refitted = refit_prior(chosen, split).first.prior
    assert len(refitted.weights) - 1 == n_components
    assert not torch.equal(refitted.means, chosen.first.prior.means)


@pytest.mark.parametrize("is_more", [True, False])
def test_a_prior_is_chosen_where_its_gain_is_more_than_chance(is_more, monkeypatch):
    split, candidate = make(clumped_table(), k=1)
    gains = []

    def judge(gain):
        gains.append(gain)
        return is_more

    monkeypatch.setattr(calibration_module, "exceeds_chance", judge)
    chosen = choose_prior(candidate, split)
    assert (chosen is candidate) != is_more
    assert [gain.shape for gain in gains] == [split.validation[:, 0].shape]
    if not is_more:
        return
    mean, log_var = (t.double() for t in candidate.network.encode(split.validation))
    z = mean + (0.5 * log_var).exp() * normal(200, *mean.shape)
    z = z.flatten(0, 1)
    expected = chosen.first.prior.log_prob(z) - standard_normal(z)
    assert float(gains[0].mean()) == pytest.approx(float(expected.mean()), abs=0.1)


# ---------------------------------------------------------------------- posterior scale


def test_few_rows_make_posteriors_wider_than_the_encoder_has_them():
    x, fresh = linear_table(2000, 12).split([60, 1940])
    options = {"k": 6, "max_epochs": 200, "learning_rate": 0.01, "weight_decay": 0.0}
    solution = fit(x, hidden=(64,), patience=None, **options)
    assert first_of(solution).coder.posterior_scale > 2
    many = fit(fresh, hidden=(8,), patience=None, k=6, max_epochs=5)
    assert first_of(many).coder.posterior_scale < 1.5


def test_the_scale_is_that_of_the_largest_elbo_of_validation_rows():
    options = {"max_epochs": 200, "patience": None, "weight_decay": 0.0, "k": 6}
    split, candidate = make(linear_table(60, 12), hidden=(64,), **options)
    x = split.validation.double()
    first, draws = candidate.first, split.draws(x)
    found = choose_posterior_scale(candidate, split).first.coder.posterior_scale

    def score(scale):
        coder = replace(first.coder, posterior_scale=scale)
        return float(elbo(coder, first.likelihood, x, draws)[0].mean())

    scales = calibration_module.POSTERIOR_SCALES
    assert score(found) == max(map(score, scales))
    assert found > 1


def test_the_autoencoder_has_no_posteriors_to_widen():
    split, candidate = make(linear_table(100), beta=0.0)
    assert choose_posterior_scale(candidate, split) is candidate


# ---------------------------------------------------------------------------- weights


@pytest.mark.parametrize("trained", [True, False])
def test_the_weight_is_what_validation_rows_make_of_both(trained):
    split, candidate = make(curved_table(), trained=trained, max_epochs=100)
    candidate = measure_noise(candidate, split)
    found = choose_weight(candidate, split).density
    first_rows = Rows(split.validation.double(), split.validation.double())
    both = [
        part.log_density(first_rows, calibration_module.COMPARED_DRAWS)
        for part in candidate.density.parts
    ]
    expected = stacking_weight(*both)
    assert found.weights[0] == pytest.approx(expected, rel=1e-6)
    assert sum(found.weights) == 1
    assert found.weights[0] > 0.9 or not trained
    assert found.parts == candidate.density.parts


def test_validation_rows_may_be_judged_in_parts(monkeypatch):
    split, candidate = make(curved_table(), n_validation=100)
    whole = choose_weight(candidate, split).density.weights[0]
    monkeypatch.setattr(calibration_module, "COMPARED_AT_A_TIME", 7)
    parts = choose_weight(candidate, split).density.weights[0]
    assert parts == pytest.approx(whole, rel=1e-9)


def test_with_indicators_all_steps_are_taken():
    layout, x = mixed_rows(300, missing=0.1)
    split = make_split(x.float(), layout=layout, noise="auto")
    start = start_from_linear(split.training, split)
    variance = start.likelihood.variance.double()
    candidate = make_candidate(start.network, start, variance, split, start.linear)
    chosen = calibrate(candidate, split, calibration_module.STEPS)
    assert chosen.first.likelihood.variance.shape == (2,)
    assert chosen.first.coder.typical_share is not None
    assert 0 < chosen.density.weights[0] < 1
    eye = torch.eye(K).double().expand(2, K, K)
    prior = NormalMixture(torch.tensor([0.5, 0.5]).double(), normal(2, K), eye)
    refitted = refit_prior(chosen.with_first(prior=prior), split)
    assert refitted.first.prior.is_fitted
