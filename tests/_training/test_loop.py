"""The loop: a plain torch loop as oracle, then what is kept, and when it stops."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import sympy  # noqa: F401  torch imports it late, and it adds a warning filter
import torch
from torch.distributions import Normal, kl_divergence

from skvae._likelihoods.gaussian import Gaussian
from skvae._linear.anchor import fit_linear_vae
from skvae._model.network import VAE, Architecture, initial_parameters
from skvae._numerics.threads import one_thread
from skvae._training import loop as training_module
from skvae._training.loop import Settings, evaluate, train

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
TRAIN, HELD_OUT = torch.arange(40), torch.arange(40, N)
NONE = torch.arange(0)
MLP_MATRICES = tuple(f"{m}coder_{i}_weight" for m in ("en", "de") for i in (0, 1))


def curved_table(n=N, dtype=torch.float32):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 2))
    x = np.c_[z, z[:, 0] ** 2 - 1, z[:, 1] * z[:, 0]] + 0.2 * rng.normal(size=(n, D))
    return torch.from_numpy(x).to(dtype)


def start(x, shared=True):
    """A fresh network and likelihood at the closed form of the training rows."""
    noise = "spherical" if shared else "diag"
    linear = fit_linear_vae(x[TRAIN].double().numpy(), K, noise, 1e-6)
    flat = initial_parameters(ARCHITECTURE, linear, torch.Generator().manual_seed(9))
    variance = torch.from_numpy(linear.noise_variance).to(x.dtype)
    vae = VAE(ARCHITECTURE, flat.to(x.dtype))
    return vae, Gaussian(variance, floor=1e-6, shared=shared)


def run(held_out=HELD_OUT, seed=0, x=None, vae=None, likelihood=None, **changes):
    x = curved_table() if x is None else x
    if vae is None:
        vae, likelihood = start(x)
    generator = torch.Generator().manual_seed(seed)
    settings = replace(SETTINGS, **changes)
    with one_thread():
        return train(vae, likelihood, x[TRAIN], x[held_out], settings, generator)


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
    original = training_module.gradient_of

    class Steps(list):
        spoilt = frozenset()

    steps = Steps()

    class Spy:
        def __init__(self, vae, n_rows, have_holes):
            self.vae, self.gradient = vae, original(vae, n_rows, have_holes)
            for name in ("x", "target", "noise", "flat", "uses_autograd"):
                setattr(self, name, getattr(self.gradient, name))

        def __call__(self, likelihood, beta):
            steps.append((self.x.clone(), self.vae.flat.clone(), beta))
            error, kl = self.gradient(likelihood, beta)
            if len(steps) - 1 in steps.spoilt:
                self.flat.fill_(np.nan)
                kl = kl * np.nan
            return error, kl

    monkeypatch.setattr(training_module, "gradient_of", Spy)
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
    monkeypatch.setattr(
        training_module, "ADAM_EPS", 1e-36
    )  # torch adds its to the root
    x = curved_table(dtype=dtype)
    vae, likelihood = start(x, shared)
    rate = 0.1
    record = run(
        NONE, 0, x, vae, likelihood, patience=None, beta=beta, learning_rate=rate
    )

    twin, block = start(x, shared)
    variance = block.variance
    decay = {True: SETTINGS.weight_decay, False: 0.0}
    optimizer = torch.optim.AdamW(
        [
            {"params": [p], "weight_decay": decay[name.startswith(MLP_MATRICES)]}
            for name, p in twin.parts.items()
        ],
        betas=training_module.ADAM_BETAS,
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
                warmup = min(1.0, step / training_module.LR_WARMUP_STEPS)
                group["lr"] = rate * warmup
            optimizer.step()
            error = (x[batch] - decoded.detach()).square().mean(dim=0)
            error = error.mean().expand(D) if shared else error
            share = training_module.NOISE_TRACKING
            variance = (1 - share) * variance + share * error
            averaged += training_module.AVERAGING * (twin.flat - averaged)
            errors.append((x[batch] - decoded.detach()).square().mean(dim=0))
            kls.append(kl.mean().item())
        losses.append(beta * np.mean(kls) - expected_log_prob(errors, variance))

    moved = (averaged - start(x, shared)[0].flat).abs().max()
    assert moved > 100 * tolerance  # the comparison says something
    np.testing.assert_allclose(record.loss_curve, losses, rtol=1e-5)
    np.testing.assert_allclose(vae.flat, twin.flat, atol=tolerance)
    np.testing.assert_allclose(record.flat, averaged, atol=tolerance)
    np.testing.assert_allclose(likelihood.variance, variance, rtol=10 * tolerance)


def expected_log_prob(errors, variance):
    """Of rows whose columns have these mean squared errors, by batch."""
    error = torch.stack(errors).mean(dim=0)
    return float(-0.5 * (error / variance + (2 * np.pi * variance).log()).sum())


def test_evaluate_is_the_elbo_at_the_rows_own_best_noise():
    x = curved_table(dtype=torch.float64)
    vae, likelihood = start(x, shared=False)
    noise = torch.randn(len(HELD_OUT), K, generator=torch.Generator().manual_seed(0))
    score, fitted = evaluate(vae, likelihood, x[HELD_OUT], noise.double(), beta=0.5)
    rows = x[HELD_OUT]
    mean, log_var = (t.detach() for t in vae.encode(rows))
    posterior = Normal(mean, (0.5 * log_var).exp())
    decoded = vae.decode(mean + posterior.scale * noise).detach()
    variance = (rows - decoded).square().mean(dim=0)
    log_prob = Normal(decoded, variance.sqrt()).log_prob(rows).sum(dim=1)
    kl = kl_divergence(posterior, Normal(0.0, 1.0)).sum(dim=1)
    assert score == pytest.approx(float((log_prob - 0.5 * kl).mean()), rel=1e-12)
    np.testing.assert_allclose(fitted.variance, variance, rtol=1e-12)


def test_evaluate_may_take_the_rows_in_parts(monkeypatch):
    x = curved_table(dtype=torch.float64)
    vae, likelihood = start(x)
    noise = torch.ones(len(HELD_OUT), K, dtype=torch.float64)
    whole = evaluate(vae, likelihood, x[HELD_OUT], noise)[0]
    monkeypatch.setattr(training_module, "EVALUATION_ROWS", 7)
    parts = evaluate(vae, likelihood, x[HELD_OUT], noise)[0]
    assert parts == pytest.approx(whole, rel=1e-12)


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
    reported = []
    record = run(
        max_epochs=3, patience=99, report=lambda *epoch: reported.append(epoch)
    )
    assert (record.n_epochs, record.stopped) == (3, "max_epochs")
    scores = record.validation_scores
    assert reported == list(zip([1, 2, 3], record.loss_curve, scores, strict=True))


@pytest.mark.parametrize("offset", [-100.0, 0.0, 100.0])
@pytest.mark.parametrize(
    ("scores", "n_epochs", "best_epoch"),
    [
        ([0, 1, 2, 2, 2, 2, 9], 5, 2),  # three epochs in vain
        ([0, 1, 0, 0, 2, 0, 0, 0, 9], 7, 4),  # patience starts again
        ([0, -1, -1, -1, 9], 3, 0),  # nothing beats the start
        ([0, 0.004, 0.008, 0.0081, 9], 3, 3),  # less than tol: kept, but no reason
        ([0, 0.02, 0.04, 0.06, 0.08], 4, 4),  # more than tol: up to max_epochs
    ],
)
def test_patience_and_an_absolute_tol(
    scores, n_epochs, best_epoch, offset, no_warmup, monkeypatch
):
    script(monkeypatch, [score + offset for score in scores])
    record = run(patience=3, tol=0.01, max_epochs=len(scores) - 1)
    assert (record.n_epochs, record.best_epoch) == (n_epochs, best_epoch)
    assert record.best_score == scores[best_epoch] + offset
    ended = n_epochs == len(scores) - 1
    assert record.stopped == ("max_epochs" if ended else "patience")


def test_patience_is_long_enough_for_a_small_table(no_warmup, monkeypatch):
    monkeypatch.setattr(training_module, "MIN_PATIENCE_STEPS", 21)  # of 4 an epoch
    script(monkeypatch, [0.0] * 100)
    assert run(patience=3, max_epochs=50).n_epochs == 6


def test_the_weight_of_the_kl_is_beta_all_along_where_nothing_is_warmed_up(steps):
    run(NONE, beta=0.5, patience=None, kl_warmup=False)
    assert [beta for *_, beta in steps] == [0.5] * 20


def test_patience_waits_for_the_kl(monkeypatch):
    monkeypatch.setattr(training_module, "KL_WARMUP_STEPS", 20)  # of 4 an epoch
    monkeypatch.setattr(training_module, "KL_WARMUP_EPOCHS", 99)
    monkeypatch.setattr(training_module, "MIN_PATIENCE_STEPS", 0)
    script(monkeypatch, [0.0] * 100)
    record = run(patience=3, max_epochs=50)
    assert 5 + 2 <= record.n_epochs <= 5 + 3


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
    assert record.best_epoch == 0
    assert torch.equal(record.flat, untouched)


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
    assert torch.equal(record.flat, flat)
    assert torch.equal(record.likelihood.variance, variance)
    assert not torch.equal(evaluated[-1][0], flat)


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_the_record_tells_the_score_of_its_weights(beta):
    x, seed = curved_table(), 3
    record = run(seed=seed, x=x, beta=beta, max_epochs=60, patience=99)
    assert record.best_epoch > 0
    noise = torch.zeros(len(HELD_OUT), K)
    noise.normal_(generator=torch.Generator().manual_seed(seed))  # the first draw
    vae = VAE(ARCHITECTURE, record.flat)
    score, fitted = evaluate(vae, record.likelihood, x[HELD_OUT], noise, beta)
    assert score == record.best_score == max(record.validation_scores)
    assert torch.equal(fitted.variance, record.likelihood.variance)
    assert record.best_epoch == 1 + int(np.argmax(record.validation_scores))


def test_without_patience_the_last_epoch_is_kept(monkeypatch):
    script(monkeypatch, [0, 5, 4, 3, 2, 1])
    record = run(patience=None, max_epochs=5)
    assert (record.best_epoch, record.n_epochs, record.best_score) == (5, 5, 1)
    assert record.stopped == "max_epochs"


# ------------------------------------------------------------------------ divergence


def test_a_nonfinite_loss_restarts_slower_from_the_best_weights(no_warmup, monkeypatch):
    plain = {"patience": None, "weight_decay": 0.0}
    before = run(NONE, max_epochs=2, **plain)
    calls = spy_on_steps(monkeypatch)
    calls.spoilt = {9}  # the second step of the third epoch of four steps
    record = run(NONE, max_epochs=6, **plain)
    assert np.isnan(record.loss_curve[2])
    assert record.stopped == "max_epochs"
    assert record.best_epoch == 6
    assert record.flat.isfinite().all()
    weights = [flat for _, flat, _ in calls]
    assert torch.equal(weights[12], before.flat)
    # Adam's first step is the learning rate, whatever the gradient
    slow = SETTINGS.learning_rate * training_module.RESTART_SLOWDOWN
    first_step = (weights[13] - weights[12]).abs().max()
    assert float(first_step) == pytest.approx(
        slow / training_module.LR_WARMUP_STEPS, rel=0.1
    )


def test_a_loss_that_stays_nonfinite_gives_the_best_weights(no_warmup, monkeypatch):
    before = run(NONE, max_epochs=2, patience=None)
    spy_on_steps(monkeypatch).spoilt = set(range(8, 99))
    record = run(NONE, max_epochs=20, patience=None)
    assert (record.stopped, record.n_epochs, record.best_epoch) == ("diverged", 4, 2)
    assert torch.equal(record.flat, before.flat)


@pytest.mark.parametrize("held_out", [HELD_OUT, NONE])
@pytest.mark.parametrize("learning_rate", [1e3, 1e10, 1e30])
def test_an_absurd_learning_rate_leaves_no_nan(learning_rate, held_out):
    patience = 5 if len(held_out) else None
    record = run(
        held_out, learning_rate=learning_rate, max_epochs=30, patience=patience
    )
    assert record.flat.isfinite().all()
    assert record.likelihood.variance.isfinite().all()
    if learning_rate == 1e30:
        assert record.stopped == "diverged"


def test_a_run_that_diverges_at_once_gives_the_start():
    x = curved_table()
    record = run(x=x, learning_rate=1e30)
    assert (record.stopped, record.best_epoch) == ("diverged", 0)
    assert torch.equal(record.flat, start(x)[0].flat)


# -------------------------------------------------------------- randomness and threads


def same_bits(one, other):
    return (
        torch.equal(one.flat, other.flat)
        and one.loss_curve == other.loss_curve
        and one.validation_scores == other.validation_scores
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
