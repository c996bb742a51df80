"""Who trains, who vouches, what is kept: the paths to a fitted VAE."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from skvae._fitting import fit as fitting_module
from skvae._fitting import validation as held_out_module
from skvae._fitting.fit import NOISE_FLOOR, fit_vae
from skvae._linear.anchor import CrossFit, fit_linear_vae, least_noise
from skvae._model.bounds import kl_divergence, spread_normal
from skvae._model.density import FittedVAE, stacking_weight
from skvae._model.network import Architecture, permute_components
from skvae._training.loop import Settings

NOISES = ["auto", "spherical", "diag"]
SETTINGS = Settings(
    batch_size=16,
    max_epochs=3,
    learning_rate=2e-3,
    weight_decay=0.01,
    beta=1.0,
    patience=10,
    tol=0.01,
)
RUINOUS = 1e3  # a learning rate


def linear_table(n=200, d=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) @ rng.normal(size=(2, d)) + rng.normal(size=(n, d)) / 2
    return ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)


def curved_table(n=400, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    x = np.c_[z, z**2, z[:, 0] * z[:, 1]] + 0.1 * rng.normal(size=(n, 5))
    return ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)


def fit(x, hidden=(16,), k=2, noise="spherical", seed=0, start=None, **changes):
    architecture = Architecture(x.shape[1], k, hidden, "silu")
    return fit_vae(
        x,
        architecture,
        replace(SETTINGS, **changes),
        noise=noise,
        n_held_out=max(1, len(x) // 10),
        seed=seed,
        device="cpu",
        start=start,
    )


def encode(solution, x):
    model = FittedVAE(solution.parameters)
    return [t.detach() for t in model.encode(torch.from_numpy(x.astype(np.float64)))]


def decode_mean(solution, x):
    mean, _ = encode(solution, x)
    return FittedVAE(solution.parameters).decode(mean).detach().numpy()


def assert_is_closed_form(solution, x, noise, hidden=(16,)):
    """Of all rows, its own noise mixed with a cross-fitted one."""
    of_linear = "diag" if noise == "diag" else "spherical"
    parameters, floor = solution.parameters, NOISE_FLOOR[of_linear]
    oracle = fit_linear_vae(x, len(solution.component_kl), of_linear, floor)
    cross_fit = CrossFit(x, oracle, of_linear, floor)
    by_column = noise == "auto" and hidden
    expected = cross_fit.error if by_column else cross_fit.noise_variance
    np.testing.assert_allclose(parameters.noise_variance, expected)
    weight = stacking_weight(*cross_fit.log_densities(expected))
    if parameters.prior is None:
        assert parameters.network_weight == pytest.approx(weight)
    assert parameters.architecture.hidden_layer_sizes == ()
    found = parameters.linear
    np.testing.assert_allclose(found.noise_variance, oracle.noise_variance)
    unit = np.eye(len(solution.component_kl))
    decoded = FittedVAE(parameters).decode(torch.from_numpy(unit)).detach().numpy()
    for model in (found.decoder, decoded - oracle.decoder_bias):
        signal = oracle.decoder.T @ oracle.decoder  # whatever the rotation
        np.testing.assert_allclose(model.T @ model, signal, atol=1e-5)


# -------------------------------------------------------------------- closed form


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("patience", [10, None])
def test_the_linear_model_is_the_closed_form_of_all_rows(noise, patience):
    x = curved_table()
    solution = fit(x, (), noise=noise, patience=patience)
    assert_is_closed_form(solution, x, noise, hidden=())
    assert (solution.stopped, solution.best_epoch) == ("closed form", 0)
    assert (solution.loss_curve, solution.validation_scores) == ([], [])


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("learning_rate", [RUINOUS, 1e30])
def test_where_nothing_improves_the_closed_form_of_all_rows_is_kept(
    noise, learning_rate
):
    x = linear_table()
    solution = fit(x, noise=noise, learning_rate=learning_rate)
    assert_is_closed_form(solution, x, noise)
    assert solution.best_epoch == 0
    assert solution.n_epochs > 0
    assert len(solution.loss_curve) == solution.n_epochs
    first = fit(x, noise=noise, learning_rate=learning_rate, max_epochs=1)
    assert solution.best_score == pytest.approx(first.best_score)  # of the start


def grouped_table(n=300, seed=0):
    rng = np.random.default_rng(seed)
    centers = 3 * np.array([[1, 0, 0, 1], [0, 1, 0, -1], [-1, -1, 0, 0]])
    x = centers[rng.integers(0, 3, n)] + rng.normal(size=(n, 4))
    return ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)


def test_the_closed_form_of_rows_in_groups_gets_a_prior_and_fits_new_rows_better():
    x, new = grouped_table(), torch.from_numpy(grouped_table(seed=1)).double()
    draws = spread_normal(64, 2)
    score = {}
    for noise in ("auto", "spherical"):
        solution = fit(x, noise=noise, learning_rate=RUINOUS)
        assert solution.best_epoch == 0
        assert (solution.parameters.prior is not None) == (noise == "auto")
        with torch.no_grad():
            density = FittedVAE(solution.parameters).log_density(new, draws)
        score[noise] = float(density.mean())
    assert score["auto"] > score["spherical"] + 0.2


def test_training_is_kept_where_it_improves():
    x = curved_table()
    new = curved_table(seed=1)
    solution = fit(x, max_epochs=60, learning_rate=0.01)
    assert solution.best_epoch > 0
    linear = fit_linear_vae(x, 2, "spherical", NOISE_FLOOR["spherical"])
    of_linear = new - linear.decode(new @ linear.encoder + linear.encoder_bias)
    error = new - decode_mean(solution, new)
    assert (error**2).sum() < 0.6 * (of_linear**2).sum()


@pytest.mark.parametrize("noise", NOISES)
def test_a_warm_start_stays_where_nothing_improves(noise):
    x = curved_table()
    first = fit(x, noise=noise, max_epochs=10)
    start = first.parameters
    before = start.flat.copy()
    again = fit(x, noise=noise, start=start, learning_rate=RUINOUS)
    assert again.best_epoch == 0
    np.testing.assert_array_equal(again.parameters.flat, before)
    np.testing.assert_array_equal(start.flat, before)  # the caller's array


def test_the_last_round_is_kept_to_the_best_weights(monkeypatch):
    """Its learning rate apart, it goes on from what suited the held-out rows best."""
    x = curved_table()
    runs = []
    original = fitting_module.train

    def spy(vae, likelihood, x, held_out, settings, generator):
        runs.append((vae.flat.clone(), len(x), len(held_out), settings))
        runs.append(original(vae, likelihood, x, held_out, settings, generator))
        return runs[-1]

    monkeypatch.setattr(fitting_module, "train", spy)
    solution = fit(x, max_epochs=60, learning_rate=0.01)
    first, record, last, final = runs
    assert first[1:3] == (360, 40)
    assert last[1:3] == (400, 0)
    assert torch.equal(last[0], record.flat)
    assert last[3].max_epochs == round(fitting_module.LAST_ROUND * record.best_epoch)
    assert not last[3].kl_warmup
    views = solution.parameters.architecture.views
    found, expected = (
        views(flat)["decoder_0_bias"]
        for flat in (torch.from_numpy(solution.parameters.flat), final.flat)
    )
    assert torch.equal(found, expected)
    assert solution.best_score == record.best_score


@pytest.mark.parametrize(("noise", "kept"), [("spherical", False), ("diag", True)])
def test_where_pca_is_the_yardstick_r2_must_not_fall(noise, kept, monkeypatch):
    monkeypatch.setattr(held_out_module, "R2_TOLERANCE", -10.0)  # no gain is enough
    solution = fit(curved_table(), noise=noise, max_epochs=60, learning_rate=0.01)
    assert (solution.best_epoch > 0) == kept


# ------------------------------------------------------------------- honest noise


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("early_stopping", [True, False])
def test_noise_is_the_error_on_fresh_rows_and_not_on_the_trained(noise, early_stopping):
    x, fresh = np.split(linear_table(2000, 12), [50])
    solution = fit(
        x,
        (64,),
        k=6,
        noise=noise,
        max_epochs=400,
        learning_rate=0.01,
        weight_decay=0.0,
        patience=10 if early_stopping else None,
    )

    def mean_error(rows):
        return ((rows - decode_mean(solution, rows)) ** 2).mean()

    claimed = solution.parameters.noise_variance.mean()
    if not early_stopping:
        assert solution.best_epoch == 400
        assert claimed > 5 * mean_error(x)
    assert 0.4 < claimed / mean_error(fresh) < 2.5


def test_auto_noise_trains_as_spherical_and_tells_columns_apart():
    rng = np.random.default_rng(0)
    x = np.tanh(3 * rng.normal(size=(4000, 2)) @ rng.normal(size=(2, 10)))
    x += rng.normal(size=x.shape) * np.linspace(0.1, 1, 10)
    x, fresh = np.split(x.astype(np.float32), 2)
    solution, spherical = (
        fit(x, noise=noise, max_epochs=30) for noise in ("auto", "spherical")
    )
    assert solution.best_epoch > 0
    np.testing.assert_array_equal(solution.parameters.flat, spherical.parameters.flat)
    assert np.ptp(spherical.parameters.noise_variance) == 0
    mean, log_var = encode(solution, fresh)
    z = mean + (0.5 * log_var).exp() * torch.from_numpy(rng.normal(size=mean.shape))
    decoded = FittedVAE(solution.parameters).decode(z).detach().numpy()
    error = ((fresh - decoded) ** 2).mean(axis=0)
    np.testing.assert_allclose(solution.parameters.noise_variance, error, rtol=0.15)
    assert error.max() > 4 * error.min()


def test_without_early_stopping_no_validation_is_reported():
    solution = fit(curved_table(), patience=None)
    assert solution.validation_scores == []
    assert solution.best_score is None
    assert (solution.n_epochs, solution.stopped) == (3, "max_epochs")
    assert len(solution.loss_curve) == 3


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("patience", [10, None])
@pytest.mark.parametrize("hidden", [(), (8,)])
def test_noise_keeps_its_shape_and_its_floor(noise, patience, hidden):
    x = linear_table()
    x[:, 1] = x[:, 0]
    x[:, 2] = 0
    solution = fit(x, hidden, k=5, noise=noise, patience=patience)
    assert solution.parameters.noise_variance.shape == (5,)
    shared = noise == "spherical" or (noise == "auto" and not hidden)
    floor = NOISE_FLOOR["diag" if noise == "diag" else "spherical"]
    least = least_noise(x, "spherical" if shared else "diag", floor)
    assert (solution.parameters.noise_variance >= least * (1 - 1e-6)).all()
    assert (np.ptp(solution.parameters.noise_variance) == 0) == shared


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_without_early_stopping_the_linear_vae_is_that_of_all_rows_too(seed):
    x = curved_table(seed=seed)
    solution = fit(x, k=3, seed=seed, patience=None, learning_rate=1e-5)
    mean, _ = encode(solution, x)
    of_linear = solution.parameters.linear.encode(x.astype(np.float64))
    correlation = np.corrcoef(mean.T, of_linear.T)[:3, 3:]
    assert (np.diag(correlation) > 0.9).all()


@pytest.mark.parametrize("noise", NOISES)
def test_intervals_cover_what_they_say(noise):
    """The noise held-out entries, the posterior the z of rows that were drawn."""
    rng = np.random.default_rng(0)
    x = np.tanh(rng.normal(size=(3000, 2)) @ rng.normal(size=(2, 10)))
    x, fresh = np.split((x + 0.2 * rng.normal(size=x.shape)).astype(np.float32), [2000])
    solution = fit(x, (32,), noise=noise, max_epochs=30)
    assert solution.best_epoch > 0
    model, generator = FittedVAE(solution.parameters), torch.Generator().manual_seed(0)
    with torch.no_grad():
        mean, log_var = model.encode(torch.from_numpy(fresh).double())
        z = mean + (0.5 * log_var).exp() * torch.randn(*mean.shape, generator=generator)
        std = model.likelihood.given(z).variance.sqrt()
        entries = (torch.from_numpy(fresh) - model.decode(z)) / std
        z = model.prior.sample(1000, generator)
        drawn = model.likelihood.given(z).sample(model.decode(z), generator)
        mean, log_var = model.encode(drawn)
        latents = (z - mean) / (0.5 * log_var).exp()
    for level, reach in [(0.5, 0.674), (0.9, 1.645)]:
        for distances in entries, latents:
            share = float((distances.abs() < reach).double().mean())
            assert share == pytest.approx(level, abs=0.04)


def fanned_table(n=1500, seed=0):
    """Rows on a curve, whose noise grows fourfold along it."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=n)
    noise = np.exp(0.7 * t)[:, None] * rng.normal(size=(n, 6))
    x = np.c_[t, t, t, t**2, -t, t**2] + 0.1 * noise
    return ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32), t


def test_auto_noise_grows_where_errors_do():
    x, t = fanned_table()
    fresh = torch.from_numpy(x[1200:]).double()
    auto, plain = (
        fit(x[:1200], k=1, noise=noise, max_epochs=40)
        for noise in ("auto", "spherical")
    )
    np.testing.assert_array_equal(auto.parameters.flat, plain.parameters.flat)
    model = FittedVAE(auto.parameters)
    with torch.no_grad():
        found = model.likelihood.given(model.encode(fresh)[0]).variance.log()
        slopes = np.polyfit(t[1200:], found.numpy(), 1)[0]  # 1.4, were z known
        assert slopes.min() > 0.3
        assert 0.5 < slopes.mean() < 1.6
        scores = model.network_log_density(fresh, spread_normal(32, 1)).mean()
        constant = replace(auto.parameters, dispersion=None)
        before = FittedVAE(constant).network_log_density(fresh, spread_normal(32, 1))
    assert float(scores - before.mean()) > 0.5


@pytest.mark.parametrize("noise", ["spherical", "diag"])
def test_the_noise_of_the_classics_is_the_same_everywhere(noise):
    x, _ = fanned_table()
    assert fit(x, k=1, noise=noise).parameters.dispersion is None


def test_where_errors_are_alike_the_noise_hardly_varies():
    varies = []
    for seed in range(6):
        x = linear_table(1000, seed=seed)
        model = FittedVAE(fit(x, noise="auto", seed=seed).parameters)
        z = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)).double()
        log_variance = model.likelihood.given(z).variance.log().expand(500, -1)
        varies.append(float(log_variance.std(dim=0).max()))
    assert max(varies) < 0.25
    assert np.median(varies) == 0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_one_far_entry_among_the_held_out_does_not_stop_the_noise_from_varying(seed):
    x = curved_table(400, seed)
    x[3, 0] = 30
    x /= x.std(axis=0)
    solution = fit(x, noise="auto", max_epochs=60, seed=seed)
    assert solution.parameters.dispersion is not None


def test_one_far_entry_among_the_held_out_does_not_stop_the_training():
    x = curved_table(600)
    before = fit(x, max_epochs=30)
    x[3, 0] = 1e3
    after = fit(x, max_epochs=30)
    assert min(before.best_epoch, after.best_epoch) > 20
    assert after.best_score == pytest.approx(before.best_score, abs=2)
    assert after.parameters.noise_variance[0] < 2 * before.parameters.noise_variance[0]


def test_few_rows_make_posteriors_wider_than_the_encoder_has_them():
    x, fresh = np.split(linear_table(2000, 12), [60])
    options = {"k": 6, "max_epochs": 200, "learning_rate": 0.01, "weight_decay": 0.0}
    solution = fit(x, (64,), patience=None, **options)
    assert solution.parameters.widening > 2
    many = fit(fresh, (8,), patience=None, k=6, max_epochs=5)
    assert many.parameters.widening < 1.5


# ---------------------------------------------------------------- canonical order


@pytest.mark.parametrize("hidden", [(), (16,)])
@pytest.mark.parametrize("noise", NOISES)
def test_components_carry_their_nats_largest_first(hidden, noise):
    x = curved_table()
    solution = fit(x, hidden, k=4, noise=noise, max_epochs=10)
    mean, log_var = encode(solution, x)
    carried = kl_divergence(mean, log_var).mean(dim=0)
    np.testing.assert_allclose(solution.component_kl, carried, rtol=1e-4, atol=1e-5)
    assert (np.diff(solution.component_kl) <= 0).all()


@pytest.mark.parametrize("hidden", [(), (16,)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_components_grow_with_the_column_they_covary_with_most(hidden, seed):
    x = curved_table(seed=seed)
    solution = fit(x, hidden, k=3, max_epochs=10)
    mean, _ = encode(solution, x)
    covariance = np.cov(mean.T, x.T)[:3, 3:]
    strongest = abs(covariance).argmax(axis=1)
    assert (covariance[np.arange(3), strongest] > 0).all()


def test_order_and_signs_do_not_depend_on_those_of_the_start():
    x = curved_table()
    solution = fit(x, max_epochs=10, learning_rate=0.01, k=3)
    found = solution.parameters
    order, signs = np.array([2, 0, 1]), np.array([-1.0, 1.0, -1.0])
    flat = torch.from_numpy(found.flat.copy())
    permute_components(
        found.architecture, flat, torch.tensor(order), torch.tensor(signs).float()
    )
    start = replace(
        found, flat=flat.numpy(), linear=found.linear.permuted(order, signs)
    )
    again = fit(x, k=3, start=start, learning_rate=RUINOUS).parameters
    np.testing.assert_allclose(again.flat, found.flat, atol=1e-6)
    np.testing.assert_allclose(again.linear.encoder, found.linear.encoder, atol=1e-6)
    np.testing.assert_allclose(again.readout, found.readout, atol=1e-4)


# ---------------------------------------------------------------------- read-out


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_readout_is_least_squares_on_what_the_decoder_leaves(hidden):
    x = curved_table()
    solution = fit(x, hidden, max_epochs=10)
    mean, _ = encode(solution, x)
    residual = x - decode_mean(solution, x)
    design = np.c_[np.ones(len(x)), mean.double()]
    oracle = np.linalg.lstsq(design, residual.astype(float))[0]
    np.testing.assert_allclose(solution.parameters.readout, oracle, atol=1e-4)


def test_same_seed_same_bits():
    x = curved_table()
    first, same, other = (fit(x, seed=seed).parameters for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.flat, same.flat)
    np.testing.assert_array_equal(first.noise_variance, same.noise_variance)
    assert (first.flat != other.flat).any()


@pytest.mark.parametrize("threads", [1, 2])
def test_the_callers_thread_count_changes_no_bit_and_comes_back(threads):
    x = curved_table()
    expected = fit(x).parameters.flat
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        np.testing.assert_array_equal(fit(x).parameters.flat, expected)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
