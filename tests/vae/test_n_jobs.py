"""`n_jobs`: as many threads as are asked for, and what depends on their number."""

import joblib
import numpy as np
import pytest
import torch

from skvae import VAETransformer
from skvae import _vae as vae_module
from skvae._fitting import fit as fit_module

pytestmark = pytest.mark.filterwarnings("ignore:max_iter=.* epochs ended")

RNG = np.random.default_rng(0)
ROWS = np.tanh(RNG.normal(size=(200, 3)) @ RNG.normal(size=(3, 6)))
INCOMPLETE = np.where(RNG.random(ROWS.shape) < 0.2, np.nan, ROWS)


def make(**parameters):
    return VAETransformer(2, max_iter=3, random_state=0, **parameters)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(vae_module, "CHUNK_ROWS", 40)
    monkeypatch.setattr(vae_module.VAETransformer._map_rows, "__defaults__", (40,))
    monkeypatch.setattr(vae_module, "SCORE_ROWS", 16)


@pytest.fixture
def n_threads(monkeypatch):
    """Return the numbers of threads that fits ran on."""
    seen = []
    fit = fit_module.Fitter.trial

    def trial(self):
        seen.append(torch.get_num_threads())
        return fit(self)

    monkeypatch.setattr(fit_module.Fitter, "trial", trial)
    return seen


def verbs(vae):
    Z = vae.transform(ROWS)
    return (
        Z,
        vae.inverse_transform(Z),
        vae.posterior(ROWS),
        vae.reconstruct(ROWS),
        vae.sample(200, random_state=1),
        vae.impute(INCOMPLETE),
        vae.impute(INCOMPLETE, n_draws=2, random_state=1),
        vae.score_samples(INCOMPLETE),
    )


def test_the_verbs_give_the_same_bits_whatever_it_is(small_chunks):
    vae = make().fit(INCOMPLETE)
    alone = verbs(vae)
    for n_jobs in (2, 3, -1):
        assert joblib.hash(verbs(vae.set_params(n_jobs=n_jobs))) == joblib.hash(alone)


def test_rows_are_drawn_chunk_by_chunk_and_differ(small_chunks):
    drawn = make().fit(ROWS).sample(200, random_state=1)
    assert len(np.unique(drawn, axis=0)) == 200
    starts = drawn[:40], drawn[40:80]
    assert not np.isin(*starts).any()


def test_the_same_number_gives_the_same_bits(predictions):
    first, again = (predictions(make(n_jobs=2).fit(ROWS), ROWS) for _ in range(2))
    assert joblib.hash(first) == joblib.hash(again)


@pytest.mark.parametrize(("n_jobs", "expected"), [(None, 1), (1, 1), (2, 2)])
def test_a_fit_runs_on_so_many_threads_and_sets_none(n_jobs, expected, n_threads):
    before = torch.get_num_threads()
    make(n_jobs=n_jobs).fit(ROWS)
    assert n_threads == [expected]
    assert torch.get_num_threads() == before


def test_none_is_what_joblib_was_told(n_threads):
    with joblib.parallel_config("threading", n_jobs=2):
        make().fit(ROWS)
    assert n_threads == [2]


def test_all_processors_are_joblibs(n_threads):
    make(n_jobs=-1).fit(ROWS)
    assert n_threads == [joblib.cpu_count()]


def test_a_fit_beside_others_runs_on_one_thread(n_threads):
    parallel = joblib.Parallel(2, require="sharedmem")
    parallel(joblib.delayed(make().fit)(X) for X in [ROWS])  # as those of a search
    assert n_threads == [1]
