"""Rows: what the encoder reads of them, and what the likelihood is told."""

import pytest
import torch
from models import normal

from skvae._model.rows import Rows

X = normal(6, 3)
INTERVALS = torch.stack([X - 0.5, X + 0.5], dim=1)


@pytest.mark.parametrize("some", [slice(2, 5), torch.tensor([4, 0]), slice(0)])
@pytest.mark.parametrize("observed", [X + 1, INTERVALS])
def test_some_of_the_rows_are_those_of_both(some, observed):
    rows = Rows(X, observed)
    assert len(rows) == 6
    part = rows[some]
    assert torch.equal(part.x, X[some])
    assert torch.equal(part.observed, observed[some])
    assert len(part) == len(X[some])


def test_intervals_are_pairs():
    assert Rows(X, INTERVALS).has_intervals
    assert not Rows(X, X).has_intervals


@pytest.mark.parametrize("observed", [X, INTERVALS])
def test_what_was_observed_may_be_missing_and_not_what_is_read(observed):
    assert not Rows(X, observed).has_missing
    observed = observed.clone()
    observed[3, ..., 1] = torch.nan
    rows = Rows(X, observed)
    assert rows.has_missing
    assert rows[3:].has_missing
    assert not rows[:3].has_missing  # each of itself


def test_no_rows_miss_nothing():
    assert not Rows(X[:0], X[:0]).has_missing


def test_rows_go_to_another_precision_as_a_whole():
    rows = Rows(X, INTERVALS).to(torch.float32)
    assert rows.x.dtype == rows.observed.dtype == torch.float32
    assert torch.equal(rows.observed, INTERVALS.float())
