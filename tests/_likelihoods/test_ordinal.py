"""Ordered categories: masses, gradients, draws, and what a whole fit makes of them."""

import numpy as np
import pandas as pd
import pytest
import torch
from likelihoods import OrdinalCase
from numpy.testing import assert_allclose

from skvae._likelihoods import ordinal as ordinal_module
from skvae._likelihoods.ordinal import Ordinal
from skvae._table.indicators import INDICATORS, fit_layout

SIZES = torch.tensor([3, 2, 4])  # of 4, 3 and 5 categories


class TestOrdinal(OrdinalCase):
    """What every block of columns promises."""


def exceeding(codes):
    """Return the indicators of categories of columns, (n, 3) -> (n, 9)."""
    parts = [
        codes[:, [j]] > torch.arange(size) for j, size in enumerate(SIZES.tolist())
    ]
    return torch.cat(parts, dim=1).double()


def make(seed=0, incomplete=False):
    generator = torch.Generator().manual_seed(seed)
    center = torch.rand(9, generator=generator, dtype=torch.float64)
    spread = 0.5 + torch.rand(9, generator=generator, dtype=torch.float64)
    likelihood = Ordinal(center, spread, SIZES, incomplete)
    codes = torch.stack([torch.arange(20) % n for n in (4, 3, 5)], dim=1)
    decoded = 2 * torch.randn(20, 9, generator=generator, dtype=torch.float64)
    return likelihood, (exceeding(codes) - center) / spread, decoded


def test_masses_are_those_of_cumulative_logits():
    likelihood, x, decoded = make()
    log_mass = likelihood.log_prob(x, decoded)
    start = 0
    for size in SIZES.tolist():
        columns = slice(start, start + size)
        steps = torch.nn.functional.softplus(decoded[:, columns][:, 1:])
        first = decoded[:, columns][:, :1]
        logits = torch.cat([first, first - steps.cumsum(dim=1)], dim=1)
        exceeds = torch.sigmoid(logits)
        ones, zeros = torch.ones(20, 1).double(), torch.zeros(20, 1).double()
        masses = -torch.cat([ones, exceeds, zeros], dim=1).diff(dim=1)
        expected = masses.gather(1, torch.arange(20)[:, None] % (size + 1)).log()
        found = log_mass[:, columns].sum(dim=1)
        assert_allclose(found, expected[:, 0], rtol=1e-4, atol=1e-4)
        start += size


def test_many_columns_are_added_up_in_runs(monkeypatch):
    likelihood, x, decoded = make()
    for run in 1, 4, 5:
        monkeypatch.setattr(ordinal_module, "RUN", run)
        other = make()[0]
        assert_allclose(other.log_prob(x, decoded), likelihood.log_prob(x, decoded))
        pull = [of.pull(of.indicators(x), decoded) for of in (other, likelihood)]
        assert_allclose(*pull)
        assert sum(map(len, other._sums)) == sum(other._widths) == 9
    assert [len(of_run) for of_run in other._sums] == [5, 4]


def test_masses_add_up_to_1():
    likelihood, _, decoded = make()
    total = torch.zeros(20, 3, dtype=torch.float64)
    for code in range(5):
        codes = torch.full((20, 3), code).minimum(SIZES)
        x = (exceeding(codes) - likelihood.center) / likelihood.spread
        mass = torch.stack(
            [p.sum(dim=1) for p in likelihood.log_prob(x, decoded).split([3, 2, 4], 1)],
            dim=1,
        ).exp()
        total += mass.where(code <= SIZES, 0.0)
    assert_allclose(total, 1, rtol=1e-9)


def test_the_gradient_is_autograds():
    likelihood, x, decoded = make(incomplete=True)
    x[3, :3] = torch.nan
    leaf = decoded.clone().requires_grad_()
    (-likelihood.log_prob(x, leaf).sum() / len(x)).backward()
    out, weight = torch.empty_like(decoded), torch.tensor(1 / len(x)).double()
    errors = likelihood.backward(x, decoded.clone(), weight, out)
    assert_allclose(out, leaf.grad, atol=1e-12)
    expected = -likelihood.log_prob(x, decoded).mean(dim=0)
    assert_allclose(errors, expected, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 50.0, 1e4])
def test_extreme_logits_stay_finite(scale):
    likelihood, x, decoded = make()
    out = torch.empty_like(decoded)
    errors = likelihood.backward(x, scale * decoded, torch.tensor(0.05).double(), out)
    assert errors.isfinite().all()
    assert out.isfinite().all()


def test_draws_have_their_probabilities_and_fall():
    likelihood, _, decoded = make()
    generator = torch.Generator().manual_seed(0)
    many = decoded[:1].expand(100_000, -1).contiguous()
    drawn = likelihood.indicators(likelihood.sample(many, generator))
    probability = likelihood.probability(decoded[:1])[0]
    error = 4 * (probability * (1 - probability) / len(many)).sqrt() + 1e-9
    assert ((drawn.mean(dim=0) - probability).abs() < error).all()
    for part in drawn.split([3, 2, 4], dim=1):
        assert (part.diff(dim=1) <= 0).all()


def test_the_start_has_the_shares():
    shares = torch.tensor([0.7, 0.4, 0.1, 0.9, 0.2, 0.8, 0.6, 0.4, 0.2]).double()
    likelihood = Ordinal(shares, torch.ones(9).double(), SIZES)
    found = likelihood.probability(likelihood.start()[None])[0]
    assert_allclose(found, shares, rtol=1e-5, atol=1e-5)


def test_categories_that_no_row_has_or_every_row_start_finite():
    shares = torch.tensor([1.0, 0.4, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]).double()
    likelihood = Ordinal(shares, torch.ones(9).double(), SIZES)
    start = likelihood.start()
    assert start.isfinite().all()
    assert_allclose(likelihood.probability(start), shares, atol=1e-5)


def test_codes_survive_and_have_the_variance_of_one_hot_columns():
    rng = np.random.default_rng(0)
    codes = rng.choice(4, (500, 1), p=[0.1, 0.2, 0.3, 0.4]).astype(float)
    codes[3] = np.nan
    layout = fit_layout(codes, np.array(["ordinal"]), np.array([4]))
    scaler = INDICATORS["ordinal"](layout.blocks[0])
    x = scaler.forward(codes)
    known = ~np.isnan(codes[:, 0])
    assert np.isnan(x[3]).all()
    np.testing.assert_array_equal(scaler.backward(x[known]), codes[known])
    shares = np.bincount(codes[known, 0].astype(int)) / known.sum()
    assert x[known].var(axis=0).sum() == pytest.approx(1 - (shares**2).sum())


def make_grades(seed=0, n=400):
    """Two measurements, and twelve grades by thresholds of a noisy sum of them."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    score = z + 0.25 * rng.logistic(size=n)
    codes = np.digitize(score, np.linspace(-2, 2, 11))
    dtype = pd.CategoricalDtype(list("LKJIHGFEDCBA"), ordered=True)
    return pd.DataFrame(
        {
            "maths": z + 0.3 * rng.normal(size=n),
            "physics": z + 0.3 * rng.normal(size=n),
            "grade": pd.Categorical.from_codes(codes, dtype=dtype),
        }
    )


def fit(make_vae, table):
    return make_vae(n_components=1, max_iter=60).fit(table)


def test_an_order_makes_imputed_grades_nearer_and_rows_likelier(make_vae):
    gains, errors = [], []
    for seed in range(3):
        ordered = make_grades(seed)
        plain = ordered.assign(grade=ordered["grade"].cat.as_unordered())
        scores, of_both = [], []
        for table in ordered, plain:
            vae, test = fit(make_vae, table.iloc[:200]), table.iloc[200:]
            scores.append(vae.score(test))
            hidden = test.assign(grade=test["grade"].where([False] * len(test)))
            filled = vae.impute(hidden)["grade"]
            assert filled.dtype == table["grade"].dtype
            away = filled.cat.codes.to_numpy() - test["grade"].cat.codes.to_numpy()
            of_both.append(np.abs(away).mean())
        gains.append(scores[0] - scores[1])
        errors.append(of_both[0] - of_both[1])
    assert np.mean(gains) > 0
    assert max(errors) < 0


def test_drawn_grades_go_with_the_measurements(make_vae):
    grades = make_grades()
    drawn = fit(make_vae, grades).sample(4000, random_state=0)
    ranks = [frame["grade"].cat.codes for frame in (grades, drawn)]
    real, found = (
        rank.corr(frame["maths"])
        for rank, frame in zip(ranks, (grades, drawn), strict=True)
    )
    assert found == pytest.approx(real, abs=0.06)
    shares = [rank.value_counts(normalize=True).sort_index() for rank in ranks]
    assert (shares[0] - shares[1]).abs().max() < 0.06


def test_the_order_of_polars_enums_counts(make_vae):
    pl = pytest.importorskip("polars")
    grades = make_grades(n=120)
    enum = pl.Enum(grades["grade"].cat.categories.tolist())
    texts = pl.Series(grades["grade"].astype(str).tolist(), dtype=enum)
    table = pl.DataFrame({**grades.to_dict("list"), "grade": texts})
    vae = fit(make_vae, table)
    assert vae.score(table) == fit(make_vae, grades).score(grades)
    assert vae.sample(5, random_state=0)["grade"].dtype == enum


def test_columns_are_drawn_independently():
    sizes = torch.tensor([2, 2])
    half = torch.full((4,), 0.5, dtype=torch.float64)
    likelihood = Ordinal(half, torch.ones_like(half), sizes)
    generator = torch.Generator().manual_seed(0)
    decoded = torch.zeros(4_000, 4, dtype=torch.float64)
    drawn = likelihood.indicators(likelihood.sample(decoded, generator))
    correlation = torch.corrcoef(drawn[:, [0, 2]].T)[0, 1]
    assert abs(float(correlation)) < 0.06


def test_long_columns_curve_more_than_1_and_no_more_than_the_bound():
    size = 10
    half = torch.full((size,), 0.5, dtype=torch.float64)
    likelihood = Ordinal(half, torch.ones_like(half), torch.tensor([size]))
    generator, largest = torch.Generator().manual_seed(0), 0.0
    for code in (0, 1, 5, 10):
        indicators = (torch.arange(size) < code).double()
        for _ in range(20):
            decoded = 3 * torch.randn(size, generator=generator, dtype=torch.float64)
            decoded[0] = decoded[0].abs() * size / 3
            hessian = torch.autograd.functional.hessian(
                lambda at, of=indicators: likelihood._errors(of, at).sum(), decoded
            )
            largest = max(largest, float(torch.linalg.eigvalsh(hessian).max()))
    assert 1 < largest <= likelihood.curvature
