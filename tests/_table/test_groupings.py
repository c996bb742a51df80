"""Which categories share an indicator, and what their shares of it say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import OneHotEncoder

from skvae._table.groupings import FEW, LEAST_ROWS, MOST, Grouping, find_groups

quickly = settings(max_examples=100, deadline=None)


@st.composite
def groupings(draw):
    """Groups and counts of up to 12 categories, and whether one takes the unseen."""
    n = draw(st.integers(1, 12))
    groups = draw(st.lists(st.integers(0, n), min_size=n, max_size=n))
    groups = np.unique(groups, return_inverse=True)[1]
    counts = np.array(draw(st.lists(st.integers(1, 9), min_size=n, max_size=n)))
    return groups, counts, draw(st.booleans())


# ------------------------------------------------------------------------- which share


@pytest.mark.parametrize("n", [FEW + 1, 100, MOST, MOST + 1, 600])
def test_rare_categories_are_those_that_one_hot_encoder_finds_infrequent(n):
    counts = np.random.default_rng(0).permutation(n) // (2 if n < 300 else 1) + 1
    counts[np.flatnonzero(counts > LEAST_ROWS)] += np.arange(
        (counts > LEAST_ROWS).sum()
    )
    groups = find_groups(counts, False)
    encoder = OneHotEncoder(min_frequency=LEAST_ROWS, max_categories=MOST + 1)
    encoder.fit(np.repeat(np.arange(n), counts)[:, None])
    (rare,) = encoder.infrequent_categories_
    assert_array_equal(np.flatnonzero(groups == groups.max()), rare)
    assert groups.max() == n - len(rare) <= MOST
    assert_array_equal(groups[np.delete(np.arange(n), rare)], np.arange(n - len(rare)))


def test_of_categories_that_are_as_frequent_the_first_stay():
    groups = find_groups(np.full(MOST + 3, LEAST_ROWS), False)
    assert_array_equal(groups, [*range(MOST), MOST, MOST, MOST])


@pytest.mark.parametrize(
    ("n", "count", "ordered"), [(FEW, 1, False), (200, 5, False), (MOST, 1, True)]
)
def test_few_or_frequent_categories_are_on_their_own(n, count, ordered):
    assert_array_equal(find_groups(np.full(n, count), ordered), np.arange(n))


def test_one_rare_category_alone_is_no_pool():
    counts = np.full(40, LEAST_ROWS)
    counts[7] = 1
    assert_array_equal(find_groups(counts, False), np.arange(40))
    assert_array_equal(find_groups(np.full(MOST + 1, 9), False), np.arange(MOST + 1))
    counts[30] = 1
    groups = find_groups(counts, False)
    assert_array_equal(np.flatnonzero(groups == 38), [7, 30])


@pytest.mark.parametrize("n", [MOST + 1, 1000, 5000])
def test_of_many_ordered_categories_neighbours_are_joined(n):
    counts = np.random.default_rng(0).integers(1, 50, n)
    counts[n // 2] = counts.sum()  # half of the rows are one category's
    groups = find_groups(counts, True)
    assert_array_equal(np.unique(groups), np.arange(groups.max() + 1))
    assert (np.diff(groups) >= 0).all()
    assert MOST / 2 < groups.max() + 1 <= MOST
    rows = np.bincount(groups, counts)
    rows[groups[n // 2]] = 0
    assert rows.max() <= counts.sum() / MOST + 50


# ---------------------------------------------------------------------- what they say


@given(groupings())
@quickly
def test_shares_of_a_group_add_up_to_one(given_groups):
    groups, counts, takes_unseen = given_groups
    grouping, n = Grouping(*given_groups), len(groups)
    codes = np.arange(n + takes_unseen, dtype=float)
    group, share = grouping.of(codes), np.exp(grouping.log_share(codes))
    assert_array_equal(group[:n], groups)
    assert_allclose(np.bincount(group.astype(int), share), 1)
    if takes_unseen:  # as if one row more had shown another value
        assert group[n] == groups.max()
        assert share[n] == pytest.approx(1 / (counts[groups == groups.max()].sum() + 1))
    assert np.isnan(grouping.of(np.array([np.nan]))).all()
    assert_array_equal(grouping.log_share(np.array([np.nan])), 0)


@given(groupings(), st.integers(0, 2**32))
@quickly
def test_the_likeliest_category_is_that_of_all(given_groups, seed):
    groups, grouping = given_groups[0], Grouping(*given_groups)
    p = np.random.default_rng(seed).dirichlet(np.ones(grouping.n_groups), size=20)
    share = np.exp(grouping.log_share(np.arange(len(groups), dtype=float)))
    of_each = p[:, groups] * share
    found = grouping.likeliest(p)
    assert_allclose(of_each[np.arange(20), found], of_each.max(axis=1))


@given(groupings(), st.integers(0, 2**32))
@quickly
def test_the_median_category_exceeds_what_is_exceeded_with_one_half(given_groups, seed):
    groups, counts, _ = given_groups
    groups = np.sort(groups)
    grouping = Grouping(groups, counts)
    p = np.random.default_rng(seed).dirichlet(np.ones(grouping.n_groups), size=20)
    share = np.exp(grouping.log_share(np.arange(len(groups), dtype=float)))
    at_most = (p[:, groups] * share).cumsum(axis=1)
    found = grouping.median(1 - p.cumsum(axis=1)[:, :-1])
    rows = np.arange(20)
    assert (at_most[rows, found] >= 0.5 - 1e-12).all()
    assert (at_most[rows, found] - (p[:, groups] * share)[rows, found] <= 0.5).all()


@given(groupings())
@quickly
def test_a_category_is_drawn_from_its_group_by_its_share(given_groups):
    groups, counts, _ = given_groups
    grouping = Grouping(*given_groups)
    for group in range(grouping.n_groups):
        members = np.flatnonzero(groups == group)
        rows = counts[members].sum()
        codes = np.full(rows, float(members[0]))
        drawn = grouping.draw(codes, (np.arange(rows) + 0.5) / rows)
        assert_array_equal(
            np.bincount(drawn, minlength=len(groups))[members], counts[members]
        )
        ends = grouping.draw(codes[:2], np.array([0.0, np.nextafter(1, 0)])[:rows])
        assert set(ends) <= set(members)


def test_categories_on_their_own_are_their_groups():
    grouping, codes = Grouping.alone(3), np.array([2.0, 0, 1])
    assert (grouping.n_groups, grouping.n_grouped) == (3, 0)
    assert_array_equal(grouping.of(codes), codes)
    assert_array_equal(grouping.log_share(codes), 0)
    assert_array_equal(grouping.draw(codes, np.array([0, 0.5, 1 - 1e-16])), codes)
    assert not Grouping.alone(1).tells_nothing
    assert Grouping([0, 0], [1, 1]).tells_nothing
