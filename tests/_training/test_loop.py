"""The loop: a plain torch loop as oracle, then what is kept, and when it stops."""

import threading
from dataclasses import replace
from math import nan

import numpy as np
import pytest
import sympy  # noqa: F401  torch imports it late, and it adds a warning filter
import torch
from models import seeded, tracked
from torch.distributions import Normal, kl_divergence

from skvae._likelihoods.noise import Tracked
from skvae._linear.anchor import fit_linear_vae
from skvae._model.network import VAE, Architecture, initial_parameters
from skvae._model.rows import Rows
from skvae._numerics.threads import threads
from skvae._training import loop as training_module
from skvae._training import optimizer as optimizer_module
from skvae._training.evaluation import evaluate
from skvae._training.events import Listener
from skvae._training.loop import Settings, Trainer, train

N, D, K = 60, 4, 2
ARCHITECTURE = Architecture(D, K, (6,), "tanh")
SETTINGS = Settings(
    batch_size=10,
    max_epochs=5,
    learning_rate=0.01,
    weight_decay=0.1,
    beta=1.0,
    patience=3,
    tol=0.01,
)
TRAIN, VALIDATION = torch.arange(40), torch.arange(40, N)
NONE = torch.arange(0)
MLP_MATRICES = tuple(f"{m}coder_{i}_weight" for m in ("en", "de") for i in (0, 1))


def curved_table(n=N, dtype=torch.float32, missing=0.0):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 2))
    x = np.c_[z, z[:, 0] ** 2 - 1, z[:, 1] * z[:, 0]] + 0.2 * rng.normal(size=(n, D))
    if missing:
        x[rng.random(x.shape) < missing] = np.nan
    return torch.from_numpy(x).to(dtype)


def start(x, shared=True):
    """A fresh network and likelihood at the closed form of the training rows."""
    noise = "spherical" if shared else "diag"
    linear = fit_linear_vae(x[TRAIN].double(), K, noise, 1e-6)
    flat = initial_parameters(ARCHITECTURE, linear, seeded(9))
    variance, share = linear.noise_variance.to(x.dtype), None
    if x.isnan().any():
        share = 1 - x.isnan().to(x.dtype).mean(dim=0)
    likelihood = tracked(variance, shared=shared, floor=1e-6, share=share)
    return VAE(ARCHITECTURE, flat.to(x.dtype)), likelihood


def fill(x):
    """Let 0 stand for what is missing."""
    return x.nan_to_num(0.0)


def as_rows(x):
    return Rows(fill(x), x)


def arguments(validation=VALIDATION, seed=0, x=None, vae=None, likelihood=None, **more):
    """Return what a run is given."""
    x = curved_table() if x is None else x
    if vae is None:
        vae, likelihood = start(x)
    settings, generator = replace(SETTINGS, **more), torch.Generator().manual_seed(seed)
    rows = as_rows(x[TRAIN]), as_rows(x[validation])
    return vae, likelihood, *rows, settings, generator, fill


def run(*args, **changes):
    with threads(1):
        return train(*arguments(*args, **changes))


@pytest.fixture
def no_warmup(monkeypatch):
    """Give the KL its full weight from the first step, and patience as asked."""
    monkeypatch.setattr(training_module, "KL_WARMUP_STEPS", 0)
    monkeypatch.setattr(training_module, "KL_WARMUP_START", 1.0)
    monkeypatch.setattr(training_module, "MIN_PATIENCE_STEPS", 0)


@pytest.fixture
def steps(monkeypatch):
    """Record the rows, the weights and beta of every step; spoil those in `.spoilt`."""
    return spy_on_steps(monkeypatch)


def spy_on_steps(monkeypatch):
    original = training_module.Gradient

    class Steps(list):
        spoilt = frozenset()

    steps = Steps()

    class Spy:
        def __init__(self, vae, n_rows, have_missing):
            self.vae, self.gradient = vae, original(vae, n_rows, have_missing)
            for name in ("x", "target", "draws", "flat"):
                setattr(self, name, getattr(self.gradient, name))

        def __call__(self, likelihood, beta):
            steps.append((self.x.clone(), self.vae.flat.clone(), beta))
            error, kl = self.gradient(likelihood, beta)
            if len(steps) - 1 in steps.spoilt:
                self.flat.fill_(np.nan)
                kl = kl * np.nan
            return error, kl

    monkeypatch.setattr(training_module, "Gradient", Spy)
    return steps


def script(monkeypatch, scores):
    """Let the evaluations, from that of the start on, find these scores."""
    scores = iter(scores)
    monkeypatch.setattr(
        training_module,
        "evaluate",
        lambda vae, likelihood, *_: (next(scores), likelihood.clone()),
    )


# -------------------------------------------------------------------- the oracle


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 5e-5), (torch.float64, 1e-9)]
)
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("beta", [1.0, 0.0])
def test_training_is_that_of_a_plain_torch_loop(
    dtype, tolerance, shared, beta, no_warmup, monkeypatch
):
    monkeypatch.setattr(optimizer_module, "EPS", 1e-36)  # torch adds its to the root
    x = curved_table(dtype=dtype)
    vae, likelihood = start(x, shared)
    rate = 0.1
    record = run(
        NONE, 0, x, vae, likelihood, patience=None, beta=beta, learning_rate=rate
    )

    twin, block = start(x, shared)
    variance = block.variance
    decay = {True: SETTINGS.weight_decay, False: 0.0}
    parts = {name: part.clone().requires_grad_() for name, part in twin.parts.items()}
    optimizer = torch.optim.AdamW(
        [
            {"params": [p], "weight_decay": decay[name.startswith(MLP_MATRICES)]}
            for name, p in parts.items()
        ],
        betas=optimizer_module.BETAS,
        eps=1e-18,
    )
    averaged, losses, step = twin.flat.clone(), [], 0
    generator = torch.Generator().manual_seed(0)
    for _ in range(SETTINGS.max_epochs):
        order = torch.randperm(len(TRAIN), generator=generator)
        errors, kls = [], []
        for batch in order.split(SETTINGS.batch_size):  # the first rows train
            eps = torch.zeros(len(batch), K, dtype=dtype)
            if beta:
                eps.normal_(generator=generator)
            twin = twin.with_flat(torch.cat([p.flatten() for p in parts.values()]))
            mean, log_var = twin.encode(x[batch])
            posterior = Normal(mean, log_var.exp().sqrt())
            decoded = twin.decode(mean + posterior.scale * eps)
            log_prob = Normal(decoded, variance.sqrt()).log_prob(x[batch]).sum(dim=1)
            kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(dim=1)
            loss = (beta * kl - log_prob).mean()
            optimizer.zero_grad()
            loss.backward()
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, step / optimizer_module.WARMUP_STEPS)
            optimizer.step()
            error = (x[batch] - decoded.detach()).square().mean(dim=0)
            error = error.mean().expand(D) if shared else error
            share = training_module.NOISE_TRACKING
            variance = (1 - share) * variance + share * error
            flat = torch.cat([p.detach().flatten() for p in parts.values()])
            averaged += training_module.AVERAGING * (flat - averaged)
            errors.append((x[batch] - decoded.detach()).square().mean(dim=0))
            kls.append(kl.mean().item())
        losses.append(beta * np.mean(kls) - expected_log_prob(errors, variance))

    moved = (averaged - start(x, shared)[0].flat).abs().max()
    assert moved > 100 * tolerance  # the comparison says something
    np.testing.assert_allclose(record.progress.loss_curve, losses, rtol=1e-5)
    np.testing.assert_allclose(vae.flat, flat, atol=tolerance)
    np.testing.assert_allclose(record.network.flat, averaged, atol=tolerance)
    np.testing.assert_allclose(likelihood.variance, variance, rtol=10 * tolerance)


def expected_log_prob(errors, variance):
    """Of rows whose columns have these mean squared errors, by batch."""
    error = torch.stack(errors).mean(dim=0)
    return float(-0.5 * (error / variance + (2 * np.pi * variance).log()).sum())


# ------------------------------------------------------------ settings are honoured


@pytest.mark.parametrize(("batch_size", "expected"), [(10, 10), (15, 15), (99, 40)])
def test_an_epoch_visits_rows_once_in_batches_in_a_new_order(
    batch_size, expected, steps
):
    x = curved_table()
    run(NONE, x=x, batch_size=batch_size, max_epochs=2, patience=None)
    per_epoch = len(TRAIN) // expected
    assert [len(rows) for rows, *_ in steps] == [expected] * (2 * per_epoch)
    known = {tuple(row) for row in x[TRAIN].tolist()}
    epochs = [
        [tuple(row) for rows, *_ in part for row in rows.tolist()]
        for part in (steps[:per_epoch], steps[per_epoch:])
    ]
    for visited in epochs:
        assert len(visited) == len(set(visited)) == per_epoch * expected
        assert set(visited) <= known
    assert epochs[0] != epochs[1]


def test_max_epochs_ends_the_run():
    progress = run(max_epochs=3, patience=99).progress
    assert (progress.n_epochs, progress.stopped) == (3, "max_epochs")
    assert len(progress.loss_curve) == len(progress.validation_scores) == 3


@pytest.mark.parametrize("offset", [-100.0, 0.0, 100.0])
@pytest.mark.parametrize(
    ("scores", "n_epochs", "best_epoch"),
    [
        ([0, 1, 2, 2, 2, 2, 9], 5, 2),  # three epochs in vain
        ([0, 1, 0, 0, 2, 0, 0, 0, 9], 7, 4),  # patience starts again
        ([0, -1, -1, -1, 9], 3, 0),  # nothing beats the start
        ([0, 0.004, 0.008, 0.0081, 9], 3, 3),  # less than tol: kept, but no reason
        ([0, 0.004, 0.008, 0.012, 0.016, 0.02, 0.024], 6, 6),  # small gains add up
        ([0, 0.02, 0.04, 0.06, 0.08], 4, 4),  # more than tol: up to max_epochs
    ],
)
def test_patience_and_an_absolute_tol(
    scores, n_epochs, best_epoch, offset, no_warmup, monkeypatch
):
    script(monkeypatch, [score + offset for score in scores])
    record = run(patience=3, tol=0.01, max_epochs=len(scores) - 1)
    assert (record.progress.n_epochs, record.progress.best_epoch) == (
        n_epochs,
        best_epoch,
    )
    assert record.progress.best_score == scores[best_epoch] + offset
    ended = n_epochs == len(scores) - 1
    assert record.progress.stopped == ("max_epochs" if ended else "patience")


def test_patience_is_long_enough_for_a_small_table(no_warmup, monkeypatch):
    monkeypatch.setattr(training_module, "MIN_PATIENCE_STEPS", 21)  # of 4 an epoch
    script(monkeypatch, [0.0] * 100)
    assert run(patience=3, max_epochs=50).progress.n_epochs == 6


def test_the_weight_of_the_kl_is_beta_all_along_where_nothing_is_warmed_up(steps):
    run(NONE, beta=0.5, patience=None, kl_warmup=False)
    assert [beta for *_, beta in steps] == [0.5] * 20


def test_patience_waits_for_the_kl(monkeypatch):
    monkeypatch.setattr(training_module, "KL_WARMUP_STEPS", 20)  # of 4 an epoch
    monkeypatch.setattr(training_module, "KL_WARMUP_EPOCHS", 99)
    monkeypatch.setattr(training_module, "MIN_PATIENCE_STEPS", 0)
    script(monkeypatch, [0.0] * 100)
    record = run(patience=3, max_epochs=50)
    assert 5 + 2 <= record.progress.n_epochs <= 5 + 3


@pytest.mark.parametrize("max_epochs", [2, 7, 80])
def test_the_weight_of_the_kl_rises_to_beta_by_half_time(max_epochs, steps):
    run(NONE, max_epochs=max_epochs, beta=0.5, patience=None)
    weights = np.array([beta for *_, beta in steps])
    assert weights[0] == pytest.approx(0.5 * training_module.KL_WARMUP_START)
    assert (np.diff(weights) >= 0).all()
    assert (weights[len(weights) // 2 :] == 0.5).all()


# ------------------------------------------------------------- which weights are kept


def test_the_start_is_a_candidate():
    """At this rate every step ruins the model."""
    x = curved_table()
    vae, likelihood = start(x)
    record = run(x=x, vae=vae, likelihood=likelihood, learning_rate=100)
    untouched = start(x)[0].flat
    assert not torch.equal(vae.flat, untouched)
    assert record.progress.best_epoch == 0
    assert torch.equal(record.network.flat, untouched)


@pytest.mark.parametrize("scores", [[0, 1, 2, 1, 1, 1], [0, -1, -1, -1, -1, -1]])
def test_the_best_weights_are_those_of_the_best_epoch(scores, monkeypatch):
    evaluated = []
    remaining = iter(scores)

    def scripted(vae, likelihood, *_):
        evaluated.append((vae.flat.clone(), likelihood.variance.clone()))
        return next(remaining), likelihood.clone()

    monkeypatch.setattr(training_module, "evaluate", scripted)
    x = curved_table()
    vae, likelihood = start(x)
    record = run(x=x, vae=vae, likelihood=likelihood, patience=99)
    vae.flat.fill_(np.nan)  # copied, whatever happens to the network later
    likelihood.variance.fill_(np.nan)
    flat, variance = evaluated[int(np.argmax(scores))]
    assert torch.equal(record.network.flat, flat)
    assert torch.equal(record.likelihood.variance, variance)
    assert not torch.equal(evaluated[-1][0], flat)


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_the_record_tells_the_score_of_its_weights(beta):
    x, seed = curved_table(), 3
    record = run(seed=seed, x=x, beta=beta, max_epochs=60, patience=99)
    assert record.progress.best_epoch > 0
    noise = torch.zeros(len(VALIDATION), K)
    noise.normal_(generator=torch.Generator().manual_seed(seed))  # the first draw
    rows = as_rows(x[VALIDATION])
    score, fitted = evaluate(record.network, record.likelihood, rows, noise, beta)
    assert score == record.progress.best_score == max(record.progress.validation_scores)
    assert torch.equal(fitted.variance, record.likelihood.variance)
    assert record.progress.best_epoch == 1 + int(
        np.argmax(record.progress.validation_scores)
    )


def test_without_patience_the_last_epoch_is_kept(monkeypatch):
    script(monkeypatch, [0, 5, 4, 3, 2, 1])
    record = run(patience=None, max_epochs=5)
    assert (
        record.progress.best_epoch,
        record.progress.n_epochs,
        record.progress.best_score,
    ) == (5, 5, 1)
    assert record.progress.stopped == "max_epochs"


# ------------------------------------------------------------------------ divergence


def test_a_nonfinite_loss_restarts_slower_from_the_best_weights(no_warmup, monkeypatch):
    plain = {"patience": None, "weight_decay": 0.0}
    before = run(NONE, max_epochs=2, **plain)
    calls = spy_on_steps(monkeypatch)
    calls.spoilt = {9}  # the second step of the third epoch of four steps
    record = run(NONE, max_epochs=6, **plain)
    curve = record.progress.loss_curve  # without the third epoch
    assert np.isfinite(curve).all()
    assert len(curve) == record.progress.n_epochs == 6
    assert record.progress.stopped == "max_epochs"
    assert record.progress.best_epoch == 6
    assert record.network.flat.isfinite().all()
    weights = [flat for _, flat, _ in calls]
    assert torch.equal(weights[12], before.network.flat)
    # Adam's first step is the learning rate, whatever the gradient
    slow = SETTINGS.learning_rate * training_module.RESTART_SLOWDOWN
    first_step = (weights[13] - weights[12]).abs().max()
    assert float(first_step) == pytest.approx(
        slow / optimizer_module.WARMUP_STEPS, rel=0.1
    )


def test_a_loss_that_stays_nonfinite_gives_the_best_weights(no_warmup, monkeypatch):
    before = run(NONE, max_epochs=2, patience=None)
    spy_on_steps(monkeypatch).spoilt = set(range(8, 99))
    record = run(NONE, max_epochs=20, patience=None)
    assert (
        record.progress.stopped,
        record.progress.n_epochs,
        record.progress.best_epoch,
    ) == ("diverged", 2, 2)
    assert len(record.progress.loss_curve) == 2
    assert torch.equal(record.network.flat, before.network.flat)


@pytest.mark.parametrize("validation", [VALIDATION, NONE])
@pytest.mark.parametrize("learning_rate", [1e3, 1e10, 1e30])
def test_an_absurd_learning_rate_leaves_no_nan(learning_rate, validation):
    patience = 5 if len(validation) else None
    record = run(
        validation, learning_rate=learning_rate, max_epochs=30, patience=patience
    )
    assert record.network.flat.isfinite().all()
    assert record.likelihood.variance.isfinite().all()
    if learning_rate == 1e30:
        assert record.progress.stopped == "diverged"


def test_a_run_that_diverges_at_once_gives_the_start():
    x = curved_table()
    record = run(x=x, learning_rate=1e30)
    assert (record.progress.stopped, record.progress.best_epoch) == ("diverged", 0)
    assert torch.equal(record.network.flat, start(x)[0].flat)


# -------------------------------------------------------------- randomness and threads


def same_bits(one, other):
    return (
        torch.equal(one.network.flat, other.network.flat)
        and torch.equal(one.likelihood.variance, other.likelihood.variance)
        and str(one.progress) == str(other.progress)  # NaN is not NaN
    )


def test_same_seed_same_bits_whatever_the_global_generators_say():
    first = run()
    numpy_state = np.random.get_state()[1].tolist()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(2)
        torch_state = torch.get_rng_state()
        assert same_bits(run(), first)
        assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.random.get_state()[1].tolist() == numpy_state  # noqa: NPY002
    assert not same_bits(run(seed=1), first)


def test_same_bits_in_concurrent_threads():
    records = [None] * 8

    def work(i):
        records[i] = run(max_epochs=3)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = run(max_epochs=3)
    assert all(same_bits(record, alone) for record in records)


# ------------------------------------------------------------------ who is told of it


class Witness(Listener):
    """Takes note of all that it is told; asks to stop after some epoch."""

    def __init__(self, last=None):
        self.told, self.last = [], last

    def begin(self, n_epochs):
        self.told.append(n_epochs)

    def epoch_end(self, *epoch):
        self.told.append(epoch)
        return epoch[0] == self.last


@pytest.mark.parametrize("validation", [VALIDATION, NONE])
def test_a_listener_is_told_of_the_begin_and_of_each_epoch(validation):
    witness = Witness()
    record = run(validation, max_epochs=3, patience=99, listener=witness)
    progress = record.progress
    scores = progress.validation_scores if len(validation) else [None] * 3
    epochs = zip([1, 2, 3], progress.loss_curve, scores, strict=True)
    assert witness.told == [3, *epochs]
    assert same_bits(record, run(validation, max_epochs=3, patience=99))


@pytest.mark.parametrize("last", [1, 3])
def test_a_listener_may_stop_the_run(last):
    record = run(max_epochs=9, patience=99, listener=Witness(last))
    assert (record.progress.stopped, record.progress.n_epochs) == ("asked", last)
    found, expected = record.progress, run(max_epochs=9, patience=99).progress
    assert found.validation_scores == expected.validation_scores[:last]
    assert found.best_score == max(found.start_score, *found.validation_scores)


def test_who_stops_a_run_at_its_end_would_not_wait_for_more(no_warmup, monkeypatch):
    progress = run(max_epochs=3, patience=99, listener=Witness(3)).progress
    assert (progress.stopped, progress.was_cut_short) == ("asked", True)
    script(monkeypatch, [0.0] * 9)
    progress = run(max_epochs=9, patience=3, listener=Witness(2)).progress
    assert (progress.n_epochs, progress.stopped) == (2, "asked")
    progress = run(max_epochs=9, patience=3, listener=Witness(4)).progress
    assert (progress.n_epochs, progress.stopped) == (3, "patience")
    assert not progress.was_cut_short


def test_that_a_run_diverged_is_graver_than_that_it_was_stopped(monkeypatch):
    spy_on_steps(monkeypatch).spoilt = set(range(99))
    witness = Witness()
    witness.epoch_end = lambda *epoch: (
        bool(witness.told.append(epoch))
        or (
            len(witness.told)
            == 3  # after the beginning and the epoch that starts again
        )
    )
    progress = run(max_epochs=9, patience=99, listener=witness).progress
    assert (progress.n_epochs, progress.stopped) == (0, "diverged")
    assert len(witness.told) == 3


# ------------------------------------------------------------------------- interrupted


def interrupt_at(count, function):
    """Return a function whose call of this number, from 1, is interrupted."""
    calls = iter(range(1, 10**9))

    def interrupted(*args, **kwargs):
        if next(calls) == count:
            raise KeyboardInterrupt
        return function(*args, **kwargs)

    return interrupted


def assert_as_stopped_after(record, n_epochs, validation=VALIDATION):
    """Assert that a run is as if a listener had stopped it after some epochs."""
    progress = record.progress
    assert (progress.stopped, progress.n_epochs) == ("interrupted", n_epochs)
    listener = Witness(n_epochs)
    options = {"max_epochs": 9, "patience": 99 if len(validation) else None}
    expected = run(validation, listener=listener, **options)
    named = replace(expected.progress, stopped="interrupted")
    assert same_bits(record, replace(expected, progress=named))


@pytest.mark.parametrize("validation", [VALIDATION, NONE])
@pytest.mark.parametrize("step", [5, 6, 8, 25])
def test_an_interrupted_step_loses_its_epoch_only(validation, step, monkeypatch):
    optimizer = training_module.AdamW
    stopped = interrupt_at(step, optimizer.step)
    with monkeypatch.context() as patch:
        patch.setattr(optimizer, "step", stopped)
        patience = 99 if len(validation) else None
        record = run(validation, max_epochs=9, patience=patience)
    assert_as_stopped_after(record, (step - 1) // 4, validation)


@pytest.mark.parametrize("epoch", [1, 4])
def test_an_interrupted_evaluation_loses_its_epoch_only(epoch, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(training_module, "evaluate", interrupt_at(epoch + 1, evaluate))
        record = run(max_epochs=9, patience=99)
    if epoch > 1:
        assert_as_stopped_after(record, epoch - 1)
    progress = record.progress
    assert (progress.stopped, progress.n_epochs) == ("interrupted", epoch - 1)


@pytest.mark.parametrize("validation", [VALIDATION, NONE])
def test_an_interrupted_listener_loses_nothing(validation):
    listener = Listener()
    listener.epoch_end = interrupt_at(3, listener.epoch_end)
    patience = 99 if len(validation) else None
    record = run(validation, max_epochs=9, patience=patience, listener=listener)
    assert_as_stopped_after(record, 3, validation)


@pytest.mark.parametrize("place", ["begin", "evaluate"])
def test_interrupted_before_the_first_step_it_stays_at_the_start(place, monkeypatch):
    listener = Listener()
    if place == "begin":
        listener.begin = interrupt_at(1, listener.begin)
    else:
        monkeypatch.setattr(training_module, "evaluate", interrupt_at(1, evaluate))
    x = curved_table()
    record = run(x=x, max_epochs=9, patience=99, listener=listener)
    progress = record.progress
    found = progress.stopped, progress.n_epochs, progress.best_epoch
    assert found == ("interrupted", 0, 0)
    assert torch.equal(record.network.flat, start(x)[0].flat)


# ---------------------------------------------------------------------- saved, restored


class Saving(Trainer):
    """Keeps its state after each epoch."""

    def __init__(self, *args):
        self.states = []
        super().__init__(*args)

    def run_epoch(self):
        super().run_epoch()
        self.states.append(self.state())


def resume(state, **options):
    """Go on from a state with a trainer that stands elsewhere."""
    vae, likelihood, *others = arguments(seed=77, **options)
    vae.flat.mul_(2.0)
    likelihood.variance.mul_(3.0)
    trainer = Trainer(vae, likelihood, *others)
    trainer.load(state)
    with threads(1):
        return trainer.run(), vae


@pytest.mark.parametrize("beta", [1.0, 0.0])
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("validation", [VALIDATION, NONE])
def test_a_state_goes_on_to_the_same_bits(validation, missing, beta):
    options = {"x": curved_table(missing=missing), "validation": validation}
    patience = 99 if len(validation) else None
    options |= {"max_epochs": 8, "patience": patience, "beta": beta}
    vae, *others = arguments(**options)
    whole = Saving(vae, *others)
    with threads(1):
        expected = whole.run()
    assert expected.progress.n_epochs == len(whole.states) == 8
    for state in whole.states[:-1]:
        record, moved = resume(state, **options)
        assert same_bits(record, expected)
        assert torch.equal(moved.flat, vae.flat)


def test_a_state_goes_on_to_the_same_bits_after_a_restart(monkeypatch):
    options = {"max_epochs": 8, "patience": 99}
    spy_on_steps(monkeypatch).spoilt = {9}  # in the third epoch of four steps
    whole = Saving(*arguments(**options))
    with threads(1):
        expected = whole.run()
    curve = expected.progress.loss_curve
    assert np.isfinite(curve).all()
    assert len(curve) == expected.progress.n_epochs
    assert expected.progress.n_restarts == 1
    spy_on_steps(monkeypatch)
    for state in whole.states[2:-1]:
        assert state["progress"]["n_restarts"] == 1
        record, _ = resume(state, **options)
        assert same_bits(record, expected)


def test_a_second_divergence_is_known_after_a_restart(monkeypatch):
    options = {"max_epochs": 8, "patience": 99}
    spy_on_steps(monkeypatch).spoilt = {9}
    whole = Saving(*arguments(**options))
    with threads(1):
        whole.run()
    spy_on_steps(monkeypatch).spoilt = {0}
    record, _ = resume(whole.states[3], **options)
    assert (record.progress.stopped, record.progress.n_epochs) == ("diverged", 3)


def test_a_state_is_a_copy():
    whole = Saving(*arguments(max_epochs=6, patience=99))
    with threads(1):
        expected = whole.run()
    first = whole.states[0]  # whatever the run did afterwards
    assert len(first["progress"]["loss_curve"]) == 1
    record, _ = resume(first, max_epochs=6, patience=99)
    assert same_bits(record, expected)


def test_going_on_leaves_the_state_alone():
    whole = Saving(*arguments(max_epochs=6, patience=99))
    with threads(1):
        expected = whole.run()
    for _ in range(2):
        record, _ = resume(whole.states[0], max_epochs=6, patience=99)
        assert same_bits(record, expected)


# ---------------------------------------------------------------------- missing values


def run_and_watch(x, likelihood=None, **changes):
    """Return what was told of all rows in each epoch, and the batches that were read.

    As pairs of what the encoder read and what the likelihood was told.
    """
    targets, batches, original = [], [], training_module.Gradient.__call__

    def watch(self, *args):
        batches.append((self.x.clone(), self.target.clone()))
        return original(self, *args)

    vae, its_own = start(x)
    given = arguments(NONE, 0, x, vae, likelihood or its_own, patience=None, **changes)[
        :-1
    ]
    with pytest.MonkeyPatch.context() as patch, threads(1):
        patch.setattr(training_module.Gradient, "__call__", watch)
        train(*given, lambda target: targets.append(target.clone()) or fill(target))
    return targets, batches


def test_an_epoch_leaves_out_some_more_entries_and_fills_them():
    """Each time others; those of the table's own are missing all along."""
    x = curved_table(missing=0.2)
    targets, batches = run_and_watch(x, max_epochs=40)
    rows, observed = x[TRAIN], ~x[TRAIN].isnan()
    assert len(targets) == 40
    left_out = torch.zeros_like(rows)
    for target in targets:
        kept = ~target.isnan()
        assert (observed | ~kept).all()
        assert torch.equal(target[kept], rows[kept])
        left_out += observed & ~kept
    share = float(left_out.sum() / observed.sum() / 40)
    assert share == pytest.approx(training_module.HIDDEN_SHARE, rel=0.15)
    assert (left_out[observed] > 0).double().mean() > 0.98  # each at some time
    assert left_out.max() < 20
    for epoch, target in enumerate(targets):
        known = {str(row) for row in target.tolist()}
        for read, told in batches[4 * epoch : 4 * epoch + 4]:
            assert torch.equal(read, fill(told))
            assert {str(row) for row in told.tolist()} <= known


def test_a_complete_table_is_read_as_it_is():
    targets, batches = run_and_watch(curved_table(), max_epochs=2)
    assert targets == []
    assert not any(told.isnan().any() for _, told in batches)


def test_all_indicators_of_a_column_are_left_out_together():
    class Paired(Tracked):
        sizes = torch.tensor([1, 1, 2])  # the last two are of one column

    x = curved_table(missing=0.2)
    x[:, 3] = torch.where(x[:, 2].isnan(), nan, x[:, 3].nan_to_num(0.0))
    _, likelihood = start(x)
    likelihood.__class__ = Paired
    targets, _ = run_and_watch(x, likelihood, max_epochs=20)
    gone = torch.stack(targets).isnan()
    assert torch.equal(gone[..., 2], gone[..., 3])
    assert not torch.equal(gone[..., 0], gone[..., 1])
