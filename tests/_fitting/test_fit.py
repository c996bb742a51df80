"""Who trains, who validates, what is kept: the paths to a fitted model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fits import (
    NOISES,
    RUINOUS,
    curved_table,
    decode_mean,
    encode,
    first_of,
    first_rows_of,
    fit,
    linear_table,
    make_recipe,
    standardised,
    without_some,
)
from models import mixed_rows
from sklearn.datasets import load_iris

from skvae._fitting import comparison
from skvae._fitting import fitter as fitter_module
from skvae._fitting.fit import fit_vae
from skvae._fitting.recipe import NOISE_FLOOR
from skvae._linear.anchor import fit_linear_vae
from skvae._linear.cross_fit import CrossFit
from skvae._linear.moments import least_noise
from skvae._model.coder import LinearCoder
from skvae._model.density import stacking_weight
from skvae._model.rows import Rows
from skvae._training.events import Listener
from skvae._training.loop import train


def assert_is_closed_form(solution, x, noise, hidden=(16,)):
    """Of all rows, its own noise mixed with a cross-fitted one."""
    of_linear = "diag" if noise == "diag" else "spherical"
    first, floor = first_of(solution), NOISE_FLOOR[of_linear]
    oracle = fit_linear_vae(x, len(solution.component_kl), of_linear, floor)
    cross_fit = CrossFit(x, oracle, of_linear, floor)
    by_column = noise == "auto" and hidden
    expected = cross_fit.error if by_column else cross_fit.noise_variance
    np.testing.assert_allclose(first.likelihood.variance, expected)
    weight = stacking_weight(*cross_fit.log_densities(expected))
    if not first.prior.is_fitted:
        assert solution.density.weights[0] == pytest.approx(weight)
    assert isinstance(first.coder, LinearCoder)
    found = first.coder.linear
    honest = oracle.with_noise(cross_fit.noise_variance)
    np.testing.assert_allclose(found.noise_variance, honest.noise_variance)
    decoded = first.coder.decode(torch.eye(len(solution.component_kl)).double())
    for model in (found.decoder, decoded - oracle.decoder_bias):
        signal = oracle.decoder.T @ oracle.decoder  # whatever the rotation
        np.testing.assert_allclose(model.T @ model, signal, atol=1e-5)
    assert_falls_back_on(solution, oracle)


def assert_falls_back_on(solution, oracle):
    fallback = solution.density.parts[1].coder.linear
    for name in ("decoder", "decoder_bias", "noise_variance"):
        np.testing.assert_allclose(
            getattr(fallback, name), getattr(oracle, name), rtol=1e-9
        )


# -------------------------------------------------------------------- closed form


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("patience", [10, None])
def test_the_linear_model_is_the_closed_form_of_all_rows(noise, patience):
    x = curved_table()
    solution = fit(x, hidden=(), noise=noise, patience=patience)
    assert_is_closed_form(solution, x, noise, hidden=())
    progress = solution.progress
    assert (progress.stopped, progress.best_epoch) == ("closed form", 0)
    assert (progress.loss_curve, progress.validation_scores) == ((), ())


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("learning_rate", [RUINOUS, 1e30])
def test_where_nothing_improves_the_closed_form_of_all_rows_is_kept(
    noise, learning_rate
):
    x = linear_table()
    solution = fit(x, noise=noise, learning_rate=learning_rate)
    assert_is_closed_form(solution, x, noise)
    progress = solution.progress
    assert progress.best_epoch == 0
    assert len(progress.loss_curve) == progress.n_epochs
    first = fit(x, noise=noise, learning_rate=learning_rate, max_epochs=1)
    of_start = first.progress.best_score
    assert progress.best_score == progress.start_score == pytest.approx(of_start)


def grouped_table(n=300, seed=0):
    rng = np.random.default_rng(seed)
    centers = 3 * np.array([[1, 0, 0, 1], [0, 1, 0, -1], [-1, -1, 0, 0]])
    return standardised(centers[rng.integers(0, 3, n)] + rng.normal(size=(n, 4)))


def test_the_closed_form_of_rows_in_groups_gets_a_prior_and_fits_new_rows_better():
    x, new = grouped_table(), grouped_table(seed=1).double()
    score = {}
    for noise in ("auto", "spherical"):
        solution = fit(x, noise=noise, learning_rate=RUINOUS)
        assert solution.progress.best_epoch == 0
        assert first_of(solution).prior.is_fitted == (noise == "auto")
        density = solution.density.log_density(Rows(new, new), 128)
        score[noise] = float(density.mean())
    assert score["auto"] > score["spherical"] + 0.2


@pytest.mark.parametrize("patience", [10, None])
def test_with_indicators_training_starts_and_falls_back_at_the_logits(patience):
    layout, x = mixed_rows(300)
    solution = fit(
        x.float(), layout=layout, patience=patience, max_epochs=1, learning_rate=RUINOUS
    )
    if patience:
        assert solution.progress.best_epoch == 0
    network = first_of(solution).coder.network
    assert network.architecture.hidden_layer_sizes == (16,)
    rows = Rows(x, x)
    for part in solution.density.parts:
        assert part.likelihood.variance.shape == (2,)
        assert part.log_density(rows, 32).isfinite().all()
    if patience:
        x_new = mixed_rows(300, seed=1)[1]
        independent = 0.0  # each column by itself, at the shares of the rows
        for block in layout.blocks[1:]:
            share = torch.from_numpy(block.center)
            entropy = torch.special.entr(share)
            if block.kind == "bernoulli":
                entropy = entropy + torch.special.entr(1 - share)
            independent -= float(entropy.sum())
        independent -= 0.5 * 2 * (1 + np.log(2 * np.pi))
        new = Rows(x_new, x_new)
        found = solution.density.log_density(new, 128).mean()
        assert found > independent + 0.3


# ------------------------------------------------------------------------- training


def test_training_is_kept_where_it_improves():
    x, new = curved_table(), curved_table(seed=1)
    solution = fit(x, max_epochs=60, learning_rate=0.01)
    assert solution.progress.best_epoch > 0
    linear = fit_linear_vae(x, 2, "spherical", NOISE_FLOOR["spherical"])
    of_linear = new - linear.decode(linear.posterior_mean(new))
    error = new - decode_mean(solution, new)
    assert error.square().sum() < 0.6 * of_linear.square().sum()
    assert_falls_back_on(solution, linear)  # that of all rows


@pytest.mark.parametrize("noise", NOISES)
def test_a_warm_start_stays_where_nothing_improves(noise):
    x = curved_table()
    start = fit(x, noise=noise, max_epochs=10).density
    flat = start.parts[0].coder.network.flat
    before = flat.clone()
    again = fit(x, noise=noise, start=start, learning_rate=RUINOUS)
    assert again.progress.best_epoch == 0
    assert torch.equal(first_of(again).coder.network.flat, before)
    assert torch.equal(flat, before)  # the caller's


def test_a_warm_start_from_the_closed_form_starts_there_too():
    x = curved_table()
    start = fit(x, learning_rate=RUINOUS).density
    assert isinstance(start.parts[0].coder, LinearCoder)
    found, expected = fit(x, start=start, max_epochs=10), fit(x, max_epochs=10)
    flats = (first_of(solution).coder.network.flat for solution in (found, expected))
    assert torch.equal(*flats)


def test_the_last_round_is_kept_to_the_best_weights(monkeypatch):
    """It goes on from what suited the validation rows best, with all rows."""
    x = curved_table()
    runs = []
    original = fitter_module.train

    def spy(vae, likelihood, rows, validation, settings, *others):
        runs.append((vae.flat.clone(), len(rows), len(validation), settings))
        record = original(vae, likelihood, rows, validation, settings, *others)
        runs.append(replace(record, network=record.network.copy()))
        return record

    monkeypatch.setattr(fitter_module, "train", spy)
    solution = fit(x, max_epochs=60, learning_rate=0.01)
    first, record, last, final = runs
    assert first[1:3] == (360, 40)
    assert last[1:3] == (400, 0)
    assert torch.equal(last[0], record.network.flat)
    best_epoch = record.progress.best_epoch
    assert last[3].max_epochs == round(fitter_module.LAST_ROUND * best_epoch)
    assert not last[3].kl_warmup
    found = first_of(solution).coder.network.parts["decoder_0_bias"]
    expected = final.network.parts["decoder_0_bias"].double()
    assert torch.equal(found, expected)
    assert solution.progress.best_score == record.progress.best_score


@pytest.mark.parametrize(("noise", "kept"), [("spherical", False), ("diag", True)])
def test_where_pca_is_the_yardstick_r2_must_not_fall(noise, kept, monkeypatch):
    monkeypatch.setattr(comparison, "R2_TOLERANCE", -10.0)  # no gain is enough
    solution = fit(curved_table(), noise=noise, max_epochs=60, learning_rate=0.01)
    assert (solution.progress.best_epoch > 0) == kept


def test_one_far_entry_among_the_validation_rows_does_not_stop_the_training():
    x = curved_table(600)
    before = fit(x, max_epochs=30)
    x[3, 0] = 1e3
    after = fit(x, max_epochs=30)
    assert min(before.progress.best_epoch, after.progress.best_epoch) > 20
    assert after.progress.best_score == pytest.approx(before.progress.best_score, abs=2)
    of_before, of_after = (
        first_of(solution).likelihood.variance[0] for solution in (before, after)
    )
    assert of_after < 2 * of_before


# ---------------------------------------------------------------- without validation


def test_without_early_stopping_no_validation_is_reported():
    progress = fit(curved_table(), patience=None).progress
    assert progress.validation_scores == ()
    assert (progress.n_epochs, progress.stopped) == (3, "max_epochs")
    assert len(progress.loss_curve) == 3


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_without_early_stopping_the_linear_vae_is_that_of_all_rows_too(seed):
    x = curved_table(seed=seed)
    solution = fit(x, k=3, seed=seed, patience=None, learning_rate=1e-5)
    mean, _ = encode(solution, x)
    of_linear = first_of(solution).coder.linear.posterior_mean(x)
    correlation = np.corrcoef(mean.T, of_linear.T)[:3, 3:]
    assert (np.diag(correlation) > 0.9).all()


class Witness(Listener):
    """Takes note of all that it is told; ends the fit after some epoch of a run."""

    def __init__(self, last=None, run=1, error=None):
        self.told, self.solutions = [], []
        self.last, self.run, self.error = last, run, error

    def phase(self, name):
        self.told.append(name)

    def begin(self, n_epochs):
        self.told.append(n_epochs)

    def epoch_end(self, epoch, loss, score):
        self.told.append((epoch, loss, score))
        n_runs = sum(isinstance(one, int) for one in self.told)
        is_last = (n_runs, epoch) == (self.run, self.last)
        if is_last and self.error:
            raise self.error
        return is_last

    def end(self, solution):
        self.solutions.append(solution)

    @property
    def runs(self):
        """The epochs of each run."""
        runs = []
        for one in self.told:
            if isinstance(one, int):
                runs.append([])
            elif isinstance(one, tuple):
                runs[-1].append(one)
        return runs

    @property
    def phases(self):
        """The first words of each phase, and "run" for a run."""
        names = ["run" if isinstance(one, int) else one for one in self.told]
        return [" ".join(name.split()[:2]) for name in names if isinstance(name, str)]


TRAINED = {"max_epochs": 10, "learning_rate": 0.03}
START = ["Fitting a", "Training on", "run"]
CHOSEN = [*START, "Choosing the", "Training on", "run"]


@pytest.mark.parametrize(
    ("table", "options", "phases"),
    [
        (curved_table, {}, CHOSEN),
        (curved_table, {"patience": None}, CHOSEN),
        (
            linear_table,
            {"learning_rate": RUINOUS},
            [*START, "Fitting the", "Measuring its"],
        ),
        (linear_table, {"hidden": ()}, ["Fitting a", "Fitting the", "Measuring its"]),
    ],
)
def test_a_listener_is_told_of_all_phases_and_of_the_result(table, options, phases):
    witness = Witness()
    solution = fit(table(), listener=witness, **TRAINED | options)
    assert witness.phases == phases
    assert witness.solutions == [solution]


@pytest.mark.parametrize("patience", [10, None])
def test_a_listener_is_told_of_each_epoch_of_both_runs(patience):
    witness = Witness()
    options = TRAINED | {"patience": patience}
    progress = fit(curved_table(), listener=witness, **options).progress
    first, second = witness.runs
    reported = first if patience else second
    epochs, losses, scores = zip(*reported, strict=True)
    assert epochs == (*range(1, progress.n_epochs + 1),)
    assert losses == progress.loss_curve
    assert scores == (progress.validation_scores if patience else (None,) * 10)
    of_all = round(fitter_module.LAST_ROUND * progress.best_epoch)
    assert len(second) == (of_all if patience else 10)
    assert all(score is not None for *_, score in first)
    assert all(score is None for *_, score in second)


# ------------------------------------------------------- where someone would not wait


@pytest.mark.parametrize("patience", [10, None])
def test_a_listener_may_stop_a_fit_which_then_trains_no_more(patience):
    witness = Witness(last=7)
    options = TRAINED | {"patience": patience}
    solution = fit(curved_table(), listener=witness, **options)
    progress = solution.progress
    assert (progress.stopped, progress.n_epochs) == ("asked", 7)
    assert len(witness.runs) == 1
    assert decode_mean(solution, curved_table()).isfinite().all()


def assert_same_solution(found, expected):
    """Assert the same densities, to the bit, and the same curves."""
    x = curved_table().double()
    z, log_var = found.density.encode(x)
    expected_z, expected_log_var = expected.density.encode(x)
    assert torch.equal(z, expected_z)
    assert torch.equal(log_var, expected_log_var)
    assert torch.equal(found.density.reconstruct(z), expected.density.reconstruct(z))
    assert found.density.weights == expected.density.weights
    assert torch.equal(found.component_kl, expected.component_kl)
    np.testing.assert_array_equal(found.explained, expected.explained)
    assert found.progress.loss_curve == expected.progress.loss_curve
    assert found.progress.best_epoch == expected.progress.best_epoch


@pytest.mark.parametrize("patience", [10, None])
@pytest.mark.parametrize(("run", "last"), [(1, 1), (1, 7), (2, 2)])
def test_an_interrupt_ends_a_fit_as_a_listener_does(run, last, patience):
    options = TRAINED | {"patience": patience}
    found, expected = (
        fit(curved_table(), listener=Witness(last, run, error), **options)
        for error in (KeyboardInterrupt(), None)
    )
    assert found.progress.stopped == "interrupted"
    assert_same_solution(found, expected)


def test_without_early_stopping_an_interrupt_of_the_second_run_keeps_the_first():
    """It ran to its end, and the noise was measured for it."""
    options = TRAINED | {"patience": None}
    whole_first = fit(curved_table(), listener=Witness(10), **options)
    found = fit(curved_table(), listener=Witness(7, 2, KeyboardInterrupt()), **options)
    assert_same_solution(found, whole_first)
    assert found.progress.validation_scores == ()


def interrupt_calls(place, n_interrupts, monkeypatch):
    """Let the first calls of one of the steps of a fit be interrupted."""
    original, interrupts = getattr(fitter_module, place), iter(range(n_interrupts))

    def interrupted(*args):
        if next(interrupts, None) is not None:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(fitter_module, place, interrupted)


@pytest.mark.parametrize(
    ("place", "patience"),
    [
        ("is_better", 10),
        ("calibrate", 10),
        ("calibrate", None),
        ("make_candidate", 10),
        ("finish", 10),
        ("finish", None),
        ("explained_by", 10),
    ],
)
def test_after_training_an_interrupted_step_is_taken_again(
    place, patience, monkeypatch
):
    options = TRAINED | {"patience": patience}
    with monkeypatch.context() as patch:
        interrupt_calls(place, 1, patch)
        found = fit(curved_table(), **options)
    progress = found.progress
    assert (progress.stopped, progress.n_epochs) == ("interrupted", 10)
    all_was_trained = place in ("finish", "explained_by")
    listener = Listener() if all_was_trained else Witness(10)
    expected = fit(curved_table(), listener=listener, **options)
    assert_same_solution(found, expected)


@pytest.mark.parametrize("place", ["is_better", "calibrate", "finish"])
def test_a_second_interrupt_is_raised(place, monkeypatch):
    interrupt_calls(place, 1, monkeypatch)
    listener = Witness(6, error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        fit(curved_table(), listener=listener, **TRAINED)


@pytest.mark.parametrize("place", ["fit_linear_vae", "fit_filler"])
def test_before_there_is_a_model_an_interrupt_is_raised(place, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"skvae._fitting.start.{place}", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(curved_table(), **TRAINED)


def test_interrupted_in_the_first_epoch_the_linear_model_is_kept():
    listener = Listener()

    def interrupt(n_epochs):
        raise KeyboardInterrupt

    listener.begin = interrupt
    found = fit(curved_table(), listener=listener, **TRAINED)
    assert (found.progress.stopped, found.progress.n_epochs) == ("interrupted", 0)
    assert isinstance(first_of(found).coder, LinearCoder)


def test_a_search_ends_with_the_fewest_components_that_sufficed_so_far():
    x, rows = curved_table(), first_rows_of(curved_table())
    whole = Witness()
    recipe = make_recipe(x, listener=whole, **TRAINED)
    fit_vae(x, rows, recipe, share=0.6)
    tried = [int(one.split()[1]) for one in whole.told if str(one).startswith("Trying")]
    assert len(tried) > 1
    first = Witness(last=5, error=KeyboardInterrupt())
    recipe = replace(recipe, training=replace(recipe.training, listener=first))
    found = fit_vae(x, rows, recipe, share=0.6)
    assert (found.progress.stopped, found.progress.n_epochs) == ("interrupted", 5)
    assert len(found.component_kl) == tried[0]
    second = Witness(last=5, run=2, error=KeyboardInterrupt())
    recipe = replace(recipe, training=replace(recipe.training, listener=second))
    found = fit_vae(x, rows, recipe, share=0.6)
    assert found.progress.stopped == "interrupted"
    assert len(second.runs) == 2
    assert len(found.component_kl) in tried[:2]


# --------------------------------------------------------------------------- the noise


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("patience", [10, None])
@pytest.mark.parametrize("hidden", [(), (8,)])
def test_noise_keeps_its_shape_and_its_floor(noise, patience, hidden):
    x = linear_table()
    x[:, 1] = x[:, 0]
    x[:, 2] = 0
    solution = fit(x, hidden=hidden, k=5, noise=noise, patience=patience)
    variance = first_of(solution).likelihood.variance
    assert variance.shape == (5,)
    shared = noise == "spherical" or (noise == "auto" and not hidden)
    floor = NOISE_FLOOR["diag" if noise == "diag" else "spherical"]
    least = least_noise(x, "spherical" if shared else "diag", floor)
    assert (variance >= least * (1 - 1e-6)).all()
    assert (len(variance.unique()) == 1) == shared


# -------------------------------------------------------------------------- the inputs


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("hidden", [(), (8,)])
def test_a_fit_leaves_what_it_is_given_alone(hidden, missing, noise):
    x = without_some(curved_table(), missing)
    first_rows, recipe = first_rows_of(x), make_recipe(x, hidden=hidden, noise=noise)
    before = x.clone(), first_rows.observed.clone()
    with torch.inference_mode():  # whatever the caller switched off
        fit_vae(x, first_rows, recipe)
    for found, expected in zip((x, first_rows.observed), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert recipe == make_recipe(x, hidden=hidden, noise=noise, layout=recipe.layout)


def test_same_seed_same_bits():
    x = curved_table()
    first, same, other = (first_of(fit(x, seed=s, **TRAINED)) for s in (0, 0, 1))
    assert torch.equal(first.coder.network.flat, same.coder.network.flat)
    assert torch.equal(first.likelihood.variance, same.likelihood.variance)
    assert not torch.equal(first.coder.network.flat, other.coder.network.flat)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_callers_thread_count_changes_no_bit_and_comes_back(threads):
    x = curved_table()
    expected = first_of(fit(x)).coder.network.flat
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        assert torch.equal(first_of(fit(x)).coder.network.flat, expected)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


# ------------------------------------------------------------- what is handed on


def test_the_last_round_starts_with_the_noise_of_the_validation_rows(monkeypatch):
    variances, records = [], []

    def watch(vae, likelihood, *arguments):
        variances.append(likelihood.variance.clone())
        records.append(train(vae, likelihood, *arguments))
        return records[-1]

    monkeypatch.setattr("skvae._fitting.fitter.train", watch)
    fit(curved_table(), max_epochs=30, learning_rate=0.01)
    assert len(variances) == 2
    assert torch.equal(variances[1], records[0].likelihood.variance)
    assert not torch.equal(*variances)


def test_a_refined_closed_form_has_the_weight_chosen_for_it(monkeypatch):
    x = standardised(np.random.default_rng(1).permutation(load_iris().data))
    weights = 0.9, 0.1

    def choose(candidate, split):
        density = replace(candidate.density, weights=weights)
        return replace(candidate, density=density)

    monkeypatch.setattr("skvae._fitting.fitter.choose_weight", choose)
    solution = fit(x, noise="auto", learning_rate=RUINOUS, n_validation=30)
    first = first_of(solution)
    assert isinstance(first.coder, LinearCoder)
    assert first.prior.is_fitted or first.likelihood.dispersion.is_fitted
    assert solution.density.weights == weights
