"""Maps of rows: while fitting every row is placed by the others alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fits import curved_table, first_rows_of, make_recipe, make_split, without_some
from models import mixed_rows, normal

from skvae._fitting import fitter as fitter_module
from skvae._fitting import map as map_module
from skvae._fitting.fit import fit_vae
from skvae._fitting.haste import Haste
from skvae._fitting.map import MapFitter, Remembered, fit_map, fit_map_coder
from skvae._map.look_up import LookUp
from skvae._model.map_coder import MapCoder
from skvae._numerics.threads import threads
from skvae._training.events import SILENT, Listener

N_NEIGHBORS = 10


def map_split(x, **options):
    split = make_split(x, max_epochs=100, **options)
    recipe = replace(split.recipe, n_neighbors=N_NEIGHBORS)
    return type(split)(x, split.first_rows, recipe)


def fit_to(x, listener=SILENT, **options):
    options = {"max_epochs": 100, "noise": "auto"} | options
    recipe = replace(make_recipe(x, listener=listener, **options), n_neighbors=5)
    return fit_vae(x, first_rows_of(x), recipe)


@pytest.fixture(scope="module", params=["complete", "incomplete"])
def mapped(request):
    x = curved_table(160)
    split = map_split(x if request.param == "complete" else without_some(x))
    of_map = fit_map(split, SILENT)
    rows = slice(split.recipe.n_validation, None)
    coder, error = fit_map_coder(of_map, rows, split)
    return split, of_map, coder, error


@pytest.fixture(scope="module")
def solution():
    return fit_to(curved_table(160))


# ----------------------------------------------------------------------- the places


def test_every_row_is_placed_as_if_it_were_not_on_the_map(mapped):
    _, of_map, _, _ = mapped
    whole = of_map.look_up
    for i in (0, 7, 159):
        others = torch.arange(160, device="cpu") != i
        without = LookUp(whole.reference[others], whole.positions[others], whole.scale)
        np.testing.assert_allclose(
            of_map.places[[i]], without(of_map.filled[[i]]), rtol=1e-9, atol=1e-12
        )


def test_a_known_row_has_the_posterior_of_its_place_without_itself(mapped):
    split, of_map, remembered, _ = mapped
    expected, added = remembered.coder.refine(of_map.places, split.x.double())
    mean, log_var = remembered.encode(split.x.double())
    np.testing.assert_allclose(mean, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(log_var, -torch.log1p(added), rtol=1e-9)
    own, _ = remembered.coder.encode(split.x.double())
    assert float((own - mean).abs().mean()) > 1e-3  # which is not where it finds itself


@pytest.mark.parametrize("size", [1, 7, 50])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_are_known_in_whatever_batches_they_come(mapped, size, dtype):
    split, _, remembered, _ = mapped
    expected = remembered.encode(split.x)
    start = MapFitter(split.x, split.first_rows, split.recipe, Haste()).trial().start
    for fill in (lambda x: x, start.fill):
        parts = [remembered.encode(fill(x).to(dtype)) for x in split.x.split(size)]
        for found, whole in zip(zip(*parts, strict=True), expected, strict=True):
            assert torch.equal(torch.cat(found), whole)


def test_unknown_rows_are_those_of_the_coder(mapped):
    split, _, remembered, _ = mapped
    remembered = replace(remembered, posterior_scale=2.0)
    x = torch.cat([split.x[:3], split.x[:4] + 0.1, split.x[9:12]]).double()
    mean, log_var = remembered.encode(x)
    expected = remembered.settled().encode(x[3:7])
    for found, of_coder in zip((mean[3:7], log_var[3:7]), expected, strict=True):
        np.testing.assert_allclose(found, of_coder, rtol=1e-9, atol=1e-12)
    known, _ = remembered.encode(split.x[[0, 1, 2, 9, 10, 11]])
    assert torch.equal(mean[[0, 1, 2, 7, 8, 9]], known)
    assert remembered.settled().posterior_scale == 2.0


def test_what_is_remembered_is_permuted_like_the_coder(mapped):
    split, _, remembered, _ = mapped
    order = torch.tensor([1, 0], dtype=torch.int64, device="cpu")
    signs = torch.tensor([-1.0, 1.0], dtype=torch.float64, device="cpu")
    x = torch.cat([split.x[:5], split.x[:5] + 0.1]).double()
    mean, log_var = remembered.encode(x)
    other = remembered.permuted(order, signs)
    found, found_log_var = other.encode(x)
    np.testing.assert_allclose(found, mean[:, order] * signs, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found_log_var, log_var[:, order], rtol=1e-9)
    np.testing.assert_allclose(other.decode(found), remembered.decode(mean), atol=1e-9)
    offset = normal(5)
    found = remembered.with_offset(offset).decode(mean)
    np.testing.assert_allclose(found, remembered.decode(mean) + offset, atol=1e-12)
    assert (remembered.n_components, remembered.dtype) == (2, torch.float64)


def test_copies_of_a_row_are_each_others_neighbours():
    x = curved_table(20).repeat_interleave(8, dim=0)
    split = map_split(x)
    of_map = fit_map(split, SILENT)
    groups = of_map.places.unflatten(0, (20, 8))
    spread = (groups - groups.mean(dim=1, keepdim=True)).square().mean()
    assert float(spread) < 0.01 * float(groups.square().mean())


# ------------------------------------------------------------------------ the coder


def test_errors_are_of_rows_left_out_and_hold_on_validation_rows(mapped):
    split, _, remembered, error = mapped
    x = split.validation.double()
    mean, log_var = remembered.encode(x)
    draws = [normal(len(x), 2, seed=i) for i in range(20)]
    squares = torch.stack(
        [
            (x - remembered.decode(mean + (0.5 * log_var).exp() * draw)).square()
            for draw in draws
        ]
    )
    of_validation = squares.nanmean(dim=(0, 1)).sum()
    assert 0.4 < float(error.sum() / of_validation) < 2.5
    assert (error >= split.least_noise).all()


def test_indicators_are_regressed_as_logits():
    layout, x = mixed_rows(200, missing=0.1)
    split = map_split(x.float(), layout=layout, noise="auto")
    of_map = fit_map(split, SILENT)
    coder, error = fit_map_coder(of_map, slice(20, None), split)
    assert error.shape == (layout.n_numeric,)
    assert coder.coder.information.shape == (x.shape[1],)
    z, _ = coder.encode(split.x)
    decoded = coder.decode(z)[:, layout.n_numeric :]
    seen = ~x[:, layout.n_numeric :].isnan()
    for j in range(decoded.shape[1]):
        its = seen[:, j]
        of_pair = torch.stack([decoded[its, j], x[its, layout.n_numeric + j]])
        if float(of_pair.std(dim=1).min()) > 1e-6:
            assert float(torch.corrcoef(of_pair)[0, 1]) > 0.1


def test_only_the_first_rows_are_mapped_where_they_are_very_many(monkeypatch):
    monkeypatch.setattr(map_module, "MOST_MAPPED", 90)
    solution = fit_to(curved_table(160), n_validation=9)
    look_up = solution.density.parts[0].coder.look_up
    expected = curved_table(160)[:90].double()
    assert torch.equal(look_up.reference, expected)


# ---------------------------------------------------------------------- the solution


def test_the_solution_knows_all_rows_and_remembers_none(solution):
    coder = solution.density.parts[0].coder
    assert solution.is_map
    assert isinstance(coder, MapCoder)
    assert not isinstance(coder, Remembered)
    assert len(coder.look_up.positions) == 160
    mean, _ = solution.density.encode(curved_table(160).double())
    gaps = (mean - coder.look_up.positions).norm(dim=1)
    assert float(gaps.median()) < 0.15
    assert solution.progress.stopped == "converged" or solution.progress.n_epochs == 100
    assert (solution.component_kl[:-1] >= solution.component_kl[1:]).all()


def same(found, expected, but=()):
    x = curved_table(160).double()
    for of_found, of_expected in zip(
        found.density.encode(x), expected.density.encode(x), strict=True
    ):
        assert torch.equal(of_found, of_expected)
    assert found.density.weights == expected.density.weights
    variance = [one.density.parts[0].likelihood.variance for one in (found, expected)]
    assert torch.equal(*variance)


def test_same_seed_same_bits(solution):
    same(fit_to(curved_table(160)), solution)
    other, _ = fit_to(curved_table(160), seed=1).density.encode(
        curved_table(160).double()
    )
    mean, _ = solution.density.encode(curved_table(160).double())
    assert not torch.equal(other, mean)


def test_a_fit_leaves_what_it_is_given_alone():
    x = without_some(curved_table(80))
    first_rows, before = first_rows_of(x), x.clone()
    recipe = replace(make_recipe(x, max_epochs=20), n_neighbors=5)
    with torch.inference_mode():
        fit_vae(x, first_rows, recipe)
    np.testing.assert_array_equal(x, before)


# ------------------------------------------------------- where someone would not wait


class Stopper(Listener):
    """Ends the layout at a step, by an answer or by an interrupt."""

    def __init__(self, last, error=None):
        self.last, self.error, self.steps, self.phases = last, error, [], []

    def phase(self, name):
        self.phases.append(name.split()[0])

    def step_end(self, step, divergence):
        self.steps.append((step, divergence))
        if step >= self.last and self.error:
            raise self.error
        return step >= self.last


def test_a_listener_is_told_of_steps_and_phases():
    listener = Stopper(10**9)
    solution = fit_to(curved_table(160), listener)
    steps, divergences = zip(*listener.steps, strict=True)
    assert steps == tuple(range(5, solution.progress.n_epochs + 1, 5))
    assert divergences[-1] < divergences[0]
    assert listener.phases == ["Laying", "Regressing", "Choosing"]


def test_an_interrupted_layout_is_that_of_one_that_was_asked_to_stop():
    asked = fit_to(curved_table(160), Stopper(30))
    interrupted = fit_to(curved_table(160), Stopper(30, KeyboardInterrupt()))
    assert (asked.progress.stopped, asked.progress.n_epochs) == ("asked", 30)
    stopped = interrupted.progress.stopped, interrupted.progress.n_epochs
    assert stopped == ("interrupted", 30)
    same(interrupted, asked)
    assert (
        asked.density.log_density(first_rows_of(curved_table(160)), 64).isfinite().all()
    )


def interrupt_call(module, place, which, monkeypatch):
    """Let one of the calls of a step be interrupted."""
    original, calls = getattr(module, place), []

    def interrupted(*args):
        calls.append(place)
        if len(calls) in which:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(module, place, interrupted)


@pytest.mark.parametrize(
    ("module", "place", "call"),
    [
        (map_module, "fit_map_coder", 1),
        (map_module, "fit_map_coder", 2),
        (fitter_module, "calibrate", 1),
        (fitter_module, "finish", 1),
        (fitter_module, "explained_by", 1),
    ],
)
def test_after_the_layout_an_interrupted_step_is_taken_again(
    module, place, call, solution, monkeypatch
):
    interrupt_call(module, place, [call], monkeypatch)
    found = fit_to(curved_table(160))
    assert found.progress.stopped == "interrupted"
    same(found, solution)


def test_a_second_interrupt_is_raised(monkeypatch):
    interrupt_call(map_module, "fit_map_coder", [1, 2], monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fit_to(curved_table(160))


def test_before_there_is_a_layout_an_interrupt_is_raised(monkeypatch):
    interrupt_call(map_module, "fit_linear", [1], monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        fit_to(curved_table(160))


def test_the_callers_thread_count_changes_no_bit(solution):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        same(fit_to(curved_table(160)), solution)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    with threads(1):
        same(fit_to(curved_table(160)), solution)
